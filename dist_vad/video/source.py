"""What a video is to whatever reads it: a name, a scene, labels, and frames in their order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from dist_vad.base.labels import Event


class Frames(Protocol):
    """The frames of one video, in order. Iterating again starts again; memory does not grow with the length."""

    fps: float
    width: int
    height: int

    def __len__(self) -> int:
        """Number of frames, exact: as many as iterating yields."""
        ...

    def __iter__(self) -> Iterator[np.ndarray]:
        """RGB frames, uint8 [H, W, 3]. Raises InputError, naming file and frame, where one does not decode."""
        ...


@dataclass(frozen=True, kw_only=True)
class Video:
    """One video of a data set."""

    name: str
    """Unique in the data set; no slash, no dot (it becomes part of WebDataset keys)."""
    split: str
    """`train` (normal), `test`, or `virtual` (labelled frames for the inference phase)."""
    scene: str
    """Videos of one camera share a scene."""
    identity: str
    """Changes when frames or labels change: a digest of settings where generated, of names and sizes where files."""
    open: Callable[[], Frames]
    """Open the video for reading."""
    labels: dict[str, list[list[int]]] = field(default_factory=dict)
    """Name of ground truth -> anomalous intervals [start, end), 0-based. Empty: no labels."""
    labelled_frames: int | None = None
    """How many frames the labels speak of, where they say; the producer compares it with what decodes."""
    source_name: str = ""
    """The video's name in the data set's own files, where it is another one."""
    source_split: str = ""
    """The split's name in the data set's own files, where it is another one."""
    events: list[Event] = field(default_factory=list)
    """The anomalies one by one, where the data set tells them apart."""
    span: tuple[int, int | None] | None = None
    """[start, stop): the frames that belong to the split, where not all do; stop None = to the end. Samples are cut
    where all of their frames do."""

    def misfit(self, frames: int) -> str:
        """How the labels do not fit a video of so many frames; empty where they do."""
        if self.labelled_frames not in (None, frames):
            return f"its labels are of {self.labelled_frames}"
        last = max((end for intervals in self.labels.values() for _, end in intervals), default=0)
        return f"its labels run to frame {last} (counted from 1)" if last > frames else ""
