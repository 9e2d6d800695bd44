"""The live page in a real browser, on a desktop and on a phone: pictures, boxes, events, clips, answers."""

import os
from pathlib import Path

import pytest
from browser import Browser, find_browser
from fake_cameras import FakeCamera
from watching import events, red_by_times, red_judge, until, watch_settings

from dist_vad.settings.watch import CameraSettings, ClipSettings, PageSettings
from dist_vad.watch.service import Service
from dist_vad.watch.web import Page

PICTURES = os.environ.get("DIST_VAD_PICTURES")
"""A folder that keeps what the browser shows, to look at."""


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A browser on the page of a service with two cameras that are well and one that is away."""
    executable = find_browser()
    if executable is None:
        pytest.skip("needs Chromium or Chrome")
    out = tmp_path_factory.mktemp("page")
    with FakeCamera(red_by_times) as door, FakeCamera(red_by_times) as yard:
        urls = {"door": door.url, "yard": yard.url, "garage": "http://127.0.0.1:9/video.mjpg"}
        settings = watch_settings(out, urls, page=PageSettings(port=0), clip=ClipSettings(before=1, after=0.5))
        settings.cameras["garage"] = CameraSettings(url="http://admin:planted-secret@127.0.0.1:9/video.mjpg")
        service = Service(settings, dict.fromkeys(urls, red_judge()))
        page = Page(service)
        page.start()
        service.start()
        until(lambda: len(events(out, "door")) >= 2 and len(events(out, "yard")) >= 1, 120)
        browser = Browser(executable, tmp_path_factory.mktemp("profile"))
        browser.resize(1280, 900)
        browser.open(page.url)
        yield browser, service, out
        browser.close()
        page.stop()
        service.stop()


def picture(browser: Browser, name: str) -> None:
    if PICTURES:
        browser.picture(Path(PICTURES) / f"{name}.jpg")


def test_every_camera_has_its_picture_its_curve_and_its_state(shown):
    browser, _, _ = shown
    browser.wait("document.querySelectorAll('.camera.connected img[src^=blob]').length === 2", 60)
    assert browser.run("document.querySelectorAll('.camera').length") == 3
    browser.wait("document.querySelector('.camera.lost .away').textContent.includes('away since')", 60)
    browser.wait("document.querySelectorAll('.camera.connected svg rect').length > 0", 60)
    assert "2 of 3 connected" in browser.run("document.querySelector('#summary').textContent")
    assert browser.run("document.documentElement.textContent.includes('planted-secret')") is False


def test_an_event_is_listed_with_its_snapshot_and_plays(shown):
    browser, _, _ = shown
    browser.wait("document.querySelectorAll('#events li').length >= 3", 60)
    browser.wait("[...document.querySelectorAll('#events img')].some(image => image.naturalWidth > 0)", 60)
    picture(browser, "cameras_desktop")
    row = "[...document.querySelectorAll('#events li')].at(-1)"
    browser.run(f"{row}.querySelector('.shot').click()")
    browser.wait("document.querySelector('#player').open && document.querySelector('video').readyState >= 2", 60)
    picture(browser, "cameras_clip")
    browser.run("document.querySelector('#player').close()")


def test_an_answer_is_taken_and_shown_and_stays(shown):
    browser, service, out = shown
    name = service.events[0]["id"]
    row = "[...document.querySelectorAll('#events li')].at(-1)"
    browser.run(f"{row}.querySelector('[data-answer=false_alarm]').click()")
    browser.wait(f"{row}.querySelector('[data-answer=false_alarm]').getAttribute('aria-pressed') === 'true'", 60)
    assert service.answers.of[name] == "false_alarm"
    assert (out / "validation" / "false_alarm" / f"{name}.npz").is_file()
    browser.wait("document.querySelector('#judged').textContent.includes('1 false alarm')", 60)
    before = browser.run("document.querySelectorAll('#events li').length")
    browser.run("document.querySelector('#open-only').click()")
    assert browser.run("document.querySelectorAll('#events li').length") < before
    browser.run("document.querySelector('#open-only').click()")


def test_on_a_phone_nothing_is_cut_off_and_in_the_dark_it_is_dark(shown):
    browser, _, _ = shown
    browser.resize(390, 844, dark=True)
    browser.wait("document.documentElement.scrollWidth <= 390", 60)
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(15, 17, 20)"
    picture(browser, "cameras_phone")


def test_the_page_loads_nothing_from_elsewhere_and_complains_of_nothing(shown):
    browser, _, _ = shown
    hosts = browser.run("[...new Set(performance.getEntriesByType('resource').map(one => new URL(one.name).host))]"
                        ".join() === location.host")  # fmt: skip
    assert hosts is True
    faults = [told for told in browser.complaints if "404" not in told]
    assert faults == []
