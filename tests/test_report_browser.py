"""The report in a real browser: no error, curves drawn, and the choice of a video changes the chart.

Needs a Chromium or Chrome on PATH and skips, saying so, where there is none.
"""

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
from fake_report import HOSTILE, fake_report

from dist_vad.report import write_report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OFFLINE = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,1000",
    "--virtual-time-budget=5000",
    "--enable-logging=stderr",
    "--v=0",
    "--dump-dom",
]
CHOOSE = """<script>
const picker = document.getElementById("video");
picker.value = "plaza_002";
picker.dispatchEvent(new Event("change"));
</script></body>"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"NO BROWSER, the page's script is NOT tested: install one of {', '.join(BROWSERS)}")
    return found


@pytest.fixture(scope="module")
def report_path(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(path, fake_report(count=6, frames=60))
    return path


def _load(browser: str, path: Path, fragment: str = "") -> str:
    """The page after its script has run; fails on anything that the page wrote to the console."""
    profile = f"--user-data-dir={path.parent / 'profile'}"
    run = subprocess.run(
        [browser, *OFFLINE, profile, path.as_uri() + fragment], capture_output=True, text=True, timeout=120
    )
    complaints = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
    assert complaints == []
    assert '<html lang="en" data-ready="true">' in run.stdout, run.stderr[-2000:]
    return run.stdout


def _chart(dom: str) -> dict[str, str]:
    """Attributes of the chart of the chosen video, and the shape of its curve."""
    opening = re.search(r'<div id="curve"[^>]*>', dom)
    assert opening
    attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', opening.group()))
    line = re.search(r'<path class="js-line"[^>]*? d="([^"]+)"', dom[opening.end() :])
    assert line
    return {**attributes, "curve": line.group(1)}


def test_all_charts_are_drawn_without_a_complaint(browser, report_path):
    dom = _load(browser, report_path)
    for chart in ("phases", "roc", "kinds", "curve"):
        assert re.search(rf'<div id="{chart}"[^>]*data-drawn="[1-9]', dom), chart
    chart = _chart(dom)
    assert chart["data-video"] == "plaza_000" and chart["data-points"] == "60"
    assert chart["curve"].count(",") > 20


def test_a_link_to_a_video_shows_that_video(browser, report_path):
    first, other = _chart(_load(browser, report_path)), _chart(_load(browser, report_path, "#video=plaza_001&frame=9"))
    assert other["data-video"] == "plaza_001" and other["curve"] != first["curve"]


def test_choosing_a_video_by_hand_changes_the_chart_and_marks_its_curve(browser, report_path):
    chosen = report_path.with_name("chosen.html")
    source = report_path.read_text()
    end = source.rindex("</body>")
    chosen.write_text(source[:end] + CHOOSE + source[end + len("</body>") :])
    dom = _load(browser, chosen)
    assert _chart(dom)["data-video"] == "plaza_002"
    assert re.findall(r'data-video="([^"]*)" aria-current="true"', dom) == ["plaza_002"]


def test_a_hostile_name_can_be_linked_to_and_runs_nothing(browser, report_path):
    dom = _load(browser, report_path, f"#video={quote(HOSTILE, safe='')}")
    assert "&lt;/script&gt;" in _chart(dom)["data-video"] or "</script>" in _chart(dom)["data-video"]


def test_a_page_without_labels_draws_its_curves(browser, tmp_path):
    path = tmp_path / "report.html"
    write_report(path, fake_report(count=2, frames=40, labelled=False))
    dom = _load(browser, path)
    assert _chart(dom)["data-points"] == "40"
    assert 'data-drawn="0"' not in dom and not re.search(r'<div id="roc"[^>]*data-drawn', dom)
