"""The oracle against closed forms, and `check` against renderers that are right or wrong in a known way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import oracle
import pytest

# ---------------------------------------------------------------------------------------------------------
# Meshes, cameras and closed forms: written for these tests, from first principles
# ---------------------------------------------------------------------------------------------------------

BOX_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
# Counter-clockwise seen from outside; the corner (x, y, z) has index 4x + 2y + z with each coordinate 0 or 1.
BOX_QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
BOX_FACES = np.array([t for a, b, c, d in BOX_QUADS for t in ((a, b, c), (a, c, d))])


def sphere(level: int, radius: float = 1.0):
    """An octahedron whose faces are split in four `level` times, its vertices on the sphere."""
    vertices = np.array(
        [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)], float
    )
    faces = [
        (x, y, z) if (x + y + z) % 2 == 0 else (x, z, y)
        for x in (0, 1)
        for y in (2, 3)
        for z in (4, 5)
    ]
    faces = np.array(faces)
    for _ in range(level):
        pairs = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        unique, where = np.unique(pairs, axis=0, return_inverse=True)
        middle = where.reshape(-1, 3) + len(vertices)
        vertices = np.concatenate([vertices, vertices[unique].sum(axis=1)])
        vertices /= np.linalg.norm(vertices, axis=1, keepdims=True)
        (a, b, c), (ab, bc, ca) = faces.T, middle.T
        faces = np.concatenate(
            [np.stack(t, axis=1) for t in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))]
        )
    return vertices * radius, faces


def torus(around: int = 40, across: int = 20):
    i, j = (index.ravel() for index in np.mgrid[:around, :across])
    u, v = 2 * np.pi * i / around, 2 * np.pi * j / across
    ring = 1 + 0.4 * np.cos(v)
    vertices = np.stack([ring * np.cos(u), ring * np.sin(u), 0.4 * np.sin(v)], axis=1)

    def at(i, j):
        return (i % around) * across + j % across

    quad = at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)
    return vertices, np.concatenate(
        [np.stack([quad[k] for k in t], axis=1) for t in ((0, 1, 2), (0, 2, 3))]
    )


def joined(*meshes):
    vertices, faces, base = [], [], 0
    for v, f in meshes:
        vertices.append(v)
        faces.append(np.asarray(f) + base)
        base += len(v)
    return np.concatenate(vertices), np.concatenate(faces)


def rotation(rng) -> np.ndarray:
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return q * np.linalg.det(q)


def pose(R=None, t=(0, 0, 0)) -> np.ndarray:
    M = np.eye(4)
    M[:3, :3] = np.eye(3) if R is None else R
    M[:3, 3] = t
    return M


def look(width=64, height=48, R=None, t=(0, 0, 4), focal=60.0, **options) -> oracle.View:
    """A view whose every number matters: skew, unequal focal lengths, principal point off the middle."""
    K = np.array([[focal, 0.07 * focal, width * 0.53], [0, focal * 1.1, height * 0.46], [0, 0, 1]])
    return oracle.View(K, pose(R, t), width, height, **options)


def plain(size=32, focal=32.0, t=(0, 0, 0), **options) -> oracle.View:
    """A view with round numbers: pixel (r, c) looks along ((c + 0.5) / 32 - 0.5, (r + 0.5) / 32 - 0.5, 1)."""
    K = np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]])
    return oracle.View(K, pose(t=t), size, size, **options)


def rays(view: oracle.View):
    """World-frame origin and direction of every pixel's ray, (H*W,3) each; origin + depth * direction."""
    v, u = np.mgrid[: view.height, : view.width] + 0.5
    image = np.stack([u.ravel(), v.ravel(), np.ones(u.size)])
    camera = (np.linalg.inv(view.K) @ image).T
    if view.orthographic:
        origin, direction = camera * (1, 1, 0), np.zeros_like(camera)
        direction[:, 2] = 1
    else:
        origin, direction = np.zeros_like(camera), camera
    R, t = view.camera_from_world[:3, :3], view.camera_from_world[:3, 3]
    return (origin - t) @ R, direction @ R


def slabs(view, half):
    """Depths where each ray enters and leaves the box |x| <= half: (H,W) each, NaN where it misses."""
    origin, direction = rays(view)
    with np.errstate(divide="ignore"):
        a, b = (-half - origin) / direction, (half - origin) / direction
    enter, leave = np.minimum(a, b).max(axis=1), np.maximum(a, b).min(axis=1)
    miss = (enter > leave) | (leave <= 0)
    enter, leave = np.where(miss, np.nan, enter), np.where(miss, np.nan, leave)
    return np.where(enter > 0, enter, np.nan).reshape(view.shape), leave.reshape(view.shape)


def ball(view, radius):
    """Depths where each ray enters and leaves a ball about the origin: (H,W) each, NaN where it misses."""
    origin, direction = rays(view)
    a, b = (direction**2).sum(axis=1), (origin * direction).sum(axis=1)
    with np.errstate(invalid="ignore"):
        root = np.sqrt(b * b - a * ((origin**2).sum(axis=1) - radius**2))
    return ((-b - root) / a).reshape(view.shape), ((-b + root) / a).reshape(view.shape)


