"""Fusion: a score weighs as much as it helps to tell synthetic anomalies from normal objects beside the others."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.scoring.fusion import fusion_weights


def calibrated_scores(seed: int, gains: list[float], count: int = 400) -> tuple[np.ndarray, list[np.ndarray]]:
    """Normal objects, and two kinds of anomalies that score so much higher by each score."""
    draw = np.random.default_rng(seed)
    normal = draw.exponential(0.43, (count, len(gains)))
    return normal, [draw.exponential(0.43, (count, len(gains))) + np.array(gains) for _ in range(2)]


@given(seed=st.integers(0, 2**32 - 1), gain=st.floats(0, 5))
def test_weights_are_shares(seed, gain):
    weights = fusion_weights(*calibrated_scores(seed, [gain, 0.0, 1.0], 60))
    assert (weights >= 0).all() and np.isclose(weights.sum(), 1)


def test_a_score_that_tells_nothing_weighs_nothing():
    weights = fusion_weights(*calibrated_scores(0, [2.0, 0.0]))
    assert weights[0] > 0.95


def test_a_score_that_says_the_same_as_a_better_one_gets_little():
    normal, synthetic = calibrated_scores(0, [2.0])
    draw = np.random.default_rng(1)

    def repeated(scores: np.ndarray) -> np.ndarray:
        return np.column_stack([scores, scores[:, 0] + draw.exponential(1.5, len(scores))])

    weights = fusion_weights(repeated(normal), [repeated(kind) for kind in synthetic])
    assert weights[0] > 4 * weights[1]


def test_a_kind_counts_the_same_however_many_there_are():
    normal, (first, second) = calibrated_scores(0, [1.5, 0.5])
    second = second[:, ::-1]
    once = fusion_weights(normal, [first, second])
    often = fusion_weights(normal, [np.tile(first, (5, 1)), second])
    np.testing.assert_allclose(once, often, atol=1e-3)


def test_scores_that_tell_nothing_weigh_the_same():
    same = np.ones((50, 3))
    np.testing.assert_allclose(fusion_weights(same, [same, same]), 1 / 3)
