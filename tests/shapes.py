"""Meshes and cameras for tests, computed from formulas and random numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import oracle
from hypothesis import strategies as st

import ddepth_gl as dd


def view_of(camera: dd.Camera, near: float | None = None, far: float | None = None) -> oracle.View:
    """Return the oracle's view of a camera."""
    return oracle.View(
        camera.K,
        camera.camera_from_world,
        camera.width,
        camera.height,
        camera.is_orthographic,
        near,
        far,
    )


def mask_of(mesh: dd.Mesh) -> oracle.AlphaMask | None:
    """Return the oracle's alpha masks of a mesh."""
    if mesh.alpha_cutoff is None:
        return None
    return oracle.AlphaMask(
        mesh.alpha_cutoff.astype(float),
        None if mesh.colors is None else mesh.colors[:, 3].astype(float),
        None if mesh.uv is None else mesh.uv.astype(float),
        [
            oracle.MaskTexture(
                texture[..., 3], sampler.wrap_u, sampler.wrap_v, sampler.filter == "nearest"
            )
            for texture, sampler in zip(mesh.textures, mesh.samplers, strict=True)
        ],
        mesh.texture_id.astype(np.int64),
    )


def box(low: npt.ArrayLike = (-1.0, -1.0, -1.0), high: npt.ArrayLike = (1.0, 1.0, 1.0)) -> dd.Mesh:
    """Return an axis-aligned box, wound outward."""
    low, high = np.asarray(low, float), np.asarray(high, float)
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return dd.Mesh(low + corners * (high - low), faces)


def grid_faces(rows: int, columns: int, wrap_rows: bool = False) -> npt.NDArray[Any]:
    """Return two faces per cell of a vertex grid whose columns wrap around.

    They point outward if the cross product of the row and column directions does.
    """
    index = np.arange(rows * columns).reshape(rows, columns)
    a, c = (index, np.roll(index, -1, 0)) if wrap_rows else (index[:-1], index[1:])
    b, d = np.roll(a, -1, 1), np.roll(c, -1, 1)
    return np.stack([a, c, d, a, d, b], -1).reshape(-1, 3)


def sphere(
    radius: float = 1.0,
    rings: int = 48,
    sides: int = 96,
    center: npt.ArrayLike = (0.0, 0.0, 0.0),
    radius_at: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]] | None = None,
) -> dd.Mesh:
    """Return a latitude-longitude sphere, or any star-shaped surface with `radius_at(directions)`.

    All vertices lie on the surface. `sphere_sagitta` bounds the depth of the faces below it.
    """
    polar = np.pi * np.arange(1, rings)[:, None] / rings
    around = 2 * np.pi * np.arange(sides)[None, :] / sides
    body = np.stack(
        np.broadcast_arrays(
            np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)
        ),
        -1,
    ).reshape(-1, 3)
    directions = np.concatenate([body, [[0, 0, 1.0], [0, 0, -1.0]]])
    count = len(body)
    side, following = np.arange(sides), (np.arange(sides) + 1) % sides
    last = count - sides
    caps = [
        np.stack([np.full(sides, count), side, following], 1),
        np.stack([np.full(sides, count + 1), last + following, last + side], 1),
    ]
    radii = radius if radius_at is None else radius * radius_at(directions)[:, None]
    return dd.Mesh(
        np.asarray(center) + radii * directions,
        np.concatenate([grid_faces(rings - 1, sides), *caps]),
    )


def sphere_sagitta(radius: float, rings: int, sides: int) -> float:
    """Return the largest distance of the faces of `sphere` from the exact sphere.

    It is the sagitta of the arc that the diagonal of a cell subtends.
    """
    half_angle = 0.5 * np.hypot(np.pi / rings, 2 * np.pi / sides)
    return radius * float(1 - np.cos(half_angle))


