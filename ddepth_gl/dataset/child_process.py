"""A process with a pipe to it and one from it: started, read with a time limit, and ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress

from .._packages import import_needed
from ..errors import DatasetError
from .blend_process import child_pids, is_blender

__all__ = ["ChildProcess"]

_CHUNK = 2**20
_F_SETPIPE_SZ = 1031
_ENDED_SECONDS = 10.0


class ChildProcess:
    """A process that runs a module of Python, with pipes of its own.

    What it prints goes to stderr. Ctrl-C in the terminal does not reach it. It has a temporary
    folder, which is removed with it.

    Args:
        module: dotted name; its arguments are two descriptors, to read requests from and to write
            answers to, and the temporary folder.
        environment: variables to add to those of this process.

    Raises:
        DatasetError: it cannot be started.
    """

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        self._psutil = import_needed("psutil", "a data set", DatasetError, "dataset")
        # Of meshes from archives and other storage; a process that is killed leaves them behind.
        self._folder = tempfile.TemporaryDirectory(prefix="ddepth-", ignore_cleanup_errors=True)
        request_end, self._requests = os.pipe()
        self._answers, answer_end = os.pipe()
        with suppress(OSError, ImportError):  # only faster
            import fcntl

            fcntl.fcntl(self._answers, _F_SETPIPE_SZ, _CHUNK)
        path = os.pathsep.join(os.path.abspath(p) for p in sys.path if p)  # noqa: PTH100
        try:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", module),
                    *(str(request_end), str(answer_end), self._folder.name),
                ],
                stdin=subprocess.DEVNULL,
                stdout=2,  # drivers and libraries may print
                pass_fds=(request_end, answer_end),
                env={
                    **os.environ,
                    "TMPDIR": self._folder.name,
                    # What editable installs and programs add, but not the working folder.
                    "PYTHONPATH": path,
                    "PYTHONSAFEPATH": "1",
                    **environment,
                },
                start_new_session=True,
            )
        except OSError as error:
            self._close_all()
            raise DatasetError(
                f"a renderer process does not start ({sys.executable}: {error.strerror})"
            ) from error
        finally:
            os.close(request_end)
            os.close(answer_end)

    @property
    def folder(self) -> str:
        """Path of its temporary folder."""
        return self._folder.name

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def close(self) -> None:
        """End the process."""
        # It would end by itself as its pipe closes, but perhaps only after a call into a driver.
        self._process.kill()
        self._process.wait()
        self._close_all()

    def _close_all(self) -> None:
        for descriptor in (self._requests, self._answers):
            os.close(descriptor)
        self._folder.cleanup()

    def send(self, request: bytes) -> None:
        """Send a request; if the process has ended, reading the answer tells."""
        data = memoryview(request)
        with suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._requests, data) :]

    def read(self, most: int, seconds: float) -> bytes | None:
        """Return some bytes of its answer, empty if it has ended; None if none come in time."""
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        return os.read(self._answers, min(most, _CHUNK)) if poll.poll(seconds * 1000) else None

    def memory(self) -> int:
        """Return its memory and that of Blender, if it has started one, in bytes.

        Compiled readers have limits of their own, and share pages with it.
        """
        pids = [self.pid, *filter(is_blender, child_pids(self.pid))]
        return sum(map(self._memory_of, pids))

    def _memory_of(self, pid: int) -> int:
        with suppress(self._psutil.Error):
            return int(self._psutil.Process(pid).memory_info().rss)
        return 0  # it has just ended

    def ending(self) -> str:
        """Return how it ended, for messages."""
        try:
            status = self._process.wait(_ENDED_SECONDS)
        except subprocess.TimeoutExpired:
            return "the renderer process closed its pipe"
        if status >= 0:
            return f"the renderer process ended with exit status {status}"
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
        return f"the renderer process was ended by {name}{hint}"
