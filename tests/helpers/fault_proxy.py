"""An HTTP proxy before an S3 server that does to chosen requests what networks and busy servers do."""

import http.client
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Fault = Literal["slow down", "cut body", "drop", "drop answer", "lose"]
"""slow down: 503. cut body: half of the answer's body. drop: no answer, and nothing done. drop answer: done, but no
answer. lose: 200, but nothing done."""
Chooser = Callable[[str, str, int], Fault | None]
"""(method, path with query, number of the request from 0) -> what is to happen to it."""

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class FaultProxy:
    """Listens at a port of its own; `done` lists the faults that were injected, as `GET cut body`."""

    def __init__(self, port: int) -> None:
        self.port, self.done, self.number = port, [], 0
        self.choose: Chooser = lambda method, path, number: None
        self.lock = threading.Lock()
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def inject(self, choose: Chooser) -> None:
        """From now on, and counting requests from now on, do what `choose` says."""
        self.choose, self.done, self.number = choose, [], 0

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def next_fault(self, method: str, path: str) -> Fault | None:
        with self.lock:
            fault = self.choose(method, path, self.number)
            self.number += 1
            if fault:
                self.done.append(f"{method} {fault}")
            return fault


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # it then answers `Expect: 100-continue` by itself
    owner: FaultProxy

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.owner.next_fault(self.command, self.path)
        self.close_connection = True
        if fault == "drop":
            return
        if fault in ("slow down", "lose"):
            self._answer(*((503, SLOW_DOWN) if fault == "slow down" else (200, b"")), [])
            return
        server = http.client.HTTPConnection("127.0.0.1", self.owner.port, timeout=30)
        try:
            server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("expect", "connection"):
                    server.putheader(name, value)
            server.endheaders(body)
            response = server.getresponse()
            content = response.read()
        except OSError:  # the server is down: so are we
            return
        finally:
            server.close()
        if fault != "drop answer":
            self._answer(response.status, content, response.getheaders(), cut=fault == "cut body")

    def _answer(self, status: int, content: bytes, headers: list[tuple[str, str]], cut: bool = False) -> None:
        self.send_response_only(status)
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        # The answer to a HEAD tells the length of a body that is not sent.
        length = lengths[0] if self.command == "HEAD" and lengths else str(len(content))
        self.send_header("Content-Length", length)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass_on

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: tests are quiet."""
