"""Fixtures that several tests share."""

import json
import os
from pathlib import Path

# Tests run side by side: on more threads than cores, those of one would wait for those of another.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import pytest
from launching import succeed
from miniature import QUIET
from s3_fixtures import environment, prefix, proxy, server, small_dataset, small_sets, url, written
from tiny_clip import make_tiny_clip

from dist_vad.producer.job import write_shards
from dist_vad.settings.curriculum import StageSettings
from dist_vad.settings.data import DataSettings, PlazaSettings
from dist_vad.settings.model import ModelSettings
from dist_vad.settings.run import Settings
from dist_vad.settings.stream import StreamSettings
from dist_vad.settings.task import TaskSettings

__all__ = ("environment", "prefix", "proxy", "server", "small_dataset", "small_sets", "url", "written")

# How long an example takes says how busy the machine is, nothing else.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real data and annotations, which do not belong to the repository."""
    default = Path(__file__).resolve().parents[2] / "shared"
    folder = Path(os.environ.get("DIST_VAD_SHARED", default))
    if not (folder / "data").is_dir():
        pytest.skip(f"needs the shared data folder: {folder}/data does not exist, DIST_VAD_SHARED names another one")
    return folder


@pytest.fixture(scope="session")
def task_settings(tmp_path_factory) -> TaskSettings:
    """Settings with which every task can be learned: CLIP is a tiny one."""
    return TaskSettings(**make_tiny_clip(tmp_path_factory.mktemp("clip")))


@pytest.fixture(scope="session")
def tiny_shards(tmp_path_factory) -> Path:
    """Shard sets of a very small plaza: cubes of three splits, and virtual clips."""
    out = tmp_path_factory.mktemp("tiny") / "shards"
    plaza = PlazaSettings(train_videos=4, test_videos=3, virtual_videos=8, frames=60)
    settings = DataSettings(plaza=plaza, train_stride=3, test_stride=4, virtual_stride=3, virtual_size=48)
    write_shards(settings, out, QUIET)
    return out


@pytest.fixture(scope="session")
def tiny_config(tiny_shards) -> Path:
    """A configuration that trains all three stages on it in seconds."""
    batch = {"global_batch": 8, "learning_rate": 1e-3, "validate_every": 6}
    curriculum = {
        "perception": {"tasks": {"prediction": 1}, "steps": 10, **batch},
        "comprehension": {"tasks": {"semantic_reconstruction": 1, "prediction": 0.5}, "steps": 16, **batch},
        "inference": {"tasks": {"virtual": 1}, "steps": 6, **batch},
    }
    settings = {
        "shards": str(tiny_shards),
        "stream": {"streams": 8},
        "model": {"width": 4, "embedding": 16},
        "curriculum": curriculum,
        "score": {"batch": 16, "calibration": 64, "refit": 3},
    }
    path = tiny_shards.parent / "tiny.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    return path


@pytest.fixture(scope="session")
def tiny_run(tiny_config, tmp_path_factory) -> Path:
    """The folder of a run that has trained all three stages of it."""
    folder = tmp_path_factory.mktemp("tiny_run") / "run"
    succeed("launch/progressive.py", "--config", str(tiny_config), "--run", str(folder))
    return folder


@pytest.fixture
def tiny_settings(tiny_config) -> Settings:
    """The same configuration as an object."""
    values = json.loads(tiny_config.read_text())
    return Settings(
        shards=values["shards"],
        stream=StreamSettings(**values["stream"]),
        model=ModelSettings(**values["model"]),
        curriculum={name: StageSettings(**stage) for name, stage in values["curriculum"].items()},
    )
