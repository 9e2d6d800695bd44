"""Pictures of the last seconds, small enough to be kept, and what is drawn into them."""

import json
from collections import deque
from collections.abc import Iterator

import cv2
import numpy as np

from dist_vad.inference.overlay import score_colour
from dist_vad.settings.watch import ClipSettings
from dist_vad.watch.live_events import SeenObject

QUALITY = 80
MOST_BYTES = 64 * 2**20
"""Most that the pictures of one camera take in memory."""


class PictureRing:
    """The pictures of the last `clip.before` seconds, at most `clip.fps` a second, as JPEG."""

    def __init__(self, settings: ClipSettings) -> None:
        self._settings = settings
        self._pictures: deque[tuple[float, bytes]] = deque()
        self._bytes, self._next = 0, 0.0

    def is_due(self, taken: float) -> bool:
        """Whether a picture of that time is to be kept; asked once for each."""
        if taken < self._next and self._next - taken < 10:
            return False
        pause = 1 / self._settings.fps
        # From the time at which it was due, or 25 pictures a second would give 8 instead of 10.
        self._next = max(self._next + pause, taken) if taken - self._next < pause else taken + pause
        return True

    def add(self, taken: float, picture: bytes) -> None:
        """Keep a picture, and let go of those that are too old."""
        self._pictures.append((taken, picture))
        self._bytes += len(picture)
        while self._pictures and (
            not 0 <= taken - self._pictures[0][0] <= self._settings.before or self._bytes > MOST_BYTES
        ):
            self._bytes -= len(self._pictures.popleft()[1])

    def __iter__(self) -> Iterator[tuple[float, bytes]]:
        return iter(list(self._pictures))


def small_jpeg(image: np.ndarray, width: int) -> bytes:
    """An RGB picture, uint8 [H, W, 3], as JPEG, at most so many pixels wide, both sides even."""
    height = image.shape[0]
    if image.shape[1] > width:
        height = round(height * width / image.shape[1])
        image = cv2.resize(image, (width // 2 * 2, max(2, height // 2 * 2)), interpolation=cv2.INTER_AREA)
    elif image.shape[0] % 2 or image.shape[1] % 2:
        image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
    done, content = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    return content.tobytes()


def from_jpeg(content: bytes) -> np.ndarray:
    """A picture as RGB, uint8 [H, W, 3]."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def snapshot(content: bytes, objects: list[SeenObject], size: tuple[int, int], threshold: float) -> bytes:
    """A picture with the boxes of objects drawn in, as JPEG.

    Args:
        content: the picture as JPEG.
        size: width and height of the camera's own pictures, in whose pixels the boxes are.
    """
    image = np.ascontiguousarray(from_jpeg(content))
    scale = image.shape[1] / size[0]
    for seen in objects:
        x1, y1, x2, y2 = (round(value * scale) for value in seen.box)
        colour = score_colour(seen.score, threshold)
        cv2.rectangle(image, (x1, y1), (x2, y2), (0, 0, 0), 4, cv2.LINE_AA)
        cv2.rectangle(image, (x1, y1), (x2, y2), colour, 2, cv2.LINE_AA)
    return small_jpeg(image, image.shape[1])


def boxes_json(objects: list[SeenObject]) -> str:
    """Objects as a JSON list of x1, y1, x2, y2, score."""
    return json.dumps([[*(round(value, 1) for value in seen.box), round(seen.score, 2)] for seen in objects])
