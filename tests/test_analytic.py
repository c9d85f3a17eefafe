"""Depth maps against closed forms: spheres, tori, boxes, sheets, sizes, scales, crops, ties and fans.

A curved body is bracketed: its mesh holds a slightly smaller body of the same kind and lies within a slightly
larger one, so the ray enters it between where it enters these two. Flat bodies are held to the plane itself.
"""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from shapes import (
    box,
    grid_step,
    inside_out,
    merged,
    moved,
    moved_camera,
    pixel_rays,
    render,
    rotation,
    scaled,
    scaled_camera,
    sphere,
    sphere_sagitta,
    torus,
    view_of,
)

import ddepth_gl as dd

# How far rounding may put a depth off a plane, relatively. The plane is set up in double precision. What is
# left is its value as a float (0.5 ulp) and one float division (2.5 ulp is what GLSL allows); the change of
# unit is a power of two. An ulp is at most 2**-23. The contract, 2e-6, is five times wider.
ROUNDING = 3 * 2.0**-23

# Pixels by which the rasterizer may move a corner: the grid of 1/256 pixel, and float32 before it.
MARGIN = 1 / 128


# Closed forms. A form gives, for rays (origin, unit direction), the distances at which they enter and leave
# the solid, each (crossings, H, W), NaN where there is none, also behind the origin.


def sphere_form(radius, center=(0.0, 0.0, 0.0)):
    def form(origins, directions):
        offset = origins - np.asarray(center)
        nearest = -(offset * directions).sum(-1)
        # The distance from the center through the nearest point, not as a difference of squares, which a
        # distant camera cancels.
        away = offset + nearest[..., None] * directions
        with np.errstate(invalid="ignore"):
            half = np.sqrt(radius**2 - (away**2).sum(-1))
        return (nearest - half)[None], (nearest + half)[None]

    return form


def torus_form(major, minor, center=(0.0, 0.0, 0.0), turn=None):
    """A torus around the z axis, turned by `turn` and then moved to `center`: the roots of a quartic."""
    turn = np.eye(3) if turn is None else turn

    def form(origins, directions):
        shape = directions.shape[:2]
        offset, d = (origins - np.asarray(center)) @ turn, directions @ turn
        nearest = -(offset * d).sum(-1)
        o = offset + nearest[..., None] * d
        # With p = o + s d and o perpendicular to d: (p.p + R^2 - r^2)^2 = 4 R^2 (px^2 + py^2).
        k = (o**2).sum(-1) + major**2 - minor**2
        a, b, c = ((x[..., :2] * y[..., :2]).sum(-1) for x, y in ((d, d), (o, d), (o, o)))
        companion = np.zeros((*shape, 4, 4))
        companion[..., 1:, :3] = np.eye(3)
        companion[..., 0, 3] = 4 * major**2 * c - k**2
        companion[..., 1, 3] = 8 * major**2 * b
        companion[..., 2, 3] = 4 * major**2 * a - 2 * k
        roots = np.full((*shape, 4), np.nan)
        meets = (o**2).sum(-1) < (major + minor) ** 2
        found = np.linalg.eigvals(companion[meets])
        # Real roots come out with an imaginary part of exactly 0, and in pairs.
        roots[meets] = np.sort(np.where(found.imag == 0, found.real, np.nan), -1)
        distance = np.moveaxis(roots + nearest[..., None], -1, 0)
        return distance[::2], distance[1::2]

    return form


def box_planes(low, high, origins, directions, turn=None):
    """Distances (H,W,3) to the near and to the far plane of each pair of a box that is turned by `turn`."""
    turn = np.eye(3) if turn is None else turn
    o, d = origins @ turn, directions @ turn
    with np.errstate(divide="ignore"):
        first, second = (np.asarray(low) - o) / d, (np.asarray(high) - o) / d
    return np.minimum(first, second), np.maximum(first, second)


def box_form(low=(-1.0, -1.0, -1.0), high=(1.0, 1.0, 1.0), turn=None):
    def form(origins, directions):
        near, far = box_planes(low, high, origins, directions, turn)
        enter, leave = near.max(-1), far.min(-1)
        hit = enter <= leave
        return np.where(hit, enter, np.nan)[None], np.where(hit, leave, np.nan)[None]

    return form


def cavity(form):
    """The wall of a hole of this form: who enters the hole leaves the solid."""
    return lambda origins, directions: form(origins, directions)[::-1]


def sheets(forms, origins, directions):
    """First entry and last exit of several bodies, distances (H,W), NaN where there is none."""
    crossings = [form(origins, directions) for form in forms]
    first, last = (np.concatenate([c[side] for c in crossings]) for side in (0, 1))
    first[~(first > 0)] = np.nan
    last[~(last > 0)] = np.nan
    return np.fmin.reduce(first), np.fmax.reduce(last)


