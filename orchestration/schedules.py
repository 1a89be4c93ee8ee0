"""When the live upstreams are asked. Everything here is off until it is switched on.

Market data are fetched half an hour after each exchange's close, on its own sessions; what has
landed is then published by a run of the main job.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from orchestration import calendars, partitions, sec
from orchestration.extract.edgar import MissingContact
from orchestration.jobs import BY_NAME, EVERYTHING_JOB, LIVE_JOBS
from orchestration.loading import Loader
from orchestration.registry import load_registry
from orchestration.settings import Settings, settings, warehouse_home

#: Upstreams show the final prices of a session some minutes after its close.
AFTER_CLOSE = timedelta(minutes=30)
_ONE_TICK = timedelta(hours=1)
#: How long a look for filings waits for an answer of the SEC; its hosts are left alone after a few.
_LOOK_SECONDS = 5.0


def _market_schedule(
    name: str, exchange_mic: str, time_zone: str, ticks: str, closes: str
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=name,
        job=BY_NAME["fetch_yahoo"],
        cron_schedule=ticks,
        execution_timezone=time_zone,
        description=f"Daily prices half an hour after {exchange_mic} closes ({closes}); "
        "no run on a day without a session.",
    )
    def after_close(
        context: dg.ScheduleEvaluationContext,
    ) -> dg.RunRequest | dg.SkipReason:
        return market_tick(exchange_mic, context)

    return after_close


def market_tick(
    exchange_mic: str, context: dg.ScheduleEvaluationContext
) -> dg.RunRequest | dg.SkipReason:
    """Ask for the exchange's securities at the first tick after its close, and at no other."""
    tick = context.scheduled_execution_time
    session = tick.date()
    closed_at = calendars.closes_at(load_registry(), exchange_mic, session)
    if closed_at is None:
        return dg.SkipReason(f"{exchange_mic} holds no session on {session}")
    since = tick.astimezone(UTC) - closed_at
    if not AFTER_CLOSE <= since < AFTER_CLOSE + _ONE_TICK:
        return dg.SkipReason(f"{exchange_mic} closes at {closed_at:%H:%M} UTC on {session}")
    return dg.RunRequest(
        run_key=f"{exchange_mic}-{session}",
        tags=partitions.range_tags(partitions.securities_of(exchange_mic)),
    )


def _daily(
    name: str, upstream: str, cron: str, time_zone: str, keys: list[str] | None = None
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=name,
        job=BY_NAME[f"fetch_{upstream}"],
        cron_schedule=cron,
        execution_timezone=time_zone,
        description=f"What {upstream} has that is new, every weekday.",
    )
    def every_weekday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = context.scheduled_execution_time.date()
        return dg.RunRequest(
            run_key=f"{upstream}-{day}", tags=partitions.range_tags(keys) if keys else {}
        )

    return every_weekday


SCHEDULES = [
    # Normal and early closes: 16:00 and 13:00 in New York, 16:00 and 12:00 in Hong Kong.
    _market_schedule(
        "after_new_york_closes",
        "XNYS",
        "America/New_York",
        "30 13,16 * * 1-5",
        "half days at 13:00",
    ),
    _market_schedule(
        "after_hong_kong_closes", "XHKG", "Asia/Hong_Kong", "30 12,16 * * 1-5", "half days at 12:00"
    ),
    _daily("fred_daily", "fred", "0 18 * * 1-5", "America/Chicago", partitions.series_of("fred")),
    _daily(
        "worldbank_daily",
        "worldbank",
        "0 6 * * 1-5",
        "America/New_York",
        partitions.series_of("worldbank"),
    ),
    # The ECB publishes its rates at about 16:00.
    _daily("ecb_daily", "ecb", "30 16 * * 1-5", "Europe/Berlin"),
]


def _publishing_sensor(status: dg.DagsterRunStatus) -> dg.SensorDefinition:
    word = status.value.lower()

    @dg.run_status_sensor(
        name=f"publish_after_{word}",
        run_status=status,
        monitored_jobs=list(LIVE_JOBS),
        request_job=EVERYTHING_JOB,
        description=f"Builds and publishes what a live run landed that ended with {word}: "
        "in part is better than not at all.",
    )
    def publish(context: dg.RunStatusSensorContext) -> dg.RunRequest:
        return dg.RunRequest(run_key=context.dagster_run.run_id)

    return publish


def add_unseen_filings(
    instance: dg.DagsterInstance, patience: Settings | None = None
) -> tuple[list[str], list[str]]:
    """Make a partition of every filing that has not landed, asked for with ``patience``.

    Returns those in the order in which their partitions stand, and what could not be looked up.

    Raises:
        MissingContact: when no contact is set.
    """
    unseen, lookup = sec.unseen_filings(Loader(warehouse_home()), patience or settings())
    filings = sorted(
        (filing for of_company in unseen.values() for filing in of_company),
        key=lambda filing: (filing.filed_on, filing.accession),
    )
    accessions = [filing.accession for filing in filings]
    instance.add_dynamic_partitions(str(partitions.FILINGS.name), accessions)
    added = partitions.FILINGS.get_partition_keys(dynamic_partitions_store=instance)
    return [key for key in added if key in set(accessions)], lookup.failures


def _hasty() -> Settings:
    """Settings with which a look at the SEC ends before Dagster gives up on its sensor.

    That is after a minute, and would show a time-out in place of the reason. The next look is in a
    quarter of an hour: nothing is tried twice.
    """
    usual = settings()
    return usual.model_copy(
        update={
            "attempts": 1,
            "connect_timeout_seconds": min(usual.connect_timeout_seconds, _LOOK_SECONDS),
            "read_timeout_seconds": min(usual.read_timeout_seconds, _LOOK_SECONDS),
            "total_timeout_seconds": min(usual.total_timeout_seconds, 2 * _LOOK_SECONDS),
        }
    )


def _today_in_new_york() -> date:
    return datetime.now(ZoneInfo("America/New_York")).date()


@dg.sensor(
    name="new_filings",
    job=BY_NAME["fetch_edgar"],
    minimum_interval_seconds=15 * 60,
    description="Looks for new SEC filings every 15 minutes on weekdays; each one starts a run.",
)
def new_filings(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Ask for a run of each filing that no run was asked for yet; the cursor remembers those."""
    if _today_in_new_york().weekday() >= 5:
        return dg.SkipReason("the SEC accepts no filings on weekends")
    try:
        unseen, failures = add_unseen_filings(context.instance, _hasty())
    except MissingContact as error:
        return dg.SkipReason(str(error))
    for failure in failures:
        context.log.warning(failure)
    if failures and not unseen:
        return dg.SkipReason("; ".join(failures))
    asked = set(json.loads(context.cursor)) if context.cursor else set()
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(run_key=accession, partition_key=accession)
            for accession in unseen
            if accession not in asked
        ],
        # What has landed is seen by itself; only filings on their way need remembering.
        cursor=json.dumps(unseen),
    )


SENSORS = [
    new_filings,
    _publishing_sensor(dg.DagsterRunStatus.SUCCESS),
    _publishing_sensor(dg.DagsterRunStatus.FAILURE),
]
