"""From cubes to object scores, by way of calibration on normal video."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from dist_vad.config import ScoreSettings, TaskSettings
from dist_vad.model import Network
from dist_vad.planted import plants
from dist_vad.rarity import Rarity
from dist_vad.shardset import Batch, ShardSet, evenly_spaced
from dist_vad.tasks import TASKS, Inputs, Measured, make_tasks

SCORING_VERSION = 3
PLANTED = 512
"""Held-out normal cubes on which anomalies are planted."""


class Scorer:
    """What a network says of cubes, task by task.

    Args:
        network: with the weights of a state.
        tasks: the tasks that it was trained on; each gives a score.
        digest: of the weights; names the parts.
    """

    def __init__(
        self,
        network: Network,
        tasks: list[str],
        digest: str,
        settings: ScoreSettings,
        task: TaskSettings,
        device: torch.device,
    ) -> None:
        self.network = network.to(device).eval()
        self.tasks = make_tasks(tasks, task)
        self.digest, self.settings, self.device = digest, settings, device

    def measure(
        self, shards: ShardSet, ids: np.ndarray, plant: Callable[[Batch], Batch] | None = None
    ) -> dict[str, Measured]:
        """Measurements of samples by task, after `plant` has changed them, if it is given.

        Every batch has the same size, the last one by repeating its last sample: a network can give other bits at
        another batch size.
        """
        size = self.settings.batch
        padded = np.concatenate([ids, np.repeat(ids[-1:], -len(ids) % size)])
        parts: list[dict[str, Measured]] = []
        for some in padded.reshape(-1, size):
            batch = shards.read(some, positions=some)
            parts.append(self._measure_batch(plant(batch) if plant else batch))
        return _joined(parts, len(ids))

    def measure_clips(self, clips: np.ndarray, scene: np.ndarray) -> dict[str, Measured]:
        """Measurements by task of cubes that lie in no shard, in batches of the same size as those of `measure`.

        Args:
            clips: uint8 [N, T, S, S, 3], RGB; N is at least 1.
            scene: f_scene of all of them, float32 [D_B].
        """
        size, parts = self.settings.batch, []
        for start in range(0, len(clips), size):
            some = clips[start : start + size]
            some = np.concatenate([some, np.repeat(some[-1:], size - len(some), axis=0)])
            scenes = torch.from_numpy(np.tile(scene, (size, 1)))
            labels = torch.full((size,), -1)
            parts.append(self._measure_batch(Batch(torch.from_numpy(some), scenes, labels, np.arange(size))))
        return _joined(parts, len(clips))

    @torch.no_grad()
    def _measure_batch(self, batch: Batch) -> dict[str, Measured]:
        inputs = Inputs.from_stored(batch.clips, batch.scenes, batch.labels, self.device)
        values = {
            name: task.measure(self.network.backbone, self.network.heads[task.phase], inputs)
            for name, task in self.tasks.items()
        }
        places = batch.scenes.numpy()
        return {name: Measured(value.float().cpu().numpy(), places) for name, value in values.items()}


def _joined(parts: list[dict[str, Measured]], count: int) -> dict[str, Measured]:
    """The first `count` measurements of some batches laid end to end."""
    return {
        name: Measured(*(np.concatenate(some)[:count] for some in zip(*(part[name] for part in parts))))
        for name in parts[0]
    }


@dataclass(frozen=True)
class Calibration:
    """What is normal, and how far each head can be trusted: learned from normal video alone."""

    memory: dict[str, Measured]
    """Task -> measurements of normal training cubes."""
    rarities: dict[str, Rarity]
    weights: dict[str, float]
    """Task -> its weight in `fused`, from 0 to 1: how well it tells planted anomalies from the held-out normal cubes
    that they were planted on."""
    floors: dict[str, float]
    """What a frame without objects gets, by score: 0 where the task's paper says so (eq. 9), else the smallest score
    of the normal training cubes."""

    def scores(self, measured: dict[str, Measured], scene: str, neighbours: int) -> dict[str, np.ndarray]:
        """For cubes of one scene, float64 [B] each: the score by task, `rarity_TASK`, `fused` (their weighted sum)."""
        raw = {name: TASKS[name].score(measured[name], self.memory[name], neighbours) for name in measured}
        rare = {name: self.rarities[name](value, scene) for name, value in raw.items()}
        fused = np.sum([self.weights[name] * value for name, value in rare.items()], axis=0)
        return {**raw, **{rarity_name(name): value for name, value in rare.items()}, "fused": fused}


def rarity_name(task: str) -> str:
    """The column that says how rare a task's score is among normal cubes."""
    return f"rarity_{task}"


