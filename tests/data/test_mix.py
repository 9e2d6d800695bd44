"""Several data sets in one curriculum: fixed shares of every global batch, and a recipe that knows them."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from launching import succeed

from dist_vad.base.errors import InputError
from dist_vad.base.sealed import read_sealed, write_sealed
from dist_vad.curriculum.recipes import plan
from dist_vad.curriculum.state import read_state
from dist_vad.data.loader import Loader
from dist_vad.settings.run import Settings
from dist_vad.tasks import Inputs
from dist_vad.training.trainer import open_sources


@pytest.fixture
def other(tiny_shards, tmp_path) -> Path:
    """Another data set: the test cubes, as if they were for training; no virtual clips."""
    shutil.copytree(tiny_shards / "cube-test", tmp_path / "other/cube-train")
    return tmp_path / "other"


def mixed(settings: Settings, other: Path, share: int) -> Settings:
    return dataclasses.replace(settings, mix={str(other): share})


@pytest.mark.parametrize("share", [1, 2, 3, 4, 6, 7])
@pytest.mark.parametrize("world", [1, 2])
def test_every_global_batch_holds_each_share_at_its_positions(tiny_settings, other, share, world):
    settings = mixed(tiny_settings, other, share)
    stage = plan(settings)[0]
    sources = open_sources(settings, stage, "cube")
    if any(source.streams.count % world for source in sources):
        with pytest.raises(InputError, match="2 ranks do not divide"):
            next(Loader({"cube": sources}, 0, world, 0, 1, 1).steps(0, 1))
        return
    loaders = [Loader({"cube": sources}, rank, world, 0, 1, 1).steps(0, 4) for rank in range(world)]
    for step in range(4):
        parts = [batches["cube"] for loader in loaders for batches in next(loader)[1]]
        order = np.argsort(np.concatenate([part.positions for part in parts]))
        clips = np.concatenate([part.clips.numpy() for part in parts])[order]
        main, extra = (
            source.shards.read(source.streams.global_batch(step).ravel()).clips.numpy() for source in sources
        )
        assert (len(main), len(extra)) == (8 - share, share)
        assert np.array_equal(clips, np.concatenate([main, extra]))


def test_a_kind_that_the_other_set_lacks_comes_from_the_first_alone(tiny_settings, other):
    settings = mixed(tiny_settings, other, 4)
    (source,) = open_sources(settings, plan(settings)[2], "virtual")
    assert source.streams.count * source.streams.per_step == 8


def test_the_mix_is_part_of_the_recipe_and_no_mix_changes_nothing(tiny_settings, other):
    keys = [
        [stage.key for stage in plan(settings)]
        for settings in (tiny_settings, mixed(tiny_settings, other, 4), mixed(tiny_settings, other, 2))
    ]
    assert all(len(set(some)) == 3 for some in zip(*keys))
    assert all("mix" not in stage.recipe for stage in plan(tiny_settings))


@pytest.mark.parametrize("share", [8, 9])
def test_a_mix_that_leaves_nothing_is_refused_with_the_numbers(tiny_settings, other, share):
    with pytest.raises(InputError, match=f"mix asks for {share} of the 8 cube samples.*at most 7"):
        plan(mixed(tiny_settings, other, share))


def test_samples_of_another_shape_are_refused(tiny_settings, other):
    path = other / "cube-train/manifest.json"
    write_sealed(path, {**read_sealed(path), "size": 64})
    with pytest.raises(InputError, match="have size 64, those of plaza have 48"):
        plan(mixed(tiny_settings, other, 4))


def test_a_mix_is_trained_from_the_command_line(tiny_config, other, tmp_path):
    where = ["--config", str(tiny_config), "--run", str(tmp_path / "run"), "--phase", "perception"]
    succeed("launch/phase.py", *where, "--mix", json.dumps({str(other): 4}))
    (folder,) = (tmp_path / "run/states").iterdir()
    assert read_state(folder).recipe["mix"]["cube"][0][1] == 4


def steps_of(settings: Settings, processes: int, **changes):
    """Positions and bytes of the first steps of the third stage's sources and the first's, by kind."""
    sources = {"cube": open_sources(settings, plan(settings)[0], "cube")}
    sources["virtual"] = open_sources(settings, plan(settings)[2], "virtual")
    loader = Loader(sources, 0, 1, micro_batch=4, threads=2, prefetch=3, processes=processes)
    return [
        (
            step,
            [{kind: (b.positions.tolist(), b.clips.numpy().tobytes()) for kind, b in some.items()} for some in batches],
        )
        for step, batches in loader.steps(3, 17)
    ]


@pytest.mark.parametrize("processes", [1, 2])
def test_processes_read_what_threads_read_in_the_same_order(tiny_settings, other, processes):
    settings = mixed(tiny_settings, other, 4)
    assert steps_of(settings, processes) == steps_of(settings, 0)


def test_an_error_in_a_process_is_the_one_message(tiny_settings, tiny_shards, tmp_path):
    shutil.copytree(tiny_shards, tmp_path / "shards")
    for tar in (tmp_path / "shards/cube-train").glob("*.tar"):
        tar.write_bytes(tar.read_bytes()[:-1024])
    with pytest.raises(InputError, match=r"^shard \S+ has \d+ bytes, the manifest says \d+"):
        steps_of(dataclasses.replace(tiny_settings, shards=str(tmp_path / "shards")), 2)


@pytest.mark.slow
def test_mirrored_training_is_another_recipe_and_does_not_depend_on_micro_batches(tiny_config, tiny_settings, tmp_path):
    assert plan(dataclasses.replace(tiny_settings, augment="mirror"))[0].key != plan(tiny_settings)[0].key
    digests = set()
    for micro_batch in (2, 4):
        run = tmp_path / str(micro_batch)
        where = ["--config", str(tiny_config), "--run", str(run), "--augment", "mirror", "--phase", "perception"]
        succeed("launch/phase.py", *where, "--train.micro_batch", str(micro_batch), "--train.cpu_threads", "1")
        digests |= {round(read_state(folder).metrics["val"]["prediction"], 5) for folder in (run / "states").iterdir()}
    assert len(digests) == 1


def test_mirroring_turns_the_chosen_clips_around_and_no_others():
    clip = torch.arange(2 * 3 * 2 * 4 * 4.0).reshape(2, 3, 2, 4, 4)
    inputs = Inputs(clip, torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64))
    found = inputs.mirrored(np.array([False, True])).clip
    assert torch.equal(found[0], clip[0]) and torch.equal(found[1], clip[1].flip(-1))
