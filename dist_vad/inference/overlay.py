"""A frame with what is known of it drawn in: boxes coloured by score, a strip with the curve of scores, a banner."""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

from dist_vad.inference.events import Threshold

WIDTH = 640
"""Smaller frames are enlarged by a whole number to about this width, so that text can be read."""
STRIP = 96
"""Height of the strip below the frame, pixels."""
SECONDS = 12.0
"""Time that the strip shows."""
FONT = cv2.FONT_HERSHEY_SIMPLEX
INK, SOFT, GROUND, RED = (235, 235, 230), (150, 156, 162), (24, 27, 31), (235, 64, 52)
COLOURS = np.array([(110, 180, 240), (240, 196, 60), (235, 64, 52)], np.float64)
"""Of a calibrated anomaly score of 0, of the threshold of events, and of one above it (a tenth as common)."""


@dataclass(frozen=True)
class Shown:
    """What is drawn of one frame."""

    number: int
    boxes: np.ndarray
    """float [n, 4]: x1, y1, x2, y2 in pixels of the frame."""
    box_scores: np.ndarray
    """float [n]: calibrated anomaly scores of the boxes' objects, on the scale of those of frames."""
    score: float
    """Calibrated anomaly score of the frame, smoothed; nan where it has no score."""
    event: bool


class Overlay:
    """Draws the frames of one video, in order."""

    def __init__(self, width: int, height: int, fps: float, threshold: Threshold) -> None:
        """`threshold`: of events; a score beyond what its normal video supports is called extrapolated."""
        self._scale = max(1, round(WIDTH / width))
        self._told, self._threshold, self._fps = threshold, threshold.value, fps
        self.width = width * self._scale // 2 * 2
        self._height = height * self._scale
        self.height = (self._height + STRIP) // 2 * 2
        self._past: deque[tuple[float, bool]] = deque(maxlen=max(2, round(SECONDS * fps)))

    def draw(self, frame: np.ndarray, shown: Shown) -> np.ndarray:
        """RGB, uint8 [height, width, 3], from the frame, RGB, uint8 [H, W, 3]."""
        self._past.append((shown.score, shown.event))
        size = (frame.shape[1] * self._scale, self._height)
        picture = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR) if self._scale > 1 else frame.copy()
        for box, score in sorted(zip(shown.boxes, shown.box_scores), key=lambda pair: pair[1]):
            self._box(picture, box, float(score))
        if shown.event:
            _banner(picture)
        canvas = np.full((self.height, self.width, 3), GROUND, np.uint8)
        canvas[: self._height] = picture[:, : self.width]
        self._strip(canvas[self._height :], shown)
        return canvas

    def _box(self, picture: np.ndarray, box: np.ndarray, score: float) -> None:
        x1, y1, x2, y2 = (round(float(value) * self._scale) for value in box)
        colour = score_colour(score, self._threshold)
        high = score >= self._threshold
        cv2.rectangle(picture, (x1, y1), (x2, y2), (0, 0, 0), 4 if high else 3, cv2.LINE_AA)
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, 2 if high else 1, cv2.LINE_AA)
        if high:
            supported = self._told.supported
            text = f"{score:.1f}" if score <= supported else f"> {supported:.1f}"
            _label(picture, text, (x1, y1 - 5 if y1 > 18 else y2 + 14), colour)

    def _strip(self, strip: np.ndarray, shown: Shown) -> None:
        """The curve of the last seconds, newest at the right, over the dashed threshold."""
        high, wide = strip.shape[:2]
        left, top, bottom = 10, 30, high - 10
        right, steps = wide - 10, (self._past.maxlen or 2) - 1
        most = max(
            2 * self._threshold, self._threshold + 1, *(past for past, _ in self._past if np.isfinite(past)), 0.0
        )

        def at(age: int, score: float) -> tuple[int, int]:
            return round(right - age * (right - left) / steps), round(bottom - (bottom - top) * score / most)

        past = list(self._past)
        for age, (_, event) in enumerate(reversed(past)):
            if event:
                x = at(age, 0)[0]
                cv2.rectangle(strip, (x - max(1, (right - left) // steps), top), (x, bottom), (96, 32, 30), -1)
        y = at(0, self._threshold)[1]
        for x in range(left, right, 8):
            cv2.line(strip, (x, y), (x + 3, y), SOFT, 1)
        points = [at(age, score) for age, (score, _) in enumerate(reversed(past)) if np.isfinite(score)]
        if len(points) > 1:
            cv2.polylines(strip, [np.array(points, np.int32)], False, INK, 1, cv2.LINE_AA)
        if np.isfinite(shown.score):
            cv2.circle(strip, at(0, shown.score), 3, score_colour(shown.score, self._threshold), -1, cv2.LINE_AA)
        time = f"{shown.number / self._fps:7.2f} s   frame {shown.number}"
        cv2.putText(strip, time, (left, 20), FONT, 0.45, INK, 1, cv2.LINE_AA)
        text = (
            f"anomaly score {self._told.shown(shown.score)}, threshold {self._threshold:.2f}"
            if np.isfinite(shown.score)
            else "no score yet"
        )
        (length, _), _ = cv2.getTextSize(text, FONT, 0.45, 1)
        cv2.putText(strip, text, (right - length, 20), FONT, 0.45, INK, 1, cv2.LINE_AA)


def score_colour(score: float, threshold: float) -> tuple[int, int, int]:
    """RGB: from blue at 0 over amber at the threshold to red at one above it."""
    place = np.interp(score, [0, threshold, threshold + 1], [0, 1, 2])
    mixed = [np.interp(place, [0, 1, 2], COLOURS[:, channel]) for channel in range(3)]
    return round(mixed[0]), round(mixed[1]), round(mixed[2])


def _label(picture: np.ndarray, text: str, where: tuple[int, int], colour: tuple[int, int, int]) -> None:
    cv2.putText(picture, text, where, FONT, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(picture, text, where, FONT, 0.5, colour, 1, cv2.LINE_AA)


def _banner(picture: np.ndarray) -> None:
    picture[:26] = (picture[:26] * 0.25 + np.array(RED) * 0.75).astype(np.uint8)
    cv2.putText(picture, "EVENT", (10, 19), FONT, 0.6, (255, 255, 255), 2, cv2.LINE_AA)
