"""Settings of the evaluation: where scores lie, how frame scores are smoothed. None of it looks at a test label."""

from dataclasses import dataclass
from typing import Literal

from dist_vad.base.errors import refuse_unless


@dataclass(kw_only=True)
class EvaluateSettings:
    """From object scores to the table."""

    parts: str | None = None
    """Where the scores of each shard lie: a folder, or s3://bucket/prefix, which ranks on several machines share; null:
    RUN/scores."""
    smoothing: Literal["median17", "gaussian4", "median17_causal", "gaussian4_causal", "none"] = "median17"
    """Of frame scores over time, in the headline and its curves: a median over 17 frames, or a Gaussian of deviation 4;
    causal: of this frame and those before it alone. The table has the raw scores as well."""
    whole_test_video_minmax: bool = False
    """Add rows in which every test video is scaled to [0, 1] by its own lowest and highest score. That looks at the
    whole of the video, so no alarm could be raised by it; for comparison with papers that do so."""
    resamples: int = 1000
    """Bootstrap resamples of the test videos for the intervals of AUCs; 0 = no intervals."""

    def __post_init__(self) -> None:
        refuse_unless(self.resamples >= 0, "evaluate.resamples", self.resamples, "0 or more")
        refuse_unless(self.parts != "", "evaluate.parts", self.parts, "a folder, s3://bucket/prefix, or null")
