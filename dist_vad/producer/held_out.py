"""Which normal video is held out: of every scene its share of frames, whole videos where that is possible."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from dist_vad.base.errors import InputError
from dist_vad.producer.ranks import rough_length
from dist_vad.video.source import Video

MOST = 1.5
"""Whole videos may hold so many times the wanted frames."""
LEAST = 0.5
"""With less than this part of the wanted frames in whole videos, the end of a long video is taken instead."""
SAMPLED = 10
"""An end that is held out has at least so many frames around which samples are cut."""


def hold_out(videos: list[Video], share: float, clip_length: int, stride: int = 1) -> tuple[list[Video], list[Video]]:
    """(training, held-out normal) videos, both in the given order.

    In each scene, the videos are gone through in the order of a hash of their names, and each is held out that brings
    the held-out frames nearer to `share` of the scene's. Where whole videos are too long for that, the end of the
    scene's longest one is held out, with a gap of a clip's length before it: that video is then in both lists, with
    another `span` in each. Scenes with too little video for either have none; where that is so of all of them, one
    whole video is held out, or the shortest end that is of use of the only one.

    Raises InputError where nothing would be left to train on.
    """
    train: dict[str, Video] = {}
    held: dict[str, Video] = {}
    for scene in dict.fromkeys(video.scene for video in videos):
        lengths = {video.name: rough_length(video) for video in videos if video.scene == scene}
        chosen, end = _choose(lengths, share, clip_length, stride)
        for video in videos:
            if video.scene != scene:
                continue
            if video.name in chosen:
                held[video.name] = video
            elif end and video.name == end[0]:
                train[video.name], held[video.name] = _divided(video, end[1], clip_length)
            else:
                train[video.name] = video
    if not held:
        least = _least(clip_length, stride)
        length = rough_length(videos[0]) if len(videos) == 1 else 0
        if len(videos) > 1:
            first = min(train, key=_hash)
            held[first] = train.pop(first)
        elif length // 2 - clip_length >= least:
            train[videos[0].name], held[videos[0].name] = _divided(videos[0], length - least, clip_length)
        else:
            raise InputError(_too_little(length, 2 * (least + clip_length)))
    order = [video.name for video in videos]
    return [train[name] for name in order if name in train], [held[name] for name in order if name in held]


def _choose(
    lengths: dict[str, int], share: float, clip_length: int, stride: int
) -> tuple[set[str], tuple[str, int] | None]:
    """(videos to hold out whole, or else the video whose end is held out and the first frame of that end)."""
    wanted = share * sum(lengths.values())
    chosen = set(_nearest(lengths, wanted))
    held = sum(lengths[name] for name in chosen)
    if held >= LEAST * wanted:
        return chosen, None
    longest = max(lengths, key=lambda name: (lengths[name], name))
    end = min(round(wanted), lengths[longest] // 2 - clip_length)  # most of the video is left to learn from
    if end < _least(clip_length, stride):
        return chosen, None
    return set(), (longest, lengths[longest] - end)


def _nearest(lengths: dict[str, int], wanted: float) -> Iterator[str]:
    held = 0
    for name in sorted(lengths, key=_hash):
        more = held + lengths[name]
        nearer = abs(more - wanted) < abs(held - wanted)
        if nearer and more <= MOST * wanted and more < sum(lengths.values()):
            held = more
            yield name


def _least(clip_length: int, stride: int) -> int:
    """Frames of the shortest end that is held out."""
    return clip_length - 1 + SAMPLED * stride


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _divided(video: Video, first: int, clip_length: int) -> tuple[Video, Video]:
    """A video up to a gap before frame `first`, and from it on."""
    return replace(video, span=(0, first - clip_length)), replace(video, span=(first, None))


def _too_little(length: int, least: int) -> str:
    found = f"1 video of {length} frames" if length else "no video"
    return (
        f"the training split has {found}; 2 videos, or one of {least} frames or more, are needed, since a share is "
        "held out to calibrate scores on. Look at data.root and at the layout that the data set expects"
    )
