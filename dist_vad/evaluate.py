"""From object scores to frame scores to metrics: every object once, the same result on any number of ranks."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from accelerate import Accelerator

from dist_vad import metrics
from dist_vad.config import Settings
from dist_vad.curriculum import open_set, shard_store
from dist_vad.errors import InputError
from dist_vad.model import Network
from dist_vad.progress import progress_bar
from dist_vad.scoring import Calibration, Scorer, baseline_scores, calibrate, part_path, write_part
from dist_vad.shardset import ShardSet
from dist_vad.state import State, Tensors, read_state, tensors_digest
from dist_vad.store import open_store

UNTRAINED = "untrained"
BASELINES = ("box_width", "box_area", "frame_difference")


@dataclass(frozen=True)
class Subject:
    """Something that scores objects: a state, the untrained network, or the baselines."""

    name: str
    """Phase after which the state was made; `untrained`; `no learning`."""
    scores: tuple[str, ...]
    """Columns of its parts."""
    key: list
    """What decides the scores, beside the shard."""
    floors: dict[str, float]
    """What a frame without objects gets, by score."""
    weights: dict[str, float]
    """Task -> its weight in `fused`."""


@dataclass(frozen=True)
class ShardSets:
    """What an evaluation reads."""

    train: ShardSet
    val: ShardSet
    test: ShardSet


class Evaluation:
    """Scores of all subjects on the test set, in parts under `RUN/scores`."""

    def __init__(self, settings: Settings, accelerator: Accelerator) -> None:
        self.settings, self.accelerator = settings, accelerator
        root = open_store(settings.shards)
        self.sets = ShardSets(
            *(open_set(settings, shard_store(root, "cube", split)) for split in ("train", "val", "test"))
        )
        self.folder = Path(settings.run) / "scores"

    def score(self, state: State) -> list[Subject]:
        """Score the test set by every state of the lineage, by the untrained network, and by the baselines.

        Shards are shared out over the ranks; a part that is there is never made again.
        """
        subjects = [self._score_baselines()]
        for name, tensors, tasks in lineage(self.settings, state):
            subjects.append(self._score_network(name, tensors, tasks))
        self.accelerator.wait_for_everyone()
        return subjects

    def parts(self, subject: Subject) -> Iterator[tuple[str, pa.Table]]:
        """(video, its objects with their scores) in manifest order. Raises InputError where a part is not whole."""
        manifest = self.sets.test.manifest
        tables: dict[str, list[pa.Table]] = {video.name: [] for video in manifest.videos}
        for shard in manifest.shards:
            path = part_path(self.folder, subject.key, shard.sha256)
            table = pq.read_table(path) if path.is_file() else None
            if table is None or len(table) != shard.samples:
                found = "nothing" if table is None else f"{len(table)} objects"
                raise InputError(
                    f"scores of shard {shard.name} by {subject.name}: found {found} at {path}, expected "
                    f"{shard.samples} objects; delete that file and start the evaluation again, what is whole is kept"
                )
            tables[shard.video].append(table)
        for video, some in tables.items():
            if some:
                yield video, pa.concat_tables(some)

    def frame_scores(self, subject: Subject) -> dict[str, dict[str, np.ndarray]]:
        """Score -> video -> raw frame scores, float64 [frames] (eq. 9: the maximum over the frame's objects)."""
        manifest = self.sets.test.manifest
        objects = dict(self.parts(subject))
        return {
            score: {
                video.name: metrics.frame_scores(
                    *_column(objects.get(video.name), score),
                    length=video.frames,
                    stride=manifest.stride,
                    margin=manifest.clip_length // 2,
                    floor=subject.floors[score],
                )
                for video in manifest.videos
            }
            for score in subject.scores
        }

    def _score_baselines(self) -> Subject:
        subject = Subject("no learning", BASELINES, ["baselines", *BASELINES], dict.fromkeys(BASELINES, 0.0), {})
        self._make_parts(subject, lambda number: baseline_scores(self.sets.test, number))
        return subject

    def _score_network(self, name: str, tensors: Tensors, tasks: list[str]) -> Subject:
        facts = self.sets.train.manifest
        network = Network(
            **dataclasses.asdict(self.settings.model), scene_size=facts.scene_size, seed=self.settings.seed
        )
        network.load_state_dict(tensors, strict=False)
        digest = tensors_digest(network.state_dict())
        scorer = Scorer(network, tasks, digest, self.settings.score, self.settings.task, self.accelerator.device)
        calibration = calibrate(scorer, self.sets.train, self.sets.val)
        how = [dataclasses.asdict(self.settings.score), dataclasses.asdict(self.settings.task)]
        subject = Subject(
            name,
            (*tasks, "fused"),
            [digest, tasks, how, facts.content_digest, self.sets.val.manifest.content_digest],
            calibration.floors,
            calibration.weights,
        )
        self._make_parts(subject, lambda number: self._score_shard(scorer, calibration, number))
        return subject

    def _score_shard(self, scorer: Scorer, calibration: Calibration, number: int) -> dict[str, np.ndarray]:
        ids = np.arange(self.sets.test.starts[number], self.sets.test.starts[number + 1])
        scene = str(self.sets.test.scenes(ids[:1])[0])
        return calibration.scores(scorer.measure(self.sets.test, ids), scene, self.settings.score.neighbours)

    def _make_parts(self, subject: Subject, make) -> None:
        """Write the parts of this rank's shards that are not there yet."""
        shards = self.sets.test.manifest.shards
        mine = range(self.accelerator.process_index, len(shards), self.accelerator.num_processes)
        bar = progress_bar(
            mine, desc=f"score {subject.name}", unit=" shards", disable=not self.accelerator.is_main_process
        )
        for number in bar:
            path = part_path(self.folder, subject.key, shards[number].sha256)
            if not path.is_file():
                write_part(path, self.sets.test.index(number), make(number))


def lineage(settings: Settings, state: State) -> Iterator[tuple[str, Tensors, list[str]]]:
    """(name, weights, trained tasks) of the untrained network, of every ancestor and of the state itself."""
    yield UNTRAINED, {}, state.tasks
    for folder in state.lineage:
        ancestor = read_state(state.folder.parent / folder)
        yield ancestor.stage, ancestor.load(), ancestor.tasks
    yield state.stage, state.load(), state.tasks


def _column(objects: pa.Table | None, score: str) -> tuple[np.ndarray, np.ndarray]:
    if objects is None:
        return np.zeros(0, np.int64), np.zeros(0)
    return objects["frame"].to_numpy(), objects[score].to_numpy()
