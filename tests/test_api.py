"""`import dist_vad`: a small surface, nothing heavy before it is used, the same results as the commands."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from launching import plainly
from miniature import frame, write_pictures
from torch.utils.data import DataLoader

import dist_vad
from dist_vad.base.errors import InputError


@pytest.fixture(scope="module")
def state(tiny_run) -> str:
    return str(next((tiny_run / "states").glob("inference-*")))


@pytest.fixture(scope="module")
def detector(state) -> dist_vad.Detector:
    return dist_vad.Detector.load(state)


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.stack([frame(number) for number in range(40)])


@pytest.fixture(scope="module")
def result(detector, frames) -> dist_vad.VideoResult:
    return detector.score(frames, stride=2, events={"false_alarms": 0.5})


def test_importing_it_imports_nothing_heavy():
    heavy = ("torch", "numpy", "pyarrow", "cv2", "accelerate", "scipy")
    program = f"import sys, dist_vad; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["score", "--help"], ["config", "list"]])
def test_help_imports_no_torch(words):
    program = (
        "import atexit, sys; from dist_vad.cli.main import main; "
        "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr)); main()"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "False\n"


def test_its_names_are_those_that_it_lists():
    assert {*dir(dist_vad)} == {*dist_vad.__all__}
    assert all(getattr(dist_vad, name) is not None for name in dist_vad.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        dist_vad.nothing  # noqa: B018


def test_frames_score_as_the_pictures_that_hold_them(detector, frames, result, tmp_path):
    write_pictures(tmp_path / "walk", len(frames))
    places = [detector.score(place, stride=2) for place in (tmp_path / "walk", str(tmp_path / "walk"))]
    for other in places:
        assert other.raw.tolist() == result.raw.tolist() and other.boxes.tolist() == result.boxes.tolist()


def test_the_command_writes_what_the_result_saves(detector, state, result, tmp_path):
    write_pictures(tmp_path / "walk", 40)
    out = ["--out", str(tmp_path / "command"), "--mp4", "false"]
    settings = ["--stride", "2", "--events.false_alarms", "0.5"]
    plainly("launch/score.py", str(tmp_path / "walk"), "--state", state, *out, *settings)
    table, events = result.save(tmp_path / "saved", "walk")
    assert pq.read_table(table).equals(pq.read_table(tmp_path / "command/walk.parquet"))
    ours, theirs = (json.loads(path.read_text()) for path in (events, tmp_path / "command/walk.events.json"))
    assert ours["events"] == theirs["events"] and ours["level"] == theirs["level"]


def test_a_result_can_be_looked_at(result):
    assert result.scores.shape == (40,) and result.boxes.shape == (len(result.objects.frames), 4)
    figure = result.plot()
    assert len(figure.data[0].y) == 40
    assert len([shape for shape in figure.layout.shapes if shape.type == "rect"]) == len(result.events())
    pandas = pytest.importorskip("pandas")
    table = result.to_pandas()
    assert isinstance(table, pandas.DataFrame) and table["rarity"].to_list() == result.scores.tolist()


@pytest.mark.parametrize(
    "wrong", [np.zeros((4, 8, 8), np.uint8), np.zeros((4, 8, 8, 3)), np.zeros((0, 8, 8, 3), np.uint8)]
)
def test_frames_of_another_type_or_shape_are_refused(detector, wrong):
    with pytest.raises(InputError, match=r"expected uint8 \[T, H, W, 3\]"):
        detector.score(wrong)


@pytest.mark.parametrize("wrong", [{"strid": 2}, {"stride": 0}, {"scorer": "nothing"}, {"scene": "nowhere"}])
def test_a_wrong_setting_is_refused_by_name(detector, frames, wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        detector.score(frames, **wrong)


def test_a_state_elsewhere_is_fetched_once_and_scores_to_the_same_bits(detector, state, frames, tmp_path, monkeypatch):
    import fsspec

    from dist_vad.data.store import remote
    from dist_vad.inference import places

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(remote.PACKAGES, "memory", "fsspec")
    bucket = fsspec.filesystem("memory")
    for path in Path(state).iterdir():
        bucket.put_file(str(path), f"states/mine/{path.name}")
    there = dist_vad.Detector.load("memory://states/mine")
    assert there.score(frames, stride=2).raw.tolist() == detector.score(frames, stride=2).raw.tolist()
    assert there.state.folder.is_relative_to(tmp_path)
    monkeypatch.setattr(places, "fetch_state", lambda *_: pytest.fail("fetched again"))
    dist_vad.Detector.load("memory://states/mine")
    with pytest.raises(InputError, match=r"no state at memory://states/other"):
        dist_vad.Detector.load("memory://states/other")


def test_a_shard_set_is_a_map_style_data_set(tiny_shards):
    shards = dist_vad.ShardSet(str(tiny_shards / "cube-train"))
    batch = next(iter(DataLoader(shards, batch_size=8, shuffle=False)))
    assert batch["clip"].shape == (8, *shards.manifest.clip_shape) and batch["scene"].shape[0] == 8
    assert batch["clip"].numpy().tobytes() == shards.read(np.arange(8)).clips.numpy().tobytes()
    assert batch["key"] == [shards.key(number) for number in range(8)]
    assert shards[-1]["key"] == shards.key(len(shards) - 1)
    for wrong in (len(shards), -len(shards) - 1):
        with pytest.raises(IndexError, match=f"samples 0 to {len(shards) - 1}"):
            shards[wrong]
    assert len(list(DataLoader(shards, batch_size=32, num_workers=1))) == -(-len(shards) // 32)


def test_its_stream_is_the_same_for_any_ranks_and_resumes(tiny_shards):
    shards = dist_vad.ShardSet(tiny_shards / "cube-train")

    def positions(rank: int = 0, world: int = 1) -> dict[int, list[int]]:
        stream = shards.stream(8, streams=4, rank=rank, world=world, stop=5)
        return {step: batches["cube"].positions.tolist() for step, batches in stream}

    whole, first, second = positions(), positions(0, 2), positions(1, 2)
    assert {step: sorted(first[step] + second[step]) for step in whole} == {s: sorted(p) for s, p in whole.items()}
    clips = [b["cube"].clips for _, b in shards.stream(8, streams=4, stop=5)]
    resumed = [b["cube"].clips for _, b in shards.stream(8, streams=4, start=3, stop=5)]
    assert [one.numpy().tobytes() for one in clips[3:]] == [one.numpy().tobytes() for one in resumed]


def test_evaluate_gives_what_metrics_json_holds(state, tiny_run, tmp_path):
    rows = dist_vad.evaluate(state, out=tmp_path / "judged")["rows"]
    assert {row["scorer"] for row in rows} >= {"fused", "prediction"}
    assert (tmp_path / "judged/report.html").is_file()
    assert not (tmp_path / "judged/states").exists()
    shutil.rmtree(tmp_path)
