"""Scene by scene: the AUC of every score of evaluated runs, as a table and as JSON.

python benchmarks/scenes.py --out docs/results/scenes11.json [--labels FILE] [--plot FILE.png] MODEL=RUN [MODEL=RUN ...]

RUN is the folder of an evaluated run, with `frame_scores.parquet` and `run.json`; several runs of one MODEL are its
seeds. A row has the model and its score, the scene (`pooled`: all of them), the AUC of all the scene's frames (null
where they are of one kind), the mean over its videos that hold both, and whether the score was learned: those without
learning are false, and those of an untrained network, and those that hold geometry or velocity. Another reading of what
is anomalous is given as a file of labels, {video: [[first, last], ...]}.
"""

import argparse
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from dist_vad import metrics
from dist_vad.base.errors import InputError, entry_point
from dist_vad.base.files import write_json
from dist_vad.base.labels import interval_labels
from dist_vad.datasets.folder import read_labels
from dist_vad.judge.frame_files import PARQUET, FrameFile, ScoreColumn, read_frame_file
from dist_vad.report import LEARNED

POOLED = "pooled"
NOT_LEARNED = ("combined",)
"""Scores of trained networks that hold geometry and velocity."""


@entry_point
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="MODEL=RUN")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--labels", help="instead of those by which the runs were evaluated")
    parser.add_argument("--smoothing", default="median17", choices=sorted(metrics.SMOOTHINGS))
    parser.add_argument("--plot", help="file of a picture of joined scores and of geometry; without it none is drawn")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    sources = {}
    for given in options.runs:
        model, separator, run = given.partition("=")
        if not separator or not (Path(run) / PARQUET).is_file():
            raise InputError(f"{given!r} names no evaluated run; expected MODEL=RUN, with {PARQUET} in the folder RUN")
        file, facts = read_frame_file(Path(run) / PARQUET), json.loads((Path(run) / "run.json").read_text())
        seed = int(facts.get("settings", facts)["seed"])
        file = relabelled(file, options.labels) if options.labels else file
        rows += rows_of_run(model, seed, file, options.smoothing)
        known = file.provenance
        sources[f"{model}, seed {seed}"] = {key: known.get(key) for key in ("commit", "digest")}
    named = {"labels": Path(options.labels).name} if options.labels else {}
    write_json(options.out, {**named, "smoothing": options.smoothing, "runs": sources, "rows": rows})
    print(_table(rows))
    if options.plot:
        _plot(rows, options.plot)
    print(json.dumps({"rows": len(rows), "out": str(options.out)}))


def relabelled(file: FrameFile, labels: str) -> FrameFile:
    """The same scores beside other labels. Raises InputError where they leave out a video."""
    (truth, *_), intervals = file.ground_truths(), read_labels(labels)
    names = {video.name: video.name for video in file.videos}
    # Where training and test clips share their names, a run tells them apart by the split.
    names |= {name: name.removeprefix("test_") for name in names if name not in intervals}
    if missing := [name for name in names.values() if name not in intervals]:
        raise InputError(
            f"{labels} leaves out {', '.join(missing[:3])}, …; expected every test video, [] for a normal one"
        )
    videos = [dataclasses.replace(video, labels={truth: intervals[names[video.name]]}) for video in file.videos]
    return dataclasses.replace(file, videos=videos)


def rows_of_run(model: str, seed: int, file: FrameFile, smoothing: str) -> list[dict[str, Any]]:
    """The rows of one run, of its last stage, of the untrained network, and of what learns nothing."""
    (truth, *_) = file.ground_truths()
    last = next(column.facts["phase"] for column in reversed(file.columns) if column.facts["group"] == LEARNED)
    rows = []
    for column in file.columns:
        facts = column.facts
        if facts["smoothing"] != smoothing or (facts["group"] == LEARNED and facts["phase"] != last):
            continue
        learned = facts["group"] == LEARNED and facts["scorer"] not in NOT_LEARNED
        name = f"{model} {'' if facts['phase'] == last else facts['phase'] + ' '}{facts['scorer']}"
        for scene in (*dict.fromkeys(video.scene for video in file.videos), POOLED):
            auc, macro = _auc(file, column, truth, scene)
            rows.append({"scene": scene, "seed": seed, "score": name, "learned": learned, "auc": auc, "macro": macro})
    return rows


def _auc(file: FrameFile, column: ScoreColumn, truth: str, scene: str) -> tuple[float | None, float | None]:
    videos = [video for video in file.videos if scene in (video.scene, POOLED)]
    labels = [interval_labels(video.labels[truth], video.frames) for video in videos]
    scores = [column.scores[video.name] for video in videos]
    values = metrics.micro_auc(labels, scores), metrics.macro_auc(labels, scores)
    micro, macro = (None if math.isnan(value) else value for value in values)
    return micro, macro


def _scenes(rows: list[dict[str, Any]]) -> list[str]:
    """Those whose frames are of both kinds."""
    return [*dict.fromkeys(row["scene"] for row in rows if row["auc"] is not None and row["scene"] != POOLED)]


def _plot(rows: list[dict[str, Any]], path: str) -> None:
    """AUC by scene of `geometry`, `fused` and `combined`, a point a seed, the bar at their mean; last the mean."""
    try:
        import matplotlib.pyplot as plt  # pyright: ignore[reportMissingImports]
    except ImportError:
        return print("no chart: matplotlib is not installed")
    names = [*dict.fromkeys(row["score"] for row in rows)]
    shown = [name for name in names if name.endswith((" fused", " combined"))]
    shown = [next(name for name in names if name.endswith("geometry")), *shown]
    scenes = _scenes(rows)
    figure, axis = plt.subplots(figsize=(11, 4.2), layout="constrained")
    for place, name in enumerate(shown):
        own = [[row["auc"] for row in rows if (row["score"], row["scene"]) == (name, scene)] for scene in scenes]
        own.append(np.mean(own, axis=0).tolist())
        for column, seeds in enumerate(own):
            x = column + 0.8 * ((place + 0.5) / len(shown) - 0.5)
            label = name if not column else None
            axis.plot([x] * len(seeds), seeds, "o", color=f"C{place}", alpha=0.6, markersize=4, label=label)
            axis.plot(x, np.mean(seeds), "_", color=f"C{place}", markersize=11, markeredgewidth=2)
    axis.set_xticks(range(len(scenes) + 1), [*scenes, "mean"])
    axis.axvline(len(scenes) - 0.5, color="grey", linewidth=1)
    axis.set_ylabel("AUC of the scene's frames")
    axis.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=4, fontsize=8)
    figure.savefig(path, dpi=130)


def _table(rows: list[dict[str, Any]]) -> str:
    """The mean over seeds, of the scenes whose frames are of both kinds; those and their mean, then all together."""
    scenes = _scenes(rows)
    heads = [*scenes, "mean", POOLED, "macro"]
    lines = [f"{'':44}" + "".join(f"{head:>9}" for head in heads)]
    for score in dict.fromkeys(row["score"] for row in rows):
        own = [row for row in rows if row["score"] == score]
        values = [float(np.mean([row["auc"] for row in own if row["scene"] == scene])) for scene in scenes]
        pooled = [row for row in own if row["scene"] == POOLED]
        values += [
            float(np.mean(each)) for each in (values, *([row[key] for row in pooled] for key in ("auc", "macro")))
        ]
        lines.append(f"{score:44}" + "".join(f"{value:9.3f}" for value in values))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