def same(got, expected, tolerance=1e-11):
    """Equal to a relative tolerance, with NaN at the same places."""
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=0)
    return True


def float32(values):
    return values.astype(np.float32)


def checked(ref, entry=None, exit=None, **options):
    """`check` of the reference's own sheets in float32, but for those that are given."""
    given = [ref.entry if entry is None else entry, ref.exit if exit is None else exit]
    return oracle.check(ref, *(float32(np.asarray(sheet)) for sheet in given), **options)


# ---------------------------------------------------------------------------------------------------------
# Depth, coverage and facing
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_box_is_where_the_slabs_say(orthographic, seed):
    rng = np.random.default_rng(seed)
    half = rng.uniform(0.5, 1, 3)
    R = (
        np.eye(3) if seed == 0 else rotation(rng)
    )  # seed 0: axis-aligned, four sides edge-on if orthographic
    view = look(
        R=R, t=(0.1, -0.2, 4), focal=15.0 if orthographic else 60.0, orthographic=orthographic
    )
    ref = oracle.reference(BOX_CORNERS * half, BOX_FACES, view)
    enter, leave = slabs(view, half)
    assert same(ref.entry, enter)
    assert same(ref.exit, leave)
    assert 0.1 < np.isfinite(ref.entry).mean() < 0.9
    assert ref.entry_stable.mean() > 0.9
    both = oracle.reference(BOX_CORNERS * half, BOX_FACES, view, surfaces="any")
    assert same(both.entry, enter)
    assert same(both.exit, leave)


def test_facing_is_counter_clockwise_seen_from_the_ray_origin():
    # In a right-handed frame seen along z with y down, counter-clockwise on the picture is right, up, left.
    triangle = np.array([[-1, 1, 2], [1, 1, 2], [0, -1, 2]], float)
    for orthographic in (False, True):
        view = plain(orthographic=orthographic, focal=8.0)
        seen = oracle.reference(triangle, [[0, 1, 2]], view)
        turned = oracle.reference(triangle, [[0, 2, 1]], view)
        assert np.isfinite(seen.entry).sum() == np.isfinite(turned.exit).sum() > 20
        assert np.isnan(seen.exit).all()
        assert np.isnan(turned.entry).all()
        assert seen.candidates.front.all()
        assert not turned.candidates.front.any()


def test_facing_follows_the_geometry_not_the_sign_of_k():
    view = look(orthographic=False)
    mirrored = replace(
        view, K=np.diag([-1, 1, 1]) @ view.K + [[0, 0, view.width], [0, 0, 0], [0, 0, 0]]
    )
    ref = oracle.reference(BOX_CORNERS, BOX_FACES, view)
    flipped = oracle.reference(BOX_CORNERS, BOX_FACES, mirrored)
    assert same(flipped.entry[:, ::-1], ref.entry)
    assert same(flipped.exit[:, ::-1], ref.exit)


def test_row_0_is_the_top_and_column_0_the_left():
    # y points down in the camera frame, so y < 0 is up. A patch over the pixel centers with u, v in (2, 5).
    corners = np.array([[2, 2, 8], [5, 2, 8], [5, 5, 8], [2, 5, 8]], float)
    corners[:, :2] = (corners[:, :2] - 16) / 32 * 8
    ref = oracle.reference(corners, [[0, 2, 1], [0, 3, 2]], plain())
    expected = np.full((32, 32), np.nan)
    expected[2:5, 2:5] = 8
    assert same(ref.entry, expected)
    shifted = oracle.reference(
        corners - [0, 0.5, 0], [[0, 2, 1], [0, 3, 2]], plain()
    )  # 2 pixels up
    assert np.isfinite(shifted.entry).any(axis=1).argmax() == 0


@pytest.mark.parametrize("orthographic", [False, True])
def test_tilted_plane(orthographic):
    # The plane n . p = c, wide enough to fill the picture, front side toward the camera.
    n, c = np.array([0.3, -0.5, -1.0]), -5.0
    x = np.array([[-9, -9], [9, -9], [9, 9], [-9, 9]], float)
    corners = np.column_stack([x, (c - x @ n[:2]) / n[2]])
    view = look(t=(0, 0, 0), orthographic=orthographic, focal=60.0)
    ref = oracle.reference(corners, [[0, 2, 1], [0, 3, 2]], view)
    origin, direction = rays(view)
    depth = ((c - origin @ n) / (direction @ n)).reshape(view.shape)
    assert same(ref.entry, depth)
    assert np.isnan(ref.exit).all()
    # The slope is that of neighboring pixels: exact for z (orthographic), a central difference else.
    du, dv = np.gradient(depth, axis=1), np.gradient(depth, axis=0)
    inner = np.s_[1:-1, 1:-1]
    np.testing.assert_allclose(ref.entry_slope[inner], (abs(du) + abs(dv))[inner], rtol=1e-3)