def torus(
    major: float = 1.0,
    minor: float = 0.35,
    steps: int = 160,
    sides: int = 80,
    center: npt.ArrayLike = (0.0, 0.0, 0.0),
) -> dd.Mesh:
    """Return a torus around the z axis."""
    toroidal, poloidal = np.meshgrid(
        2 * np.pi * np.arange(steps) / steps, 2 * np.pi * np.arange(sides) / sides, indexing="ij"
    )
    ring = major + minor * np.cos(poloidal)
    vertices = np.stack(
        [ring * np.cos(toroidal), ring * np.sin(toroidal), minor * np.sin(poloidal)], -1
    ).reshape(-1, 3)
    return dd.Mesh(np.asarray(center) + vertices, grid_faces(steps, sides, wrap_rows=True))


def merged(*meshes: dd.Mesh) -> dd.Mesh:
    """Return several meshes as one."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes[:-1])])
    return dd.Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]),
    )


def inside_out(mesh: dd.Mesh) -> dd.Mesh:
    """Return the mesh with its winding reversed: the wall of a cavity."""
    return dd.Mesh(mesh.vertices, mesh.faces[:, ::-1])


def rotation(rng: np.random.Generator) -> npt.NDArray[Any]:
    """Return a uniformly random rotation (3, 3)."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def random_closed_mesh(rng: np.random.Generator, bodies: int | None = None) -> dd.Mesh:
    """Return lumpy, rotated, overlapping or nested closed bodies, wound outward."""
    parts = []
    for _ in range(bodies or int(rng.integers(1, 6))):
        waves, phases = rng.normal(size=(4, 3)) * 3, rng.uniform(0, 2 * np.pi, 4)
        depth = rng.uniform(0, 0.2)

        def radius_at(
            directions: npt.NDArray[np.float64],
            waves: npt.NDArray[np.float64] = waves,
            phases: npt.NDArray[np.float64] = phases,
            depth: float = depth,
        ) -> npt.NDArray[np.float64]:
            lumps: npt.NDArray[np.float64] = np.sin(directions @ waves.T + phases).sum(1)
            return 1 + depth * lumps

        body = sphere(
            rng.uniform(0.2, 0.9),
            int(rng.integers(4, 30)),
            int(rng.integers(5, 50)),
            radius_at=radius_at,
        )
        parts.append(
            dd.Mesh(body.vertices @ rotation(rng).T + rng.normal(size=3) * 0.6, body.faces)
        )
    return merged(*parts)


