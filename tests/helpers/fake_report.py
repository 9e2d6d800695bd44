"""A report as an evaluation would fill it in, from made-up numbers: to look at, and to test the page with."""

import cv2
import numpy as np

from dist_vad.base.labels import Event
from dist_vad.metrics import smooth, summarise
from dist_vad.report import LEARNED, NO_LEARNING, Finding, Miss, Report, Row, Stills, VideoCurve
from dist_vad.report.images import still

KINDS = ("scene_independent", "scene_dependent", "unseen")
NAMES = {"scene_independent": "smoke", "scene_dependent": "cyclist on lawn", "unseen": "kite"}
SIGNAL = {  # how far each score rises at an anomaly, in its own noise
    "fused": 2.6,
    "prediction": 1.2,
    "untrained": 0.4,
    "box_width": 0.9,
    "box_area": 0.7,
    "frame_difference": 0.85,
    "random": 0.0,
}
PHASES = {"perception": 0.5, "comprehension": 0.75, "inference": 1.0}
HEADS = ("prediction", "semantic_reconstruction", "virtual")
HOSTILE = """</script><script>alert("x")</script> & 'walk' #07?"""


def fake_videos(count: int = 12, frames: int = 120, labelled: bool = True, seed: int = 0) -> list[VideoCurve]:
    """Videos with no, one or two events each; the last one has a name that is out to break the page."""
    draw = np.random.default_rng(seed)
    videos = []
    for number in range(count):
        events, labels = _events(number, frames), np.zeros(frames, np.uint8)
        for event in events:
            labels[event.start : event.end] = 1
        name = HOSTILE if number == count - 1 else f"plaza_{number:03d}"
        scores = {
            key: smooth(rise * labels + _noise(draw, frames) + draw.normal(0, 0.3), "median17")
            for key, rise in SIGNAL.items()
        }
        videos.append(
            VideoCurve(
                name=name,
                scene=f"plaza {number % 3 + 1}",
                labels=labels if labelled else None,
                events=events if labelled else [],
                scores=scores,
                stills=None if number % 3 == 2 else fake_stills(frames, step=10),
            )
        )
    return videos


def fake_stills(frames: int, step: int) -> Stills:
    """Pictures that grow lighter, so that one frame can be told from another."""
    images = [still(np.full((60, 90, 3), 20 + 200 * frame // frames, np.uint8)) for frame in range(0, frames, step)]
    return Stills(step=step, images=images)


def fake_report(count: int = 12, frames: int = 120, labelled: bool = True) -> Report:
    """Three phases, two smoothings, four baselines and an untrained network."""
    videos = fake_videos(count, frames, labelled)
    rows = _rows(videos)
    final = next(r for r in rows if (r.phase, r.scorer, r.smoothing) == ("inference", "fused", "median17"))
    draw = np.random.default_rng(3)
    return Report(
        title="Progressive learning of three proxy tasks",
        dataset="plaza",
        headline=final,
        rows=rows,
        videos=videos,
        findings=[_finding(draw, videos[number % count], number, labelled) for number in range(9)],
        misses=[_miss(draw, videos[number % count], number) for number in range(3)] if labelled else [],
        provenance={
            "command": "python launch/progressive.py --config configs/model_base.yaml --seed 7",
            "git commit": "0" * 40,
            "seed": 7,
            "versions": {"python": "3.11.2", "torch": "2.8.0", "numpy": "2.1.0"},
            "configuration": {"model": {"width": 32, "embedding": 128}, "stream": {"streams": 64}},
            "lineage": [{"phase": phase, "key": "a1b2c3" * 8, "digest": "d4e5f6" * 8} for phase in PHASES],
            "data fingerprint": "77aa" * 16,
            "time": {"training": "01:12:30", "scoring": "00:03:10"},
        },
    )


def _rows(videos: list[VideoCurve]) -> list[Row]:
    rows = []
    for smoothing in ("none", "median17"):
        draw = np.random.default_rng(9)
        for phase, share in PHASES.items():
            for scorer in ("prediction", "fused"):
                values = {v.name: _again(v.scores[scorer], share, smoothing, draw) for v in videos}
                rows.append(
                    Row(
                        group=LEARNED,
                        phase=phase,
                        scorer=scorer,
                        smoothing=smoothing,
                        **summarise(videos, values, resamples=20),
                    )
                )
        for scorer in ("untrained", "box_width", "box_area", "frame_difference", "random"):
            values = {v.name: _again(v.scores[scorer], 1.0, smoothing, draw) for v in videos}
            phase, name = ("untrained", "fused") if scorer == "untrained" else ("", scorer)
            rows.append(
                Row(
                    group=NO_LEARNING,
                    phase=phase,
                    scorer=name,
                    smoothing=smoothing,
                    **summarise(videos, values, resamples=20),
                )
            )
    return rows


def _again(scores: np.ndarray, share: float, smoothing: str, draw: np.random.Generator) -> np.ndarray:
    """A worse or rougher version of some scores."""
    return scores + draw.normal(0, 1.6 * (1 - share) + (0.3 if smoothing == "none" else 0), len(scores))


def _noise(draw: np.random.Generator, frames: int) -> np.ndarray:
    return np.convolve(draw.normal(size=frames + 12), np.ones(6) / 2.4, "valid")[:frames]


def _events(number: int, frames: int) -> list[Event]:
    if number % 4 == 3:
        return []
    kind = KINDS[number % 3]
    start = 10 + (17 * number) % (frames // 3)
    events = [Event(start=start, end=start + frames // 5, name=NAMES[kind], kind=kind)]
    if number % 5 == 1:
        other = KINDS[(number + 1) % 3]
        events.append(Event(start=frames * 3 // 4, end=frames * 9 // 10, name=NAMES[other], kind=other))
    return events


def _finding(draw: np.random.Generator, video: VideoCurve, number: int, labelled: bool) -> Finding:
    image = np.full((240, 360, 3), (176, 184, 178), np.uint8)
    cv2.rectangle(image, (0, 150), (360, 240), (150, 146, 132), -1)
    for _ in range(6):
        x, y = int(draw.integers(20, 340)), int(draw.integers(90, 220))
        cv2.ellipse(image, (x, y), (7, 19), 0, 0, 360, draw.integers(40, 220, 3).tolist(), -1)
    x, y = int(draw.integers(50, 300)), int(draw.integers(110, 200))
    cv2.circle(image, (x, y), 17, draw.integers(40, 240, 3).tolist(), -1)
    crop = cv2.resize(np.ascontiguousarray(image[y - 24 : y + 24, x - 24 : x + 24]), (48, 48))
    anomalous = number % 3 != 2 if labelled else None
    return Finding(
        video=video.name,
        frame=20 + 7 * number,
        box=(x - 20, y - 20, x + 20, y + 20),
        score=9.5 - number * 0.63,
        heads={head: float(draw.gamma(2)) for head in HEADS},
        strip=np.stack([np.roll(crop, 2 * shift, axis=1) for shift in range(-4, 5)]),
        image=image if number != 4 else None,
        anomalous=anomalous,
        event="cyclist on lawn" if anomalous else "",
    )


def _miss(draw: np.random.Generator, video: VideoCurve, number: int) -> Miss:
    """A stretch with an object, one without an object, and one of a video that is not at hand."""
    best = _finding(draw, video, 3 * number, True) if number == 0 else None
    image = np.full((240, 360, 3), (176, 184, 178), np.uint8) if number == 1 else None
    return Miss(
        video=video.name, start=12, end=36, name="smoke", peak=0.4 + number, passed=0.31, best=best, image=image
    )