@pytest.mark.parametrize("orthographic", [False, True])
def test_sphere_lies_between_its_inner_and_outer_radius(orthographic):
    vertices, faces = sphere(5)
    a, b, c = (vertices[faces[:, j]] for j in range(3))
    normal = np.cross(b - a, c - a)
    inner = (np.abs((normal * a).sum(axis=1)) / np.linalg.norm(normal, axis=1)).min()
    assert 0.999 < inner < 1
    R = rotation(np.random.default_rng(7))
    view = look(96, 80, R, (0, 0, 3), 25.0 if orthographic else 90.0, orthographic=orthographic)
    ref = oracle.reference(vertices, faces, view)
    (first, last), (late, early) = ball(view, 1), ball(view, inner)
    hit, sure = np.isfinite(ref.entry), np.isfinite(late)
    assert hit[sure].all()
    assert np.isfinite(first)[hit].all()
    assert (ref.entry[sure] >= first[sure]).all()
    assert (ref.entry[sure] <= late[sure]).all()
    assert (ref.exit[sure] >= early[sure]).all()
    assert (ref.exit[sure] <= last[sure]).all()
    assert sure.sum() > 500
    assert ref.entry_stable.mean() > 0.97


def test_nested_spheres_and_all_their_crossings():
    shell = sphere(3)
    core = sphere(3, 0.5)
    hollow = core[0], core[1][:, ::-1]  # the inside of a shell faces inward
    view = look(R=rotation(np.random.default_rng(1)), t=(0, 0, 3), focal=50.0)
    alone = oracle.reference(*shell, view)
    for inner in (core, hollow):
        ref = oracle.reference(*joined(shell, inner), view)
        assert same(ref.entry, alone.entry)
        assert same(ref.exit, alone.exit)
        # An edge of the core is hidden behind the shell, and unsettles nothing.
        assert np.array_equal(ref.entry_stable, alone.entry_stable)
        assert np.array_equal(ref.exit_stable, alone.exit_stable)

    layers = oracle.all_crossings(*joined(shell, hollow), view)
    count = np.diff(layers.offsets).reshape(view.shape)
    assert layers.stable.mean() > 0.8
    assert (count[layers.stable] % 2 == 0).all()
    assert set(np.unique(count[layers.stable])) == {0, 2, 4}
    one, two = (oracle.reference(*mesh, view) for mesh in (shell, core))
    for row, column in np.argwhere(layers.stable & (count == 4)):
        here = slice(*layers.offsets[row * view.width + column :][:2])
        expected = [sheet[row, column] for sheet in (one.entry, two.entry, two.exit, one.exit)]
        assert same(layers.depth[here], expected)
        assert layers.front[here].tolist() == [True, False, True, False]
        assert layers.certain[here].all()


@pytest.mark.parametrize("surfaces", ["oriented", "any"])
def test_camera_inside_a_box_sees_its_far_side(surfaces):
    rng = np.random.default_rng(3)
    for _ in range(3):
        R, eye = rotation(rng), rng.uniform(-0.6, 0.6, 3)
        view = look(R=R, t=-R @ eye, focal=20.0)
        ref = oracle.reference(BOX_CORNERS, BOX_FACES, view, surfaces)
        enter, leave = slabs(view, np.ones(3))
        assert np.isnan(enter).all()
        assert same(ref.exit, leave)
        assert np.isfinite(ref.exit).all()
        if surfaces == "any":
            assert same(ref.entry, leave)
        else:
            assert np.isnan(ref.entry).all()


def test_floor_that_passes_under_the_camera_and_behind_it():
    # The plane y = 1.5, seen from above (its normal points up, to -y); the horizon is at v = 16.
    corners = np.array([[-40, 1.5, -30], [40, 1.5, -30], [0.5, 1.5, 90]])
    ref = oracle.reference(corners, [[0, 1, 2]], plain())
    v, u = np.mgrid[:32, :32] + 0.5
    with np.errstate(divide="ignore"):
        z = np.where(v > 16, 1.5 * 32 / (v - 16), np.nan)
    x = (u - 16) / 32 * z
    reach = (90 - z) / 120  # how much of the triangle's half width of 40 is left at z
    hit = (z < 90) & (x > 0.5 - 40.5 * reach) & (x < 0.5 + 39.5 * reach)
    assert 300 < hit.sum() < 512
    assert same(ref.entry, np.where(hit, z, np.nan))
    assert np.isnan(ref.exit).all()
    assert ref.entry_stable[17:].all()
    # From below it is a ceiling, and its back is seen.
    below = oracle.reference(corners * [1, -1, 1], [[0, 1, 2]], plain())
    assert same(below.exit, ref.entry[::-1])
    # With the camera in its plane, which side is seen is rounding.
    level = oracle.find_candidates(corners * [1, 1e-9, 1], [[0, 1, 2]], plain())
    assert level.hit.sum() > 300
    assert not level.certain.any()


