"""From frame scores to what people look at: the table, metrics.json, and the contents of the report."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dist_vad import metrics
from dist_vad.evaluate import UNTRAINED, Evaluation, Subject
from dist_vad.manifest import VideoInfo, interval_labels
from dist_vad.report import Finding, Report, Row, VideoCurve, format_table, write_report
from dist_vad.scoring import rarity_name
from dist_vad.storage import write_json

HEADLINE = ("fused", "median17")
"""Scorer and smoothing of the headline figure, chosen before any test score was seen."""
FrameReader = Callable[[str, int], np.ndarray | None]
"""(video, frame) -> the whole frame, uint8 RGB [H, W, 3], or None where the video is not at hand."""

FrameScores = dict[str, dict[str, np.ndarray]]


def write_results(
    run: Path, evaluation: Evaluation, subjects: list[Subject], provenance: dict[str, Any], read_frame: FrameReader
) -> Path:
    """Print the table, write `metrics.json` and `report.html` under `run`; returns the report's path."""
    raw = {subject.name: evaluation.frame_scores(subject) for subject in subjects}
    final = subjects[-1]
    videos = evaluation.sets.test.manifest.videos
    rows = [
        row for subject in subjects for row in _rows(subject, raw[subject.name], videos, _ground_truths(evaluation))
    ]
    headline = next(row for row in rows if row.phase == final.name and (row.scorer, row.smoothing) == HEADLINE)
    print(format_table([row for row in rows if row.smoothing == HEADLINE[1] or row.phase == final.name]))
    weights = {subject.name: subject.weights for subject in subjects if subject.weights}
    for name, some in weights.items():
        print(f"weights of the heads in fused, {name}: {', '.join(f'{task} {w:.2f}' for task, w in some.items())}")
    provenance = {**provenance, "weights": weights}
    numbers = {"final": dataclasses.asdict(headline), "rows": [dataclasses.asdict(row) for row in rows]}
    write_json(run / "metrics.json", _without_nan({**numbers, "provenance": provenance}))
    report = Report(
        title=f"{evaluation.sets.test.manifest.dataset}: {final.name}",
        dataset=evaluation.sets.test.manifest.dataset,
        headline=headline,
        rows=rows,
        videos=[_curve(video, headline.ground_truth, raw, final) for video in videos],
        findings=_findings(evaluation, final, headline.ground_truth, read_frame),
        provenance=provenance,
    )
    write_report(run / "report.html", report)
    return run / "report.html"


def _ground_truths(evaluation: Evaluation) -> list[str]:
    """Names of the ground truths; one empty name where the videos are not labelled."""
    return evaluation.sets.test.manifest.ground_truths() or [""]


def _rows(subject: Subject, scores: FrameScores, videos: list[VideoInfo], ground_truths: list[str]) -> list[Row]:
    """One row for each scorer, smoothing and ground truth."""
    learned = subject.name not in (UNTRAINED, "no learning")
    rows = []
    for ground_truth in ground_truths:
        labelled = [_Labelled(video, ground_truth) for video in videos]
        for scorer in subject.scores:
            for smoothing in metrics.SMOOTHINGS:
                smoothed = {name: metrics.smooth(values, smoothing) for name, values in scores[scorer].items()}
                rows.append(
                    Row(
                        group="learned" if learned else "no learning",
                        phase=subject.name,
                        scorer=scorer,
                        smoothing=smoothing,
                        ground_truth=ground_truth,
                        **metrics.summarise(labelled, smoothed),
                    )
                )
    return rows


class _Labelled:
    """A video under one ground truth."""

    def __init__(self, video: VideoInfo, ground_truth: str) -> None:
        self.name, self.events = video.name, video.events
        intervals = video.labels.get(ground_truth)
        self.labels = None if intervals is None else interval_labels(intervals, video.frames)


def _curve(video: VideoInfo, ground_truth: str, raw: dict[str, FrameScores], final: Subject) -> VideoCurve:
    """Smoothed curves of one video: those of the final state, and the fused score of the untrained network."""
    scores = {name: metrics.smooth(raw[final.name][name][video.name], HEADLINE[1]) for name in reversed(final.scores)}
    for baseline, values in raw["no learning"].items():
        scores[baseline] = metrics.smooth(values[video.name], HEADLINE[1])
    scores[UNTRAINED] = metrics.smooth(raw[UNTRAINED]["fused"][video.name], HEADLINE[1])
    labels = _Labelled(video, ground_truth).labels
    return VideoCurve(name=video.name, scene=video.scene, labels=labels, events=video.events, scores=scores)


def _findings(
    evaluation: Evaluation, final: Subject, ground_truth: str, read_frame: FrameReader, count: int = 12
) -> list[Finding]:
    """The highest-scoring objects and the worst false alarms, one for each stretch of half a second of a video."""
    found: list[tuple[float, str, int]] = []  # score, video, row in its table
    tables: dict[str, pa.Table] = {}
    for video, table in evaluation.parts(final):
        tables[video] = table
        scores, frames = table["fused"].to_numpy(), table["frame"].to_numpy()
        taken = np.zeros(int(frames.max()) + 1, bool)
        for row in np.argsort(-scores, kind="stable"):
            if not taken[frames[row]]:
                found.append((float(scores[row]), video, int(row)))
                taken[max(0, frames[row] - 12) : frames[row] + 13] = True
    found.sort(reverse=True)
    labels = {v.name: _Labelled(v, ground_truth).labels for v in evaluation.sets.test.manifest.videos}

    def is_normal(video: str, row: int) -> bool:
        label = labels[video]
        return label is not None and label[tables[video]["frame"][row].as_py()] == 0

    alarms = [entry for entry in found if is_normal(*entry[1:])]
    chosen = dict.fromkeys([*found[:count], *alarms[: count // 2]])
    return [_finding(evaluation, final, tables[v], v, row, labels[v], read_frame) for _, v, row in chosen]


def _finding(
    evaluation: Evaluation,
    final: Subject,
    table: pa.Table,
    video: str,
    row: int,
    labels: np.ndarray | None,
    read_frame: FrameReader,
) -> Finding:
    test = evaluation.sets.test
    facts = table.slice(row, 1).to_pylist()[0]
    first = next(i for i, shard in enumerate(test.manifest.shards) if shard.video == video)
    strip = test.read(np.array([test.starts[first] + row])).clips[0].numpy()
    frame = facts["frame"]
    events = [e.name for e in test.manifest.video(video).events if e.start <= frame < e.end]
    return Finding(
        video=video,
        frame=frame,
        box=(facts["x1"], facts["y1"], facts["x2"], facts["y2"]),
        score=facts["fused"],
        heads={task: facts[rarity_name(task)] for task in final.scores if task != "fused"},
        strip=strip,
        image=read_frame(video, frame),
        anomalous=None if labels is None else bool(labels[frame]),
        event=", ".join(events),
    )


def _without_nan(value: Any) -> Any:
    """JSON has no nan: an undefined metric becomes null."""
    if isinstance(value, dict):
        return {key: _without_nan(some) for key, some in value.items()}
    if isinstance(value, list):
        return [_without_nan(some) for some in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