def bracket(camera, *bodies):
    """The range of depths that the bodies give within MARGIN of each pixel center.

    Each of `bodies` is a list of forms, one guess at the same scene. Returns {"entry" or "exit": (low, high,
    always, never)}: the range over all guesses and rays, whether all of them have the crossing, or none.
    """
    found = {"entry": [], "exit": []}
    for du, dv in (
        (0, 0),
        (-MARGIN, -MARGIN),
        (-MARGIN, MARGIN),
        (MARGIN, -MARGIN),
        (MARGIN, MARGIN),
    ):
        origins, directions, depth_per_distance = pixel_rays(camera, du, dv)
        for forms in bodies:
            first, last = sheets(forms, origins, directions)
            found["entry"].append(first * depth_per_distance)
            found["exit"].append(last * depth_per_distance)
    ranges = {}
    for name, values in found.items():
        stack = np.array(values)
        exists = ~np.isnan(stack)
        ranges[name] = np.fmin.reduce(stack), np.fmax.reduce(stack), exists.all(0), ~exists.any(0)
    return ranges


def run_on(ranges, camera, planes):
    """The ranges widened by planes that run on past their faces by the margin.

    A pixel center within the margin of a face may get that face's depth, though its plane is not the one to
    be met there. `planes` are (unit normal, offset). Only a plane that comes within a range can be meant.
    """
    values = []
    for du, dv in (
        (0, 0),
        (-MARGIN, -MARGIN),
        (-MARGIN, MARGIN),
        (MARGIN, -MARGIN),
        (MARGIN, MARGIN),
    ):
        origins, directions, depth_per_distance = pixel_rays(camera, du, dv)
        with np.errstate(divide="ignore", invalid="ignore"):
            values.append(
                [
                    (offset - origins @ n) / (directions @ n) * depth_per_distance
                    for n, offset in planes
                ]
            )
    least, most = np.fmin.reduce(values), np.fmax.reduce(values)
    widened = {}
    for name, (low, high, always, never) in ranges.items():
        meant = (least <= high) & (most >= low)
        widened[name] = (
            np.fmin(low, np.where(meant, least, np.inf).min(0)),
            np.fmax(high, np.where(meant, most, -np.inf).max(0)),
            always,
            never,
        )
    return widened


def planes_of(mesh):
    """(unit normal, offset) of each face."""
    normals = mesh.face_normals()
    return [(n, n @ mesh.vertices[face[0]]) for n, face in zip(normals, mesh.faces, strict=True)][
        ::2
    ]


def overrun(camera, mesh, bend):
    """How far off a curved body the planes of its faces are, a margin past the faces.

    A face is inclined to the body by `bend` radians at most at its corners, so its plane leaves the body by
    that times the margin, whose size is that of a pixel at the farthest depth.
    """
    _, depth = camera.project(mesh.vertices)
    pixel = (1 if camera.is_orthographic else depth.max()) / min(camera.K[0, 0], camera.K[1, 1])
    return bend * MARGIN * pixel


def face_size(mesh):
    """The longest edge: no two points of a face are farther apart."""
    corners = mesh.vertices[mesh.faces]
    return float(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1).max())


def assert_within(maps, ranges, face_size, record_property=None, covered=0.02):
    """Both sheets exist where they must, are NaN where they must, and are in range wherever they exist.

    At the rim, where the mesh may be hit or missed, its crossings lie somewhere between the larger body's
    first entry and last exit. There the pixel center may also be outside the face by the margin; how far its
    plane has run by then is known by the face's own depths only, which differ by `face_size` at most.
    """
    widths, excess = [0.0], 0.0
    start, end = ranges["entry"][0], ranges["exit"][1]
    for name in ("entry", "exit"):
        got = getattr(maps, name)
        low, high, always, never = ranges[name]
        assert got.dtype == np.float32
        assert not np.isinf(got).any()
        assert not np.isnan(got[always]).any(), f"{name}: {np.isnan(got[always]).sum()} holes"
        assert np.isnan(got[never]).all(), (
            f"{name}: {(~np.isnan(got[never])).sum()} pixels beside the body"
        )
        assert always.mean() >= covered
        least = np.where(always, low, np.fmin(low, start) - face_size)
        most = np.where(always, high, np.fmax(high, end) + face_size)
        held = ~np.isnan(got)
        value = got[held].astype(np.float64)
        beyond = np.maximum(least[held] - value, value - most[held]) / value
        excess = max(excess, beyond.max(initial=-np.inf))
        assert (beyond <= ROUNDING).all(), (
            f"{name}: out of range by {beyond.max():.3g} relatively at {np.argwhere(held)[beyond.argmax()]}"
        )
        widths.extend((high - low)[always])
    if record_property:
        record_property("largest_excess", excess)
        record_property("median_range", float(np.median(widths)))


# Views of the ball of radius `reach` around the origin: all the ways in which cameras differ.


