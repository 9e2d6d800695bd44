"""Frame scores without learning, from a file of boxes: width and area of the largest box, number of boxes.

python benchmarks/box_scores.py BOXES.json OUT [--confidence 0.3] [--smoothing median17]

BOXES.json is what `--detector.boxes` takes: {video: [[[x1, y1, x2, y2, confidence], ...] per frame]}. Written are
OUT/box_width.npz, OUT/box_area.npz and OUT/box_count.npz, for `dist-vad judge`. Any method has to beat these.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dist_vad.metrics import SMOOTHINGS, smooth

Box = list[float]
SCORES: dict[str, Callable[[list[Box]], float]] = {
    "box_width": lambda boxes: max((x2 - x1 for x1, _, x2, _, _ in boxes), default=0.0),
    "box_area": lambda boxes: max(((x2 - x1) * (y2 - y1) for x1, y1, x2, y2, _ in boxes), default=0.0),
    "box_count": lambda boxes: float(len(boxes)),
}
"""Name -> score of a frame from its boxes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("boxes", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--confidence", type=float, default=0.3)
    parser.add_argument("--smoothing", choices=SMOOTHINGS, default="median17")
    given = parser.parse_args()
    listed = json.loads(given.boxes.read_text())
    given.out.mkdir(parents=True, exist_ok=True)
    for name, score in SCORES.items():
        scores = {
            video: smooth(
                np.array([score([box for box in boxes if box[4] >= given.confidence]) for boxes in frames]),
                given.smoothing,
            )
            for video, frames in listed.items()
        }
        np.savez_compressed(given.out / f"{name}.npz", allow_pickle=False, **scores)
    print(json.dumps({"videos": len(listed), "written": [str(given.out / f"{name}.npz") for name in SCORES]}))


if __name__ == "__main__":
    main()
