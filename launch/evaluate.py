"""Score the test video by a state and all its ancestors: table, metrics.json and report.html.

    accelerate launch launch/evaluate.py [--config FILE] [--state DIR] [--dotted.overrides ...]
"""

from pathlib import Path

from dist_vad.commandline import Option, parse
from dist_vad.config import Settings
from dist_vad.curriculum import plan
from dist_vad.errors import InputError, entry_point
from dist_vad.state import State, read_state
from launch.session import DEFAULT_CONFIG, finished_state, open_run, training_needs

STATE = Option("state", str | None, None, "folder of the state to evaluate; without it, the run's last finished one")


def last_state(settings: Settings) -> State:
    """The state of the last finished stage of the curriculum."""
    states = [state for stage in plan(settings) if (state := finished_state(settings, stage))]
    if not states:
        raise InputError(f"no finished stage under {settings.run}/states; train one first: launch/progressive.py")
    return states[-1]
