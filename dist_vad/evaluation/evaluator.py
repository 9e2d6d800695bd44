"""From object scores to frame scores to metrics: every object once, the same result on any number of ranks."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from dist_vad.base.log import log
from dist_vad.base.progress import progress_bar
from dist_vad.curriculum.heads import UNTRAINED, Asked, alone, asked
from dist_vad.curriculum.state import State, Tensors, tensors_digest
from dist_vad.data.manifest import MANIFEST
from dist_vad.data.shard_sets import open_set, shard_store
from dist_vad.data.shardset import ShardSet
from dist_vad.data.store import open_store
from dist_vad.evaluation.clip_scores import with_clips
from dist_vad.evaluation.frame_scores import FrameScores, read_frame_scores
from dist_vad.evaluation.score_files import BOX, NotWhole, ScoreFiles
from dist_vad.scoring.baselines import baseline_scores
from dist_vad.scoring.calibration import SCORING_VERSION, Calibration, calibrate, calibrated_name, calibrated_scorer
from dist_vad.scoring.geometry import Geometry, features_of
from dist_vad.scoring.scorer import Scorer
from dist_vad.settings.run import Settings

BASELINES = ("box_width", "box_area", "frame_difference", "geometry")


@dataclass(frozen=True)
class ScoredModel:
    """Something that scores objects: a state, the untrained network, or the baselines."""

    name: str
    """Phase after which the state was made; `untrained`; `no learning`."""
    scores: tuple[str, ...]
    """Its scores, the one it is judged by last."""
    key: list
    """What decides the scores, beside the shard."""
    scores_without_objects: dict[str, float]
    """What a frame without objects gets, by score."""
    weights: dict[str, float]
    """Task -> its weight in `fused`."""
    geometry_share: float = 0.0
    """Share of `geometry` in `fused_geometry`."""
    synthetic_auc: dict[str, dict[str, float]] = field(default_factory=dict)
    """Score -> kind of synthetic anomaly -> frame-level AUC on held-out normal video."""
    clips: "ScoredModel | None" = None
    """The model as it scores whole frames, where there are clips."""

    @property
    def columns(self) -> list[str]:
        """The columns of its score files: its scores, and the calibrated ones of its tasks."""
        return [*self.scores, *(calibrated_name(task) for task in self.weights)]


@dataclass(frozen=True)
class ShardSets:
    """What an evaluation reads."""

    train: ShardSet
    val: ShardSet
    test: ShardSet


class Evaluation:
    """Scores of several models on the test set, in score files under `evaluate.parts`.

    One state alone, for example:

        evaluation = Evaluation(settings, Accelerator())
        model = evaluation.score_alone(read_state(Path("runs/demo/states/inference-2f436122f911")))
        evaluation.frame_scores(model).frames["fused"]  # video -> one score a frame
    """

    def __init__(self, settings: Settings, accelerator: Accelerator) -> None:
        self.settings, self.accelerator = settings, accelerator
        root = open_store(settings.shards)
        self.sets = ShardSets(
            *(open_set(settings, shard_store(root, "cube", split)) for split in ("train", "val", "test"))
        )
        kinds = [shard_store(root, "clip", split) for split in ("train", "val", "test")]
        cut = all(store.size(MANIFEST) is not None for store in kinds)
        self.clips = ShardSets(*(open_set(settings, store) for store in kinds)) if cut else None
        """Whole frames of the same videos, where `data.clip_stride` had them cut."""
        self.store = open_store(settings.evaluate.parts or Path(settings.run) / "scores")
        self._makers: dict[str, Callable[[int], dict[str, np.ndarray]]] = {}
        """Where the score files of a model lie -> what scores a shard by its number."""
        self._remade: set[tuple[str, int]] = set()
        """(where, number of the shard) of score files that did not read, and were made anew."""

    def score(self, state: State) -> list[ScoredModel]:
        """Score the test set by every state of the lineage, by the untrained network, and by the baselines.

        Shards are shared out over the ranks; a score file that is there is never made again.
        """
        models = [self._score_baselines()]
        for name, tensors, tasks in lineage(self.settings, state):
            models.append(self._score_network(name, tensors, tasks))
        self.accelerator.wait_for_everyone()
        return models

    def score_alone(self, state: State) -> ScoredModel:
        """Score the test set by one state, without its ancestors."""
        weights = alone(self.settings, state).weights(self.settings)
        return self._alone(self._score_network(state.stage, weights, state.tasks))

    def score_without_learning(self, tasks: list[str]) -> list[ScoredModel]:
        """Score the test set by the baselines, and by the untrained network with the heads of some tasks, fitted."""
        tensors = Asked(UNTRAINED, None, tuple(tasks), ()).weights(self.settings)
        return [self._score_baselines(), self._alone(self._score_network(UNTRAINED, tensors, tasks))]

    def _alone(self, model: ScoredModel) -> ScoredModel:
        self.accelerator.wait_for_everyone()  # each rank has made its files, of which any rank may read all
        return model

    def frame_scores(self, model: ScoredModel) -> FrameScores:
        """Frame scores of a model, and what else its files tell. Raises InputError where a file is not whole."""
        objects = self._frame_scores(model, self.sets)
        if self.clips is None or model.clips is None:
            return objects
        return with_clips(objects, self._frame_scores(model.clips, self.clips).frames)

    def _frame_scores(self, model: ScoredModel, sets: ShardSets) -> FrameScores:
        without_objects = {score: model.scores_without_objects[score] for score in model.scores}
        files = self._files(model)
        while True:
            try:
                return read_frame_scores(files, sets.test.manifest, without_objects)
            except NotWhole as damage:
                self._make_anew(model, damage, sets.test)

    def _make_anew(self, model: ScoredModel, damage: NotWhole, test: ShardSet) -> None:
        """Replace a score file that does not read; raises what was wrong with it where it has been made anew before."""
        files, number = self._files(model), test.manifest.shards.index(damage.shard)
        make = self._makers.get(files.store.where())
        if make is None or (files.store.where(), number) in self._remade:
            raise damage
        self._remade.add((files.store.where(), number))
        log.warning("warning: %s; it is made anew", damage)
        files.write(damage.shard, test.index(number), make(number))

    def object_scores(self, model: ScoredModel, score: str) -> Iterator[np.ndarray]:
        """One of a model's scores for the objects of each shard of the test set, in order: float64 [samples] each."""
        for table in self._files(model).read(self.sets.test.manifest.shards, [score]):
            yield table[score].to_numpy()

    def objects(self, model: ScoredModel, ids: list[int]) -> list[dict[str, Any]]:
        """All that the score files say of some samples of the test set."""
        test = self.sets.test
        numbers = (np.searchsorted(test.starts, ids, side="right") - 1).tolist()
        columns = ["frame", "object", *BOX, *model.columns]
        wanted = sorted(set(numbers))
        tables = dict(zip(wanted, self._files(model).read([test.manifest.shards[n] for n in wanted], columns)))
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

    def _files(self, model: ScoredModel) -> ScoreFiles:
        return ScoreFiles(self.store, model.name, model.key)

    def _score_baselines(self) -> ScoredModel:
        model = ScoredModel(
            "no learning",
            BASELINES,
            [SCORING_VERSION, "baselines", *BASELINES, *self._normal],
            dict.fromkeys(BASELINES, 0.0),
            {},
        )
        self._write_missing(model, self._score_without_learning)
        return model

    def _score_without_learning(self, number: int) -> dict[str, np.ndarray]:
        scene, boxes = self._boxes(number)
        return {**baseline_scores(self.sets.test, number), "geometry": self._geometry.scores(boxes, scene)}

    def _score_network(self, name: str, tensors: Tensors, tasks: list[str]) -> ScoredModel:
        train, val, device = self.sets.train, self.sets.val, self.accelerator.device
        scorer, calibration = calibrated_scorer(self.settings, tensors, tasks, train, val, device, self._geometry)
        without_objects = calibration.scores_without_objects
        model = ScoredModel(
            name,
            (*tasks, "fused_geometry", "fused"),
            [*self._scorer_key(scorer), *self._normal],
            {**without_objects, "fused_geometry": (1 - calibration.geometry_share) * without_objects["fused"]},
            calibration.weights,
            calibration.geometry_share,
            calibration.synthetic_auc,
        )
        self._write_missing(model, lambda number: self._score_shard(scorer, calibration, number))
        return replace(model, clips=self._score_clips(name, scorer, self.clips)) if self.clips else model

    def _score_shard(self, scorer: Scorer, calibration: Calibration, number: int) -> dict[str, np.ndarray]:
        ids = np.arange(self.sets.test.starts[number], self.sets.test.starts[number + 1])
        scene, boxes = self._boxes(number)
        scores = calibration.scores(scorer.measure(self.sets.test, ids), scene, self.settings.score.neighbours)
        share = calibration.geometry_share
        geometry = self._geometry.calibration(self._geometry.scores(boxes, scene), scene)
        return {**scores, "fused_geometry": (1 - share) * scores["fused"] + share * geometry}

    def _scorer_key(self, scorer: Scorer) -> list:
        """What decides the scores that a scorer gives, beside normal video."""
        how = [dataclasses.asdict(self.settings.score), dataclasses.asdict(self.settings.task)]
        return [SCORING_VERSION, tensors_digest(scorer.network.state_dict()), [*scorer.tasks], how]

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

    def _score_clips(self, name: str, scorer: Scorer, sets: ShardSets) -> ScoredModel:
        """Score whole frames as cubes are scored, among normal training clips."""
        calibration = calibrate(scorer, sets.train, sets.val)
        normal = [sets.train.manifest.content_digest, sets.val.manifest.content_digest]
        key = [*self._scorer_key(scorer), *normal]
        model = ScoredModel(
            name, (*scorer.tasks, "fused"), key, calibration.scores_without_objects, calibration.weights
        )

        def score(number: int) -> dict[str, np.ndarray]:
            ids = np.arange(sets.test.starts[number], sets.test.starts[number + 1])
            scene = str(sets.test.scenes(ids[:1])[0])
            return calibration.scores(scorer.measure(sets.test, ids), scene, self.settings.score.neighbours)

        self._write_missing(model, score, sets.test)
        return model

    def _write_missing(
        self, model: ScoredModel, make: Callable[[int], dict[str, np.ndarray]], test: ShardSet | None = None
    ) -> None:
        """Write this rank's share of the score files of a test set, that of the cubes unless another is given, that are
        not there yet; `make` scores a shard by its number.

        What is missing is shared out anew at every start, so a run that was killed is made up for by all ranks; the
        first rank looks for all, since others would already see files that it has made meanwhile.
        """
        test = test or self.sets.test
        shards, files = test.manifest.shards, self._files(model)
        self._makers[files.store.where()] = make
        missing = [files.missing(shards) if self.accelerator.is_main_process else []]
        broadcast_object_list(missing)
        mine = missing[0][self.accelerator.process_index :: self.accelerator.num_processes]
        bar = progress_bar(
            mine, desc=f"score {model.name}", unit=" shards", disable=not self.accelerator.is_main_process
        )
        for number in bar:
            files.write(shards[number], test.index(number), make(number))


def lineage(settings: Settings, state: State) -> Iterator[tuple[str, Tensors, list[str]]]:
    """(name, weights, tasks whose heads are asked) of the untrained network, of every ancestor and of the state itself.

    Heads that one has not trained are those that were fitted on its frozen backbone (`score.refit`).
    """
    for each in asked(settings, state):
        yield each.name, each.weights(settings), [*each.tasks]
