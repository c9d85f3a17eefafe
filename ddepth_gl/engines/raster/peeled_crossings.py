"""PeeledCrossings: layers of both facings, peeled together and kept on the device.

`peeling` peels fronts and backs apart, and merges them on the CPU: each pass draws half the faces.
Peeled together, in the order (depth, face), layer k is at once the k-th crossing of every pixel.
That takes no list and nothing of the CPU. See decision 27.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...gl.context import GLContext
from ..shared.image_limits import ImageLimits
from ..shared.image_targets import FullscreenPasses
from .peeling import LayerDraws
from .selection import FaceList

__all__ = ["PeeledCrossings", "PeeledTargets"]


class PeeledTargets:
    """The images that layers are peeled to.

    Args:
        context: current in every call.
        size: (width, height) in pixels.

    Attributes:
        key: the arguments after `context`.
        layers: texture and framebuffer of a layer, and of the one after it.
        facing_counts: texture and framebuffer of the numbers of fronts and backs.
        counts: texture and framebuffer of the numbers of crossings.

    Raises:
        DeviceMemoryError: they do not fit into the device's memory.
    """

    def __init__(self, context: GLContext, size: tuple[int, int]) -> None:
        self.key = (size,)
        self._context = context
        self._gl_objects: list[Any] = []
        with context.allocating("layers", size, self._gl_objects):
            depth_buffer = context.functions.depth_texture(size, stencil=True)
            self._gl_objects.append(depth_buffer)
            self.layers = [self._image(size, 2, "u4", depth_buffer) for _ in range(2)]
            for _, framebuffer in self.layers:
                context.functions.attach_stencil(framebuffer, depth_buffer)
            self.facing_counts = self._image(size, 2, "f4")
            self.counts = self._image(size, 1, "i4")

    def _image(
        self, size: tuple[int, int], components: int, dtype: str, depth_buffer: Any = None
    ) -> tuple[Any, Any]:
        gl = self._context.gl
        texture = gl.texture(size, components, dtype=dtype)
        self._gl_objects.append(texture)
        framebuffer = gl.framebuffer([texture], depth_buffer)
        self._gl_objects.append(framebuffer)
        return texture, framebuffer

    def release(self) -> None:
        """Free all textures and framebuffers."""
        self._context.release_all(self._gl_objects)


class PeeledCrossings:
    """All crossings of an image, see `DeviceCrossings`.

    Args:
        context: current in every call.
        passes: of the context.
        limits: of the context.
        targets: to draw to.
        draws: draw calls for the mesh.
        faces: faces that may cover a pixel; None if all may.
    """

    def __init__(
        self,
        context: GLContext,
        passes: FullscreenPasses,
        limits: ImageLimits,
        targets: PeeledTargets,
        draws: LayerDraws,
        faces: FaceList | None,
    ) -> None:
        self._context, self._targets, self._draws, self._faces = context, targets, draws, faces
        gl = context.gl
        facing_counts, framebuffer = targets.facing_counts
        framebuffer.color_mask = (True,) * 4
        framebuffer.use()  # moderngl applies the mask here
        framebuffer.viewport = (0, 0, *framebuffer.size)
        framebuffer.scissor = None
        framebuffer.clear()
        gl.enable_only(gl.BLEND)
        gl.blend_equation = gl.FUNC_ADD
        gl.blend_func = gl.ONE, gl.ONE
        gl.front_face = "cw"  # see Camera.projection
        draws.count(faces)
        self.counts, framebuffer = targets.counts
        passes.draw(
            framebuffer, "crossing_counts", {"IN_BUFFER": 0}, {"facing_counts": facing_counts}, {}
        )
        _, most = limits.of(self.counts, is_integer=True) or (0, 0)
        self.max_count = int(most)

    def layers(self, stop: int | None = None) -> Iterator[Any]:
        """Yield the layers, see `DeviceCrossings`."""
        gl = self._context.gl
        layers = self._targets.layers
        for index in range(self.max_count if stop is None else min(stop, self.max_count)):
            texture, framebuffer = layers[index % 2]
            gl.enable_only(gl.DEPTH_TEST)
            gl.front_face, gl.depth_func = "cw", "<"
            framebuffer.color_mask, framebuffer.depth_mask = (True,) * 4, True
            framebuffer.use()  # moderngl applies the masks here
            framebuffer.viewport = (0, 0, *framebuffer.size)
            framebuffer.scissor = None
            self._context.functions.clear_depth()
            if index:
                layers[1 - index % 2][0].use(0)
            (self._draws.later if index else self._draws.first)(0, self._faces)
            yield texture
