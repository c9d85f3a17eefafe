"""Cameras beside a face: from 1e-3 of the mesh's size down to 1e-7, and exactly on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import oracle
import pytest
from conftest import ENGINES
from shapes import box, inside_out, merged, random_closed_mesh, rotation, view_of

import ddepth_gl as dd
from ddepth_gl.mesh.face_distance import FaceDistance

WIDTH, HEIGHT = 60, 50

# The oracle checks the facing of a face if its plane is farther from the camera than this fraction
# of the face's size. Its products of three float64 numbers, and rotated positions, are exact to
# some 1e-15.
EDGE_ON = 1e-13


def octahedron() -> dd.Mesh:
    corners = 2.0 * np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)])
    upper = np.array([(0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4)])
    lower = upper[:, ::-1] + np.array((1, 0, 0)) * (upper[:, ::-1] == 4)
    return dd.Mesh(corners, np.concatenate([upper, lower]))


def some_mesh(rng: np.random.Generator) -> dd.Mesh:
    """Return a body with large faces, perhaps rotated, or several with small faces."""
    kind = rng.integers(4)
    if kind == 3:
        return random_closed_mesh(rng, int(rng.integers(1, 4)))
    mesh = octahedron() if kind == 2 else box((-0.5,) * 3, (0.5,) * 3)
    if kind == 0:
        return mesh
    return dd.Mesh(
        mesh.vertices @ rotation(rng).T * rng.uniform(0.1, 10) + rng.normal(size=3), mesh.faces
    )


def diagonal(mesh: dd.Mesh) -> float:
    return float(np.linalg.norm(np.ptp(mesh.bounds, axis=0)))


def camera_at(rng: np.random.Generator, eye: np.ndarray) -> dd.Camera:
    """Return a camera at `eye` in a random direction, from wide angle to telephoto."""
    pose = np.eye(4)
    pose[:3, :3] = rotation(rng)
    pose[:3, 3] = -pose[:3, :3] @ eye
    focal = 10 ** rng.uniform(1, 2.7)
    K = [
        [focal, 0.02 * focal, WIDTH / 2 + rng.normal() * 5],
        [0, 1.1 * focal, HEIGHT / 2],
        [0, 0, 1],
    ]
    return dd.Camera.from_intrinsics(K, pose, WIDTH, HEIGHT)


def surface_point(
    rng: np.random.Generator, mesh: dd.Mesh, where: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return a point of a face, edge or vertex, and a direction; for a face, either normal."""
    corners = mesh.vertices[mesh.faces[rng.integers(len(mesh.faces))]]
    along = rng.uniform(0.05, 0.95)
    weights = {
        "face": rng.dirichlet((1, 1, 1)),
        "edge": (along, 1 - along, 0),
        "vertex": (1, 0, 0),
    }[where]
    if where == "face":
        normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
        return np.array(weights) @ corners, normal / np.linalg.norm(normal) * rng.choice((-1, 1))
    return np.array(weights) @ corners, rotation(rng)[0]


def check_against_oracle(
    maps: dd.DepthMaps, mesh: dd.Mesh, surfaces: str, near: float | None = None
) -> None:
    view = replace(view_of(maps.camera, near), edge_on=EDGE_ON)
    report = oracle.check(
        oracle.reference(mesh.vertices, mesh.faces, view, surfaces), maps.entry, maps.exit
    )
    assert report.ok, str(report)


@pytest.mark.parametrize("where", ["face", "edge", "vertex"])
@pytest.mark.parametrize("seed", range(8))
def test_beside_a_face_an_edge_or_a_vertex(renderer, where, seed):
    rng = np.random.default_rng([seed, len(where)])
    mesh = some_mesh(rng)
    scene = renderer.upload(mesh)
    for distance in 10.0 ** -rng.uniform(3, 7, 3):
        point, away = surface_point(rng, mesh, where)
        camera = camera_at(rng, point + distance * diagonal(mesh) * away)
        for surfaces in ("oriented", "any"):
            check_against_oracle(
                renderer.entry_exit(scene, camera, surfaces=surfaces), mesh, surfaces
            )
    scene.release()


@pytest.mark.parametrize("where", ["face", "edge", "vertex"])
@pytest.mark.parametrize("seed", range(4))
def test_exactly_on_a_face_an_edge_or_a_vertex(renderer, where, seed):
    """Only the crossing at depth 0 does not count, however the pose is rounded."""
    rng = np.random.default_rng([seed, len(where), 1])
    mesh = some_mesh(rng)
    scene = renderer.upload(mesh)
    for _ in range(3):
        camera = camera_at(rng, surface_point(rng, mesh, where)[0])
        tiny = 1e-6 * diagonal(mesh)
        for surfaces in ("oriented", "any"):
            maps = renderer.entry_exit(scene, camera, surfaces=surfaces)
            assert not (maps.entry < tiny).any()
            assert not (maps.exit < tiny).any()
            check_against_oracle(maps, mesh, surfaces, near=tiny)
    scene.release()


