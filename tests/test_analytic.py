"""Depth maps of bodies with closed forms: spheres, tori, boxes, and sheets."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from closed_forms import (
    MARGIN,
    ROUNDING,
    assert_within,
    box_form,
    box_planes,
    bracket,
    cavity,
    extended_by_planes,
    longest_edge,
    plane_overrun,
    planes_of_quads,
    sphere_form,
    torus_form,
    torus_spread,
)
from shapes import (
    box,
    grid_step,
    inside_out,
    merged,
    pixel_rays,
    render,
    rotation,
    sphere,
    sphere_sagitta,
    torus,
)
from views import VIEWS, look, look_with_fov, views

import ddepth_gl as dd

# Spheres


@pytest.mark.parametrize("view", VIEWS)
def test_sphere(renderer, view, record_property):
    center = np.array([0.2, -0.1, 0.15])
    mesh = sphere(0.7, 48, 96, center)
    sagitta = sphere_sagitta(0.7, 48, 96)
    camera = views(1.0)[view]
    maps = render(renderer, mesh, camera)
    outer = 0.7 + plane_overrun(camera, mesh, np.pi / 48)
    ranges = bracket(camera, [sphere_form(outer, center)], [sphere_form(0.7 - sagitta, center)])
    assert_within(maps, ranges, longest_edge(mesh), record_property)

    # What both sheets imply, against the same closed form.
    _, _, depth_per_distance = pixel_rays(camera)
    exists = ~np.isnan(maps.entry) & ~np.isnan(maps.exit)
    assert (maps.mask == exists).all()
    for sheet, distance in ((maps.entry, maps.entry_distance), (maps.exit, maps.exit_distance)):
        assert distance.dtype == np.float32
        # One more rounding to float32, and 1e-15 for float64.
        np.testing.assert_allclose(distance, sheet / depth_per_distance, rtol=2.0**-24 + 1e-15)
        assert (np.isnan(distance) == np.isnan(sheet)).all()
    inner = exists & ranges["entry"][2] & ranges["exit"][2]
    thinnest = ((ranges["exit"][0] - ranges["entry"][1]) / depth_per_distance)[inner]
    thickest = ((ranges["exit"][1] - ranges["entry"][0]) / depth_per_distance)[inner]
    slack = ROUNDING * (maps.entry_distance + maps.exit_distance)[inner]
    thickness = maps.thickness
    assert (np.isnan(thickness) == ~maps.mask).all()
    assert (thickness[inner] >= thinnest - slack).all()
    assert (thickness[inner] <= thickest + slack).all()

    # The points are in row-major order over the mask. They lie on the surface, except for the
    # rounding of their depth along the ray and the margin across it.
    across = MARGIN * maps.exit_distance[maps.mask].max(initial=0) / camera.K[0, 0]
    if camera.is_orthographic:
        across = MARGIN / min(camera.K[0, 0], camera.K[1, 1])
    for points, distance in zip(
        maps.points(dtype=np.float64), (maps.entry_distance, maps.exit_distance), strict=True
    ):
        slack = ROUNDING * distance[maps.mask] + across
        radius = np.linalg.norm(points - center, axis=1)
        assert (radius <= 0.7 + slack).all()
        assert (radius >= 0.7 - sagitta - slack).all()
    for single, double in zip(maps.points(), maps.points(dtype=np.float64), strict=True):
        assert single.dtype == np.float32
        np.testing.assert_array_equal(single, double.astype(np.float32))

    filled = maps.filled(-7.5)
    for sheet, with_fill in ((maps.entry, filled.entry), (maps.exit, filled.exit)):
        assert (with_fill[np.isnan(sheet)] == -7.5).all()
        np.testing.assert_array_equal(with_fill[~np.isnan(sheet)], sheet[~np.isnan(sheet)])
    for wrong in ("x", None, [], 1j, 10**400, 1e39):
        with pytest.raises(dd.RequestError, match="fill"):
            maps.filled(wrong)


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("wide", [True, False], ids=["row", "column"])
def test_the_largest_image(renderer, wide, orthographic, record_property):
    longest = renderer.info.max_image_size
    width, height = (longest, 3) if wide else (3, longest)
    # Unequal focal lengths make the sphere fill the strip in both directions.
    fx, fy = 1.6 * width, 1.6 * height
    if orthographic:
        fx, fy = 0.45 * width, 0.45 * height
    K = [[fx, 0, width / 2], [0, fy, height / 2], [0, 0, 1]]
    camera = look((2, 1, 1), 3.6, K, width, height, orthographic)
    mesh = sphere(1.0, 48, 96)
    maps = render(renderer, mesh, camera)
    inner, outer = 1.0 - sphere_sagitta(1.0, 48, 96), 1.0 + plane_overrun(camera, mesh, np.pi / 48)
    ranges = bracket(camera, [sphere_form(outer)], [sphere_form(inner)])
    assert_within(maps, ranges, longest_edge(mesh), record_property, 0.3)
    # One more pixel is an error.
    size = (longest + 1, 3) if wide else (3, longest + 1)
    scene = renderer.upload(box())
    with pytest.raises(dd.CameraError, match="larger than"):
        renderer.entry_exit(
            scene, dd.Camera(camera.K, camera.camera_from_world, *size, orthographic)
        )
    scene.release()


def shell():
    """Return a ball with a cavity and another ball inside it: mesh, larger and smaller forms."""
    at = (0.1, 0.05, -0.1)
    mesh = merged(
        sphere(1.0, 40, 80),
        inside_out(sphere(0.7, 36, 72, at)),
        sphere(0.3, 24, 48, (0.3, 0.1, 0.0)),
    )
    s, c, b = sphere_sagitta(1.0, 40, 80), sphere_sagitta(0.7, 36, 72), sphere_sagitta(0.3, 24, 48)
    outermost = [
        sphere_form(1.0),
        cavity(sphere_form(0.7 - c, at)),
        sphere_form(0.3, (0.3, 0.1, 0.0)),
    ]
    innermost = [
        sphere_form(1.0 - s),
        cavity(sphere_form(0.7, at)),
        sphere_form(0.3 - b, (0.3, 0.1, 0.0)),
    ]
    return mesh, outermost, innermost


@pytest.mark.parametrize("view", ["plain", "wide", "skew", "orthographic"])
def test_nested_spheres_from_outside(renderer, view, record_property):
    mesh, outermost, innermost = shell()
    assert mesh.is_closed
    assert mesh.is_oriented
    camera = views(1.0)[view]
    maps = render(renderer, mesh, camera)
    assert_within(maps, bracket(camera, outermost, innermost), longest_edge(mesh), record_property)
    # First entry and last exit are those of the outer ball.
    assert_within(maps, bracket(camera, outermost[:1], innermost[:1]), longest_edge(mesh))


@pytest.mark.parametrize(
    "eye",
    [(-0.3, -0.2, -0.2), (0.32, 0.1, 0.03), (-0.8, 0.1, 0.0)],
    ids=["cavity", "inner_ball", "wall"],
)
def test_camera_inside_nested_spheres(renderer, eye, record_property):
    """Rays that start in the wall and miss the cavity have an exit but no entry."""
    mesh, outermost, innermost = shell()
    pose = dd.Camera.look_at(eye, (0.2, 0.1, 0.05), (0, 0, 1)).camera_from_world
    K = [[25.0, 0, 45], [0, 25.0, 40], [0, 0, 1]]
    camera = dd.Camera.from_intrinsics(K, pose, 90, 80)
    maps = render(renderer, mesh, camera, attributes=("face",))
    assert_within(maps, bracket(camera, outermost, innermost), longest_edge(mesh), record_property)
    assert not np.isnan(maps.exit).any()
    no_entry = np.isnan(maps.entry)
    assert no_entry.any() == (eye[0] == -0.8)
    np.testing.assert_array_equal(maps.mask, ~no_entry)
    np.testing.assert_array_equal(maps.entry_face == -1, no_entry)
    assert np.isnan(maps.thickness[no_entry]).all()


# Tori


@pytest.mark.parametrize("view", VIEWS)
def test_torus(renderer, view, record_property):
    mesh = torus(1.0, 0.35, 160, 80)
    spread = torus_spread(1.0, 0.35, 160, 80)
    camera = views(1.35)[view]
    maps = render(renderer, mesh, camera)
    ranges = bracket(camera, [torus_form(1.0, 0.35 + spread)], [torus_form(1.0, 0.35 - spread)])
    # A single pixel may see through the hole.
    assert_within(
        maps, ranges, longest_edge(mesh), record_property, 0.0 if view == "one_pixel" else 0.02
    )


@pytest.mark.parametrize("view", ["plain", "off_center", "orthographic_skew"])
def test_interlocked_tori(renderer, view, record_property):
    turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    turn = turn @ rotation(np.random.default_rng(3))
    first = torus(1.0, 0.3, 120, 60, (-0.5, 0, 0))
    second = torus(1.0, 0.3, 120, 60)
    mesh = merged(first, dd.Mesh(second.vertices @ turn.T + (0.5, 0, 0), second.faces))
    spread = torus_spread(1.0, 0.3, 120, 60)
    camera = views(1.8)[view]
    maps = render(renderer, mesh, camera)
    larger, smaller = (
        [torus_form(1.0, r, (-0.5, 0, 0)), torus_form(1.0, r, (0.5, 0, 0), turn)]
        for r in (0.3 + spread, 0.3 - spread)
    )
    assert_within(maps, bracket(camera, larger, smaller), longest_edge(mesh), record_property)


# Boxes and sheets, whose planes are known exactly


def assert_box(maps, camera, low, high, turn=None, record_property=None):
    """Assert exact depths where the margin cannot change the faces, depths in range elsewhere."""
    mesh = box(low, high)
    if turn is not None:
        mesh = dd.Mesh(mesh.vertices @ turn.T, mesh.faces)
    ranges = extended_by_planes(
        bracket(camera, [box_form(low, high, turn)]), camera, planes_of_quads(mesh)
    )
    assert_within(maps, ranges, longest_edge(mesh))
    origins, directions, depth_per_distance = pixel_rays(camera)
    near, far = box_planes(low, high, origins, directions, turn)
    entry_face, exit_face, hit = near.argmax(-1), far.argmin(-1), near.max(-1) < far.min(-1)
    steady = np.ones(hit.shape, bool)
    for du in (-MARGIN, MARGIN):
        for dv in (-MARGIN, MARGIN):
            o, d, _ = pixel_rays(camera, du, dv)
            n, f = box_planes(low, high, o, d, turn)
            steady &= (n.argmax(-1) == entry_face) & (f.argmin(-1) == exit_face)
            steady &= (n.max(-1) < f.min(-1)) == hit
    assert steady.mean() > 0.9
    # A vertex that is off by `step` moves its plane by as much, and the crossing of an oblique ray
    # by more.
    step = grid_step(box(low, high))
    slant = np.abs(directions @ (np.eye(3) if turn is None else turn))
    worst = 0.0
    for got, distance, face in (
        (maps.entry, near.max(-1), entry_face),
        (maps.exit, far.min(-1), exit_face),
    ):
        hits = steady & hit & (distance > 0)
        assert (np.isnan(got) == ~hits)[steady].all()
        depth = (distance * depth_per_distance)[hits]
        cosine = np.take_along_axis(slant, face[..., None], -1)[..., 0][hits]
        allowed = ROUNDING * depth + step / cosine * depth_per_distance[hits]
        error = np.abs(got[hits] - depth)
        assert (error <= allowed).all(), (
            f"off by {(error / allowed).max():.3g} times what is allowed"
        )
        worst = max(worst, (error / depth).max(initial=0))
    if record_property:
        record_property("largest_relative_error", worst)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("view", VIEWS)
def test_box(renderer, view, turned, record_property):
    low, high = (-0.75, -0.5, -0.25), (0.5, 0.75, 0.375)
    mesh, turn = box(low, high), None
    if turned:
        turn = rotation(np.random.default_rng(1))
        mesh = dd.Mesh(mesh.vertices @ turn.T, mesh.faces)
    camera = views(0.9)[view]
    assert_box(render(renderer, mesh, camera), camera, low, high, turn, record_property)


@pytest.mark.parametrize("fov_y_deg", [20, 90, 150])
def test_camera_inside_a_box(renderer, fov_y_deg):
    """The first crossing is an exit, so there is no entry. The exit is exact."""
    low, high = (-1.0, -2.0, -0.5), (2.0, 1.0, 0.75)
    K = look_with_fov(fov_y_deg, 80, 60, 1.0).K
    camera = look((1, 2, 0.5), 0.3, K, 80, 60)
    maps = render(renderer, box(low, high), camera)
    assert_box_from_inside(maps, camera, low, high)


def test_orthographic_rays_that_start_inside_a_box(renderer):
    low, high = (-1.0, -2.0, -0.5), (2.0, 1.0, 0.75)
    camera = look((1, 2, 0.5), 0.1, [[100.0, 0, 40], [0, 100.0, 30], [0, 0, 1]], 80, 60, True)
    maps = render(renderer, box(low, high), camera)
    assert_box_from_inside(maps, camera, low, high)


def assert_box_from_inside(maps, camera, low, high):
    origins, directions, depth_per_distance = pixel_rays(camera)
    _, far = box_planes(low, high, origins, directions)
    depth = far.min(-1) * depth_per_distance
    mesh = box(low, high)
    low_depth, high_depth, _, _ = extended_by_planes(
        bracket(camera, [box_form(low, high)]), camera, planes_of_quads(mesh)
    )["exit"]
    assert np.isnan(maps.entry).all()
    assert not maps.mask.any()
    assert not np.isnan(maps.exit).any()
    error = np.abs(maps.exit - depth)
    assert (maps.exit >= low_depth * (1 - ROUNDING)).all()
    assert (maps.exit <= high_depth * (1 + ROUNDING)).all()
    # The vertices are exact binary fractions, so away from the edges there is only rounding.
    assert (error <= ROUNDING * depth).mean() > 0.99


@pytest.mark.parametrize("view", ["plain", "skew", "orthographic"])
def test_two_boxes_in_a_row(renderer, view):
    """A ray through both boxes enters the first and exits the last."""
    camera = views(2.0)[view]
    toward = camera.camera_from_world[2, :3]  # the view direction in the world frame
    first, last = box((-0.5,) * 3, (0.5,) * 3), box((-0.75,) * 3, (0.75,) * 3)
    mesh = merged(
        dd.Mesh(first.vertices - toward, first.faces), dd.Mesh(last.vertices + toward, last.faces)
    )

    def shifted(form, by):
        return lambda origins, directions: form(origins - by, directions)

    forms = [
        shifted(box_form((-0.5,) * 3, (0.5,) * 3), -toward),
        shifted(box_form((-0.75,) * 3, (0.75,) * 3), toward),
    ]
    maps = render(renderer, mesh, camera, attributes=("face",))
    assert_within(
        maps,
        extended_by_planes(bracket(camera, forms), camera, planes_of_quads(mesh)),
        longest_edge(mesh),
    )
    both = (maps.entry_face >= 0) & (maps.entry_face < 12) & (maps.exit_face >= 12)
    assert both.mean() > 0.04
    assert (maps.thickness[both] > 1.5).all()


@pytest.mark.parametrize("view", ["plain", "wide", "skew", "orthographic_skew"])
def test_an_open_sheet(renderer, view):
    """With "oriented" a sheet is entry or exit; else it is both, with the same bits."""
    camera = views(1.0)[view]
    right, down, toward = camera.camera_from_world[:3, :3]
    tilted = toward + 0.4 * right - 0.3 * down
    across = np.cross(tilted, right)
    along = np.cross(across, tilted)
    corners = np.array([-along - across, along - across, along + across, -along + across]) * 0.6
    away = dd.Mesh(corners, [[0, 1, 2], [0, 2, 3]])  # seen from behind: its normal points away
    assert (away.face_normals() @ toward > 0).all()
    facing = inside_out(away)
    front, back = (render(renderer, mesh, camera, surfaces="oriented") for mesh in (facing, away))
    assert (~np.isnan(front.entry)).mean() > 0.02
    assert np.isnan(front.exit).all()
    assert np.isnan(back.entry).all()
    for mesh, surfaces in product((facing, away), ("any", "auto")):
        maps = render(renderer, mesh, camera, surfaces=surfaces)
        np.testing.assert_array_equal(maps.entry, maps.exit)
        np.testing.assert_array_equal(np.isnan(maps.entry), np.isnan(front.entry))
        np.testing.assert_allclose(maps.entry, front.entry, rtol=2 * ROUNDING)
        np.testing.assert_array_equal(maps.thickness[maps.mask], 0)
    np.testing.assert_allclose(back.exit, front.entry, rtol=2 * ROUNDING)
    # The plane goes through the origin.
    origins, directions, depth_per_distance = pixel_rays(camera)
    normal = away.face_normals()[0]
    depth = -(origins @ normal) / (directions @ normal) * depth_per_distance
    slant = np.abs(directions @ normal)
    allowed = ROUNDING * depth + grid_step(away) / slant
    seen = ~np.isnan(front.entry)
    assert (np.abs(front.entry - depth) <= allowed)[seen].all()


@pytest.mark.parametrize("view", ["plain", "off_center", "orthographic"])
def test_boxes_with_inverted_and_mixed_winding(renderer, view):
    mesh = box((-0.5, -0.4, -0.3), (0.5, 0.4, 0.6))
    camera = views(0.9)[view]
    right_way = render(renderer, mesh, camera)
    inverted = render(renderer, inside_out(mesh), camera, surfaces="oriented")
    # Entry and exit swap, whatever the order along the ray.
    np.testing.assert_allclose(inverted.entry, right_way.exit, rtol=2 * ROUNDING)
    np.testing.assert_allclose(inverted.exit, right_way.entry, rtol=2 * ROUNDING)
    mixed = mesh.faces.copy()
    mixed[::2] = mixed[::2, ::-1]
    for faces, surfaces in product((mesh.faces, mesh.faces[:, ::-1], mixed), ("any", "auto")):
        either = render(renderer, dd.Mesh(mesh.vertices, faces), camera, surfaces=surfaces)
        # In the silhouette's last hundredth of a pixel the rasterizer cannot tell the walls apart.
        np.testing.assert_array_equal(np.isnan(either.entry), np.isnan(right_way.entry))
        inner = right_way.mask & (right_way.thickness > 1e-3)
        np.testing.assert_allclose(either.entry[inner], right_way.entry[inner], rtol=2 * ROUNDING)
        np.testing.assert_allclose(either.exit[inner], right_way.exit[inner], rtol=2 * ROUNDING)
    oriented = render(renderer, dd.Mesh(mesh.vertices, mixed), camera, surfaces="oriented")
    assert not np.array_equal(oriented.entry, right_way.entry, equal_nan=True)


@pytest.mark.parametrize("view", ["plain", "orthographic"])
def test_an_inverted_body_beside_another(renderer, view):
    """The inverted body's far wall is the nearest front face, its near wall the farthest back face.

    The mesh as a whole counts as wound outward (see `Mesh.is_oriented`), but depths are still
    depths of faces.
    """
    camera = views(1.5)[view]
    across = camera.camera_from_world[0, :3] * 0.9
    low, high = np.array([-0.4, -0.35, -0.3]), np.array([0.4, 0.35, 0.45])
    larger = box((-0.6, -0.6, -0.6), (0.6, 0.6, 0.6))
    smaller = inside_out(box(low, high))
    mesh = merged(
        dd.Mesh(larger.vertices - across, larger.faces),
        dd.Mesh(smaller.vertices + across, smaller.faces),
    )
    maps = render(renderer, mesh, camera, surfaces="oriented")
    origins, directions, depth_per_distance = pixel_rays(camera)
    first, last = box_form(low, high)(origins - across, directions)
    beside = np.isnan(box_form((-0.6,) * 3, (0.6,) * 3)(origins + across, directions)[0][0])
    inner = beside & (last[0] - first[0] > 0.1)
    assert inner.sum() > 100
    # Rounding and the grid of the vertices, except for the few pixels next to an edge.
    for got, distance in ((maps.entry, last[0]), (maps.exit, first[0])):
        error = np.abs(got - distance * depth_per_distance)[inner]
        assert (error <= 1e-6 * got[inner]).mean() > 0.97


# Sheets that almost touch


def plate(distance, gap, tilt_deg, half_width):
    """Return a tilted quad across the z axis, its faces, and the scale of a second quad behind it.

    The quad faces a camera at the origin that looks along +z; the second one, farther by `gap`,
    faces away. In perspective the second quad is the first one scaled about the camera, so that
    their depths have the same ratio at every pixel.
    """
    tilt = np.radians(tilt_deg)
    along = np.array([np.cos(tilt), 0, np.sin(tilt)]) * half_width
    across = np.array([0, half_width, 0.0])
    middle = np.array([0, 0, distance])
    quad = np.array(
        [
            middle - along - across,
            middle + along - across,
            middle + along + across,
            middle - along + across,
        ]
    )
    facing = np.array([[0, 2, 1], [0, 3, 2]])
    return quad, facing, 1 + gap / distance


@pytest.mark.parametrize("tilt_deg", [0, 30])
@pytest.mark.parametrize("distance", [1e-3, 1.0, 1e6])
@pytest.mark.parametrize("surfaces", ["oriented", "any"])
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_sheets_a_millionth_apart(
    renderer, distance, tilt_deg, surfaces, orthographic, record_property
):
    """Both sheets are distinguished at every pixel, in the right order.

    Let m, from 1 to 2, be the depth's mantissa. As a float32 the depth is off by at most 2**-24 /
    m, relatively. Before that, its inverse with mantissa 2 / m is off by 2**-24 m / 2. The sum is
    largest at m = 1 and m = 2: 1.5 * 2**-24 for one sheet, 1.8e-7 for both, which is 18 % of the
    gap. Orthographic depth is rounded once; at 1.3 times the distance for which the gap is 1e-6 it
    is off by 16 %. Hence the limit of 20 %. No pair of float32 could guarantee less than 12 %.
    """
    quad, faces, ratio = plate(distance, 1e-6 * distance, tilt_deg, 0.6 * distance)
    second = quad + np.array([0, 0, 1e-6 * distance]) if orthographic else quad * ratio
    mesh = dd.Mesh(np.concatenate([quad, second]), np.concatenate([faces, faces[:, ::-1] + 4]))
    if orthographic:
        camera = dd.Camera.orthographic(0.5 * distance, np.eye(4), 64, 64)
    else:
        camera = dd.Camera.from_intrinsics(
            [[100.0, 0, 32], [0, 100.0, 32], [0, 0, 1]], np.eye(4), 64, 64
        )
    maps = render(renderer, mesh, camera, surfaces=surfaces, attributes=("face",))
    assert maps.mask.all()
    assert (maps.entry < maps.exit).all()
    assert (maps.entry_face < 2).all()
    assert (maps.exit_face >= 2).all()
    gap = maps.exit.astype(np.float64) - maps.entry
    truth = 1e-6 * distance if orthographic else 1e-6 * maps.entry.astype(np.float64)
    error = np.abs(gap / truth - 1)
    record_property("largest_error_of_gap", error.max())
    assert (error <= 0.2).all()
    # The vertices' grid, 1e-9 of the mesh's radius, adds two thousandths.
    roundings = 2 if orthographic else 3
    assert (np.abs(gap - truth) <= roundings * 2.0**-24 * maps.exit + 2e-3 * truth).all()
    np.testing.assert_allclose(maps.thickness * pixel_rays(camera)[2], gap, rtol=1e-6)
