"""Every AUC as a sum over pairs of frames, and its bootstrap over videos."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from dist_vad import metrics
from dist_vad.base import counters
from dist_vad.base.labels import Event
from dist_vad.metrics import Pairs
from dist_vad.report import VideoCurve

# Few distinct values, so that ties are the rule.
VIDEO = st.lists(st.tuples(st.integers(0, 1), st.integers(-4, 4)), min_size=0, max_size=25)
VIDEOS = st.lists(VIDEO, min_size=1, max_size=5)


def split(videos) -> tuple[list[np.ndarray], list[np.ndarray]]:
    arrays = [np.array(video, float).reshape(-1, 2).T for video in videos]
    return [array[0].astype(np.uint8) for array in arrays], [array[1] for array in arrays]


def scikit_learns(label: np.ndarray, score: np.ndarray) -> float:
    return roc_auc_score(label, score) if 0 < label.sum() < len(label) else math.nan


@settings(deadline=None)
@given(VIDEOS)
def test_the_padded_macro_auc_is_scikit_learns_of_the_padded_videos(videos):
    labels, scores = split(videos)
    expected = [
        roc_auc_score([0, *label, 1], [score.min(), *score, score.max()])
        for label, score in zip(labels, scores)
        if len(label)
    ]
    value = metrics.macro_auc_padded(labels, scores)
    assert math.isnan(value) if not expected else abs(value - np.mean(expected)) < 1e-12


@settings(deadline=None)
@given(VIDEOS, st.data())
def test_any_videos_taken_any_number_of_times_have_the_auc_of_their_frames_laid_end_to_end(videos, data):
    labels, scores = split(videos)
    times = data.draw(st.lists(st.integers(0, 3), min_size=len(videos), max_size=len(videos)))
    pairs, weights = Pairs(labels, scores), np.array(times, float)
    below = (weights @ pairs.anomalous) * (weights @ pairs.normal)
    found = weights @ pairs.wins @ weights / below if below else math.nan
    expected = scikit_learns(
        np.concatenate([np.tile(label, n) for label, n in zip(labels, times)]),
        np.concatenate([np.tile(score, n) for score, n in zip(scores, times)]),
    )
    np.testing.assert_allclose(found, expected, atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(VIDEOS)
def test_an_interval_is_that_of_aucs_computed_frame_by_frame_on_every_draw_of_videos(videos):
    labels, scores = split(videos)
    draws = counters.integers(0, len(videos), "bootstrap", np.arange(20)[:, None], np.arange(len(videos))[None])
    micro, macro = [], []
    for drawn in draws:
        resample = [labels[i] for i in drawn], [scores[i] for i in drawn]
        micro.append(scikit_learns(*map(np.concatenate, resample)))
        aucs = [scikit_learns(*one) for one in zip(*resample)]
        macro.append(np.nanmean(aucs) if not np.isnan(aucs).all() else math.nan)
    intervals = Pairs(labels, scores).intervals(20)
    for values, found in zip((micro, macro), intervals):
        defined = np.array(values)[~np.isnan(values)]
        expected = np.quantile(defined, [0.025, 0.975]) if len(defined) else [math.nan, math.nan]
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_an_interval_holds_its_point_and_narrows_with_more_videos():
    draw = np.random.default_rng(0)
    widths = []
    for count in (10, 160):
        labels = [draw.integers(0, 2, 200).astype(np.uint8) for _ in range(count)]
        scores = [label + draw.normal(0, 1, 200) + draw.normal(0, 1) for label in labels]
        pairs = Pairs(labels, scores)
        (low, high), _ = pairs.intervals(500)
        assert low < pairs.auc() < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_without_resamples_or_videos_there_is_no_interval():
    labels, scores = [np.array([0, 1])], [np.array([0.0, 1.0])]
    assert np.isnan(Pairs(labels, scores).intervals(0)).all()
    assert np.isnan(Pairs([], []).intervals(10)).all()
    assert math.isnan(Pairs([], []).auc()) and math.isnan(Pairs([], []).macro_auc())


def test_a_row_has_the_auc_of_every_class_and_of_every_scene_with_both_classes():
    """Classes are an event's name: their frames against all normal ones (scores 0, 1, 4, 6). Scenes: their own."""
    fight = [Event(start=1, end=2, name="Fighting", kind="")]
    theft = [Event(start=0, end=2, name="Stealing", kind="")]
    videos = [
        VideoCurve(name="a", scene="mall", labels=np.array([0, 1, 0]), events=fight, scores={}),
        VideoCurve(name="b", scene="road", labels=np.array([1, 1, 0]), events=theft, scores={}),
        VideoCurve(name="c", scene="park", labels=np.array([0]), scores={}),
    ]
    scores = {"a": np.array([0.0, 5.0, 6.0]), "b": np.array([2.0, 7.0, 1.0]), "c": np.array([4.0])}
    row = metrics.summarise(videos, scores)
    assert row["classes"] == {"Fighting": 3 / 4, "Stealing": (2 + 4) / 8}
    assert row["scenes"] == {"mall": 1 / 2, "road": 1.0}
    one_scene = [VideoCurve(name=v.name, scene="s", labels=v.labels, scores={}) for v in videos]
    assert metrics.summarise(one_scene, scores)["scenes"] == {}
