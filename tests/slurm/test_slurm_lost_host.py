"""A host whose cable is cut in mid-run: the other one says so and ends, and a restart finishes."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from launching import ROOT, succeed
from seaweed import free_ports
from states import digests
from two_hosts import ADDRESSES, CannotStartError, TwoHosts

PATIENCE = 400
"""Seconds that a test waits at most, on a busy machine."""


@pytest.fixture
def hosts() -> Iterator[TwoHosts]:
    try:
        made = TwoHosts()
    except CannotStartError as error:
        pytest.skip(f"needs network namespaces: {error}")
    yield made
    made.remove()


def train(hosts: TwoHosts, folder: Path, *arguments: str) -> list[subprocess.Popen]:
    """Start slurm/node.py on both hosts, as srun does."""
    (port,) = free_ports(1)
    meeting = ["--num_machines", "2", "--num_processes", "2", "--multi_gpu", "--main_process_ip", ADDRESSES[0]]
    how = [*meeting, "--main_process_port", str(port), "--mixed_precision", "no", "--dynamo_backend", "no"]
    command = [sys.executable, str(ROOT / "slurm/node.py"), *how, str(ROOT / "launch/progressive.py"), *arguments]
    return [
        hosts.start(i, *command, log=folder / f"{i}.log", SLURM_NODEID=str(i), DIST_VAD_ENDINGS=str(folder))
        for i in range(2)
    ]


def kill(process: subprocess.Popen) -> None:
    """All of it, as the end of the machine would."""
    for one in [*psutil.Process(process.pid).children(recursive=True), process]:
        one.kill()
    process.wait()


@pytest.mark.slow
def test_a_host_cut_off_in_mid_run_is_named_within_the_timeout_and_a_restart_finishes(hosts, tiny_config, tmp_path):
    run, calm = tmp_path / "run", tmp_path / "calm"
    same = ["--config", str(tiny_config), "--curriculum.perception.steps", "60", "--train.micro_batch", "4"]
    same += ["--train.cpu_threads", "1", "--train.checkpoint_steps", "4", "--train.timeout_seconds", "8"]
    here, there = train(hosts, tmp_path, *same, "--run", str(run))
    end = time.monotonic() + PATIENCE
    while not list(run.glob("training/perception-*/step-*/checkpoint.json")):
        assert here.poll() is None and time.monotonic() < end, (tmp_path / "0.log").read_text()
        time.sleep(0.1)
    hosts.cut()
    assert here.wait(timeout=PATIENCE) != 0
    said = (tmp_path / "0.log").read_text()
    assert "error: no progress for 8 s" in said and "rank 1 on host-b" in said
    kill(there)

    hosts.plug_in()
    assert [one.wait(timeout=PATIENCE) for one in train(hosts, tmp_path, *same, "--run", str(run))] == [0, 0]
    succeed("launch/progressive.py", *same, "--run", str(calm))
    assert digests(run) == digests(calm)
