"""Shards: right samples, plain tars, the same bytes whenever and in however many attempts they are written."""

import dataclasses
import json
import signal
import subprocess
import sys
import weakref
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from launching import HELPERS
from miniature import HEIGHT, QUIET, SIDE, WIDTH, contents, corner, frame, make_folder, settings_of
from webdataset.compat import WebDataset

from dist_vad.base.errors import InputError
from dist_vad.base.labels import interval_labels
from dist_vad.data.codec import decode_into, encode
from dist_vad.data.manifest import MEMBERS, Manifest, index_path, sample_key, tar_path
from dist_vad.data.shardset import ShardSet
from dist_vad.datasets import open_virtual
from dist_vad.producer.job import write_shards
from dist_vad.settings.data import DataSettings, PlazaSettings
from dist_vad.video.cubes import cut_cubes
from dist_vad.video.detectors.base import Boxes
from dist_vad.video.scene_feature import background_feature

EXTENSIONS = dict(zip(MEMBERS, ("jpg", "scene.npy", "json")))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> DataSettings:
    return make_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def written(dataset, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("shards")
    write_shards(dataset, out, QUIET)
    return out


def rows_of(folder: Path) -> list[tuple[str, bytes, np.void]]:
    """(video, bytes of its tar, index row) of every sample of a set."""
    found = []
    for shard in Manifest.load(folder).shards:
        content = tar_path(folder, shard).read_bytes()
        found += [(shard.video, content, row) for row in np.load(index_path(folder, shard))]
    return found


class Listed:
    """Frames that are made one by one."""

    fps, width, height = 25.0, WIDTH, HEIGHT

    def __init__(self, count: int) -> None:
        self.count, self.alive, self.most = count, 0, 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self):
        for number in range(self.count):
            picture = frame(number)
            self.alive += 1
            self.most = max(self.most, self.alive)
            weakref.finalize(picture, self._gone)
            yield picture

    def _gone(self) -> None:
        self.alive -= 1


class OneBox:
    def __init__(self, box=None) -> None:
        self.box = box

    def __call__(self, numbers: list[int], frames: list[np.ndarray]) -> list[Boxes]:
        corners = [corner(number) for number in numbers]
        boxes = [self.box or (left, top, left + SIDE, top + SIDE) for left, top in corners]
        return [Boxes(np.array([[*box, 0.5]], np.float32), ["thing"]) for box in boxes]


# -- what is cut


def test_a_cube_holds_the_pixels_of_its_box_in_the_frames_around(dataset):
    samples = list(cut_cubes(Listed(24), OneBox(), length=9, size=SIDE, context=0, stride=1))
    for sample in samples:
        left, top = corner(sample.frame)
        around = [frame(t)[top : top + SIDE, left : left + SIDE] for t in range(sample.frame - 4, sample.frame + 5)]
        assert np.array_equal(sample.clip, np.stack(around))
        assert sample.box.tolist() == [left, top, left + SIDE, top + SIDE]


@pytest.mark.parametrize("stride", [1, 3, 4])
def test_every_nth_frame_with_enough_neighbours_is_sampled(stride):
    samples = cut_cubes(Listed(23), OneBox(), length=9, size=16, context=0, stride=stride)
    assert [sample.frame for sample in samples] == [f for f in range(4, 23 - 4) if f % stride == 0]


@pytest.mark.parametrize("box", [(-20, -5, 12, 10), (90, 60, 120, 90), (0, 0, WIDTH, HEIGHT), (200, 200, 230, 230)])
def test_a_box_is_widened_no_further_than_the_frame(box):
    (sample,) = cut_cubes(Listed(9), OneBox(box), length=9, size=16, context=0.5, stride=1)
    assert sample.clip.shape == (9, 16, 16, 3)
    assert sample.box.tolist() == list(box), "the stored box is the detector's own"


def test_context_shows_more_than_the_box():
    (tight,) = cut_cubes(Listed(9), OneBox(), length=9, size=16, context=0, stride=1)
    (wide,) = cut_cubes(Listed(9), OneBox(), length=9, size=16, context=0.5, stride=1)
    assert tight.clip[4, ..., 0].min() == 230 and wide.clip[4, 0, 0, 0] < 100


@pytest.mark.parametrize(("batch", "stride"), [(1, 1), (8, 1), (8, 3), (8, 20)])
def test_memory_does_not_grow_with_the_length_of_a_video(batch, stride):
    frames = Listed(300)
    for _ in cut_cubes(frames, OneBox(), length=9, size=16, context=0, stride=stride, frames_at_once=batch):
        pass
    assert frames.most <= 9 + (2 * batch + 1) * min(stride, 9) + 2


