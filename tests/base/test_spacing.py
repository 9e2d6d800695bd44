"""Numbers that lie evenly in a length: all different, in order, and centred where that is asked for."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.base.spacing import evenly_spaced


@given(st.integers(0, 10**7), st.integers(0, 300), st.booleans())
def test_they_are_different_in_order_and_as_many_as_there_can_be(length, count, middles):
    numbers = evenly_spaced(length, count, middles=middles)
    assert numbers.dtype == np.int64 and len(numbers) == min(length, count)
    assert (np.diff(numbers) > 0).all() and (numbers >= 0).all() and (numbers < length).all()


def test_each_part_gives_its_first_number_or_its_middle():
    assert evenly_spaced(12, 3).tolist() == [0, 4, 8]
    assert evenly_spaced(12, 3, middles=True).tolist() == [2, 6, 10]
