"""Large meshes in a scattered order, which the engine `compute` reorders after some images."""

from __future__ import annotations

import numpy as np
import pytest
from shapes import box, merged, random_camera, random_closed_mesh, rotation, torus

import ddepth_gl as dd
from ddepth_gl.engines.compute import mesh_buffers
from ddepth_gl.engines.compute.face_order import face_order, is_scattered, vertex_order

ATTRIBUTES = ("face", "color")
REORDERING = 3  # images before it, in these tests


def shuffled(mesh: dd.Mesh, alpha_cutoff: np.ndarray | None = None) -> dd.Mesh:
    """Return the mesh with its vertices and faces in random order, with random colors."""
    rng = np.random.default_rng(0)
    new_from_old = rng.permutation(len(mesh.vertices))
    order = rng.permutation(len(mesh.faces))
    return dd.Mesh(
        mesh.vertices[new_from_old.argsort()],
        new_from_old[mesh.faces][order],
        colors=rng.integers(100, 256, (len(mesh.vertices), 4), np.uint8),
        alpha_cutoff=None if alpha_cutoff is None else alpha_cutoff[order],
    )


@pytest.fixture(scope="module")
def mesh():
    """Return an open torus with masks, closed bodies, coincident faces, faces without area."""
    rng = np.random.default_rng(6)
    closed, ring = random_closed_mesh(rng, bodies=2), torus(1.5, 0.4, 60, 30)
    loose = dd.Mesh(box().vertices, [[0, 1, 1], [0, 1, 7], [0, 2, 2]])
    parts = merged(dd.Mesh(ring.vertices, ring.faces[:-5]), closed, closed, loose)
    return shuffled(parts, np.where(np.arange(len(parts.faces)) < 400, 0.7, 0.0))


@pytest.fixture
def eager(monkeypatch):
    """Make meshes of any size count as large."""
    monkeypatch.setattr(mesh_buffers, "_MIN_REORDERED_FACES", 0)
    monkeypatch.setattr(mesh_buffers, "_IMAGES_BEFORE_REORDERING", REORDERING)
    monkeypatch.setattr(mesh_buffers, "is_scattered", lambda faces: True)


def rendered(renderer, scene, cameras) -> list[bytes]:
    """Return the bytes of sheets and layers, with attributes."""
    arrays = []
    for camera in cameras:
        maps = renderer.entry_exit(scene, camera, attributes=ATTRIBUTES)
        arrays += [maps.entry, maps.exit]
        arrays += [sheet for name in ATTRIBUTES for sheet in maps.attributes[name]]
        layers = renderer.peel(scene, camera, attributes=ATTRIBUTES)
        arrays += [layers.offsets, layers.depth, layers.face, layers.color, layers.two_sided]
    return [array.tobytes() for array in arrays]


@pytest.fixture(scope="module")
def cameras(mesh):
    """Return a camera outside, and one beside a face, for which vertices need their remainders."""
    rng = np.random.default_rng(1)
    pose = np.eye(4)
    pose[:3, :3] = rotation(rng)
    pose[:3, 3] = -pose[:3, :3] @ (mesh.vertices[mesh.faces[0]].mean(axis=0) + 1e-4)
    beside = dd.Camera.from_intrinsics([[40.0, 0, 40], [0, 40, 30], [0, 0, 1]], pose, 80, 60)
    return [random_camera(rng, mesh, orthographic=False), beside]


@pytest.fixture
def software():
    with dd.DepthRenderer("compute") as renderer:
        if not renderer.info.is_software:
            pytest.skip("GPUs keep the order of the mesh")
        yield renderer


def buffers(renderer, scene) -> mesh_buffers.MeshBuffers:
    return renderer._pipeline.engine._passes.mesh_buffers(scene)


