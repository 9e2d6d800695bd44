"""What a data set adapter gives to the producer: a list of videos, each of which can be opened any number of times."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Published:
    """What a data set holds where it is whole, by its authors' count; `shards/check.py` compares."""

    videos: dict[str, int] = field(default_factory=dict)
    """Split -> number of videos."""
    frames: dict[str, int] = field(default_factory=dict)
    """Split -> number of frames, where it is known."""
    anomalous: dict[str, int] = field(default_factory=dict)
    """Name of ground truth -> anomalous frames of the test split, where it is known."""
    where: str = ""
    """Where the data set and its ground truth are published."""
