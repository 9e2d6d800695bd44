"""The data sets, by the name that the settings call them; one file each."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dist_vad.datasets import avenue, nwpu_campus, shanghaitech, ubnormal, ucf_crime, ucsd
from dist_vad.datasets.base import Published
from dist_vad.datasets.folder import folder
from dist_vad.datasets.plaza import plaza
from dist_vad.settings.data import DataSettings
from dist_vad.video.source import Video


@dataclass(frozen=True)
class Adapter:
    """How a data set is read, and what it should hold."""

    videos: Callable[[DataSettings], list[Video]]
    """The training and test videos. Raises InputError where the data set is not as expected."""
    published: dict[str, Published] = field(default_factory=dict)
    """By the name of the scene where one adapter reads several data sets, else by ``."""


ADAPTERS = {
    "plaza": Adapter(lambda settings: [video for video in plaza(settings.plaza) if video.split != "virtual"]),
    "folder": Adapter(folder),
    "ucsd": Adapter(ucsd.ucsd, ucsd.PUBLISHED),
    "avenue": Adapter(avenue.avenue, {"": avenue.PUBLISHED}),
    "shanghaitech": Adapter(shanghaitech.shanghaitech, {"": shanghaitech.PUBLISHED}),
    "ucf_crime": Adapter(ucf_crime.ucf_crime, {"": ucf_crime.PUBLISHED}),
    "nwpu_campus": Adapter(nwpu_campus.nwpu_campus, {"": nwpu_campus.PUBLISHED}),
    "ubnormal": Adapter(ubnormal.ubnormal, {"": ubnormal.PUBLISHED}),
}


def open_dataset(settings: DataSettings) -> list[Video]:
    """The training and test videos of a data set. Raises InputError where it is not as expected."""
    return ADAPTERS[settings.dataset].videos(settings)


def published(settings: DataSettings, videos: list[Video]) -> Published:
    """What the data set should hold, by its authors' count; nothing where nobody published it."""
    known = ADAPTERS[settings.dataset].published
    return known.get("") or known.get(videos[0].scene if videos else "") or Published()


def open_virtual(settings: DataSettings) -> list[Video]:
    """The labelled virtual videos; none where the settings ask for none."""
    if settings.virtual == "ubnormal":
        return ubnormal.ubnormal_virtual(replace(settings, root=settings.virtual_root))
    if settings.virtual == "plaza":
        return [video for video in plaza(settings.plaza) if video.split == "virtual"]
    return []
