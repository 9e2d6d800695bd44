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
    """The frame in which it was last seen, 0-based."""
    box: np.ndarray
    """The box where it was last seen: float32 [4], x1, y1, x2, y2 in pixels."""


def with_tracks(samples: Iterable[Sample], stride: int) -> Iterator[Sample]:
    """The samples of one video, in the order of its frames, with their track ids; every `stride`-th frame has some.

    Ids count from 0 in the order in which objects appear. In every frame the pairs of boxes and running tracks are
    chosen whose overlaps add up to the most. Position is all that is looked at: of two objects in exactly the same
    place one cannot tell which leaves to which side.
    """
    running: list[Track] = []
    count = 0
    for frame, group in groupby(samples, key=lambda sample: sample.frame):
        of_frame = list(group)
        # A frame without objects has no samples: gaps are counted by frame numbers.
        running = [track for track in running if frame - track.frame <= stride * (MOST_MISSED + 1)]
        boxes = np.stack([sample.box for sample in of_frame])
        pairs = matches(boxes, np.array([track.box for track in running]))
        for row, sample in enumerate(of_frame):
            track = running[pairs[row]] if row in pairs else None
            if track is None:
                track = Track(count, frame, sample.box)
                running.append(track)
                count += 1
            track.frame, track.box = frame, sample.box
            yield dataclasses.replace(sample, track=track.number)
