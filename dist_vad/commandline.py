"""Command lines: settings from YAML files and dotted overrides, refused with one message where they are wrong."""

import dataclasses
import sys
from pathlib import Path
from typing import Any, TypeVar

from jsonargparse import ArgumentParser, Namespace, set_parsing_settings

from dist_vad.errors import InputError

CONFIGS = Path(__file__).resolve().parents[1] / "configs"

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Option:
    """One option of an entry point that is no setting of the run; of type bool, it is a switch."""

    name: str
    type: Any
    default: Any
    help: str


def parse(
    settings: type[T], description: str, default_config: Path, options: tuple[Option, ...] = ()
) -> tuple[T, Namespace]:
    """Read sys.argv into `settings` and a namespace of the further options.

    Without `--config` the file `default_config` is taken, and that is said. A wrong key, type or value ends the
    process with one message and exit status 2.
    """
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(description=description)
    parser.add_argument("--config", action="config", help="YAML file with settings; options after it override it")
    parser.add_class_arguments(settings, sub_configs=True)
    for option in options:
        how: dict[str, Any] = (
            {"action": "store_true"} if option.type is bool else {"type": option.type, "default": option.default}
        )
        parser.add_argument(f"--{option.name}", help=option.help, **how)
    arguments = sys.argv[1:]
    if not any(a.split("=")[0] in ("--config", "--help", "-h") for a in arguments):
        arguments = ["--config", str(default_config), *arguments]
    given = parser.parse_args(arguments)
    try:
        values = parser.instantiate(given)
        names = [field.name for field in dataclasses.fields(settings)]  # pyright: ignore[reportArgumentType]
        chosen = settings(**{name: values[name] for name in names})
    except ValueError as error:
        raise InputError(f"{error}") from error
    keys = [option.name.replace("-", "_") for option in options]
    return chosen, Namespace(**{key: values[key] for key in keys})
