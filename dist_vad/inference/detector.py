"""A state with all that scoring any video needs, in one folder that can be copied to a machine without shards.

Beside a state's `model.safetensors` and `state.json` lies `calibration.safetensors`: what is normal (the heads' outputs
for normal cubes, the calibration of their tails, the weights of the heads; dist_vad/scoring/kept.py), and for a
detector the frame scores of held-out normal video, the scene features of the training scenes, and the settings with
which cubes were cut and scored. It is made once, from the run's shard sets.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dist_vad import metrics
from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.base.progress import progress_bar
from dist_vad.base.sealed import read_sealed
from dist_vad.curriculum.heads import own_tasks
from dist_vad.curriculum.precision import with_scoring_precision
from dist_vad.curriculum.state import State, read_state
from dist_vad.data.shardset import ShardSet
from dist_vad.inference.base import BaseDetector
from dist_vad.inference.places import local_state
from dist_vad.scoring.calibration import Calibration
from dist_vad.scoring.geometry import features_of
from dist_vad.scoring.kept import (
    CALIBRATION,
    KeptCalibration,
    UnfitError,
    calibrations,
    read,
    write,
)
from dist_vad.scoring.measuring import measure_portions
from dist_vad.scoring.normal_video import NormalVideo
from dist_vad.scoring.scorer import Scorer
from dist_vad.scoring.velocity import OpticalFlow, WithVelocity
from dist_vad.settings.data import DataSettings
from dist_vad.settings.model import ModelSettings
from dist_vad.settings.parsing import settings_of
from dist_vad.settings.provenance import RUN_KEYS
from dist_vad.settings.run import Settings, TaskSettings
from dist_vad.settings.score import ScoreSettings

RUN = "run.json"
DETECTOR_VERSION = 4
NORMAL_CUBES = 20_000
"""Most held-out normal cubes that are scored to set the threshold of events; whole videos, evenly spaced."""


@dataclass(frozen=True)
class Detector(BaseDetector):
    """A state that can score cubes of any video, by torch.

    For example:

        detector = Detector.load("runs/demo/states/inference-2f436122f911")
        result = detector.score("walk.mp4", stride=2)
        result.save("scored")

    Cubes that are cut already:

        from dist_vad.scoring.geometry import box_features

        clips = np.zeros((1, detector.data.clip_length, detector.data.cube_size, detector.data.cube_size, 3), np.uint8)
        scene, feature = next(iter(detector.scenes.items()))
        boxes = box_features(np.array([[10.0, 20.0, 30.0, 60.0]]), speed=np.array([1.5]))  # one a cube
        detector.scores(clips, feature, scene, boxes)["combined"]
    """

    state: State
    scorer: Scorer

    @classmethod
    def load(
        cls, state: State | Path | str, device: torch.device | str | None = None, batch: int | None = None
    ) -> "Detector":
        """A state ready to score; its calibration is read, or made and written where it is not there yet.

        Args:
            state: the state, its folder, or where that lies: s3://BUCKET/PREFIX, hf://USER/NAME and the like, from
                where it is fetched once.
            device: where the network computes; not given = the GPU if there is one.
            batch: score so many cubes at once instead of as many as at calibration.

        Raises InputError where there is no calibration of these weights and it cannot be made.
        """
        if not isinstance(state, State):
            state = read_state(local_state(state))
        device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        path = state.folder / CALIBRATION
        try:
            kept = _read(path, state)
        except UnfitError as error:
            kept = _make(state, path, device, f"{error}")
        arrays, facts = kept.arrays, kept.facts
        data, settings = settings_of(DataSettings, facts["data"], path), _scoring_settings(kept, path, batch)
        tasks = [*kept.calibration.normal]
        scorer = Scorer.build(settings, state.load(), tasks, scene_size=facts["scene_size"], device=device)
        ends = np.cumsum(facts["normal_lengths"])[:-1]
        normal = {name: np.split(arrays[f"normal.{name}"], ends) for name in kept.calibration.scores_without_objects}
        scenes = dict(zip(facts["scene_names"], arrays["scenes"]))
        return cls(state, scorer, kept.calibration, data, scenes, normal, facts["normal_seconds"])


def _scoring_settings(kept: KeptCalibration, path: Path, batch: int | None) -> Settings:
    """Settings of which those count that decide scores, as they were at calibration, but for the batch."""
    score = settings_of(ScoreSettings, kept.basis["score"], path)
    return Settings(
        model=settings_of(ModelSettings, kept.facts["model"], path),
        task=settings_of(TaskSettings, kept.basis["task"], path),
        score=dataclasses.replace(score, batch=batch or score.batch),
        seed=kept.facts["seed"],
    )


def run_settings(state: State, reason: str = "does not exist") -> Settings:
    """The settings of the run that a state belongs to. Raises InputError where they are not at hand; `reason` says what
    is wrong with the state's calibration."""
    path = state.folder.parent.parent / RUN
    if not path.is_file():
        raise InputError(
            f"{state.folder / CALIBRATION} {reason}, and without {path} it cannot be made: score a video once on the "
            f"machine that trained the state, where the run's folder and its shards are, then copy the state's "
            f"folder with the {CALIBRATION} in it"
        )
    return settings_of(Settings, read_sealed(path, RUN_KEYS)["settings"], path)


