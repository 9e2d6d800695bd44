"""The data sets, one file each; other packages may bring more (dist_vad/base/plugins.py)."""

from dataclasses import replace

from dist_vad.base import plugins
from dist_vad.base.errors import InputError
from dist_vad.base.text.names import storage_key
from dist_vad.datasets.base import Adapter, Published
from dist_vad.settings.data import DataSettings
from dist_vad.video.source import Video


def adapter(name: str) -> Adapter:
    """How the data set of that name is read. Raises InputError for an unknown one."""
    return plugins.load(plugins.DATASETS, name, "ADAPTER")


def open_dataset(settings: DataSettings) -> list[Video]:
    """The training and test videos of a data set. Raises InputError where it is not as expected."""
    return stored(adapter(settings.dataset).videos(settings))


def stored(videos: list[Video]) -> list[Video]:
    """Videos under names that are fit for tars, keys and paths. Raises InputError where two would bear the same."""
    named: dict[str, Video] = {}
    for video in videos:
        key = storage_key(video.name)
        if key in named:
            raise InputError(
                f"videos {named[key].name!r} and {video.name!r} have one name; rename or remove one of them"
            )
        named[key] = video
    return [
        video if key == video.name else replace(video, name=key, source_name=video.source_name or video.name)
        for key, video in named.items()
    ]


def published(settings: DataSettings, videos: list[Video]) -> Published:
    """What the data set should hold, by its authors' count; nothing where nobody published it."""
    known = adapter(settings.dataset).published
    return known.get("") or known.get(videos[0].scene if videos else "") or Published()


def open_virtual(settings: DataSettings, held_out: bool = False) -> list[Video]:
    """The labelled virtual videos to learn from, or those held out; none where the settings ask for none."""
    if settings.virtual == "none":
        return []
    source = adapter(settings.virtual)
    if source.virtual is None:
        raise InputError(f"data.virtual is {settings.virtual!r}, a data set without virtual video; plaza has some")
    read = source.held_out_virtual if held_out else source.virtual
    own = settings if settings.virtual == "plaza" else replace(settings, root=settings.virtual_root)
    return stored(read(own)) if read else []
