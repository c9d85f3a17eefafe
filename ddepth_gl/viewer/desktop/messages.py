"""Messages: short lines that the window shows for a while, instead of ending the program."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..._log import logger
from ..._text import printable
from ...errors import DDepthError

__all__ = ["Message", "Messages"]

_LOG = logger(__name__)
_NOTE_SECONDS = 6.0
_MOST = 4


@dataclass(frozen=True)
class Message:
    """A line in the window.

    Attributes:
        text: the line.
        is_error: whether something failed; an error stays until it is closed or its cause is gone.
        cause: what failed, such as "image"; a newer message about the same replaces this one.
        end: when a note disappears, seconds of `time.monotonic`.
    """

    text: str
    is_error: bool
    cause: str
    end: float


class Messages:
    """The lines that are shown now, oldest first."""

    def __init__(self) -> None:
        self._lines: list[Message] = []

    def note(self, text: str, cause: str = "") -> None:
        """Show a line for a few seconds."""
        self._add(Message(_line(text), False, cause, time.monotonic() + _NOTE_SECONDS))

    def error(self, text: str, cause: str = "") -> None:
        """Show what failed, until it is closed or `clear(cause)` is called."""
        self._add(Message(_line(text), True, cause, float("inf")))

    def fail(self, error: Exception, cause: str) -> None:
        """Show an exception; the traceback of one that nobody expects goes into the log."""
        if isinstance(error, MemoryError):
            self.error(str(error) or "out of memory", cause)
        elif isinstance(error, (DDepthError, OSError)):
            self.error(str(error), cause)
        else:
            _LOG.error("unexpected error in the viewer", exc_info=error)
            self.error(f"unexpected {type(error).__name__}: {error}", cause)

    def _add(self, message: Message) -> None:
        if not any(line.text == message.text for line in self._lines):
            _LOG.debug("message: %s", message.text)
        kept = [
            line
            for line in self._lines
            if line.text != message.text and not (message.cause and line.cause == message.cause)
        ]
        self._lines = [*kept, message][-_MOST:]

    def clear(self, cause: str) -> None:
        """Remove the message about a cause."""
        self._lines = [line for line in self._lines if line.cause != cause]

    def close(self, message: Message) -> None:
        """Remove a message."""
        self._lines = [line for line in self._lines if line is not message]

    def shown(self) -> list[Message]:
        """Return the messages to show now."""
        now = time.monotonic()
        self._lines = [line for line in self._lines if line.end > now]
        return list(self._lines)

    @property
    def next_end(self) -> float:
        """Seconds of `time.monotonic` at which the next message disappears; inf if none does."""
        return min((line.end for line in self._lines), default=float("inf"))


def _line(text: str) -> str:
    return " ".join(printable(text).split())
