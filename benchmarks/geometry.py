"""What comes before the first score: boxes linked, compared and calibrated, cubes and held-out frames chosen.

python benchmarks/geometry.py [--scenes 800]

SCENES scenes of one video each, six shards and 846 boxes a video (two walkers a frame), and ten times as many scenes;
generated, so that no disk is measured; frames are chosen of a held-out set as large as the training set. Each size on
one thread in a process of its own. The last line is JSON: seconds of CPU and peak memory of both, and how many times as
long the larger one takes.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from dist_vad.data.manifest import INDEX_DTYPE, Manifest, ShardInfo, VideoInfo
from dist_vad.data.shardset import ShardSet
from dist_vad.scoring.geometry import Geometry
from dist_vad.scoring.synthetic_auc import held_out
from dist_vad.settings.score import ScoreSettings

SHARDS, BOXES = 6, 141
"""Shards of a video, boxes of a shard."""


class GeneratedSet(ShardSet):
    """A shard set that lies nowhere."""

    def __init__(self, scenes: int) -> None:
        videos = [
            VideoInfo(name=f"video_{number}", scene=f"scene_{number}", frames=500, fps=25, width=640, height=360)
            for number in range(scenes)
        ]
        shards = [
            ShardInfo(name=f"{video.name}-{part}", video=video.name, samples=BOXES, bytes=1, sha256="", index_sha256="")
            for video in videos
            for part in range(SHARDS)
        ]
        self.manifest = Manifest(
            dataset="generated", split="train", kind="cube", clip_length=9, size=48, stride=1, codec="raw",
            scene_size=0, settings={}, fingerprint="", videos=videos, shards=shards,
        )  # fmt: skip
        self.starts, self._cache = np.arange(len(shards) + 1) * BOXES, None

    def index(self, shard: int) -> np.ndarray:
        """Two boxes in every frame that tremble about their places."""
        rows = np.zeros(BOXES, INDEX_DTYPE)
        number = (shard % SHARDS) * BOXES + np.arange(BOXES)
        left = number % 2 * 100 + np.random.default_rng(shard).random(BOXES) * 5
        rows["frame"] = number // 2
        rows["box"] = np.stack([left, left, left + 30, left + 60], axis=1)
        return rows


def measure(scenes: int) -> dict[str, float]:
    """Seconds of CPU and peak memory in GB."""
    generated, began = GeneratedSet(scenes), time.process_time()
    Geometry.of(generated)
    between = time.process_time()
    generated.spread(ScoreSettings().calibration)
    held_out(generated, ScoreSettings().synthetic)
    choice = time.process_time() - between
    seconds = time.process_time() - began
    # Not getrusage: its peak is that of the parent before exec, where that was higher.
    status = Path("/proc/self/status").read_text().split()
    peak = int(status[status.index("VmHWM:") + 1]) / 1e6
    return {"seconds": round(seconds, 3), "of them choice": round(choice, 3), "gb": round(peak, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--scenes", type=int, default=800)
    parser.add_argument("--only", action="store_true", help="measure this size in this process")
    given = parser.parse_args()
    if given.only:
        print(json.dumps(measure(given.scenes)))
        return
    found = []
    for scenes in (given.scenes, 10 * given.scenes):
        command = [sys.executable, __file__, "--scenes", str(scenes), "--only"]
        surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=surroundings)
        found.append(json.loads(done.stdout))
        objects = scenes * SHARDS * BOXES
        print(f"{scenes:6} scenes, {scenes * SHARDS:6} shards, {objects:9,} boxes: {found[-1]}", flush=True)
    small, large = found
    print(
        json.dumps(
            {
                "geometry_seconds": small["seconds"],
                "geometry_seconds_50k": large["seconds"],
                "geometry_peak_gb_50k": large["gb"],
                "geometry_time_ratio_10x": round(large["seconds"] / small["seconds"], 2),
            }
        )
    )


if __name__ == "__main__":
    main()
