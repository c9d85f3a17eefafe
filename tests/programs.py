"""Programs in processes of their own; what hangs is killed, and so is all that it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Ended:
    """How a program has ended."""

    status: int
    out: str
    err: str


def run_script(
    script: str, folder: Path, *arguments: str, limit: float = 60.0, **environment: str
) -> Ended:
    """Runs Python code as a file of its own, as worker processes need it that import their parent's code.

    Fails the test where it takes longer than `limit` seconds. Its output goes to files: a pipe would stay
    open as long as one of its children hangs.
    """
    path = folder / "program.py"
    path.write_text(script, encoding="utf-8")
    search = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            [sys.executable, "-W", "error::ResourceWarning", str(path), *arguments],
            stdout=out,
            stderr=err,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": search, **environment},
            start_new_session=True,
        )
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            kill_session(process)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    if status is None:
        pytest.fail(
            f"the program hung; it was killed after {limit:.0f} s, having said:\n{texts[0]}{texts[1]}"
        )
    return Ended(status, *texts)


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kills a process started with ``start_new_session=True``, and what it has left behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()
