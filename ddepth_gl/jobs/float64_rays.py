"""Rays in float64: every face that a ray through the image meets, computed by NumPy alone.

It shares nothing with the engines, so that what they rendered can be checked anywhere. It is slow:
thousands of rays a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..camera.camera import Camera

__all__ = ["MARGIN", "Crossings", "RayCaster"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Booleans = npt.NDArray[np.bool_]

# The engines may decide coverage at a point this far from the center of the pixel, in pixels.
MARGIN = 1 / 128
# The center of the square, then its corners, then the middles of its sides, in margins.
_CORNERS = slice(1, 5)
_OFFSETS = np.array(
    [(0, 0), (-1, -1), (1, -1), (-1, 1), (1, 1), (0, -1), (0, 1), (-1, 0), (1, 0)], np.float64
)
_MAX_PAIRS = 1 << 20  # of faces and points at once


@dataclass(frozen=True)
class Crossings:
    """The faces that rays meet, or may meet within the margin; sorted by point.

    There are N points and C crossings. The rays of a point are those through its center and
    through eight points on the border of the square of `MARGIN` around it.

    Attributes:
        point: (C,) number of the point.
        face: (C,) index into the faces.
        depth: (C, 9) camera z where each ray meets the plane of the face; NaN if it does not.
        hit: (C, 9) the ray meets the face, in front of the camera.
        front: (C,) the counter-clockwise side is seen by the ray through the center.
        turns: (C,) rays of the square see it from both sides, or edge-on, or reach behind it.
        low, high: (C,) least and greatest depth of the face within the square.
        certain: (C,) the face covers the whole square, seen from one side.
    """

    point: Integers
    face: Integers
    depth: Floats
    hit: Booleans
    front: Booleans
    turns: Booleans
    low: Floats
    high: Floats
    certain: Booleans

    def of_ray(self) -> Integers:
        """Return the crossings that the middle ray of each point hits, as indices into the arrays.

        They are sorted by point, then by depth, then by face.
        """
        hits = np.flatnonzero(self.hit[:, 0])
        order = np.lexsort((self.face[hits], self.depth[hits, 0], self.point[hits]))
        return hits[order]


class RayCaster:
    """A caster of rays through points of an image.

    The intersection is that of Möller and Trumbore, "Fast, Minimum Storage Ray/Triangle
    Intersection" (1997), in the camera frame: rays have z = 1, so the parameter is the depth.

    Args:
        vertices: (V, 3) world frame.
        faces: (F, 3) indices of vertices.
        camera: the camera.
    """

    def __init__(self, vertices: npt.ArrayLike, faces: npt.ArrayLike, camera: Camera) -> None:
        self._camera = camera
        corners = np.asarray(vertices, np.float64)[np.asarray(faces, np.int64)]  # (F, 3, 3)
        pose = camera.camera_from_world
        self._corners = corners @ pose[:3, :3].T + pose[:3, 3]
        z = self._corners[..., 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            image = self._corners if camera.is_orthographic else self._corners / z[..., None]
            image = image[..., :2] @ camera.K[:2, :2].T + camera.K[:2, 2]
        self._low, self._high = image.min(axis=1), image.max(axis=1)  # (F, 2)
        if not camera.is_orthographic:
            # The image of a face that reaches behind the camera may be anywhere.
            behind = (z <= 0.0).any(axis=1)
            self._low[behind], self._high[behind] = -np.inf, np.inf
        self._front_faces = np.flatnonzero((z > 0.0).any(axis=1))

    def cast(self, points: npt.ArrayLike) -> Crossings:
        """Return the crossings of rays through points of the image.

        Args:
            points: (N, 2) image coordinates; pixel (row r, column c) has its center at
                (c + 0.5, r + 0.5).
        """
        centers = np.asarray(points, np.float64).reshape(-1, 2)
        parts = [self._crossings(centers, *pairs) for pairs in self._near_pairs(centers)]
        fields = [np.concatenate(each) for each in zip(*parts, strict=True)]
        order = np.argsort(fields[0], kind="stable")
        return Crossings(*(each[order] for each in fields))

    def _near_pairs(self, centers: Floats) -> Iterator[tuple[Integers, Integers]]:
        """Yield numbers of points and of faces whose bounding boxes touch the points' squares."""
        by_row = np.argsort(centers[:, 1], kind="stable")
        rows = centers[by_row, 1]
        faces = self._front_faces
        first = np.searchsorted(rows, self._low[faces, 1] - MARGIN, "left")
        count = np.searchsorted(rows, self._high[faces, 1] + MARGIN, "right") - first
        yield np.zeros(0, np.int64), np.zeros(0, np.int64)
        start = 0
        ends = np.cumsum(count)
        while start < len(faces):
            done = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, done + _MAX_PAIRS, "right")))
            of_face = np.repeat(np.arange(start, stop), count[start:stop])
            within = np.arange(len(of_face)) - np.repeat(
                ends[start:stop] - count[start:stop] - done, count[start:stop]
            )
            point, face = by_row[first[of_face] + within], faces[of_face]
            x = centers[point, 0]
            near = (self._low[face, 0] <= x + MARGIN) & (self._high[face, 0] >= x - MARGIN)
            yield point[near], face[near]
            start = stop

    def _crossings(
        self, centers: Floats, point: Integers, face: Integers
    ) -> tuple[npt.NDArray[Any], ...]:
        corners = self._corners[face]
        origin, direction = self._rays(centers[point][:, None] + MARGIN * _OFFSETS)  # (P, 9, 3)
        a = corners[:, None, 0]
        to_b, to_c = corners[:, None, 1] - a, corners[:, None, 2] - a
        p = np.cross(direction, to_c)
        from_a = origin - a
        q = np.cross(from_a, to_b)
        determinant = _dot(to_b, p)
        with np.errstate(divide="ignore", invalid="ignore"):
            weight_b, weight_c = _dot(from_a, p) / determinant, _dot(direction, q) / determinant
            depth = _dot(to_c, q) / determinant
        weights = np.stack([1.0 - weight_b - weight_c, weight_b, weight_c])
        inside: Booleans = np.asarray((weights >= 0.0).all(axis=0))
        hit = inside & np.greater(depth, 0.0)

        # A square and a triangle, both convex, are apart if a side of one separates them: those of
        # the square did not (the bounding boxes touch), so those of the triangle decide.
        at_corners = weights[:, :, _CORNERS]
        ahead = depth[:, _CORNERS] > 0.0
        sides = np.equal(np.sign(determinant[:, _CORNERS]), np.sign(determinant[:, :1]))
        one_side = np.not_equal(determinant[:, 0], 0.0) & sides.all(axis=1)
        same_side = one_side & ahead.all(axis=1)
        apart = same_side & (at_corners < 0.0).all(axis=2).any(axis=0)
        apart |= one_side & ~ahead.any(axis=1)  # all rays meet the plane behind the camera
        nearest, farthest = corners[..., 2].min(axis=1), corners[..., 2].max(axis=1)
        of_plane = depth[:, _CORNERS]
        low = np.where(same_side, np.clip(of_plane.min(axis=1), nearest, farthest), nearest)
        high = np.where(same_side, np.clip(of_plane.max(axis=1), nearest, farthest), farthest)
        certain = same_side & inside[:, _CORNERS].all(axis=1)
        keep = ~apart
        front = np.greater(determinant[:, 0], 0.0)
        fields = (point, face, depth, hit, front, ~same_side, low, high, certain)
        return tuple(each[keep] for each in fields)

    def _rays(self, image: Floats) -> tuple[Floats, Floats]:
        """Return origins and directions in the camera frame, with directions of z = 1."""
        K = self._camera.K
        y = (image[..., 1] - K[1, 2]) / K[1, 1]
        x = (image[..., 0] - K[0, 2] - K[0, 1] * y) / K[0, 0]
        at_one = np.stack([x, y, np.ones_like(x)], axis=-1)
        if self._camera.is_orthographic:
            return at_one * (1.0, 1.0, 0.0), np.broadcast_to([0.0, 0.0, 1.0], at_one.shape)
        return np.zeros_like(at_one), at_one


def _dot(a: Floats, b: Floats) -> Floats:
    return np.asarray((a * b).sum(axis=-1))
