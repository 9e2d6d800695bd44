"""From cubes to object scores: calibration on normal video, then one Parquet part for each shard."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from dist_vad.config import ScoreSettings, TaskSettings
from dist_vad.model import Network
from dist_vad.reader import ShardSet, evenly_spaced
from dist_vad.storage import atomic_file, digest
from dist_vad.tasks import TASKS, Inputs, Measured, Task

SCORING_VERSION = 1
SCENE_MINIMUM = 50
"""Normal cubes that a scene must have for a mean and a deviation of its own."""


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
        self.tasks: dict[str, Task] = {name: TASKS[name](task) for name in tasks}
        self.digest, self.settings, self.device = digest, settings, device

    @torch.no_grad()
    def measure(self, shards: ShardSet, ids: np.ndarray) -> dict[str, Measured]:
        """Measurements of samples by task.

        Every batch has the same size, the last one by repeating its last sample: a network can give other bits at
        another batch size.
        """
        size = self.settings.batch
        padded = np.concatenate([ids, np.repeat(ids[-1:], -len(ids) % size)])
        values: dict[str, list[np.ndarray]] = {name: [] for name in self.tasks}
        scenes = []
        for some in padded.reshape(-1, size):
            batch = shards.read(some)
            scenes.append(batch.scenes.numpy())
            inputs = Inputs.from_stored(batch.clips, batch.scenes, batch.labels, self.device)
            for name, task in self.tasks.items():
                value = task.measure(self.network.backbone, self.network.heads[task.phase], inputs)
                values[name].append(value.float().cpu().numpy())
        places = np.concatenate(scenes)[: len(ids)]
        return {name: Measured(np.concatenate(some)[: len(ids)], places) for name, some in values.items()}


@dataclass(frozen=True)
class Standard:
    """Mean and deviation of a score on normal video, in each scene of which there is enough and over all."""

    by_scene: dict[str, tuple[float, float]]
    overall: tuple[float, float]

    @classmethod
    def of(cls, scores: np.ndarray, scenes: np.ndarray) -> "Standard":
        """From scores of normal cubes [N] and the names of their scenes [N]."""
        chosen = {str(name): scores[scenes == name] for name in np.unique(scenes)}
        enough = {name: _moments(some) for name, some in chosen.items() if len(some) >= SCENE_MINIMUM}
        return cls(enough, _moments(scores))

    def __call__(self, scores: np.ndarray, scene: str) -> np.ndarray:
        """Scores of cubes of one scene in deviations above the normal mean."""
        mean, deviation = self.by_scene.get(scene, self.overall)
        return (scores - mean) / deviation


def _moments(scores: np.ndarray) -> tuple[float, float]:
    return float(scores.mean()), float(max(scores.std(), 1e-12))


@dataclass(frozen=True)
class Calibration:
    """What is normal, learned from normal video alone.

    All of it comes from normal training cubes.
    """

    memory: dict[str, Measured]
    """Task -> measurements of normal training cubes."""
    standards: dict[str, Standard]
    floors: dict[str, float]
    """What a frame without objects gets, by score: 0 where the task's paper says so (eq. 9), else the smallest score
    of the normal training cubes."""

    def scores(self, measured: dict[str, Measured], scene: str, neighbours: int) -> dict[str, np.ndarray]:
        """For cubes of one scene, float64 [B] each: the score by task, `standard_TASK`, and `fused`, the latter's sum."""
        raw = {name: TASKS[name].score(measured[name], self.memory[name], neighbours) for name in measured}
        standard = {standard_name(name): self.standards[name](value, scene) for name, value in raw.items()}
        return {**raw, **standard, "fused": np.sum(list(standard.values()), axis=0)}


def standard_name(task: str) -> str:
    """The column of a task's standardised score."""
    return f"standard_{task}"


def calibrate(scorer: Scorer, train: ShardSet) -> Calibration:
    """Calibrate a scorer on normal training cubes; the same cubes whoever does it.

    All of them are the memory for scoring. For mean and deviation each half of the videos is scored with the other half
    as memory, since a cube's own video would be its nearest neighbour.
    """
    settings = scorer.settings
    ids = evenly_spaced(len(train), settings.calibration)
    memory, scenes, fold = scorer.measure(train, ids), train.scenes(ids), train.folds(ids)
    raw = {name: _cross_scores(name, some, fold, settings.neighbours) for name, some in memory.items()}
    standards = {name: Standard.of(value, scenes) for name, value in raw.items()}
    fused = np.zeros(len(ids))
    for name in np.unique(scenes):
        here = scenes == name
        fused[here] = sum(standards[task](raw[task][here], str(name)) for task in raw)
    empty = {name: TASKS[name].empty_score for name in raw}
    floors = {name: float(raw[name].min()) if value is None else value for name, value in empty.items()}
    return Calibration(memory, standards, {**floors, "fused": float(fused.min())})


def _cross_scores(task: str, measured: Measured, fold: np.ndarray, neighbours: int) -> np.ndarray:
    """Score of each cube with the cubes of the other fold as memory: float64 [N]."""
    scores = np.zeros(len(fold))
    halves = [Measured(*(part[fold == number] for part in measured)) for number in (0, 1)]
    for number, half in enumerate(halves):
        scores[fold == number] = TASKS[task].score(half, halves[1 - number], neighbours)
    return scores


def part_path(folder: Path, key: list, shard_sha256: str) -> Path:
    """Where the scores of one shard lie, named by all that decides them."""
    return folder / f"{digest([SCORING_VERSION, *key, shard_sha256])[:24]}.parquet"


def write_part(path: Path, index: np.ndarray, scores: dict[str, np.ndarray]) -> None:
    """Write one shard's scores, whole or not at all: frame, object, box and a column for each score."""
    columns = {name: pa.array(index[name]) for name in ("frame", "object")}
    columns |= {name: pa.array(index["box"][:, i]) for i, name in enumerate(("x1", "y1", "x2", "y2"))}
    columns |= {name: pa.array(values) for name, values in scores.items()}
    with atomic_file(path) as file:
        pq.write_table(pa.table(columns), file)


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
