"""Scores are judged by those of normal objects around: what is usual at a place is no anomaly there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.scoring.local_moments import SHRINKAGE, LocalMoments, nearest
from dist_vad.scoring.tail_calibration import TailCalibration

SEEDS = st.integers(0, 2**32 - 1)


def objects(seed: int, count: int = 3000) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores of normal objects that are higher and more spread to the right, places, scenes, folds."""
    draw = np.random.default_rng(seed)
    places = draw.uniform(0, [640, 360, 5], (count, 3))
    scores = draw.normal(places[:, 0] / 320, 0.5 + places[:, 0] / 640)
    return scores, places, np.full(count, "gate"), draw.integers(0, 2, count)


def test_false_alarms_are_as_many_everywhere():
    scores, places, scenes, folds = objects(0)
    calibration = TailCalibration.of(scores, scenes, places, folds)
    scores, places, scenes, _ = objects(1, 20_000)
    around = calibration.each(scores, scenes, places) >= 1
    whole = TailCalibration.of(*objects(0)[:3:2]).each(scores, scenes) >= 1
    left, right = places[:, 0] < 160, places[:, 0] > 480
    assert around[left].mean() > 0.03 and around[right].mean() < 0.3 and around.mean() == pytest.approx(0.1, abs=0.02)
    assert around[right].mean() < 4 * around[left].mean() and whole[right].mean() > 50 * whole[left].mean()


def test_what_is_usual_on_the_right_is_unusual_on_the_left():
    scores, places, scenes, folds = objects(2)
    calibration = TailCalibration.of(scores, scenes, places, folds)
    middle = places.mean(axis=0)
    left, right = ([[x, *middle[1:]]] for x in (40.0, 600.0))
    score = np.array([2.5])
    assert calibration(score, "gate", np.array(left)) > 2 > 0.8 > calibration(score, "gate", np.array(right))


@given(seed=SEEDS, count=st.integers(1, 300))
def test_few_objects_lean_on_the_scene_and_none_are_the_scene(seed, count):
    scores, places, scenes, _ = objects(seed, count)
    of_scene, where = (50.0, 3.0), places[:1]
    mean, deviation = LocalMoments.of(scores, places, scenes)(where, "gate", of_scene)
    near = nearest(count)
    share = near / (near + SHRINKAGE)
    low, high = share * scores.min() + (1 - share) * 50, share * scores.max() + (1 - share) * 50
    assert low - 1e-9 <= mean[0] <= high + 1e-9 and deviation[0] >= np.sqrt(1 - share) * 3
    nowhere = LocalMoments.of(scores, places, scenes)(where, "another scene", of_scene)
    assert [part.tolist() for part in nowhere] == [[50.0], [3.0]]


@given(seed=SEEDS, count=st.integers(50, 500))
def test_few_objects_too_are_judged_by_those_around(seed, count):
    _, places, scenes, _ = objects(seed, count)
    ends = np.array([[0.0, 180, 2.5], [640, 180, 2.5]])
    left, right = LocalMoments.of(places[:, 0], places, scenes)(ends, "gate", (320.0, 185.0))[0]
    assert left < 0.8 * 320 and right > 1.2 * 320


@given(seed=SEEDS, scale=st.floats(0.1, 10), shift=st.floats(-100, 100))
def test_the_size_of_the_picture_does_not_matter(seed, scale, shift):
    scores, places, scenes, _ = objects(seed, 400)
    factor = np.array([scale, scale, 1])
    plain = LocalMoments.of(scores, places, scenes)(places[:50], "gate", (0.0, 1.0))
    moved = LocalMoments.of(scores, places * factor + [shift, shift, 0], scenes)
    other = moved(places[:50] * factor + [shift, shift, 0], "gate", (0.0, 1.0))
    # Places are kept in single precision, so that two objects equally far away may change places.
    np.testing.assert_allclose(plain, other, rtol=0.05, atol=0.05)


def test_a_scene_with_one_half_of_the_videos_is_standardised_by_that_one():
    scores, places, scenes, _ = objects(3, 500)
    calibration = TailCalibration.of(scores, scenes, places, np.zeros(500, int))
    assert np.isfinite(calibration.each(scores, scenes, places)).all()
    assert 0.05 < np.mean(calibration.each(scores, scenes, places) >= 1) < 0.15


@given(seed=SEEDS)
def test_what_is_kept_of_it_is_all_of_it(seed):
    scores, places, _, folds = objects(seed, 200)
    scenes = np.where(folds, "gate", "hall")
    calibration = TailCalibration.of(scores, scenes, places, folds)
    again = TailCalibration.of_facts(calibration.facts, calibration.arrays)
    assert again == calibration
    assert np.array_equal(again.each(scores, scenes, places), calibration.each(scores, scenes, places))


@given(seed=SEEDS)
def test_without_a_place_and_in_a_scene_never_seen_objects_are_judged_as_a_whole(seed):
    scores, places, scenes, folds = objects(seed, 300)
    calibration, whole = TailCalibration.of(scores, scenes, places, folds), TailCalibration.of(scores, scenes)
    assert np.array_equal(calibration(scores, "gate"), whole(scores, "gate"))
    assert np.array_equal(calibration(scores, "never seen", places), whole(scores, "never seen"))
