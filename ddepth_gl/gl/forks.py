"""Detection of fork: OpenGL that a process has used does not work in its forked children.

Mesa's worker threads and the connections of GPU drivers do not survive fork. OpenGL calls in the
child would hang.
"""

from __future__ import annotations

import os

from ..errors import ContextError

__all__ = ["check_not_forked", "is_forked", "note_gl_use"]

# The process that first used OpenGL: this one, or an ancestor that this one was forked from.
_gl_process: int | None = None


def note_gl_use() -> None:
    """Record that this process has used OpenGL: opened a device, or asked a GPU driver for them."""
    global _gl_process
    _gl_process = os.getpid()


def is_forked() -> bool:
    """Return whether this process was forked from one that had used OpenGL."""
    return _gl_process not in (None, os.getpid())


def check_not_forked() -> None:
    """Raise ContextError if this process was forked from one that had used OpenGL."""
    if is_forked():
        raise ContextError(
            f"OpenGL does not survive fork, and process {_gl_process} had used it when this "
            "process was forked (a DepthRenderer, even a closed one, or a query of GPU devices); "
            "start processes with multiprocessing's 'spawn' or 'forkserver' method (DataLoader: "
            'multiprocessing_context="spawn"), or create no DepthRenderer before the fork'
        )
