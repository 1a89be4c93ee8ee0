"""How every upstream is asked: time-outs, retries, rate limits, a breaker and a limit on size.

What belongs here: one HTTP GET that either gives a whole answer or says in one sentence why not.
What an answer means is read by the module of its upstream.
"""

from __future__ import annotations

import logging
import random
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, quote_plus, urlsplit

if TYPE_CHECKING:
    import httpx
    import tenacity
    from pydantic import ValidationError

LOG = logging.getLogger(__name__)
#: A server that asks for more patience than this is treated as down.
LONGEST_RETRY_AFTER_SECONDS = 120.0
_DAY_SECONDS = 86_400.0
_HIDDEN = "(hidden)"
#: Query parameters that are secret whether or not a client has named their value as one.
_SECRET_PARAMETER = re.compile(r"\b(api_?key|token|crumb)=[^&#\s]+", re.IGNORECASE)
#: Requests are spaced a little wider than the limit, so that the network, which may hold one up
#: and not the next, cannot push one too many into a second.
_WIDER = 1.05
_PIECE_BYTES = 65_536
_SHOWN_CHARACTERS = 120
T = TypeVar("T")


class UpstreamError(Exception):
    """An upstream did not give what was asked; ``reason`` says why, ``url`` holds no secret."""

    def __init__(self, upstream: str, url: str, reason: str, status: int | None = None) -> None:
        self.upstream, self.url, self.reason, self.status = upstream, url, reason, status
        super().__init__(upstream, url, reason, status)

    def __str__(self) -> str:
        return f"{self.upstream}: {self.reason} ({self.url})"


class UpstreamUnavailable(UpstreamError):
    """Down, stalled, refusing for now, or left alone by the breaker: may heal by itself."""


class UpstreamRefused(UpstreamError):
    """A request that the upstream will never answer as it is; ``status`` where there is one."""


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

    ``max_bytes`` bounds the answer as unpacked; ``total_timeout_seconds`` one try with its body, so
    that a body that drips is given up too. Hosts with one ``counted_together`` share one rate.
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
    counted_together: str | None = None


