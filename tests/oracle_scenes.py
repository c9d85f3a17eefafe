"""Meshes, views and closed forms for the tests of the oracle, written from first principles."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import oracle

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Arrays = tuple[Floats, Floats]
Mesh = tuple[Floats, Integers]

BOX_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
# Counter-clockwise seen from outside. Corner (x, y, z), each 0 or 1, has index 4x + 2y + z.
BOX_QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
BOX_FACES = np.array([t for a, b, c, d in BOX_QUADS for t in ((a, b, c), (a, c, d))])


def sphere(level: int, radius: float = 1.0) -> Mesh:
    """Return an octahedron with its faces split in four `level` times, projected onto a sphere."""
    vertices = np.array(
        [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)], float
    )
    octants = [
        (x, y, z) if (x + y + z) % 2 == 0 else (x, z, y)
        for x in (0, 1)
        for y in (2, 3)
        for z in (4, 5)
    ]
    faces = np.array(octants)
    for _ in range(level):
        pairs = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        unique, where = np.unique(pairs, axis=0, return_inverse=True)
        middle = where.reshape(-1, 3) + len(vertices)
        vertices = np.concatenate([vertices, vertices[unique].sum(axis=1)])
        vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
        (a, b, c), (ab, bc, ca) = faces.T, middle.T
        faces = np.concatenate(
            [np.stack(t, axis=1) for t in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))]
        )
    return vertices * radius, faces


def torus(around: int = 40, across: int = 20) -> Mesh:
    """Return a torus of radii 1 and 0.4 around the z axis."""
    i, j = (index.ravel() for index in np.mgrid[:around, :across])
    u, v = 2 * np.pi * i / around, 2 * np.pi * j / across
    ring = 1 + 0.4 * np.cos(v)
    vertices = np.stack([ring * np.cos(u), ring * np.sin(u), 0.4 * np.sin(v)], axis=1)

    def at(i: Integers, j: Integers) -> Integers:
        return (i % around) * across + j % across

    quad = at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)
    return vertices, np.concatenate(
        [np.stack([quad[k] for k in t], axis=1) for t in ((0, 1, 2), (0, 2, 3))]
    )


def joined(*meshes: tuple[Floats, npt.ArrayLike]) -> Mesh:
    """Return several meshes as one."""
    vertices = [v for v, _ in meshes]
    first = np.cumsum([0, *map(len, vertices[:-1])])
    faces = [np.asarray(f, np.int64) + base for (_, f), base in zip(meshes, first, strict=True)]
    return np.concatenate(vertices), np.concatenate(faces)


def rotation(rng: np.random.Generator) -> Floats:
    """Return a random rotation (3, 3)."""
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return np.asarray(q * np.linalg.det(q))


def pose(R: npt.ArrayLike | None = None, t: npt.ArrayLike = (0, 0, 0)) -> Floats:
    """Return the rigid motion (4, 4) with rotation R and translation t."""
    M = np.eye(4)
    M[:3, :3] = np.eye(3) if R is None else R
    M[:3, 3] = t
    return M


def look(
    width: int = 64,
    height: int = 48,
    R: npt.ArrayLike | None = None,
    t: npt.ArrayLike = (0, 0, 4),
    focal: float = 60.0,
    **options: Any,
) -> oracle.View:
    """Return a view with skew, unequal focal lengths and an off-center principal point."""
    K = np.array([[focal, 0.07 * focal, width * 0.53], [0, focal * 1.1, height * 0.46], [0, 0, 1]])
    return oracle.View(K, pose(R, t), width, height, **options)


def plain(
    size: int = 32, focal: float = 32.0, t: npt.ArrayLike = (0, 0, 0), **options: Any
) -> oracle.View:
    """Return a view with round numbers.

    By default, pixel (r, c) looks along ((c + 0.5) / 32 - 0.5, (r + 0.5) / 32 - 0.5, 1).
    """
    K = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])
    return oracle.View(K, pose(t=t), size, size, **options)


def rays(view: oracle.View) -> Arrays:
    """Return origin and direction of every pixel's ray, (H*W, 3) each, in the world frame.

    The point at a depth is origin + depth * direction.
    """
    v, u = np.mgrid[: view.height, : view.width] + 0.5
    image = np.stack([u.ravel(), v.ravel(), np.ones(u.size)])
    camera = (np.linalg.inv(view.K) @ image).T
    if view.orthographic:
        origin, direction = camera * (1, 1, 0), np.zeros_like(camera)
        direction[:, 2] = 1
    else:
        origin, direction = np.zeros_like(camera), camera
    R, t = view.camera_from_world[:3, :3], view.camera_from_world[:3, 3]
    return (origin - t) @ R, direction @ R


def slabs(view: oracle.View, half: npt.ArrayLike) -> Arrays:
    """Return the depths where each ray enters and leaves the box |x| <= half.

    Each is (H, W), NaN for a miss.
    """
    half = np.asarray(half)
    origin, direction = rays(view)
    with np.errstate(divide="ignore"):
        a, b = (-half - origin) / direction, (half - origin) / direction
    enter, leave = np.minimum(a, b).max(axis=1), np.maximum(a, b).min(axis=1)
    miss = (enter > leave) | (leave <= 0)
    enter, leave = np.where(miss, np.nan, enter), np.where(miss, np.nan, leave)
    return np.where(enter > 0, enter, np.nan).reshape(view.shape), leave.reshape(view.shape)


def ball(view: oracle.View, radius: float) -> Arrays:
    """Return the depths where each ray enters and leaves a ball around the origin.

    Each is (H, W), NaN for a miss.
    """
    origin, direction = rays(view)
    a, b = (direction**2).sum(axis=1), (origin * direction).sum(axis=1)
    with np.errstate(invalid="ignore"):
        root = np.sqrt(b * b - a * ((origin**2).sum(axis=1) - radius**2))
    return ((-b - root) / a).reshape(view.shape), ((-b + root) / a).reshape(view.shape)


def same(got: Floats, expected: npt.ArrayLike, tolerance: float = 1e-11) -> bool:
    """Assert equality within a relative tolerance, with NaN at the same positions."""
    np.testing.assert_allclose(got, np.asarray(expected), rtol=tolerance, atol=0.0)
    return True


def float32(values: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return the values in a renderer's precision."""
    return np.asarray(values).astype(np.float32)


def checked(
    ref: oracle.Reference,
    entry: npt.ArrayLike | None = None,
    exit: npt.ArrayLike | None = None,
    **options: Any,
) -> oracle.Report:
    """Check the reference's own sheets in float32; `entry` and `exit` replace them."""
    given = [ref.entry if entry is None else entry, ref.exit if exit is None else exit]
    return oracle.check(ref, float32(given[0]), float32(given[1]), **options)
