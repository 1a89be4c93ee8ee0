"""A local server that plays the upstreams, and can be told to misbehave.

One process serves several upstreams, each under its own path prefix:

    with UpstreamServer({"/fred": fred.handle}) as server:
        server.misbehave(TRANSPORT_FAULTS["503"], times=2)
        fetch(base_url=server.url + "/fred")
        assert len(server.seen) == 3

A handler takes a ``Request`` (its path without the prefix) and returns a ``Reply``. A fault is
asked in its place: it may send the good reply in a wrong way, or another one.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """A GET as it came in; ``path`` is without the prefix of its upstream."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """What is sent; a body in pieces is made while it is sent."""

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Reply]


@dataclass(frozen=True)
class Seen:
    """A request that was answered, and when (``time.monotonic``)."""

    at: float
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class Wire:
    """The connection of one request, for faults that are not a reply."""

    def __init__(self, http: BaseHTTPRequestHandler, stopping: threading.Event) -> None:
        self._http, self._stopping = http, stopping

    def send(self, reply: Reply) -> None:
        """Send a reply as it is, with its length if its body is whole."""
        self.send_head(reply)
        pieces = [reply.body] if isinstance(reply.body, bytes) else reply.body
        for piece in pieces:
            self._http.wfile.write(piece)

    def send_head(self, reply: Reply, length: int | None = None) -> None:
        """Send the status line and headers; ``length`` may promise more than comes."""
        self._http.send_response(reply.status)
        for name, value in reply.headers.items():
            self._http.send_header(name, value)
        if length is None and isinstance(reply.body, bytes):
            length = len(reply.body)
        if length is not None:
            self._http.send_header("Content-Length", str(length))
        self._http.send_header("Connection", "close")
        self._http.end_headers()

    def send_part(self, part: bytes) -> None:
        """Send a piece of a body."""
        self._http.wfile.write(part)
        self._http.wfile.flush()

    def reset(self) -> None:
        """Break the connection off, as a crashed server does."""
        linger = struct.pack("ii", 1, 0)
        self._http.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._http.connection.close()

    def stall(self, seconds: float = 60) -> None:
        """Say nothing more until the server stops."""
        self._stopping.wait(seconds)


#: Answers a request wrongly, given the right reply.
Fault = Callable[[Request, Reply, Wire], None]


@dataclass
class _Misbehaviour:
    fault: Fault
    times: int | None
    path: str


class UpstreamServer:
    """Serves until the block ends; ``url`` is its address without a trailing slash."""

    def __init__(self, routes: Mapping[str, Handler]) -> None:
        self._routes = dict(sorted(routes.items(), key=lambda item: -len(item[0])))
        self._lock = threading.Lock()
        self._misbehaviours: list[_Misbehaviour] = []
        self._stopping = threading.Event()
        self.seen: list[Seen] = []
        self._server = _Server(("127.0.0.1", 0), _handler_class(self))
        # It stops at the next poll: half a second for every test would add up.
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def url(self) -> str:
        """Where it listens, on loopback."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def misbehave(self, fault: Fault, times: int | None = None, path: str = "") -> None:
        """Answer the next ``times`` requests (all, without it) under ``path`` by ``fault``."""
        with self._lock:
            self._misbehaviours.append(_Misbehaviour(fault, times, path))

    def behave(self) -> None:
        """Misbehave no more."""
        with self._lock:
            self._misbehaviours.clear()

    def __enter__(self) -> UpstreamServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, http: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        address = urlsplit(http.path)
        query = dict(parse_qsl(address.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in http.headers.items()}
        fault = self._note(Seen(time.monotonic(), address.path, query, headers))
        wire = Wire(http, self._stopping)
        prefix = next((p for p in self._routes if address.path.startswith(p)), None)
        if prefix is None:
            wire.send(Reply(b"nothing here", 404))
            return
        request = Request(address.path[len(prefix) :], query, headers)
        reply = self._routes[prefix](request)
        if fault is None:
            wire.send(reply)
        else:
            fault(request, reply, wire)

    def _note(self, seen: Seen) -> Fault | None:
        with self._lock:
            self.seen.append(seen)
            for misbehaviour in self._misbehaviours:
                if misbehaviour.path in seen.path and misbehaviour.times != 0:
                    if misbehaviour.times is not None:
                        misbehaviour.times -= 1
                    return misbehaviour.fault
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    # Clients that are given up by a test leave broken pipes behind; they are no news.
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        pass


def _handler_class(server: UpstreamServer) -> type[BaseHTTPRequestHandler]:
    class Handle(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            server.answer(self)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return Handle
