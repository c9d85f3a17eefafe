"""SolidPass: the length of each ray inside the solid, computed on the device, layer by layer.

Decided as in results/ray_pieces.py. The nesting at the start of a ray follows from all of its
steps. First they are taken to add up to 0, as for a closed mesh and a camera outside; if some do
not, all layers are gone through once more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..camera.camera import Camera
from ..engines.scene import Scene
from ..engines.shared.device_crossings import DeviceCrossings
from ..engines.shared.image_limits import ImageLimits
from ..engines.shared.image_targets import FullscreenPasses, ImageTarget, below_layer
from ..engines.shared.mesh_tables import upload_table
from ..gl.context import GLContext
from ..results.silhouettes import swap_limits

__all__ = ["SolidPass", "along_ray_uniforms"]


class SolidPass:
    """The programs of view_pieces.frag, view_nesting.frag and view_solid.frag, and their images.

    Args:
        context: current in every call.
        passes, limits: of the context.
    """

    def __init__(self, context: GLContext, passes: FullscreenPasses, limits: ImageLimits) -> None:
        self._context, self._passes, self._limits = context, passes, limits
        self._targets: list[ImageTarget] = []

    def draw(
        self, scene: Scene, camera: Camera, crossings: DeviceCrossings, target: ImageTarget
    ) -> None:
        """Draw the length of each ray inside the solid; NaN for a miss, and where it is unknown.

        Args:
            scene: Scene that was rendered.
            camera: Camera of the crossings.
            crossings: all of them.
            target: of one float32 a pixel, which marks pixels.

        Raises:
            DeviceMemoryError: the images do not fit into the device's memory.
        """
        size = camera.width, camera.height
        if not self._targets or self._targets[0].key[0] != size:
            self.release()
            self._targets.append(ImageTarget(self._context, size, 4, "u4", marks=True))
            depth = self._targets[0].depth
            self._targets.append(ImageTarget(self._context, size, 4, "u4", depth=depth))
            self._targets.append(ImageTarget(self._context, size, 1, "i4"))
        even, odd, ends = self._targets
        textures = {
            "pieces_even": even.texture,
            "pieces_odd": odd.texture,
            "counts": crossings.counts,
            "ends": ends.texture,
        }
        options = {"HAS_ENDS": 0, "PERSPECTIVE": int(not camera.is_orthographic)}
        self._draw_pieces(scene, camera, crossings, options, textures)
        self._passes.draw(ends.framebuffer, "view_nesting", {}, textures, {})
        if self._limits.of(ends.texture, is_integer=True) != (0.0, 0.0):
            options["HAS_ENDS"] = 1
            self._draw_pieces(scene, camera, crossings, options, textures)
        for in_blocks in (0, 1):
            self._passes.draw(
                target.framebuffer,
                "view_solid",
                {"IN_BLOCKS": in_blocks, **options},
                textures,
                along_ray_uniforms(camera),
                marks=not in_blocks,
            )

    def _draw_pieces(
        self,
        scene: Scene,
        camera: Camera,
        crossings: DeviceCrossings,
        options: dict[str, int],
        textures: dict[str, Any],
    ) -> None:
        """Draw the pieces after each layer, to one target and the other in turns.

        Pixels without the layer are left out, so the last pieces of a pixel are in one or the
        other, as its count says.
        """
        targets = self._targets
        solid_faces = self._solid_faces(scene)
        for layer, keys in enumerate(crossings.layers()):
            self._passes.draw(
                targets[layer % 2].framebuffer,
                "view_pieces",
                {"FIRST": int(layer == 0), **options},
                {"keys": keys, "solid_faces": solid_faces, **textures},
                {"layer": layer, "swap_limits": np.array(swap_limits(camera))},
                marks=layer == 0,
                below=below_layer(layer),
            )

    def _solid_faces(self, scene: Scene) -> Any:
        def upload() -> Any:
            packed = np.packbits(scene.mesh.bodies.solid_faces, bitorder="little")
            words = np.zeros((-(-len(packed) // 4), 1), np.int32)
            words.view(np.uint8).reshape(-1)[: len(packed)] = packed
            return upload_table(self._context, scene, "solid_faces", words, "split the mesh")

        return scene.cached(("view", "solid_faces"), upload)

    def release(self) -> None:
        """Free the images."""
        for target in self._targets:
            target.release()
        self._targets.clear()


def along_ray_uniforms(camera: Camera) -> dict[str, npt.NDArray[np.float64]]:
    """Return the uniforms of distance_per_depth.glsl."""
    K = camera.K
    return {
        "focal_x": np.ascontiguousarray(K[0], np.float64),
        "focal_y": np.array([K[1, 1], K[1, 2], 0.0]),
    }
