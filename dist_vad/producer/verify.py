"""What is wrong with a shard set: presence, sizes, sha256, counts, and every member against its index."""

import io
import json
import tarfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.base.files import bytes_sha256
from dist_vad.base.progress import progress_bar
from dist_vad.data.manifest import (
    INDEX_DTYPE,
    MANIFEST,
    MEMBERS,
    SCHEMA,
    Manifest,
    ShardInfo,
    index_name,
    sample_key,
    tar_name,
)
from dist_vad.data.store import Store, open_store


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with a set."""

    text: str
    """The file, what was found, what was expected."""
    file: str
    """The file's name within the set."""
    video: str = ""
    """Whose shard it belongs to; empty for the manifest and for files that it does not list."""


def find_faults(store: Store, videos: Collection[str] | None = None) -> Iterator[Fault]:
    """Everything that is wrong with a shard set, or only with the shards of certain videos."""
    try:
        manifest = Manifest.load(store)
    except InputError as error:
        yield Fault(str(error), MANIFEST)
        return
    except (KeyError, TypeError, AttributeError) as error:
        text = f"{store.where(MANIFEST)}: keys missing or unknown ({error}), expected those of schema {SCHEMA}"
        yield Fault(text, MANIFEST)
        return
    frames = {video.name: video.frames for video in manifest.videos}
    chosen = [shard for shard in manifest.shards if videos is None or shard.video in videos]
    for shard in progress_bar(chosen, desc=store.name, unit=" shards", leave=False):
        if shard.video not in frames:
            text = f"{store.where(MANIFEST)}: shard {shard.name} is of video {shard.video!r}, which is not listed"
            yield Fault(text, MANIFEST)
        else:
            for file, text in _shard_faults(store, shard, frames[shard.video]):
                yield Fault(f"{store.where(file)}: {text}", file, shard.video)
    if videos is None:
        listed = {name(shard) for shard in manifest.shards for name in (tar_name, index_name)}
        for file in store.sizes():
            if file.endswith((".tar", ".idx")) and "/" not in file and file not in listed:
                yield Fault(f"{store.where(file)}: found, but not in the manifest; delete it", file)


def _shard_faults(store: Store, shard: ShardInfo, frames: int) -> Iterator[tuple[str, str]]:
    """(file, what is wrong with it) of one shard of a video of so many frames."""
    tar, index = tar_name(shard), index_name(shard)
    content, index_content = _read(store, tar), _read(store, index)
    if content is None:
        yield tar, "missing, expected by the manifest"
    elif len(content) != shard.bytes:
        yield tar, f"{len(content)} bytes, expected {shard.bytes}"
    elif (actual := bytes_sha256(content)) != shard.sha256:
        yield tar, f"sha256 {actual[:12]}…, expected {shard.sha256[:12]}…"
    if index_content is None:
        yield index, "missing, expected by the manifest"
        return
    if (actual := bytes_sha256(index_content)) != shard.index_sha256:
        yield index, f"sha256 {actual[:12]}…, expected {shard.index_sha256[:12]}…"
        return
    rows = np.load(io.BytesIO(index_content))
    if rows.dtype != INDEX_DTYPE or len(rows) != shard.samples:
        fields = "" if rows.dtype == INDEX_DTYPE else " with other fields"
        yield index, f"{len(rows)} samples{fields}, expected {shard.samples}"
        return
    if content is not None and len(content) == shard.bytes:  # one line says enough of a truncated tar
        yield from ((tar, text) for text in _member_faults(shard, frames, rows, content))


def _read(store: Store, name: str) -> bytes | None:
    """A whole file; None where it is not there."""
    try:
        return store.read(name)
    except FileNotFoundError:
        return None


def _member_faults(shard: ShardInfo, frames: int, rows: np.ndarray, content: bytes) -> Iterator[str]:
    """Every member that the index lists, and no other, is in the tar, with the checksum and the key that it says."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            by_offset = {member.offset_data: member for member in archive}
    except tarfile.TarError as error:
        yield f"does not read as a tar ({error})"
        return
    for row in rows:
        key = sample_key(shard.video, int(row["frame"]), int(row["object"]))
        if not 0 <= row["frame"] < frames:
            yield f"sample {key} is of frame {row['frame']}, expected one of the video's {frames}"
        for name, offset, size, checksum in zip(MEMBERS, row["offset"], row["size"], row["crc32"]):
            if not size:
                continue
            member = by_offset.pop(int(offset), None)
            piece = content[offset : offset + size]
            if member is None or not member.name.startswith(f"{key}.") or member.size != size:
                at = f"{member.name}, {member.size} bytes" if member else "nothing"
                yield f"{at} at byte {offset}, expected {name} of sample {key}, {size} bytes"
            elif (crc := zlib.crc32(piece)) != checksum:
                yield f"{name} of sample {key} has crc32 {crc:08x}, expected {checksum:08x}"
            elif name == "json" and (difference := _difference(piece, shard.video, row)):
                yield f"json of sample {key}: {difference}"
    yield from (f"member {member.name} found, but not in the index" for member in by_offset.values())


def _difference(content: bytes, video: str, row: np.ndarray) -> str:
    """How a sample's json differs from its index row; empty where they agree."""
    described = json.loads(content)
    expected = {"video": video, "frame": int(row["frame"]), "object": int(row["object"])}
    if row["label"] >= 0:
        expected["label"] = int(row["label"])
    wrong = [
        f"{key} is {described.get(key)!r}, expected {value!r}"
        for key, value in expected.items()
        if described.get(key) != value
    ]
    if not np.allclose(described.get("box", []) or np.nan, row["box"], atol=0.01):
        wrong.append(f"box is {described.get('box')}, expected {row['box'].tolist()}")
    return "; ".join(wrong)


def verify_set(place: Store | Path | str) -> list[str]:
    """One line for each thing that is wrong with a shard set: the file, what was found, what was expected."""
    return [fault.text for fault in find_faults(open_store(place))]


def sets_below(root: Store) -> list[Store]:
    """Every shard set below a place, whole or not."""
    paths = [PurePosixPath(name) for name in root.sizes()]
    folders = {path.parent for path in paths if path.name == MANIFEST or path.suffix == ".tar"}
    return [root.child("" if folder == PurePosixPath() else str(folder)) for folder in sorted(folders)]
