"""How long a fiscal period of each type is, and how long after its end it is reported."""

from datetime import timedelta

#: Days, first and last included; 52-or-53-week years fit too. A balance is of one day.
PERIOD_DAYS: dict[str, range] = {
    "quarter": range(89, 100),
    "half_year": range(180, 191),
    "nine_months": range(271, 282),
    "year": range(362, 373),
    "instant": range(1, 2),
}

#: A foreign issuer has four months for its annual report; releases come before it.
LONGEST_AFTER_PERIOD = timedelta(days=125)