@pytest.mark.parametrize("orthographic", [False, True])
def test_there_is_no_near_or_far_plane(orthographic):
    square = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]], float) * 40
    for z in (1e-9, 1e9):
        scale = (1, 1, z / 40) if orthographic else z / 40
        ref = oracle.reference(
            square * scale, [[0, 2, 1], [0, 3, 2]], plain(orthographic=orthographic)
        )
        assert same(ref.entry, np.full((32, 32), z))


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("crop", [(None, None), (1.0, None), (None, 2.0), (0.7, 2.5)])
def test_random_triangles_against_linear_solve(orthographic, crop):
    """One 3x3 system for each pixel and face: origin + z direction = v0 + a (v1 - v0) + b (v2 - v0)."""
    rng = np.random.default_rng(11)
    vertices = rng.normal((0, 0, 1), 2, (150, 3))  # many of the triangles cross the camera's z = 0
    faces = np.arange(150).reshape(-1, 3)
    view = look(
        14,
        11,
        rotation(rng),
        (0.1, 0.3, 1),
        4.0 if orthographic else 9.0,
        orthographic=orthographic,
    )
    view = replace(view, near=crop[0], far=crop[1])
    origin, direction = rays(view)
    p = vertices[faces]
    e1, e2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    shape = (len(origin), len(faces), 3)
    columns = [np.broadcast_to(x, shape) for x in (direction[:, None], -e1, -e2)]
    solved = np.linalg.solve(np.stack(columns, axis=-1), (p[:, 0] - origin[:, None])[..., None])[
        ..., 0
    ]
    z, a, b = np.moveaxis(solved, -1, 0)
    hit = (
        (a >= 0)
        & (b >= 0)
        & (a + b <= 1)
        & (z > 0)
        & (z >= (crop[0] or 0))
        & (z <= (crop[1] or np.inf))
    )
    front = (np.cross(e1, e2) * direction[:, None]).sum(axis=-1) < 0

    c = oracle.find_candidates(vertices, faces, view)
    found = np.zeros_like(hit)
    found[c.pixel[c.hit], c.face[c.hit]] = True
    assert hit.sum() > 100
    assert np.array_equal(found, hit)
    where = c.pixel[c.hit], c.face[c.hit]
    assert same(c.depth[c.hit], z[where], 1e-9)
    assert np.array_equal(c.front[c.hit], front[where])
    for surfaces in ("oriented", "any"):
        ref = oracle.reference(vertices, faces, view, surfaces)
        takes = (hit & front, hit & ~front) if surfaces == "oriented" else (hit, hit)
        entry = np.where(takes[0], z, np.inf).min(axis=1)
        exit = np.where(takes[1], z, -np.inf).max(axis=1)
        assert same(ref.entry.ravel(), np.where(np.isinf(entry), np.nan, entry), 1e-9)
        assert same(ref.exit.ravel(), np.where(np.isinf(exit), np.nan, exit), 1e-9)


def test_crop_keeps_near_to_far():
    view = look(R=rotation(np.random.default_rng(5)))
    vertices, faces = sphere(3)
    whole = oracle.reference(vertices, faces, view)
    enter, leave = float(np.nanmedian(whole.entry)), float(np.nanmedian(whole.exit))
    ref = oracle.reference(vertices, faces, replace(view, near=enter, far=leave))
    assert same(ref.entry, np.where(whole.entry >= enter, whole.entry, np.nan))
    assert same(ref.exit, np.where(whole.exit <= leave, whole.exit, np.nan))
    # A plane that lies exactly on the crop is kept, and too close to call.
    corners, quad = (
        np.array([[-9, -9, 8], [9, -9, 8], [9, 9, 8], [-9, 9, 8]], float),
        [[0, 2, 1], [0, 3, 2]],
    )
    for near, far in ((8, None), (None, 8), (8, 8)):
        ref = oracle.reference(corners, quad, plain(near=near, far=far))
        assert (ref.entry == 8).all()
        assert not ref.entry_stable.any()
        assert checked(ref, np.full((32, 32), np.nan)).ok
    ref = oracle.reference(corners, quad, plain(near=8.001))
    assert np.isnan(ref.entry).all()
    assert ref.entry_stable.all()


def test_orthographic_rays_start_at_z_0():
    view = look(R=np.eye(3), t=(0, 0, 0.25), focal=15.0, orthographic=True)
    ref = oracle.reference(BOX_CORNERS, BOX_FACES, view)
    assert np.isnan(ref.entry).all()
    assert np.nanmin(ref.exit) == np.nanmax(ref.exit) == 1.25
    # A plane through z = 0 of the camera: only the half in front of it is met.
    corners = np.array([[-3, -3, -3], [3, -3, 3], [3, 3, 3], [-3, 3, -3]], float)
    ref = oracle.reference(corners, [[0, 2, 1], [0, 3, 2]], plain(orthographic=True, focal=8.0))
    x = (np.arange(32) + 0.5 - 16) / 8
    assert same(ref.entry, np.broadcast_to(np.where(x > 0, x, np.nan), (32, 32)))


