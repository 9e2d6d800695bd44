"""Several ranks from one command, by Accelerate's launcher: quiet, with the ranks' own exit status, and no orphans."""

import logging
import os
import signal
import sys
from pathlib import Path

from dist_vad.base.errors import LOST, PREEMPTED, STALLED, UNAVAILABLE
from dist_vad.settings.command_line.configs import CONFIGS

PATIENCE = "3600"
"""Seconds that ranks have to save once they are asked to end; torchrun alone would kill them after 30."""
SAID = (2, UNAVAILABLE, STALLED, LOST, PREEMPTED, 130)
"""Exit statuses of ranks that have said themselves why they ended (dist_vad/base/errors.py)."""


def is_launched() -> bool:
    """Whether a launcher such as `accelerate launch`, torchrun or srun with its rank in the environment started this
    process."""
    return "ACCELERATE_MIXED_PRECISION" in os.environ or "RANK" in os.environ


def launch(module: str, arguments: list[str], ranks: int, preempted: Path) -> int:
    """Run `python -m module ARGUMENTS` on so many ranks of this machine; returns the exit status.

    It is that of the rank that failed first. SIGTERM and SIGUSR1 reach all ranks; `preempted` is the file that they
    leave where they saved upon it.
    """
    import torch
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", PATIENCE)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # dist_vad sets the threads itself (train.cpu_threads)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else DDP warns of what accelerators.py asks for on purpose
    signal.signal(signal.SIGUSR1, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    for name in [name for name in logging.root.manager.loggerDict if name.startswith("torch.distributed")]:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    config = CONFIGS / f"accelerate/{'multi_gpu' if torch.cuda.is_available() else 'cpu2'}.yaml"
    given = ["--config_file", str(config), "--num_processes", str(ranks), "--module", module, *arguments]
    try:
        launch_command(launch_command_parser().parse_args(given))
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        return _told(rank, failure.exitcode)
    except SignalException as error:
        return PREEMPTED if preempted.is_file() else 128 + error.sigval
    return 0


def _told(rank: int, status: int) -> int:
    """The exit status of a launch one of whose ranks ended so; said, where the rank has not done so itself."""
    if status < 0:
        name = signal.Signals(-status).name
        print(f"error: rank {rank} was ended by {name}; the others were stopped", file=sys.stderr, flush=True)
        return 128 - status
    if status not in SAID:
        print(f"error: rank {rank} ended with status {status}; the others were stopped", file=sys.stderr, flush=True)
    return status
