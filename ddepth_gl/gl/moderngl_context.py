"""A moderngl.Context of our own on any OpenGL context, and a record of the objects it creates.

moderngl keeps state in its Context objects: the bound framebuffer, enabled capabilities, objects
to free. With one of our own, that of other libraries stays as it is.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import moderngl

from ..errors import ContextError
from .loader import Loader

__all__ = ["own_moderngl_context", "track_objects"]

_CONSTRUCTORS = (
    "buffer",
    "compute_shader",
    "depth_texture",
    "framebuffer",
    "program",
    "renderbuffer",
    "texture",
    "vertex_array",
)


def own_moderngl_context(loader: Loader) -> Any:
    """Return a new moderngl.Context of the context that is current.

    `moderngl.get_context()` keeps returning what it returned before.

    Raises:
        ContextError: moderngl rejects the context.
    """
    store = moderngl._store
    default = store.default_context
    try:
        context: Any = loader
        return moderngl.create_context(require=410, standalone=True, context=context)
    except Exception as error:  # moderngl raises bare Exception
        raise ContextError(f"moderngl rejects the context ({error})") from error
    finally:
        store.default_context = default


def track_objects(gl: Any, objects: weakref.WeakSet[Any]) -> None:
    """Make a moderngl.Context add every object that it creates to a set."""

    def tracked(create: Callable[..., Any]) -> Callable[..., Any]:
        def create_and_add(*arguments: Any, **options: Any) -> Any:
            created = create(*arguments, **options)
            objects.add(created)
            return created

        return create_and_add

    for name in _CONSTRUCTORS:
        setattr(gl, name, tracked(getattr(gl, name)))
