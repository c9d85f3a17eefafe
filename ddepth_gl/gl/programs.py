"""Programs: the compiled programs of one context, each variant once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .shaders import compile_program

__all__ = ["Programs"]


class Programs:
    """Programs by their shaders and options, compiled when they are used first.

    Args:
        gl: a `moderngl.Context`, current in every call.
        constants: macros of all programs.
    """

    def __init__(self, gl: Any, constants: Mapping[str, int] | None = None) -> None:
        self._gl, self._constants = gl, constants or {}
        self._programs: dict[tuple[Any, ...], Any] = {}
        self._vertex_arrays: dict[int, Any] = {}

    def get(self, options: Mapping[str, int], **shaders: str) -> Any:
        """Return the program of `compile_program` with these arguments and all constants.

        Raises:
            ShaderError: a shader does not compile.
        """
        key = (*shaders.values(), *options.items())
        if key not in self._programs:
            self._programs[key] = compile_program(
                self._gl, {**self._constants, **options}, **shaders
            )
        return self._programs[key]

    def fullscreen(self, shader: str, options: Mapping[str, int]) -> tuple[Any, Any]:
        """Return the program of a fragment shader with fullscreen.vert, and its vertex array.

        Args:
            shader: name of the fragment shader, without its suffix.
            options: its macros.

        Raises:
            ShaderError: it does not compile.
        """
        program = self.get(
            options, vertex_shader="fullscreen.vert", fragment_shader=f"{shader}.frag"
        )
        return program, self.vertex_array(program)

    def vertex_array(self, program: Any) -> Any:
        """Return the vertex array of a program of `get` that reads no vertices."""
        if program.glo not in self._vertex_arrays:
            self._vertex_arrays[program.glo] = self._gl.vertex_array(program, [])
        return self._vertex_arrays[program.glo]

    def release(self) -> None:
        """Free all programs and vertex arrays. Idempotent."""
        for each in (*self._vertex_arrays.values(), *self._programs.values()):
            each.release()
        self._vertex_arrays.clear()
        self._programs.clear()
