"""Object scores on disk or in a bucket: one Parquet file for each shard, named by all that decides it."""

import hashlib
import io
import json
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dist_vad.base.errors import Damaged
from dist_vad.base.files import digest
from dist_vad.data.manifest import ShardInfo
from dist_vad.data.store import Store

FILES_VERSION = 2
"""Goes up when files of the same scores are written otherwise: those of other versions are not looked at."""
DIGESTS = b"digests"
"""Key of the metadata in which a file names the digest of each of its columns."""
AHEAD = 16
"""Files that are read ahead; a bucket answers each after a while."""
BOX = ("x1", "y1", "x2", "y2")


class NotWhole(Damaged):
    """The score file of a shard is not there, or not as it was written."""

    def __init__(self, shard: ShardInfo, message: str) -> None:
        super().__init__(message)
        self.shard = shard


class ScoreFiles:
    """The score files of one scored model. A file that is there is never made again, whoever made it.

    Args:
        root: where the files of all scored models lie.
        name: of the model, for messages.
        key: what decides its scores, beside the shard: JSON-able.
    """

    def __init__(self, root: Store, name: str, key: list) -> None:
        self.store, self.name = root.child(digest([FILES_VERSION, *key])[:24]), name

    def missing(self, shards: Sequence[ShardInfo]) -> list[int]:
        """Numbers of the shards that have no file yet."""
        there = self.store.sizes()
        return [number for number, shard in enumerate(shards) if score_file_name(shard) not in there]

    def write(self, shard: ShardInfo, index: np.ndarray, scores: dict[str, np.ndarray]) -> None:
        """Write one shard's scores, whole or not at all: frame, object, box and a column for each score.

        index: the shard's index, INDEX_DTYPE [samples]; scores: float64 [samples] each.
        """
        columns = {name: pa.array(index[name]) for name in ("frame", "object")}
        columns |= {name: pa.array(index["box"][:, i]) for i, name in enumerate(BOX)}
        columns |= {name: pa.array(values) for name, values in scores.items()}
        table = pa.table(columns)
        digests = {name: column_digest(shard, name, table[name].to_numpy()) for name in table.column_names}
        table = table.replace_schema_metadata({DIGESTS: json.dumps(digests).encode()})
        file = io.BytesIO()
        # Scores are all different: a dictionary of them costs three times the time of writing them out.
        pq.write_table(table, file, use_dictionary=False)
        self.store.put(score_file_name(shard), file.getvalue())

    def read(self, shards: Sequence[ShardInfo], columns: Sequence[str]) -> Iterator[pa.Table]:
        """The scores of some shards in their order, read ahead by threads; memory is that of AHEAD files.

        Raises NotWhole where a file is not there, does not read, or has other objects than its shard.
        """
        remaining = iter(shards)
        with ThreadPoolExecutor(AHEAD // 2) as pool:
            waiting = deque(pool.submit(self._read, shard, columns) for shard in islice(remaining, AHEAD))
            try:
                while waiting:
                    yield waiting.popleft().result()
                    waiting.extend(pool.submit(self._read, shard, columns) for shard in islice(remaining, 1))
            finally:
                for future in waiting:
                    future.cancel()

    def _read(self, shard: ShardInfo, columns: Sequence[str]) -> pa.Table:
        try:
            content = self.store.read(score_file_name(shard))
            table = pq.ParquetFile(pa.BufferReader(content)).read(columns=list(columns), use_threads=False)
            digests = json.loads((table.schema.metadata or {}).get(DIGESTS, b"{}"))
        except FileNotFoundError:
            raise self._not_whole(shard, "nothing") from None
        except (pa.ArrowException, OSError, ValueError) as error:
            raise self._not_whole(shard, f"a file that does not read ({error})") from error
        lacking = [name for name in columns if name not in table.column_names]
        if lacking:
            raise self._not_whole(shard, f"no column {lacking[0]!r}")
        changed = [n for n in columns if digests.get(n) != column_digest(shard, n, table[n].to_numpy())]
        if changed:
            raise self._not_whole(shard, f"other values in column {changed[0]!r} than were written")
        if len(table) != shard.samples:
            raise self._not_whole(shard, f"{len(table)} objects")
        # The producer numbers objects in order; so a sample that is there twice breaks the order.
        if {"frame", "object"} <= set(columns) and not (np.diff(object_keys(table)) > 0).all():
            raise self._not_whole(shard, "objects that are there twice, or out of order")
        return table

    def _not_whole(self, shard: ShardInfo, content: str) -> "NotWhole":
        where = self.store.where(score_file_name(shard))
        return NotWhole(
            shard,
            f"scores of shard {shard.name} by {self.name}: found {content} at {where}, "
            f"expected each of its {shard.samples} objects once; delete that file and start the evaluation again, what "
            "is whole is kept",
        )


def score_file_name(shard: ShardInfo) -> str:
    """The file of a shard's scores: named by the shard's content, not by its name."""
    return f"{shard.sha256[:24]}.parquet"


def column_digest(shard: ShardInfo, name: str, values: np.ndarray) -> str:
    """Digest of a column of a shard's scores, with its name and type: what stands elsewhere has another."""
    head = f"{shard.sha256} {name} {values.dtype.str} {len(values)} ".encode()
    return hashlib.blake2b(head + np.ascontiguousarray(values).tobytes(), digest_size=16).hexdigest()


def object_keys(table: pa.Table) -> np.ndarray:
    """A number for each object of a video that rises with its frame, and within it with its number: int64 [N]."""
    return (table["frame"].to_numpy().astype(np.int64) << 16) + table["object"].to_numpy()
