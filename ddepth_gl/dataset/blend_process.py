"""Processes with Blender: a module of ddepth_gl.blender, run by a Python that has bpy."""

from __future__ import annotations

import os
import signal
import site
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .._checks import one_line
from ..errors import MeshError

__all__ = ["PYTHON_VARIABLE", "child_pids", "is_blender", "run_blender", "with_advice"]

# Names the Python that has bpy and ddepth_gl, if it is not the one that runs.
PYTHON_VARIABLE = "DDEPTH_BLENDER_PYTHON"
_PACKAGE = "ddepth_gl.blender."


def run_blender(
    module: str, arguments: Sequence[str], answer: Path, subject: str, work: str = "read it"
) -> None:
    """Run a module until it has written its answer; it ends with this process.

    Args:
        module: its name in ddepth_gl.blender.
        arguments: of its command line.
        answer: the file that it writes, in a folder of its own for all temporary files.
        subject: begins the messages: the path of the mesh, or what asks for Blender.
        work: what it does, for messages.

    Raises:
        MeshError: it cannot be started, or ends without an answer.
    """
    python = os.environ.get(PYTHON_VARIABLE) or sys.executable
    read_end, write_end = os.pipe()  # as it closes, the process ends
    try:
        done = subprocess.run(
            [python, "-m", _PACKAGE + module, *arguments],
            stdin=read_end,
            stdout=subprocess.DEVNULL,  # a line for each image
            stderr=subprocess.PIPE,
            env=_environment(python, answer.parent),
            check=False,
        )
    except OSError as error:
        raise MeshError(
            f"{subject}: {python} does not start ({error.strerror}); set {PYTHON_VARIABLE} to a "
            "Python that has bpy"
        ) from None
    finally:
        os.close(read_end)
        os.close(write_end)
    if not answer.is_file():
        said = done.stderr.decode(errors="replace").strip().splitlines()
        ending = f"exit status {done.returncode}"
        if done.returncode < 0:
            ending = signal.Signals(-done.returncode).name
        reason = one_line(said[-1], 120) if said else ending
        raise MeshError(
            f"{subject}: Blender stopped while it {work} ({reason}); save it again, or set "
            f"{PYTHON_VARIABLE} to a Python that has bpy and ddepth_gl"
        )


def child_pids(pid: int) -> list[int]:
    """Return the processes that a process has started and not waited for."""
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # the thread has just ended
            found += map(int, tasks.read_text().split())
    return found


def is_blender(pid: int) -> bool:
    """Return whether a process is one of `run_blender`."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it has just ended
        return False
    return any(word.startswith(_PACKAGE.encode()) for word in words)


def with_advice(message: str, subject: str) -> str:
    """Return the message of an answer, with its subject and where bpy may be."""
    if "need bpy" in message:
        return f"{subject}: {message}; {PYTHON_VARIABLE} may name another Python"
    return message if subject in message else f"{subject}: {message}"


def _environment(python: str, folder: Path) -> dict[str, str]:
    """Return the variables of the process; renderer processes have all folders in PYTHONPATH."""
    environment = {**os.environ, "TMPDIR": str(folder)}
    paths = environment.get("PYTHONPATH", "").split(os.pathsep)
    # Once Blender has started, the folder of its own modules, which hides what starts it.
    paths = [path for path in paths if not Path(path, "bpy_extras").is_dir()]
    if python != sys.executable:  # it has packages of its own
        roots = (sys.prefix, sys.base_prefix, site.getuserbase())
        paths = [path for path in paths if not any(map(Path(path).is_relative_to, roots))]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    return environment
