"""What a command tells of its work: through `logging`, on stderr. A command's result goes to stdout by print alone.

    from dist_vad.base.log import log

    log.info("note: %s", text)

Levels: INFO for what a user wants to see while it works, WARNING for what looks wrong but does not stop the work, DEBUG
for what helps to find a fault. `--quiet` shows warnings alone.
"""

import logging
import os
import sys

from tqdm import tqdm

from dist_vad.base.text.redact import redacted

log = logging.getLogger("dist_vad")
"""The logger of the whole package. Without `set_up`, as in a program of one's own, it does what that program says."""

PLAIN = "%(message)s"
STAMPED = "%(asctime)s %(levelname).1s %(message)s"


class BesideBars(logging.Handler):
    """Writes lines to stderr, above any progress bar that is being drawn there."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(redacted(self.format(record)), file=sys.stderr)
        sys.stderr.flush()


def set_up(quiet: bool = False) -> None:
    """Show the log of a command: on the first rank from INFO on, on other ranks warnings alone, as with `quiet`.

    In a job of Slurm lines carry the time: its log is read hours later.
    """
    handler = BesideBars()
    handler.setFormatter(logging.Formatter(STAMPED if "SLURM_JOB_ID" in os.environ else PLAIN, "%Y-%m-%d %H:%M:%S"))
    log.handlers, log.propagate = [handler], False
    first = os.environ.get("RANK", "0") == "0"
    log.setLevel(logging.INFO if first and not quiet else logging.WARNING)
