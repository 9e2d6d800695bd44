"""What `import dist_vad` offers that no single module below does."""

import dataclasses
from pathlib import Path
from typing import Any


def evaluate(state: str | Path, *, out: str | Path, shards: str | None = None) -> dict[str, Any]:
    """Score the test video of a shard set by a state and its ancestors, as `dist-vad evaluate` does.

    Args:
        state: folder of the state, within the run that made it.
        out: folder for scores, table, metrics.json and report.html.
        shards: folder, or s3://bucket/prefix, of the shard sets; not given = those that the state was trained on.

    Returns what `metrics.json` holds: `rows` are those of the table, `final` is the headline.
    Raises InputError where the run's settings or the shard sets are not at hand.

    Example:
        metrics = dist_vad.evaluate("runs/demo/states/inference-…", out="judged")
        print(metrics["final"]["micro_auc"])
    """
    from dist_vad.curriculum.heads import asked
    from dist_vad.curriculum.state import read_state
    from dist_vad.evaluation.run import evaluate_state
    from dist_vad.inference.detector import run_settings
    from dist_vad.metrics.results_file import METRICS, read_metrics
    from dist_vad.training.accelerators import make_accelerator
    from dist_vad.training.refit import fit_heads

    opened = read_state(Path(state))
    settings = run_settings(opened)
    # No tracker: this is no training run, and the program that calls may have its own.
    train = dataclasses.replace(settings.train, tracker="none")
    settings = dataclasses.replace(settings, run=str(out), shards=shards or settings.shards, train=train)
    accelerator = make_accelerator(settings.train, Path(out))
    fit_heads(settings, asked(settings, opened), accelerator)
    evaluate_state(settings, opened, accelerator)
    return read_metrics(Path(out) / METRICS)
