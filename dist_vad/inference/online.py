"""Scores as the frames come: what looks only back, and how long it takes. Nothing here grows with time."""

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dist_vad.inference.following import FollowedBoxes
from dist_vad.metrics import MEDIAN_WIDTH
from dist_vad.video.background import CausalBackground
from dist_vad.video.cubes import Sample, cut_window
from dist_vad.video.detectors.base import ObjectDetector

if TYPE_CHECKING:
    from dist_vad.inference.video_scorer import SceneMatch, VideoScorer

BACKGROUND_LEVEL_SECONDS = 2.0
"""Online, the background moves by one level of 255 in so many seconds."""


class CausalMedian:
    """The smoothing `median17_causal`, score by score: before there are so many, the first one is repeated."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=MEDIAN_WIDTH)

    def __call__(self, score: float) -> float:
        """The smoothed value of the frame that has just been scored."""
        if not self._last:
            self._last.extend([score] * (MEDIAN_WIDTH - 1))
        self._last.append(score)
        return float(np.median(self._last))


class HeldScore:
    """The raw and the smoothed score of frame after frame; frames that are not scored hold the last score."""

    def __init__(self) -> None:
        self._median = CausalMedian()
        self.raw = self.smoothed = math.nan

    def next(self, raw: float | None) -> float:
        """The smoothed score of the next frame, from its raw score; None for a frame that has none of its own."""
        self.raw = self.raw if raw is None else raw
        self.smoothed = self._median(self.raw) if math.isfinite(self.raw) else self.raw
        return self.smoothed


class Latency:
    """How long frames waited for their scores, in seconds: the last hour or so of them."""

    def __init__(self, most: int = 100_000) -> None:
        self._seconds: deque[float] = deque(maxlen=most)

    def add(self, seconds: float) -> None:
        """One frame's time from the arrival of the last frame that it needs to its score."""
        self._seconds.append(seconds)

    def facts(self) -> dict[str, float]:
        """`p50_ms`, `p95_ms`, `max_ms` and the number of scored `frames`; empty before there is any."""
        seconds = list(self._seconds)
        if not seconds:
            return {}
        half, most = np.percentile(seconds, [50, 95]) * 1000
        times = {"p50_ms": half, "p95_ms": most, "max_ms": max(seconds) * 1000}
        return {"frames": len(seconds), **{name: round(float(value), 2) for name, value in times.items()}}


@dataclass(frozen=True)
class Moment:
    """One frame, once all that its cubes need has been seen."""

    number: int
    image: np.ndarray
    """RGB, uint8 [H, W, 3]."""
    samples: list[Sample] | None
    """Cubes of its objects; None where it is not to be scored: before the background is known, between two sampled
    frames, after a gap, or because the machine is too slow."""
    ready: bool
    """Whether the smoothing goes on with it; not before the background is known, nor while a cube would jump a gap."""
    boxes: np.ndarray | None = None
    """Features of the boxes of its objects (FollowedBoxes), float64 [n, 5]; None where it has no cubes."""


class OnlineCubes:
    """Takes the frames of one stream one by one, and gives the cubes of each (clip_length - 1) / 2 frames later."""

    def __init__(self, scorer: "VideoScorer", place: str, fps: float, frames: int = 0) -> None:
        """`frames`: how many there will be; 0 for a stream."""
        self._scorer, self._place, self._frames = scorer, place, frames
        self.length = scorer.data.clip_length
        self.half = self.length // 2
        warmup, step = round(scorer.settings.warmup * fps), round(BACKGROUND_LEVEL_SECONDS * fps)
        self._background = CausalBackground(max(1, warmup), max(1, step))
        self._window: deque[np.ndarray] = deque(maxlen=self.length)
        self._detector: ObjectDetector | None = None
        self._boxes = FollowedBoxes(scorer.stride, self.half)
        self._number = -1
        self.scene: SceneMatch | None = None
        """Which one the stream shows, once its background is known."""
        self.left_out = 0
        """Frames that were not scored because there was no time."""

    def see(self, frame: np.ndarray, gap: bool = False, late: bool = False) -> Moment | None:
        """The moment that this frame, RGB, uint8 [H, W, 3], completes; None for the first few.

        Args:
            gap: frames were lost before this one: a cube must not jump over them.
            late: no time to find objects in it.
        """
        if gap:
            self._window.clear()
            self._boxes.clear()
        self._number += 1
        self._window.append(frame)
        self._learn(frame)
        middle = self._number - self.half
        if middle < 0:
            return None
        ready = self._detector is not None and len(self._window) == self.length
        image = self._window[-1 - self.half] if len(self._window) > self.half else frame
        sampled = ready and middle % self._scorer.stride == 0
        self.left_out += sampled and late
        if not sampled or late:
            return Moment(middle, image, None, ready)
        self._find(middle)
        return Moment(middle, image, self._cut(middle), ready, self._boxes.features(middle))

    def rest(self) -> list[Moment]:
        """The last frames, once no more will come; they have no cubes."""
        ages = range(min(self.half, len(self._window)), 0, -1)
        return [Moment(self._number + 1 - age, self._window[-age], None, True) for age in ages]

    def _learn(self, frame: np.ndarray) -> None:
        if not self._background.see(frame) or self._background.image is None:
            return
        if self.scene is None:
            self.scene = self._scorer.match_scene(self._background.image)
        if self._detector is None or self._scorer.data.detector.needs_background:
            self._detector = self._scorer.object_detector(self._place, self._background.image, self._frames)

    def _find(self, middle: int) -> None:
        """Find the objects of a sampled frame, and of those after it that have come: so they can be followed."""
        assert self._detector is not None
        come = range(middle, self._number + 1, self._scorer.stride)
        numbers = [number for number in come if number not in self._boxes]
        images = [self._window[number - self._number - 1] for number in numbers]
        for number, boxes in zip(numbers, self._detector(numbers, images)):
            self._boxes.add(number, boxes)

    def _cut(self, middle: int) -> list[Sample]:
        data, window = self._scorer.data, list(self._window)
        return list(cut_window(window, self._boxes[middle], middle, size=data.cube_size, context=data.context))
