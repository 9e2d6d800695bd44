"""What the producer costs: by stage on one core, in a whole job with a network, and in memory at ten times the length.

python benchmarks/producer.py [--yolo WEIGHTS | --darknet FOLDER]

A generated video of 640 x 360 with ten objects a frame; the motion detector alone, and in a whole job on one rank and
on two, each on a core of its own. FOLDER holds a .cfg, a .weights and a .names file. Without a
network the detector's share is not measured (null). The last line is JSON.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dist_vad.data.codec import encode
from dist_vad.data.manifest import Manifest
from dist_vad.datasets import open_dataset
from dist_vad.producer import job, opened_video
from dist_vad.producer.pack import pack_video, scene_member
from dist_vad.producer.ranks import Rank
from dist_vad.settings.data import DataSettings
from dist_vad.settings.detector import DetectorSettings
from dist_vad.video.background import median_background
from dist_vad.video.cubes import cut_cubes
from dist_vad.video.detectors.base import Boxes
from dist_vad.video.detectors.boxes import BoxesDetector
from dist_vad.video.detectors.motion import MotionDetector
from dist_vad.video.files import FileFrames
from dist_vad.video.scene_feature import background_feature

WIDTH, HEIGHT, OBJECTS, FRAMES = 640, 360, 10, 300


def make_data(root: Path, frames: int, videos: int = 2) -> DataSettings:
    """Videos in which textured things walk over a textured ground, with their boxes in a file."""
    draw = np.random.default_rng(0)
    ground = cv2.resize(draw.integers(60, 200, (45, 80, 3), dtype=np.uint8), (WIDTH, HEIGHT))
    things = [cv2.resize(draw.integers(0, 256, (12, 5, 3), dtype=np.uint8), (40, 96)) for _ in range(OBJECTS)]
    (root / "train").mkdir(parents=True)
    boxes = {}
    for number in range(videos):
        writer = cv2.VideoWriter(
            str(root / f"train/{number}.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 25, (WIDTH, HEIGHT)
        )
        listed = []
        for t in range(frames):
            picture, row = ground.copy(), []
            for i, thing in enumerate(things):
                x, y = (60 * i + (2 + i % 3) * t) % (WIDTH - 40), 20 + 24 * i
                picture[y : y + 96, x : x + 40] = thing
                row.append([x, y, x + 40, y + 96, 0.9])
            writer.write(picture)
            listed.append(row)
        writer.release()
        boxes[f"{number}"] = listed
    (root / "boxes.json").write_text(json.dumps(boxes))
    return data_settings(root, DetectorSettings(name="boxes", boxes=str(root / "boxes.json")))


def data_settings(root: Path, detector: DetectorSettings) -> DataSettings:
    return DataSettings(dataset="folder", root=str(root), virtual="none", detector=detector)


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of the fastest of three runs."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def exhaust(items: Iterable) -> None:
    for _ in items:
        pass


class InMemory(FileFrames):
    """A video whose frames were decoded before."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.decoded = list(FileFrames(path))

    def __iter__(self):
        return iter(self.decoded)


def stages(settings: DataSettings, folder: Path) -> dict[str, float]:
    """Seconds a frame by stage, on one core; `write` holds encoding too, as the job does both in one go."""
    path = Path(settings.root or "") / "train/0.mp4"
    frames = FileFrames(path)
    detector = BoxesDetector(Path(settings.detector.boxes or ""), "0", len(frames))
    held = InMemory(path)

    def cut():
        return cut_cubes(held, detector, length=9, size=48, context=0.1, stride=1, frames_at_once=8)

    samples = list(cut())
    labelled = [(sample, -1) for sample in samples]
    scene = scene_member(background_feature(held.decoded[0], 8))
    motion = MotionDetector(DetectorSettings(), median_background(held))
    return {
        "count": seconds(lambda: len(FileFrames(path))) / FRAMES,
        "background": seconds(lambda: median_background(frames)) / FRAMES,
        "decode": seconds(lambda: exhaust(frames)) / FRAMES,
        "cut": seconds(lambda: exhaust(cut())) / FRAMES,
        "encode": seconds(lambda: [encode(sample.clip, "jpeg") for sample in samples]) / FRAMES,
        "motion": seconds(lambda: motion([0], held.decoded)) / FRAMES,
        "write": seconds(lambda: pack_video(folder, "0", {"scene": "a"}, labelled, "jpeg", scene, 512)) / FRAMES,
    }


def peak_memory(frames: int) -> float:
    """Peak resident memory of a job on videos of so many frames, MB; in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--job", folder, "--frames", str(frames)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(printed.split()[-1])


def by_ranks(folder: Path, ranks: int, cores: list[int]) -> float:
    """Frames/s of a whole job with the motion detector, each rank a process on a core of its own.

    The clock runs from the first rank that begins to the last that ends: the start of a process is no part of the work.
    """
    processes = []
    for rank in range(ranks):
        command = [sys.executable, __file__, "--job", str(folder), "--rank", f"{rank}/{ranks}"]
        command += ["--core", str(cores[rank % len(cores)])]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    spans = [json.loads(process.communicate()[0].split("\n")[-2]) for process in processes]
    return 2 * FRAMES / (max(end for _, end in spans) - min(start for start, _ in spans))


def one_rank(folder: Path, rank: str, core: int) -> None:
    """A rank's part of the job on data that is there; prints when it began and ended."""
    os.sched_setaffinity(0, {core})
    cv2.setNumThreads(1)
    number, ranks = map(int, rank.split("/"))
    settings = data_settings(folder / "data", DetectorSettings())
    start = time.time()
    options = job.WriteOptions(rank=Rank(number, ranks), progress=False)
    job.write_shards(settings, folder / f"motion-{ranks}", options)
    print(json.dumps([start, time.time()]))


