"""From frame scores to what people look at: the table, metrics.json, and the contents of the report."""

import dataclasses
from pathlib import Path
from typing import Any

from dist_vad import metrics
from dist_vad.base.text.jsonable import without_nan
from dist_vad.curriculum.heads import UNTRAINED
from dist_vad.data.manifest import VideoInfo
from dist_vad.evaluation.evaluator import Evaluation
from dist_vad.evaluation.frame_scores import FrameScores
from dist_vad.evaluation.highlights import FrameReader, highlights
from dist_vad.evaluation.scored_model import ScoredModel
from dist_vad.evaluation.summary import summary
from dist_vad.judge.frame_files import write_frame_scores
from dist_vad.judge.rows import Labelled, labelled
from dist_vad.metrics.results_file import write_metrics
from dist_vad.report import LEARNED, NO_LEARNING, Report, Row, VideoCurve, write_report
from dist_vad.settings.run import Settings
from dist_vad.tasks import TASKS

HEADLINE = "fused"
"""Scorer of the headline figure, chosen before any test score was seen; its smoothing is `evaluate.smoothing`."""


def write_results(
    run: Path, evaluation: Evaluation, models: list[ScoredModel], provenance: dict[str, Any], read_frames: FrameReader
) -> Path:
    """Print the table, write `metrics.json`, the files of frame scores and `report.html` under `run`; returns the
    report's path."""
    how, manifest = evaluation.settings.evaluate, evaluation.sets.test.manifest
    frame_scores = {model.name: evaluation.frame_scores(model) for model in models}
    final = models[-1]
    rows = [
        row
        for ground_truth in manifest.ground_truths() or [""]
        for model in models
        for row in _rows(model, frame_scores[model.name], manifest.videos, ground_truth, evaluation.settings)
    ]
    headline = next(r for r in rows if (r.phase, r.scorer, r.smoothing) == (final.name, HEADLINE, how.smoothing))
    shown = [row for row in rows if row.smoothing == how.smoothing or row.phase == final.name]
    print(summary(shown, headline, models, manifest, provenance["state"], str(run)))
    weights = {model.name: model.weights for model in models if model.weights}
    synthetic = {model.name: model.synthetic_auc for model in models if model.synthetic_auc}
    provenance = {**provenance, "weights": weights, "trials": synthetic}
    numbers = {"final": dataclasses.asdict(headline), "rows": [dataclasses.asdict(row) for row in rows]}
    write_metrics(run, **numbers, provenance=provenance)
    raw = {name: scores.frames for name, scores in frame_scores.items()}
    write_frame_scores(run, manifest, raw, rows, headline, how.resamples, provenance)
    videos = [labelled(video, headline.ground_truth) for video in manifest.videos]
    curves = [_curve(video, frame_scores, final, how.smoothing) for video in videos]
    highlighted = highlights(evaluation, final, frame_scores[final.name], HEADLINE, curves, read_frames)
    report = Report(
        title=f"{manifest.dataset}: {final.name}",
        dataset=manifest.dataset,
        headline=headline,
        rows=rows,
        videos=highlighted.videos,
        findings=highlighted.findings,
        misses=highlighted.misses,
        provenance=provenance,
        synthetic_auc=synthetic,
        state=provenance["state"],
    )
    write_report(run / "report.html", report)
    return run / "report.html"


def rows_of(evaluation: Evaluation, model: ScoredModel) -> list[dict[str, Any]]:
    """What the table of results says of one scored model, as JSON-able rows; undefined metrics are None."""
    manifest, scores = evaluation.sets.test.manifest, evaluation.frame_scores(model)
    truths = manifest.ground_truths() or [""]
    rows = [row for truth in truths for row in _rows(model, scores, manifest.videos, truth, evaluation.settings)]
    return without_nan([dataclasses.asdict(row) for row in rows])


def _rows(
    model: ScoredModel, frame_scores: FrameScores, videos: list[VideoInfo], ground_truth: str, settings: Settings
) -> list[Row]:
    """One row for each scorer and smoothing, raw scores first."""
    how = settings.evaluate
    known = [labelled(video, ground_truth) for video in videos]
    smoothings = dict.fromkeys(["none", how.smoothing])
    if how.whole_test_video_minmax:
        smoothings[metrics.WHOLE_TEST_VIDEO_MINMAX] = None
    rows = []
    for scorer, scores in frame_scores.frames.items():
        for smoothing in smoothings:
            smoothed = {name: metrics.smooth(values, smoothing) for name, values in scores.items()}
            rows.append(
                Row(
                    group=NO_LEARNING if model.name in (UNTRAINED, NO_LEARNING) else LEARNED,
                    phase=model.name,
                    scorer=scorer,
                    smoothing=smoothing,
                    ground_truth=ground_truth,
                    note=(TASKS[scorer](settings.task).note() or "") if scorer in TASKS else "",
                    **frame_scores.regions[scorer]._asdict(),
                    **metrics.summarise(known, smoothed, resamples=how.resamples),
                )
            )
    return rows


def _curve(video: Labelled, frame_scores: dict[str, FrameScores], final: ScoredModel, smoothing: str) -> VideoCurve:
    """Smoothed curves of one video: those of the final state, and the fused score of the untrained network."""
    raw = {name: frame_scores[final.name].frames[name] for name in reversed(final.scores)}
    raw |= frame_scores[NO_LEARNING].frames
    raw[UNTRAINED] = frame_scores[UNTRAINED].frames[HEADLINE]
    scores = {name: metrics.smooth(values[video.name], smoothing) for name, values in raw.items()}
    return VideoCurve(name=video.name, scene=video.scene, labels=video.labels, events=video.events, scores=scores)
