"""Settings as one level of names, as trackers of experiments show them."""

import dataclasses
from typing import Any

Plain = bool | int | float | str


def flat(settings: Any) -> dict[str, Plain]:
    """Every setting by its dotted name; what is no number, text or truth value as the text of it.

    >>> from dist_vad.settings.model import ModelSettings
    >>> flat(ModelSettings(width=8))["width"]
    8
    """
    return {name: value for key, held in dataclasses.asdict(settings).items() for name, value in _leaves(key, held)}


def _leaves(key: str, value: Any) -> list[tuple[str, Plain]]:
    if isinstance(value, dict) and value:
        return [leaf for name, held in value.items() for leaf in _leaves(f"{key}.{name}", held)]
    return [(key, value if isinstance(value, bool | int | float | str) else str(value))]
