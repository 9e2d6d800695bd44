"""Boxes of one video: how far they overlap, and which of two frames are of one object."""

import numpy as np
from scipy.optimize import linear_sum_assignment

MOST_PAIRS = 1_000_000
"""Pairs of boxes whose overlap is worked out at once."""

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


def covered(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Share of each box's area that lies in each of the others: float64 [N, M] from [N, 4] and [M, 4]."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    common = np.maximum(np.minimum(boxes[:, None, 2:], others[None, :, 2:]) - low, 0).prod(axis=-1)
    return common / np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1e-9)[:, None]


def matches(boxes: np.ndarray, others: np.ndarray) -> dict[int, int]:
    """Box -> its match among the others [m, 4]: the pairs whose overlaps add up to the most, each LEAST_OVERLAP or
    more."""
    if not len(boxes) or not len(others):
        return {}
    overlap = overlaps(boxes[:, None], others[None])
    overlap[overlap < LEAST_OVERLAP] = 0
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    return {int(row): int(column) for row, column in zip(rows, columns) if overlap[row, column] > 0}


def links(frames: np.ndarray, boxes: np.ndarray, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """The same object's box in the sampled frame after and before each box: row numbers, -1 = none, int64 [N] each.

    The result is that of `matches` for each two neighbouring frames. Where a box overlaps one other alone, and is the
    only one to do so, there is nothing to assign: those pairs, most of all, are found for many frames at once.

    Args:
        frames: of each box, ascending [N].
        boxes: x1, y1, x2, y2 in pixels [N, 4].
        stride: from one sampled frame to the next.
    """
    later, earlier = np.full(len(frames), -1), np.full(len(frames), -1)
    known, first, count = np.unique(frames, return_index=True, return_counts=True)
    after = np.minimum(np.searchsorted(known, known + stride), max(len(known) - 1, 0))
    here = np.flatnonzero(known[after] == known + stride)
    there = after[here]
    portion = np.cumsum(count[here] * count[there]) // MOST_PAIRS
    for number in np.unique(portion):
        now, then = here[portion == number], there[portion == number]
        a, b, pair = _pairs(first[now], count[now], first[then], count[then])
        close = overlaps(boxes[a], boxes[b]) >= LEAST_OVERLAP
        a, b, pair = a[close], b[close], pair[close]
        contested = (np.bincount(a, minlength=len(frames))[a] > 1) | (np.bincount(b, minlength=len(frames))[b] > 1)
        crowded = np.unique(pair[contested])
        lone = ~np.isin(pair, crowded)
        later[a[lone]], earlier[b[lone]] = b[lone], a[lone]
        for frame in crowded.tolist():
            rows = first[now[frame]] + np.arange(int(count[now[frame]]))
            others = first[then[frame]] + np.arange(int(count[then[frame]]))
            for row, other in matches(boxes[rows], boxes[others]).items():
                later[rows[row]], earlier[others[other]] = others[other], rows[row]
    return later, earlier


def _pairs(
    first: np.ndarray, count: np.ndarray, first_other: np.ndarray, count_other: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every row of each run of rows with every row of its other run: row, other row and number of the run, [P] each."""
    sizes = count * count_other
    run = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(run)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return first[run] + place // count_other[run], first_other[run] + place % count_other[run], run
