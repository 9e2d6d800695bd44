"""Rows by the value that they share."""

from typing import Any

import numpy as np


def rows_by(values: np.ndarray) -> dict[Any, np.ndarray]:
    """Each value of an array [N], ascending, with the numbers of its rows, ascending: one sort, however many values.

    >>> rows_by(np.array(["b", "a", "b"]))
    {'a': array([1]), 'b': array([0, 2])}
    """
    known, numbers = np.unique(values, return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers, minlength=len(known)))
    return {
        value: order[end - count : end] for value, end, count in zip(known.tolist(), ends, np.diff(ends, prepend=0))
    }
