"""Frames into an mp4 that every browser plays: H.264, 4:2:0, its index at the front.

OpenCV's own wheels write H.264 only where the system has an encoder, and MPEG-4 part 2 otherwise, which browsers do not
play. So frames go to the ffmpeg that imageio-ffmpeg brings (or the one that IMAGEIO_FFMPEG_EXE names).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from imageio_ffmpeg import write_frames

from dist_vad.base.errors import InputError


class FrameWriter(Protocol):
    """Takes frames one by one."""

    def __call__(self, frame: np.ndarray) -> None:
        """RGB, uint8 [H, W, 3], all of one size, both sides even."""
        ...


@contextmanager
def mp4_writer(path: Path, width: int, height: int, fps: float) -> Iterator[FrameWriter]:
    """Yield a function that takes frames of that size; the file appears under its name once it is complete.

    Raises InputError where there is no ffmpeg, or where it fails.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.partial.mp4")
    options = ["-preset", "veryfast", "-crf", "24", "-movflags", "+faststart"]
    try:
        writer = write_frames(
            str(partial),
            (width, height),
            fps=fps,  # pyright: ignore[reportArgumentType]
            codec="libx264",
            quality=None,  # pyright: ignore[reportArgumentType]
            macro_block_size=2,
            output_params=options,
            ffmpeg_log_level="error",
        )
        writer.send(None)
        yield lambda frame: writer.send(np.ascontiguousarray(frame))
        writer.close()
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        raise InputError(f"{path} cannot be written by ffmpeg: {error}; --mp4 false goes without it") from error
    finally:
        partial.unlink(missing_ok=True)
