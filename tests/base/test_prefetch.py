"""Working ahead in a thread changes neither the items nor the errors, and holds no more than it was told to."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.base.prefetch import prefetch


@given(items=st.lists(st.integers(), max_size=50), count=st.integers(1, 8))
def test_the_same_items_in_the_same_order(items, count):
    assert list(prefetch(items, count)) == items
    assert list(prefetch(prefetch(items, count), count)) == items


@pytest.mark.parametrize("count", [1, 4])
def test_no_more_are_made_than_wait(count):
    made = []
    taken = prefetch((made.append(n) or n for n in range(100)), count)
    assert next(taken) == 0
    time.sleep(0.3)
    assert len(made) <= count + 2  # one taken, `count` wait, one more is at hand
    taken.close()


def test_an_error_comes_after_what_was_made_before_it():
    def broken():
        yield 1
        raise ValueError("the third frame")

    taken = prefetch(broken(), 4)
    assert next(taken) == 1
    with pytest.raises(ValueError, match="the third frame"):
        next(taken)


def test_no_thread_is_left_when_the_taker_stops_early():
    before = threading.active_count()
    taken = prefetch(iter(range(1000)), 2)
    next(taken)
    taken.close()
    assert threading.active_count() == before
