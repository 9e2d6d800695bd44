"""Wall-clock times of frames: the network may hold them back, and streams may lie about their rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dist_vad.video.clock import WallClock

START = 1.7e9


def times(clock: WallClock, true: np.ndarray, stated: np.ndarray, delays: np.ndarray) -> np.ndarray:
    """What the clock makes of frames taken at true times, stated at others, that come with delays (in order)."""
    arrived = np.maximum.accumulate(true + delays)
    return np.array([clock.taken(float(s), float(a)) for s, a in zip(stated, arrived)])


@given(st.integers(0, 2**32 - 1), st.sampled_from([5, 10, 25]), st.floats(0, 1e5))
@settings(max_examples=30, deadline=None)
def test_frames_that_the_network_holds_back_keep_their_times(seed, fps, offset):
    draw = np.random.default_rng(seed)
    true = START + np.arange(60 * fps) / fps
    delays = draw.exponential(0.01, len(true))
    delays[30 * fps : 30 * fps + fps] += np.linspace(1.5, 0.5, fps)  # a second in which nothing came through
    taken = times(WallClock(), true, true - START + offset, delays)
    assert np.abs(taken - true)[15 * fps :].max() < 0.2


@given(st.sampled_from([0.4, 0.9, 1.1, 2.5]), st.sampled_from([5, 10, 25]))
@settings(max_examples=20, deadline=None)
def test_a_stream_that_lies_about_its_rate_is_timed_by_its_arrivals(factor, fps):
    true = START + np.arange(60 * fps) / fps
    taken = times(WallClock(), true, (true - START) * factor, np.full(len(true), 0.01))
    assert np.abs(taken - true).max() < 0.2


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, -30.0, 30.0])
def test_a_clock_that_is_set_does_no_lasting_harm(jump):
    true = START + np.arange(600) / 10
    stated = true - START + np.where(np.arange(600) >= 300, jump, 0)
    taken = times(WallClock(), true, stated, np.full(600, 0.01))
    assert np.abs(taken - true)[420:].max() < 0.2 and np.abs(taken - true)[:300].max() < 0.2


def test_a_stream_without_times_is_timed_by_its_arrivals():
    assert WallClock().taken(None, START) == START
