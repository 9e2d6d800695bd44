"""Each proxy task learns from real cubes, and its score tells a synthetic anomaly of its kind from what is normal."""

import cv2
import numpy as np
import pytest
import torch
from miniature import QUIET
from sklearn.metrics import roc_auc_score
from torch.nn import functional

from dist_vad.data.shardset import ShardSet
from dist_vad.model import Network
from dist_vad.producer.job import write_shards
from dist_vad.settings.data import DataSettings
from dist_vad.settings.task import TaskSettings
from dist_vad.tasks import TASKS, DrawKey, HeadOutput, Inputs, Task
from dist_vad.tasks.classification import choices
from dist_vad.tasks.jigsaw import shuffle
from dist_vad.tasks.network import build_network
from dist_vad.tasks.pseudo import VISIBLE, changed
from dist_vad.tasks.vision_language import VisionLanguage, select

SIZE = 24
"""Pixels to which cubes are made smaller, for speed."""


def untrained(name: str, settings: TaskSettings, scene_size: int) -> tuple[Task, Network]:
    task = TASKS[name](settings)
    return task, build_network([task], width=4, embedding=16, scene_size=scene_size, seed=0)


def samples(folder, most: int = 96) -> Inputs:
    shards = ShardSet(folder)
    batch = shards.read(np.unique(np.linspace(0, len(shards) - 1, most).astype(int)))
    inputs = Inputs.from_stored(batch.clips, batch.scenes, batch.labels, torch.device("cpu"))
    return Inputs(functional.adaptive_avg_pool3d(inputs.clip, (None, SIZE, SIZE)), inputs.scene, inputs.label)


def chosen(inputs: Inputs, ids: torch.Tensor) -> Inputs:
    return Inputs(inputs.clip[ids], inputs.scene[ids], inputs.label[ids])


