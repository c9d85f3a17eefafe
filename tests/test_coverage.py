"""Coverage: ties, faces without area, no holes, and both sheets at every silhouette."""

from __future__ import annotations

import numpy as np
import pytest
from closed_forms import MARGIN, ROUNDING
from shapes import box, render, rotation, sphere, torus
from views import views

import ddepth_gl as dd

# Faces that coincide, and faces without area


def test_coincident_faces_are_ordered_by_index(renderer):
    """Ties go to the smallest face index on entry and the largest on exit."""
    rng = np.random.default_rng(4)
    mesh = box((-0.75, -0.5, -0.25), (0.5, 0.75, 0.375))
    copies = np.tile(np.arange(12), 5)
    rng.shuffle(copies)
    # Each copy begins at another corner.
    faces = np.array([np.roll(mesh.faces[face], rng.integers(3)) for face in copies])
    many = dd.Mesh(mesh.vertices, faces)
    for view in ("plain", "skew", "orthographic"):
        camera = views(0.9)[view]
        for surfaces in ("oriented", "any"):
            once = render(renderer, mesh, camera, surfaces=surfaces, attributes=("face",))
            often = render(renderer, many, camera, surfaces=surfaces, attributes=("face",))
            first = np.array([*(np.flatnonzero(copies == face)[0] for face in range(12)), -1])
            last = np.array([*(np.flatnonzero(copies == face)[-1] for face in range(12)), -1])
            np.testing.assert_array_equal(often.entry, once.entry)
            np.testing.assert_array_equal(often.exit, once.exit)
            np.testing.assert_array_equal(often.entry_face, first[once.entry_face])
            np.testing.assert_array_equal(often.exit_face, last[once.exit_face])


@pytest.mark.parametrize("view", ["plain", "wide", "orthographic_skew"])
def test_faces_without_area_cover_nothing(renderer, view):
    rng = np.random.default_rng(9)
    mesh = torus(1.0, 0.35, 40, 20)
    camera = views(1.35)[view]
    count = len(mesh.vertices)
    corners = rng.integers(0, count, (300, 3))
    repeated = corners.copy()
    repeated[:100, 1] = repeated[:100, 0]
    repeated[100:200, 2] = repeated[100:200, 1]
    repeated[200:] = repeated[200:, :1]
    # Points on a line, exactly so on the vertices' grid: parallel to an axis, and along a diagonal.
    line = np.array(
        [
            [-1.25, 0.5, 0.25],
            [0.25, 0.5, 0.25],
            [1.25, 0.5, 0.25],
            [-1, -1, 0.25],
            [0, 0, 0.25],
            [1, 1, 0.25],
        ]
    )
    collinear = np.array([[0, 1, 2], [2, 1, 0], [3, 4, 5], [4, 5, 3], [1, 0, 2]]) + count
    vertices = np.concatenate([mesh.vertices, line])
    bad = np.concatenate([repeated, np.tile(collinear, (20, 1))])
    faces = np.concatenate([mesh.faces, bad])
    order = rng.permutation(len(faces))
    mixed = dd.Mesh(vertices, faces[order])
    plain = dd.Mesh(vertices, mesh.faces)
    new_index = np.argsort(order)
    new_index = np.append(new_index[: len(mesh.faces)], -1)
    for surfaces in ("oriented", "any"):
        expected = render(renderer, plain, camera, surfaces=surfaces, attributes=("face",))
        got = render(renderer, mixed, camera, surfaces=surfaces, attributes=("face",))
        assert expected.mask.any()
        np.testing.assert_array_equal(got.entry, expected.entry)
        np.testing.assert_array_equal(got.exit, expected.exit)
        np.testing.assert_array_equal(got.entry_face, new_index[expected.entry_face])
        np.testing.assert_array_equal(got.exit_face, new_index[expected.exit_face])


# No holes


