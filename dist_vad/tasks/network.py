"""From tasks to the network that learns them, and from a state's weights into it."""

import dataclasses
from collections.abc import Callable, Iterable

import torch
from torch import nn

from dist_vad.base.errors import InputError
from dist_vad.model import Network
from dist_vad.settings.run import Settings
from dist_vad.tasks import make_tasks
from dist_vad.tasks.base import Task

BACKBONE = "backbone."
"""How the names of the backbone's parameters begin."""


def build_network(tasks: Iterable[Task], *, width: int, embedding: int, scene_size: int, seed: int) -> Network:
    """The backbone, and of each task's head the trunk and the output layer; initial weights come from the seed.

    A part starts from the same weights whichever tasks it stands beside.
    """
    outputs: dict[str, dict[str, Callable[[nn.Module], nn.Module]]] = {}
    for task in tasks:
        outputs.setdefault(task.phase, {}).setdefault(task.output, task.make_output)
    return Network(width, embedding, scene_size, seed, outputs)


def network_of(
    settings: Settings, tasks: Iterable[str], tensors: dict[str, torch.Tensor], trained: Iterable[str], scene_size: int
) -> Network:
    """The network of some tasks with the weights of a state that has trained some of them; without weights, untrained.

    Of the settings, those of model and tasks and the seed count.
    """
    made, model = make_tasks(tasks, settings.task).values(), dataclasses.asdict(settings.model)
    network = build_network(made, **model, scene_size=scene_size, seed=settings.seed)
    if tensors:
        load_weights(network, tensors, make_tasks(trained, settings.task).values())
    return network


def load_weights(network: Network, tensors: dict[str, torch.Tensor], trained: Iterable[Task]) -> None:
    """Take over, from a state, what it has learned of a network's parts.

    The backbone is always taken. The parts of tasks that the state was not trained on keep the weights from which they
    start; what it learned for tasks that the network does not have is left aside.

    Args:
        tensors: the state's weights.
        trained: the tasks that it was trained on.

    Raises InputError, naming them, where tensors of a part that was trained are missing or of another shape.
    """
    expected = (BACKBONE, *(prefix for task in trained for prefix in parts(task)))
    own = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(expected)}
    missing = [name for name in own if name not in tensors]
    if missing:
        raise InputError(
            f"the state lacks {len(missing)} of {len(own)} tensors that its tasks train: {_some(missing)}; it was "
            "made by another version of the network: train the stage again"
        )
    other = [
        f"{name} {list(tensors[name].shape)}, expected {list(tensor.shape)}"
        for name, tensor in own.items()
        if tensors[name].shape != tensor.shape
    ]
    if other:
        raise InputError(
            f"the state holds tensors of other shapes than the network: {_some(other)}; take the model.width, "
            "model.embedding and task settings that it was trained with, or train the stage again"
        )
    network.load_state_dict({name: tensors[name] for name in own}, strict=False)


def parts(task: Task) -> tuple[str, str, str]:
    """What a task trains: how the names of the parameters begin."""
    head = f"heads.{task.phase}"
    return BACKBONE, f"{head}.trunk.", f"{head}.outputs.{task.output}."


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