@pytest.mark.parametrize("focal", [0.02, 0.05, 0.3])
def test_pixels_wider_than_a_radian(renderer, focal):
    """1/512 pixel is much there, so such cameras are beside a face from a larger distance."""
    rng = np.random.default_rng(6)
    mesh = box((-0.5,) * 3, (0.5,) * 3)
    scene = renderer.upload(mesh)
    for _ in range(20):
        pose = np.eye(4)
        pose[:3, :3] = rotation(rng)
        pose[:3, 3] = -pose[:3, :3] @ (0.495, *rng.uniform(-0.45, 0.45, 2))
        maps = renderer.entry_exit(
            scene, dd.Camera([[focal, 0, 2.5], [0, focal, 2.5], [0, 0, 1]], pose, 5, 5)
        )
        assert np.isnan(maps.entry).all()
        assert not np.isnan(maps.exit).any()
    scene.release()


def test_images_far_off_axis(renderer):
    """In a part of a much larger image, rays are nearly at right angles to the axis."""
    mesh = box((-0.5,) * 3, (0.5,) * 3)
    scene = renderer.upload(mesh)
    rng = np.random.default_rng(7)
    for _ in range(12):
        pose = np.eye(4)
        pose[:3, :3] = rotation(rng)
        pose[:3, 3] = -pose[:3, :3] @ (0.5042, *rng.uniform(-0.45, 0.45, 2))
        camera = dd.Camera([[40.0, 0, 2032], [0, 40, 24], [0, 0, 1]], pose, 64, 48)
        check_against_oracle(renderer.entry_exit(scene, camera), mesh, "oriented")
    scene.release()


def orthographic_beside(rng: np.random.Generator, mesh: dd.Mesh, distance: float) -> dd.Camera:
    """Return a camera whose plane is parallel to a face, at a distance before or behind it."""
    corners = mesh.vertices[mesh.faces[rng.integers(len(mesh.faces))]]
    forward = np.cross(corners[1] - corners[0], corners[2] - corners[0]) * rng.choice((-1, 1))
    right = np.cross(forward, rng.normal(size=3))
    axes = np.array([right, np.cross(forward, right), forward])
    axes /= np.linalg.norm(axes, axis=1)[:, None]
    pose = np.eye(4)
    pose[:3, :3] = axes
    pose[:3, 3] = -axes @ (corners.mean(axis=0) - distance * axes[2])
    return dd.Camera.orthographic(1.3 * diagonal(mesh), pose, WIDTH, HEIGHT)


@pytest.mark.parametrize("seed", range(10))
def test_rays_that_start_on_a_plane_beside_a_face(renderer, seed):
    rng = np.random.default_rng([seed, 3])
    mesh = some_mesh(rng)
    size, scene = diagonal(mesh), renderer.upload(mesh)
    for distance in 10.0 ** -rng.uniform(3, 7, 3) * rng.choice((-1, 1), 3):
        camera = orthographic_beside(rng, mesh, distance * size)
        for surfaces in ("oriented", "any"):
            maps = renderer.entry_exit(scene, camera, surfaces=surfaces)
            reference = oracle.reference(mesh.vertices, mesh.faces, view_of(camera), surfaces)
            # The plane is exact to some 1e-15 of the mesh's size, and so are small depths.
            report = oracle.check(reference, maps.entry, maps.exit, absolute=1e-14 * size)
            assert report.ok, str(report)
    scene.release()


