"""Frame scores as files: what an evaluation leaves behind for others, and for `dist-vad judge`.

`frame_scores.parquet` has a row for each frame of the test videos: `video`, `frame` (from 0), `label/NAME` for each
ground truth (uint8, null where a video has no such labels), and a float64 column for each score, raw as `PHASE/SCORER`
and smoothed as `PHASE/SCORER/SMOOTHING`. What a table has no room for (scenes, events, which row of the results a
column is) stands as JSON in the metadata of its schema, under `dist_vad`;
beside it a digest over all of it.

`frame_scores.npz` is the short form: the headline's scores alone, one float64 array [frames] for each video.
"""

import dataclasses
import hashlib
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dist_vad import metrics
from dist_vad.base.errors import Damaged, InputError
from dist_vad.base.files import atomic_file, digest, write_bytes
from dist_vad.base.labels import Event, interval_labels, intervals_of
from dist_vad.base.text.jsonable import without_nan
from dist_vad.data.manifest import Manifest, VideoInfo
from dist_vad.report import Row

PARQUET, NPZ = "frame_scores.parquet", "frame_scores.npz"
SCHEMA = 1
METADATA = b"dist_vad"
DIGEST = "dist_vad.digest"
"""In the metadata of the file: a digest over its facts and its columns."""
LABEL = "label/"
GROUP_FRAMES = 200_000
"""Frames that are written at a time: memory does not grow with the test set."""
KEPT = ("group", "phase", "scorer", "smoothing", "note", "rbdc", "tbdc")
"""Of a row of results, what does not follow from its frame scores."""

ScoresByVideo = Mapping[str, np.ndarray]
_NAN = math.nan


@dataclass(frozen=True)
class ScoreColumn:
    """A score of every frame, and which row of the results it makes."""

    name: str
    facts: dict[str, Any]
    """The values of KEPT."""
    scores: ScoresByVideo
    """Video -> float64 [frames]."""


@dataclass(frozen=True)
class FrameFile:
    """What `frame_scores.parquet` holds."""

    dataset: str
    videos: list[VideoInfo]
    """With their labels and events; events have no boxes."""
    columns: list[ScoreColumn]
    """In the order of the results."""
    headline: str
    """The column of the final result."""
    resamples: int
    """Of the intervals in the results."""
    provenance: dict[str, Any]

    def ground_truths(self) -> list[str]:
        """Those that label every video, as in the results; one without a name where there is none."""
        names = [set(video.labels) for video in self.videos]
        return sorted(set.intersection(*names)) if names and set.intersection(*names) else [""]


def column_name(row: Row) -> str:
    """The column of a row of results: `PHASE/SCORER`, and `/SMOOTHING` where it is smoothed."""
    return "/".join([row.phase, row.scorer, *([] if row.smoothing == "none" else [row.smoothing])])


def write_frame_scores(
    folder: Path,
    manifest: Manifest,
    raw: Mapping[str, Mapping[str, ScoresByVideo]],
    rows: Sequence[Row],
    headline: Row,
    resamples: int,
    provenance: Mapping[str, Any],
) -> None:
    """Write both files into a run's folder, atomically.

    Args:
        raw: phase -> scorer -> video -> frame scores before smoothing, float64 [frames].
        rows: the results, in their order.
        headline: the row of the final result.
        provenance: what is kept of how the run came about: its command, commit, state and digest.
    """
    unique = {column_name(row): row for row in reversed(rows)}
    unique = {name: unique[name] for name in dict.fromkeys(map(column_name, rows))}
    kept = {name: {key: without_nan(getattr(row, key)) for key in KEPT} for name, row in unique.items()}
    facts = {
        "schema": SCHEMA,
        "dataset": manifest.dataset,
        "headline": column_name(headline),
        "resamples": resamples,
        "provenance": {key: provenance[key] for key in ("command", "commit", "state", "digest") if key in provenance},
        "rows": kept,
        "videos": [_video_facts(video) for video in manifest.videos],
    }
    truths = sorted({name for video in manifest.videos for name in video.labels})
    schema = pa.schema(
        [
            ("video", pa.dictionary(pa.int32(), pa.string())),
            ("frame", pa.int32()),
            *((LABEL + truth, pa.uint8()) for truth in truths),
            *((name, pa.float64()) for name in unique),
        ],
        metadata={METADATA: json.dumps(facts).encode()},
    )
    seal = _Seal()
    with atomic_file(folder / PARQUET) as file, pq.ParquetWriter(file, schema, use_dictionary=False) as writer:
        for videos in _batches(manifest.videos):
            table = pa.table(_columns(videos, truths, unique, raw), schema=schema)
            seal.add(table)
            writer.write_table(table)
        writer.add_key_value_metadata({DIGEST: seal.over(facts)})
    final = raw[headline.phase][headline.scorer]
    file = io.BytesIO()
    arrays = {video.name: metrics.smooth(final[video.name], headline.smoothing) for video in manifest.videos}
    np.savez_compressed(file, allow_pickle=False, **arrays)
    write_bytes(folder / NPZ, file.getvalue())


