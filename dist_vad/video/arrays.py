"""Frames that are in memory already, as a video."""

from collections.abc import Iterator

import numpy as np

from dist_vad.base.errors import InputError


class ArrayFrames:
    """An array of frames as a video.

    Args:
        frames: uint8 [T, H, W, 3], RGB.
        fps: frames a second.

    Raises InputError for an array of another type or shape.
    """

    def __init__(self, frames: np.ndarray, fps: float) -> None:
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3 or not len(frames):
            raise InputError(
                f"frames are {frames.dtype} {list(frames.shape)}; expected uint8 [T, H, W, 3], RGB, T at least 1"
            )
        self._frames, self.fps = frames, fps
        self.height, self.width = frames.shape[1:3]

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self._frames)
