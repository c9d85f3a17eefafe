"""The oracle's candidates, sheets and crossings against closed forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import oracle
import pytest
from oracle_scenes import (
    BOX_CORNERS,
    BOX_FACES,
    ball,
    checked,
    joined,
    look,
    plain,
    rays,
    rotation,
    same,
    slabs,
    sphere,
)

# Depth, coverage and facing


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_box_is_where_the_slabs_say(orthographic, seed):
    rng = np.random.default_rng(seed)
    half = rng.uniform(0.5, 1, 3)
    # With seed 0 the box is axis-aligned; four sides are edge-on if orthographic.
    R = np.eye(3) if seed == 0 else rotation(rng)
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
    # Seen along z with y down, these corners are at bottom left, bottom right and top.
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
    # A patch over the pixel centers with u and v in (2, 5). y points down, so y < 0 is up.
    corners = np.array([[2, 2, 8], [5, 2, 8], [5, 5, 8], [2, 5, 8]], float)
    corners[:, :2] = (corners[:, :2] - 16) / 32 * 8
    ref = oracle.reference(corners, [[0, 2, 1], [0, 3, 2]], plain())
    expected = np.full((32, 32), np.nan)
    expected[2:5, 2:5] = 8
    assert same(ref.entry, expected)
    two_pixels_up = corners - [0, 0.5, 0]
    shifted = oracle.reference(two_pixels_up, [[0, 2, 1], [0, 3, 2]], plain())
    assert np.isfinite(shifted.entry).any(axis=1).argmax() == 0


@pytest.mark.parametrize("orthographic", [False, True])
def test_tilted_plane(orthographic):
    # The plane n . p = c, wide enough to fill the image, its front side toward the camera.
    n, c = np.array([0.3, -0.5, -1.0]), -5.0
    x = np.array([[-9, -9], [9, -9], [9, 9], [-9, 9]], float)
    corners = np.column_stack([x, (c - x @ n[:2]) / n[2]])
    view = look(t=(0, 0, 0), orthographic=orthographic, focal=60.0)
    ref = oracle.reference(corners, [[0, 2, 1], [0, 3, 2]], view)
    origin, direction = rays(view)
    depth = ((c - origin @ n) / (direction @ n)).reshape(view.shape)
    assert same(ref.entry, depth)
    assert np.isnan(ref.exit).all()
    # Differences between neighboring pixels are exact if orthographic, and approximate otherwise.
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
        # The core is hidden behind the shell, so its edges make no pixel unstable.
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
    # Seen from below it is a ceiling, whose back is visible.
    below = oracle.reference(corners * [1, -1, 1], [[0, 1, 2]], plain())
    assert same(below.exit, ref.entry[::-1])
    # With the camera in its plane, rounding decides which side is visible.
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
    """Solve origin + z direction = v0 + a (v1 - v0) + b (v2 - v0) for each pixel and face."""
    rng = np.random.default_rng(11)
    vertices = rng.normal((0, 0, 1), 2, (150, 3))  # many cross the camera's z = 0
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
        selected = (hit & front, hit & ~front) if surfaces == "oriented" else (hit, hit)
        entry = np.where(selected[0], z, np.inf).min(axis=1)
        exit = np.where(selected[1], z, -np.inf).max(axis=1)
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
    # A plane exactly at the crop is kept, but is not stable.
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
    # A plane through the camera's z = 0: rays meet only the half in front of it.
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
    # Exactly edge-on across pixel centers: nothing is covered, but rounding might cover it.
    upright = np.array([[-1, 0.5, 1], [1, 0.5, 1], [0, 0.5, 3]])
    ref = oracle.reference(upright, [[0, 1, 2]], plain(orthographic=True, focal=1.0), "any")
    assert np.isnan(ref.entry).all()
    assert 1 <= (~ref.entry_stable).sum() <= 3
    assert oracle.reference(np.zeros((0, 3)), np.zeros((0, 3), int), look()).entry_stable.all()


def test_bad_input_is_rejected():
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
    # The copies begin at other corners, so that their depths differ in the last bit.
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


# Clearance and intervals


@pytest.mark.parametrize("orthographic", [False, True])
def test_clearance_is_the_distance_to_the_visible_boundary(orthographic):
    """Compare with edges clipped at a tiny z > 0, projected, and measured as 2D segments."""
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
    # A needle that points right along the row v = 10.5 and ends at u = 10. The lines through its
    # long edges pass within the margin of more pixels in that row.
    needle = np.array([[2, 10.499], [2, 10.501], [10, 10.5]])
    vertices = np.column_stack([(needle - 16) / 32, np.ones(3)])
    c = oracle.find_candidates(vertices, [[0, 1, 2]], plain())
    assert sorted(c.pixel % 32) == list(range(2, 10))
    assert not c.certain.any()
    assert c.hit.all()
    assert c.thin.all()


def test_faces_around_a_vertex_leave_no_gap():
    """Edges and a vertex lie exactly at pixel centers, or so close that rounding decides."""
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
