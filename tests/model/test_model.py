"""The network takes clips of any length and size, no sample sees another, and a task moves nothing but its own."""

import dataclasses

import numpy as np
import pytest
import torch

from dist_vad.base.errors import InputError
from dist_vad.model import Network
from dist_vad.settings.task import TaskSettings
from dist_vad.tasks import TASKS, DrawKey, Inputs, Task, make_tasks
from dist_vad.tasks.network import build_network, load_weights, parts
from dist_vad.tasks.semantic_reconstruction import _take_out


def whole(settings: TaskSettings, *names: str, seed: int = 0) -> tuple[dict[str, Task], Network]:
    """Tasks, all of them if none is named, and the network that learns them."""
    tasks = make_tasks(names or TASKS, settings)
    return tasks, build_network(tasks.values(), width=4, embedding=8, scene_size=12, seed=seed)


def inputs(count: int, length: int = 9, size: int = 24) -> Inputs:
    """Gratings that drift, each with its own colour, period and speed."""
    generator = torch.Generator().manual_seed(count)
    colour, period, speed = (torch.rand(count, n, 1, 1, 1, generator=generator) for n in (3, 1, 1))
    place = torch.linspace(0, 1, size) + 0.3 * torch.linspace(0, 1, size)[:, None]
    time = torch.arange(length).view(1, 1, -1, 1, 1)
    clip = 0.5 + 0.5 * torch.sin((5 + 10 * period) * place + 6 * colour + (2 * speed - 1) * time)
    return Inputs(clip, torch.rand(count, 12, generator=generator), torch.arange(count) % 2)


def some_draws(task: Task, positions: np.ndarray) -> torch.Tensor:
    return task.draw(DrawKey(0, "stage", task.name, 0, positions), clip_length=9)


@pytest.mark.parametrize(("length", "size"), [(1, 48), (4, 48), (9, 48), (9, 64), (5, 256)])
def test_clips_of_any_length_and_size_give_outputs_of_one_shape(length, size):
    _, network = whole(TaskSettings())
    sample = inputs(1, length, size)
    features = network.backbone(sample.clip)
    assert features.shape == (1, 16, length, size // 8, size // 8)
    assert network.heads["perception"]("frame", features).shape == (1, 3, size, size)
    assert network.heads["perception"]("classification", features).shape == (1, 2, 2)
    assert network.heads["comprehension"]("embedding", features, sample.scene).shape == (1, 8)
    assert network.heads["comprehension"]("jigsaw", features, sample.scene).shape == (1, 81 + length**2)
    assert network.heads["comprehension"]("frame", features, sample.scene, grids=features).shape == sample.clip.shape
    assert network.heads["inference"]("virtual", features).shape == (1, 2)


@pytest.mark.parametrize("name", TASKS)
def test_a_sample_s_loss_and_score_do_not_depend_on_the_batch_it_is_in(name, task_settings):
    """So neither do they on the micro-batch, nor on the number of ranks."""
    tasks, network = whole(task_settings, name)
    task, together, head = tasks[name], inputs(6), network.heads[tasks[name].phase]
    loss = task.loss(network.backbone, head, together, some_draws(task, np.arange(6)))
    said = task.measure(network.backbone, head, together)
    for i in range(6):
        alone = Inputs(*(part[i : i + 1] for part in (together.clip, together.scene, together.label)))
        own = task.loss(network.backbone, head, alone, some_draws(task, np.array([i])))
        torch.testing.assert_close(loss[i : i + 1], own, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(said[i : i + 1], task.measure(network.backbone, head, alone), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TASKS)
def test_a_task_teaches_the_backbone_its_phase_s_trunk_and_its_own_output_and_nothing_else(name, task_settings):
    tasks, network = whole(dataclasses.replace(task_settings, semantic_margin=2.0))
    task = tasks[name]
    draws = some_draws(task, np.arange(8))
    task.loss(network.backbone, network.heads[task.phase], inputs(8), draws).sum().backward()
    for parameter, value in network.named_parameters():
        taught = value.grad is not None and bool(value.grad.abs().sum() > 0)
        assert taught == parameter.startswith(parts(task)), parameter


def test_a_part_starts_from_the_same_weights_whatever_it_stands_beside(task_settings):
    _, every = whole(task_settings)
    for name in TASKS:
        _, alone = whole(task_settings, name)
        for key, tensor in alone.state_dict().items():
            assert torch.equal(tensor, every.state_dict()[key]), key


def test_a_network_holds_the_parts_of_its_tasks_alone(task_settings):
    tasks, network = whole(task_settings, "prediction", "jigsaw")
    assert list(network.heads) == ["perception", "comprehension"]
    assert all(name.startswith(sum((parts(task) for task in tasks.values()), ())) for name in network.state_dict())


def test_weights_of_what_was_trained_are_taken_over_and_the_rest_starts_afresh(task_settings):
    trained, before = whole(task_settings, "prediction", "virtual", seed=1)
    tasks, network = whole(task_settings, "reconstruction", "classification")
    fresh = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    load_weights(network, before.state_dict(), trained.values())
    for name, tensor in network.state_dict().items():
        source = before.state_dict() if not name.startswith(parts(tasks["classification"])[2]) else fresh
        assert torch.equal(tensor, source[name]), name


def test_a_state_that_lacks_what_it_was_trained_on_is_refused_by_name(task_settings):
    trained, before = whole(task_settings, "prediction", "jigsaw")
    tensors = before.state_dict()
    lost = "heads.comprehension.trunk.layers.0.weight"
    rest = {name: tensor for name, tensor in tensors.items() if name != lost}
    with pytest.raises(InputError, match=rf"lacks 1 of .*{lost}.*train the stage again"):
        load_weights(whole(task_settings, "prediction", "jigsaw")[1], rest, trained.values())
    with pytest.raises(InputError, match=rf"{lost} \[3, 4\], expected \[16, 300\]"):
        load_weights(
            whole(task_settings, "completion", "jigsaw")[1], {**tensors, lost: torch.zeros(3, 4)}, trained.values()
        )
    # What the state holds beside that, and what it was not trained on, is no error.
    load_weights(whole(task_settings, "prediction", "pseudo")[1], rest, [trained["prediction"]])


def test_the_anchor_is_taken_out_and_time_goes_on_around_it():
    clip = torch.arange(9.0).view(1, 1, 9, 1, 1).expand(2, 3, 9, 2, 2)
    without, single = _take_out(clip, torch.tensor([1, 7]))
    assert without[0, 0, :, 0, 0].tolist() == [0, 2, 3, 4, 5, 6, 7, 8]
    assert without[1, 0, :, 0, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 8]
    assert single[:, 0, 0, 0, 0].tolist() == [1, 7]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = (whole(TaskSettings(), seed=seed)[1].state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first.values(), again.values()))
    assert not torch.equal(first["backbone.stem.0.weight"], other["backbone.stem.0.weight"])
