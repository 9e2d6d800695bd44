"""Threads are as many as this process may use cores, whatever the machine has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from launching import ACCELERATE, ROOT

from dist_vad.base.machine import cpu_quota, threads_asked, usable_cores
from dist_vad.training.checkpoint import threads_differ

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
        "os.environ.pop('OMP_NUM_THREADS', None)\n"
        "from pathlib import Path\n"
        "from dist_vad.settings.train import TrainSettings\n"
        "from dist_vad.training.accelerators import make_accelerator\n"
        "make_accelerator(TrainSettings(tracker='none'), Path('unused'))\n"
        "import torch; print(torch.get_num_threads())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout.split()[-1:] == ["1"], done.stderr


@pytest.mark.parametrize(
    ("own", "launched", "launcher", "threads"),
    [
        (None, False, b"", None),
        ("3", False, b"", 3),
        ("4,2", False, b"", 4),
        ("none", False, b"", None),
        ("0", False, b"", None),
        ("1", True, b"PATH=/bin\0HOME=/\0", None),  # the launcher has made it up
        ("2", True, b"PATH=/bin\0OMP_NUM_THREADS=2\0HOME=/\0", 2),
        ("2", True, None, None),  # what it was started with is not known
    ],
)
def test_omp_num_threads_counts_where_a_user_has_set_it(tmp_path, monkeypatch, own, launched, launcher, threads):
    for name in ("OMP_NUM_THREADS", "ACCELERATE_MIXED_PRECISION", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    if own:
        monkeypatch.setenv("OMP_NUM_THREADS", own)
    if launched:
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")
    if launcher is not None:
        (tmp_path / "environ").write_bytes(launcher)
    assert threads_asked(tmp_path / "environ") == threads


@pytest.mark.parametrize(("asked", "threads"), [(None, usable_cores()), ("1", 1), ("3", 3)])
def test_below_the_launcher_a_run_has_the_threads_that_its_user_asked_for(tmp_path, asked, threads):
    (tmp_path / "program.py").write_text(
        "from pathlib import Path\n"
        "from dist_vad.settings.train import TrainSettings\n"
        "from dist_vad.training.accelerators import make_accelerator\n"
        "make_accelerator(TrainSettings(tracker='none'), Path('unused'))\n"
        "import torch; print(torch.get_num_threads())\n"
    )
    surroundings = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    surroundings |= {"OMP_NUM_THREADS": asked} if asked else {}
    config = ROOT / "configs/accelerate/cpu1.yaml"
    program = [*ACCELERATE, "--config_file", str(config), str(tmp_path / "program.py")]
    done = subprocess.run(program, capture_output=True, text=True, timeout=300, env=surroundings, cwd=ROOT)
    assert done.stdout.split()[-1:] == [str(threads)], done.stderr


def test_a_checkpoint_of_other_threads_is_told_with_what_gives_the_same_bits():
    now = torch.get_num_threads()
    assert threads_differ({}) is None and threads_differ({"threads": now}) is None
    assert f"--train.cpu_threads {now + 1} " in (threads_differ({"threads": now + 1}) or "")


def test_there_is_always_a_core():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
