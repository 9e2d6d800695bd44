"""The page of an ablation: every figure is there, and markup in its data is text."""

import dataclasses
import json
import re

import pytest
from parsed_page import MARKUP, Page, with_markup

from dist_vad.ablation.page import render
from dist_vad.ablation.table import Figure, Line, Table
from dist_vad.settings.ablation import AblationSettings, RowSettings

PROVENANCE = {"command": "dist-vad ablation", "versions": {"torch": "2.8.0"}, "seeds": [0, 1], "nothing": None}


def _line(name: str, phases: list[float | None], beside: float | None, left_out: str | None = None) -> Line:
    row = RowSettings(curriculum=name, paper={"Campus": [None, 58.1, 64.3]}, paper_simultaneous={"Campus": 64.2})
    figures = tuple(None if auc is None else Figure(auc, auc - 1, auc + 1, 1) for auc in phases)
    beside_ = None if beside is None else Figure(beside, None, None, 1)
    return Line(row, figures, figures[-1], beside_, left_out, ("a note",))


def _table(simultaneous: bool = True) -> Table:
    lines = [_line("pre > sr", [60.5, 70.5, 71.5], 65.5), _line("sr > pre", [None] * 3, None, "it lacks a file")]
    settings = AblationSettings(rows=[some.row for some in lines], simultaneous=simultaneous, title="Two rows")
    return Table(settings, "plaza", [0, 1], lines, {"box_width": 61.0})


def test_every_figure_stands_in_the_table_with_its_interval_and_the_papers_beside_it():
    source = render(_table(), PROVENANCE)
    page = Page(source)
    assert page.problems == [] and page.open == []
    first, second = re.findall(r'<tr><th scope="row">(.*?)</tr>', source, re.S)
    assert re.findall(r'<td class="num">(.*?)</td>', first) == [
        "60.5 <small>59.5 to 61.5</small>",
        "70.5 <small>69.5 to 71.5</small>",
        "71.5 <small>70.5 to 72.5</small>",
        "65.5",
        "– / 58.1 / 64.3 <small>sim. 64.2</small>",
    ]
    assert re.findall(r'<td class="num">(.*?)</td>', second)[:4] == ["–"] * 4
    assert "Without learning: box_width 61.0." in page.texts
    assert any("sr &gt; pre: not run: it lacks a file" in part for part in source.splitlines())


@pytest.mark.parametrize("simultaneous", [True, False])
def test_a_chart_of_phases_is_drawn_where_there_are_phases(simultaneous):
    source = render(_table(simultaneous), PROVENANCE)
    (section,) = (some for some in Page(source).of("section") if some["aria-labelledby"] == "chart-title")
    assert ("hidden" in section) != simultaneous
    match = re.search(r'id="data">(.*?)</script>', source, re.S)
    assert match and [row["name"] for row in json.loads(match[1])] == ["pre > sr"] * simultaneous


def test_markup_in_every_string_of_a_table_is_text():
    plain = _table()
    title, scorer = plain.settings.title + MARKUP, plain.settings.scorer + MARKUP
    settings = dataclasses.replace(plain.settings, title=title, scorer=scorer)
    lines = with_markup(plain.lines)
    hostile = Table(settings, plain.dataset + MARKUP, plain.seeds, lines, with_markup(plain.without_learning))
    before, page = Page(render(plain, PROVENANCE)), Page(render(hostile, with_markup(PROVENANCE)))
    assert page.problems == [] and page.shape == before.shape
    for said in (title, scorer, hostile.dataset, lines[0].row.name):
        assert any(said in text for text in page.texts), said
