"""The training of a whole curriculum, stage after stage."""

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from dist_vad.base.log import log
from dist_vad.curriculum.initial import initial_state
from dist_vad.curriculum.recipes import Stage, finished_state, plan
from dist_vad.curriculum.state import State
from dist_vad.settings.run import Settings
from dist_vad.training.admission.forecast import plan_lines
from dist_vad.training.trainer import train_stage


def train_curriculum(settings: Settings, accelerator: Accelerator) -> State:
    """Train every stage that has no state yet, each from its parent; returns the last state."""
    stages = plan(settings)
    if accelerator.is_main_process:
        log.info("%s", "\n".join(plan_lines(settings, stages)))
    parent = beginning(settings, stages[0], accelerator)
    for stage in stages:
        parent = finished_state(settings, stage) or train_stage(settings, stage, parent, accelerator)
    assert parent is not None, "a curriculum has at least one stage"
    return parent


def beginning(settings: Settings, first: Stage, accelerator: Accelerator) -> State | None:
    """The state with whose weights the first stage of a run begins; None: with random ones."""
    if not settings.init:
        return None
    size = first.recipe["model"]["scene_size"]
    state = broadcast_object_list([initial_state(settings, size) if accelerator.is_main_process else None])[0]
    assert state is not None, "the main process has just read it"
    return state
