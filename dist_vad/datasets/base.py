"""What a data set adapter gives to the producer: a list of videos, each of which can be opened any number of times."""

from collections.abc import Callable
from dataclasses import dataclass, field

from dist_vad.settings.data import DataSettings
from dist_vad.video.source import Video


@dataclass(frozen=True)
class Published:
    """What a data set holds where it is whole, by its authors' count; `dist-vad shards check` compares."""

    videos: dict[str, int] = field(default_factory=dict)
    """Split -> number of videos."""
    frames: dict[str, int] = field(default_factory=dict)
    """Split -> number of frames, where it is known."""
    anomalous: dict[str, int] = field(default_factory=dict)
    """Name of ground truth -> anomalous frames of the test split, where it is known."""
    where: str = ""
    """Where the data set and its ground truth are published."""


@dataclass(frozen=True)
class Adapter:
    """How a data set is read, and what it should hold: the `ADAPTER` of its module, or what an entry point names."""

    videos: Callable[[DataSettings], list[Video]]
    """The training and test videos. Raises InputError where the data set is not as expected."""
    published: dict[str, Published] = field(default_factory=dict)
    """By the name of the scene where one adapter reads several data sets, else by ``."""
    virtual: Callable[[DataSettings], list[Video]] | None = None
    """Labelled videos for the inference phase, where the data set has them; `root` is then data.virtual_root."""
    held_out_virtual: Callable[[DataSettings], list[Video]] | None = None
    """Further ones from which nothing is learned: by them the task `virtual` is measured."""
