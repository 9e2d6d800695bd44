"""A camera that speaks RTSP: H.264 over RTP, with presentation times of its own."""

import numpy as np
import pytest
from fake_cameras import walker
from watching import events, red_by_times, red_judge, until, watch_settings

pytest.importorskip("aio_rtsp_toolkit", reason="needs an RTSP server: aio-rtsp-toolkit is not installed")
from rtsp_camera import rtsp_server, write_h264

from dist_vad.base.times import from_iso
from dist_vad.video.capture import Capture
from dist_vad.watch.service import Service

FPS = 10


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rtsp")
    write_h264(folder / "door.mp4", red_by_times, 400, FPS)
    with rtsp_server(folder) as address:
        yield f"{address}/door.mp4"


def test_pictures_come_with_the_times_at_which_they_were_taken(url):
    capture = Capture(url, 20)
    frames = [frame for frame, _ in zip(capture, range(25))]
    capture.close()
    seconds = np.array([frame.seconds for frame in frames], np.float64)
    np.testing.assert_allclose(np.diff(seconds), 1 / FPS, atol=0.005)
    assert np.abs(frames[0].image.astype(int) - walker(0)).mean() < 60 and frames[0].image.shape == (96, 128, 3)


def test_events_are_found_and_a_recording_that_ends_is_played_again(url, tmp_path):
    service = Service(watch_settings(tmp_path, {"door": url}), {"door": red_judge()})
    service.start()
    until(lambda: len(events(tmp_path, "door")) >= 3, 120)
    service.stop()
    camera = service.watched["door"].camera
    assert camera.damaged == 0 and camera.lost == 0
    for line in events(tmp_path, "door"):
        assert line["boxes"] and from_iso(line["begin"]) <= from_iso(line["peak"]) <= from_iso(line["end"])
        assert (tmp_path / line["clip"]).stat().st_size > 0
