"""ImageTarget: a texture that is drawn to. FullscreenPasses: images drawn from other textures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...gl.context import GLContext
from ...gl.shaders import compile_program

__all__ = ["FullscreenPasses", "ImageTarget"]


class ImageTarget:
    """A texture and the framebuffer that draws to it.

    Args:
        context: current in every call.
        size: (width, height) in pixels.
        components: numbers per pixel, 1 to 4.
        dtype: of moderngl, such as "f4".

    Attributes:
        key: the arguments after `context`.
        texture, framebuffer: of moderngl.

    Raises:
        DeviceMemoryError: they do not fit into the device's memory.
    """

    def __init__(
        self, context: GLContext, size: tuple[int, int], components: int, dtype: str
    ) -> None:
        self.key = size, components, dtype
        self._context = context
        self._gl_objects: list[Any] = []
        gl = context.gl
        with context.allocating("an image", size, self._gl_objects):
            self.texture = gl.texture(size, components, dtype=dtype)
            self._gl_objects.append(self.texture)
            self.texture.filter = gl.NEAREST, gl.NEAREST
            self.framebuffer = gl.framebuffer([self.texture])
            self._gl_objects.append(self.framebuffer)

    def release(self) -> None:
        """Free both. Idempotent."""
        self._context.unbind_framebuffer()
        for gl_object in reversed(self._gl_objects):
            gl_object.release()
        self._gl_objects.clear()


class FullscreenPasses:
    """The programs of fullscreen.vert: each draws an image, pixel by pixel, from textures.

    Args:
        context: current in every call.
    """

    def __init__(self, context: GLContext) -> None:
        self._context = context
        self._programs: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def draw(
        self,
        framebuffer: Any,
        shader: str,
        options: Mapping[str, int],
        textures: Mapping[str, Any],
        uniforms: Mapping[str, Any],
        viewport: tuple[int, int, int, int] | None = None,
    ) -> None:
        """Draw to all pixels of a framebuffer, or to those of a viewport.

        Args:
            framebuffer: to draw to.
            shader: name of the fragment shader, without its suffix.
            options: its macros.
            textures: of moderngl, or buffer textures; by the names of the samplers.
            uniforms: values by name; arrays are written as they are. Those that the variant does
                not use are left out.
            viewport: first column and row, width and height; None for all pixels.
        """
        gl = self._context.gl
        key = (shader, *options.items())
        if key not in self._programs:
            program = compile_program(
                gl, options, vertex_shader="fullscreen.vert", fragment_shader=f"{shader}.frag"
            )
            self._programs[key] = program, gl.vertex_array(program, [])
        program, vertex_array = self._programs[key]
        for name, value in {"clip_z": 0.0, **uniforms}.items():
            if name in program:  # compilers drop the uniforms that a variant does not use
                if isinstance(value, np.ndarray):
                    program[name].write(value)
                else:
                    program[name] = value
        for unit, (name, texture) in enumerate(textures.items()):
            if name in program:
                texture.use(unit)
                self._context.functions.set_sampler(program, name, unit)
        gl.enable_only(gl.NOTHING)
        framebuffer.color_mask = (True,) * 4
        framebuffer.use()  # moderngl applies the mask here
        framebuffer.viewport = viewport or (0, 0, *framebuffer.size)
        framebuffer.scissor = None
        vertex_array.render(vertices=3)

    def release(self) -> None:
        """Free the programs."""
        for program, vertex_array in self._programs.values():
            vertex_array.release()
            program.release()
        self._programs.clear()
