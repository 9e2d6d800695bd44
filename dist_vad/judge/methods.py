"""What is judged: the score files of a command line as methods with one score for each frame of the same videos."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.base.files import digest, file_sha256, files_below
from dist_vad.base.labels import interval_labels
from dist_vad.data.manifest import VideoInfo
from dist_vad.judge.align import Aligned, align
from dist_vad.judge.annotations import TruthVideo
from dist_vad.judge.frame_files import FrameFile, ScoreColumn, is_frame_file, read_frame_file
from dist_vad.judge.score_sets import OneVideo, ScoreSet, read_scores
from dist_vad.judge.truth import ground_truth
from dist_vad.report import LEARNED, NO_LEARNING
from dist_vad.settings.judge import JudgeSettings


@dataclass(frozen=True)
class Method:
    """A score of every frame of every judged video, and what is said of it."""

    name: str
    facts: dict[str, Any]
    """Of its row: group, phase, scorer, smoothing, note, rbdc, tbdc."""
    scores: dict[str, np.ndarray]
    """Video -> float64 [frames]."""
    resamples: int
    """Of the intervals in its row."""
    sha256: str
    """Of the file or files that it was read from."""
    compared: bool = True
    """Whether it is looked at beyond its row; of our own files only the headline and its baselines are."""
    notes: list[str] = field(default_factory=list)
    """What was done to make the scores fit."""


@dataclass(frozen=True)
class Case:
    """Everything that is judged."""

    dataset: str
    videos: list[VideoInfo]
    methods: list[Method]
    known: list[TruthVideo]
    """The same videos as the ground truth knows them, with the regions of their events."""
    truths: list[str]
    """Names of the ground truths that label every video; one without a name for videos without labels."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """Of the first file of one of our evaluations: its command, commit, state and digest."""

    def labels(self, truth: str) -> list[np.ndarray]:
        """The labels of all videos under a ground truth, uint8 [frames] each."""
        return [interval_labels(video.labels[truth], video.frames) for video in self.videos]

    def scores(self, method: Method) -> list[np.ndarray]:
        """The scores of all videos by a method, in the order of the labels."""
        return [method.scores[video.name] for video in self.videos]


def open_case(places: Sequence[str], settings: JudgeSettings) -> Case:
    """Read ground truth and scores. Raises InputError where something does not fit."""
    paths = [Path(place) for place in places]
    own = {path: read_frame_file(path) for path in map(frame_file, paths) if path is not None}
    truth, dataset, plain = _truth(list(own.values()), settings)
    names = _names(paths)
    strange = [name for name in settings.unlearned if name not in names]
    if strange:
        raise InputError(f"--unlearned names {strange[0]!r}; the methods are called {', '.join(names)}")
    aligned: list[tuple[Method, Aligned]] = []
    for path, name in zip(paths, names):
        file = own.get(frame_file(path) or Path())
        if file is None:
            found = align(read_scores(path, settings.column), truth, settings)
            aligned.append((_foreign(path, name, settings), found))
        else:
            prefix = f"{name}: " if len(paths) > 1 else ""
            for column in file.columns:
                aligned.append((_own(path, prefix, file, column), _align_own(path, column, truth, plain)))
        truth = _with_lengths(truth, aligned[-1][1])
    judged = [video for video in truth if all(video.name in found.scores for _, found in aligned)]
    videos = [_info(video) for video in judged]
    for method, found in aligned:
        method.scores.update({video.name: found.scores[video.name] for video in videos})
        method.notes.extend(found.notes)
    shared = set.intersection(*(set(video.labels) for video in videos)) if videos else set()
    if settings.ground_truth is not None and settings.ground_truth not in shared:
        raise InputError(
            f"--ground_truth is {settings.ground_truth!r}; {dataset} has {', '.join(sorted(shared)) or 'none'}"
        )
    first = next((file.provenance for file in own.values()), {})
    return Case(dataset, videos, [method for method, _ in aligned], judged, sorted(shared) or [""], first)


def frame_file(path: Path) -> Path | None:
    """The path where it is a file of one of our evaluations; of a run's folder the file in it."""
    if path.is_dir():
        path = path / "frame_scores.parquet"
    return path if path.suffix == ".parquet" and path.is_file() and is_frame_file(path) else None


def _truth(own: list[FrameFile], settings: JudgeSettings) -> tuple[list[TruthVideo], str, bool]:
    """The videos with their labels, the name of the data set, and whether they are those of our file itself."""
    if settings.dataset is not None or not own:
        known = ground_truth(settings)
        scene = f"_{known[0].scene}" if settings.dataset == "ucsd" else ""  # Ped1 and Ped2 are two data sets
        return known, settings.title or f"{settings.dataset}{scene}", False
    videos = [
        TruthVideo(
            name=video.name,
            source_name=video.name.removeprefix("test_"),
            scene=video.scene,
            fps=video.fps,
            labels=video.labels,
            frames=video.frames,
            events=video.events,
        )
        for video in own[0].videos
    ]
    return videos, settings.title or own[0].dataset, True


def _names(paths: Sequence[Path]) -> list[str]:
    """What the methods are called: by their files, with the folder where that alone is the same twice."""
    names = [path.stem if path.is_file() else path.name for path in paths]
    if len(set(names)) < len(names):
        names = [f"{path.resolve().parent.name}/{name}" for path, name in zip(paths, names)]
    if len(set(names)) < len(names):
        raise InputError(f"the same scores are given twice: {', '.join(map(str, paths))}")
    return names


def _foreign(path: Path, name: str, settings: JudgeSettings) -> Method:
    group = NO_LEARNING if name in settings.unlearned else LEARNED
    facts = {"group": group, "phase": "", "scorer": name, "smoothing": settings.smoothing, "note": ""}
    facts |= {"rbdc": math.nan, "tbdc": math.nan}
    return Method(name, facts, {}, settings.resamples, _sha256(path))


def _own(path: Path, prefix: str, file: FrameFile, column: ScoreColumn) -> Method:
    headline = next(other for other in file.columns if other.name == file.headline)
    compared = column.name == file.headline or (
        column.facts["group"] == NO_LEARNING and column.facts["smoothing"] == headline.facts["smoothing"]
    )
    return Method(prefix + column.name, column.facts, {}, file.resamples, _sha256(path), compared)


def _align_own(path: Path, column: ScoreColumn, truth: Sequence[TruthVideo], plain: bool) -> Aligned:
    if plain:
        return Aligned(dict(column.scores))
    named = {video: OneVideo(np.asarray(scores)) for video, scores in column.scores.items()}
    return align(ScoreSet(path, named=named), truth, JudgeSettings())


def _with_lengths(truth: Sequence[TruthVideo], found: Aligned) -> list[TruthVideo]:
    """The videos with the lengths that the first scores of each gave it, where nobody knew better."""
    return [
        video
        if video.name not in found.scores or (video.exact and video.frames is not None)
        else TruthVideo(**{**vars(video), "frames": len(found.scores[video.name]), "exact": True})
        for video in truth
    ]


def _info(video: TruthVideo) -> VideoInfo:
    return VideoInfo(
        name=video.name,
        scene=video.scene,
        frames=video.frames or 0,
        fps=video.fps,
        width=0,
        height=0,
        labels=dict(video.labels),
        events=list(video.events),
    )


def _sha256(path: Path) -> str:
    """Of a file; of a folder, of the names and contents of its files."""
    if path.is_file():
        return file_sha256(path)
    return digest({str(p.relative_to(path)): file_sha256(p) for p in sorted(files_below(path)) if p.is_file()})
