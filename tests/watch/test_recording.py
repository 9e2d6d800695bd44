"""What `--learn` records: shard sets that the stock readers take, whole after any stop."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from fake_cameras import FakeCamera, Fault, walker
from watching import watch_settings

from dist_vad.data.manifest import ShardInfo
from dist_vad.inference.online import Moment
from dist_vad.producer.verify import verify_set
from dist_vad.scoring.geometry import known_speeds
from dist_vad.settings.data import DataSettings
from dist_vad.settings.watch import LearnSettings
from dist_vad.video.cubes import Sample
from dist_vad.watch import recording
from dist_vad.watch.learning import _data_settings, _record

HOURS = 24 / 3600


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """24 seconds of two cameras, one of which drops its connection; stopped on the way and gone on with."""
    out = tmp_path_factory.mktemp("learned")
    with FakeCamera(walker) as door, FakeCamera(walker, faults=[Fault(70, "drop")]) as yard:
        settings = watch_settings(
            out, {"door": door.url, "yard": yard.url}, learning=LearnSettings(every=2, most_cubes=1000)
        )
        data, asked = _data_settings(settings), threading.Event()
        threading.Timer(8, asked.set).start()
        finished = _record(settings, out / "shards", data, HOURS, asked)
        assert not finished and not (out / "shards/cube-train/manifest.json").exists()
        before = sorted(path.name for path in (out / "shards/.segments").iterdir())
        assert _record(settings, out / "shards", data, HOURS, threading.Event())
    return out, before


def test_the_sets_are_whole_and_what_was_recorded_before_the_stop_is_kept(recorded):
    out, before = recorded
    assert before and set(before) <= {path.name for path in (out / "shards/.segments").iterdir()}
    for split in ("train", "val"):
        assert verify_set(out / "shards" / f"cube-{split}") == []


def test_every_camera_is_a_scene_with_held_out_video_of_its_own(recorded):
    from dist_vad.data.shardset import ShardSet

    out, _ = recorded
    for split, least in (("train", 6), ("val", 2)):
        shards = ShardSet(out / "shards" / f"cube-{split}")
        for camera in ("door", "yard"):
            videos = [video for video in shards.manifest.videos if video.scene == camera]
            assert len(videos) >= least, (split, camera)
        batch = shards.read(np.arange(min(8, len(shards))))
        assert batch.clips.shape[1:] == (9, 48, 48, 3) and batch.clips.numpy().std() > 5


def test_every_cube_lies_at_a_frame_that_the_evaluation_scores(recorded):
    from dist_vad.data.shardset import ShardSet
    from dist_vad.metrics import held_from

    out, _ = recorded
    shards = ShardSet(out / "shards/cube-val")
    for number, shard in enumerate(shards.manifest.shards):
        video = shards.manifest.video(shard.video)
        scored = set(held_from(video.frames, stride=shards.manifest.stride, margin=4).tolist())
        assert set(shards.index(number)["frame"].tolist()) <= scored


@pytest.fixture
def record(monkeypatch, tmp_path):
    """Records 2993 frames with an object in each, of which every so manieth is sampled, as one segment for 30 cubes;
    gives the frames of its cubes, and how many frames the segment has."""

    def recorded_frames(every: int, held_out: bool) -> tuple[list[int], int]:
        frames: list[int] = []

        def pack_video(folder, name, facts, labelled, *rest):
            frames.extend(sample.frame for sample, _ in labelled)
            return [ShardInfo(name="door", video="door", samples=9, bytes=1, sha256="0", index_sha256="0")]

        monkeypatch.setattr(recording, "pack_video", pack_video)
        place = recording.Place(np.zeros(4, np.float32), "door")
        segment = recording.Segment(tmp_path, "door", place, DataSettings(), every, limit=30, held_out=held_out)
        sample = Sample(0, 0, np.zeros((9, 48, 48, 3), np.uint8), np.array([0, 0, 9, 9], np.float32), 1.0, "moving")
        for number in range(7, 3000):
            moment = Moment(number, np.zeros((9, 9, 3), np.uint8), [sample] if number % every == 0 else None, True)
            segment.add(SimpleNamespace(moment=moment, taken=number / 10), 300.0)  # pyright: ignore[reportArgumentType]
        facts = segment.finish(10.0, (9, 9), "door")
        assert facts is not None
        return frames, facts["video"]["frames"]

    return recorded_frames


@pytest.mark.parametrize("every", [1, 2, 5])
def test_where_few_cubes_are_wanted_the_speed_of_every_one_is_known(every, record):
    frames, _ = record(every, held_out=False)
    assert 30 <= len(frames) <= 30 + recording.RUN and np.ptp(frames) > 2000
    boxes = np.tile([0.0, 0.0, 9.0, 9.0], (len(frames), 1))
    known = np.isfinite(known_speeds(np.array(frames), boxes, every, 4))
    assert known[: -recording.RUN].all(), "the last ones may be cut off by the end of the segment"


@pytest.mark.parametrize("every", [1, 2, 5])
def test_held_out_video_has_no_frame_whose_objects_were_left_out(every, record):
    frames, length = record(every, held_out=True)
    scored = [frame for frame in range(4, length - 4) if frame % every == 0]
    assert len(frames) == 30 and set(scored[1:]) <= set(frames)
