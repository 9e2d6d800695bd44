"""Cubes around objects, and clips of whole frames, cut from a video in one pass."""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from dist_vad.base.prefetch import prefetch
from dist_vad.video.detectors.base import Boxes, ObjectDetector
from dist_vad.video.source import Frames

Span = tuple[int, int | None]
"""Frames [start, stop); None = to the end."""


@dataclass(frozen=True)
class Sample:
    """One sample before it is encoded."""

    frame: int
    object: int
    clip: np.ndarray
    """uint8 [T, S, S, 3], RGB."""
    box: np.ndarray
    """float32 [4]: the detector's box, x1, y1, x2, y2 in pixels; the whole frame for clips."""
    confidence: float
    category: str
    track: int | None = None
    """Which of the video's objects it is, as far as its boxes tell; None where that was not asked for."""


def cut_cubes(
    frames: Frames,
    detector: ObjectDetector,
    *,
    length: int,
    size: int,
    context: float,
    stride: int,
    frames_at_once: int = 1,
    span: Span | None = None,
) -> Iterator[Sample]:
    """A cube for every object of every stride-th frame: the object's box in the frame and in the ones around it.

    Boxes are widened by `context` of their size on every side. The first and last (length - 1) / 2 frames have no
    cubes; with a `span`, those of the span. The detector sees `frames_at_once` of the sampled frames in one call, in a
    thread of its own, while the cubes of the call before are cut; no more frames are held than lie around those of two
    calls and two more.
    """
    detected = _detected(_windows(frames, length, span), detector, stride, frames_at_once)
    for middle, window, boxes in prefetch(detected, frames_at_once):
        yield from cut_window(window, boxes, middle, size=size, context=context)


def cut_window(window: list[np.ndarray], boxes: Boxes, middle: int, *, size: int, context: float) -> Iterator[Sample]:
    """The cubes of one frame's objects, cut from the frames around it; `middle` is its number in the video."""
    height, width = window[0].shape[:2]
    for number, (box, category) in enumerate(zip(boxes.values, boxes.categories)):
        x1, y1, x2, y2 = _widened(box[:4], context, width, height)
        clip = np.stack([_resized(frame[y1:y2, x1:x2], size) for frame in window])
        yield Sample(middle, number, clip, box[:4], float(box[4]), category)


def _detected(
    windows: Iterator[tuple[int, list[np.ndarray]]], detector: ObjectDetector, stride: int, frames_at_once: int
) -> Iterator[tuple[int, list[np.ndarray], Boxes]]:
    """(middle frame, the frames around it, its objects) for every stride-th of the windows."""
    sampled = ((middle, window) for middle, window in windows if middle % stride == 0)
    while group := list(islice(sampled, frames_at_once)):
        boxes_of_frames = detector([middle for middle, _ in group], [window[len(window) // 2] for _, window in group])
        yield from ((middle, window, boxes) for (middle, window), boxes in zip(group, boxes_of_frames))


def cut_clips(frames: Frames, *, length: int, size: int, stride: int, span: Span | None = None) -> Iterator[Sample]:
    """A clip of whole frames, resized, around every stride-th frame."""
    whole = np.array([0, 0, frames.width, frames.height], np.float32)
    for middle, window in _windows(frames, length, span):
        if middle % stride == 0:
            yield Sample(middle, 0, np.stack([_resized(frame, size) for frame in window]), whole, 1.0, "frame")


def _windows(frames: Frames, length: int, span: Span | None = None) -> Iterator[tuple[int, list[np.ndarray]]]:
    """(middle frame, the frames around it) for every frame that has enough on both sides, all of them in `span`."""
    start, stop = span or (0, None)
    window: deque[np.ndarray] = deque(maxlen=length)
    for number, frame in enumerate(frames):
        if number < start or (stop is not None and number >= stop):
            continue
        window.append(frame)
        if len(window) == length:
            yield number - length // 2, list(window)


def _widened(box: np.ndarray, context: float, width: int, height: int) -> tuple[int, int, int, int]:
    """The box with its context, in whole pixels within the frame, at least one pixel wide and high."""
    x1, y1, x2, y2 = (float(value) for value in box)
    dx, dy = context * (x2 - x1), context * (y2 - y1)
    left, top = min(max(0, math.floor(x1 - dx)), width - 1), min(max(0, math.floor(y1 - dy)), height - 1)
    return left, top, max(left + 1, min(width, math.ceil(x2 + dx))), max(top + 1, min(height, math.ceil(y2 + dy)))


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    # Averaging is right for shrinking and blocky for enlarging.
    method = cv2.INTER_AREA if max(image.shape[:2]) > size else cv2.INTER_LINEAR
    return cv2.resize(image, (size, size), interpolation=method)
