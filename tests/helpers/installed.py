"""dist_vad as others have it: installed from its wheel, outside of any checkout."""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from launching import ROOT


def build_wheel(folder: Path, source: Path = ROOT) -> Path:
    """The wheel of this checkout (or of what else has its pyproject.toml), built without a download."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*command, "--wheel-dir", str(folder), str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


class Installed:
    """An environment of its own with the wheel in it. What dist_vad depends on is lent by the environment of the tests,
    except for what `without` names."""

    def __init__(self, folder: Path, wheel: Path, without: tuple[str, ...] = ()) -> None:
        self.bin = folder / "bin"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        python = str(self.bin / "python")
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index"]
        subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
        (self.site,) = (folder / "lib").glob("python*/site-packages")
        # After dist_vad itself: pip would take one that is lent for an old version to be removed.
        (self.site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
        if without:
            (self.site / "without.py").write_text(WITHOUT.format(names=without))
            (self.site / "lent.pth").open("a").write("import without\n")

    def run(self, *command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """A command of that environment, in a folder that is no checkout, expected to succeed."""
        done = self.try_(*command, cwd=cwd, **variables)
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done

    def try_(self, *command: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        """As `run`, whatever comes of it."""
        surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        surroundings |= {"OMP_NUM_THREADS": "1", **variables}
        program = [str(self.bin / command[0]), *command[1:]]
        return subprocess.run(program, capture_output=True, text=True, timeout=300, cwd=cwd, env=surroundings)


WITHOUT = '''
import sys


class Missing:
    """Hides packages, as if they were not installed."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Missing())
'''

TINY = {
    "data": {
        "plaza": {"train_videos": 4, "test_videos": 2, "virtual_videos": 8, "frames": 60},
        "train_stride": 3, "test_stride": 4, "virtual_stride": 3, "virtual_size": 48,
    },
    "stream": {"streams": 8}, "model": {"width": 4, "embedding": 16},
    "score": {"batch": 16, "calibration": 64, "refit": 3},
    "curriculum": "pre > sr > virtual", "stage": {"steps": 4, "global_batch": 8, "validate_every": 0},
    "train": {"tracker": "none", "cpu_threads": 1},
}  # fmt: skip


def tiny_config(path: Path, **changes: object) -> Path:
    """A configuration that any command is done with in seconds. (JSON is YAML.)"""
    path.write_text(json.dumps({**TINY, **changes}))
    return path
