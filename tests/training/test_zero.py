"""Promise 2 under DeepSpeed: ZeRO 1, 2 and 3 learn what DDP learns, hand on plain states, and restart exactly."""

import json
import os
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from launching import ROOT, command, succeed
from states import digests

from dist_vad.base.errors import PREEMPTED
from dist_vad.curriculum.state import read_state

TWENTY = ["--phase", "perception", "--curriculum.perception.steps", "20", "--train.micro_batch", "2"]


def arguments(config: Path, run: Path, *more: str) -> list[str]:
    return ["--config", str(config), "--run", str(run), "--train.cpu_threads", "1", *more]


def losses(log: Path) -> list[float]:
    """The loss of every step, as the trainer logged it."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = {path.parent for path in log.glob("*/events.out.tfevents.*")}  # those of the settings lie deeper
    events = EventAccumulator(str(folder))
    events.Reload()
    (name,) = [tag for tag in events.Tags()["scalars"] if tag.endswith("perception/prediction")]
    return [event.value for event in events.Scalars(name)]


def losses_under(config: Path, run: Path, ranks: int, zero: int) -> list[float]:
    succeed("launch/phase.py", *arguments(config, run, *TWENTY, "--train.log_every", "1"), ranks=ranks, zero=zero)
    return losses(run)


@pytest.mark.slow
def test_every_zero_stage_has_the_losses_of_ddp_for_20_steps_of_two_micro_batches(tiny_config, tmp_path):
    plain = losses_under(tiny_config, tmp_path / "ddp", ranks=2, zero=0)
    assert len(plain) == 20
    for zero in (1, 2, 3):
        found = losses_under(tiny_config, tmp_path / f"zero{zero}", ranks=2, zero=zero)
        assert found == pytest.approx(plain, abs=1e-5), f"ZeRO-{zero}"


@pytest.mark.slow
def test_a_state_of_zero_3_on_four_ranks_starts_a_phase_on_one_rank_without_deepspeed(tiny_config, tmp_path):
    where = arguments(tiny_config, tmp_path)
    succeed("launch/phase.py", *where, "--phase", "perception", ranks=4, zero=3)
    (made,) = (tmp_path / "states").iterdir()
    state = read_state(made)
    state.load()  # verified by digest
    succeed("launch/phase.py", *where, "--phase", "comprehension", ranks=1)
    child = next(read_state(folder) for folder in (tmp_path / "states").iterdir() if folder != made)
    assert child.lineage == [made.name]


def test_zero_2_pre_empted_by_sigterm_on_one_rank_goes_on_and_ends_bit_identical(tiny_config, tmp_path):
    where = [*arguments(tiny_config, tmp_path / "asked"), "--train.checkpoint_steps", "3"]
    launched = command("launch/progressive.py", *where, ranks=2, zero=2)
    ended = pre_empt(launched, tmp_path / "asked", environment={"DS_ACCELERATOR": "cpu"})
    assert f"exitcode  : {PREEMPTED}" in ended
    marker = json.loads((tmp_path / "asked/preempted.json").read_text())
    assert marker["stage"] == "perception" and "saved at step" in marker["state"]
    for name in ("asked", "calm"):
        succeed("launch/progressive.py", *arguments(tiny_config, tmp_path / name), ranks=2, zero=2)
    assert digests(tmp_path / "asked") == digests(tmp_path / "calm")
    assert not (tmp_path / "asked/preempted.json").exists()


def pre_empt(launched: list[str], run: Path, environment: dict[str, str] | None = None) -> str:
    """Start a launch; SIGTERM to its last rank once there is a checkpoint; returns what it printed."""
    log = run.parent / "log.txt"
    with log.open("w") as out:
        surroundings = {**os.environ, **(environment or {})}
        process = psutil.Popen(launched, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env=surroundings)
    deadline = time.monotonic() + 300
    while not list(run.glob("training/*/step-*/checkpoint.json")):
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    ranks = [one for one in process.children(recursive=True) if "launch/progressive.py" in " ".join(one.cmdline())]
    ranks[-1].terminate()
    assert process.wait(timeout=120) != 0
    return log.read_text()
