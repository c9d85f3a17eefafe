"""BorrowedState: the OpenGL state of a context that others own, saved and restored around calls."""

from __future__ import annotations

from ctypes import c_int, c_uint

from .loader import Loader
from .state_access import StateAccess, Values
from .state_bindings import binding_entries
from .state_entries import state_entries

__all__ = ["BorrowedState"]

_FEEDBACK_PAUSED, _FEEDBACK_ACTIVE = 0x8E23, 0x8E24
_NEVER_A_NAME = 0xFFFFFFFF
_DRAW_FRAMEBUFFER, _DRAW_FRAMEBUFFER_BINDING, _COLOR = 0x8CA9, 0x8CA6, 0x4000


class BorrowedState:
    """The state of one context, which is current in every call.

    While it is saved, all state that passes rely on has OpenGL's default value.

    Args:
        loader: the context's functions.
        version: its version, such as 430.
    """

    def __init__(self, loader: Loader, version: int) -> None:
        self._access = access = StateAccess(loader, version)
        self._get_error = access.function("glGetError", c_uint)
        self._pause = access.function("glPauseTransformFeedback", None)
        self._resume = access.function("glResumeTransformFeedback", None)
        # Each causes one error and does nothing else. OpenGL has no other way to set one.
        enable, use, bind = (
            access.function(name, None, c_uint)
            for name in ("glEnable", "glUseProgram", "glBindVertexArray")
        )
        self._provoke = {
            0x0500: lambda: enable(0),  # GL_INVALID_ENUM
            0x0501: lambda: use(_NEVER_A_NAME),  # GL_INVALID_VALUE
            0x0502: lambda: bind(_NEVER_A_NAME),  # GL_INVALID_OPERATION
            0x0506: self._draw_to_nothing,  # GL_INVALID_FRAMEBUFFER_OPERATION
        }
        self._entries = [*state_entries(access), *binding_entries(access)]
        self._values: list[Values] = []
        self._errors: list[int] = []
        self._paused_feedback = False

    def save(self) -> None:
        """Save the state, and set what passes rely on."""
        self._errors = self._drained_errors()
        access = self._access
        # While transform feedback runs, no other program can be used.
        running = access.number(_FEEDBACK_ACTIVE) and not access.number(_FEEDBACK_PAUSED)
        self._paused_feedback = bool(running)
        if self._paused_feedback:
            self._pause()
        self._values = [entry.read() for entry in self._entries]
        for entry, value in zip(self._entries, self._values, strict=True):
            if entry.neutral is not None and value != entry.neutral:
                entry.write(*entry.neutral)
        self._drained_errors()  # Mesa reports stages that the owner's program lacks

    def restore(self) -> None:
        """Restore the state as it was saved, with errors that the owner had not read yet."""
        for entry, value in zip(self._entries, self._values, strict=True):
            entry.write(*value)
        if self._paused_feedback:
            self._resume()
        # Objects that were deleted while they were bound cannot be bound again.
        self._drained_errors()
        for error in self._errors:
            if error in self._provoke:
                self._provoke[error]()

    def _draw_to_nothing(self) -> None:
        function, name = self._access.function, (c_uint * 1)()
        types = (c_int, type(name))
        bind = function("glBindFramebuffer", None, c_uint, c_uint)
        bound = self._access.number(_DRAW_FRAMEBUFFER_BINDING)
        function("glGenFramebuffers", None, *types)(1, name)
        bind(_DRAW_FRAMEBUFFER, name[0])
        function("glClear", None, c_uint)(_COLOR)
        bind(_DRAW_FRAMEBUFFER, bound)
        function("glDeleteFramebuffers", None, *types)(1, name)

    def _drained_errors(self) -> list[int]:
        errors: list[int] = []
        while (error := self._get_error()) and len(errors) < 8:  # a lost context never ends
            errors.append(error)
        return errors