def look(direction, distance, K, width, height, orthographic=False, target=(0.0, 0.0, 0.0)):
    eye = np.asarray(target) + distance * np.asarray(direction) / np.linalg.norm(direction)
    pose = dd.Camera.look_at(eye, target, (0.1, 0.2, 1.0)).camera_from_world
    return dd.Camera(np.array(K, float), pose, width, height, orthographic)


def fov(fov_y_deg, width, height, reach, direction=(3.0, -2.0, 1.5), fill=0.95):
    """A camera of this field of view, at the distance where the ball fills `fill` of half of it."""
    half = np.radians(fov_y_deg) / 2
    focal = height / 2 / np.tan(half)
    K = [[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]]
    return look(direction, reach / np.sin(fill * half), K, width, height)


def views(reach):
    f, g = 120.0, 80 / (2.3 * reach)  # pixels; pixels per mesh unit
    return {
        "plain": fov(40, 96, 80, reach),
        "wide": fov(150, 90, 90, reach),
        "narrow": fov(0.5, 72, 72, reach, (-1.0, 0.3, 0.2)),
        "odd_sizes": fov(50, 97, 41, reach, (0.1, 0.2, -1.0)),
        "off_center": look((1, 1, 0.2), 4 * reach, [[f, 0, 20.3], [0, f, 61.8], [0, 0, 1]], 90, 70),
        # The object is seen through the rim of a much larger image: the camera moves sideways, the principal
        # point moves the other way.
        "principal_point_outside": look(
            (0, -1, 0.3), 4 * reach, [[f, 0, -60.0], [0, f, 35.0], [0, 0, 1]], 80, 70,
            target=-3.3 * reach * np.array([1.0, 0, 0]),
        ),
        "skew": look((-2, 1, 1), 4 * reach, [[f, 0.3 * f, 40], [0, 0.7 * f, 31], [0, 0, 1]], 80, 62),
        "orthographic": look((1, 2, 3), 1.5 * reach, [[g, 0, 40], [0, g, 40], [0, 0, 1]], 80, 80, True),
        "orthographic_skew": look(
            (1, -2, 1), 40 * reach, [[g, 0.2 * g, 20.7], [0, 0.6 * g, 33.1], [0, 0, 1]], 71, 53, True
        ),
        "one_pixel": fov(3, 1, 1, reach, (1, 2, 3), fill=2.0),
        "one_row": fov(1, 93, 1, reach, fill=18.0),
        "one_column": fov(40, 1, 93, reach),
    }  # fmt: skip


VIEWS = tuple(views(1.0))


# Spheres


@pytest.mark.parametrize("view", VIEWS)
def test_sphere(renderer, view, record_property):
    center = np.array([0.2, -0.1, 0.15])
    mesh = sphere(0.7, 48, 96, center)
    sagitta = sphere_sagitta(0.7, 48, 96)
    camera = views(1.0)[view]
    maps = render(renderer, mesh, camera)
    outer = 0.7 + overrun(camera, mesh, np.pi / 48)
    ranges = bracket(camera, [sphere_form(outer, center)], [sphere_form(0.7 - sagitta, center)])
    assert_within(maps, ranges, face_size(mesh), record_property)

    # What follows from the two sheets, against the same closed form.
    _, _, depth_per_distance = pixel_rays(camera)
    exists = ~np.isnan(maps.entry) & ~np.isnan(maps.exit)
    assert (maps.mask == exists).all()
    for sheet, distance in ((maps.entry, maps.entry_distance), (maps.exit, maps.exit_distance)):
        assert distance.dtype == np.float32
        # One more rounding to float32; 1e-15 is float64's.
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

    # The points: row-major over the mask, on the surface, up to the rounding of their depth along the ray and
    # the margin across it.
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
    # Anisotropic, so that the sphere fills the strip in both directions.
    fx, fy = 1.6 * width, 1.6 * height
    if orthographic:
        fx, fy = 0.45 * width, 0.45 * height
    K = [[fx, 0, width / 2], [0, fy, height / 2], [0, 0, 1]]
    camera = look((2, 1, 1), 3.6, K, width, height, orthographic)
    mesh = sphere(1.0, 48, 96)
    maps = render(renderer, mesh, camera)
    inner, outer = 1.0 - sphere_sagitta(1.0, 48, 96), 1.0 + overrun(camera, mesh, np.pi / 48)
    ranges = bracket(camera, [sphere_form(outer)], [sphere_form(inner)])
    assert_within(maps, ranges, face_size(mesh), record_property, 0.3)
    # One more pixel is refused, by name.
    size = (longest + 1, 3) if wide else (3, longest + 1)
    scene = renderer.upload(box())
    with pytest.raises(dd.CameraError, match="larger than"):
        renderer.entry_exit(
            scene, dd.Camera(camera.K, camera.camera_from_world, *size, orthographic)
        )
    scene.release()


