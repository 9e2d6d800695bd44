"""The stages of a run and their recipes: what a state is named by, decided before anything is trained."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dist_vad.config import Settings, StageSettings
from dist_vad.errors import InputError
from dist_vad.manifest import Manifest
from dist_vad.storage import digest
from dist_vad.tasks import TASKS


@dataclass(frozen=True)
class Stage:
    """One stage, with the key of the state that it makes."""

    name: str
    settings: StageSettings
    recipe: dict[str, Any]
    """All that decides the weights: parent, stage, model, tasks with versions, streams, data, precision, seed."""
    key: str
    """Digest of the recipe."""

    @property
    def folder_name(self) -> str:
        """Name of the state's folder."""
        return f"{self.name}-{self.key[:12]}"

    @property
    def kinds(self) -> list[str]:
        """Kinds of sample that the stage's tasks learn from."""
        return sorted({TASKS[task].kind for task in self.settings.tasks})


def shard_folder(shards: Path, kind: str, split: str) -> Path:
    """Where the shard set of a kind and a split lies."""
    return shards / f"{kind}-{split}"


def plan(settings: Settings) -> list[Stage]:
    """The stages in order, each with the key of its state. Raises InputError for a task unknown or without data."""
    check_tasks(settings)
    kinds = {TASKS[task].kind for stage in settings.curriculum.values() for task in stage.tasks}
    manifests = {kind: _training_manifest(Path(settings.shards), kind) for kind in sorted(kinds)}
    scene_size = Manifest.load(shard_folder(Path(settings.shards), "cube", "train")).scene_size
    stages: list[Stage] = []
    parent = ""
    for name, stage in settings.curriculum.items():
        used = sorted({TASKS[task].kind for task in stage.tasks})
        recipe = {
            "parent": parent,
            "name": name,
            "stage": dataclasses.asdict(stage),
            "task_versions": {task: TASKS[task].version for task in stage.tasks},
            "task": dataclasses.asdict(settings.task),
            "model": {**dataclasses.asdict(settings.model), "scene_size": scene_size},
            "stream": dataclasses.asdict(settings.stream),
            "precision": settings.train.precision,
            "seed": settings.seed,
            "data": {kind: manifests[kind].content_digest for kind in used},
        }
        parent = digest(recipe)
        stages.append(Stage(name, stage, recipe, parent))
    return stages


def check_tasks(settings: Settings) -> None:
    """Refuse a curriculum that names an unknown task; needs no data."""
    for name, stage in settings.curriculum.items():
        for task in stage.tasks:
            if task not in TASKS:
                raise InputError(f"curriculum.{name}.tasks names {task!r}; allowed: {', '.join(TASKS)}")


def _training_manifest(shards: Path, kind: str) -> Manifest:
    folder = shard_folder(shards, kind, "train")
    if not folder.is_dir():
        tasks = ", ".join(name for name, task in TASKS.items() if task.kind == kind)
        raise InputError(
            f"no {kind} samples to train on: {folder} does not exist, but the curriculum has tasks that need it "
            f"({tasks}); write the shards with a data set that has them, or leave those tasks out"
        )
    return Manifest.load(folder)
