"""A camera, a stream or a file, opened by FFmpeg's libraries: frames with the times at which they were taken."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream

from dist_vad.base.text.redact import protect_address, redacted
from dist_vad.video.files import VideoError

PROBE_SECONDS = 0.5
"""How long a stream is looked at before its first frame is given."""
MOST_DAMAGED = 100
"""Packets in a row that do not decode; after so many the stream is given up."""
STATELESS = ("mpjpeg", "mjpeg", "image2", "jpeg_pipe")
"""Formats that carry no times: what FFmpeg calls their times is counted from a rate that it assumes."""


@dataclass(frozen=True)
class Captured:
    """One frame as it came."""

    image: np.ndarray
    """RGB, uint8 [H, W, 3]."""
    seconds: float | None
    """When it was taken, by the clock of the stream; None where the stream does not say it."""
    arrived: float
    """When it came, in seconds since 1970 by the clock of this machine."""


class Capture:
    """An open stream; it can be iterated over once.

    Raises VideoError, without credentials in its text, where the stream does not open.
    """

    def __init__(self, place: str, patience: float = 10.0) -> None:
        """`patience`: seconds for which opening, or a single packet, is waited for."""
        protect_address(place)
        self.place, self._patience = place, patience
        self._container = self._open({})
        self.format = self._container.format.name
        if self.format in STATELESS and "://" in place:
            # Only FFmpeg's reader knows when a packet came that it took while it looked at the stream.
            self._container.close()
            self._container = self._open({"use_wallclock_as_timestamps": "1"})
        if not self._container.streams.video:
            self.close()
            raise VideoError(f"{redacted(place)} opens as {self.format}, but it holds no video")
        self._stream: VideoStream = self._container.streams.video[0]
        self._stream.thread_type = "SLICE"  # threads by frame would hold each frame back
        self._stream.codec_context.thread_count = 1
        rate = self._stream.average_rate or self._stream.base_rate
        self.fps = float(rate) if rate and 0 < rate <= 240 else 25.0
        """As the stream states it; cameras lie about it."""
        duration = self._container.duration
        self.duration = duration / av.time_base if duration and duration > 0 else None
        """Seconds; None for what has no end."""
        self.damaged = 0
        """Packets that did not decode."""

    @property
    def is_finite(self) -> bool:
        """Whether the stream has an end: a file, wherever it lies."""
        return self.duration is not None

    def __iter__(self) -> Iterator[Captured]:
        """Frames until the stream ends. Raises VideoError where it breaks or gives nothing for too long."""
        in_a_row, last = 0, time.monotonic()
        try:
            for packet in self._container.demux(self._stream):
                arrived, frames = time.time(), self._decoded(packet)
                if frames is None:
                    self.damaged, in_a_row = self.damaged + 1, in_a_row + 1
                for frame in frames or ():
                    yield self._captured(frame, arrived)
                    in_a_row, last = 0, time.monotonic()
                if in_a_row > MOST_DAMAGED or time.monotonic() - last > self._patience:
                    raise VideoError(f"{redacted(self.place)} sends nothing that decodes as a picture")
        except FFmpegError as error:
            raise VideoError(f"{redacted(self.place)} broke off: {_reason(error)}") from None

    def _decoded(self, packet: av.Packet) -> list[av.VideoFrame] | None:
        """The frames of a packet; None where it does not decode."""
        if self.format in STATELESS and _is_cut_off(packet):
            return None
        try:
            return [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
        except FFmpegError:
            return None

    def _captured(self, frame: av.VideoFrame, arrived: float) -> Captured:
        seconds = None
        if frame.pts is not None and frame.time_base is not None:
            if self.format not in STATELESS:
                seconds = float((frame.pts - (self._stream.start_time or 0)) * frame.time_base)
            elif "://" in self.place:  # the clock of this machine, by FFmpeg's own reader
                arrived = float(frame.pts * frame.time_base)
        image = frame.reformat(format="rgb24", interpolation=Interpolation.BICUBIC).to_ndarray()
        return Captured(image, seconds, arrived)

    def close(self) -> None:
        """Let go of the stream."""
        self._container.close()

    def _open(self, more: dict[str, str]) -> InputContainer:
        place, options = self.place, {"analyzeduration": str(int(PROBE_SECONDS * 1e6)), **more}
        format_name: str | None = None
        if place.isdigit():
            place, format_name = f"/dev/video{place}", "v4l2"
        elif place.startswith("rtsp"):
            options |= {"rtsp_transport": "tcp", "fflags": "nobuffer"}
        elif "://" not in place and not Path(place).exists():
            raise VideoError(f"there is no video at {place}")
        arguments: dict[str, Any] = {"format": format_name, "options": options}
        try:
            return av.open(place, timeout=(self._patience, self._patience), **arguments)
        except (FFmpegError, OSError) as error:
            raise VideoError(
                f"stream {redacted(self.place)!r} does not open ({_reason(error)}); expected the number of a camera "
                "(0, 1, …) or a URL such as rtsp://HOST/PATH"
            ) from None


def _is_cut_off(packet: av.Packet) -> bool:
    """Whether a packet is a JPEG without its end: FFmpeg fills what is missing with grey."""
    content = memoryview(packet)
    return bytes(content[:2]) == b"\xff\xd8" and bytes(content[-1024:]).rfind(b"\xff\xd9") < 0


def _reason(error: Exception) -> str:
    """What went wrong, in words; FFmpeg calls its own time limit an exit."""
    text = getattr(error, "strerror", None) or str(error)
    return "nothing came in time" if "exit requested" in text else redacted(text)
