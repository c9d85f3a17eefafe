"""The scale and position of points whose bounding boxes in images fit those of silhouettes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..camera.camera import Camera
from ..camera.checks import Float64Array
from .directions import fibonacci_directions
from .photo_masks import Mask

if TYPE_CHECKING:
    from ..mesh.mesh import Mesh

__all__ = ["Outlines", "extreme_points", "outline_iou"]

_MANY_POINTS = 4096
_DIRECTIONS = 256
_CHUNK = 8192
_ROUNDS = 12
# Digits of a fit, relative to its size: fewer than the last bits, which depend on the CPU.
_DIGITS = 6


def extreme_points(mesh: Mesh) -> Float64Array:
    """Return (N, 3) points of a mesh that bound it in all directions.

    They are all vertices of its faces or, of many, the farthest ones in 256 directions.
    """
    points: Float64Array = mesh.vertices[np.unique(mesh.faces)]
    if len(points) <= _MANY_POINTS:
        return points
    directions = np.array(fibonacci_directions(_DIRECTIONS, 0.0, (-90.0, 90.0))).T
    farthest = np.full(_DIRECTIONS, -np.inf)
    indices = np.zeros(_DIRECTIONS, np.int64)
    for start in range(0, len(points), _CHUNK):
        reach = points[start : start + _CHUNK] @ directions
        at = reach.argmax(axis=0)
        largest = reach[at, np.arange(_DIRECTIONS)]
        is_farther = largest > farthest
        farthest[is_farther], indices[is_farther] = largest[is_farther], at[is_farther] + start
    kept: Float64Array = points[np.unique(indices)]
    return kept


class Outlines:
    """Bounding boxes of silhouettes in the images of perspective cameras.

    Args:
        cameras: the cameras.
        masks: (H, W) bool silhouettes, none of them empty.

    Attributes:
        cameras: the cameras.
        boxes: (N, 4) image coordinates: left, right, top and bottom edge.
        counts: (N, 4) bool: the edge is not at the edge of the image, where it may be cut off.
    """

    def __init__(self, cameras: Sequence[Camera], masks: Sequence[Mask]) -> None:
        self.cameras = list(cameras)
        boxes, counts = [], []
        for mask in masks:
            box: list[int] = []
            inside: list[bool] = []
            for axis, length in ((0, mask.shape[1]), (1, mask.shape[0])):
                hits = np.flatnonzero(mask.any(axis=axis))
                low, high = int(hits[0]), int(hits[-1]) + 1
                box += [low, high]
                inside += [low > 0, high < length]
            boxes.append(box)
            counts.append(inside)
        self.boxes: Float64Array = np.array(boxes, np.float64)
        self.counts = np.array(counts)

    def fitted(self, points: Float64Array) -> tuple[float, tuple[float, ...]] | None:
        """Return the scale and the offset of points with which their boxes fit best.

        The unknowns (scale, offset) are found by Gauss-Newton steps on the edges of the boxes. With
        the points that touch the edges held fixed in a step, an edge depends smoothly on them.

        Args:
            points: (N, 3) turned, neither scaled nor moved.

        Returns:
            Scale and offset, rounded to six digits; None if there is no fit.
        """
        state = self._start(points)
        if state is None:
            return None
        for _ in range(_ROUNDS):
            system = self._edges(points * state[0] + state[1:], points)
            if system is None:
                return None
            residuals, slopes = system
            step = np.linalg.lstsq(slopes, -residuals, rcond=1e-9)[0]
            # A scale is at most halved or doubled in a step.
            limit = 0.5 * state[0] / max(abs(step[0]), 1e-300)
            state = state + step * min(1.0, limit)
            if not np.isfinite(state).all() or state[0] <= 0.0:
                return None
        size = float(np.abs(points).max()) * state[0]
        digits = _DIGITS - int(np.ceil(np.log10(max(size, 1e-300))))
        scale = float(f"{state[0]:.{_DIGITS}g}")
        return scale, tuple((np.round(state[1:], digits) + 0.0).tolist())

    def _start(self, points: Float64Array) -> Float64Array | None:
        """Return (4,) a first scale and offset, from the middles and sizes of the boxes."""
        normal, right = np.zeros((3, 3)), np.zeros(3)
        middles = np.stack([self.boxes[:, :2].mean(axis=1), self.boxes[:, 2:].mean(axis=1)], -1)
        for camera, middle in zip(self.cameras, middles, strict=True):
            ray = camera.unproject(middle, 1.0) - camera.center
            ray /= np.linalg.norm(ray)
            across = np.eye(3) - np.outer(ray, ray)  # of the distance from the ray
            normal, right = normal + across, right + across @ camera.center
        # With one view, or parallel ones, the point of the rays nearest to the origin.
        center = np.linalg.lstsq(normal, right, rcond=1e-6)[0]
        low, high = points.min(axis=0), points.max(axis=0)
        scales = []
        for camera, box in zip(self.cameras, self.boxes, strict=True):
            depth = float(camera.project(center)[1])
            if depth <= 0.0:
                return None
            side = np.hypot(box[1] - box[0], box[3] - box[2]) / camera.K[1, 1] * depth
            scales.append(side / max(float(np.linalg.norm(high - low)), 1e-300))
        scale = float(np.mean(scales))
        return np.array([scale, *(center - scale * (low + high) / 2.0)])

    def _edges(
        self, placed: Float64Array, points: Float64Array
    ) -> tuple[Float64Array, Float64Array] | None:
        """Return residuals of the edges that count, and their slopes by scale and offset."""
        residuals, slopes = [], []
        for camera, box, counts in zip(self.cameras, self.boxes, self.counts, strict=True):
            image, depth = camera.project(placed)
            if not (depth > 0.0).all():
                return None
            turn = camera.camera_from_world[:3, :3]
            for edge in np.flatnonzero(counts):
                axis, is_high = divmod(int(edge), 2)
                values = image[:, axis]
                at = int(values.argmax() if is_high else values.argmin())
                residuals.append(values[at] - box[edge])
                # Columns: the camera-frame motion of the point by scale and by the three offsets.
                motion = turn @ np.column_stack([points[at], np.eye(3)])
                slope = camera.K[axis, :2] @ motion[:2]
                slopes.append((slope - (values[at] - camera.K[axis, 2]) * motion[2]) / depth[at])
        if len(residuals) < 4:
            return None
        return np.array(residuals), np.array(slopes)


def outline_iou(outlines: Outlines, placed: Float64Array) -> float:
    """Return the mean intersection over union of the boxes of points and of silhouettes.

    Args:
        outlines: the silhouettes.
        placed: (N, 3) points, world frame. Boxes are cut off at the edges of the images; a camera
            that has a point behind it counts 0.
    """
    ratios = []
    for camera, box in zip(outlines.cameras, outlines.boxes, strict=True):
        image, depth = camera.project(placed)
        if not (depth > 0.0).all():
            ratios.append(0.0)
            continue
        size = np.array([camera.width, camera.height])
        low, high = (np.clip(each, 0, size) for each in (image.min(axis=0), image.max(axis=0)))
        area = float(np.prod(high - low)) + (box[1] - box[0]) * (box[3] - box[2])
        overlap = np.minimum(high, box[1::2]) - np.maximum(low, box[::2])
        common = float(np.prod(np.maximum(overlap, 0.0)))
        ratios.append(common / (area - common))
    return float(np.mean(ratios))
