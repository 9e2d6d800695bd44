"""What the geometry of a training set costs: boxes linked, compared and calibrated, at two sizes.

python benchmarks/geometry.py [--scenes 800]

SCENES scenes of one video each, six shards and 846 boxes a video (two walkers a frame), and ten times as many scenes;
generated, so that no disk is measured. Each size on one thread in a process of its own. The last line is JSON:
seconds of CPU and peak memory of both, and how many times as long the larger one takes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np

from dist_vad.data.manifest import INDEX_DTYPE
from dist_vad.scoring.geometry import Geometry

SHARDS, BOXES = 6, 141
"""Shards of a video, boxes of a shard."""


class GeneratedSet:
    """As much of a ShardSet as Geometry asks for."""

    def __init__(self, scenes: int) -> None:
        videos = [SimpleNamespace(name=f"video_{number}", scene=f"scene_{number}") for number in range(scenes)]
        shards = [SimpleNamespace(video=video.name, samples=BOXES) for video in videos for _ in range(SHARDS)]
        self.manifest = SimpleNamespace(videos=videos, shards=shards, stride=1, clip_length=9)

    def __len__(self) -> int:
        return len(self.manifest.shards) * BOXES

    def index(self, shard: int) -> np.ndarray:
        """Two boxes in every frame that tremble about their places."""
        rows = np.zeros(BOXES, INDEX_DTYPE)
        number = (shard % SHARDS) * BOXES + np.arange(BOXES)
        left = number % 2 * 100 + np.random.default_rng(shard).random(BOXES) * 5
        rows["frame"] = number // 2
        rows["box"] = np.stack([left, left, left + 30, left + 60], axis=1)
        return rows

    def scenes(self, ids: np.ndarray) -> np.ndarray:
        return np.array([video.scene for video in self.manifest.videos])[ids // (SHARDS * BOXES)]

    def folds(self, ids: np.ndarray) -> np.ndarray:
        return ids // (SHARDS * BOXES) % 2


def measure(scenes: int) -> dict[str, float]:
    """Seconds of CPU and peak memory in GB."""
    generated = GeneratedSet(scenes)
    began = time.process_time()
    Geometry.of(generated)  # pyright: ignore[reportArgumentType]
    seconds = time.process_time() - began
    return {"seconds": round(seconds, 1), "gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)}


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
