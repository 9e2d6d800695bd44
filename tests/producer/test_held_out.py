"""Which normal video is held out of training."""

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dist_vad.base.errors import InputError
from dist_vad.producer.held_out import MOST, hold_out
from dist_vad.producer.plan import make_plans
from dist_vad.video.cubes import cut_clips
from dist_vad.video.source import Video

CLIP = 9


class Grey:
    """A video of so many grey frames, each as bright as its number."""

    fps, width, height = 25.0, 16, 16

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self):
        return (np.full((16, 16, 3), number % 256, np.uint8) for number in range(self.count))


def video(name: str, scene: str, count: int) -> Video:
    return Video(name=name, split="train", scene=scene, identity=name, open=lambda: Grey(count))


def frames_of(videos: list[Video]) -> dict[str, set[int]]:
    """Video -> all frames that its samples show."""
    shown = defaultdict(set)
    for each in videos:
        for sample in cut_clips(each.open(), length=CLIP, size=16, stride=1, span=each.span):
            shown[each.name] |= {sample.frame + step for step in range(-(CLIP // 2), CLIP // 2 + 1)}
    return shown


data_sets = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 120)), min_size=2, max_size=12).map(
    lambda drawn: [video(f"{scene}_{number}", scene, count) for number, (scene, count) in enumerate(drawn)]
)


@given(data_sets, st.floats(0.05, 0.4))
def test_no_frame_is_both_learned_from_and_held_out(videos, share):
    train, held = (frames_of(some) for some in hold_out(videos, share, CLIP))
    assert all(not frames & held.get(name, set()) for name, frames in train.items())


@given(data_sets, st.floats(0.05, 0.4))
def test_no_scene_gives_away_much_more_than_its_share(videos, share):
    train, held = hold_out(videos, share, CLIP)
    total = Counter()
    for each in videos:
        total[each.scene] += len(each.open())
    for scene in {each.scene for each in videos}:
        given_away = sum(len(each.open()) - (each.span or (0,))[0] for each in held if each.scene == scene)
        alone = len(held) == 1 and held[0].span is None  # of sets with too little for any scene's share
        assert alone or given_away <= MOST * share * total[scene] + 1
        assert alone or any(each.scene == scene for each in train)


@given(data_sets, st.floats(0.05, 0.4), st.randoms(use_true_random=False))
def test_which_videos_are_held_out_follows_from_their_names_and_lengths_alone(videos, share, random):
    shuffled = random.sample(videos, len(videos))
    one, other = hold_out(videos, share, CLIP), hold_out(shuffled, share, CLIP)
    for some, same in zip(one, other):
        assert {(each.name, each.span) for each in some} == {(each.name, each.span) for each in same}


def test_every_scene_with_enough_video_holds_some_out():
    videos = [video("street", "street", 1200), *(video(f"yard_{n}", "yard", 60) for n in range(20))]
    _, held = hold_out(videos, 0.15, CLIP)
    assert Counter(each.scene for each in held) == {"street": 1, "yard": 3}


def test_one_long_recording_is_divided_in_time_with_a_gap():
    train, held = hold_out([video("long", "scene", 1000)], 0.15, CLIP)
    assert [each.span for each in (*train, *held)] == [(0, 841), (850, None)]


def test_one_short_recording_is_refused_with_the_length_that_is_needed():
    with pytest.raises(InputError, match="1 video of 40 frames; 2 videos, or one of 54 frames or more"):
        hold_out([video("short", "scene", 40)], 0.15, CLIP)


def test_the_manifest_says_which_frames_are_held_out(tmp_path):
    from miniature import QUIET, make_folder

    from dist_vad.data.manifest import Manifest
    from dist_vad.producer.job import write_shards

    settings = replace(make_folder(tmp_path / "data", train=1, count=80), clip_length=5)
    write_shards(settings, tmp_path / "out", QUIET)
    spans = {split: Manifest.load(tmp_path / f"out/cube-{split}").videos[0].span for split in ("train", "val")}
    assert spans == {"train": [0, 51], "val": [56, None]}
    assert [plan.name for plan in make_plans(settings, tmp_path / "out")] == ["cube-train", "cube-val", "cube-test"]
