"""What is measured while a stage trains: on held-out video, of every kind of which some is held out."""

import dataclasses
import math

import pytest
from accelerate import Accelerator

from dist_vad.curriculum.recipes import plan
from dist_vad.curriculum.stages import stages_of
from dist_vad.datasets import open_virtual
from dist_vad.producer.job import WriteOptions, write_shards
from dist_vad.settings.data import DataSettings, PlazaSettings
from dist_vad.settings.run import Settings
from dist_vad.training.trainer import train_stage
from dist_vad.training.validation import Validation


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Shard sets with a few held-out virtual videos."""
    folder = tmp_path_factory.mktemp("held") / "shards"
    plaza = PlazaSettings(train_videos=4, test_videos=2, virtual_videos=40, frames=60)
    data = DataSettings(plaza=plaza, train_stride=3, virtual_stride=12, virtual_size=48)
    write_shards(data, folder, WriteOptions(progress=False))
    return folder


def measured(settings: Settings, run, shards, tasks: dict[str, float], keep: str = "last") -> dict[str, float]:
    whole = stages_of(settings)["inference"]
    stage = dataclasses.replace(whole, tasks=tasks, steps=2, validate_every=1, keep=keep)  # pyright: ignore
    settings.run, settings.shards, settings.curriculum = str(run), str(shards), {"only": stage}
    return train_stage(settings, plan(settings)[0], None, Accelerator(cpu=True)).metrics["val"]


def test_virtual_is_measured_on_virtual_video_from_which_nothing_is_learned(tiny_settings, shards, tmp_path):
    figures = measured(tiny_settings, tmp_path, shards, {"virtual": 1.0, "prediction": 1.0})
    assert 0 <= figures["virtual: accuracy"] <= 1 and math.isfinite(figures["virtual"])
    assert "prediction" in figures


def test_without_held_out_virtual_video_the_other_tasks_are_measured(tiny_settings, tiny_shards, tmp_path):
    assert [*measured(tiny_settings, tmp_path, tiny_shards, {"virtual": 1.0, "prediction": 1.0})] == ["prediction"]


@pytest.mark.parametrize("held", [True, False])
def test_the_best_weights_of_virtual_alone_are_chosen_by_held_out_virtual_video_or_not_at_all(
    tiny_settings, shards, tiny_shards, tmp_path, monkeypatch, held
):
    totals: list[float] = []
    total = Validation.total
    monkeypatch.setattr(Validation, "total", lambda *given: totals.append(total(*given)) or totals[-1])
    figures = measured(tiny_settings, tmp_path, shards if held else tiny_shards, {"virtual": 1.0}, "best")
    assert [math.isfinite(value) for value in totals] == [held, held]
    assert bool(figures) is held


@pytest.mark.parametrize("videos", [2, 19, 20, 41, 240])
def test_a_tenth_as_many_virtual_videos_are_held_out_half_of_them_anomalous_and_none_is_learned_from(videos):
    data = DataSettings(plaza=PlazaSettings(virtual_videos=videos))
    learned, held = open_virtual(data), open_virtual(data, held_out=True)
    assert len(held) == videos // 20 * 2
    assert not {video.name for video in learned} & {video.name for video in held}
    assert sum(bool(video.labels["virtual"]) for video in held) * 2 == len(held)
