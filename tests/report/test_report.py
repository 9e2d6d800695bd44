"""The report page and the terminal table: complete, self-contained, and safe against what data may be called."""

import base64
import dataclasses
import json
import math
import re
from urllib.parse import unquote

import numpy as np
import pytest
from fake_report import HOSTILE, fake_report, fake_videos
from jinja2 import UndefinedError
from parsed_page import Page, with_markup

from dist_vad.base.errors import InputError
from dist_vad.base.labels import Event
from dist_vad.report import LEARNED, NO_LEARNING, Report, Row, VideoCurve, format_table, write_report
from dist_vad.report.charts import ALL_POINTS, chart_data, packed, thinned
from dist_vad.report.html import fill
from dist_vad.report.page import render
from dist_vad.report.spans import spans

FETCHING = ("src", "href", "srcset", "action", "poster", "data", "xlink:href", "background")


@pytest.fixture(scope="module")
def report() -> Report:
    return fake_report()


@pytest.fixture(scope="module")
def source(report) -> str:
    return render(report)


@pytest.fixture(scope="module")
def page(source) -> Page:
    return Page(source)


def _data(source: str) -> dict:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', source, re.S)
    assert match
    return json.loads(match.group(1))


def test_every_element_is_closed_where_it_should_be(page):
    assert page.problems == [] and page.open == []


def test_no_id_is_used_twice_and_every_anchor_and_label_has_its_target(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    anchors = [a["href"][1:] for a in page.of("a") if not a["href"].startswith("#video=")]
    named = [attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes]
    assert set(anchors) | set(named) <= set(ids)


def test_nothing_is_fetched_from_anywhere(page, source):
    for tag, attributes in page.elements:
        for name in FETCHING:
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, name, attributes[name][:80])
    assert not {"iframe", "object", "embed", "base"} & {tag for tag, _ in page.elements}
    style = source[source.index("<style>") : source.index("</style>")]
    assert "url(" not in style and "@import" not in style


def test_a_browser_is_told_to_refuse_any_request(page):
    policy = next(meta["content"] for meta in page.of("meta") if "http-equiv" in meta)
    assert "default-src 'none'" in policy and "http" not in policy


def test_a_hostile_video_name_is_text_and_nothing_else(page):
    assert len(page.of("script")) == 3
    assert any(HOSTILE in text for text in page.texts)
    assert HOSTILE in [option["value"] for option in page.of("option")]


@pytest.mark.parametrize("labelled", [True, False])
def test_markup_in_every_string_of_a_report_is_text(labelled):
    base = fake_report(count=4, frames=40, labelled=labelled)
    rows = [dataclasses.replace(row, ground_truth=f"truth {number % 2}") for number, row in enumerate(base.rows)]
    plain = dataclasses.replace(base, rows=rows, headline=rows[base.rows.index(base.headline)])
    hostile = with_markup(plain)
    before, page = Page(render(plain)), Page(render(hostile))
    assert page.problems == [] and page.shape == before.shape
    for said in (hostile.title, hostile.dataset, hostile.videos[0].name, *hostile.headline.classes):
        assert any(said in text for text in page.texts), said


def test_templates_use_no_name_that_they_are_not_given(tmp_path):
    (tmp_path / "wrong.html").write_text("{{ nothing_of_that_name }}")
    with pytest.raises(UndefinedError, match="nothing_of_that_name"):
        fill("wrong.html", tmp_path)


def test_the_page_holds_every_video_and_every_row(page, report):
    links = {unquote(a["href"][len("#video=") :]) for a in page.of("a") if "data-video" in a}
    assert links == {video.name for video in report.videos}
    assert sum("data-smoothing" in row for row in page.of("tr")) == len(report.rows)
    for row in report.rows:
        assert f"{row.micro_auc:.3f}" in page.texts


def test_every_picture_says_what_it_shows(page, report):
    pictures = [picture for picture in page.of("img") if picture.get("id") != "still"]  # the script says what that is
    # One frame is not at hand; of the misses one has an object, with a frame and a strip, and one only a frame.
    assert len(pictures) == 2 * len(report.findings) - 1 + 3
    assert all(picture["alt"] for picture in pictures)