def calibrate(scorer: Scorer, train: ShardSet, val: ShardSet) -> Calibration:
    """Calibrate a scorer on normal training cubes, weigh its heads on held-out normal ones; the same for every rank.

    All of them are the memory for scoring. For rarity each half of the videos is scored with the other half as memory,
    since a cube's own video would be its nearest neighbour.
    """
    settings = scorer.settings
    ids = evenly_spaced(len(train), settings.calibration)
    memory, scenes, fold = scorer.measure(train, ids), train.scenes(ids), train.folds(ids)
    raw = {name: _cross_scores(name, some, fold, settings.neighbours) for name, some in memory.items()}
    rarities = {name: Rarity.of(value, scenes) for name, value in raw.items()}
    places = next(iter(memory.values())).scenes
    features = np.stack([places[scenes == name][0] for name in np.unique(scenes)])
    weights = _weights(scorer, Calibration(memory, rarities, dict.fromkeys(raw, 1.0), {}), val, features)
    fused = sum(weights[name] * rarities[name].each(raw[name], scenes) for name in raw)
    empty = {name: TASKS[name].empty_score for name in raw}
    floors = {name: float(raw[name].min()) if value is None else value for name, value in empty.items()}
    return Calibration(memory, rarities, weights, {**floors, "fused": float(np.min(fused))})


def _weights(scorer: Scorer, calibration: Calibration, val: ShardSet, features: np.ndarray) -> dict[str, float]:
    """2 AUC - 1 of each head on each kind of planted anomaly, averaged over the kinds; 0 where a head does no better
    than chance, and 1 for all where none does. `features`: f_scene of every scene."""
    ids = evenly_spaced(len(val), PLANTED)
    scenes = val.scenes(ids)

    def rare(plant: Callable[[Batch], Batch] | None) -> dict[str, np.ndarray]:
        measured = scorer.measure(val, ids, plant)
        raw = {
            name: TASKS[name].score(some, calibration.memory[name], scorer.settings.neighbours)
            for name, some in measured.items()
        }
        return {name: calibration.rarities[name].each(value, scenes) for name, value in raw.items()}

    normal = rare(None)
    gains: dict[str, list[float]] = {name: [] for name in normal}
    for plant in plants(features).values():
        planted = rare(lambda batch, plant=plant: plant(batch, features))
        for name, gain in gains.items():
            truth = np.repeat([0, 1], len(ids))
            gain.append(2 * roc_auc_score(truth, np.concatenate([normal[name], planted[name]])) - 1)
    weights = {name: float(max(0.0, np.mean(gain))) for name, gain in gains.items()}
    return weights if any(weights.values()) else dict.fromkeys(weights, 1.0)


def _cross_scores(task: str, measured: Measured, fold: np.ndarray, neighbours: int) -> np.ndarray:
    """Score of each cube with the cubes of the other fold as memory: float64 [N]."""
    scores = np.zeros(len(fold))
    halves = [Measured(*(part[fold == number] for part in measured)) for number in (0, 1)]
    for number, half in enumerate(halves):
        scores[fold == number] = TASKS[task].score(half, halves[1 - number], neighbours)
    return scores


def baseline_scores(shards: ShardSet, number: int) -> dict[str, np.ndarray]:
    """Scores that learn nothing, for the objects of one shard: float64 [B] each.

    `box_width`, `box_area`: of the detector's box, in pixels. `frame_difference`: raw motion, the mean absolute
    difference of the cube's middle frame from the one before it, times the area of the box.
    """
    index = shards.index(number)
    width, height = index["box"][:, 2] - index["box"][:, 0], index["box"][:, 3] - index["box"][:, 1]
    area = width.astype(np.float64) * height
    first = int(shards.starts[number])
    motion = np.empty(len(index))
    for start in range(0, len(index), 256):
        ids = np.arange(first + start, first + min(start + 256, len(index)))
        clips = shards.read(ids).clips.numpy().astype(np.int16)
        middle = clips.shape[1] // 2
        motion[start : start + len(ids)] = np.abs(clips[:, middle] - clips[:, middle - 1]).mean(axis=(1, 2, 3))
    return {"box_width": width.astype(np.float64), "box_area": area, "frame_difference": motion * area}
