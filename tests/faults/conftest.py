"""The kinds of fault, which a run of these tests counts; fixtures of their tests: small, and made once."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from miniature import QUIET, make_folder

from dist_vad.producer.job import write_shards
from dist_vad.settings.data import DataSettings

KINDS = {
    1: "names as storage keys",
    2: "damaged, cut and odd videos",
    3: "when frames are shown",
    4: "outputs over inputs",
    5: "what is there is not what was asked for",
    6: "what is read is not what was written",
    7: "a small file that a run can do without",
    8: "the world is down",
    9: "S3 stores that are not AWS",
    10: "what the process may use",
    11: "secrets, modes, who may listen",
    12: "runs that diverge, meet, are orphaned; links",
    13: "messages",
}
"""Each test says with `pytest.mark.kind` of which kind its cases are, or its module does."""


def cases_by_kind(items: Iterable[pytest.Item]) -> Counter[int]:
    """How many of some tests are of each kind."""
    marks = [item.get_closest_marker("kind") for item in items]
    return Counter(mark.args[0] for mark in marks if mark)


def pytest_report_collectionfinish(items: list[pytest.Item]) -> list[str]:
    """The matrix, as it will be run."""
    counts = cases_by_kind(items)
    return [f"kind {kind:2}, {name}: {counts[kind]} cases" for kind, name in KINDS.items() if counts[kind]]


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory) -> DataSettings:
    """Two training clips and a test clip, of 14 frames each."""
    return make_folder(tmp_path_factory.mktemp("tiny-data"), train=2, count=14)


@pytest.fixture(scope="session")
def tiny_sets(tiny_dataset, tmp_path_factory) -> Path:
    """Their shard sets."""
    out = tmp_path_factory.mktemp("tiny-sets")
    write_shards(tiny_dataset, out, QUIET)
    return out
