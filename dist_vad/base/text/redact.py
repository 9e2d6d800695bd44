"""Secrets out of what is shown and kept: passwords and keys in addresses and arguments."""

import re
from typing import Any
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "***"
_SECRET = r"(?:pass(?:word|wd)?|pwd|secret|token|sig(?:nature)?|auth|credential|api_?key|access_?key|key)"
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"<>]*", re.IGNORECASE)
_QUERY = re.compile(rf"([?&;](?:[\w.-]*[._-])?{_SECRET}(?:[_-]\w+)?=)[^&;\s'\"#]+", re.IGNORECASE)
_IN_PATH = re.compile(  # cameras take them in paths as well: /user=admin_password=1234_channel=1
    rf"((?<=[/_?&;])(?:{_SECRET}|user(?:name)?|usr|login)=)[^&;/_\s'\"#<>]+", re.IGNORECASE
)
_AMAZON = re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s'\"]+", re.IGNORECASE)
_ASSIGNED = re.compile(r"(\b[A-Z_]*(?:PASSWORD|SECRET|TOKEN|ACCESS_KEY)[A-Z_]*=)[^\s'\"]+")


SHORTEST = 4
"""Shorter secrets are not looked for in text: what is left of it would not be readable."""
_known: set[str] = set()


def protect(secret: str) -> None:
    """Hide a secret wherever it turns up from now on, also as addresses write it."""
    spellings = {secret, unquote(secret), quote(secret, safe=""), quote_plus(secret)}
    _known.update(spelling for spelling in spellings if len(spelling) >= SHORTEST)


def protect_address(address: str) -> None:
    """Hide the password of an address, and the values of its parameters that are named like secrets."""
    for found in _ADDRESS.findall(address):
        who = _authority(found).rpartition("@")[0]
        if ":" in who:
            protect(who.partition(":")[2])
    for match in _QUERY.finditer(address):
        protect(match[0].partition("=")[2])


def redacted(text: object) -> str:
    """A text without the passwords and keys in it, and without the secrets that this process knows.

    >>> redacted("rtsp://admin:1234@camera/live?channel=1&token=abc")
    'rtsp://***@camera/live?channel=1&token=***'
    """
    shown = _ADDRESS.sub(lambda match: _without_user(match[0]), str(text))
    for pattern in (_QUERY, _IN_PATH, _AMAZON, _ASSIGNED):
        shown = pattern.sub(rf"\1{HIDDEN}", shown)
    for secret in sorted(_known, key=len, reverse=True):
        shown = shown.replace(secret, HIDDEN)
    return shown


def _authority(address: str) -> str:
    return re.split(r"[/?#]", address.partition("://")[2], maxsplit=1)[0]


def _without_user(address: str) -> str:
    scheme, _, rest = address.partition("://")
    who, at, _ = _authority(address).rpartition("@")
    return f"{scheme}://{HIDDEN}@{rest[len(who) + 1 :]}" if at else address


def all_redacted(value: Any) -> Any:
    """A JSON-able value in which every text is redacted."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {key: all_redacted(held) for key, held in value.items()}
    return [all_redacted(held) for held in value] if isinstance(value, list | tuple) else value
