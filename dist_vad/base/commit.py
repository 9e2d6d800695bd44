"""Which code this is."""

import subprocess
from pathlib import Path


def commit() -> str:
    """The git commit of the code, with a + where the tree has changes; `unknown` outside a checkout of its own."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():  # an installed package may lie within a repository of the user's
        return "unknown"
    ask = ["git", "-C", str(root)]
    try:
        name = subprocess.run([*ask, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run([*ask, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name.stdout.strip() + ("+" if changes.stdout.strip() else "")
