"""The network takes clips of any length and size, and no sample sees another."""

import numpy as np
import pytest
import torch

from dist_vad.config import TaskSettings
from dist_vad.model import PHASES, Network
from dist_vad.tasks import TASKS, DrawKey, Inputs
from dist_vad.tasks.semantic_reconstruction import _take_out


@pytest.fixture(scope="module")
def network():
    return Network(width=4, embedding=8, scene_size=12, seed=0)


def inputs(count: int, length: int = 9, size: int = 48) -> Inputs:
    """Gratings that drift, each with its own colour, period and speed."""
    generator = torch.Generator().manual_seed(count)
    colour, period, speed = (torch.rand(count, n, 1, 1, 1, generator=generator) for n in (3, 1, 1))
    place = torch.linspace(0, 1, size) + 0.3 * torch.linspace(0, 1, size)[:, None]
    time = torch.arange(length).view(1, 1, -1, 1, 1)
    clip = 0.5 + 0.5 * torch.sin((5 + 10 * period) * place + 6 * colour + (2 * speed - 1) * time)
    return Inputs(clip, torch.rand(count, 12, generator=generator), torch.arange(count) % 2)


def some_draws(name: str, count: int) -> torch.Tensor:
    return TASKS[name](TaskSettings()).draw(DrawKey(0, "stage", name, 0, np.arange(count)), clip_length=9)


@pytest.mark.parametrize(("length", "size"), [(1, 48), (4, 48), (9, 48), (9, 64), (5, 256)])
def test_clips_of_any_length_and_size_give_outputs_of_one_shape(network, length, size):
    sample = inputs(1, length, size)
    features = network.backbone(sample.clip)
    assert features.shape == (1, 16, length, size // 8, size // 8)
    assert network.heads["perception"](features).shape == (1, 3, size, size)
    assert network.heads["comprehension"](features, sample.scene).shape == (1, 8)
    assert network.heads["inference"](features).shape == (1, 2)


@pytest.mark.parametrize("name", TASKS)
def test_a_sample_s_loss_does_not_depend_on_the_batch_it_is_in(network, name):
    task, whole = TASKS[name](TaskSettings()), inputs(6)
    head = network.heads[task.phase]
    draws = some_draws(name, 6)
    together = task.loss(network.backbone, head, whole, draws)
    alone = [
        task.loss(
            network.backbone,
            head,
            Inputs(whole.clip[i : i + 1], whole.scene[i : i + 1], whole.label[i : i + 1]),
            draws[i : i + 1],
        )
        for i in range(6)
    ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_teaches_the_backbone_and_its_own_head_and_no_other(name):
    network = Network(width=4, embedding=8, scene_size=12, seed=0)
    task = TASKS[name](TaskSettings(semantic_margin=2.0))
    draws = some_draws(name, 4)
    task.loss(network.backbone, network.heads[task.phase], inputs(4), draws).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.backbone.parameters())
    for phase in PHASES:
        touched = [p.grad is not None for p in network.heads[phase].parameters()]
        assert all(touched) if phase == task.phase else not any(touched)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_s_loss_falls_when_it_is_trained(name):
    network = Network(width=4, embedding=8, scene_size=12, seed=0)
    task, batch = TASKS[name](TaskSettings()), inputs(8)
    head, draws = network.heads[task.phase], some_draws(name, 8)
    optimizer = torch.optim.AdamW([*network.backbone.parameters(), *head.parameters()], lr=5e-3)
    losses = []
    for _ in range(200 if name == "semantic_reconstruction" else 40):  # it stays on a plateau for a while
        loss = task.loss(network.backbone, head, batch, draws).mean()
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.9 * losses[0]


def test_the_anchor_is_taken_out_and_time_goes_on_around_it():
    clip = torch.arange(9.0).view(1, 1, 9, 1, 1).expand(2, 3, 9, 2, 2)
    without, single = _take_out(clip, torch.tensor([1, 7]))
    assert without[0, 0, :, 0, 0].tolist() == [0, 2, 3, 4, 5, 6, 7, 8]
    assert without[1, 0, :, 0, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 8]
    assert single[:, 0, 0, 0, 0].tolist() == [1, 7]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = (Network(4, 8, 12, seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first.state_dict().values(), again.state_dict().values()))
    assert not torch.equal(first.state_dict()["backbone.stem.0.weight"], other.state_dict()["backbone.stem.0.weight"])
