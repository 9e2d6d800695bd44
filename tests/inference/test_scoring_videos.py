"""launch/score.py: any video to frame scores, events and an mp4; calibrated once, then without shards."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import torch
from fake_cameras import FakeCamera, walker
from launching import ROOT, plainly
from miniature import write_pictures, write_video
from watching import red_by_times, until

from dist_vad.base.errors import InputError
from dist_vad.curriculum.state import State, read_state
from dist_vad.inference.detector import CALIBRATION, Detector
from dist_vad.inference.video_scorer import VideoScorer
from dist_vad.metrics import smooth
from dist_vad.settings.video import VideoSettings
from dist_vad.video.background import CausalBackground
from dist_vad.video.files import open_frames
from dist_vad.video.live import LiveFrames

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def detector(tiny_run) -> Detector:
    """The last state of a tiny run, calibrated."""
    return Detector.load(last(tiny_run), CPU)


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("videos") / "square.avi"
    write_video(path, 60)
    return path


def last(run: Path) -> State:
    return read_state(next((run / "states").glob("inference-*")))


def test_a_copied_state_scores_without_run_and_shards_to_the_same_bits(detector, tmp_path):
    copied = tmp_path / "state"
    shutil.copytree(detector.state.folder, copied)
    alone = Detector.load(read_state(copied), CPU)
    draw = np.random.default_rng(0)
    clips = draw.integers(0, 255, (5, 9, 48, 48, 3)).astype(np.uint8)
    feature = next(iter(detector.scenes.values()))
    for scene in ("", *detector.scenes):
        ours, theirs = detector.scores(clips, feature, scene), alone.scores(clips, feature, scene)
        assert {n: scores.tolist() for n, scores in ours.items()} == {
            n: scores.tolist() for n, scores in theirs.items()
        }
    assert [own.tolist() for own in alone.normal["fused"]] == [own.tolist() for own in detector.normal["fused"]]


def test_a_state_without_calibration_and_run_says_what_is_missing(detector, tmp_path):
    shutil.copytree(detector.state.folder, tmp_path / "state", ignore=shutil.ignore_patterns(CALIBRATION))
    with pytest.raises(InputError, match=rf"{CALIBRATION}.*run.json.*machine that trained"):
        Detector.load(read_state(tmp_path / "state"), CPU)


def test_a_calibration_of_other_weights_is_refused(detector, tmp_path, tiny_run):
    other = next((tiny_run / "states").glob("perception-*"))
    shutil.copytree(other, tmp_path / "state")
    shutil.copy(detector.state.folder / CALIBRATION, tmp_path / "state")
    with pytest.raises(InputError, match="is of weights"):
        Detector.load(read_state(tmp_path / "state"), CPU)


def test_every_frame_of_a_file_gets_a_row_and_the_events_their_boxes(detector, video, tmp_path):
    out = tmp_path / "out"
    said = plainly(
        "launch/score.py", str(video), "--state", str(detector.state.folder), "--out", str(out), "--stride", "2",
        "--events.false_alarms", "0.5", "--table", "csv",
    )  # fmt: skip
    table = pyarrow.csv.read_csv(out / "square.csv").to_pydict()
    assert table["frame"] == list(range(60)) and None not in table["score"]
    result = json.loads((out / "square.events.json").read_text())
    assert result["frames"] == 60 and result["digest"] == detector.state.digest
    in_event = [number for number, event in zip(table["frame"], table["event"]) if event is not None]
    listed = [n for event in result["events"] for n in range(event["start"], event["end"] + 1)]
    assert in_event == listed
    for event in result["events"]:
        smoothed = table["smoothed"][event["start"] : event["end"] + 1]
        assert table["smoothed"][event["peak"]] == max(smoothed) == pytest.approx(event["score"])
        assert all(event["start"] <= box["frame"] <= event["end"] for box in event["boxes"])
    assert f"{len(result['events'])} events" in said
    capture = cv2.VideoCapture(str(out / "square.mp4"))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 60


def test_a_folder_of_pictures_scores_like_the_same_video(detector, tmp_path):
    write_pictures(tmp_path / "walk", 30)
    scorer = VideoScorer(detector, VideoSettings())
    objects, raw, _ = scorer.offline(str(tmp_path / "walk"), open_frames(tmp_path / "walk"))
    assert len(raw) == 30 and len(objects.frames) > 0
    assert set(objects.frames) <= set(range(4, 26))


def test_online_scores_do_not_depend_on_the_frames_to_come(detector, tmp_path):
    for count in (36, 60):
        write_video(tmp_path / f"{count}.avi", count)
    settings = VideoSettings(warmup=0.4, online=True)
    runs = {}
    for count in (36, 60):
        scorer = VideoScorer(detector, settings)
        place = str(tmp_path / f"{count}.avi")
        runs[count] = list(scorer.online(place, scorer.open(place)))
        assert [frame.number for frame in runs[count]] == list(range(count))
    short, long = ([(f.raw, f.smoothed) for f in runs[count]][10:32] for count in (36, 60))
    assert np.isfinite(short).all() and short == long


def test_online_scores_are_those_of_the_whole_video_smoothed_causally(detector, video, monkeypatch):
    """Given the same background; the network sees other batches, hence the tolerance."""
    scorer = VideoScorer(detector, VideoSettings(stride=2, warmup=0.4, online=True))
    online = scorer.online(str(video), scorer.open(str(video)))
    scores = list(online)
    background = CausalBackground(10, 50)
    for frame in scorer.open(str(video)):
        background.see(frame)
        if background.image is not None:
            break
    image = background.image
    monkeypatch.setattr("dist_vad.inference.video_scorer.median_background", lambda frames: image)
    _, raw, _ = scorer.offline(str(video), open_frames(video))
    known = [n for n, frame in enumerate(scores) if np.isfinite(frame.raw)]
    begin = known[0]
    np.testing.assert_allclose([f.raw for f in scores[begin:]], raw[begin:], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(
        [f.smoothed for f in scores[begin:]], smooth(raw[begin:], "median17_causal"), rtol=1e-3, atol=1e-3
    )
    # Known with frame 9: then the objects of frame 5 can be cut, of which stride 2 leaves frame 6 for the first.
    assert begin == 6 and online.latency.facts()["frames"] == len(range(6, 56, 2))


def test_the_online_command_prints_its_latency_and_writes_all_files(detector, video, tmp_path):
    said = plainly(
        "launch/score.py", str(video), "--state", str(detector.state.folder), "--out", str(tmp_path),
        "--online", "true", "--warmup", "0.4",
    )  # fmt: skip
    latency = json.loads((tmp_path / "square.events.json").read_text())["latency"]
    assert latency["look_ahead_frames"] == 4 and latency["frames"] > 0 and latency["left_out"] == 0
    assert f"p50 {latency['p50_ms']} ms" in said and "frames/s" in said
    table = pq.read_table(tmp_path / "square.parquet").to_pydict()
    assert table["frame"] == list(range(60)) and table["score"][0] is None and table["score"][-1] is not None


@pytest.mark.slow
def test_sigterm_ends_a_camera_and_writes_what_was_scored(detector, tmp_path):
    """As `systemctl stop` and `docker stop` do it."""
    out, said = tmp_path / "out", tmp_path / "said.txt"
    with FakeCamera(red_by_times) as camera, said.open("w") as file:
        words = [camera.url, "--state", str(detector.state.folder), "--out", str(out), "--stride", "2"]
        words += ["--warmup", "0.4", "--events.false_alarms", "0.5"]
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "launch/score.py"), *words], stdout=file, stderr=subprocess.STDOUT
        )
        until(lambda: "event begins" in said.read_text() or process.poll() is not None, 120)
        process.terminate()
        assert process.wait(60) == 0, said.read_text()
    (events,) = out.glob("*.events.json")
    facts = json.loads(events.read_text())
    (table,) = out.glob("*.parquet")
    assert facts["events"] and facts["frames"] == pq.read_metadata(table).num_rows > 0
    with av.open(str(next(out.glob("*.mp4")))) as clip:
        assert sum(1 for _ in clip.decode(video=0)) > 0


def test_a_slow_taker_of_a_camera_loses_frames_and_is_told():
    with FakeCamera(walker, fps=50) as camera:
        frames = LiveFrames(camera.url, patience=5)
        frames._most = 5
        numbers = iter(frames)
        next(numbers)
        while not frames.lost:
            time.sleep(0.02)
        gaps = []
        for _ in numbers:
            gaps.append(frames.gap)
            if len(gaps) == 3:
                frames.close()
    assert gaps[0] and not any(gaps[1:3])


def test_a_stream_with_an_end_loses_nothing_however_slowly_it_is_taken(video):
    frames = LiveFrames(str(video))
    frames._most = 5
    numbers = iter(frames)
    next(numbers)
    while frames.waiting < 5:
        time.sleep(0.02)
    assert frames.waiting == 5 and 1 + sum(1 for _ in numbers) == 60
    assert frames.lost == 0 and frames.fault is None


def test_a_stream_that_does_not_open_is_one_clear_message():
    with pytest.raises(InputError, match=r"stream 'rtsp://nowhere.invalid/x' does not open"):
        LiveFrames("rtsp://nowhere.invalid/x")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scorer": "magic"}, "scorer is 'magic'; this state has prediction"),
        ({"scene": "moon"}, "scene is 'moon'; this state knows"),
        ({"detector": {"nose": 1}}, "nose is no setting"),
        ({"detector": {"min_size": 0}}, "data.detector.min_size is 0"),
    ],
)
def test_what_a_state_does_not_allow_is_refused(detector, changes, message):
    with pytest.raises(InputError, match=message):
        VideoScorer(detector, VideoSettings(**changes))


def test_a_background_learned_as_frames_come_is_their_median_and_then_follows_slowly():
    scene = np.full((4, 5, 3), 100, np.uint8)
    background = CausalBackground(median_frames=9, step=2, samples=9)
    for number in range(9):
        frame = scene.copy()
        frame[0, number % 5] = 250  # passes by
        assert background.see(frame) == (number == 8)
    assert background.image is not None and (background.image == scene).all()
    changed = [background.see(scene + 3) for _ in range(20)]
    assert changed == [False, True] * 10
    assert (background.image == scene + 3).all()
