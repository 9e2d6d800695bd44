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
SHORTEST = 2
"""An end that is held out is at least so many clips long."""


def hold_out(videos: list[Video], share: float, clip_length: int) -> tuple[list[Video], list[Video]]:
    """(training, held-out normal) videos, both in the given order.

    In each scene, the videos are gone through in the order of a hash of their names, and each is held out that brings
    the held-out frames nearer to `share` of the scene's. Where whole videos are too long for that, the end of the
    scene's longest one is held out, with a gap of a clip's length before it: that video is then in both lists, with
    another `span` in each. Scenes with too little video for either have none; where that is so of all of them, one
    whole video is held out.

    Raises InputError where nothing would be left to train on.
    """
    train: dict[str, Video] = {}
    held: dict[str, Video] = {}
    for scene in dict.fromkeys(video.scene for video in videos):
        lengths = {video.name: rough_length(video) for video in videos if video.scene == scene}
        chosen, end = _choose(lengths, share, clip_length)
        for video in videos:
            if video.scene != scene:
                continue
            if video.name in chosen:
                held[video.name] = video
            elif end and video.name == end[0]:
                train[video.name] = replace(video, span=(0, end[1] - clip_length))
                held[video.name] = replace(video, span=(end[1], None))
            else:
                train[video.name] = video
    if not held:
        if len(videos) < 2:
            raise InputError(_too_little(videos, clip_length))
        first = min(train, key=_hash)
        held[first] = train.pop(first)
    order = [video.name for video in videos]
    return [train[name] for name in order if name in train], [held[name] for name in order if name in held]


def _choose(lengths: dict[str, int], share: float, clip_length: int) -> tuple[set[str], tuple[str, int] | None]:
    """(videos to hold out whole, or else the video whose end is held out and the first frame of that end)."""
    wanted = share * sum(lengths.values())
    chosen = set(_nearest(lengths, wanted))
    held = sum(lengths[name] for name in chosen)
    if held >= LEAST * wanted:
        return chosen, None
    longest = max(lengths, key=lambda name: (lengths[name], name))
    end = min(round(wanted), lengths[longest] // 2 - clip_length)  # most of the video is left to learn from
    if end < SHORTEST * clip_length:
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


def _hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def _too_little(videos: list[Video], clip_length: int) -> str:
    found = f"1 video of {rough_length(videos[0])} frames" if videos else "no video"
    least = 2 * (SHORTEST + 1) * clip_length
    return (
        f"the training split has {found}; 2 videos, or one of {least} frames or more, are needed, since a share is "
        "held out to calibrate scores on. Look at data.root and at the layout that the data set expects"
    )
