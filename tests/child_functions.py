"""Functions that the tests of `run_in_child` run in a child process."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ddepth_gl.errors import MeshError

Result = tuple[dict[str, Any], list[Any]]


def echo(request: dict[str, Any], blobs: Sequence[memoryview]) -> Result:
    arrays = [np.frombuffer(blob, np.uint8) for blob in blobs]
    return {"got": request, "pid": os.getpid()}, arrays


def types(request: dict[str, Any], blobs: Sequence[memoryview]) -> Result:
    shapes: list[tuple[int, ...]] = [(), (0, 3), (5,), (2, 3)]
    return {}, [
        np.arange(np.prod(s)).astype(t).reshape(s) for t in request["types"] for s in shapes
    ]


def surroundings(request: dict[str, Any], blobs: Sequence[memoryview]) -> Result:
    descriptors = sorted(int(path.name) for path in Path("/proc/self/fd").iterdir())
    return {"environment": dict(os.environ), "descriptors": descriptors}, []


def crash(request: dict[str, Any], blobs: Sequence[memoryview]) -> Result:
    ctypes.string_at(0)
    raise AssertionError


def end(request: dict[str, Any], blobs: Sequence[memoryview]) -> Result:
    os.kill(os.getpid(), request["signal"])
    time.sleep(60)
    raise AssertionError


def leave(request: dict[str, Any], blobs: Sequence[memoryview]) -> Result:
    os._exit(7)


def hang(request: dict[str, Any], blobs: Sequence[memoryview]) -> Result:
    if "file" in request:
        Path(request["file"]).write_text(str(os.getpid()))
    time.sleep(60)
    raise AssertionError


def compute(request: dict[str, Any], blobs: Sequence[memoryview]) -> Result:
    while True:
        pass


def hog(request: dict[str, Any], blobs: Sequence[memoryview]) -> Result:
    arrays = []
    while True:
        arrays.append(np.ones(2**24))


def oversize(request: dict[str, Any], blobs: Sequence[memoryview]) -> Result:
    return {}, [np.ones(2**20, np.uint8)] * request["mebibytes"]


def refuse(request: dict[str, Any], blobs: Sequence[memoryview]) -> Result:
    raise MeshError("it is no good; make another")


def fail(request: dict[str, Any], blobs: Sequence[memoryview]) -> Result:
    raise ValueError("a\nb" * 1000)


def garbage(request: dict[str, Any], blobs: Sequence[memoryview]) -> Result:
    """Write what the request says where the result belongs, and end."""
    import sys

    os.write(int(sys.argv[2]), request["text"].encode("latin-1"))
    os._exit(0)


def stay(request: dict[str, Any], blobs: Sequence[memoryview]) -> Result:
    """Leave a process behind that can change the result later."""
    import mmap
    import sys

    os.ftruncate(int(sys.argv[2]), 4096)
    signal.alarm(0)
    mapped = mmap.mmap(int(sys.argv[2]), 4096)
    if os.fork() == 0:
        time.sleep(request["seconds"])
        mapped[0] = 1
        os._exit(0)
    os._exit(0)
