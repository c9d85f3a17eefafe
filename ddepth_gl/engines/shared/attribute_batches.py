"""Two ways to compute the attributes of a batch of crossings: in compute shaders, or by drawing."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ...camera.camera import Camera
from ...gl.context import GLContext
from ...results.attributes import ATTRIBUTES
from ..scene import Scene
from .attribute_programs import GROUP_SIZE, LIST_WIDTH, AttributePrograms, use_samplers
from .crossing_lists import CrossingBatch

__all__ = ["BatchPass", "ComputedBatches", "DrawnBatches"]


class BatchPass(Protocol):
    """A way to compute attributes of one batch after another."""

    def run(
        self, batch: CrossingBatch, scene: Scene, camera: Camera, names: tuple[str, ...]
    ) -> None:
        """Compute attributes of the crossings of a batch, and store the values.

        Args:
            batch: the crossings.
            scene: Scene that was rendered.
            camera: Camera of the crossings.
            names: names of attributes that vary within faces.

        Raises:
            DeviceMemoryError: the mesh tables or the buffers do not fit.
        """

    def release(self) -> None:
        """Free everything that `run` has allocated."""


class ComputedBatches:
    """Batches computed by compute_attributes.comp, whose values are read where they are.

    Args:
        context: current in every call; OpenGL 4.3.
        programs: of the context.
    """

    def __init__(self, context: GLContext, programs: AttributePrograms) -> None:
        self._context, self._programs = context, programs
        self._key = (0, 0, 0)
        self._gl_objects: list[Any] = []

    def run(
        self, batch: CrossingBatch, scene: Scene, camera: Camera, names: tuple[str, ...]
    ) -> None:
        """Compute attributes of a batch; see `BatchPass`."""
        channels = [ATTRIBUTES[name].channels for name in names]
        self._reserve(batch, sum(channels))
        pixels, faces, results, outside, *_ = self._gl_objects
        pixels.write(batch.first_pixels)
        faces.write(batch.faces)
        outside.write(bytes(4))
        self._dispatch(batch, scene, camera, names, 0, batch.count)
        reading = self._context.staging.reading
        with reading(outside, np.uint32, 1) as numbers:
            number_outside = int(numbers[0])
        if number_outside:
            self._dispatch(batch, scene, camera, names, 1, number_outside)
        first, count = 0, batch.count * sum(channels)
        with reading(results, np.float32, count) as values:
            for name, count in zip(names, channels, strict=True):
                end = first + batch.count * count
                batch.store(name, values[first:end].reshape(batch.count, count))
                first = end

    def _dispatch(
        self,
        batch: CrossingBatch,
        scene: Scene,
        camera: Camera,
        names: tuple[str, ...],
        outside: int,
        count: int,
    ) -> None:
        program = self._programs.computing(
            scene, camera, names, OUTSIDE=outside, RUN_SHIFT=batch.run.bit_length() - 1
        )
        use_samplers(first_pixels=self._gl_objects[4], crossing_faces=self._gl_objects[5])
        self._gl_objects[2].bind_to_storage_buffer(0)
        self._gl_objects[3].bind_to_storage_buffer(1)
        program["count"] = count
        if "crossing_count" in program:  # not with a single attribute
            program["crossing_count"] = batch.count
        program.run(-(-count // GROUP_SIZE))
        self._context.gl.memory_barrier()

    def _reserve(self, batch: CrossingBatch, channels: int) -> None:
        """Allocate buffers for such batches, unless those of the last batch are large enough."""
        key = (batch.size // batch.run, batch.size, batch.size * channels)
        if all(has >= needs for has, needs in zip(self._key, key, strict=True)):
            return
        self.release()
        gl, buffer_texture = self._context.gl, self._context.functions.buffer_texture
        with self._context.allocating("attributes", (batch.size, 1), self._gl_objects):
            for words in (*key, 1 + batch.size):
                self._gl_objects.append(gl.buffer(reserve=4 * words))
            for buffer in self._gl_objects[:2]:
                self._gl_objects.append(buffer_texture(buffer, 1))
        self._key = key

    def release(self) -> None:
        """Free the buffers."""
        for gl_object in reversed(self._gl_objects):
            gl_object.release()
        self._gl_objects.clear()
        self._key = (0, 0, 0)


class DrawnBatches:
    """Batches drawn by attributes.frag to an image for each attribute, a fragment per crossing.

    Args:
        context: current in every call.
        programs: of the context.
    """

    def __init__(self, context: GLContext, programs: AttributePrograms) -> None:
        self._context, self._programs = context, programs

    def run(
        self, batch: CrossingBatch, scene: Scene, camera: Camera, names: tuple[str, ...]
    ) -> None:
        """Compute attributes of a batch; see `BatchPass`."""
        program, vertex_array = self._programs.drawing(
            scene, camera, names, RUN_SHIFT=batch.run.bit_length() - 1
        )
        program["clip_z"] = 0.0
        channels = [ATTRIBUTES[name].channels for name in names]
        size = LIST_WIDTH, -(-batch.count // LIST_WIDTH)
        gl, buffer_texture = self._context.gl, self._context.functions.buffer_texture
        gl_objects: list[Any] = []
        with self._context.allocating("attributes", size, gl_objects):
            lists = batch.rounded_up(LIST_WIDTH)
            for words in lists:
                gl_objects.append(gl.buffer(words))
            for buffer in gl_objects[:2]:
                gl_objects.append(buffer_texture(buffer, 1))
            # OpenGL does not guarantee that images of three channels can be rendered to.
            images = [gl.texture(size, count + count % 2, dtype="f4") for count in channels]
            gl_objects += images
            gl_objects.append(gl.framebuffer(images))
        framebuffer = gl_objects[-1]
        try:
            gl.enable_only(gl.NOTHING)
            framebuffer.use()
            framebuffer.viewport = (0, 0, *size)
            framebuffer.scissor = None
            use_samplers(first_pixels=gl_objects[2], crossing_faces=gl_objects[3])
            vertex_array.render(vertices=3)
            for attachment, (name, count) in enumerate(zip(names, channels, strict=True)):
                values = np.empty((size[0] * size[1], count), np.float32)
                framebuffer.read_into(values, components=count, attachment=attachment, dtype="f4")
                batch.store(name, values[: batch.count])
        finally:
            self._context.release_all(gl_objects)

    def release(self) -> None:
        """Do nothing: `run` frees what it allocates."""
