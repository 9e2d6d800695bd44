"""What holds for every setting, whatever it means: numbers are finite, names are text, places are what they seem.

What a single setting allows, its dataclass says (`refuse_unless`). All of it is asked before anything starts.
"""

import dataclasses
import math
import os
import re
from pathlib import Path
from typing import Any

from dist_vad.base.errors import refuse_unless

FOLDERS = (
    "run", "root", "virtual_root", "labels", "boxes", "weights", "cfg", "names", "scene_weights", "clip_weights",
    "folder", "scratch", "state", "init", "regions", "record",
)  # fmt: skip
"""Names of settings and options that say where something lies on this machine."""
STORES = ("shards", "checkpoints", "parts", "mix")
"""Names of settings that may name a bucket as well."""
EITHER = ("out", "place")
"""Names of options of which commands know more than is known here."""
LARGEST = {"seed": 2**63 - 1}
"""Largest numbers by name, where more is needed than the next line allows."""
MOST = 2**31 - 1
VARIABLE = re.compile(r"\$(?:\$|(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\})", re.ASCII)
ADDRESS = re.compile(r"[A-Za-z][\w+.-]*:/")


def check_values(settings: Any, prefix: str = "") -> None:
    """Refuse what no setting may be, in a dataclass of settings and in all that it holds.

    Places are written out where they begin with `~` or name variables of the environment. Raises ValueError, naming
    key, value and what is allowed.
    """
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value):
            check_values(value, f"{prefix}{field.name}.")
            continue
        if isinstance(value, str) and value != field.default:
            setattr(settings, field.name, value := place(f"{prefix}{field.name}", field.name, value))
        if field.name == "mix" and isinstance(value, dict):
            setattr(settings, field.name, value := {place(f"{prefix}mix", "mix", key): n for key, n in value.items()})
        check(f"{prefix}{field.name}", field.name, value)


def place(key: str, name: str, value: str) -> str:
    """A setting's text; where it names a place, with the home folder (`~`) and variables of the environment (`$NAME`,
    `${NAME}`; `$$` is a dollar) written out.

    Raises ValueError for text that is empty, for characters that no name has, for variables that are not set, and for
    addresses of a kind that is not read.
    """
    refuse_unless(value != "", key, value, "text that is not empty, or leave it out")
    refuse_unless("\0" not in value, key, value, "text without the character 0")
    if name not in (*FOLDERS, *STORES, *EITHER):
        return value
    value = VARIABLE.sub(lambda match: _variable(key, value, match), value)
    if ADDRESS.match(value):
        bucket = value.startswith("s3://") and name not in FOLDERS
        refuse_unless(bucket, key, value, "a path of this machine" + ", or s3://BUCKET/PREFIX" * (name not in FOLDERS))
        return value
    try:
        return str(Path(value).expanduser()) if value.startswith("~") else value
    except RuntimeError as error:
        raise ValueError(f"{key} is {value!r}; allowed: a path ({error})") from error


def _variable(key: str, value: str, match: re.Match[str]) -> str:
    name = match["name"] or match["braced"]
    if name is None:
        return "$"
    found = os.environ.get(name)
    refuse_unless(bool(found), key, value, f"variables that are set; {name} is not ($$ stands for a dollar)")
    return str(found)


def check(key: str, name: str, value: Any) -> None:
    """The same of one value, or of a list or dictionary of them."""
    if dataclasses.is_dataclass(value):
        check_values(value, f"{key}.")
    elif isinstance(value, dict):
        for inner, held in value.items():
            refuse_unless(inner != "", key, value, "names that are not empty")
            if isinstance(held, str) and inner in FOLDERS:
                value[inner] = held = place(f"{key}.{inner}", inner, held)
            check(f"{key}.{inner}", str(inner), held)
    elif isinstance(value, list | tuple):
        for number, held in enumerate(value):
            check(f"{key}[{number}]", name, held)
    elif isinstance(value, int):
        most = LARGEST.get(name, MOST)
        refuse_unless(-most <= value <= most, key, value, f"a number of {-most} to {most}")
    elif isinstance(value, float):
        refuse_unless(math.isfinite(value), key, value, "a finite number")
    elif isinstance(value, str):
        refuse_unless("\0" not in value, key, value, "text without the character 0")
