"""An S3 server on loopback (moto), and what can go wrong between it and a client."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

BUCKET = "warehouse"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass
class Request:
    """What a fault is told of a request."""

    method: str
    path: str


@dataclass
class ObjectStore:
    """A running server. ``fault`` may name the status that a request is answered with instead.

    ``"cut"`` answers a GET with half of what there is; ``"lost"`` does what was asked and says 500;
    ``"unconditional"`` does it whatever the condition.
    """

    url: str
    fault: Callable[[Request], int | str | None] = lambda request: None
    requests: list[Request] = field(default_factory=list)

    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "made",
            "AWS_SECRET_ACCESS_KEY": "made-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def objects(self, prefix: str = "") -> list[str]:
        """What lies in the bucket, asked by another client than ours."""
        pages = self.client().get_paginator("list_objects_v2")
        return [
            one["Key"]
            for page in pages.paginate(Bucket=BUCKET, Prefix=prefix)
            for one in page.get("Contents", ())
        ]

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="made",
            aws_secret_access_key="made-secret",
            region_name="us-east-1",
        )

    @contextmanager
    def failing(self, fault: Callable[[Request], int | str | None]) -> Iterator[None]:
        self.fault = fault
        try:
            yield
        finally:
            self.fault = lambda request: None

    def application(self, real: Application) -> Application:
        def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            request = Request(environ["REQUEST_METHOD"], environ["PATH_INFO"])
            self.requests.append(request)
            fault = self.fault(request)
            if isinstance(fault, int):
                # Or what is left of the body would be taken for the next request.
                environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                start(f"{fault} Made", [("Content-Type", "application/xml")])
                return [f"<Error><Code>Made{fault}</Code><Message>made</Message></Error>".encode()]
            if fault == "lost":
                b"".join(real(environ, lambda *_: None))
                start("500 Made", [("Content-Type", "application/xml")])
                return [b"<Error><Code>InternalError</Code><Message>made</Message></Error>"]
            if fault == "unconditional":
                environ.pop("HTTP_IF_NONE_MATCH", None)
            if fault == "cut":
                body = b"".join(real(environ, start))
                return [body[: len(body) // 2]]
            return real(environ, start)

        return answer


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """Serve S3 with an empty bucket, one request at a time, so that a conditional put is one step.

    (moto looks whether a key is free and then takes it: side by side, two could be told yes.)
    """
    store = ObjectStore("")
    real = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, store.application(real), threaded=False)
    store.url = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        store.client().create_bucket(Bucket=BUCKET)
        yield store
    finally:
        server.shutdown()
        serving.join(timeout=10)
        server.server_close()
