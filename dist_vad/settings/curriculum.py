"""Settings of the stages of a curriculum.

One rule: `stage` says how every stage learns; what `curriculum.NAME` (or `stages.NAME`, where the curriculum is a line)
says of one stage counts more. On a command line `--stage.KEY` counts for all stages, whatever a file says of single
ones, and `--curriculum.NAME.KEY` beside it for that stage.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from dist_vad.base.errors import refuse_unless


@dataclass(kw_only=True)
class LearningSettings:
    """How a stage of the curriculum learns, and for how long."""

    steps: int = 10000
    """Optimiser steps. 0 = nothing is learned: with `init`, whose state is handed on as it is."""
    global_batch: int = 64
    """Samples of each kind (cubes, virtual clips) in one step, over all ranks together."""
    learning_rate: float = 3e-4
    """AdamW's initial learning rate; falls to 0 over the stage by a cosine."""
    backbone_rate: float = 1.0
    """The backbone learns at this share of the rate: less than 1 keeps more of what earlier stages taught it."""
    weight_decay: float = 0.01
    """AdamW's weight decay."""
    warmup: int = 0
    """Steps over which the learning rate rises linearly at the start of the stage."""
    clip_norm: float = 1.0
    """Gradients are scaled down to this global L2 norm where theirs is larger; 0 = never."""
    validate_every: int = 1000
    """The loss on held-out normal video is measured after every so many steps; 0 = never."""
    retain: Literal["none", "distill", "replay"] = "none"
    """What keeps earlier tasks' heads useful. none: nothing, as in the paper. distill: the backbone's features of this
    stage's samples are held near those of the parent state. replay: the losses of earlier tasks go on being learned, on
    samples of their kinds."""
    retain_weight: float = 1.0
    """Weight of the loss of `retain`: of the distance of features, or of each replayed task."""
    ema: float = 0.0
    """Share of its old value that a moving average of the weights keeps at each step, such as 0.999; the average is
    what is validated and handed on. 0 = none."""
    keep: Literal["last", "best"] = "last"
    """Which weights are handed on: the last, or those measured best on held-out normal video; where no task learns from
    normal video, on held-out virtual video."""

    def __post_init__(self) -> None:
        refuse_unless(self.steps >= 0, "steps", self.steps, "1 or more, with init 0 too")
        refuse_unless(self.global_batch >= 1, "global_batch", self.global_batch, "1 or more")
        refuse_unless(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        refuse_unless(0 <= self.backbone_rate <= 1, "backbone_rate", self.backbone_rate, "0 to 1")
        for key in ("weight_decay", "warmup", "clip_norm", "validate_every"):
            refuse_unless(getattr(self, key) >= 0, key, getattr(self, key), "0 or more")
        allowed = f"at most as many as steps ({self.steps}): the rate would never reach learning_rate"
        refuse_unless(self.warmup <= self.steps, "warmup", self.warmup, allowed)
        refuse_unless(self.retain_weight > 0, "retain_weight", self.retain_weight, "above 0")
        refuse_unless(0 <= self.ema < 1, "ema", self.ema, "0 to less than 1")
        measured = self.keep == "last" or self.validate_every > 0
        refuse_unless(measured, "validate_every", self.validate_every, "1 or more where keep is `best`")


AS_STAGE_SAYS: Any = None
"""Of a stage that does not say otherwise, until `StageSettings.completed`."""


@dataclass(kw_only=True)
class StageSettings(LearningSettings):
    """One stage of the curriculum: which tasks are learned, and what it does otherwise than `stage` says."""

    steps: int = AS_STAGE_SAYS
    global_batch: int = AS_STAGE_SAYS
    learning_rate: float = AS_STAGE_SAYS
    backbone_rate: float = AS_STAGE_SAYS
    weight_decay: float = AS_STAGE_SAYS
    warmup: int = AS_STAGE_SAYS
    clip_norm: float = AS_STAGE_SAYS
    validate_every: int = AS_STAGE_SAYS
    retain: Literal["none", "distill", "replay"] = AS_STAGE_SAYS
    retain_weight: float = AS_STAGE_SAYS
    ema: float = AS_STAGE_SAYS
    keep: Literal["last", "best"] = AS_STAGE_SAYS
    tasks: dict[str, float]
    """Proxy task -> weight of its loss. Several tasks are learned at the same time."""

    def __post_init__(self) -> None:
        if not self.open_keys:
            super().__post_init__()
        refuse_unless(len(self.tasks) > 0, "tasks", self.tasks, "at least one task with its weight")
        for name, weight in self.tasks.items():
            refuse_unless(weight > 0, f"tasks.{name}", weight, "a weight above 0")

    @property
    def open_keys(self) -> list[str]:
        """The settings that are as `stage` says."""
        return [field.name for field in fields(LearningSettings) if getattr(self, field.name) is AS_STAGE_SAYS]

    def completed(self, stage: LearningSettings) -> "StageSettings":
        """With all that it leaves open taken from `stage`. Raises ValueError where the two do not go together."""
        return replace(self, **{key: getattr(stage, key) for key in self.open_keys})
