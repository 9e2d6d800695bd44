"""What a batch script makes of an exit status: requeued while something outside is down, failed at once for settings."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from launching import ROOT

pytestmark = pytest.mark.kind(8)

PROGRAMS = {
    "srun": 'n=$(cat "$HERE/count"); echo $((n + 1)) > "$HERE/count"; set -- $STATUSES; shift "$n"; exit "$1"',
    "squeue": "echo RUNNING",
    "scontrol": 'if [ "$1" = requeue ]; then echo "$2" >> "$HERE/requeued"; fi',
}


class Job:
    """A job of Slurm without Slurm: srun ends with one status after the other."""

    def __init__(self, folder: Path, statuses: list[int], patience: int) -> None:
        self.folder = folder
        (folder / "bin").mkdir()
        for name, body in PROGRAMS.items():
            (folder / "bin" / name).write_text(f"#!/bin/bash\n{body}\n")
            (folder / "bin" / name).chmod(0o755)
        (folder / "count").write_text("0")
        here = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
        self.environment = {
            **here, "PATH": f"{folder / 'bin'}:{here['PATH']}", "HERE": str(folder), "SITE": "/dev/null", "PYTHONPATH": str(ROOT),
            "PYTHON": sys.executable, "STATUSES": " ".join(map(str, statuses)), "PATIENCE": str(patience), "SLURM_JOB_ID": "7",
            "SLURM_JOB_NODELIST": "n1", "MASTER_ADDR": "127.0.0.1",
        }  # fmt: skip

    def start(self, number: int) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "slurm/progressive.sh"), "--run", str(self.folder / "run")]
        given = {**self.environment, "SLURM_RESTART_COUNT": str(number)}
        return subprocess.run(command, capture_output=True, text=True, env=given, cwd=ROOT)


CASES = {
    "settings at fault": ([2], 5, [(2, "settings or data are at fault")]),
    "down, then done": ([69, 69, 69, 0], 5, [(75, "requeued"), (75, "requeued"), (75, "requeued"), (0, "")]),
    "a fault of the program": ([1, 1], 5, [(75, "requeued"), (1, "the last two starts led nowhere")]),
    "down for too long": ([69, 69, 69], 2, [(75, "requeued"), (75, "requeued"), (69, "the last 2 starts found something down")]),
    "down, then a fault": ([69, 1, 1], 5, [(75, "requeued"), (75, "requeued"), (1, "led nowhere")]),
    "down, then settings at fault": ([69, 2], 5, [(75, "requeued"), (2, "settings or data are at fault")]),
}  # fmt: skip


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=() if case in ("settings at fault",) else pytest.mark.slow) for case in CASES]
)
def test_a_job_is_requeued_or_fails_as_its_status_says(case, tmp_path):
    statuses, patience, expected = CASES[case]
    job = Job(tmp_path, statuses, patience)
    for number, (status, said) in enumerate(expected):
        done = job.start(number)
        assert done.returncode == status and said in done.stdout + done.stderr, f"start {number}: {done}"
    requeued = tmp_path / "requeued"
    count = len(requeued.read_text().splitlines()) if requeued.exists() else 0
    assert count == sum(status == 75 for status, _ in expected)


def test_where_a_run_stands_is_told_though_its_files_are_damaged(tmp_path):
    (tmp_path / "progress.json").write_text('{"stage": "perc')
    (tmp_path / "run.json").write_bytes(b"\xff\x00")
    command = [sys.executable, "slurm/progress.py", "status", str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0 and "stage     unknown:" in done.stdout and "progress.json is damaged" in done.stdout
    assert "Traceback" not in done.stderr and json.dumps("x")
