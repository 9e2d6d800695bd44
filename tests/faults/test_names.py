"""Names as people give them: every one works from the file to the shards, or is refused at the check."""

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from miniature import QUIET, settings_of, write_pictures, write_video

from dist_vad.base.errors import InputError
from dist_vad.base.files import atomic_file, json_bytes, write_json
from dist_vad.base.text.names import LONGEST_KEY, LONGEST_STEM, file_stem, is_file_name, storage_key
from dist_vad.data.manifest import Manifest
from dist_vad.data.shardset import ShardSet
from dist_vad.datasets import open_dataset
from dist_vad.inference.video_scorer import file_name
from dist_vad.producer.job import write_shards
from dist_vad.producer.verify import verify_set
from dist_vad.video.files import FileFrames

pytestmark = pytest.mark.kind(1)

NAMES = {
    "Chinese": "监控_01",
    "German": "Überwachung",
    "accents taken apart": unicodedata.normalize("NFD", "café_1"),
    "Arabic": "كاميرا_٣",
    "an emoji": "🚶_walk",
    "blanks": "my clip (1)",
    "a quote": 'it\'s "mine"',
    "a newline": "two\nlines",
    "a backslash": "a\\b",
    "dots": "v1.2.final",
    "a leading dash": "-rf",
    "75 bytes": "a" * 75,
    "200 bytes": "b" * 200,
    "240 bytes": "c" * 240,
    "240 bytes of Chinese": "监" * 80,
    "a percent sign": "100%_s",
    "a pattern": "[ab]*?",
}


@pytest.mark.parametrize("case", NAMES)
def test_a_video_of_any_name_goes_through_the_producer(case, tmp_path):
    name = NAMES[case]
    for number in range(2):
        write_pictures(tmp_path / f"data/train/a_{number}", 12, tint=number)
    write_pictures(tmp_path / "data/test" / name, 12, tint=9)
    sets = write_shards(settings_of(tmp_path / "data"), tmp_path / "out", QUIET)
    assert verify_set(sets["cube-test"]) == []
    shards = ShardSet(sets["cube-test"])
    (video,) = shards.manifest.videos
    assert video.name.isascii() and len(video.name) <= LONGEST_KEY
    assert shards.read(np.arange(2)).clips.any()


def test_a_name_that_is_bytes_of_another_encoding_works(tmp_path):
    """GBK, as from a disk of a Chinese Windows: no text in UTF-8."""
    name = os.fsdecode("监控".encode("gbk"))
    for number in range(2):
        write_pictures(tmp_path / f"data/train/a_{number}", 12, tint=number)
    write_video(tmp_path / "data/test/plain.avi", 12)
    (tmp_path / "data/test/plain.avi").rename(tmp_path / f"data/test/{name}.avi")
    assert len([*FileFrames(tmp_path / f"data/test/{name}.avi")]) == 12
    sets = write_shards(settings_of(tmp_path / "data"), tmp_path / "out", QUIET)
    assert verify_set(sets["cube-test"]) == []


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_labels_fit_files_whichever_way_accents_are_written(form, tmp_path):
    other = "NFD" if form == "NFC" else "NFC"
    for number in range(2):
        write_pictures(tmp_path / f"data/train/a_{number}", 12, tint=number)
    write_pictures(tmp_path / "data/test" / unicodedata.normalize(form, "café_1"), 12)
    write_json(tmp_path / "labels.json", {unicodedata.normalize(other, "café_1"): [[2, 4]]})
    given = settings_of(tmp_path / "data", labels=str(tmp_path / "labels.json"))
    (test,) = [video for video in open_dataset(given) if video.split == "test"]
    assert test.labels == {"frames": [[2, 5]]}


def test_two_names_that_differ_in_the_form_of_accents_alone_are_refused(tmp_path):
    for form in ("NFC", "NFD"):
        write_pictures(tmp_path / "train" / unicodedata.normalize(form, "café"), 4)
    with pytest.raises(InputError, match="several videos named like"):
        open_dataset(settings_of(tmp_path))


@settings(max_examples=300, deadline=None)
@given(st.text(min_size=1), st.text(min_size=1))
def test_keys_are_fit_for_a_tar_and_tell_names_apart(a, b):
    keys = [storage_key(name) for name in (a, b)]
    for key in keys:
        assert key.isascii() and key.isprintable() and 0 < len(key) <= LONGEST_KEY
        assert not set(key) & set("/\\.") and key == storage_key(key)
    same = unicodedata.normalize("NFC", a) == unicodedata.normalize("NFC", b)
    assert (keys[0] == keys[1]) == same


@pytest.mark.parametrize("name", ["train_01", "test_a_1", "Train-7", "a b (c)", "x" * LONGEST_KEY])
def test_names_that_always_worked_stay_as_they_are(name):
    assert storage_key(name) == name


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_an_output_has_a_name_that_a_file_may_have(name):
    stem = file_stem(name)
    assert len(stem.encode()) <= LONGEST_STEM and not set(stem) & set("/\0")


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a b", "ü", "x" * 65, "a\0", "con:", "-"])
def test_a_stage_is_named_so_that_it_can_be_a_folder(name):
    assert is_file_name(name) == (name == "-")


def test_a_file_of_the_longest_name_is_written_whole(tmp_path):
    path = tmp_path / ("n" * 250)
    with atomic_file(path) as file:
        file.write(b"there")
    assert path.read_bytes() == b"there" and len(list(tmp_path.iterdir())) == 1


def test_what_is_written_of_a_video_of_a_long_name_has_a_name_that_fits():
    assert len(f"{file_name('/there/' + 'x' * 240 + '.mp4')}.events.json".encode()) <= 255


def test_names_that_are_no_text_can_be_written_as_json():
    assert json_bytes({"name": os.fsdecode(b"\xff")}) == b'{\n "name": "\\udcff"\n}\n'


@pytest.mark.parametrize("name", ["../out", "a/b", ".hidden", ""])
def test_a_manifest_whose_names_lead_out_of_the_set_is_refused(name, tiny_sets, tmp_path):
    manifest = Manifest.load(tiny_sets / "cube-train")
    Path(tmp_path / "set").mkdir()
    object.__setattr__(manifest.shards[0], "name", name)
    manifest.save(tmp_path / "set")
    with pytest.raises(InputError, match=r"manifest\.json .*a shard is called"):
        Manifest.load(tmp_path / "set")
