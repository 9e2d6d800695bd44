"""Settings of the scoring of objects."""

from dataclasses import dataclass
from typing import Literal

from dist_vad.base.errors import refuse_unless


@dataclass(kw_only=True)
class ScoreSettings:
    """How objects are scored. Nothing here looks at test labels or test scores."""

    precision: Literal["no", "bf16", "auto"] = "no"
    """In which networks score and are calibrated. no: fp32. bf16: mixed precision, about twice as fast where a CPU
    (AMX, AVX-512 BF16) or GPU has units for it; AUCs change in the fourth place. auto: bf16 where the run is trained in
    bf16 (`train.precision`), else no. Part of a calibration: a detector scores as it was calibrated."""
    batch: int = 64
    """Objects scored at once; every batch is padded to this number, so that its size never changes a score."""
    calibration: int = 4096
    """Normal training cubes by which scores are standardised, and to which distances are measured."""
    synthetic: int = 1024
    """Of about so many held-out normal objects synthetic anomalies are made, by which scores are weighed and models are
    chosen (`dist-vad validate`); of fewer where many stand in a frame. Every scene gives as many frames as any other:
    with eleven scenes 13 of each. To tell models apart that differ by less than a hundredth takes more."""
    refit: int = 200
    """Steps for which heads that a stage has not trained are fitted on its frozen backbone, so that every row of the
    table, the untrained network's too, is asked by the same heads; 0 = each row has the heads that were trained by
    then, as they are."""
    neighbours: int = 3
    """`semantic_reconstruction` scores the mean distance to so many nearest normal embeddings."""

    def __post_init__(self) -> None:
        refuse_unless(self.batch >= 1, "score.batch", self.batch, "1 or more")
        refuse_unless(self.refit >= 0, "score.refit", self.refit, "0 or more")
        refuse_unless(self.neighbours >= 1, "score.neighbours", self.neighbours, "1 or more")
        refuse_unless(self.synthetic >= 1, "score.synthetic", self.synthetic, "1 or more")
        low = 4 * self.neighbours
        refuse_unless(self.calibration >= low, "score.calibration", self.calibration, f"{low} (4 x neighbours) or more")
