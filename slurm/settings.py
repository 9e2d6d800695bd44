"""What the batch scripts must know of the settings of a run.

python slurm/settings.py place [--config FILE] [--dotted.overrides ...]    RUN=... SHARDS=..., for the shell
python slurm/settings.py data [--config FILE] [--dotted.overrides ...]     the settings of the producer, as JSON
"""

import dataclasses
import json
import shlex
import sys

from dist_vad.base.errors import entry_point
from dist_vad.settings.parsing import DEFAULT_CONFIG, Command, Option, parse
from dist_vad.settings.run import Settings


def read() -> Settings:
    """The settings that the command line gives."""
    return parse(Command(Settings, "Settings of a run.", DEFAULT_CONFIG, options("state", "phase")))[0]


def options(*names: str) -> tuple[Option, ...]:
    """Those of the entry points, of which nothing is needed here."""
    return tuple(Option(name, str | None, None, f"--{name} of the entry point") for name in names)


@entry_point
def main() -> None:
    what = sys.argv.pop(1)
    settings = read()
    if what == "data":
        print(json.dumps(dataclasses.asdict(settings.data), indent=1))
    else:
        print(f"RUN={shlex.quote(settings.run)} SHARDS={shlex.quote(settings.shards)}")


if __name__ == "__main__":
    main()
