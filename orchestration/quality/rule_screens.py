"""The SQL of the rules that large batches are checked by: see ``screening`` for what it is for.

A rule of :data:`orchestration.quality.rules.RULES` that is not here looks at all rows. The
condition of a rule that judges a row by others of its ticker holds for all daily rows of the
ticker, so that the rule sees in those rows what it would see in the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration import calendars
from orchestration.quality.rules import MAXIMUM_UNEXPLAINED_MOVE, RuleContext
from orchestration.quality.screen import NO_ROW, Condition, Screen
from orchestration.registry.entries import Kpi, MacroSeries, Security

#: A move this little under what is allowed is looked at again, whatever a division rounds.
_ROUNDING = 1e-9


class RuleScreens:
    """The conditions of rules on one batch; what several of them need is found once."""

    def __init__(self, screen: Screen, context: RuleContext) -> None:
        self._screen = screen
        self._context = context

    def condition(self, rule: str) -> Condition | None:
        """Return when a row may break a rule; ``None`` where there is no SQL for it."""
        form = FORMS.get(rule)
        return form(self) if form else None

    def has_a_price(self) -> Condition:
        """Neither close nor adj_close."""
        return f"{self._screen.missing('close')} and {self._screen.missing('adj_close')}"

    def currency_of_security(self) -> Condition:
        """Another currency than the registry's; seen once for each ticker and currency."""
        securities = self._context.registry.entries(Security)
        own = [(s.security_key, s.currency) for s in securities]
        return self._other_than_own("ticker", "currency", own)

    def on_trading_session(self) -> Condition:
        """A ticker with a day that is no session of its exchange."""
        return self._of_tickers(self._days[0])

    def sessions(self) -> Condition:
        """A ticker whose days are not exactly the sessions from its first to its last."""
        return self._of_tickers(self._days[1] | self._moves[0])

    def jump_explained(self) -> Condition:
        """A ticker of which a close moves far in a session."""
        return self._of_tickers(self._moves[0] | self._moves[1])

    def unit_of_action(self) -> Condition:
        """Not both a split and a ratio."""
        split = f"coalesce({self._screen.column('action')} = 'split', false)"
        return f"{split} <> coalesce({self._screen.column('unit')} = 'ratio', false)"

    def unit_of_series(self) -> Condition:
        """Another unit than the registry's."""
        own = [(s.series_id, s.unit) for s in self._context.registry.entries(MacroSeries)]
        return self._other_than_own("series_id", "unit", own)

    def unit_of_kpi(self) -> Condition:
        """Another unit than the registry's."""
        own = [(k.kpi, k.unit) for k in self._context.registry.entries(Kpi)]
        return self._other_than_own("kpi", "unit", own)

    def _other_than_own(self, key: str, name: str, own: list[tuple[str, str]]) -> Condition:
        keys, values = (pa.array(column, pa.string()) for column in zip(*own, strict=True))
        self._screen.connection.register(f"own {name}", pa.table({"of": keys, "value": values}))
        return self._screen.among_distinct(
            (key, name),
            f'not exists (select 1 from "own {name}" as own where own.of = seen."{key}" '  # noqa: S608
            f'and own.value = seen."{name}")',
        )

    def _of_tickers(self, codes: frozenset[int]) -> Condition:
        if not codes:
            return NO_ROW
        names = self._tickers.take(pa.array(sorted(codes), pa.int64())).to_pylist()
        frequency, ticker = map(self._screen.column, ("observation_frequency", "ticker"))
        return (
            f"coalesce({frequency} = 'daily' "
            f"and {ticker} in (select unnest({self._screen.given(names)})), false)"
        )

    @cached_property
    def _tickers(self) -> pa.Array:
        """The tickers of the batch. Their places are the codes by which ``daily`` knows them."""
        batch = self._screen.batch
        tickers, codes = self._screen.coded("ticker")
        is_daily = pc.fill_null(pc.equal(batch["observation_frequency"], "daily"), False)
        columns = {
            "code": codes,
            "counts": pc.and_(is_daily, codes.is_valid()),
            **{name: batch[name] for name in ("session_date", "close", "adj_close")},
        }
        self._screen.connection.register("daily", pa.table(columns))
        return tickers

    @cached_property
    def _days(self) -> tuple[frozenset[int], frozenset[int]]:
        """Tickers with a day that is no session, and those whose days are not all the sessions.

        A day that stands twice makes up for one that is missing: see ``_moves``.
        """
        connection, tickers = self._screen.connection, self._tickers
        registry = self._context.registry
        mic_of = {s.security_key: s.exchange_mic for s in registry.entries(Security)}
        listed = [mic_of.get(ticker) for ticker in tickers.to_pylist()]
        mics = sorted({mic for mic in listed if mic is not None})
        number = {mic: place for place, mic in enumerate(mics)}
        exchange = pa.array([None if mic is None else number[mic] for mic in listed], pa.int32())
        connection.register(
            "listed", pa.table({"code": np.arange(len(tickers), dtype="int32"), "at": exchange})
        )
        held = [calendars.sessions(registry, mic).to_numpy() for mic in mics]
        sessions = pa.table(
            {
                "at": np.repeat(np.arange(len(mics), dtype="int32"), [len(days) for days in held]),
                "held_on": pa.concat_arrays(
                    [pa.array([], pa.date32()), *(pa.array(d).cast(pa.date32()) for d in held)]
                ),
                "number": np.concatenate([[0][:0], *(np.arange(len(d)) for d in held)]).astype(int),
            }
        )
        connection.register("session", sessions)
        rows = connection.sql(
            """
            select
                code,
                count(number) < count(*) as is_off,
                max(number) - min(number) + 1 <> count(*) as is_patchy
            from daily
            inner join listed using (code)
            left join session on session.at = listed.at and session.held_on = daily.session_date
            where coalesce(counts, false) and listed.at is not null
            group by code
            """
        ).fetchall()
        off = frozenset(code for code, is_off, _ in rows if is_off)
        return off, off | {code for code, _, is_patchy in rows if is_patchy is not False}

    @cached_property
    def _moves(self) -> tuple[frozenset[int], frozenset[int]]:
        """Tickers with a day twice or without a day, and those with a far move of their closes.

        Rows of one day stand in no order of their own, so all of such a ticker is doubtful.
        """
        connection, screen = self._screen.connection, self._screen
        assert self._tickers is not None
        # In the order of keys a row stands beside the one before it, and nothing is sorted.
        window = "()" if screen.in_key_order else "(partition by code order by session_date)"
        allowed = screen.given(MAXIMUM_UNEXPLAINED_MOVE - _ROUNDING)
        rows = connection.sql(
            f"""
            with
            counted as (
                select
                    code,
                    session_date,
                    case when not isnan(close) then close end as close,
                    case when not isnan(adj_close) then adj_close end as adj_close
                from daily
                where coalesce(counts, false)
            ),
            pairs as (
                select
                    *,
                    lag(code) over w is not distinct from code as follows,
                    session_date is null or lag(session_date) over w = session_date as is_doubtful,
                    not abs(close / lag(close) over w - 1) <= {allowed} as moves,
                    not abs(adj_close / lag(adj_close) over w - 1) <= {allowed} as adjusted_moves
                from counted
                window w as {window}
            )
            select
                code,
                count(*) filter (where session_date is null or follows and is_doubtful) > 0,
                case
                    when count(close) > 0 then count(*) filter (where follows and moves) > 0
                    else count(*) filter (where follows and adjusted_moves) > 0
                end
            from pairs
            group by code
            """  # noqa: S608
        ).fetchall()
        doubtful = frozenset(code for code, is_doubtful, _ in rows if is_doubtful)
        return doubtful, frozenset(code for code, _, jumps in rows if jumps)


FORMS: dict[str, Callable[[RuleScreens], Condition]] = {
    "has_a_price": RuleScreens.has_a_price,
    "currency_of_security": RuleScreens.currency_of_security,
    "on_trading_session": RuleScreens.on_trading_session,
    "sessions_complete": RuleScreens.sessions,
    "no_missing_session": RuleScreens.sessions,
    "jump_explained": RuleScreens.jump_explained,
    "unit_of_action": RuleScreens.unit_of_action,
    "unit_of_series": RuleScreens.unit_of_series,
    "unit_of_kpi": RuleScreens.unit_of_kpi,
}
