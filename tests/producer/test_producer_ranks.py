"""Many ranks write the bytes that one would have written, and a rank that dies is made good by the next start."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from launching import HELPERS
from miniature import QUIET, contents, make_folder, write_video

from dist_vad.base.errors import InputError
from dist_vad.datasets.plaza import PlazaFrames
from dist_vad.producer.job import write_shards
from dist_vad.producer.ranks import Rank, rough_length
from dist_vad.settings.data import DataSettings
from dist_vad.video.files import FileFrames
from dist_vad.video.source import Video

RANK = """
import os, signal, sys
from pathlib import Path
from miniature import settings_of
from dist_vad.producer import pack
from dist_vad.producer.job import WriteOptions, write_shards
from dist_vad.producer.ranks import Rank
encode, left = pack.encode, [int(sys.argv[3])]
def counted(clip, codec):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return encode(clip, codec)
pack.encode = counted
write_shards(settings_of(Path(sys.argv[1])), Path(sys.argv[2]), WriteOptions(Rank.of(), progress=False))
"""


def start(dataset: DataSettings, out: Path, rank: int, die_after: int = 0) -> subprocess.Popen:
    """One of three ranks, side by side with the others; killed while it encodes a certain sample, if that is asked."""
    command = [sys.executable, "-c", RANK, str(dataset.root), str(out), str(die_after)]
    environment = {**os.environ, "RANK": str(rank), "WORLD_SIZE": "3"}
    return subprocess.Popen(command, cwd=HELPERS, env=environment, stderr=subprocess.PIPE)


def finish(ranks: list[subprocess.Popen]) -> list[int]:
    return [rank.wait(timeout=120) for rank in ranks]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> DataSettings:
    return make_folder(tmp_path_factory.mktemp("data"), train=7, test=3)


@pytest.fixture(scope="module")
def alone(dataset, tmp_path_factory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("alone")
    write_shards(dataset, out, QUIET)
    return contents(out)


def test_three_ranks_one_killed_and_started_again_write_what_one_writes(dataset, alone, tmp_path):
    assert finish([start(dataset, tmp_path, rank, die_after=12 if rank == 1 else 0) for rank in range(3)]) == [
        *(0, -signal.SIGKILL, 0)
    ]
    assert not (tmp_path / "cube-train/manifest.json").exists(), "no manifest while a rank's videos are not written"
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.tar")}
    assert finish([start(dataset, tmp_path, rank) for rank in range(3)]) == [0, 0, 0]
    assert contents(tmp_path) == alone
    assert kept and all(path.stat().st_mtime_ns == time for path, time in kept.items()), "written a second time"


def test_a_start_with_another_number_of_ranks_goes_on(dataset, alone, tmp_path):
    finish([start(dataset, tmp_path, rank) for rank in (0, 2)])
    write_shards(dataset, tmp_path, QUIET)
    assert contents(tmp_path) == alone


class Lengthy(PlazaFrames):
    """Frames that have a length alone."""

    def __init__(self, length: int) -> None:
        self.length = length


def lengthy(name: str, length: int, span: tuple[int, int | None] | None = None) -> Video:
    return Video(name=name, split="train", scene="a", identity="", open=lambda: Lengthy(length), span=span)


@given(sets=st.lists(st.lists(st.integers(1, 1000), max_size=15), max_size=4), count=st.integers(1, 8))
def test_every_video_of_every_set_falls_to_one_rank_and_none_has_much_more_to_do_in_all(sets, count):
    videos = [[lengthy(str(i), length) for i, length in enumerate(lengths)] for lengths in sets]
    shares = [Rank(number, count).shares(videos) for number in range(count)]
    for number, own in enumerate(videos):
        assert sorted(video.name for share in shares for video in share[number]) == sorted(video.name for video in own)
    loads = [sum(rough_length(video) for own in share for video in own) for share in shares]
    assert max(loads) - min(loads) <= max((length for lengths in sets for length in lengths), default=0)


def test_a_video_whose_end_is_held_out_counts_in_each_set_with_its_part():
    train, val = [lengthy("a", 100), lengthy("b", 100, (0, 80))], [lengthy("b", 100, (90, None))]
    assert [[v.name for v in own] for own in Rank(0, 2).shares([train, val])] == [["a"], []]
    assert [[v.name for v in own] for own in Rank(1, 2).shares([train, val])] == [["b"], ["b"]]


def test_the_launchers_rank_is_taken_and_a_batch_script_is_alone():
    assert Rank.of({"RANK": "1", "WORLD_SIZE": "3"}) == Rank(1, 3)
    slurm = {"SLURM_PROCID": "2", "SLURM_NTASKS": "4"}
    assert Rank.of(slurm) == Rank(0, 1) and Rank.of({**slurm, "SLURM_STEP_ID": "0"}) == Rank(2, 4)
    assert Rank.of({}) == Rank(0, 1)
    with pytest.raises(InputError, match="RANK is 3"):
        Rank.of({"RANK": "3", "WORLD_SIZE": "3"})


def test_a_video_is_not_decoded_to_share_it_out(tmp_path):
    write_video(tmp_path / "a.avi", 30)
    frames = FileFrames(tmp_path / "a.avi")
    assert rough_length(Video(name="a", split="train", scene="a", identity="", open=lambda: frames)) == 30
    assert "_count" not in vars(frames)
