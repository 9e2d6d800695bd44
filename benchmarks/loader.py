"""What the loader gives: samples/s beside WebDataset, LitData, MosaicML Streaming and the limit, on the same samples.

python benchmarks/loader.py [--samples N] [--seconds S] [--rounds R] [--peers DIR] [--plot FILE]

Clips of 9 x 48 x 48 with a scene feature, stored as raw arrays and as JPEG; batches of 64, shuffled, from a warm page
cache, on all cores that the process may use. Each loader is tried with several numbers of workers (the limit's are
threads; ours are threads too or, written as numbers below 0, processes), in rounds: every loader has its turn in each.
The best median over the rounds counts. Then ours alone: the time to the first batch at step 100,000 and at step 0, and
memory over an epoch of N and of 10 N samples. LitData and Streaming get an environment of their own in DIR, made on
first use (gigabytes: each brings PyTorch). One that cannot be had is null in the last line, which is JSON.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from loader_peers import BATCH, CLIP, LOADERS, PREFETCH, dist_vad

from dist_vad.data.loader import Loader, Source
from dist_vad.data.manifest import Manifest, VideoInfo
from dist_vad.data.shardset import ShardSet
from dist_vad.data.streams import Streams
from dist_vad.producer.pack import pack_video, scene_member
from dist_vad.settings.stream import StreamSettings
from dist_vad.video.cubes import Sample

HERE = Path(__file__).resolve().parent
PEERS = {"litdata": ["litdata"], "mosaicml-streaming": ["mosaicml-streaming", "numpy<2.2"]}
"""Name -> what pip installs for it, besides the PyTorch and the OpenCV that ours uses."""
VIDEOS, SHARD, CODECS = 4, 512, ("raw", "jpeg")
CORES = len(os.sched_getaffinity(0))
WORKERS = {"dist_vad": {-2, -1, 1, 2, CORES}, "limit": {1, 2, CORES}}
"""Numbers of workers with which ours and the limit are tried, which have no mode without one; others: 0 as well."""
WARM, PATIENCE, RESUMES = 1.0, 180, 31


def cubes(samples: int, seed: int) -> Iterator[tuple[Sample, int]]:
    """Random blots that move: no two alike, and as smooth as pictures are."""
    draw = np.random.default_rng(seed)
    length, size = CLIP[:2]
    box = np.array([0, 0, size, size], np.float32)
    for number in range(samples):
        blots = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        ground = cv2.resize(blots, (size + length, size), interpolation=cv2.INTER_CUBIC)
        clip = np.stack([ground[:, t : t + size] for t in range(length)])
        yield Sample(number // 10, number % 10, clip, box, 0.9, "thing"), number % 2


def write_set(folder: Path, codec: str, samples: int) -> None:
    """A shard set of several videos, as the producer writes it."""
    folder.mkdir(parents=True)
    videos, shards = [], []
    feature = np.random.default_rng(0).random((VIDEOS, 128), np.float32)
    for video in range(VIDEOS):
        name = f"video{video}"
        some = cubes(samples // VIDEOS, video)
        shards += pack_video(folder, name, {"scene": name}, some, codec, scene_member(feature[video]), SHARD)
        videos.append(VideoInfo(name=name, scene=name, frames=samples, fps=25.0, width=640, height=360))
    Manifest(
        dataset="generated", split="train", kind="cube", clip_length=CLIP[0], size=CLIP[1], stride=1, codec=codec,
        scene_size=feature.shape[1], settings={}, fingerprint="", videos=videos, shards=shards,
    ).save(folder)  # fmt: skip


def environment(name: str, peers: Path) -> str | None:
    """The Python of a peer's own environment, made where it is not there; None where that fails."""
    python, made = peers / name / "bin/python", peers / name / "made"
    if not made.exists():
        same = [f"torch=={version('torch').split('+')[0]}", f"opencv-python-headless=={cv2.__version__}.*"]
        print(f"making an environment for {name} in {peers / name}", flush=True)
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", peers / name], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS[name], *same], check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"!!! {name} IS MISSING from this comparison: no environment for it ({error})", flush=True)
            return None
        made.touch()
    return str(python)


