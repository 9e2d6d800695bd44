"""The loaders that benchmarks/loader.py times; each lives in a process, and the peers in an environment, of its own.

python benchmarks/loader_peers.py NAME FOLDER REQUEST

Every loader gives uint8 batches of 64 shuffled clips, decoded by dist_vad.data.codec, with scene feature and label (the
limit: clips alone). FOLDER/raw and FOLDER/jpeg are shard sets; the peers' own formats are written beside them. REQUEST
is JSON, [request, codec, ...]; the answer, JSON too, goes to stdout. A process answers one request: Streaming hangs
where a data set that was read with some number of workers is read again with another one.
"""

import functools
import itertools
import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from dist_vad.data.codec import decode_into, npy_values
from dist_vad.data.manifest import INDEX_DTYPE, Manifest, index_path, tar_path
from dist_vad.settings.data import CODECS

BATCH, PREFETCH = 64, 4
CLIP = (9, 48, 48, 3)

Batches = Iterator[Any]
Make = Callable[[Path, str, int], Batches]
"""(folder of all sets, codec, workers) -> batches of one epoch, or without end."""


def decoded(image: bytes, scene: bytes, label: int, codec: str) -> dict[str, Any]:
    """One sample as every peer gives it."""
    clip = np.empty(CLIP, np.uint8)
    decode_into(image, clip, codec)
    return {"clip": clip, "scene": npy_values(scene, np.float32).copy(), "label": label}


def _decoded(sample: dict[str, Any], codec: str) -> dict[str, Any]:
    return decoded(**sample, codec=codec)


def dist_vad(folder: Path, codec: str, workers: int) -> Batches:
    """Ours, without end; its workers are threads or, below 0, so many processes."""
    from dist_vad.data.loader import Loader, Source
    from dist_vad.data.shardset import ShardSet
    from dist_vad.data.streams import Streams
    from dist_vad.settings.stream import StreamSettings

    shards = ShardSet(folder / codec)
    sizes = [shard.samples for shard in shards.manifest.shards]
    streams = Streams(sizes, BATCH, StreamSettings(), ("benchmark",), codec)
    loader = Loader({"cube": [Source(shards, streams)]}, 0, 1, 0, max(1, workers), PREFETCH, processes=max(0, -workers))
    for _, (batch,) in loader.steps(0, 2**62):
        yield batch["cube"].clips


def webdataset(folder: Path, codec: str, workers: int) -> Batches:
    """Stock WebLoader on the tars that ours reads; an epoch. The label is in the .json, as anyone would read it."""
    import webdataset as wds

    def sample(members: dict[str, bytes]) -> dict[str, Any]:
        image, described = members[CODECS[codec][1:]], json.loads(members["json"])
        return decoded(image, members["scene.npy"], described["label"], codec)

    urls = [str(path) for path in sorted((folder / codec).glob("*.tar"))]
    data = wds.WebDataset(urls, shardshuffle=len(urls)).shuffle(1000).map(sample)  # pyright: ignore
    for batch in wds.WebLoader(data, batch_size=BATCH, num_workers=workers):  # pyright: ignore
        yield batch["clip"]


def litdata(folder: Path, codec: str, workers: int) -> Batches:
    """LitData on its own chunks; an epoch."""
    import litdata as lit  # pyright: ignore[reportMissingImports]

    transform = functools.partial(_decoded, codec=codec)
    data = lit.StreamingDataset(str(folder / f"litdata-{codec}"), shuffle=True, transform=transform)
    for batch in lit.StreamingDataLoader(data, batch_size=BATCH, num_workers=workers):
        yield batch["clip"]


@functools.cache
def _streaming(folder: Path, codec: str) -> Any:
    """The one data set of Streaming per codec: it refuses a second one on the same folder."""
    import streaming as mds  # pyright: ignore[reportMissingImports]

    class Data(mds.StreamingDataset):
        def __getitem__(self, at: Any) -> dict[str, Any]:
            return decoded(**super().__getitem__(at), codec=codec)

    return Data(local=str(folder / f"mosaicml-streaming-{codec}"), shuffle=True, batch_size=BATCH)


def streaming(folder: Path, codec: str, workers: int) -> Batches:
    """MosaicML Streaming on its own shards; an epoch."""
    from torch.utils.data import DataLoader

    for batch in DataLoader(_streaming(folder, codec), batch_size=BATCH, num_workers=workers):
        yield batch["clip"]


