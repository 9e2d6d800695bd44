"""How wide a text may be."""

import shutil

USUAL, LEAST = 80, 60
"""Columns: of a log, or where nobody knows; and below which a table is no table any more."""


def terminal_width() -> int:
    """Columns of the terminal (or of the variable COLUMNS); 80 where the output goes to a file."""
    return max(LEAST, shutil.get_terminal_size((USUAL, 24)).columns)
