"""Frames that move a progress bar as they are read."""

from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from dist_vad.base.prefetch import ahead
from dist_vad.video.source import Frames

FRAMES_AHEAD = 16
"""Decoded frames that wait for the detector."""


class Counted:
    """Frames that move a progress bar as they are read."""

    def __init__(self, frames: Frames, bar: tqdm) -> None:
        self.frames, self.bar = frames, bar
        self.fps, self.width, self.height = frames.fps, frames.width, frames.height

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[np.ndarray]:
        for frame in ahead(self.frames, FRAMES_AHEAD):
            yield frame
            self.bar.update()
