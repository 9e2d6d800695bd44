"""Proxy tasks, data sets and detectors by name: those of this package's folders, and those of other installed packages.

In a folder, a file whose docstring begins with its own name in backquotes is one, as "`avenue`: CUHK Avenue, as
published." in `avenue.py`. Another package names its own by an entry point in its pyproject.toml:

    [project.entry-points."dist_vad.tasks"]
    rotation = "my_package.rotation:Rotation"

Names and first lines are read without importing anything, so that `--help` and the check of a setting cost nothing.
"""

import ast
import functools
import re
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from dist_vad.base.errors import InputError

TASKS, DATASETS, DETECTORS = GROUPS = ("dist_vad.tasks", "dist_vad.datasets", "dist_vad.detectors")
"""Groups of entry points."""
FOLDERS = {TASKS: "tasks", DATASETS: "datasets", DETECTORS: "video/detectors"}
PACKAGE = Path(__file__).resolve().parents[1]
SELF_NAMED = re.compile(r"`(\w+)`: *(.*?)(?:\n\s*\n|\Z)", re.DOTALL)


@functools.cache
def own(group: str) -> dict[str, str]:
    """Names of this package's own members of a group -> what each says of itself in its first lines; sorted."""
    described = {}
    for path in sorted((PACKAGE / FOLDERS[group]).iterdir()):
        file = path / "__init__.py" if path.is_dir() else path
        if file.suffix != ".py" or not file.is_file():
            continue
        named = SELF_NAMED.match(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "")
        if named and named[1] == path.stem:
            described[named[1]] = " ".join(named[2].split())
    return described


@functools.cache
def foreign(group: str) -> dict[str, EntryPoint]:
    """Names that other installed packages bring to a group -> their entry points; sorted. Own names come first."""
    points = sorted(entry_points(group=group), key=lambda point: point.name)
    return {point.name: point for point in points if point.name not in own(group)}


def names(group: str) -> dict[str, str]:
    """Names of all members of a group -> one line on each."""
    return {**own(group), **{name: f"of the package {brought_by(point)}" for name, point in foreign(group).items()}}


def brought_by(point: EntryPoint) -> str:
    """The package of an entry point, with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def load(group: str, name: str, attribute: str) -> Any:
    """The object that a name stands for: `attribute` of our own module, or what the entry point of a package names.

    Raises InputError for an unknown name, and where the other package does not load.
    """
    if name in own(group):
        return getattr(import_module(f"dist_vad.{FOLDERS[group].replace('/', '.')}.{name}"), attribute)
    if name not in foreign(group):
        raise InputError(f"{name!r} is none of {group}; known are {', '.join(names(group))}")
    point = foreign(group)[name]
    try:
        return point.load()
    except Exception as error:
        raise InputError(
            f"{name!r} comes from the package {brought_by(point)}, whose {point.value} does not load: "
            f"{type(error).__name__}: {error}; mend or uninstall that package"
        ) from error
