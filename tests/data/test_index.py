"""What a set's indexes say needs none of its tars."""

import shutil

import numpy as np
import pytest

from dist_vad.base.errors import InputError
from dist_vad.base.spacing import balanced
from dist_vad.data.shardset import ShardSet
from dist_vad.scoring.geometry import Geometry


def test_boxes_and_their_geometry_are_read_without_a_tar(tiny_shards, tmp_path):
    whole, folder = ShardSet(tiny_shards / "cube-train"), tmp_path / "cube-train"
    shutil.copytree(tiny_shards / "cube-train", folder, ignore=shutil.ignore_patterns("*.tar"))
    bare = ShardSet(folder)
    for number in range(len(whole.manifest.shards)):
        assert np.array_equal(whole.index(number), bare.index(number))
    assert Geometry.of(bare).calibration == Geometry.of(whole).calibration
    with pytest.raises(InputError, match="missing or empty"):
        bare.read(np.array([0]))


@pytest.mark.parametrize("count", [1, 20, 10**6])
def test_samples_are_spread_as_the_names_of_their_scenes_tell(tiny_shards, count):
    shards = ShardSet(tiny_shards / "cube-train")
    ids = np.arange(len(shards))
    assert np.array_equal(shards.spread(count), balanced(shards.scenes(ids), count))
    names = np.unique(shards.scenes(ids))
    assert len(names) > 1 and np.array_equal(names[shards.scene_numbers(ids)], shards.scenes(ids))
