"""Score files of objects, and frame scores from them: every object once, or an error that says which file."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dist_vad.base.errors import InputError
from dist_vad.base.files import digest
from dist_vad.base.labels import Event
from dist_vad.data.manifest import INDEX_DTYPE, Manifest, ShardInfo, VideoInfo
from dist_vad.data.store import open_store
from dist_vad.evaluation.frame_scores import read_frame_scores
from dist_vad.evaluation.score_files import DIGESTS, ScoreFiles, column_digest, score_file_name
from dist_vad.metrics import RegionScores, annotated_regions, frame_scores

FRAMES, MARGIN = 20, 2
WITHOUT_OBJECTS = {"prediction": 0.0, "fused": -1.0}
EVENT = Event(start=4, end=15, name="", kind="", boxes=[[10, 10, 20, 20]] * 11)
Objects = dict[str, np.ndarray]


def drawn(draw: np.random.Generator, count: int, stride: int) -> Objects:
    """Objects of one video in the producer's order."""
    frames = np.sort(draw.choice(np.arange(-(-MARGIN // stride) * stride, FRAMES - MARGIN, stride), count))
    index = np.zeros(count, INDEX_DTYPE)
    index["frame"], index["object"] = frames, np.arange(count) - np.searchsorted(frames, frames)
    corner = draw.uniform(0, 25, (count, 2))
    index["box"] = np.concatenate([corner, corner + 8], axis=1)
    return {"index": index, **{score: draw.integers(0, 9, count).astype(float) for score in WITHOUT_OBJECTS}}


def shard_sizes(draw: np.random.Generator, count: int) -> list[int]:
    ends = np.unique(np.append(draw.integers(0, count + 1, 2), count))
    return [int(size) for size in np.diff(np.concatenate([[0], ends])) if size]


def write(folder: Path, videos: list[Objects], stride: int, seed: int = 0) -> tuple[Manifest, ScoreFiles]:
    """A manifest of those videos, cut into shards somewhere, and the score files of them all, written in any order."""
    draw = np.random.default_rng(seed)
    files, shards, written = ScoreFiles(open_store(folder), "inference", ["key"]), [], []
    for number, objects in enumerate(videos):
        start = 0
        for part, size in enumerate(shard_sizes(draw, len(objects["index"]))):
            name = f"v{number}-{part:04d}"
            shards.append(
                ShardInfo(name=name, video=f"v{number}", samples=size, bytes=1, sha256=digest(name), index_sha256="")
            )
            written.append({key: values[start : start + size] for key, values in objects.items()})
            start += size
    for number in draw.permutation(len(shards)).tolist():
        index = written[number].pop("index")
        files.write(shards[number], index, written[number])
    infos = [
        VideoInfo(
            name=f"v{number}", scene="s", frames=FRAMES, fps=25, width=40, height=40,
            labels={"frames": [[4, 15]] if number == 0 else []}, events=[EVENT] if number == 0 else [],
        )
        for number in range(len(videos))
    ]  # fmt: skip
    manifest = Manifest(
        dataset="d", split="test", kind="cube", clip_length=2 * MARGIN + 1, size=8, stride=stride, codec="raw",
        scene_size=0, settings={}, fingerprint="", videos=infos, shards=shards,
    )  # fmt: skip
    return manifest, files


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 3), st.lists(st.integers(0, 25), min_size=1, max_size=3))
def test_however_objects_are_cut_into_shards_they_merge_to_what_all_of_them_give_at_once(
    tmp_path_factory, seed, stride, counts
):
    draw = np.random.default_rng(seed)
    videos = [drawn(draw, count, stride) for count in counts]
    manifest, files = write(tmp_path_factory.mktemp("files"), videos, stride, seed)
    actual = read_frame_scores(files, manifest, WITHOUT_OBJECTS)
    geometry = {"length": FRAMES, "stride": stride, "margin": MARGIN}
    regions, first = RegionScores(FRAMES * len(videos), 2), 0
    for number, objects in enumerate(videos):
        frames = objects["index"]["frame"].astype(int)
        for score, value in WITHOUT_OBJECTS.items():
            expected = frame_scores(frames, objects[score], **geometry, without_objects=value)
            assert actual.frames[score][f"v{number}"].tolist() == expected.tolist()
        for frame, peak in enumerate(actual.peaks[f"v{number}"].tolist()):
            own = [(-s, first + i) for i, (f, s) in enumerate(zip(frames, objects["fused"])) if f == frame]
            assert peak == min(own, default=(0, -1))[1]
        annotated = annotated_regions([EVENT] if number == 0 else [], np.zeros(FRAMES))
        assert annotated is not None
        located = regions.video(annotated, **geometry)
        located.add(frames, objects["index"]["box"], np.stack([objects[score] for score in WITHOUT_OBJECTS], axis=1))
        first += len(frames)
    assert [actual.regions[score] for score in WITHOUT_OBJECTS] == regions.rates()


@pytest.fixture
def whole(tmp_path) -> tuple[Manifest, ScoreFiles]:
    draw = np.random.default_rng(3)
    return write(tmp_path, [drawn(draw, 20, 1), drawn(draw, 20, 1)], 1)


def rewrite(files: ScoreFiles, shard: ShardInfo, change) -> None:
    """Change a file, and sign it again, as a fault of the program itself would."""
    path = Path(files.store.where(score_file_name(shard)))
    table = change(pq.read_table(path))
    digests = {name: column_digest(shard, name, table[name].to_numpy()) for name in table.column_names}
    pq.write_table(table.replace_schema_metadata({DIGESTS: json.dumps(digests).encode()}), path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.slice(1), "objects"),
        (lambda table: pa.concat_tables([table.slice(1), table.slice(len(table) - 1)]), "twice"),
        (lambda table: table.drop_columns(["fused"]), "no column 'fused'"),
    ],
)
def test_a_file_without_each_of_its_objects_once_is_named(whole, change, message):
    manifest, files = whole
    shard = max(manifest.shards, key=lambda shard: shard.samples)
    rewrite(files, shard, change)
    with pytest.raises(InputError, match=rf"{shard.name} by inference.*{message}.*{score_file_name(shard)}"):
        read_frame_scores(files, manifest, WITHOUT_OBJECTS)


