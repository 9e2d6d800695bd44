"""Anybody's frame scores, as they lie on a disk: npy, npz, csv, txt, json, parquet, or a folder of such files.

Nothing is unpickled: a file that can run code when it is opened is refused, with the line that converts it.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from dist_vad.base.errors import InputError
from dist_vad.base.groups import rows_by
from dist_vad.video.files import is_junk, natural_key

VIDEO_COLUMNS = ("video", "video_name", "video_id", "clip", "name", "file", "filename")
FRAME_COLUMNS = ("frame", "frame_id", "frame_number", "frame_index", "index")
SCORE_COLUMNS = ("score", "scores", "anomaly_score", "anomaly", "prediction", "pred", "y_score")
REGION_COLUMNS = ("x1", "y1", "x2", "y2")
NAMELESS = ("arr_0", "scores", "score", "pred", "preds", "predictions", "y_score", "frame_scores")
"""Names in an archive of a single array that say nothing of a video."""
PICKLED = (".pkl", ".pickle", ".pt", ".pth", ".joblib")


@dataclass(frozen=True)
class OneVideo:
    """The scores of one video, or of all videos one after another."""

    scores: np.ndarray
    """float64 [n]."""
    frames: np.ndarray | None = None
    """int64 [n], ascending: the frame of each, where the file tells."""


@dataclass(frozen=True)
class ScoreSet:
    """What a file or folder of scores holds."""

    path: Path
    named: dict[str, OneVideo] | None = None
    """By the names that stand in the file, or that its files have."""
    ordered: list[OneVideo] | None = None
    """One for each video, in an order that is only supposed."""
    flat: OneVideo | None = None
    """One list for all videos."""


def read_scores(path: Path, column: str | None = None) -> ScoreSet:
    """Read a file or folder of scores. Raises InputError where it is not there, does not read or holds something else.

    Args:
        column: the column of a table that holds the scores, where it is not called `score`.
    """
    if path.is_dir():
        return _read_folder(path, column)
    if not path.exists():
        raise InputError(f"no scores at {path}; give a file ({', '.join(READERS)}) or a folder of such files")
    if path.suffix.lower() in PICKLED:
        raise InputError(
            f"{path} is a pickle, which can run code when it is opened, and is not read; convert it with its own "
            "program: numpy.savez('scores.npz', **{name: scores for name, scores in ...})"
        )
    read = READERS.get(path.suffix.lower())
    if read is None:
        raise InputError(f"{path} ends in {path.suffix!r}, expected one of {', '.join(READERS)}")
    try:
        return read(path, column)
    except InputError:
        raise
    except Exception as error:  # a stranger's file, read by four libraries: whatever they say of it, it does not read
        first = " ".join(str(error).split())[:300]
        raise InputError(f"{path} does not read as scores: {first}") from error


def _array(value: Any, where: str) -> np.ndarray:
    """Numbers [n] of whatever a file holds; an axis of length 1 is no axis, and JSON's null is no number."""
    array = np.asarray([math.nan if one is None else one for one in value] if isinstance(value, list) else value)
    if array.dtype == object:
        raise InputError(
            f"{where} holds objects, which only a pickle can store; save it again as numbers: one array for each "
            "video, numpy.savez('scores.npz', **{name: scores for name, scores in ...})"
        )
    if array.dtype.kind not in "fiub":
        raise InputError(f"{where} holds {array.dtype}, expected numbers")
    array = np.atleast_1d(array.squeeze())
    if array.ndim != 1:
        raise InputError(f"{where} has shape {list(array.shape)}, expected one score for each frame, [frames]")
    return array.astype(np.float64)


def _load(path: Path) -> Any:
    """np.load without pickles."""
    try:
        return np.load(path, allow_pickle=False)
    except ValueError as error:
        if "pickle" not in str(error).lower():
            raise
        raise InputError(
            f"{path} holds pickled objects, which can run code when they are opened, and are not read; save it again "
            "as numbers: numpy.savez('scores.npz', **{name: scores for name, scores in ...})"
        ) from error


def _read_npy(path: Path, column: str | None) -> ScoreSet:
    return ScoreSet(path, flat=OneVideo(_array(_load(path), str(path))))


def _read_npz(path: Path, column: str | None) -> ScoreSet:
    with _load(path) as archive:
        arrays = {name: OneVideo(_array(archive[name], f"{path}: {name!r}")) for name in archive.files}
    if list(arrays) == ["arr_0"] or (len(arrays) == 1 and next(iter(arrays)).lower() in NAMELESS):
        return ScoreSet(path, flat=next(iter(arrays.values())))
    if all(name.startswith("arr_") and name[4:].isdigit() for name in arrays):
        return ScoreSet(path, ordered=[arrays[name] for name in sorted(arrays, key=natural_key)])
    return ScoreSet(path, named=arrays)


