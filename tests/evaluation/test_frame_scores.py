"""Parts of object scores, and their merging into frame scores: every object once, or an error that says which part."""

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
from dist_vad.evaluation.frame_scores import merge
from dist_vad.evaluation.score_files import Parts, part_name
from dist_vad.metrics import RegionScores, annotated_regions, frame_scores

FRAMES, MARGIN = 20, 2
FLOORS = {"prediction": 0.0, "fused": -1.0}
EVENT = Event(start=4, end=15, name="", kind="", boxes=[[10, 10, 20, 20]] * 11)
Objects = dict[str, np.ndarray]


def made(draw: np.random.Generator, count: int, stride: int) -> Objects:
    """Objects of one video in the producer's order."""
    frames = np.sort(draw.choice(np.arange(-(-MARGIN // stride) * stride, FRAMES - MARGIN, stride), count))
    index = np.zeros(count, INDEX_DTYPE)
    index["frame"], index["object"] = frames, np.arange(count) - np.searchsorted(frames, frames)
    corner = draw.uniform(0, 25, (count, 2))
    index["box"] = np.concatenate([corner, corner + 8], axis=1)
    return {"index": index, **{score: draw.integers(0, 9, count).astype(float) for score in FLOORS}}


def shard_sizes(draw: np.random.Generator, count: int) -> list[int]:
    ends = np.unique(np.append(draw.integers(0, count + 1, 2), count))
    return [int(size) for size in np.diff(np.concatenate([[0], ends])) if size]


def write(folder: Path, videos: list[Objects], stride: int, seed: int = 0) -> tuple[Manifest, Parts]:
    """A manifest of those videos, cut into shards somewhere, and the parts of all shards, written in any order."""
    draw = np.random.default_rng(seed)
    parts, shards, written = Parts(open_store(folder), "inference", ["key"]), [], []
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
        parts.write(shards[number], index, written[number])
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
    return manifest, parts


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 3), st.lists(st.integers(0, 25), min_size=1, max_size=3))
def test_however_objects_are_cut_into_shards_they_merge_to_what_all_of_them_give_at_once(
    tmp_path_factory, seed, stride, counts
):
    draw = np.random.default_rng(seed)
    videos = [made(draw, count, stride) for count in counts]
    manifest, parts = write(tmp_path_factory.mktemp("parts"), videos, stride, seed)
    merged = merge(parts, manifest, FLOORS)
    geometry = {"length": FRAMES, "stride": stride, "margin": MARGIN}
    regions, first = RegionScores(FRAMES * len(videos), 2), 0
    for number, objects in enumerate(videos):
        frames = objects["index"]["frame"].astype(int)
        for score, floor in FLOORS.items():
            expected = frame_scores(frames, objects[score], **geometry, floor=floor)
            assert merged.frames[score][f"v{number}"].tolist() == expected.tolist()
        for frame, peak in enumerate(merged.peaks[f"v{number}"].tolist()):
            own = [(-s, first + i) for i, (f, s) in enumerate(zip(frames, objects["fused"])) if f == frame]
            assert peak == min(own, default=(0, -1))[1]
        annotated = annotated_regions([EVENT] if number == 0 else [], np.zeros(FRAMES))
        assert annotated is not None
        located = regions.video(annotated, **geometry)
        located.add(frames, objects["index"]["box"], np.stack([objects[score] for score in FLOORS], axis=1))
        first += len(frames)
    assert [merged.regions[score] for score in FLOORS] == regions.rates()


@pytest.fixture
def whole(tmp_path) -> tuple[Manifest, Parts]:
    draw = np.random.default_rng(3)
    return write(tmp_path, [made(draw, 20, 1), made(draw, 20, 1)], 1)


def rewrite(parts: Parts, shard: ShardInfo, change) -> None:
    path = Path(parts.store.where(part_name(shard)))
    pq.write_table(change(pq.read_table(path)), path)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda table: table.slice(1), "objects"),
        (lambda table: pa.concat_tables([table.slice(1), table.slice(len(table) - 1)]), "twice"),
        (lambda table: table.drop_columns(["fused"]), "no column 'fused'"),
    ],
)
def test_a_part_without_each_of_its_objects_once_is_named(whole, change, found):
    manifest, parts = whole
    shard = max(manifest.shards, key=lambda shard: shard.samples)
    rewrite(parts, shard, change)
    with pytest.raises(InputError, match=rf"{shard.name} by inference.*{found}.*{part_name(shard)}"):
        merge(parts, manifest, FLOORS)


def test_a_part_that_is_missing_or_damaged_is_named(whole):
    manifest, parts = whole
    path = Path(parts.store.where(part_name(manifest.shards[-1])))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"does not read.*delete that file"):
        merge(parts, manifest, FLOORS)
    path.unlink()
    assert parts.missing(manifest.shards) == [len(manifest.shards) - 1]
    with pytest.raises(InputError, match="found nothing"):
        merge(parts, manifest, FLOORS)


def test_an_object_that_two_shards_hold_is_refused(whole):
    manifest, parts = whole
    first, second = [shard for shard in manifest.shards if shard.video == "v0"][:2]
    last = pq.read_table(parts.store.where(part_name(first))).slice(first.samples - 1)
    rewrite(parts, second, lambda table: pa.concat_tables([last, table.slice(1)]))
    with pytest.raises(InputError, match="object in two of its shards"):
        merge(parts, manifest, FLOORS)


def test_a_score_that_is_nan_is_refused(whole):
    manifest, parts = whole
    nan = pa.array([np.nan] * manifest.shards[0].samples)
    rewrite(parts, manifest.shards[0], lambda t: t.set_column(t.column_names.index("fused"), "fused", nan))
    with pytest.raises(InputError, match=r"frame \d+ is nan"):
        merge(parts, manifest, FLOORS)


def test_parts_in_a_bucket_are_the_bytes_of_those_in_a_folder(tmp_path, url):
    draw = np.random.default_rng(3)
    videos = [made(draw, 20, 1), made(draw, 20, 1)]
    manifest, local = write(tmp_path / "parts", videos, 1)
    remote = Parts(open_store(url), "inference", ["key"])
    assert remote.missing(manifest.shards) == list(range(len(manifest.shards)))
    _, remote = write(url, videos, 1)
    assert remote.missing(manifest.shards) == []
    for shard in manifest.shards:
        assert remote.store.read(part_name(shard)) == local.store.read(part_name(shard))
    found, expected = merge(remote, manifest, FLOORS), merge(local, manifest, FLOORS)
    for score in FLOORS:
        np.testing.assert_equal(found.frames[score], expected.frames[score])
