"""Start the project's commands as a user would, on one process or several."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ACCELERATE = [str(Path(sys.executable).with_name("accelerate")), "launch"]


def command(script: str, *arguments: str, ranks: int = 1) -> list[str]:
    """The command line that launches a script of the repository on so many gloo ranks."""
    config = ROOT / f"configs/accelerate/cpu{min(ranks, 2)}.yaml"
    more = ["--num_processes", str(ranks)] if ranks > 2 else []
    return [*ACCELERATE, "--config_file", str(config), *more, str(ROOT / script), *arguments]


def run(script: str, *arguments: str, ranks: int = 1) -> subprocess.CompletedProcess[str]:
    """Run it to its end; the output is kept for the message of a failing assertion."""
    return subprocess.run(
        command(script, *arguments, ranks=ranks), capture_output=True, text=True, timeout=300, cwd=ROOT, env=os.environ
    )


def succeed(script: str, *arguments: str, ranks: int = 1) -> str:
    """Run it, expect success, return what it printed."""
    done = run(script, *arguments, ranks=ranks)
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
