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
from dist_vad.tasks import TASKS, Inputs, Task

SCORING_VERSION = 1


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
    def measure(self, shards: ShardSet, ids: np.ndarray) -> dict[str, np.ndarray]:
        """Measurements of samples by task: float32 [len(ids), M].

        Every batch has the same size, the last one by repeating its last sample: a network can give other bits at
        another batch size.
        """
        size = self.settings.batch
        padded = np.concatenate([ids, np.repeat(ids[-1:], -len(ids) % size)])
        measured: dict[str, list[np.ndarray]] = {name: [] for name in self.tasks}
        for some in padded.reshape(-1, size):
            batch = shards.read(some)
            inputs = Inputs.from_stored(batch.clips, batch.scenes, batch.labels, self.device)
            for name, task in self.tasks.items():
                value = task.measure(self.network.backbone, self.network.heads[task.phase], inputs)
                measured[name].append(value.float().cpu().numpy())
        return {name: np.concatenate(values)[: len(ids)] for name, values in measured.items()}


@dataclass(frozen=True)
class Calibration:
    """What is normal, learned from normal video alone.

    Memories come from training videos, means and deviations from the held-out normal ones (`val`), which no
    weight has seen.
    """

    memory: dict[str, np.ndarray]
    """Task -> measurements of normal training cubes, [N, M]."""
    mean: dict[str, float]
    deviation: dict[str, float]
    floors: dict[str, float]
    """What a frame without objects gets, by score: 0 where the task's paper says so (eq. 9), else the smallest score
    of the held-out normal cubes."""

    def scores(self, measured: dict[str, np.ndarray], neighbours: int) -> dict[str, np.ndarray]:
        """Score of each object by task, and `fused`, the sum of the standardised ones: float64 [B] each."""
        raw = {name: score(name, measured[name], self.memory[name], neighbours) for name in measured}
        standard = [(value - self.mean[name]) / self.deviation[name] for name, value in raw.items()]
        return {**raw, "fused": np.sum(standard, axis=0)}


def score(task: str, measured: np.ndarray, normal: np.ndarray, neighbours: int) -> np.ndarray:
    """One task's anomaly score of each object: float64 [B]."""
    return TASKS[task].score(measured, normal, neighbours)


def calibrate(scorer: Scorer, train: ShardSet, val: ShardSet) -> Calibration:
    """Calibrate a scorer on normal training and held-out cubes; the same cubes whoever does it."""
    half = scorer.settings.calibration // 2
    memory = scorer.measure(train, evenly_spaced(len(train), half))
    held_out = scorer.measure(val, evenly_spaced(len(val), half))
    raw = {n: score(n, held_out[n], memory[n], scorer.settings.neighbours) for n in memory}
    mean = {name: float(value.mean()) for name, value in raw.items()}
    deviation = {name: float(max(value.std(), 1e-12)) for name, value in raw.items()}
    calibration = Calibration(memory, mean, deviation, {})
    for name, value in calibration.scores(held_out, scorer.settings.neighbours).items():
        empty = TASKS[name].empty_score if name in TASKS else None
        calibration.floors[name] = float(value.min()) if empty is None else empty
    return calibration


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