def test_degenerate_faces_cover_nothing():
    rng = np.random.default_rng(2)
    p = rng.normal(0, 0.3, (4, 3))
    direction = np.array([1.0, 0.5, 0.25])
    vertices = np.concatenate([p, [p[0], p[0] + direction, p[0] + 2 * direction]])
    faces = [[0, 0, 1], [1, 2, 2], [3, 3, 3], [4, 5, 6], [0, 4, 1], [6, 4, 5]]
    ref = oracle.reference(vertices, faces, look(R=rotation(rng)), "any")
    assert len(ref.candidates) == 0
    assert np.isnan(ref.entry).all()
    assert ref.entry_stable.all()
    # Seen exactly edge-on, across the pixel centers: nothing is covered, but rounding might cover it.
    upright = np.array([[-1, 0.5, 1], [1, 0.5, 1], [0, 0.5, 3]])
    ref = oracle.reference(upright, [[0, 1, 2]], plain(orthographic=True, focal=1.0), "any")
    assert np.isnan(ref.entry).all()
    assert 1 <= (~ref.entry_stable).sum() <= 3
    assert oracle.reference(np.zeros((0, 3)), np.zeros((0, 3), int), look()).entry_stable.all()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="finite"):
        oracle.find_candidates([[0, 0, np.nan]] * 3, [[0, 1, 2]], look())
    with pytest.raises(ValueError, match="from 0 to 2"):
        oracle.find_candidates(np.zeros((3, 3)), [[0, 1, 3]], look())
    with pytest.raises(ValueError, match="last row"):
        oracle.find_candidates(np.eye(3), [[0, 1, 2]], replace(look(), K=np.ones((3, 3))))
    with pytest.raises(ValueError, match="oriented"):
        oracle.reference(np.eye(3), [[0, 1, 2]], look(), "front")


def test_coincident_faces_tie():
    corners = np.array([[-9, -9, 7], [9, -9, 8], [9, 9, 10], [-9, 9, 9]], float)
    up, down = [[0, 2, 1], [0, 3, 2]], [[0, 1, 2], [0, 2, 3]]
    # The second copies begin at other corners, so that their depths differ in the last bit.
    faces = up + down + [[2, 1, 0], [2, 0, 3]] + [[1, 2, 0], [2, 3, 0]]
    R = rotation(np.random.default_rng(9))
    view = look(R=R, t=(0, 0, 0))
    ref = oracle.reference(corners @ R, faces, view)
    stable = ref.entry_stable & ref.exit_stable
    assert stable.mean() > 0.9
    layers = oracle.all_crossings(corners @ R, faces, view)
    assert np.array_equal(layers.stable, stable)
    differ = 0
    for row, column in np.argwhere(stable):
        first, last = layers.offsets[row * view.width + column :][:2]
        assert layers.face[first:last].tolist() in ([0, 2, 4, 6], [1, 3, 5, 7])
        differ += len(set(layers.depth[first:last])) > 1
        entry, exit = (ref.tied(name, row, column) for name in ("entry", "exit"))
        assert entry in ({0, 4}, {1, 5})
        assert exit in ({2, 6}, {3, 7})
        assert ref.entry_face[row, column] == min(entry)
        assert ref.exit_face[row, column] == max(exit)
    assert differ > 100


# ---------------------------------------------------------------------------------------------------------
# Clearance and intervals
# ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("orthographic", [False, True])
def test_clearance_is_the_distance_to_the_visible_boundary(orthographic):
    """Against edges cut at a tiny z > 0, projected, and measured as ordinary segments of the plane."""
    rng = np.random.default_rng(4)
    vertices, faces = rng.normal((0, 0, 1.5), 2, (90, 3)), np.arange(90).reshape(-1, 3)
    view = look(20, 16, t=(0, 0, 0), focal=4.0 if orthographic else 12.0, orthographic=orthographic)
    margin = 3.0
    c = oracle.find_candidates(vertices, faces, view, margin)
    assert (c.clearance < 0).sum() > 200
    assert (c.clearance > 0).sum() > 200
    row, column = np.divmod(c.pixel, view.width)
    center = np.stack([column + 0.5, row + 0.5], axis=1)
    distance = np.full(len(c), np.inf)
    for j in range(3):
        a, b = vertices[faces[c.face, j]], vertices[faces[c.face, (j + 1) % 3]]
        if orthographic:
            a, b = (x * (1, 1, 0) + (0, 0, 1) for x in (a, b))
        gone = (a[:, 2] <= 0) & (b[:, 2] <= 0)
        tiny = 1e-6
        with np.errstate(divide="ignore", invalid="ignore"):
            cut = a + ((tiny - a[:, 2]) / (b[:, 2] - a[:, 2]))[:, None] * (b - a)
            a, b = (np.where(x[:, 2:] < tiny, cut, x) for x in (a, b))
            a, b = ((x @ view.K.T)[:, :2] / x[:, 2:] for x in (a, b))
            t = ((center - a) * (b - a)).sum(axis=1) / ((b - a) ** 2).sum(axis=1)
            nearest = a + np.clip(t, 0, 1)[:, None] * (b - a)
        distance = np.where(gone, distance, np.minimum(distance, np.hypot(*(center - nearest).T)))
    np.testing.assert_allclose(np.abs(c.clearance), distance, rtol=1e-6, atol=1e-6)


