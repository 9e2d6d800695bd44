"""Cameras that stall, drop, change and send garbage: right times, no event lost, the others undisturbed."""

import os
import sys
import threading
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from fake_cameras import FakeCamera, Fault, walker
from watching import EVERY, LASTS, events, lines, red_by_times, red_judge, until, watch_settings

from dist_vad.base.errors import InputError
from dist_vad.base.times import from_iso
from dist_vad.settings.watch import CameraSettings, ClipSettings
from dist_vad.watch.service import Service


def wrong_by(out: Path, name: str, camera: FakeCamera) -> list[float]:
    """By how many seconds the begins of events differ from when something red came.

    The median of the last 17 scores reaches the threshold once 9 of them are red.
    """
    begins = [camera.taken[number] for number in range(8, 10_000, EVERY) if number in camera.taken]
    return [min((from_iso(e["begin"]) - begin for begin in begins), key=abs) for e in events(out, name, "begin")]


def run(settings, cameras: dict[str, FakeCamera], seconds: float, detector=None) -> Service:
    judge = red_judge(detector)
    service = Service(settings, dict.fromkeys(cameras, judge))
    service.start()
    time.sleep(seconds)
    assert service.health().well
    service.stop()
    return service


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """Four cameras for 20 s: one is well, the others stall, drop, or tear pictures and send garbage."""
    out = tmp_path_factory.mktemp("watched")
    with (
        FakeCamera(red_by_times) as well,
        FakeCamera(red_by_times, faults=[Fault(62, "stall", 4)]) as stalls,
        FakeCamera(red_by_times, faults=[Fault(65, "drop"), Fault(100, "refuse", 1.5)]) as drops,
        FakeCamera(red_by_times, faults=[Fault(60, "garbage"), Fault(63, "torn"), Fault(101, "garbage")]) as spoils,
    ):
        cameras = {"well": well, "stalls": stalls, "drops": drops, "spoils": spoils}
        settings = watch_settings(out, {name: camera.url for name, camera in cameras.items()})
        service = run(settings, cameras, 20)
    return out, cameras, service


def test_a_camera_that_is_well_is_undisturbed_by_the_others(watched):
    out, _, service = watched
    camera = service.watched["well"].camera
    assert camera.connections == 1 and camera.lost == 0 and camera.damaged == 0
    assert camera.frames == pytest.approx(170, abs=25)
    assert len(events(out, "well")) >= 4


def test_the_times_are_those_at_which_the_pictures_were_taken(watched):
    out, cameras, _ = watched
    for name, camera in cameras.items():
        # What began while a camera was away is seen late, and so is what a busy machine takes late.
        errors = np.sort(np.abs(wrong_by(out, name, camera)))
        assert errors[(len(errors) - 1) // 2] < 0.2, (name, errors)


def test_a_lost_camera_comes_back_and_says_so(watched):
    out, cameras, service = watched
    for name in ("stalls", "drops", "spoils"):
        told = [line["status"] for line in lines(out) if line["type"] == "camera" and line["camera"] == name]
        assert told[:3] == ["connected", "lost", "connected"], name
        assert service.watched[name].camera.connections >= 2
        assert [line for line in events(out, name) if from_iso(line["begin"]) > cameras[name].started + 15]
    assert service.watched["spoils"].camera.damaged >= 2


def test_every_event_that_began_has_ended_once(watched):
    out, cameras, _ = watched
    for name in cameras:
        begun, ended = ([line["id"] for line in events(out, name, kind)] for kind in ("begin", "end"))
        assert begun == ended and len(set(begun)) == len(begun)


def test_an_event_has_its_snapshot_and_a_clip_that_begins_before_it(watched):
    out, _, _ = watched
    for line in events(out, "well")[:3]:
        picture = cv2.imread(str(out / line["snapshot"]))
        assert picture is not None and picture.shape[:2] == (96, 128)
        with av.open(str(out / line["clip"])) as clip:
            times = [frame.time for frame in clip.decode(video=0)]
        assert times[0] == 0 and np.diff(times).max() < 0.5
        assert times[-1] > LASTS / 10 and line["boxes"]


def test_the_boxes_of_an_event_are_where_the_red_thing_was(watched):
    out, cameras, _ = watched
    for line in events(out, "well"):
        number = round((from_iso(line["peak"]) - cameras["well"].started) * 10)
        near = []
        for shift in range(-2, 3):
            picture = walker(number + shift)
            ys, xs = np.nonzero((picture == (230, 200, 90)).all(axis=-1))
            near.append(np.abs(np.array(line["boxes"][0]["box"]) - [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]))
        assert np.min(np.max(near, axis=1)) <= 8


def test_cubes_of_several_cameras_are_scored_together(watched):
    _, _, service = watched
    detector = service.watched["well"].camera.judge.scorer.detector
    assert max(detector.batches) > 1


def test_a_camera_that_changes_its_size_goes_on(tmp_path):
    def changing(number):
        return cv2.resize(red_by_times(number), (160, 120) if number > 60 else (128, 96))

    with FakeCamera(changing) as camera:
        service = run(watch_settings(tmp_path, {"door": camera.url}), {"door": camera}, 15)
    sizes = [line["size"] for line in events(tmp_path, "door")]
    shown = service.watched["door"].view
    assert [160, 120] in sizes and shown is not None and shown.size == (160, 120)


def test_a_file_is_played_at_its_own_pace_again_and_again(tmp_path):
    path = tmp_path / "door.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (128, 96))
    for number in range(50):
        writer.write(cv2.cvtColor(walker(number), cv2.COLOR_RGB2BGR))
    writer.release()
    settings = watch_settings(tmp_path / "out", {"door": str(path)})
    settings.cameras["door"] = CameraSettings(url=str(path), fps=10)
    service = run(settings, {"door": None}, 6)  # pyright: ignore[reportArgumentType]
    camera = service.watched["door"].camera
    assert camera.connections >= 2 and camera.fps == 10 and camera.frames == pytest.approx(40, abs=15)


def test_two_services_do_not_write_to_one_folder(tmp_path):
    settings = watch_settings(tmp_path, {"door": "0"})
    first = Service(settings, {"door": red_judge()})
    with pytest.raises(InputError, match="another service"):
        Service(settings, {"door": red_judge()})
    first.stop()


def test_what_a_camera_holds_in_memory_does_not_grow(tmp_path):
    """Whatever is appended to is bounded; the pictures by seconds and bytes."""
    with FakeCamera(red_by_times, fps=40) as camera:
        settings = watch_settings(tmp_path, {"door": camera.url}, clip=ClipSettings(before=1, fps=40))
        service = Service(settings, {"door": red_judge()})
        service.start()
        watched = service.watched["door"]
        until(lambda: watched.scored > 80)
        assert len(list(watched._ring)) <= 42
        until(lambda: watched.scored > 160)
        assert len(list(watched._ring)) <= 42 and service.batcher.waiting("door") <= 64
        service.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="threads have nice values on Linux alone")
def test_the_thread_that_scores_goes_before_those_that_read_cameras(tmp_path):
    with FakeCamera(walker) as camera:
        service = Service(watch_settings(tmp_path, {"a": camera.url}), {"a": red_judge()})
        service.start()
        until(lambda: service.watched["a"].camera.frames > 3, 20)
        threads = {thread.name: thread.native_id for thread in threading.enumerate()}
        nice = {name: os.getpriority(os.PRIO_PROCESS, number or 0) for name, number in threads.items()}
        service.stop()
    readers = [value for name, value in nice.items() if name.startswith(("camera a", "read "))]
    assert len(readers) == 2 and min(readers) > nice["score"]
