"""The last step of a training: its state is calibrated, so that the state's folder is whole wherever it goes."""

from accelerate import Accelerator

from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.curriculum.state import State
from dist_vad.inference.detector import Detector
from dist_vad.settings.run import Settings
from dist_vad.training.heartbeat import Heartbeat


def calibrate_state(settings: Settings, state: State, accelerator: Accelerator) -> None:
    """Write `calibration.safetensors` into the state's folder, unless a fitting one is there; the others wait.

    What keeps a state from being calibrated is no fault of its training: it is said, and the state stays as it is.
    """
    rank, world = accelerator.process_index, accelerator.num_processes
    with Heartbeat(rank, world, settings.train.timeout_seconds, in_steps=False):
        if accelerator.is_main_process:
            try:
                Detector.load(state, accelerator.device)
            except InputError as error:
                log.warning("warning: %s is not calibrated: %s", state.folder, error)
        accelerator.wait_for_everyone()
