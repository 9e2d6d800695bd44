"""The launcher of one node: `accelerate launch` with the machine's rank from Slurm, signals passed on, and an exit code
that says how the ranks ended.

srun python slurm/node.py ACCELERATE_OPTIONS... SCRIPT [ARGUMENTS ...]

Why not `srun accelerate launch`: it dies of SIGUSR1 or SIGUSR2, at SIGTERM it kills its ranks after 30 seconds, and
whatever they end with, it ends with 1. And who gets a signal to a step depends on the cluster: under proctrack/cgroup
the task alone, under proctrack/linuxproc all its descendants too. To a rank a second signal means to end at once, so it
must get exactly one. Therefore SIGUSR2 and SIGTERM are blocked here and in the ranks, which inherit that; a thread
waits for them, and sends SIGUSR1 to each rank: make a checkpoint and end, in your own time.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

ENDINGS = "DIST_VAD_ENDINGS"
"""Names a folder in which each node says how its ranks ended."""
ASKED = {signal.SIGUSR2, signal.SIGTERM}
"""What the batch script sends before the time limit, and what Slurm sends before it kills."""


def pass_on() -> None:
    """Wait for a signal of Slurm, then tell the ranks, which are the children of this process: each of them once, and
    those too that start only now. A rank that does not listen yet dies of it, and has nothing to save."""
    signal.sigwait(ASKED)
    told: set[psutil.Process] = set()
    while True:
        for rank in set(psutil.Process().children()) - told:
            told.add(rank)
            with contextlib.suppress(psutil.NoSuchProcess):
                rank.send_signal(signal.SIGUSR1)
        time.sleep(0.5)


def launch(arguments: list[str]) -> int:
    """Run the ranks of this node to their end; the exit code of the first that failed, -N where signal N killed it."""
    # Torch's launcher reads this when it starts its ranks: SIGTERM is ours.
    os.environ["PET_SIGNALS_TO_HANDLE"] = "SIGINT,SIGHUP,SIGQUIT"
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    machine = ["--machine_rank", os.environ.get("SLURM_NODEID", "0")]
    try:
        launch_command(launch_command_parser().parse_args([*machine, *arguments]))
    except ChildFailedError as error:
        return error.get_first_failure()[1].exitcode
    except subprocess.CalledProcessError as error:
        return error.returncode
    return 0


def main() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, ASKED)  # before any thread is there: all threads to come inherit it
    threading.Thread(target=pass_on, daemon=True).start()
    code = launch(sys.argv[1:])
    if code and (folder := os.environ.get(ENDINGS)):
        text = f"exit code {code}" if code > 0 else f"killed by {signal.Signals(-code).name}"
        with contextlib.suppress(OSError):  # the disk may be what ended them
            (Path(folder) / f"node-{os.environ.get('SLURMD_NODENAME', '0')}").write_text(f"{text}\n")
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
