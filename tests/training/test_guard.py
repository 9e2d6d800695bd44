"""What watches over a run: numbers that are not finite, losses that spike, ranks that stall, signals, devices."""

import math
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch
from launching import ROOT, command

from dist_vad.base.errors import STALLED, InputError
from dist_vad.training.accelerators import take_part
from dist_vad.training.ema import MovingAverage
from dist_vad.training.guard import SETTLING, Guard, poisoned
from dist_vad.training.heartbeat import Beat, Heartbeat, told
from dist_vad.training.micro_batch import largest
from dist_vad.training.signals import Signals


def test_too_many_steps_that_are_not_finite_end_the_stage_naming_the_samples():
    guard = Guard("perception", most=2, spike=6)
    for step in (4, 9):
        assert "v/000010_000" in guard.skip(step, lambda: ["v/000010_000"])
    with pytest.raises(InputError, match=r"3 steps .* train.max_skipped allows 2. At step 11 .* w/000002_001"):
        guard.skip(11, lambda: ["w/000002_001"])


def test_a_spike_of_the_loss_is_warned_of_and_a_steady_fall_is_not():
    guard = Guard("perception", most=0, spike=6)
    assert not any(guard.spike_warning(1 / (1 + 0.1 * step) + 0.01 * (step % 3)) for step in range(200))
    assert "spiked to 3" in (guard.spike_warning(3.0) or "")


def test_no_spike_is_told_before_the_mean_has_settled():
    guard = Guard("perception", most=0, spike=6)
    assert not any(guard.spike_warning(loss) for loss in [1.0] * (SETTLING - 1) + [9.0])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_has_a_gradient_that_is_not(value):
    weight = torch.ones(3, requires_grad=True)
    # torch.where sends a gradient of 0, not of NaN, to the branch that it did not take.
    loss = torch.where(torch.tensor(True), torch.tensor(value), weight.sum()) + 0 * weight.sum()
    poisoned(loss).backward()
    assert weight.grad is not None and not torch.isfinite(weight.grad).any()
    clean = torch.ones(3, requires_grad=True)
    poisoned(clean.sum()).backward()
    assert clean.grad is not None and bool((clean.grad == 1).all())


def test_the_rank_that_is_behind_is_named_or_the_one_that_no_longer_answers():
    beats = {0: Beat(40, "reducing, step 6", 9, "a"), 1: Beat(38, "reading, step 6", 9, "b")}
    assert "rank 1 on b, reading, step 6" in told(beats, [], 5) and "rank 0" not in told(beats, [], 5)
    even = {rank: beat._replace(count=40) for rank, beat in beats.items()}
    assert "rank 0 on a" in told(even, [0], 5) and "rank 1" not in told(even, [0], 5)
    assert "rank 0 on a" in told(even, [], 5) and "rank 1 on b" in told(even, [], 5)


def test_a_loop_that_stands_still_ends_with_its_place_and_one_that_moves_does_not(capsys):
    ended = []
    with Heartbeat(0, 1, timeout=0.6, end=ended.append) as heart:
        for step in range(6):
            heart.at(step, "reading")
            time.sleep(0.2)
        assert ended == []
        heart.at(7, "saving")
        time.sleep(1.5)
    assert ended == [STALLED]
    assert "rank 0" in (told := capsys.readouterr().err) and "saving, step 7" in told


def test_a_stopped_rank_is_named_within_the_timeout(tiny_config, tmp_path):
    run = tmp_path / "run"
    where = ["--config", str(tiny_config), "--run", str(run), "--train.cpu_threads", "1"]
    often = ["--curriculum.perception.steps", "2000", "--train.checkpoint_steps", "3", "--train.timeout_seconds", "6"]
    log = tmp_path / "log"
    with log.open("w") as out:
        launched = command("launch/progressive.py", *where, *often, ranks=2)
        process = psutil.Popen(launched, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 300
    while not list(run.glob("training/*/step-*/checkpoint.json")):
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    ranks = [one for one in process.children(recursive=True) if "launch/progressive.py" in " ".join(one.cmdline())]
    stopped = next(one for one in ranks if one.environ()["RANK"] == "1")
    stopped.suspend()
    while "no progress" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    stopped.kill()  # the launcher itself would wait half a minute before it does
    assert process.wait(timeout=60) != 0
    assert "its process is stopped or its machine gone: rank 1 on" in log.read_text()


def test_a_first_signal_is_noted_and_a_second_ends_the_process():
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert signals.asked
    program = (
        "import os, signal\nfrom dist_vad.training.signals import Signals\n"
        "with Signals():\n for _ in range(2): os.kill(os.getpid(), signal.SIGTERM)\n print('still here')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, "")


def test_a_launch_that_finds_fewer_gpus_goes_on_with_those_that_divide_its_ranks():
    def world(rank: int, devices: int) -> tuple[bool, str]:
        environment = {"WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "8", "LOCAL_RANK": str(rank)}
        return take_part(environment, devices), environment["WORLD_SIZE"]

    assert [world(rank, 3)[0] for rank in range(8)] == [True, True] + 6 * [False]
    assert world(0, 3) == (True, "2") and world(0, 1) == (True, "1") and world(7, 8) == (True, "8")
    with pytest.raises(InputError, match="2 GPUs, but 4 ranks"):
        take_part({"WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4", "LOCAL_RANK": "0"}, 2)


def test_the_largest_micro_batch_that_fits_is_taken():
    tried = []
    assert largest([64, 32, 16, 8], lambda size: tried.append(size) or size <= 16) == 16
    assert tried == [64, 32, 16]
    with pytest.raises(InputError, match="not even 8 samples"):
        largest([16, 8], lambda size: False)


def test_the_moving_average_is_that_of_its_formula():
    average = MovingAverage(0.9, {"w": torch.zeros(2)})
    for value in (1.0, 2.0):
        average.update({"w": torch.full((2,), value)})
    assert average.average["w"].tolist() == pytest.approx([0.9 * 0.1 + 0.1 * 2] * 2)
