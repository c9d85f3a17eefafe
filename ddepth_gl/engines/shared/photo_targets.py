"""PhotoTargets: the samples of a photo, and the mean of those of each pixel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ...gl.context import GLContext
from ...gl.programs import Programs

__all__ = ["PhotoTargets", "Resolver", "sample_bands"]

# Samples of a band, which bound the memory of an image. Smaller bands stay in the cache, but each
# takes all faces of the mesh.
_MIN_SAMPLES_PER_BAND, _MAX_SAMPLES_PER_BAND = 1 << 20, 1 << 22
_SAMPLES_PER_FACE_AND_BAND = 8


def sample_bands(camera: Camera, samples: int, face_count: int) -> Iterator[tuple[slice, Camera]]:
    """Yield bands of an image: their rows, and a camera with one pixel per sample.

    Args:
        camera: Camera of the image.
        samples: samples along each side of a pixel.
        face_count: number of faces of the mesh.
    """
    band = max(_MIN_SAMPLES_PER_BAND, _SAMPLES_PER_FACE_AND_BAND * face_count)
    band = min(band, _MAX_SAMPLES_PER_BAND)
    rows = max(1, min(band // (samples**2 * camera.width), camera.height))
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
        self._programs = Programs(context.gl)

    def photo(self, targets: PhotoTargets) -> npt.NDArray[np.uint8]:
        """Return the photo of drawn samples: (H, W, 4) uint8, sRGB and alpha."""
        self.resolve(targets)
        return self.read(targets)

    def resolve(self, targets: PhotoTargets) -> None:
        """Draw the pixels of drawn samples, unless the samples are the pixels."""
        if targets.linear is not None:
            self._draw(targets.linear, targets.pixels, targets.sample_count)

    def read(self, targets: PhotoTargets) -> npt.NDArray[np.uint8]:
        """Return the pixels: (H, W, 4) uint8, sRGB and alpha."""
        width, height = targets.pixels.size
        image = np.empty((height, width, 4), np.uint8)
        targets.pixels.read_into(image, components=4)
        self._context.unbind_framebuffer()
        return image

    def _draw(self, linear: Any, pixels: Any, samples: int) -> None:
        gl = self._context.gl
        program, vertex_array = self._programs.fullscreen("resolve", {"SAMPLES": samples})
        gl.enable_only(gl.NOTHING)
        pixels.use()
        linear.use(0)
        program["samples"] = 0
        vertex_array.render(vertices=3)

    def release(self) -> None:
        """Free the programs."""
        self._programs.release()


class PhotoTargets:
    """The images that a photo is drawn to.

    Args:
        context: current in every call.
        size: (width, height) in samples.
        samples: samples along each side of a pixel.

    Attributes:
        key: the arguments after `context`.
        sample_count: samples along each side of a pixel.
        linear: texture of linear colors, one a sample; None if the samples are the pixels.
        samples: framebuffer of the samples, with depth.
        pixels: framebuffer of the pixels.

    Raises:
        DeviceMemoryError: they do not fit into the device's memory.
    """

    def __init__(self, context: GLContext, size: tuple[int, int], samples: int) -> None:
        self.key = size, samples
        self.sample_count = samples
        self._context = context
        self._gl_objects: list[Any] = []
        self.linear: Any = None
        gl, add = context.gl, self._add
        with context.allocating("a photo", size, self._gl_objects):
            depth_buffer = add(context.functions.depth_texture(size))
            srgb = add(gl.texture((size[0] // samples, size[1] // samples), 4))
            if samples == 1:
                self.samples = self.pixels = add(gl.framebuffer([srgb], depth_buffer))
            else:
                self.linear = add(gl.texture(size, 4, dtype="f2"))
                self.linear.filter = gl.LINEAR, gl.LINEAR
                self.samples = add(gl.framebuffer([self.linear], depth_buffer))
                self.pixels = add(gl.framebuffer([srgb]))

    def _add(self, gl_object: Any) -> Any:
        self._gl_objects.append(gl_object)
        return gl_object

    def clear(self) -> None:
        """Bind the framebuffer of samples, and make all of them transparent and far."""
        framebuffer, (size, _) = self.samples, self.key
        framebuffer.color_mask, framebuffer.depth_mask = (True,) * 4, True
        framebuffer.use()  # moderngl applies the masks here
        framebuffer.viewport = (0, 0, *size)
        framebuffer.scissor = None
        framebuffer.clear(depth=1.0)

    def release(self) -> None:
        """Free all textures and framebuffers."""
        self._context.release_all(self._gl_objects)
