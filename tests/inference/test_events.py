"""Events: the threshold comes from normal frames alone, and stretches above it are found once."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.base.errors import InputError
from dist_vad.inference.events import Threshold, find_events
from dist_vad.inference.online import CausalMedian, Latency
from dist_vad.inference.outputs import Objects, VideoResult
from dist_vad.metrics import smooth
from dist_vad.settings.video import EventSettings


@pytest.mark.parametrize("share", [0.2, 0.05, 0.01])
def test_as_many_normal_frames_reach_the_threshold_as_were_allowed(share):
    normal = [np.random.default_rng(seed).gamma(2, size=5000) for seed in range(4)]
    threshold = Threshold.of(normal, EventSettings(false_alarms=share))
    assert threshold.share_reached == pytest.approx(share, rel=0.15)


def test_a_smaller_share_than_can_be_counted_is_extrapolated_beyond_the_highest_score():
    normal = np.random.default_rng(0).exponential(size=300)
    threshold = Threshold.of([normal], EventSettings(false_alarms=1e-6))
    assert threshold.share_reached == 0
    assert (
        threshold.calibrated(np.array([normal.max(), 30.0]))[0]
        < threshold.value
        < threshold.calibrated(np.array([30.0]))[0]
    )


def test_without_held_out_normal_video_there_is_no_threshold():
    with pytest.raises(InputError, match="no threshold"):
        Threshold.of([], EventSettings())


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, np.nan]), max_size=60), st.integers(1, 8))
def test_events_cover_every_frame_above_the_threshold_and_lie_as_far_apart_as_was_asked(values, join):
    scores = np.array(values, np.float64)
    events = find_events(scores, scores, 1.0, join)
    covered = np.zeros(len(scores), bool)
    for event in events:
        assert scores[event.start] >= 1 and scores[event.end - 1] >= 1
        assert event.score == np.nanmax(scores[event.start : event.end]) == scores[event.peak]
        covered[event.start : event.end] = True
    assert covered[np.nan_to_num(scores) >= 1].all()
    assert all(after.start - before.end >= join for before, after in pairwise(events))


SHOWN = {
    "even": (np.arange(8) / 10, [(1, 2), (5, 7)]),
    "a pause between them": (np.array([0, 0.1, 0.2, 0.3, 0.4, 3.4, 3.5, 3.6]), [(1, 2), (5, 7)]),
    "close together": (np.array([0, 0.1, 0.12, 0.14, 0.16, 0.18, 3.5, 3.6]), [(1, 7)]),
}  # fmt: skip


@pytest.mark.parametrize("case", SHOWN)
def test_stretches_of_a_video_of_uneven_rate_are_joined_by_when_they_are_shown(case):
    times, expected = SHOWN[case]
    scores = np.array([0, 30.0, 0, 0, 0, 30.0, 30.0, 0])
    threshold = Threshold.of([np.linspace(0, 1, 500)], EventSettings(false_alarms=0.01))
    video = VideoResult("phone.mp4", 10.0, Objects(), scores, scores, threshold, times)
    assert [(event.start, event.end) for event in video.events(join=0.2)] == expected


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=50))
def test_the_median_of_a_stream_is_the_causal_smoothing_of_the_whole(scores):
    median = CausalMedian()
    assert [median(score) for score in scores] == smooth(np.array(scores), "median17_causal").tolist()


def test_latency_is_told_in_milliseconds():
    latency = Latency()
    assert latency.facts() == {}
    for milliseconds in range(1, 101):
        latency.add(milliseconds / 1000)
    assert latency.facts() == {"frames": 100, "p50_ms": 50.5, "p95_ms": 95.05, "max_ms": 100.0}
