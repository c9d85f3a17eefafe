"""The oracle's formulas for attributes, against closed forms."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from shapes import (
    rotation,
)


def test_oracle_weights_of_a_face_on_triangle_are_linear_in_the_image():
    """With corners (0, 0), (8, 0) and (0, 8), the weights of the last two are u / 8 and v / 8."""
    view = oracle.View(np.eye(3), np.eye(4), 8, 8, orthographic=True)
    vertices = [(0, 0, 3), (8, 0, 3), (0, 8, 3)]
    pixel = np.arange(64)
    found = oracle.attributes(vertices, [(0, 1, 2)], view, pixel, np.zeros(64, int))
    u, v = pixel % 8 + 0.5, pixel // 8 + 0.5
    np.testing.assert_allclose(
        found.barycentric, np.stack([1 - (u + v) / 8, u / 8, v / 8], 1), atol=1e-14
    )
    np.testing.assert_allclose(found.position, np.stack([u, v, np.full(64, 3)], 1), atol=1e-14)
    np.testing.assert_allclose(found.altitude, 8 / np.sqrt(2))
    np.testing.assert_allclose(found.depth, 3)
    # x right, y down: these corners are counter-clockwise seen from behind, along +z.
    np.testing.assert_allclose(found.normal, np.broadcast_to((0, 0, 1), (64, 3)))
    np.testing.assert_allclose(found.outside, np.maximum(0, (u + v) / 8 - 1))


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_oracle_finds_the_weights_of_a_constructed_point(orthographic, offset):
    """The principal point is chosen so that the point's image is a pixel center."""
    rng = np.random.default_rng([orthographic, int(offset)])
    for _ in range(40):
        world = rng.normal(size=(3, 3)) + offset
        weights = rng.dirichlet((1, 1, 1))
        pose = np.eye(4)
        pose[:3, :3] = rotation(rng)
        pose[:3, 3] = -pose[:3, :3] @ world.mean(0) + (0, 0, 8)
        K = np.array([[30, 5, 0], [0, 25, 0], [0, 0, 1.0]])
        point = pose[:3, :3] @ (weights @ world) + pose[:3, 3]
        image = K @ (point[0], point[1], 1) if orthographic else K @ point / point[2]
        K[:2, 2] = (6.5, 4.5) - image[:2]
        view = oracle.View(K, pose, 11, 9, orthographic)
        found = oracle.attributes(world, [(0, 1, 2)], view, [4 * 11 + 6], [0])
        # Coordinates near 1e6 are rounded by 1e-10; edges of about 1 may be seen obliquely.
        tolerance = 1e-10 + 1e-15 * offset * 50 / max(found.altitude[0], 1e-3) * 30
        np.testing.assert_allclose(found.barycentric[0], weights, atol=tolerance)
        np.testing.assert_allclose(
            found.position[0], weights @ world, atol=5 * tolerance, rtol=1e-15
        )
        np.testing.assert_allclose(found.depth[0], point[2], atol=5 * tolerance)


def test_oracle_altitude():
    """A right triangle with legs of 3 and 4 pixels has altitude 3 * 4 / 5 on its longest side."""
    vertices = np.array([(0, 0, 2), (6, 0, 2), (0, 8, 2), (0, 0, -1)], float)
    faces = [(0, 1, 2), (0, 1, 3), (0, 0, 1)]
    view = oracle.View(np.eye(3), np.eye(4), 8, 8)
    found = oracle.attributes(vertices, faces, view, [9, 9, 9], [0, 1, 2])
    np.testing.assert_allclose(found.altitude, (2.4, 0, 0))  # behind the camera; without area


def test_oracle_corner_normals_of_a_hinge():
    """Two triangles folded along an edge. Beyond 45 degrees each keeps its own normal."""
    for fold_deg in (10.0, 44.9, 45.1, 80.0):
        fold = np.radians(fold_deg)
        # The left one lies in the plane z = 0; the right one is turned down about the y axis. Their
        # angles at the shared corner 0 are 45 degrees and atan(2).
        vertices = [(0, 0, 0), (0, 1, 0), (-1, 1, 0), (2 * np.cos(fold), 1, -2 * np.sin(fold))]
        faces = [(0, 1, 2), (0, 3, 1)]
        normals, certain = oracle.corner_normals(vertices, faces, [0, 1])
        assert certain.all()
        left, right = np.array((0, 0, 1)), np.array((np.sin(fold), 0, np.cos(fold)))
        mean = np.pi / 4 * left + np.arctan(2) * right
        mean /= np.linalg.norm(mean)
        if fold_deg > 45:
            np.testing.assert_allclose(normals, [[left] * 3, [right] * 3], atol=1e-12)
        else:
            np.testing.assert_allclose(normals[0, [0, 2]], [mean, left], atol=1e-12)
            np.testing.assert_allclose(normals[1, [0, 1]], [mean, right], atol=1e-12)


