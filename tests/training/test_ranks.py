"""Promises 2 and 4 on real processes: the number of ranks changes nothing, and a kill costs nothing."""

import json
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from launching import ROOT, command, run, succeed

from dist_vad.curriculum.state import read_state, relative_difference
from dist_vad.tasks import TASKS


def states(run: Path) -> dict[str, Path]:
    """Stage -> folder of its state."""
    return {read_state(folder).stage: folder for folder in (run / "states").iterdir()}


def read_by(ranks: int, shards: Path, out: Path, start: int, stop: int) -> list[list]:
    """What so many ranks read of the steps start..stop-1: [step, kind, position, checksum] of every sample, sorted."""
    out.mkdir()
    succeed("tests/scripts/batches.py", str(shards), str(out), str(start), str(stop), ranks=ranks)
    files = sorted(out.glob("rank*.json"))
    assert len(files) == ranks
    return sorted(line for file in files for line in json.loads(file.read_text()))


def test_two_ranks_read_the_same_global_batches_as_one(tiny_shards, tmp_path):
    read = {ranks: read_by(ranks, tiny_shards, tmp_path / str(ranks), 0, 20) for ranks in (1, 2)}
    assert read[1] == read[2]
    assert len(read[1]) == 20 * 2 * (16 + 8), "two sources of each of two kinds"


@pytest.mark.slow
def test_a_run_of_four_ranks_goes_on_with_two_or_eight_on_the_same_global_batches(tiny_shards, tmp_path):
    uninterrupted = read_by(1, tiny_shards, tmp_path / "whole", 0, 20)
    begun = read_by(4, tiny_shards, tmp_path / "begun", 0, 10)
    for ranks in (2, 8):
        assert begun + read_by(ranks, tiny_shards, tmp_path / str(ranks), 10, 20) == uninterrupted


def test_two_and_four_ranks_learn_what_one_learns_by_accumulating(tiny_config, tmp_path):
    """50 steps in fp32, micro-batches of 2: on one rank four of them in turn, on four ranks side by side."""
    steps = ["--phase", "perception", "--curriculum.perception.steps", "50", "--train.micro_batch", "2"]
    weights = []
    for ranks in (1, 2, 4):
        run = str(tmp_path / str(ranks))
        where = ["--config", str(tiny_config), "--run", run, "--train.cpu_threads", "1"]
        succeed("launch/phase.py", *where, *steps, ranks=ranks)
        weights.append(read_state(states(Path(run))["perception"]).load())
    assert relative_difference(weights[1], weights[0]) == 0, "bit-identical"
    assert relative_difference(weights[2], weights[0]) == 0


@pytest.mark.slow
def test_two_ranks_learn_of_all_tasks_together_what_one_learns(tiny_config, task_settings, tmp_path):
    """Every proxy task at the same time, each with its own draws; micro-batches of 4."""
    stage = {"tasks": dict.fromkeys(TASKS, 1.0), "steps": 6, "global_batch": 8, "validate_every": 0}
    values = json.loads(tiny_config.read_text())
    clip = {"clip_model": task_settings.clip_model, "clip_weights": task_settings.clip_weights}
    config = tmp_path / "all.yaml"
    config.write_text(json.dumps({**values, "curriculum": {"all": stage}, "task": clip}))
    weights = []
    for ranks in (1, 2):
        run = str(tmp_path / str(ranks))
        arguments = ["--config", str(config), "--run", run, "--train.micro_batch", "4", "--train.cpu_threads", "1"]
        succeed("launch/phase.py", "--phase", "all", *arguments, ranks=ranks)
        weights.append(read_state(states(Path(run))["all"]).load())
    assert relative_difference(*weights) <= 1e-5


@pytest.mark.parametrize("ranks", [pytest.param(1, marks=pytest.mark.slow), 4])  # four show what two hide
def test_kill_9_in_phase_two_and_the_same_command_again_ends_bit_identical(tiny_config, tmp_path, ranks):
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    often = ["--config", str(tiny_config), "--train.checkpoint_steps", "4", "--train.cpu_threads", "1"]
    succeed("launch/progressive.py", *often, "--run", str(calm), ranks=ranks)
    again = command("launch/progressive.py", *often, "--run", str(killed), ranks=ranks)
    _kill_when(again, lambda: list(killed.glob("training/comprehension-*/step-*")))
    assert "perception" in states(killed) and "comprehension" not in states(killed)
    succeed("launch/progressive.py", *often, "--run", str(killed), ranks=ranks)
    for stage, folder in states(calm).items():
        assert read_state(folder).digest == read_state(states(killed)[stage]).digest, stage


def test_a_finished_curriculum_is_not_trained_again(tiny_config, tmp_path):
    arguments = ["--config", str(tiny_config), "--run", str(tmp_path)]
    succeed("launch/progressive.py", *arguments)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("states/*/*")}
    again = run("launch/progressive.py", *arguments)
    assert again.returncode == 0 and "done" in again.stderr
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.glob("states/*/*")}


def _kill_when(arguments: list[str], condition) -> None:
    """Start a launch, and kill -9 all its processes as soon as the condition holds."""
    process = psutil.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while not condition():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "the run never came to where it should be killed"
        time.sleep(0.01)
    # The launcher starts each rank in a session of its own: kill the whole tree, not a process group.
    for one in [process, *process.children(recursive=True)]:
        one.kill()
    process.wait()
