"""Normal cubes of cameras that were never trained, recorded into shard sets, a segment of minutes at a time."""

import dataclasses
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dist_vad.base.files import digest
from dist_vad.base.log import log
from dist_vad.base.sealed import read_sealed, write_sealed
from dist_vad.data.manifest import Manifest, ShardInfo, VideoInfo
from dist_vad.producer.pack import pack_video, scene_member
from dist_vad.settings.data import DataSettings
from dist_vad.settings.watch import WatchSettings
from dist_vad.video.cubes import Sample
from dist_vad.video.detectors import make_detector
from dist_vad.video.detectors.filtered import FilteredDetector
from dist_vad.video.scene_feature import scene_feature
from dist_vad.video.source import Video
from dist_vad.watch.camera import Seen

SEGMENT_SECONDS, LEAST_SEGMENTS = 300.0, 8
HELD_OUT = 4
"""Every so manieth segment is held out."""
RUN = 3
"""Sampled frames that are recorded one after another: the speed of an object is known only where it is found again."""
LEAST_FRAMES = 18
"""Shorter segments, such as before a camera is lost, are thrown away."""


@dataclasses.dataclass(frozen=True)
class Place:
    """What a camera shows, as far as it matters before training."""

    feature: np.ndarray
    name: str
    note: str = ""


class CubeCutter:
    """What a camera needs to have its cubes cut; it scores nothing."""

    def __init__(self, camera: str, data: DataSettings, settings: WatchSettings) -> None:
        self.data, self.stride = data, settings.learning.every
        self.settings = SimpleNamespace(warmup=settings.warmup)
        self.detector, self.counts, self.score_without_objects = None, "", 0.0
        self._camera = camera

    def match_scene(self, background: np.ndarray) -> Place:
        return Place(scene_feature(self.data, background), self._camera)

    def object_detector(self, place: str, background: np.ndarray, frames: int) -> FilteredDetector:
        def nothing() -> Any:
            raise RuntimeError("a camera is not read twice")

        video = Video(name=place, split="train", scene=place, identity="", open=nothing)
        return make_detector(self.data, video, background, frames)


