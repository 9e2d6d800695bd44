"""Region- and track-based detection criteria, RBDC and TBDC (Ramachandra & Jones, "Street Scene", WACV 2020).

An annotated region is detected at a threshold if a box that scores as high overlaps it by IoU >= beta; a track, if a
share alpha of its regions is. A box is a false positive if it overlaps no region of its frame so far; one box may
detect several regions, and several boxes one. RBDC and TBDC are the areas under the share of detected regions, or
tracks, against the false positives per frame, from 0 to 1 of them. alpha = beta = 0.1, as in the paper.

Read in our own way: the curve has a point for every distinct score, so that equal scores pass a threshold together;
points are joined by straight lines; those beyond one false positive per frame are left out, and the last rate is held
up to it. Frames that are not scored have the boxes of the frame their score is held from.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dist_vad.base.boxes import overlaps
from dist_vad.base.labels import Event
from dist_vad.metrics.frames import held_from

ALPHA = 0.1
"""Share of a track's regions that must be detected."""
BETA = 0.1
"""Intersection over union from which on a box detects a region."""


class RegionRates(NamedTuple):
    """The two criteria, in [0, 1]; nan where nothing is annotated."""

    rbdc: float = math.nan
    tbdc: float = math.nan


@dataclass(frozen=True)
class Regions:
    """The annotated regions of one video, in the order of their frames."""

    frames: np.ndarray
    """int64 [R]."""
    boxes: np.ndarray
    """float64 [R, 4]: x1, y1, x2, y2 in pixels."""
    tracks: np.ndarray
    """int64 [R]: which of the video's tracks each belongs to, from 0."""


def annotated_regions(events: Sequence[Event], labels: np.ndarray) -> Regions | None:
    """The regions of a video whose events have boxes, every event a track; none at all for a normal video.

    None where they are not annotated: an event without boxes, or anomalous frames without an event.
    """
    if any(not event.boxes for event in events) or (np.any(labels) and not events):
        return None
    frames = np.concatenate([np.zeros(0, np.int64), *(np.arange(event.start, event.end) for event in events)])
    boxes = np.concatenate([np.zeros((0, 4)), *(np.asarray(event.boxes, np.float64) for event in events)])
    tracks = np.repeat(np.arange(len(events)), [len(event.boxes) for event in events])
    order = np.argsort(frames, kind="stable")
    order = order[frames[order] < len(labels)]
    return Regions(frames[order], boxes[order], tracks[order])


class RegionScores:
    """What the criteria need of a data set's objects, taken batch by batch: memory grows with frames and regions alone.

    Args:
        frames: of all videos that will be added; the false positives that matter are at most as many.
        scores: how many scores each object has, S.
    """

    def __init__(self, frames: int, scores: int) -> None:
        self._frames = frames
        self._false = [_Highest(frames + 1) for _ in range(scores)]
        self._best: list[np.ndarray] = []
        self._tracks: list[np.ndarray] = []

    def video(self, regions: Regions, *, length: int, stride: int, margin: int) -> "VideoRegions":
        """Begin with a video of `length` frames; its objects are then added to what is returned."""
        best = np.full((len(regions.frames), len(self._false)), -np.inf)
        self._best.append(best)
        self._tracks.append(regions.tracks)
        return VideoRegions(regions, best, self._false, held_from(length, stride=stride, margin=margin))

    def rates(self) -> list[RegionRates]:
        """RBDC and TBDC by each score, over all videos that were added."""
        if not self._frames or not any(len(best) for best in self._best):
            return [RegionRates() for _ in self._false]
        best = np.concatenate(self._best)
        tracks = [
            _kth_highest(best[of == track])
            for best, of in zip(self._best, self._tracks)
            for track in range(int(of.max(initial=-1)) + 1)
        ]
        return [
            RegionRates(
                _area(best[:, number], false.values(), self._frames),
                _area(np.array(tracks)[:, number], false.values(), self._frames),
            )
            for number, false in enumerate(self._false)
        ]


class VideoRegions:
    """One video's regions, and the highest score that detected each so far."""

    def __init__(self, regions: Regions, best: np.ndarray, false: list["_Highest"], source: np.ndarray) -> None:
        self._regions, self._best, self._false = regions, best, false
        self._first = np.searchsorted(source, np.arange(len(source)), side="left")
        self._held = np.bincount(source, minlength=len(source))

    def add(self, frames: np.ndarray, boxes: np.ndarray, scores: np.ndarray) -> None:
        """Some more objects: their frames [N], boxes [N, 4] and scores [N, S]."""
        # Each object once for every frame that is held from its own.
        held = self._held[frames]
        row = np.repeat(np.arange(len(frames)), held)
        frame = self._first[frames][row] + _counting(held)
        # Each of those once for every region of its frame.
        start = np.searchsorted(self._regions.frames, frame, side="left")
        count = np.searchsorted(self._regions.frames, frame, side="right") - start
        object_of = np.repeat(np.arange(len(frame)), count)
        region = start[object_of] + _counting(count)
        hit = overlaps(boxes[row[object_of]].astype(np.float64), self._regions.boxes[region]) >= BETA
        np.maximum.at(self._best, region[hit], scores[row[object_of[hit]]])
        false = np.ones(len(frame), bool)
        false[object_of[hit]] = False
        for number, highest in enumerate(self._false):
            highest.add(scores[row[false], number])


class _Highest:
    """The highest `count` of many values."""

    def __init__(self, count: int) -> None:
        self._count, self._least = count, -np.inf
        self._kept: list[np.ndarray] = []
        self._waiting = 0

    def add(self, values: np.ndarray) -> None:
        values = values[values > self._least]
        self._kept.append(values)
        self._waiting += len(values)
        if self._waiting > 2 * self._count:
            self._kept = [self.values()]
            self._waiting = len(self._kept[0])
            self._least = self._kept[0].min()

    def values(self) -> np.ndarray:
        """At most `count` of them, in no order."""
        values = np.concatenate([np.zeros(0), *self._kept])
        if len(values) <= self._count:
            return values
        return np.partition(values, len(values) - self._count)[len(values) - self._count :]


def _kth_highest(best: np.ndarray) -> np.ndarray:
    """The threshold up to which a track [R, S] is detected: [S]. k regions of it are a share alpha, or just more."""
    k = max(1, math.ceil(ALPHA * len(best) - 1e-9))
    return np.sort(best, axis=0)[len(best) - k]


def _area(detected: np.ndarray, false: np.ndarray, frames: int) -> float:
    """Area under detection rate against false positives per frame, 0 to 1.

    detected [D]: the score at which each region or track is detected, -inf for never; false: the highest scores of
    false positives, all of them or frames + 1.
    """
    levels = np.unique(np.concatenate([detected[np.isfinite(detected)], false]))[::-1]
    rate = np.searchsorted(np.sort(-detected), -levels, side="right") / len(detected)
    per_frame = np.searchsorted(np.sort(-false), -levels, side="right") / frames
    within = per_frame <= 1
    rate, per_frame = np.concatenate([[0.0], rate[within]]), np.concatenate([[0.0], per_frame[within]])
    return float(np.trapezoid(np.append(rate, rate[-1]), np.append(per_frame, 1.0)))


def _counting(counts: np.ndarray) -> np.ndarray:
    """0, 1, ..., n - 1 for every n of `counts`, laid end to end."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
