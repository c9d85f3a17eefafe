"""The command ``python -m ddepth_gl.blender``: frames of a .blend file to depth files.

Inside of Blender, arguments are those behind ``--``: ``blender -b scene.blend --python-expr
"import sys; from ddepth_gl.blender.__main__ import main; sys.exit(main())" -- -o out``.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from .._packages import import_needed
from ..errors import DDepthError, RequestError

__all__ = ["main"]

_NAME = "python -m ddepth_gl.blender"
_PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0; after one line 1, or 130 for Ctrl-C.

    Args:
        arguments: by default those of the process; inside of Blender, those behind ``--``.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None and _is_inside_blender():
        given = given[given.index("--") + 1 :] if "--" in given else []
    is_debug = "--debug" in given
    try:
        typer = import_needed("typer", _NAME, RequestError, "cli")
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        from .command import command

        app.command()(command)
        # For Ctrl-C, typer returns a status or raises Abort, depending on its version.
        is_stopped = bool(app(given, prog_name=_NAME, standalone_mode=False))
    except SystemExit as stop:
        return int(stop.code or 0)
    except KeyboardInterrupt:
        is_stopped = True
    except DDepthError as error:
        return _failed(str(error), is_debug)
    except OSError as error:
        name = error.filename or "the output"
        return _failed(f"{name} cannot be written or read ({error.strerror or error})", is_debug)
    except MemoryError:
        return _failed("out of memory; reduce the image size or the scene", is_debug)
    except Exception as error:
        is_stopped = type(error).__name__ == "Abort"
        # Errors of the command line have a message for users.
        if hasattr(error, "format_message"):
            return _failed(error.format_message(), is_debug)
        if not is_stopped:
            text = f"unexpected {type(error).__name__}: {error}; please report it, with --debug"
            return _failed(text, is_debug)
    if is_stopped:
        _failed("interrupted; files written so far are whole", is_debug)
        return 130
    return 0


def _failed(message: str, is_debug: bool) -> int:
    if is_debug:
        traceback.print_exc()
    print(f"error: {message}", file=sys.stderr, flush=True)
    return 1


def _is_inside_blender() -> bool:
    """Return whether this is Blender and not a Python with bpy."""
    bpy: Any = sys.modules.get("bpy")
    return bpy is not None and bool(bpy.app.binary_path)


def _main_in_a_process() -> int:
    """Run the command in a process of its own: Blender may crash on a damaged file."""
    if not sys.platform.startswith("linux"):
        return main()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the other one, too
    pid = os.fork()
    if pid == 0:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGINT, before)
        status = main()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # Blender may crash while it ends
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status >= 0:
        return status
    name = signal.Signals(-status).name
    text = f"Blender crashed ({name}); the .blend file may be damaged; earlier files are whole"
    return _failed(text, is_debug=False)


if __name__ == "__main__":
    sys.exit(_main_in_a_process())