def test_a_baseline_that_wins_is_marked_as_the_best(report):
    strong = Row(group=NO_LEARNING, phase="", scorer="box_height", smoothing="median17", micro_auc=0.999)
    source = render(dataclasses.replace(report, rows=[*report.rows, strong]))
    assert '<td class="num best">0.999' in source
    assert "below</strong> the best scorer without learning (box height, 0.999)" in source


def test_without_labels_the_page_says_so_and_shows_no_metric():
    report = fake_report(count=3, labelled=False)
    source = render(report)
    page = Page(source)
    assert page.problems == []
    assert page.texts.count("no labels") >= len(report.videos)
    assert "nan" not in " ".join(page.texts).lower().replace("provenance", "")
    data = _data(source)
    assert data["roc"] == [] and data["bars"] == [] and data["phases"]["lines"] == []


def test_a_report_of_a_headline_alone_is_a_page():
    row = Row(group=LEARNED, phase="perception", scorer="prediction", smoothing="none")
    page = Page(render(Report(title="t", dataset="d", headline=row, rows=[row])))
    assert page.problems == []


def test_the_tables_by_scene_and_class_hold_every_one_with_the_final_scorers_auc(page, report, source):
    rows = {**report.headline.scenes, **report.headline.classes}
    assert len(report.headline.scenes) == 3 and set(report.headline.classes) == {"smoke", "cyclist on lawn", "kite"}
    for name, auc in rows.items():
        line = re.search(rf'<tr><th scope="row">{name}</th>(.*?)</tr>', source, re.S)
        assert line and f"{auc:.3f}" in line.group(1)


def test_an_interval_stands_below_its_auc(report, source):
    low, high = report.headline.micro_auc_interval
    assert f'<span class="interval">{low:.3f}–{high:.3f}</span>' in source
    plain = dataclasses.replace(report.headline, micro_auc_interval=(math.nan, math.nan))
    bare = dataclasses.replace(plain, macro_auc_interval=(math.nan, math.nan))
    source = render(dataclasses.replace(report, headline=bare, rows=[bare]))
    assert not re.search(r'<span class="interval">\d', source)


def test_a_miss_says_how_many_normal_frames_score_as_high_and_what_was_seen(source):
    section = source[source.index('<section id="misses"') : source.index('<section id="provenance"')]
    assert section.count("31.0 % of normal frames score as high") == 3
    assert section.count("No object was found in it") == 2 and section.count('class="strip"') == 1


def test_every_still_of_a_video_is_in_the_page_and_none_where_it_is_not_at_hand(report, source):
    data = _data(source)
    for video, drawn in zip(report.videos, data["videos"]):
        if video.stills is None:
            assert drawn["stills"] is None
        else:
            assert [base64.b64decode(image) for image in drawn["stills"]["images"]] == list(video.stills.images)


def test_the_area_of_the_drawn_precision_recall_curve_is_the_average_precision(report, source):
    curve = next(curve for curve in _data(source)["pr"] if curve["name"] == report.headline.scorer)
    recall, precision = np.array([0, *curve["x"]]), np.array([0, *curve["y"]])
    assert curve["area"] == pytest.approx(report.headline.average_precision, abs=0.1)
    assert np.sum(np.diff(recall) * precision[1:]) == pytest.approx(curve["area"], abs=2e-3)


def test_a_score_that_is_not_finite_is_refused_by_name(report):
    broken = VideoCurve(name="walk_07", labels=None, scores={"fused": np.array([0, math.nan])})
    with pytest.raises(InputError, match=r"walk_07.*frame 1"):
        render(dataclasses.replace(report, videos=[broken]))


def test_the_file_is_written_whole_and_of_a_bearable_size(tmp_path, report, source):
    write_report(tmp_path / "run" / "report.html", report)
    assert (tmp_path / "run" / "report.html").read_text() == source
    assert len(source) < 4_000_000


def test_the_same_report_gives_the_same_bytes(report, source):
    assert render(report) == source


def test_roc_curves_are_short_enough_to_draw():
    report = fake_report(count=4, frames=4000)
    data = chart_data(report)
    assert [curve["name"] for curve in data["roc"]][:2] == ["fused", "prediction"]
    assert all(2 <= len(curve["x"]) == len(curve["y"]) <= 300 for curve in data["roc"])
    assert sum(len(video["curves"]) for video in data["videos"]) * 2000 <= ALL_POINTS


