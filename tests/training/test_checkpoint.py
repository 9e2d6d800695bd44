"""Promise 4 on a checkpoint's own files: whole or not there, in a folder or in a bucket."""

import os

import pytest
import torch

from dist_vad.base.errors import InputError
from dist_vad.data.store import LocalStore, open_store
from dist_vad.training.checkpoint import CHECKPOINT, TENSORS, Checkpoint, Checkpoints


def at(step: int) -> Checkpoint:
    weights = {"w": torch.full((3, 2), float(step)), "b": torch.arange(step)}
    return Checkpoint(step, {"weights": weights, "moments": {"exp_avg/w": torch.ones(3, 2) / 3}}, {"skipped": 1})


def written(store, *steps: int) -> Checkpoints:
    checkpoints = Checkpoints(store, keep=2)
    for step in steps:
        checkpoints.save(at(step))
    checkpoints.wait()
    return checkpoints


def test_the_newest_comes_back_as_it_was_and_the_last_two_are_kept(tmp_path):
    checkpoints = written(LocalStore(tmp_path), 10, 20, 30)
    found = checkpoints.latest()
    assert found is not None and (found.step, found.facts) == (30, {"skipped": 1})
    for group, tensors in at(30).groups.items():
        assert all(torch.equal(found.groups[group][name], tensor) for name, tensor in tensors.items())
    assert sorted(p.name for p in tmp_path.glob("step-*")) == ["step-00000020", "step-00000030"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_one_is_named_and_passed_over_for_the_one_before(tmp_path, logged, damage):
    checkpoints = written(LocalStore(tmp_path), 10, 20)
    file = tmp_path / "step-00000020" / TENSORS
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[-1] ^= 1
    file.write_bytes(content[:-2] if damage == "cut" else content)
    if damage == "gone":
        file.unlink()
    checkpoint = checkpoints.latest()
    assert checkpoint is not None and checkpoint.step == 10
    assert "step-00000020" in logged.text


def test_one_without_its_marker_is_none(tmp_path):
    checkpoints = written(LocalStore(tmp_path), 10, 20)
    (tmp_path / "step-00000020" / CHECKPOINT).unlink()
    checkpoint = checkpoints.latest()
    assert checkpoint is not None and checkpoint.step == 10


def test_later_changes_of_a_tensor_do_not_reach_a_checkpoint_being_written(tmp_path):
    weights = torch.ones(1000)
    checkpoints = Checkpoints(LocalStore(tmp_path), keep=1)
    checkpoints.save(Checkpoint(1, {"weights": {"w": weights}}))
    weights.zero_()
    checkpoints.wait()
    found = checkpoints.latest()
    assert found is not None and bool((found.groups["weights"]["w"] == 1).all())


def test_what_goes_wrong_in_writing_is_raised_at_the_next_save(tmp_path):
    (tmp_path / "stage").write_text("a file where a folder should be")
    checkpoints = Checkpoints(LocalStore(tmp_path / "stage"), keep=1)
    checkpoints.save(at(1))
    with pytest.raises(InputError):
        checkpoints.save(at(2))


def test_clearing_removes_all_files_half_written_ones_too(tmp_path):
    checkpoints = written(LocalStore(tmp_path), 10)
    (tmp_path / "step-00000010" / f".{TENSORS}.{os.getpid()}.partial").write_bytes(b"half")
    checkpoints.clear()
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_bucket_holds_them_as_a_folder_does(url):
    checkpoints = written(open_store(url), 10, 20, 30)
    found = checkpoints.latest()
    assert found is not None and found.step == 30
    assert torch.equal(found.groups["weights"]["w"], at(30).groups["weights"]["w"])
    assert {name.split("/")[0] for name in open_store(url).sizes()} == {"step-00000020", "step-00000030"}
    checkpoints.clear()
    assert open_store(url).sizes() == {}


def test_a_bucket_that_refuses_is_one_clear_message(url):
    checkpoints = Checkpoints(open_store(url).child("x"), keep=1)
    checkpoints.store.bucket = "no-such-bucket-here"  # pyright: ignore[reportAttributeAccessIssue]
    checkpoints.save(at(1))
    with pytest.raises(InputError, match="no-such-bucket-here"):
        checkpoints.wait()
