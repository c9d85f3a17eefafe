"""Watertight coverage: faces that meet cover each pixel once, also exactly at pixel centers."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import ENGINES
from shapes import box, peel, random_camera, random_closed_mesh

import ddepth_gl as dd

SIZE = 64


def face_on(size: int = SIZE) -> dd.Camera:
    """Return a camera along z for which world x and y are image coordinates in pixels."""
    K = [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1]]
    pose = np.eye(4)
    pose[2, 3] = 2.0
    return dd.Camera(K, pose, size, size, True)


def crossing_count(renderer, vertices, faces, camera=None) -> np.ndarray:
    return peel(renderer, dd.Mesh(vertices, faces), camera or face_on()).count


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("blades", [3, 7, 64, 10_000])
def test_a_fan_around_a_pixel_center(renderer, blades, flip):
    angle = 2 * np.pi * np.arange(blades) / blades
    rim = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1) * 200
    vertices = np.vstack([np.zeros(3), rim]) + np.array((32.5, 20.5, 0))
    index = np.arange(blades)
    faces = np.stack([0 * index, 1 + index, 1 + (index + 1) % blades], 1)
    count = crossing_count(renderer, vertices, faces[:, ::-1] if flip else faces)
    np.testing.assert_array_equal(count, 1)


@pytest.mark.parametrize("alternate", [False, True], ids=["one way", "both ways"])
@pytest.mark.parametrize("step", [1, 2, 5, 70])
def test_a_grid_with_vertices_on_pixel_centers(renderer, step, alternate):
    cells = -(-(SIZE + 2) // step) + 1
    at = np.arange(cells + 1) * step - 0.5
    x, y = np.meshgrid(at, at)
    vertices = np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], 1)
    index = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    one = np.stack([a, b, c, a, c, d], -1)
    other = np.stack([a, b, d, b, c, d], -1)
    turned = (np.add.outer(np.arange(cells), np.arange(cells)) % 2 == 1) & alternate
    faces = np.where(turned[..., None], other, one).reshape(-1, 3)
    np.testing.assert_array_equal(crossing_count(renderer, vertices, faces), 1)


@pytest.mark.parametrize("seed", range(6))
def test_a_triangulated_plane_with_random_vertices_on_the_subpixel_grid(renderer, seed):
    """Delaunay faces of points at quarters of a pixel, many of them pixel centers."""
    spatial = pytest.importorskip("scipy.spatial")
    rng = np.random.default_rng(seed)
    points = rng.integers(-40, 4 * SIZE + 40, (400, 2)) / 4 + 0.5
    points = np.concatenate([points, [(-99, -99), (199, -99), (199, 199), (-99, 199)]])
    points = np.unique(points, axis=0)
    faces = spatial.Delaunay(points).simplices
    vertices = np.column_stack([points, np.zeros(len(points))])
    np.testing.assert_array_equal(crossing_count(renderer, vertices, faces), 1)


def test_a_large_face_and_small_ones_share_an_edge(renderer):
    """The engine `compute` draws small and large faces differently, but their edges must match."""
    split = np.linspace(-20, 90, 400)
    upper = np.stack([split, 0.37 * split + 11.3, 0 * split], 1)
    # Each face has one piece of the edge: large ones up to a far apex, slim ones below.
    lower = upper + np.array((0.3, 0.9, 0))
    apex = [[30.0, -900.0, 0]]
    vertices = np.concatenate([upper, lower, apex])
    i = np.arange(399)
    n = len(split)
    far = np.stack([i, i + 1, np.full(399, 2 * n)], 1)
    near = np.concatenate([np.stack([i, n + i, n + i + 1], 1), np.stack([i, n + i + 1, i + 1], 1)])
    faces = np.concatenate([far, near])
    count = crossing_count(renderer, vertices, faces)
    assert count.max() == 1
    v, u = np.mgrid[:SIZE, :SIZE] + 0.5
    np.testing.assert_array_equal(count[v < 0.37 * u + 12.0], 1)


@pytest.mark.parametrize("seed", range(8))
def test_closed_meshes_seen_closely_have_even_counts(renderer, seed):
    """Faces from a fraction of a pixel to many times the image, beyond the guard band too."""
    rng = np.random.default_rng([seed, 3])
    mesh = random_closed_mesh(rng, bodies=2)
    for _ in range(4):
        camera = random_camera(rng, mesh, bool(rng.integers(2)), 80)
        K = camera.K.copy()
        K[:2, :2] *= 10.0 ** rng.uniform(0, 5)
        near = dd.Camera(
            K, camera.camera_from_world, camera.width, camera.height, camera.is_orthographic
        )
        layers = peel(renderer, mesh, near)
        assert not layers.odd.any()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_largest_faces_and_the_largest_images(engine):
    """Twelve faces over 4096 x 4096 pixels."""
    with dd.DepthRenderer(engine) as renderer:
        scene = renderer.upload(box())
        camera = dd.Camera.look_at(
            (0.3, 0.2, 3), (0, 0, 0), (0, 1, 0), fov_y_deg=30, width=4096, height=4096
        )
        maps = renderer.entry_exit(scene, camera)
        assert maps.mask.all()
        inner = maps.entry[1000:3000, 1000:3000]
        assert np.allclose(inner, 2.0, rtol=0.1)
