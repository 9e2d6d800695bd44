"""Cameras that misbehave on request: MJPEG over HTTP, with frames that say when they were taken."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np

Paint = Callable[[int], np.ndarray]
"""Number of a frame -> the frame, RGB, uint8 [H, W, 3]."""


@dataclass
class Fault:
    """What goes wrong at a frame, once."""

    frame: int
    kind: str
    """stall: silence for `seconds`. drop: the connection is closed. garbage: bytes that are no picture. torn: half a
    picture, then the connection is closed. refuse: closed, and nobody is let in for `seconds`."""
    seconds: float = 0.0


@dataclass
class FakeCamera:
    """An MJPEG camera on a port of its own, whose frames go on with time whether or not anybody looks."""

    paint: Paint
    fps: float = 10.0
    faults: list[Fault] = field(default_factory=list)
    user: str = ""
    """`name:password` that is asked for; empty for none."""

    def __enter__(self) -> "FakeCamera":
        self.started = time.time()
        self.taken: dict[int, float] = {}
        """Frame -> when it was sent, by time.time()."""
        self.connections = 0
        self._refusing_until = 0.0
        self._done: set[int] = set()
        self._stopped = threading.Event()
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                camera._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it is."""
        who = f"{self.user}@" if self.user else ""
        return f"http://{who}127.0.0.1:{self._server.server_address[1]}/video.mjpg"

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        if time.time() < self._refusing_until:
            return
        if self.user and "Authorization" not in request.headers:
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="camera"')
            request.end_headers()
            return
        self.connections += 1
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        try:
            number = int((time.time() - self.started) * self.fps)
            while not self._stopped.is_set():
                number += 1
                if self._stopped.wait(max(0.0, self.started + number / self.fps - time.time())):
                    return
                fault = next((one for one in self.faults if one.frame <= number and id(one) not in self._done), None)
                if fault:
                    self._done.add(id(fault))
                    if not self._suffer(request, fault, number):
                        return
                    number = int((time.time() - self.started) * self.fps)
                    continue
                self._send(request, jpeg(self.paint(number)), number)
        except OSError:  # whoever looked has gone
            pass

    def _send(self, request: BaseHTTPRequestHandler, content: bytes, number: int) -> None:
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
        self.taken[number] = time.time()
        request.wfile.write(head.encode() + content + b"\r\n")
        request.wfile.flush()

    def _suffer(self, request: BaseHTTPRequestHandler, fault: Fault, number: int) -> bool:
        """Whether the connection goes on after the fault."""
        if fault.kind == "stall":
            self._stopped.wait(fault.seconds)
            return True
        if fault.kind == "garbage":
            request.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 2000\r\n\r\n")
            request.wfile.write(bytes(np.random.default_rng(number).integers(0, 256, 2000, np.uint8)) + b"\r\n")
            return True
        if fault.kind == "torn":
            content = jpeg(self.paint(number))
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}\r\n\r\n"
            request.wfile.write(head.encode() + content[: len(content) // 2])
        if fault.kind == "refuse":
            self._refusing_until = time.time() + fault.seconds
        return False


def jpeg(picture: np.ndarray) -> bytes:
    """An RGB picture as JPEG."""
    done, content = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert done
    return content.tobytes()


def street(width: int = 128, height: int = 96) -> np.ndarray:
    """What a camera sees where nothing moves."""
    ramp = np.linspace(60, 120, width, dtype=np.uint8)
    return np.stack([np.tile(ramp, (height, 1))] * 3, axis=-1)


def walker(number: int, size: tuple[int, int] = (128, 96), speed: int = 2, side: int = 16) -> np.ndarray:
    """A frame in which a bright square walks to and fro."""
    picture = street(*size)
    room = size[0] - side - 4
    left = 2 + abs((speed * number) % (2 * room) - room)
    picture[40 : 40 + side, left : left + side] = (230, 200, 90)
    return picture
