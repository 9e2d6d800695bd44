"""The stages of a run and their recipes: what a state is named by, decided before anything is trained."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dist_vad.base.errors import InputError
from dist_vad.base.files import digest
from dist_vad.base.text.dotted import dotted
from dist_vad.curriculum.initial import given_state
from dist_vad.curriculum.precision import chosen_precision
from dist_vad.curriculum.stages import stages_of
from dist_vad.curriculum.state import STATE, State, read_state
from dist_vad.data.manifest import MANIFEST, Manifest
from dist_vad.data.shard_sets import shard_store
from dist_vad.data.store import Store, open_store
from dist_vad.settings.curriculum import StageSettings
from dist_vad.settings.run import Settings
from dist_vad.tasks import PARTNER, TASKS, Task, make_tasks

NAMED = {"parent": "the state of --init"}
"""What users call parts of the first stage's recipe."""


@dataclass(frozen=True)
class Stage:
    """One stage, with the key of the state that it makes.

    Example:
        for stage in plan(settings):
            print(stage.folder_name, stage.weights, stage.kinds)
    """

    name: str
    settings: StageSettings
    recipe: dict[str, Any]
    """All that decides the weights: parent, stage, model, tasks with versions, streams, data, precision, seed."""
    key: str
    """Digest of the recipe."""
    earlier: tuple[str, ...] = ()
    """The tasks of the stages before, in order."""
    partner: bool = False
    """Whether one of its tasks compares each cube with another one."""

    @property
    def weights(self) -> dict[str, float]:
        """Task -> weight of its loss: the stage's own tasks, and those that it replays."""
        return loss_weights(self.settings, self.earlier)

    @property
    def folder_name(self) -> str:
        """Name of the state's folder."""
        return f"{self.name}-{self.key[:12]}"

    @property
    def kinds(self) -> list[str]:
        """Kinds of sample that the stage's tasks learn from; PARTNER among them where one compares cubes."""
        return sorted({*(TASKS[task].kind for task in self.weights), *([PARTNER] if self.partner else [])})


def loss_weights(stage: StageSettings, earlier: tuple[str, ...]) -> dict[str, float]:
    """Task -> weight of its loss in a stage that follows on the tasks `earlier`."""
    replayed = earlier if stage.retain == "replay" else ()
    return {**stage.tasks, **{task: stage.retain_weight for task in replayed if task not in stage.tasks}}


def plan(settings: Settings) -> list[Stage]:
    """The stages in order, each with the key of its state. Raises InputError for a task unknown or without data."""
    curriculum = stages_of(settings)
    kinds = {TASKS[task].kind for stage in curriculum.values() for task in stage.tasks}
    root = open_store(settings.shards)
    manifests = {kind: _training_manifest(root, kind) for kind in sorted(kinds)}
    digests = {kind: manifest.content_digest for kind, manifest in manifests.items()}
    cubes = manifests.get("cube") or Manifest.load(shard_store(root, "cube", "train"))
    given = given_state(settings, cubes.scene_size)
    stages: list[Stage] = []
    parent = given.digest if given else ""
    learned = {*(given.tasks if given else ())}
    earlier: tuple[str, ...] = ()
    for name, stage in curriculum.items():
        tasks = loss_weights(stage, earlier)
        used = sorted({TASKS[task].kind for task in tasks})
        for task in tasks:
            _check_length(name, TASKS[task], manifests[TASKS[task].kind])
        learned |= {*tasks} if stage.steps else set()
        _check_learned(name, [task for task in tasks if task not in learned])
        made = make_tasks(tasks, settings.task)
        recipe = {
            "parent": parent,
            "stage": _recipe(stage, earlier),
            "task_versions": {task: TASKS[task].version for task in tasks},
            "task": {name: task.recipe() for name, task in made.items()},
            "model": {**dataclasses.asdict(settings.model), "scene_size": cubes.scene_size},
            "stream": dataclasses.asdict(settings.stream),
            "precision": chosen_precision(settings),
            "seed": settings.seed,
            "data": {kind: digests[kind] for kind in used},
        }
        # Only where they are used, so that what they do not touch keeps its name.
        if settings.augment != "none":
            recipe["augment"] = settings.augment
        if settings.mix:
            recipe["mix"] = {kind: _mixed_in(settings, stage.global_batch, kind) for kind in used}
        parent = digest(recipe)
        partner = any(task.wants_partner for task in made.values())
        stages.append(Stage(name, stage, recipe, parent, earlier, partner))
        earlier = tuple(dict.fromkeys([*earlier, *stage.tasks]))
    return stages


def _recipe(stage: StageSettings, earlier: tuple[str, ...]) -> dict[str, Any]:
    """The settings of a stage that decide its weights; those that came later only where they are used, so that states
    made before keep their names."""
    values = dataclasses.asdict(stage)
    if stage.retain == "none" or not earlier:
        del values["retain"], values["retain_weight"]
    for key, unused in (("ema", 0.0), ("keep", "last")):
        if values[key] == unused:
            del values[key]
    return values


