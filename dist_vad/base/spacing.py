"""Numbers that lie evenly between 0 and a length."""

import numpy as np

from dist_vad.base.groups import rows_by


def evenly_spaced(length: int, count: int, *, middles: bool = False) -> np.ndarray:
    """At most `count` different numbers of 0..length-1, evenly spaced: int64.

    Of so many equal parts of the length, each gives its first number or, with `middles`, the one in its middle.
    """
    count = min(count, length)
    return (2 * np.arange(count) + middles) * length // max(2 * count, 1)


def balanced(groups: np.ndarray, count: int) -> np.ndarray:
    """At most `count` row numbers, evenly spaced within each group: int64, ascending.

    Every group gives as many as any other, or all that it has; at least one.

    >>> balanced(np.array(["a"] * 6 + ["b"]), 4).tolist()
    [0, 2, 4, 6]
    """
    rows = rows_by(groups)
    sizes = np.sort([len(own) for own in rows.values()])
    # With a limit of `size` rows a group, all groups up to that size are whole.
    totals = np.cumsum(sizes) + sizes * np.arange(len(sizes) - 1, -1, -1)
    whole = int(np.searchsorted(totals, count, side="right"))
    limit = sizes[-1] if whole == len(sizes) else (count - int(sizes[:whole].sum())) // (len(sizes) - whole)
    return np.sort(np.concatenate([own[evenly_spaced(len(own), max(1, int(limit)))] for own in rows.values()]))
