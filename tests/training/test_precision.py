"""`train.precision auto` and `train.compile`: what they choose, that a run keeps to it, and that it learns the same."""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from launching import succeed

from dist_vad.base import machine
from dist_vad.base.errors import InputError
from dist_vad.base.sealed import read_sealed
from dist_vad.curriculum import precision
from dist_vad.curriculum.precision import PRECISION, chosen_precision, keep_precision
from dist_vad.curriculum.recipes import plan
from dist_vad.curriculum.state import read_state
from dist_vad.model.backbone import Backbone
from dist_vad.settings.run import Settings
from dist_vad.settings.train import TrainSettings
from dist_vad.tasks import PARTNER, TASKS, Inputs, make_tasks
from dist_vad.tasks.base import DrawKey
from dist_vad.tasks.network import build_network
from dist_vad.training import compilation
from dist_vad.training.compilation import COMPILED, compile_network, compiles
from dist_vad.training.stage_module import StageModule


@pytest.fixture
def asked(tiny_settings: Settings, tmp_path) -> Settings:
    """The tiny run, in the precision that the machine likes."""
    tiny_settings.run, tiny_settings.train = str(tmp_path), TrainSettings(precision="auto", tracker="none")
    return tiny_settings


def machine_with(monkeypatch, bf16: bool) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda: bf16)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize(("bf16", "chosen"), [(True, "bf16"), (False, "no")])
def test_auto_is_bf16_where_the_cpu_multiplies_it_and_fp32_elsewhere(asked, monkeypatch, bf16, chosen):
    machine_with(monkeypatch, bf16)
    assert chosen_precision(asked) == chosen


