"""The training of a whole curriculum, stage after stage."""

from accelerate import Accelerator

from dist_vad.base.log import log
from dist_vad.curriculum.recipes import finished_state, plan
from dist_vad.curriculum.state import State
from dist_vad.settings.run import Settings
from dist_vad.training.admission.forecast import plan_lines
from dist_vad.training.trainer import train_stage


def train_curriculum(settings: Settings, accelerator: Accelerator) -> State:
    """Train every stage that has no state yet, each from its parent; returns the last state."""
    stages = plan(settings)
    if accelerator.is_main_process:
        log.info("%s", "\n".join(plan_lines(settings, stages)))
    parent = None
    for stage in stages:
        parent = finished_state(settings, stage) or train_stage(settings, stage, parent, accelerator)
    assert parent is not None, "a curriculum has at least one stage"
    return parent
