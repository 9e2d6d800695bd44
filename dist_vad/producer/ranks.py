"""Many ranks share out the videos of a data set; they never talk, so none can wait for one that died."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dist_vad.base.errors import InputError
from dist_vad.video.files import FileFrames, VideoError
from dist_vad.video.source import Video

LAUNCHERS = (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_NTASKS"))
"""Where torchrun and `accelerate launch`, and where srun say which rank a process is."""


@dataclass(frozen=True)
class Rank:
    """One of so many processes that write the same shard sets."""

    number: int = 0
    count: int = 1

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "Rank":
        """The rank that the launcher gave this process; the only one where there was no launcher."""
        for number, count in LAUNCHERS:
            # A batch script without srun has SLURM_NTASKS too, but runs once.
            if number.startswith("SLURM") and "SLURM_STEP_ID" not in environment:
                continue
            if number in environment and count in environment:
                rank = cls(int(environment[number]), int(environment[count]))
                if not 0 <= rank.number < rank.count:
                    raise InputError(f"{number} is {rank.number}, {count} is {rank.count}; expected 0 <= rank < ranks")
                return rank
        return cls()

    def shares(self, sets: Sequence[Sequence[Video]]) -> list[list[Video]]:
        """This rank's videos of each set: set by set the longest first, each to the rank that has the least to do by
        then; the same on every rank."""
        if self.count == 1:
            return [list(videos) for videos in sets]
        loads = [0] * self.count
        return [self._share(videos, loads) for videos in sets]

    def _share(self, videos: Sequence[Video], loads: list[int]) -> list[Video]:
        """This rank's videos of one set; `loads`, the frames that each rank has by then, grow by those of the set."""
        lengths = {video.name: _frames_of_split(video) for video in videos}
        mine = set()
        for video in sorted(videos, key=lambda video: (-lengths[video.name], video.name)):
            rank = loads.index(min(loads))
            loads[rank] += lengths[video.name]
            if rank == self.number:
                mine.add(video.name)
        return [video for video in videos if video.name in mine]


def _frames_of_split(video: Video) -> int:
    """Frames of a video, roughly, from which samples are cut; at least 1."""
    start, stop = video.span or (0, None)
    length = rough_length(video)
    return max(1, min(length, length if stop is None else stop) - start)


def rough_length(video: Video) -> int:
    """Frames as the video's container states them, without decoding; at least 1, as for one that does not open."""
    try:
        frames = video.open()
        return max(1, frames.stated_length if isinstance(frames, FileFrames) else len(frames))
    except VideoError:
        return 1
