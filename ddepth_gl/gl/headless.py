"""HeadlessBinding: makes an EGL context of our own current during calls, and destroys it."""

from __future__ import annotations

from ..errors import ContextError
from . import egl
from .devices import Device
from .forks import note_gl_use
from .loader import Loader

__all__ = ["HeadlessBinding"]

# Newest first: a driver may answer a request for 4.1 with exactly 4.1. 4.3 adds compute shaders.
_VERSIONS = ((4, 6), (4, 5), (4, 3), (4, 1))


class HeadlessBinding:
    """A headless context on one device, current only from `enter` to `leave`.

    Args:
        device: an EGL device.

    Attributes:
        loader: its functions.

    Raises:
        ContextError: the driver offers no context.
    """

    def __init__(self, device: Device) -> None:
        note_gl_use()
        self._egl = egl.load()
        self._display = self._egl.display(device.handle)
        self._handle = self._egl.create_context(self._display, _VERSIONS)
        self._previous: tuple[int | None, ...] | None = None
        self.loader = Loader(lambda name: self._egl.get_proc_address(name.encode()) or 0)

    @property
    def is_reachable(self) -> bool:
        """True: the context can be made current at any time."""
        return True

    def enter(self) -> None:
        """Make the context current."""
        current = self._egl.current_context()
        if current != self._handle:
            previous = self._egl.current() if current else (self._display, None, None, None)
            self._egl.make_current(self._display, None, None, self._handle)
            self._previous = previous

    def reenter(self) -> None:
        """Make the context current again within `enter` and `leave`."""
        if self._egl.current_context() != self._handle:
            self._egl.make_current(self._display, None, None, self._handle)

    def leave(self) -> None:
        """Make current again what was current before `enter`, or nothing.

        If the context stayed current, libglvnd would refuse a window's GLX context in this thread.
        """
        if self._previous is not None:
            previous, self._previous = self._previous, None
            try:
                self._egl.make_current(*previous)
            except ContextError:
                # Its owner had destroyed it while it was still current.
                self._egl.make_current(self._display, None, None, None)

    def destroy(self) -> None:
        """Destroy the context and every object in it."""
        self._egl.destroy_context(self._display, self._handle)
