"""The compute programs of one context, compiled once for each set of options."""

from __future__ import annotations

from typing import Any

from ...gl.context import GLContext
from ...gl.programs import Programs
from .tiles import TILE_OPTIONS

__all__ = ["MAX_GROUPS_X", "ComputePrograms"]

_GROUP_SIZE = 64  # invocations per work group
MAX_GROUPS_X = 32768  # along the first axis of a dispatch; more work groups go along the second

# Invocations that walk side by side through the rows of a face (see shaders/compute_large.comp); of
# large faces a multiple of _GROUP_SIZE.
_MEDIUM_ROW_STRIDE, _LARGE_ROW_STRIDE = 8, 256
# Pixels of a large face that one invocation walks over, apart from rounding up; see decision 7.
_PIXELS_PER_INVOCATION = 1 << 14


class ComputePrograms:
    """The programs of one context, with what it takes to dispatch them.

    Args:
        context: current whenever a method is called; OpenGL 4.3.
    """

    def __init__(self, context: GLContext) -> None:
        self._gl = context.gl
        constants = {
            "GROUP_SIZE": _GROUP_SIZE,
            "MEDIUM_ROW_STRIDE": _MEDIUM_ROW_STRIDE,
            "LARGE_ROW_STRIDE": _LARGE_ROW_STRIDE,
            "PIXELS_PER_INVOCATION": _PIXELS_PER_INVOCATION,
            **TILE_OPTIONS,
        }
        self._programs = Programs(context.gl, constants)

    def get(self, shader: str, **options: int) -> Any:
        """Return the program of a shader.

        Args:
            shader: name of the file without its suffix, such as "compute_small".
            options: macros; the file's header explains them.

        Raises:
            ShaderError: the shader does not compile.
        """
        return self._programs.get(options, compute_shader=f"{shader}.comp")

    def dispatch(self, program: Any, invocations: int, cameras: int = 1) -> None:
        """Run a program, with at least `invocations` of it for each camera."""
        groups = -(-invocations // _GROUP_SIZE)
        program.run(min(groups, MAX_GROUPS_X), -(-groups // MAX_GROUPS_X), cameras)

    def barrier(self) -> None:
        """Make what the programs have written visible to the calls that follow."""
        self._gl.memory_barrier()

    def release(self) -> None:
        """Free the programs."""
        self._programs.release()
