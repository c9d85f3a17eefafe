"""Renderer of Blender's add-on: a process of its own, since Blender's thread has a GLX context.

EGL is refused where a GLX context is current, and Blender's OpenGL state stays as it is. Messages
travel as anonymous files in memory, whose descriptors a socket passes on. Nothing is pickled.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import errors
from ..camera.camera import Camera
from ..errors import ContextClosedError, ContextError, DDepthError, RequestError
from ..mesh.mesh import Mesh
from . import hand_over_main
from .hand_over_main import receive_message, send_message

__all__ = ["Rendered", "RendererProcess", "ViewRequest"]

_START = "import sys,json;sys.path[:]=json.loads(sys.argv[1]);from {module} import main;main()"
_MESH_ARRAYS = ("vertices", "faces", "colors", "object_id", "polygon_id")


@dataclass(frozen=True, kw_only=True)
class ViewRequest:
    """A request for one view, and for what becomes of it.

    Attributes:
        quantities: images to return, of `QUANTITIES`.
        layers: number of layers to return as images and clouds; 0 for none. Files hold all.
        clouds: whether to return the points of both sheets, or of all layers if there are some.
        mould: whether to return the mould as a mesh.
        is_shown: whether anything is returned besides the names of the files.
        formats: files to write, keys of `ddepth_gl.jobs.formats.FORMATS`.
        target: folder and beginning of the file names; needed for files.
        surfaces, near, far: see `DepthRenderer.entry_exit`.
    """

    quantities: tuple[str, ...] = ("entry", "exit")
    layers: int = 0
    clouds: bool = False
    mould: bool = False
    is_shown: bool = True
    formats: tuple[str, ...] = ()
    target: str | None = None
    surfaces: str = "auto"
    near: float | None = None
    far: float | None = None


class Rendered(NamedTuple):
    """Answer to a request.

    Attributes:
        arrays: results by name, see `hand_over_main.results_of`; owned by the caller.
        files: paths of the files written.
        renderer: name of the device.
        surfaces: what "auto" decided, see `DepthMaps.surfaces`.
        notes: a line for each thing that could not be done, such as a mould of nothing.
    """

    arrays: dict[str, npt.NDArray[Any]]
    files: tuple[Path, ...]
    renderer: str
    surfaces: str
    notes: tuple[str, ...]


class RendererProcess:
    """A process that renders one view after another.

    It starts at once, and ends with `close`, with this process, or if this object is freed. Use it
    from one thread.

    Args:
        device: see `DepthRenderer`.

    Raises:
        ContextError: it cannot be started.
    """

    def __init__(self, device: int | str | None = None) -> None:
        self._socket: socket.socket | None = None
        if not hasattr(os, "memfd_create"):
            raise ContextError(f"the renderer of Blender's add-on needs Linux, not {sys.platform}")
        python = _python()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        settings = json.dumps({"device": device})
        path = json.dumps([os.path.abspath(p) for p in sys.path if p])  # noqa: PTH100
        program = _START.format(module=hand_over_main.__name__)
        command = [python, "-I", "-c", program, path, str(theirs.fileno()), settings]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=2,  # drivers and libraries may print
                pass_fds=(theirs.fileno(),),
                env={**os.environ},
                start_new_session=True,  # Ctrl-C in Blender's terminal does not reach it
            )
        except OSError as error:
            ours.close()
            raise ContextError(
                f"the renderer process does not start ({command[0]}: {error.strerror})"
            ) from error
        finally:
            theirs.close()
        self._socket = ours
        self._is_busy = False

    def __enter__(self) -> RendererProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def is_open(self) -> bool:
        """True if it can take requests."""
        return self._socket is not None and self._process.poll() is None

    def close(self) -> None:
        """Kill the process, whatever it does; further calls do nothing."""
        own, self._socket = self._socket, None
        if own is not None:
            self._process.kill()
            self._process.wait()
            own.close()

    def send(self, mesh: Mesh, camera: Camera, request: ViewRequest) -> None:
        """Hand over a view to render; `answer` returns the results.

        Raises:
            RequestError: the last view has not been answered.
            ContextClosedError: the process has ended.
        """
        own = self._open_socket()
        if self._is_busy:
            raise RequestError("the renderer process is still at work; take its answer first")
        source = mesh.source
        head = {
            "request": asdict(request),
            "camera": camera.to_dict(),
            "mesh": {
                "name": mesh.name,
                "object_names": list(mesh.object_names or ()),
                "sha256": source.sha256 if source else "",
                "path": source.path if source else "",
                "left_out": list(source.left_out) if source else [],
            },
        }
        arrays = {name: getattr(mesh, name) for name in _MESH_ARRAYS}
        try:
            send_message(own, head, {k: each for k, each in arrays.items() if each is not None})
        except OSError as error:
            raise self._ended() from error
        self._is_busy = True

    def answer(self, seconds: float | None = None) -> Rendered | None:
        """Return the results of the view sent; None if they are not there in time.

        Args:
            seconds: time to wait; None waits as long as it takes.

        Raises:
            DDepthError: it could not be rendered or written; of the class that the renderer raised.
            ContextClosedError: the process has ended.
        """
        own = self._open_socket()
        poll = select.poll()
        poll.register(own, select.POLLIN)
        if not poll.poll(None if seconds is None else seconds * 1000.0):
            return None
        message = None
        with suppress(OSError):
            message = receive_message(own)
        if message is None:
            raise self._ended()
        self._is_busy = False
        head, arrays = message
        if "error" in head:
            kind = getattr(errors, str(head.get("kind")), None)
            if not (isinstance(kind, type) and issubclass(kind, DDepthError)):
                kind = ContextError
            raise kind(head["error"])
        return Rendered(
            {name: np.array(each) for name, each in arrays.items()},
            tuple(map(Path, head["files"])),
            head["renderer"],
            head["surfaces"],
            tuple(head["notes"]),
        )

    def _open_socket(self) -> socket.socket:
        if self._socket is None:
            raise ContextClosedError("the renderer process was closed; start another one")
        return self._socket

    def _ended(self) -> ContextClosedError:
        """Close, and return the error that says how the process ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5.0)
        status = self._process.poll()
        self.close()
        how = "closed its socket" if status is None else f"ended with exit status {status}"
        return ContextClosedError(f"the renderer process {how}; see the terminal for its messages")


def _python() -> str:
    """Return the path of the Python that runs this process; in Blender, of the one it brings."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    for path in (sys.executable, f"{sys.prefix}/bin/{version}", shutil.which(version)):
        if path and Path(path).name.startswith("python") and os.access(path, os.X_OK):
            return path
    raise ContextError(
        f"the renderer process needs {version}, which is not in {sys.prefix}/bin; use a Blender of "
        "blender.org, which brings it"
    )