def test_results_do_not_depend_on_the_order_on_the_device(software, mesh, cameras, eager):
    scene = software.upload(mesh)
    assert {mesh.bodies.surfaces, buffers(software, scene).is_reordered} == {"mixed", False}
    before = rendered(software, scene, cameras)
    again = software.upload(mesh)
    for _ in range(REORDERING):
        software.entry_exit(again, dd.Camera.orbit(mesh, views=1, width=9, height=9)[0])
    assert buffers(software, again).is_reordered
    assert rendered(software, again, cameras) == before


def test_remainders_and_flags_that_were_uploaded_before(software, mesh, cameras, eager):
    """Half of the images are rendered before the mesh is reordered, by the same scene."""
    scene = software.upload(mesh)
    views = [*cameras] * 3
    kinds = {
        reordered: software.entry_exit(scene, camera).entry.tobytes()
        for camera in views
        for reordered in [(camera is cameras[1], buffers(software, scene).is_reordered)]
    }
    assert len(kinds) == 4
    assert kinds[True, True] == kinds[True, False]
    assert kinds[False, True] == kinds[False, False]


def test_parts_of_the_faces(software, mesh, cameras, eager, monkeypatch):
    """Faces move between parts."""
    expected = rendered(software, software.upload(mesh), cameras)
    limit = 12 * (len(mesh.vertices) + mesh_buffers.VERTICES_AT_ONCE)
    monkeypatch.setattr(software._context, "max_storage_block", limit)
    scene = software.upload(mesh)
    (block,) = buffers(software, scene).blocks
    assert len(block.parts) > 1
    assert rendered(software, scene, cameras) == expected
    assert buffers(software, scene).is_reordered


def test_without_memory_the_order_stays(software, mesh, cameras, eager, monkeypatch):
    def no_memory(*arguments):
        raise MemoryError

    expected = rendered(software, software.upload(mesh), cameras[:1])
    monkeypatch.setattr(mesh_buffers, "face_order", no_memory)
    scene = software.upload(mesh)
    for _ in range(REORDERING):
        assert rendered(software, scene, cameras[:1]) == expected
    assert not buffers(software, scene).is_reordered


def test_a_mesh_in_order_is_not_reordered(software, monkeypatch):
    monkeypatch.setattr(mesh_buffers, "_MIN_REORDERED_FACES", 0)
    monkeypatch.setattr(mesh_buffers, "_IMAGES_BEFORE_REORDERING", 1)
    grid = torus(2.0, 0.5, 200, 100)
    camera = dd.Camera.orbit(grid, views=1, width=20, height=20)[0]
    reordered = []
    for mesh in (grid, shuffled(grid)):
        scene = software.upload(mesh)
        software.entry_exit(scene, camera)
        reordered.append(buffers(software, scene).is_reordered)
    assert reordered == [False, True]


def test_orders_are_permutations_along_the_curve():
    rng = np.random.default_rng(3)
    cells = np.stack(np.meshgrid(*[np.arange(4)] * 3, indexing="ij"), -1).reshape(-1, 3)
    vertices = ((cells - 2) * (1 << 29) + (1 << 20)).astype(np.int32)
    faces = np.stack([np.arange(64)] * 3, axis=1)[rng.permutation(64)].astype(np.int32)
    order = face_order(faces, vertices)
    # The curve by hand: bit by bit of x, y, z, the highest first.
    bits = (cells[:, None, :] >> np.arange(2)[:, None] & 1) @ [1, 2, 4]
    np.testing.assert_array_equal(faces[order, 0], np.argsort(bits @ [1, 8]))
    assert not is_scattered(faces)  # 64 vertices are never far apart
    corners = faces[order].reshape(-1)
    np.testing.assert_array_equal(vertex_order(faces[order], 70), [*corners[::3], *range(64, 70)])
    mixed = np.array([[5, 2, 5], [2, 7, 0]], np.int32)
    assert vertex_order(mixed, 9).tolist() == [5, 2, 7, 0, 1, 3, 4, 6, 8]
