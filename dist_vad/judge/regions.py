"""RBDC and TBDC of anybody's regions: rows of video, frame, box and score."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from dist_vad.base.errors import InputError
from dist_vad.base.groups import rows_by
from dist_vad.base.labels import interval_labels
from dist_vad.judge.annotations import TruthVideo
from dist_vad.judge.naming import match_names
from dist_vad.judge.score_sets import FRAME_COLUMNS, REGION_COLUMNS, SCORE_COLUMNS, VIDEO_COLUMNS, find_column, table_of
from dist_vad.metrics import RegionRates, RegionScores, annotated_regions


def region_rates(path: Path, videos: Sequence[TruthVideo]) -> tuple[RegionRates, int]:
    """The criteria over the videos whose regions are annotated, and how many these are.

    Frames are counted from 0; a frame may have any number of regions, or none. Raises InputError where no region is
    annotated, and for a table of another form.
    """
    annotated = {}
    for video in videos:
        intervals = [span for own in video.labels.values() for span in own]
        frames = video.frames or 0
        regions = annotated_regions(video.events, interval_labels(intervals, frames))
        annotated |= {} if regions is None else {video.name: (regions, frames)}
    if not any(len(regions.frames) for regions, _ in annotated.values()):
        raise InputError(
            f"--regions {path}: no video of this data set has annotated regions where it was read; RBDC and TBDC need "
            "boxes or masks of its anomalies"
        )
    table = _table(path)
    names = table["video"].to_pylist()
    rows = rows_by(np.array(names))
    matched = match_names([str(name) for name in rows], videos, True, path)
    known = {name: video for video, name in matched.items()}
    collected = RegionScores(sum(frames for _, frames in annotated.values()), 1)
    for name, own in annotated.items():
        regions, length = own
        located = collected.video(regions, length=length, stride=1, margin=0)
        chosen = next((rows[key] for key in rows if known.get(str(key)) == name), np.zeros(0, np.int64))
        frames = table["frame"].to_numpy()[chosen].astype(np.int64)
        if len(frames) and (frames.min() < 0 or frames.max() >= length):
            raise InputError(
                f"{path}: video {name!r} has a region at frame {frames.max()}, expected 0 to {length - 1}; frames are "
                "counted from 0"
            )
        boxes = np.stack([table[side].to_numpy()[chosen] for side in REGION_COLUMNS], axis=1).astype(np.float64)
        scores = table["score"].to_numpy()[chosen].astype(np.float64)
        if not (np.isfinite(scores).all() and np.isfinite(boxes).all()):
            raise InputError(f"{path}: video {name!r} has a region that is not finite, expected numbers")
        located.add(frames, boxes, scores[:, None])
    return collected.rates()[0], len(annotated)


def _table(path: Path) -> pa.Table:
    """The table under the names video, frame, x1, y1, x2, y2, score."""
    try:
        table = table_of(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} does not read: {' '.join(str(error).split())[:200]}") from error
    wanted = {"video": VIDEO_COLUMNS, "frame": FRAME_COLUMNS, "score": SCORE_COLUMNS}
    wanted |= {side: (side,) for side in REGION_COLUMNS}
    found = {name: find_column(table.column_names, known) for name, known in wanted.items()}
    lacking = [name for name, column in found.items() if column is None]
    if lacking:
        raise InputError(
            f"{path} has the columns {', '.join(table.column_names)}; expected video, frame, x1, y1, x2, y2 and score"
        )
    return pa.table({name: table[column].combine_chunks() for name, column in found.items() if column})
