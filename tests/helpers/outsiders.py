"""A package of somebody else, with a task, a data set and a detector."""

from pathlib import Path

PACKAGE = {
    "outsiders/__init__.py": "",
    "outsiders/brightness.py": '''
"""A proxy task in one file: the mean brightness of a clip's middle frame, from the other frames."""

from torch import nn

from dist_vad.model.heads import PerceptionTrunk
from dist_vad.tasks import Inputs, Task


class Brightness(Task):
    name, alias, phase, output, kind = "brightness", "bri", "perception", "brightness", "cube"

    def make_output(self, trunk):
        assert isinstance(trunk, PerceptionTrunk)
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(trunk.width, 1))

    def loss(self, backbone, head, inputs: Inputs, draws):
        return (self._said(backbone, head, inputs) - self._truth(inputs)).square()

    def measure(self, backbone, head, inputs: Inputs):
        return (self._said(backbone, head, inputs) - self._truth(inputs)).abs()[:, None]

    def _said(self, backbone, head, inputs):
        return head(self.output, backbone(inputs.clip[:, :, :4]))[:, 0]

    def _truth(self, inputs):
        return inputs.clip[:, :, inputs.clip.shape[2] // 2].mean(dim=(1, 2, 3))

''',
    "outsiders/stripes.py": '''
"""A data set in one file: grey frames over which a bright stripe moves; in test video it jumps at the end."""

import numpy as np

from dist_vad.datasets.base import Adapter
from dist_vad.video.source import Video


class Frames:
    fps, width, height = 25.0, 64, 48

    def __init__(self, number, jumps):
        self.number, self.jumps = number, jumps

    def __len__(self):
        return 30

    def __iter__(self):
        for frame in range(30):
            picture = np.full((48, 64, 3), 40 + self.number, np.uint8)
            left = (3 * frame + 20 * (self.jumps and frame > 20)) % 44
            picture[10:34, left : left + 16] = 220
            yield picture


def videos(settings):
    made = []
    for split, count in (("train", 4), ("test", 2)):
        for number in range(count):
            jumps = split == "test"
            made.append(
                Video(
                    name=f"{split}_{number}", split=split, scene="stripes", identity=f"stripes-{split}-{number}",
                    open=lambda number=number, jumps=jumps: Frames(number, jumps),
                    labels={"frames": [[21, 30]]} if jumps else {},
                )
            )
    return made


ADAPTER = Adapter(videos)
''',
    "outsiders/middle.py": '''
"""A detector in one file: the middle of every frame."""

from dist_vad.video.detectors.base import sorted_boxes


def make(settings, video, frames):
    def detect(numbers, pictures):
        return [sorted_boxes([[4.0, 4.0, p.shape[1] - 4.0, p.shape[0] - 4.0, 1.0]], ["object"]) for p in pictures]

    return detect
''',
    "outsiders-1.5.dist-info/METADATA": "Metadata-Version: 2.1\nName: outsiders\nVersion: 1.5\n",
    "outsiders-1.5.dist-info/entry_points.txt": (
        "[dist_vad.tasks]\nbrightness = outsiders.brightness:Brightness\n"
        "[dist_vad.datasets]\nstripes = outsiders.stripes:ADAPTER\n"
        "[dist_vad.detectors]\nmiddle = outsiders.middle:make\n"
    ),
}


def install(folder: Path, wrong: tuple[str, str] = ("", "")) -> Path:
    """Put the package into a folder of installed ones; with `wrong`, the second text stands where the first should."""
    for name, text in PACKAGE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.replace(*wrong) if all(wrong) else text)
    return folder