def is_frame_file(path: Path) -> bool:
    """Whether a Parquet file is one that an evaluation wrote, as far as it reads at all."""
    try:
        return METADATA in (pq.read_schema(path).metadata or {})
    except (pa.ArrowException, OSError):
        return False


def read_frame_file(path: Path) -> FrameFile:
    """Read `frame_scores.parquet` back. Raises InputError for a file of another schema, or one that is not whole."""
    try:
        with pq.ParquetFile(path) as file:
            held, table = file.metadata.metadata, file.read()
        facts = json.loads(held[METADATA])
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise Damaged(f"{path} is damaged: it does not read ({error}); evaluate the state again") from error
    if facts.get("schema") != SCHEMA:
        raise InputError(
            f"{path} has schema {facts.get('schema')!r}, this version of dist_vad reads {SCHEMA}; evaluate the state "
            "again, or use the dist_vad that wrote the file"
        )
    seal = _Seal()
    seal.add(table)
    if held.get(DIGEST.encode(), b"").decode() not in ("", seal.over(facts)):
        raise Damaged(f"{path} is damaged: its scores have another digest than it says; evaluate the state again")
    ends = np.cumsum([video["frames"] for video in facts["videos"]])
    expected = int(ends[-1]) if len(ends) else 0
    if len(table) != expected:
        raise InputError(f"{path} holds {len(table)} frames, expected {expected}; evaluate the state again")

    def by_video(name: str) -> dict[str, np.ndarray]:
        parts = np.split(table[name].to_numpy(), ends[:-1])
        return {video["name"]: part for video, part in zip(facts["videos"], parts)}

    truths = [name.removeprefix(LABEL) for name in table.column_names if name.startswith(LABEL)]
    labels = {truth: by_video(LABEL + truth) for truth in truths}
    videos = [
        _video(video, {truth: flags[video["name"]] for truth, flags in labels.items()}) for video in facts["videos"]
    ]
    columns = [
        ScoreColumn(name, {key: _NAN if value is None else value for key, value in kept.items()}, by_video(name))
        for name, kept in facts["rows"].items()
    ]
    return FrameFile(facts["dataset"], videos, columns, facts["headline"], facts["resamples"], facts["provenance"])


class _Seal:
    """The digest of a file's facts and columns, whatever batches these are written in."""

    def __init__(self) -> None:
        self._columns: dict[str, Any] = {}

    def add(self, table: pa.Table) -> None:
        """Take the next rows. Which video they are of, the facts say."""
        for name in table.column_names:
            if name != "video":
                values = table[name].fill_null(255) if name.startswith(LABEL) else table[name]
                column = self._columns.setdefault(name, hashlib.sha256())
                column.update(np.ascontiguousarray(values.to_numpy()))

    def over(self, facts: Mapping[str, Any]) -> str:
        """The digest."""
        columns = {name: column.hexdigest() for name, column in self._columns.items()}
        return digest([json.loads(json.dumps(facts)), columns])


def _video_facts(video: VideoInfo) -> dict[str, Any]:
    """A video without its labels, which are columns, and without boxes."""
    facts = dataclasses.asdict(video)
    del facts["labels"]
    return {**facts, "events": [{**event, "boxes": []} for event in facts["events"]]}


def _video(facts: dict[str, Any], labels: Mapping[str, np.ndarray]) -> VideoInfo:
    events = [Event(**event) for event in facts["events"]]
    known = {truth: intervals_of(flags) for truth, flags in labels.items() if not np.isnan(flags.astype(float)).any()}
    return VideoInfo(**{**facts, "events": events}, labels=known)


def _batches(videos: Sequence[VideoInfo]) -> Iterator[list[VideoInfo]]:
    """The videos in their order, GROUP_FRAMES frames or one video at a time."""
    batch: list[VideoInfo] = []
    for video in videos:
        if batch and sum(other.frames for other in batch) + video.frames > GROUP_FRAMES:
            yield batch
            batch = []
        batch.append(video)
    if batch:
        yield batch


def _columns(
    videos: Sequence[VideoInfo],
    truths: Sequence[str],
    rows: Mapping[str, Row],
    raw: Mapping[str, Mapping[str, ScoresByVideo]],
) -> dict[str, pa.Array]:
    """The columns of some videos."""
    numbers = np.repeat(np.arange(len(videos), dtype=np.int32), [video.frames for video in videos])
    columns: dict[str, pa.Array] = {
        "video": pa.DictionaryArray.from_arrays(numbers, [video.name for video in videos]),
        "frame": pa.array(np.concatenate([np.arange(video.frames, dtype=np.int32) for video in videos])),
    }
    for truth in truths:
        columns[LABEL + truth] = pa.concat_arrays([_labels(video, truth) for video in videos])
    for name, row in rows.items():
        scores = raw[row.phase][row.scorer]
        smoothed = [metrics.smooth(scores[video.name], row.smoothing) for video in videos]
        columns[name] = pa.array(np.concatenate(smoothed))
    return columns


def _labels(video: VideoInfo, truth: str) -> pa.Array:
    if truth not in video.labels:
        return pa.nulls(video.frames, pa.uint8())
    return pa.array(interval_labels(video.labels[truth], video.frames))
