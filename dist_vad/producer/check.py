"""A look at a data set before any long job: what is there, what is missing, what is not as published."""

from collections.abc import Iterator
from dataclasses import dataclass

from dist_vad.base.labels import interval_labels
from dist_vad.base.progress import progress_bar
from dist_vad.datasets import open_dataset, published
from dist_vad.datasets.base import Published
from dist_vad.producer.ranks import rough_length
from dist_vad.settings.data import DataSettings
from dist_vad.video.files import VideoError, remarks_of
from dist_vad.video.source import Video

SHOWN = 20
"""Most lines on one kind of trouble."""


@dataclass(frozen=True)
class Look:
    """What a look at one video gave."""

    video: Video
    frames: int
    """0 where it does not open."""
    trouble: str = ""


def look_at(video: Video, decode: bool, clip_length: int = 0) -> Look:
    """Open a video and read its first frame, or all of them, and compare its length with its labels and with a cube."""
    try:
        frames = video.open()
        if decode:
            length = sum(1 for _ in frames)
        else:
            next(iter(frames))
            length = rough_length(video)
    except VideoError as error:
        return Look(video, 0, str(error))
    misfit = video.misfit(length)
    troubles = [f"{length} frames, but {misfit}"] if misfit else []
    troubles += remarks_of(frames)
    if 0 < length < clip_length:
        troubles.append(f"{length} frames, fewer than the {clip_length} of a cube: it gives no sample")
    name = video.source_name or video.name
    return Look(video, length, "\nwrong: ".join(f"video {name}: {trouble}" for trouble in troubles))


def rows(looks: list[Look], expected: Published) -> Iterator[tuple[str, int, int | None]]:
    """(what was counted, how many were found, how many were published where that is known)."""
    for split in ("train", "test", "virtual"):
        of_split = [look for look in looks if look.video.split == split]
        if of_split or split in expected.videos:
            yield f"{split} videos", len(of_split), expected.videos.get(split)
            yield f"{split} frames", sum(look.frames for look in of_split), expected.frames.get(split)
    scenes = {look.video.scene for look in looks}
    yield "scenes", len(scenes), None
    for truth in sorted({name for look in looks for name in look.video.labels} | set(expected.anomalous)):
        labelled = [look for look in looks if truth in look.video.labels]
        count = sum(int(interval_labels(look.video.labels[truth], look.frames).sum()) for look in labelled)
        yield f"anomalous frames, {truth}", count, expected.anomalous.get(truth)


def check(settings: DataSettings, decode: bool) -> bool:
    """Print the table and every trouble; returns whether all is as published."""
    videos = open_dataset(settings)
    looks = [
        look_at(video, decode, settings.clip_length)
        for video in progress_bar(videos, desc="look", unit=" videos", leave=False)
    ]
    expected = published(settings, videos)
    print(f"{'':36} {'found':>9} {'published':>10}")
    same = True
    for name, count, known in rows(looks, expected):
        differs = known is not None and count != known
        same &= not differs
        note = "  differs" if differs else ""
        print(f"{name:36} {count:9,} {'' if known is None else f'{known:,}':>10}{note}".rstrip())
    troubles = [look.trouble for look in looks if look.trouble]
    if not any(look.video.split == "train" and look.frames for look in looks):
        troubles.insert(0, "there is no training video that can be read")
    for line in troubles[:SHOWN]:
        print(f"wrong: {line}")
    if len(troubles) > SHOWN:
        print(f"wrong: {len(troubles) - SHOWN} more of that kind")
    if not any(look.video.labels for look in looks):
        print("note: no ground truth was found, so there will be scores but no AUC")
    if not same and expected.where:
        print(f"published at {expected.where}")
    return same and not troubles
