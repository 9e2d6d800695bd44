"""Geometry: boxes that are larger or faster than is normal at their place score higher, whatever the frame rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.base.boxes import matches, overlaps
from dist_vad.data.shardset import ShardSet
from dist_vad.scoring.geometry import (
    HEIGHT,
    SPEED,
    WIDTH,
    Geometry,
    box_features,
    box_places,
    features_of,
    places,
    speeds,
)
from dist_vad.scoring.synthetic_anomalies import synthetic_anomalies


def walk(speed: float, stride: int, count: int = 12, start: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Sampled frames and boxes of something 20 pixels wide that moves to the right."""
    frames = stride * np.arange(count)
    left = start + speed * frames
    return frames, np.stack([left, np.full(count, 50.0), left + 20, np.full(count, 90.0)], axis=1)


@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("speed", [0.0, 1.5, 2.5])
def test_speed_is_in_pixels_a_frame_at_every_stride(speed, stride):
    frames, boxes = walk(speed, stride)
    np.testing.assert_allclose(speeds(frames, boxes, stride, reach=4), speed)


def test_two_that_walk_apart_keep_their_own_speeds():
    (frames, slow), (_, fast) = walk(1.0, 2), walk(3.0, 2, start=300.0)
    both = np.stack([slow, fast], axis=1).reshape(-1, 4)
    measured = speeds(np.repeat(frames, 2), both, 2, reach=4)
    np.testing.assert_allclose(measured, np.tile([1.0, 3.0], len(frames)))


def test_what_is_seen_only_once_has_the_median_speed():
    frames, boxes = walk(2.0, 2)
    alone = np.array([[500.0, 0.0, 520.0, 40.0]])
    measured = speeds(np.append(frames, frames[-1]), np.concatenate([boxes, alone]), 2, reach=4)
    assert measured[-1] == 2.0 and np.isfinite(measured).all()


@given(st.integers(0, 2**32 - 1))
def test_matches_are_one_to_one_and_overlap(seed):
    draw = np.random.default_rng(seed)
    low = draw.uniform(0, 60, (7, 2))
    boxes = np.concatenate([low, low + draw.uniform(1, 40, (7, 2))], axis=1)
    others = boxes[draw.permutation(7)[:5]] + draw.normal(0, 3, (5, 1))
    matched = matches(boxes, others)
    assert len(set(matched.values())) == len(matched) <= 5
    assert all(overlaps(boxes[row], others[column]) >= 0.3 for row, column in matched.items())
    np.testing.assert_allclose(overlaps(boxes, boxes), 1)


@given(st.integers(0, 2**32 - 1))
def test_the_place_of_a_box_does_not_depend_on_its_speed(seed):
    draw = np.random.default_rng(seed)
    low = draw.uniform(0, 600, (5, 2)).astype(np.float32)
    boxes = np.concatenate([low, low + draw.uniform(0, 90, (5, 2)).astype(np.float32)], axis=1)
    known = box_features(boxes.astype(np.float64), draw.uniform(0, 9, 5))
    assert np.array_equal(places(known), box_places([*boxes])) and box_places([]).shape == (0, 3)


def test_wider_and_faster_boxes_score_higher(tiny_shards):
    train, val = (ShardSet(tiny_shards / f"cube-{split}") for split in ("train", "val"))
    geometry, ids = Geometry.of(train), np.arange(len(val))
    boxes, scenes = features_of(val), val.scenes(ids)
    normal = geometry.anomaly_scores(boxes, scenes, places(boxes))
    for column, change in ((WIDTH, np.log(4)), (SPEED, 40.0)):
        changed = boxes.copy()
        changed[:, column] += change
        assert np.mean(geometry.anomaly_scores(changed, scenes, places(changed)) > normal) > 0.95
    assert np.mean(normal >= 2) < 0.1, "2 = one normal box in a hundred"


def test_features_of_some_boxes_are_theirs_among_all_and_of_other_videos_nothing_is_read(tiny_shards, monkeypatch):
    shards = ShardSet(tiny_shards / "cube-train")
    every, last = features_of(shards), shards.manifest.shards[-1].video
    assert len(every) == len(shards)
    others = [number for number, shard in enumerate(shards.manifest.shards) if shard.video != last]
    ids, read = np.arange(0, shards.starts[others[-1] + 1], 7), []
    whole = shards.index
    monkeypatch.setattr(shards, "index", lambda number: read.append(number) or whole(number))
    assert np.array_equal(features_of(shards, ids), every[ids])
    assert read == others


def test_a_synthetic_anomaly_changes_width_and_speed_alone_and_one_that_is_turned_swaps_its_sides():
    normal = np.random.default_rng(0).uniform(1, 5, (40, 5))
    kinds = synthetic_anomalies(np.eye(2, 4, dtype=np.float32)).values()
    assert any(kind.turned for kind in kinds)
    for kind in kinds:
        boxes = normal[:, [0, 1, HEIGHT, WIDTH, SPEED]] if kind.turned else normal
        changed = kind.boxes(normal, np.arange(40))
        kept = [column for column in range(5) if column not in (WIDTH, SPEED)]
        assert np.array_equal(changed[:, kept], boxes[:, kept])
        wider, faster = np.exp(changed[:, WIDTH] - boxes[:, WIDTH]), changed[:, SPEED] / boxes[:, SPEED]
        for factor, (low, high) in ((wider, kind.wider), (faster, kind.faster)):
            assert (factor >= low - 1e-9).all() and (factor <= high + 1e-9).all()
