"""Calibrated anomaly scores: what makes heads comparable says how many normal cubes score as high."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.scoring.tail_calibration import TailCalibration

SEEDS = st.integers(0, 2**32 - 1)


def normal_scores(seed: int, count: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose mean and deviation differ by scene."""
    draw = np.random.default_rng(seed)
    scenes = draw.choice(["gate", "hall"], count)
    return np.where(scenes == "gate", draw.normal(5, 2, count), draw.normal(-1, 0.1, count)), scenes


@given(seed=SEEDS, count=st.integers(1, 300), scale=st.floats(0.01, 1e4))
def test_a_higher_score_is_never_calibrated_lower(seed, count, scale):
    draw = np.random.default_rng(seed)
    calibration = TailCalibration.of(scale * draw.standard_normal(count), np.full(count, "gate"))
    calibrated = calibration(np.sort(scale * draw.normal(0, 5, 100)), "gate")
    assert np.isfinite(calibrated).all() and (calibrated >= 0).all() and (np.diff(calibrated) >= 0).all()


@given(seed=SEEDS, slope=st.floats(0.01, 100), offset=st.floats(-100, 100))
def test_the_unit_of_a_score_does_not_matter(seed, slope, offset):
    scores, scenes = normal_scores(seed, 400)
    other = TailCalibration.of(slope * scores + offset, scenes).each(slope * scores + offset, scenes)
    np.testing.assert_allclose(TailCalibration.of(scores, scenes).each(scores, scenes), other, atol=1e-5)


@pytest.mark.parametrize("share", [0.5, 0.1, 0.02, 0.002])
def test_as_many_unseen_normal_cubes_score_as_high_as_it_says(share):
    calibration = TailCalibration.of(*normal_scores(0, 20_000))
    reached = np.mean(calibration.each(*normal_scores(1, 20_000)) >= -np.log10(share))
    assert share / 1.6 <= reached <= 1.6 * share


def test_each_scene_is_its_own_measure():
    scores, scenes = normal_scores(2)
    calibration = TailCalibration.of(scores, scenes)
    assert calibration(np.array([0.0]), "hall") > 3 > 0.5 > calibration(np.array([0.0]), "gate")
    assert calibration(np.array([2.0]), "never seen") == calibration.each(np.array([2.0]), np.array(["nor this"]))


@given(seed=SEEDS)
def test_the_less_is_known_of_a_scene_the_more_it_leans_on_the_others(seed):
    scores, scenes = normal_scores(seed)
    new = np.random.default_rng(seed).normal(20, 0.1, 1000)
    distance = []
    for count in (1, 5, 25, 125, 1000):
        calibration = TailCalibration.of(np.append(scores, new[:count]), np.append(scenes, ["yard"] * count))
        (mean, _), (mean_of_all, _) = calibration.by_scene["yard"], calibration.overall
        distance.append((mean - mean_of_all) / (new[:count].mean() - mean_of_all))
    assert 0 < distance[0] < 0.2 and distance[-1] > 0.99 and (np.diff(distance) > 0).all()


def test_scores_that_are_all_the_same_are_not_anomalous():
    calibration = TailCalibration.of(np.full(100, 3.0), np.full(100, "gate"))
    assert calibration(np.array([3.0]), "gate") < 2 < calibration(np.array([3.1]), "gate")


@given(seed=SEEDS, more=st.floats(0.5, 4))
def test_a_score_that_calls_new_video_too_unusual_is_taken_down_by_as_much(seed, more):
    scores, scenes = normal_scores(seed)
    calibration = TailCalibration.of(scores, scenes)
    new, places = normal_scores(seed + 1, 4000)
    means = {name: calibration.by_scene[name][0] for name in ("gate", "hall")}
    new = np.where(places == "hall", means["hall"] + more * (new - means["hall"]), new)
    checked = calibration.checked(new, places)
    for name in ("gate", "hall"):
        mean = checked(new[places == name], name).mean()
        assert abs(mean - np.log10(np.e)) < 0.01, name
        ratio = checked(new, name) / np.maximum(calibration(new, name), 1e-9)
        np.testing.assert_allclose(ratio[calibration(new, name) > 0.01], checked.scale[name])


@given(seed=SEEDS, more=st.floats(0.5, 4))
def test_a_scene_that_was_never_trained_is_taken_down_by_as_much_as_all_new_video(seed, more):
    scores, scenes = normal_scores(seed)
    calibration = TailCalibration.of(scores, scenes)
    new, places = normal_scores(seed + 1, 4000)
    checked = calibration.checked(more * new, places)
    assert abs(checked(more * new, "another scene").mean() - np.log10(np.e)) < 0.01
    assert np.array_equal(checked.facts["scale_elsewhere"] * calibration(new, "other"), checked(new, "other"))


def test_a_few_new_objects_hardly_move_a_scene():
    scores, scenes = normal_scores(4)
    calibration = TailCalibration.of(scores, scenes)
    high = calibration.checked(np.full(2, scores.max()), np.full(2, "gate"))
    assert 0.5 < high.scale["gate"] < 1 and "hall" not in high.scale