def test_oracle_corner_normals_do_not_depend_on_the_triangulation():
    """Weights by angle ensure this. Split vertices and faces without area change nothing."""
    apex = (0, 0, 0.3)
    rim = [(np.cos(a), np.sin(a), 0) for a in np.radians((0, 70, 190))]
    middle = np.mean(rim[:2], axis=0)
    plain = oracle.corner_normals([apex, *rim], [(0, 1, 2), (0, 2, 3), (0, 3, 1)], [1])[0]
    cut = oracle.corner_normals(
        [apex, *rim, middle],
        [(0, 1, 4), (0, 2, 3), (0, 3, 1), (0, 4, 2), (1, 1, 2), (0, 0, 0)],
        [1],
    )[0]
    np.testing.assert_allclose(plain[0, 0], cut[0, 0], atol=1e-12)
    split = oracle.corner_normals(
        [apex, rim[0], rim[1], apex, rim[1], rim[2], apex, rim[2], rim[0]],
        np.arange(9).reshape(3, 3),
        [1],
    )[0]
    np.testing.assert_allclose(plain, split, atol=1e-15)


def test_oracle_reports_corner_normals_that_depend_on_rounding():
    faces = [(0, 1, 2), (0, 3, 1)]
    at_limit = [(0, 0, 0), (0, 1, 0), (-1, 1, 0), (np.sqrt(0.5), 1, -np.sqrt(0.5))]
    assert not oracle.corner_normals(at_limit, faces, [0])[1].any()
    nearly_flat = [(0, 0, 0), (0, 1, 0), (-1, 1, 0), (1e-11, 0.5, 0)]
    assert not oracle.corner_normals(nearly_flat, faces, [0])[1].any()


def test_oracle_srgb():
    """Some levels with their values from published tables, and both ends."""
    table = {0: 0.0, 10: 0.003035, 11: 0.003347, 128: 0.215861, 188: 0.502886, 255: 1.0}
    np.testing.assert_allclose(
        oracle.linear_from_srgb(list(table)), list(table.values()), atol=5e-7
    )
    np.testing.assert_allclose(oracle.linear_rgba((0, 255, 0, 51)), (0, 1, 0, 0.2))


def test_oracle_texture_of_a_row():
    """Along u: texel centers at halves, linear in between, repeating."""
    texture = np.zeros((1, 4, 4), np.uint8)
    texture[0, :, 3] = (0, 51, 204, 255)  # alpha is linear: 0, 0.2, 0.8, 1
    u = np.linspace(-1, 2, 301)
    color, _ = oracle.texture_at(texture, np.stack([u, np.full_like(u, 0.3)], 1))
    expected = np.interp(u % 1, np.arange(-0.125, 1.2, 0.25), (1, 0, 0.2, 0.8, 1, 0))
    np.testing.assert_allclose(color[:, 3], expected, atol=1e-12)


def test_oracle_texture_has_v_up():
    texture = np.zeros((2, 1, 4), np.uint8)
    texture[0, 0] = (255, 0, 0, 255)  # the top row
    color, _ = oracle.texture_at(texture, [(0.5, 0.75), (0.5, 0.25), (0.5, 0.5), (0.1, 1.75)])
    np.testing.assert_allclose(color[:, 0], (1, 0, 0.5, 1))


def test_oracle_texture_steepness_bounds_the_change():
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (6, 5, 4)).astype(np.uint8)
    for texels in (0.01, 0.5, 2.0):
        uv = rng.uniform(-1, 2, (500, 2))
        step = rng.uniform(-texels, texels, (500, 2)) / (5, 6)
        one, steepness = oracle.texture_at(texture, uv, texels)
        other, _ = oracle.texture_at(texture, uv + step)
        assert (np.abs(other - one) <= 2 * texels * steepness + 1e-12).all()
