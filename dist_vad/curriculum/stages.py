"""A curriculum's stages by name, whichever way it is written: as one line, or with all settings of each stage."""

import dataclasses

from dist_vad.base.errors import InputError
from dist_vad.model import PHASES
from dist_vad.settings.curriculum import LearningSettings, StageSettings
from dist_vad.settings.curriculum_line import split_line
from dist_vad.settings.run import Settings
from dist_vad.tasks import TASKS


def stages_of(settings: Settings) -> dict[str, StageSettings]:
    """The curriculum's stages by name, whichever way it is written; needs no data.

    In a line a stage is named by its tasks alone, so that it has the same name in every curriculum. Tasks come in the
    order of `TASKS`: how a stage was written does not change in which order losses are added up.
    Raises InputError for a task that is not known, and for what `stages` may not set.
    """
    if isinstance(settings.curriculum, dict):
        return {
            name: dataclasses.replace(stage, tasks=_known(stage.tasks, f"curriculum.{name}.tasks"))
            for name, stage in settings.curriculum.items()
        }
    changes = {_name_of(key): key for key in settings.stages}
    stages: dict[str, StageSettings] = {}
    for named in split_line(settings.curriculum):
        tasks = _known(named, "curriculum")
        name = stage_name(tasks)
        own = settings.stages[changes[name]] if name in changes else {}
        stage = _changed(StageSettings(tasks=tasks, **dataclasses.asdict(settings.stage)), own, name)
        if not (stage.steps or settings.init):
            raise InputError(f"stages.{name}.steps is 0; allowed: 1 or more; 0 only with init")
        before = sum(other.tasks.keys() == tasks.keys() for other in stages.values())
        stages[name + before * "_again"] = stage
    absent = [key for name, key in changes.items() if name not in stages]
    if absent:
        raise InputError(f"stages names {absent[0]!r}, a stage that is not there; allowed: {', '.join(stages)}")
    return stages


def remarks(stages: dict[str, StageSettings]) -> list[str]:
    """What is unusual about a curriculum, though allowed: a phase after a later one."""
    lines, learned, latest = [], set(), 0
    for name, stage in stages.items():
        new = {task: PHASES.index(TASKS[task].phase) for task in stage.tasks if task not in learned}
        early = [task for task, phase in new.items() if phase < latest]
        if early:
            lines.append(
                f"{name}: {' and '.join(early)} ({TASKS[early[0]].phase}) comes after {PHASES[latest]}; the usual "
                f"order is {', '.join(PHASES)}"
            )
        latest = max([latest, *new.values()])
        learned |= set(stage.tasks)
    return lines


def short(task: str) -> str:
    """A task's name in a line."""
    return TASKS[task].alias


def stage_name(tasks: dict[str, float]) -> str:
    """What a stage is called that learns these tasks."""
    return next(iter(tasks)) if len(tasks) == 1 else "+".join(short(task) for task in tasks)


def _name_of(key: str) -> str:
    """The name of a stage as `stages` names it: by its tasks, in full or in short."""
    return stage_name(_known(dict.fromkeys((task.strip() for task in key.split("+")), 1.0), "stages"))


def _known(named: dict[str, float], key: str) -> dict[str, float]:
    """Tasks, named in full or in short, in the order of TASKS. Raises InputError for an unknown one."""
    aliases = {short(name): name for name in TASKS}
    unknown = [name for name in named if name not in TASKS and name not in aliases]
    if unknown:
        allowed = ", ".join(name if name == alias else f"{name} ({alias})" for alias, name in aliases.items())
        raise InputError(f"{key} names {unknown[0]!r}; allowed: {allowed}")
    twice = [name for name in named if name in aliases and name not in TASKS and aliases[name] in named]
    if twice:
        raise InputError(f"{key} names {twice[0]!r} and {aliases[twice[0]]!r}, one task; allowed: each once in a stage")
    full = {aliases.get(name, name): weight for name, weight in named.items()}
    return {task: full[task] for task in TASKS if task in full}


def _changed(stage: StageSettings, changes: dict[str, int | float | str], name: str) -> StageSettings:
    """A stage with the settings that `stages` gives it. Raises InputError for a wrong name or type."""
    for key, value in changes.items():
        allowed = [field.name for field in dataclasses.fields(LearningSettings)]
        if key not in allowed:
            raise InputError(f"stages.{name} sets {key!r}; allowed: {', '.join(allowed)}")
        wanted = type(getattr(stage, key))
        if not isinstance(value, (int, float) if wanted is float else wanted):
            raise InputError(f"stages.{name}.{key} is {value!r}; allowed: {wanted.__name__}")
    try:
        return dataclasses.replace(stage, **changes)  # pyright: ignore[reportArgumentType]
    except ValueError as error:
        raise InputError(f"stages.{name}.{error}") from error
