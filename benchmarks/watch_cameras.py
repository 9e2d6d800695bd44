"""Four cameras of 640 x 360 at 10 frames a second with the motion detector: what is dropped, how late event lines are.

PYTHONPATH=.:tests/helpers python benchmarks/watch_cameras.py --state RUN/states/NAME --video vtest.avi [--seconds 60]

Every camera is an MJPEG server in a process of its own that plays the video, resized. Processor time is that of the
service alone. Latency counts from the arrival of the last frame that a score needs, 4 frames later than its own, to
the moment at which its event line is written.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

SIZE = (640, 360)


def serve(video: str, start: int, pipe) -> None:
    """A camera that plays a video from some frame on."""
    import fake_cameras

    capture, frames = cv2.VideoCapture(video), []
    while capture.isOpened() and len(frames) < 300:
        done, frame = capture.read()
        if not done:
            break
        frames.append(fake_cameras.jpeg(cv2.cvtColor(cv2.resize(frame, SIZE), cv2.COLOR_BGR2RGB)))
    fake_cameras.jpeg = lambda picture: frames[int(picture)]
    with fake_cameras.FakeCamera(lambda number: np.array((start + number) % len(frames)), fps=10) as camera:
        pipe.send(camera.url)
        with contextlib.suppress(EOFError):  # whoever asked has ended
            pipe.recv()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", required=True)
    parser.add_argument("--video", required=True)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    context, urls, pipes = multiprocessing.get_context("spawn"), {}, []
    for number in range(given.cameras):
        ours, theirs = context.Pipe()
        context.Process(target=serve, args=(given.video, 40 * number, theirs), daemon=True).start()
        pipes.append(ours)
    urls = {f"camera{number}": pipe.recv() for number, pipe in enumerate(pipes)}

    from watching import watch_settings

    from dist_vad.watch.judges import judges_of
    from dist_vad.watch.run import SWITCH
    from dist_vad.watch.service import Service

    sys.setswitchinterval(SWITCH)
    with tempfile.TemporaryDirectory() as folder:
        settings = watch_settings(
            Path(folder),
            urls,
            detector={"name": "motion"},
            stride=given.stride,
            threads=given.threads,
            stall=10.0,
            warmup=2.0,
        )
        service = Service(settings, judges_of(settings, dict.fromkeys(urls, given.state)))
        service.start()
        while min(watched.scored for watched in service.watched.values()) < 5:
            time.sleep(0.1)
        cameras = list(service.watched.values())
        scored = sum(watched.scored for watched in cameras)
        before = [(watched.camera.frames, watched.camera.left_out, watched.camera.lost) for watched in cameras]
        cpu, began = time.process_time(), time.monotonic()
        time.sleep(given.seconds)
        cpu, took = time.process_time() - cpu, time.monotonic() - began
        now = [(watched.camera.frames, watched.camera.left_out, watched.camera.lost) for watched in cameras]
        seen, unscored, lost = np.subtract(now, before).sum(axis=0).tolist()
        scored = sum(watched.scored for watched in cameras) - scored
        latency = {watched.camera.name: watched.latency.facts() for watched in cameras}
        service.stop()
    facts = {
        "cameras": given.cameras,
        "seconds": round(took, 1),
        "stride": given.stride,
        "threads": given.threads,
        "frames": seen,
        "scored": scored,
        "unscored": unscored,
        "dropped": lost,
        "cpu_ms_a_frame": round(1000 * cpu / max(seen, 1), 2),
        "p50_ms": [facts["p50_ms"] for facts in latency.values()],
        "p95_ms": [facts["p95_ms"] for facts in latency.values()],
        "load": os.getloadavg()[0],
        "cores": os.cpu_count(),
    }
    print(json.dumps({"benchmark": "watch_cameras", **facts}))


if __name__ == "__main__":
    main()
