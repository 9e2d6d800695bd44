"""Progress bars, on a terminal and in the log of a job, and times as people read them."""

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

TERMINAL, LOG = 0.2, 20.0
"""Least seconds between two updates: a log file keeps every one of them."""


def progress_bar(iterable: Iterable | None = None, **options: Any) -> tqdm:
    """A bar on stderr; `options` as of tqdm."""
    interval = TERMINAL if sys.stderr.isatty() else LOG
    return tqdm(iterable, mininterval=interval, maxinterval=max(interval, 10.0), **options)


def duration(seconds: float) -> str:
    """A time in its two largest units: `5 min 03 s`, `3 h 05 min`."""
    minutes, hours = int(seconds) // 60 % 60, int(seconds) // 3600
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {int(seconds) % 60:02} s"
