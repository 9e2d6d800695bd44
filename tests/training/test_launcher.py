"""`dist-vad train` starts the ranks itself: the same weights as under `accelerate launch`, quiet, and nothing left."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from launching import ACCELERATE, ROOT, command, run, succeed
from states import digests

from dist_vad.base.errors import PREEMPTED
from dist_vad.cli.progressive import without_ranks
from dist_vad.training.trainer import PREEMPTION

TRAIN = [sys.executable, "-c", "from dist_vad.cli.main import main; main()", "train"]


def train(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*TRAIN, *arguments], capture_output=True, text=True, timeout=600, cwd=ROOT)


def test_the_ranks_get_every_argument_but_their_number():
    given = ["--ranks", "2", "--run", "runs/a", "--ranks=3", "--train.ranks", "4", "--seed=1"]
    assert without_ranks(given) == ["--run", "runs/a", "--train.ranks", "4", "--seed=1"]


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
def test_weights_are_bit_identical_to_those_of_accelerate_launch(tiny_config, tmp_path, ranks):
    options = ["--config", str(tiny_config), "--train.cpu_threads", "1", "--run"]
    done = train(*options, str(tmp_path / "ours"), "--ranks", str(ranks))
    assert done.returncode == 0, done.stderr
    succeed("launch/progressive.py", *options, str(tmp_path / "theirs"), ranks=ranks)
    assert digests(tmp_path / "ours") == digests(tmp_path / "theirs") and len(digests(tmp_path / "ours")) == 3


@pytest.mark.parametrize("ranks", ["1", "2"])
def test_a_wrong_key_is_one_line_and_status_2(ranks):
    done = train("--sede", "3", "--ranks", ranks)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "--sede" in done.stderr


def test_under_accelerate_launch_one_rank_says_what_is_wrong_for_all():
    told = run("launch/progressive.py", "--sede", "3", ranks=2).stderr
    assert told.count("error: --sede is no setting") == 1


def test_the_first_rank_says_it_even_where_it_is_the_last_to_know(tmp_path):
    script = tmp_path / "slow_first.py"
    script.write_text(
        "import os, time\n"
        "from dist_vad.base.errors import UsageError, entry_point\n"
        "def main():\n"
        "    time.sleep(3 * (os.environ['RANK'] == '0'))\n"
        "    raise UsageError('--sede is no setting')\n"
        "entry_point(main)()\n"
    )
    assert run(str(script), ranks=2).stderr.count("error: --sede is no setting") == 1


def test_ranks_that_a_launcher_has_started_start_no_others():
    surroundings = {**os.environ, "RANK": "0"}
    done = subprocess.run([*TRAIN, "--ranks", "2"], capture_output=True, text=True, cwd=ROOT, env=surroundings)
    assert done.returncode == 2 and "a launcher has started this" in done.stderr


@pytest.mark.slow
def test_what_ends_one_rank_is_said_once_with_its_status(tiny_shards, tiny_config, tmp_path):
    """A shard set that is damaged where a rank reads it."""
    settings = json.loads(tiny_config.read_text())
    shards = tmp_path / "shards"
    shards.mkdir()
    for folder in tiny_shards.iterdir():
        if folder.is_dir():
            (shards / folder.name).symlink_to(folder)
    (shards / "cube-train").unlink()
    (shards / "cube-train").mkdir()
    (shards / "cube-train/manifest.json").write_text("{}")
    path = tmp_path / "tiny.yaml"
    path.write_text(json.dumps({**settings, "shards": str(shards)}))
    done = train("--config", str(path), "--run", str(tmp_path / "run"), "--ranks", "2")
    assert done.returncode == 2 and "Traceback" not in done.stderr and "torch.distributed" not in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("error:")]) == 1, done.stderr


def ended(process: psutil.Popen, run: Path, log: Path) -> tuple[int, list[psutil.Process]]:
    """SIGTERM to a launcher once there is a checkpoint: its exit status, and the processes that it leaves for good."""
    deadline = time.monotonic() + 300
    while not list(run.glob("training/*/step-*/checkpoint.json")):
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    started = process.children(recursive=True)
    process.terminate()
    status = process.wait(timeout=120)
    return status, psutil.wait_procs(started, timeout=60)[1]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["dist-vad", "dist-vad 2", "accelerate", "accelerate 2"])
def test_sigterm_to_the_launcher_saves_and_leaves_no_process(tiny_config, tmp_path, launcher):
    ours, ranks = launcher.startswith("dist-vad"), "2" if launcher.endswith("2") else "1"
    run, log = tmp_path / "run", tmp_path / "log.txt"
    options = ["--config", str(tiny_config), "--run", str(run), "--train.checkpoint_steps", "1"]
    options += ["--curriculum.perception.steps", "100000", "--curriculum.perception.validate_every", "0"]
    theirs = command("launch/progressive.py", *options, ranks=int(ranks))
    assert theirs[: len(ACCELERATE)] == ACCELERATE
    with log.open("w") as out:
        started = [*TRAIN, *options, "--ranks", ranks] if ours else theirs
        process = psutil.Popen(started, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT)
    status, left = ended(process, run, log)
    assert not left, log.read_text()
    assert json.loads((run / PREEMPTION).read_text())["stage"] == "perception", log.read_text()
    if ours:
        assert status == PREEMPTED and "Traceback" not in log.read_text(), log.read_text()
        assert log.read_text().count("pre-empted: ") == 1
