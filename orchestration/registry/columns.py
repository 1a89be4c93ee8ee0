"""What each column of the registry means, once for all files that have it.

A name that means something else in one file stands again as ``file.column``.
"""

from __future__ import annotations

_MEANINGS = {
    # Companies, their securities and their splits.
    "company_key": "Company, by the key of the registry of companies.",
    "cik": "Number that the SEC knows the company by; empty where it does not file there.",
    "country": "Country of the company, ISO 3166.",
    "reporting_currency": "Currency that the company reports in, ISO 4217.",
    "fiscal_year_end": "Last day of the fiscal year, as `31 March` or `last Sunday of January`.",
    "fiscal_year_end_month": "Month in which the fiscal year ends, 1 to 12.",
    "peer_group": "Beside whom the company is looked at: `subject`, `commerce`, `cloud`, `chips`.",
    "results_source": "Where the company publishes its results.",
    "exchange_mic": "Exchange, by its ISO 10383 code.",
    "calendar": "Calendar of exchange_calendars whose sessions the exchange keeps.",
    "market_benchmark": "Security that stands for the market as a whole on the exchange.",
    "session_date": "Session that the calendar lists and that was not held.",
    "security_key": "Security, by its Yahoo ticker.",
    "currency": "Currency, ISO 4217.",
    "security_type": "Kind of security: `ads`, `adr`, `ordinary`, `common`, `etf` or `index`.",
    "ordinary_shares_per_unit": "Ordinary shares that one unit stands for; empty for a benchmark.",
    "dividends_recorded_after": "Session after which all dividends are on record; empty: all are.",
    "effective_on": "First day of the new shares.",
    "new_shares_per_old": "New shares that one old share became.",
    # Structures, segments and what they are called.
    "structure": "Set of segments or revenue lines that adds up on its own.",
    "breakdown": "What a part of the structure is: `segment`, `revenue_line` or `subline`.",
    "adds_up_to": "Metrics whose parts must add up to the consolidated figure.",
    "first_reported_period": "End of the first period reported under the structure.",
    "last_reported_period": "End of the last period reported under it; empty while it is in use.",
    "segment_key": "Segment, as `<company>.<structure>.<label>`.",
    "parent_segment_key": "Segment that a subline is part of.",
    "business_line": "Line of business that the segment belongs to, the same across structures.",
    "required": "Whether a table without the segment is incomplete.",
    "aliases": "Other printed names of the segment, parted by `|`.",
    "printed": "Words that the issuer prints, alternatives parted by `|`.",
    # What figures measure and how documents name it.
    "metric": "Metric, by the key of the registry of metrics.",
    "measure": "What the key is of: `metric` or `kpi`.",
    "metrics.measure": "What the metric counts; money is all there is.",
    "nature": "`flow` over a period or `stock` at its end.",
    "gaap": "Whether accounting standards define the metric.",
    "definition": "What is counted, in words.",
    "kpi": "Stated count or percentage, by its key.",
    "unit": "What one counts in.",
    "key": "Metric or indicator that is meant.",
    "taxonomy": "XBRL taxonomy of the concept.",
    "concept": "XBRL concept that filings tag the figure with.",
    "priority": "Of several concepts in one document the one with the lowest number counts.",
    "except_company_keys": "Companies that mean something else by the concept, parted by `|`.",
    "axis": "XBRL axis.",
    "member": "Member of the axis; `*` for all that have no line of their own.",
    "beside": "Second dimension, `axis=member`, that the fact must carry too.",
    "use": "What the member does: `segment`, `qualifier` or `left out`.",
    "role": "What a security is here: `subject`, `peer` or `benchmark`.",
    "printed_names.role": "Where it stands: `metric`, `caption`, `total`, `subtotal`, `aside`.",
    "template": "Sentence of a release that states the figure, with places for what varies.",
    # Macroeconomic series.
    "series_id": "Series, by the key of the warehouse.",
    "region": "Country or region that the series is of.",
    "frequency": "How often there is a value: `daily`, `monthly`, `quarterly` or `annual`.",
    "yoy_source": "Where growth comes from: an official series, computed, or none.",
    "official_yoy_series": "Series that gives the official growth.",
    "live_upstream": "Upstream that serves the series; empty where none does.",
    "live_series": "Name of the series there, where it differs.",
    # Comparisons, claims and limits.
    "comparison": "What is compared: `cloud` or `commerce`.",
    "segment_keys": "Segments to add up, or `company:<key>` for the total, parted by `|`.",
    "in_share": "Whether the company enters the compared total.",
    "claim_id": "Claim of the investment case, by its key.",
    "statement": "The claim in words.",
    "rule": "How the observed value is held against the threshold.",
    "threshold": "Value that decides the claim, in `unit`.",
    "period": "What the claim is measured over.",
    "observations": "How many of the newest observations are judged.",
    "second_metric": "Metric that must agree with the first.",
    "if_missing": "What would have to be on record where nothing can be observed.",
    "dataset": "Landing dataset.",
    "warn_after_days": "Age of the newest observation in days that is worth a warning.",
    "error_after_days": "Age of the newest observation in days that is an error.",
    # Of every file.
    "name": "Name, in words.",
    "note": "What a reader should know.",
    "reason": "Why the line says what it says.",
    "source": "Document or page that says so.",
    # The order of sources and of kinds of documents.
    "applies_to": "What is ranked: `source` or `document_kind`.",
    "rank": "Of two the higher one counts.",
}


def meaning(file: str, column: str) -> str:
    """Return what a column of a registry file means; raises ``KeyError`` for an unknown one."""
    return _MEANINGS.get(f"{file}.{column}") or _MEANINGS[column]