def random_camera(
    rng: np.random.Generator,
    mesh: dd.Mesh,
    orthographic: bool,
    size: int = 96,
    cutting: bool = False,
) -> dd.Camera:
    """Return a random camera that sees about the whole mesh: skewed, off-center, not square.

    With `cutting`, the plane where an orthographic camera's rays start cuts the mesh.
    """
    low, high = mesh.bounds
    radius = float(np.linalg.norm(high - low)) / 2
    width, height = (int(n) for n in rng.integers(size // 2, size * 3 // 2, 2))
    pose = np.eye(4)
    pose[:3, :3] = rotation(rng)
    pose[:3, 3] = -pose[:3, :3] @ (low + high) / 2
    if orthographic:
        pose[2, 3] += radius * (rng.uniform(-0.5, 0.5) if cutting else rng.uniform(1.01, 3))
        extent = 2 * radius * rng.uniform(0.7, 1.3, 2)
        return dd.Camera.orthographic(extent, pose, width, height)
    distance = radius * rng.uniform(1.1, 8)
    pose[2, 3] += distance
    focal = min(width, height) / 2 / (radius / distance) * rng.uniform(0.7, 1.5)
    K: list[list[float]] = [
        [focal, focal * rng.uniform(-0.2, 0.2), width * rng.uniform(0.3, 0.7)],
        [0, focal * rng.uniform(0.8, 1.2), height * rng.uniform(0.3, 0.7)],
        [0, 0, 1],
    ]
    return dd.Camera.from_intrinsics(K, pose, width, height)


@st.composite
def soups(draw: st.DrawFn) -> tuple[dd.Mesh, dd.Camera]:
    """Draw triangles on a coarse grid, with many coincident, touching and crossing faces."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    # Powers of two, so that the vertices lie exactly on the integer grid that engines store them
    # on. Otherwise rounding could give a face without area some, which the oracle does not know.
    levels = draw(st.sampled_from([2, 4, 8, 1024]))
    corners = rng.integers(0, levels + 1, (draw(st.integers(4, 14)), 3)) * (2.0 / levels) - 1
    # A face may use a corner twice.
    faces = rng.integers(0, len(corners), (draw(st.integers(3, 25)), 3))
    picked = faces[rng.integers(0, len(faces), draw(st.integers(0, 12)))]
    turned = picked[:, draw(st.permutations([0, 1, 2]))]  # duplicates, of either winding
    # Faces without area: an edge and its midpoint.
    edges = faces[: draw(st.integers(0, 3)), :2]
    middle = corners[edges].mean(axis=1)
    zero_area = np.stack([edges[:, 0], len(corners) + np.arange(len(edges)), edges[:, 1]], 1)
    mesh_faces = rng.permutation(np.concatenate([faces, turned, zero_area]))
    vertices = np.concatenate([corners, middle])
    # A mesh needs a face with area.
    mesh_faces = np.append(mesh_faces, len(vertices) + np.arange(3)[None], axis=0)
    vertices = np.append(vertices, rng.permutation(np.eye(3)), axis=0)
    orthographic, facing_axis = draw(st.booleans()), draw(st.booleans())
    mesh = dd.Mesh(vertices, mesh_faces)
    camera = random_camera(rng, mesh, orthographic, 40)
    if facing_axis:  # faces seen face-on and edge-on, edges along rows of pixel centers
        low, high = mesh.bounds
        pose = np.eye(4)
        pose[:3, 3] = -(low + high) / 2 + (0, 0, 4)
        camera = dd.Camera.orthographic((2.5, 2.5), pose, 40, 40)
        if not orthographic:
            camera = dd.Camera.from_intrinsics(
                [[50.0, 0.0, 20.0], [0.0, 50.0, 20.0], [0.0, 0.0, 1.0]], pose, 40, 40
            )
    return mesh, camera


def sealed_t_junction() -> dd.Mesh:
    """Return a tetrahedron with a T-junction that a face without area closes.

    One edge has a vertex in its middle. On one side of the edge there are two faces, one per half.
    On the other side, one face spans the whole edge. The face without area lies between them, so
    that every edge belongs to two faces and the mesh is closed.
    """
    vertices = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.375, 0, 0)]
    faces = [(0, 2, 4), (4, 2, 1), (0, 1, 3), (0, 4, 1), (0, 3, 2), (1, 2, 3)]
    return dd.Mesh(vertices, faces)


def turned_view(angle: float, x: float, y: float) -> dd.Camera:
    """Return a 32x32 camera looking along -z, rolled by an angle in radians and moved sideways."""
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    pose[:3, 3] = x, y, 3
    return dd.Camera.orthographic((3, 3), pose, 32, 32)


def pixel_rays(camera: dd.Camera, du: float = 0.0, dv: float = 0.0) -> tuple[npt.NDArray[Any], ...]:
    """Return the rays through the pixel centers, moved by (du, dv) pixels.

    They follow from the conventions page alone.

    Returns:
        (H, W, 3) origins and (H, W, 3) unit directions in the world frame, and (H, W) ratios of
        depth to distance.
    """
    u, v = np.meshgrid(np.arange(camera.width) + 0.5 + du, np.arange(camera.height) + 0.5 + dv)
    on_plane = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(camera.K).T
    if camera.is_orthographic:
        start, along = on_plane * (1, 1, 0), np.broadcast_to((0.0, 0.0, 1.0), on_plane.shape)
    else:
        start, along = (
            np.zeros_like(on_plane),
            on_plane / np.linalg.norm(on_plane, axis=-1, keepdims=True),
        )
    rotation, translation = camera.camera_from_world[:3, :3], camera.camera_from_world[:3, 3]
    return (start - translation) @ rotation, along @ rotation, along[..., 2]


def moved(mesh: dd.Mesh, matrix: npt.NDArray[Any]) -> dd.Mesh:
    """Return the mesh moved by a rigid motion (4, 4)."""
    return dd.Mesh(mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3], mesh.faces)


def moved_camera(camera: dd.Camera, matrix: npt.NDArray[Any]) -> dd.Camera:
    """Return the camera moved by a rigid motion (4, 4), which sees the moved mesh as before."""
    inverse = np.eye(4)
    inverse[:3, :3] = matrix[:3, :3].T
    inverse[:3, 3] = -matrix[:3, :3].T @ matrix[:3, 3]
    pose = camera.camera_from_world @ inverse
    return dd.Camera(camera.K, pose, camera.width, camera.height, camera.is_orthographic)


def scaled(mesh: dd.Mesh, factor: float) -> dd.Mesh:
    """Return the mesh scaled about the world's origin."""
    return dd.Mesh(mesh.vertices * factor, mesh.faces)


def scaled_camera(camera: dd.Camera, factor: float) -> dd.Camera:
    """Return the camera that sees the mesh scaled about the world's origin as before."""
    pose, K = camera.camera_from_world.copy(), camera.K.copy()
    pose[:3, 3] *= factor
    if camera.is_orthographic:
        K[:2, :2] /= factor  # pixels per mesh unit
    return dd.Camera(K, pose, camera.width, camera.height, camera.is_orthographic)


def render(
    renderer: dd.DepthRenderer, mesh: dd.Mesh, camera: dd.Camera, **arguments: Any
) -> dd.DepthMaps:
    """Render one image; the mesh does not stay on the GPU."""
    scene = renderer.upload(mesh)
    try:
        maps: dd.DepthMaps = renderer.entry_exit(scene, camera, **arguments)
        return maps
    finally:
        scene.release()


def grid_step(mesh: dd.Mesh) -> float:
    """Return the largest distance by which storing a vertex on the integer grid moves it.

    The step is at most 2**-29 of the half diagonal. Rounding moves each coordinate by half a step.
    """
    return float(np.sqrt(3) * 2.0**-30 * float(np.linalg.norm(np.ptp(mesh.bounds, axis=0))) / 2)


def peel(
    renderer: dd.DepthRenderer, mesh: dd.Mesh, camera: dd.Camera, **arguments: Any
) -> dd.DepthLayers:
    """Peel all layers; the mesh does not stay on the GPU."""
    scene = renderer.upload(mesh)
    try:
        return renderer.peel(scene, camera, **arguments)
    finally:
        scene.release()


def painted(
    rng: np.random.Generator, mesh: dd.Mesh, colors: bool = True, textures: int = 3
) -> dd.Mesh:
    """Return the mesh with random uv, vertex colors with alpha, textures and object ids.

    The uv go beyond the unit square. The textures are small and not square; the first is a single
    texel. A part of the faces has no texture.
    """
    count, faces = len(mesh.vertices), len(mesh.faces)
    sizes = [(1, 1), (5, 3), (2, 7), (16, 4)][:textures]
    return dd.Mesh(
        mesh.vertices,
        mesh.faces,
        uv=rng.uniform(-1.5, 2.5, (count, 2)),
        colors=rng.integers(0, 256, (count, 4)).astype(np.uint8) if colors else None,
        texture=[rng.integers(0, 256, (*size, 4)).astype(np.uint8) for size in sizes] or None,
        texture_id=rng.choice([-1, *range(len(sizes))], faces) if sizes else None,
        object_id=rng.integers(0, 9, faces),
    )


def closed_cylinder(count: int) -> dd.Mesh:
    """Return a cylinder around the z axis, of radius and half height 1, with `count` sides."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    x, y, z = np.cos(angle), np.sin(angle), np.ones(count)
    i = np.arange(count)
    j = (i + 1) % count
    k, m = i[1:-1], j[1:-1]
    sides = [(i, j, j + count), (i, j + count, i + count)]
    caps = [(0 * k, m, k), (0 * k + count, k + count, m + count)]
    return dd.Mesh(
        np.concatenate([np.stack([x, y, -z], 1), np.stack([x, y, z], 1)]),
        np.concatenate([np.stack(corners, 1) for corners in sides + caps]),
    )
