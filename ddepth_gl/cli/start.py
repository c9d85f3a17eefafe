"""The start of the command `ddepth`: how signals end it, settled before anything large is imported."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from types import FrameType
    from typing import NoReturn
else:
    # What `signal` is made of; to import the enumerations that it adds would take longer than all of this.
    import _signal as signal

__all__ = ["main"]

_SIGNALS: dict[int, str] = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "hung up",
}


def main() -> None:
    """The entry point of the `ddepth` command."""
    for number in _SIGNALS:
        if (
            signal.getsignal(number) != signal.SIG_IGN
        ):  # as nohup has it, or a shell's background job
            signal.signal(number, _end)
    _open_closed_streams()
    from .main import main as run

    try:
        run()
    finally:
        # All is done and said, and Python, when it shuts down, is no longer up to an interrupt.
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end(number: int, _frame: "FrameType | None") -> "NoReturn":
    """Ends the process with the status that shells give to one that a signal ended: 130, 143 or 129.

    Not by an exception, as Python does with Ctrl-C: in the middle of an import or in a finalizer that is
    lost, turned into another error, or printed with its traceback.
    """
    try:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        # It may not be imported yet, or only half.
        files = sys.modules.get("ddepth_gl.io.results.atomic")
        remove_unfinished = getattr(files, "remove_unfinished", None)
        if remove_unfinished is not None:
            remove_unfinished()
        line = f"ddepth: error: {_SIGNALS[number]}; files written so far are whole\n"
        # A progress bar hides the cursor and leaves it at the end of its line.
        bar = (
            "rich.live" in sys.modules and os.isatty(2) and os.environ.get("TERM", "dumb") != "dumb"
        )
        os.write(2, ("\r\x1b[K\x1b[?25h" * bar + line).encode())
    finally:
        os._exit(128 + number)  # also where nobody reads stderr any more


def _open_closed_streams() -> None:
    """Lets a stream that the shell has closed (``2>&-``) lead nowhere.

    Else Python has None in its place, and the next file to be opened gets its number, so that what a driver
    has to complain about would end up in a result.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")
