"""Numbers that lie evenly in a length: all different, in order, and centred where that is asked for."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.base.spacing import balanced, evenly_spaced


@given(st.integers(0, 10**7), st.integers(0, 300), st.booleans())
def test_they_are_different_in_order_and_as_many_as_there_can_be(length, count, middles):
    numbers = evenly_spaced(length, count, middles=middles)
    assert numbers.dtype == np.int64 and len(numbers) == min(length, count)
    assert (np.diff(numbers) > 0).all() and (numbers >= 0).all() and (numbers < length).all()


def test_each_part_gives_its_first_number_or_its_middle():
    assert evenly_spaced(12, 3).tolist() == [0, 4, 8]
    assert evenly_spaced(12, 3, middles=True).tolist() == [2, 6, 10]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=80), st.integers(1, 100))
def test_balanced_takes_as_many_of_each_group_as_of_any_other_or_all_of_it(groups, count):
    values = np.array(groups)
    chosen = balanced(values, count)
    taken, sizes = np.bincount(values[chosen], minlength=7), np.bincount(values, minlength=7)
    assert np.array_equal(chosen, np.unique(chosen))
    assert len(chosen) <= max(count, (sizes > 0).sum()) and (taken[sizes > 0] > 0).all()
    assert all(taken[group] in (sizes[group], taken.max()) for group in range(7))
    assert len(chosen) == len(values) or len(chosen) > count - 7 or taken.max() == 1
