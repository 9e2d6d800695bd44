"""A state that scores though nothing was learned: its weights are as they are drawn, so it costs no training."""

from pathlib import Path

from dist_vad.base.sealed import write_sealed
from dist_vad.curriculum.state import State, save_state
from dist_vad.data.manifest import Manifest
from dist_vad.settings.curriculum import StageSettings
from dist_vad.settings.data import DataSettings
from dist_vad.settings.model import ModelSettings
from dist_vad.settings.provenance import provenance
from dist_vad.settings.run import Settings
from dist_vad.settings.score import ScoreSettings
from dist_vad.settings.stream import StreamSettings
from dist_vad.tasks import make_tasks
from dist_vad.tasks.network import build_network


def untrained_state(run: Path, sets: Path, data: DataSettings) -> State:
    """A state of the task `prediction`, in the folder of a run over some shard sets."""
    settings = Settings(
        run=str(run), shards=str(sets), data=data, model=ModelSettings(width=4, embedding=16),
        stream=StreamSettings(streams=8), score=ScoreSettings(batch=4, calibration=16, refit=0),
        curriculum={"perception": StageSettings(tasks={"prediction": 1.0}, global_batch=8, steps=2)},
    )  # fmt: skip
    tasks = make_tasks({"prediction": 1.0}, settings.task)
    size = Manifest.load(sets / "cube-train").scene_size
    network = build_network(tasks.values(), width=4, embedding=16, scene_size=size, seed=0)
    facts = {"key": "k", "stage": "perception", "lineage": [], "tasks": [*tasks], "recipe": {}, "metrics": {}}
    write_sealed(run / "run.json", provenance(settings))
    return save_state(run / "states/perception-1", dict(network.state_dict()), **facts)
