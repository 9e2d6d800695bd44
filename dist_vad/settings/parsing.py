"""One grammar for all commands: settings from YAML files and dotted overrides, refused with one message where wrong.

    COMMAND [--config FILE] [--KEY VALUE ...] [--help | --help-all] [--quiet]

A setting has the same name on the command line as in a YAML file; the last one given counts. `-` and `_` in a name are
the same. `--help` shows what is used most, `--help-all` every setting. Nothing heavy is imported here.
"""

import dataclasses
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace, set_loader, set_parsing_settings

from dist_vad.base import log, plugins
from dist_vad.base.errors import InputError, UsageError, refuse_unless
from dist_vad.settings.command_line.checks import check, check_values, place
from dist_vad.settings.command_line.configs import CONFIGS, DEFAULT_CONFIG, found_config
from dist_vad.settings.command_line.help import short_help, whole_help
from dist_vad.settings.command_line.refusals import load_unique, refusal, unfit

NAMED = {"dataset": plugins.DATASETS, "detector.name": plugins.DETECTORS, "curriculum": plugins.TASKS}
"""Settings whose values are names that other packages may add to; `--help` lists them."""

FILES = ("config", "data", "base")
"""Options that take a file of settings, which may be one of those that ship with the package."""
__all__ = ["CONFIGS", "DEFAULT_CONFIG", "Command", "Option", "parse", "settings_of"]

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Option:
    """One option of a command that is no setting of the run; of type bool, it is a switch."""

    name: str
    type: Any
    default: Any
    help: str
    positional: bool = False
    """Given without its name, any number of times."""
    least: int = 0
    """The least that a number may be."""


@dataclasses.dataclass(frozen=True)
class Command:
    """What a command reads from its command line."""

    settings: type
    """The dataclass of its settings."""
    description: str
    default_config: Path | None = None
    """Taken where no `--config` is given."""
    options: tuple[Option, ...] = ()
    preset: tuple[str, ...] = ()
    """Arguments that go with `default_config`; those that are given count more."""
    aliases: dict[str, str] = dataclasses.field(default_factory=dict)
    """Old name of an option -> its name."""

    def parser(self) -> ArgumentParser:
        """The parser of its command line, without help: that is printed by `parse`."""
        set_parsing_settings(docstring_parse_attribute_docstrings=True)
        set_loader("yaml", load_unique, (yaml.YAMLError,))
        parser = ArgumentParser(description=self.description, add_help=False, exit_on_error=False)
        parser.add_argument("--config", action="config", help="YAML file with settings; options after it override it")
        parser.add_class_arguments(self.settings, sub_configs=True)
        for option in self.options:
            if option.positional:
                parser.add_argument(option.name, nargs="*", type=option.type, default=option.default, help=option.help)
            elif option.type is bool:
                parser.add_argument(f"--{option.name}", action="store_true", help=option.help)
            else:
                parser.add_argument(f"--{option.name}", type=option.type, default=option.default, help=option.help)
        parser.add_argument("--quiet", action="store_true", help="show warnings and results alone")
        for action in parser._actions:
            allowed = [*get_args(kind)] if get_origin(kind := getattr(action, "_typehint", None)) is Literal else []
            for key, group in NAMED.items():
                if action.dest == key or action.dest.endswith(f".{key}"):
                    allowed = [*plugins.names(group)]
            if allowed:
                action.help = f"{(action.help or '').rstrip('.')}. Known: {', '.join(map(str, allowed))}."
        return parser