def _read_json(path: Path, column: str | None) -> ScoreSet:
    value = json.loads(path.read_text(), parse_constant=float)
    if isinstance(value, dict):
        return ScoreSet(path, named={name: OneVideo(_array(own, f"{path}: {name!r}")) for name, own in value.items()})
    if value and all(isinstance(own, list) for own in value):
        return ScoreSet(path, ordered=[OneVideo(_array(own, f"{path}: list {n}")) for n, own in enumerate(value)])
    return ScoreSet(path, flat=OneVideo(_array(value, str(path))))


def _read_csv(path: Path, column: str | None) -> ScoreSet:
    with path.open(encoding="utf-8-sig") as file:
        first = file.readline()
    delimiter = next((sign for sign in ",;\t" if sign in first), ",")
    fields = [field.strip().strip('"') for field in first.split(delimiter)]
    headed = not all(_is_number(field) for field in fields if field)
    names = None if headed or len(fields) > 1 else ["score"]
    if not headed and len(fields) > 1:
        raise InputError(
            f"{path} has {len(fields)} columns without names; expected a first line such as video,frame,score"
        )
    table = pc.read_csv(
        path,
        read_options=pc.ReadOptions(column_names=names),
        parse_options=pc.ParseOptions(delimiter=delimiter),
        convert_options=pc.ConvertOptions(
            column_types={field: pa.string() for field in fields if headed and field.lower() in VIDEO_COLUMNS}
        ),
    )
    return _of_table(path, table, column)


def _read_parquet(path: Path, column: str | None) -> ScoreSet:
    return _of_table(path, pq.read_table(path), column)


READERS: dict[str, Callable[[Path, str | None], ScoreSet]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".txt": _read_csv,
    ".json": _read_json,
    ".parquet": _read_parquet,
}


def _read_folder(path: Path, column: str | None) -> ScoreSet:
    files = [file for file in path.iterdir() if file.suffix.lower() in READERS and not is_junk(file)]
    if not files:
        raise InputError(f"{path} holds no files of scores ({', '.join(READERS)})")
    named: dict[str, OneVideo] = {}
    for file in sorted(files, key=lambda file: natural_key(file.name)):
        one = read_scores(file, column).flat
        if one is None:
            raise InputError(f"{file} holds scores of several videos; in a folder, expected one file for each video")
        if file.stem in named:
            raise InputError(f"{path} holds several files named {file.stem}, expected one for each video")
        named[file.stem] = one
    return ScoreSet(path, named=named)


def find_column(names: list[str], known: tuple[str, ...]) -> str | None:
    """The column whose name is the first of the known ones, however it is capitalised."""
    by_name = {name.lower(): name for name in names}
    return next((by_name[name] for name in known if name in by_name), None)


def table_of(path: Path) -> pa.Table:
    """A CSV or Parquet file as a table."""
    return pq.read_table(path) if path.suffix.lower() == ".parquet" else pc.read_csv(path)


def _of_table(path: Path, table: pa.Table, column: str | None) -> ScoreSet:
    names = table.column_names
    if set(REGION_COLUMNS) <= {name.lower() for name in names}:
        raise InputError(
            f"{path} holds regions (x1, y1, x2, y2), not frame scores; give frame scores here and these as --regions"
        )
    video, frame = find_column(names, VIDEO_COLUMNS), find_column(names, FRAME_COLUMNS)
    score = _score_column(path, table, column, [video, frame])
    scores = _array(table[score].to_numpy(), f"{path}, column {score!r}")
    frames = None if frame is None else table[frame].to_numpy().astype(np.int64)
    if video is None:
        return ScoreSet(path, flat=_in_order(path, "", scores, frames))
    coded = table[video].combine_chunks().dictionary_encode()
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    keys = [str(name) for name in coded.dictionary.to_pylist()]
    named = {
        keys[code]: _in_order(path, keys[code], scores[rows], None if frames is None else frames[rows])
        for code, rows in rows_by(coded.indices.to_numpy()).items()
    }
    return ScoreSet(path, named=named)


def _score_column(path: Path, table: pa.Table, column: str | None, taken: list[str | None]) -> str:
    names = table.column_names
    if column is not None and column not in names:
        raise InputError(f"{path} has no column {column!r}; it has {', '.join(names)}")
    known = column or find_column(names, SCORE_COLUMNS)
    if known:
        return known
    numeric = [
        name
        for name, kind in zip(names, table.schema.types)
        if name not in taken and (pa.types.is_floating(kind) or pa.types.is_integer(kind))
    ]
    if len(numeric) != 1:
        raise InputError(f"{path} has the columns {', '.join(names)}; which of them are the scores? pass --column NAME")
    return numeric[0]


def _in_order(path: Path, video: str, scores: np.ndarray, frames: np.ndarray | None) -> OneVideo:
    """Scores by ascending frame. Raises InputError for a frame that is there twice."""
    if frames is None:
        return OneVideo(scores)
    order = np.argsort(frames, kind="stable")
    frames = frames[order]
    twice = np.flatnonzero(np.diff(frames) == 0)
    if len(twice):
        raise InputError(f"{path}: frame {frames[twice[0]]} of video {video!r} has several scores, expected one")
    return OneVideo(scores[order], frames)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
