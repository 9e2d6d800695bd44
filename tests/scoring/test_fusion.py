"""Fusion: a score weighs as much as it finds synthetic anomalies."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.scoring.calibrating import weigh
from dist_vad.scoring.fusion import fusion_weights
from dist_vad.scoring.object_scores import fuse
from dist_vad.scoring.synthetic_auc import NORMAL, HeldOutScenes

NAMES = ("seen", "other", "noise")
AUCS = st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1), min_size=1)


@given(AUCS)
def test_weights_are_shares(auc):
    weights = fusion_weights(auc)
    assert weights.keys() == auc.keys() and all(weight >= 0 for weight in weights.values())
    assert np.isclose(sum(weights.values()), 1)


@given(AUCS)
def test_a_score_that_finds_more_never_weighs_less(auc):
    weights = fusion_weights(auc)
    assert all(weights[a] >= weights[b] for a in auc for b in auc if auc[a] >= auc[b])


def test_a_score_at_chance_weighs_nothing_and_all_weigh_the_same_where_all_are():
    assert fusion_weights({"good": 0.8, "chance": 0.5, "worse": 0.2}) == {"good": 1, "chance": 0, "worse": 0}
    assert fusion_weights({"one": 0.5, "other": 0.4}) == {"one": 0.5, "other": 0.5}


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 50)), min_size=1, max_size=6))
def test_what_is_joined_lies_between_the_highest_weighted_score_and_their_sum(pairs):
    weights = {str(number): weight for number, (weight, _) in enumerate(pairs)}
    scores = {str(number): np.array([score]) for number, (_, score) in enumerate(pairs)}
    products = [weight * score for weight, score in pairs]
    assert max(products) - 1e-9 <= fuse(weights, scores)[0] <= sum(products) + 1e-9


@given(st.lists(st.floats(0, 50), min_size=2, max_size=6), st.floats(0, 10))
def test_more_evidence_never_lowers_what_is_joined(scores, more):
    weights = {str(number): 1 / len(scores) for number in range(len(scores))}
    lower = {str(number): np.array([score]) for number, score in enumerate(scores)}
    higher = {**lower, "0": lower["0"] + more}
    assert fuse(weights, higher)[0] >= fuse(weights, lower)[0] - 1e-9


def _held_out(draw: np.random.Generator) -> tuple[dict[str, dict[str, np.ndarray]], HeldOutScenes]:
    """Two scenes of 40 frames with 3 objects; `seen` finds the first kind, `other` the second, `noise` none."""
    frames, scenes = np.repeat(np.arange(80), 3), np.repeat(["gate", "hall"], 120)
    scores = {kind: {name: draw.exponential(1, 240) for name in NAMES} for kind in (NORMAL, "1", "2")}
    scores["1"]["seen"] += 6
    scores["2"]["other"] += 6
    return scores, HeldOutScenes.of(scenes, frames)


def test_weights_come_from_one_half_of_each_scene_and_the_auc_from_the_other():
    scores, held = _held_out(np.random.default_rng(0))
    weights, auc = weigh(scores, held.aucs(scores, NAMES, half=0), held)
    for values in scores.values():  # what the second half holds decides no weight
        for score in values.values():
            score[held.halves == 1] = 0
    assert weigh(scores, held.aucs(scores, NAMES, half=0), held)[0] == weights
    assert set(auc) == {"1", "2"}


def test_the_auc_of_a_kind_is_that_of_weights_which_did_not_know_it():
    scores, held = _held_out(np.random.default_rng(0))
    weights, auc = weigh(scores, held.aucs(scores, NAMES, half=0), held)
    assert weights["seen"] > 0.3 and weights["other"] > 0.3
    assert max(auc.values()) < 0.75, "without its own kind, the score that finds it has next to no weight"


def test_halves_of_a_scene_share_no_frame():
    _, held = _held_out(np.random.default_rng(0))
    for scene in ("gate", "hall"):
        own = held.scenes == scene
        earlier, later = (set(held.frames[own & (held.halves == half)]) for half in (0, 1))
        assert len(earlier) == len(later) == 20 and max(earlier) < min(later)