def test_a_file_that_is_missing_or_damaged_is_named(whole):
    manifest, files = whole
    path = Path(files.store.where(score_file_name(manifest.shards[-1])))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"does not read.*delete that file"):
        read_frame_scores(files, manifest, WITHOUT_OBJECTS)
    path.unlink()
    assert files.missing(manifest.shards) == [len(manifest.shards) - 1]
    with pytest.raises(InputError, match="found nothing"):
        read_frame_scores(files, manifest, WITHOUT_OBJECTS)


def test_an_object_that_two_shards_hold_is_refused(whole):
    manifest, files = whole
    first, second = [shard for shard in manifest.shards if shard.video == "v0"][:2]
    last = pq.read_table(files.store.where(score_file_name(first))).slice(first.samples - 1)
    rewrite(files, second, lambda table: pa.concat_tables([last, table.slice(1)]))
    with pytest.raises(InputError, match="object in two of its shards"):
        read_frame_scores(files, manifest, WITHOUT_OBJECTS)


def test_a_score_that_is_nan_is_refused(whole):
    manifest, files = whole
    nan = pa.array([np.nan] * manifest.shards[0].samples)
    rewrite(files, manifest.shards[0], lambda t: t.set_column(t.column_names.index("fused"), "fused", nan))
    with pytest.raises(InputError, match=r"frame \d+ is nan"):
        read_frame_scores(files, manifest, WITHOUT_OBJECTS)


def test_files_in_a_bucket_are_the_bytes_of_those_in_a_folder(tmp_path, url):
    draw = np.random.default_rng(3)
    videos = [drawn(draw, 20, 1), drawn(draw, 20, 1)]
    manifest, local = write(tmp_path / "files", videos, 1)
    remote = ScoreFiles(open_store(url), "inference", ["key"])
    assert remote.missing(manifest.shards) == list(range(len(manifest.shards)))
    _, remote = write(url, videos, 1)
    assert remote.missing(manifest.shards) == []
    for shard in manifest.shards:
        assert remote.store.read(score_file_name(shard)) == local.store.read(score_file_name(shard))
    actual, expected = (read_frame_scores(files, manifest, WITHOUT_OBJECTS) for files in (remote, local))
    for score in WITHOUT_OBJECTS:
        np.testing.assert_equal(actual.frames[score], expected.frames[score])