class Contender:
    """A loader, which answers every request in a process of its own."""

    def __init__(self, name: str, python: str, folder: Path) -> None:
        self.name = name
        self.command = [python, str(HERE / "loader_peers.py"), name, str(folder)]
        self.rates: dict[tuple[str, int], list[float]] = {}
        self.fault = ""

    def ask(self, *request: Any) -> Any:
        """The answer; None, and from then on always, where it failed or did not come."""
        if self.fault:
            return None
        # One thread per operation, as in a worker of PyTorch: torch.stack on all cores stalls where they are not idle.
        path = f"{HERE.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        surroundings = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        try:
            done = subprocess.run(
                [*self.command, json.dumps(request)], env=surroundings, capture_output=True, text=True,
                timeout=PATIENCE, check=True,
            )  # fmt: skip
            return json.loads(done.stdout)
        except subprocess.CalledProcessError as error:
            self.fault = "\n".join(error.stderr.splitlines()[-8:])
        except subprocess.TimeoutExpired:
            self.fault = f"no answer within {PATIENCE} s"
        print(f"!!! {self.name} IS MISSING from this comparison: {list(request)} failed: {self.fault}", flush=True)
        return None

    def best(self, codec: str) -> tuple[float, int] | None:
        """(samples/s, workers) of the best number of workers; None for a loader that is missing."""
        medians = [(statistics.median(rates), n) for (some, n), rates in self.rates.items() if some == codec]
        return None if self.fault else max(medians, default=None)


def race(folder: Path, given: argparse.Namespace) -> dict[str, Contender]:
    """All loaders on the sets in `folder`, timed in rounds."""
    pythons = {name: environment(name, given.peers) if name in PEERS else sys.executable for name in LOADERS}
    contenders = {name: Contender(name, python, folder) for name, python in pythons.items() if python}
    for codec in CODECS:
        for one in contenders.values():
            one.ask("prepare", codec)
        sums = {name: one.ask("check", codec) for name, one in contenders.items()}
        assert all(some in (None, sums["dist_vad"]) for some in sums.values()), f"they read other samples: {sums}"
    for number in range(given.rounds):
        for codec in CODECS:
            for name, one in contenders.items():
                for workers in sorted(WORKERS.get(name, {0, 1, 2, CORES})):
                    if value := one.ask("rate", codec, workers, WARM, given.seconds):
                        one.rates.setdefault((codec, workers), []).append(value)
        print(f"round {number + 1} of {given.rounds}", flush=True)
    return contenders


def first_batch(folder: Path, step: int) -> float:
    """Seconds to the first batch from this step on, of a shard set, streams and a loader that are all new."""
    start = time.perf_counter()
    shards = ShardSet(folder)
    streams = Streams([s.samples for s in shards.manifest.shards], BATCH, StreamSettings(), ("benchmark",), "jpeg")
    steps = Loader({"cube": [Source(shards, streams)]}, 0, 1, 0, threads=2, prefetch=PREFETCH).steps(step, 2**62)
    next(steps)
    spent = time.perf_counter() - start
    steps.close()  # pyright: ignore[reportAttributeAccessIssue]
    return spent


def resumes(folder: Path) -> tuple[float, float]:
    """Median seconds to the first batch at step 0 and at step 100,000, turn by turn."""
    first_batch(folder, 0)
    pairs = [(first_batch(folder, 0), first_batch(folder, 100_000)) for _ in range(RESUMES)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def memory() -> int:
    """Anonymous resident memory, kB. Not VmHWM: it counts the pages of mapped shards, which are page cache."""
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("RssAnon:") + 1])


def peak_memory(folder: Path) -> float:
    """Peak of anonymous memory, looked at after every batch of one epoch, MB; in a process of its own."""
    command = [sys.executable, __file__, "--epoch", folder]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def one_epoch(folder: Path) -> None:
    """Read one epoch of a JPEG set; prints the peak in MB."""
    steps = Manifest.load(folder / "jpeg").samples // BATCH
    print(max(memory() for _ in zip(range(steps), dist_vad(folder, "jpeg", 2))) / 1e3)


def ratio(contenders: dict[str, Contender], codec: str, others: list[str]) -> float | None:
    """Our samples/s over those of the fastest of others; None where all of them are missing."""
    ours, *rates = (contenders[name].best(codec) if name in contenders else None for name in ["dist_vad", *others])
    there = [rate[0] for rate in rates if rate]
    return ours[0] / max(there) if ours and there else None


def plot(contenders: dict[str, Contender], path: str) -> None:
    """A bar for each loader and codec."""
    try:
        import matplotlib.pyplot as plt  # pyright: ignore[reportMissingImports]
    except ImportError:
        return print("no chart: matplotlib is not installed")
    figure, axes = plt.subplots(1, len(CODECS), figsize=(10, 3), layout="constrained")
    for axis, codec in zip(axes, CODECS):
        found = [(name, best[0]) for name, one in contenders.items() if (best := one.best(codec))]
        colours = ["C1" if name == "dist_vad" else "C7" if name == "limit" else "C0" for name, _ in found]
        axis.bar_label(axis.barh(*zip(*found), color=colours), fmt="{:,.0f}", padding=3)
        axis.invert_yaxis()
        axis.margins(x=0.3)
        axis.set_title(f"{codec}: samples/s, best number of workers")
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
    parser.add_argument("--samples", type=int, default=8192, help=f"samples in a set, a multiple of {VIDEOS * SHARD}")
    parser.add_argument("--seconds", type=float, default=2.5, help="how long one measurement lasts")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each loader and setting")
    parser.add_argument(
        "--peers", type=Path, default=cache / "dist_vad-peers", help="where the peers' environments lie"
    )
    parser.add_argument("--plot", help="write a bar chart to this file")
    parser.add_argument("--epoch", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.epoch:
        return one_epoch(given.epoch)
    if given.samples % (VIDEOS * SHARD) or given.samples < 1:
        parser.error(f"--samples is {given.samples}; allowed: a multiple of {VIDEOS * SHARD}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for codec in CODECS:
            write_set(folder / codec, codec, given.samples)
        write_set(folder / "ten/jpeg", "jpeg", 10 * given.samples)
        size = {codec: sum(shard.bytes for shard in Manifest.load(folder / codec).shards) for codec in CODECS}
        contenders = race(folder, given)
        at_start, at_resume = resumes(folder / "jpeg")
        peaks = [peak_memory(folder), peak_memory(folder / "ten")]
    print(f"{given.samples} samples, batches of {BATCH}, {CORES} cores; MB/s of decoded clips")
    for codec in CODECS:
        print(f"{codec}, {size[codec] / given.samples:.0f} bytes a sample in the tar")
        for name in LOADERS:
            best = contenders[name].best(codec) if name in contenders else None
            if best is None:
                print(f"  {name:20} MISSING")
                continue
            tried = {n: round(statistics.median(r)) for (c, n), r in contenders[name].rates.items() if c == codec}
            megabytes = best[0] * np.prod(CLIP) / 1e6
            print(f"  {name:20} {best[0]:8.0f} samples/s {megabytes:6.0f} MB/s  {best[1]} workers, of {tried}")
    print(f"first batch: {1e3 * at_start:.1f} ms at step 0, {1e3 * at_resume:.1f} ms at step 100,000")
    print(f"peak of anonymous memory in an epoch: {peaks[0]:.0f} MB, ten times the samples {peaks[1]:.0f} MB")
    if given.plot:
        plot(contenders, given.plot)
    figures = {
        f"{codec}_vs_{key}": ratio(contenders, codec, others)
        for key, others in (("webloader", ["webdataset"]), ("best_peer", ["webdataset", *PEERS]), ("limit", ["limit"]))
        for codec in CODECS
    }
    figures |= {"resume_ratio": at_resume / at_start, "memory_ratio_10x": peaks[1] / peaks[0]}
    print(json.dumps({key: value if value is None else round(value, 3) for key, value in figures.items()}))


if __name__ == "__main__":
    main()
