"""The launcher of a node: one signal for each rank, and their exit status."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from launching import ROOT

RANK = """
import pathlib, signal, sys, time
got = []
signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
pathlib.Path(sys.argv[1]).touch()
while not got:
    time.sleep(0.05)
time.sleep(2)  # a second signal would come by then
sys.exit(70 + len(got))
"""


def start(folder: Path) -> subprocess.Popen:
    """A launcher with one rank, which touches `folder`/ready when it listens for signals."""
    script = folder / "rank.py"
    script.write_text(RANK)
    how = ["--mixed_precision", "no", "--dynamo_backend", "no", "--num_machines", "1", "--num_processes", "1"]
    command = [sys.executable, str(ROOT / "slurm/node.py"), *how, str(script), str(folder / "ready")]
    given = {**os.environ, "DIST_VAD_ENDINGS": str(folder), "SLURMD_NODENAME": "n1"}
    return subprocess.Popen(command, env=given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_rank_gets_one_signal_however_many_come_and_its_exit_status_is_kept(tmp_path):
    node = start(tmp_path)
    while not (tmp_path / "ready").exists():
        assert node.poll() is None
        time.sleep(0.05)
    for number in (signal.SIGUSR2, signal.SIGTERM, signal.SIGUSR2):
        node.send_signal(number)
    assert node.wait(timeout=120) == 71, "70 and one for each signal that the rank got"
    assert (tmp_path / "node-n1").read_text() == "exit code 71\n"


def test_a_signal_that_comes_before_the_rank_reaches_it_once_it_is_there(tmp_path):
    node = start(tmp_path)
    while not _blocks(node.pid):
        assert node.poll() is None
        time.sleep(0.01)
    assert not psutil.Process(node.pid).children()
    node.send_signal(signal.SIGUSR2)
    died, listened = 128 + signal.SIGUSR1, 71
    assert node.wait(timeout=120) in (died, listened), "by then it listens, or does not yet"


def _blocks(process: int) -> bool:
    """Whether the process has come to where it waits for SIGUSR2."""
    (mask,) = [
        line.split()[1] for line in Path(f"/proc/{process}/status").read_text().splitlines() if line[:7] == "SigBlk:"
    ]
    return bool(int(mask, 16) >> (signal.SIGUSR2 - 1) & 1)
