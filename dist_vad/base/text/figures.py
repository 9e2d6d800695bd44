"""Figures of tables as text."""

NOTHING = "–"


def figure(value: float | None) -> str:
    """A figure of a table, with three decimals; a dash where there is none, as an AUC without frames of both kinds.

    >>> figure(0.87654), figure(None)
    ('0.877', '–')
    """
    return NOTHING if value is None else f"{value:.3f}"
