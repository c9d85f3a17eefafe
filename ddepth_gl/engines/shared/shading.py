"""The shading pass: the shaded image of a sheet, from the colors of its samples."""

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

__all__ = ["Resolver", "ShadingPass", "sample_bands"]

# Samples of a band, which bound the memory of an image.
_SAMPLES_PER_BAND = 1 << 22


def sample_bands(camera: Camera, samples: int) -> Iterator[tuple[slice, Camera]]:
    """Yield bands of an image: their rows, and a camera with one pixel per sample.

    Args:
        camera: Camera of the image.
        samples: samples along each side of a pixel.
    """
    rows = max(1, min(_SAMPLES_PER_BAND // (samples**2 * camera.width), camera.height))
    if samples == 1:
        # Alpha must equal the mask of the sheets at every pixel, and each band rounds differently.
        rows = camera.height
    for top in range(0, camera.height, rows):
        stop = min(top + rows, camera.height)
        yield slice(top, stop), camera.rows(top, stop, samples)


class Resolver:
    """The programs of resolve.frag, which average the linear colors of samples.

    Args:
        context: current in every call.
    """

    def __init__(self, context: GLContext) -> None:
        self._context = context
        self._programs: dict[int, tuple[Any, Any]] = {}

    def draw(self, linear: Any, pixels: Any, samples: int) -> None:
        """Draw the pixels of their samples.

        Args:
            linear: texture of the samples.
            pixels: framebuffer to draw to.
            samples: samples along each side of a pixel.
        """
        gl = self._context.gl
        if samples not in self._programs:
            program = compile_program(
                gl,
                {"SAMPLES": samples},
                vertex_shader="fullscreen.vert",
                fragment_shader="resolve.frag",
            )
            self._programs[samples] = program, gl.vertex_array(program, [])
        program, vertex_array = self._programs[samples]
        gl.enable_only(gl.NOTHING)
        pixels.use()
        linear.filter = gl.LINEAR, gl.LINEAR
        linear.use(0)
        program["samples"] = 0
        vertex_array.render(vertices=3)

    def release(self) -> None:
        """Free the programs."""
        for program, vertex_array in self._programs.values():
            vertex_array.release()
            program.release()
        self._programs.clear()


class ShadingPass:
    """The shaded image of a sheet whose faces are known: the attribute pass colors its samples.

    Args:
        context: current in every call.
        attributes: draws the colors of samples.
        resolver: averages samples.
    """

    def __init__(self, context: GLContext, attributes: AttributePass, resolver: Resolver) -> None:
        self._context = context
        self._attributes = attributes
        self._resolver = resolver

    def draw(
        self,
        scene: Scene,
        camera: Camera,
        faces: Any,
        depths: Any,
        samples: int,
        depth_buffer: Any = None,
        window_z: float = 0.0,
        exits: tuple[Any, Any] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Return the shaded image of a sheet: (H, W, 4) uint8, sRGB and alpha.

        Args:
            scene: Scene that was rendered.
            camera: Camera of the sheet, with one pixel per sample.
            faces: texture of the sheet's faces.
            depths: texture of the sheet's depths; samples are transparent where they are NaN.
            samples: samples along each side of a pixel.
            depth_buffer: depth buffer; samples are also transparent where it does not lie beyond
                `window_z`. None for no depth test.
            window_z: window depth for the depth test.
            exits: see `AttributePass.draw_shaded`.

        Raises:
            DeviceMemoryError: the images do not fit into the device's memory.
        """
        gl = self._context.gl
        gl_objects: list[Any] = []
        size = (camera.width // samples, camera.height // samples)
        try:
            try:
                gl_objects += [gl.texture(faces.size, 4, dtype="f2"), gl.texture(size, 4)]
                linear, srgb = gl_objects
                shading = gl.framebuffer([linear], depth_buffer)
                gl_objects.append(shading)
                resolving = gl.framebuffer([srgb])
                gl_objects.append(resolving)
            except Exception as error:
                raise self._context.allocation_error("a shaded image", faces.size, error) from error
            gl.enable_only(gl.NOTHING if depth_buffer is None else gl.DEPTH_TEST)
            gl.depth_func = "<"
            shading.depth_mask = False
            shading.use()
            shading.clear()
            self._attributes.draw_shaded(scene, camera, faces, depths, window_z, exits)
            self._resolver.draw(linear, resolving, samples)
            image = np.empty((size[1], size[0], 4), np.uint8)
            resolving.read_into(image, components=4)
            return image
        finally:
            self._context.unbind_framebuffer()
            for gl_object in reversed(gl_objects):
                gl_object.release()
