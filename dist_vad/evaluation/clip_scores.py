"""Scores of whole frames beside those of objects: what has no object, smoke or an empty square, shows in them alone.

Each trained head measures a clip of the whole frame as it measures a cube. Scores are
calibrated on normal training clips, and the weights of the heads in `clip_fused` come from synthetic anomalies on
held-out normal clips, as for cubes.
"""

from dist_vad.evaluation.frame_scores import FrameScores, ScoresByVideo
from dist_vad.metrics import RegionRates

FUSED_CLIP = "fused_clip"
"""fused + clip_fused: of objects and of whole frames, each of several heads together."""


def clip_name(score: str) -> str:
    """What a score is called where it is of whole frames."""
    return f"clip_{score}"


def with_clips(objects: FrameScores, clips: ScoresByVideo) -> FrameScores:
    """Frame scores by objects and those by clips beside each other, and FUSED_CLIP. Clips tell no region."""
    named = {clip_name(score): values for score, values in clips.items()}
    both = {video: values + named[clip_name("fused")][video] for video, values in objects.frames["fused"].items()}
    added = {**named, FUSED_CLIP: both}
    regions = {**objects.regions, **dict.fromkeys(added, RegionRates())}
    return FrameScores({**objects.frames, **added}, objects.peaks, regions)
