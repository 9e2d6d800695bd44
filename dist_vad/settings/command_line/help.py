"""The help of a command: a screen or two of what is used most, or every setting."""

import argparse
import sys
import textwrap
from pathlib import Path

from dist_vad.base.text.columns import terminal_width

COMMON = (
    "run", "shards", "seed", "curriculum", "stage.steps", "stage.global_batch", "stage.learning_rate", "stages",
    "data.dataset", "data.root", "data.labels", "data.detector.name", "model.width", "train.precision", "train.ranks",
    "train.micro_batch", "train.tracker", "score.calibration", "evaluate.smoothing",
    "dataset", "root", "labels", "detector.name", "detector.boxes", "train_stride", "test_stride", "val_share",
    "out", "table", "base.run", "base.shards", "base.data.root", "base.seed", "scorer", "online", "scene", "fps", "mp4",
    "events.false_alarms", "smoothing", "ground_truth", "higher", "repeat", "missing", "regions", "threshold",
    "published", "record",
)  # fmt: skip
"""What `--help` shows of the settings, where a command has them, in this order."""


def short_help(parser: argparse.ArgumentParser, options: list[str]) -> str:
    """The command's own options, then the settings of COMMON, each with the first sentence on it."""
    actions = {action.dest: action for action in parser._actions if action.help != argparse.SUPPRESS}
    own = [name for name in ("config", *options, "quiet") if name in actions]
    common = [key for key in COMMON if key in actions and key not in own]
    lines = [*_head(parser), "options:", *_listed(actions, own, True)]
    if common:
        lines += ["", "settings, those used most:", *_listed(actions, common, True)]
    rest = len([key for key in actions if key not in (*own, *common)])
    if rest:
        lines += ["", f"--help-all explains {rest} more."]
    return "\n".join(lines)


def whole_help(parser: argparse.ArgumentParser, options: list[str]) -> str:
    """Every option and setting with all that is known of it, group by group."""
    actions = {action.dest: action for action in parser._actions if action.help != argparse.SUPPRESS}
    own = [name for name in ("config", *options, "quiet") if name in actions]
    lines = [*_head(parser), "options:", *_listed(actions, own, False)]
    groups: dict[str, list[str]] = {}
    for key in actions:
        if key not in own and key not in ("help", "print_config"):
            groups.setdefault(key.rpartition(".")[0], []).append(key)
    for group, keys in groups.items():
        keys = [key for key in keys if key not in groups]
        lines += ["", f"{group or 'settings'}:", *_listed(actions, keys, False)]
    return "\n".join(lines)


def _head(parser: argparse.ArgumentParser) -> list[str]:
    positional = "".join(f" [{action.dest.upper()} ...]" for action in parser._actions if not action.option_strings)
    usage = f"usage: {Path(sys.argv[0]).name}{positional} [--config FILE] [--KEY VALUE ...]"
    return [usage, "", *textwrap.wrap(parser.description or "", _width()), ""]


def _listed(actions: dict[str, argparse.Action], keys: list[str], short: bool) -> list[str]:
    lines = []
    for key in keys:
        action = actions[key]
        name = f"--{key}" if action.option_strings else key.upper()
        text = " ".join((action.help or "").replace("%%", "%").split())
        known = text[text.index("Known: ") :] if short and "Known: " in text else ""
        text = f"{text.split('. ')[0].rstrip('.')}. {known}" if short else text
        default = action.default
        shown = f" (default: {default})" if isinstance(default, str | int | float) and action.nargs != 0 else ""
        lines.append(f"  {name}")
        lines += textwrap.wrap(text.strip() + shown, _width(), initial_indent=" " * 6, subsequent_indent=" " * 6)
    return lines


def _width() -> int:
    return min(100, terminal_width())
