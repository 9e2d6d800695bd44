"""Settings as one level of names, as trackers of experiments show them."""

import dataclasses
from typing import Any

from dist_vad.base.text.dotted import dotted

Plain = bool | int | float | str


def flat(settings: Any) -> dict[str, Plain]:
    """Every setting by its dotted name; what is no number, text or truth value as the text of it.

    >>> from dist_vad.settings.model import ModelSettings
    >>> flat(ModelSettings(width=8))["width"]
    8
    """
    every = dotted(dataclasses.asdict(settings))
    return {name: value if isinstance(value, bool | int | float | str) else str(value) for name, value in every.items()}
