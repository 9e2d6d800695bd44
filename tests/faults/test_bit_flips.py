"""A bit flips in a file, or it is cut: it is refused by name or made anew. Other values are never taken."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from read_files import (
    EXPORTS,
    KINDS,
    answers_jsonl,
    cached_tar,
    checkpoint_file,
    data_json,
    event_lines,
    frame_scores,
    measured_json,
    micro_batch_json,
    progress_record,
    score_file,
    tar_file,
    times_jsonl,
)

from dist_vad.base.errors import InputError
from dist_vad.base.sealed import read_sealed
from dist_vad.judge.score_sets import read_scores

pytestmark = pytest.mark.kind(6)

FLIPS, CUTS = 60, 8
"""Of each kind of file."""
REFUSED, REBUILT, SAME = "refused", "rebuilt", "same"


def damages(content: bytes, seed: int) -> list[bytes]:
    draw = np.random.default_rng(seed)
    damaged = []
    for bit in draw.choice(8 * len(content), min(FLIPS, 8 * len(content)), replace=False).tolist():
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        damaged.append(bytes(changed))
    return damaged + [content[:length] for length in draw.integers(0, len(content), CUTS).tolist()]


@pytest.mark.parametrize(
    "make", [pytest.param(one, marks=pytest.mark.slow) if one in EXPORTS else one for one in KINDS],
    ids=lambda make: make.__name__,
)  # fmt: skip
def test_a_file_that_is_not_as_it_was_written_is_refused_by_name_or_made_anew(
    make, tiny_sets, tiny_dataset, tmp_path, record_property
):
    kind = make(tiny_sets, tiny_dataset, tmp_path)
    content, expected = kind.path.read_bytes(), kind.read()
    outcomes: Counter[str] = Counter()
    for damaged in damages(content, seed=len(content)):
        kind.path.write_bytes(damaged)
        try:
            found = kind.read()
        except InputError as error:
            assert kind.path.name in str(error) or kind.path.parent.name in str(error), error
            outcomes[REFUSED] += 1
        else:
            # What does not matter, such as a blank between two values, may differ.
            assert found in (expected, kind.instead), f"other values than were written: {found}"
            remade = found != expected or kind.path.read_bytes() == content
            outcomes[REBUILT if remade else SAME] += 1
        if not kind.path.exists() or kind.path.read_bytes() == damaged:
            kind.path.write_bytes(content)
    record_property("damages", dict(outcomes))
    print(f"{make.__name__}: {sum(outcomes.values())} tried, {dict(outcomes)}")
    # The tar and the score file hold bytes that nobody reads: owners, padding, statistics.
    assert outcomes[SAME] <= (FLIPS // 2 if make in (tar_file, cached_tar, score_file, frame_scores) else 5)


NOT_NEEDED = [
    data_json, micro_batch_json, measured_json, progress_record, checkpoint_file, times_jsonl, event_lines, answers_jsonl,
]  # fmt: skip
"""Records that a run makes anew, or does without."""
BROKEN = {
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "null": lambda content: b"null\n",
    "a list": lambda content: b"[1, 2]\n",
    "a number": lambda content: b"7\n",
    "of something else": lambda content: b'{"there": 1}\n',
    "no text": lambda content: b"\xff\xfe\x00",
    "twice": lambda content: content[:-1] + content,
}


@pytest.mark.kind(7)
@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("make", NOT_NEEDED, ids=lambda make: make.__name__)
def test_a_small_file_that_a_run_can_do_without_does_not_stop_it(make, case, tiny_sets, tiny_dataset, tmp_path):
    kind = make(tiny_sets, tiny_dataset, tmp_path)
    content = kind.path.read_bytes()
    assert kind.read() != kind.instead
    kind.path.write_bytes(BROKEN[case](content))
    assert kind.read() == kind.instead


def strangers(folder: Path) -> list[Path]:
    """Scores as others write them."""
    scores = {"a": np.linspace(0, 1, 40), "b": np.linspace(1, 0, 30)}
    table = {"video": ["a"] * 40 + ["b"] * 30, "frame": [*range(40), *range(30)], "score": [*scores["a"], *scores["b"]]}
    np.save(folder / "s.npy", scores["a"])
    np.savez_compressed(folder / "s.npz", allow_pickle=False, **scores)
    (folder / "s.json").write_text(json.dumps({name: own.tolist() for name, own in scores.items()}))
    rows = zip(*table.values(), strict=True)
    (folder / "s.csv").write_text("\n".join(["video,frame,score", *(",".join(map(str, row)) for row in rows)]))
    pq.write_table(pa.table(table), folder / "s.parquet")
    return sorted(folder.glob("s.*"))


def test_no_damage_of_a_stranger_s_scores_ends_in_a_traceback(tmp_path):
    """They have no digest: what still reads is taken as it is."""
    for path in strangers(tmp_path):
        content, outcomes = path.read_bytes(), Counter[str]()
        for damaged in damages(content, seed=7):
            path.write_bytes(damaged)
            try:
                read_scores(path)
                outcomes["read"] += 1
            except InputError as error:
                assert path.name in str(error), error
                outcomes[REFUSED] += 1
        print(path.name, dict(outcomes))
        assert outcomes[REFUSED]


def test_a_key_that_was_never_written_is_refused(tmp_path):
    path = tmp_path / "state.json"
    path.write_text(json.dumps({"step": 1, "facts_sha25v": "0" * 64}))
    with pytest.raises(InputError, match="unknown key 'facts_sha25v'"):
        read_sealed(path, ("step",))
