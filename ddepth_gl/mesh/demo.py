"""Meshes that need no file: that of `ddepth demo`, and the spheres of benchmarks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .mesh import Mesh

__all__ = ["demo_mesh", "sphere_mesh"]

Float64Array = npt.NDArray[np.float64]

_KNOT, _RING, _SHELL, _BALL = (88, 138, 197), (229, 144, 66), (112, 173, 120), (196, 78, 82)


def demo_mesh() -> Mesh:
    """Return a torus knot around a hollow sphere, with two rings linked through the knot.

    A ball floats in the cavity of the hollow sphere. The mesh is closed and wound outward. It has
    73,376 faces in six shells; many rays cross it ten times or more. The z axis points up, and the
    mesh fits into a sphere of radius 2 around the origin.
    """
    parts = [
        ("knot", _KNOT, _tube(_torus_knot(3, 8, 1.0, 0.42), 0.11, 900, 20)),
        ("ring", _RING, _tube(_upright_circle(1.0, 0.72), 0.07, 160, 24)),
        ("ring", _RING, _tube(_upright_circle(-1.0, 0.72), 0.07, 160, 24)),
        ("shell", _SHELL, _sphere(0.40, 48, 96)),
        ("shell", _SHELL, _inside_out(_sphere(0.33, 48, 96))),
        ("ball", _BALL, _sphere(0.2, 32, 64)),
    ]  # fmt: skip
    names = tuple(dict.fromkeys(name for name, _, _ in parts))
    vertices, faces, colors, object_id = [], [], [], []
    offset = 0
    for name, color, (part_vertices, part_faces) in parts:
        vertices.append(part_vertices)
        faces.append(part_faces + offset)
        colors.append(np.tile(np.array([*color, 255], dtype=np.uint8), (len(part_vertices), 1)))
        object_id.append(np.full(len(part_faces), names.index(name), dtype=np.int32))
        offset += len(part_vertices)
    return Mesh(
        np.concatenate(vertices),
        np.concatenate(faces),
        colors=np.concatenate(colors),
        object_id=np.concatenate(object_id),
        object_names=names,
        name="demo",
    )


def sphere_mesh(face_count: int) -> Mesh:
    """Return a sphere of radius 1 with about that many faces and a color at each vertex.

    The z axis goes through its poles; it is closed and wound outward.
    """
    sides = max(3, round((face_count / 2) ** 0.5))
    vertices, faces = _sphere(1.0, sides + 1, sides)
    return Mesh(vertices, faces, colors=np.clip((vertices + 1.0) / 2.0, 0.0, 1.0), name="sphere")


def _torus_knot(
    turns: int, winds: int, major: float, minor: float
) -> Callable[[Float64Array], Float64Array]:
    """Return a closed curve on a torus around the z axis, as a function of t in 0..1.

    Args:
        turns: turns around the z axis.
        winds: turns around the tube of the torus.
        major: radius of the center line of the tube.
        minor: radius of the tube.
    """

    def curve(t: Float64Array) -> Float64Array:
        toroidal, poloidal = 2.0 * np.pi * turns * t, 2.0 * np.pi * winds * t
        ring = major + minor * np.cos(poloidal)
        return np.stack(
            [ring * np.cos(toroidal), ring * np.sin(toroidal), minor * np.sin(poloidal)], axis=-1
        )

    return curve


def _upright_circle(x: float, radius: float) -> Callable[[Float64Array], Float64Array]:
    """Return a circle in the xz plane around (x, 0, 0), as a function of t in 0..1."""

    def curve(t: Float64Array) -> Float64Array:
        angle = 2.0 * np.pi * t
        return np.stack(
            [x + radius * np.cos(angle), np.zeros_like(t), radius * np.sin(angle)], axis=-1
        )

    return curve


def _tube(
    curve: Callable[[Float64Array], Float64Array], radius: float, steps: int, sides: int
) -> tuple[Float64Array, npt.NDArray[np.int64]]:
    """Return a tube around a closed curve, its cross-section carried along without twist."""
    centers = curve(np.arange(steps) / steps)
    tangents = np.roll(centers, -1, axis=0) - np.roll(centers, 1, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    normals = np.empty_like(centers)
    normal = np.cross(tangents[0], [0.31, 0.41, 0.86])
    for step, tangent in enumerate(tangents):
        normal = normal - tangent * (tangent @ normal)
        normal /= np.linalg.norm(normal)
        normals[step] = normal
    binormals = np.cross(tangents, normals)
    # Carried once around the curve, the frame ends up turned. Spreading this turn over the whole
    # length makes the ends meet.
    carried = normals[-1] - tangents[0] * (tangents[0] @ normals[-1])
    turn = np.arctan2(carried @ binormals[0], carried @ normals[0])
    angle = 2.0 * np.pi * np.arange(sides) / sides - turn * np.arange(steps)[:, None] / steps
    ring = (
        np.cos(angle)[..., None] * normals[:, None] + np.sin(angle)[..., None] * binormals[:, None]
    )
    # With rows along the curve and columns around it, the faces of the grid point inward.
    return _inside_out(
        ((centers[:, None] + radius * ring).reshape(-1, 3), _grid(steps, sides, wrap_rows=True))
    )


def _sphere(radius: float, rings: int, sides: int) -> tuple[Float64Array, npt.NDArray[np.int64]]:
    """Return a sphere around the origin with one vertex at each pole."""
    polar = np.pi * np.arange(1, rings)[:, None] / rings
    around = 2.0 * np.pi * np.arange(sides)[None, :] / sides
    body = np.stack(
        np.broadcast_arrays(
            np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)
        ),
        -1,
    ).reshape(-1, 3)
    count = len(body)
    vertices = radius * np.concatenate([body, [[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]]])
    side, following = np.arange(sides), (np.arange(sides) + 1) % sides
    last = count - sides
    north = np.stack([np.full(sides, count), side, following], axis=1)
    south = np.stack([np.full(sides, count + 1), last + following, last + side], axis=1)
    return vertices, np.concatenate([_grid(rings - 1, sides, wrap_rows=False), north, south])


def _grid(rows: int, columns: int, *, wrap_rows: bool) -> npt.NDArray[np.int64]:
    """Return two triangles for each cell of a grid of vertices whose columns wrap around."""
    index = np.arange(rows * columns).reshape(rows, columns)
    upper = index if wrap_rows else index[:-1]
    lower = np.roll(index, -1, axis=0) if wrap_rows else index[1:]
    a, b = upper, np.roll(upper, -1, axis=1)
    c, d = lower, np.roll(lower, -1, axis=1)
    return np.stack([a, c, d, a, d, b], axis=-1).reshape(-1, 3)


def _inside_out(
    part: tuple[Float64Array, npt.NDArray[np.int64]],
) -> tuple[Float64Array, npt.NDArray[np.int64]]:
    """Return a part with its winding reversed."""
    vertices, faces = part
    return vertices, faces[:, ::-1]
