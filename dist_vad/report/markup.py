"""Small pieces of HTML. Whatever comes from data goes through `text`, and nothing else does the escaping."""

import html
import json
import math
from typing import Any

NOTHING = "–"


def text(value: Any) -> str:
    """Any value as escaped text, good inside an element and inside a quoted attribute."""
    return html.escape(str(value), quote=True)


def number(value: float) -> str:
    """A metric with three digits, or a dash where it is undefined."""
    return f"{value:.3f}" if math.isfinite(value) else NOTHING


def script_json(value: Any) -> str:
    """JSON that can stand inside a <script> element: no `<` in it, so that no string can end the element."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def tree(value: Any) -> str:
    """Nested dicts and lists as nested definition lists and lists."""
    if isinstance(value, dict):
        items = "".join(f"<dt>{text(key)}</dt><dd>{tree(part)}</dd>" for key, part in value.items())
        return f"<dl>{items}</dl>" if items else NOTHING
    if isinstance(value, list | tuple):
        if not any(isinstance(part, dict | list | tuple) for part in value):
            return f"<code>{text(', '.join(map(str, value)))}</code>" if value else NOTHING
        return "<ol>" + "".join(f"<li>{tree(part)}</li>" for part in value) + "</ol>"
    return f"<code>{text(value)}</code>" if value is not None and value != "" else NOTHING
