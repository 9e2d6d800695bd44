"""Draws that depend on their address alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.base import counters


def test_values_are_fixed_for_good():
    """A change here changes every run ever made; the values were written down when the hash was chosen."""
    assert int(counters.bits(0, 1)) == 627405149472732430
    assert counters.permutation(5, 1, 2).tolist() == [1, 4, 3, 0, 2]
    assert counters.integers(2, 9, 3, np.arange(10)).tolist() == [7, 8, 2, 7, 6, 7, 6, 8, 3, 2]


@given(st.integers(0, 2**63), st.text(max_size=8), st.integers(1, 200))
def test_a_draw_does_not_depend_on_what_is_drawn_beside_it(seed, name, count):
    together = counters.uniform(seed, name, np.arange(count))
    alone = [float(counters.uniform(seed, name, i)) for i in range(count)]
    assert together.tolist() == alone


def test_uniform_is_uniform():
    values = counters.uniform(7, "u", np.arange(100_000))
    assert values.min() >= 0 and values.max() < 1
    counts, _ = np.histogram(values, bins=20, range=(0, 1))
    assert np.abs(counts / 5000 - 1).max() < 0.06  # four standard deviations
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.015


@given(st.integers(0, 500), st.integers(0, 1000))
def test_a_permutation_holds_every_number_once(length, key):
    assert sorted(counters.permutation(length, key)) == list(range(length))
