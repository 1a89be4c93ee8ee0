"""How upstreams misbehave.

``TRANSPORT_FAULTS`` are the same for every format. ``FORMAT_FAULTS`` are names: each upstream's
module says in its own ``FORMAT_FAULTS`` how a good body is turned into that wrong one.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache

from tests.upstreams.server import Fault, Reply, Request, Wire

CONSENT_PAGE = (
    b"<!doctype html><html><head><title>Before you continue</title></head>"
    b"<body><form action='/consent'><button>Accept all</button></form></body></html>"
)
_MEGABYTE = 1_000_000
HUGE_BYTES = 500 * _MEGABYTE


def whole(reply: Reply) -> bytes:
    """Return the body of a reply in one piece."""
    return reply.body if isinstance(reply.body, bytes) else b"".join(reply.body)


def answers(reply: Reply) -> Fault:
    """Send another reply, whatever was asked."""
    return lambda request, good, wire: wire.send(reply)


def with_body(change: Callable[[bytes], bytes]) -> Fault:
    """Send the good reply with its body changed."""

    def fault(request: Request, good: Reply, wire: Wire) -> None:
        wire.send(Reply(change(whole(good)), good.status, good.headers))

    return fault


def _reset_in_mid_body(request: Request, good: Reply, wire: Wire) -> None:
    body = whole(good)
    wire.send_head(good, len(body))
    wire.send_part(body[: len(body) // 2])
    wire.reset()


def _stalled_body(request: Request, good: Reply, wire: Wire) -> None:
    body = whole(good)
    wire.send_head(good, len(body))
    wire.send_part(body[: len(body) // 2])
    wire.stall()


def _redirect_loop(request: Request, good: Reply, wire: Wire) -> None:
    wire.send(Reply(b"", 302, {"Location": "?again=1"}))


def _spaces() -> Iterator[bytes]:
    piece = b" " * _MEGABYTE
    for _ in range(HUGE_BYTES // _MEGABYTE):
        yield piece


@cache
def _gzip_bomb() -> bytes:
    """Half a gigabyte of spaces, packed in no time: who asks has little patience.

    After a full flush the same piece packs to the same bytes. The check sum at the end is left out:
    nobody may read so far.
    """
    gzip = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    pieces = [gzip.compress(b" " * _MEGABYTE) + gzip.flush(zlib.Z_FULL_FLUSH) for _ in range(2)]
    return pieces[0] + pieces[1] * (HUGE_BYTES // _MEGABYTE - 1)


def _send_gzip_bomb(request: Request, good: Reply, wire: Wire) -> None:
    wire.send(Reply(_gzip_bomb(), 200, {**good.headers, "Content-Encoding": "gzip"}))


def _retry_after_date(request: Request, good: Reply, wire: Wire) -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
    wire.send(Reply(b"", 429, {"Retry-After": soon}))


TRANSPORT_FAULTS: Mapping[str, Fault] = {
    "429": answers(Reply(b"Too Many Requests", 429)),
    "429 with Retry-After": answers(Reply(b"", 429, {"Retry-After": "1"})),
    "429 with Retry-After as a date": _retry_after_date,
    "500": answers(Reply(b"Internal Server Error", 500)),
    "503": answers(Reply(b"Service Unavailable", 503)),
    "404": answers(Reply(b"Not Found", 404)),
    "reset in mid-body": _reset_in_mid_body,
    "stalled body": _stalled_body,
    "truncated body": with_body(lambda body: body[: len(body) // 2]),
    "malformed body": with_body(lambda body: b"}{" + body[2:]),
    "HTML consent page": answers(Reply(CONSENT_PAGE, 200, {"Content-Type": "text/html"})),
    "redirect loop": _redirect_loop,
    "500 MB body": lambda request, good, wire: wire.send(Reply(_spaces(), 200, good.headers)),
    "gzip bomb": _send_gzip_bomb,
}

#: What is read of a fault of the transport, tried three times, at most 20 MB taken in.
TRANSPORT_MESSAGES: Mapping[str, str] = {
    "429": "answers 429, tried 3 times",
    "429 with Retry-After": "answers 429, tried 3 times",
    "429 with Retry-After as a date": "answers 429, tried 3 times",
    "500": "answers 500, tried 3 times",
    "503": "answers 503, tried 3 times",
    "404": "answers 404",
    "reset in mid-body": "connection failed",
    "stalled body": "no answer in time",
    "redirect loop": "redirects more than 5 times",
    "500 MB body": "goes on beyond 20,000,000 bytes",
    "gzip bomb": "goes on beyond 20,000,000 bytes",
}

#: What each upstream's module must say how to do to its own format.
FORMAT_FAULTS = (
    "empty result",
    "renamed field",
    "extra field",
    "changed type",
    "null values",
    "duplicated rows",
    "unsorted rows",
    "future date",
    "rewritten history",
)
