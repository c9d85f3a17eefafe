"""BorrowedBinding: works in a context that others own, such as a window's.

The context is never made current and never destroyed. Its state is saved when a call starts and
restored when it ends; docs/decisions/0013-contexts-that-others-own.md says why it works this way.
"""

from __future__ import annotations

import ctypes
from typing import Any

import moderngl

from .._checks import shown
from ..errors import ContextError, RequestError
from .borrowed_state import BorrowedState
from .current import current_context
from .forks import note_gl_use
from .loader import Loader

__all__ = ["BorrowedBinding"]

_VERSION = 0x1F02  # GL_VERSION
_HOW_TO_ASK = (
    "ask for 4.3 core when the window is created, as with "
    "glfw.window_hint(glfw.CONTEXT_VERSION_MAJOR, 4)"
)


class BorrowedBinding:
    """Another library's context; it must be current in this thread during every call.

    Args:
        context: a moderngl.Context, whose OpenGL context is current.

    Attributes:
        loader: its functions, from its own loader.

    Raises:
        RequestError: `context` is not a moderngl.Context.
        ContextError: it was released, no context is current, or its OpenGL is older than 4.1.
    """

    def __init__(self, context: object) -> None:
        if not isinstance(context, moderngl.Context):
            raise RequestError(
                f"context takes a moderngl.Context, not {shown(context)}; "
                "pass moderngl.get_context() after the window's context was made current"
            )
        own_loader = getattr(context.mglo, "_context", None)
        if own_loader is None:
            raise ContextError("the moderngl.Context was released; pass one that is alive")
        note_gl_use()
        current = current_context()
        if current is None:
            raise ContextError(
                "no OpenGL context is current in this thread; make the window's context current "
                "before DepthRenderer(context=...), as with glfw.make_context_current(window)"
            )
        self._current = current
        self._owner = context  # kept alive, and its loader with it
        # moderngl accepts loaders with either name.
        load = getattr(own_loader, "load_opengl_function", None) or own_loader.load
        self.loader = Loader(lambda name: load(name) or 0)
        version = _checked_version(self.loader)
        self._state = BorrowedState(self.loader, version)

    @property
    def is_reachable(self) -> bool:
        """True while the context is current in this thread."""
        return self._current.is_current()

    def enter(self) -> None:
        """Save the owner's state, and set the state that passes rely on."""
        self.reenter()
        self._state.save()

    def reenter(self) -> None:
        """Raise an error unless the context is current."""
        if not self._current.is_current():
            raise ContextError(
                f"the {self._current.interface} context of this renderer is not current in this "
                "thread; make it current before every call, and close the renderer before its "
                "window"
            )

    def leave(self) -> None:
        """Restore the owner's state."""
        self._state.restore()

    def destroy(self) -> None:
        """Do nothing to the context; it belongs to its owner."""


def _checked_version(loader: Loader) -> int:
    """Return the version as a number such as 430.

    Raises:
        ContextError: it is below 410, or the context is of OpenGL ES.
    """
    get_string = loader.function("glGetString", ctypes.c_char_p, ctypes.c_uint)
    text = (get_string(_VERSION) or b"").decode(errors="replace")
    words: list[Any] = text.split(" ")[0].split(".")
    version = 100 * int(words[0]) + 10 * int(words[1][:1]) if words[0].isdigit() else 0
    if version < 410:
        found = text if text.startswith("OpenGL") else f"OpenGL {text}" if text else "no OpenGL"
        raise ContextError(
            f"the context has {found}, but a DepthRenderer needs OpenGL 4.1, and 4.3 for "
            f"engine='compute'; {_HOW_TO_ASK}"
        )
    return version
