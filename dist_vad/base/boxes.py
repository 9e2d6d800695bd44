"""Boxes of one video: how far they overlap, and which of two frames are of one object."""

import numpy as np
from scipy.optimize import linear_sum_assignment

LEAST_OVERLAP = 0.3
"""Least intersection over union of two boxes of one object in neighbouring sampled frames."""


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union: [n, m] from [n, 4] and [m, 4], x1, y1, x2, y2."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    common = np.maximum(high - low, 0).prod(axis=2)
    areas = [(some[:, 2:] - some[:, :2]).prod(axis=1) for some in (boxes, others)]
    return common / np.maximum(areas[0][:, None] + areas[1][None, :] - common, 1e-12)


def matches(boxes: np.ndarray, others: np.ndarray) -> dict[int, int]:
    """Box -> its match among the others [m, 4]: the pairs whose overlaps add up to the most, each LEAST_OVERLAP or
    more."""
    if not len(boxes) or not len(others):
        return {}
    overlap = overlaps(boxes, others)
    overlap[overlap < LEAST_OVERLAP] = 0
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    return {int(row): int(column) for row, column in zip(rows, columns) if overlap[row, column] > 0}
