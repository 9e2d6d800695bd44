"""What a stage computes on the device of this machine, a GPU where there is one: what the CPU does, to rounding."""

import copy
import gc
import subprocess
import sys

import numpy as np
import pytest
import torch

from dist_vad.settings.task import TaskSettings
from dist_vad.tasks import TASKS, Inputs, make_tasks
from dist_vad.tasks.base import DrawKey
from dist_vad.tasks.network import build_network
from dist_vad.training.stage_module import StageModule

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
TASK = "prediction"


def stage_module() -> StageModule:
    network = build_network(make_tasks([TASK], TaskSettings()).values(), width=8, embedding=8, scene_size=6, seed=0)
    return StageModule(network, [TASK], TaskSettings())


def loss_and_gradient(module: StageModule, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    clip, scene = (torch.rand(*size, generator=generator) for size in ((8, 3, 9, 48, 48), (8, 6)))
    module = copy.deepcopy(module).to(device)
    inputs = {
        TASKS[TASK].kind: Inputs(clip.to(device), scene.to(device), torch.zeros(8, dtype=torch.int64, device=device))
    }
    draws = {TASK: module.tasks[TASK].draw(DrawKey(0, "stage", TASK, 0, np.arange(8)), 9).to(device)}
    loss = module(inputs, draws)[TASK]
    loss.sum().backward()
    gradient = torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])
    return loss.detach().cpu(), gradient.cpu()


@pytest.mark.parametrize(("precision", "tolerance"), [("no", 1e-3), ("bf16", 0.1)])
def test_the_same_batch_has_the_same_loss_and_gradient_on_the_device_as_on_the_cpu(precision, tolerance):
    module = stage_module()
    loss, gradient = loss_and_gradient(module, torch.device("cpu"))
    module.precision = precision
    other, near = loss_and_gradient(module, DEVICE)
    assert torch.allclose(other, loss, rtol=tolerance / 10)
    assert float((near - gradient).norm()) <= tolerance * float(gradient.norm())


@pytest.mark.skipif(DEVICE.type != "cuda", reason="needs a GPU: memory is counted there alone")
def test_nothing_is_left_on_the_device_after_a_stage():
    before = torch.cuda.memory_allocated()
    loss_and_gradient(stage_module(), DEVICE)
    gc.collect()
    assert torch.cuda.memory_allocated() == before


def test_importing_the_trainer_touches_no_gpu():
    program = "import torch, dist_vad.training.trainer as t; print(torch.cuda.is_initialized())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.stdout.split()[-1:] == ["False"], done.stderr
