"""Programs run in processes of their own. One that hangs is killed with all its children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Ended:
    """Exit status and output of a program that has ended."""

    status: int
    out: str
    err: str


def run_script(
    script: str, folder: Path, *arguments: str, limit: float = 60.0, **environment: str
) -> Ended:
    """Run Python code from a file in `folder`, because worker processes import their parent's file.

    Fail the test if the program takes longer than `limit` seconds. Its output goes to files: a pipe
    would stay open as long as a child hangs.

    Args:
        script: the code.
        folder: folder for the file, and working directory of the program.
        arguments: command-line arguments.
        limit: time limit in seconds.
        environment: environment variables to add.
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
        status: int | None = None
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            pass
        finally:
            kill_session(process)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    if status is None:
        pytest.fail(
            f"the program hung and was killed after {limit:g} s; output:\n{texts[0]}{texts[1]}"
        )
    return Ended(status, *texts)


def lines_of(done: Ended) -> list[str]:
    """Return the lines that a program printed; it must have succeeded without errors."""
    assert (done.status, done.err) == (0, "")
    return done.out.splitlines()


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kill a process that was started with ``start_new_session=True``, and all its children."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait()


def wait_until(
    look: Callable[[], Any], what: str, *, limit: float = 60.0, pause: float = 0.05
) -> Any:
    """Return the first result of `look` that is true; fail the test after `limit` seconds.

    Args:
        look: called every `pause` seconds.
        what: what is waited for, for the failure.
        limit, pause: seconds.
    """
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(pause)
    pytest.fail(f"no {what} after {limit:g} s")
