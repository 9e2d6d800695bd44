"""What a static camera sees where nothing moves."""

import numpy as np

from dist_vad.base.spacing import evenly_spaced
from dist_vad.video.source import Frames


def median_background(frames: Frames, samples: int = 25) -> np.ndarray:
    """The per-pixel median of at most `samples` evenly spaced frames: RGB, uint8 [H, W, 3].

    Only those frames are held, so memory does not grow with the video's length. What covers a pixel in fewer than
    half of them leaves no trace. Raises ValueError for a video without frames or for `samples` below 1.
    """
    total = len(frames)
    if total < 1 or samples < 1:
        raise ValueError(f"a background needs at least 1 frame and 1 sample, not {total} frames and {samples} samples")
    wanted = set(evenly_spaced(total, samples, middles=True).tolist())
    kept = []
    for number, frame in enumerate(frames):
        if number in wanted:
            kept.append(frame)
            if len(kept) == len(wanted):
                break  # the rest need not be decoded
    return _median(kept)


class CausalBackground:
    """The background of a stream, from what was seen so far.

    First the per-pixel median of `samples` of the first `median_frames` frames; then it follows slow changes: every
    `step` frames each value moves by one of 255 levels towards the present frame (the approximate median of McFarlane
    and Schofield, 1995), at a bounded cost per frame. What stands still for long becomes background.
    """

    def __init__(self, median_frames: int, step: int, samples: int = 25) -> None:
        if median_frames < 1 or step < 1 or samples < 1:
            raise ValueError(f"median_frames {median_frames}, step {step} and samples {samples} must be at least 1")
        self._median_frames, self._step = median_frames, step
        self._wanted = set(evenly_spaced(median_frames, samples, middles=True).tolist())
        self._kept: list[np.ndarray] = []
        self._seen = 0
        self.image: np.ndarray | None = None
        """RGB, uint8 [H, W, 3]; None before the median is taken."""

    def see(self, frame: np.ndarray) -> bool:
        """Take the next frame, RGB, uint8 [H, W, 3]; whether `image` has changed."""
        number = self._seen
        self._seen += 1
        if number < self._median_frames:
            if number in self._wanted:
                self._kept.append(frame)
            if number < self._median_frames - 1:
                return False
            self.image, self._kept = _median(self._kept), []
            return True
        if self.image is None or (number - self._median_frames + 1) % self._step:
            return False
        up, down = (frame > self.image).astype(np.uint8), (frame < self.image).astype(np.uint8)
        self.image = self.image + up - down
        return True


def _median(frames: list[np.ndarray]) -> np.ndarray:
    return np.median(np.stack(frames), axis=0).astype(np.uint8)
