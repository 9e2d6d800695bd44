"""Pages from Jinja2 templates, which escape whatever comes from data as it is filled in."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dist_vad.report.content import words

FOLDER = Path(__file__).parent
TEMPLATES = FOLDER / "templates"
CHARTS = FOLDER / "vendor/plotly-basic.min.js"
"""plotly.js (MIT) as npm's plotly.js-basic-dist-min 4.1.1 has it: lines, points and bars, a quarter of the whole."""
NOTHING = "–"


def fill(name: str, *folders: Path, scripts: Iterable[Path] = (), **values: Any) -> str:
    """A page as HTML: the template of that name, with the style sheet, the chart library and these scripts inside.

    Templates are looked for in `folders` and then here. Only what this function adds is put in as it is.
    """
    return (
        _environment(*folders)
        .get_template(name)
        .render(
            style=Markup((FOLDER / "page.css").read_text()),
            # A library is no data, but the same rule holds: nothing inside may end the element.
            plotly=Markup(CHARTS.read_text(encoding="utf-8").replace("</script", "<\\/script")),
            script=Markup("".join(path.read_text() for path in scripts)),
            **values,
        )
    )


def _environment(*folders: Path) -> Environment:
    found = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"number": number, "percent": percent, "is_finite": math.isfinite, "words": words}
    found.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return found


def number(value: float) -> str:
    """A metric with three digits, or a dash where it is undefined."""
    return f"{value:.3f}" if math.isfinite(value) else NOTHING


def percent(share: float) -> str:
    """A share, 0 to 1, with one digit."""
    return f"{100 * share:.1f} %"
