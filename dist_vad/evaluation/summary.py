"""What an evaluation says in the terminal, from the table to the remarks below it."""

from collections.abc import Iterable, Sequence

import numpy as np

from dist_vad.base.text.columns import hanging
from dist_vad.data.manifest import Manifest
from dist_vad.evaluation.frame_scores import video_regions
from dist_vad.evaluation.scored_model import ScoredModel
from dist_vad.report import Row, SyntheticTable, format_table

NO_LABELS = "no labels: no AUC on this video. What can be said is how well each score tells synthetic anomalies from"
NO_LABELS += " held-out normal frames (AUC: 0.5 is chance, 1 is perfect)."


def summary(
    rows: Sequence[Row], headline: Row, models: Sequence[ScoredModel], manifest: Manifest, state: str, run: str
) -> str:
    """The table and what it has no room for. Without labels the AUC on synthetic anomalies comes first.

    Args:
        rows: those of the table.
        models: all of them, the final one last.
        state: folder of the final state.
        run: where scores of further video could go.
    """
    synthetic = {model.name: model.synthetic_auc for model in models if model.synthetic_auc}
    if manifest.ground_truths() or not synthetic:
        lines = [format_table(rows), *wrapped(_remarks(headline, rows, manifest)), *wrapped(_weights(models))]
        return "\n".join([*lines, *wrapped(_synthetic(name, scores) for name, scores in synthetic.items())])
    command = f"dist-vad score VIDEO... --state {state} --out {run}/scored"
    lines = [*wrapped([NO_LABELS]), "", *SyntheticTable.of(synthetic).text(), ""]
    lines += ["Scores, events and an annotated mp4 of any video of this place:", f"  {command}", ""]
    return "\n".join([*lines, *wrapped(_weights(models))])


def wrapped(lines: Iterable[str]) -> list[str]:
    """The lines, none wider than the terminal."""
    return [part for line in lines for part in hanging(line)]


def _weights(models: Sequence[ScoredModel]) -> list[str]:
    lines = []
    for model in models:
        if model.weights:
            listed = ", ".join(f"{task} {weight:.2f}" for task, weight in model.weights.items())
            lines.append(f"weights of the heads in fused, {model.name}: {listed}")
    shares = ", ".join(f"{name} {share:.2f}" for name, share in models[-1].shares.items())
    return [*lines, f"weights in combined, {models[-1].name}: {shares}"] if shares else lines


def _synthetic(name: str, scores: dict[str, dict[str, float]]) -> str:
    figures = ", ".join(f"{score} {np.mean([*kinds.values()]):.3f}" for score, kinds in scores.items())
    return f"validation AUC on synthetic anomalies in held-out normal frames, {name}: {figures}"


def _remarks(headline: Row, rows: Sequence[Row], manifest: Manifest) -> list[str]:
    """How sure the headline is, and the notes of rows."""
    lines = []
    low, high = headline.micro_auc_interval
    if np.isfinite(low):
        name = f"{headline.phase} {headline.scorer} {headline.smoothing}"
        lines.append(
            f"micro AUC of {name}: {headline.micro_auc:.3f}, 95 % interval {low:.3f} to {high:.3f} (bootstrap over "
            f"{len(manifest.videos)} videos)"
        )
    if np.isfinite(headline.rbdc):
        annotated = video_regions(manifest)
        lines.append(
            f"RBDC and TBDC are of {len(annotated)} of {len(manifest.videos)} videos: regions are annotated there"
        )
    notes = dict.fromkeys((row.scorer, row.note) for row in rows if row.note)
    return [*lines, *(f"note on {scorer}: {note}" for scorer, note in notes)]