def face_on_camera(width, height, orthographic, depth=2.0):
    """Return a camera whose image coordinates are world x, y at z = `depth`.

    So vertices can be placed on pixel centers to the last bit.
    """
    if orthographic:
        return dd.Camera(np.eye(3), np.eye(4), width, height, True)
    return dd.Camera(np.array([[depth, 0, 0], [0, depth, 0], [0, 0, 1]]), np.eye(4), width, height)


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize(
    "around", [(20.5, 20.5), (20.0, 20.0), (20.5, 20.25)], ids=["center", "corner", "off"]
)
def test_a_fan_of_2000_faces_has_no_hole(renderer, orthographic, around):
    """Exactly one face must own the pixel if the fan's center is exactly on the pixel center."""
    angle = 2 * np.pi * np.arange(2000) / 2000
    rim = 18.0 * np.stack([np.cos(angle), np.sin(angle)], -1) + around
    vertices = np.concatenate([[[*around, 2.0]], np.column_stack([rim, np.full(2000, 2.0)])])
    following = np.roll(np.arange(2000), -1)
    # y points down in the image, so vertices in clockwise order face the camera.
    mesh = dd.Mesh(
        vertices, np.column_stack([np.zeros(2000, int), following + 1, np.arange(2000) + 1])
    )
    camera = face_on_camera(41, 41, orthographic)
    centers = camera.pixel_centers() - around
    radius = np.hypot(*np.moveaxis(centers, -1, 0))
    for surfaces in ("oriented", "any"):
        maps = render(renderer, mesh, camera, surfaces=surfaces)
        # The rim is a polygon, inside the circle by 18 (1 - cos(pi / 2000)) = 2e-5 pixels.
        assert not np.isnan(maps.entry[radius < 18 - MARGIN - 1e-4]).any()
        assert np.isnan(maps.entry[radius > 18 + MARGIN]).all()
        assert (np.abs(maps.entry[radius < 17.9] - 2.0) <= ROUNDING * 2).all()
    # Each pixel is covered exactly once: the two halves of the fan never overlap, and together they
    # cover what the whole fan covers.
    halves = [
        ~np.isnan(render(renderer, dd.Mesh(vertices, mesh.faces[part]), camera).entry)
        for part in (slice(0, 1000), slice(1000, 2000))
    ]
    assert not (halves[0] & halves[1]).any()
    np.testing.assert_array_equal(
        halves[0] | halves[1], ~np.isnan(render(renderer, mesh, camera).entry)
    )


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("offset", [0.5, 0.0], ids=["vertices_on_centers", "vertices_on_corners"])
@pytest.mark.parametrize("cell", [1.0, 2.0, 1.5])
def test_grids_have_no_hole(renderer, orthographic, offset, cell):
    """Vertices lie on pixel centers, and rows, columns and diagonals of edges run through them."""
    count = 24
    at = np.arange(count + 1) * cell + offset
    x, y = np.meshgrid(at, at)
    # A bumpy sheet. In perspective each vertex moves along its ray, so its projection stays.
    z = 2.0 + 0.25 * ((np.arange((count + 1) ** 2) * 7 % 5) / 4).reshape(x.shape)
    points = np.stack([x, y, z], -1) if orthographic else np.stack([x * z / 2, y * z / 2, z], -1)
    index = np.arange((count + 1) ** 2).reshape(x.shape)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.concatenate([np.stack(t, -1).reshape(-1, 3) for t in ((a, c, b), (a, d, c))])
    size = int(np.ceil(at[-1])) + 2
    camera = face_on_camera(size, size, orthographic)
    maps = render(
        renderer,
        dd.Mesh(points.reshape(-1, 3), faces),
        camera,
        surfaces="any",
        attributes=("face",),
    )
    u, v = np.moveaxis(camera.pixel_centers(), -1, 0)
    inside = (u > at[0]) & (u < at[-1]) & (v > at[0]) & (v < at[-1])
    outside = (u < at[0]) | (u > at[-1]) | (v < at[0]) | (v > at[-1])
    assert not np.isnan(maps.entry[inside]).any()
    assert np.isnan(maps.entry[outside]).all()
    # Entry and exit come from one face, so no pixel is covered twice, not even on edges and
    # vertices.
    np.testing.assert_array_equal(maps.entry_face, maps.exit_face)
    np.testing.assert_array_equal(maps.entry, maps.exit)
    assert (maps.entry[inside] >= 2.0 * (1 - ROUNDING)).all()
    assert (maps.entry[inside] <= 2.25 * (1 + ROUNDING)).all()


