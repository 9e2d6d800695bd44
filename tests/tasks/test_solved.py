"""What each task claims to learn, on held-out real cubes: the puzzle is solved, not only the loss lower."""

import dataclasses

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch.nn import functional

from dist_vad.curriculum.recipes import plan
from dist_vad.curriculum.state import State
from dist_vad.data.shardset import ShardSet
from dist_vad.producer.job import WriteOptions, write_shards
from dist_vad.settings.curriculum import StageSettings
from dist_vad.settings.data import DataSettings, PlazaSettings
from dist_vad.settings.detector import DetectorSettings
from dist_vad.settings.model import ModelSettings
from dist_vad.settings.run import Settings
from dist_vad.settings.stream import StreamSettings
from dist_vad.settings.train import TrainSettings
from dist_vad.tasks.semantic_reconstruction import SemanticReconstruction
from dist_vad.training.trainer import train_stage

pytestmark = pytest.mark.slow  # minutes: a network learns


@pytest.fixture(scope="module")
def settings(shared, tmp_path_factory) -> Settings:
    """UCSD Ped2 with its boxes; virtual video of the generated world."""
    data = DataSettings(
        dataset="ucsd",
        root=str(shared / "data/ped2"),
        detector=DetectorSettings(name="boxes", boxes="{root}/yolov3_boxes.{split}.json", min_confidence=0.5),
        train_stride=2,
        test_stride=20,
    )
    folder = tmp_path_factory.mktemp("ped2")
    write_shards(data, folder / "shards", WriteOptions(progress=False))
    return Settings(
        run=str(folder / "run"),
        shards=str(folder / "shards"),
        data=data,
        stream=StreamSettings(streams=32),
        model=ModelSettings(width=8, embedding=64),
        augment="mirror",
        train=TrainSettings(tracker="none"),
    )


def learned(settings: Settings, task: str, steps: int) -> State:
    """The state of a task that was learned alone."""
    stage = StageSettings(tasks={task: 1.0}, steps=steps, global_batch=32, learning_rate=2e-3, validate_every=steps)
    own = dataclasses.replace(settings, run=f"{settings.run}/{task}-{steps}", curriculum={task: stage})
    return train_stage(own, plan(own)[0], None, Accelerator(cpu=True))


def test_semantic_reconstruction_tells_a_frame_of_the_clip_from_another_clip(settings):
    figures = learned(settings, "semantic_reconstruction", 250).metrics["val"]
    near, far = (figures[f"semantic_reconstruction: {name}"] for name in ("p+", "p-"))
    assert near - far >= settings.task.semantic_margin
    assert figures["semantic_reconstruction"] < 0.1


def test_semantic_reconstruction_without_negatives_collapses_and_does_not_pass(settings, monkeypatch):
    def only_near(task, backbone, head, inputs, draws):
        near, _ = task._cosines(backbone, head, inputs, draws)
        return functional.relu(1 - near)

    monkeypatch.setattr(SemanticReconstruction, "loss", only_near)
    figures = learned(settings, "semantic_reconstruction", 251).metrics["val"]
    near, far = (figures[f"semantic_reconstruction: {name}"] for name in ("p+", "p-"))
    assert near > 0.9 and near - far < settings.task.semantic_margin


def test_jigsaw_puts_pieces_and_frames_where_they_were(settings):
    figures = learned(settings, "jigsaw", 4000).metrics["val"]
    assert figures["jigsaw: place accuracy"] >= 0.75
    assert figures["jigsaw: time accuracy"] >= 0.75


def test_virtual_tells_anomalous_from_normal_frames_of_worlds_that_it_has_not_seen(settings, tmp_path):
    state = learned(settings, "virtual", 2500)
    other = DataSettings(plaza=PlazaSettings(train_videos=2, test_videos=2, virtual_videos=24, seed=1))
    unseen = ShardSet(write_shards(other, tmp_path, WriteOptions(progress=False))["virtual-train"])
    from dist_vad.tasks import Inputs, make_tasks
    from dist_vad.tasks.network import build_network, load_weights

    (task,) = make_tasks(["virtual"], settings.task).values()
    network = build_network([task], width=8, embedding=64, scene_size=state.recipe["model"]["scene_size"], seed=0)
    load_weights(network, state.load(), [task])
    batch = unseen.read(np.arange(len(unseen)))
    inputs = Inputs.from_stored(batch.clips, batch.scenes, batch.labels, torch.device("cpu"))
    with torch.no_grad():
        odds = task.measure(network.backbone, network.heads["inference"], inputs)[:, 0]
    accuracy = ((odds > 0) == (batch.labels == 1)).float().mean()
    assert accuracy >= 0.95
