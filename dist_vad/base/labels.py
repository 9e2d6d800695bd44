"""What is anomalous in a video: intervals of frames, and events."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One labelled anomaly of a test video."""

    start: int
    """First anomalous frame, 0-based."""
    end: int
    """One past the last anomalous frame."""
    name: str
    """What it is: `runner`, `smoke`, ..."""
    kind: str
    """Which of the field's kinds it belongs to: `scene_independent`, `scene_dependent`, `unseen`; `` if not known."""
    boxes: list[list[float]] = field(default_factory=list)
    """Where it is: x1, y1, x2, y2 in pixels for each frame start..end-1; empty where regions are not annotated."""


def interval_labels(intervals: list[list[int]], frames: int) -> np.ndarray:
    """Half-open intervals as one 0/1 label per frame, uint8 [frames]."""
    labels = np.zeros(frames, np.uint8)
    for start, end in intervals:
        labels[start:end] = 1
    return labels


def intervals_of(flags: np.ndarray) -> list[list[int]]:
    """The runs of non-zero values of `flags` [T] as 0-based half-open intervals: one label per frame, made short."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags) != 0, [0]]).astype(np.int8)))
    return edges.reshape(-1, 2).tolist()


def union(intervals: list[list[int]]) -> list[list[int]]:
    """The frames of half-open intervals, in any order, as intervals that neither touch nor overlap."""
    return intervals_of(interval_labels(intervals, max((end for _, end in intervals), default=0)))
