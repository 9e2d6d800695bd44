"""What a state to start from is worth: macro AUC after so many minutes of a scene's normal video.

python benchmarks/prior.py --data SCENES11 [--minutes 1,5] [--scenes ped2,avenue] [--work DIR] [--out FILE.json]

Of every scene by itself, the first clips of its training video are taken until the minutes are full (or there is no
more: the row says how many there were). Three detectors are made of them, each with the same tasks: `frozen`, the prior
with a memory bank, geometry and calibration of this video and no step of training; `trained`, the prior trained on for
STEPS; `nothing`, the same steps from random weights. Objects of every fourth test frame are scored. What a second start
finds done it does not do again.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
from scenes import rows_of_run

from dist_vad.base.errors import InputError, entry_point
from dist_vad.base.files import write_json
from dist_vad.judge.frame_files import PARQUET, read_frame_file

ROOT = Path(__file__).resolve().parents[1]
STEPS, RATE = 300, 1e-3
CURRICULUM = "pre + sr + virtual*0.3"
WAYS = {
    "frozen": ["--init", "prior", "--stage.steps", "0"],
    "trained": ["--init", "prior", "--stage.steps", str(STEPS), "--stage.learning_rate", str(RATE)],
    "nothing": ["--stage.steps", str(STEPS), "--stage.learning_rate", str(RATE)],
}
COMMON = ["--config", str(ROOT / "configs/scenes11/model_base.yaml"), "--curriculum", CURRICULUM]
COMMON += ["--data.test_stride", "4", "--score.calibration", "2000"]
SCORES = ("fused", "combined")
LABELLED = "avenue,coffee,officeA,officeB,ped1,ped2"


@entry_point
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of the eleven scenes")
    parser.add_argument("--minutes", default="1,5")
    parser.add_argument("--scenes", default=LABELLED, help="those that hold normal and anomalous test frames")
    parser.add_argument("--work", type=Path, default=Path("runs/prior_table"), help="folder for data, shards and runs")
    parser.add_argument("--out", type=Path, default=Path("docs/results/prior.json"))
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for scene in options.scenes.split(","):
        for minutes in map(float, options.minutes.split(",")):
            data = options.work / f"{scene}-{minutes:g}"
            there = part_of(options.data, scene, minutes, data / "data")
            for way in WAYS:
                rows += [
                    {"scene": scene, "minutes": minutes, "there": round(there, 2), "start": way, **row}
                    for row in measured(data, way)
                ]
                write_json(options.out, {"steps": STEPS, "curriculum": CURRICULUM, "rows": rows})
    print(table(rows))
    print(json.dumps({"rows": len(rows), "out": str(options.out)}))


def part_of(whole: Path, scene: str, minutes: float, out: Path) -> float:
    """A folder data set of one scene with so many minutes of normal video, or all there is; returns the minutes."""
    clips = {split: sorted((whole / split).glob(f"{scene}_*")) for split in ("train", "test")}
    if not clips["train"] or not clips["test"]:
        raise InputError(f"{whole} has no clips of {scene!r}; expected train/{scene}_* and test/{scene}_*")
    there, chosen = 0.0, []
    for clip in clips["train"]:
        if there >= minutes and len(chosen) >= 2:  # one to learn from, one to hold out
            break
        chosen.append(clip)
        there += _minutes(clip)
    clips["train"] = chosen
    for split, own in clips.items():
        (out / split).mkdir(parents=True, exist_ok=True)
        for clip in own:
            (out / split / clip.name).unlink(missing_ok=True)
            (out / split / clip.name).symlink_to(clip.absolute())
        boxes = json.loads((whole / f"yolov8n_boxes.{split}.json").read_text())
        write_json(out / f"yolov8n_boxes.{split}.json", {clip.stem: boxes[clip.stem] for clip in own})
    labels = json.loads((whole / "labels.json").read_text())
    write_json(out / "labels.json", {clip.stem: labels[clip.stem] for clip in clips["test"] if clip.stem in labels})
    return there


def _minutes(clip: Path) -> float:
    capture = cv2.VideoCapture(str(clip))
    return capture.get(cv2.CAP_PROP_FRAME_COUNT) / capture.get(cv2.CAP_PROP_FPS) / 60


def measured(data: Path, way: str) -> list[dict[str, Any]]:
    """Macro AUC, and AUC over all frames, by score, of what one way makes of a data set."""
    run = data / way
    if not (run / PARQUET).is_file():
        common = [*COMMON, *WAYS[way], "--data.root", str(data / "data")]
        common += ["--shards", str(data / "shards"), "--run", str(run)]
        for command in (["train"], ["evaluate", "--score.refit", "0", "--final"]):
            subprocess.run(
                [sys.executable, "-c", "from dist_vad.cli.main import main; main()", *command, *common],
                check=True, cwd=ROOT, stdout=subprocess.DEVNULL,
            )  # fmt: skip
    rows = rows_of_run("", 0, read_frame_file(run / PARQUET), "median17")
    named = {row["score"].strip(): row for row in rows if row["scene"] != "pooled"}
    return [{"score": score, "macro": named[score]["macro"], "auc": named[score]["auc"]} for score in SCORES]


def table(rows: list[dict[str, Any]]) -> str:
    """Scene and minutes by start and score: AUC over all the scene's frames."""
    heads = [f"{way} {score}" for way in WAYS for score in SCORES]
    lines = [f"{'scene':10}{'minutes':>9}" + "".join(f"{head:>18}" for head in heads)]
    for scene, minutes in dict.fromkeys((row["scene"], row["minutes"]) for row in rows):
        own = {f"{r['start']} {r['score']}": r for r in rows if (r["scene"], r["minutes"]) == (scene, minutes)}
        there = min(minutes, next(iter(own.values()))["there"])
        cells = "".join(f"{own[head]['auc']:18.3f}" if head in own else f"{'':18}" for head in heads)
        lines.append(f"{scene:10}{there:9.2f}{cells}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