@pytest.mark.parametrize(("capability", "chosen"), [((9, 0), "bf16"), ((8, 6), "bf16"), ((7, 5), "no"), ((6, 1), "no")])
def test_auto_is_bf16_on_a_gpu_that_multiplies_it(asked, monkeypatch, capability, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    assert chosen_precision(asked) == chosen


def test_the_default_is_fp32_whatever_the_machine_has(asked, monkeypatch):
    machine_with(monkeypatch, bf16=True)
    asked.train = TrainSettings()
    assert keep_precision(asked) == "no" and not (Path(asked.run) / PRECISION).exists()


def test_a_state_is_named_by_what_was_chosen_as_if_that_had_been_asked_for(asked, monkeypatch):
    machine_with(monkeypatch, bf16=True)
    keys = [stage.key for stage in plan(asked)]
    asked.train.precision = "bf16"
    assert keys == [stage.key for stage in plan(asked)]


def test_a_run_goes_on_in_the_precision_that_it_began_with(asked, monkeypatch):
    machine_with(monkeypatch, bf16=True)
    keep_precision(asked)
    began = [stage.key for stage in plan(asked)]
    machine_with(monkeypatch, bf16=False)
    assert keep_precision(asked) == "bf16" and began == [stage.key for stage in plan(asked)]


@pytest.mark.parametrize(
    ("flags", "amx", "bf16"),
    [
        ("fpu amx_bf16 avx512f amx_tile amx_int8", True, True),
        ("fpu avx512_bf16", False, True),
        ("fpu amx_tile avx512f", False, False),
    ],
)
def test_units_for_bf16_are_read_from_what_the_system_says_of_the_cpu(tmp_path, flags, amx, bf16):
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: swapgs\n")
    assert (machine.has_amx(tmp_path / "cpuinfo"), machine.has_bf16(tmp_path / "cpuinfo")) == (amx, bf16)
    assert not machine.has_amx(tmp_path / "nothing") and not machine.has_bf16(tmp_path / "nothing")


class Alone:
    """Stands in for an accelerator of one process."""

    is_main_process, device = True, torch.device("cpu")


def choice(asked: Settings, how: str, seconds: float) -> bool:
    asked.train.precision, asked.train.compile = how, "auto"  # pyright: ignore[reportAttributeAccessIssue]
    return compiles(asked.train, Path(asked.run), plan(asked)[0], Alone(), lambda: seconds)  # pyright: ignore


@pytest.mark.parametrize(
    ("how", "seconds", "chosen"), [("bf16", 60.0, True), ("bf16", 0.01, False), ("no", 60.0, False)]
)
def test_auto_compiles_a_long_stage_in_bf16_and_a_restart_does_the_same(asked, monkeypatch, how, seconds, chosen):
    monkeypatch.setattr(compilation, "_missing", lambda device: None)
    assert choice(asked, how, seconds) is chosen
    assert choice(asked, how, 60.0 - seconds) is chosen, "whatever a step takes now"
    assert list(read_sealed(Path(asked.run) / COMPILED).values()) == [chosen]


def test_without_a_compiler_auto_goes_on_and_true_is_refused(asked, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert choice(asked, "bf16", 60.0) is False
    asked.train.compile = True
    with pytest.raises(InputError, match=r"compile is true, but no .* compiler was found"):
        compiles(asked.train, Path(asked.run), plan(asked)[0], Alone(), lambda: 1.0)  # pyright: ignore


def loss_and_gradient(task: str, settings, compiled: bool, how: str) -> tuple[torch.Tensor, torch.Tensor]:
    network = build_network(make_tasks([task], settings).values(), width=4, embedding=8, scene_size=6, seed=0)
    module = StageModule(network, [task], settings, how)
    kind = TASKS[task].kind
    generator = torch.Generator().manual_seed(1)
    clip, scene = (torch.rand(*size, generator=generator) for size in ((4, 3, 9, 48, 48), (4, 6)))
    inputs = {kind: Inputs(clip, scene, torch.arange(4) % 2), PARTNER: Inputs(clip.flip(0), scene, torch.zeros(4))}
    draws = {task: module.tasks[task].draw(DrawKey(0, "stage", task, 0, np.arange(4)), clip.shape[2])}
    if compiled:
        compile_network(module)
    loss = module(inputs, draws)[task]
    loss.sum().backward()
    gradient = [p.grad.flatten() for p in module.backbone.parameters() if p.grad is not None]
    return loss.detach(), torch.cat(gradient)


@pytest.mark.parametrize("width", [4, 12, 32])
@pytest.mark.parametrize("length", [1, 2, 9])
def test_in_bf16_no_value_depends_on_what_the_memory_held_before(width, length):
    backbone = Backbone(width)
    clip = torch.rand(2, 3, length, 48, 48)
    expected = backbone(clip).detach()
    for _ in range(2):
        stale = [torch.full((size << power,), torch.nan) for power in range(6, 19) for size in (1, 1, 3)]
        del stale
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            features = backbone(clip)
        assert float((features - expected).norm()) < 0.05 * float(expected.norm())


@pytest.mark.slow  # each compiles a network or two
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@pytest.mark.parametrize("task", TASKS)
def test_compiled_a_task_has_the_same_loss_and_gradient(task, task_settings):
    torch.compiler.reset()
    logging.disable()  # its debug messages, which pytest would collect
    loss, gradient = loss_and_gradient(task, task_settings, compiled=False, how="no")
    same, near = loss_and_gradient(task, task_settings, compiled=True, how="no")
    assert torch.allclose(same, loss, rtol=1e-4, atol=1e-5)
    assert float((near - gradient).norm()) <= 1e-3 * float(gradient.norm()) + 1e-6
    rough, _ = loss_and_gradient(task, task_settings, compiled=True, how="bf16")
    assert torch.allclose(rough, loss, rtol=0.05, atol=0.05)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_states_of_a_compiled_run_in_bf16_are_fp32_evaluate_and_two_ranks_learn_what_one_learns(tiny_config, tmp_path):
    weights = []
    for ranks in (1, 2):
        where = ["--config", str(tiny_config), "--run", str(tmp_path / str(ranks)), "--train.cpu_threads", "1"]
        fast = ["--train.precision", "bf16", "--train.compile", "true", "--train.micro_batch", "4"]
        succeed("launch/progressive.py", *where, *fast, ranks=ranks)
        (last,) = (tmp_path / str(ranks) / "states").glob("inference-*")
        weights.append(read_state(last).load())
        if ranks == 1:
            succeed("launch/evaluate.py", *where, *fast)
    assert all(tensor.dtype == torch.float32 for tensor in weights[0].values())
    assert all(torch.allclose(tensor, weights[1][name], rtol=0.02, atol=2e-3) for name, tensor in weights[0].items())
    assert json.loads((tmp_path / "1/metrics.json").read_text())["final"]["micro_auc"] > 0
