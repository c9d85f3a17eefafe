"""Compiled readers of untrusted data, in a child process with limits: a crash is a MeshError.

A request is a JSON object and blobs of bytes; a result is a JSON object and arrays. Both travel in
anonymous files in memory, whose descriptors the child inherits. Nothing is pickled.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..._checks import one_line
from ...errors import MeshError
from . import child_main

__all__ = ["run_in_child"]

_GIBIBYTE = 1024**3
_MEMORY = 2 * _GIBIBYTE


class _ChildFunction(NamedTuple):
    """A function that a child process may run.

    Attributes:
        module: dotted name of its module, which imports little besides its package.
        function: ``function(request: dict, blobs: list[memoryview]) -> (dict, list[ndarray])``.
        subject: what it reads, in messages.
    """

    module: str
    function: str
    subject: str


# Errors of a reader that meets something unexpected. They are about its code, not about the file.
_STUMBLES = ("AttributeError", "IndexError", "KeyError", "TypeError")
_MODULES = "ddepth_gl.io.meshes"
_FUNCTIONS: dict[str, _ChildFunction] = {
    "draco": _ChildFunction(f"{_MODULES}.gltf.draco_child", "decode_streams", "its Draco data"),
    "polygons": _ChildFunction(f"{_MODULES}.polygon_child", "cut_outlines", "its polygons"),
    "ktx2": _ChildFunction(f"{_MODULES}.ktx2_child", "decode_levels", "its KTX2 texture"),
    "3mf": _ChildFunction(f"{_MODULES}.threemf.child", "read_3mf", "its 3MF"),
    "dae": _ChildFunction(f"{_MODULES}.dae.child", "read_dae", "its COLLADA"),
    "usd": _ChildFunction(f"{_MODULES}.usd.child", "read_usd", "its USD"),
}


def run_in_child(
    name: str,
    request: dict[str, Any],
    blobs: Sequence[bytes] = (),
    *,
    seconds: float = 20.0,
    memory: int | None = None,
) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """Run a function of `_FUNCTIONS` on untrusted data, in a process of its own with limits.

    The child is a fresh interpreter (about 0.1 s with NumPy), so it is safe beside threads, OpenGL
    contexts and pytest. It writes nothing to the terminal, and does not outlive the call.

    Args:
        name: key in `_FUNCTIONS`.
        request: JSON object for the function.
        blobs: data for the function, which gets read-only memoryviews.
        seconds: limit on its CPU time, and on the time until it has answered.
        memory: limit on its address space, and on the size of its result, in bytes. The default is
            2 GiB and three times the size of the blobs.

    Returns:
        The function's JSON object and arrays. The arrays may be written to. Neither is checked
        beyond its type: a damaged file may put any values there.

    Raises:
        MeshError: the function raised an error, crashed, exceeded a limit, or answered with what is
            not a result; or the child cannot be started.
    """
    function = _FUNCTIONS[name]
    size = sum(len(blob) for blob in blobs)
    limits = {"seconds": seconds, "memory": _MEMORY + 3 * size if memory is None else memory}
    head = {
        **limits,
        "module": function.module,
        "function": function.function,
        "request": request,
        "blobs": [len(blob) for blob in blobs],
        "parent": os.getpid(),
        # The child's own path would lack what editable installs and PYTHONPATH add.
        "path": [os.path.abspath(p) for p in sys.path if isinstance(p, str) and p],  # noqa: PTH100
    }
    with ExitStack() as stack:
        request_file = _memory_file("request", stack)
        child_main.write_message(request_file, head, blobs)
        result_file = _memory_file("result", stack)
        status = _exit_status(request_file, result_file, seconds, function.subject)
        if status < 0 or status in (child_main.OUT_OF_MEMORY, child_main.TOO_LARGE):
            raise MeshError(_reason(status, limits, function.subject))
        _seal(result_file, function.subject)
        return _result(result_file, status, function.subject)


def _memory_file(name: str, stack: ExitStack) -> int:
    try:
        descriptor = os.memfd_create(f"ddepth-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except (AttributeError, OSError) as error:
        raise MeshError(
            f"reading it safely needs memory files, which this system lacks ({error}); "
            "convert it to GLB"
        ) from error
    stack.callback(os.close, descriptor)
    return descriptor


def _exit_status(request_file: int, result_file: int, seconds: float, subject: str) -> int:
    """Return the child's exit status, or minus the number of the signal that ended it."""
    if not sys.executable:
        raise MeshError(f"reading {subject} needs sys.executable, a Python; set it, or use GLB")
    command = [sys.executable, "-I", "-S", "-B", str(Path(child_main.__file__).resolve())]
    environment = {
        "LC_ALL": "C.UTF-8",
        # Threads reserve address space, which is limited.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "1",
        "PXR_WORK_THREAD_LIMIT": "1",
    }
    if "LD_LIBRARY_PATH" in os.environ:  # some interpreters do not start without
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    try:
        process = subprocess.Popen(
            [*command, str(request_file), str(result_file)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(request_file, result_file),
            env=environment,
            cwd="/",
            start_new_session=True,  # Ctrl-C in the terminal reaches the parent only
        )
    except OSError as error:
        raise MeshError(
            f"reading {subject} starts {one_line(sys.executable)}, which failed "
            f"({one_line(error)}); use GLB"
        ) from error
    try:
        _wait(process, seconds)
    except subprocess.TimeoutExpired:
        return -signal.SIGXCPU  # as for the limit on CPU time
    finally:  # also if Ctrl-C or an exception of a signal handler ends the wait
        process.kill()
        process.wait()
    return process.returncode


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait for the end of a process; `Popen.wait` with a time limit polls every 50 ms."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # before Linux 5.3, in some sandboxes
        process.wait(seconds)
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(seconds * 1000):
            raise subprocess.TimeoutExpired(process.args, seconds)
    finally:
        os.close(descriptor)
    process.wait()


def _reason(status: int, limits: dict[str, Any], subject: str) -> str:
    advice = "it is damaged or too large, export it again"
    if status == child_main.OUT_OF_MEMORY:
        size = limits["memory"] / _GIBIBYTE
        return f"reading {subject} needs more than {size:.1f} GiB of memory; {advice}"
    if status == child_main.TOO_LARGE:
        size = limits["memory"] / _GIBIBYTE
        return f"{subject} holds more than {size:.1f} GiB; {advice}"
    if -status in (signal.SIGXCPU, signal.SIGALRM):
        return f"reading {subject} takes longer than {limits['seconds']:g} s; {advice}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"the reader of {subject} crashed ({name}); {advice}"


def _seal(descriptor: int, subject: str) -> None:
    """Make sure that the file keeps its size and content: a process of the child might live on."""
    import fcntl  # Windows has none, and reads other formats without

    try:
        seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    except OSError as error:
        raise _no_result(subject, error) from error


def _result(
    descriptor: int, status: int, subject: str
) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """Return the checked answer, or raise the error that it tells of."""
    try:
        size = os.fstat(descriptor).st_size
        if status != 0:
            raise MeshError(
                f"the reader of {subject} stopped with exit status {status}; export it again"
            )
        content = mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY)
        head, start = child_main.read_head(memoryview(content), json.loads)
        if "error" in head:
            text = one_line(str(head["error"]), 240)
            if head.get("is_message") is True:
                raise MeshError(text)
            if text.startswith(_STUMBLES):
                raise MeshError(f"{subject} has values that make no sense; export it again")
            raise MeshError(f"{subject} cannot be read ({text}); check or export it again")
        if not isinstance(head["result"], dict):
            raise ValueError("no object")
        arrays = []
        for name, shape in head["arrays"]:
            if name not in child_main.TYPES:
                raise ValueError(f"type {name!r}")
            if len(shape) > 8 or not all(type(n) is int and 0 <= n < 2**48 for n in shape):
                raise ValueError(f"shape {shape!r}")
            data_type = np.dtype(name)
            count = math.prod(shape)
            if count and start + count * data_type.itemsize > size:
                raise ValueError(f"{size} bytes")
            flat = np.frombuffer(content, data_type, count, start if count else 0)
            arrays.append(flat.reshape(shape))
            start = child_main.aligned(start + count * data_type.itemsize)
        return head["result"], arrays
    except MeshError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as e:
        raise _no_result(subject, e) from e


def _no_result(subject: str, error: Exception) -> MeshError:
    return MeshError(
        f"the reader of {subject} answered with what is not a result ({one_line(error, 80)}); "
        "export it again"
    )
