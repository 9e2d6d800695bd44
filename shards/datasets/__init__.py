"""The data sets, by the name that the settings call them; one file each."""

from dist_vad.config import DataSettings
from shards.datasets.base import Video
from shards.datasets.folder import folder
from shards.datasets.plaza import plaza
from shards.datasets.ucsd import ucsd

ADAPTERS = {
    "plaza": lambda settings: [video for video in plaza(settings.plaza) if video.split != "virtual"],
    "ucsd": ucsd,
    "folder": folder,
}


def open_dataset(settings: DataSettings) -> list[Video]:
    """The training and test videos of a data set. Raises InputError where it is not as expected."""
    return ADAPTERS[settings.dataset](settings)


def open_virtual(settings: DataSettings) -> list[Video]:
    """The labelled virtual videos; none where the settings ask for none."""
    if settings.virtual == "none":
        return []
    return [video for video in plaza(settings.plaza) if video.split == "virtual"]
