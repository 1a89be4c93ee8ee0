"""How every upstream is asked: time-outs, retries, rate limits, a breaker and a limit on size.

What belongs here: one HTTP GET that either gives a whole answer or says in one sentence why not.
What an answer means is read by the module of its upstream.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx
    import tenacity
    from pydantic import ValidationError

#: A server that asks for more patience than this is treated as down.
LONGEST_RETRY_AFTER_SECONDS = 120.0
_HIDDEN = "(hidden)"
T = TypeVar("T")


class UpstreamError(Exception):
    """An upstream did not give what was asked; ``reason`` says why, ``url`` holds no secret."""

    def __init__(self, upstream: str, url: str, reason: str) -> None:
        self.upstream, self.url, self.reason = upstream, url, reason
        super().__init__(f"{upstream}: {reason} ({url})")


class UpstreamUnavailable(UpstreamError):
    """Down, stalled, refusing for now, or left alone by the breaker: may heal by itself."""


class UpstreamRefused(UpstreamError):
    """A request that the upstream will never answer as it is."""


class UnexpectedAnswer(UpstreamError):
    """An answer that is not what the format promises."""


def unexpected_field(upstream: str, url: str, error: ValidationError) -> UnexpectedAnswer:
    """Return what is wrong with an answer's fields: the first one, and how many more."""
    first, count = error.errors()[0], error.error_count()
    field = ".".join(map(str, first["loc"]))
    more = f" (and {count - 1} more)" if count > 1 else ""
    return UnexpectedAnswer(upstream, url, f"{field}: {first['msg']}{more}")


@dataclass(frozen=True)
class Policy:
    """How patient and how careful a client is. Seconds, requests a second and bytes.

    ``max_bytes`` bounds the answer as unpacked; ``total_timeout_seconds`` one try as a whole, so
    that a body that drips is given up too.
    """

    connect_timeout_seconds: float = 10
    read_timeout_seconds: float = 30
    total_timeout_seconds: float = 300
    max_bytes: int = 200_000_000
    attempts: int = 5
    backoff_initial_seconds: float = 1
    backoff_max_seconds: float = 60
    requests_per_second: float | None = None
    breaker_failures: int = 5
    breaker_seconds: float = 300
    max_redirects: int = 5


@dataclass(frozen=True)
class Answer:
    """What came back; ``content`` is unpacked. A 304 has none."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    url: str


class MayHeal(Exception):
    """A failed try that may be repeated, after ``retry_after`` seconds if the host said so."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        self.reason, self.retry_after = reason, retry_after
        super().__init__(reason)


class TooLarge(ValueError):
    """An answer that goes on beyond ``max_bytes``."""


class RateLimiter:
    """Lets at most so many requests a second through, over all threads of the process."""

    def __init__(
        self,
        requests_per_second: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap = 1 / requests_per_second if requests_per_second else 0.0
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Return when the next request may be sent."""
        with self._lock:
            now = self._clock()
            mine = max(now, self._next)
            self._next = mine + self._gap
        if mine > now:
            self._sleep(mine - now)


class Breaker:
    """Leaves a host alone after several failed requests in a row, then lets one try through."""

    def __init__(
        self, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._seconds, self._clock = failures, seconds, clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until = 0.0

    def seconds_left(self) -> float:
        """Return how long the host is still left alone; 0 when a request may be sent."""
        with self._lock:
            return max(0.0, self._open_until - self._clock())

    def succeeded(self) -> None:
        """Note a request that was answered."""
        with self._lock:
            self._failures, self._open_until = 0, 0.0

    def failed(self) -> None:
        """Note a request that was given up."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._limit:
                self._open_until = self._clock() + self._seconds


@dataclass(frozen=True)
class _Host:
    limiter: RateLimiter
    breaker: Breaker


_hosts: dict[tuple[str, Policy], _Host] = {}
_hosts_lock = threading.Lock()


def host_of(url: str, policy: Policy) -> _Host:
    """Return the limiter and breaker that all clients of a host share in this process."""
    with _hosts_lock:
        key = (urlsplit(url).netloc, policy)
        if key not in _hosts:
            _hosts[key] = _Host(
                RateLimiter(policy.requests_per_second),
                Breaker(policy.breaker_failures, policy.breaker_seconds),
            )
        return _hosts[key]


def forget_hosts() -> None:
    """Close every breaker, as a new process would."""
    with _hosts_lock:
        _hosts.clear()


def is_worth_retrying(status: int) -> bool:
    """Whether the same request may be answered later."""
    return status == 429 or status >= 500


def retry_after_seconds(
    headers: Mapping[str, str], now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> float | None:
    """Return how long the host asks to wait, given in seconds or as a date; ``None`` if not."""
    text = next((v for k, v in headers.items() if k.lower() == "retry-after"), "").strip()
    if not text:
        return None
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now()).total_seconds())
    except (TypeError, ValueError):
        return None


