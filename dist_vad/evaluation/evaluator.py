"""From object scores to frame scores to metrics: every object once, the same result on any number of ranks."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator

from dist_vad.base.log import log
from dist_vad.curriculum.heads import UNTRAINED, Asked, alone
from dist_vad.curriculum.state import State
from dist_vad.data.manifest import MANIFEST
from dist_vad.data.shard_sets import open_set, shard_store
from dist_vad.data.shardset import ShardSet
from dist_vad.data.store import open_store
from dist_vad.evaluation.candidates import Candidate, lineage
from dist_vad.evaluation.clip_scores import with_clips
from dist_vad.evaluation.frame_scores import FrameScores, read_frame_scores
from dist_vad.evaluation.score_files import BOX, NotWhole, ScoreFiles
from dist_vad.evaluation.scored_model import ScoredModel, Scoring
from dist_vad.evaluation.scoring_pass import write_missing, write_shards_scores
from dist_vad.scoring.baselines import MOTION, FrameDifference, baseline_scores
from dist_vad.scoring.calibration import SCORING_VERSION
from dist_vad.scoring.combined import COMBINED
from dist_vad.scoring.geometry import GEOMETRY, features_of
from dist_vad.scoring.kept import KeptCalibration, calibrations
from dist_vad.scoring.measuring import Outputs
from dist_vad.scoring.normal_video import NormalVideo
from dist_vad.scoring.object_scores import FUSED
from dist_vad.scoring.scorer import Scorer
from dist_vad.scoring.velocity import VELOCITY, OpticalFlow, WithVelocity
from dist_vad.settings.run import Settings

BASELINES = ("box_width", "box_area", "frame_difference", VELOCITY, GEOMETRY)


@dataclass(frozen=True)
class VideoSets:
    """What an evaluation reads of one kind of sample."""

    normal: NormalVideo
    """By which scores are calibrated; not opened where that was done before."""
    test: ShardSet


class Evaluation:
    """Scores of several models on the test set, in score files under `evaluate.parts`.

    One state alone, for example:

        evaluation = Evaluation(settings, Accelerator())
        model = evaluation.score_alone(read_state(Path("runs/demo/states/inference-2f436122f911")))
        evaluation.frame_scores(model).frames["fused"]  # video -> one score a frame
    """

    def __init__(self, settings: Settings, accelerator: Accelerator, trained: Settings | None = None) -> None:
        """`trained`: settings of the run that trained, where the test video is not that run's own."""
        self.settings, self.accelerator = settings, accelerator
        self.root, self.trained = open_store(settings.shards), trained or settings
        self.sets = self._open("cube")
        is_cut = shard_store(self.root, "clip", "test").size(MANIFEST) is not None
        self.clips = self._open("clip") if is_cut else None
        """Whole frames of the same videos, where `data.clip_stride` had them cut."""
        self.store = open_store(settings.evaluate.parts or Path(settings.run) / "scores")
        self._flow = OpticalFlow()
        self._scorings: dict[str, Scoring] = {}
        """Where the score files of a model lie -> the model at work."""
        self._remade: set[tuple[str, int]] = set()
        """(where, number of the shard) of score files that did not read, and were made anew."""

    def _open(self, kind: str) -> VideoSets:
        test = open_set(self.settings, shard_store(self.root, kind, "test"))
        return VideoSets(NormalVideo(self.trained, kind), test)

    def score(self, state: State, ancestors: bool = True) -> list[ScoredModel]:
        """Score the test set by a state, by the states before it, by the untrained network, and by the baselines.

        Shards are shared out over the ranks; a score file that is there is never made again.
        """
        return self._score([*lineage(self.trained, state, ancestors)], baselines=True)

    def score_alone(self, state: State) -> ScoredModel:
        """Score the test set by one state, without its ancestors."""
        return self.score_asked([alone(self.trained, state)])[0]

    def score_asked(self, asked: Iterable[Asked]) -> list[ScoredModel]:
        """Score the test set by some networks, each asked by the heads that are wanted of it."""
        return self._score([Candidate.of(self.trained, each) for each in asked])

    def score_without_learning(self, tasks: list[str]) -> list[ScoredModel]:
        """Score the test set by the baselines, and by the untrained network with the heads of some tasks, fitted."""
        untrained = Candidate.of(self.trained, Asked(UNTRAINED, None, tuple(tasks), ()))
        return self._score([untrained], baselines=True)

    def _score(self, candidates: Sequence[Candidate], *, baselines: bool = False) -> list[ScoredModel]:
        """Score the test set by some networks, after the baselines if they are asked for."""
        size, device = self.sets.test.manifest.scene_size, self.accelerator.device
        scorers = [own.scorer(self.settings, scene_size=size, device=device) for own in candidates]
        kept = self._calibrations(scorers, [own.calibration for own in candidates], self.sets)
        names = [own.name for own in candidates]
        objects = [self._scoring(*each, self.sets) for each in zip(names, scorers, kept)]
        if baselines:
            objects.insert(0, self._baselines(kept[-1]))
        self._write_missing(objects, self.sets.test)
        models = [scoring.model for scoring in objects]
        if self.clips:
            paths = [own.calibration.with_name(f"clips-{own.calibration.name}") for own in candidates]
            kept = self._calibrations(scorers, paths, self.clips)
            frames = [self._scoring(*each, self.clips) for each in zip(names, scorers, kept)]
            self._write_missing(frames, self.clips.test)
            first = len(models) - len(frames)
            models[first:] = [replace(model, clips=own.model) for model, own in zip(models[first:], frames)]
        self.accelerator.wait_for_everyone()  # each rank has made its files, of which any rank may read all
        return models

    def _calibrations(self, scorers: list[Scorer], paths: list[Path], sets: VideoSets) -> list[KeptCalibration]:
        """Each made by one rank, and read by the others."""
        mine = slice(self.accelerator.process_index, None, self.accelerator.num_processes)
        calibrations(scorers[mine], paths[mine], sets.normal)
        self.accelerator.wait_for_everyone()
        return calibrations(scorers, paths, sets.normal)

    def frame_scores(self, model: ScoredModel) -> FrameScores:
        """Frame scores of a model, and what else its files tell. Raises InputError where a file is not whole."""
        objects = self._frame_scores(model, self.sets)
        if self.clips is None or model.clips is None:
            return objects
        return with_clips(objects, self._frame_scores(model.clips, self.clips).frames)

    def _frame_scores(self, model: ScoredModel, sets: VideoSets) -> FrameScores:
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
        scoring = self._scorings.get(files.store.where())
        if scoring is None or (files.store.where(), number) in self._remade:
            raise damage
        self._remade.add((files.store.where(), number))
        log.warning("warning: %s; it is made anew", damage)
        write_shards_scores([scoring], [files], test, [number], self.settings.score.batch)

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
        sets = {"test": self.sets.test}
        if self.sets.normal.is_there:
            sets = {"train": self.sets.normal.train, "val": self.sets.normal.val, **sets}
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

    def _write_missing(self, scorings: list[Scoring], test: ShardSet) -> None:
        files = [self._files(scoring.model) for scoring in scorings]
        self._scorings |= {own.store.where(): scoring for own, scoring in zip(files, scorings)}
        write_missing(scorings, files, test, self.accelerator, self.settings.score.batch)

    def _baselines(self, kept: KeptCalibration) -> Scoring:
        """What learns nothing; geometry and velocity are those of any of the networks' calibrations."""
        combined = kept.calibration.combined
        assert combined, "cubes have a geometry"

        def scores(number: int, outputs: Outputs) -> dict[str, np.ndarray]:
            scene, boxes = self._boxes(number)
            alone = combined.unlearned(outputs[VELOCITY].values, boxes, np.full(len(boxes), scene))
            return {**baseline_scores(self.sets.test.index(number), outputs[MOTION]), **alone}

        key = [SCORING_VERSION, "baselines", *BASELINES, *kept.basis["normal video"]]
        model = ScoredModel("no learning", BASELINES, key, dict.fromkeys(BASELINES, 0.0), {})
        return Scoring(model, WithVelocity(FrameDifference(), self._flow), scores)

    def _scoring(self, name: str, scorer: Scorer, kept: KeptCalibration, sets: VideoSets) -> Scoring:
        """A network and its heads as they score the samples of a test set."""
        calibration, combined = kept.calibration, kept.calibration.combined

        def scores(number: int, outputs: Outputs) -> dict[str, np.ndarray]:
            scene = str(sets.test.scenes(sets.test.starts[number : number + 1])[0])
            boxes = self._boxes(number)[1] if combined else None
            return calibration.scores(outputs, scene, self.settings.score.neighbours, boxes)

        model = ScoredModel(
            name,
            (*scorer.tasks, *([COMBINED] if combined else []), FUSED),
            [kept.basis],
            calibration.scores_without_objects,
            calibration.weights,
            calibration.shares,
            calibration.synthetic_auc,
            {task: tail.supported for task, tail in calibration.tails.items()},
        )
        return Scoring(model, WithVelocity(scorer, self._flow) if combined else scorer, scores)

    @cached_property
    def _test_boxes(self) -> np.ndarray:
        return features_of(self.sets.test)

    def _boxes(self, number: int) -> tuple[str, np.ndarray]:
        """Scene of a shard of the test set, and the features of its boxes."""
        start, stop = self.sets.test.starts[number : number + 2]
        return str(self.sets.test.scenes(np.array([start]))[0]), self._test_boxes[start:stop]