def limit(folder: Path, codec: str, workers: int) -> Batches:
    """No framework and no checks, without end: pread at the index's offsets and decode into the batch array; clips in
    random order, read ahead as far as ours. Raw bytes are read straight to where they belong. The same few arrays are
    filled again and again: a batch is overwritten once the next one is asked for, which no loader could do."""
    places, header = [], 0
    for shard in Manifest.load(folder / codec).shards:
        file = os.open(tar_path(folder / codec, shard), os.O_RDONLY)
        rows = npy_values(index_path(folder / codec, shard).read_bytes(), INDEX_DTYPE)
        places += [(file, int(row["offset"][0]), int(row["size"][0])) for row in rows]
        header = int(rows[0]["size"][0]) - int(np.prod(CLIP))
    draw = np.random.default_rng(0)
    arrays = itertools.cycle([np.empty((BATCH, *CLIP), np.uint8) for _ in range(PREFETCH + 2)])

    def read(ids: list[int], clips: np.ndarray) -> np.ndarray:
        for clip, (file, offset, size) in zip(clips, (places[i] for i in ids)):
            if codec == "raw":
                os.preadv(file, [clip.data], offset + header)
            else:
                decode_into(os.pread(file, size, offset), clip, codec)
        return clips

    try:
        with ThreadPoolExecutor(workers) as pool:
            ahead = deque()
            while True:
                order = draw.permutation(len(places)).tolist()
                for first in range(0, len(order) - BATCH + 1, BATCH):
                    ahead.append(pool.submit(read, order[first : first + BATCH], next(arrays)))
                    if len(ahead) > PREFETCH:
                        yield ahead.popleft().result()
    finally:
        for file in {file for file, _, _ in places}:
            os.close(file)


LOADERS: dict[str, Make] = {
    "dist_vad": dist_vad,
    "webdataset": webdataset,
    "litdata": litdata,
    "mosaicml-streaming": streaming,
    "limit": limit,
}


def stored(folder: Path, codec: str) -> Iterator[dict[str, Any]]:
    """The samples of a shard set as their bytes, in order."""
    for shard in Manifest.load(folder / codec).shards:
        content = tar_path(folder / codec, shard).read_bytes()
        for row in npy_values(index_path(folder / codec, shard).read_bytes(), INDEX_DTYPE):
            image, scene, _ = (content[at : at + size] for at, size in zip(row["offset"], row["size"]))
            yield {"image": image, "scene": scene, "label": int(row["label"])}


def _part(given: tuple[str, str]) -> Iterator[dict[str, Any]]:
    yield from stored(Path(given[0]), given[1])


def prepare(name: str, folder: Path, codec: str) -> None:
    """Write the samples of a shard set, the same bytes each, in a peer's own format."""
    out = str(folder / f"{name}-{codec}")
    if name == "litdata":
        import litdata as lit  # pyright: ignore[reportMissingImports]

        lit.optimize(_part, [(str(folder), codec)], out, chunk_bytes="64MB", num_workers=1, start_method="fork")
    elif name == "mosaicml-streaming":
        import streaming as mds  # pyright: ignore[reportMissingImports]

        with mds.MDSWriter(out=out, columns={"image": "bytes", "scene": "bytes", "label": "int"}) as writer:
            for sample in stored(folder, codec):
                writer.write(sample)


def check(make: Make, folder: Path, codec: str) -> list[int]:
    """(samples, sum of all their pixels) of the first epoch: the same for all loaders, or they read something else."""
    samples, total, length = 0, 0, Manifest.load(folder / codec).samples
    for clips in make(folder, codec, 1):
        samples, total = samples + len(clips), total + int(np.asarray(clips).sum(dtype=np.int64))
        if samples >= length:
            break
    return [samples, total]


def rate(make: Make, folder: Path, codec: str, workers: int, warm: float, seconds: float) -> float:
    """Samples/s over so many seconds, after a warm-up.

    Where a loader has epochs, the time until the first batch of each (workers that start, buffers that fill) is not
    counted, nor is that batch; what was read ahead meanwhile is, in favour of the peers.
    """
    samples, spent = 0, 0.0
    until = time.perf_counter() + warm
    while spent < seconds:
        batches = make(folder, codec, workers)
        next(batches)
        now = start = time.perf_counter()
        for clips in batches:
            now = time.perf_counter()
            if now < until:
                start = now
                continue
            samples += len(clips)
            if spent + now - start >= seconds:
                break
        spent += now - start
        batches.close()  # pyright: ignore[reportAttributeAccessIssue]
    return samples / spent


def main() -> None:
    name, folder = sys.argv[1], Path(sys.argv[2])
    request, codec, *more = json.loads(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answer
    if request == "prepare":
        value = prepare(name, folder, codec)
    elif request == "check":
        value = check(LOADERS[name], folder, codec)
    else:
        value = rate(LOADERS[name], folder, codec, *more)
    print(json.dumps(value), file=answers, flush=True)


if __name__ == "__main__":
    main()
