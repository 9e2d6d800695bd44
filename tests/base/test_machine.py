"""Threads are as many as this process may use cores, whatever the machine has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dist_vad.base.machine import cpu_quota, usable_cores

VERSION_2 = "0::/jobs/job7\n"
VERSION_1 = "5:cpuset:/jobs\n4:cpu,cpuacct:/jobs/job7\n1:name=systemd:/\n"


def quota(tmp_path: Path, own: str, files: dict[str, str]) -> float | None:
    for name, text in {**files, "own": own}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return cpu_quota(tmp_path, tmp_path / "own")


@pytest.mark.parametrize(
    ("own", "files", "cores"),
    [
        (VERSION_2, {}, None),
        (VERSION_2, {"jobs/job7/cpu.max": "max 100000\n"}, None),
        (VERSION_2, {"jobs/job7/cpu.max": "150000 100000\n"}, 1.5),
        (VERSION_2, {"jobs/cpu.max": "300000 100000\n", "jobs/job7/cpu.max": "max 100000\n"}, 3.0),
        (VERSION_2, {"jobs/cpu.max": "300000 100000\n", "jobs/job7/cpu.max": "800000 100000\n"}, 3.0),
        (VERSION_2, {"cpu.max": "400000 100000\n"}, 4.0),  # a container: the mount begins at its own group
        (VERSION_1, {"cpu/jobs/job7/cpu.cfs_quota_us": "-1\n", "cpu/jobs/job7/cpu.cfs_period_us": "100000\n"}, None),
        (VERSION_1, {"cpu/jobs/job7/cpu.cfs_quota_us": "250000\n", "cpu/jobs/job7/cpu.cfs_period_us": "100000\n"}, 2.5),
        ("", {}, None),
    ],
)
def test_the_least_quota_of_the_groups_counts(tmp_path, own, files, cores):
    assert quota(tmp_path, own, files) == cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux: a process is bound to one core")
def test_a_process_bound_to_one_core_computes_with_one_thread():
    program = (
        "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from pathlib import Path\n"
        "from dist_vad.settings.train import TrainSettings\n"
        "from dist_vad.training.accelerators import make_accelerator\n"
        "make_accelerator(TrainSettings(tracker='none'), Path('unused'))\n"
        "import torch; print(torch.get_num_threads())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout.split()[-1:] == ["1"], done.stderr


def test_there_is_always_a_core():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
