"""The service: cameras, scoring, events, files, sinks and the page, held together until it is asked to end."""

import os
import signal
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.base.text.redact import protect_address
from dist_vad.base.text.secrets import from_environment
from dist_vad.base.times import iso_time
from dist_vad.settings.watch import WatchSettings
from dist_vad.watch.answers import Answers
from dist_vad.watch.batcher import Batcher
from dist_vad.watch.camera import Camera, Judge, Seen
from dist_vad.watch.clips import ClipWriter
from dist_vad.watch.journal import Journal, Line
from dist_vad.watch.sinks import Sink, make_sinks
from dist_vad.watch.watched import Watched

LISTED = 300
"""Events that the page can show."""
CLEANING = 60.0
"""Seconds between two looks for what is too old."""
STUCK = 60.0
"""Seconds without a sign of life after which the service counts as ill."""


@dataclass(frozen=True)
class Health:
    """Whether the service does its work; a camera that is away is no fault of it."""

    well: bool
    why: str = ""


class Service:
    """Watches cameras.

    For example, with settings and what judges each camera:

        service = Service(settings, judges)
        service.start()
        ...
        service.stop()
    """

    def __init__(self, settings: WatchSettings, judges: dict[str, Judge]) -> None:
        """Raises InputError where a secret is missing in the environment, or another service writes to the folder."""
        self.settings, self.out = settings, Path(settings.out)
        urls = {name: from_environment(camera.url, f"cameras.{name}.url") for name, camera in settings.cameras.items()}
        for url in urls.values():
            protect_address(url)
        self.journal = Journal(self.out)
        self._lock = _lock(self.out)
        self.events: deque[Line] = deque(self.journal.recover()[-LISTED:], LISTED)
        """The last line of each of the last events, oldest first."""
        self.answers = Answers(self.out)
        self.sinks: list[Sink] = make_sinks(settings.sinks)
        self.clips = ClipWriter()
        self.batcher = Batcher(self._deliver)
        self.started = time.time()
        self.watched: dict[str, Watched] = {}
        for name, camera in settings.cameras.items():
            seen_by = Camera(name, camera, settings, judges[name], urls[name], self.batcher)
            self.watched[name] = Watched(seen_by, settings, self.journal, self.clips, self.tell)
        self._statuses: dict[str, str] = {}
        self._stopped = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def start(self) -> None:
        """Connect to the cameras."""
        self.journal.alive()
        self._keeper.start()
        for watched in self.watched.values():
            watched.camera.start()

    def stop(self) -> None:
        """End all that goes on, and write it."""
        self._stopped.set()
        for watched in self.watched.values():
            watched.camera.stop()
        for watched in self.watched.values():
            watched.camera.join(5)
        self.batcher.stop()
        for watched in self.watched.values():
            watched.lost("the service was stopped")
        self.clips.stop()
        for sink in self.sinks:
            sink.stop()
        if self._keeper.ident is not None:
            self._keeper.join(5)
        self.journal.alive()
        os.close(self._lock)

    def run(self) -> None:
        """Watch until SIGTERM or SIGINT comes. Raises RuntimeError where the scoring fails: whoever started it should
        start it again."""
        asked = threading.Event()

        def note(number: int, frame: FrameType | None) -> None:
            asked.set()

        before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            self.start()
            while not asked.wait(0.5) and self.health().well:
                pass
        finally:
            health = self.health()
            self.stop()
            for number, handler in before.items():
                signal.signal(number, handler)
        if not asked.is_set():
            raise RuntimeError(f"the service is ill: {health.why}")

    def tell(self, line: Line) -> None:
        """Write an event line, and hand it to the sinks."""
        text = self.journal.write(line)
        for sink in self.sinks:
            sink.offer(text)
        if "id" in line:
            if self.events and any(line["id"] == other["id"] for other in self.events):
                kept = [line if other["id"] == line["id"] else other for other in self.events]
                self.events = deque(kept, LISTED)
            else:
                self.events.append(line)

    def health(self) -> Health:
        """Whether all threads work."""
        if self.batcher.fault:
            return Health(False, f"scoring failed: {self.batcher.fault}")
        if time.monotonic() - self.batcher.worked > STUCK:
            return Health(False, f"nothing was scored for {STUCK:g} s")
        dead = [name for name, watched in self.watched.items() if not watched.camera.is_alive]
        if dead and not self._stopped.is_set() and self._keeper.is_alive():
            return Health(False, f"the threads of {', '.join(dead)} have ended")
        return Health(True)

    def _deliver(self, seen: Seen, scores: np.ndarray | None) -> None:
        self.watched[seen.camera.name].take(seen, scores)

    def _keep(self) -> None:
        """Once a second: the sign of life, cameras that came or went; now and then: what is too old."""
        cleaned = 0.0
        while not self._stopped.wait(1.0):
            try:
                self.journal.alive()
                for name, watched in self.watched.items():
                    self._note_status(name, watched.camera)
                if time.monotonic() - cleaned > CLEANING:
                    cleaned = time.monotonic()
                    self.journal.clean(self.settings.keep, time.time())
            except OSError as error:
                log.warning("the folder %s cannot be written: %s", self.out, error)

    def _note_status(self, name: str, camera: Camera) -> None:
        status = camera.status
        if status == self._statuses.get(name, "connecting"):
            return
        self._statuses[name] = status
        facts: dict[str, Any] = {"type": "camera", "camera": name, "time": iso_time(camera.since), "status": status}
        self.tell({**facts, "reason": camera.reason} if camera.reason else facts)


def _lock(out: Path) -> int:
    """Keep the folder to one service. Raises InputError where another one has it."""
    import fcntl

    handle = os.open(out / ".lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise InputError(f"another service writes to {out}; stop it, or choose another --out") from None
    return handle
