"""Secrets out of what is shown and kept: passwords and keys in addresses and arguments."""

import re
from typing import Any

HIDDEN = "***"
_SECRET = r"(?:pass(?:word|wd)?|pwd|secret|token|sig(?:nature)?|auth|credential|api_?key|access_?key|key)"
_USER = re.compile(r"(?<=://)[^/@\s'\"]+@")
_QUERY = re.compile(rf"([?&;](?:[\w.-]*[._-])?{_SECRET}(?:[_-]\w+)?=)[^&;\s'\"#]+", re.IGNORECASE)
_AMAZON = re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s'\"]+", re.IGNORECASE)
_ASSIGNED = re.compile(r"(\b[A-Z_]*(?:PASSWORD|SECRET|TOKEN|ACCESS_KEY)[A-Z_]*=)[^\s'\"]+")


def redacted(text: str) -> str:
    """A text without the passwords and keys in it.

    >>> redacted("rtsp://admin:1234@camera/live?channel=1&token=abc")
    'rtsp://***@camera/live?channel=1&token=***'
    """
    text = _USER.sub(f"{HIDDEN}@", text)
    for pattern in (_QUERY, _AMAZON, _ASSIGNED):
        text = pattern.sub(rf"\1{HIDDEN}", text)
    return text


def all_redacted(value: Any) -> Any:
    """A JSON-able value in which every text is redacted."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {key: all_redacted(held) for key, held in value.items()}
    return [all_redacted(held) for held in value] if isinstance(value, list | tuple) else value
