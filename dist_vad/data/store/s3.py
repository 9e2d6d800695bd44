"""Shard sets in an S3 bucket: patient with servers that stumble, quick and clear where nothing can be hoped for.

The endpoint and the credentials come from where every AWS tool has them: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, ~/.aws, or the machine's role.
"""

import contextlib
import hashlib
import io
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError, NoCredentialsError

from dist_vad.base.errors import InputError, Unavailable
from dist_vad.data.store.base import Store
from dist_vad.data.store.scratch import scratch_folder

S3 = "s3://"
T = TypeVar("T")

# boto3's own checksums, in trailers, are refused by many servers that are not AWS; what has arrived we check ourselves.
PLAIN = {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
PROBE = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}, **PLAIN)
"""For the first request: whoever mistyped an address should not wait long to hear of it."""
WORK = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "total_max_attempts": 10}, **PLAIN)
"""For all others."""
PATIENCE = 60.0
"""Seconds that we wait, beyond boto3's own attempts, for a server that does not answer: it may be restarting."""
TRIES = 6
"""How often we send or fetch an object whose bytes did not arrive whole, which boto3 itself does not try again."""
PART = 8 * 2**20
"""Bytes of a part of a multipart upload, and the size from which on uploads have parts."""
TRANSFER = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=4)

REFUSED = ("401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken")
CREDENTIALS = "look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or the profile), and at what that key may do"


class _NotWhole(Exception):
    """An object did not arrive as it was sent."""


def open_bucket(url: str) -> "S3Store":
    """The store at `s3://bucket/prefix`. Raises, within seconds, InputError where it is not there or refuses the
    credentials, Unavailable where no server answers."""
    bucket, _, prefix = url.removeprefix(S3).partition("/")
    if not bucket:
        raise InputError(f"{url} names no bucket; expected {S3}BUCKET/PREFIX")
    try:
        session = boto3.Session()  # boto3's own would keep the credentials of its first client for good
        probe, client = (session.client("s3", config=config) for config in (PROBE, WORK))
    except (BotoCoreError, ValueError) as error:
        raise InputError(f"no S3 client for {url}: {error}; look at AWS_ENDPOINT_URL, AWS_PROFILE, ~/.aws") from error
    store = S3Store(bucket, prefix.strip("/"), client)
    with store.explained("opening"):
        # With the slash: a key may be allowed to list `prefix/*` and nothing else.
        probe.list_objects_v2(Bucket=bucket, Prefix=f"{store.prefix}/" if store.prefix else "", MaxKeys=1)
    return store


