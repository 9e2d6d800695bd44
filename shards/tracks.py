"""Which boxes of a video are of one object, by their overlap from one sampled frame to the next."""

import dataclasses
from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np
from scipy.optimize import linear_sum_assignment

from shards.cut import Sample

LEAST_OVERLAP = 0.3
"""Least intersection over union of a box and the last box of its track."""
MOST_MISSED = 5
"""A track ends where it has no box in more sampled frames than this, one after another."""


@dataclasses.dataclass
class Track:
    """One object so far."""

    number: int
    frame: int
    """Where it was last seen."""
    box: np.ndarray
    """There: float32 [4], x1, y1, x2, y2 in pixels."""


def with_tracks(samples: Iterable[Sample], stride: int) -> Iterator[Sample]:
    """The samples of one video, in the order of its frames, with their track ids; every `stride`-th frame has some.

    Ids count from 0 in the order in which objects appear. In every frame the pairs of boxes and live tracks are chosen
    whose overlaps add up to the most. Position is all that is looked at: of two objects in exactly the same place one
    cannot tell which leaves to which side.
    """
    live: list[Track] = []
    count = 0
    for frame, group in groupby(samples, key=lambda sample: sample.frame):
        found = list(group)
        # A frame without objects has no samples: gaps are counted by frame numbers.
        live = [track for track in live if frame - track.frame <= stride * (MOST_MISSED + 1)]
        pairs = pairs_by_overlap(np.stack([sample.box for sample in found]), [track.box for track in live])
        for row, sample in enumerate(found):
            track = live[pairs[row]] if row in pairs else None
            if track is None:
                track = Track(count, frame, sample.box)
                live.append(track)
                count += 1
            track.frame, track.box = frame, sample.box
            yield dataclasses.replace(sample, track=track.number)


def pairs_by_overlap(boxes: np.ndarray, tracks: list[np.ndarray]) -> dict[int, int]:
    """Box -> track, for boxes [n, 4] and the last boxes of tracks, m of [4], whose overlaps add up to the most."""
    if not tracks:
        return {}
    overlaps = _overlaps(boxes, np.stack(tracks))
    overlaps[overlaps < LEAST_OVERLAP] = 0
    rows, columns = linear_sum_assignment(overlaps, maximize=True)
    return {int(row): int(column) for row, column in zip(rows, columns) if overlaps[row, column] > 0}


def _overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union: [n, m] from [n, 4] and [m, 4]."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.maximum(high - low, 0).prod(axis=2)
    areas = [(some[:, 2:] - some[:, :2]).prod(axis=1) for some in (boxes, others)]
    return common / np.maximum(areas[0][:, None] + areas[1][None, :] - common, 1e-12)
