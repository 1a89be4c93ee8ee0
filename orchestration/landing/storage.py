"""Where landing's files lie: a folder, or a prefix of a bucket that speaks S3.

A key is a path below that place, such as ``daily_price/<batch_id>.parquet``. What is written stands
whole or not at all, whichever place it is; what the files mean is not known here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from orchestration.files import sync_folder, write_atomically

#: Requests to a bucket that are under way at once.
_PARALLEL = 16
#: Buckets that were seen to refuse a conditional put, by this process.
_HONEST: set[str] = set()


class StorageFailed(RuntimeError):
    """Landing's place could not be asked; the message names the address and the reason.

    What has landed before is untouched by it.
    """


@dataclass(frozen=True)
class Entry:
    """A file that lies there. ``version`` changes with its content; empty where nobody copies."""

    size: int
    version: str = ""


class Storage(Protocol):
    """What landing asks of its place.

    Every method raises :class:`StorageFailed` when the place does not answer as it should.
    """

    def address(self, key: str) -> str:
        """Return where a key lies, in words that its owner can act on."""
        ...

    def entries(self, folder: str) -> dict[str, Entry]:
        """Return the files directly in a folder by key, in the order of their names."""
        ...

    def exists(self, key: str) -> bool:
        """Whether something lies there."""
        ...

    def read(self, key: str) -> bytes:
        """Return a file's content; raises ``FileNotFoundError`` when it is not there."""
        ...

    def write(self, key: str, content: bytes) -> None:
        """Put a file there, over what was there before."""
        ...

    def create(self, key: str, content: bytes) -> bool:
        """Put a file there unless the key is taken: of several writers exactly one gets ``True``.

        After an answer that was lost on its way, the winner too may be told ``False``.
        """
        ...

    def remove(self, key: str) -> None:
        """Remove a file; one that is gone already is no error."""
        ...

    def files(self, entries: Mapping[str, Entry]) -> dict[str, Path]:
        """Return local files with the content of these entries, for engines that read paths.

        Raises ``FileNotFoundError`` when one has gone since it was listed. Nobody may write them.
        """
        ...

    def forget(self, folder: str, entries: Mapping[str, Entry]) -> None:
        """Let go of local copies from a folder except those of these entries."""
        ...


def storage_at(place: Path | str, cache: Path | None = None) -> Storage:
    """Return the storage of a folder or an ``s3://bucket/prefix``, which needs a ``cache``.

    Raises:
        ValueError: naming a place that is neither.
    """
    if isinstance(place, Path) or "://" not in place:
        return LocalStorage(Path(place))
    named = re.fullmatch(r"s3://(?P<bucket>[\w.-]+)(?P<prefix>(/[^/]+)*)/?", place)
    if named is None:
        # Without what may be a password.
        shown = re.sub(r"://.*@", "://...@", place)
        raise ValueError(
            f"WAREHOUSE_LANDING is {shown!r}: neither a folder nor s3://bucket or s3://bucket/prefix"
        )
    if cache is None:
        raise ValueError(f"landing in {place} needs a folder for its local copies")
    return ObjectStorage(named["bucket"], named["prefix"].strip("/"), cache)


