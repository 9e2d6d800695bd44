"""One score for each frame of each video: scores laid over the ground truth, or a report why they do not fit."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.judge.annotations import TruthVideo
from dist_vad.judge.misfits import Misfit, explained
from dist_vad.judge.naming import match_names
from dist_vad.judge.score_sets import OneVideo, ScoreSet
from dist_vad.settings.judge import JudgeSettings

LOOSE = 2
"""Frames by which a length that a container states may be wrong."""


@dataclass(frozen=True)
class Aligned:
    """The scores of one method by video."""

    scores: dict[str, np.ndarray]
    """Video -> float64 [frames], in the data set's order."""
    notes: list[str] = field(default_factory=list)
    """What was done to make them fit."""


def align(found: ScoreSet, videos: Sequence[TruthVideo], settings: JudgeSettings) -> Aligned:
    """Lay scores over the videos. Raises InputError with a line for each video that they do not fit."""
    if found.flat is not None:
        return _align_flat(found.path, found.flat, videos, settings)
    if found.ordered is not None:
        listed = _listed(videos, settings)
        if len(found.ordered) != len(listed):
            raise InputError(
                f"{found.path} holds {len(found.ordered)} lists without names, expected {len(listed)}, one for each "
                "test video in the data set's order; or save them by name: numpy.savez('scores.npz', **by_name)"
            )
        own = {video.name: one for video, one in zip(listed, found.ordered)}
        return _fit(found.path, own, videos, settings, ["videos by order, not by name"])
    named = found.named or {}
    matched = match_names(list(named), videos, settings.subset, found.path)
    own = {video.name: named[matched[video.name]] for video in videos if video.name in matched}
    left_out = len(videos) - len(own)
    notes = [f"{len(own)} of {len(videos)} videos are judged; the others have no scores"] if left_out else []
    return _fit(found.path, own, [video for video in videos if video.name in own], settings, notes)


