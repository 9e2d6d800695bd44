"""Metrics against scikit-learn and by hand; frame scores as defined."""

import math
from typing import get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import medfilt
from sklearn.metrics import average_precision_score, roc_auc_score

from dist_vad import metrics
from dist_vad.base.errors import InputError
from dist_vad.base.labels import Event
from dist_vad.report import VideoCurve
from dist_vad.settings.evaluate import EvaluateSettings

# Few distinct values, so that ties are the rule.
VIDEO = st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4)), min_size=1, max_size=30)
VIDEOS = st.lists(VIDEO, min_size=1, max_size=5)


def _split(videos) -> tuple[list[np.ndarray], list[np.ndarray]]:
    arrays = [np.array(video, float).T for video in videos]
    return [array[0].astype(np.uint8) for array in arrays], [array[1] for array in arrays]


def _event(start: int, end: int, kind: str) -> Event:
    return Event(start=start, end=end, name=kind, kind=kind)


@settings(deadline=None)
@given(VIDEOS)
def test_micro_auc_and_ap_are_scikit_learns_over_all_frames(videos):
    labels, scores = _split(videos)
    label, score = np.concatenate(labels), np.concatenate(scores)
    if label.all() or not label.any():
        assert math.isnan(metrics.micro_auc(labels, scores)) and math.isnan(metrics.average_precision(labels, scores))
        return
    assert abs(metrics.micro_auc(labels, scores) - roc_auc_score(label, score)) < 1e-12
    assert abs(metrics.average_precision(labels, scores) - average_precision_score(label, score)) < 1e-12


@settings(deadline=None)
@given(VIDEOS)
def test_macro_auc_is_the_mean_over_videos_with_both_classes(videos):
    labels, scores = _split(videos)
    expected = [roc_auc_score(a, b) for a, b in zip(labels, scores) if 0 < a.sum() < len(a)]
    value = metrics.macro_auc(labels, scores)
    assert math.isnan(value) if not expected else abs(value - np.mean(expected)) < 1e-12


@settings(deadline=None)
@given(VIDEOS)
def test_auc_counts_pairs_ranked_right_and_ties_as_half(videos):
    labels, scores = _split(videos)
    label, score = np.concatenate(labels), np.concatenate(scores)
    anomalous, normal = score[label == 1][:, None], score[label == 0][None]
    if anomalous.size and normal.size:
        pairs = np.mean((anomalous > normal) + 0.5 * (anomalous == normal))
        assert abs(metrics.micro_auc(labels, scores) - pairs) < 1e-12


@settings(deadline=None)
@given(VIDEOS, st.floats(0.1, 3), st.floats(-5, 5))
def test_ranking_metrics_do_not_change_under_a_monotone_transform(videos, factor, shift):
    labels, scores = _split(videos)
    moved = [np.exp(factor * score) + shift for score in scores]
    for metric in (
        metrics.micro_auc,
        metrics.macro_auc,
        metrics.macro_auc_padded,
        metrics.average_precision,
        metrics.equal_error_rate,
    ):
        np.testing.assert_allclose(metric(labels, moved), metric(labels, scores), atol=1e-12)


@settings(deadline=None)
@given(VIDEOS)
def test_a_roc_for_drawing_keeps_its_area_and_its_ends(videos):
    labels, scores = _split(videos)
    across, up = metrics.roc_points(labels, scores)
    if len(across):
        assert (across[0], up[0], across[-1], up[-1]) == (0, 0, 1, 1)
        assert abs(np.trapezoid(up, across) - metrics.micro_auc(labels, scores)) < 1e-12


def test_a_long_roc_is_thinned_without_losing_its_shape():
    draw = np.random.default_rng(0)
    label = draw.integers(0, 2, 20_000).astype(np.uint8)
    score = label + draw.normal(size=20_000)
    across, up = metrics.roc_points([label], [score], limit=300)
    assert len(across) <= 300 and across[-1] == up[-1] == 1
    assert abs(np.trapezoid(up, across) - roc_auc_score(label, score)) < 1e-3


def test_equal_error_rate_by_hand():
    """Of four normal and four anomalous frames one each is on the wrong side of any threshold between 3 and 4."""
    labels = [np.array([0, 0, 0, 1, 0, 1, 1, 1])]
    assert metrics.equal_error_rate(labels, [np.arange(8.0)]) == 0.25
    assert metrics.equal_error_rate([np.array([0, 1])], [np.array([0.0, 1.0])]) == 0
    assert metrics.equal_error_rate([np.array([0, 1])], [np.array([1.0, 1.0])]) == 0.5


def test_padding_scores_a_video_of_one_class_and_both_ends_of_every_other():
    """All normal, scores 0 1: padded 0 0 0 | 1 with scores 0 0 1 | 1, two pairs right and one tied of three."""
    normal = ([np.zeros(2, int)], [np.array([0.0, 1.0])])
    assert math.isnan(metrics.macro_auc(*normal))
    assert abs(metrics.macro_auc_padded(*normal) - 2.5 / 3) < 1e-12
    constant = ([np.array([0, 1])], [np.ones(2)])
    assert metrics.macro_auc_padded(*constant) == 0.5


