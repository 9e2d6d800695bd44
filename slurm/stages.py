"""The stages of a table, for slurm/ablation.sh, which trains each in a job of its own.

python slurm/stages.py open [ARGUMENTS OF launch/ablation.py]     those to do, parents first: key, parent's or -, name
python slurm/stages.py folder [ARGUMENTS ...]                     folder of the state of the stage that --stage names;
                                                                  nothing without --stage, or without shards
"""

import json
import subprocess
import sys
from typing import Any


def listed(arguments: list[str]) -> list[dict[str, Any]]:
    """What launch/ablation.py says of its stages; where it refuses its arguments, so does this."""
    ask = [sys.executable, "launch/ablation.py", *arguments, "--list", "json"]
    answer = subprocess.run(ask, stdout=subprocess.PIPE, text=True)
    if answer.returncode:
        sys.exit(answer.returncode)
    return json.loads(answer.stdout)


def main() -> None:
    what, *rest = sys.argv[1:]
    if what == "folder":
        key = rest[rest.index("--stage") + 1] if "--stage" in rest else None
        print(*(stage["folder"] for stage in listed(rest) if stage["key"] == key and stage["folder"]))
        return
    for stage in listed(rest):
        if not stage["done"]:
            # A job's name is one word.
            print(stage["key"], stage["parent"] or "-", stage["name"].replace(" ", ""))


if __name__ == "__main__":
    main()
