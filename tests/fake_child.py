"""A renderer process without OpenGL, for tests: an entry's file name says what its mesh does."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ddepth_gl.dataset.child_main import serve
from ddepth_gl.dataset.entries import MeshEntry, Sample, sample_key
from ddepth_gl.errors import ContextError, MeshError

VERSIONS = {"engine": "compute", "driver": "none 1.0"}
VIEWS = 3


def content_of(id: str, view: int) -> bytes:
    """Return what the sample of a view holds."""
    return hashlib.sha256(f"{id} {view}".encode()).digest() * 3000


class FakeRenderer:
    """Samples that depend on the id; see `_act` for what meshes may do instead."""

    def start(self, settings: dict[str, Any]) -> dict[str, Any]:
        action = os.environ.get("FAKE_START", "")
        if action == "no context":
            raise ContextError("no device works")
        if action == "crash":
            os._exit(7)
        return {"versions": VERSIONS, "is_software": True, "gpus": []}

    def samples(self, entry: MeshEntry) -> Iterator[Sample]:
        action, _, rest = Path(entry.address).name.partition("_")
        for view in range(VIEWS):
            content = content_of(entry.id, view)
            row = {"id": entry.id, "view": view, "coverage": view / 3, **entry.columns}
            if view == 1:
                _act(action, rest, entry)
            yield Sample(
                sample_key(entry.id, view, VIEWS), {"data.bin": content, "json": b"{}"}, row
            )


def _act(action: str, rest: str, entry: MeshEntry) -> None:
    if action == "error":
        raise MeshError(f"{rest} is no mesh")
    if action == "bug":
        raise KeyError("x")
    if action == "missing":
        raise FileNotFoundError(2, "No such file", rest)
    if action == "full":
        raise MemoryError
    if action == "context":
        raise ContextError("the device is lost")
    if action == "large":
        kept = [bytearray(os.urandom(2**20)) * 16 for _ in range(64)]
        time.sleep(60 + len(kept))
    if action == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if action == "exit":
        os._exit(3)
    if action == "sleep":
        time.sleep(60)
    if action == "hold":  # compiled code that keeps the interpreter to itself, for hours
        re.match("(a|aa)+$", "a" * 90 + "b")
    if action == "slow":
        time.sleep(0.2)
    if action == "print":
        print("a driver prints this", flush=True)
    if action == "temporary":  # leaves a file where temporary files are, and names it
        path = Path(os.environ["TMPDIR"], "left")
        path.mkdir()
        raise MeshError(f"{path}/a.obj is no mesh")
    if action == "once":  # crashes the first time only
        path = Path(f"{entry.address}.tried")
        if not path.exists():
            path.touch()
            os._exit(3)
    if action == "garbage":
        os.write(int(sys.argv[2]), b"not a message" * 100)
        time.sleep(60)


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), FakeRenderer())
