"""S3 stores that are not AWS: other ETags, no trailers, keys that may see no more than their prefix."""

import http.client
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from seaweed import BUCKET

from dist_vad.base.errors import InputError, Unavailable
from dist_vad.data.store import open_store, s3

pytestmark = pytest.mark.kind(9)

DENIED = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"


class OtherStore:
    """Passes requests on to a server, and answers as other stores do."""

    def __init__(self, port: int, prefix: str) -> None:
        self.port, self.prefix, self.etag, self.strict, self.corrupt = port, prefix, "", False, False
        self.trailers = 0
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                store.answer(self)

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = pass_on

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        self.trailers += "x-amz-trailer" in request.headers
        listing = re.search(r"[?&]prefix=([^&]*)", request.path)
        allowed = f"{self.prefix}/".replace("/", "%2F")
        if self.strict and request.command == "GET" and listing and not listing[1].startswith(allowed):
            self.reply(request, 403, DENIED, [])
            return
        server = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        server.putrequest(request.command, request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers.items():
            if name.lower() not in ("expect", "connection"):
                server.putheader(name, value)
        if self.corrupt and request.command == "PUT":
            pass
        server.endheaders(body)
        response = server.getresponse()
        content, status = response.read(), response.status
        if self.strict and request.command == "HEAD" and status == 404:
            status, content = 403, b""  # as S3 answers whoever may not list the bucket
        self.reply(request, status, content, response.getheaders())
        server.close()

    def reply(self, request, status: int, content: bytes, headers: list[tuple[str, str]]) -> None:
        request.close_connection = True
        request.send_response_only(status)
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        for name, value in headers:
            if name.lower() == "etag" and self.etag and request.command in ("HEAD", "GET"):
                value = self.etag
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                request.send_header(name, value)
        length = lengths[0] if request.command == "HEAD" and lengths else str(len(content))
        request.send_header("Content-Length", length)
        request.send_header("Connection", "close")
        request.end_headers()
        request.wfile.write(b"" if request.command == "HEAD" else content)


@pytest.fixture
def other(server, environment, prefix, monkeypatch):
    store = OtherStore(server.port, prefix)
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
    yield store
    store.server.shutdown()
    store.server.server_close()


ETAGS = {
    "opaque": '"0x8D4BCC2E4835CD0"',
    "a multipart one of another size of parts": '"d41d8cd98f00b204e9800998ecf8427e-7"',
    "of a store that encrypts": '"d41d8cd98f00b204e9800998ecf8427e"',
    "a sha256": f'"{"ab" * 32}"',
    "empty": '""',
    "weak": 'W/"1"',
}


@pytest.mark.parametrize("size", [3, s3.PART + 10], ids=["small", "large"])
@pytest.mark.parametrize("case", ETAGS)
def test_an_object_is_trusted_by_its_bytes_whatever_its_etag_is(case, size, other, url, tmp_path):
    other.etag = ETAGS[case]
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "file").write_bytes(content[:size])
    store = open_store(url)
    store.put_file("there", tmp_path / "file")
    assert store.read("there") == content[:size]


def test_no_checksum_goes_in_a_trailer(other, url):
    store = open_store(url)
    store.put("there", b"x" * 1000)
    assert store.read("there") == b"x" * 1000 and other.trailers == 0


def test_a_key_that_may_list_only_its_prefix_works(other, url, server, prefix):
    other.strict = True
    store = open_store(url)
    assert store.size("missing") is None and store.sizes() == {}
    store.put("a/b", b"abc")
    assert store.size("a/b") == 3 and store.sizes() == {"a/b": 3} and store.child("a").size("b") == 3
    assert server.contents(prefix) == {"a/b": b"abc"}


def test_a_key_that_may_not_list_its_prefix_is_refused_with_what_to_look_at(other, url):
    other.strict, other.prefix = True, "elsewhere"
    with pytest.raises(InputError, match=r"AccessDenied.*what that key may do"):
        open_store(url)


def test_other_bytes_than_were_sent_are_no_success(other, url, monkeypatch):
    monkeypatch.setattr(s3, "TRIES", 2)
    other.etag = '"opaque"'
    store = open_store(url)
    monkeypatch.setattr(s3.S3Store, "_same", lambda *_: False)
    with pytest.raises(Unavailable, match=r"writing \S+ at \S+ failed: other bytes there than were sent"):
        store.put("there", b"abc")
    assert BUCKET in url