def test_the_moving_square_is_found_and_cut(written):
    rows = [row for _, _, row in rows_of(written / "cube-test")]
    assert len(rows) == 24 - 8
    for row in rows:
        left, top = corner(int(row["frame"]))
        assert np.abs(row["box"] - [left, top, left + SIDE, top + SIDE]).max() <= 2


def test_the_scene_feature_is_a_unit_vector_without_mean_whatever_the_resolution():
    for height, width in ((72, 96), (240, 360), (6, 5)):
        feature = background_feature(cv2.resize(frame(0), (width, height)), grid=8)
        assert feature.shape == (3 * 64,) and feature.dtype == np.float32
        assert abs(np.linalg.norm(feature) - 1) < 1e-5 and abs(feature.mean()) < 1e-5


def test_virtual_clips_carry_the_label_of_their_middle_frame(tmp_path):
    small = DataSettings(plaza=PlazaSettings(train_videos=2, test_videos=2, virtual_videos=4), virtual_stride=5)
    small = dataclasses.replace(small, train_stride=30, test_stride=30)
    folder = write_shards(small, tmp_path, QUIET)["virtual-train"]
    videos = {video.name: video for video in open_virtual(small)}
    labels = {name: interval_labels(v.labels["virtual"], len(v.open())) for name, v in videos.items()}
    found = set()
    for video, content, row in rows_of(folder):
        offset, size = int(row["offset"][2]), int(row["size"][2])
        described = json.loads(content[offset : offset + size])
        assert row["label"] == described["label"] == labels[video][row["frame"]]
        found.add(int(row["label"]))
    assert found == {0, 1}


def test_clips_of_real_video_show_the_whole_frame(dataset, written, tmp_path):
    sets = write_shards(dataclasses.replace(dataset, clip_stride=5, virtual_size=64, codec="png"), tmp_path, QUIET)
    assert {"clip-train", "clip-val", "clip-test"} <= set(sets)
    assert [v.name for v in Manifest.load(sets["clip-val"]).videos] == [
        v.name for v in Manifest.load(written / "cube-val").videos
    ]
    shards = ShardSet(sets["clip-test"])
    frames = [frame(t, tint=20) for t in range(24)]
    for number, middle in enumerate((5, 10, 15)):
        batch = shards.read(np.array([number]))
        expected = [
            cv2.resize(frames[t], (64, 64), interpolation=cv2.INTER_AREA) for t in range(middle - 4, middle + 5)
        ]
        assert np.array_equal(batch.clips[0].numpy(), np.stack(expected)) and batch.labels.tolist() == [-1]
    assert len(shards) == 3


# -- how it is stored


def test_stock_webdataset_reads_the_bytes_that_the_index_points_at(written):
    for name in ("cube-train", "cube-val", "cube-test"):
        tars = [str(tar_path(written / name, shard)) for shard in Manifest.load(written / name).shards]
        stock = list(WebDataset(tars, shardshuffle=False, empty_check=False))
        rows = rows_of(written / name)
        assert len(stock) == len(rows) == Manifest.load(written / name).samples
        for sample, (video, content, row) in zip(stock, rows):
            assert sample["__key__"] == sample_key(video, int(row["frame"]), int(row["object"]))
            for member, offset, size, checksum in zip(MEMBERS, row["offset"], row["size"], row["crc32"]):
                assert sample[EXTENSIONS[member]] == content[offset : offset + size]
                assert zlib.crc32(content[offset : offset + size]) == checksum


def test_shards_hold_one_video_each_and_no_more_than_they_may(written):
    shards = Manifest.load(written / "cube-train").shards
    assert max(shard.samples for shard in shards) == 5 and len(shards) > len({shard.video for shard in shards})
    for shard in shards:
        names = {sample["__key__"].split("/")[0] for sample in _samples(written / "cube-train", shard)}
        assert names == {shard.video}


def _samples(folder, shard):
    return WebDataset([str(tar_path(folder, shard))], shardshuffle=False, empty_check=False)


def test_a_video_without_objects_is_listed_and_has_no_shard(dataset, tmp_path):
    make_folder(tmp_path / "data")
    for path in (tmp_path / "data/train/a_0").iterdir():
        cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), 90, np.uint8))
    sets = write_shards(settings_of(tmp_path / "data"), tmp_path / "out", QUIET)
    manifests = [Manifest.load(sets[name]) for name in ("cube-train", "cube-val")]
    assert "train_a_0" in [video.name for m in manifests for video in m.videos]
    assert "train_a_0" not in [shard.video for m in manifests for shard in m.shards]


@pytest.mark.parametrize("codec", ["png", "raw"])
@given(seed=st.integers(0, 2**32 - 1), length=st.integers(1, 9), size=st.sampled_from([16, 24, 48]))
@settings(max_examples=20, deadline=None)
def test_lossless_codecs_give_back_the_very_clip(codec, seed, length, size):
    clip = np.random.default_rng(seed).integers(0, 256, (length, size, size, 3), dtype=np.uint8)
    out = np.empty_like(clip)
    decode_into(encode(clip, codec), out, codec)
    assert np.array_equal(out, clip)


