"""Settings of single proxy tasks."""

from dataclasses import dataclass, field
from typing import Literal

from dist_vad.base.errors import refuse_unless

NORMAL_PROMPTS = (
    "a photo of a person walking",
    "a photo of a person standing",
    "a photo of people walking side by side",
)
ANOMALY_PROMPTS = (
    "a photo of a person running",
    "a photo of a person lying on the ground",
    "a photo of people fighting",
    "a photo of a person riding a bicycle",
    "a photo of a vehicle on a footpath",
    "a photo of an object that was thrown",
    "a photo of fire",
    "a photo of smoke",
)


@dataclass(kw_only=True)
class TaskSettings:
    """Settings of single proxy tasks. They are part of the recipe of the states that learned that task."""

    semantic_margin: float = 0.5
    """gamma of `semantic_reconstruction`: by how much the single frame must be nearer than the continuous clip."""
    semantic_negative: Literal["other_clip", "same_clip"] = "other_clip"
    """What `semantic_reconstruction` tells the single frame from: a clip of another object, or, as the paper's formula
    is written, the same clip with all its frames, which a network can do by the clip's length alone."""
    virtual_view: Literal["cropped", "whole"] = "cropped"
    """What `virtual` is trained on. cropped: random crops as large as cubes, around the middle of the frame, where the
    generated world has what the label is about. whole: whole frames, as in the paper; for `ubnormal`, whose labels are
    about any place of the frame."""
    jigsaw_static: float = 0.2
    """`jigsaw` leaves the frames of a clip in order where none of its values changes by more than this from the first
    frame to the last, values in [0, 1]: without motion nobody could put them back."""
    clip_model: str = "ViT-B-32"
    """For `vision_language`: the CLIP that names anomalies, by its name in open_clip, or a .json file in the format of
    open_clip's model_configs."""
    clip_weights: str | None = None
    """For `vision_language`: the file with its weights. The file must be there: nothing is ever downloaded."""
    normal_prompts: list[str] = field(default_factory=lambda: list(NORMAL_PROMPTS))
    """For `vision_language`: what is normal, in words."""
    anomaly_prompts: list[str] = field(default_factory=lambda: list(ANOMALY_PROMPTS))
    """For `vision_language`: the anomalies that could happen, in words; each is a class of its own."""

    def __post_init__(self) -> None:
        allowed = 0 < self.semantic_margin <= 2
        refuse_unless(allowed, "task.semantic_margin", self.semantic_margin, "above 0, at most 2 (cosines)")
        negative = self.semantic_negative
        refuse_unless(
            negative in ("other_clip", "same_clip"), "task.semantic_negative", negative, "other_clip, same_clip"
        )
        view = self.virtual_view
        refuse_unless(view in ("cropped", "whole"), "task.virtual_view", view, "cropped, whole")
        allowed = 0 <= self.jigsaw_static < 1
        refuse_unless(allowed, "task.jigsaw_static", self.jigsaw_static, "0 or more, less than 1")
        for key in ("normal_prompts", "anomaly_prompts"):
            prompts = getattr(self, key)
            good = bool(prompts) and all(prompt.strip() for prompt in prompts) and len(set(prompts)) == len(prompts)
            refuse_unless(good, f"task.{key}", prompts, "one prompt or more, each once, none empty")
