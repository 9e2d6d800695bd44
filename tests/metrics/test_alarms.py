"""Alarms and events, latency and paired differences: by hand, and on simulated videos."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score

from dist_vad import metrics
from dist_vad.base.errors import InputError
from dist_vad.metrics import Pairs

VIDEO = st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4)), min_size=1, max_size=30)
VIDEOS = st.lists(VIDEO, min_size=1, max_size=4)


def split(videos) -> tuple[list[np.ndarray], list[np.ndarray]]:
    arrays = [np.array(video, float).T for video in videos]
    return [array[0].astype(np.uint8) for array in arrays], [array[1] for array in arrays]


def test_alarms_by_hand():
    """Two frames a second. First video: events at 2-4 and 8-9, alarms at 1-3 and 6; second: normal, an alarm at 0-1.

    The alarm at 1-3 is right, those at 6 and in the second video are false. The event at 2-4 is found at its first
    frame, the other is missed. Ten normal frames are five seconds: two false alarms are 1440 an hour.
    """
    labels = [np.array([0, 0, 1, 1, 1, 0, 0, 0, 1, 1]), np.zeros(5, int)]
    scores = [np.array([0, 5, 5, 5, 0, 0, 5, 0, 0, 0.0]), np.array([5, 5, 0, 0, 0.0])]
    alarms = metrics.count_alarms(labels, scores, 5.0, fps=2)
    assert (alarms.events, alarms.found, alarms.alarms, alarms.right) == (2, 1, 3, 1)
    assert (alarms.event_recall, alarms.event_precision) == (0.5, pytest.approx(1 / 3))
    assert alarms.hours == pytest.approx(5 / 3600) and alarms.false_alarms_per_hour == pytest.approx(1440)
    assert alarms.delays.tolist() == [0.0] and alarms.normal_share == pytest.approx(4 / 10)


def test_delay_counts_from_the_onset_to_the_first_alarmed_frame_of_the_event():
    labels = [np.array([0, 1, 1, 1, 1, 0, 1, 1])]
    scores = [np.array([0, 0, 0, 0, 9, 9, 9, 0.0])]
    alarms = metrics.count_alarms(labels, scores, 9.0, fps=10)
    assert alarms.delays.tolist() == [pytest.approx(0.3), 0.0]  # the alarm stands when the second event begins
    assert (alarms.alarms, alarms.right, alarms.found) == (1, 1, 2)
    assert alarms.mean_delay == pytest.approx(0.15) and alarms.median_delay == pytest.approx(0.15)


def test_alarms_close_to_each_other_are_one_but_never_those_of_two_videos():
    labels, scores = [np.zeros(6, int), np.zeros(3, int)], [np.array([1, 0, 1, 0, 0, 1.0]), np.array([1, 0, 0.0])]
    assert metrics.count_alarms(labels, scores, 1.0, fps=1).alarms == 4
    assert metrics.count_alarms(labels, scores, 1.0, fps=1, join=2).alarms == 3
    assert metrics.count_alarms(labels, scores, 1.0, fps=1, join=3).alarms == 2
    assert metrics.count_alarms(labels, scores, 1.0, fps=[1, 2], join=3).hours == pytest.approx((6 + 1.5) / 3600)


@settings(deadline=None)
@given(VIDEOS, st.integers(-5, 5), st.integers(0, 3))
def test_alarms_are_those_counted_frame_by_frame(videos, threshold, join):
    labels, scores = split(videos)
    alarms = metrics.count_alarms(labels, scores, threshold, fps=1, join=join)
    found = right = count = 0
    for label, score in zip(labels, scores):
        over = [*(score >= threshold)]
        runs = []
        for frame in range(len(over)):
            if over[frame] and runs and frame - runs[-1][-1] - 1 < max(join, 1):
                runs[-1].append(frame)
            elif over[frame]:
                runs.append([frame])
        covered = [{*range(run[0], run[-1] + 1)} for run in runs]
        events = [{*range(a, b)} for a, b in metrics_events(label)]
        count += len(runs)
        right += sum(any(run & event for event in events) for run in covered)
        found += sum(any(run & event for run in covered) for event in events)
    assert (alarms.alarms, alarms.right, alarms.found) == (count, right, found)


def metrics_events(label: np.ndarray) -> list[tuple[int, int]]:
    padded = [0, *label.tolist(), 0]
    starts = [i for i in range(len(label)) if padded[i + 1] and not padded[i]]
    return [(start, start + padded[start + 1 :].index(0)) for start in starts]


@settings(deadline=None, max_examples=50)
@given(VIDEOS, st.lists(st.floats(0.5, 5000), min_size=1, max_size=3))
def test_an_operating_point_keeps_its_budget(videos, budgets):
    labels, scores = split(videos)
    for budget, alarms in zip(budgets, metrics.operating_points(labels, scores, budgets, fps=1)):
        rate = alarms.false_alarms_per_hour
        assert math.isnan(rate) or rate <= budget


def test_a_looser_budget_finds_at_least_as_many_events():
    draw = np.random.default_rng(0)
    labels = [(np.arange(400) % 100 < 20).astype(np.uint8) for _ in range(5)]
    scores = [label + draw.normal(size=400) for label in labels]
    points = metrics.operating_points(labels, scores, [20, 200, 2000], fps=10)
    assert [point.found for point in points] == sorted(point.found for point in points)
    assert points[0].threshold > points[1].threshold > points[2].threshold


def test_latency_aware_average_precision_by_hand():
    """The worked example of its docstring; found at the onset it is 1, found late it is less."""
    labels = [np.array([0, 1, 1, 0])]
    assert metrics.latency_aware_average_precision(labels, [np.array([0.2, 0.1, 0.9, 0.5])]) == 0.75
    assert metrics.latency_aware_average_precision(labels, [np.array([0.2, 0.9, 0.1, 0.5])]) == 1.0
    assert math.isnan(metrics.latency_aware_average_precision([np.zeros(3, int)], [np.zeros(3)]))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-4, 4), st.booleans()), min_size=1, max_size=20))
def test_where_every_event_is_one_frame_it_is_average_precision(parts):
    labels = [np.array([0, 1, 0]) if anomalous else np.zeros(3, int) for _, _, anomalous in parts]
    scores = [np.array([gap, value, gap], float) for gap, value, _ in parts]
    value = metrics.latency_aware_average_precision(labels, scores)
    if not any(label.any() for label in labels):
        assert math.isnan(value)
        return
    assert abs(value - average_precision_score(np.concatenate(labels), np.concatenate(scores))) < 1e-12


def test_the_later_an_event_is_found_the_less_it_counts():
    labels = [np.r_[np.zeros(50, int), np.ones(20, int), np.zeros(30, int)]]
    base = np.random.default_rng(0).normal(size=100)
    values = []
    for delay in range(0, 20, 4):
        score = base.copy()
        score[50 + delay] = 10
        values.append(metrics.latency_aware_average_precision(labels, [score]))
    assert values == sorted(values, reverse=True) and values[0] == 1.0


def simulated(draw: np.random.Generator, count: int) -> tuple[list, list, list]:
    """Videos with an event or none, and two methods of different quality that find the same videos hard."""
    labels, first, second = [], [], []
    for _ in range(count):
        length = int(draw.integers(60, 180))
        label = np.zeros(length, np.uint8)
        if draw.random() < 0.7:
            width = int(draw.integers(10, length // 2))
            start = int(draw.integers(0, length - width))
            label[start : start + width] = 1
        shared = draw.normal(0, 0.6) + draw.normal(0, 0.5, length)
        hard = draw.normal(0, 0.5)
        for scores, quality in ((first, 1.2), (second, 1.0)):
            scores.append((quality + hard) * label + shared + draw.normal(0, 0.4) + draw.normal(0, 0.7, length))
        labels.append(label)
    return labels, first, second


def test_a_method_differs_from_itself_by_nothing_and_the_difference_turns_its_sign():
    labels, first, second = simulated(np.random.default_rng(1), 20)
    a, b = Pairs(labels, first), Pairs(labels, second)
    same = metrics.paired_difference(a, a, 200)
    assert same == (0.0, (0.0, 0.0), 0.0, (0.0, 0.0))
    there, back = metrics.paired_difference(a, b, 200), metrics.paired_difference(b, a, 200)
    assert there.micro_auc == -back.micro_auc == a.auc() - b.auc()
    assert there.micro_auc_interval == pytest.approx((-back.micro_auc_interval[1], -back.micro_auc_interval[0]))
    assert np.isnan(metrics.paired_difference(a, b, 0).micro_auc_interval).all()
    with pytest.raises(InputError, match="20 videos against 3"):
        metrics.paired_difference(a, Pairs(labels[:3], first[:3]), 10)


def test_pairing_narrows_the_interval_of_two_methods_that_find_the_same_videos_hard():
    labels, first, second = simulated(np.random.default_rng(2), 60)
    a, b = Pairs(labels, first), Pairs(labels, second)
    low, high = metrics.paired_difference(a, b, 500).micro_auc_interval
    widths = [high - low for (low, high), _ in (a.intervals(500), b.intervals(500))]
    assert high - low < 0.8 * math.hypot(*widths)


def ranked_auc(label: np.ndarray, score: np.ndarray) -> float:
    """By ranks: for more frames than pairs are counted of."""
    ranks, anomalous = rankdata(score), int(label.sum())
    above = ranks[label == 1].sum() - anomalous * (anomalous + 1) / 2
    return float(above / (anomalous * (len(label) - anomalous)))


@pytest.mark.slow
def test_the_95_percent_interval_of_a_paired_difference_covers_the_truth_in_93_to_97_percent_of_simulations():
    draw = np.random.default_rng(0)
    labels, first, second = simulated(draw, 20_000)
    micro = ranked_auc(np.concatenate(labels), np.concatenate(first))
    micro -= ranked_auc(np.concatenate(labels), np.concatenate(second))
    both = [(label, a, b) for label, a, b in zip(labels, first, second) if label.any()]
    macro = np.mean([ranked_auc(label, a) - ranked_auc(label, b) for label, a, b in both])
    covered, times = np.zeros(2), 1000
    for _ in range(times):
        labels, first, second = simulated(draw, 60)
        found = metrics.paired_difference(Pairs(labels, first), Pairs(labels, second), 5000)
        ends = found.micro_auc_interval, found.macro_auc_interval
        covered += [low <= value <= high for value, (low, high) in zip((micro, macro), ends)]  # pyright: ignore[reportOperatorIssue]
    assert ((covered / times >= 0.93) & (covered / times <= 0.97)).all(), covered / times


def test_the_metrics_need_neither_torch_nor_settings():
    listed = "[name for name in sys.modules if name == 'torch' or name.startswith('dist_vad.settings')]"
    code = f"import sys; import dist_vad.metrics; print({listed})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
