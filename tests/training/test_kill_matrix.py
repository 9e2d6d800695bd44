"""Promise 4, moment by moment: a run killed again and again ends with the weights of one left in peace."""

from pathlib import Path

import pytest
from launching import run, succeed
from states import digests

MOMENTS = (
    "save:1",  # perception, before the first checkpoint
    "bytes:1:0",
    "bytes:1:0.5",
    "marker:2",
    "state",
    "bytes:2:0.99",  # comprehension
    "marker:1",
    "handed",
    "save:1",  # inference
    "state",
)
FEW = ("bytes:1:0.5", "state")


def killed_and_calm(config: Path, tmp_path: Path, moments: tuple[str, ...], ranks: int, zero: int) -> None:
    often = ["--config", str(config), "--train.checkpoint_steps", "2", "--train.cpu_threads", "1"]
    often += ["--curriculum.comprehension.ema", "0.9", "--curriculum.comprehension.keep", "best"]
    often += ["--curriculum.inference.retain", "distill"]
    killed = [*often, "--run", str(tmp_path / "killed")]
    for moment in moments:
        ended = run("tests/scripts/killed_at.py", moment, "launch/progressive.py", *killed, ranks=ranks, zero=zero)
        assert ended.returncode != 0 and "error:" not in ended.stderr, f"{moment}: {ended.stdout}\n{ended.stderr}"
    succeed("launch/progressive.py", *killed, ranks=ranks, zero=zero)
    succeed("launch/progressive.py", *often, "--run", str(tmp_path / "calm"), ranks=ranks, zero=zero)
    assert len(digests(tmp_path / "calm")) == 3
    assert digests(tmp_path / "killed") == digests(tmp_path / "calm")
    left = list((tmp_path / "killed/states").rglob("*partial*"))
    assert left == [], "nothing half-written stays beside the states"


def test_killed_while_writing_checkpoint_and_state_ends_bit_identical(tiny_config, tmp_path):
    killed_and_calm(tiny_config, tmp_path, FEW, ranks=1, zero=0)


@pytest.mark.slow
@pytest.mark.parametrize(("ranks", "zero"), [(1, 0), (2, 0), (4, 0), (1, 2), (2, 2), (4, 2)])
def test_killed_at_every_moment_of_every_phase_ends_bit_identical(tiny_config, tmp_path, ranks, zero):
    killed_and_calm(tiny_config, tmp_path, MOMENTS, ranks, zero)