def shell():
    """A ball with a cavity and another ball inside it: the mesh, and its larger and smaller forms."""
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
    assert_within(maps, bracket(camera, outermost, innermost), face_size(mesh), record_property)
    # First entry and last exit are of the outer ball alone.
    assert_within(maps, bracket(camera, outermost[:1], innermost[:1]), face_size(mesh))


@pytest.mark.parametrize(
    "eye",
    [(-0.3, -0.2, -0.2), (0.32, 0.1, 0.03), (-0.8, 0.1, 0.0)],
    ids=["cavity", "inner_ball", "wall"],
)
def test_camera_inside_nested_spheres(renderer, eye, record_property):
    """Rays from the wall that miss the cavity meet no front face: entry is NaN where exit is not."""
    mesh, outermost, innermost = shell()
    pose = dd.Camera.look_at(eye, (0.2, 0.1, 0.05), (0, 0, 1)).camera_from_world
    K = [[25.0, 0, 45], [0, 25.0, 40], [0, 0, 1]]
    camera = dd.Camera.from_intrinsics(K, pose, 90, 80)
    maps = render(renderer, mesh, camera, attributes=("face",))
    assert_within(maps, bracket(camera, outermost, innermost), face_size(mesh), record_property)
    assert not np.isnan(maps.exit).any()
    no_entry = np.isnan(maps.entry)
    assert no_entry.any() == (eye[0] == -0.8)
    np.testing.assert_array_equal(maps.mask, ~no_entry)
    np.testing.assert_array_equal(maps.entry_face == -1, no_entry)
    assert np.isnan(maps.thickness[no_entry]).all()


# Tori


def torus_spread(major, minor, steps, sides):
    """How far the faces of `torus` lie off the true one at most, on either side.

    Linear interpolation over a right triangle of legs h and k errs by at most
    (h^2 |f_hh| + 2 h k |f_hk| + k^2 |f_kk|) / 8, and the second derivatives of the torus are at most
    major + minor, minor and minor.
    """
    h, k = 2 * np.pi / steps, 2 * np.pi / sides
    return (h**2 * (major + minor) + 2 * h * k * minor + k**2 * minor) / 8


