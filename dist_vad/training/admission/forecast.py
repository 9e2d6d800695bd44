"""What a run is going to do, before it does it: stages, what is there of each, and how long the rest will take."""

from pathlib import Path

from dist_vad.base.progress import duration
from dist_vad.base.sealed import read_or, read_sealed
from dist_vad.curriculum.recipes import Stage, finished_state
from dist_vad.settings.run import Settings
from dist_vad.training.checkpoint import CHECKPOINT, OLD_FACTS


def plan_lines(settings: Settings, stages: list[Stage]) -> list[str]:
    """One line a stage, and one for the whole. Times are those of rates measured in this run's folder, no guesses."""
    rates = measured_rates(settings, stages)
    rows, total = [], 0.0
    for stage in stages:
        tasks = " + ".join(f"{weight:g} {task}" for task, weight in stage.weights.items())
        steps, done = stage.settings.steps, steps_done(settings, stage)
        if done == steps:
            status = "done" if steps else "nothing to learn"
        else:
            rate = rates.get(frozenset(stage.weights))
            seconds = (steps - done) * stage.settings.global_batch / rate if rate else float("nan")
            total += seconds
            begun = f"from step {done} of {steps}" if done else f"{steps} steps"
            status = f"{begun}, {_forecast(seconds)}"
        rows.append((stage.folder_name, tasks, status))
    first, second = (max(len(row[place]) for row in rows) for place in (0, 1))
    lines = [f"  {name:{first}}  {tasks:{second}}  {status}" for name, tasks, status in rows]
    return [*lines, f"  to train: {_forecast(total)}"] if total else lines


def steps_done(settings: Settings, stage: Stage) -> int:
    """Steps of a stage that need not be done again."""
    if finished_state(settings, stage):
        return stage.settings.steps
    return max((int(path.parent.name.removeprefix("step-")) for path in _markers(settings, stage)), default=0)


def measured_rates(settings: Settings, stages: list[Stage]) -> dict[frozenset[str], float]:
    """Tasks -> samples per second at which stages of these tasks were trained in this run's folder."""
    rates = {}
    for stage in stages:
        facts = [read_or(path, {}, lambda path: read_sealed(path, OLD_FACTS)) for path in _markers(settings, stage)]
        state = finished_state(settings, stage)
        for measured in [*facts, *([state.metrics] if state else [])]:
            if measured.get("samples_per_second"):
                rates[frozenset(stage.weights)] = measured["samples_per_second"]
    return rates


def _markers(settings: Settings, stage: Stage) -> list[Path]:
    """Of the stage's checkpoints in this run's folder, oldest first."""
    return sorted((Path(settings.run) / "training" / stage.folder_name).glob(f"step-*/{CHECKPOINT}"))


def _forecast(seconds: float) -> str:
    return "time unknown until measured" if seconds != seconds else f"about {duration(seconds)}"
