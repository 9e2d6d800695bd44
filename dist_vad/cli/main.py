"""`dist-vad COMMAND ...`: every command under one name. A command is imported only once it is asked for.

dist-vad train --config FILE --run DIR
"""

import sys
from importlib import import_module

from dist_vad.base.errors import InputError, entry_point

COMMANDS = {
    "demo": ("demo", "from generated video to AUC and report, minutes on two cores"),
    "shards write": ("write", "cut a data set into shards"),
    "shards check": ("check", "look at a data set before any long job"),
    "shards verify": ("verify", "check shard sets, and repair them"),
    "train": ("progressive", "train the whole curriculum, stage after stage"),
    "phase": ("phase", "train one stage of the curriculum"),
    "evaluate": ("evaluate", "score the test video: table, metrics.json, report.html"),
    "validate": ("validate", "validation AUC on synthetic anomalies, to choose a model by"),
    "score": ("score", "score any video, camera or stream by a trained state"),
    "judge": ("judge", "judge anybody's frame scores: table, protocol check, differences, a page"),
    "watch": ("watch", "watch cameras: events as they happen, clips, a live page"),
    "ablation": ("ablation", "train and measure all rows of a table as one job"),
    "export": ("export", "export a state, so that video is scored without torch"),
    "push": ("push", "push a state to a folder, a bucket or a hub, with a model card"),
    "pull": ("pull", "pull a state from a folder, a bucket, a hub or a web server"),
    "config": ("config", "list, show or copy the configurations that ship with the package"),
    "plan": ("plan", "what a run costs before it is started: what each rank reads, hours"),
    "explain": ("explain", "which samples make up a global batch, and which rank reads them"),
}
"""Command -> its module in dist_vad.cli, and what it does."""


def usage() -> str:
    """All commands with what they do."""
    rows = [f"  {name:14} {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(["usage: dist-vad COMMAND [--help] ...", "", "commands:", *rows])


@entry_point
def main() -> None:
    words = sys.argv[1:]
    if not words or words[0] in ("-h", "--help"):
        print(usage())
        return
    if words[0] == "--version":
        from importlib.metadata import version

        print(version("dist-vad"))
        return
    length = 2 if words[0] == "shards" else 1
    name = " ".join(words[:length])
    if name not in COMMANDS:
        raise InputError(f"there is no command {name!r}; allowed: {', '.join(COMMANDS)}")
    sys.argv = [f"dist-vad {name}", *words[length:]]
    import_module(f"dist_vad.cli.{COMMANDS[name][0]}").main()
