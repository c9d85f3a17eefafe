"""Faces that `raster` leaves out in software: none that covers a pixel, and the same images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from oracle.candidates import find_candidates
from shapes import (
    box,
    closed_cylinder,
    inside_out,
    merged,
    random_camera,
    random_closed_mesh,
    sphere,
    view_of,
)

import ddepth_gl as dd
from ddepth_gl.engines.raster import selection
from ddepth_gl.engines.raster.mesh_buffers import FaceIndices
from ddepth_gl.engines.raster.screen_vertices import screen_vertices
from ddepth_gl.engines.raster.visible_faces import VisibleFaces, visible_faces

SUBPIXEL_BITS = 8
FRONT, BACK = 0, 1


@pytest.fixture(scope="module")
def raster() -> Iterator[dd.DepthRenderer]:
    with dd.DepthRenderer(engine="raster") as renderer:
        yield renderer


def visible_of(renderer: dd.DepthRenderer, mesh: dd.Mesh, camera: dd.Camera) -> VisibleFaces | None:
    scene = renderer.upload(mesh)
    try:
        vertices = screen_vertices(scene, camera, SUBPIXEL_BITS, mesh.vertices)
        return None if vertices is None else visible_faces(mesh.faces, vertices)
    finally:
        scene.release()


def close_camera(rng: np.random.Generator, mesh: dd.Mesh, size: int = 64) -> dd.Camera:
    """Return a camera among the vertices, so that faces reach behind it and far out of view."""
    eye = mesh.vertices[rng.integers(len(mesh.vertices))] * rng.uniform(0.3, 1.2)
    target = mesh.vertices[rng.integers(len(mesh.vertices))] + rng.normal(size=3) * 0.1
    up = rng.normal(size=3)
    return dd.Camera.look_at(eye, target, up, fov_y_deg=rng.uniform(20, 120), width=size, height=48)


def distant_camera(rng: np.random.Generator, mesh: dd.Mesh) -> dd.Camera:
    """Return a camera with a long lens, for which float32 is coarse."""
    low, high = mesh.bounds
    radius = float(np.linalg.norm(high - low)) / 2
    distance = radius * 10.0 ** rng.uniform(1, 4)
    direction = rng.normal(size=3)
    middle = (low + high) / 2
    eye = middle + direction / np.linalg.norm(direction) * distance
    angle = float(np.degrees(2 * np.arctan(radius / distance)))
    return dd.Camera.look_at(eye, middle, rng.normal(size=3), fov_y_deg=angle, width=64, height=48)


def cameras(rng: np.random.Generator, mesh: dd.Mesh) -> list[dd.Camera]:
    """Return cameras of all kinds."""
    return [
        distant_camera(rng, mesh),
        random_camera(rng, mesh, orthographic=False, size=64),
        random_camera(rng, mesh, orthographic=True, size=64),
        close_camera(rng, mesh),
    ]


@pytest.mark.parametrize("seed", range(8))
def test_faces_that_certainly_cover_a_pixel_are_visible(raster, seed):
    rng = np.random.default_rng(seed)
    mesh = random_closed_mesh(rng)
    for camera in cameras(rng, mesh):
        visible = visible_of(raster, mesh, camera)
        if visible is None:
            continue  # a very long lens
        assert (np.diff(visible.faces) > 0).all()
        found = find_candidates(mesh.vertices, mesh.faces, view_of(camera), margin=1 / 128)
        for facing, front in ((FRONT, True), (BACK, False)):
            certain = found.certain & (found.front == front)
            expected = found.face[certain]
            listed = visible.faces[visible.of_facing[facing]]
            assert np.isin(expected, listed).all()
            # The box of each face holds the pixel.
            at = np.searchsorted(visible.faces, expected)
            rows, columns = np.divmod(found.pixel[certain], camera.width)
            first_rows, first_columns = np.divmod(visible.first_pixels[at], camera.width)
            large = visible.sides[at] == 64
            for first, pixel in ((first_rows, rows), (first_columns, columns)):
                assert (large | ((first <= pixel) & (pixel < first + visible.sides[at]))).all()


def test_small_faces_that_cover_no_pixel_are_left_out(raster):
    mesh = sphere(rings=100, sides=200)
    camera = dd.Camera.orbit(mesh, views=1, width=64, height=64, seed=3)[0]
    visible = visible_of(raster, mesh, camera)
    assert visible is not None
    # Faces that are not within 1/64 pixel of a center are left out, except for thin ones.
    near = find_candidates(mesh.vertices, mesh.faces, view_of(camera), margin=1 / 128).face
    is_edge_on = np.isin(np.arange(len(visible.faces)), np.intersect1d(*visible.of_facing))
    assert np.count_nonzero(is_edge_on) < len(visible.faces) / 20
    one_pixel = visible.faces[(visible.sides == 1) & ~is_edge_on]
    assert len(one_pixel) > 1000
    assert np.isin(one_pixel, near).mean() > 0.9


@pytest.mark.parametrize("seed", range(4))
def test_largest_counts(raster, seed):
    rng = np.random.default_rng(seed)
    mesh = random_closed_mesh(rng)
    for camera in cameras(rng, mesh):
        visible = visible_of(raster, mesh, camera)
        if visible is None:
            continue  # a very long lens
        counts = rng.integers(0, 200, (camera.height, camera.width)).astype(np.uint8)
        which = visible.of_facing[BACK]
        largest = visible.largest_counts(which, counts)
        for position, bound in zip(which, largest, strict=True):
            row, column = divmod(int(visible.first_pixels[position]), camera.width)
            side = int(visible.sides[position])
            if side == 64:
                assert bound == counts.max()
            else:
                assert bound == counts[row : row + side, column : column + side].max()


def images(renderer: dd.DepthRenderer, mesh: dd.Mesh, camera: dd.Camera) -> list[np.ndarray]:
    """Return arrays that have to be equal, bit for bit, whichever faces are left out."""
    scene = renderer.upload(mesh)
    arrays: list[np.ndarray] = []
    near = scene.distance_to_face(camera) + 0.4 * scene.diagonal
    for surfaces, crop in (("oriented", {}), ("any", {}), ("auto", {"near": near})):
        maps = renderer.entry_exit(scene, camera, surfaces=surfaces, attributes=("face",), **crop)
        arrays += [maps.entry, maps.exit, maps.entry_face, maps.exit_face]
    for options in ({}, {"max_layers": 2, "near": near}):
        layers = renderer.peel(scene, camera, **options)
        arrays += [layers.offsets, layers.depth, layers.face, layers.front_facing, layers.truncated]
    scene.release()
    return arrays


def solids(rng: np.random.Generator) -> dd.Mesh:
    """Return closed bodies that count by facing, others inside out, and faces of all sizes."""
    closed = random_closed_mesh(rng)
    corners = rng.normal(size=(60, 3)) * rng.choice([0.02, 0.3, 30.0], (60, 1))
    loose = dd.Mesh(corners, np.arange(60).reshape(-1, 3))
    return merged(closed, inside_out(box((-0.3, -0.3, -0.3), (0.4, 0.3, 0.3))), loose)


@pytest.mark.parametrize("seed", range(4))
def test_images_are_those_of_all_faces(raster, monkeypatch, seed):
    monkeypatch.setattr(selection, "_MIN_FACES", 0)
    monkeypatch.setattr(selection, "_MIN_FACES_FOR_LATER_LAYERS", 0)
    monkeypatch.setattr(selection, "_MAX_SHARE", 1.0)
    rng = np.random.default_rng(seed)
    mesh = solids(rng) if seed % 2 else random_closed_mesh(rng)
    for camera in cameras(rng, mesh):
        if camera.is_orthographic or not raster.upload(mesh).is_beside_a_face(camera):
            monkeypatch.setattr(raster._context, "is_software", False)  # draws all faces
            expected = images(raster, mesh, camera)
            monkeypatch.setattr(raster._context, "is_software", True)
            for array, correct in zip(images(raster, mesh, camera), expected, strict=True):
                np.testing.assert_array_equal(array, correct)


def test_fewer_faces_are_drawn_for_each_layer(raster, monkeypatch):
    # Half of the image shows one sphere, a small part of it two more behind.
    small = sphere(0.2, 30, 60)
    behind = [dd.Mesh(small.vertices + np.array((0, 0, z)), small.faces) for z in (-3, -6)]
    mesh = merged(sphere(rings=60, sides=120), *behind)
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[2, 3] = 10.0
    camera = dd.Camera.orthographic((2.5, 2.5), pose, 48, 48)
    drawn: list[int] = []
    write = FaceIndices.write
    monkeypatch.setattr(
        FaceIndices, "write", lambda self, faces: drawn.append(len(faces)) or write(self, faces)
    )
    monkeypatch.setattr(raster._context, "is_software", True)
    scene = raster.upload(mesh)
    layers = raster.peel(scene, camera)
    assert layers.count.max() == 6
    assert len(drawn) == 6
    fronts, backs, *later = drawn
    assert max(fronts, backs) < len(mesh.faces) / 2
    assert max(later) < min(fronts, backs) / 2
    # A GPU draws all faces: finding the visible ones would take longer.
    drawn.clear()
    monkeypatch.setattr(raster._context, "is_software", False)
    np.testing.assert_array_equal(raster.peel(scene, camera).depth, layers.depth)
    assert not drawn
    scene.release()


def test_nothing_in_view(raster):
    mesh = sphere(rings=60, sides=120)
    camera = dd.Camera.look_at((0, 0, 5), (0, 0, 10), (0, 1, 0), width=32, height=32)
    visible = visible_of(raster, mesh, camera)
    assert visible is not None
    scene = raster.upload(mesh)
    assert not raster.entry_exit(scene, camera).mask.any()
    assert len(raster.peel(scene, camera).depth) == 0
    scene.release()


def test_all_faces_are_drawn_where_float32_is_too_coarse(raster):
    mesh = sphere(rings=60, sides=120)
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[:3, 3] = 1e7, 0.0, 2e7
    camera = dd.Camera.orthographic((3.0, 3.0), pose, 64, 64)
    assert visible_of(raster, mesh, camera) is None
    scene = raster.upload(mesh)
    assert len(raster.peel(scene, camera).depth) == 0  # the sphere is far outside of the image
    scene.release()


def test_neighbors_of_clipped_faces_are_drawn(raster):
    """A thin side of a closed cylinder that leaves the image is a front or a back by its batch."""
    mesh = closed_cylinder(3000)
    rotation = [
        [0.329310856439941, -0.9442215628923079, 0.0],
        [0.5500090603847694, 0.19182357387626564, -0.8128307019299899],
        [0.7674922757431867, 0.2676739745932434, 0.5825],
    ]
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = -6.637891895749914e-17, -4.0439363153999857e-16, 4.341628028258609
    K = np.array([[151.11125807000423, 0, 58.85304725259398],
                  [0, 151.11125807000423, 74.34053440554644], [0, 0, 1]])  # fmt: skip
    camera = dd.Camera(K, pose, 150, 110)
    scene = raster.upload(mesh)
    maps, layers = raster.entry_exit(scene, camera), raster.peel(scene, camera)
    assert not layers.odd.any()
    np.testing.assert_array_equal(layers.entry_exit().exit, maps.exit)
    scene.release()