@pytest.mark.parametrize("length", [0, 1])
def test_a_video_of_no_or_one_frame_has_no_auc_and_breaks_nothing(length):
    labels, scores = [np.zeros(length, np.uint8)], [np.zeros(length)]
    for metric in (metrics.micro_auc, metrics.macro_auc, metrics.average_precision, metrics.equal_error_rate):
        assert math.isnan(metric(labels, scores))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_score_that_is_not_finite_is_refused_by_name(bad):
    video = VideoCurve(name="walk_07", labels=np.array([0, 1, 0]), scores={})
    with pytest.raises(InputError, match=r"walk_07.*frame 2"):
        metrics.summarise([video], {"walk_07": np.array([0, 1, bad])})
    with pytest.raises(InputError, match="frame 0"):
        metrics.macro_auc([np.array([0, 1])], [np.array([bad, 1])])


def test_labels_and_scores_of_different_length_are_refused():
    with pytest.raises(InputError, match="3 labels but 2 scores"):
        metrics.micro_auc([np.array([0, 1, 0])], [np.zeros(2)])


def test_auc_by_kind_drops_the_frames_of_other_kinds():
    """Kind a: frames 2, 3 (scores 5, 1) against normal 0, 2, 4 -> 3 + 1 of 6 pairs. Kind b: frame 4 (3) -> 2 of 3."""
    labels = [np.array([0, 0, 1, 1, 1, 0], np.uint8)]
    scores = [np.array([0.0, 2.0, 5.0, 1.0, 3.0, 4.0])]
    events = [[_event(2, 4, "a"), _event(4, 5, "b")]]
    assert metrics.kind_auc(labels, scores, events, "a") == pytest.approx(4 / 6, abs=1e-12)
    assert metrics.kind_auc(labels, scores, events, "b") == pytest.approx(2 / 3, abs=1e-12)
    assert math.isnan(metrics.kind_auc(labels, scores, events, "c"))


def test_the_ground_truth_decides_over_the_events_which_frames_are_anomalous():
    labels = [np.array([0, 1, 0], np.uint8)]
    assert metrics.kind_auc(labels, [np.array([1.0, 3.0, 2.0])], [[_event(0, 3, "a")]], "a") == 1


def test_a_summary_row_has_every_metric_and_the_kinds_in_their_order():
    videos = [
        VideoCurve(
            name=name,
            labels=np.array([0, 0, 1, 1], np.uint8),
            events=[_event(2, 3, "unseen"), _event(3, 4, "scene_independent")],
            scores={},
        )
        for name in "ab"
    ]
    row = metrics.summarise(videos, {"a": np.arange(4.0), "b": np.arange(4.0)})
    assert row["micro_auc"] == row["macro_auc"] == row["average_precision"] == 1 and row["equal_error_rate"] == 0
    assert list(row["kinds"].items()) == [("scene_independent", 1.0), ("unseen", 1.0)]


def test_a_summary_without_labels_is_undefined_and_never_zero():
    row = metrics.summarise([VideoCurve(name="a", labels=None, scores={})], {"a": np.arange(4.0)})
    assert row.pop("kinds") == row.pop("classes") == row.pop("scenes") == {}
    assert np.isnan(np.hstack(list(row.values()))).all() and len(row) == 7


def test_a_video_without_scores_is_refused_by_name():
    with pytest.raises(InputError, match="walk_07"):
        metrics.summarise([VideoCurve(name="walk_07", labels=np.zeros(3), scores={})], {})


@settings(deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=60))
def test_median17_is_the_median_of_the_edge_padded_video(values):
    scores = np.array(values, float)
    padded = np.pad(scores, 8, mode="edge")
    expected = [np.median(padded[start : start + 17]) for start in range(len(scores))]
    smoothed = metrics.smooth(scores, "median17")
    assert smoothed.tolist() == expected
    assert smoothed[8:-8].tolist() == medfilt(scores, 17)[8:-8].tolist() if len(scores) > 17 else True


def test_smoothing_none_is_a_copy_and_an_unknown_one_is_refused():
    scores = np.arange(3.0)
    same = metrics.smooth(scores, "none")
    assert same.tolist() == scores.tolist() and same is not scores
    with pytest.raises(InputError, match="median17"):
        metrics.smooth(scores, "savitzky")


@settings(deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=60))
def test_causal_smoothing_is_of_the_present_frame_and_the_sixteen_before(values):
    padded = np.pad(np.array(values, float), (16, 0), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 17)
    weights = np.exp(-0.5 * (np.arange(-16, 1) / 4) ** 2)
    assert metrics.smooth(np.array(values), "median17_causal").tolist() == np.median(windows, axis=1).tolist()
    np.testing.assert_allclose(
        metrics.smooth(np.array(values), "gaussian4_causal"), windows @ weights / weights.sum(), atol=1e-9
    )


