"""A person at a window of an X server: mouse and keys, by the program xdotool."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

__all__ = ["Person"]


class Person:
    """Mouse and keys of a display.

    Args:
        display: the DISPLAY of the server.
        left, top: of the window on the screen; all places are relative to it.
    """

    def __init__(self, display: str, left: int = 0, top: int = 0) -> None:
        if not shutil.which("xdotool"):
            pytest.skip("xdotool is not installed; run: apt-get install xdotool")
        self._environment = {**os.environ, "DISPLAY": display}
        self._left, self._top = left, top

    def _run(self, *arguments: object) -> str:
        command = ["xdotool", *map(str, arguments)]
        ended = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=30
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def move(self, x: float, y: float) -> None:
        """Move the pointer to a place in the window."""
        self._run("mousemove", round(self._left + x), round(self._top + y))

    def click(self, x: float, y: float, button: int = 1, times: int = 1) -> None:
        """Click at a place; a hand rests a little on the button."""
        self.move(x, y)
        once = ("mousedown", button, "sleep", 0.04, "mouseup", button, "sleep", 0.04)
        self._run(*(once * times))

    def drag(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        button: int = 1,
        *,
        steps: int = 8,
        key: str = "",
    ) -> None:
        """Drag from one place to another in steps, as a hand makes it, holding a key."""
        self.move(*start)
        if key:
            self._run("keydown", key)
        self._run("mousedown", button, "sleep", 0.05)
        for step in range(1, steps + 1):
            x = start[0] + (end[0] - start[0]) * step / steps
            y = start[1] + (end[1] - start[1]) * step / steps
            self.move(x, y)
            self._run("sleep", 0.02)
        self._run("mouseup", button)
        if key:
            self._run("keyup", key)

    def scroll(self, x: float, y: float, steps: int) -> None:
        """Turn the wheel over a place; up for a positive number."""
        self.move(x, y)
        self._run("click", "--repeat", abs(steps), "--delay", 30, 4 if steps > 0 else 5)

    def key(self, *names: str) -> None:
        """Press and release keys, by the names of their symbols, such as shift+x."""
        for name in names:
            self._run("key", "--delay", 40, name)