def test_a_sliver_reaches_no_farther_than_its_tip():
    # A needle that points right, along the row v = 10.5 and ending at u = 10: the lines through its long
    # edges pass within the margin of more pixels of that row.
    needle = np.array([[2, 10.499], [2, 10.501], [10, 10.5]])
    vertices = np.column_stack([(needle - 16) / 32, np.ones(3)])
    c = oracle.find_candidates(vertices, [[0, 1, 2]], plain())
    assert sorted(c.pixel % 32) == list(range(2, 10))
    assert not c.certain.any()
    assert c.hit.all()
    assert c.thin.all()


def test_faces_round_a_vertex_leave_no_gap():
    """Edges and a vertex exactly at pixel centers, and many that only rounding decides: always covered."""
    rng = np.random.default_rng(8)
    for spokes in (3, 4, 6, 8, 11):
        angle = 2 * np.pi * np.arange(spokes) / spokes
        rim = np.stack([np.cos(angle), np.sin(angle)], axis=1) * 60
        for center in ((0.5, 0.5), (7 / 3, -1.1), rng.normal(0, 3, 2)):
            image = np.concatenate([[center], rim]) / 32
            z = rng.uniform(1, 3, len(image))
            fan = [[0, 1 + (k + 1) % spokes, 1 + k] for k in range(spokes)]
            vertices = np.column_stack([image * z[:, None], z])
            ref = oracle.reference(vertices, fan, plain(16))
            assert np.isfinite(ref.entry).all()
            layers = oracle.all_crossings(vertices, fan, plain(16))
            twice = (np.diff(layers.offsets) > 1).reshape(16, 16)
            assert not (twice & layers.stable).any()


@pytest.mark.parametrize("orthographic", [False, True])
def test_interval_is_the_range_of_the_plane_within_the_margin(orthographic):
    vertices, faces = sphere(1)
    view = look(R=rotation(np.random.default_rng(6)), focal=15.0 if orthographic else 60.0)
    view = replace(view, orthographic=orthographic)
    margin = 0.4
    c = oracle.find_candidates(vertices, faces, view, margin)
    M = view.camera_from_world
    p = (vertices @ M[:3, :3].T + M[:3, 3])[faces[c.face]]
    n = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    row, column = np.divmod(c.pixel, view.width)
    depths = []
    for du, dv in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        image = np.stack([column + 0.5 + margin * du, row + 0.5 + margin * dv, np.ones(len(c))])
        ray = (np.linalg.inv(view.K) @ image).T
        offset = (n * p[:, 0]).sum(axis=1)
        if orthographic:
            depths.append((offset - (n * ray)[:, :2].sum(axis=1)) / n[:, 2])
        else:
            depths.append(offset / (n * ray).sum(axis=1))
    positive = (np.array(depths) > 0).all(axis=0)
    assert positive.mean() > 0.9
    limits = p[:, :, 2].min(axis=1), p[:, :, 2].max(axis=1)
    assert same(c.low[positive], np.clip(np.min(depths, axis=0), *limits)[positive], 1e-9)
    assert same(c.high[positive], np.clip(np.max(depths, axis=0), *limits)[positive], 1e-9)
    assert ((c.low <= c.depth) & (c.depth <= c.high)).all()


# ---------------------------------------------------------------------------------------------------------
# `check` accepts what a correct renderer may do
# ---------------------------------------------------------------------------------------------------------

SCENES = {
    "sphere": sphere(4),
    "torus": torus(),
    "box": (BOX_CORNERS, BOX_FACES),
    "interpenetrating": joined(
        sphere(3), (sphere(3)[0] * 0.8 + [0.5, 0.3, 0], sphere(3)[1]), torus()
    ),
    "open sheet": (torus()[0], torus()[1][::3]),
    "random faces": (
        np.random.default_rng(0).normal(0, 0.6, (120, 3)),
        np.random.default_rng(1).permutation(np.arange(120)).reshape(-1, 3),
    ),
}


def moved(vertices, view, distance, rng):
    """The mesh with each vertex's image moved by up to `distance` pixels and its depth left as it is."""
    M = view.camera_from_world
    p = vertices @ M[:3, :3].T + M[:3, 3]
    angle, length = rng.uniform(0, 2 * np.pi, len(p)), distance * np.sqrt(rng.uniform(0, 1, len(p)))
    step = np.stack([length * np.cos(angle), length * np.sin(angle)]) * (
        1 if view.orthographic else p[:, 2]
    )
    p[:, :2] += (np.linalg.inv(view.K[:2, :2]) @ step).T
    return (p - M[:3, 3]) @ M[:3, :3]


@pytest.mark.parametrize("surfaces", ["oriented", "any"])
@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("scene", SCENES)
def test_check_accepts_a_renderer_that_moves_vertices_within_the_margin(
    scene, orthographic, surfaces
):
    vertices, faces = SCENES[scene]
    rng = np.random.default_rng(len(scene))
    R = np.eye(3) if scene == "box" and orthographic else rotation(rng)
    view = look(
        100, 80, R, (0.03, 0.01, 4), 28.0 if orthographic else 110.0, orthographic=orthographic
    )
    for margin in (1 / 128, 0.2):  # the second one puts most of the picture in the band
        ref = oracle.reference(vertices, faces, view, surfaces, margin)
        other = oracle.reference(
            moved(vertices, view, margin * 0.99, rng), faces, view, surfaces, margin
        )
        report = oracle.check(ref, float32(other.entry), float32(other.exit), flat_fraction=0)
        assert report.ok, str(report)
        assert report.band > 0
        assert report.covered > 100 * (margin < 0.1)
        exact = checked(ref)
        assert exact.ok, str(exact)
        assert exact.max_relative_error < 1e-7


