"""A real Chromium, driven by its DevTools protocol over a pipe: real pointer, keys and pictures, no package needed."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe",
    "--hide-scrollbars", "--autoplay-policy=no-user-gesture-required", "about:blank",
)  # fmt: skip


def find_browser() -> str | None:
    """The path of a Chromium or Chrome, if there is one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Browser:
    """One browser with one page."""

    def __init__(self, executable: str, profile: Path) -> None:
        read, self._write = os.pipe()
        self._read, write = os.pipe()
        # The protocol's file descriptors are 3 and 4; copies out of their way first.
        read, write = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (read, write))
        self._process = subprocess.Popen(
            [executable, *OPTIONS, f"--user-data-dir={profile}"],
            preexec_fn=lambda: (os.dup2(read, 3), os.dup2(write, 4)),
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._rest, self._number = b"", 0
        self.complaints: list[str] = []
        """What pages wrote to the console, and what they failed at."""
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")
        self.resize(1280, 1000)

    def close(self) -> None:
        """End the browser."""
        self._process.terminate()
        self._process.wait()

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        """The size of the window, and whether the user likes it dark."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def open(self, path: Path | str, fragment: str = "", ready: str = "document.documentElement.dataset.ready") -> None:
        """Open a file or a URL, and wait until a JavaScript expression holds of it."""
        self.complaints.clear()
        self.ask("Page.navigate", url="about:blank")  # else a new fragment alone would not load the page anew
        self.ask("Page.navigate", url=(path if isinstance(path, str) else path.as_uri()) + fragment)
        self.wait(ready)

    def wait(self, expression: str, seconds: float = 30) -> None:
        """Until a JavaScript expression holds."""
        end = time.monotonic() + seconds
        while not self.run(expression):
            assert time.monotonic() < end, f"not within {seconds} s: {expression}; console: {self.complaints}"
            time.sleep(0.05)

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        return self.ask("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def point(self, x: float, y: float, click: bool = False) -> None:
        """Move the pointer there, and click."""
        self.ask("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ("mousePressed", "mouseReleased") if click else ():
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, key: str, code: int) -> None:
        """A key, by its name and its Windows key code."""
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def picture(self, path: Path, quality: int = 80, **clip: float) -> None:
        """A JPEG of the whole page, or of x, y, width, height of it."""
        area = {"clip": {**clip, "scale": 1}} if clip else {}
        found = self.ask("Page.captureScreenshot", format="jpeg", quality=quality, captureBeyondViewport=True, **area)
        path.write_bytes(base64.b64decode(found["data"]))

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol to the page."""
        return self._ask(method, session=self._session, **parameters)

    def _ask(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters}
        if session:
            command["sessionId"] = session
        os.write(self._write, json.dumps(command).encode() + b"\0")
        answer = self._next(lambda message: message.get("id") == self._number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _next(self, wanted: Callable[[dict], bool]) -> dict:
        while True:
            while b"\0" not in self._rest:
                some = os.read(self._read, 1 << 20)
                assert some, "the browser has ended"
                self._rest += some
            one, self._rest = self._rest.split(b"\0", 1)
            message = json.loads(one)
            if message.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(json.dumps(message["params"])[:500])
            if wanted(message):
                return message
