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

    def share(self, videos: Sequence[Video]) -> list[Video]:
        """This rank's videos: the longest first, each to the rank with the least to do; the same on every rank."""
        if self.count == 1:
            return list(videos)
        lengths = {video.name: rough_length(video) for video in videos}
        loads = [0] * self.count
        mine = set()
        for video in sorted(videos, key=lambda video: (-lengths[video.name], video.name)):
            rank = loads.index(min(loads))
            loads[rank] += lengths[video.name]
            if rank == self.number:
                mine.add(video.name)
        return [video for video in videos if video.name in mine]


def rough_length(video: Video) -> int:
    """Frames as the video's container states them, without decoding; at least 1, as for one that does not open."""
    try:
        frames = video.open()
        return max(1, frames.stated_length if isinstance(frames, FileFrames) else len(frames))
    except VideoError:
        return 1
