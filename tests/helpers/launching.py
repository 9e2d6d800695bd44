"""Start the project's commands as a user would, on one or several processes."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HELPERS = ROOT / "tests/helpers"
"""Where the modules lie that the tests share; a process that a test starts finds them from there."""
ACCELERATE = [sys.executable, "-m", "accelerate.commands.launch"]
"""`accelerate launch`, without the seconds in which the command imports all of its other subcommands."""


ON_GPUS = os.environ.get("DIST_VAD_TESTS_ON") == "gpu"
"""Whether ranks are started on GPUs, one each, as benchmarks/gpu.sh asks for; else on the CPU, over gloo."""


def command(script: str, *arguments: str, ranks: int = 1, zero: int = 0) -> list[str]:
    """The command line that launches a script of the repository on so many ranks; under ZeRO-`zero` if not 0."""
    one, several = ("rtx3090", "multi_gpu") if ON_GPUS else ("cpu1", "cpu2")
    name = f"zero{zero}" if zero else (one if ranks == 1 else several)
    if ON_GPUS:
        import torch  # seconds, which a test on the CPU need not wait

        if ranks > torch.cuda.device_count():
            pytest.skip(f"needs {ranks} GPUs, one for each rank")
    config = ROOT / f"configs/accelerate/{name}.yaml"
    number = ["--num_processes", str(ranks)] if zero or ranks > 1 else []
    return [*ACCELERATE, "--config_file", str(config), *number, str(ROOT / script), *arguments]


def run(script: str, *arguments: str, ranks: int = 1, zero: int = 0) -> subprocess.CompletedProcess[str]:
    """Run it to its end; the output is kept for the message of a failing assertion."""
    surroundings = {**os.environ, "DS_ACCELERATOR": "cpu"} if zero and not ON_GPUS else os.environ
    launched = command(script, *arguments, ranks=ranks, zero=zero)
    return subprocess.run(launched, capture_output=True, text=True, timeout=600, cwd=ROOT, env=surroundings)


def succeed(script: str, *arguments: str, ranks: int = 1, zero: int = 0) -> str:
    """Run it, expect success, return what it printed."""
    done = run(script, *arguments, ranks=ranks, zero=zero)
    assert done.returncode == 0, f"{script} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def plainly(script: str, *arguments: str) -> str:
    """Run a script that needs no launcher, expect success, return what it printed."""
    done = subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        capture_output=True, text=True, timeout=300, cwd=ROOT, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, f"{script} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def called(main: Callable[[], None], monkeypatch, capfd, *arguments: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command within this process."""
    monkeypatch.setattr(sys, "argv", ["command", *arguments])
    status = 0
    try:
        main()
    except SystemExit as stopped:
        status = int(stopped.code or 0)
    out, error = capfd.readouterr()
    assert "Traceback" not in error
    return status, out, error
