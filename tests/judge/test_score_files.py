"""Whatever layout scores lie in, they are the same scores; what does not fit is refused with a report."""

import json
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dist_vad.base.errors import InputError
from dist_vad.judge.methods import open_case
from dist_vad.settings.judge import JudgeSettings

By = dict[str, np.ndarray]


def flat_npy(folder: Path, scores: By) -> Path:
    """One array for all videos, as many reconstruction and prediction methods save it."""
    np.save(folder / "scores.npy", np.concatenate([*scores.values()])[:, None])
    return folder / "scores.npy"


def npz_by_name(folder: Path, scores: By) -> Path:
    np.savez(folder / "named.npz", allow_pickle=False, **{f"{name}.avi": own for name, own in scores.items()})
    return folder / "named.npz"


def npz_by_order(folder: Path, scores: By) -> Path:
    np.savez(folder / "listed.npz", *scores.values())
    return folder / "listed.npz"


def folder_of_npy(folder: Path, scores: By) -> Path:
    (folder / "each").mkdir()
    for name, own in scores.items():
        np.save(folder / "each" / f"{name}_score.npy", own)
    return folder / "each"


def long_csv(folder: Path, scores: By) -> Path:
    """Rows in no order, frames counted from 1."""
    rows = [f"{name},{frame},{value!r}" for name, own in scores.items() for frame, value in enumerate(own.tolist(), 1)]
    (folder / "long.csv").write_text("\n".join(["Video,Frame,Anomaly_Score", *rows[::-1]]))
    return folder / "long.csv"


def long_parquet(folder: Path, scores: By) -> Path:
    columns = {
        "video": [name for name, own in scores.items() for _ in own],
        "frame": np.concatenate([np.arange(len(own)) for own in scores.values()]),
        "loss": np.concatenate([*scores.values()]),
    }
    pq.write_table(pa.table(columns), folder / "long.parquet")
    return folder / "long.parquet"


def json_by_name(folder: Path, scores: By) -> Path:
    (folder / "scores.json").write_text(json.dumps({f"test/{name}": own.tolist() for name, own in scores.items()}))
    return folder / "scores.json"


def text_for_all(folder: Path, scores: By) -> Path:
    (folder / "scores.txt").write_text("\n".join(repr(v) for own in scores.values() for v in own.tolist()))
    return folder / "scores.txt"


def our_tables(folder: Path, scores: By) -> Path:
    """As `dist-vad score` writes them: one table a video."""
    (folder / "scored").mkdir()
    for name, own in scores.items():
        table = {"frame": np.arange(len(own)), "seconds": np.arange(len(own)) / 24, "score": own, "smoothed": own + 1}
        pq.write_table(pa.table(table), folder / "scored" / f"{name}.parquet")
    return folder / "scored"


LAYOUTS = (
    flat_npy, npz_by_name, npz_by_order, folder_of_npy, long_csv, long_parquet, json_by_name, text_for_all, our_tables,
)  # fmt: skip


def read(place: Path, root: Path, **settings) -> By:
    case = open_case([str(place)], JudgeSettings(dataset="shanghaitech", root=str(root), **settings))
    return {name.removeprefix("test_"): own for name, own in case.methods[0].scores.items()}


