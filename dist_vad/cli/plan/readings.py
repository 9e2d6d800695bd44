"""What the stages of a run read of each source: of the shards that are there, or of a data set not cut yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dist_vad.settings.run import Settings

if TYPE_CHECKING:
    from dist_vad.data.streams import Streams


@dataclass(frozen=True)
class Size:
    """How much normal training video a data set has."""

    videos: int
    frames: int


@dataclass(frozen=True)
class Reading:
    """What a stage reads of one source."""

    title: str
    steps: int
    streams: "Streams"
    samples: list[int]
    """In each shard."""
    bytes: list[int]
    """Of each shard."""


def known_readings(settings: Settings) -> Iterator[Reading]:
    """What the stages of a run read of the shards that are there, with the run's own draws."""
    from dist_vad.curriculum.recipes import plan
    from dist_vad.training.batches import open_sources

    for stage in plan(settings):
        for kind in stage.kinds:
            for source in open_sources(settings, stage, kind):
                shards = source.shards.manifest.shards
                samples, sizes = [shard.samples for shard in shards], [shard.bytes for shard in shards]
                title = f"{stage.name}, {kind} of {source.shards.where}"
                yield Reading(title, stage.settings.steps, source.streams, samples, sizes)


def planned_readings(settings: Settings, dataset: str, samples: list[int], cube_bytes: int) -> Iterator[Reading]:
    """What the stages will read of the cubes of a data set that is not cut yet."""
    from dist_vad.curriculum.stages import stages_of
    from dist_vad.data.streams import Streams
    from dist_vad.tasks import TASKS

    for name, stage in stages_of(settings).items():
        if all(TASKS[task].kind != "cube" for task in stage.tasks):
            continue  # its samples are generated, whatever the data set
        streams = Streams(samples, stage.global_batch, settings.stream, (settings.seed, name, "cube"), dataset)
        sizes = [cube_bytes * count for count in samples]
        yield Reading(f"{name}, cube of {dataset} as it would be cut", stage.steps, streams, samples, sizes)


def planned_shards(settings: Settings, size: Size, objects: float) -> list[int]:
    """Cubes in each training shard of a data set that is not cut yet: all videos as long as the mean."""
    data = settings.data
    cubes = max(1, round(size.frames / size.videos / data.train_stride * objects))
    whole, rest = divmod(cubes, data.shard_samples)
    of_video = [data.shard_samples] * whole + ([rest] if rest else [])
    return of_video * round(size.videos * (1 - data.val_share))
