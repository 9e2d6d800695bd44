"""`metrics.json`, in which an evaluation notes its table: what is read of it later is what was measured, or refused."""

from pathlib import Path
from typing import Any

from dist_vad.base.sealed import read_sealed, write_sealed
from dist_vad.base.text.jsonable import without_nan

METRICS = "metrics.json"
KEYS = ("final", "rows", "provenance")
"""`final` is the row of the headline, `rows` are those of the table."""


def write_metrics(run: Path, **facts: Any) -> None:
    """Write the file, with the digest of its facts, into a run's folder. `facts`: values for KEYS; nan becomes null."""
    write_sealed(run / METRICS, without_nan(facts))


def read_metrics(path: Path) -> dict[str, Any]:
    """The facts of the file. Raises Damaged for any other than were written, FileNotFoundError where it is missing.

    Files that were written before there were digests are taken as they are.
    """
    return read_sealed(path, KEYS)
