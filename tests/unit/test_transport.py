"""The pieces of the transport, on a clock of their own and without a network."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest

from orchestration.extract.transport import (
    Breaker,
    MayHeal,
    Policy,
    RateLimiter,
    TooLarge,
    UpstreamUnavailable,
    asked_patiently,
    forget_hosts,
    is_worth_retrying,
    judge_status,
    retry_after_seconds,
    within,
)


class Clock:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture(autouse=True)
def _no_breaker_from_before() -> None:
    forget_hosts()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7.0),
        ("Tue, 24 Nov 2026 10:00:30 GMT", 30.0),
        ("Tue, 24 Nov 2026 09:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(text: str, expected: float | None) -> None:
    now = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    assert retry_after_seconds({"Retry-After": text}, lambda: now) == expected
    assert retry_after_seconds({"retry-after": text}, lambda: now) == expected
    assert retry_after_seconds({}, lambda: now) is None


def test_only_what_may_heal_is_asked_again() -> None:
    worth = [s for s in range(400, 600) if is_worth_retrying(s)]
    assert worth == [408, 425, 429, 500, *range(502, 505), *range(506, 600)]
    judge_status("x", "http://x", 200, {})
    judge_status("x", "http://x", 304, {})
    with pytest.raises(MayHeal):
        judge_status("x", "http://x", 503, {})


def test_the_rate_is_kept_over_all_threads() -> None:
    clock = Clock()
    limiter = RateLimiter(8, clock, clock.sleep)
    sent: list[float] = []
    lock = threading.Lock()

    def ask() -> None:
        for _ in range(10):
            with lock:
                limiter.wait()
                sent.append(clock.now)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == 40
    assert all(sum(start <= t < start + 1 for t in sent) <= 8 for start in sent)


def test_the_breaker_opens_after_failures_in_a_row_and_closes_on_success() -> None:
    clock = Clock()
    breaker = Breaker(3, 60, clock)
    for _ in range(2):
        breaker.failed()
    breaker.succeeded()
    for _ in range(2):
        breaker.failed()
    assert breaker.seconds_left() == 0
    breaker.failed()
    assert breaker.seconds_left() == 60
    clock.now += 60
    assert breaker.seconds_left() == 0, "one try is let through"
    breaker.failed()
    assert breaker.seconds_left() == 60, "and its failure closes the door again"


def ask_until(failures: int, policy: Policy, retry_after: float | None = None) -> list[float]:
    """Ask an upstream that fails so often; returns how long was slept between."""
    clock, tries = Clock(), iter(range(100))

    def ask() -> str:
        if next(tries) < failures:
            raise MayHeal("answers 503", retry_after)
        return "good"

    answer = asked_patiently(ask, upstream="x", url="http://h/", policy=policy, sleep=clock.sleep)
    assert answer == "good"
    return clock.slept


def test_back_off_doubles_with_jitter_up_to_its_limit() -> None:
    policy = Policy(attempts=8, backoff_initial_seconds=1, backoff_max_seconds=10)
    slept = ask_until(7, policy)
    assert len(slept) == 7
    for place, seconds in enumerate(slept):
        full = min(2**place, 10)
        assert full / 2 <= seconds <= full
    assert len(set(slept)) == 7, "clients that failed together do not come back together"


def test_retry_after_is_honoured() -> None:
    assert ask_until(1, Policy(backoff_initial_seconds=0.01), retry_after=5) == [5]


def test_a_host_that_asks_for_too_much_patience_is_down() -> None:
    with pytest.raises(UpstreamUnavailable, match="tried once"):
        ask_until(1, Policy(), retry_after=3600)


def test_what_is_given_up_says_how_often_it_was_tried() -> None:
    with pytest.raises(UpstreamUnavailable, match="answers 503, tried 3 times"):
        ask_until(9, Policy(attempts=3, backoff_initial_seconds=0))


def test_a_body_is_not_read_beyond_its_limit() -> None:
    read: list[int] = []

    def pieces():  # type: ignore[no-untyped-def]
        for number in range(1000):
            read.append(number)
            yield b"x" * 100

    with pytest.raises(TooLarge):
        within(pieces(), Policy(max_bytes=1000), started=time.monotonic())
    assert len(read) == 11
