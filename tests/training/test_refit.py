"""Heads fitted on a frozen backbone: what is fitted, and in which precision."""

import dataclasses
from typing import Literal

import pytest
import torch
from accelerate import Accelerator

from dist_vad.curriculum.heads import UNTRAINED, Asked, read_fitted
from dist_vad.data.manifest import Manifest
from dist_vad.data.shard_sets import shard_store
from dist_vad.settings.run import Settings
from dist_vad.settings.score import ScoreSettings
from dist_vad.settings.train import TrainSettings
from dist_vad.tasks.network import network_of
from dist_vad.training.refit import fit, fit_heads

TASKS = ("prediction", "semantic_reconstruction")
UNTRAINED_NETWORK = Asked(UNTRAINED, None, TASKS, ())


@pytest.fixture
def refit(tiny_settings: Settings, tmp_path) -> Settings:
    tiny_settings.run, tiny_settings.score = str(tmp_path), ScoreSettings(batch=16, calibration=64, refit=3)
    return tiny_settings


def in_precision(settings: Settings, precision: Literal["no", "tf32", "bf16"]) -> Settings:
    return dataclasses.replace(settings, train=TrainSettings(precision=precision, tracker="none"))


def test_the_backbone_stays_and_every_head_moves(refit):
    scene_size = Manifest.load(shard_store(refit.shards, "cube", "train")).scene_size
    before = network_of(refit, TASKS, {}, (), scene_size).state_dict()
    fitted = fit(refit, UNTRAINED_NETWORK, torch.device("cpu"))
    moved = {name for name, tensor in before.items() if not torch.equal(tensor, fitted[name])}
    assert not any(name.startswith("backbone") for name in moved)
    assert {name.split(".")[1] for name in moved} == {"perception", "comprehension"}


def test_heads_are_fitted_in_bf16_where_the_run_is_and_are_nearly_those_of_fp32(refit):
    fp32, bf16 = (fit(in_precision(refit, name), UNTRAINED_NETWORK, torch.device("cpu")) for name in ("no", "bf16"))
    apart = {name: float((fp32[name] - bf16[name]).abs().max()) for name in fp32}
    assert 0 < max(apart.values()) < 0.02  # three steps of the rate are 0.006


def test_heads_of_another_precision_are_other_heads(refit):
    paths = {name: UNTRAINED_NETWORK.path(in_precision(refit, name)) for name in ("no", "tf32", "bf16")}
    assert paths["no"] == paths["tf32"] != paths["bf16"]


def test_what_is_kept_is_not_fitted_again(refit):
    fit_heads(refit, [UNTRAINED_NETWORK], Accelerator(cpu=True))
    path = UNTRAINED_NETWORK.path(refit)
    kept, first = path.stat().st_mtime_ns, read_fitted(path)
    fit_heads(refit, [UNTRAINED_NETWORK], Accelerator(cpu=True))
    assert path.stat().st_mtime_ns == kept and first.keys() == read_fitted(path).keys()
