"""The SQL of the rules that large batches are checked by: see ``screening`` for what it is for.

A rule of :data:`orchestration.quality.rules.RULES` that is not here looks at all rows. The
condition of a rule that judges a row by others of its ticker holds for all rows of the ticker, so
that the rule sees on those rows what it would see on the whole batch.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from orchestration import calendars
from orchestration.quality.rules import MAXIMUM_UNEXPLAINED_MOVE, RuleContext
from orchestration.quality.screen import Condition, Screen
from orchestration.registry.entries import Kpi, MacroSeries, Security

#: A move this much smaller than allowed is looked at again, whatever the last digit of a division.
_ROUNDING = 1e-9

RuleScreen = Callable[[Screen, RuleContext], Condition]


def _has_a_price(screen: Screen, _: RuleContext) -> Condition:
    return f"{screen.missing('close')} and {screen.missing('adj_close')}"


def _currency_of_security(screen: Screen, context: RuleContext) -> Condition:
    _join_security(screen, context)
    return f"{screen.column('currency')} is distinct from security.currency or {_unknown(screen)}"


def _on_trading_session(screen: Screen, context: RuleContext) -> Condition:
    _join_session(screen, context)
    return f"{_is_daily(screen)} and not {_unknown(screen)} and session.held_on is null"


def _sessions(screen: Screen, context: RuleContext) -> Condition:
    """All rows of a ticker whose days are not exactly the sessions from its first to its last."""
    _collect_tickers(screen, context)
    return _of_ticker(screen, "has_gaps")


def _jump_explained(screen: Screen, context: RuleContext) -> Condition:
    _collect_tickers(screen, context)
    return _of_ticker(screen, "has_jumps")


def _unit_of_action(screen: Screen, _: RuleContext) -> Condition:
    split = f"coalesce({screen.column('action')} = 'split', false)"
    return f"{split} <> coalesce({screen.column('unit')} = 'ratio', false)"


def _unit_of_series(screen: Screen, context: RuleContext) -> Condition:
    units = [(s.series_id, s.unit) for s in context.registry.entries(MacroSeries)]
    return _other_unit(screen, "series_id", units)


def _unit_of_kpi(screen: Screen, context: RuleContext) -> Condition:
    return _other_unit(screen, "kpi", [(k.kpi, k.unit) for k in context.registry.entries(Kpi)])


SCREENS: dict[str, RuleScreen] = {
    "has_a_price": _has_a_price,
    "currency_of_security": _currency_of_security,
    "on_trading_session": _on_trading_session,
    "sessions_complete": _sessions,
    "no_missing_session": _sessions,
    "jump_explained": _jump_explained,
    "unit_of_action": _unit_of_action,
    "unit_of_series": _unit_of_series,
    "unit_of_kpi": _unit_of_kpi,
}


def _other_unit(screen: Screen, key: str, units: list[tuple[str, str]]) -> Condition:
    names, owned = (pa.array(column, pa.string()) for column in zip(*units, strict=True))
    table = pa.table({"of_key": names, "unit": owned})
    screen.join("own_unit", table, f"own_unit.of_key = {screen.column(key)}")
    return f"coalesce({screen.column('unit')} <> own_unit.unit, true)"


def _is_daily(screen: Screen) -> Condition:
    return f"coalesce({screen.column('observation_frequency')} = 'daily', false)"


def _unknown(screen: Screen) -> Condition:
    return "(security.security_key is null)"


def _join_security(screen: Screen, context: RuleContext) -> None:
    securities = context.registry.entries(Security)
    table = pa.table(
        {
            "security_key": pa.array([s.security_key for s in securities], pa.string()),
            "currency": pa.array([s.currency for s in securities], pa.string()),
            "exchange_mic": pa.array([s.exchange_mic for s in securities], pa.string()),
        }
    )
    screen.join("security", table, f"security.security_key = {screen.column('ticker')}")


def _join_session(screen: Screen, context: RuleContext) -> None:
    """Give each row the session of its exchange on its day; ``number`` counts them up."""
    _join_security(screen, context)
    mics = {s.security_key: s.exchange_mic for s in context.registry.entries(Security)}
    tickers = screen.connection.sql("select distinct ticker from batch").fetchall()
    tables = []
    for mic in sorted({mics[ticker] for (ticker,) in tickers if ticker in mics}):
        held = pa.array(calendars.sessions(context.registry, mic)).cast(pa.date32())
        number = pa.array(range(len(held)), pa.int64())
        tables.append(
            pa.table({"of_mic": pa.repeat(mic, len(held)), "held_on": held, "number": number})
        )
    none = pa.schema([("of_mic", pa.string()), ("held_on", pa.date32()), ("number", pa.int64())])
    screen.join(
        "session",
        pa.concat_tables([none.empty_table(), *tables]),
        "session.of_mic = security.exchange_mic "
        f"and session.held_on = {screen.column('session_date')}",
    )


def _of_ticker(screen: Screen, fault: str) -> Condition:
    suspects = f"select ticker from suspect_ticker where coalesce({fault}, true)"  # noqa: S608
    return f"{_is_daily(screen)} and coalesce({screen.column('ticker')} in ({suspects}), false)"


def _collect_tickers(screen: Screen, context: RuleContext) -> None:
    """Make the table of the tickers whose daily rows have gaps or jumps, once a batch.

    A repeated or missing day hides a gap from the count of days, and makes the order of rows
    doubtful: such a ticker is a suspect of both.
    """
    _join_session(screen, context)
    # In the order of keys a row's neighbour stands beside it, and nothing need be sorted.
    window = "()" if screen.in_key_order else "(partition by ticker order by session_date)"
    allowed = screen.given(MAXIMUM_UNEXPLAINED_MOVE - _ROUNDING)
    screen.connection.execute(
        f"""
        create temp table if not exists suspect_ticker as
        with
        daily as (
            select
                ticker,
                session_date,
                case when not {screen.missing("close")} then close end as close,
                case when not {screen.missing("adj_close")} then adj_close end as adj_close
            from batch
            where {_is_daily(screen)} and ticker is not null
        ),
        neighbours as (
            select
                *,
                lag(ticker) over w as ticker_before,
                lag(session_date) over w as day_before,
                lag(close) over w as close_before,
                lag(adj_close) over w as adj_close_before
            from daily
            window w as {window}
        ),
        moves as (
            select
                batch.*,
                security.security_key is not null as is_known,
                session.number,
                ticker_before is not distinct from ticker as follows,
                not abs(close / close_before - 1) <= {allowed} as close_jumps,
                not abs(adj_close / adj_close_before - 1) <= {allowed} as adj_close_jumps
            from neighbours as batch {screen.joined()}
        ),
        tickers as (
            select
                ticker,
                bool_or(is_known) as is_known,
                coalesce(bool_or(follows and session_date = day_before), false)
                or count(session_date) < count(*) as doubtful,
                max(number) - min(number) + 1 as sessions,
                count(number) as numbered,
                count(*) as days,
                count(close) > 0 as has_closes,
                coalesce(bool_or(follows and close_jumps), false) as close_jumps,
                coalesce(bool_or(follows and adj_close_jumps), false) as adj_close_jumps
            from moves
            group by ticker
        )
        select
            ticker,
            is_known and (doubtful or numbered < days or sessions <> days) as has_gaps,
            doubtful or case when has_closes then close_jumps else adj_close_jumps end as has_jumps
        from tickers
        """  # noqa: S608
    )
