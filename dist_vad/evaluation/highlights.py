"""What a report shows of the test video: the objects that score highest, the false alarms, the misses, and stills."""

import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dist_vad.evaluation.evaluator import Evaluation
from dist_vad.evaluation.frame_scores import FrameScores
from dist_vad.evaluation.scored_model import ScoredModel
from dist_vad.report import Finding, Miss, Stills, VideoCurve
from dist_vad.report.images import still
from dist_vad.report.spans import Span, spans
from dist_vad.scoring.object_scores import calibrated_name

FINDINGS, FALSE_ALARMS, MISSES = 12, 6, 6
"""Most that the report shows: the highest-scoring objects, the highest ones at normal frames, and stretches missed."""
APART = 12
"""Frames between two objects shown of one video."""
STILLS, LEAST_STEP = 640, 2
"""Most stills of all videos together, about 3 MB, and of how many frames there is at most one."""
MOST_READ = 60_000
"""Most frames of video that are read for stills: of a large test set only some videos have them."""

FrameReader = Callable[[str, Collection[int]], Iterator[tuple[int, np.ndarray]]]
"""(video, frames wanted) -> each of them with its number, in order, uint8 RGB [H, W, 3]; none where the video is not at
hand."""


@dataclass(frozen=True)
class Highlights:
    """What is shown of the test video."""

    findings: list[Finding]
    misses: list[Miss]
    videos: list[VideoCurve]
    """All test videos, some of them with stills."""


def highlights(
    evaluation: Evaluation,
    final: ScoredModel,
    frame_scores: FrameScores,
    scorer: str,
    curves: Sequence[VideoCurve],
    read_frames: FrameReader,
) -> Highlights:
    """Choose what is shown of the scores that `final` gave, and read its pictures, each video once.

    Args:
        frame_scores: the raw scores of `final`.
        scorer: the score that counts.
        curves: all test videos with their smoothed scores.
    """
    by_name = {curve.name: curve for curve in curves}
    objects = _highest_objects(frame_scores, scorer, by_name)
    missed = _missed(frame_scores, scorer, curves)
    ids = [*objects.values(), *(entry.best for entry in missed if entry.best is not None)]
    facts = dict(zip(ids, evaluation.objects(final, ids)))
    pictures: dict[tuple[str, int], np.ndarray | None] = dict.fromkeys(objects)
    pictures |= {(entry.video, entry.frame): None for entry in missed}
    stills = _read(pictures, _still_frames(curves, [video for video, _ in pictures]), read_frames)

    def finding(video: str, frame: int, sample: int) -> Finding:
        image = pictures.get((video, frame))
        return _finding(evaluation, final, scorer, by_name[video], sample, facts[sample], image)

    return Highlights(
        [finding(video, frame, sample) for (video, frame), sample in objects.items()],
        [
            Miss(
                video=entry.video,
                start=entry.span.start,
                end=entry.span.end,
                name=entry.span.name,
                peak=entry.peak,
                passed=entry.passed,
                best=None if entry.best is None else finding(entry.video, entry.frame, entry.best),
                image=pictures[entry.video, entry.frame],
            )
            for entry in missed
        ],
        [dataclasses.replace(curve, stills=stills.get(curve.name)) for curve in curves],
    )


def _highest_objects(
    frame_scores: FrameScores, scorer: str, videos: dict[str, VideoCurve]
) -> dict[tuple[str, int], int]:
    """(video, frame) -> sample of the highest-scoring objects and of the worst false alarms."""
    objects: list[tuple[float, str, int]] = []
    for video, peaks in frame_scores.peaks.items():
        scores = np.where(peaks >= 0, frame_scores.frames[scorer][video], -np.inf)
        objects += [(float(scores[frame]), video, frame) for frame in _apart(scores)]
    objects.sort(key=lambda entry: (-entry[0], entry[1], entry[2]))

    def is_normal(video: str, frame: int) -> bool:
        labels = videos[video].labels
        return labels is not None and labels[frame] == 0

    alarms = [entry for entry in objects if is_normal(*entry[1:])]
    chosen = dict.fromkeys([*objects[:FINDINGS], *alarms[:FALSE_ALARMS]])
    return {(video, frame): int(frame_scores.peaks[video][frame]) for _, video, frame in chosen}


