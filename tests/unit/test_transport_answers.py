"""What the transport makes of answers: a client of httpx whose network is a function."""

from __future__ import annotations

import gzip
import logging
import pickle
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest

from orchestration.extract.transport import (
    Breaker,
    Policy,
    Transport,
    UnexpectedAnswer,
    UpstreamError,
    UpstreamRefused,
    UpstreamUnavailable,
    forget_hosts,
    host_of,
    retry_after_seconds,
    unpacked,
)

#: With what an address writes otherwise.
KEY = "se+cret/key=0123"
URL = "https://upstream.example/data"
ONCE = Policy(attempts=1)


@pytest.fixture(autouse=True)
def _no_hosts_from_before() -> None:
    forget_hosts()


def transport(
    answer: Callable[[httpx.Request], httpx.Response], policy: Policy = ONCE
) -> Transport:
    made = Transport("x", policy, secrets=[KEY])
    made._client = httpx.Client(transport=httpx.MockTransport(answer))
    return made


class Body(httpx.SyncByteStream):
    """A body in one piece, as it comes from a network: not read yet."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def __iter__(self) -> Iterator[bytes]:
        yield self.content


def reply(status: int, content: bytes = b"", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, stream=Body(content))


def chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO])
def test_a_secret_is_in_no_log_line(caplog: pytest.LogCaptureFixture, level: int) -> None:
    caplog.set_level(level)
    made = Transport("x", ONCE, secrets=[KEY])
    opened = made._open()
    opened._transport = httpx.MockTransport(lambda request: reply(200))
    opened._mounts = {}
    answer = made.get(URL, {"api_key": KEY})
    assert "0123" not in caplog.text + answer.url
    assert ("(hidden)" in caplog.text) == (level == logging.DEBUG)


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: reply(400, f"key {KEY} is not registered".encode()),
        lambda request: reply(503),
        lambda request: reply(302, Location=str(request.url)),
        lambda request: reply(200, b"no gzip", Content_Encoding="gzip"),
        lambda request: (_ for _ in ()).throw(httpx.ReadError(str(request.url), request=request)),
    ],
)
def test_a_secret_is_in_no_message_and_no_cause(
    answer: Callable[[httpx.Request], httpx.Response],
) -> None:
    with pytest.raises(UpstreamError) as raised:
        transport(answer).get(URL, {"api_key": KEY})
    for error in chain(raised.value):
        assert "0123" not in str(error) + repr(error)
        assert not isinstance(error, httpx.HTTPError), "it knows the address"


def test_a_bomb_is_not_inflated() -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    client = transport(
        lambda request: reply(200, bomb, Content_Encoding="gzip"),
        Policy(attempts=1, max_bytes=1_000_000),
    )
    tracemalloc.start()
    try:
        with pytest.raises(UnexpectedAnswer, match="goes on beyond 1,000,000 bytes"):
            client.get(URL)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("size", [1, 7, 65_536])
def test_gzip_is_unpacked_however_it_is_cut(size: int) -> None:
    plain = bytes(range(256)) * 1000
    packed = gzip.compress(plain[:100_000]) + gzip.compress(plain[100_000:])
    pieces = (packed[n : n + size] for n in range(0, len(packed), size))
    assert b"".join(unpacked(pieces, "gzip")) == plain
    with pytest.raises(zlib.error):
        list(unpacked(iter([packed[:-9]]), "gzip"))
    with pytest.raises(zlib.error, match="unknown encoding"):
        list(unpacked(iter([packed]), "br"))


def test_policies_of_a_host_share_its_rate_and_its_breaker() -> None:
    slow, fast = Policy(requests_per_second=2), Policy(requests_per_second=8, attempts=1)
    assert host_of(URL, slow) is host_of(URL, fast)
    assert host_of(URL, fast).limiter._gap >= 1 / 2, "the lowest rate counts"


def test_a_half_open_breaker_lets_a_single_try_through() -> None:
    now = [1.0]
    breaker = Breaker(1, 60, lambda: now[0])
    breaker.failed()
    now[0] = 62.0
    assert [breaker.seconds_left() == 0 for _ in range(3)] == [True, False, False]
    breaker.succeeded()
    assert breaker.seconds_left() == 0


def test_every_redirect_counts_as_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(host_of(URL, ONCE).limiter, "_sleep", slept.append)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/there":
            return reply(200, b"good")
        return reply(302, Location="/there")

    client = transport(answer, Policy(attempts=1, requests_per_second=1))
    assert client.get(URL).content == b"good"
    assert len(slept) == 1


def test_a_redirect_gives_up_no_encryption() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return reply(302, Location="http://upstream.example/data")

    with pytest.raises(UnexpectedAnswer, match="not encrypted"):
        transport(answer).get(URL)


def test_parameters_join_those_of_the_address() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.query.decode())
        return reply(200)

    transport(answer).get(URL + "?a=1", {"b": "2"})
    assert asked == ["a=1&b=2"]


def test_a_host_that_lets_nobody_in_is_left_alone() -> None:
    client = transport(lambda r: reply(403), Policy(attempts=1, breaker_failures=2))
    for _ in range(2):
        with pytest.raises(UpstreamRefused):
            client.get(URL)
    with pytest.raises(UpstreamUnavailable, match="at last: answers 403; left alone"):
        client.get(URL)


def test_what_is_not_there_opens_no_breaker() -> None:
    client = transport(lambda r: reply(404), Policy(attempts=1, breaker_failures=1))
    for _ in range(3):
        with pytest.raises(UpstreamRefused) as raised:
            client.get(URL)
        assert raised.value.status == 404


def test_a_refusal_says_why() -> None:
    said = b'{"error_code":400,"error_message":"Bad Request.  The series does not exist."}'
    with pytest.raises(UpstreamRefused, match=r"answers 400: .*The series does not exist"):
        transport(lambda r: reply(400, said)).get(URL)


def test_an_error_can_be_sent_to_another_process() -> None:
    error = UpstreamRefused("fred", URL, "answers 404", 404)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.status) == (str(error), 404)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Tue, 24 Nov 2026 10:00:30", 30.0), ("²", None), ("-5", None), ("99999999", 86_400.0)],
)
def test_odd_words_of_retry_after(text: str, expected: float | None) -> None:
    now = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    assert retry_after_seconds({"Retry-After": text}, lambda: now) == expected
