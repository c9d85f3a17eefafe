"""Real input for windows on an X server, and what its screen shows; through libX11 and libXtst."""

from __future__ import annotations

import ctypes
import struct
from ctypes import byref, c_char_p, c_uint, c_ulong, c_void_p
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

__all__ = ["XServer", "screen"]


class XServer:
    """A connection that moves the pointer and presses buttons and keys, as a user does.

    Args:
        display: the DISPLAY of the server.
    """

    def __init__(self, display: str) -> None:
        try:
            self._x11, self._xtst = ctypes.CDLL("libX11.so.6"), ctypes.CDLL("libXtst.so.6")
        except OSError as error:
            pytest.skip(f"no events without {error}; run: apt-get install libx11-6 libxtst6")
        self._x11.XOpenDisplay.restype = c_void_p
        self._connection = c_void_p(self._x11.XOpenDisplay(display.encode()))
        assert self._connection.value

    def _flush(self) -> None:
        self._x11.XSync(self._connection, 0)

    def move(self, x: int, y: int) -> None:
        """Move the pointer to a place on the screen."""
        self._xtst.XTestFakeMotionEvent(self._connection, -1, x, y, c_ulong(0))
        self._flush()

    def button(self, number: int, *, pressed: bool) -> None:
        """Press or release a button: 1 is the left one, 4 and 5 are the wheel."""
        self._xtst.XTestFakeButtonEvent(self._connection, number, pressed, c_ulong(0))
        self._flush()

    def key(self, name: str) -> None:
        """Press and release a key, by the name of its symbol."""
        self._x11.XStringToKeysym.restype = c_ulong
        symbol = c_ulong(self._x11.XStringToKeysym(name.encode()))
        code = self._x11.XKeysymToKeycode(self._connection, symbol)
        for pressed in (1, 0):
            self._xtst.XTestFakeKeyEvent(self._connection, code, pressed, c_ulong(0))
        self._flush()

    def set_resources(self, text: str) -> None:
        """Set the settings of the screen that programs read when they start, as xrdb does."""
        self._x11.XDefaultRootWindow.restype = c_ulong
        root, content = self._x11.XDefaultRootWindow(self._connection), text.encode()
        resource_manager, string = c_ulong(23), c_ulong(31)  # predefined atoms
        self._x11.XChangeProperty(
            self._connection, c_ulong(root), resource_manager, string, 8, 0, content, len(content)
        )
        self._flush()

    def titles(self) -> list[str]:
        """Return the titles of all windows on the screen."""
        self._x11.XDefaultRootWindow.restype = c_ulong
        root = self._x11.XDefaultRootWindow(self._connection)
        parents, children, count = (c_ulong * 2)(), ctypes.POINTER(c_ulong)(), c_uint()
        self._x11.XQueryTree(
            self._connection, c_ulong(root), byref(parents), byref(parents, 8), byref(children),
            byref(count),
        )  # fmt: skip
        found = []
        for window in children[: count.value]:
            name = c_char_p()
            if self._x11.XFetchName(self._connection, c_ulong(window), byref(name)) and name.value:
                found.append(name.value.decode())
        return found

    def __enter__(self) -> XServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._x11.XCloseDisplay(self._connection)


def screen(folder: Path) -> npt.NDArray[np.uint8]:
    """Return what the screen of Xvfb shows, (H, W, 3) uint8, from the file it keeps in `folder`.

    The format is that of xwd: a header of big-endian integers, a color table, rows of pixels.
    """
    content = (folder / "Xvfb_screen0").read_bytes()
    size, _, _, _, width, height, *rest = struct.unpack(">25I", content[:100])
    bytes_per_row, colors = rest[6], rest[13]
    start = size + 12 * colors
    rows = np.frombuffer(content, np.uint8, height * bytes_per_row, start)
    blue_green_red = rows.reshape(height, bytes_per_row)[:, : 4 * width].reshape(height, width, 4)
    return blue_green_red[..., 2::-1].copy()