@settings(deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=60), st.data())
def test_what_comes_later_changes_no_causal_score(values, data):
    present = data.draw(st.integers(1, len(values)))
    for method in (name for name in metrics.SMOOTHINGS if name.endswith("_causal")):
        whole = metrics.smooth(np.array(values), method)[:present]
        assert metrics.smooth(np.array(values[:present]), method).tolist() == whole.tolist()


@settings(deadline=None)
@given(st.lists(st.integers(-9, 9), min_size=1, max_size=60))
def test_gaussian4_is_the_weighted_mean_of_the_edge_padded_video(values):
    padded = np.pad(np.array(values, float), 16, mode="edge")
    weights = np.exp(-0.5 * (np.arange(-16, 17) / 4) ** 2)
    expected = np.lib.stride_tricks.sliding_window_view(padded, 33) @ weights / weights.sum()
    np.testing.assert_allclose(metrics.smooth(np.array(values), "gaussian4"), expected, atol=1e-9)


def test_minmax_over_the_whole_test_video_makes_a_normal_one_alarm_and_is_no_smoothing_of_a_headline():
    calm = metrics.smooth(np.linspace(0, 1e-6, 40), metrics.WHOLE_TEST_VIDEO_MINMAX)
    assert (calm.min(), calm.max()) == (0, 1)
    assert metrics.smooth(np.ones(5), metrics.WHOLE_TEST_VIDEO_MINMAX).tolist() == [0] * 5
    assert metrics.WHOLE_TEST_VIDEO_MINMAX not in metrics.SMOOTHINGS
    assert set(get_args(get_type_hints(EvaluateSettings)["smoothing"])) == set(metrics.SMOOTHINGS)


def _frames(frames, scores, **settings) -> list[float]:
    defaults = {"length": 10, "stride": 1, "margin": 2, "without_objects": -1.0}
    return metrics.frame_scores(np.array(frames, int), np.array(scores, float), **{**defaults, **settings}).tolist()


def test_a_frame_has_the_highest_of_its_objects_whatever_their_order():
    assert _frames([4, 3, 4], [1, 7, 5])[3:5] == _frames([3, 4, 4], [7, 5, 1])[3:5] == [7, 5]


def test_a_scored_frame_without_objects_gets_the_score_without_objects():
    assert _frames([3], [7]) == [-1, -1, -1, 7, -1, -1, -1, -1, -1, -1]


def test_an_object_below_the_floor_keeps_its_score():
    assert _frames([3], [-5])[3] == -5


def test_the_ends_repeat_their_nearest_scored_frame():
    assert _frames([2, 7], [3, 4]) == [3, 3, 3, -1, -1, -1, -1, 4, 4, 4]


def test_with_a_stride_scores_are_held_until_the_next_scored_frame():
    assert _frames([3, 6], [5, 2], stride=3) == [5, 5, 5, 5, 5, 5, 2, 2, 2, 2]
    assert _frames([3], [5], stride=3) == [5, 5, 5, 5, 5, 5, -1, -1, -1, -1]


@pytest.mark.parametrize("length", [0, 1, 3, 4])
def test_a_video_too_short_to_be_scored_has_the_score_without_objects_throughout(length):
    assert _frames([], [], length=length, without_objects=0.5) == [0.5] * length


def test_an_object_where_nothing_is_scored_and_a_score_that_is_nan_are_refused():
    with pytest.raises(InputError, match="frame 1"):
        _frames([1], [5])
    with pytest.raises(InputError, match="frame 4"):
        _frames([4], [5], stride=3)
    with pytest.raises(InputError, match=r"frame 3 .*nan"):
        _frames([3], [math.nan])


@settings(deadline=None)
@given(st.integers(0, 40), st.integers(1, 5), st.integers(0, 5), st.data())
def test_frame_scores_agree_with_their_definition_frame_by_frame(length, stride, margin, data):
    scored = [f for f in range(length) if margin <= f < length - margin and f % stride == 0]
    objects = data.draw(st.lists(st.tuples(st.sampled_from(scored), st.integers(0, 9)), max_size=20)) if scored else []

    def expected(frame: int) -> float:
        if not scored:
            return -1
        source = max([f for f in scored if f <= frame], default=scored[0])
        return max([score for f, score in objects if f == source], default=-1)

    got = _frames([f for f, _ in objects], [s for _, s in objects], length=length, stride=stride, margin=margin)
    assert got == [expected(frame) for frame in range(length)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=30), st.integers(1, 30))
def test_a_frame_knows_its_first_highest_object_however_the_objects_are_batched(objects, batch):
    highest = metrics.HighestPerFrame(6, stride=1, margin=0)
    for start in range(0, len(objects), batch):
        chunk = objects[start : start + batch]
        numbers = np.arange(start, start + len(chunk))
        highest.add(np.array([f for f, _ in chunk]), np.array([s for _, s in chunk]), numbers)
    for frame in range(6):
        own = [(-score, number) for number, (f, score) in enumerate(objects) if f == frame]
        assert highest.objects()[frame] == min(own, default=(0, -1))[1]
