"""Values for JSON, which knows no nan."""

from typing import Any

import numpy as np


def without_nan(value: Any) -> Any:
    """A nested value in which an undefined number, nan or infinite, is None."""
    if isinstance(value, dict):
        return {key: without_nan(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(inner) for inner in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