def same(found: By, expected: By) -> bool:
    return list(found) == list(expected) and all(np.array_equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_layout_gives_the_same_scores_bit_for_bit(layout, tmp_path, annotations, scores):
    assert same(read(layout(tmp_path, scores), annotations), scores)


def test_a_score_for_every_16_frames_is_held_once_that_is_said(tmp_path, annotations, scores):
    snippets = {name: own[::16] for name, own in scores.items()}
    place = npz_by_name(tmp_path, snippets)
    with pytest.raises(InputError, match=r"pass --repeat 16"):
        read(place, annotations)
    found = read(place, annotations, repeat=16)
    assert {name: len(own) for name, own in found.items()} == {name: len(own) for name, own in scores.items()}
    for name, own in found.items():
        np.testing.assert_array_equal(own, np.repeat(snippets[name], 16)[: len(own)])
    assert same(read(flat_npy(tmp_path, snippets), annotations, repeat=16), found)


@pytest.mark.parametrize(("missing", "before"), [("start", 4), ("end", 0), ("both", 2)])
@pytest.mark.parametrize("layout", [npz_by_name, flat_npy])
def test_frames_without_a_score_repeat_the_nearest_once_that_is_said(
    layout, missing, before, tmp_path, annotations, scores
):
    place = layout(tmp_path, {name: own[4:] for name, own in scores.items()})
    with pytest.raises(InputError, match=r"each video lacks 4 frames[\s\S]*--missing"):
        read(place, annotations)
    found = read(place, annotations, missing=missing)
    assert same(found, {name: np.pad(own[4:], (before, 4 - before), mode="edge") for name, own in scores.items()})


def test_frame_numbers_say_themselves_where_scores_are_missing(tmp_path, annotations, scores):
    rows = [f"{n},{frame},{v!r}" for n, own in scores.items() for frame, v in enumerate(own.tolist()) if frame >= 4]
    (tmp_path / "late.csv").write_text("\n".join(["video,frame,score", *rows]))
    with pytest.raises(InputError, match="begins at frame 4"):
        read(tmp_path / "late.csv", annotations)
    found = read(tmp_path / "late.csv", annotations, missing="both")
    assert same(found, {name: np.pad(own[4:], (4, 0), mode="edge") for name, own in scores.items()})


def test_videos_in_another_order_are_told_by_their_lengths_and_mended_by_a_list(tmp_path, annotations, scores):
    turned = dict(reversed(scores.items()))
    place = npz_by_order(tmp_path, turned)
    with pytest.raises(InputError, match="the same lengths in another order"):
        read(place, annotations)
    (tmp_path / "order.txt").write_text("\n".join(turned))
    assert same(read(place, annotations, videos=str(tmp_path / "order.txt")), scores)


def test_higher_scores_of_normal_frames_are_turned_around_once_that_is_said(tmp_path, annotations, scores):
    place = npz_by_name(tmp_path, {name: -own for name, own in scores.items()})
    assert same(read(place, annotations, higher="normal"), scores)


def test_a_part_of_the_videos_is_judged_once_that_is_said(tmp_path, annotations, scores):
    some = dict(list(scores.items())[:2])
    place = npz_by_name(tmp_path, some)
    with pytest.raises(InputError, match=r"no scores for '02_0128', '12_0142'[\s\S]*--subset"):
        read(place, annotations)
    assert same(read(place, annotations, subset=True), some)


def test_methods_of_different_parts_are_judged_on_the_videos_that_both_have(tmp_path, annotations, scores):
    names = list(scores)
    np.savez(tmp_path / "a.npz", **{name: scores[name] for name in names[:3]})
    np.savez(tmp_path / "b.npz", **{name: scores[name] for name in names[1:]})
    settings = JudgeSettings(dataset="shanghaitech", root=str(annotations), subset=True)
    case = open_case([str(tmp_path / "a.npz"), str(tmp_path / "b.npz")], settings)
    assert [video.name for video in case.videos] == ["test_01_0015", "test_02_0128"]
    assert [list(method.scores) for method in case.methods] == [["test_01_0015", "test_02_0128"]] * 2


class Harmful:
    """What a pickle may do to whoever opens it."""

    def __reduce__(self):
        return (Path.touch, (Path("opened"),))


@pytest.mark.parametrize("name", ["scores.npy", "scores.npz", "scores.pkl"])
def test_nothing_is_unpickled(name, tmp_path, annotations, monkeypatch):
    monkeypatch.chdir(tmp_path)
    value = np.array([Harmful(), Harmful()], dtype=object)
    if name.endswith("npy"):
        np.save(name, value, allow_pickle=True)
    elif name.endswith("npz"):
        np.savez(name, scores=value)
    else:
        Path(name).write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(InputError, match="pickle"):
        read(Path(name), annotations)
    assert not Path("opened").exists()


def write(path: Path, content: str | dict) -> Path:
    if isinstance(content, str):
        path.write_text(content)
    else:
        np.savez(path, **content)
    return path


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.csv", "video,frame,score\n01_0014,0,1\n01_0014,0,2\n", "frame 0 of video '01_0014' has several scores"),
        ("a.csv", "video,frame,a,b\n01_0014,0,1,2\n", "which of them are the scores"),
        ("a.csv", "1,2\n3,4\n", "2 columns without names"),
        ("a.csv", "video,frame,x1,y1,x2,y2,score\nv,0,1,2,3,4,5\n", "holds regions"),
        ("a.json", '{"01_0014": ["high"]}', "expected numbers"),
        ("a.json", "{", "does not read"),
        ("a.h5", "", "expected one of"),
        ("a.npz", {"01_0014": np.zeros((3, 4))}, r"shape \[3, 4\]"),
        ("a.npz", {"01_9999": np.zeros(90), "01_0015": np.zeros(61)}, "no video is called '01_9999'"),
        ("a.npz", {"01_0014": np.zeros(89), "01_0015": np.zeros(61), "02_0128": np.zeros(125), "12_0142": np.zeros(75)},
         r"2 of 4 videos do not fit[\s\S]*01_0014: 89 scores, 90 frames \(-1\)[\s\S]*02_0128: 125 scores"),
        ("a.json", json.dumps([None] * 346), "frame 0 of video '01_0014' is nan"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_a_report(name, content, says, tmp_path, annotations):
    with pytest.raises(InputError, match=says):
        read(write(tmp_path / name, content), annotations)


def test_a_score_that_is_not_finite_is_refused_by_video_and_frame(tmp_path, annotations, scores):
    scores["01_0015"][7] = np.nan
    with pytest.raises(InputError, match="frame 7 of video '01_0015' is nan"):
        read(npz_by_name(tmp_path, scores), annotations)


def test_a_place_without_scores_and_a_list_of_another_length_are_named(tmp_path, annotations, scores):
    with pytest.raises(InputError, match="no scores at"):
        read(tmp_path / "nothing.npy", annotations)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no files of scores"):
        read(tmp_path / "empty", annotations)
    np.save(tmp_path / "short.npy", np.zeros(11))
    with pytest.raises(InputError, match="one list for 4 videos does not fit"):
        read(tmp_path / "short.npy", annotations)
