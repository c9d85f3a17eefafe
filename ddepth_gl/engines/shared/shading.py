"""The shaded picture of a sheet: colors of its samples, and their mean as sRGB; for either engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ...gl.context import GLContext
from ...gl.shaders import compile_program
from ..scene import Scene
from .attribute_pass import AttributePass

__all__ = ["ShadingPass", "sample_bands"]

# Samples of a picture drawn at a time: bounds the memory needed for it.
_SAMPLES_AT_A_TIME = 1 << 22


def sample_bands(camera: Camera, samples: int) -> Iterator[tuple[slice, Camera]]:
    """The rows of a picture that are drawn at a time, and the camera of their samples.

    Args:
        camera: of the picture.
        samples: along each side of a pixel.
    """
    rows = max(1, min(_SAMPLES_AT_A_TIME // (samples**2 * camera.width), camera.height))
    if samples == 1:
        rows = (
            camera.height
        )  # bands round their own way, and here alpha is the mask to the last pixel
    for top in range(0, camera.height, rows):
        stop = min(top + rows, camera.height)
        yield slice(top, stop), camera.rows(top, stop, samples)


class ShadingPass:
    """The programs that average samples, on top of the attributes that give their colors."""

    def __init__(self, context: GLContext, attributes: AttributePass) -> None:
        self._context = context
        self._attributes = attributes
        self._programs: dict[int, Any] = {}

    def draw(
        self,
        scene: Scene,
        camera: Camera,
        face: Any,
        depth: Any,
        samples: int,
        depth_buffer: Any = None,
        window_z: float = 0.0,
    ) -> npt.NDArray[np.uint8]:
        """(H, W, 4) uint8, sRGB and alpha, of a sheet `samples` times as large along each side.

        Args:
            scene, camera: as for the sheet.
            face, depth: the sheet's textures; a sample is transparent where its depth is NaN.
            samples: along each side of a pixel.
            depth_buffer: a sample is transparent as well where this one's depth is not beyond `window_z`.
            window_z: what the depth test sees.

        Raises:
            DeviceMemoryError: the images do not fit.
        """
        gl, made = self._context.gl, []
        size = (camera.width // samples, camera.height // samples)
        try:
            try:
                made += [gl.texture(face.size, 4, dtype="f2"), gl.texture(size, 4)]
                linear, srgb = made
                shading = gl.framebuffer([linear], depth_buffer)
                made.append(shading)
                resolving = gl.framebuffer([srgb])
                made.append(resolving)
            except Exception as error:
                raise self._context.allocation_error("a picture", face.size, error) from error
            gl.enable_only(gl.NOTHING if depth_buffer is None else gl.DEPTH_TEST)
            gl.depth_func = "<"
            shading.depth_mask = False
            shading.use()
            shading.clear()
            self._attributes.draw_shaded(scene, camera, face, depth, window_z)
            program = self._program(samples)
            vertex_array = gl.vertex_array(program, [])
            made.append(vertex_array)
            gl.enable_only(gl.NOTHING)
            resolving.use()
            linear.use(0)
            program["samples"] = 0
            vertex_array.render(vertices=3)
            picture = np.empty((size[1], size[0], 4), np.uint8)
            resolving.read_into(picture, components=4)
            return picture
        finally:
            self._context.unbind_framebuffer()
            for each in reversed(made):
                each.release()

    def _program(self, samples: int) -> Any:
        if samples not in self._programs:
            self._programs[samples] = compile_program(
                self._context.gl,
                {"SAMPLES": samples},
                vertex_shader="fullscreen.vert",
                fragment_shader="resolve.frag",
            )
        return self._programs[samples]

    def release(self) -> None:
        """Frees the programs."""
        for program in self._programs.values():
            program.release()
        self._programs.clear()