def finished_state(settings: Settings, stage: Stage) -> State | None:
    """The state that a stage has made, if it is finished; a stage of the same key may have borne another name."""
    states = sorted((Path(settings.run) / "states").glob(f"*-{stage.key[:12]}/{STATE}"))
    return read_state(states[0].parent) if states else None


def shares(settings: Settings, global_batch: int, kind: str) -> list[tuple[Store, int]]:
    """The training sets of a kind, each with the samples that it gives to a global batch: `shards` gives what the
    sets of `mix` leave. Raises InputError where nothing is left."""
    stores = [(shard_store(root, kind, "train"), share) for root, share in settings.mix.items()]
    mixed = [(store, share) for store, share in stores if store.size(MANIFEST) is not None]
    rest = global_batch - sum(share for _, share in mixed)
    if rest < 1:
        listed = ", ".join(f"{root}: {share}" for root, share in settings.mix.items())
        raise InputError(
            f"mix asks for {global_batch - rest} of the {global_batch} {kind} samples of a global batch ({listed}); "
            f"allowed: together at most {global_batch - 1}, the rest comes from {settings.shards}"
        )
    return [(shard_store(settings.shards, kind, "train"), rest), *mixed]


def _mixed_in(settings: Settings, global_batch: int, kind: str) -> list[tuple[str, int]]:
    """(digest of the data, share) of each set of `mix`. Raises InputError for samples of another shape."""
    first, *others = [(Manifest.load(store), share) for store, share in shares(settings, global_batch, kind)]
    for manifest, _ in others:
        for key in ("clip_length", "size", "scene_size"):
            actual, expected = getattr(manifest, key), getattr(first[0], key)
            if actual != expected:
                raise InputError(
                    f"mix: the {kind} samples of {manifest.dataset} have {key} {actual}, those of {first[0].dataset} "
                    f"have {expected}; write one of them anew with the settings of the other"
                )
    return [(manifest.content_digest, share) for manifest, share in others]


def check_tasks(settings: Settings) -> None:
    """Refuse tasks that lack, on this machine, what they need for learning; needs no data."""
    used = dict.fromkeys(task for stage in stages_of(settings).values() for task in stage.tasks)
    for task in make_tasks(used, settings.task).values():
        task.check()


def _check_length(stage: str, task: type[Task], manifest: Manifest) -> None:
    """Refuse clips that are too short for a task."""
    if manifest.clip_length < task.shortest:
        raise InputError(
            f"stage {stage}: {task.name} needs clips of {task.shortest} frames or more, the {task.kind} samples of "
            f"{manifest.dataset} have {manifest.clip_length}; write them anew with a longer data.clip_length"
        )


def _check_learned(stage: str, unlearned: list[str]) -> None:
    """Refuse a stage of no steps whose heads nothing before it has trained."""
    if unlearned:
        raise InputError(
            f"stage {stage} has 0 steps, but nothing before it has learned {', '.join(unlearned)}; give it steps, or "
            "leave those tasks out"
        )


def _training_manifest(root: Store, kind: str) -> Manifest:
    store = shard_store(root, kind, "train")
    if store.size(MANIFEST) is None:
        tasks = ", ".join(name for name, task in TASKS.items() if task.kind == kind)
        raise InputError(
            f"no {kind} samples to train on: {store.where(MANIFEST)} does not exist, but the curriculum has tasks "
            f"that need it ({tasks}); write the shards with a data set that has them, or leave those tasks out"
        )
    return Manifest.load(store)


def last_state(settings: Settings) -> State:
    """The state of the last finished stage of the curriculum. Raises InputError where none is finished; where other
    settings have finished some, it says which ones differ."""
    stages = plan(settings)
    states = [state for stage in stages if (state := finished_state(settings, stage))]
    if not states:
        raise InputError(
            f"no finished stage of these settings under {settings.run}/states; train one first, `dist-vad train`"
            + _of_other_settings(settings, stages[0])
        )
    return states[-1]


def _of_other_settings(settings: Settings, stage: Stage) -> str:
    """How a state of the same stage that is there was trained otherwise, in words; empty where there is none."""
    for path in sorted(Path(settings.run, "states").glob(f"{stage.name}-*/{STATE}")):
        state = read_state(path.parent)
        ours, theirs = dotted(stage.recipe), dotted(state.recipe)
        other = [key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)]
        said = [f"{NAMED.get(key, key)} is {_short(ours.get(key))}, there {_short(theirs.get(key))}" for key in other]
        return f", or give the settings of one that is there; those of {state.name} differ: {'; '.join(said)}"
    return ""


def _short(value: Any) -> str:
    return "none" if value in (None, "") else str(value)[:12]


def training_needs(settings: Settings) -> list[str]:
    """The shard sets that the curriculum reads."""
    kinds = {TASKS[task].kind for stage in stages_of(settings).values() for task in stage.tasks}
    return ["cube-train", "cube-val", *(f"{kind}-train" for kind in sorted(kinds - {"cube"}))]
