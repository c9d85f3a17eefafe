"""ImageTarget: a texture that is drawn to. FullscreenPasses: images drawn from other textures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...gl.context import GLContext
from ...gl.programs import Programs

__all__ = ["FullscreenPasses", "ImageTarget", "below_layer"]

# Larger counts of crossings are not told apart by depth marks; see crossing_mark.glsl.
_MAX_MARKED_COUNT = 1000


def below_layer(layer: int) -> float:
    """Return the window depth below which crossing_mark.glsl marks pixels that have a layer.

    Args:
        layer: number of the layer, from 0; from 1000 on, more pixels are below.
    """
    return 1.0 / (1.5 + min(layer, _MAX_MARKED_COUNT - 1))


class ImageTarget:
    """A texture and the framebuffer that draws to it.

    Args:
        context: current in every call.
        size: (width, height) in pixels.
        components: numbers per pixel, 1 to 4.
        dtype: of moderngl, such as "f4".
        marks: whether it has a depth buffer, to mark pixels for later passes.
        depth: that of another target, instead of its own.

    Attributes:
        key: the arguments after `context`, without `depth`.
        texture, framebuffer: of moderngl.
        depth: texture; None without marks.

    Raises:
        DeviceMemoryError: they do not fit into the device's memory.
    """

    def __init__(
        self,
        context: GLContext,
        size: tuple[int, int],
        components: int,
        dtype: str,
        marks: bool = False,
        depth: Any = None,
    ) -> None:
        self.key = size, components, dtype, marks
        self._context = context
        self._gl_objects: list[Any] = []
        gl = context.gl
        with context.allocating("an image", size, self._gl_objects):
            self.texture = gl.texture(size, components, dtype=dtype)
            self._gl_objects.append(self.texture)
            self.texture.filter = gl.NEAREST, gl.NEAREST
            self.depth = depth
            if marks and depth is None:
                self.depth = context.functions.depth_texture(size)
                self._gl_objects.append(self.depth)
            self.framebuffer = gl.framebuffer([self.texture], self.depth)
            self._gl_objects.append(self.framebuffer)

    def release(self) -> None:
        """Free both. Idempotent."""
        self._context.release_all(self._gl_objects)


class FullscreenPasses:
    """The programs of fullscreen.vert: each draws an image, pixel by pixel, from textures.

    Args:
        context: current in every call.
    """

    def __init__(self, context: GLContext) -> None:
        self._context = context
        self._programs = Programs(context.gl)

    def draw(
        self,
        framebuffer: Any,
        shader: str,
        options: Mapping[str, int],
        textures: Mapping[str, Any],
        uniforms: Mapping[str, Any],
        viewport: tuple[int, int, int, int] | None = None,
        marks: bool | None = None,
        below: float = 0.25,
    ) -> None:
        """Draw to all pixels of a framebuffer, or to those of a viewport.

        Software rasterizers execute both sides of every branch, at every pixel. What only a few
        pixels need goes into a second pass, whose depth test leaves out all blocks of others.

        Args:
            framebuffer: to draw to.
            shader: name of the fragment shader, without its suffix.
            options: its macros.
            textures: of moderngl, or buffer textures; by the names of the samplers.
            uniforms: values by name; arrays are written as they are. Those that the variant does
                not use are left out.
            viewport: first column and row, width and height; None for all pixels.
            marks: True if the shader marks pixels, by the depths that it writes; False to draw only
                to pixels with a depth below `below`; None to draw without depth.
            below: window depth.
        """
        gl = self._context.gl
        program, vertex_array = self._programs.fullscreen(shader, options)
        for name, value in {"clip_z": 2.0 * below - 1.0, **uniforms}.items():
            if name in program:  # compilers drop the uniforms that a variant does not use
                if isinstance(value, np.ndarray):
                    program[name].write(value)
                else:
                    program[name] = value
        for unit, (name, texture) in enumerate(textures.items()):
            if name in program:
                texture.use(unit)
                self._context.functions.set_sampler(program, name, unit)
        gl.enable_only(gl.NOTHING if marks is None else gl.DEPTH_TEST)
        gl.depth_func = "1" if marks else ">"
        framebuffer.color_mask, framebuffer.depth_mask = (True,) * 4, bool(marks)
        framebuffer.use()  # moderngl applies the masks here
        framebuffer.viewport = viewport or (0, 0, *framebuffer.size)
        framebuffer.scissor = None
        vertex_array.render(vertices=3)

    def release(self) -> None:
        """Free the programs."""
        self._programs.release()
