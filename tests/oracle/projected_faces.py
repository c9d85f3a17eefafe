"""Faces in the camera frame and in the image, and distances from pixel centers to their edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .geometry import Booleans, Floats, Integers, View, cross, norm, project


@dataclass(frozen=True)
class ProjectedFaces:
    """The F faces that have area and a corner in front of the camera.

    Attributes:
        index: (F,) index into the faces as given.
        X, Y, w: (3, F) homogeneous image coordinates of the corners: image = (X, Y) / w. `w` is
            camera z, or 1 if orthographic.
        plane: (3, F) coefficients, affine in (u, v), of the plane's 1/z, or of z if orthographic.
        z_low, z_high: (F,) range of the face's own depths, never below 0.
        size: (F,) largest coordinate in the camera frame; float32 rounding is relative to it.
        sign: (F,) sign that the triple products have inside the face; 0 if seen edge-on.
        front: (F,) the ray's origin sees the counter-clockwise side.
        thin: (F,) corners that move by the margin may turn the face over.
    """

    index: Integers
    X: Floats
    Y: Floats
    w: Floats
    plane: Floats
    z_low: Floats
    z_high: Floats
    size: Floats
    sign: Floats
    front: Booleans
    thin: Booleans


def project_faces(vertices: Floats, faces: Integers, view: View, margin: float) -> ProjectedFaces:
    """Project all faces that a ray could meet; `margin` in pixels."""
    # A face without area covers nothing. The test runs in the mesh's own frame, before any rotation
    # adds rounding.
    index: Integers = np.arange(len(faces))
    corner = [tuple(vertices[faces[:, j]].T) for j in range(3)]
    e1 = [b - a for a, b in zip(corner[0], corner[1], strict=True)]
    e2 = [b - a for a, b in zip(corner[0], corner[2], strict=True)]
    has_area = norm(cross(e1, e2)) > 4 * np.finfo(float).eps * norm(e1) * norm(e2)
    index, faces = index[has_area], faces[has_area]

    camera, image = project(vertices, view)
    p = [[component[faces[:, j]] for component in camera] for j in range(3)]  # p[corner][axis]
    z = np.array([p[j][2] for j in range(3)])
    in_front = z.max(axis=0) > 0
    index, faces, z = index[in_front], faces[in_front], z[:, in_front]
    p = [[component[in_front] for component in q] for q in p]
    X, Y, w = (np.array([component[faces[:, j]] for j in range(3)]) for component in image)

    # The plane is normal . point = offset, with the normal on the counter-clockwise side.
    normal = cross(*([b - a for a, b in zip(p[0], p[j], strict=True)] for j in (1, 2)))
    offset = np.asarray(sum(n * a for n, a in zip(normal, p[0], strict=True)))
    inverse = np.linalg.inv(np.asarray(view.K, np.float64))
    size = np.abs(np.array(p)).max(axis=(0, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        if view.orthographic:
            # The ray is (x, y, 0) + z (0, 0, 1) with (x, y, 1) = inverse K (u, v, 1).
            toward = normal[2]
            plane = np.array(
                [-(normal[0] * inverse[0, k] + normal[1] * inverse[1, k]) for k in range(3)]
            )
            plane[2] += offset
            plane /= toward
            edge_on = np.abs(toward) <= 1e-14 * norm(normal)
        else:
            # The ray is z (inverse K (u, v, 1)), so 1/z = normal . direction / offset is affine in
            # the image. All pixels see one side: where z > 0, normal . direction has the sign of
            # the offset.
            toward = offset
            plane = np.array(
                [sum(n * inverse[i, k] for i, n in enumerate(normal)) for k in range(3)]
            )
            plane /= offset
            edge_on = np.abs(toward) <= 1e-14 * norm(normal) * size

        # Three corners that each move by `margin` cannot turn the triangle over if its smallest
        # altitude in the image is larger than twice the margin.
        px, py = X / w, Y / w
        area = np.abs((px[1] - px[0]) * (py[2] - py[0]) - (px[2] - px[0]) * (py[1] - py[0]))
        longest = np.max([np.hypot(px[j] - px[j - 1], py[j] - py[j - 1]) for j in range(3)], axis=0)
        thin = area <= 2 * margin * longest
    # A face that crosses z = 0 has no altitude in the image. It is thin if its plane holds the
    # camera center.
    crosses = w.min(axis=0) <= 0
    thin[crosses] = np.abs(toward[crosses]) <= view.edge_on * (norm(normal) * size)[crosses]

    return ProjectedFaces(
        index=index,
        X=X,
        Y=Y,
        w=w,
        plane=plane,
        z_low=np.maximum(z.min(axis=0), 0),
        z_high=z.max(axis=0),
        size=size,
        sign=np.where(edge_on, 0, np.sign(toward) * np.sign(np.linalg.det(view.K))),
        front=toward < 0,
        thin=thin | edge_on,
    )


def pixel_boxes(
    f: ProjectedFaces, view: View, reach: float
) -> tuple[Integers, Integers, Integers, Integers]:
    """Return the box of pixel centers within `reach` pixels of each face's bounds.

    Returns:
        First row, first column, number of rows and number of columns, each (F,).
    """
    front = f.w > 0

    def bounds(A: Floats) -> tuple[Floats, Floats]:
        # The range of A / w over the part of the face with w > 0. It covers the corners there. Each
        # edge from a corner a in front to a corner b behind adds a ray: its image runs from that of
        # a to infinity, with the sign of A_b w_a - A_a w_b.
        with np.errstate(all="ignore"):
            image = A / f.w
        low = np.where(front, image, np.inf).min(axis=0)
        high = np.where(front, image, -np.inf).max(axis=0)
        for a, b in ((0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)):
            leaves, along = front[a] & ~front[b], A[b] * f.w[a] - A[a] * f.w[b]
            low[leaves & (along < 0)] = -np.inf
            high[leaves & (along > 0)] = np.inf
        return low, high

    def span(low: Floats, high: Floats, count: int) -> tuple[Integers, Integers]:
        # The center of pixel i is at i + 0.5. Bounds may be huge: clip before converting to int.
        first = np.ceil(np.clip(low - reach - 0.5, -1, count + 1)).astype(np.int64)
        last = np.floor(np.clip(high + reach - 0.5, -1, count + 1)).astype(np.int64)
        first, last = np.maximum(first, 0), np.minimum(last, count - 1)
        return first, np.maximum(last - first + 1, 0)

    column, columns = span(*bounds(f.X), view.width)
    row, rows = span(*bounds(f.Y), view.height)
    return row, column, rows, columns


def corners_around(
    f: ProjectedFaces, g: Integers, row: Integers, column: Integers
) -> tuple[Floats, Floats, Floats]:
    """Return the corners of faces `g` (N,) with the image's origin moved to the pixels' centers.

    Returns:
        X, Y and w, each (3, N).
    """
    w = f.w[:, g]
    return f.X[:, g] - (column + 0.5) * w, f.Y[:, g] - (row + 0.5) * w, w


def edge_functions(
    f: ProjectedFaces, g: Integers, X: Floats, Y: Floats, w: Floats
) -> tuple[Floats, Floats]:
    """Return the triple product of the ray and each edge, and the length of its gradient: (3, N).

    The triple product is positive inside the face. Divided by the length, it is the signed distance
    in pixels to the edge's line. With the image's origin at the ray, the triple product d . (a x b)
    is a 2x2 determinant, whose rounding is relative to the distance to the edge. Swapping a and b
    negates the exact bits, so a point on a common edge is never outside both faces.
    """
    sign = f.sign[g]
    edge = np.empty_like(X)
    length = np.empty_like(X)
    for j in range(3):
        a, b = j, (j + 1) % 3
        edge[j] = sign * (X[a] * Y[b] - X[b] * Y[a])
        length[j] = np.hypot(Y[a] * w[b] - Y[b] * w[a], X[b] * w[a] - X[a] * w[b])
    return edge, length


def edge_distance(X: Floats, Y: Floats, w: Floats, j: int) -> Floats:
    """Return the distance in pixels from the origin to the visible part of edge j.

    Edge j runs from corner j to the next one. Its visible part has w > 0: a segment, a half-line if
    one end is behind the camera, nothing (infinite distance) if both are.
    """
    k = (j + 1) % 3
    swap = w[j] < w[k]  # start at the end with the larger w, which is in front if either is
    Xa, Xb = np.where(swap, X[k], X[j]), np.where(swap, X[j], X[k])
    Ya, Yb = np.where(swap, Y[k], Y[j]), np.where(swap, Y[j], Y[k])
    wa, wb = np.where(swap, w[k], w[j]), np.where(swap, w[j], w[k])
    with np.errstate(all="ignore"):
        ax, ay = Xa / wa, Ya / wa
        # The image of a + t (b - a) runs in this direction. It reaches b at t = 1 / (wa wb), or
        # never if b is behind the camera.
        dx, dy = Xb * wa - Xa * wb, Yb * wa - Ya * wb
        end = np.where(wb > 0, 1 / (wa * wb), np.inf)
        t = np.clip(-(ax * dx + ay * dy) / (dx * dx + dy * dy), 0, end)
        t = np.where(np.isnan(t), 0, t)
        distance = np.hypot(ax + t * dx, ay + t * dy)
    return np.where(wa > 0, distance, np.inf)
