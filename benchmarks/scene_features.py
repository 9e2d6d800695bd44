"""How well a scene feature tells scenes apart: colours beside what an exported segmentation network sees.

python benchmarks/scene_features.py --data SCENES11 [--weights NETWORK --classes 32 --foreground 13,21]
    [--out FILE.json]

The data set is a `folder`. The feature of a scene is that of its first training clip, as a run keeps it. Every other
clip is asked which scene it shows, once with all scenes known and once with its own left out. Nothing is learned, and
no label is read.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from dist_vad.base.errors import InputError, entry_point
from dist_vad.base.files import write_json
from dist_vad.datasets import open_dataset
from dist_vad.inference.video_scorer import UNKNOWN_SCENE
from dist_vad.settings.data import DataSettings
from dist_vad.settings.scene import SceneSettings
from dist_vad.video.background import median_background
from dist_vad.video.scene_feature import most_alike, scene_feature


@entry_point
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the folder of the data set")
    parser.add_argument("--weights", help="an exported segmentation network; without it, colours alone")
    parser.add_argument("--classes", type=int, default=32)
    parser.add_argument("--foreground", default="13,21", help="classes that move, masked out")
    parser.add_argument("--out", type=Path, default=Path("docs/results/scene_features.json"))
    options = parser.parse_args()
    ways = {"background": SceneSettings()}
    if options.weights:
        masked = [int(number) for number in options.foreground.split(",") if number]
        ways["segmentation"] = SceneSettings(
            scene="segmentation", scene_weights=options.weights, scene_classes=options.classes, scene_foreground=masked
        )
    videos = open_dataset(DataSettings(dataset="folder", root=options.data))
    backgrounds = {video.name: median_background(video.open()) for video in tqdm(videos, unit=" videos")}
    first = {video.scene: video.name for video in reversed(videos) if video.split == "train"}
    if len(first) < 2:
        raise InputError(f"{options.data} has {len(first)} scenes; expected two or more to tell apart")
    asked = [(video.name, video.scene) for video in videos if video.name not in first.values()]
    rows = [{"feature": name, **_told(settings, backgrounds, first, asked)} for name, settings in ways.items()]
    write_json(options.out, {"scenes": len(first), "clips": len(asked), "known_from": UNKNOWN_SCENE, "rows": rows})
    for row in rows:
        print("  ".join(f"{key} {value if isinstance(value, str) else f'{value:.3f}'}" for key, value in row.items()))
    print(json.dumps({"rows": len(rows), "out": str(options.out)}))


def _told(
    settings: SceneSettings, backgrounds: dict[str, np.ndarray], first: dict[str, str], asked: list[tuple[str, str]]
) -> dict[str, Any]:
    """Shares of the clips, and cosines of their features to those of the scenes."""
    features = {name: scene_feature(settings, background) for name, background in backgrounds.items()}
    known = {scene: features[name] for scene, name in first.items()}
    found = [most_alike(known, features[name]) for name, _ in asked]
    own = [float(features[name] @ known[scene]) for name, scene in asked]
    others = [
        most_alike({other: feature for other, feature in known.items() if other != scene}, features[name])[1]
        for name, scene in asked
    ]
    right = [name == scene for (name, _), (_, scene) in zip(found, asked)]
    return {
        "right": float(np.mean(right)),
        "right_and_known": float(np.mean([ok and cosine >= UNKNOWN_SCENE for ok, cosine in zip(right, own)])),
        "stranger_taken_for_known": float(np.mean(np.array(others) >= UNKNOWN_SCENE)),
        "own_cosine_median": float(np.median(own)),
        "own_cosine_least": min(own),
        "other_cosine_median": float(np.median(others)),
        "other_cosine_most": max(others),
    }


if __name__ == "__main__":
    main()
