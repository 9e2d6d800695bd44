"""Frames into an mp4 that every browser plays: H.264, 4:2:0, its index at the front.

OpenCV's own wheels write H.264 only where the system has an encoder, and MPEG-4 part 2 otherwise, which browsers do not
play. So frames go to the ffmpeg that imageio-ffmpeg brings (or the one that IMAGEIO_FFMPEG_EXE names).
"""

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol

import numpy as np
from imageio_ffmpeg import get_ffmpeg_exe

from dist_vad.base.errors import InputError, explained
from dist_vad.base.files import bytes_sha256

DOWN = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG)
"""Errors of the system of which ffmpeg tells by their text, and that are no fault of the video."""


class FrameWriter(Protocol):
    """Takes frames one by one."""

    def __call__(self, frame: np.ndarray) -> None:
        """RGB, uint8 [H, W, 3], all of one size, both sides even."""
        ...


@contextmanager
def mp4_writer(path: Path, width: int, height: int, fps: float) -> Iterator[FrameWriter]:
    """Yield a function that takes frames of that size; the file appears under its name once it is complete.

    Raises InputError where there is no ffmpeg, or where it fails; Unavailable where the disk is full or gone.
    """
    # The process id keeps two commands apart that write into one folder.
    partial = path.with_name(f".{bytes_sha256(os.fsencode(path.name))[:16]}.{os.getpid()}.partial.mp4")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile() as said:
            yield from _coded(partial, (width, height), fps, said)
        if not partial.is_file() or not partial.stat().st_size:
            raise _Failed("it wrote nothing")
        partial.replace(path)
    except _Failed as error:
        for number in DOWN:
            if os.strerror(number) in str(error):
                raise explained(OSError(number, os.strerror(number), str(path)), f"while writing {path}") from error
        raise InputError(f"{path} cannot be written by ffmpeg: {error}; --mp4 false goes without it") from error
    finally:
        with suppress(OSError):
            partial.unlink()


class _Failed(Exception):
    """There is no ffmpeg, or it has not done its work; what goes wrong while frames are made is no failure of it."""


def _coded(path: Path, size: tuple[int, int], fps: float, said: IO[bytes]) -> Iterator[FrameWriter]:
    """Yield a function that hands frames to ffmpeg. Raises _Failed, with what it said, where it fails."""
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", f"{fps:.6g}", "-i", "-", "-an"]
    coded = [*("-vcodec", "libx264", "-pix_fmt", "yuv420p"), *("-preset", "veryfast", "-crf", "24")]
    try:
        command = [get_ffmpeg_exe(), "-y", "-v", "error", *raw, *coded, "-movflags", "+faststart", str(path)]
        ffmpeg = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=said, stderr=said)
    except (OSError, RuntimeError) as error:
        raise _Failed(f"{error}") from error
    pipe = ffmpeg.stdin
    assert pipe is not None

    def write(frame: np.ndarray) -> None:
        pipe.write(np.ascontiguousarray(frame).data)

    try:
        yield write
        pipe.close()
    except BrokenPipeError:
        pass  # ffmpeg has ended; what it said tells why
    except BaseException:
        ffmpeg.kill()
        raise
    finally:
        status = ffmpeg.wait()
    if status:
        said.seek(0)
        raise _Failed(f"it ended with {status}: {' '.join(said.read().decode(errors='replace').split())[-300:]}")
