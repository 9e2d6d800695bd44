"""Each proxy task learns from real cubes, and its score tells a planted anomaly of its kind from what is normal."""

import numpy as np
import pytest
import torch
from miniature import QUIET
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from dist_vad.config import DataSettings, TaskSettings
from dist_vad.model import Network
from dist_vad.shardset import ShardSet
from dist_vad.tasks import TASKS, DrawKey, Inputs, Measured, Task
from dist_vad.tasks.jigsaw import shuffle
from dist_vad.tasks.network import build_network
from dist_vad.tasks.pseudo_anomalies import DRAWS, LOOK, MOTION
from shards.job import write_shards

SIZE = 24
"""Pixels to which cubes are made smaller, for speed."""


STEPS = {"classification": 150, "jigsaw": 150, "pseudo": 80}
"""Steps that a task needs, if more than others."""


def made(name: str, settings: TaskSettings, scene_size: int) -> tuple[Task, Network]:
    task = TASKS[name](settings)
    return task, build_network([task], width=4, embedding=16, scene_size=scene_size, seed=0)


def samples(folder, most: int = 96) -> Inputs:
    shards = ShardSet(folder)
    batch = shards.read(np.unique(np.linspace(0, len(shards) - 1, most).astype(int)))
    inputs = Inputs.from_stored(batch.clips, batch.scenes, batch.labels, torch.device("cpu"))
    return Inputs(functional.adaptive_avg_pool3d(inputs.clip, (None, SIZE, SIZE)), inputs.scene, inputs.label)


def some(inputs: Inputs, ids: torch.Tensor) -> Inputs:
    return Inputs(inputs.clip[ids], inputs.scene[ids], inputs.label[ids])


def train(task: Task, network: Network, inputs: Inputs, steps: int, fixed: bool, batch: int = 8) -> list[float]:
    """Losses of so many steps; `fixed`: always of the same samples and draws."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for step in range(steps):
        number = 0 if fixed else step
        ids = (torch.arange(batch) + number * batch) * 37 % len(inputs.clip)
        draws = task.draw(DrawKey(0, "stage", task.name, number, np.arange(batch)), inputs.clip.shape[2])
        loss = task.loss(network.backbone, network.heads[task.phase], some(inputs, ids), draws).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def learns(name: str, settings: TaskSettings, folder) -> bool:
    """Whether the loss of eight samples falls when they are shown again and again."""
    inputs = samples(folder / f"{TASKS[name].kind}-train", most=8)
    task, network = made(name, settings, inputs.scene.shape[1])
    losses = train(task, network, inputs, 120 if name == "semantic_reconstruction" else 40, fixed=True)
    return min(losses[-5:]) < 0.9 * losses[0]


@pytest.mark.parametrize("name", TASKS)
def test_the_loss_falls_on_cubes_of_plaza(name, task_settings, tiny_shards):
    assert learns(name, task_settings, tiny_shards)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.kind == "cube"])
def test_the_loss_falls_on_cubes_of_a_real_street(name, task_settings, street):
    assert learns(name, task_settings, street)


@pytest.fixture(scope="module")
def street(shared, tmp_path_factory):
    """Cubes of what moves in a real street."""
    out = tmp_path_factory.mktemp("street")
    for split in ("train", "test"):
        (out / "video" / split).mkdir(parents=True)
        (out / "video" / split / "vtest.avi").symlink_to(shared / "data/vtest/vtest.avi")
    settings = DataSettings(dataset="folder", root=str(out / "video"), train_stride=60, test_stride=400, virtual="none")
    write_shards(settings, out / "shards", QUIET)
    return out / "shards"


def inverted(inputs: Inputs, frames: list[int]) -> Inputs:
    """Some frames as negatives: a thing of other colours that is there for a moment."""
    clip = inputs.clip.clone()
    clip[:, :, frames] = 1 - clip[:, :, frames]
    return Inputs(clip, inputs.scene, inputs.label)


def changed(kind: str):
    def change(inputs: Inputs) -> Inputs:
        draws = torch.rand(len(inputs.clip), DRAWS, generator=torch.Generator().manual_seed(0))
        return Inputs({**MOTION, **LOOK}[kind](inputs.clip, draws), inputs.scene, inputs.label)

    return change


def in_pieces(inputs: Inputs) -> Inputs:
    """Pieces and frames permuted."""
    pieces, frames = torch.tensor([4, 0, 8, 1, 6, 2, 3, 5, 7]), torch.tensor([4, 0, 8, 1, 6, 2, 3, 5, 7])
    each = len(inputs.clip), -1
    return Inputs(shuffle(inputs.clip, pieces.expand(each), frames.expand(each)), inputs.scene, inputs.label)


def elsewhere(inputs: Inputs) -> Inputs:
    return Inputs(inputs.clip, inputs.scene.roll(1, dims=1), inputs.label)


PLANTED = {
    "prediction": lambda inputs: inverted(inputs, [4]),
    "reconstruction": lambda inputs: inverted(inputs, [4]),
    "classification": changed("stuttering"),
    "semantic_reconstruction": elsewhere,
    "jigsaw": in_pieces,
    "completion": lambda inputs: inverted(inputs, [4]),
    "restoration": lambda inputs: inverted(inputs, [2, 6]),
    "pseudo": changed("textured"),
    "vision_language": changed("textured"),
}
"""Task -> an anomaly of the kind that it is meant to find."""


@pytest.mark.parametrize("name", TASKS)
def test_the_score_tells_a_planted_anomaly_of_its_kind_from_normal(name, task_settings, tiny_shards):
    inputs = samples(tiny_shards / f"{TASKS[name].kind}-train")
    task, network = made(name, task_settings, inputs.scene.shape[1])
    train(task, network, inputs, STEPS.get(name, 40), fixed=False)

    @torch.no_grad()
    def measured(some: Inputs) -> Measured:
        value = task.measure(network.backbone, network.heads[task.phase], some)
        return Measured(value.numpy(), some.scene.numpy())

    if name == "virtual":  # the anomalies are in the data
        normal, planted = (some(inputs, torch.nonzero(inputs.label == label)[:, 0]) for label in (0, 1))
    else:
        normal = samples(tiny_shards / "cube-val")
        planted = PLANTED[name](normal)
    memory = measured(inputs)
    scores = [task.score(measured(each), memory, 3) for each in (normal, planted)]
    truth = np.repeat([0, 1], [len(each) for each in scores])
    print(name, roc_auc_score(truth, np.concatenate(scores)))
    assert roc_auc_score(truth, np.concatenate(scores)) > 0.7
