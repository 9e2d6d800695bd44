"""benchmarks/gpu.sh: what it lists, and that each of its parts runs, at a tiny size without a GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from launching import ROOT

PARTS = ("device", "tests", "speed", "choices", "evaluation", "detector", "stages")


def gpu_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    surroundings = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    surroundings.pop("YOLO_WEIGHTS", None)
    command = ["bash", str(ROOT / "benchmarks/gpu.sh"), "--python", sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=1800, env=surroundings)


def test_a_dry_run_lists_every_part_with_its_minutes_and_runs_none(tmp_path):
    done = gpu_script("--dry-run", "--out", str(tmp_path / "out"))
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert [row[0] for row in rows] == list(PARTS)
    assert sum(float(row[1]) for row in rows) > 0 and not (tmp_path / "out").exists()


def test_an_unknown_part_is_refused_by_name():
    done = gpu_script("--dry-run", "flight")
    assert done.returncode == 2 and "no part 'flight'" in done.stderr


@pytest.mark.slow
def test_without_a_gpu_every_part_runs_at_a_tiny_size_and_only_once(tmp_path):
    done = gpu_script("--out", str(tmp_path))
    logs = "".join(path.read_text()[-2000:] for path in sorted(Path(tmp_path).glob("*.log")))
    assert done.returncode == 0, done.stderr + logs
    found = {part: json.loads((tmp_path / f"{part}.json").read_text()) for part in PARTS}
    assert found["speed"]["width_4"]["bf16_to_fp32"] > 0 and found["stages"] == {"finished": True, "states": 3}
    assert len((tmp_path / "PERFORMANCE.md").read_text().splitlines()) == len(PARTS)
    again = gpu_script("--out", str(tmp_path))
    assert again.stdout.count("done before") == len(PARTS)
