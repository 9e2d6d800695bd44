"""The layout: one package, files of a size to be read, imports one way."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from launching import ROOT

MODULES = sorted(
    path
    for folder in ("dist_vad", "launch", "shards", "slurm", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)


def test_no_module_has_more_than_400_lines():
    long = {str(path.relative_to(ROOT)): count for path in MODULES if (count := path.read_text().count("\n")) > 400}
    assert not long


def test_no_folder_has_more_than_20_modules():
    full = {
        str(folder.relative_to(ROOT)): count
        for folder, count in Counter(p.parent for p in MODULES).items()
        if count > 20
    }
    assert not full


def test_imports_go_one_way():
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_message_names_a_script_that_an_installed_user_lacks():
    named = []
    for path in (ROOT / "dist_vad").rglob("*.py"):
        if path.parent.name != "cli":  # docstrings there say how a command is started from a checkout
            lines = path.read_text().splitlines()
            named += [
                f"{path.name}: {line.strip()}" for line in lines if "launch/" in line or "shards/write.py" in line
            ]
    assert not named
