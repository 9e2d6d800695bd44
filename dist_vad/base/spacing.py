"""Numbers that lie evenly between 0 and a length."""

import numpy as np


def evenly_spaced(length: int, count: int, *, middles: bool = False) -> np.ndarray:
    """At most `count` different numbers of 0..length-1, evenly spaced: int64.

    Of so many equal parts of the length, each gives its first number or, with `middles`, the one in its middle.
    """
    count = min(count, length)
    return (2 * np.arange(count) + middles) * length // max(2 * count, 1)
