"""What an evaluation costs at the size of UCF-Crime, and at ten times the objects.

python benchmarks/evaluate.py [--resamples 1000] [--shard_samples 4096] [--before COMMIT]

290 videos of 1.11 million frames in all with 5.5 million objects, generated: 140 videos have anomalies of 13 classes,
with a region in every anomalous frame; a scene for each video, as in UCF-Crime. Measured: merging all parts of one
scorer to frame scores, RBDC and TBDC, then every metric of the raw scores and of those under median 17, with bootstrap
intervals. Each size in processes of its own, the faster of two; making the parts is not counted. Then what comes before
the first score (geometry.py), what it asks of a bucket (s3_requests.py) and, with a commit, the whole evaluation of the
demo beside that commit's (evaluation_before.py); null without. The last line is JSON, with the keys of all of them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from dist_vad import metrics
from dist_vad.base.files import digest
from dist_vad.base.labels import Event, interval_labels
from dist_vad.data.manifest import INDEX_DTYPE, Manifest, ShardInfo, VideoInfo
from dist_vad.data.store import open_store
from dist_vad.evaluation.frame_scores import read_frame_scores
from dist_vad.evaluation.score_files import ScoreFiles
from dist_vad.report import VideoCurve

VIDEOS, ANOMALOUS, CLASSES, FRAMES, OBJECTS = 290, 140, 13, 1_110_000, 5_500_000
MARGIN = 4
FLOORS = {"fused": 0.0}


def make_manifest(times: int, shard_samples: int) -> Manifest:
    """A test set of UCF-Crime's size with `times` the objects; no video, no shard."""
    draw = np.random.default_rng(0)
    shares = draw.lognormal(0, 1, VIDEOS)
    videos, shards = [], []
    for number, frames in enumerate((shares / shares.sum() * FRAMES).astype(int).tolist()):
        videos.append(_video(draw, number, max(frames, 60)))
        samples = round((videos[-1].frames - 2 * MARGIN) * OBJECTS * times / FRAMES)
        sizes = [shard_samples] * (samples // shard_samples) + [samples % shard_samples]
        for part, size in enumerate(size for size in sizes if size):
            name = f"{videos[-1].name}-{part:04d}"
            shards.append(
                ShardInfo(name=name, video=videos[-1].name, samples=size, bytes=0, sha256=digest(name), index_sha256="")
            )
    return Manifest(
        dataset="generated", split="test", kind="cube", clip_length=2 * MARGIN + 1, size=48, stride=1, codec="raw",
        scene_size=0, settings={}, fingerprint="", videos=videos, shards=shards,
    )  # fmt: skip


def _video(draw: np.random.Generator, number: int, frames: int) -> VideoInfo:
    events = []
    if number < ANOMALOUS:
        start, length = int(draw.integers(0, frames // 2)), max(1, round(frames * 0.155))
        corner = draw.uniform(0, 200, 2)
        boxes = [[*corner, *(corner + 40)]] * length
        events = [Event(start=start, end=start + length, name=f"class {number % CLASSES}", kind="", boxes=boxes)]
    name, labels = f"video_{number:03d}", [[event.start, event.end] for event in events]
    return VideoInfo(
        name=name, scene=name, frames=frames, fps=30, width=320, height=240, labels={"frames": labels}, events=events
    )


def open_parts(folder: Path, times: int, shard_samples: int) -> ScoreFiles:
    """Where the parts of one size lie."""
    return ScoreFiles(open_store(folder), "generated", [times, shard_samples])


def write_parts(manifest: Manifest, files: ScoreFiles) -> None:
    """Objects spread evenly over the frames; they score higher where the event is."""
    draw = np.random.default_rng(1)
    for video in manifest.videos:
        own = [shard for shard in manifest.shards if shard.video == video.name]
        total = sum(shard.samples for shard in own)
        frames = MARGIN + np.arange(total) * (video.frames - 2 * MARGIN) // max(total, 1)
        labels = interval_labels(video.labels["frames"], video.frames)
        index = np.zeros(total, INDEX_DTYPE)
        index["frame"] = frames
        index["object"] = np.arange(total) - np.searchsorted(frames, frames)
        corner = draw.uniform(0, 240, (total, 2))
        index["box"] = np.concatenate([corner, corner + 30], axis=1)
        scores = draw.gamma(2, 1, total) + labels[frames]
        for shard, end in zip(own, np.cumsum([shard.samples for shard in own]).tolist()):
            some = slice(end - shard.samples, end)
            files.write(shard, index[some], {"fused": scores[some]})


def evaluate(manifest: Manifest, files: ScoreFiles, resamples: int) -> tuple[float, float, float]:
    """Seconds of merging, of all metrics, and the micro AUC, to see that there is something to be found."""
    start = time.perf_counter()
    frame_scores = read_frame_scores(files, manifest, FLOORS)
    between = time.perf_counter()
    videos = [
        VideoCurve(
            name=video.name, scene=video.scene, events=video.events, scores={},
            labels=interval_labels(video.labels["frames"], video.frames),
        )
        for video in manifest.videos
    ]  # fmt: skip
    rows = [
        metrics.summarise(
            videos,
            {name: metrics.smooth(values, smoothing) for name, values in frame_scores.frames["fused"].items()},
            resamples=resamples,
        )
        for smoothing in ("none", "median17")
    ]
    assert np.isfinite(frame_scores.regions["fused"]).all() and len(rows[0]["classes"]) == CLASSES
    return between - start, time.perf_counter() - between, rows[1]["micro_auc"]


def one_size(folder: Path, times: int, shard_samples: int, resamples: int) -> None:
    """Evaluate parts that are there; prints seconds of merging and of metrics, AUC and peak resident GB."""
    manifest = make_manifest(times, shard_samples)
    found = evaluate(manifest, open_parts(folder, times, shard_samples), resamples)
    # Not getrusage: its peak is that of the parent before exec, where that was higher.
    status = Path("/proc/self/status").read_text().split()
    print(*found, int(status[status.index("VmHWM:") + 1]) / 1e6)


def figures_of(script: str, *arguments: str) -> dict[str, float | None]:
    """The last line that another benchmark prints."""
    command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    root = Path(__file__).resolve().parents[1]
    surroundings = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests/helpers'}"}
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=surroundings).stdout
    print(printed, end="", flush=True)
    return json.loads(printed.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--shard_samples", type=int, default=4096)
    parser.add_argument("--folder", type=Path, default=None, help="keep the parts there, and use those that are there")
    parser.add_argument("--scenes", type=int, default=800, help="of the smaller size of geometry.py")
    parser.add_argument("--before", help="compare with the evaluation of this commit: minutes")
    parser.add_argument("--shards", help="those of the demo, for --before, where they are there already")
    parser.add_argument("--only", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        one_size(given.folder, given.only, given.shard_samples, given.resamples)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder, measured = given.folder or Path(scratch), []
        for times in (1, 10):
            manifest = make_manifest(times, given.shard_samples)
            parts = open_parts(folder, times, given.shard_samples)
            start = time.perf_counter()
            if parts.missing(manifest.shards):
                write_parts(manifest, parts)
            print(f"{manifest.samples:,} objects, {len(manifest.shards):,} parts: made in", end=" ")
            print(f"{time.perf_counter() - start:.0f} s", flush=True)
            command = [sys.executable, __file__, "--folder", str(folder), "--only", str(times)]
            command += ["--shard_samples", str(given.shard_samples), "--resamples", str(given.resamples)]
            runs = [
                [
                    float(word)
                    for word in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
                ]
                for _ in range(2)
            ]
            merging, metering, auc, peak = min(runs, key=lambda run: run[0] + run[1])
            print(
                f"  merge {merging:.1f} s, smooth and metrics {metering:.1f} s, peak {peak:.2f} GB, micro AUC {auc:.3f}"
            )
            measured.append((merging + metering, peak))
    (seconds, peak), (seconds_10x, peak_10x) = measured
    figures = {
        "seconds": seconds,
        "peak_gb": peak,
        "time_ratio_10x": seconds_10x / seconds,
        "memory_ratio_10x": peak_10x / peak,
    }
    shards = ("--shards", given.shards) if given.shards else ()
    before = figures_of("evaluation_before.py", "--commit", given.before, *shards) if given.before else {}
    others = {
        **figures_of("geometry.py", "--scenes", str(given.scenes)),
        **figures_of("s3_requests.py"),
        "evaluation_cpu_vs_before": None,
        **before,
    }
    print(json.dumps({**{key: round(value, 3) for key, value in figures.items()}, **others}))


if __name__ == "__main__":
    main()
