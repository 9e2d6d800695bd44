"""From object scores to frame scores to metrics: every object once, the same result on any number of ranks."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from dist_vad.clips import with_clips
from dist_vad.config import Settings
from dist_vad.curriculum import open_set, shard_store
from dist_vad.manifest import MANIFEST
from dist_vad.merge import Merged, merge
from dist_vad.parts import BOX, Parts
from dist_vad.progress import progress_bar
from dist_vad.scoring import SCORING_VERSION, Calibration, Scorer, baseline_scores, calibrate, rarity_name
from dist_vad.shardset import ShardSet
from dist_vad.state import State, Tensors, read_state, tensors_digest
from dist_vad.store import open_store
from dist_vad.tasks import make_tasks
from dist_vad.tasks.network import build_network, load_weights

UNTRAINED = "untrained"
BASELINES = ("box_width", "box_area", "frame_difference")


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

    def _parts(self, subject: Subject) -> Parts:
        return Parts(self.store, subject.name, subject.key)

    def _score_baselines(self) -> Subject:
        subject = Subject(
            "no learning", BASELINES, [SCORING_VERSION, "baselines", *BASELINES], dict.fromkeys(BASELINES, 0.0), {}
        )
        self._make_parts(subject, lambda number: baseline_scores(self.sets.test, number))
        return subject

    def _score_network(self, name: str, tensors: Tensors, tasks: list[str]) -> Subject:
        facts = self.sets.train.manifest
        made = make_tasks(tasks, self.settings.task).values()
        sizes = dataclasses.asdict(self.settings.model)
        network = build_network(made, **sizes, scene_size=facts.scene_size, seed=self.settings.seed)
        load_weights(network, tensors, made if tensors else [])
        digest = tensors_digest(network.state_dict())
        scorer = Scorer(network, tasks, digest, self.settings.score, self.settings.task, self.accelerator.device)
        calibration = calibrate(scorer, self.sets.train, self.sets.val)
        how = [dataclasses.asdict(self.settings.score), dataclasses.asdict(self.settings.task)]
        subject = Subject(
            name,
            (*tasks, "fused"),
            [SCORING_VERSION, digest, tasks, how, facts.content_digest, self.sets.val.manifest.content_digest],
            calibration.floors,
            calibration.weights,
        )
        self._make_parts(subject, lambda number: self._score_shard(scorer, calibration, number))
        return replace(subject, clips=self._score_clips(name, scorer, self.clips)) if self.clips else subject

    def _score_shard(self, scorer: Scorer, calibration: Calibration, number: int) -> dict[str, np.ndarray]:
        ids = np.arange(self.sets.test.starts[number], self.sets.test.starts[number + 1])
        scene = str(self.sets.test.scenes(ids[:1])[0])
        return calibration.scores(scorer.measure(self.sets.test, ids), scene, self.settings.score.neighbours)

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


def lineage(settings: Settings, state: State) -> Iterator[tuple[str, Tensors, list[str]]]:
    """(name, weights, trained tasks) of the untrained network, of every ancestor and of the state itself."""
    yield UNTRAINED, {}, state.tasks
    for folder in state.lineage:
        ancestor = read_state(state.folder.parent / folder)
        yield ancestor.stage, ancestor.load(), ancestor.tasks
    yield state.stage, state.load(), state.tasks
