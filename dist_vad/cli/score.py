"""Score any video by a trained state: a table of frame scores, the events as JSON, and the video with both drawn in.

dist-vad score VIDEO... --state RUN/states/NAME [--out DIR] [--online true] [--KEY VALUE ...]

VIDEO is a video file, a folder of pictures, the number of a camera, or the URL of a stream or of a video file.
"""

import signal
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from dist_vad.base import files
from dist_vad.base.errors import InputError, entry_point
from dist_vad.base.log import log
from dist_vad.base.text.redact import redacted
from dist_vad.settings.parsing import Command, Option, parse
from dist_vad.settings.video import VideoSettings

if TYPE_CHECKING:
    from dist_vad.inference.detector import Detector
    from dist_vad.inference.events import FoundEvent
    from dist_vad.inference.exported import ExportedDetector
    from dist_vad.inference.outputs import VideoResult

VIDEOS = Option(
    "videos", str, [], "video files, folders of pictures, numbers of cameras, URLs of streams", positional=True
)
STATE = Option("state", str | None, None, "folder of the state that scores, such as RUN/states/inference-… (required)")


MOST_EVENTS = 10
"""Events that are told of on standard output; the files have all."""

COMMAND = Command(
    VideoSettings,
    "Score any video by a trained state: frame scores, events, an annotated mp4.",
    options=(VIDEOS, STATE),
)


@entry_point
def main() -> None:
    settings, options = parse(COMMAND)
    if not options.videos or options.state is None:
        missing = "--state RUN/states/NAME" if options.videos else "a video"
        raise InputError(f"{missing} is missing; usage: dist-vad score VIDEO... --state RUN/states/NAME")
    from dist_vad.inference.scoring import event_threshold, score_offline, score_online
    from dist_vad.inference.video_scorer import VideoScorer, file_name
    from dist_vad.video.fetch import fetched
    from dist_vad.video.files import VideoError, remarks_of
    from dist_vad.video.live import is_stream

    names = [file_name(place) for place in options.videos]
    if len(set(names)) < len(names):
        raise InputError(f"videos of one name would overwrite each other's files: {', '.join(names)}; score them apart")
    outputs = {name: output_files(Path(settings.out), name, settings) for name in names}
    check_outputs([path for paths in outputs.values() for path in paths], options.videos, Path(options.state))
    signal.signal(signal.SIGTERM, _interrupt)
    with ExitStack() as stack:
        here = {place: fetched(place, stack) for place in options.videos}
        streams = [place for place in here.values() if is_stream(place)]
        if len(streams) > 1:
            raise InputError(
                f"{len(streams)} streams at once, of which the later ones would wait for the end of the first; score "
                "them apart, or watch all of them with `dist-vad watch cameras.yaml`"
            )
        online = settings.online or bool(streams)
        detector = opened(options.state, settings.engine, settings.batch if online else None)
        scorer = VideoScorer(detector, settings)
        threshold = event_threshold(detector, settings, online)
        failed: dict[str, str] = {}
        for place, name in zip(options.videos, names):
            mp4, table, events_file = outputs[name]
            try:
                frames = scorer.open(here[place])
                for remark in remarks_of(frames):
                    log.warning("remark: %s: %s", place, remark)
                video = (score_online if online else score_offline)(scorer, here[place], frames, threshold, mp4)
            except VideoError as error:  # the others are scored all the same
                log.warning("failed: %s: %s", place, error)
                failed[place] = str(error)
                continue
            video = replace(video, place=place)
            events = video.events(settings.events.join)
            video.write_table(table, events)
            video.write_events(events_file, events)
            report(video, events, [path for path in outputs[name] if path.exists()])
            if broken := video.facts.get("broke_off"):
                failed[place] = f"{broken}; what had come is written; `dist-vad watch` connects again by itself"
    if failed:
        listed = "; ".join(f"{place}: {reason}" for place, reason in failed.items())
        raise InputError(f"{len(failed)} of {len(names)} videos could not be scored: {listed}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends a stream as Ctrl-C does: what was scored is written."""
    raise KeyboardInterrupt


def output_files(out: Path, name: str, settings: VideoSettings) -> list[Path]:
    """What is written of a video: the mp4, the table of frame scores, the events."""
    return [out / f"{name}.mp4", out / f"{name}.{settings.table}", out / f"{name}.events.json"]


def check_outputs(outputs: list[Path], videos: list[str], state: Path) -> None:
    """Refuse to write over a video that is read, or among its pictures. Raises InputError."""
    files.check_outputs(outputs, videos, "the frames")
    if outputs and outputs[0].resolve().is_relative_to(state.resolve()):
        raise InputError(f"--out {outputs[0].parent} lies in the state that scores; give another folder")


def opened(place: str, engine: str, batch: int | None) -> "Detector | ExportedDetector":
    """The state that scores, by the engine that is asked for; an exported one has a batch of its own."""
    if engine == "torch":
        from dist_vad.inference.detector import Detector

        return Detector.load(place, batch=batch)
    from dist_vad.inference.exported import ExportedDetector

    return ExportedDetector.load(Path(place).expanduser(), engine)


def report(video: "VideoResult", events: "list[FoundEvent]", written: list[Path]) -> None:
    """Say what was found, and where it lies."""
    if video.facts["note"]:
        print(f"note: {video.facts['note']}")
    normal = video.facts["level"]["held_out_normal"]
    print(
        f"{redacted(video.place)}: {len(video.raw)} frames, {len(events)} events; the same threshold gives "
        f"{normal['events']} events in {normal['seconds']} s of held-out normal video"
    )
    for number, event in enumerate(events[:MOST_EVENTS]):
        start, end = video.seconds[event.start], video.seconds[event.end - 1]
        score = video.threshold.shown(event.calibrated)
        print(f"  event {number}: {start:.2f} s to {end:.2f} s, anomaly score {score}")
    if video.threshold.value > video.threshold.supported:
        print(
            f"note: the threshold is extrapolated: {video.threshold.frames.normal} frames of held-out normal video "
            f"show no share as small as {10**-video.threshold.value:.2g}"
        )
    if latency := video.facts.get("latency"):
        times = f"p50 {latency['p50_ms']} ms, p95 {latency['p95_ms']} ms" if "p50_ms" in latency else "no frame scored"
        print(
            f"latency: {times} after the last frame that a score needs, which is {latency['look_ahead_frames']} frames "
            f"({latency['look_ahead_ms']} ms) later; {latency['frames_per_second']} frames/s; "
            f"{latency['left_out']} frames left unscored, {latency['lost']} lost"
        )
    print(f"written: {', '.join(map(str, sorted(written)))}")
