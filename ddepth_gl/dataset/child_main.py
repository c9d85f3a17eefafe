"""The renderer process: it receives one mesh after another and sends back encoded samples.

It ends as soon as the pipe of requests closes, in whatever way the process at the other end did.
"""

from __future__ import annotations

import os
import re
import resource
import select
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, Protocol

from .._checks import one_line
from .._log import logger
from ..errors import ContextError, DDepthError
from .entries import MeshEntry, Sample
from .wire import message_head, read_head

__all__ = ["SampleRenderer", "main", "serve"]

_log = logger(__name__)

_PR_SET_PDEATHSIG = 1
_MESSAGE_LENGTH = 500


class SampleRenderer(Protocol):
    """A renderer of the samples of a mesh, such as `MeshRenderer`, and how to open the mesh."""

    def start(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Create the renderer; return its versions and what else the run asks for."""

    def samples(self, entry: MeshEntry) -> Any:
        """Yield a Sample for each view of a mesh."""


class _MeshSamples:
    """The samples of `MeshRenderer`, on a device of this machine."""

    def start(self, settings: dict[str, Any]) -> dict[str, Any]:
        from ..renderer import DepthRenderer
        from .config import DatasetConfig
        from .plan import renderer_versions
        from .samples import MeshRenderer

        renderer = DepthRenderer(settings["engine"], settings["device"])
        config = DatasetConfig(**settings["config"])
        self._meshes = MeshRenderer(config, renderer, encoders=settings["encoders"])
        return {
            "versions": renderer_versions(renderer, config),
            "is_software": renderer.info.is_software,
            "gpus": _gpus() if settings["device"] is None else [],
        }

    def samples(self, entry: MeshEntry) -> Any:
        from .sources import opened_mesh

        with opened_mesh(entry) as path:
            yield from self._meshes.samples(entry, path)


def _gpus() -> list[int]:
    from ..gl.devices import devices

    return [device.index for device in devices() if not device.is_software]


def main() -> NoReturn:
    """Serve the pipes whose descriptors are in `sys.argv`; see `serve`."""
    serve(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), _MeshSamples())


def serve(requests: int, answers: int, folder: Path, renderer: SampleRenderer) -> NoReturn:
    """Answer requests until their pipe closes.

    Args:
        requests, answers: descriptors of pipes.
        folder: of temporary files; removed at the end.
        renderer: renders the samples.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The run decides when its processes end: some systems send signals to all of a job.
        signal.signal(number, signal.SIG_IGN)
    for descriptor in (requests, answers):
        os.set_inheritable(descriptor, False)
    threading.Thread(target=_end_with, args=(requests, folder), daemon=True).start()
    _end_with_parent()
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    # Samples tell what a mesh leaves out.
    warnings.simplefilter("ignore")
    with open(requests, "rb") as source, open(answers, "wb", 2**18) as sink:

        def read(count: int) -> bytes:
            data = source.read(count)
            while len(data) < count:
                time.sleep(1.0)  # the pipe has closed: the watching thread ends this process
            return data

        try:
            settings = read_head(read)
            _answer(sink, lambda: {"type": "ready", **renderer.start(settings)})
            while True:
                entry = _entry(read_head(read))
                _answer(sink, partial(_send_mesh, sink, renderer, entry))
        except BrokenPipeError:  # the run has ended: nobody is there to be told
            _end(folder)


def _end_with(requests: int, folder: Path) -> None:
    """Wait until the pipe closes, and end this process, whatever it does."""
    poll = select.poll()
    poll.register(requests, 0)  # POLLHUP is reported without being asked for
    poll.poll()
    _end(folder)


def _end(folder: Path) -> NoReturn:
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _end_with_parent() -> None:
    """End after a while if the thread that started this process ends; and be first to be killed.

    Compiled code that holds the interpreter forever would keep the watching thread from running.
    """
    import ctypes

    libc = ctypes.CDLL(None)
    libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    # The number of a signal becomes a time limit, SIGUSR1's ten seconds: the other thread has that
    # long to remove the folder. Then SIGALRM ends the process.
    libc.signal(signal.SIGUSR1, ctypes.cast(libc.alarm, ctypes.c_void_p))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1)
    try:
        Path("/proc/self/oom_score_adj").write_text("500")
    except OSError as error:
        _log.info("the system's order of killing is unchanged: %s", error)


def _entry(request: dict[str, Any]) -> MeshEntry:
    return MeshEntry(**{**request, "photos": tuple(request["photos"])})


def _send_mesh(sink: BinaryIO, renderer: SampleRenderer, entry: MeshEntry) -> dict[str, Any]:
    for sample in renderer.samples(entry):
        _send_sample(sink, sample)
    return {"type": "done", "peak": _peak_memory()}


def _peak_memory() -> int:
    """Return the most memory that this process has had, in bytes."""
    # getrusage also counts the process that this one was forked from.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _send_sample(sink: BinaryIO, sample: Sample) -> None:
    files = [(ending, len(content)) for ending, content in sample.files.items()]
    head = {"type": "sample", "key": sample.key, "files": files, "row": dict(sample.row)}
    sink.write(message_head(head))
    for content in sample.files.values():
        sink.write(content)
    sink.flush()


def _answer(sink: BinaryIO, work: Callable[[], dict[str, Any]]) -> None:
    """Send what `work` returns, or its error."""
    try:
        answer = work()
    except Exception as error:
        answer = _error(error)
    sink.write(message_head(answer))
    sink.flush()


def _error(error: Exception) -> dict[str, Any]:
    # Messages of the tree tell what to do; others need the name of their class.
    if isinstance(error, DDepthError):
        text = str(error)
    elif isinstance(error, OSError):
        text = f"{error.filename or 'the mesh'} cannot be read ({error.strerror or error})"
    elif isinstance(error, MemoryError):
        text = "rendering ran out of memory"
    else:
        text = f"{type(error).__name__}: {error}"
    # Names of temporary folders would make the same failure another one each time.
    text = re.sub(re.escape(tempfile.gettempdir()) + r"/[^/\s]+/", "", text)
    kind = "error"
    if isinstance(error, (ContextError, MemoryError)):
        # A context that lost its device, or ran out of memory, may be of no further use.
        kind = "memory" if isinstance(error, MemoryError) else "crash"
    return {"type": "failed", "kind": kind, "message": one_line(text, _MESSAGE_LENGTH)}


if __name__ == "__main__":
    main()