def test_rays_that_start_exactly_on_a_face(renderer):
    """Rays start on the top of a cube at thirds and tenths, which float64 rounds: no entries."""
    mesh = box((0.1, 0.2, 0.3), (0.1 + 1 / 3, 0.2 + 1 / 3, 0.3 + 1 / 3))
    scene = renderer.upload(mesh)
    pose = np.diag([1.0, -1, -1, 1])
    pose[:3, 3] = -0.26, 0.36, mesh.vertices[:, 2].max()
    camera = dd.Camera.orthographic(0.8, pose, 24, 24)
    maps, layers = renderer.entry_exit(scene, camera), renderer.peel(scene, camera)
    scene.release()
    assert np.isnan(maps.entry).all()
    assert (~np.isnan(maps.exit)).sum() == 100
    assert (layers.count == ~np.isnan(maps.exit)).all()


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-6, 1e-7, 1e-9])
@pytest.mark.parametrize("is_inside", [True, False])
def test_a_cube_as_an_intersection_of_slabs(renderer, distance, is_inside):
    """A ray is in a cube after it has entered three slabs and before it leaves one."""
    rng = np.random.default_rng(2)
    mesh = box((-0.5,) * 3, (0.5,) * 3)
    eye = np.array((0.5 - distance if is_inside else 0.5 + distance, 0.12, -0.23))
    camera = camera_at(rng, eye)
    maps = renderer.entry_exit(renderer.upload(mesh), camera)
    origins, directions = camera.rays()
    per_depth = camera.distance_per_depth()
    ends = (np.array((-0.5, 0.5)) - origins[..., None]) / directions[..., None]
    first, last = ends.min(axis=-1).max(axis=-1), ends.max(axis=-1).min(axis=-1)
    # Only pixels whose neighbors are alike: within 1/128 pixel of a border both results are right.
    hits = last > first
    same = np.ones_like(hits)
    same[1:-1, 1:-1] = np.all(
        [np.roll(hits, s, a)[1:-1, 1:-1] == hits[1:-1, 1:-1] for s in (-1, 1) for a in (0, 1)], 0
    )
    expected = (
        np.where(hits & (first > 0), first, np.nan),
        np.where(hits & (last > 0), last, np.nan),
    )
    for got, wanted in zip((maps.entry_distance, maps.exit_distance), expected, strict=True):
        np.testing.assert_array_equal(np.isnan(got)[same], np.isnan(wanted)[same])
        both = same & ~np.isnan(wanted)
        # The center is exact to some 1e-16, which limits small distances.
        np.testing.assert_allclose(got[both], wanted[both], rtol=1e-6 + 1e-15 / distance)
    assert per_depth.shape == maps.entry.shape


@pytest.mark.parametrize("seed", range(6))
def test_layers_sheets_and_images_agree(renderer, seed):
    """Layers yield the sheets, all counts are even or all odd, and alpha is the mask."""
    rng = np.random.default_rng([seed, 2])
    mesh = some_mesh(rng)
    scene = renderer.upload(mesh)
    corners = mesh.vertices[mesh.faces[0]]
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    normal *= 10.0 ** -rng.uniform(3, 7) * diagonal(mesh) / np.linalg.norm(normal)
    center = corners.mean(axis=0)
    for side in (1, -1):
        camera = camera_at(rng, center + side * normal)
        layers = renderer.peel(scene, camera, attributes=("normal", "position"))
        maps = renderer.entry_exit(scene, camera, attributes=("face", "position"))
        again = layers.entry_exit()
        assert again.entry.tobytes() == maps.entry.tobytes()
        assert again.exit.tobytes() == maps.exit.tobytes()
        if seed % 2:  # closed bodies: the number that contain the camera is the same for all rays
            assert len(np.unique(layers.odd)) == 1
        image = renderer.shade(scene, camera)
        np.testing.assert_array_equal(image[..., 3] == 255, maps.mask)
        rows, columns = np.nonzero(~np.isnan(maps.entry))
        points, depth = camera.project(maps.entry_position[rows, columns])
        off = np.abs(points - np.stack([columns, rows], 1) - 0.5).max(axis=1)
        # Positions are float32 in the world frame, and borders of faces are within 1/128 pixel.
        rounding = 2.0**-24 * np.abs(mesh.vertices).max() * np.sqrt(3) / depth
        assert (off <= 1 / 128 + 2 * rounding * camera.K[1, 1]).all()
    scene.release()


def test_entry_exit_many_equals_single_calls(renderer):
    """Cameras beside a face and others in one call: the same bits, also on the device."""
    rng = np.random.default_rng(3)
    mesh = random_closed_mesh(rng, 2)
    scene = renderer.upload(mesh)
    cameras = [camera_at(rng, np.array((3.0, 1.0, 2.0))) for _ in range(3)]
    for _ in range(5):
        point, away = surface_point(rng, mesh, "face")
        cameras.insert(int(rng.integers(len(cameras))), camera_at(rng, point + 1e-5 * away))
    one_by_one = [renderer.entry_exit(scene, camera) for camera in cameras]
    for maps, many in zip(one_by_one, renderer.entry_exit_many(scene, cameras), strict=True):
        assert maps.entry.tobytes() == many.entry.tobytes()
        assert maps.exit.tobytes() == many.exit.tobytes()
    for maps, many in zip(
        one_by_one, renderer.entry_exit_many(scene, cameras, output="gpu"), strict=True
    ):
        with many:
            assert maps.entry.tobytes() == many.numpy().entry.tobytes()
    scene.release()