def parse(command: Command) -> tuple[Any, Namespace]:
    """Read sys.argv into the command's settings and a namespace of its options.

    A wrong key, type or value ends the process with one message and exit status 2; `--help` ends it with 0.
    """
    parser, arguments = command.parser(), _spelt_alike(sys.argv[1:], command.aliases)
    if {"-h", "--help", "--help_all"} & set(arguments):
        text = whole_help if "--help_all" in arguments else short_help
        print(text(parser, [option.name for option in command.options]))
        sys.exit(0)
    if command.default_config and not any(argument.split("=")[0] == "--config" for argument in arguments):
        arguments = ["--config", str(command.default_config), *command.preset, *arguments]
    try:
        given = parser.parse_args(arguments)
    except (ArgumentError, ValueError, TypeError, OSError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(refusal(parser, error, arguments)) from error
    _spread_stage(given, arguments)
    log.set_up(given.quiet)
    if wrong := unfit(parser, given, command.settings):
        raise UsageError(wrong)
    try:
        values = parser.instantiate(given)
        names = [field.name for field in dataclasses.fields(command.settings)]
        chosen = command.settings(**{name: values[name] for name in names})
        check_values(chosen)
        options = {option.name: _checked(option, values[option.name]) for option in command.options}
    except ValueError as error:
        raise UsageError(f"{error}") from error
    return chosen, Namespace(**options, asked=_asked(parser, arguments, command))


def _checked(option: Option, value: Any) -> Any:
    """An option's value, with the home folder written out. Raises ValueError for what no option may be."""
    if isinstance(value, list):
        return [_checked(option, held) for held in value]
    if isinstance(value, str):
        return place(f"--{option.name}", option.name, value)
    check(f"--{option.name}", option.name, value)
    if isinstance(value, int | float):
        refuse_unless(value >= option.least, f"--{option.name}", value, f"{option.least} or more")
    return value


def _asked(parser: ArgumentParser, arguments: list[str], command: Command) -> frozenset[str]:
    """The names of the settings that the user gave, on the command line or in a file of their own."""
    if command.default_config and arguments[:2] == ["--config", str(command.default_config)]:
        arguments = arguments[2:]
    names = {argument[2:].split("=")[0] for argument in arguments if argument.startswith("--")}
    files = [value for name, value in pairwise(arguments) if name == "--config"]
    files += [argument.partition("=")[2] for argument in arguments if argument.startswith("--config=")]
    for file in files:
        names |= set(vars(parser.parse_args(["--config", file], defaults=False).as_flat()))
    return frozenset(names)


def typed(kind: type[T], key: str, values: dict[str, Any]) -> T:
    """Settings from single values that a user gave under a key. Raises InputError as a command line would."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, key)
    try:
        return kind(**vars(parser.instantiate(parser.parse_object({key: values}))[key]))
    except (ArgumentError, TypeError) as error:
        raise InputError(refusal(parser, error, [])) from error
    except ValueError as error:
        raise InputError(f"{error}") from error


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


def _spread_stage(given: Namespace, arguments: list[str]) -> None:
    """`--stage.KEY` counts for every named stage, but for those of which `--curriculum.NAME.KEY` says otherwise."""
    named = {argument[2:].split("=")[0] for argument in arguments if argument.startswith("--")}
    for base in ("", "base."):
        curriculum = given.get(f"{base}curriculum")
        if not isinstance(curriculum, dict | Namespace):
            continue
        for key in (name.removeprefix(f"{base}stage.") for name in named if name.startswith(f"{base}stage.")):
            for name, stage in vars(curriculum).items() if isinstance(curriculum, Namespace) else curriculum.items():
                if f"{base}curriculum.{name}.{key}" not in named:
                    stage[key] = given[f"{base}stage.{key}"]


def _spelt_alike(arguments: list[str], aliases: dict[str, str]) -> list[str]:
    """The arguments with `_` for `-` in the names of options, today's names for old ones, and the files of
    configurations that ship with the package for their names."""
    spelt: list[str] = []
    for argument in arguments:
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            name = aliases.get(name := name.replace("-", "_"), name)
            argument = f"--{name}{equals}{found_config(value) if name in FILES else value}"
        elif spelt and spelt[-1].removeprefix("--") in FILES:
            argument = found_config(argument)
        spelt.append(argument)
    return spelt
