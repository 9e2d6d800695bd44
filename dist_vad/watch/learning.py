"""Cameras that were never trained: recorded, trained, and from then on watched by the state that came of it."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from dist_vad.base.errors import InputError
from dist_vad.base.log import log
from dist_vad.base.sealed import read_or, write_sealed
from dist_vad.base.text.redact import protect_address
from dist_vad.base.text.secrets import from_environment
from dist_vad.inference.events import Threshold
from dist_vad.settings.data import DataSettings
from dist_vad.settings.detector import DetectorSettings
from dist_vad.settings.video import EventSettings
from dist_vad.settings.watch import WatchSettings
from dist_vad.watch.camera import Camera, Judge
from dist_vad.watch.recording import CubeCutter, Recorder, SegmentPlan

LEARNED = "learned"
VIDEO = "video"
"""In it, where the video would lie that the shards were cut from: none is kept, and there is no such folder."""
TRAIN = "from dist_vad.cli.main import main; main()"


def learned_states(settings: WatchSettings, hours: float) -> dict[str, str] | None:
    """Camera -> folder of its state, after those without one are learned; None where that was interrupted.

    Started again, it goes on with the segments that are missing. Raises InputError for cameras without a state where
    nothing is to be learned, and where the training fails.
    """
    given = {name: camera.state or settings.state for name, camera in settings.cameras.items()}
    missing = [name for name, state in given.items() if state is None]
    states = {name: state for name, state in given.items() if state is not None}
    if not missing:
        return states
    known = Path(settings.out) / LEARNED / "state.json"
    facts: dict[str, Any] = read_or(known, {})
    if facts and set(missing) <= set(facts["cameras"]):
        return {**states, **dict.fromkeys(missing, str(facts["state"]))}
    if not hours:
        raise InputError(
            f"no state for {', '.join(missing)}: give `state: RUN/states/NAME` in the file, or --learn HOURS, which "
            "records normal video of so many hours and trains on it"
        )
    return _learn(settings, missing, hours, states)


def _learn(settings: WatchSettings, missing: list[str], hours: float, states: dict[str, str]) -> dict[str, str] | None:
    folder = Path(settings.out) / LEARNED
    data = _data_settings(settings)
    wanted = dataclasses.replace(settings, cameras={name: settings.cameras[name] for name in missing})
    asked = threading.Event()

    def note(number: int, frame: FrameType | None) -> None:
        asked.set()

    before = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        if not _record(wanted, folder / "shards", data, hours, asked):
            log.info("stopped; the same command goes on with the recording")
            return None
        state = _train(settings, folder, asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if state is None:
        log.info("stopped; the same command goes on with the training")
        return None
    write_sealed(folder / "state.json", {"state": state, "cameras": missing, "hours": hours})
    return {**states, **dict.fromkeys(missing, state)}


def _data_settings(settings: WatchSettings) -> DataSettings:
    try:
        detector = DetectorSettings(**settings.detector)
    except (TypeError, ValueError) as error:
        raise InputError(f"--detector: {error}") from error
    root = str(Path(settings.out) / LEARNED / VIDEO)
    stride = settings.learning.every
    return DataSettings(
        dataset="folder", root=root, virtual="none", detector=detector, train_stride=stride, test_stride=stride
    )


def _record(settings: WatchSettings, shards: Path, data: DataSettings, hours: float, asked: threading.Event) -> bool:
    """Record all cameras; whether that was finished."""
    if all((shards / f"cube-{split}" / "manifest.json").is_file() for split in ("train", "val")):
        return True
    plan = SegmentPlan.of(hours, len(settings.cameras), settings)
    recorder = Recorder(shards, plan, data, settings)
    nothing = Threshold.of([np.arange(100.0)], EventSettings())
    cameras = []
    for name, camera in settings.cameras.items():
        url = from_environment(camera.url, f"cameras.{name}.url")
        protect_address(url)
        judge = Judge(CubeCutter(name, data, settings), nothing)
        cameras.append(Camera(name, camera, settings, judge, url, recorder))
    log.info(
        "learning %s for %g h: %d segments of %.0f s each; let nothing unusual happen, or delete it afterwards",
        ", ".join(settings.cameras), hours, plan.count, plan.seconds,
    )  # fmt: skip
    for camera in cameras:
        camera.start()
    running = list(cameras)
    while running and not asked.wait(0.2):
        for camera in [camera for camera in running if recorder.is_done(camera.name)]:
            camera.stop()
            running.remove(camera)
        dead = [camera.name for camera in running if not camera.is_alive]
        if dead:
            raise InputError(f"the threads of {', '.join(dead)} have ended; the log says why")
    for camera in cameras:
        camera.stop()
    for camera in cameras:
        camera.join(10)
    recorder.close()
    if running:
        return False
    recorder.write_manifests(list(settings.cameras))
    return True


def _train(settings: WatchSettings, folder: Path, asked: threading.Event) -> str | None:
    """Train on what was recorded, in a process of its own; the folder of the last state, or None if interrupted."""
    learn = settings.learning
    arguments = [
        "--run", folder / "run", "--shards", folder / "shards",
        "--data.dataset", "folder", "--data.root", folder / VIDEO, "--data.virtual", "none",
        "--curriculum", learn.curriculum, "--stage.steps", learn.steps, *learn.options,
    ]  # fmt: skip
    command = [sys.executable, "-c", TRAIN, "train", *map(str, arguments)]
    log.info("training on what was recorded; %s/run has its log", folder)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    output: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: output.extend(process.stdout or ()), daemon=True)
    reader.start()
    while process.poll() is None:
        if asked.wait(0.5):
            process.terminate()
            process.wait()
        time.sleep(0.05)
    reader.join()
    if asked.is_set():
        return None
    found = next((line.removeprefix("state:").strip() for line in reversed(output) if line.startswith("state:")), None)
    if process.returncode or found is None:
        raise InputError(f"training ended with status {process.returncode}; its messages are above, --learn goes on")
    return found
