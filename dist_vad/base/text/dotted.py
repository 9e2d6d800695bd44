"""Nested values by dotted names."""

from collections.abc import Mapping
from typing import Any


def dotted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by the names that they have on the command line; a group that is empty stays as it is.

    >>> dotted({"seed": 0, "model": {"width": 8}, "mix": {}})
    {'seed': 0, 'model.width': 8, 'mix': {}}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            found |= {f"{key}.{name}": inner for name, inner in dotted(value).items()}
        else:
            found[key] = value
    return found
