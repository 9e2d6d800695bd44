"""A day of one camera, as fast as it is taken: what the service holds in memory, and what a frame costs, over time.

PYTHONPATH=.:tests/helpers nice -n 19 python benchmarks/watch_day.py [--frames 2000000]

Frames of 96 x 72 pixels with a walker, which is red now and then, go through everything behind the decoder: background,
motion detector, cubes, batching, events with snapshots and clips, files, retention. Scores come from the colour of a
cube, in place of a network, whose cost does not depend on time. Time is that of the frames: 23 a second, so that two
million are a day. Processor time is counted, not that of the clock: other work on the machine then does no harm.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil
from fake_cameras import walker
from watching import red_judge, watch_settings

from dist_vad.settings.watch import ClipSettings, KeepSettings
from dist_vad.watch.camera import Camera
from dist_vad.watch.service import Service

SIZE, FPS, PERIOD, RED = (96, 72), 23, 2300, 40


class FedCamera(Camera):
    """A camera that takes frames as fast as they are made."""

    def feed(self, image, taken: float) -> None:
        cubes = self._cubes_for(image, FPS)
        self._times.append(taken)
        del self._times[: -cubes.half - 1]
        self.frames += 1
        self.status = "connected"
        moment = cubes.see(image)
        if moment:
            self._hand_on(moment, self._times[0], time.monotonic())

    _times: list[float]


def pictures() -> list:
    """One round of the walker, as usual and red."""
    usual = [walker(number, SIZE) for number in range(2 * (SIZE[0] - 20) // 2)]
    red = []
    for picture in usual:
        changed = picture.copy()
        changed[(picture == (230, 200, 90)).all(axis=-1)] = (250, 20, 20)
        red.append(changed)
    return [usual, red]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=2_000_000)
    frames = parser.parse_args().frames
    usual, red = pictures()
    with tempfile.TemporaryDirectory() as folder:
        settings = watch_settings(
            Path(folder), {"door": "0"}, keep=KeepSettings(gigabytes=0.005), clip=ClipSettings(longest=10)
        )
        service = Service(settings, {"door": red_judge()})
        watched = service.watched["door"]
        watched.camera.__class__ = FedCamera
        watched.camera._times = []  # pyright: ignore[reportAttributeAccessIssue]
        service._keeper.start()
        process, tenths, start = psutil.Process(), [], time.time() - frames / FPS
        cpu, wall = time.process_time(), time.monotonic()
        for number in range(frames):
            kind = red if number % PERIOD < RED else usual
            watched.camera.feed(  # pyright: ignore[reportAttributeAccessIssue]
                kind[number % len(usual)], start + number / FPS
            )
            if (number + 1) % (frames // 10) == 0:
                spent, took = time.process_time() - cpu, time.monotonic() - wall
                row = {
                    "frames": number + 1,
                    "ms_a_frame": round(10_000 * spent / frames, 4),
                    "wall_ms_a_frame": round(10_000 * took / frames, 4),
                    "resident_mb": round(process.memory_info().rss / 1e6, 1),
                }
                tenths.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
                cpu, wall = time.process_time(), time.monotonic()
        service.stop()
        facts = {
            "frames": frames,
            "events": watched.events,
            "first": tenths[0],
            "last": tenths[-1],
            "ms_ratio": round(tenths[-1]["ms_a_frame"] / tenths[0]["ms_a_frame"], 3),
            "memory_ratio": round(tenths[-1]["resident_mb"] / tenths[0]["resident_mb"], 3),
            "folder_mb": round(sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()) / 1e6, 1),
        }
    print(json.dumps({"benchmark": "watch_day", "cores": os.cpu_count(), **facts}))


if __name__ == "__main__":
    main()
