"""From object scores to frame scores to metrics: every object once, the same result on any number of ranks."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from dist_vad.base.progress import progress_bar
from dist_vad.curriculum.state import State, Tensors, read_state, tensors_digest
from dist_vad.data.manifest import MANIFEST
from dist_vad.data.shard_sets import open_set, shard_store
from dist_vad.data.shardset import ShardSet
from dist_vad.data.store import open_store
from dist_vad.evaluation.clip_scores import with_clips
from dist_vad.evaluation.frame_scores import Merged, merge
from dist_vad.evaluation.score_files import BOX, Parts
from dist_vad.scoring.baselines import baseline_scores
from dist_vad.scoring.calibration import SCORING_VERSION, Calibration, calibrate, rarity_name
from dist_vad.scoring.geometry import Geometry, features_of
from dist_vad.scoring.scorer import Scorer
from dist_vad.settings.run import Settings
from dist_vad.tasks import make_tasks
from dist_vad.tasks.network import build_network, load_weights

UNTRAINED = "untrained"
BASELINES = ("box_width", "box_area", "frame_difference", "geometry")


@dataclass(frozen=True)
class Subject:
    """Something that scores objects: a state, the untrained network, or the baselines."""

    name: str
    """Phase after which the state was made; `untrained`; `no learning`."""
    scores: tuple[str, ...]
    """Its scores, the one it is judged by last."""
    key: list
    """What decides the scores, beside the shard."""
    floors: dict[str, float]
    """What a frame without objects gets, by score."""
    weights: dict[str, float]
    """Task -> its weight in `fused`."""
    geometry_share: float = 0.0
    """Share of `geometry` in `fused_geometry`."""
    trial: dict[str, dict[str, float]] = field(default_factory=dict)
    """Score -> kind of planted anomaly -> frame-level AUC on held-out normal video."""
    clips: "Subject | None" = None
    """The same of whole frames, where there are clips."""

    @property
    def columns(self) -> list[str]:
        """The columns of its parts: its scores, and how rare those of its tasks are."""
        return [*self.scores, *(rarity_name(task) for task in self.weights)]


@dataclass(frozen=True)
class ShardSets:
    """What an evaluation reads."""

    train: ShardSet
    val: ShardSet
    test: ShardSet


class Evaluation:
    """Scores of all subjects on the test set, in parts under `evaluate.parts`."""

    def __init__(self, settings: Settings, accelerator: Accelerator) -> None:
        self.settings, self.accelerator = settings, accelerator
        root = open_store(settings.shards)
        self.sets = ShardSets(
            *(open_set(settings, shard_store(root, "cube", split)) for split in ("train", "val", "test"))
        )
        kinds = [shard_store(root, "clip", split) for split in ("train", "val", "test")]
        there = all(store.size(MANIFEST) is not None for store in kinds)
        self.clips = ShardSets(*(open_set(settings, store) for store in kinds)) if there else None
        """Whole frames of the same videos, where `data.clip_stride` had them cut."""
        self.store = open_store(settings.evaluate.parts or Path(settings.run) / "scores")

    def score(self, state: State) -> list[Subject]:
        """Score the test set by every state of the lineage, by the untrained network, and by the baselines.

        Shards are shared out over the ranks; a part that is there is never made again.
        """
        subjects = [self._score_baselines()]
        for name, tensors, tasks in lineage(self.settings, state):
            subjects.append(self._score_network(name, tensors, tasks))
        self.accelerator.wait_for_everyone()
        return subjects

    def score_alone(self, state: State) -> Subject:
        """Score the test set by one state, without its ancestors."""
        return self._alone(self._score_network(state.stage, state.load(), state.tasks))

    def score_without_learning(self, tasks: list[str]) -> list[Subject]:
        """Score the test set by the baselines, and by the untrained network with the heads of some tasks."""
        return [self._score_baselines(), self._alone(self._score_network(UNTRAINED, {}, tasks))]

    def _alone(self, subject: Subject) -> Subject:
        self.accelerator.wait_for_everyone()  # each rank has made its parts, of which any rank may read all
        return subject

    def merge(self, subject: Subject) -> Merged:
        """Frame scores of a subject, and what else its parts tell. Raises InputError where a part is not whole."""
        merged = self._merge(subject, self.sets)
        if self.clips is None or subject.clips is None:
            return merged
        return with_clips(merged, self._merge(subject.clips, self.clips).frames)

    def _merge(self, subject: Subject, sets: ShardSets) -> Merged:
        floors = {score: subject.floors[score] for score in subject.scores}
        return merge(self._parts(subject), sets.test.manifest, floors)

    def objects(self, subject: Subject, ids: list[int]) -> list[dict[str, Any]]:
        """All that the parts say of some samples of the test set."""
        test = self.sets.test
        numbers = (np.searchsorted(test.starts, ids, side="right") - 1).tolist()
        columns = ["frame", "object", *BOX, *subject.columns]
        wanted = sorted(set(numbers))
        tables = dict(zip(wanted, self._parts(subject).read([test.manifest.shards[n] for n in wanted], columns)))
        return [
            tables[number].slice(sample - int(test.starts[number]), 1).to_pylist()[0]
            for sample, number in zip(ids, numbers)
        ]

    def data(self) -> dict[str, dict[str, Any]]:
        """What identifies the data: fingerprint and digest of each shard set, and how much it holds."""
        sets = {"train": self.sets.train, "val": self.sets.val, "test": self.sets.test}
        return {
            name: {
                "data set": shards.manifest.dataset,
                "videos": len(shards.manifest.videos),
                "samples": shards.manifest.samples,
                "fingerprint": shards.manifest.fingerprint,
                "content digest": shards.manifest.content_digest,
            }
            for name, shards in sets.items()
        }

    def _parts(self, subject: Subject) -> Parts:
        return Parts(self.store, subject.name, subject.key)

    def _score_baselines(self) -> Subject:
        subject = Subject(
            "no learning",
            BASELINES,
            [SCORING_VERSION, "baselines", *BASELINES, *self._normal],
            dict.fromkeys(BASELINES, 0.0),
            {},
        )
        self._make_parts(subject, self._score_without_learning)
        return subject

    def _score_without_learning(self, number: int) -> dict[str, np.ndarray]:
        scene, boxes = self._boxes(number)
        return {**baseline_scores(self.sets.test, number), "geometry": self._geometry.scores(boxes, scene)}

    def _score_network(self, name: str, tensors: Tensors, tasks: list[str]) -> Subject:
        scorer = make_scorer(self.settings, self.sets.train, tensors, tasks, self.accelerator.device)
        calibration = calibrate(scorer, self.sets.train, self.sets.val, self._geometry)
        how = [dataclasses.asdict(self.settings.score), dataclasses.asdict(self.settings.task)]
        subject = Subject(
            name,
            (*tasks, "fused_geometry", "fused"),
            [SCORING_VERSION, scorer.digest, tasks, how, *self._normal],
            {**calibration.floors, "fused_geometry": (1 - calibration.geometry_share) * calibration.floors["fused"]},
            calibration.weights,
            calibration.geometry_share,
            calibration.trial,
        )
        self._make_parts(subject, lambda number: self._score_shard(scorer, calibration, number))
        return replace(subject, clips=self._score_clips(name, scorer, self.clips)) if self.clips else subject

    def _score_shard(self, scorer: Scorer, calibration: Calibration, number: int) -> dict[str, np.ndarray]:
        ids = np.arange(self.sets.test.starts[number], self.sets.test.starts[number + 1])
        scene, boxes = self._boxes(number)
        scores = calibration.scores(scorer.measure(self.sets.test, ids), scene, self.settings.score.neighbours)
        share, rare = calibration.geometry_share, self._geometry.rarity(self._geometry.scores(boxes, scene), scene)
        return {**scores, "fused_geometry": (1 - share) * scores["fused"] + share * rare}

    @property
    def _normal(self) -> list[str]:
        """What all that is learned of normal video depends on, beside a network."""
        return [self.sets.train.manifest.content_digest, self.sets.val.manifest.content_digest]

    @cached_property
    def _geometry(self) -> Geometry:
        return Geometry.of(self.sets.train)

    @cached_property
    def _test_boxes(self) -> np.ndarray:
        return features_of(self.sets.test)

    def _boxes(self, number: int) -> tuple[str, np.ndarray]:
        """Scene of a shard of the test set, and the features of its boxes."""
        start, stop = self.sets.test.starts[number : number + 2]
        return str(self.sets.test.scenes(np.array([start]))[0]), self._test_boxes[start:stop]

    def _score_clips(self, name: str, scorer: Scorer, sets: ShardSets) -> Subject:
        """Score whole frames as cubes are scored, among normal training clips."""
        calibration, tasks = calibrate(scorer, sets.train, sets.val), [*scorer.tasks]
        how = [dataclasses.asdict(self.settings.score), dataclasses.asdict(self.settings.task)]
        normal = [sets.train.manifest.content_digest, sets.val.manifest.content_digest]
        key = [SCORING_VERSION, scorer.digest, tasks, how, *normal]
        subject = Subject(name, (*tasks, "fused"), key, calibration.floors, calibration.weights)

        def score(number: int) -> dict[str, np.ndarray]:
            ids = np.arange(sets.test.starts[number], sets.test.starts[number + 1])
            scene = str(sets.test.scenes(ids[:1])[0])
            return calibration.scores(scorer.measure(sets.test, ids), scene, self.settings.score.neighbours)

        self._make_parts(subject, score, sets.test)
        return subject

    def _make_parts(
        self, subject: Subject, make: Callable[[int], dict[str, np.ndarray]], test: ShardSet | None = None
    ) -> None:
        """Write this rank's share of the parts of a test set, that of the cubes unless another is given, that are not
        there yet; `make` scores a shard by its number.

        What is missing is shared out anew at every start, so a run that was killed is made up for by all ranks; the
        first rank looks for all, since others would already see parts that it has made meanwhile.
        """
        test = test or self.sets.test
        shards, parts = test.manifest.shards, self._parts(subject)
        missing = [parts.missing(shards) if self.accelerator.is_main_process else []]
        broadcast_object_list(missing)
        mine = missing[0][self.accelerator.process_index :: self.accelerator.num_processes]
        bar = progress_bar(
            mine, desc=f"score {subject.name}", unit=" shards", disable=not self.accelerator.is_main_process
        )
        for number in bar:
            parts.write(shards[number], test.index(number), make(number))


def make_scorer(
    settings: Settings, train: ShardSet, tensors: Tensors, tasks: list[str], device: torch.device
) -> Scorer:
    """A scorer of the weights of a state that was trained on some tasks; without weights, of the untrained network."""
    made, sizes = make_tasks(tasks, settings.task).values(), dataclasses.asdict(settings.model)
    network = build_network(made, **sizes, scene_size=train.manifest.scene_size, seed=settings.seed)
    load_weights(network, tensors, made if tensors else [])
    digest = tensors_digest(network.state_dict())
    return Scorer(network, tasks, digest, settings.score, settings.task, device)


def lineage(settings: Settings, state: State) -> Iterator[tuple[str, Tensors, list[str]]]:
    """(name, weights, trained tasks) of the untrained network, of every ancestor and of the state itself."""
    yield UNTRAINED, {}, state.tasks
    for folder in state.lineage:
        ancestor = read_state(state.folder.parent / folder)
        yield ancestor.stage, ancestor.load(), ancestor.tasks
    yield state.stage, state.load(), state.tasks
