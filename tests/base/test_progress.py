"""Times as people read them."""

import pytest

from dist_vad.base.progress import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 min 00 s"), (59.9, "0 min 59 s"), (303, "5 min 03 s"), (3599, "59 min 59 s"), (11_100, "3 h 05 min")],
)
def test_a_time_is_told_in_its_two_largest_units(seconds, text):
    assert duration(seconds) == text