def closed_scenes():
    """Yield name, closed mesh and camera outside it; silhouettes may run through pixel centers."""
    for view, camera in views(1.35).items():
        yield f"torus, {view}", torus(1.0, 0.35, 48, 24), camera
        yield f"sphere, {view}", sphere(0.8, 12, 24, (0.2, -0.1, 0.15)), camera
        yield f"box, {view}", box((-0.75, -0.5, -0.25), (0.5, 0.75, 0.375)), camera
    # Axis-aligned boxes with edges exactly through pixel centers.
    for orthographic in (False, True):
        camera = face_on_camera(24, 24, orthographic)
        yield "box on centers", box((4.5, 5.5, 2.0), (16.5, 17.5, 3.0)), camera
        yield "box on corners", box((4.0, 5.0, 2.0), (16.0, 17.0, 3.0)), camera
        yield "box of one pixel", box((7.5, 7.5, 2.0), (8.5, 8.5, 3.0)), camera
    # Slivers, with silhouettes everywhere.
    rng = np.random.default_rng(12)
    for _ in range(20):
        spikes = sphere(1.0, 8, 40, radius_at=lambda d: 0.3 + 0.7 * (np.arange(len(d)) % 2))
        yield (
            "spikes",
            dd.Mesh(spikes.vertices @ rotation(rng).T, spikes.faces),
            views(1.0)["plain"],
        )


def test_closed_meshes_have_both_sheets_or_neither(renderer):
    """From outside a closed mesh, entry and exit exist at the same pixels, silhouettes included.

    A closed mesh stays closed when the rasterizer snaps it to its grid. So it covers each pixel
    center with as many front as back faces, if each edge through a center belongs to one side and
    facing is decided after snapping.
    """
    for name, mesh, camera in closed_scenes():
        assert mesh.is_closed
        for surfaces in ("oriented", "any"):
            maps = render(renderer, mesh, camera, surfaces=surfaces, attributes=("face",))
            np.testing.assert_array_equal(np.isnan(maps.entry), np.isnan(maps.exit), err_msg=name)
            np.testing.assert_array_equal(maps.mask, ~np.isnan(maps.entry), err_msg=name)
            np.testing.assert_array_equal(maps.mask, maps.entry_face >= 0, err_msg=name)
            np.testing.assert_array_equal(maps.mask, maps.exit_face >= 0, err_msg=name)


def test_entry_is_never_beyond_exit(renderer):
    """From outside a closed mesh, thickness is never negative."""
    for name, mesh, camera in closed_scenes():
        for surfaces in ("oriented", "any"):
            maps = render(renderer, mesh, camera, surfaces=surfaces)
            wrong = maps.entry > maps.exit
            assert not wrong.any(), (
                f"{name}, {surfaces}: entry beyond exit at {np.argwhere(wrong)[:3].tolist()}, "
                f"by {((maps.entry - maps.exit) / maps.exit)[wrong].max():.3g} relatively"
            )
            assert (maps.thickness[maps.mask] >= 0).all()


def test_a_crop_that_cuts_nothing_changes_nothing(renderer):
    """A crop that keeps all crossings returns the same bits, at silhouettes too."""
    for name, mesh, camera in closed_scenes():
        scene = renderer.upload(mesh)
        for surfaces in ("oriented", "any"):
            whole = renderer.entry_exit(scene, camera, surfaces=surfaces)
            kept = renderer.entry_exit(scene, camera, surfaces=surfaces, near=0.0, far=1e4)
            np.testing.assert_array_equal(kept.entry, whole.entry, err_msg=name)
            np.testing.assert_array_equal(kept.exit, whole.exit, err_msg=name)
        scene.release()
