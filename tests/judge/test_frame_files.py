"""Frame scores as files: what is written is read back bit for bit, whatever the videos hold."""

import math

import numpy as np
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from dist_vad import metrics
from dist_vad.base.labels import Event
from dist_vad.data.manifest import Manifest, VideoInfo
from dist_vad.judge.frame_files import NPZ, PARQUET, is_frame_file, read_frame_file, write_frame_scores
from dist_vad.report import LEARNED, NO_LEARNING, Row

SCORERS = {"inference": ["prediction", "fused"], "no learning": ["box_width"]}


def manifest(lengths: list[int], truths: list[str]) -> Manifest:
    videos = [
        VideoInfo(
            name=f"test_{number:02d}",
            scene=f"scene {number % 2}",
            frames=length,
            fps=10.0,
            width=64,
            height=48,
            labels={truth: [[0, length // 2]] if length > 1 else [] for truth in truths},
            events=[Event(start=0, end=1, name="cart", kind="unseen", boxes=[[0.0, 0.0, 1.0, 1.0]])],
        )
        for number, length in enumerate(lengths)
    ]
    facts = {"dataset": "mine", "split": "test", "kind": "cube", "clip_length": 9, "size": 48, "stride": 1}
    return Manifest(**facts, codec="jpeg", scene_size=0, settings={}, fingerprint="f", videos=videos, shards=[])


def rows_and_raw(videos: list[VideoInfo], truths: list[str], smoothing: str):
    draw = np.random.default_rng(len(videos))
    raw = {
        phase: {scorer: {video.name: draw.normal(size=video.frames) for video in videos} for scorer in scorers}
        for phase, scorers in SCORERS.items()
    }
    rows = [
        Row(
            group=NO_LEARNING if phase == "no learning" else LEARNED,
            phase=phase,
            scorer=scorer,
            smoothing=how,
            ground_truth=truth,
            note="of the widest box",
            rbdc=math.nan if scorer == "fused" else 0.25,
        )
        for truth in truths or [""]
        for phase, scorers in SCORERS.items()
        for scorer in scorers
        for how in dict.fromkeys(["none", smoothing])
    ]
    return rows, raw


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.sampled_from([[], ["frames"], ["intervals", "pixel_masks"]]),
    st.sampled_from(["none", "median17", metrics.WHOLE_TEST_VIDEO_MINMAX]),
)
def test_what_is_written_is_read_back_bit_for_bit(tmp_path_factory, lengths, truths, smoothing):
    folder, whole = tmp_path_factory.mktemp("run"), manifest(lengths, truths)
    rows, raw = rows_and_raw(whole.videos, truths, smoothing)
    headline = next(row for row in rows if (row.scorer, row.smoothing) == ("fused", smoothing))
    write_frame_scores(folder, whole, raw, rows, headline, 500, {"command": "evaluate", "settings": {"much": 1}})
    assert is_frame_file(folder / PARQUET)
    file = read_frame_file(folder / PARQUET)
    assert (file.dataset, file.resamples, file.provenance) == ("mine", 500, {"command": "evaluate"})
    assert file.ground_truths() == (truths or [""])
    assert [video.labels for video in file.videos] == [video.labels for video in whole.videos]
    assert [(video.scene, video.fps, video.frames) for video in file.videos] == [
        (video.scene, video.fps, video.frames) for video in whole.videos
    ]
    assert len(file.columns) == len(dict.fromkeys((row.phase, row.scorer, row.smoothing) for row in rows))
    for column in file.columns:
        expected = raw[column.facts["phase"]][column.facts["scorer"]]
        for video, scores in column.scores.items():
            np.testing.assert_array_equal(scores, metrics.smooth(expected[video], column.facts["smoothing"]))
    assert file.headline in [column.name for column in file.columns]
    with np.load(folder / NPZ, allow_pickle=False) as archive:
        final = next(column for column in file.columns if column.name == file.headline)
        assert archive.files == [video.name for video in whole.videos]
        for name in archive.files:
            np.testing.assert_array_equal(archive[name], final.scores[name])


def test_the_table_reads_without_this_package(tmp_path):
    whole = manifest([5, 3], ["frames"])
    rows, raw = rows_and_raw(whole.videos, ["frames"], "median17")
    write_frame_scores(tmp_path, whole, raw, rows, rows[-1], 0, {})
    table = pq.read_table(tmp_path / PARQUET)
    assert table["video"].to_pylist() == ["test_00"] * 5 + ["test_01"] * 3
    assert table["frame"].to_pylist() == [0, 1, 2, 3, 4, 0, 1, 2]
    assert table["label/frames"].to_pylist() == [1, 1, 0, 0, 0, 1, 0, 0]
    assert {"inference/fused", "inference/fused/median17", "no learning/box_width"} <= set(table.column_names)


def test_an_unlabelled_video_has_nulls_and_its_truth_is_none_of_the_results(tmp_path):
    whole = manifest([4, 4], ["frames"])
    whole.videos[1].labels.clear()
    rows, raw = rows_and_raw(whole.videos, [""], "none")
    write_frame_scores(tmp_path, whole, raw, rows, rows[0], 0, {})
    assert pq.read_table(tmp_path / PARQUET)["label/frames"].to_pylist()[4:] == [None] * 4
    file = read_frame_file(tmp_path / PARQUET)
    assert file.ground_truths() == [""] and file.videos[1].labels == {}
