"""Check every shard set below a folder: presence, sizes, sha256, counts, and every member against its index.

python shards/verify.py DIR
"""

import io
import json
import sys
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dist_vad.errors import InputError, entry_point
from dist_vad.manifest import (
    INDEX_DTYPE,
    MANIFEST,
    MEMBERS,
    SCHEMA,
    Manifest,
    ShardInfo,
    index_path,
    sample_key,
    tar_path,
)
from dist_vad.progress import progress_bar
from dist_vad.storage import bytes_sha256


def verify_set(folder: Path) -> Iterator[str]:
    """One line for each thing that is wrong with a shard set: the file, what was found, what was expected."""
    try:
        manifest = Manifest.load(folder)
    except InputError as error:
        yield str(error)
        return
    except (KeyError, TypeError, AttributeError) as error:
        yield f"{folder / MANIFEST}: keys missing or unknown ({error}), expected those of schema {SCHEMA}"
        return
    frames = {video.name: video.frames for video in manifest.videos}
    for shard in progress_bar(manifest.shards, desc=folder.name, unit=" shards", leave=False):
        if shard.video not in frames:
            yield f"{folder / MANIFEST}: shard {shard.name} is of video {shard.video!r}, which is not listed"
        else:
            yield from _verify_shard(folder, shard, frames[shard.video])
    listed = {path(folder, shard).name for shard in manifest.shards for path in (tar_path, index_path)}
    present = sorted(path.name for pattern in ("*.tar", "*.idx") for path in folder.glob(pattern))
    yield from (f"{folder / name}: found, but not in the manifest; delete it" for name in present if name not in listed)


def _verify_shard(folder: Path, shard: ShardInfo, frames: int) -> Iterator[str]:
    """What is wrong with one shard of a video of so many frames."""
    tar, index = tar_path(folder, shard), index_path(folder, shard)
    absent = [path for path in (tar, index) if not path.is_file()]
    if absent:
        yield from (f"{path}: missing, expected by the manifest" for path in absent)
        return
    content, index_content = tar.read_bytes(), index.read_bytes()
    whole = len(content) == shard.bytes
    if not whole:
        yield f"{tar}: {len(content)} bytes, expected {shard.bytes}"
    elif (found := bytes_sha256(content)) != shard.sha256:
        yield f"{tar}: sha256 {found[:12]}…, expected {shard.sha256[:12]}…"
    if (found := bytes_sha256(index_content)) != shard.index_sha256:
        yield f"{index}: sha256 {found[:12]}…, expected {shard.index_sha256[:12]}…"
        return
    rows = np.load(io.BytesIO(index_content))
    if rows.dtype != INDEX_DTYPE or len(rows) != shard.samples:
        fields = "" if rows.dtype == INDEX_DTYPE else " with other fields"
        yield f"{index}: {len(rows)} samples{fields}, expected {shard.samples}"
        return
    if whole:  # one line says enough of a truncated tar
        yield from _verify_members(tar, shard, frames, rows, content)


def _verify_members(tar: Path, shard: ShardInfo, frames: int, rows: np.ndarray, content: bytes) -> Iterator[str]:
    """Every member that the index lists, and no other, is in the tar, with the checksum and the key that it says."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            found = {member.offset_data: member for member in archive}
    except tarfile.TarError as error:
        yield f"{tar}: does not read as a tar ({error})"
        return
    for row in rows:
        key = sample_key(shard.video, int(row["frame"]), int(row["object"]))
        if not 0 <= row["frame"] < frames:
            yield f"{tar}: sample {key} is of frame {row['frame']}, expected one of the video's {frames}"
        for name, offset, size, checksum in zip(MEMBERS, row["offset"], row["size"], row["crc32"]):
            if not size:
                continue
            member = found.pop(int(offset), None)
            piece = content[offset : offset + size]
            if member is None or not member.name.startswith(f"{key}.") or member.size != size:
                at = f"{member.name}, {member.size} bytes" if member else "nothing"
                yield f"{tar}: {at} at byte {offset}, expected {name} of sample {key}, {size} bytes"
            elif (crc := zlib.crc32(piece)) != checksum:
                yield f"{tar}: {name} of sample {key} has crc32 {crc:08x}, expected {checksum:08x}"
            elif name == "json" and (difference := _difference(piece, shard.video, row)):
                yield f"{tar}: json of sample {key}: {difference}"
    yield from (f"{tar}: member {member.name} found, but not in the index" for member in found.values())


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


@entry_point
def main() -> None:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        raise InputError("usage: python shards/verify.py DIR, the folder of one or more shard sets")
    root = Path(sys.argv[1])
    folders = sorted({path.parent for pattern in (MANIFEST, "*.tar") for path in root.rglob(pattern)})
    if not folders:
        raise InputError(f"no shard set below {root}; expected folders with {MANIFEST} as shards/write.py makes them")
    wrong = [line for folder in folders for line in verify_set(folder)]
    for line in wrong:
        print(f"wrong: {line}")
    if wrong:
        things = "1 thing is" if len(wrong) == 1 else f"{len(wrong)} things are"
        print(f"{things} wrong; delete the folder of that set and start shards/write.py again")
        sys.exit(1)
    print(f"{'set':16} {'videos':>7} {'samples':>9} {'shards':>7} {'MB':>8}")
    for folder in folders:
        made = Manifest.load(folder)
        size = sum(shard.bytes for shard in made.shards) / 1e6
        print(f"{folder.name:16} {len(made.videos):7} {made.samples:9} {len(made.shards):7} {size:8.1f}  whole")


if __name__ == "__main__":
    main()
