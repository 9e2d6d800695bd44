"""Command lines: settings from YAML files and dotted overrides, refused with one message where they are wrong."""

import dataclasses
import sys
from pathlib import Path
from typing import Any, TypeVar

from jsonargparse import ArgumentError, ArgumentParser, Namespace, set_parsing_settings

from dist_vad.base.errors import InputError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Option:
    """One option of an entry point that is no setting of the run; of type bool, it is a switch."""

    name: str
    type: Any
    default: Any
    help: str
    positional: bool = False
    """Given without its name, any number of times."""


def parse(
    settings: type[T], description: str, default_config: Path | None, options: tuple[Option, ...] = ()
) -> tuple[T, Namespace]:
    """Read sys.argv into `settings` and a namespace of the further options.

    Without `--config` the file `default_config` is taken, if there is one. A wrong key, type or value ends the
    process with one message and exit status 2.
    """
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(description=description)
    parser.add_argument("--config", action="config", help="YAML file with settings; options after it override it")
    parser.add_class_arguments(settings, sub_configs=True)
    for option in options:
        if option.positional:
            parser.add_argument(option.name, nargs="*", type=option.type, default=option.default, help=option.help)
        elif option.type is bool:
            parser.add_argument(f"--{option.name}", action="store_true", help=option.help)
        else:
            parser.add_argument(f"--{option.name}", type=option.type, default=option.default, help=option.help)
    arguments = sys.argv[1:]
    if default_config and not any(a.split("=")[0] in ("--config", "--help", "-h") for a in arguments):
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


def settings_of(kind: type[T], values: dict[str, Any], where: object) -> T:
    """Settings from the nested dictionaries that `dataclasses.asdict` made of them and a file kept.

    Raises InputError, naming `where` they stood, for keys and values that these settings do not have.
    """
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, "kept")
    try:
        return kind(**vars(parser.instantiate(parser.parse_object({"kept": values})).kept))
    except (ArgumentError, ValueError, TypeError) as error:
        first = " ".join(str(error).split())[:300]
        raise InputError(f"the settings in {where} are of another version of dist_vad: {first}") from error
