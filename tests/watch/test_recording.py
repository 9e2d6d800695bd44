"""What `--learn` records: shard sets that the stock readers take, whole after any stop."""

import threading

import numpy as np
import pytest
from fake_cameras import FakeCamera, Fault, walker
from watching import watch_settings

from dist_vad.producer.verify import verify_set
from dist_vad.settings.watch import LearnSettings
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