def test_splitting_a_mesh_into_parts_changes_no_bit(monkeypatch):
    rng = np.random.default_rng(4)
    mesh = random_closed_mesh(rng, 2)
    point, away = surface_point(rng, mesh, "face")
    camera = camera_at(rng, point + 1e-5 * away)
    with dd.DepthRenderer("compute") as renderer:
        whole = renderer.entry_exit(renderer.upload(mesh), camera)
        monkeypatch.setattr(renderer._context, "max_storage_block", 3000)
        scene = renderer.upload(mesh)
        assert len(renderer._pipeline.engine._passes.mesh_buffers(scene).blocks) > 3
        parts = renderer.entry_exit(scene, camera)
    assert parts.entry.tobytes() == whole.entry.tobytes()
    assert parts.exit.tobytes() == whole.exit.tobytes()


def test_without_compute_shaders_the_error_names_the_distance(monkeypatch):
    mesh = box()
    size = diagonal(mesh)
    with dd.DepthRenderer("raster") as renderer:
        monkeypatch.setattr(renderer._context, "has_compute", False)
        scene = renderer.upload(mesh)
        for distance in (1e-7, 9e-6):
            near = dd.Camera.look_at((1 + distance * size, 0.1, 0.2), (-1, 0.3, 0.1))
            for call in (renderer.entry_exit, renderer.peel, renderer.shade):
                with pytest.raises(
                    dd.CameraError, match=f"the camera is {distance * size:.3g} mesh units"
                ):
                    call(scene, near)
        far = dd.Camera.look_at((1 + 2e-5 * size, 0.1, 0.2), (-1, 0.3, 0.1), width=60, height=50)
        check_against_oracle(renderer.entry_exit(scene, far), mesh, "oriented")


@pytest.mark.parametrize("engine", ENGINES)
def test_other_cameras_cost_nothing_more(engine, monkeypatch):
    """Outside of the bounding box distances are not computed; inside, only to close faces."""
    mesh = merged(box(), inside_out(box((-0.9,) * 3, (0.9,) * 3)))
    with dd.DepthRenderer(engine) as renderer:
        scene = renderer.upload(mesh)
        submit, requests = renderer._pipeline.engine.submit, []
        monkeypatch.setattr(
            renderer._pipeline.engine,
            "submit",
            lambda *arguments: requests.append(arguments[2]) or submit(*arguments),
        )
        renderer.entry_exit(scene, dd.Camera.look_at((1.1, 2, 3), (0, 0, 0)))
        assert "distance" not in scene._cache
        renderer.entry_exit(scene, dd.Camera.look_at((0.1, 0.2, 0.3), (1, 0, 0)))
        renderer.entry_exit(scene, dd.Camera.look_at((0.95, 0.2, 0.3), (1, 0, 0)))
        assert "distance" in scene._cache
        assert [request.beside_a_face for request in requests] == [False] * 3
        assert ("compute", "remainders") not in scene._cache


@pytest.mark.parametrize("faces", [1, 12, 3000, 9000])
def test_distance_to_the_nearest_face(faces):
    """Against the distance to every face, by trimesh's algorithm."""
    from trimesh.triangles import closest_point

    rng = np.random.default_rng(faces)
    middle = rng.normal(size=(faces, 1, 3)) * (1, 3, 0.5)
    corners = middle + rng.normal(size=(faces, 3, 3)) * 10.0 ** rng.uniform(-3, 0, (faces, 1, 1))
    corners[1::7, 2] = corners[1::7, 1]  # some have no area
    mesh = dd.Mesh(corners.reshape(-1, 3), np.arange(3 * faces).reshape(-1, 3))
    face_distance = FaceDistance(mesh)
    for _ in range(20):
        point = corners[rng.integers(faces)].mean(axis=0) + rng.normal(
            size=3
        ) * 10.0 ** rng.uniform(-6, 0)
        solid = (
            np.linalg.norm(
                np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
            )
            > 0
        )
        away = closest_point(corners[solid], np.repeat(point[None], solid.sum(), 0)) - point
        nearest = np.linalg.norm(away, axis=1).min(initial=np.inf)
        if not solid.all():  # trimesh needs area; without, the nearest edge
            for a, b, _ in corners[~solid]:
                part = np.clip((point - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
                nearest = min(nearest, np.linalg.norm(a + part * (b - a) - point))
        assert face_distance.nearest(point) == pytest.approx(nearest, rel=1e-9)
        assert face_distance.may_be_within(point, nearest * 1.01)
        # With many faces, their boxes overlap too much to be certain.
        assert not face_distance.may_be_within(point, nearest * 0.99) or faces > 1000
