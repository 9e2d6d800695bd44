"""Scenes that are normal throughout: how many frames reach the threshold of events, beside how many it promises.

python benchmarks/false_alarms.py RUN [--share 0.01] [--out FILE.json]

RUN is the folder of an evaluated run. The threshold of each score comes from held-out normal video of all training
scenes together, as `dist-vad score` sets it; only test frames that are labelled normal are counted. A scene may exceed
the share, since the threshold is one for all scenes.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from dist_vad import metrics
from dist_vad.base.errors import InputError, entry_point
from dist_vad.base.files import write_json
from dist_vad.base.labels import interval_labels
from dist_vad.inference.detector import Detector
from dist_vad.inference.events import Threshold
from dist_vad.judge.frame_files import PARQUET, read_frame_file
from dist_vad.metrics.results_file import METRICS, read_metrics
from dist_vad.settings.video import EventSettings

SMOOTHING = "median17"


@entry_point
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--share", type=float, default=0.01, help="of held-out normal frames that may be above")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if not (options.run / PARQUET).is_file():
        raise InputError(f"{options.run} is no evaluated run: it has no {PARQUET}; evaluate it first")
    detector = Detector.load(read_metrics(options.run / METRICS)["provenance"]["state"])
    settings = EventSettings(false_alarms=options.share)
    rows = []
    for name, normal in detector.normal.items():
        threshold = Threshold.of([metrics.smooth(raw, SMOOTHING) for raw in normal], settings)
        rows += _rows(options.run, name, detector.state.stage, threshold)
    for row in rows:
        print(f"{row['scene']:12}{row['score']:28}{row['frames']:8,} frames{100 * row['share']:8.2f} % above")
    if options.out:
        write_json(options.out, {"promised": options.share, "smoothing": SMOOTHING, "rows": rows})
    print(json.dumps({"rows": len(rows), "promised": options.share}))


def _rows(run: Path, score: str, stage: str, threshold: Threshold) -> list[dict]:
    """A row for each scene whose test video is labelled normal throughout."""
    file = read_frame_file(run / PARQUET)
    (truth, *_) = file.ground_truths()
    wanted = {"phase": stage, "scorer": score, "smoothing": SMOOTHING}
    columns = [column for column in file.columns if wanted.items() <= column.facts.items()]
    rows = []
    for scene in dict.fromkeys(video.scene for video in file.videos) if columns else []:
        videos = [video for video in file.videos if video.scene == scene]
        if any(interval_labels(video.labels[truth], video.frames).any() for video in videos):
            continue
        scores = np.concatenate([columns[0].scores[video.name] for video in videos])
        share = float(threshold.reached(scores.tolist()).mean())
        rows.append({"scene": scene, "score": score, "frames": len(scores), "share": share})
    return rows


if __name__ == "__main__":
    main()
