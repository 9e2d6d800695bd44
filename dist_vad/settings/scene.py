"""Settings of the scene feature, which tells one scene from another."""

from dataclasses import dataclass
from typing import Literal

from dist_vad.base.errors import refuse_unless

CITYSCAPES = 19
"""Classes of Cityscapes, by their training numbers."""
CITYSCAPES_FOREGROUND = (11, 12, 13, 14, 15, 16, 17, 18)
"""Those of them that move: person, rider, car, truck, bus, train, motorcycle, bicycle."""


@dataclass(kw_only=True)
class SceneSettings:
    """How the scene feature is computed; part of the settings of the data."""

    scene: Literal["background", "deeplabv3plus", "segmentation"] = "background"
    """What tells one scene from another. background: the colours of the median background, no weights needed.
    deeplabv3plus: what a segmentation network sees in it, as in the paper; an optional extra, with weights of yours.
    segmentation: the same by any exported network: .pt2 and .pt of torch, or .onnx, .xml and .tflite by OpenVINO."""
    scene_weights: str | None = None
    """For `segmentation`: the exported network. For `deeplabv3plus`: the weights of a DeepLabV3Plus of
    segmentation-models-pytorch, a .safetensors file or a state_dict written by torch.save. The file must be there:
    nothing is ever downloaded."""
    scene_pixels: Literal["imagenet", "unit", "bytes"] = "imagenet"
    """For `segmentation`, what a network that takes floats expects: pixels less ImageNet's mean in units of its
    deviation, from 0 to 1, or from 0 to 255. A network that takes bytes gets bytes."""
    scene_encoder: str = "resnet50"
    """For `deeplabv3plus`: the encoder of the weights, by its name in segmentation-models-pytorch."""
    scene_classes: int = CITYSCAPES
    """For networks: the number of classes of the weights; 19 for a network trained on Cityscapes."""
    scene_foreground: list[int] | None = None
    """For networks: numbers of the classes that are masked out, such as people and vehicles, from 0. Not given =
    [11, ..., 18], those of Cityscapes; must be given where scene_classes is not 19."""
    scene_grid: int = 8
    """The scene feature lies on a grid of n x n cells, whatever the video's resolution. Its length D_B is 3 n^2 for
    `background`; for networks it is (scene_classes - classes masked out) n^2: 704 for Cityscapes on 8 x 8."""

    def __post_init__(self) -> None:
        refuse_unless(self.scene_grid >= 1, "data.scene_grid", self.scene_grid, "1 or more")
        refuse_unless(self.scene_classes >= 2, "data.scene_classes", self.scene_classes, "2 or more")
        known = all(0 <= number < self.scene_classes for number in self.scene_foreground or [])
        allowed = f"numbers of 0 to {self.scene_classes - 1} (scene_classes - 1)"
        refuse_unless(known, "data.scene_foreground", self.scene_foreground, allowed)
        if self.scene == "background":
            return
        refuse_unless(
            self.scene_weights is not None, "data.scene_weights", None, f"a path when scene is `{self.scene}`"
        )
        refuse_unless(bool(self.scene_encoder), "data.scene_encoder", self.scene_encoder, "a name, such as resnet50")
        given, classes = self.scene_foreground, self.scene_classes
        refuse_unless(
            given is not None or classes == CITYSCAPES,
            "data.scene_foreground",
            given,
            f"a list of class numbers: the default is right for {CITYSCAPES} classes, and scene_classes is {classes}",
        )
        # The shares of a single class are 1 everywhere: no scene would differ from another.
        left = len(self.scene_kept)
        refuse_unless(
            left >= 2, "data.scene_foreground", given, f"a list that leaves 2 of the {classes} classes or more"
        )

    @property
    def scene_kept(self) -> list[int]:
        """For networks: numbers of the classes that are not masked out, ascending."""
        masked = CITYSCAPES_FOREGROUND if self.scene_foreground is None else self.scene_foreground
        return [number for number in range(self.scene_classes) if number not in masked]

    @property
    def scene_size(self) -> int:
        """Length of the scene feature, D_B."""
        channels = 3 if self.scene == "background" else len(self.scene_kept)
        return channels * self.scene_grid**2
