"""Which boxes of a video are of one object, by their overlap from one sampled frame to the next."""

import dataclasses
from collections.abc import Iterable, Iterator
from itertools import groupby

import numpy as np

from dist_vad.base.boxes import matches
from dist_vad.video.cubes import Sample

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
        boxes = np.stack([sample.box for sample in found])
        pairs = matches(boxes, np.array([track.box for track in live]))
        for row, sample in enumerate(found):
            track = live[pairs[row]] if row in pairs else None
            if track is None:
                track = Track(count, frame, sample.box)
                live.append(track)
                count += 1
            track.frame, track.box = frame, sample.box
            yield dataclasses.replace(sample, track=track.number)