def _apart(scores: np.ndarray) -> list[int]:
    """The frames of the highest finite scores [T], the highest first, none within APART of a higher one."""
    taken, chosen = ~np.isfinite(scores), []
    for frame in np.argsort(-scores, kind="stable").tolist():
        if not taken[frame]:
            chosen.append(frame)
            taken[max(0, frame - APART) : frame + APART + 1] = True
            if len(chosen) == FINDINGS + FALSE_ALARMS:
                break
    return chosen


@dataclass(frozen=True)
class _Missed:
    """A labelled stretch, and the object in it that scores highest."""

    video: str
    span: Span
    peak: float
    passed: float
    frame: int
    """The frame of that object; without one the middle of the stretch."""
    best: int | None
    """The sample of that object."""


def _missed(frame_scores: FrameScores, scorer: str, curves: Sequence[VideoCurve]) -> list[_Missed]:
    """The labelled stretches with the lowest peaks, the lowest first."""
    labelled = [curve for curve in curves if curve.labels is not None]
    normal = np.sort(np.concatenate([np.zeros(0), *(v.scores[scorer][v.labels == 0] for v in labelled)]))
    missed = []
    for curve in labelled:
        for span in spans(curve):
            peak = float(np.max(curve.scores[scorer][span.start : span.end]))
            passed = 1 - np.searchsorted(normal, peak) / max(1, len(normal))
            samples = frame_scores.peaks[curve.name][span.start : span.end]
            raw = np.where(samples >= 0, frame_scores.frames[scorer][curve.name][span.start : span.end], -np.inf)
            best = int(np.argmax(raw))
            scored = bool(np.isfinite(raw[best]))
            frame = span.start + (best if scored else len(raw) // 2)
            sample = int(samples[best]) if scored else None
            missed.append(_Missed(curve.name, span, peak, float(passed), frame, sample))
    return sorted(missed, key=lambda entry: (entry.peak, entry.video, entry.span.start))[:MISSES]


def _finding(
    evaluation: Evaluation,
    final: ScoredModel,
    scorer: str,
    video: VideoCurve,
    sample: int,
    facts: dict[str, Any],
    image: np.ndarray | None,
) -> Finding:
    frame = facts["frame"]
    events = [event.name for event in video.events if event.start <= frame < event.end]
    names = dict.fromkeys(filter(None, events))  # several at once, of which some data sets name none
    return Finding(
        video=video.name,
        frame=frame,
        box=(facts["x1"], facts["y1"], facts["x2"], facts["y2"]),
        score=facts[scorer],
        heads={task: facts[calibrated_name(task)] for task in final.weights},
        supported=final.supported,
        strip=evaluation.sets.test.read(np.array([sample])).clips[0].numpy(),
        image=image,
        anomalous=None if video.labels is None else bool(video.labels[frame]),
        event=", ".join(names),
    )


def _still_frames(curves: Sequence[VideoCurve], first: Sequence[str]) -> dict[str, int]:
    """Video -> of how many of its frames one is shown: all videos where that is bearable, else those `first`."""
    order = sorted(curves, key=lambda curve: curve.name not in first)
    chosen, total = [], 0
    for curve in order:
        total += curve.frames
        if total > MOST_READ and chosen:
            break
        chosen.append(curve)
    step = max(LEAST_STEP, -(-sum(curve.frames for curve in chosen) // STILLS))
    return {curve.name: step for curve in chosen}


def _read(
    pictures: dict[tuple[str, int], np.ndarray | None], steps: dict[str, int], read_frames: FrameReader
) -> dict[str, Stills]:
    """Fill in the pictures that are wanted, and return the stills of the videos that are at hand."""
    stills = {}
    for video in dict.fromkeys([*(video for video, _ in pictures), *steps]):
        wanted = {frame for name, frame in pictures if name == video}
        step, images = steps.get(video), []
        longest = MOST_READ if step else max(wanted) + 1
        every = range(0, longest, step) if step else ()
        for number, frame in read_frames(video, wanted | set(every)):
            if number in wanted:
                pictures[video, number] = frame
            if number in every:
                images.append(still(frame))
        if step and images:
            stills[video] = Stills(step=step, images=images)
    return stills
