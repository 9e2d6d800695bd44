"""What is wrong with a command line or a file of settings, in one line: the key, the value, what is allowed."""

import dataclasses
import re
from itertools import pairwise
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from jsonargparse import ArgumentParser, Namespace
from jsonargparse._loaders_dumpers import get_yaml_default_loader, yaml_load

WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", NoneType: "null"}
WORDS_BY_NAME = {f"<class '{kind.__name__}'>": word for kind, word in WORDS.items()} | {
    "<class 'list'>": "a list, such as [A, B]",
    "<class 'dict'>": "names with values, such as {A: B}",
}
UNKNOWN = re.compile(
    r"[Uu]nrecognized arguments?: (\S+)|[Kk]ey '([^']+)' is not expected|(?:accept option|Option) '([^']+)'"
)
EXPECTED = re.compile(r"Expected an? (?:typing\.)?(Literal\[[^\]]*\]|<class '\w+'>)")


def refusal(parser: ArgumentParser, error: Exception, arguments: list[str]) -> str:
    """One line on what jsonargparse says of an error: key, value and what is allowed, where they can be told."""
    text = " ".join(str(error).split())
    if unknown := UNKNOWN.search(text):
        name = next(group for group in unknown.groups() if group)
        return f"{name} is no setting of this command; --help-all lists all of them"
    keys = re.findall(r'Parser key "([\w.+-]+)"', text)
    if not keys or keys[-1] == "config":
        return _of_file(text, arguments)
    key = keys[-1] if len(keys) == 1 or keys[-1].startswith(keys[0]) else ".".join(dict.fromkeys(keys))
    nested = re.search(r"NestedArg\(key='([\w.]+)'", text)
    if nested and not key.endswith(nested[1]):
        key = f"{keys[0]}.{nested[1]}"
    kinds = _kinds(parser)
    allowed = allowed_of(kinds[key]) if key in kinds else ""
    if not allowed:
        expected = EXPECTED.findall(text.rpartition("Parser key")[2])
        allowed = " or ".join(dict.fromkeys(WORDS_BY_NAME.get(one) or one for one in expected if "NoneType" not in one))
    return f"{key} is {_value(text, key, arguments)}; allowed: {allowed or 'see --help-all'}"


def _of_file(text: str, arguments: list[str]) -> str:
    """One line on a file of settings that is not there or does not read."""
    if missing := re.search(r"(?:Path is not a file|File does not exist): '(.*?)'", text):
        return f"there is no file of settings at {missing[1]!r}; give --config a YAML file that is there"
    names = [value for name, value in pairwise(arguments) if name == "--config"]
    names += [argument.partition("=")[2] for argument in arguments if argument.startswith("--config=")]
    where = f"the settings in {' or '.join(names)} do not read: " if names else ""
    if "Unexpected config:" in text:
        return f"{where}they are no names with values, such as `seed: 1`"
    return f"{where}{text[:200]}; --help shows what is allowed"


def unfit(parser: ArgumentParser, given: Namespace, settings: type) -> str | None:
    """What is wrong with the first setting that holds settings and is given none, or that is null without being
    allowed to; None where all fit."""
    groups = {field.name for field in dataclasses.fields(settings) if dataclasses.is_dataclass(field.default_factory)}
    wrong = [(name, "names with values") for name in sorted(groups) if not isinstance(given[name], Namespace | dict)]
    kinds = _kinds(parser)
    for key, value in vars(given.as_flat()).items():
        kind = kinds.get(key)
        if value is None and kind is not None and (kind in WORDS or NoneType not in get_args(kind)):
            wrong.append((key, allowed_of(kind) or "a value"))
    for key, allowed in wrong:
        shown = "null" if given[key] is None else repr(given[key])
        return f"{key} is {shown}; allowed: {allowed}, or leave it out"
    return None


def allowed_of(kind: Any) -> str:
    """What values a type has, in words; empty where that takes more than words."""
    if isinstance(kind, type) and kind in WORDS:
        return WORDS[kind]
    if get_origin(kind) is Literal:
        return ", ".join(map(str, get_args(kind)))
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(part for part in map(allowed_of, get_args(kind)) if part)
    if get_origin(kind) is list:
        return f"a list, such as [A, B], each {allowed_of(get_args(kind)[0])}"
    return "names with values, such as {A: B}" if get_origin(kind) is dict else ""


def _kinds(parser: ArgumentParser) -> dict[str, Any]:
    """Name of an option -> its type."""
    return {action.dest: getattr(action, "_typehint", None) or action.type for action in parser._actions}


def _value(text: str, key: str, arguments: list[str]) -> str:
    """The value that was given: as the command line has it, else as the error repeats it."""
    for number, argument in enumerate(arguments):
        name, equals, value = argument.removeprefix("--").partition("=")
        if argument.startswith("--") and name == key:
            return repr(value if equals else next(iter(arguments[number + 1 : number + 2]), ""))
    told = re.search(r"Got value: (.*?)(?:;|$)|Given value: (.*?)(?: Given|;|$)", text)
    return repr((told[1] or told[2])[:80]) if told else "of another type"


class _UniqueKeys(get_yaml_default_loader()):
    """YAML in which a key stands once: of two, the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    found = f"the key {key.value!r} stands twice, the second time in line {key.start_mark.line + 1}"
                    raise yaml.constructor.ConstructorError(None, None, found, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def load_unique(text: str) -> Any:
    """A YAML text as jsonargparse reads it, refused where a key stands twice."""
    try:
        yaml.load(text, Loader=_UniqueKeys)
    except yaml.constructor.ConstructorError as error:
        if "stands twice" in str(error):
            raise
    return yaml_load(text)
