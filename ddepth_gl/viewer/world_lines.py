"""Lines of the mould view: the frustum of the rendering camera, and a ray with its pieces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..camera.camera import Camera
from ..mesh.mesh import Mesh
from .probe import Probe

__all__ = [
    "clip_from_world",
    "depth_interval",
    "frustum_segments",
    "mesh_edges",
    "ray_segments",
    "widened",
]

Float64Array = npt.NDArray[np.float64]
# The smallest depth that a mould camera draws, as a part of the largest.
_NEAREST = 1e-4
_TIP = 0.15  # where the image of a frustum is drawn, as a part of its depth


def frustum_segments(camera: Camera, mesh: Mesh) -> Float64Array:
    """Return (N, 2, 3): segments that outline what a camera sees, world frame.

    It ends behind the mesh.

    Args:
        camera: the rendering camera.
        mesh: what it renders.
    """
    far = max(depth_interval(camera, mesh)[1], 1e-6)
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float64) * (camera.width, camera.height)
    rings = [
        camera.unproject(corners, np.full(4, depth))
        for depth in ((0.0, far) if camera.is_orthographic else (0.0, _TIP * far, far))
    ]
    edges = np.stack([rings[0], rings[-1]], axis=1)
    around = [np.stack([ring, np.roll(ring, -1, axis=0)], axis=1) for ring in rings]
    if not camera.is_orthographic:
        around = around[1:]
    return np.concatenate([edges, *around])


def ray_segments(probe: Probe, camera: Camera, mesh: Mesh) -> tuple[Float64Array, Float64Array]:
    """Return (1, 2, 3) the ray of a probe, and (N, 2, 3) its pieces inside the solid.

    It ends behind the mesh.
    """
    far = depth_interval(camera, mesh)[1]
    ends = [crossing.distance for crossing in probe.crossings]
    ray = np.array([[probe.at(0.0), probe.at(1.05 * max([far, *ends]))]])
    pieces = [[probe.at(start), probe.at(end)] for start, end in probe.inside]
    return ray, np.array(pieces, np.float64).reshape(-1, 2, 3)


def depth_interval(camera: Camera, mesh: Mesh, *more: Float64Array) -> tuple[float, float]:
    """Return the smallest and the largest depth of the mesh's box and more points, mesh units."""
    low, high = mesh.bounds
    box = np.stack(np.meshgrid(*zip(low, high, strict=True)), axis=-1).reshape(-1, 3)
    points = np.concatenate([box, *(each.reshape(-1, 3) for each in more)])
    pose = camera.camera_from_world
    depth = points @ pose[2, :3] + pose[2, 3]
    return float(depth.min()), float(depth.max())


def clip_from_world(camera: Camera, depths: tuple[float, float]) -> Float64Array:
    """Return the (4, 4) matrix from the world frame to clip space, the image's top row on top.

    Args:
        camera: of the mould view.
        depths: between these, points are drawn.
    """
    near, far = depths
    pad = 0.01 * max(far - near, 1e-30)
    near, far = near - pad, far + pad
    if camera.is_orthographic:
        row = (0.0, 0.0, 2.0 / (far - near), -(far + near) / (far - near))
    else:
        far = max(far, 1e-30)
        near = max(near, _NEAREST * far)
        if near >= far:
            near = 0.5 * far
        row = (0.0, 0.0, (far + near) / (far - near), -2.0 * far * near / (far - near))
    matrix: Float64Array = camera.projection(row) @ camera.camera_from_world
    matrix[1] = -matrix[1]  # row 0 of a window is at its bottom
    return matrix


def widened(
    segments: Float64Array, matrix: Float64Array, size: tuple[int, int], width: float
) -> npt.NDArray[np.float32]:
    """Return (n, 4) float32 clip positions of triangles that draw segments with a width.

    Core profiles draw lines one pixel wide.

    Args:
        segments: (N, 2, 3) world frame.
        matrix: (4, 4) from there to clip space.
        size: (width, height) of the viewport, pixels.
        width: of the lines, pixels.
    """
    clip = segments @ matrix[:, :3].T + matrix[:, 3]
    # What lies behind the near plane is cut off: dividing by w needs points in front of the camera.
    before = clip[..., 2] + clip[..., 3]
    is_seen = (before > 0.0).any(axis=1)
    clip, before = clip[is_seen], before[is_seen]
    for this, other in ((0, 1), (1, 0)):
        behind = np.flatnonzero(before[:, this] <= 0.0)
        b_this, b_other = before[behind, this, None], before[behind, other, None]
        step = clip[behind, other] - clip[behind, this]
        clip[behind, this] += b_this / (b_this - b_other) * step
    start, end = clip[(clip[..., 3] > 0.0).all(axis=1)].swapaxes(0, 1)
    half = np.array(size) / 2.0
    along = (end[:, :2] / end[:, 3:] - start[:, :2] / start[:, 3:]) * half
    length = np.linalg.norm(along, axis=1, keepdims=True)
    along = np.divide(along, length, out=np.zeros_like(along), where=length > 0.0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) * (width / 2.0) / half

    def moved(points: Float64Array, side: float) -> Float64Array:
        result = points.copy()
        result[:, :2] += side * across * points[:, 3:]
        return result

    a, b, c, d = moved(start, 1.0), moved(start, -1.0), moved(end, 1.0), moved(end, -1.0)
    return np.stack([a, b, c, c, b, d], axis=1).reshape(-1, 4).astype(np.float32)


def mesh_edges(mesh: Mesh) -> npt.NDArray[np.int32]:
    """Return (E, 2) int32: the vertices of each edge, each edge once."""
    faces = mesh.faces
    sides = np.sort(np.concatenate([faces[:, (0, 1)], faces[:, (1, 2)], faces[:, (2, 0)]]), axis=1)
    keys = np.unique(sides[:, 0].astype(np.int64) * len(mesh.vertices) + sides[:, 1])
    return np.stack(np.divmod(keys, len(mesh.vertices)), axis=1).astype(np.int32)
