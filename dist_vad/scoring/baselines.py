"""Scores that learn nothing: what every learned score is compared with."""

import numpy as np

from dist_vad.data.shardset import ShardSet


def baseline_scores(shards: ShardSet, number: int) -> dict[str, np.ndarray]:
    """Scores that learn nothing, for the objects of one shard: float64 [B] each.

    `box_width`, `box_area`: of the detector's box, in pixels. `frame_difference`: raw motion, the mean absolute
    difference of the cube's middle frame from the one before it, times the area of the box.
    """
    index = shards.index(number)
    width, height = index["box"][:, 2] - index["box"][:, 0], index["box"][:, 3] - index["box"][:, 1]
    area = width.astype(np.float64) * height
    first = int(shards.starts[number])
    motion = np.empty(len(index))
    for start in range(0, len(index), 256):
        ids = np.arange(first + start, first + min(start + 256, len(index)))
        clips = shards.read(ids).clips.numpy().astype(np.int16)
        middle = clips.shape[1] // 2
        motion[start : start + len(ids)] = np.abs(clips[:, middle] - clips[:, middle - 1]).mean(axis=(1, 2, 3))
    return {"box_width": width.astype(np.float64), "box_area": area, "frame_difference": motion * area}