@dataclass(frozen=True)
class Answer:
    """What came back; ``content`` is unpacked, ``url`` holds no secret. A 304 has no content."""

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
    """Lets at most so many requests a second through, evenly, over all threads of the process."""

    def __init__(
        self,
        requests_per_second: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._gap = 0.0
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._next = 0.0
        self.at_most(requests_per_second)

    def at_most(self, requests_per_second: float | None) -> None:
        """Lower the limit; what is higher than before changes nothing."""
        if requests_per_second:
            with self._lock:
                self._gap = max(self._gap, _WIDER / requests_per_second)

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
        self.last_reason = ""

    def seconds_left(self) -> float:
        """Return how long the host is still left alone; 0 when a request may be sent now.

        Whoever is told 0 by a breaker that was open is the one try: the next is told to wait until
        its outcome is noted, or as long again if it never is.
        """
        with self._lock:
            now = self._clock()
            if self._open_until > now:
                return self._open_until - now
            if self._open_until:
                self._open_until = now + self._seconds
            return 0.0

    def succeeded(self) -> None:
        """Note a request that was answered."""
        with self._lock:
            self._failures, self._open_until = 0, 0.0

    def failed(self, reason: str = "") -> None:
        """Note a request that was given up."""
        with self._lock:
            self._failures += 1
            self.last_reason = reason
            if self._failures >= self._limit:
                self._open_until = self._clock() + self._seconds


@dataclass(frozen=True)
class Host:
    """What all clients of a host share in this process."""

    limiter: RateLimiter
    breaker: Breaker


_hosts: dict[str, Host] = {}
_limiters: dict[str, RateLimiter] = {}
_hosts_lock = threading.Lock()


def host_of(url: str, policy: Policy) -> Host:
    """Return the limiter and breaker of a host.

    Of several policies the lowest rate counts, and the breaker is that of the first.
    """
    with _hosts_lock:
        name = urlsplit(url).netloc
        counted_as = policy.counted_together or name
        if counted_as not in _limiters:
            _limiters[counted_as] = RateLimiter(policy.requests_per_second)
        if name not in _hosts:
            breaker = Breaker(policy.breaker_failures, policy.breaker_seconds)
            _hosts[name] = Host(_limiters[counted_as], breaker)
        host = _hosts[name]
    host.limiter.at_most(policy.requests_per_second)
    return host


def forget_hosts() -> None:
    """Forget rates and breakers, as a new process would."""
    with _hosts_lock:
        _hosts.clear()
        _limiters.clear()


def is_worth_retrying(status: int) -> bool:
    """Whether the same request may be answered later."""
    return status in (408, 425, 429) or (status >= 500 and status not in (501, 505))


def retry_after_seconds(
    headers: Mapping[str, str], now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> float | None:
    """Return how long the host asks to wait, given in seconds or as a date; ``None`` if not.

    More than a day counts as a day.
    """
    text = next((v for k, v in headers.items() if k.lower() == "retry-after"), "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _DAY_SECONDS)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    # A date is in GMT whether it says so or not.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - now()).total_seconds()), _DAY_SECONDS)


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
    host = host_of(url, policy)
    if left := host.breaker.seconds_left():
        reason = f"failed repeatedly, at last: {host.breaker.last_reason}"
        raise UpstreamUnavailable(
            upstream, url, f"{reason}; left alone for another {left:.0f} seconds"
        )

    def once() -> T:
        host.limiter.wait()
        return ask()

    retrying = patience(policy, sleep)
    try:
        answer = retrying(once)
    except MayHeal as failure:
        tries = retrying.statistics.get("attempt_number", 1)
        reason = f"{failure.reason}, tried {'once' if tries == 1 else f'{tries} times'}"
        if failure.retry_after and failure.retry_after > LONGEST_RETRY_AFTER_SECONDS:
            reason += f", asks to be left alone for {failure.retry_after:.0f} seconds"
        host.breaker.failed(reason)
        raise UpstreamUnavailable(upstream, url, reason) from None
    except UpstreamRefused as refusal:
        # A host that lets nobody in is left alone too; "not found" is the answer of a sound one.
        if refusal.status in (401, 403):
            host.breaker.failed(refusal.reason)
        else:
            host.breaker.succeeded()
        raise
    except Exception as error:
        host.breaker.failed(type(error).__name__)
        raise
    host.breaker.succeeded()
    return answer


def patience(policy: Policy, sleep: Callable[[float], None] = time.sleep) -> tenacity.Retrying:
    """Return how a ``MayHeal`` is tried again: how often, and after how long."""
    import tenacity

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(_may_heal_soon),
        stop=tenacity.stop_after_attempt(policy.attempts),
        wait=_wait(policy),
        sleep=sleep,
        reraise=True,
    )


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


def judge_status(
    upstream: str, url: str, status: int, headers: Mapping[str, str], detail: str = ""
) -> None:
    """Raise for a status that is no answer; ``detail`` is what the body of a refusal says.

    Raises:
        MayHeal: for 429, 5xx and the like.
        UpstreamRefused: for every other status that is neither success nor 304.
    """
    reason = f"answers {status}"
    if is_worth_retrying(status):
        raise MayHeal(reason, retry_after_seconds(headers))
    if not _is_answer(status):
        raise UpstreamRefused(upstream, url, f"{reason}: {detail}" if detail else reason, status)


def _is_answer(status: int) -> bool:
    return status == 304 or 200 <= status < 300


def within(pieces: Iterator[bytes], policy: Policy, started: float) -> bytes:
    """Put an unpacked body together, piece by piece. ``started`` is of ``time.monotonic``.

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


def unpacked(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Unpack a body into pieces of bounded size, however much a packed one may hold.

    A packed piece that yields nothing yields an empty one, so that its reader sees the clock.

    Raises:
        zlib.error: when it is not packed as ``encoding`` says, or not whole.
    """
    if encoding in ("", "identity"):
        yield from pieces
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise zlib.error(f"unknown encoding {_shown(encoding.encode())}")
    # The header says whether it is gzip or zlib; gzip may come in several members.
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
    for piece in pieces:
        packed = piece
        while packed:
            if inflater.eof:
                inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
            yield inflater.decompress(packed, _PIECE_BYTES)
            packed = inflater.unconsumed_tail or inflater.unused_data
    yield inflater.flush()
    if not inflater.eof:
        raise zlib.error("not whole")


class Transport:
    """Asks one upstream over HTTP; may be shared by threads.

    ``secrets`` are cut out of every message, address and log line.
    """

    def __init__(
        self,
        upstream: str,
        policy: Policy | None = None,
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        self.upstream = upstream
        self.policy = policy or Policy()
        # Only what `unpacked` can unpack piece by piece is asked for.
        self._headers = {"User-Agent": "alibaba-warehouse", **(headers or {})}
        self._headers["Accept-Encoding"] = "gzip"
        # Longest first, as one may be part of another; as they are, and as an address writes them.
        self._secrets = sorted(
            {form for s in secrets if s for form in (s, quote(s, safe=""), quote_plus(s))},
            key=len,
            reverse=True,
        )
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Transport({self.upstream!r})"

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer to a GET, whole and unpacked; ``params`` join those of the address.

        Raises:
            UpstreamUnavailable: when it did not come, however often it was tried.
            UpstreamRefused: for a status that will not heal.
            UnexpectedAnswer: for a redirect loop, or a body too large or not to be unpacked.
        """
        import httpx

        address = httpx.URL(url).copy_merge_params(dict(params or {}))
        request = self._open().build_request("GET", address, headers=headers)
        shown = self.without_secrets(str(address))
        try:
            answer = asked_patiently(
                lambda: self._once(request, shown),
                upstream=self.upstream,
                url=shown,
                policy=self.policy,
            )
        except (_NoAnswer, TooLarge) as error:
            reason = str(error)
        except zlib.error as error:
            reason = f"body cannot be unpacked: {error}"
        else:
            size = len(answer.content)
            LOG.debug("%s: answers %s, %s bytes (%s)", self.upstream, answer.status, size, shown)
            return answer
        raise UnexpectedAnswer(self.upstream, shown, reason)

    def without_secrets(self, text: str) -> str:
        """Return a text as it may be shown and stored."""
        for secret in self._secrets:
            text = text.replace(secret, _HIDDEN)
        return _SECRET_PARAMETER.sub(rf"\1={_HIDDEN}", text)

    def _once(self, request: httpx.Request, shown: str) -> Answer:
        import httpx

        try:
            return self._follow(request, shown, time.monotonic())
        except httpx.TimeoutException as error:
            reason = f"no answer in time ({type(error).__name__})"
        except (httpx.TransportError, httpx.InvalidURL) as error:
            reason = f"connection failed ({type(error).__name__})"
        # Raised outside the handlers: what httpx raises knows the address with its secrets.
        raise MayHeal(reason)

    def _follow(self, request: httpx.Request, shown: str, started: float) -> Answer:
        for _ in range(self.policy.max_redirects + 1):
            response = self._open().send(request, stream=True)
            try:
                following = response.next_request
                if following is None:
                    return self._read(response, shown, started)
            finally:
                response.close()
            if request.url.scheme == "https" and following.url.scheme != "https":
                raise _NoAnswer("redirects to an address that is not encrypted")
            request = following
            host_of(str(request.url), self.policy).limiter.wait()
        raise _NoAnswer(f"redirects more than {self.policy.max_redirects} times")

    def _read(self, response: httpx.Response, shown: str, started: float) -> Answer:
        headers = {name.lower(): value for name, value in response.headers.items()}
        status, detail = response.status_code, ""
        if not _is_answer(status) and not is_worth_retrying(status):
            detail = self.without_secrets(self._detail(response, headers, started))
        judge_status(self.upstream, shown, status, headers, detail)
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self.policy.max_bytes:
            raise TooLarge(f"is {int(length):,} bytes, more than {self.policy.max_bytes:,}")
        content = self._body(response, headers, self.policy, started)
        url = self.without_secrets(str(response.url))
        return Answer(status, headers, content, url)

    def _detail(self, response: httpx.Response, headers: Mapping[str, str], started: float) -> str:
        """What the body of a refusal says, if it says it briefly; never a reason to fail."""
        import httpx

        brief = Policy(max_bytes=_PIECE_BYTES, total_timeout_seconds=5)
        try:
            said = self._body(response, headers, brief, started)
        except (TooLarge, MayHeal, zlib.error, httpx.TransportError):
            return ""
        title = re.search(rb"<title[^>]*>([^<]*)</title", said, re.IGNORECASE)
        return _shown(title[1] if title else said)

    def _body(
        self, response: httpx.Response, headers: Mapping[str, str], policy: Policy, started: float
    ) -> bytes:
        encoding = headers.get("content-encoding", "").strip().lower()
        return within(unpacked(response.iter_raw(_PIECE_BYTES), encoding), policy, started)

    def _open(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                # Its one line a request names the whole address, secrets included; ours does not.
                logging.getLogger("httpx").addFilter(_nothing)
                self._client = httpx.Client(
                    headers=self._headers,
                    timeout=httpx.Timeout(
                        self.policy.read_timeout_seconds,
                        connect=self.policy.connect_timeout_seconds,
                    ),
                )
            return self._client


class _NoAnswer(Exception):
    """A way of answering that leads nowhere."""


def _nothing(record: logging.LogRecord) -> bool:
    return False


def _shown(content: bytes) -> str:
    text = content[: 4 * _SHOWN_CHARACTERS].decode("utf-8", "replace")
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return words if len(words) <= _SHOWN_CHARACTERS else words[:_SHOWN_CHARACTERS] + "..."
