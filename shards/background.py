"""What a static camera sees where nothing moves."""

import numpy as np

from shards.datasets.base import Frames


def median_background(frames: Frames, samples: int = 25) -> np.ndarray:
    """The per-pixel median of at most `samples` evenly spaced frames: RGB, uint8 [H, W, 3].

    Only those frames are held, so memory does not grow with the video's length. What covers a pixel in fewer than
    half of them leaves no trace. Raises ValueError for a video without frames or for `samples` below 1.
    """
    total = len(frames)
    if total < 1 or samples < 1:
        raise ValueError(f"a background needs at least 1 frame and 1 sample, not {total} frames and {samples} samples")
    wanted = _evenly_spaced(total, min(samples, total))
    kept = []
    for number, frame in enumerate(frames):
        if number in wanted:
            kept.append(frame)
            if len(kept) == len(wanted):
                break  # the rest need not be decoded
    return np.median(np.stack(kept), axis=0).astype(np.uint8)


def _evenly_spaced(total: int, count: int) -> set[int]:
    """`count` numbers of 0..total-1: the middle of each of `count` equal parts."""
    return {(2 * part + 1) * total // (2 * count) for part in range(count)}
