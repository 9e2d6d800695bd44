"""CPU seconds of the demo's evaluation beside those of an earlier commit, in turns, on the same shards.

python benchmarks/evaluation_before.py [--commit ff8abbf] [--turns 1] [--shards SHARDS --config CONFIG ...]

Of both commits, each stage of the demo is trained for two steps, which is not counted: what scoring costs does not
depend on the weights. Then the test set is scored by four networks, their calibrations made anew each time. Heads are
not fitted (`score.refit` 0): the earlier commit could not. Today's side scores as fast as this machine can, which is in
bf16 where the CPU has AMX (`score.precision`); the line tells. Other shards are taken with the configuration that they
were written by, and with further settings of today's side. The last line is JSON.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dist_vad.base.machine import has_amx
from dist_vad.producer.job import WriteOptions, write_shards
from dist_vad.settings.data import DataSettings, PlazaSettings

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("perception", "comprehension", "inference")
FAST = ("--train.precision", "auto", "--score.precision", "auto")
STEPS = [word for stage in STAGES for word in (f"--curriculum.{stage}.steps", "2")]


@dataclass(frozen=True)
class Side:
    """One of the commits, with its run."""

    root: Path
    config: str
    run: Path
    shards: Path
    more: tuple[str, ...] = ()

    def launch(self, script: str) -> float:
        """CPU seconds of a script of this commit."""
        command = [str(Path(sys.executable).with_name("accelerate")), "launch"]
        command += ["--config_file", "configs/accelerate/cpu1.yaml", f"launch/{script}.py", "--config", self.config]
        command += ["--run", str(self.run), "--shards", str(self.shards), *STEPS, *self.more]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        surroundings = {**os.environ, "PYTHONPATH": str(self.root), "OMP_NUM_THREADS": "1"}
        subprocess.run(command, cwd=self.root, env=surroundings, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def evaluate(self) -> float:
        """CPU seconds of a whole evaluation: nothing of an earlier one is left."""
        shutil.rmtree(self.run / "scores", ignore_errors=True)
        for kept in self.run.rglob("*calibration*.safetensors"):
            kept.unlink()
        return self.launch("evaluate")


def as_before(shards: Path, out: Path) -> None:
    """The same tars under manifests without what the earlier commit does not know."""
    for path in shards.glob("*/*"):
        (out / path.parent.name).mkdir(parents=True, exist_ok=True)
        if path.suffix != ".json":
            (out / path.parent.name / path.name).symlink_to(path.resolve())
            continue
        manifest = json.loads(path.read_text(encoding="utf-8"))
        manifest.pop("facts_sha256", None)
        for video in manifest["videos"]:
            video.pop("span", None)  # which frames of a video a set has; what they cost is the same
        (out / path.parent.name / path.name).write_text(json.dumps(manifest), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--commit", default="ff8abbf")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--shards", type=Path, help="those of the demo, where they are there already")
    parser.add_argument("--config", default="configs/default.yaml", help="by which the shards were written")
    given, settings = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as cleared:
        folder, git = Path(name), ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(folder / "commit"), given.commit], check=True)
        cleared.callback(subprocess.run, [*git, "remove", "--force", str(folder / "commit")], check=True)
        shards = given.shards or folder / "shards"
        if not given.shards:
            data = DataSettings(plaza=PlazaSettings(train_videos=48), train_stride=4, test_stride=2, virtual_stride=2)
            write_shards(data, shards, WriteOptions(progress=False))
        as_before(shards, folder / "shards_before")
        sides = [
            Side(folder / "commit", "configs/demo.yaml", folder / "before", folder / "shards_before"),
            Side(ROOT, given.config, folder / "now", shards.resolve(), ("--score.refit", "0", *FAST, *settings)),
        ]
        for side in sides:
            side.launch("progressive")
        before, now = (min(seconds) for seconds in zip(*[[s.evaluate() for s in sides] for _ in range(given.turns)]))
    figures = {
        "evaluation_cpu_seconds": now,
        "evaluation_cpu_seconds_before": before,
        "evaluation_cpu_vs_before": now / before,
    }
    print(json.dumps({"amx": has_amx(), **{key: round(value, 3) for key, value in figures.items()}}))


if __name__ == "__main__":
    main()