def asked_patiently(
    ask: Callable[[], T],
    *,
    upstream: str,
    url: str,
    policy: Policy,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Call ``ask`` until it returns, with exponential back-off and jitter after each ``MayHeal``.

    Raises:
        UpstreamUnavailable: when every try failed, or the breaker leaves the host alone.
    """
    import tenacity

    host = host_of(url, policy)
    if left := host.breaker.seconds_left():
        raise UpstreamUnavailable(
            upstream, url, f"failed repeatedly; left alone for another {left:.0f} seconds"
        )

    def once() -> T:
        host.limiter.wait()
        return ask()

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_heal_soon),
        stop=tenacity.stop_after_attempt(policy.attempts),
        wait=_wait(policy),
        sleep=sleep,
        reraise=True,
    )
    try:
        answer = retrying(once)
    except MayHeal as failure:
        host.breaker.failed()
        tries = retrying.statistics.get("attempt_number", 1)
        times = "once" if tries == 1 else f"{tries} times"
        raise UpstreamUnavailable(upstream, url, f"{failure.reason}, tried {times}") from None
    host.breaker.succeeded()
    return answer


def _may_heal_soon(error: BaseException) -> bool:
    return isinstance(error, MayHeal) and (error.retry_after or 0) <= LONGEST_RETRY_AFTER_SECONDS


def _wait(policy: Policy) -> Callable[[tenacity.RetryCallState], float]:
    def wait(state: tenacity.RetryCallState) -> float:
        exponential = policy.backoff_initial_seconds * 2.0 ** (state.attempt_number - 1)
        # Half fixed, half random: clients that failed together do not come back together.
        backoff = min(exponential, policy.backoff_max_seconds) * (0.5 + random.random() / 2)
        error = state.outcome.exception() if state.outcome else None
        asked_for = error.retry_after if isinstance(error, MayHeal) else None
        return max(backoff, asked_for or 0.0)

    return wait


def judge_status(upstream: str, url: str, status: int, headers: Mapping[str, str]) -> None:
    """Raise for a status that is no answer.

    Raises:
        MayHeal: for 429 and 5xx.
        UpstreamRefused: for every other status that is neither success nor 304.
    """
    if is_worth_retrying(status):
        raise MayHeal(f"answers {status}", retry_after_seconds(headers))
    if status != 304 and not 200 <= status < 300:
        raise UpstreamRefused(upstream, url, f"answers {status}")


def within(pieces: Iterator[bytes], policy: Policy, started: float) -> bytes:
    """Put an unpacked body together, piece by piece.

    Raises:
        TooLarge: as soon as it goes on beyond ``max_bytes``.
        MayHeal: when it takes longer than ``total_timeout_seconds``.
    """
    content = bytearray()
    for piece in pieces:
        content += piece
        if len(content) > policy.max_bytes:
            raise TooLarge(f"goes on beyond {policy.max_bytes:,} bytes")
        if time.monotonic() - started > policy.total_timeout_seconds:
            raise MayHeal(f"body not whole after {policy.total_timeout_seconds:g} seconds")
    return bytes(content)


class Transport:
    """Asks one upstream over HTTP. ``secrets`` are cut out of every message."""

    def __init__(
        self,
        upstream: str,
        policy: Policy | None = None,
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        self.upstream = upstream
        self.policy = policy or Policy()
        self._headers = dict(headers or {})
        self._secrets = tuple(secret for secret in secrets if secret)
        self._client: httpx.Client | None = None

    def __repr__(self) -> str:
        return f"Transport({self.upstream!r})"

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer to a GET, whole and unpacked.

        Raises:
            UpstreamUnavailable: when it did not come, however often it was tried.
            UpstreamRefused: for a status that will not heal.
            UnexpectedAnswer: for a redirect loop, or a body too large or not to be unpacked.
        """
        import httpx

        request = self._open().build_request("GET", url, params=params, headers=headers)
        shown = self._without_secrets(str(request.url))
        try:
            return asked_patiently(
                lambda: self._once(request, shown),
                upstream=self.upstream,
                url=shown,
                policy=self.policy,
            )
        except httpx.TooManyRedirects:
            reason = f"redirects more than {self.policy.max_redirects} times"
        except httpx.DecodingError:
            reason = "body cannot be unpacked"
        except TooLarge as error:
            reason = str(error)
        # Raised outside the handlers: what httpx raises knows the address with its secrets.
        raise UnexpectedAnswer(self.upstream, shown, reason)

    def _once(self, request: httpx.Request, shown: str) -> Answer:
        import httpx

        started = time.monotonic()
        reason = ""
        try:
            response = self._open().send(request, stream=True)
            try:
                judge_status(self.upstream, shown, response.status_code, response.headers)
                content = within(response.iter_bytes(65536), self.policy, started)
                return Answer(
                    response.status_code,
                    {k.lower(): v for k, v in response.headers.items()},
                    content,
                    self._without_secrets(str(response.url)),
                )
            finally:
                response.close()
        except (httpx.TooManyRedirects, httpx.DecodingError):
            raise
        except httpx.TimeoutException as error:
            reason = f"no answer in time ({type(error).__name__})"
        except httpx.TransportError as error:
            reason = f"connection failed ({type(error).__name__})"
        raise MayHeal(reason)

    def _open(self) -> httpx.Client:
        import httpx

        if self._client is None:
            self._client = httpx.Client(
                headers=self._headers,
                follow_redirects=True,
                max_redirects=self.policy.max_redirects,
                timeout=httpx.Timeout(
                    self.policy.read_timeout_seconds, connect=self.policy.connect_timeout_seconds
                ),
            )
        return self._client

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return text
