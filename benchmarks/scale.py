"""What grows with the size of a data set before the first step: 10,000 videos in 50,000 shards beside 200 in 1,000.

python benchmarks/scale.py [--shards 50000] [--small 1000]

One shard is written, all others are links to it. Seconds of CPU, each size in a process of its own, the least of three:
to open a set; to the first batch of step 0, and of a step late in the epoch, which is what a resumed run reads; to
start, that is to plan a stage, to open what it reads, to read its first batch, and to open what an evaluation reads.
`_50k` is the larger size over the smaller one, `_10x` the larger one over a tenth of it. The last line is JSON.
"""

import argparse
import dataclasses
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from accelerate import Accelerator

from dist_vad.curriculum.recipes import plan
from dist_vad.data.loader import Loader
from dist_vad.data.manifest import Manifest, index_name, tar_name
from dist_vad.data.shardset import ShardSet
from dist_vad.data.store import open_store
from dist_vad.evaluation.evaluator import Evaluation
from dist_vad.producer.job import WriteOptions, write_shards
from dist_vad.settings.curriculum import StageSettings
from dist_vad.settings.data import DataSettings, PlazaSettings
from dist_vad.settings.model import ModelSettings
from dist_vad.settings.run import Settings
from dist_vad.settings.stream import StreamSettings
from dist_vad.training.batches import open_sources

PARTS = 5
"""Shards of a video."""
BATCH = 64


def link_set(made: Path, out: Path, shards: int) -> None:
    """A set of so many shards, each a link to the first of a set that was written."""
    manifest = Manifest.load(made)
    shard, video = manifest.shards[0], manifest.videos[0]
    out.mkdir(parents=True)
    names = [f"v{number // PARTS:05d}-{number % PARTS:04d}" for number in range(shards)]
    listed = [
        dataclasses.replace(shard, name=name, video=f"v{number // PARTS:05d}") for number, name in enumerate(names)
    ]
    for info in listed:
        for of in (tar_name, index_name):
            (out / of(info)).symlink_to(made / of(shard))
    videos = [
        dataclasses.replace(video, name=f"v{number:05d}", scene=f"s{number // 12:04d}")
        for number in range(shards // PARTS)
    ]
    dataclasses.replace(manifest, videos=videos, shards=listed).save(open_store(out))


def settings_for(root: Path) -> Settings:
    stage = StageSettings(tasks={"prediction": 1}, steps=10, global_batch=BATCH, validate_every=0)
    return Settings(
        run=str(root / "run"),
        shards=str(root),
        stream=StreamSettings(streams=BATCH),
        model=ModelSettings(width=4, embedding=8),
        curriculum={"perception": stage},
    )


def least(work: Callable[[], Any]) -> float:
    """Seconds of CPU of the quickest of three."""
    spent = []
    for _ in range(3):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


def measure(root: Path) -> dict[str, float]:
    """Seconds of CPU at one size, and the peak of memory in GB."""
    settings, accelerator = settings_for(root), Accelerator(cpu=True)
    stage = plan(settings)[0]
    epoch = len(ShardSet(root / "cube-train")) // BATCH

    def batch(step: int) -> None:
        sources = {kind: open_sources(settings, stage, kind) for kind in stage.kinds}
        Loader(sources, 0, 1, 0, threads=1, prefetch=1).read(step)

    def start() -> None:
        plan(settings)
        batch(0)
        Evaluation(settings, accelerator)

    found = {
        "open": least(lambda: ShardSet(root / "cube-train")),
        "first_batch": least(lambda: batch(0)),
        "resume": least(lambda: batch(epoch * 7 // 10)),
        "start": least(start),
    }
    return {**found, "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6}


def at_size(made: Path, root: Path, shards: int) -> dict[str, float]:
    """The figures at a size, measured in a process of its own."""
    for split, count in (("train", shards), ("val", PARTS), ("test", shards)):
        link_set(made / f"cube-{split}", root / f"cube-{split}", count)
    command = [sys.executable, __file__, "--root", str(root)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(printed.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--shards", type=int, default=50_000)
    parser.add_argument("--small", type=int, default=1_000)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.root:
        print(json.dumps(measure(given.root)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plaza = PlazaSettings(train_videos=3, test_videos=2, virtual_videos=2, frames=120)
        write_shards(DataSettings(plaza=plaza, virtual="none"), folder / "made", WriteOptions(progress=False))
        sizes = (given.small, given.shards // 10, given.shards)
        figures = {count: at_size(folder / "made", folder / f"{count}", count) for count in sizes}
    for count, found in figures.items():
        print(f"{count:7} shards: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()))
    small, tenth, large = figures.values()
    found = {
        "open_seconds_50k": large["open"],
        "open_ratio_50k": large["open"] / small["open"],
        "first_batch_ratio_50k": large["first_batch"] / small["first_batch"],
        "resume_ratio_50k": large["resume"] / small["resume"],
        "start_ratio_10x": large["start"] / tenth["start"],
        "peak_gb_50k": large["gb"],
    }
    print(json.dumps({key: round(value, 3) for key, value in found.items()}))


if __name__ == "__main__":
    main()
