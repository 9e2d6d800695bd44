"""The report in a real browser: no complaint, curves drawn, and pointer, click and keys show the frame.

Needs a Chromium or Chrome on PATH and skips, saying so, where there is none.
"""

from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from browser import BROWSERS, Browser, find_browser
from fake_report import HOSTILE, fake_report

from dist_vad.inference.mp4 import mp4_writer
from dist_vad.report import write_report

CURVE = 'document.querySelector("#curve .js-line").getAttribute("d")'
RIGHT, END = ("ArrowRight", 39), ("End", 35)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    found = find_browser()
    if found is None:
        pytest.skip(f"NO BROWSER, the page's script is NOT tested: install one of {', '.join(BROWSERS)}")
    browser = Browser(found, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def report_path(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(path, fake_report(count=6, frames=60))
    return path


@pytest.fixture
def page(browser, report_path):
    """The page, just opened; what it complains of fails the test."""
    browser.resize(1280, 1000)
    browser.open(report_path)
    yield browser
    assert browser.complaints == []


def data(page: Browser, element: str, name: str) -> str:
    return page.run(f'document.getElementById("{element}").dataset.{name}')


def facts(page: Browser) -> str:
    return page.run('document.getElementById("frame-facts").textContent')


def place_of(page: Browser, frame: int) -> tuple[float, float]:
    """Where a frame of the curve is on the screen."""
    page.run('document.getElementById("curve").scrollIntoView({block: "center"})')
    return tuple(
        page.run(
            '(() => { const c = document.getElementById("curve"), a = c._fullLayout.xaxis, b = c.querySelector('
            f'".nsewdrag").getBoundingClientRect(); return [b.left + a.l2p({frame}), b.top + b.height / 2]; }})()'
        )
    )


def test_all_charts_are_drawn(page):
    for chart in ("phases", "roc", "pr", "kinds", "curve"):
        assert int(data(page, chart, "drawn")) >= 1, chart
    assert data(page, "curve", "video") == "plaza_000" and data(page, "curve", "points") == "60"
    assert page.run(CURVE).count(",") > 20


def test_a_link_to_a_video_shows_that_video_and_frame(page, report_path):
    first = page.run(CURVE)
    page.open(report_path, "#video=plaza_001&frame=9")
    assert data(page, "curve", "video") == "plaza_001" and page.run(CURVE) != first
    assert facts(page).startswith("Frame 9 ·")


def test_choosing_a_video_by_hand_changes_the_chart_and_marks_its_curve(page):
    page.run(
        '(v => { v.value = "plaza_001"; v.dispatchEvent(new Event("change")); })(document.getElementById("video"))'
    )
    assert data(page, "curve", "video") == "plaza_001"
    assert page.run('document.querySelector("#sparklines [aria-current]").dataset.video') == "plaza_001"


def test_the_pointer_shows_its_frame_and_a_click_keeps_it(page):
    before = facts(page)
    page.point(*place_of(page, 40))
    page.wait('document.getElementById("frame-facts").textContent.startsWith("Frame 40 ")')
    assert data(page, "still", "frame") == "40"
    page.point(5, 5)
    page.wait(f'document.getElementById("frame-facts").textContent === "{before}"')
    page.point(*place_of(page, 20), click=True)
    page.wait('location.hash === "#video=plaza_000&frame=20"')
    page.point(5, 5)
    page.wait('document.getElementById("frame").value === "20"')
    assert facts(page).startswith("Frame 20 ") and data(page, "still", "frame") == "20"
    assert page.run('document.getElementById("still").naturalWidth') == 90
    assert page.run('document.getElementById("still").alt') == "plaza_000, frame 20"


def test_the_keyboard_alone_reaches_every_frame_and_says_what_it_is(page):
    page.run('document.getElementById("frame").focus()')
    page.press(*END)
    page.wait('document.getElementById("frame").value === "59"')
    page.run('document.getElementById("frame").value = 11')
    page.press(*RIGHT)
    page.wait('document.getElementById("frame").value === "12"')
    said = page.run('document.getElementById("frame").getAttribute("aria-valuetext")')
    assert said == facts(page) and said.startswith("Frame 12 · score ") and said.endswith("smoke")


def test_zooming_keeps_the_frame_in_view_and_comes_back(page):
    shown = 'document.getElementById("curve")._fullLayout.xaxis.range.map(Number)'
    page.point(*place_of(page, 20), click=True)
    page.wait('document.getElementById("frame").value === "20"')
    page.run('document.getElementById("zoom-in").click()')
    page.wait(f"({shown})[1] - ({shown})[0] < 31")
    low, high = page.run(shown)
    assert low <= 20 <= high
    page.run('document.getElementById("zoom-all").click()')
    page.wait(f"({shown})[1] === 59 && ({shown})[0] === 0")


def test_every_control_has_a_name_and_can_be_reached_by_tab(page):
    nameless = page.run(
        '[...document.querySelectorAll("a, button, select, input, [tabindex]")].filter((e) => e.tabIndex < 0 || !('
        'e.textContent.trim() || e.getAttribute("aria-label") || e.labels?.length)).map((e) => e.outerHTML)'
    )
    assert nameless == []
    order = page.run('[...document.querySelectorAll("[tabindex]")].map((e) => e.tabIndex)')
    assert set(order) == {0}


def test_a_video_that_is_not_at_hand_says_so(page, report_path):
    page.open(report_path, "#video=plaza_002")
    assert page.run('document.getElementById("still").hidden') and not page.run(
        'document.getElementById("no-still").hidden'
    )


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_phone_nothing_is_wider_than_the_screen_and_colours_follow_the_users_wish(page, report_path, dark):
    page.resize(390, 844, dark)
    page.open(report_path)
    assert page.run("document.documentElement.scrollWidth") <= 390
    ground = page.run("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g).map(Number)")
    assert (max(ground) < 80) == dark


def test_a_hostile_name_can_be_linked_to_and_runs_nothing(page, report_path):
    page.open(report_path, f"#video={quote(HOSTILE, safe='')}")
    assert data(page, "curve", "video") == HOSTILE


def test_a_page_without_labels_draws_its_curves(browser, tmp_path):
    path = tmp_path / "report.html"
    write_report(path, fake_report(count=2, frames=40, labelled=False))
    browser.open(path)
    assert data(browser, "curve", "points") == "40"
    assert data(browser, "roc", "drawn") is None and browser.complaints == []


def test_an_annotated_video_plays_in_the_browser(browser, tmp_path):
    with mp4_writer(tmp_path / "video.mp4", 64, 48, 25) as write:
        for number in range(50):
            write(np.full((48, 64, 3), 5 * number, np.uint8))
    page = tmp_path / "page.html"
    page.write_text('<video src="video.mp4" muted autoplay></video>')
    browser.open(page, ready='document.querySelector("video").currentTime > 0.2')
    assert browser.run('document.querySelector("video").videoWidth') == 64
    assert browser.run('document.querySelector("video").duration') == pytest.approx(2, abs=0.1)
