"""Train the whole curriculum, stage after stage. Started again, it skips what is done and goes on where it stopped.

accelerate launch launch/progressive.py [--config FILE] [--dotted.overrides ...]
"""

from accelerate import Accelerator

from dist_vad.commandline import parse
from dist_vad.config import Settings
from dist_vad.curriculum import finished_state, plan
from dist_vad.errors import entry_point
from dist_vad.state import State
from dist_vad.trainer import train_stage
from launch.plan import plan_lines
from launch.session import DEFAULT_CONFIG, open_run, training_needs


def train_curriculum(settings: Settings, accelerator: Accelerator) -> State:
    """Train every stage that has no state yet, each from its parent; returns the last state."""
    stages = plan(settings)
    accelerator.print("\n".join(plan_lines(settings, stages)), flush=True)
    parent = None
    for stage in stages:
        parent = finished_state(settings, stage) or train_stage(settings, stage, parent, accelerator)
    assert parent is not None, "a curriculum has at least one stage"
    return parent


@entry_point
def main() -> None:
    settings, _ = parse(Settings, "Train the whole curriculum.", DEFAULT_CONFIG)
    accelerator = open_run(settings, training_needs(settings))
    state = train_curriculum(settings, accelerator)
    accelerator.print(f"state: {state.folder}")
    accelerator.end_training()


if __name__ == "__main__":
    main()
