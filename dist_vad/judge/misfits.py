"""Why scores do not fit the videos, and what would make them fit."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dist_vad.settings.judge import JudgeSettings

MOST = 8
"""Videos that a report lists."""
LONGEST, USUAL = 64, (16, 8, 32, 64)
"""Frames that a score may stand for, and those that snippets usually have."""


@dataclass(frozen=True)
class Misfit:
    """A video whose scores are not one for each frame."""

    video: str
    scores: int
    frames: int | None
    """None where nobody knows."""
    why: str = ""


def explained(path: Path, misfits: Sequence[Misfit], videos: int, settings: JudgeSettings) -> str:
    """The report: each video with both lengths, then what they have in common and which option would help."""
    lines = [f"{path}: the scores of {len(misfits)} of {videos} videos do not fit their frames"]
    if misfits[0].video == "all videos":
        lines = [f"{path}: one list for {videos} videos does not fit their frames"]
    for misfit in misfits[:MOST]:
        difference = "" if misfit.frames is None else f" ({misfit.scores - misfit.frames:+d})"
        frames = "an unknown number of" if misfit.frames is None else misfit.frames
        why = f", {misfit.why}" if misfit.why else ""
        lines.append(f"  {misfit.video}: {misfit.scores} scores, {frames} frames{difference}{why}")
    if len(misfits) > MOST:
        lines.append(f"  and {len(misfits) - MOST} more")
    return "\n".join([*lines, f"  {_advice(misfits, videos, settings)}"])


def _advice(misfits: Sequence[Misfit], videos: int, settings: JudgeSettings) -> str:
    known = [(misfit.scores, misfit.frames) for misfit in misfits if misfit.frames is not None]
    ratio = _ratio(known)
    if ratio and settings.repeat == 1:
        return f"there is one score for about {ratio} frames: pass --repeat {ratio} if a score stands for so many"
    whole = misfits[0].video == "all videos"
    lacking = Counter(frames - scores for scores, frames in known)
    if whole and known and (total := known[0][1] - known[0][0]) > 0 and total % videos == 0:
        lacking = Counter({total // videos: 1})
    most = lacking.most_common(1)[0][0] if lacking else 0
    if len(lacking) == 1 and 0 < most <= 64 and settings.missing == "refuse":
        return (
            f"each video lacks {most} frames, as where a method needs frames before or after the one that it scores: "
            f"pass --missing start, end or both to repeat the nearest score over those"
        )
    if Counter(scores for scores, _ in known) == Counter(frames for _, frames in known):
        return (
            "the same lengths in another order: the videos were sorted in another way (1, 10, 11, 2, ...?); save the "
            "scores by name, or pass --videos FILE that lists the names in the order of the scores"
        )
    return "expected one score for each frame: score the same frames that are labelled, or save the scores by name"


def _ratio(known: Sequence[tuple[int, int]]) -> int:
    """The number of frames that each score of all videos may stand for, a usual one first; 0 where there is none."""
    fitting = []
    for ratio in range(2, LONGEST + 1):
        whole = all(scores == max(1, frames // ratio) for scores, frames in known)
        begun = all(scores == -(-frames // ratio) for scores, frames in known)
        if known and (whole or begun):
            fitting.append(ratio)
    return next((ratio for ratio in (*USUAL, *fitting) if ratio in fitting), 0)
