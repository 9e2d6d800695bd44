"""Frames that move a progress bar as they are read."""

from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from dist_vad.base.prefetch import prefetch
from dist_vad.video.source import Frames

FRAMES_PREFETCHED = 16
"""Most decoded frames that wait for the detector."""


class ProgressFrames:
    """Frames that move a progress bar as they are read."""

    def __init__(self, frames: Frames, bar: tqdm) -> None:
        self.frames, self.bar = frames, bar
        self.fps, self.width, self.height = frames.fps, frames.width, frames.height

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[np.ndarray]:
        for frame in prefetch(self.frames, FRAMES_PREFETCHED):
            yield frame
            self.bar.update()
