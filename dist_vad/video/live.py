"""Frames of a camera or of a stream, as they come."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from dist_vad.video.files import VideoError

MOST_WAITING = 4.0
"""Seconds of frames that wait at most. Whoever takes them so slowly loses them all at once, and is told of the gap."""


def is_stream(place: str) -> bool:
    """Whether a place is a camera (a device number) or a stream (a URL), and no file or folder that is there."""
    return "://" in place or (place.isascii() and place.isdigit() and not Path(place).exists())


class LiveFrames:
    """A stream that goes on whether or not its frames are taken; it can be iterated over once.

    A thread reads ahead, so that neither the camera nor the network holds back frames that are long past.

    Raises VideoError where the stream does not open or gives no frame.
    """

    def __init__(self, place: str) -> None:
        self._capture = cv2.VideoCapture(int(place) if place.isdigit() else place)
        done, first = self._capture.read() if self._capture.isOpened() else (False, None)
        if not done or first is None:
            raise VideoError(
                f"stream {place!r} does not open or gives no frame; expected the number of a camera (0, 1, …) or a URL "
                "such as rtsp://HOST/PATH that OpenCV can read"
            )
        self.fps = self._capture.get(cv2.CAP_PROP_FPS) or 25.0
        self.height, self.width = first.shape[:2]
        self.lost = 0
        """Frames that were dropped because too many waited."""
        self.gap = False
        """Whether frames were dropped between the one yielded last and the one before it."""
        self.arrived = 0.0
        """When the frame yielded last came, by time.monotonic()."""
        self._waiting: deque[tuple[float, np.ndarray]] = deque([(time.monotonic(), first)])
        self._most = max(2, int(MOST_WAITING * self.fps))
        self._changed = threading.Condition()
        self._ended = self._gap = False

    @property
    def waiting(self) -> int:
        """Frames that have come and were not taken yet."""
        return len(self._waiting)

    def __iter__(self) -> Iterator[np.ndarray]:
        """RGB frames, uint8 [H, W, 3], until the stream ends."""
        thread = threading.Thread(target=self._read, daemon=True)
        thread.start()
        try:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._waiting or self._ended)
                    if not self._waiting:
                        return
                    self.arrived, frame = self._waiting.popleft()
                    self.gap, self._gap = self._gap, False
                yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        finally:
            self._ended = True
            thread.join()
            self._capture.release()

    def _read(self) -> None:
        while not self._ended:
            done, frame = self._capture.read()
            with self._changed:
                if not done:
                    self._ended = True
                else:
                    if len(self._waiting) >= self._most:
                        self.lost += len(self._waiting)
                        self._gap = True
                        self._waiting.clear()
                    self._waiting.append((time.monotonic(), frame))
                self._changed.notify()
