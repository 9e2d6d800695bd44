"""What a run has left behind."""

from pathlib import Path

from dist_vad.curriculum.state import read_state


def digests(run: Path) -> dict[str, str]:
    """Folder of a state -> digest of its weights."""
    return {path.name: read_state(path).digest for path in (run / "states").iterdir()}
