"""Rows by the value that they share."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.base.groups import rows_by


@given(
    st.lists(st.sampled_from(["", "a", "b", "camera 7", "ä"]), max_size=40) | st.lists(st.integers(-3, 9), max_size=40)
)
def test_each_value_has_the_rows_that_a_mask_would_find(values):
    array = np.array(values)
    groups = rows_by(array)
    assert list(groups) == sorted(set(values))
    for value, rows in groups.items():
        assert rows.tolist() == np.flatnonzero(array == value).tolist()
