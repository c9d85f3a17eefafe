"""The command ``python -m ddepth_gl.blender``: frames of a .blend file to depth files.

Inside of Blender, arguments are those behind ``--``: ``blender -b scene.blend --python-expr
"from ddepth_gl.blender.__main__ import main; main()" -- -o out --frames 1:100``.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Any

from .._packages import import_needed
from ..errors import DDepthError, RequestError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 0, or 1 after one line about an error.

    Args:
        arguments: by default those of the process; inside of Blender, those behind ``--``.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if arguments is None and _is_inside_blender():
        given = given[given.index("--") + 1 :] if "--" in given else []
    is_debug = "--debug" in given
    try:
        typer = import_needed("typer", "python -m ddepth_gl.blender", RequestError, "cli")
        app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        from .command import command

        app.command()(command)
        app(given, prog_name="python -m ddepth_gl.blender", standalone_mode=False)
    except SystemExit as stop:
        return int(stop.code or 0)
    except KeyboardInterrupt:
        return _failed("interrupted; files written so far are whole", is_debug)
    except DDepthError as error:
        return _failed(str(error), is_debug)
    except OSError as error:
        name = error.filename or "the output"
        return _failed(f"{name} cannot be written or read ({error.strerror or error})", is_debug)
    except MemoryError:
        return _failed("out of memory; reduce the image size or the scene", is_debug)
    except Exception as error:
        # Errors of the command line have a message for users.
        if hasattr(error, "format_message"):
            return _failed(error.format_message(), is_debug)
        text = f"unexpected {type(error).__name__}: {error}; please report it, with --debug"
        return _failed(text, is_debug)
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


if __name__ == "__main__":
    sys.exit(main())
