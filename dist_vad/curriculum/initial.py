"""The state with which the first stage of a run begins, where it does not begin with random weights."""

import dataclasses
from pathlib import Path

from dist_vad.base.errors import InputError
from dist_vad.curriculum.state import STATE, State, read_state, save_state
from dist_vad.settings.run import Settings

PRIOR = "prior"
"""The name of the state that comes with the project, trained on generated video alone (`make prior`)."""
SHIPPED = Path(__file__).resolve().parents[1] / PRIOR
INITIAL = "init"
"""Stage of the copy that a run keeps of it."""


def given_state(settings: Settings, scene_size: int | None = None) -> State | None:
    """The state that `init` names; None where a run begins with random weights.

    Args:
        scene_size: length of f_scene in the training cubes; None while it is not known.

    Raises InputError where there is no state, or one of a network of another size.
    """
    if not settings.init:
        return None
    folder = SHIPPED if settings.init == PRIOR else Path(settings.init)
    copies = sorted(_states(settings).glob(f"{INITIAL}-*"))
    if not (folder / STATE).is_file() and len(copies) == 1:  # a run that has moved, or whose beginning has gone
        folder = copies[0]
    state = read_state(folder)
    theirs, ours = state.recipe["model"], {**dataclasses.asdict(settings.model), "scene_size": scene_size}
    known = [key for key in ours if ours[key] is not None]
    other = [f"{key} is {ours[key]}, there {theirs.get(key)}" for key in known if ours[key] != theirs.get(key)]
    if other:
        raise InputError(
            f"init is {settings.init}, a state of another network: {'; '.join(other)}; give the same --model.width, "
            "--model.embedding and --data.scene_grid, or leave --init out"
        )
    return state


def initial_state(settings: Settings, scene_size: int) -> State | None:
    """The run's own copy of what `given_state` gives, made where it is missing: a run needs nothing from elsewhere."""
    given = given_state(settings, scene_size)
    if given is None:
        return None
    folder = _states(settings) / f"{INITIAL}-{given.digest[:12]}"
    if (folder / STATE).is_file():
        return read_state(folder)
    facts = {"key": given.digest, "stage": INITIAL, "lineage": [], "tasks": given.tasks, "recipe": given.recipe}
    return save_state(folder, given.load(), **facts, metrics=given.metrics)


def _states(settings: Settings) -> Path:
    return Path(settings.run) / "states"
