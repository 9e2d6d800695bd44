"""Frames of a camera or of a stream, as they come."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dist_vad.base.text.redact import redacted
from dist_vad.video.capture import Capture
from dist_vad.video.clock import WallClock
from dist_vad.video.files import VideoError

MOST_WAITING = 4.0
"""Seconds of frames that wait at most. Whoever takes them so slowly loses them all at once, and is told of the gap."""


def is_stream(place: str) -> bool:
    """Whether a place is a camera (a device number) or a stream (a URL), and no file or folder that is there."""
    return "://" in place or (place.isascii() and place.isdigit() and not Path(place).exists())


class LiveFrames:
    """A stream that goes on whether or not its frames are taken; it can be iterated over once.

    A thread reads ahead, so that neither the camera nor the network holds back frames that are long past. What has an
    end, such as a file on a server, loses nothing: it is read as fast as its frames are taken.

    Raises VideoError where the stream does not open or gives no frame.
    """

    def __init__(self, place: str, patience: float = 10.0) -> None:
        """`patience`: seconds after which a silent stream counts as broken."""
        self.place = redacted(place)
        self._capture = Capture(place, patience)
        self._source, self._clock = iter(self._capture), WallClock()
        first = next(self._source, None)
        if first is None:
            raise VideoError(f"stream {self.place!r} gives no frame; is it a video?")
        self.fps = self._capture.fps
        self.height, self.width = first.image.shape[:2]
        self.lost = 0
        """Frames that were dropped because too many waited."""
        self.gap = False
        """Whether frames were dropped between the one yielded last and the one before it."""
        self.arrived = 0.0
        """When the frame yielded last came, by time.monotonic()."""
        self.taken = 0.0
        """When the frame yielded last was taken, in seconds since 1970."""
        self.seconds: float | None = None
        """Presentation time of the frame yielded last."""
        self.fault: VideoError | None = None
        """Why the stream ended, where that was no proper end."""
        self._waiting: deque[tuple[float, float, float | None, np.ndarray]] = deque()
        self._most = max(2, int(MOST_WAITING * self.fps))
        self._changed = threading.Condition()
        self._ended = self._gap = False
        self._put(first.seconds, first.arrived, first.image)

    @property
    def waiting(self) -> int:
        """Frames that have come and were not taken yet."""
        return len(self._waiting)

    @property
    def is_finite(self) -> bool:
        """Whether the stream has an end."""
        return self._capture.is_finite

    @property
    def damaged(self) -> int:
        """Packets that did not decode."""
        return self._capture.damaged

    def __iter__(self) -> Iterator[np.ndarray]:
        """RGB frames, uint8 [H, W, 3], until the stream ends."""
        thread = threading.Thread(target=self._read, daemon=True, name=f"read {self.place}")
        thread.start()
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._waiting or self._ended)
                    if not self._waiting:
                        return
                    self.arrived, self.taken, self.seconds, frame = self._waiting.popleft()
                    self.gap, self._gap = self._gap, False
                    self._changed.notify_all()
                yield frame
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            thread.join()

    def close(self) -> None:
        """Ends the iteration, from whatever thread."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _read(self) -> None:
        try:
            for frame in self._source:
                self._put(frame.seconds, frame.arrived, frame.image)
                if self._ended:
                    break
        except VideoError as error:
            self.fault = error
        finally:
            self._capture.close()
            self.close()

    def _put(self, seconds: float | None, arrived: float, image: np.ndarray) -> None:
        waited = max(0.0, time.time() - arrived)
        with self._changed:
            if self._capture.is_finite:
                self._changed.wait_for(lambda: len(self._waiting) < self._most or self._ended)
            elif len(self._waiting) >= self._most or (
                # Rates that streams state are often wrong: what counts is how long the first one waits.
                self._waiting and time.monotonic() - self._waiting[0][0] > MOST_WAITING
            ):
                self.lost += len(self._waiting)
                self._gap = True
                self._waiting.clear()
            taken = self._clock.taken(seconds, arrived)
            self._waiting.append((time.monotonic() - min(waited, 60.0), taken, seconds, image))
            self._changed.notify_all()
