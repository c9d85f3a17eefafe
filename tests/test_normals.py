"""Smooth normals: against closed forms, on awkward input, and against a plain loop."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from shapes import box, merged, random_closed_mesh, rotation, sphere

import ddepth_gl as dd
from ddepth_gl.mesh import normals as mesh_normals

# A mean in float64 is rounded to float32 and normalized there. The sum, the length (of three
# squares) and the quotient add 2**-24 each, for coordinates of at most 1: below 4 * 2**-24.
ROUNDING = 4 * 2.0**-24


def smooth_normals(mesh: dd.Mesh) -> np.ndarray:
    return mesh_normals.smooth_normals(mesh.vertices, mesh.faces)


def prism(sides: int, layers: int = 1) -> dd.Mesh:
    """Return a regular prism of radius 1 around z, from z = -1 to 1, with triangulated sides."""
    angle = 2 * np.pi * np.arange(sides) / sides
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    heights = np.linspace(-1, 1, layers + 1)
    vertices = np.concatenate([np.column_stack([ring, np.full(sides, z)]) for z in heights])
    vertices = np.concatenate([vertices, [(0, 0, -1), (0, 0, 1)]])
    this, following = np.arange(sides), (np.arange(sides) + 1) % sides
    faces = []
    for k in range(layers):
        low, high = k * sides, (k + 1) * sides
        faces.append(np.stack([low + this, low + following, high + following], 1))
        faces.append(np.stack([low + this, high + following, high + this], 1))
    bottom, top = len(vertices) - 2, len(vertices) - 1
    faces.append(np.stack([np.full(sides, bottom), following, this], 1))
    faces.append(
        np.stack([np.full(sides, top), layers * sides + this, layers * sides + following], 1)
    )
    return dd.Mesh(vertices, np.concatenate(faces))


def every_corner(values) -> np.ndarray:
    """Return (F, 3, 3): the value of each face at its three corners."""
    return np.repeat(np.asarray(values)[:, None], 3, axis=1)


def check_units(mesh: dd.Mesh, normals: np.ndarray) -> None:
    """Check shape, dtype and length: 1, and 0 for faces without area only."""
    assert normals.shape == (len(mesh.faces), 3, 3)
    assert normals.dtype == np.float32
    has_area = mesh.face_normals().any(axis=1)
    length = np.linalg.norm(normals.astype(np.float64), axis=2)
    np.testing.assert_allclose(length, every_corner(has_area[:, None])[..., 0], atol=ROUNDING)


@pytest.mark.parametrize("turned", [False, True])
def test_a_box_stays_flat(turned):
    """Sides that meet at 90 degrees keep their normals; the two triangles of a side share one."""
    mesh = box((-1, -2, -0.5), (3, 1, 2))
    if turned:
        mesh = dd.Mesh(mesh.vertices @ rotation(np.random.default_rng(1)).T, mesh.faces)
    normals = smooth_normals(mesh)
    check_units(mesh, normals)
    np.testing.assert_allclose(normals, every_corner(mesh.face_normals()), atol=ROUNDING)


def test_a_fine_sphere_is_radial():
    """The smooth normals of a fine sphere are the radii, up to a bound.

    The corners lie on the sphere, so the normal of a face differs from the radius by the angle of
    the circumradius, which is half the diagonal of a cell. So does the mean. Away from the poles,
    the six faces around a vertex are point-symmetric up to second order in the diagonal. There the
    mean differs by at most the diagonal squared: a fifteenth of the error of flat normals.
    """
    rings, sides = 48, 96
    mesh = sphere(2.5, rings, sides)
    normals = smooth_normals(mesh)
    check_units(mesh, normals)
    radial = mesh.vertices[mesh.faces] / 2.5
    diagonal = np.hypot(np.pi / rings, 2 * np.pi / sides)
    off = np.linalg.norm(normals - radial, axis=2)
    assert off.max() <= diagonal / 2 * 1.01
    middle = (np.abs(radial[..., 2]) < 0.7).all(axis=1)
    assert middle.sum() > 2000
    assert off[middle].max() <= diagonal**2
    flat = np.linalg.norm(every_corner(mesh.face_normals()) - radial, axis=2)
    assert np.median(flat[middle]) > diagonal / 4


@pytest.mark.parametrize("layers", [1, 3])
def test_a_cylinder_has_smooth_sides_and_flat_caps(layers):
    """The faces left and right of a corner have a right angle there, in one part or two.

    So the mean weighted by angles is exactly the radius. Weighted by area or count it is not.
    """
    mesh = prism(24, layers)
    normals = smooth_normals(mesh)
    check_units(mesh, normals)
    corners = mesh.vertices[mesh.faces]
    is_cap = np.ptp(corners[..., 2], axis=1) == 0
    assert is_cap.sum() == 48
    cap_normals = corners[is_cap][:, :1] * (0, 0, 1)
    np.testing.assert_allclose(
        normals[is_cap], np.broadcast_to(cap_normals, (48, 3, 3)), atol=ROUNDING
    )
    np.testing.assert_allclose(normals[~is_cap], corners[~is_cap] * (1, 1, 0), atol=ROUNDING)


@pytest.mark.parametrize(("sides", "is_smooth"), [(9, True), (8, True), (7, False)])
@pytest.mark.parametrize("seed", range(4))
def test_at_exactly_45_degrees_rounding_does_not_decide(sides, is_smooth, seed):
    """The sides of an octagonal prism meet at 45 degrees up to rounding, and are smooth all around.

    Nine sides meet at 40 degrees, seven at 51.4.
    """
    straight = prism(sides)
    turn = rotation(np.random.default_rng(seed)) if seed else np.eye(3)
    mesh = dd.Mesh(straight.vertices @ turn.T + seed * 3.7, straight.faces)
    normals = smooth_normals(mesh)
    check_units(mesh, normals)
    corners = straight.vertices[straight.faces]
    is_side = np.ptp(corners[..., 2], axis=1) > 0
    expected = every_corner(straight.face_normals())
    if is_smooth:
        expected[is_side] = corners[is_side] * (1, 1, 0)
    # Moved by at most 11, vertices are rounded by 2**-50, which is negligible.
    np.testing.assert_allclose(normals, expected @ turn.T, atol=ROUNDING)


def test_vertices_at_the_same_position_count_as_one():
    """With a UV seam, with no shared vertices at all, and with zeros of either sign."""
    rng = np.random.default_rng(2)
    mesh = merged(random_closed_mesh(rng, bodies=2), box())
    whole = smooth_normals(mesh)
    apart = dd.Mesh(
        mesh.vertices[mesh.faces].reshape(-1, 3), np.arange(3 * len(mesh.faces)).reshape(-1, 3)
    )
    # The same faces in the same order: the same sums.
    np.testing.assert_array_equal(smooth_normals(apart), whole)
    side = mesh.vertices[mesh.faces].mean(axis=1)[:, 0] > 0.1
    seam = np.where(side[:, None], mesh.faces + len(mesh.vertices), mesh.faces)
    halves = dd.Mesh(
        np.tile(mesh.vertices, (2, 1)), seam, uv=rng.random((2 * len(mesh.vertices), 2))
    )
    np.testing.assert_array_equal(smooth_normals(halves), whole)

    round_thing = sphere(1.0, 8, 12)
    vertices = round_thing.vertices.copy()
    vertices[np.abs(vertices) < 1e-12] = 0.0
    positive = dd.Mesh(vertices, round_thing.faces)
    corners = vertices[round_thing.faces].reshape(-1, 3)
    corners[::2][corners[::2] == 0] = -0.0
    assert np.signbit(corners[corners == 0]).any()
    mixed = dd.Mesh(corners, np.arange(len(corners)).reshape(-1, 3))
    np.testing.assert_array_equal(smooth_normals(mixed), smooth_normals(positive))


def test_bodies_that_do_not_touch_do_not_smooth_each_other():
    """Two spheres 1e-7 apart have the normals of each sphere by itself."""
    one = sphere(1.0, 8, 12)
    other = dd.Mesh(one.vertices + np.array([1e-7, 0, 0]), one.faces)
    together = smooth_normals(merged(one, other))
    np.testing.assert_array_equal(together[: len(one.faces)], smooth_normals(one))
    np.testing.assert_allclose(together[len(one.faces) :], together[: len(one.faces)], atol=1e-6)


def test_faces_without_area_have_no_normal_and_change_nothing():
    rng = np.random.default_rng(3)
    mesh = random_closed_mesh(rng, bodies=2)
    some = mesh.faces[rng.integers(0, len(mesh.faces), 40)]
    middle = len(mesh.vertices) + np.arange(10)
    degenerate = np.concatenate(
        [
            some[:10][:, [0, 0, 1]],
            some[10:20][:, [2, 2, 2]],
            # Two different vertices at the same position
            np.column_stack([some[20:30, 0], middle, some[20:30, 1]]),
        ]
    )
    vertices = np.concatenate([mesh.vertices, mesh.vertices[some[20:30, 0]]])
    where = rng.permutation(len(mesh.faces) + len(degenerate))
    faces = np.concatenate([mesh.faces, degenerate])[where]
    normals = smooth_normals(dd.Mesh(vertices, faces))
    is_real = where < len(mesh.faces)
    assert not normals[~is_real].any()
    # The sums are in a different order.
    np.testing.assert_allclose(
        normals[is_real], smooth_normals(mesh)[where[is_real]], atol=2 * ROUNDING
    )


def test_a_collinear_face_changes_nothing():
    """Between two triangles of a plane there is a face whose three corners lie on their edge."""
    vertices = [(0, 0, 0), (2, 0, 0), (1, 1, 0), (1, -1, 0), (1, 0, 0)]
    normals = smooth_normals(dd.Mesh(vertices, [(0, 1, 2), (0, 4, 1), (1, 0, 3)]))
    np.testing.assert_array_equal(normals[[0, 2]], np.broadcast_to((0.0, 0.0, 1.0), (2, 3, 3)))
    assert not normals[1].any()


def cone(count: int, height: float) -> dd.Mesh:
    """Return an open cone over the unit circle, with `count` faces around (0, 0, height)."""
    angle = 2 * np.pi * np.arange(count) / count
    ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(count)], 1)
    this = np.arange(count)
    faces = np.stack([np.full(count, count), this, (this + 1) % count], 1)
    return dd.Mesh(np.concatenate([ring, [(0, 0, height)]]), faces)


@pytest.mark.parametrize("count", [8, 100, 5000])
def test_an_apex_of_many_faces(count):
    """On a flat cone, all normals are within 45 degrees of each other: their mean is the axis."""
    mesh = cone(
        count, 0.3
    )  # normals tilt by at most 18 degrees; opposite ones are at most 36 degrees apart
    normals = smooth_normals(mesh)
    check_units(mesh, normals)
    np.testing.assert_allclose(normals[:, 0], np.broadcast_to((0, 0, 1), (count, 3)), atol=ROUNDING)


def test_a_steep_apex_of_5000_faces():
    """On a steep cone, each face is smoothed with the faces on its side.

    Normals are (c cos a, c sin a, s) with c = s = 2**-0.5. Those within 45 degrees of a = 0 have
    c**2 cos a + s**2 >= 2**-0.5, so cos a >= 2**0.5 - 1. Their mean over |a| <= w is
    (c sin(w) / w, 0, s). Of 5,000 discrete faces, the outermost two may count or not: each is one
    of 5000 * w / pi faces, so the mean moves by at most 2 * pi / (5000 * w).
    """
    count = 5000
    mesh = cone(count, 1.0)
    normals = smooth_normals(mesh)
    check_units(mesh, normals)
    width = np.arccos(2**0.5 - 1)
    middle = 2 * np.pi * (np.arange(count) + 0.5) / count
    radial = np.sin(width) / width
    expected = np.stack([radial * np.cos(middle), radial * np.sin(middle), np.ones(count)], 1)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(normals[:, 0], expected, atol=2 * np.pi / (count * width))
    # A vertex on the rim has two faces, each half a step away from it.
    rim = mesh.vertices[mesh.faces[:, 1]] * (1, 1, 0) + (0, 0, 1)
    np.testing.assert_allclose(normals[:, 1], rim / 2**0.5, atol=(np.pi / count) ** 2 + ROUNDING)


@pytest.mark.parametrize("seed", range(6))
def test_against_a_plain_loop(seed):
    rng = np.random.default_rng([seed, 4])
    mesh = random_closed_mesh(rng, bodies=1 + seed % 2)
    if seed % 3 == 2:  # any winding, some faces twice, holes
        mesh = dd.Mesh(
            mesh.vertices,
            rng.permuted(mesh.faces, axis=1)[rng.integers(0, len(mesh.faces), len(mesh.faces))],
        )
    picked = rng.permutation(len(mesh.faces))[:400]
    expected, certain = oracle.corner_normals(mesh.vertices, mesh.faces, picked)
    assert certain.mean() > 0.95
    normals = smooth_normals(mesh)
    check_units(mesh, normals)
    np.testing.assert_allclose(normals[picked][certain], expected[certain], atol=ROUNDING)
    flat = every_corner(mesh.face_normals())[picked][certain]
    assert np.abs(flat - expected[certain]).max() > 0.1  # flat normals would fail


def test_a_cone_of_very_many_faces_is_as_smooth_as_one_of_few():
    """Vertices of very many faces compare cells of normals, with the same result at an apex."""
    for sides in (8000, 9000, 40_000):
        angle = 2 * np.pi * np.arange(sides) / sides
        rim = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
        vertices = np.concatenate([[[0, 0, 0.2]], rim])
        index = np.arange(sides)
        faces = np.stack([0 * index, 1 + index, 1 + (index + 1) % sides], 1)
        apex = smooth_normals(dd.Mesh(vertices, faces))[:, 0]
        np.testing.assert_allclose(apex, np.broadcast_to((0, 0, 1), apex.shape), atol=1e-5)