def _listed(videos: Sequence[TruthVideo], settings: JudgeSettings) -> list[TruthVideo]:
    """The videos in the order of one list: the data set's, or that of the file `--videos`."""
    if settings.videos is None:
        return list(videos)
    path = Path(settings.videos)
    if not path.is_file():
        raise InputError(f"no list of videos at {path}; check --videos")
    lines = [line.split() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    matched = match_names([line[0] for line in lines], videos, settings.subset, path)
    by_name = {name: video for video in videos if (name := matched.get(video.name))}
    listed = []
    for line in lines:
        video = by_name[line[0]]
        if len(line) > 1 and video.frames is None:
            if not line[1].isdigit():
                raise InputError(f"{path}: found {' '.join(line)!r}, expected a name and a number of frames")
            video = TruthVideo(**{**vars(video), "frames": int(line[1])})
        listed.append(video)
    return listed


def _align_flat(path: Path, one: OneVideo, videos: Sequence[TruthVideo], settings: JudgeSettings) -> Aligned:
    """One list of all scores, cut into videos by their lengths."""
    listed = _listed(videos, settings)
    unknown = [video.source_name for video in listed if video.frames is None]
    if unknown:
        raise InputError(
            f"{path} is one list of {len(one.scores)} scores, and the ground truth does not say how long "
            f"{len(unknown)} of {len(listed)} videos are (such as {unknown[0]!r}); save the scores by video, or pass "
            "--videos FILE with a line `name frames` for each video in the order of the list"
        )
    frames = np.array([video.frames for video in listed])
    for counts in _possible(frames, settings):
        if counts.sum() == len(one.scores):
            parts = np.split(one.scores, np.cumsum(counts)[:-1])
            own = {video.name: OneVideo(part) for video, part in zip(listed, parts)}
            exact = [TruthVideo(**{**vars(video), "exact": True}) for video in listed]
            return _fit(path, own, exact, settings, ["one list, cut into videos by their lengths, in their order"])
    raise InputError(explained(path, [Misfit("all videos", len(one.scores), int(frames.sum()))], len(listed), settings))


def _possible(frames: np.ndarray, settings: JudgeSettings) -> list[np.ndarray]:
    """How many scores each video may have in one list."""
    if settings.repeat > 1:
        return [-(-frames // settings.repeat), np.maximum(frames // settings.repeat, 1)]
    if settings.missing != "refuse":
        return [frames, *(frames - lacking for lacking in range(1, int(frames.min())))]
    return [frames]


def _fit(
    path: Path,
    own: dict[str, OneVideo],
    videos: Sequence[TruthVideo],
    settings: JudgeSettings,
    notes: list[str],
) -> Aligned:
    """One score for each frame of each video; a report of all misfits where that fails."""
    base = _first_frame(own)
    scores, misfits, filled = {}, [], set()
    for video in videos:
        fitted = _fit_one(own[video.name], video, base, settings)
        if isinstance(fitted, Misfit):
            misfits.append(fitted)
            continue
        finite = np.isfinite(fitted)
        if not finite.all():
            frame = int(np.argmin(finite))
            raise InputError(
                f"{path}: the score of frame {frame} of video {video.source_name!r} is {fitted[frame]}, expected a "
                "finite number; a frame without a score must get one from the method, not from its judge"
            )
        scores[video.name] = -fitted if settings.higher == "normal" else fitted
        filled.add(len(fitted) - min(len(own[video.name].scores) * settings.repeat, len(fitted)))
    if misfits:
        raise InputError(explained(path, misfits, len(videos), settings))
    if settings.repeat > 1:
        notes = [*notes, f"each score stands for {settings.repeat} frames"]
    if settings.missing != "refuse" and filled - {0}:
        most = max(filled)
        side = {"both": "both ends"}.get(settings.missing, f"the {settings.missing}")
        notes = [*notes, f"up to {most} frames a video had no score: the nearest is repeated at {side}"]
    if settings.higher == "normal":
        notes = [*notes, "higher scores meant normal: their negative is judged"]
    return Aligned(scores, notes)


def _first_frame(own: dict[str, OneVideo]) -> int:
    """Whether frames are counted from 0 or from 1: by the first that any video has."""
    firsts = [int(one.frames[0]) for one in own.values() if one.frames is not None and len(one.frames)]
    return 1 if firsts and min(firsts) == 1 else 0


def _fit_one(one: OneVideo, video: TruthVideo, base: int, settings: JudgeSettings) -> np.ndarray | Misfit:
    """The scores of one video, float64 [frames]."""
    scores, start = one.scores, None
    if one.frames is not None and len(one.frames):
        steps = np.diff(one.frames)
        if len(steps) and not (steps == settings.repeat).all():
            gap = int(np.argmax(steps != settings.repeat))
            return Misfit(video.source_name, len(scores), video.frames, f"no score after frame {one.frames[gap]}")
        start = int(one.frames[0]) - base
    if settings.repeat > 1:
        scores = np.repeat(scores, settings.repeat)
    frames = video.frames if video.frames is not None else len(scores) + (start or 0)
    if settings.repeat > 1 and abs(len(scores) - frames) < settings.repeat and not start:
        return np.concatenate([scores, np.repeat(scores[-1:], max(0, frames - len(scores)))])[:frames]
    if not video.exact and abs(len(scores) - frames) <= LOOSE and not start:
        frames = len(scores)
    lacking = frames - len(scores)
    if lacking == 0 and not start:
        return scores
    if lacking < 0 or settings.missing == "refuse" or len(scores) == 0:
        return Misfit(video.source_name, len(one.scores), video.frames, f"begins at frame {start}" if start else "")
    before = start if start is not None else {"start": lacking, "end": 0, "both": lacking // 2}[settings.missing]
    if not 0 <= before <= lacking:
        return Misfit(video.source_name, len(one.scores), video.frames, f"begins at frame {before}")
    return np.pad(scores, (before, lacking - before), mode="edge")