def _make(state: State, path: Path, device: torch.device, reason: str) -> KeptCalibration:
    """Calibrate a state by the run's shard sets, score held-out normal video, and keep both."""
    settings = with_scoring_precision(run_settings(state, reason))
    video = NormalVideo(settings)
    manifest = video.train.manifest
    log.info("calibrating %s on normal video of %s, once", state.folder.name, settings.shards)
    tasks = own_tasks(state)
    scorer = Scorer.build(settings, state.load(), tasks, scene_size=manifest.scene_size, device=device)
    (kept,) = calibrations([scorer], [path], video)
    lengths, seconds, normal = _normal_scores(scorer, kept.calibration, video.val)
    names, scenes = _scene_features(video.train)
    facts = {
        "version": DETECTOR_VERSION,
        "weights_digest": state.digest,
        "data": manifest.settings,
        "model": dataclasses.asdict(settings.model),
        "scene_size": manifest.scene_size,
        "seed": settings.seed,
        "normal_lengths": lengths,
        "normal_seconds": seconds,
        "scene_names": names,
    }
    arrays = {"scenes": scenes, **{f"normal.{name}": values for name, values in normal.items()}}
    whole = KeptCalibration(kept.calibration, kept.basis, arrays, facts)
    write(path, whole)
    return whole


def _read(path: Path, state: State) -> KeptCalibration:
    """The calibration of a state with all that a detector needs. Raises UnfitError where it is not that."""
    kept = read(path)
    if kept.facts.get("version", DETECTOR_VERSION) != DETECTOR_VERSION:
        raise UnfitError("was written by another version of dist_vad")
    if "weights_digest" not in kept.facts:
        raise UnfitError("holds no scores of held-out normal video, by which the threshold of events is set")
    if kept.facts["weights_digest"] != state.digest:
        own = kept.facts["weights_digest"][:12]
        raise UnfitError(f"is of weights {own}, the state's are {state.digest[:12]}")
    return kept


def _normal_scores(
    scorer: Scorer, calibration: Calibration, val: ShardSet
) -> tuple[list[int], float, dict[str, np.ndarray]]:
    """Of held-out normal video: (frames of each, seconds of all, score -> raw frame scores end to end)."""
    manifest = val.manifest
    videos = manifest.videos[:: max(1, len(val) // NORMAL_CUBES)]
    frames: dict[str, list[np.ndarray]] = {name: [] for name in calibration.scores_without_objects}
    by_video: dict[str, list[int]] = {video.name: [] for video in videos}
    for number, shard in enumerate(manifest.shards):
        by_video.get(shard.video, []).append(number)
    wanted = [number for numbers in by_video.values() for number in numbers]
    scores: dict[int, dict[str, np.ndarray]] = {}
    scene = {video.name: video.scene for video in videos}
    network, boxes = WithVelocity(scorer, OpticalFlow()), _box_features(val, sorted(wanted))
    with progress_bar(total=len(wanted), desc="score held-out normal video", unit=" shards") as bar:
        for portion in measure_portions([network], val, wanted, scorer.settings.batch):
            for number, (outputs,) in portion:
                own = scene[manifest.shards[number].video]
                scores[number] = calibration.scores(outputs, own, scorer.settings.neighbours, boxes[number])
            bar.update(len(portion))
    lengths = []
    for video in videos:
        held_out = slice(*(video.span or (0, None)))  # the rest of the video was trained on, and has no scores here
        lengths.append(len(range(video.frames)[held_out]))
        numbers = by_video[video.name]
        at = np.concatenate([np.zeros(0, np.int64), *(val.index(number)["frame"] for number in numbers)])
        for name, own in frames.items():
            scored = metrics.frame_scores(
                at.astype(np.int64),
                np.concatenate([np.zeros(0), *(scores[number][name] for number in numbers)]),
                length=video.frames,
                stride=manifest.stride,
                margin=manifest.clip_length // 2,
                without_objects=calibration.scores_without_objects[name],
            )
            own.append(scored[held_out])
    seconds = sum(length / video.fps for length, video in zip(lengths, videos))
    return lengths, seconds, {name: np.concatenate(parts) for name, parts in frames.items()}


def _box_features(val: ShardSet, numbers: list[int]) -> dict[int, np.ndarray]:
    """Number of a shard -> features of its boxes, float64 [n, 5], for some shards in their order."""
    if not numbers:
        return {}
    ids = [np.arange(val.starts[number], val.starts[number + 1]) for number in numbers]
    ends = np.cumsum([len(own) for own in ids])[:-1]
    return dict(zip(numbers, np.split(features_of(val, np.concatenate(ids)), ends)))


def _scene_features(train: ShardSet) -> tuple[list[str], np.ndarray]:
    """Names of the training scenes, and the mean f_scene of their videos as unit vectors: float32 [S, D_B]."""
    of_video = {video.name: video.scene for video in train.manifest.videos}
    first = {shard.video: int(train.starts[number]) for number, shard in reversed([*enumerate(train.manifest.shards)])}
    features: dict[str, list[np.ndarray]] = {}
    for video, sample in first.items():
        features.setdefault(of_video[video], []).append(train.read(np.array([sample])).scenes[0].numpy())
    means = {name: np.mean(own, axis=0) for name, own in sorted(features.items())}
    return list(means), np.stack([mean / max(float(np.linalg.norm(mean)), 1e-12) for mean in means.values()])