@dataclasses.dataclass(frozen=True)
class SegmentPlan:
    """How the time is cut into segments."""

    seconds: float
    count: int
    most_cubes: int
    """Of one segment."""

    @classmethod
    def of(cls, hours: float, cameras: int, settings: WatchSettings) -> "SegmentPlan":
        count = max(LEAST_SEGMENTS, round(hours * 3600 / SEGMENT_SECONDS))
        return cls(hours * 3600 / count, count, max(20, settings.learning.most_cubes // (cameras * count)))


class Segment:
    """One segment of one camera, packed into tars while it is recorded.

    A training segment is recorded in short runs, spread over its time. A held-out one is recorded without gaps, and
    ends where it has `limit` cubes: thresholds count its frames, and a skipped one would be one without objects.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        scene: Place,
        data: DataSettings,
        every: int,
        limit: int,
        held_out: bool = False,
    ) -> None:
        self._held_out = held_out
        self.name, self._every, self._half, self._limit = name, every, data.clip_length // 2, limit
        self._folder, self._base, self._last, self._taken, self._began = folder, -1, 0, 0, 0.0
        self._run = 0
        """Sampled frames that are still to be taken of a run."""
        self.ends = 0.0
        self._samples: queue.Queue[Sample | None] = queue.Queue(64)
        self._shards: list[ShardInfo] = []
        self.fault: BaseException | None = None

        def pack() -> None:
            try:
                facts, member = {"scene": scene.name}, scene_member(scene.feature)
                labelled = ((sample, -1) for sample in self._queued())
                self._shards = pack_video(folder, name, facts, labelled, data.codec, member, data.shard_samples)
            except BaseException as error:
                self.fault = error
                for _ in self._queued():
                    pass

        self._thread = threading.Thread(target=pack, name=f"pack {name}", daemon=True)
        self._thread.start()

    def add(self, seen: Seen, seconds: float) -> None:
        """The next frame of the camera; `seconds` is how long the segment is to be."""
        number = seen.moment.number
        if self._base < 0:
            pad = -(-self._half // self._every) * self._every
            self._base, self._began, self.ends = number - number % self._every - pad, seen.taken, seen.taken + seconds
        if self._held_out and self._taken >= self._limit:
            return
        self._last, samples = number - self._base, seen.moment.samples or []
        # As many as are due by now, and frames as a whole: half of a frame's objects would be another frame.
        due = self._limit * (seen.taken - self._began + 1) / max(seconds, 1e-6)
        if self._held_out or (not self._run and self._taken <= due):
            self._run = RUN
        if not self._run or seen.moment.samples is None:
            return
        self._run -= 1
        self._taken += len(samples)
        for sample in samples:
            self._samples.put(dataclasses.replace(sample, frame=self._last))

    def finish(self, fps: float, size: tuple[int, int], scene: str) -> dict[str, Any] | None:
        """Close it; facts of the video and its shards, or None where it is too short or holds nothing."""
        self._samples.put(None)
        self._thread.join()
        if self.fault:
            raise self.fault
        frames = self._last + 1 + self._half
        if not self._shards or frames < LEAST_FRAMES:
            for path in self._folder.glob(f"{self.name}-*"):
                path.unlink()
            return None
        video = VideoInfo(name=self.name, scene=scene, frames=frames, fps=fps, width=size[0], height=size[1])
        return {"video": dataclasses.asdict(video), "shards": [dataclasses.asdict(shard) for shard in self._shards]}

    def _queued(self) -> Iterator[Sample]:
        while (sample := self._samples.get()) is not None:
            yield sample


class Recorder:
    """Takes what cameras see and records it, until each has as many segments as were planned."""

    def __init__(self, folder: Path, plan: SegmentPlan, data: DataSettings, settings: WatchSettings) -> None:
        self._folder, self._plan, self._data, self._every = folder, plan, data, settings.learning.every
        self._open: dict[str, Segment] = {}
        self._done = {name: self._count(name) for name in settings.cameras}
        for split in ("train", "val"):
            (folder / f"cube-{split}").mkdir(parents=True, exist_ok=True)
        (folder / ".segments").mkdir(exist_ok=True)

    def is_done(self, camera: str) -> bool:
        """Whether a camera is recorded."""
        return self._done[camera] >= self._plan.count

    def waiting(self, camera: str) -> int:
        """Nothing waits here: a camera whose frames are packed too slowly is held up."""
        return 0

    def put(self, seen: Seen) -> None:
        """Take a frame; called by the thread of its camera."""
        name, open_segment = seen.camera.name, self._open.get(seen.camera.name)
        if open_segment and (not seen.moment.ready or seen.taken >= open_segment.ends):
            self._finish(name, seen)
            open_segment = None
        if not seen.moment.ready or self.is_done(name):
            return
        if open_segment is None:
            number = self._done[name]
            scene = seen.scene
            assert isinstance(scene, Place)
            held_out = number % HELD_OUT == HELD_OUT - 1
            folder, limit = self._split(number), self._plan.most_cubes * (4 if held_out else 1)
            open_segment = Segment(folder, f"{name}_{number:05d}", scene, self._data, self._every, limit, held_out)
            self._open[name] = open_segment
        open_segment.add(seen, self._plan.seconds)

    def close(self) -> None:
        """Throw away what is half recorded."""
        for segment in self._open.values():
            segment._last = 0
            segment.finish(1.0, (0, 0), "")
        self._open.clear()

    def write_manifests(self, cameras: list[str]) -> None:
        """Close both shard sets."""
        records = [read_sealed(path) for name in cameras for path in sorted(self._segments().glob(f"{name}_*.json"))]
        for split in ("train", "val"):
            own = [record for record in records if record["split"] == split]
            shards = [ShardInfo(**shard) for record in own for shard in record["shards"]]
            manifest = Manifest(
                dataset="folder", split=split, kind="cube", clip_length=self._data.clip_length,
                size=self._data.cube_size, stride=self._every, codec=self._data.codec,
                scene_size=self._data.scene_size, settings=dataclasses.asdict(self._data),
                fingerprint=digest([split, [shard.sha256 for shard in shards]]),
                videos=[VideoInfo(**record["video"]) for record in own], shards=shards,
            )  # fmt: skip
            manifest.save(self._folder / f"cube-{split}")

    def _finish(self, name: str, seen: Seen) -> None:
        number = self._done[name]
        record = self._open.pop(name).finish(seen.camera.fps, seen.size, name)
        if record is None:
            log.info("camera %s: a segment without objects, or too short, is recorded again", name)
            return
        split = self._split(number).name.removeprefix("cube-")
        write_sealed(self._segments() / f"{name}_{number:05d}.json", {"split": split, **record})
        self._done[name] += 1
        log.info("camera %s: %d of %d segments recorded", name, self._done[name], self._plan.count)

    def _split(self, number: int) -> Path:
        return self._folder / ("cube-val" if number % HELD_OUT == HELD_OUT - 1 else "cube-train")

    def _segments(self) -> Path:
        return self._folder / ".segments"

    def _count(self, name: str) -> int:
        return len(list(self._segments().glob(f"{name}_*.json")))
