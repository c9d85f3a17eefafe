"""ScreenVertices: where the vertices of a mesh lie in an image, within a known error, by NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ..scene import Scene

__all__ = ["BESIDES", "ScreenVertices", "screen_vertices"]

# Vertices processed at a time: they stay in the cache.
_BLOCK_SIZE = 1 << 14

# Relative error of a float32 operation, and a bound on how many of them add up between a vertex
# and its screen position: in sheet.vert, in clipping and viewport transform, and here.
_ROUNDING, _ROUNDINGS = 2.0**-24, 16
# A larger error is of no use, in pixels.
_MAX_ERROR = 1.0 / 16.0
# Normalized device coordinates up to here have that error. Farther out it may be larger.
_FAR = 2.0

# Bits of outcodes: far out on one side, by axis; or without a position to trust, as the vertex is
# behind the camera or too near.
_BEFORE, _AFTER, _NEAR = (1, 2), (4, 8), 16
BESIDES = 15


@dataclass(frozen=True)
class ScreenVertices:
    """Vertices in an image.

    Attributes:
        size: (width, height) of the image in pixels.
        margin: bound on the distance, along each axis, between the position of a vertex and where
            the rasterizer puts it, pixels.
        positions: (2, V) float32, image coordinates u and v.
        codes: (V,) uint32, a code for u in the lower 16 bits, for v in the upper ones: 2 k between
            the centers of pixels k - 1 and k, 2 k + 1 if it may be on either side of center k. The
            first and the last code hold all that lies outside of the image.
        outcodes: (V,) uint8; not 0 if the vertex has no position to trust, and then with a bit of
            BESIDES for each side of the image that it is far beyond. None if all are 0.
    """

    size: tuple[int, int]
    margin: float
    positions: npt.NDArray[np.float32]
    codes: npt.NDArray[np.uint32]
    outcodes: npt.NDArray[np.uint8] | None

    def extent(self) -> npt.NDArray[np.float64]:
        """Return (2, 2) smallest and largest positions; all if a vertex has none to trust."""
        if self.outcodes is not None:
            return np.array([(-np.inf, -np.inf), (np.inf, np.inf)])
        return np.stack([self.positions.min(axis=1), self.positions.max(axis=1)]).astype(np.float64)


def screen_vertices(
    scene: Scene, camera: Camera, subpixel_bits: int, vertices: npt.NDArray[np.float64]
) -> ScreenVertices | None:
    """Return vertices of a scene's mesh in an image.

    Args:
        scene: Scene to render.
        camera: Camera to render.
        subpixel_bits: GL_SUBPIXEL_BITS: the rasterizer snaps to multiples of 2**-subpixel_bits
            pixel.
        vertices: (V, 3) vertices of the mesh, world frame, or some of them.

    Returns:
        The vertices; None if float32 is too coarse for this camera.
    """
    size = camera.width, camera.height
    error, nearest = _error_and_nearest(scene, camera)
    if error > _MAX_ERROR:
        return None
    margin = 0.5 * 0.5**subpixel_bits + error
    linear = camera.image_from_camera[:, :3] @ camera.camera_from_world[:3, :3]
    constant = camera.image_from_camera[:, 3:]
    positions = np.empty((2, len(vertices)), np.float32)
    codes = np.empty(len(vertices), np.uint32)
    outcodes = np.zeros(len(vertices), np.uint8)
    for start in range(0, len(vertices), _BLOCK_SIZE):
        block = slice(start, start + _BLOCK_SIZE)
        homogeneous = linear @ (vertices[block] - camera.center).T
        homogeneous += constant
        depth = homogeneous[2]  # 1 for an orthographic camera
        if depth.min() < nearest:
            outcodes[block] = np.where(depth < nearest, _NEAR, 0)
            np.maximum(depth, nearest, out=depth)
        for axis, count in enumerate(size):
            position = positions[axis, block]
            np.divide(homogeneous[axis], depth, out=position, casting="same_kind")
            outside = (_FAR - 1.0) * count / 2.0
            if position.min() < -outside or position.max() > count + outside:
                outcodes[block] |= np.where(position < -outside, _BEFORE[axis], 0).astype(np.uint8)
                outcodes[block] |= np.where(position > count + outside, _AFTER[axis], 0).astype(
                    np.uint8
                )
        codes[block] = _codes(positions[1, block], margin, size[1])
        codes[block] <<= 16
        codes[block] |= _codes(positions[0, block], margin, size[0])
    return ScreenVertices(size, margin, positions, codes, outcodes if outcodes.any() else None)


def _error_and_nearest(scene: Scene, camera: Camera) -> tuple[float, float]:
    """Return the largest error of a screen position, and the depth from which on that is true.

    The error of a coordinate, in float32, is relative to the terms that are added up to it.
    """
    clip_from_camera = camera.projection((0.0, 0.0, 0.0, 0.0))[[0, 1, 3]]
    center = camera.camera_from_world[:3, :3] @ (scene.origin - camera.center)
    reach = float(np.linalg.norm(center)) + 1.01 * scene.radius * scene.step
    terms = np.linalg.norm(clip_from_camera[:, :3], axis=1) * reach + np.abs(clip_from_camera[:, 3])
    pixels = max(camera.width, camera.height) / 2.0
    error_by_depth = _ROUNDINGS * _ROUNDING * pixels * float(terms[:2].max() + _FAR * terms[2])
    nearest = 1.0
    if not camera.is_orthographic:
        nearest = max(scene.depth_range(camera)[0], error_by_depth / _MAX_ERROR)
    return error_by_depth / nearest, nearest


def _codes(position: npt.NDArray[np.float32], margin: float, count: int) -> npt.NDArray[np.uint32]:
    codes = np.floor(position + np.float32(margin - 0.5))
    codes += np.ceil(position - np.float32(margin + 0.5))
    codes += np.float32(1.0)
    np.clip(codes, 0.0, 2.0 * count, out=codes)
    result: npt.NDArray[np.uint32] = codes.astype(np.uint32)
    return result
