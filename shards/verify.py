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
from tqdm import tqdm

from dist_vad.errors import InputError, entry_point
from dist_vad.manifest import INDEX_DTYPE, MANIFEST, MEMBERS, Manifest, ShardInfo, index_path, sample_key, tar_path
from dist_vad.storage import bytes_sha256


def verify_set(folder: Path) -> Iterator[str]:
    """One line for each thing that is wrong with a shard set; nothing where it is whole."""
    try:
        manifest = Manifest.load(folder)
    except InputError as error:
        yield str(error)
        return
    for shard in tqdm(manifest.shards, desc=folder.name, unit=" shards"):
        yield from _verify_shard(folder, shard)
    listed = {tar_path(folder, shard).name for shard in manifest.shards}
    for stray in sorted(path.name for path in folder.glob("*.tar") if path.name not in listed):
        yield f"{folder / stray}: not in the manifest; delete it"


def _verify_shard(folder: Path, shard: ShardInfo) -> Iterator[str]:
    tar, index = tar_path(folder, shard), index_path(folder, shard)
    absent = [path for path in (tar, index) if not path.is_file()]
    if absent:
        yield from (f"{path}: missing" for path in absent)
        return
    content, index_content = tar.read_bytes(), index.read_bytes()
    if len(content) != shard.bytes:
        yield f"{tar}: {len(content)} bytes, the manifest says {shard.bytes}"
    elif bytes_sha256(content) != shard.sha256:
        yield f"{tar}: sha256 {bytes_sha256(content)[:12]}…, the manifest says {shard.sha256[:12]}…"
    if bytes_sha256(index_content) != shard.index_sha256:
        yield f"{index}: sha256 {bytes_sha256(index_content)[:12]}…, the manifest says {shard.index_sha256[:12]}…"
        return
    rows = np.load(io.BytesIO(index_content))
    if rows.dtype != INDEX_DTYPE or len(rows) != shard.samples:
        yield f"{index}: {len(rows)} samples, the manifest says {shard.samples}"
        return
    yield from _verify_members(tar, shard, rows, content)


def _verify_members(tar: Path, shard: ShardInfo, rows: np.ndarray, content: bytes) -> Iterator[str]:
    """Every member that the index lists, and no other, is in the tar, with the checksum and the key that it says."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            found = {member.offset_data: member for member in archive}
    except tarfile.TarError as error:
        yield f"{tar}: does not read as a tar ({error})"
        return
    for row in rows:
        key = sample_key(shard.video, int(row["frame"]), int(row["object"]))
        for name, offset, size, checksum in zip(MEMBERS, row["offset"], row["size"], row["crc32"]):
            if not size:
                continue
            member = found.pop(int(offset), None)
            piece = content[offset : offset + size]
            if member is None or not member.name.startswith(f"{key}.") or member.size != size:
                yield f"{tar}: {name} of sample {key} is not where the index says"
            elif zlib.crc32(piece) != checksum:
                yield f"{tar}: {name} of sample {key} has another checksum than the index says"
            elif name == "json" and json.loads(piece)["frame"] != row["frame"]:
                yield f"{tar}: the json of sample {key} describes another frame"
    yield from (f"{tar}: member {member.name} is not in the index" for member in found.values())


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
    for folder in folders if not wrong else []:
        manifest = Manifest.load(folder)
        print(f"{folder.name:16} {manifest.samples:9} samples in {len(manifest.shards):5} shards: whole")
    if wrong:
        print(f"{len(wrong)} things are wrong; delete the manifest of that set and start shards/write.py again")
        sys.exit(1)


if __name__ == "__main__":
    main()
