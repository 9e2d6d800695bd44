"""Cut a data set into shards.

python shards/write.py --config configs/data/plaza.yaml --out DIR [--dotted.overrides ...]
"""

from pathlib import Path

from dist_vad.commandline import CONFIGS, Option, parse
from dist_vad.config import DataSettings
from dist_vad.errors import InputError, entry_point
from shards.job import write_shards

OUT = Option("out", str | None, None, "folder for the shard sets (required)")


@entry_point
def main() -> None:
    try:
        settings, options = parse(DataSettings, "Cut a data set into shards.", CONFIGS / "data/plaza.yaml", (OUT,))
    except ValueError as error:  # a value that its settings refuse
        raise InputError(f"{error}") from error
    if options.out is None:
        raise InputError("--out is missing; give the folder for the shard sets")
    write_shards(settings, Path(options.out))


if __name__ == "__main__":
    main()
