"""Secrets of the environment: they are named in settings, and stand in nothing that is written or shown."""

import os
import re
from urllib.parse import urlsplit

from dist_vad.base.errors import InputError
from dist_vad.base.text.redact import protect, redacted

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def from_environment(text: str, key: str) -> str:
    """The text with every ${NAME} replaced by that variable of the environment, whose value is a secret from then on.

    Raises InputError, naming the setting's key, for a variable that is not set.
    """

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if not found:
            raise InputError(f"{key} asks for ${{{match[1]}}}, but the environment has no {match[1]}; set it and start")
        protect(found)
        return found

    return _VARIABLE.sub(value, text)


def without_credentials(url: str) -> str:
    """A URL's scheme, host, port and path alone, to make names from."""
    parts = urlsplit(redacted(url))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
