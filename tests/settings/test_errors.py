"""Bad input ends in one message that says what was found, what was expected and what to do; and nothing is lost."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from launching import run, succeed

from dist_vad.base.errors import InputError
from dist_vad.base.sealed import read_sealed, write_sealed
from dist_vad.cli import phase
from dist_vad.curriculum.recipes import plan
from dist_vad.curriculum.state import MODEL, read_state, save_state
from dist_vad.data.manifest import Manifest, index_path, tar_path
from dist_vad.data.shardset import ShardSet


@pytest.fixture
def shards(tiny_shards, tmp_path) -> Path:
    """A copy of the training cubes, to be damaged."""
    return Path(shutil.copytree(tiny_shards / "cube-train", tmp_path / "cube-train"))


def first_tar(folder: Path) -> Path:
    return tar_path(folder, Manifest.load(folder).shards[0])


def test_a_truncated_tar_is_named_with_both_sizes(shards):
    tar = first_tar(shards)
    whole = tar.stat().st_size
    tar.write_bytes(tar.read_bytes()[: whole // 2])
    with pytest.raises(InputError, match=rf"{tar.name} has {whole // 2} bytes, the manifest says {whole}"):
        ShardSet(shards).read(np.arange(4))


@pytest.mark.parametrize("member", ["tar", "idx"])
def test_a_missing_file_is_named(shards, member):
    gone = first_tar(shards) if member == "tar" else index_path(shards, Manifest.load(shards).shards[0])
    gone.unlink()
    with pytest.raises(InputError, match=f"{gone.name} is missing"):
        ShardSet(shards).read(np.arange(4))


def test_a_flipped_byte_names_shard_and_sample(shards):
    opened = ShardSet(shards)
    tar, row = first_tar(shards), opened.index(0)[2]
    content = bytearray(tar.read_bytes())
    content[int(row["offset"][0]) + 100] ^= 1
    tar.write_bytes(content)
    with pytest.raises(InputError, match=f"{tar.name} is damaged at sample {opened.key(2)}"):
        ShardSet(shards).read(np.arange(4))


def test_a_manifest_of_another_schema_names_both_versions(shards):
    path = shards / "manifest.json"
    write_sealed(path, {**read_sealed(path), "schema": 99})
    with pytest.raises(InputError, match="schema version 99, this version of dist_vad reads 1"):
        ShardSet(shards)


def test_an_unfinished_set_is_not_read(shards):
    (shards / "manifest.json").unlink()
    with pytest.raises(InputError, match="never finished"):
        ShardSet(shards)


def test_training_on_a_damaged_set_ends_non_zero_with_the_message_and_keeps_what_is_done(
    tiny_config, tiny_shards, tmp_path
):
    run_folder, broken = tmp_path / "run", tmp_path / "shards"
    succeed("launch/phase.py", "--config", str(tiny_config), "--run", str(run_folder), "--phase", "perception")
    shutil.copytree(tiny_shards, broken)
    for tar in (broken / "cube-train").glob("*.tar"):
        tar.write_bytes(tar.read_bytes()[:-1024])
    arguments = ["--config", str(tiny_config), "--run", str(run_folder), "--shards", str(broken)]
    done = run("launch/phase.py", *arguments, "--phase", "comprehension")
    assert done.returncode != 0
    assert "the manifest says" in done.stderr and "error:" in done.stderr
    assert [read_state(folder).stage for folder in (run_folder / "states").iterdir()] == ["perception"]


def test_a_set_that_changed_since_the_run_began_is_refused(tiny_config, tiny_shards, tmp_path):
    shutil.copytree(tiny_shards, tmp_path / "shards")
    arguments = ["--config", str(tiny_config), "--run", str(tmp_path / "run"), "--shards", str(tmp_path / "shards")]
    succeed("launch/phase.py", *arguments, "--phase", "perception")
    shutil.rmtree(tmp_path / "shards/cube-train")
    shutil.copytree(tiny_shards / "cube-val", tmp_path / "shards/cube-train")
    done = run("launch/phase.py", *arguments, "--phase", "comprehension")
    assert done.returncode != 0 and "cube-train was" in done.stderr and "choose another --run" in done.stderr


@pytest.mark.parametrize(
    ("override", "named"),
    [
        (["--curriculum.perception.steps", "0"], "steps is 0; allowed: 1 or more"),
        (["--curriculum.perception.global_batch", "12"], "perception.global_batch is 12; allowed: a multiple of"),
        (["--curriculum.perception.tasks", "{puzzle: 1}"], "'puzzle'; allowed: prediction"),
        (["--train.prefetch", "0"], "train.prefetch is 0; allowed: 1 or more"),
        (["--phase", "perfection"], "'perfection'; allowed: perception, comprehension, inference"),
        (["--seed", "one"], "seed"),
        (["--sede", "1"], "--sede"),
    ],
)
def test_a_wrong_setting_is_refused_before_anything_starts(monkeypatch, capfd, tiny_config, tmp_path, override, named):
    arguments = ["phase.py", "--config", str(tiny_config), "--run", str(tmp_path / "run"), *override]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as stopped:
        phase.main()
    assert stopped.value.code == 2
    assert named in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_task_without_its_data_is_refused(tiny_settings, tmp_path, tiny_shards):
    for split in ("cube-train", "cube-val"):
        (tmp_path / split).symlink_to(tiny_shards / split)
    tiny_settings.shards = str(tmp_path)
    with pytest.raises(InputError, match="no virtual samples to train on"):
        plan(tiny_settings)


def test_a_changed_weight_is_noticed_when_a_state_is_loaded(tmp_path):
    import torch

    facts = {"key": "k", "stage": "perception", "lineage": [], "tasks": [], "recipe": {}, "metrics": {}}
    state = save_state(tmp_path / "state", {"w": torch.arange(64.0)}, **facts)
    assert torch.equal(state.load()["w"], torch.arange(64.0))
    content = bytearray((state.folder / MODEL).read_bytes())
    content[-1] ^= 1
    (state.folder / MODEL).write_bytes(content)
    with pytest.raises(InputError, match="changed or damaged"):
        read_state(state.folder).load()