def train(task: Task, network: Network, inputs: Inputs, steps: int, fixed: bool, batch: int = 8) -> list[float]:
    """Losses of so many steps; `fixed`: always of the same samples and draws."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for step in range(steps):
        number = 0 if fixed else step
        ids = (torch.arange(batch) + number * batch) * 37 % len(inputs.clip)
        draws = drawn(task, number, batch)
        if fixed and task.name == "jigsaw":
            draws = half_solved(draws)
        loss = task.loss(network.backbone, network.heads[task.phase], chosen(inputs, ids), draws).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


def drawn(task: Task, step: int, batch: int) -> torch.Tensor:
    return task.draw(DrawKey(0, "stage", task.name, step, np.arange(batch)), clip_length=9)


def half_solved(draws: torch.Tensor) -> torch.Tensor:
    """Every other puzzle with its pieces and frames in place, which draws hardly ever give."""
    solved = torch.cat([draws[:, :1], torch.arange(9).expand(len(draws), 9), torch.arange(9).expand(len(draws), 9)], 1)
    return torch.where((torch.arange(len(draws)) % 2 == 0)[:, None], solved, draws)


def learns(name: str, settings: TaskSettings, folder) -> bool:
    """Whether the loss of eight samples falls when they are shown again and again."""
    inputs = samples(folder / f"{TASKS[name].kind}-train", most=8)
    task, network = untrained(name, settings, inputs.scene.shape[1])
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
    capture = cv2.VideoCapture(str(shared / "data/vtest/vtest.avi"))
    for name in ("train/a", "train/b", "test/c"):
        folder = out / "video" / name
        folder.mkdir(parents=True)
        for number in range(60):
            assert cv2.imwrite(str(folder / f"{number:03d}.jpg"), capture.read()[1])
    settings = DataSettings(dataset="folder", root=str(out / "video"), train_stride=10, test_stride=20, virtual="none")
    write_shards(settings, out / "shards", QUIET)
    return out / "shards"


def inverted(inputs: Inputs, frames: list[int]) -> Inputs:
    """Some frames as negatives: a thing of other colours that is there for a moment."""
    clip = inputs.clip.clone()
    clip[:, :, frames] = 1 - clip[:, :, frames]
    return Inputs(clip, inputs.scene, inputs.label)


def elsewhere(inputs: Inputs) -> Inputs:
    """The same in a scene that was never seen."""
    return Inputs(inputs.clip, inputs.scene.roll(1, dims=1), inputs.label)


UNSEEN = {
    "prediction": lambda inputs: inverted(inputs, [4]),
    "reconstruction": lambda inputs: inverted(inputs, [4]),
    "semantic_reconstruction": elsewhere,
    "completion": lambda inputs: inverted(inputs, [4]),
    "restoration": lambda inputs: inverted(inputs, [2, 6]),
}
"""Tasks that learn normal video alone -> what they have never seen, made of held-out cubes."""


@pytest.mark.parametrize("name", UNSEEN)
def test_the_score_tells_what_was_never_seen_from_held_out_normal_cubes(name, task_settings, tiny_shards):
    inputs, held_out = samples(tiny_shards / "cube-train"), samples(tiny_shards / "cube-val")
    task, network = untrained(name, task_settings, inputs.scene.shape[1])
    train(task, network, inputs, 30, fixed=False)
    assert auc(task, network, inputs, held_out, UNSEEN[name](held_out)) > 0.8


def irregular(task: Task, inputs: Inputs, draws: torch.Tensor) -> Inputs:
    """The middle frames, which the score asks for, as they were shown in training."""
    clip, shown = inputs.clip.clone(), torch.tensor(choices(9))[draws[:, 0]]
    for i, frames in enumerate(shown):
        clip[i, :, 2:7] = inputs.clip[i][:, frames.flip(0) if draws[i, 1] else frames]
    return Inputs(clip, inputs.scene, inputs.label)


def puzzled(task: Task, inputs: Inputs, draws: torch.Tensor) -> Inputs:
    in_time, pieces, frames = half_solved(draws).split([1, 9, 9], dim=1)
    shuffled = torch.where(
        (in_time == 1)[..., None, None, None],
        shuffle(inputs.clip, torch.arange(9).expand_as(pieces), frames),
        shuffle(inputs.clip, pieces, torch.arange(9).expand_as(frames)),
    )
    return Inputs(shuffled, inputs.scene, inputs.label)


def made_up(task: Task, inputs: Inputs, draws: torch.Tensor) -> Inputs:
    return Inputs(changed(inputs.clip, draws)[0], inputs.scene, inputs.label)


def selected(task: Task, inputs: Inputs, draws: torch.Tensor) -> Inputs:
    assert isinstance(task, VisionLanguage)
    candidates, _ = select(task.judge, len(task.settings.normal_prompts), inputs.clip, draws)
    return Inputs(candidates, inputs.scene, inputs.label)


LEARNED = {"classification": irregular, "jigsaw": puzzled, "pseudo": made_up, "vision_language": selected}
"""Tasks that learn to name a change -> the change."""


@pytest.mark.parametrize("name", LEARNED)
def test_the_score_tells_a_change_that_was_learned_from_the_same_cubes_unchanged(name, task_settings, tiny_shards):
    inputs = samples(tiny_shards / "cube-train", most=16)
    task, network = untrained(name, task_settings, inputs.scene.shape[1])
    train(task, network, inputs, 60, fixed=True, batch=16)
    ids = torch.arange(16) * 37 % 16
    cubes = chosen(inputs, ids)
    synthetic = LEARNED[name](task, cubes, drawn(task, 0, 16))
    seen = (synthetic.clip - cubes.clip).abs().mean(dim=(1, 2, 3, 4)) > VISIBLE
    # `vision_language` is shown every cube unchanged, the others those that they are not shown changed.
    normal = chosen(cubes, seen if name == "vision_language" else ~seen)
    assert len(normal.clip) >= 4 and seen.sum() >= 4
    assert auc(task, network, cubes, normal, chosen(synthetic, seen)) > 0.8


def test_the_score_of_virtual_tells_its_anomalous_clips_from_its_normal_ones(task_settings, tiny_shards):
    inputs = samples(tiny_shards / "virtual-train")
    task, network = untrained("virtual", task_settings, inputs.scene.shape[1])
    train(task, network, inputs, 40, fixed=False)
    assert auc(task, network, inputs, chosen(inputs, inputs.label == 0), chosen(inputs, inputs.label == 1)) > 0.7


@torch.no_grad()
def auc(task: Task, network: Network, memory: Inputs, normal: Inputs, synthetic: Inputs) -> float:
    """Area under the ROC curve of the task's score, `memory` being the normal cubes that it compares with."""

    def outputs(inputs: Inputs) -> HeadOutput:
        values = task.measure(network.backbone, network.heads[task.phase], inputs)
        return HeadOutput(values.numpy(), inputs.scene.numpy())

    bank = task.memory_bank(outputs(memory))
    scores = [task.score(outputs(inputs), bank, 3) for inputs in (normal, synthetic)]
    return float(roc_auc_score(np.repeat([0, 1], [len(each) for each in scores]), np.concatenate(scores)))
