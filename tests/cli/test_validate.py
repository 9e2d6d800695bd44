"""launch/validate.py: what a model is chosen by needs no test video."""

import shutil

from launching import succeed


def test_a_model_can_be_chosen_without_a_test_set(tiny_config, tiny_shards, tmp_path):
    shards = tmp_path / "shards"
    for name in ("cube-train", "cube-val", "virtual-train"):
        shutil.copytree(tiny_shards / name, shards / name)
    arguments = ["--config", str(tiny_config), "--run", str(tmp_path / "run"), "--shards", str(shards)]
    succeed("launch/progressive.py", *arguments)
    printed = succeed("launch/validate.py", *arguments)
    for name in ("untrained: ", "perception: ", "comprehension: ", "inference: ", "combined", "hasty"):
        assert name in printed
    assert not (shards / "cube-test").exists()