@pytest.mark.parametrize("view", VIEWS)
def test_torus(renderer, view, record_property):
    mesh = torus(1.0, 0.35, 160, 80)
    spread = torus_spread(1.0, 0.35, 160, 80)
    camera = views(1.35)[view]
    maps = render(renderer, mesh, camera)
    ranges = bracket(camera, [torus_form(1.0, 0.35 + spread)], [torus_form(1.0, 0.35 - spread)])
    # A single pixel may well look through the hole.
    assert_within(
        maps, ranges, face_size(mesh), record_property, 0.0 if view == "one_pixel" else 0.02
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
    assert_within(maps, bracket(camera, larger, smaller), face_size(mesh), record_property)


# Boxes, whose planes are known exactly


def assert_box(maps, camera, low, high, turn=None, record_property=None):
    """Exact at every pixel that meets the same two faces anywhere within the margin; in range elsewhere."""
    mesh = box(low, high)
    if turn is not None:
        mesh = dd.Mesh(mesh.vertices @ turn.T, mesh.faces)
    ranges = run_on(bracket(camera, [box_form(low, high, turn)]), camera, planes_of(mesh))
    assert_within(maps, ranges, face_size(mesh))
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
    # A vertex off by `step` moves a plane by as much, and a ray that meets it at a slant by more.
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
    """The first crossing is an exit: there is no entry, and the exit is exact."""
    low, high = (-1.0, -2.0, -0.5), (2.0, 1.0, 0.75)
    K = fov(fov_y_deg, 80, 60, 1.0).K
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
    low_depth, high_depth, _, _ = run_on(
        bracket(camera, [box_form(low, high)]), camera, planes_of(mesh)
    )["exit"]
    assert np.isnan(maps.entry).all()
    assert not maps.mask.any()
    assert not np.isnan(maps.exit).any()
    error = np.abs(maps.exit - depth)
    assert (maps.exit >= low_depth * (1 - ROUNDING)).all()
    assert (maps.exit <= high_depth * (1 + ROUNDING)).all()
    # Away from the edges the dyadic vertices are exact, and rounding is all there is.
    assert (error <= ROUNDING * depth).mean() > 0.99


@pytest.mark.parametrize("view", ["plain", "skew", "orthographic"])
def test_two_boxes_in_a_row(renderer, view):
    """The entry is of the first and the exit of the last, wherever the ray goes through both."""
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
    assert_within(maps, run_on(bracket(camera, forms), camera, planes_of(mesh)), face_size(mesh))
    both = (maps.entry_face >= 0) & (maps.entry_face < 12) & (maps.exit_face >= 12)
    assert both.mean() > 0.04
    assert (maps.thickness[both] > 1.5).all()


@pytest.mark.parametrize("view", ["plain", "wide", "skew", "orthographic_skew"])
def test_an_open_sheet(renderer, view):
    """Oriented, a sheet has an entry or an exit; of any side, it is both at once, to the last bit."""
    camera = views(1.0)[view]
    right, down, toward = camera.camera_from_world[:3, :3]
    tilted = toward + 0.4 * right - 0.3 * down
    across = np.cross(tilted, right)
    along = np.cross(across, tilted)
    corners = np.array([-along - across, along - across, along + across, -along + across]) * 0.6
    away = dd.Mesh(
        corners, [[0, 1, 2], [0, 2, 3]]
    )  # its normal points along the view: seen from behind
    assert (away.face_normals() @ toward > 0).all()
    facing = inside_out(away)
    front, back = render(renderer, facing, camera), render(renderer, away, camera)
    assert (~np.isnan(front.entry)).mean() > 0.02
    assert np.isnan(front.exit).all()
    assert np.isnan(back.entry).all()
    for mesh in (facing, away):
        maps = render(renderer, mesh, camera, surfaces="any")
        np.testing.assert_array_equal(maps.entry, maps.exit)
        np.testing.assert_array_equal(np.isnan(maps.entry), np.isnan(front.entry))
        np.testing.assert_allclose(maps.entry, front.entry, rtol=2 * ROUNDING)
        np.testing.assert_array_equal(maps.thickness[maps.mask], 0)
    np.testing.assert_allclose(back.exit, front.entry, rtol=2 * ROUNDING)
    # The plane itself: it goes through the origin.
    origins, directions, depth_per_distance = pixel_rays(camera)
    normal = away.face_normals()[0]
    depth = -(origins @ normal) / (directions @ normal) * depth_per_distance
    slant = np.abs(directions @ normal)
    allowed = ROUNDING * depth + grid_step(away) / slant
    seen = ~np.isnan(front.entry)
    assert (np.abs(front.entry - depth) <= allowed)[seen].all()


@pytest.mark.parametrize("view", ["plain", "off_center", "orthographic"])
def test_a_box_inside_out_and_one_of_mixed_winding(renderer, view):
    mesh = box((-0.5, -0.4, -0.3), (0.5, 0.4, 0.6))
    camera = views(0.9)[view]
    right_way = render(renderer, mesh, camera)
    inverted = render(renderer, inside_out(mesh), camera)
    # The walls swap roles, whatever the order along the ray.
    np.testing.assert_allclose(inverted.entry, right_way.exit, rtol=2 * ROUNDING)
    np.testing.assert_allclose(inverted.exit, right_way.entry, rtol=2 * ROUNDING)
    mixed = mesh.faces.copy()
    mixed[::2] = mixed[::2, ::-1]
    for faces in (mesh.faces, mesh.faces[:, ::-1], mixed):
        either = render(renderer, dd.Mesh(mesh.vertices, faces), camera, surfaces="any")
        # Not the silhouette's last hundredth of a pixel, where both walls are one to the rasterizer.
        np.testing.assert_array_equal(np.isnan(either.entry), np.isnan(right_way.entry))
        inner = right_way.mask & (right_way.thickness > 1e-3)
        np.testing.assert_allclose(either.entry[inner], right_way.entry[inner], rtol=2 * ROUNDING)
        np.testing.assert_allclose(either.exit[inner], right_way.exit[inner], rtol=2 * ROUNDING)
    oriented = render(renderer, dd.Mesh(mesh.vertices, mixed), camera)
    assert not np.array_equal(oriented.entry, right_way.entry, equal_nan=True)


@pytest.mark.parametrize("view", ["plain", "orthographic"])
def test_a_body_inside_out_beside_another(renderer, view):
    """Its far wall is the nearest front face and its near wall the farthest back face.

    The mesh as a whole passes for outward-oriented (`Mesh.is_oriented` says that it may); the values are
    still those of faces.
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
    maps = render(renderer, mesh, camera)
    origins, directions, depth_per_distance = pixel_rays(camera)
    first, last = box_form(low, high)(origins - across, directions)
    beside = np.isnan(box_form((-0.6,) * 3, (0.6,) * 3)(origins + across, directions)[0][0])
    inner = beside & (last[0] - first[0] > 0.1)
    assert inner.sum() > 100
    # Rounding, and the grid of the vertices; not the pixels next to an edge, of which there are few.
    for got, distance in ((maps.entry, last[0]), (maps.exit, first[0])):
        error = np.abs(got - distance * depth_per_distance)[inner]
        assert (error <= 1e-6 * got[inner]).mean() > 0.97


# Sheets that almost touch


def plate(distance, gap, tilt_deg, half_width):
    """Two parallel quads at right angles to a view along +z, then tilted; the second is farther by `gap`.

    The first faces the camera at the origin, the second faces away. In perspective the farther is the nearer
    one magnified about the camera, so that their depths have the same ratio at every pixel.
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
    """Told apart at every pixel, in the right order.

    Let the depth's mantissa be m, from 1 to 2. As a float32 the depth is off by 2**-24 / m at most,
    relatively, and before that its inverse, of mantissa 2 / m, by 2**-24 m / 2. The sum is largest at m = 1
    and m = 2: 1.5 * 2**-24 for each sheet, 1.8e-7 for both, 18 % of the gap. (Orthographic depth is rounded
    once; one of 1.3 times the distance at which the gap is 1e-6 is then off by 16 %.) Hence 20 %. No pair of
    float32 could promise more than 12 %.
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
    # The vertices' grid adds two thousandths: 1e-9 of the mesh's radius.
    roundings = 2 if orthographic else 3
    assert (np.abs(gap - truth) <= roundings * 2.0**-24 * maps.exit + 2e-3 * truth).all()
    np.testing.assert_allclose(maps.thickness * pixel_rays(camera)[2], gap, rtol=1e-6)


# Where and how large a mesh is


FAR_AWAY = np.array([5e6, -3e6, 2e5])


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("detail", [1.0, 0.01], ids=["meter", "centimeter"])
def test_a_mesh_far_from_the_origin(renderer, detail, orthographic, record_property):
    """Moving a mesh of radius `detail` to 5e6 rounds its vertices and camera, which the depth has to survive.

    Float64 holds 5e6 to 2**-30 = 9.3e-10, so each coordinate moves by half of that. The translation of the
    pose is a sum of three products of that size, and it is inverted: a few roundings more, 4e-9 in all.
    """
    mesh = scaled(torus(1.0, 0.35, 90, 45), detail)
    camera = scaled_camera(views(1.35)["orthographic_skew" if orthographic else "plain"], detail)
    if orthographic:  # nearer, so that what the rounding moves is not lost in a large depth
        camera = scaled_camera(views(1.35)["orthographic"], detail)
    shift = np.eye(4)
    shift[:3, 3] = FAR_AWAY
    here = render(renderer, mesh, camera)
    far_camera = moved_camera(camera, shift)
    far = render(renderer, moved(mesh, shift), far_camera)

    reference = oracle.reference(mesh.vertices, mesh.faces, view_of(camera))
    worst = 0.0
    for name in ("entry", "exit"):
        sheet = reference.sheets[name]
        before, after = (
            getattr(here, name).astype(np.float64),
            getattr(far, name).astype(np.float64),
        )
        assert (np.isnan(before) == np.isnan(after))[sheet.stable].all()
        both = sheet.stable & ~np.isnan(before) & ~np.isnan(after)
        assert both.sum() > 500
        error = (np.abs(after - before) / before)[both]
        # 4e-9 across the ray changes the depth by that times the slope of the face, per pixel's footprint.
        footprint = (1 / camera.K[0, 0]) if orthographic else before[both] / camera.K[0, 0]
        slant = 4e-9 * (1 + sheet.slope[both] / footprint) / before[both]
        assert (error <= 2 * ROUNDING + 2 * slant).all()
        if detail == 1.0:
            assert (error <= 2e-6).all()
        worst = max(worst, error.max())
    record_property("largest_relative_change", worst)

    # Points of the same pixels: their depth's rounding, the moved rays, and the sum with the camera's place.
    same = here.mask & far.mask & reference.entry_stable & reference.exit_stable
    for k, sheet in enumerate((here.entry, here.exit)):
        near_by = here.points(dtype=np.float64)[k][same[here.mask]]
        away = far.points(dtype=np.float64)[k][same[far.mask]] - FAR_AWAY
        distance = (sheet / pixel_rays(camera)[2])[same]
        slope = reference.sheets[("entry", "exit")[k]].slope[same]
        footprint = (1 / camera.K[0, 0]) if orthographic else sheet[same] / camera.K[0, 0]
        allowed = 2 * ROUNDING * distance + 8e-9 * (2 + slope / footprint)
        assert (np.linalg.norm(away - near_by, axis=1) <= allowed).all()
        # float32 holds 5e6 to half a unit only; that is what its points are worth there.
        single = far.points()[k][same[far.mask]]
        assert single.dtype == np.float32
        assert np.abs(single - FAR_AWAY - near_by).max() <= 0.25 + 1e-6


@pytest.mark.parametrize("view", ["plain", "orthographic_skew"])
@pytest.mark.parametrize("exponent", [-66, -20, 20, 66])
def test_scaling_by_a_power_of_two_is_exact(renderer, exponent, view):
    """About 1e-20, 1e-6, 1e6 and 1e20: nothing but exponents changes, from the vertices to the depth."""
    mesh, camera = torus(1.0, 0.35, 60, 30, (0.3, 0.2, -0.1)), views(1.8)[view]
    factor = 2.0**exponent
    one = render(renderer, mesh, camera, attributes=("face",))
    other = render(
        renderer, scaled(mesh, factor), scaled_camera(camera, factor), attributes=("face",)
    )
    assert one.mask.mean() > 0.05
    for name in ("entry", "exit"):
        np.testing.assert_array_equal(getattr(other, name), getattr(one, name) * np.float32(factor))
        np.testing.assert_array_equal(getattr(other, f"{name}_face"), getattr(one, f"{name}_face"))


@pytest.mark.parametrize("view", ["plain", "orthographic_skew"])
@pytest.mark.parametrize("factor", [1e-20, 1e-6, 1e6, 1e20])
def test_tiny_and_huge_meshes(renderer, factor, view, record_property):
    mesh, camera = torus(1.0, 0.35, 60, 30), views(1.35)[view]
    small, eye = scaled(mesh, factor), scaled_camera(camera, factor)
    maps = render(renderer, small, eye)
    report = oracle.check(
        oracle.reference(small.vertices, small.faces, view_of(eye)), maps.entry, maps.exit
    )
    assert report.ok, str(report)
    assert report.covered > 500
    spread = torus_spread(1.0, 0.35, 60, 30)
    forms = [[torus_form(factor * 1.0, factor * (0.35 + s))] for s in (spread, -spread)]
    if factor in (1e-6, 1e6):  # the quartic's own coefficients leave float64 at the other two
        assert_within(maps, bracket(eye, *forms), face_size(small), record_property)


# Crop


def steps_of_depth():
    """Plates at depths 1, 2, 4 and 8, seen face-on by a camera at the origin; each front and back at once.

    The depths are exact in every number format, so what near and far keep is beyond doubt.
    """
    quad = np.array([[-20.0, -20, 1], [20, -20, 1], [20, 20, 1], [-20, 20, 1]])
    facing = np.array([[0, 2, 1], [0, 3, 2]])
    vertices = np.concatenate([quad * (1, 1, z) for z in (1, 2, 4, 8)])
    faces = np.concatenate([np.concatenate([facing, facing[:, ::-1]]) + 4 * k for k in range(4)])
    return dd.Mesh(vertices, faces)


@pytest.mark.parametrize("surfaces", ["oriented", "any"])
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_crop_keeps_its_ends(renderer, orthographic, surfaces):
    mesh = steps_of_depth()
    K = [[20.0, 0, 8], [0, 20.0, 6], [0, 0, 1]]
    camera = dd.Camera(np.array(K), np.eye(4), 16, 12, orthographic)
    scene = renderer.upload(mesh)
    above, below = (
        (lambda z: float(np.nextafter(np.float32(z), np.float32(100)))),
        (lambda z: float(np.nextafter(np.float32(z), np.float32(0)))),
    )
    cases = [
        (None, None, 1, 8), (1.0, 8.0, 1, 8), (2.0, None, 2, 8), (None, 4.0, 1, 4), (2.0, 4.0, 2, 4),
        (above(1), below(8), 2, 4), (above(2), None, 4, 8), (None, below(4), 1, 2), (0.0, 1.0, 1, 1),
        (8.0, np.inf, 8, 8), (above(2), below(4), None, None), (8.5, None, None, None),
        (None, 0.5, None, None), (2, 4, 2, 4), (np.float32(2), np.int64(4), 2, 4),
    ]  # fmt: skip
    for near, far, entry, exit_ in cases:
        maps = renderer.entry_exit(
            scene, camera, surfaces=surfaces, near=near, far=far, attributes=("face",)
        )
        for got, face, expected in (
            (maps.entry, maps.entry_face, entry),
            (maps.exit, maps.exit_face, exit_),
        ):
            if expected is None:
                assert np.isnan(got).all(), (near, far)
                assert (face == -1).all()
            else:
                assert (got == expected).all(), (near, far)
                assert (face >= 0).all()
    scene.release()


@pytest.mark.parametrize(
    ("near", "far"),
    [
        (-1.0, None), (None, 0.0), (None, -2.0), (2.0, 2.0), (3.0, 2.0), (np.nan, None), (None, np.nan),
        (np.inf, None), (-np.inf, np.inf), ("near", None), (None, [1.0, 2.0]), (1j, None),
    ],
)  # fmt: skip
def test_a_crop_that_makes_no_sense(renderer, near, far):
    scene = renderer.upload(box())
    with pytest.raises(dd.RequestError):
        renderer.entry_exit(scene, views(1.8)["plain"], near=near, far=far)
    scene.release()


@pytest.mark.parametrize(
    ("near", "far", "kept"), [(1e-60, None, True), (None, 1e300, True), (1e300, None, False)]
)
def test_a_crop_beyond_float32(renderer, near, far, kept):
    """Numbers that float32 does not hold are numbers still."""
    maps = render(renderer, box(), views(1.8)["plain"], near=near, far=far)
    assert maps.mask.any() == kept


# Faces that coincide, and faces without area


def test_coincident_faces_are_ordered_by_index(renderer):
    """Of equal depths the smallest face index is the entry and the largest the exit."""
    rng = np.random.default_rng(4)
    mesh = box((-0.75, -0.5, -0.25), (0.5, 0.75, 0.375))
    copies = np.tile(np.arange(12), 5)
    rng.shuffle(copies)
    # Each copy begins with another corner.
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
    # Three points of a line: exactly so on the grid of the vertices, along an axis and through a middle.
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
    """World x, y at z = `depth` are image coordinates: vertices are put on pixel centers to the last bit."""
    if orthographic:
        return dd.Camera(np.eye(3), np.eye(4), width, height, True)
    return dd.Camera(np.array([[depth, 0, 0], [0, depth, 0], [0, 0, 1]]), np.eye(4), width, height)


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize(
    "around", [(20.5, 20.5), (20.0, 20.0), (20.5, 20.25)], ids=["center", "corner", "off"]
)
def test_a_fan_of_2000_faces_has_no_hole(renderer, orthographic, around):
    """Around a vertex exactly on a pixel center, where exactly one face has to own the pixel."""
    angle = 2 * np.pi * np.arange(2000) / 2000
    rim = 18.0 * np.stack([np.cos(angle), np.sin(angle)], -1) + around
    vertices = np.concatenate([[[*around, 2.0]], np.column_stack([rim, np.full(2000, 2.0)])])
    following = np.roll(np.arange(2000), -1)
    # y points down in the image: clockwise in numbers is toward the camera.
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
    # The same with faces that overlap nobody at the hub: each pixel is covered exactly once, which a fan over
    # the two halves shows: with one half taken away, the rest is what the other half alone covers.
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
    """Vertices on pixel centers and edges (rows, columns, diagonals) through them; z varies."""
    count = 24
    at = np.arange(count + 1) * cell + offset
    x, y = np.meshgrid(at, at)
    # A bumpy sheet; in perspective each vertex moves along its ray, so that its image stays where it is.
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
    # Entry and exit come from the same one face: none is covered twice, on edges and vertices included.
    np.testing.assert_array_equal(maps.entry_face, maps.exit_face)
    np.testing.assert_array_equal(maps.entry, maps.exit)
    assert (maps.entry[inside] >= 2.0 * (1 - ROUNDING)).all()
    assert (maps.entry[inside] <= 2.25 * (1 + ROUNDING)).all()


def closed_scenes():
    """Closed meshes and cameras outside of them, with silhouettes through pixel centers among them."""
    for view, camera in views(1.35).items():
        yield f"torus, {view}", torus(1.0, 0.35, 48, 24), camera
        yield f"sphere, {view}", sphere(0.8, 12, 24, (0.2, -0.1, 0.15)), camera
        yield f"box, {view}", box((-0.75, -0.5, -0.25), (0.5, 0.75, 0.375)), camera
    # Axis-aligned, with edges exactly through pixel centers.
    for orthographic in (False, True):
        camera = face_on_camera(24, 24, orthographic)
        yield "box on centers", box((4.5, 5.5, 2.0), (16.5, 17.5, 3.0)), camera
        yield "box on corners", box((4.0, 5.0, 2.0), (16.0, 17.0, 3.0)), camera
        yield "box of one pixel", box((7.5, 7.5, 2.0), (8.5, 8.5, 3.0)), camera
    # Slivers: silhouettes everywhere.
    rng = np.random.default_rng(12)
    for _ in range(20):
        spikes = sphere(1.0, 8, 40, radius_at=lambda d: 0.3 + 0.7 * (np.arange(len(d)) % 2))
        yield (
            "spikes",
            dd.Mesh(spikes.vertices @ rotation(rng).T, spikes.faces),
            views(1.0)["plain"],
        )


def test_closed_meshes_have_both_sheets_or_neither(renderer):
    """Seen from outside a closed mesh: entry exists where exit does, at every pixel, silhouettes included.

    Snapped to the rasterizer's grid a closed mesh is still closed, so its image covers each pixel center as
    often with front as with back faces, if edges through a center belong to one side and facing is decided
    after snapping.
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
    """On closed meshes seen from outside, at every pixel; thickness is never negative."""
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
    """To the last bit, at silhouettes too: all crossings are kept."""
    for name, mesh, camera in closed_scenes():
        scene = renderer.upload(mesh)
        for surfaces in ("oriented", "any"):
            whole = renderer.entry_exit(scene, camera, surfaces=surfaces)
            kept = renderer.entry_exit(scene, camera, surfaces=surfaces, near=0.0, far=1e4)
            np.testing.assert_array_equal(kept.entry, whole.entry, err_msg=name)
            np.testing.assert_array_equal(kept.exit, whole.exit, err_msg=name)
        scene.release()
