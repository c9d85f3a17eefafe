"""Entry point of the `ddepth` command: installs signal handlers before the large imports.

See docs/decisions/0010-signals-before-imports.md.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
    from typing import NoReturn
else:
    # The C module behind `signal`. Importing the enumerations that `signal` adds to it would take
    # longer than everything else in this module.
    import _signal as signal

__all__ = ["main"]

_SIGNALS: dict[int, str] = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
}
if hasattr(signal, "SIGHUP"):  # not on Windows
    _SIGNALS[signal.SIGHUP] = "hung up"
# What commands leave behind, if that is not just files.
_LEFT = {
    "bench": "no times were printed",
    "dataset": "finished shards are whole; the same command renders the rest",
    "view": "the viewer is closed",
}


def main() -> None:
    """Run the `ddepth` command."""
    for number in _SIGNALS:
        # nohup and a shell's background jobs start with signals ignored; that stays so.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)
    _open_closed_streams()
    try:
        from .main import main as run
    except ImportError as error:
        from .._packages import pip_command

        line = f"the command line lacks a package ({error}); run {pip_command('cli')}"
        sys.exit(f"ddepth: error: {line}")
    try:
        run()
    finally:
        # The work is done, and Python cannot handle an interrupt while it shuts down.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end(number: int, _frame: "FrameType | None") -> "NoReturn":
    """Exit with the status that shells report for a process ended by the signal: 128 + number.

    Python's own way, an exception, fails during an import or in a finalizer: there it is lost,
    turned into another error, or printed with its traceback.
    """
    try:
        for other in _SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        # The module may not be imported yet, or only in part.
        atomic = sys.modules.get("ddepth_gl.io.atomic")
        remove_unfinished = getattr(atomic, "remove_unfinished", None)
        if remove_unfinished is not None:
            remove_unfinished()
        left = _LEFT.get((sys.argv[1:2] or [""])[0], "files written so far are whole")
        line = f"ddepth: error: {_SIGNALS[number]}; {left}\n"
        # A progress bar hides the cursor and leaves it at the end of the bar. So return to the
        # start of the line, erase it and show the cursor.
        may_have_bar = (
            "rich.live" in sys.modules and os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb"
        )
        os.write(2, ("\r\x1b[K\x1b[?25h" * may_have_bar + line).encode())
    finally:
        os._exit(128 + number)  # even if stderr is closed


def _open_closed_streams() -> None:
    """Open /dev/null for each standard stream that the shell has closed (``2>&-``).

    Otherwise Python sets the stream to None, and the next file to be opened gets its descriptor:
    a driver's warnings would then be written into a result.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
