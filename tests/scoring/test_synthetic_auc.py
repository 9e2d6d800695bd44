"""Validation AUC: synthetic anomalies count as they would in a real frame, beside all that is normal there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from dist_vad.data.shardset import ShardSet
from dist_vad.scoring.synthetic_auc import frame_auc, held_out


@given(st.integers(0, 2**32 - 1))
def test_frame_auc_is_that_of_frames_with_one_object_changed(seed):
    draw = np.random.default_rng(seed)
    frames = np.sort(np.concatenate([np.arange(6), draw.integers(0, 6, 15)]))
    frames = draw.permutation(frames)
    normal, synthetic = draw.normal(0, 1, (2, len(frames)))
    plain = [normal[frames == frame].max() for frame in range(6)]
    changed = []
    for i, frame in enumerate(frames):
        scores = normal.copy()
        scores[i] = synthetic[i]
        changed.append(scores[frames == frame].max())
    expected = roc_auc_score([0] * 6 + [1] * len(frames), plain + changed)
    assert np.isclose(frame_auc(normal, synthetic, frames), expected)


def test_a_score_that_is_high_for_one_normal_object_of_every_frame_fails():
    frames = np.repeat(np.arange(20), 5)
    normal = np.where(np.arange(100) % 5 == 0, 9.0, 0.0)
    assert frame_auc(normal, np.full(100, 5.0), frames) <= 0.5
    assert frame_auc(np.zeros(100), np.full(100, 5.0), frames) == 1.0


def test_held_out_frames_are_whole(tiny_shards):
    val = ShardSet(tiny_shards / "cube-val")
    every = held_out(val, 10**6)
    assert np.array_equal(every.ids, np.arange(len(val)))
    third = held_out(val, len(val) // 3)
    assert 0 < len(third.ids) < len(val) // 2
    for frame in np.unique(third.frames):
        mine = third.ids[third.frames == frame]
        whole = every.ids[every.frames == every.frames[mine[0]]]
        assert np.array_equal(mine, whole)