class S3Store(Store):
    """A prefix of a bucket."""

    def __init__(self, bucket: str, prefix: str, client: Any) -> None:
        self.bucket, self.prefix, self.client = bucket, prefix, client

    def where(self, name: str = "") -> str:
        return "/".join(part for part in (f"{S3}{self.bucket}", self.prefix, name) if part)

    def child(self, name: str) -> "S3Store":
        return S3Store(self.bucket, "/".join(part for part in (self.prefix, name) if part), self.client)

    def read(self, name: str) -> bytes:
        with self._reading(name):
            return _repeated(lambda: self._fetch(name))

    def fetch(self, name: str, path: Path, size: int) -> None:
        with self._reading(name):
            _repeated(lambda: self._fetch_rest(name, path, size))

    def size(self, name: str) -> int | None:
        with self.explained("looking for", name):
            head = _repeated(lambda: self._head(name))
            return None if head is None else head["ContentLength"]

    def sizes(self) -> dict[str, int]:
        before = f"{self.prefix}/" if self.prefix else ""
        with self.explained("listing"):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=before)
            sizes = {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", ())}
        # A key that ends with a slash is how some tools mark a folder.
        return {key.removeprefix(before): size for key, size in sorted(sizes.items()) if not key.endswith("/")}

    def put(self, name: str, content: bytes) -> None:
        self._send(name, lambda: io.BytesIO(content))

    def put_file(self, name: str, path: Path) -> None:
        self._send(name, lambda: path.open("rb"))

    def delete(self, name: str) -> None:
        with self.explained("deleting", name):
            self.client.delete_object(**self._address(name))

    def staging(self, scratch: Path | None) -> contextlib.AbstractContextManager[Path]:
        return scratch_folder(scratch)

    @contextlib.contextmanager
    def explained(self, doing: str, name: str = "") -> Iterator[None]:
        """Turn what boto3 raises within the block into an InputError, or Unavailable where the same may succeed later:
        object, server, cause and what to do."""
        try:
            yield
        except (BotoCoreError, Boto3Error, ClientError, _NotWhole) as error:
            cause = f"{_code(error)}: {error}" if isinstance(error, ClientError) else f"{error}"
            at = self.client.meta.endpoint_url
            kind = InputError if _is_given(error) else Unavailable
            raise kind(f"{doing} {self.where(name)} at {at} failed: {cause}; {_advice(error)}") from error

    @contextlib.contextmanager
    def _reading(self, name: str) -> Iterator[None]:
        """As `explained`, for reading an object; FileNotFoundError where it is not there."""
        with self.explained("reading", name):
            try:
                yield
            except ClientError as error:
                if _code(error) in ("NoSuchKey", "404"):
                    raise FileNotFoundError(self.where(name)) from error
                raise

    def _address(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": f"{self.prefix}/{name}" if self.prefix else name}

    def _fetch(self, name: str) -> bytes:
        body = self.client.get_object(**self._address(name))["Body"]
        try:
            return body.read()
        except BotoCoreError as error:  # cut short, or other bytes than the server's checksum
            raise _NotWhole(f"{error} ({TRIES} attempts)") from error

    def _fetch_rest(self, name: str, path: Path, size: int) -> None:
        """Go on with a local copy at the byte where it ends."""
        start = path.stat().st_size if path.is_file() else 0
        if start >= size > 0:
            return
        answer = self.client.get_object(**self._address(name), Range=f"bytes={start}-")
        with path.open("ab") as file:
            if "ContentRange" not in answer:  # a server that sends all, whatever was asked for
                file.truncate(0)
            try:
                for chunk in answer["Body"].iter_chunks(2**20):
                    file.write(chunk)
            except BotoCoreError as error:
                raise _NotWhole(f"{error} at byte {file.tell()} of {size} ({TRIES} attempts)") from error
        if path.stat().st_size < size:
            raise _NotWhole(f"only {path.stat().st_size} of {size} bytes came ({TRIES} attempts)")

    def _head(self, name: str) -> dict[str, Any] | None:
        try:
            return self.client.head_object(**self._address(name))
        except ClientError as error:
            if _code(error) in ("404", "NoSuchKey", "NotFound"):
                return None
            # Whoever may not list the whole bucket hears 403 of what is not there.
            if _code(error) in ("403", "AccessDenied") and not self._is_listed(name):
                return None
            raise

    def _is_listed(self, name: str) -> bool:
        key = self._address(name)["Key"]
        listed = self.client.list_objects_v2(Bucket=self.bucket, Prefix=key, MaxKeys=1).get("Contents", ())
        return any(entry["Key"] == key for entry in listed)

    def _send(self, name: str, opened: Callable[[], BinaryIO]) -> None:
        """Upload what `opened` gives, and look whether just that is there now."""
        with opened() as file:
            size, etag = _size_and_etag(file)

        def once() -> None:
            with opened() as file:
                self.client.upload_fileobj(file, **self._address(name), Config=TRANSFER)
            head = self._head(name)
            if head is None or head["ContentLength"] != size:
                arrived = "nothing" if head is None else f"{head['ContentLength']} bytes"
                raise _NotWhole(f"{arrived} there after {size} bytes were sent ({TRIES} attempts)")
            # An ETag is the MD5 that AWS would give, or whatever a server likes: then what is there is read back.
            if head.get("ETag", "").strip('"') != etag and not self._same(name, opened):
                raise _NotWhole(f"other bytes there than were sent ({TRIES} attempts)")

        with self.explained("writing", name):
            _repeated(once)

    def _same(self, name: str, opened: Callable[[], BinaryIO]) -> bool:
        """Whether an object has the sha256 of what `opened` gives, read piece by piece."""
        there = hashlib.sha256()
        try:
            for chunk in self.client.get_object(**self._address(name))["Body"].iter_chunks(2**20):
                there.update(chunk)
        except BotoCoreError as error:
            raise _NotWhole(f"{error}, while it was read back ({TRIES} attempts)") from error
        with opened() as file:
            return hashlib.file_digest(file, "sha256").digest() == there.digest()  # pyright: ignore[reportArgumentType]


def _repeated(action: Callable[[], T]) -> T:
    """Do something again, after longer and longer waits, while bytes do not arrive whole or no server answers."""
    end, attempt = time.monotonic() + PATIENCE, 0
    while True:
        attempt += 1
        try:
            return action()
        except _NotWhole:
            if attempt >= TRIES:
                raise
        except (ConnectionError, HTTPClientError, ClientError) as error:
            away = not isinstance(error, ClientError) or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
            if not away or time.monotonic() > end:
                raise
        # Random, so that many ranks do not come back all at once.
        time.sleep(random.uniform(0.5, 1) * min(10, 0.2 * 2 ** (attempt - 1)))


def _size_and_etag(file: BinaryIO) -> tuple[int, str]:
    """Bytes of a file, and the ETag that S3 gives it: its MD5, or the MD5 of its parts' MD5s with their number."""
    size, digests = 0, []
    while part := file.read(PART):
        size += len(part)
        digests.append(hashlib.md5(part, usedforsecurity=False))
    if size < PART:
        return size, (digests[0] if digests else hashlib.md5(usedforsecurity=False)).hexdigest()
    joined = b"".join(digest.digest() for digest in digests)
    return size, f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(digests)}"


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def _is_given(error: Exception) -> bool:
    """Whether an error of boto3's comes from what the user gave: then it is the same at every start."""
    if isinstance(error, ClientError):
        return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400) < 500 and not _is_busy(error)
    return isinstance(error, BotoCoreError) and not isinstance(error, ConnectionError | HTTPClientError)


def _is_busy(error: ClientError) -> bool:
    """Whether a server asks for patience under a status that is otherwise the client's fault."""
    return _code(error) in (
        "SlowDown",
        "RequestTimeout",
        "Throttling",
        "TooManyRequests",
        "429",
        "RequestTimeTooSkewed",
    )


def _advice(error: Exception) -> str:
    """What a user can do about an error of boto3's."""
    if isinstance(error, NoCredentialsError) or (isinstance(error, ClientError) and _code(error) in REFUSED):
        return CREDENTIALS
    if isinstance(error, ClientError) and _code(error) in ("NoSuchBucket", "404"):
        return "create the bucket, or correct its name or AWS_ENDPOINT_URL"
    if isinstance(error, (ConnectionError, HTTPClientError)):
        return "see whether the server is up and AWS_ENDPOINT_URL is its address, then start the same command again"
    return "start the same command again, what is complete is kept"
