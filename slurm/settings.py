"""What the batch scripts must know of the settings of a run, or of a table of runs (CONFIGURES=table).

python slurm/settings.py place [--config FILE] [--dotted.overrides ...]    RUN=... SHARDS=..., for the shell
python slurm/settings.py data [--config FILE] [--dotted.overrides ...]     the settings of the producer, as JSON
"""

import dataclasses
import json
import os
import shlex
import sys

from dist_vad.commandline import CONFIGS, Option, parse
from dist_vad.config import Settings
from dist_vad.errors import entry_point


def read() -> Settings:
    """The settings that the command line gives: those of a run, or those that the runs of a table have in common."""
    if os.environ.get("CONFIGURES") != "table":
        return parse(Settings, "Settings of a run.", CONFIGS / "default.yaml", options("state", "phase"))[0]
    from dist_vad.config_ablation import AblationSettings

    further = options("stage", "seeds", "only")
    return parse(AblationSettings, "Settings of a table.", CONFIGS / "ablation/table3.yaml", further)[0].base


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
