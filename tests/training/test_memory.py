"""A micro-batch that the device's memory does not hold: what is said, and that nothing is lost."""

import dataclasses

import pytest
import torch
from accelerate import Accelerator

from dist_vad.base.errors import InputError
from dist_vad.curriculum.recipes import plan
from dist_vad.curriculum.state import relative_difference
from dist_vad.training.engine import Engine
from dist_vad.training.trainer import train_stage


@pytest.fixture
def trained(tiny_settings, tmp_path):
    """The first stage trained in a folder of its own, in micro-batches of so many samples."""

    def train(name: str, micro_batch: int):
        settings = dataclasses.replace(
            tiny_settings,
            run=str(tmp_path / name),
            train=dataclasses.replace(tiny_settings.train, micro_batch=micro_batch, tracker="none"),
        )
        return train_stage(settings, plan(settings)[0], None, Accelerator(cpu=True))

    return train


def full_at(monkeypatch, step: int, forward=Engine.forward) -> None:
    """From a step on, the memory holds no more than four samples at once."""
    calls = iter(range(10**6))

    def limited(self, inputs, draws, last):
        if next(calls) >= step and len(next(iter(inputs.values())).clip) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, inputs, draws, last)

    monkeypatch.setattr(Engine, "forward", limited)


def test_it_names_the_micro_batch_that_is_next_and_goes_on_from_the_step(trained, monkeypatch, tmp_path):
    whole = trained("never full", 4)
    full_at(monkeypatch, 3)
    with pytest.raises(InputError, match=r"not hold 8 samples at once; give --train.micro_batch 4.* from step 3"):
        trained("full", 8)
    assert [path.name for path in (tmp_path / "full/training").glob("*/step-*")] == ["step-00000003"]
    assert relative_difference(trained("full", 4).load(), whole.load()) < 1e-3


def test_at_the_smallest_it_says_what_else_helps(trained, monkeypatch):
    monkeypatch.setattr(Engine, "forward", lambda *_: (_ for _ in ()).throw(torch.OutOfMemoryError("full")))
    with pytest.raises(InputError, match=r"does not hold 1 samples at once; give a smaller --model.width"):
        trained("small", 1)