def test_check_notices_a_renderer_that_moves_vertices_farther():
    vertices, faces = SCENES["sphere"]
    view = look(100, 80, focal=110.0)
    ref = oracle.reference(vertices, faces, view)
    other = oracle.reference(moved(vertices, view, 0.1, np.random.default_rng(0)), faces, view)
    report = oracle.check(ref, float32(other.entry), float32(other.exit), flat_fraction=0)
    assert report.coverage_mismatches
    assert report.depth_failures


def test_a_crack_and_a_rim_excuse_a_miss():
    """Snapping may open a T-junction between two quads, but not an edge that they share."""
    corners = np.array([[-1, -1], [1, -1], [1, 0], [-1, 0], [-1, 1], [1, 1], [0.1, 0]], float)
    vertices = np.column_stack(
        [corners + 0.5 / 32, np.ones(7)]
    )  # the seam runs along the centers of row 16
    upper = [[0, 2, 1], [0, 3, 2]]
    shared, split = [[3, 4, 5], [3, 5, 2]], [[3, 4, 6], [6, 4, 5], [6, 5, 2]]
    for lower, accepted in ((shared, False), (split, True)):
        ref = oracle.reference(vertices, upper + lower, plain())
        holed = ref.entry.copy()
        assert not ref.entry_stable[16, 9]
        holed[16, 9] = np.nan
        assert checked(ref, holed).ok == accepted


# ---------------------------------------------------------------------------------------------------------
# `check` rejects what a correct renderer may not do
# ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scene():
    """A torus and a box behind it, both wider than a pixel in every feature."""
    box = BOX_CORNERS * 0.9 + [0.2, 0.1, 3], BOX_FACES
    view = look(80, 64, t=(0, 0, 5), focal=80.0)
    ref = oracle.reference(*joined(torus(), box), view)
    assert checked(ref).ok
    assert checked(ref).covered > 2000
    return ref


