"""How wide a text may be, and text that keeps to it."""

import shutil
import textwrap

USUAL, LEAST = 80, 60
"""Columns: of a log, or where nobody knows; and below which a table is no table any more."""


def terminal_width() -> int:
    """Columns of the terminal (or of the variable COLUMNS); 80 where the output goes to a file."""
    return max(LEAST, shutil.get_terminal_size((USUAL, 24)).columns)


def hanging(text: str, width: int | None = None) -> list[str]:
    """The lines of a text, at most `width` columns wide (None: as the terminal), those after the first indented; one
    empty line for no text. Names and paths are not broken, however long.

    >>> hanging("the weights of runs/demo-1 are whole", 20)
    ['the weights of', '  runs/demo-1 are', '  whole']
    """
    lines = textwrap.wrap(
        text, width or terminal_width(), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return lines or [""]
