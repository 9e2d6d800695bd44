"""Where a run stands: for people, and for a batch script that must not be started again for nothing.

python slurm/progress.py status RUN                      stage, step, loss, requeues, time left
python slurm/progress.py position RUN [--stage NAME] [--shards ROOT]
                                                         what is done and kept, line by line: the same text, no progress
"""

import argparse
import subprocess
import time
from pathlib import Path
from typing import Any

from dist_vad.base.errors import Damaged, entry_point
from dist_vad.base.progress import duration
from dist_vad.base.sealed import read_or, read_sealed
from dist_vad.data.store import open_store

STATE, CHECKPOINT = "state.json", "checkpoint.json"
"""Markers of dist_vad.curriculum.state and dist_vad.training.checkpoint, which take seconds to import."""
RUN_KEYS = ("command", "started", "commit", "settings", "versions", "python", "machine", "hardware", "ranks")
"""Of dist_vad.settings.provenance, which does so too."""


def position(run: Path, stage: str = "", shards: str = "") -> list[str]:
    """What a restart of a run goes on from. Only what is whole is listed, so a step that will be repeated is not.

    Args:
        stage: folder name of the one stage to look at; all where it is empty.
        shards: folder or s3://bucket/prefix of shard sets to look at as well.
    """
    lines = [f"state {path.parent.name}" for path in sorted(run.glob(f"states/{stage or '*'}/{STATE}"))]
    newest: dict[str, str] = {}
    for name in open_store(_checkpoints(run)).sizes():
        folder, _, rest = name.partition("/")
        if stage in ("", folder) and rest.endswith(f"/{CHECKPOINT}"):
            newest[folder] = max(newest.get(folder, ""), rest.removesuffix(f"/{CHECKPOINT}"))
    lines += [f"checkpoint {folder} {step}" for folder, step in sorted(newest.items())]
    measured = sum(1 for _ in run.glob(f"ablation/measured/{stage}*.json"))
    lines += [f"measured {measured}"] if measured else []
    if not stage:
        lines.append(f"scored parts {sum(1 for _ in run.glob('scores/*.parquet'))}")
    if shards:
        names = open_store(shards).sizes()
        lines.append(f"shards {sum(name.endswith('.tar') for name in names)}")
    return lines


def _checkpoints(run: Path) -> str:
    """The folder or s3://bucket/prefix of a run's checkpoints."""
    path = run / "run.json"
    facts = read_or(path, {}, lambda path: read_sealed(path, RUN_KEYS))
    return facts.get("settings", {}).get("train", {}).get("checkpoints") or str(run / "training")


def status(run: Path, now: float) -> list[str]:
    """The lines of slurm/status.sh."""
    return [f"run       {run}", *_training(run, now), *_jobs(run), *(f"kept      {line}" for line in position(run))]


def _training(run: Path, now: float) -> list[str]:
    path = run / "progress.json"
    try:
        facts: dict[str, Any] = read_sealed(path)
    except FileNotFoundError:
        return ["stage     none has begun"]
    except Damaged as error:
        return [f"stage     unknown: {error}"]
    loss = facts["loss"]
    losses = ", ".join(f"{name} {value:.4g}" for name, value in loss.items()) if isinstance(loss, dict) else f"{loss}"
    return [
        f"stage     {facts['stage']}, step {facts['step']} of {facts['steps']}",
        f"loss      {losses}",
        f"speed     {facts['samples_per_second']:.1f} samples/s, {duration(facts['seconds_left'])} left in this stage",
        f"written   {duration(max(0.0, now - path.stat().st_mtime))} ago",
    ]


def _jobs(run: Path) -> list[str]:
    folders = sorted(run.glob("slurm/job-*"), key=lambda path: int(path.name.removeprefix("job-")))
    starts = {folder.name.removeprefix("job-"): len(list(folder.glob("start-*"))) for folder in folders}
    lines = [f"requeues  {sum(max(0, count - 1) for count in starts.values())}"]
    queue = _queue()
    for job, count in starts.items():
        lines.append(f"job {job:5} start {count}, {queue.get(job, 'no longer in the queue')}")
        endings = sorted(folders[0].parent.glob(f"job-{job}/start-*/ended"), key=lambda path: path.stat().st_mtime)
        lines += [f"          {path.read_text().strip()}" for path in endings]
    return lines


def _queue() -> dict[str, str]:
    """Job -> its state, its nodes or why it waits, and the time left of its limit, of all jobs in the queue."""
    ask = ["squeue", "--noheader", "--array", "--format=%A|%T|%R|%L"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"": f"{error}"}
    rows = [line.split("|") for line in answer.stdout.splitlines()]
    return {job: f"{state} {where}, {left} left of its time limit" for job, state, where, left in rows}


@entry_point
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("status", "position"))
    parser.add_argument("run", type=Path)
    parser.add_argument("--stage", default="")
    parser.add_argument("--shards", default="")
    given = parser.parse_args()
    lines = status(given.run, time.time()) if given.what == "status" else position(given.run, given.stage, given.shards)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
