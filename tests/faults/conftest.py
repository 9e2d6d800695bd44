"""Fixtures of the tests of faults: small, and made once."""

from pathlib import Path

import pytest
from miniature import QUIET, make_folder

from dist_vad.producer.job import write_shards
from dist_vad.settings.data import DataSettings


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
