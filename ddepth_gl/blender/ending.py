"""The end of a process with Blender: as soon as the process that started it has ended."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import threading

__all__ = ["end_with_parent"]

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """End this process when stdin, a pipe, closes, or the thread that started it ends.

    The pipe holds from the first moment on; the signal also reaches a process whose interpreter is
    busy in compiled code.
    """
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end_with_stdin() -> None:
    poll = select.poll()
    poll.register(0, 0)  # POLLHUP is reported without being asked for
    poll.poll()
    os._exit(1)
