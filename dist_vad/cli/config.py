"""The configurations that ship with dist_vad: list them, read one, or copy one to change it.

dist-vad config list | show NAME | copy NAME [--to DIR]
"""

import textwrap
from dataclasses import dataclass
from pathlib import Path

from dist_vad.base.errors import InputError, entry_point
from dist_vad.base.files import write_bytes
from dist_vad.base.text.columns import terminal_width
from dist_vad.settings.command_line.configs import CONFIGS, config_names, first_comment, shipped_config, with_references
from dist_vad.settings.parsing import Command, Option, parse


@dataclass(kw_only=True)
class ConfigSettings:
    """Where copies go."""

    to: str = "configs"
    """For copy: folder in which the copy lies as it does here, such as DIR/ucsd/model_sota.yaml."""


WORDS = Option("what", str, [], "list, show NAME or copy NAME", positional=True)
COMMAND = Command(ConfigSettings, "List, show or copy the configurations that ship with dist_vad.", options=(WORDS,))


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    match options.what:
        case ["list"]:
            print(_listed())
        case ["show", name]:
            print(shipped_config(name).read_text(encoding="utf-8"), end="")
        case ["copy", name]:
            _copy(shipped_config(name), Path(settings.to))
        case given:
            found = " ".join(given) or "nothing"
            raise InputError(f"{found} is given; usage: dist-vad config list | show NAME | copy NAME [--to DIR]")


def _listed() -> str:
    names = config_names()
    width = max(map(len, names)) + 2
    room = terminal_width() - width
    lines = []
    for name in names:
        first, *further = textwrap.wrap(first_comment(CONFIGS / f"{name}.yaml"), room) or [""]
        lines += [f"{name:{width}}{first}", *(" " * width + line for line in further)]
    return "\n".join(lines)


def _copy(path: Path, folder: Path) -> None:
    """Copy a configuration with those that it takes over. Raises InputError, having written nothing, where a file of
    other content is in the way."""
    copies = {file: folder / file.relative_to(CONFIGS) for file in with_references(path)}
    other = [str(to) for file, to in copies.items() if to.exists() and to.read_bytes() != file.read_bytes()]
    if other:
        raise InputError(f"{', '.join(other)} would be overwritten; give another folder with --to, or remove it")
    for file, to in copies.items():
        write_bytes(to, file.read_bytes())
    print(f"written: {', '.join(map(str, copies.values()))}")
    print(f"change it, then: {_command(path)} {copies[path]}")


def _command(path: Path) -> str:
    """The command that takes a configuration, by the folder in which it lies."""
    commands = {
        "data": "dist-vad shards write --out DIR --config",
        "ablation": "dist-vad ablation --config",
        "accelerate": "accelerate launch --config_file",
    }
    return commands.get(path.parent.name, "dist-vad train --config")
