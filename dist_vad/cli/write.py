"""Cut a data set into shards.

dist-vad shards write --config FILE --out DIR|s3://BUCKET/PREFIX [--on_error skip] [--KEY VALUE ...]

Many ranks share out the videos: `accelerate launch shards/write.py ...` or `srun python shards/write.py ...`.
"""

from pathlib import Path
from typing import Literal

from dist_vad.base.errors import InputError, entry_point
from dist_vad.base.log import log
from dist_vad.settings.data import DataSettings, unused
from dist_vad.settings.parsing import CONFIGS, Command, Option, parse

OUT = Option("out", str | None, None, "folder or s3://bucket/prefix for the shard sets (required)")
ON_ERROR = Option(
    "on_error",
    Literal["stop", "skip"],
    "stop",
    "videos that do not open or decode: stop, once all others are done, or skip them and list them in the manifest",
)
SCRATCH = Option(
    "scratch",
    str | None,
    None,
    "folder for the shards of the video in work, before they go to s3:// (where the system has its temporary files)",
)
COMMAND = Command(DataSettings, "Cut a data set into shards.", CONFIGS / "data/plaza.yaml", (OUT, ON_ERROR, SCRATCH))


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    if options.out is None:
        raise InputError("--out is missing; give the folder or s3://bucket/prefix for the shard sets")
    from dist_vad.producer.job import WriteOptions, write_shards
    from dist_vad.producer.ranks import Rank

    for remark in unused(settings, options.asked):
        log.warning("remark: %s", remark)
    rank = Rank.of()
    scratch = Path(options.scratch) if options.scratch else None
    # Bars of many ranks would write over each other.
    write_shards(settings, options.out, WriteOptions(rank, options.on_error, rank.number == 0, scratch))
