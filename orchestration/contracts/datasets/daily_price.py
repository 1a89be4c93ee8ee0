"""Prices per security and session."""

from orchestration.contracts.contract import (
    DATE,
    FLOAT,
    STRING,
    Column,
    Comparison,
    Contract,
    Reference,
    RowRule,
)


def _price(name: str, description: str) -> Column:
    return Column(
        name,
        FLOAT,
        description,
        nullable=True,
        unit="currency per share",
        minimum=0,
        strict_minimum=True,
    )


DAILY_PRICE = Contract(
    dataset="daily_price",
    group="market",
    description=(
        "One row per security and trading session: prices unadjusted for dividends, in the splits "
        "of `split_basis`, and the adjusted close as the upstream gave it. Month-end rows hold "
        "close or adj_close alone; daily rows of a dividend-adjusted history only adj_close and "
        "volume."
    ),
    known_flaws=(
        "Yahoo rewrites closes after a split and adjusted closes after every dividend: an "
        "adj_close is comparable only within one collection."
    ),
    key=("ticker", "session_date"),
    observed_on="session_date",
    columns=(
        Column(
            "ticker",
            STRING,
            "Yahoo ticker, as in the registry of securities.",
            references=Reference("securities", "security_key"),
        ),
        Column("session_date", DATE, "Trading session, exchange's date.", not_in_future=True),
        _price("open", "First price of the session."),
        _price("high", "Highest price of the session."),
        _price("low", "Lowest price of the session."),
        _price("close", "Last price of the session, not dividend-adjusted."),
        _price("adj_close", "Close adjusted for splits and dividends."),
        Column(
            "volume",
            FLOAT,
            "Shares traded in the session.",
            nullable=True,
            minimum=0,
            unit="shares",
        ),
        Column("currency", STRING, "Currency of the prices.", pattern="^[A-Z]{3}$"),
        Column(
            "observation_frequency",
            STRING,
            "Whether the row is one of a daily history or the last session of a month.",
            allowed=("daily", "month_end"),
        ),
        Column(
            "split_basis",
            DATE,
            "The date in whose splits the prices are stated; empty for an index.",
            nullable=True,
        ),
    ),
    comparisons=(
        Comparison("high", "low"),
        Comparison("high", "open"),
        Comparison("high", "close"),
        Comparison("open", "low"),
        Comparison("close", "low"),
    ),
    rules=(
        RowRule("has_a_price", "critical", "A row holds close or adj_close."),
        RowRule("currency_of_security", "critical", "Currency is the security's own."),
        RowRule("on_trading_session", "critical", "Daily rows fall on the exchange's sessions."),
        RowRule(
            "sessions_complete",
            "critical",
            "Daily rows cover all sessions between first and last but one, or 98% of them.",
        ),
        RowRule(
            "no_missing_session", "warning", "No session is missing between a ticker's daily rows."
        ),
        RowRule(
            "jump_explained",
            "warning",
            "No close moves more than 50% in a session without a corporate action on that day.",
        ),
    ),
)