class LocalStorage:
    """Files in a folder: written to a temporary name, synced and renamed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def address(self, key: str) -> str:
        """Return the path."""
        return str(self.root / key)

    def entries(self, folder: str) -> dict[str, Entry]:
        """Return the files of a folder, temporary ones left out."""
        try:
            with os.scandir(self.root / folder) as listed:
                found = sorted(listed, key=lambda one: one.name)
        except FileNotFoundError:
            return {}
        entries = {}
        for one in found:
            # One may go while the others are looked at.
            with suppress(FileNotFoundError):
                if one.is_file() and not one.name.startswith("."):
                    entries[f"{folder}/{one.name}"] = Entry(one.stat().st_size)
        return entries

    def exists(self, key: str) -> bool:
        """Whether the file is there."""
        return (self.root / key).exists()

    def read(self, key: str) -> bytes:
        """Return the file's content."""
        return (self.root / key).read_bytes()

    def write(self, key: str, content: bytes) -> None:
        """Write the file under another name and give it its own."""
        write_atomically(self._target(key), lambda path: path.write_bytes(content))

    def create(self, key: str, content: bytes) -> bool:
        """Write the file; its name is given to it only if it is free."""
        target = self._target(key)
        return write_atomically(target, lambda path: path.write_bytes(content), replace=False)

    def remove(self, key: str) -> None:
        """Remove the file."""
        (self.root / key).unlink(missing_ok=True)

    def files(self, entries: Mapping[str, Entry]) -> dict[str, Path]:
        """Return the files themselves."""
        paths = {key: self.root / key for key in entries}
        for path in paths.values():
            if not path.exists():
                raise FileNotFoundError(f"{path} is not there")
        return paths

    def forget(self, folder: str, entries: Mapping[str, Entry]) -> None:
        """There are no copies."""

    def _target(self, key: str) -> Path:
        """Return the path of a key; its folder stands, and would after a power failure."""
        target = self.root / key
        missing = [p for p in target.parents if p.is_relative_to(self.root) and not p.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        for made in missing:
            sync_folder(made.parent)
        return target


class ObjectStorage:
    """Objects below a prefix of a bucket, asked through fsspec's s3fs.

    A put stands whole or not at all by the nature of the service; a name is taken by a conditional
    put (``If-None-Match: *``), which the service must honour. Credentials, region and endpoint are
    those of the AWS tools: ``AWS_PROFILE``, ``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL`` and others.
    """

    def __init__(self, bucket: str, prefix: str, cache: Path) -> None:
        self.bucket = bucket
        self.prefix = prefix
        self.cache = cache

    def address(self, key: str) -> str:
        """Return the address with its scheme."""
        return f"s3://{self._path(key)}"

    def entries(self, folder: str) -> dict[str, Entry]:
        """Return the objects of a folder; a thousand cost one request."""
        base = f"{self._key(folder)}/"
        asked = {"Bucket": self.bucket, "Prefix": base, "Delimiter": "/"}
        found: dict[str, Entry] = {}
        with self._told(folder, "listed"):
            while True:
                answer = _s3().call_s3("list_objects_v2", **asked)
                for one in answer.get("Contents", ()):
                    name = one["Key"].removeprefix(base)
                    version = re.sub(r"\W", "", one["ETag"])
                    found[f"{folder}/{name}"] = Entry(one["Size"], version)
                if not answer.get("IsTruncated"):
                    return dict(sorted(found.items()))
                asked["ContinuationToken"] = answer["NextContinuationToken"]

    def exists(self, key: str) -> bool:
        """Whether the object is there."""
        # A HEAD cannot tell a missing bucket from a missing object.
        with self._told(key, "looked for"):
            asked = {"Bucket": self.bucket, "Prefix": self._key(key), "MaxKeys": 1}
            answer = _s3().call_s3("list_objects_v2", **asked)
        return any(one["Key"] == self._key(key) for one in answer.get("Contents", ()))

    def read(self, key: str) -> bytes:
        """Return the object's content."""
        with self._told(key, "read"):
            return bytes(_s3().cat_file(self._path(key), max_concurrency=1))

    def write(self, key: str, content: bytes) -> None:
        """Put the object."""
        with self._told(key, "written"):
            _s3().pipe_file(self._path(key), content)

    def create(self, key: str, content: bytes) -> bool:
        """Put the object on condition that there is none; a conflict in flight counts as taken."""
        created = self._create(key, content)
        if created and self.bucket not in _HONEST:
            # A service that does not know the condition would let writers overwrite each other.
            if self._create(key, content):
                raise StorageFailed(
                    f"{self.address(key)}: was written twice though the second time it had to be "
                    "refused: the service does not honour If-None-Match, which landing relies on"
                )
            _HONEST.add(self.bucket)
        return created

    def _create(self, key: str, content: bytes) -> bool:
        try:
            with self._told(key, "written"):
                _s3().pipe_file(self._path(key), content, mode="create")
        except FileExistsError:
            return False
        return True

    def remove(self, key: str) -> None:
        """Delete the object."""
        with self._told(key, "removed"):
            _s3().call_s3("delete_object", Bucket=self.bucket, Key=self._key(key))

    def files(self, entries: Mapping[str, Entry]) -> dict[str, Path]:
        """Return local copies; only those that are not there yet are fetched."""
        paths = {key: self._copy(key, entry) for key, entry in entries.items()}
        missing = {key: path for key, path in paths.items() if not path.exists()}
        with ThreadPoolExecutor(_PARALLEL) as threads:
            for _ in threads.map(lambda key: self._fetch(key, entries[key], missing[key]), missing):
                pass
        return paths

    def forget(self, folder: str, entries: Mapping[str, Entry]) -> None:
        """Remove the copies of what has gone or changed."""
        kept = {self._copy(key, entry) for key, entry in entries.items()}
        for path in (self.cache / folder).glob("*"):
            if path.is_file() and path not in kept:
                path.unlink(missing_ok=True)

    def _fetch(self, key: str, entry: Entry, target: Path) -> None:
        content = self.read(key)
        if len(content) != entry.size:
            raise StorageFailed(
                f"{self.address(key)}: cannot be read: {len(content)} bytes came of {entry.size}"
            )
        write_atomically(target, lambda path: path.write_bytes(content))

    def _copy(self, key: str, entry: Entry) -> Path:
        """Return where the copy of this very version lies."""
        path = self.cache / key
        return path.with_name(f"{path.stem}.{entry.version}{path.suffix}")

    def _key(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def _path(self, key: str) -> str:
        return f"{self.bucket}/{self._key(key)}"

    @contextmanager
    def _told(self, key: str, done: str) -> Iterator[None]:
        """Say what failed where, of whatever the client raises."""
        try:
            yield
        except Exception as error:
            code = _code(error)
            if code in ("PreconditionFailed", "ConditionalRequestConflict"):
                raise FileExistsError(self.address(key)) from None
            if isinstance(error, FileNotFoundError) and code != "NoSuchBucket":
                raise FileNotFoundError(f"{self.address(key)} is not there") from None
            # Told in whole here: what caused it is in words of the client's inner workings.
            raise StorageFailed(
                f"{self.address(key)}: cannot be {done}: {_reason(error, code)}"
            ) from None


def _code(error: BaseException) -> str:
    """Return the code that the service gave, or nothing when it gave none."""
    for one in _chain(error):
        response = getattr(one, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _chain(error: BaseException) -> Iterable[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__


def _reason(error: BaseException, code: str) -> str:
    said = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
    hints = {
        "NoSuchBucket": "make the bucket, or name another in WAREHOUSE_LANDING",
        "AccessDenied": "the credentials do not allow it",
        "InvalidAccessKeyId": "look at AWS_ACCESS_KEY_ID or AWS_PROFILE",
        "SignatureDoesNotMatch": "look at AWS_SECRET_ACCESS_KEY or AWS_PROFILE",
        "ExpiredToken": "the credentials have expired",
    }
    if type(error).__name__ == "NoCredentialsError":
        return f"{said}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    shown = f"{code}: {said}" if code and code not in said else said
    return f"{shown} ({hints[code]})" if code in hints else shown


def _s3() -> Any:
    """Return the client of this process; s3fs keeps one for the same settings."""
    try:
        from s3fs import S3FileSystem
    except ImportError:
        raise StorageFailed(
            "landing in object storage needs s3fs: install the project with its extra `s3`"
        ) from None
    from orchestration.settings import settings

    chosen = settings()
    client = S3FileSystem(
        # Named, so that another address is another client.
        endpoint_url=os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"),
        use_listings_cache=False,
        config_kwargs={
            "connect_timeout": chosen.connect_timeout_seconds,
            "read_timeout": chosen.read_timeout_seconds,
            "retries": {"mode": "standard", "total_max_attempts": chosen.attempts},
        },
    )
    # Its own tries multiply those; they are needed for answers that break off.
    client.retries = 2
    return client