def one_job(folder: Path, frames: int) -> None:
    """Make data and write it; prints peak resident memory in MB."""
    settings = make_data(folder / "data", frames)
    job.write_shards(settings, folder / "out", job.WriteOptions(progress=False))
    # Not getrusage: its peak is that of the parent before exec, where that was higher.
    status = Path("/proc/self/status").read_text().split()
    print(int(status[status.index("VmHWM:") + 1]) / 1e3)


class Timed:
    """A detector that notes how long it was at work."""

    spent = 0.0
    note = ""

    def __init__(self, detector: Callable[[list[int], list[np.ndarray]], list[Boxes]]) -> None:
        self.detector = detector

    def __call__(self, numbers: list[int], frames: list[np.ndarray]) -> list[Boxes]:
        start = time.perf_counter()
        found = self.detector(numbers, frames)
        Timed.spent += time.perf_counter() - start
        return found


def network(given: argparse.Namespace) -> DetectorSettings | None:
    """The network asked for."""
    if given.yolo:
        return DetectorSettings(name="yolo", weights=given.yolo)
    if given.darknet:
        cfg, weights, names = (
            str(next(Path(given.darknet).glob(pattern))) for pattern in ("*.cfg", "*.weights", "*.names")
        )
        return DetectorSettings(name="darknet", cfg=cfg, weights=weights, names=names)
    return None


def detector_share(settings: DataSettings, detector: DetectorSettings, out: Path) -> tuple[float, float]:
    """(share of wall time that a network is at work in a whole job on all cores, frames/s of that job).

    The network finds nothing in the generated video, so the boxes of the file are cut in its stead.
    """
    make = opened_video.make_detector

    def timed(given: DataSettings, video, background, frames):
        boxes, net = make(given, video, background, frames), Timed(make(with_network, video, background, frames))

        def both(numbers: list[int], pictures: list[np.ndarray]) -> list[Boxes]:
            net(numbers, pictures)
            return boxes(numbers, pictures)

        both.note = ""  # pyright: ignore[reportFunctionMemberAccess]
        return both

    with_network = DataSettings(**{**vars(settings), "detector": detector})
    # Loaded and tried before the clock starts: seconds once, which a job of hours does not see.
    video = open_dataset(settings)[0]
    frame = next(iter(video.open()))
    make(with_network, video, frame, FRAMES)([0], [frame])
    opened_video.make_detector = timed  # pyright: ignore[reportAttributeAccessIssue]
    start = time.perf_counter()
    job.write_shards(settings, out, job.WriteOptions(progress=False))
    wall = time.perf_counter() - start
    return Timed.spent / wall, 2 * FRAMES / wall


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--yolo", help="weights of Ultralytics")
    parser.add_argument("--darknet", help="folder with .cfg, .weights and .names")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("--frames", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rank", help=argparse.SUPPRESS)
    parser.add_argument("--core", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.rank:
        return one_rank(Path(given.job), given.rank, given.core)
    if given.job:
        return one_job(Path(given.job), given.frames)
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = make_data(folder / "data", FRAMES)
        os.sched_setaffinity(0, {min(cores)})
        cv2.setNumThreads(1)
        costs = stages(settings, folder / "stages")
        start = time.perf_counter()
        sets = job.write_shards(settings, folder / "alone", job.WriteOptions(progress=False))
        alone = time.perf_counter() - start
        os.sched_setaffinity(0, cores)
        cv2.setNumThreads(len(cores))
        made = [Manifest.load(some) for some in sets.values()]
        cubes = sum(some.samples for some in made)
        size = sum(shard.bytes for some in made for shard in some.shards) / cubes
        detector = network(given)
        rates = {ranks: by_ranks(folder, ranks, sorted(cores)) for ranks in (1, 2)}
        share, rate = detector_share(settings, detector, folder / "share") if detector else (None, None)
    memory = [peak_memory(frames) for frames in (FRAMES, 10 * FRAMES)]
    per_frame = cubes / (2 * FRAMES)
    print(f"{WIDTH} x {HEIGHT}, {OBJECTS} objects a frame, JPEG cubes of 9 x 48 x 48; stages on one core")
    for stage, cost in costs.items():
        print(f"{stage:12} {1e3 * cost:8.2f} ms/frame {1 / cost:10.0f} frames/s {per_frame / cost:10.0f} cubes/s")
    other = costs["count"] + costs["background"] + costs["decode"] + costs["cut"] + costs["write"]
    print(
        f"whole job on one core with boxes from a file: {2 * FRAMES / alone:.0f} frames/s, {cubes / alone:.0f} cubes/s"
    )
    print(f"whole job with the motion detector: {rates[1]:.0f} frames/s on one rank, {rates[2]:.0f} on two")
    if share is not None:
        print(f"whole job on {len(cores)} cores with a network: {rate:.1f} frames/s, {share:.0%} of the time in it")
    print(f"peak memory: {memory[0]:.0f} MB, at ten times the length {memory[1]:.0f} MB")
    figures = {
        "detector_share": share,
        "other_ms_per_frame": 1e3 * other,
        "cubes_per_s_core": per_frame / (costs["cut"] + costs["write"]),
        "bytes_per_cube": size,
        "memory_ratio_10x": memory[1] / memory[0],
        "motion_frames_per_s_core": 1 / costs["motion"],
        "two_ranks_vs_one": rates[2] / rates[1],
    }
    print(json.dumps({key: value if value is None else round(value, 3) for key, value in figures.items()}))


if __name__ == "__main__":
    main()
