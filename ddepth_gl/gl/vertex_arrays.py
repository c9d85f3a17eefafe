"""Vertex arrays for programs that do not use all attributes of a vertex buffer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["vertex_array"]

# No attribute has this location.
_NOWHERE = -2


def vertex_array(gl: Any, program: Any, content: Iterable[tuple[Any, ...]], indices: Any) -> Any:
    """Return a vertex array; attributes that the program does not use are skipped.

    With `skip_errors` alone, moderngl takes an attribute without a location for the one at -1. That
    is gl_VertexID, in programs that use it, and OpenGL refuses to bind a buffer to it.

    Args:
        gl: the `moderngl.Context`.
        program: of the same context.
        content: buffers with their formats and the names of their attributes, as moderngl takes
            them.
        indices: index buffer.
    """
    used = [
        (buffer, layout, *(name if name in program else _NOWHERE for name in names))
        for buffer, layout, *names in content
    ]
    return gl.vertex_array(program, used, indices, skip_errors=True)
