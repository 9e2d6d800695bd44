"""One camera: connected again whenever it is lost, its objects found, its cubes cut."""

import contextlib
import itertools
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dist_vad.base.log import log
from dist_vad.base.text.redact import redacted
from dist_vad.inference.events import Threshold
from dist_vad.inference.online import Moment, OnlineCubes
from dist_vad.settings.watch import CameraSettings, WatchSettings
from dist_vad.video.files import VideoError
from dist_vad.video.live import LiveFrames
from dist_vad.watch.pictures import PictureRing, small_jpeg

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before a lost camera is connected again: they double until it gives frames for STEADY seconds."""
STEADY = 10.0
RATE_SECONDS = 1.5
"""Over so long the rate of a camera is measured, since what it states is often wrong."""
GIVE_WAY = 10
"""So much is added to the nice value of threads that read cameras. One thread makes all scores: it is the first to be
late where cores are busy, and frames can wait for a moment."""


class SceneSeen(Protocol):
    """What is known of the place that a camera shows."""

    @property
    def feature(self) -> np.ndarray: ...
    @property
    def name(self) -> str: ...
    @property
    def note(self) -> str: ...


class CameraScorer(Protocol):
    """What a camera needs of a state: how its cubes are cut, and what scores them. A VideoScorer is one."""

    data: Any
    stride: int
    settings: Any
    detector: Any
    counts: str
    """The name of the score that counts."""
    score_without_objects: float

    def match_scene(self, background: np.ndarray) -> SceneSeen: ...
    def object_detector(self, place: str, background: np.ndarray, frames: int) -> Any: ...


@dataclass(frozen=True)
class Judge:
    """By what one camera is judged."""

    scorer: CameraScorer
    threshold: Threshold


@dataclass(frozen=True)
class Seen:
    """One frame of a camera, ready to be scored."""

    camera: "Camera"
    moment: Moment
    taken: float
    """Seconds since 1970."""
    arrived: float
    """When the last frame that its cubes need came, by time.monotonic()."""
    size: tuple[int, int]
    """Width and height of the frame."""
    scene: SceneSeen | None
    picture: bytes | None
    """The frame as a small JPEG, where one is to be kept."""


class Receiver(Protocol):
    """Who takes what a camera sees."""

    def put(self, seen: Seen) -> None: ...
    def waiting(self, camera: str) -> int: ...


class Camera:
    """Reads one camera in a thread of its own until it is stopped."""

    def __init__(
        self, name: str, camera: CameraSettings, settings: WatchSettings, judge: Judge, url: str, receiver: Receiver
    ) -> None:
        """`url`: with its credentials, which go nowhere else."""
        self.name, self.judge, self._url, self._receiver = name, judge, url, receiver
        self._camera, self._settings = camera, settings
        self.status, self.reason, self.since = "connecting", "", time.time()
        """connecting, connected or lost, why, and since when."""
        self.fps = 0.0
        """As measured."""
        self.frames = self.lost = self.connections = self.damaged = 0
        """Frames that were seen; that were dropped before; times that it was connected; packets that did not decode."""
        self._rate = _Rate()
        self._cubes: OnlineCubes | None = None
        self._size = (0, 0)
        self._live: LiveFrames | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera {name}", daemon=True)
        self._ring_due = PictureRing(settings.clip)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end."""
        self._stopped.set()
        if self._live:
            self._live.close()

    def join(self, seconds: float) -> None:
        if self._thread.ident is not None:
            self._thread.join(seconds)

    @property
    def left_out(self) -> int:
        """Frames that were not scored because there was no time."""
        return self._cubes.left_out if self._cubes else 0

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        _give_way()
        pause = FIRST_PAUSE
        while not self._stopped.is_set():
            began, finite = time.monotonic(), False
            try:
                self._live = live = LiveFrames(self._url, self._settings.stall)
                finite = live.is_finite
                self._follow(live)
                reason = str(live.fault or "the stream ended")
            except VideoError as error:
                reason = str(error)
            except Exception as error:  # whatever it is, the other cameras and the next connection go on
                log.exception("camera %s failed", self.name)
                reason = f"{type(error).__name__}: {error}"
            if self._stopped.is_set():
                return
            if finite and not (self._live and self._live.fault):
                continue  # a file is played again
            self._tell("lost", redacted(reason))
            pause = FIRST_PAUSE if time.monotonic() - began > STEADY else pause
            self._stopped.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _tell(self, status: str, reason: str = "") -> None:
        if status == "lost" and self.status == "lost":
            log.info("camera %s: %s", self.name, reason)
        elif status != self.status:
            log.info("camera %s: %s%s", self.name, status, f", {reason}" if reason else "")
            self.since = time.time()
        self.status, self.reason = status, reason

    def _follow(self, live: LiveFrames) -> None:
        """See the frames of one connection."""
        self.connections += 1
        images = _paced(live, self._stopped) if live.is_finite else iter(live)
        lost_before, damaged_before = self.lost, self.damaged
        gap, due = True, 0.0
        self._rate.restart()
        times: deque[float] = deque()
        for image in images:
            if self._stopped.is_set():
                return
            self._tell("connected")
            self.lost, self.damaged = lost_before + live.lost, damaged_before + live.damaged
            gap = gap or live.gap
            fps = self._rate.of(live.taken)
            if fps is None:
                continue
            if self._camera.fps and fps > self._camera.fps:
                if live.taken < due and due - live.taken < 10:
                    continue
                step = 1 / self._camera.fps
                due = due + step if 0 <= live.taken - due < step else live.taken + step
                fps = self._camera.fps
            self.fps = fps
            cubes = self._cubes_for(image, fps)
            if gap:
                times.clear()
            times.append(live.taken)
            if len(times) > cubes.half + 1:
                times.popleft()
            late = live.waiting > self._settings.max_lag * fps and not live.is_finite
            late = late or self._receiver.waiting(self.name) > max(2.0, self._settings.max_lag * fps)
            moment = cubes.see(image, gap, late)
            gap = False
            self.frames += 1
            if moment:
                self._hand_on(moment, times[0], live.arrived)

    def _cubes_for(self, image: np.ndarray, fps: float) -> OnlineCubes:
        size = (image.shape[1], image.shape[0])
        if self._cubes is None or size != self._size:
            if self._cubes:
                log.info("camera %s: pictures are %d x %d now, no longer %d x %d", self.name, *size, *self._size)
            left_out = self.left_out
            self._cubes, self._size = OnlineCubes(self.judge.scorer, self.name, fps), size  # pyright: ignore
            self._cubes.left_out = left_out
        return self._cubes

    def _hand_on(self, moment: Moment, taken: float, arrived: float) -> None:
        assert self._cubes is not None
        due = self._ring_due.is_due(taken)
        picture = small_jpeg(moment.image, self._settings.clip.width) if due else None
        self._receiver.put(Seen(self, moment, taken, arrived, self._size, self._cubes.scene, picture))


def _give_way() -> None:
    """Let other threads go first, on Linux, where each has a nice value; those that this one starts inherit it."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + GIVE_WAY)


class _Rate:
    """The rate of a camera: counted over its first moments, then followed; a new connection begins with it."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=50)
        self._rate: float | None = None

    def restart(self) -> None:
        """A gap lies before the next frame."""
        self._times.clear()

    def of(self, taken: float) -> float | None:
        """Frames a second, with one more frame; None while too few have come."""
        self._times.append(taken)
        count, span = len(self._times), self._times[-1] - self._times[0]
        if count >= 3 and (span >= RATE_SECONDS or count == 50):
            self._rate = min(240.0, max(0.1, (count - 1) / max(span, 1e-3)))
        return self._rate


def _paced(live: LiveFrames, stopped: threading.Event) -> Iterator[np.ndarray]:
    """The frames of a file as a camera would give them, at its own pace from now on."""
    start = time.time()
    for number, image in zip(itertools.count(), live):
        live.taken = start + (number / live.fps if live.seconds is None else live.seconds)
        if stopped.wait(max(0.0, live.taken - time.time())):
            return
        live.arrived = time.monotonic()
        yield image
