"""Fixtures of the tests that need an S3 server; conftest.py makes them known."""

import os
from pathlib import Path

import pytest
from fault_proxy import FaultProxy
from miniature import QUIET, contents, make_folder
from seaweed import BUCKET, KEY, SECRET, CannotStartError, Seaweed

from dist_vad.producer.job import write_shards
from dist_vad.settings.data import DataSettings


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    try:
        server = Seaweed(tmp_path_factory.mktemp("seaweed"))
    except CannotStartError as error:
        pytest.skip(f"NOTHING OF S3 IS TESTED: {error}")
    yield server
    server.kill()


@pytest.fixture
def proxy(server):
    proxy = FaultProxy(server.port)
    yield proxy
    proxy.stop()


@pytest.fixture
def environment(server, monkeypatch, tmp_path) -> None:
    """Nothing of whoever runs the tests: no endpoint, key or profile."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture
def prefix(tmp_path) -> str:
    """A prefix of this test's own."""
    return f"deep/{tmp_path.name}"


@pytest.fixture
def url(environment, prefix) -> str:
    return f"s3://{BUCKET}/{prefix}"


@pytest.fixture(scope="session")
def small_dataset(tmp_path_factory) -> DataSettings:
    return make_folder(tmp_path_factory.mktemp("data"), train=3, count=20)


@pytest.fixture(scope="session")
def small_sets(small_dataset, tmp_path_factory) -> Path:
    """The same sets in a local folder."""
    out = tmp_path_factory.mktemp("small-sets")
    write_shards(small_dataset, out, QUIET)
    return out


@pytest.fixture
def written(server, small_sets, prefix, url) -> str:
    """The sets in the bucket, put there by other means."""
    for name, content in contents(small_sets).items():
        server.client().put_object(Bucket=BUCKET, Key=f"{prefix}/{name}", Body=content)
    return url