def test_rejects_small_errors_of_depth(scene):
    report = checked(scene, scene.entry * (1 + 5e-6))
    assert not report.ok
    assert report.within_flat < 0.6
    assert report.max_relative_error == pytest.approx(5e-6, rel=0.02)
    # One pixel alone is told apart where the face is not steep: the back of the box faces the camera.
    flat = np.argwhere(scene.exit_stable & (scene.exit_slope == 0))
    assert len(flat) > 100
    row, column = flat[len(flat) // 2]
    exit = scene.exit.copy()
    exit[row, column] *= 1 + 5e-6
    report = checked(scene, exit=exit)
    assert [f[:3] for f in report.depth_failures] == [(row, column, "exit")]
    assert report.max_error_over_allowed > 1
    assert f"row {row}, column {column}" in str(report)


def test_the_slope_excuses_no_more_than_the_margin(scene):
    steep = np.argwhere(scene.entry_stable & (scene.entry_slope > 0.03) & (scene.entry_slope < 0.1))
    row, column = steep[len(steep) // 2]
    for pixels, accepted in ((0.5, True), (-0.5, True), (1.5, False), (-1.5, False)):
        entry = scene.entry.copy()
        entry[row, column] += pixels * scene.margin * scene.entry_slope[row, column]
        assert checked(scene, entry, flat_fraction=0.99).ok == accepted


def test_the_allowance_follows_the_plane_where_it_is_not_linear():
    # A floor half a pixel below the horizon, margin 0.3: the plane is met 0.2 to 0.8 pixels below it.
    floor = np.array([[-400, 1, -30], [400, 1, -30], [0, 1, 900]], float)
    ref = oracle.reference(floor, [[0, 1, 2]], plain(), margin=0.3)
    assert ref.entry_stable[16, 16]
    for factor, accepted in ((0.63, True), (0.62, False), (2.49, True), (2.51, False)):
        entry = ref.entry.copy()
        entry[16, 16] *= factor
        assert checked(ref, entry, flat_fraction=0.99).ok == accepted


@pytest.mark.parametrize("name", ["entry", "exit"])
def test_rejects_every_single_hole_inside_and_extra_value_outside(scene, name):
    """Each stable pixel alone, and each band pixel that is not at a silhouette."""
    sheet = scene.sheets[name]
    hit = np.isfinite(sheet.depth)
    for row, column in np.argwhere(sheet.stable)[::41]:
        values = sheet.depth.copy()
        values[row, column] = np.nan if hit[row, column] else 4.0
        report = checked(scene, **{name: values})
        assert [f[:3] for f in report.coverage_mismatches] == [(row, column, name)]

    rejected = excused = 0
    for row, column in np.argwhere(~sheet.stable & hit):
        values = sheet.depth.copy()
        values[row, column] = np.nan
        around = hit[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        report = checked(scene, **{name: values})
        if around.all():
            assert not report.ok, (row, column)
        rejected += not report.ok
        excused += report.ok
    assert rejected > 10
    assert excused > 0  # along the outline


def test_rejects_holes_and_looks_through_at_an_interior_edge():
    """A square whose diagonal runs exactly through pixel centers, before another: no light may pass there."""
    corners = np.array(
        [[-0.25, -0.25, 1], [0.25, -0.25, 1], [0.25, 0.25, 1], [-0.25, 0.25, 1]], float
    )
    square = corners, [[0, 2, 1], [0, 3, 2]]
    split = corners[[0, 2, 1, 0, 3, 2]], [[0, 1, 2], [3, 4, 5]]  # its vertices not shared by index
    behind = corners * (4, 4, 2), [[1, 0, 3], [1, 3, 2]]  # split along the other diagonal
    for front in (square, split):
        for surfaces in ("oriented", "any"):
            ref = oracle.reference(*joined(front, behind), plain(), surfaces)
            assert not ref.entry_stable[12, 12]
            assert ref.entry[12, 12] == 1
            assert checked(ref).ok
            for wrong in (np.nan, 2.0, 1.5, 1 + 5e-6, 0.5, np.inf, -np.inf):
                entry = ref.entry.copy()
                entry[12, 12] = wrong
                report = checked(ref, entry)
                assert [f[:3] for f in report.band_failures] == [(12, 12, "entry")], wrong
                assert "face 0 in [1, 1]" in str(report)
    # Shifted by half a pixel, the outline of the front square runs through centers: there, both may be.
    third = corners * (9, 9, 3), behind[1]
    ref = oracle.reference(*joined((corners - [0.5 / 32, 0, 0], square[1]), behind, third), plain())
    for value, accepted in ((1.0, True), (2.0, True), (3.0, False), (np.nan, False), (1.5, False)):
        entry = ref.entry.copy()
        assert not ref.entry_stable[14, 7]
        entry[14, 7] = value
        assert checked(ref, entry).ok == accepted


def test_rejects_a_wrong_value_in_the_band(scene):
    for name in ("entry", "exit"):
        sheet = scene.sheets[name]
        band = np.argwhere(~sheet.stable)
        assert len(band) > 30
        for row, column in band[::5]:
            for wrong in (2.0, 6.1, 11.0):
                values = sheet.depth.copy()
                values[row, column] = wrong
                report = checked(scene, **{name: values})
                assert [f[:3] for f in report.band_failures] == [(row, column, name)]


def test_rejects_swapped_shifted_and_flipped_sheets(scene):
    entry, exit = float32(scene.entry), float32(scene.exit)
    wrong = {
        "swapped": (exit, entry),
        "entry twice": (entry, entry),
        "one pixel down": (np.roll(entry, 1, axis=0), np.roll(exit, 1, axis=0)),
        "one pixel left": (np.roll(entry, -1, axis=1), np.roll(exit, -1, axis=1)),
        "rows flipped": (entry[::-1], exit[::-1]),
        "columns flipped": (entry[:, ::-1], exit[:, ::-1]),
        "empty": (entry * np.nan, exit * np.nan),
        "zero for a miss": (np.nan_to_num(entry), np.nan_to_num(exit)),
        "inf for a miss": (np.where(np.isnan(entry), np.inf, entry), exit),
    }
    for what, sheets in wrong.items():
        report = oracle.check(scene, *sheets, flat_fraction=0)
        assert not report.ok, what
        assert "FAILED" in str(report)
    half = look(80, 64, t=(0, 0, 5), focal=80.0)
    half.K[:2, 2] += 0.5
    other = oracle.reference(scene.vertices, scene.faces, half)
    assert not oracle.check(scene, float32(other.entry), float32(other.exit), flat_fraction=0).ok
    with pytest.raises(ValueError, match="shape"):
        oracle.check(scene, entry.T, exit.T)


def test_rejects_the_first_exit_and_the_last_entry(scene):
    """The nearest back face and the farthest front face: right for convex objects only."""
    layers = oracle.all_crossings(scene.vertices, scene.faces, scene.view)
    pixel = np.repeat(np.arange(scene.entry.size), np.diff(layers.offsets))
    first_exit, last_entry = np.full(scene.entry.size, np.inf), np.full(scene.entry.size, -np.inf)
    np.minimum.at(first_exit, pixel[~layers.front], layers.depth[~layers.front])
    np.maximum.at(last_entry, pixel[layers.front], layers.depth[layers.front])
    first_exit, last_entry = (
        np.where(np.isinf(x), np.nan, x).reshape(scene.entry.shape)
        for x in (first_exit, last_entry)
    )
    assert len(checked(scene, exit=first_exit).depth_failures) > 100
    assert len(checked(scene, entry=last_entry).depth_failures) > 100


def test_absolute_tolerance_is_added(scene):
    assert not checked(scene, scene.entry + 1e-4).ok
    assert checked(scene, scene.entry + 1e-4, absolute=1.2e-4).ok
