"""The two recipes for images, read as what they do: copy files, run commands."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

from launching import ROOT

DOCKERFILE, APPTAINER = ROOT / "deploy/Dockerfile", ROOT / "deploy/apptainer.def"
Copies = list[tuple[str, str]]
"""Path in the repository, path in the image."""


def dockerfile() -> tuple[Copies, list[str]]:
    """What it copies, and the commands that it runs."""
    text = re.sub(r"\\\n\s*", "", DOCKERFILE.read_text())
    copies: Copies = []
    for line in re.findall(r"^COPY (.+)$", text, re.M):
        *sources, place = line.split()
        copies += [(source, place + Path(source).name if place.endswith("/") else place) for source in sources]
    return copies, re.findall(r"^RUN (.+)$", text, re.M)


def apptainer() -> dict[str, list[str]]:
    """The lines of its sections by name."""
    parts = re.split(r"^%(\w+)\n", APPTAINER.read_text(), flags=re.M)
    return {
        name: [line.strip() for line in body.splitlines() if line.strip()]
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def apptainer_copies() -> Copies:
    """What its section %files copies."""
    return [(source, place) for source, place in map(str.split, apptainer()["files"])]


def copy_into(root: Path, copies: Copies) -> None:
    """Copy the files of the repository into an image's root."""
    for source, place in copies:
        to = root / place.lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, to)


def run_in(root: Path, command: str, *, user: str = "0:0", folder: str = "/", **variables: str) -> str:
    """A command of the image, in its root and nowhere else; what it printed."""
    clean = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **variables}
    settings = [f"{name}={value}" for name, value in clean.items()]
    inner = f"cd {shlex.quote(folder)} && {command}"
    words = ["env", "-i", *settings, "chroot", f"--userspec={user}", str(root), "/bin/sh", "-c", inner]
    done = subprocess.run(words, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout
