"""What other programs send to a window of an X server: a dropped file, and a wish to close.

A file manager drops files by XDND (https://freedesktop.org/wiki/Specifications/XDND/), a window
manager closes windows by WM_DELETE_WINDOW; both here by libX11.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_ubyte, c_uint, c_ulong, c_void_p
from pathlib import Path
from typing import Any

__all__ = ["close_window", "drop_file"]

_CLIENT_MESSAGE, _SELECTION_REQUEST, _SELECTION_NOTIFY = 33, 30, 31
_VERSION = 5
_Event = c_long * 24  # the union XEvent; every field has one word on 64-bit machines


def drop_file(display: str, path: Path, x: int, y: int, *, seconds: float = 20.0) -> bool:
    """Drop a file at a place of the screen; return whether the window there took it.

    Args:
        display: the DISPLAY of the server.
        path: an absolute path.
        x, y: on the screen, pixels.
        seconds: how long the window may take to answer.
    """
    with _connected(display) as (x11, connection):
        return _Drag(x11, connection, path).run(x, y, time.monotonic() + seconds)


def close_window(display: str, x: int, y: int) -> None:
    """Close the window at a place of the screen, as its close button does."""
    with _connected(display) as (x11, connection):
        client = _Client(x11, connection)
        window = client.window_at(x, y, "WM_PROTOCOLS")
        client.send(window, "WM_PROTOCOLS", client.atom("WM_DELETE_WINDOW"), 0, 0, 0, 0)


@contextmanager
def _connected(display: str) -> Iterator[tuple[Any, c_void_p]]:
    x11 = ctypes.CDLL("libX11.so.6")
    for name, kind in (
        ("XOpenDisplay", c_void_p), ("XDefaultRootWindow", c_ulong), ("XInternAtom", c_ulong),
        ("XCreateSimpleWindow", c_ulong),
    ):  # fmt: skip
        getattr(x11, name).restype = kind
    connection = c_void_p(x11.XOpenDisplay(display.encode()))
    assert connection.value, f"no display {display}"
    try:
        yield x11, connection
    finally:
        x11.XCloseDisplay(connection)


class _Client:
    """A connection that finds windows and sends messages to them."""

    def __init__(self, x11: Any, connection: c_void_p) -> None:
        self.x11, self.connection = x11, connection
        self.root = x11.XDefaultRootWindow(connection)

    def atom(self, name: str) -> int:
        return int(self.x11.XInternAtom(self.connection, name.encode(), 0))

    def window_at(self, x: int, y: int, name: str) -> int:
        """Return the innermost window at a place of the screen that has a property."""
        wanted, found, window = self.atom(name), 0, self.root
        while window:
            kind, size, count, left = c_ulong(), c_int(), c_ulong(), c_ulong()
            content = POINTER(c_ubyte)()
            self.x11.XGetWindowProperty(
                self.connection, c_ulong(window), c_ulong(wanted), c_long(0), c_long(1), 0,
                c_ulong(0), byref(kind), byref(size), byref(count), byref(left), byref(content),
            )  # fmt: skip
            found = window if count.value else found
            inner_x, inner_y, child = c_int(), c_int(), c_ulong()
            self.x11.XTranslateCoordinates(
                self.connection, c_ulong(self.root), c_ulong(window), x, y,
                byref(inner_x), byref(inner_y), byref(child),
            )  # fmt: skip
            window = child.value
        assert found, f"no window with {name} at ({x}, {y})"
        return found

    def send(self, target: int, name: str, *numbers: int) -> None:
        event = _Event()
        event[0], event[4], event[5], event[6] = _CLIENT_MESSAGE, target, self.atom(name), 32
        event[7:12] = [*numbers]
        self.x11.XSendEvent(self.connection, c_ulong(target), 0, c_long(0), byref(event))
        self.x11.XFlush(self.connection)


class _Drag(_Client):
    """A drag of one file."""

    def __init__(self, x11: Any, connection: c_void_p, path: Path) -> None:
        super().__init__(x11, connection)
        self.data = f"{path.as_uri()}\r\n".encode()
        self.source = x11.XCreateSimpleWindow(
            connection, c_ulong(self.root), -9, -9, 1, 1, 0, c_ulong(0), c_ulong(0)
        )
        self.selection = self.atom("XdndSelection")
        x11.XSetSelectionOwner(
            connection, c_ulong(self.selection), c_ulong(self.source), c_ulong(0)
        )

    def run(self, x: int, y: int, end: float) -> bool:
        target = self.window_at(x, y, "XdndAware")
        uris = self.atom("text/uri-list")
        self.send(target, "XdndEnter", self.source, _VERSION << 24, uris, 0, 0)
        self.send(
            target, "XdndPosition", self.source, 0, x << 16 | y, 0, self.atom("XdndActionCopy")
        )
        status = self.answer("XdndStatus", end)
        if status is None or not status[8] & 1:
            return False
        self.send(target, "XdndDrop", self.source, 0, 0, 0, 0)
        finished = self.answer("XdndFinished", end)
        # GLFW answers with the number of bytes, not with 1.
        return finished is not None and finished[8] != 0

    def answer(self, name: str, end: float) -> Any:
        """Return the next message of this name; hand over the data when it is asked for."""
        wanted = self.atom(name)
        while time.monotonic() < end:
            if not self.x11.XPending(self.connection):
                time.sleep(0.01)
                continue
            event = _Event()
            self.x11.XNextEvent(self.connection, byref(event))
            kind = event[0] & 0xFFFFFFFF
            if kind == _CLIENT_MESSAGE and event[5] == wanted:
                return event
            if kind == _SELECTION_REQUEST:
                self.hand_over(event)
        return None

    def hand_over(self, request: Any) -> None:
        asker, target, name = request[5], request[7], request[8]
        self.x11.XChangeProperty(
            self.connection, c_ulong(asker), c_ulong(name), c_ulong(target), 8, 0,
            c_char_p(self.data), c_uint(len(self.data)),
        )  # fmt: skip
        reply = _Event()
        reply[0], reply[4], reply[5] = _SELECTION_NOTIFY, asker, self.selection
        reply[6], reply[7], reply[8] = target, name, request[9]
        self.x11.XSendEvent(self.connection, c_ulong(asker), 0, c_long(0), byref(reply))
        self.x11.XFlush(self.connection)
