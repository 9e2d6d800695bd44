"""Samples into tars with their indexes: the same samples, the same bytes."""

import json
import zlib
from collections.abc import Iterable, Iterator
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from webdataset.writer import TarWriter

from dist_vad.base.files import atomic_file, bytes_sha256, file_sha256, write_bytes
from dist_vad.data.codec import encode
from dist_vad.data.manifest import INDEX_DTYPE, MEMBERS, ShardInfo, index_path, sample_key, tar_path
from dist_vad.settings.data import CODECS
from dist_vad.video.cubes import Sample

TAR_BLOCK = 512


def pack_video(
    folder: Path, video: str, facts: dict, samples: Iterable[tuple[Sample, int]], codec: str, scene: bytes, limit: int
) -> list[ShardInfo]:
    """Write a video's samples, each with its label (-1 = unknown), into tars of at most `limit`; returns the shards.

    Args:
        facts: what the `.json` of every sample says of the video.
        scene: the `.scene.npy` of every sample; empty for kinds without one.
    """
    shards, source = [], iter(samples)
    while first := next(source, None):
        of_shard = _chain(first, islice(source, limit - 1))
        shards.append(_write_shard(folder, f"{video}-{len(shards):04d}", video, facts, of_shard, codec, scene))
    return shards


def scene_member(feature: np.ndarray) -> bytes:
    """A scene feature as the bytes of an .npy file."""
    buffer = BytesIO()
    np.save(buffer, feature)
    return buffer.getvalue()


def _chain(first: tuple[Sample, int], rest: Iterable[tuple[Sample, int]]) -> Iterator[tuple[Sample, int]]:
    yield first
    yield from rest


class _WhileOpen:
    """A file for a tar. A tar that was not closed, since the disk is full or a frame does not decode, writes its end
    when it is thrown away: by then the file is closed, and what comes is let go."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, content: bytes) -> int:
        return len(content) if self._file.closed else self._file.write(content)


def _write_shard(
    folder: Path, name: str, video: str, facts: dict, samples: Iterable[tuple[Sample, int]], codec: str, scene: bytes
) -> ShardInfo:
    rows = []
    path = tar_path(folder, name)
    with atomic_file(path) as file:
        # Time, owner and mode are fixed, for the same samples to give the same bytes.
        writer = TarWriter(cast(BinaryIO, _WhileOpen(file)), user="", group="", mode=0o644, mtime=0)
        for sample, label in samples:
            members = _members(video, facts, sample, label, codec, scene)
            start = writer.tarstream.offset
            writer.write({"__key__": sample_key(video, sample.frame, sample.object), **members})
            rows.append(_index_row(sample, label, members, start, writer.tarstream.offset))
        writer.close()
    index = BytesIO()
    np.save(index, np.array(rows, INDEX_DTYPE))
    write_bytes(index_path(folder, name), index.getvalue())
    return ShardInfo(
        name=name,
        video=video,
        samples=len(rows),
        bytes=path.stat().st_size,
        sha256=file_sha256(path),
        index_sha256=bytes_sha256(index.getvalue()),
    )


def _members(video: str, facts: dict, sample: Sample, label: int, codec: str, scene: bytes) -> dict[str, bytes]:
    """Extension -> content of a sample's members, in the order of MEMBERS."""
    described = {
        "video": video,
        **facts,
        "frame": sample.frame,
        "object": sample.object,
        "box": [round(float(value), 2) for value in sample.box],
        "class": sample.category,
        "confidence": round(sample.confidence, 4),
    }
    if sample.track is not None:
        described["track"] = sample.track
    if label >= 0:
        described["label"] = label
    image = encode(sample.clip, codec)
    members = {CODECS[codec][1:]: image, "scene.npy": scene, "json": json.dumps(described).encode()}
    return {extension: content for extension, content in members.items() if content}


def _index_row(sample: Sample, label: int, members: dict[str, bytes], start: int, end: int) -> tuple:
    """The sample's INDEX_DTYPE row, from where its members begin and end in the tar."""
    offsets_by_extension = {}
    position = start
    for extension, content in sorted(members.items()):  # WebDataset writes members in the order of their names
        offsets_by_extension[extension] = position + TAR_BLOCK
        position += TAR_BLOCK + -(-len(content) // TAR_BLOCK) * TAR_BLOCK
    assert position == end, f"members of one sample take {end - start} bytes in the tar, {position - start} expected"
    image = next(iter(members))
    extensions = dict(zip(MEMBERS, (image, "scene.npy", "json")))
    contents = [members.get(extensions[member], b"") for member in MEMBERS]
    offsets = [offsets_by_extension.get(extensions[member], 0) for member in MEMBERS]
    sizes, checksums = [len(c) for c in contents], [zlib.crc32(c) if c else 0 for c in contents]
    box = tuple(float(value) for value in sample.box)
    return (sample.frame, sample.object, label, box, sample.confidence, offsets, sizes, checksums)
