"""What the batch scripts must know of a run's settings, told in the shell's language.

python slurm/settings.py [--config FILE] [--dotted.overrides ...]          RUN=... SHARDS=...
python slurm/settings.py data [--config FILE] [--dotted.overrides ...]     the settings of the producer, as JSON
"""

import dataclasses
import json
import shlex
import sys

from dist_vad.commandline import CONFIGS, Option, parse
from dist_vad.config import Settings
from dist_vad.errors import entry_point

OPTIONS = tuple(Option(name, str | None, None, f"--{name} of an entry point") for name in ("state", "phase"))


@entry_point
def main() -> None:
    data = sys.argv[1:2] == ["data"]
    if data:
        del sys.argv[1]
    settings, _ = parse(Settings, "The run's folder and shards.", CONFIGS / "default.yaml", OPTIONS)
    if data:
        print(json.dumps(dataclasses.asdict(settings.data), indent=1))
    else:
        print(f"RUN={shlex.quote(settings.run)} SHARDS={shlex.quote(settings.shards)}")


if __name__ == "__main__":
    main()