def test_packing_a_curve_loses_less_than_can_be_seen():
    score = np.random.default_rng(0).normal(size=500)
    levels = np.frombuffer(base64.b64decode(packed(score, score.min(), score.max())), "<u2")
    span = np.ptp(score)
    assert np.abs(score.min() + levels / 65535 * span - score).max() <= span / 65535
    assert packed(np.ones(2), 1.0, 1.0) == base64.b64encode(bytes(4)).decode()


def test_thinning_a_curve_keeps_its_peak():
    score = np.zeros(1001)
    score[777] = 5
    values, step = thinned(score, 100)
    assert len(values) <= 100 and values[777 // step] == 5 and np.isfinite(values).all()


def test_the_ground_truth_decides_what_is_shaded():
    labels = np.array([0, 1, 1, 0, 0, 0, 1, 0])
    events = [Event(start=1, end=3, name="runner", kind="unseen"), Event(start=3, end=5, name="dog", kind="unseen")]
    video = VideoCurve(name="a", labels=labels, events=events, scores={"fused": np.zeros(8)})
    assert [(span.start, span.end, span.name) for span in spans(video)] == [(1, 3, "runner"), (6, 7, "anomaly")]
    assert len(spans(dataclasses.replace(video, labels=None))) == 2


@pytest.mark.parametrize("width", [60, 80, 110, 200])
def test_the_terminal_table_fits_and_holds_every_row_apart_by_group_and_smoothing(report, width):
    text = format_table(report.rows, width)
    assert max(map(len, text.splitlines())) <= width
    lots = re.split(r"^-+\n", text, flags=re.M)[1:-1]
    assert [lot.split("\n")[0] for lot in lots] == [
        "learned, median17", "learned, not smoothed", "no learning, median17", "no learning, not smoothed"
    ]  # fmt: skip
    for row in report.rows:
        heading = f"{row.group}, {'not smoothed' if row.smoothing == 'none' else row.smoothing}"
        (lot,) = (lot for lot in lots if lot.startswith(heading + "\n"))
        assert re.search(rf"^{row.phase} +{row.scorer} +{row.micro_auc:.3f}", lot, re.M)


def test_the_terminal_table_is_as_wide_as_the_terminal_and_80_columns_in_a_log(report, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert format_table(report.rows) == format_table(report.rows, 80)
    monkeypatch.setenv("COLUMNS", "200")
    assert format_table(report.rows) == format_table(report.rows, 200) != format_table(report.rows, 80)


def test_the_terminal_table_names_what_it_leaves_out_and_survives_missing_values():
    row = Row(group=LEARNED, phase="p" * 90, scorer="s", smoothing="none", kinds={f"kind_{i}": 0.5 for i in range(20)})
    text = format_table([row], 80)
    head, _, last = text.partition("not shown")
    assert max(map(len, head.splitlines())) <= 80
    assert all(f"kind {i}" in " ".join(last.split()) for i in range(8, 20)) and "nan" not in text
    assert "no labels" in format_table([dataclasses.replace(row, kinds={})])
    assert isinstance(format_table([]), str)


def test_without_labels_the_page_leads_with_the_auc_on_synthetic_anomalies_and_the_command_that_scores():
    kinds = {"hasty": 0.75, "gliding": 0.65}
    report = dataclasses.replace(
        fake_report(count=3, labelled=False), state="runs/mine/states/inference-1",
        synthetic_auc={"perception": {"fused": kinds}, "inference": {"fused": kinds, "prediction": kinds}},
    )  # fmt: skip
    page = Page(source := render(report))
    assert page.problems == [] and source.index('id="synthetic"') < source.index('id="videos"')
    assert page.texts.count("0.700") == 3 and any("--state runs/mine/states/inference-1" in text for text in page.texts)
    assert 'id="synthetic"' not in render(dataclasses.replace(report, headline=fake_report().headline))


def test_made_up_videos_have_all_that_the_page_can_show():
    videos = fake_videos()
    assert {event.kind for video in videos for event in video.events} == {
        "scene_independent",
        "scene_dependent",
        "unseen",
    }
    assert any(not video.events for video in videos) and any(len(video.events) > 1 for video in videos)
