"""Velocity: how cubes move, measured in their own size, without any network."""

import numpy as np
import pytest

from dist_vad.data.shardset import ShardSet
from dist_vad.scoring.geometry import features_of, places
from dist_vad.scoring.measuring import measure
from dist_vad.scoring.velocity import DIRECTIONS, OFFSET, VELOCITY, OpticalFlow, Velocity, flow_features


def sliding(speed: float, direction: float, size: int = 48) -> np.ndarray:
    """A textured cube that moves by `speed` pixels a frame: uint8 [1, 9, size, size, 3]."""
    y, x = np.mgrid[:size, :size].astype(float)
    frames = []
    for step in range(-4, 5):
        dx, dy = step * speed * np.cos(direction), step * speed * np.sin(direction)
        wave = np.sin((x - dx) / 3.1) * np.cos((y - dy) / 2.7) + np.sin((x - dx + y - dy) / 5.3)
        frames.append(np.repeat((127 + 50 * wave)[..., None], 3, axis=2))
    return np.stack(frames)[None].round().astype(np.uint8)


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_speed_is_in_sizes_of_the_cube_a_frame(speed):
    mean = np.exp(flow_features(sliding(speed, 0.3))[0, DIRECTIONS]) - OFFSET
    assert 0.7 * speed / 48 < mean < 1.2 * speed / 48


def test_opposite_directions_fill_opposite_parts_of_the_histogram():
    one, other = (flow_features(sliding(2.0, angle))[0, :DIRECTIONS] for angle in (0.4, 0.4 + np.pi))
    assert (one.argmax() - other.argmax()) % DIRECTIONS == DIRECTIONS // 2


def test_a_frozen_cube_does_not_move():
    assert np.allclose(flow_features(np.repeat(sliding(0, 0)[:, :1], 9, axis=1)), np.log(OFFSET), atol=0.05)


def test_what_moves_faster_than_all_that_is_normal_scores_higher(tiny_shards):
    train = ShardSet(tiny_shards / "cube-train")
    ids = np.arange(len(train))
    flow = measure([OpticalFlow()], train, ids, 16)[0][""][VELOCITY]
    velocity = Velocity.of(flow, train.scenes(ids), train.folds(ids), places(features_of(train, ids)))
    scene = str(train.scenes(ids[:1])[0])
    normal = velocity.scores(flow.values[train.scenes(ids) == scene].astype(float), scene)
    fast = velocity.scores(flow_features(sliding(8.0, 0.0)).astype(float), scene)
    assert fast[0] > np.quantile(normal, 0.9)
