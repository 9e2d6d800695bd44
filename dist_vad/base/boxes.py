"""Boxes of one video: how far they overlap, and which of two frames are of one object."""

import numpy as np
from scipy.optimize import linear_sum_assignment

LEAST_OVERLAP = 0.3
"""Least intersection over union of two boxes of one object in neighbouring sampled frames."""


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes and others that lie beside each other, x1, y1, x2, y2: [...] from [..., 4] and
    [..., 4], which are broadcast; 0 where both are empty."""
    low, high = np.maximum(boxes[..., :2], others[..., :2]), np.minimum(boxes[..., 2:], others[..., 2:])
    common = np.maximum(high - low, 0).prod(axis=-1)
    area, other = (np.maximum(each[..., 2:] - each[..., :2], 0).prod(axis=-1) for each in (boxes, others))
    union = area + other - common
    return np.divide(common, union, out=np.zeros(union.shape, np.result_type(union, np.float32)), where=union > 0)


def matches(boxes: np.ndarray, others: np.ndarray) -> dict[int, int]:
    """Box -> its match among the others [m, 4]: the pairs whose overlaps add up to the most, each LEAST_OVERLAP or
    more."""
    if not len(boxes) or not len(others):
        return {}
    overlap = overlaps(boxes[:, None], others[None])
    overlap[overlap < LEAST_OVERLAP] = 0
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    return {int(row): int(column) for row, column in zip(rows, columns) if overlap[row, column] > 0}
