"""Look at a data set before any long job: what is there, what is missing, what does not match what was published.

dist-vad shards check --dataset NAME --root DIR [--labels FILE] [--decode]
"""

import dataclasses
from pathlib import Path

from dist_vad.base.errors import InputError, entry_point
from dist_vad.settings.data import DataSettings
from dist_vad.settings.parsing import Command, Option, parse

DECODE = Option("decode", bool, False, "count frames by decoding them, not as containers state")
COMMAND = Command(
    DataSettings,
    "Look at a data set before any long job: what is there, what is missing, what is not as published.",
    options=(DECODE,),
    aliases={"data": "dataset"},
)


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    if settings.root is not None and not Path(settings.root).is_dir():
        raise InputError(f"--root {settings.root} does not exist; give the folder of the data set")
    from dist_vad.producer.check import check

    if not check(dataclasses.replace(settings, labels_mismatch="clip"), options.decode):
        raise InputError("the data set is not as published; see the lines above")
