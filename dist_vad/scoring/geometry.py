"""`geometry`: is a box as large and as fast as is normal at its place? It looks at no pixel and needs no network."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Self

import numpy as np

from dist_vad.base.boxes import links
from dist_vad.scoring.neighbours import MOST, Neighbours

if TYPE_CHECKING:
    from dist_vad.data.shardset import ShardSet

GEOMETRY = "geometry"
WIDTH, HEIGHT, SPEED = 2, 3, 4
"""Columns of the features."""
NEIGHBOURS = 5
"""Normal boxes with which a box is compared; chosen by synthetic anomalies (docs/EXPERIMENTS.md, 11)."""
PLACE = 0.1
"""Weight of the two coordinates of the place. With more, whoever walks where nobody walked in a few training videos is
an anomaly; chosen with dist_vad/scoring/synthetic_anomalies.py (docs/EXPERIMENTS.md)."""


class Geometry(Neighbours):
    """Boxes of normal training video; the score is how far a box lies from its nearest ones.

    A box is described by where it stands (middle of its lower edge), the logarithms of its width and height, and its
    speed, each standardised, the place weighted by PLACE.
    """

    @classmethod
    def of(cls, train: "ShardSet") -> Self:
        """From boxes of a training set."""
        ids = train.spread(MOST)
        weights, features = np.array([PLACE, PLACE, 1, 1, 1]), features_of(train, ids)
        return cls.fit(features, train.scenes(ids), train.folds(ids), NEIGHBOURS, places(features), weights)


def features_of(shards: "ShardSet", ids: np.ndarray | None = None) -> np.ndarray:
    """Features of a set's boxes: float64 [N, 5].

    Args:
        ids: of the samples, ascending [N]; None = all of the set. Memory grows with their number alone.
    """
    manifest, starts = shards.manifest, shards.starts
    ids = np.arange(len(shards)) if ids is None else ids
    by_video = [[*own] for _, own in groupby(range(len(manifest.shards)), lambda number: manifest.shards[number].video)]
    bounds = np.searchsorted(ids, [0, *(starts[numbers[-1] + 1] for numbers in by_video)])
    wanted = [(numbers, ids[a:b]) for numbers, a, b in zip(by_video, bounds, bounds[1:]) if b > a]
    indexes = shards.indexes(number for numbers, _ in wanted for number in numbers)
    features = []
    for numbers, own in wanted:
        rows = np.concatenate([next(indexes) for _ in numbers])
        every = features_of_video(rows["frame"], rows["box"], manifest.stride, manifest.clip_length // 2)
        features.append(every[own - starts[numbers[0]]])
    return np.concatenate(features)


def features_of_video(frames: np.ndarray, boxes: np.ndarray, stride: int, reach: int) -> np.ndarray:
    """Features of the boxes of one video, float64 [N, 5]; the arguments are those of `speeds`."""
    boxes = boxes.astype(np.float64)
    return box_features(boxes, speeds(frames, boxes, stride, reach))


def box_features(boxes: np.ndarray, speed: np.ndarray) -> np.ndarray:
    """x and y of the middle of the lower edge (pixels), log width, log height, speed (pixels a frame): float64 [N, 5]
    from boxes x1, y1, x2, y2 in pixels, float64 [N, 4], and their speeds [N]."""
    size = np.log(np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0))
    return np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3], size, speed])


def places(features: np.ndarray) -> np.ndarray:
    """Where boxes stand (x and y of the middle of the lower edge, pixels) and how large they are (log height): float64
    [N, 3] from their features, float64 [N, 5]. By these scores are calibrated (dist_vad/scoring/local_moments.py)."""
    return features[:, [0, 1, HEIGHT]]


def box_places(boxes: Sequence[np.ndarray]) -> np.ndarray:
    """`places` of boxes x1, y1, x2, y2 in pixels, [4] each, whose speed need not be known: float64 [N, 3]."""
    return places(box_features(np.array(boxes, np.float64).reshape(-1, 4), np.zeros(len(boxes))))


def speeds(frames: np.ndarray, boxes: np.ndarray, stride: int, reach: int) -> np.ndarray:
    """Speed of every box of one video in pixels a frame, float64 [N], as `known_speeds` tells it; what is not seen
    again has the median of those that are, 0 where none is."""
    speed = known_speeds(frames, boxes, stride, reach)
    unknown = np.isnan(speed)
    speed[unknown] = 0.0 if unknown.all() else np.median(speed[~unknown])
    return speed


def known_speeds(frames: np.ndarray, boxes: np.ndarray, stride: int, reach: int) -> np.ndarray:
    """Speed of every box of one video in pixels a frame, float64 [N]; nan where it is seen in no other frame.

    The box is followed from sampled frame to sampled frame, as far as it is found, up to `reach` frames to each side,
    or one sampled frame where that is more: a longer way averages out the trembling of boxes.

    Args:
        frames: of each box, ascending [N].
        boxes: x1, y1, x2, y2 in pixels [N, 4].
    """
    later, earlier = links(frames, boxes, stride)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    first = last = np.arange(len(frames))
    for _ in range(max(1, reach // stride)):
        first = np.where(earlier[first] >= 0, earlier[first], first)
        last = np.where(later[last] >= 0, later[last], last)
    time = frames[last] - frames[first]
    way = np.linalg.norm(centres[last] - centres[first], axis=1)
    return np.where(time > 0, way / np.maximum(time, 1), np.nan)
