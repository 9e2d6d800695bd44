"""`dist-vad plan`: what it says of a run, beside what the run's loaders then read."""

import re

import pytest
from launching import called

from dist_vad.cli.plan import main
from dist_vad.curriculum.recipes import plan
from dist_vad.data.loader import Loader
from dist_vad.data.shardset import ShardSet
from dist_vad.training.batches import open_sources


def rows(out: str, stage: str) -> dict[int, list[str]]:
    """Ranks -> the columns after it, of the table of a stage."""
    table = out.split(f"\n{stage}, cube of ")[1].split("\n\n")[0]
    return {int(row.split()[0]): re.split(r"  +", row.strip())[1:] for row in table.splitlines()[3:]}


def test_ucf_crime_is_planned_without_a_shard_and_more_ranks_read_less_each(monkeypatch, capfd):
    arguments = ["--dataset", "ucf_crime", "--ranks", "8", "--rate", "100", "--data.train_stride", "30"]
    arguments += ["--curriculum.perception.steps", "60", "--stage.steps", "40"]
    status, out, _ = called(main, monkeypatch, capfd, *arguments)
    assert status == 0 and "1,785,000 samples in 4,080 shards" in out
    table = rows(out, "perception")
    assert list(table) == [1, 2, 4, 8]
    cubes = [int(columns[0].replace(",", "")) for columns in table.values()]
    assert [cubes[0] // ranks for ranks in table] == cubes


def test_a_rank_opens_as_many_shards_as_the_plan_says(tiny_config, tiny_settings, monkeypatch, capfd):
    arguments = ["--config", str(tiny_config), "--ranks", "2"]
    status, out, _ = called(main, monkeypatch, capfd, *arguments)
    assert status == 0
    stage = plan(tiny_settings)[0]
    opened: set[int] = set()
    original = ShardSet._open_shard
    monkeypatch.setattr(ShardSet, "_open_shard", lambda self, shard: opened.add(shard) or original(self, shard))
    sources = {"cube": open_sources(tiny_settings, stage, "cube")}
    for step in range(stage.settings.steps):
        Loader(sources, 0, 1, 0, threads=1, prefetch=1).read(step)
    planned = rows(out, stage.name)[1]
    assert planned[1] == f"{len(opened):,} to {len(opened):,}"
    assert int(planned[0].replace(",", "")) == stage.settings.steps * stage.settings.global_batch


@pytest.mark.parametrize(("option", "value"), [("--dataset", "moon"), ("--ranks", "0")])
def test_what_cannot_be_planned_is_refused_by_name(monkeypatch, capfd, option, value):
    status, _, error = called(main, monkeypatch, capfd, option, value)
    assert status == 2 and value in error and "allowed" in error
