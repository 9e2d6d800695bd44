"""The clips of events, written while the events happen: what is on the disk plays, whenever the power goes."""

import queue
import threading
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from dist_vad.base.log import log
from dist_vad.watch.pictures import from_jpeg

MOST_WAITING = 600
"""Pictures that wait to be encoded; what comes beyond them is left out of the clip, and counted."""
MILLISECONDS = Fraction(1, 1000)
OPTIONS = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "500000", "flush_packets": "1"}


@dataclass
class _Clip:
    path: Path
    container: OutputContainer | None = None
    stream: VideoStream | None = None
    first: float = 0.0
    last: int = -1
    size: tuple[int, int] = field(default=(0, 0))


class ClipWriter:
    """Encodes the pictures of clips in a thread of its own: H.264 in MP4, in pieces of half a second."""

    def __init__(self) -> None:
        self._queue: queue.Queue[tuple[Path, float, bytes | None] | None] = queue.Queue(MOST_WAITING)
        self.left_out = 0
        """Pictures for which there was no time."""
        self._thread = threading.Thread(target=self._work, name="clips", daemon=True)
        self._thread.start()

    def add(self, path: Path, taken: float, picture: bytes) -> None:
        """The next picture, a JPEG, of the clip at a path; the first one opens it."""
        self._put((path, taken, picture))

    def close(self, path: Path) -> None:
        """No more pictures will come for a clip."""
        try:
            self._queue.put((path, 0.0, None), timeout=5)
        except queue.Full:
            log.warning("the clip %s could not be closed in time; it plays as far as it is written", path.name)

    def stop(self) -> None:
        """Finish all clips."""
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _put(self, item: tuple[Path, float, bytes | None]) -> None:
        try:
            self._queue.put_nowait(item)
        except queue.Full:
            self.left_out += 1

    def _work(self) -> None:
        clips: dict[Path, _Clip] = {}
        while item := self._queue.get():
            path, taken, picture = item
            try:
                if picture is None:
                    if clip := clips.pop(path, None):
                        _finish(clip)
                else:
                    _encode(clips.setdefault(path, _Clip(path)), taken, picture)
            except (FFmpegError, OSError) as error:
                log.warning("the clip %s cannot be written: %s", path.name, error)
        for clip in clips.values():
            _finish(clip)


def _encode(clip: _Clip, taken: float, picture: bytes) -> None:
    image = from_jpeg(picture)
    size = (image.shape[1], image.shape[0])
    if clip.container is None:
        clip.path.parent.mkdir(parents=True, exist_ok=True)
        clip.container = av.open(str(clip.path), "w", format="mp4", options=OPTIONS)
        stream = clip.container.add_stream("libx264", rate=10, options={"preset": "veryfast", "crf": "26"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = MILLISECONDS
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 10, 0
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"tune": "zerolatency", "preset": "veryfast", "crf": "26"}
        clip.stream, clip.size, clip.first = stream, size, taken
    time = round(1000 * (taken - clip.first))
    if size != clip.size or time <= clip.last or clip.stream is None:
        return  # a camera that changes its size, or its clock, begins another event
    clip.last = time
    frame = av.VideoFrame.from_ndarray(image, format="rgb24")
    frame.pts, frame.time_base = time, MILLISECONDS
    clip.container.mux(clip.stream.encode(frame))


def _finish(clip: _Clip) -> None:
    if clip.container and clip.stream:
        clip.container.mux(clip.stream.encode(None))
        clip.container.close()
