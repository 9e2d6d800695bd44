"""Every configuration that the repository ships can be read, and means what its name says."""

import sys
from pathlib import Path
from typing import Any

import pytest
from launching import ROOT

from dist_vad.curriculum.stages import stages_of
from dist_vad.settings.ablation import AblationSettings
from dist_vad.settings.data import DataSettings
from dist_vad.settings.parsing import Command, parse
from dist_vad.settings.run import Settings

CONFIGS = ROOT / "configs"
FILES = sorted(path for path in CONFIGS.rglob("*.yaml") if path.parent.name != "accelerate")
READY = [CONFIGS / name for name in ("avenue", "shanghaitech", "ucf_crime", "nwpu_campus", "ubnormal", "ucsd")]


def read(monkeypatch, path: Path, *overrides: str) -> Any:
    """The settings of a file, as an entry point reads it."""
    kinds = {"data": DataSettings, "ablation": AblationSettings}
    kind = (
        Settings if path.stem == "plaza" and path.parent.name == "ablation" else kinds.get(path.parent.name, Settings)
    )
    monkeypatch.setattr(sys, "argv", ["test", "--config", str(path), *overrides])
    return parse(Command(kind, "", path))[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_every_configuration_can_be_read(monkeypatch, path):
    settings = read(monkeypatch, path)
    if isinstance(settings, Settings):
        assert stages_of(settings)


# ucsd's were chosen for a CPU, stage by stage (docs/EXPERIMENTS.md).
@pytest.mark.parametrize("folder", [path for path in READY if path.name != "ucsd"], ids=lambda path: path.name)
def test_both_models_of_a_data_set_share_everything_but_the_curriculum(monkeypatch, folder):
    base, sota = (
        read(monkeypatch, folder / f"model_{name}.yaml", "--data.root", "/elsewhere") for name in ("base", "sota")
    )
    assert (base.curriculum, sota.curriculum) == ("pre > sr > virtual", "pre > rec > jig > virtual")
    for key in ("shards", "data", "stream", "model", "stage"):
        assert getattr(base, key) == getattr(sota, key), key
    assert base.data.root == "/elsewhere" and base.run != sota.run


def test_a_table_runs_on_another_base(monkeypatch):
    other = str(CONFIGS / "shanghaitech/model_base.yaml")
    table = read(monkeypatch, CONFIGS / "ablation/table3.yaml", "--base", other, "--base.stage.steps", "7")
    assert table.base.data.dataset == "shanghaitech" and table.base.stage.steps == 7 and len(table.rows) == 13
