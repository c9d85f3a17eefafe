"""Fixtures: an S3 server in this process, and a new bucket on it for each test."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An S3 server in this process, and the settings that fsspec takes for it."""
    server = pytest.importorskip("moto.server")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A function that returns the address of a new bucket."""
    fsspec, s3fs = pytest.importorskip("fsspec"), pytest.importorskip("s3fs")

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setitem(fsspec.config.conf, "s3", {"client_kwargs": {"endpoint_url": s3_server}})
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"bucket-{time.time_ns()}"
    s3fs.S3FileSystem().mkdir(bucket)
    yield f"s3://{bucket}/a/set"
    s3fs.S3FileSystem.clear_instance_cache()