@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([48, 64]))
@settings(max_examples=20, deadline=None)
def test_jpeg_keeps_smooth_clips_within_three_grey_levels(seed, size):
    """On average, for ramps between 3 x 3 colours. It halves the resolution of colour: hard edges of it lose more."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    clip = np.stack([cv2.resize(coarse, (size, size))] * 9)
    out = np.empty_like(clip)
    decode_into(encode(clip, "jpeg"), out, "jpeg")
    assert np.abs(out.astype(int) - clip).mean() < 3


@pytest.mark.parametrize("codec", ["jpeg", "png", "raw"])
def test_bytes_of_another_shape_are_refused(codec):
    content = encode(np.zeros((9, 16, 16, 3), np.uint8), codec)
    with pytest.raises(ValueError):
        decode_into(content, np.empty((9, 24, 24, 3), np.uint8), codec)


# -- the same bytes, however often one starts


def test_writing_again_elsewhere_gives_the_same_bytes(dataset, written, tmp_path):
    write_shards(dataset, tmp_path, QUIET)
    assert contents(tmp_path) == contents(written)


KILLED = """
import os, signal, sys
from pathlib import Path
from miniature import QUIET, settings_of
from dist_vad.producer import pack
encode, left = pack.encode, [int(sys.argv[3])]
def deadly(clip, codec):
    left[0] -= 1
    if left[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return encode(clip, codec)
pack.encode = deadly
from dist_vad.producer.job import write_shards
write_shards(settings_of(Path(sys.argv[1])), Path(sys.argv[2]), QUIET)
"""


def test_kill_9_in_the_middle_of_a_tar_and_again_gives_the_undisturbed_bytes(dataset, written, tmp_path):
    for samples in (13, 4):  # the second attempt dies too, in a later video
        command = [sys.executable, "-c", KILLED, dataset.root, str(tmp_path), str(samples)]
        done = subprocess.run(command, cwd=HELPERS, capture_output=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert not list(tmp_path.rglob("manifest.json")) and list(tmp_path.rglob("*.partial"))
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob(".done/*.json")}
    shards = {path: path.stat().st_mtime_ns for path in tmp_path.rglob(f"{next(iter(kept)).stem}*.tar")}
    write_shards(dataset, tmp_path, QUIET)
    assert contents(tmp_path) == contents(written)
    assert shards and all(path.stat().st_mtime_ns == time for path, time in shards.items()), "written a second time"


def test_a_finished_set_is_left_alone(dataset, written):
    before = {path: path.stat().st_mtime_ns for path in written.rglob("*")}
    write_shards(dataset, written, QUIET)
    assert before == {path: path.stat().st_mtime_ns for path in written.rglob("*")}


def test_settings_that_change_no_sample_leave_a_set_valid(dataset, written):
    write_shards(dataclasses.replace(dataset, virtual_size=128, labels_mismatch="clip"), written, QUIET)


def test_a_set_of_other_settings_is_refused_and_the_setting_named(dataset, written):
    with pytest.raises(InputError, match=r"context was 0\.1, now 0\.2.*choose another --out"):
        write_shards(dataclasses.replace(dataset, context=0.2), written, QUIET)


def test_a_renamed_video_is_another_data_set(tmp_path):
    given = make_folder(tmp_path / "data")
    write_shards(given, tmp_path / "out", QUIET)
    (tmp_path / "data/test/b_0").rename(tmp_path / "data/test/b_9")
    with pytest.raises(InputError, match="cube-test was made otherwise: from other videos"):
        write_shards(given, tmp_path / "out", QUIET)


def test_moving_a_data_set_changes_nothing(tmp_path):
    write_shards(make_folder(tmp_path / "here"), tmp_path / "out", QUIET)
    (tmp_path / "here").rename(tmp_path / "there")
    write_shards(settings_of(tmp_path / "there"), tmp_path / "out", QUIET)


def test_what_an_unfinished_attempt_with_other_settings_left_is_removed(dataset, written, tmp_path):
    write_shards(dataclasses.replace(dataset, shard_samples=2), tmp_path, QUIET)
    for path in tmp_path.rglob("manifest.json"):
        path.unlink()
    (tmp_path / "cube-train/notes.tar").write_bytes(b"somebody's own")
    write_shards(dataset, tmp_path, QUIET)
    assert (tmp_path / "cube-train/notes.tar").read_bytes() == b"somebody's own"
    (tmp_path / "cube-train/notes.tar").unlink()
    assert contents(tmp_path) == contents(written)
