"""The mould: a solid for any mask and depths, of the right volume, cut at depth jumps."""

from __future__ import annotations

import io

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from meshes import REAL, good
from shapes import (
    box,
    inside_out,
    merged,
    random_camera,
    random_closed_mesh,
    rotation,
    sphere,
    sphere_sagitta,
    torus,
)

import ddepth_gl as dd
from ddepth_gl.io.results.ply import write_mesh
from ddepth_gl.mesh.demo import demo_mesh

JUMP = 10.0  # the default


def flat_camera(width, height):
    """Return an orthographic camera along z: pixel centers are world x and y, one unit a pixel."""
    return dd.Camera.orthographic((width, height), np.eye(4), width, height)


def maps_of(entry, exit_):
    """Return DepthMaps of these depths, seen by `flat_camera`."""
    entry, exit_ = (np.array(sheet, np.float32) for sheet in (entry, exit_))
    return dd.DepthMaps(entry, exit_, flat_camera(*entry.shape[::-1]))


def rendered(renderer, mesh, camera):
    scene = renderer.upload(mesh)
    maps = renderer.entry_exit(scene, camera)
    scene.release()
    return maps


def assert_manifold(faces):
    """Check that each edge has two faces, of opposite direction, and each vertex one fan of faces.

    Follows the definition: around vertex v, the corner with edge v -> a comes after the one with
    edge a -> v.
    """
    corners = faces.astype(np.int64).reshape(-1)
    following, before = (
        np.roll(faces, shift, axis=1).astype(np.int64).reshape(-1) for shift in (-1, 1)
    )
    count = int(corners.max()) + 1
    leaving, entering = corners * count + following, corners * count + before
    assert (corners != following).all()
    order = np.argsort(leaving)
    assert (np.diff(leaving[order]) > 0).all(), "two faces run along an edge in the same direction"
    index = np.searchsorted(leaving, entering, sorter=order).clip(max=len(order) - 1)
    around = order[index]
    assert (leaving[around] == entering).all(), "an edge has no face on its other side"
    # The smallest corner of each cycle of `around`, by jumps of 1, 2, 4, ... corners.
    fan = np.arange(len(corners))
    for _ in range(int(np.ceil(np.log2(len(corners)))) + 1):
        fan, around = np.minimum(fan, fan[around]), around[around]
    fans = np.unique(np.stack([corners, fan], 1), axis=0)[:, 0]
    assert (np.diff(fans) > 0).all(), "a vertex has two fans of faces"


def assert_solid(mould):
    """Check by index, by float32 position, with trimesh, and with trimesh through an STL file."""
    assert_manifold(mould.faces)
    assert mould.is_closed
    rounded = mould.vertices.astype(np.float32)
    distinct, index = np.unique(rounded, axis=0, return_inverse=True)
    assert len(distinct) == len(rounded)
    faces = index.reshape(-1)[mould.faces]
    assert_manifold(faces)
    a, b, c = (distinct[faces[:, k]].astype(np.float64) for k in range(3))
    assert (np.cross(b - a, c - a) != 0).any(axis=1).all(), "a face without area"
    loaded = trimesh.Trimesh(mould.vertices, mould.faces)
    for solid in (
        loaded,
        trimesh.load(io.BytesIO(loaded.export(file_type="stl")), file_type="stl"),
    ):
        assert solid.is_watertight
        assert solid.is_winding_consistent
        assert solid.is_volume
        assert len(solid.faces) == len(mould.faces)


def sheets_of(mould):
    """Return the faces of the entry sheet, of the exit sheet and of the walls."""
    count = len(mould.vertices) // 2  # entry vertices are first
    far = (mould.faces >= count).sum(1)
    return mould.faces[far == 0], mould.faces[far == 3], mould.faces[(far > 0) & (far < 3)]


def prism_volume(mould):
    """Return the volume: half a pixel times the mean thickness of each entry triangle."""
    front, _, _ = sheets_of(mould)
    thickness = (
        mould.vertices[len(mould.vertices) // 2 :, 2]
        - mould.vertices[: len(mould.vertices) // 2, 2]
    )
    return 0.5 * thickness[front].mean(1).sum()


def expected_triangles(label):
    """Return the number of triangles of pixels with equal labels; -1 is a miss.

    Triangles that touch others in a single pixel are included.
    """
    total = 0
    for row in range(label.shape[0] - 1):
        for column in range(label.shape[1] - 1):
            block = label[row : row + 2, column : column + 2].ravel()
            largest = max(int((block == value).sum()) * (value >= 0) for value in block)
            total += max(0, largest - 2)
    return total


# Closed and oriented


@pytest.mark.slow
@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("name", ["box", "sphere", "torus", "demo"])
def test_closed_and_outward(renderer, name, orthographic):
    mesh = {"box": box, "sphere": sphere, "torus": torus, "demo": demo_mesh}[name]()
    camera = dd.Camera.orbit(mesh, width=96, height=72, seed=3)[5]
    if orthographic:
        camera = dd.Camera.orthographic(4.5, camera.camera_from_world, 96, 72)
    maps = rendered(renderer, mesh, camera)
    mould = maps.to_mesh()
    assert_solid(mould)
    assert mould.is_oriented
    front, back, walls = sheets_of(mould)
    assert len(front) == len(back) > 300
    assert len(walls) > 0
    # The entry sheet faces the camera, the exit sheet faces away.
    for faces, side in ((front, 1.0), (back, -1.0)):
        corners = mould.vertices[faces]
        toward = camera.center - corners.mean(1)
        if orthographic:
            toward = np.broadcast_to(-camera.camera_from_world[2, :3], toward.shape)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert (side * (normals * toward).sum(1) > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [*range(11), 12])  # the camera of 11 looks past the mesh
def test_closed_for_random_meshes(renderer, seed):
    rng = np.random.default_rng(seed)
    mesh = random_closed_mesh(rng)
    # Cameras that cut the mesh or see a part of it put silhouettes on the image border.
    camera = random_camera(rng, mesh, orthographic=bool(seed % 2), cutting=seed % 4 == 3)
    maps = rendered(renderer, mesh, camera)
    assert_solid(maps.to_mesh())
    assert_solid(maps.to_mesh(jump=1.5))
    assert maps.to_mesh(jump=np.inf).is_closed


@pytest.mark.parametrize("seed", range(40))
def test_any_mask_yields_a_solid_with_the_volume_of_its_prisms(seed):
    # Small random masks contain all ways for pixels to touch: diagonally, at the border, alone.
    rng = np.random.default_rng(seed)
    shape = rng.integers(2, 8, 2)
    entry = 10 + rng.random(shape)
    exit_ = entry + 0.1 + 3 * rng.random(shape)
    miss = rng.random(shape) < rng.uniform(0, 0.7)
    entry[miss & (rng.random(shape) < 0.7)] = np.nan
    exit_[miss] = np.nan
    triangles = expected_triangles(np.where(miss, -1, 0))
    if triangles == 0:
        with pytest.raises(dd.MeshError, match="no mould"):
            maps_of(entry, exit_).to_mesh()
        return
    mould = maps_of(entry, exit_).to_mesh()
    assert_solid(mould)
    front, back, _ = sheets_of(mould)
    assert len(front) == len(back)
    assert (triangles + 1) // 2 <= len(front) <= triangles
    assert mould.volume == pytest.approx(prism_volume(mould), rel=1e-9)
    assert mould.volume > 0


@pytest.mark.parametrize("sheet", ["entry", "exit", "both"])
@pytest.mark.parametrize("seed", range(10))
def test_depth_jumps_are_cut_and_walled(sheet, seed):
    rng = np.random.default_rng(seed)
    shape = (6, 7)
    near, far = (rng.random(shape) * 2.3).astype(int), (rng.random(shape) < 0.25) * 1
    near, far = near * (sheet != "exit"), far * (sheet != "entry")
    entry, exit_ = 50.0 + 40.0 * near, 500.0 + 40.0 * far
    mould = maps_of(entry, exit_).to_mesh()
    assert_solid(mould)
    assert mould.is_oriented
    front, back, walls = sheets_of(mould)
    assert (
        0.6 * expected_triangles(near + 3 * far) <= len(front) <= expected_triangles(near + 3 * far)
    )
    for faces in (front, back):
        # Level faces: none spans a step of 40.
        assert np.ptp(mould.vertices[faces][..., 2], axis=1).max() == 0.0
    assert mould.volume == pytest.approx(prism_volume(mould), rel=1e-9)
    # Walls are parallel to the rays.
    normals = np.cross(*(mould.vertices[walls][:, k] - mould.vertices[walls][:, 0] for k in (1, 2)))
    assert np.abs(normals[:, 2]).max() < 1e-9


def test_exactly_the_jump_is_joined_and_a_hair_more_is_not():
    for step, triangles in ((JUMP, 2), (JUMP + 1e-4, 0)):
        entry = np.array([[20, 20, 20 + step, 20 + step]] * 2)
        mould = maps_of(entry, np.full((2, 4), 90.0)).to_mesh()
        assert len(sheets_of(mould)[0]) == 4 + triangles
        assert_solid(mould)


def test_the_jump_is_measured_in_footprints_at_the_nearer_depth():
    # A pixel of a perspective camera with focal length 50 covers depth / 50.
    K = [[50, 0, 2], [0, 50, 1], [0, 0, 1]]
    camera = dd.Camera.from_intrinsics(K, np.eye(4), 4, 2)
    for near in (1.0, 1000.0):
        for footprints, triangles in ((9.9, 6), (10.1, 4)):
            step = near / 50 * footprints
            entry = np.float32([[near, near, near + step, near + step]] * 2)
            mould = dd.DepthMaps(entry, np.full((2, 4), 3000, np.float32), camera).to_mesh()
            assert len(sheets_of(mould)[0]) == triangles


# Volume


@pytest.mark.slow
@pytest.mark.parametrize("pixels", [40, 160])
def test_the_volume_of_a_sphere(renderer, pixels):
    rings, sides = 200, 400
    mesh = sphere(1.0, rings, sides)
    pose = np.eye(4)
    pose[:3, :3], pose[2, 3] = rotation(np.random.default_rng(2)), 3.0
    extent = 2.2
    pixel = extent / pixels
    mould = rendered(renderer, mesh, dd.Camera.orthographic(extent, pose, pixels, pixels)).to_mesh()
    # Its points lie on the convex mesh, so it is a part of the solid...
    assert mould.volume <= mesh.volume * (1 + 1e-6)
    # ...and it contains at least the sphere's part over the disc where every block of pixels is
    # joined, less what chords cut off. Both depths are steeper than JUMP beyond `steep`; a block
    # reaches `corner`.
    radius = 1.0 - sphere_sagitta(1.0, rings, sides)
    corner = np.sqrt(2) * pixel
    # Along a block's diagonal; the mesh's facets may be 2 % steeper.
    slope = JUMP / np.sqrt(2) * 0.98
    steep = radius * slope / np.hypot(1.0, slope) - corner
    rho = np.linspace(0, steep, 4000)
    bend = radius**2 / (radius**2 - (rho + corner) ** 2).clip(radius**2 / (1 + slope**2)) ** 1.5
    height = 2 * np.sqrt(radius**2 - rho**2) - 2 * bend * corner**2 / 8
    least = np.sum((height * 2 * np.pi * rho)[:-1]) * (rho[1] - rho[0])
    assert least > 0.8 * mesh.volume  # or the bound would be useless
    assert mould.volume >= least


def test_the_volume_of_a_box_is_exact(renderer):
    pose = np.eye(4)
    pose[2, 3] = 5.0
    camera = dd.Camera.orthographic(3.0, pose, 30, 30)
    mould = rendered(renderer, box(), camera).to_mesh()
    # Pixels of 0.1 have their centers at 0.05 + 0.1 k: the outermost inside are 1.9 apart.
    assert mould.volume == pytest.approx(1.9 * 1.9 * 2.0, rel=1e-5)
    np.testing.assert_allclose(mould.bounds, [[-0.95, -0.95, -1], [0.95, 0.95, 1]], atol=1e-5)
    _, _, walls = sheets_of(mould)
    assert len(walls) == 4 * 19 * 2


def test_cavities_do_not_change_the_mould(renderer):
    camera = dd.Camera.look_at((3, 1, 2), (0, 0, 0), width=64, height=64)
    solid = rendered(renderer, sphere(1.0), camera).to_mesh()
    hollow = rendered(renderer, merged(sphere(1.0), inside_out(sphere(0.7))), camera).to_mesh()
    assert hollow.volume == solid.volume


def test_vertices_are_the_points_of_both_clouds(renderer):
    shift = np.array([5e6, -3e6, 2e5])
    shape = torus()
    camera = dd.Camera.look_at(np.add(shift, (2, 3, 2)), shift, width=50, height=50)
    maps = rendered(renderer, dd.Mesh(shape.vertices + shift, shape.faces), camera)
    mould = maps.to_mesh(jump=1e6)
    vertices = {tuple(point) for point in mould.vertices}
    cloud = {tuple(point) for points in maps.points(dtype=np.float64) for point in points}
    # The same float64 numbers; pixels without a neighbor are left out.
    assert vertices <= cloud
    assert len(vertices) > 0.98 * len(cloud)


# The mould's own double depth map


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("name", ["sphere", "torus", "demo"])
def test_rendering_the_mould_yields_the_same_depths(renderer, name, orthographic):
    mesh = {"sphere": sphere, "torus": torus, "demo": demo_mesh}[name]()
    camera = dd.Camera.orbit(mesh, width=120, height=90, seed=1)[7]
    if orthographic:
        camera = dd.Camera.orthographic(4.2, camera.camera_from_world, 120, 90)
    first = rendered(renderer, mesh, camera)
    again = rendered(renderer, first.to_mesh(), camera)

    # Where all eight neighbors are joined, the ray hits a vertex of the mould.
    focal = camera.K[0, 0]
    inside = np.zeros(first.mask.shape, bool)
    inside[1:-1, 1:-1] = True
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            for sheet in (first.entry, first.exit):
                other = np.roll(sheet, (down, right), (0, 1))
                footprint = 1.0 / focal if orthographic else np.fmin(sheet, other) / focal
                inside[1:-1, 1:-1] &= (np.abs(sheet - other) < 0.49 * JUMP * footprint)[1:-1, 1:-1]
    assert inside.sum() > 400
    for name in ("entry", "exit"):
        one, other = getattr(first, name)[inside], getattr(again, name)[inside]
        np.testing.assert_allclose(other, one, rtol=2e-6)


# Depth jumps of real objects


def test_boxes_that_touch_only_in_the_image_are_not_joined(renderer):
    # They touch along a line in the image and are 4 units apart in the world.
    mesh = merged(box((-1, -1, 0), (0, 1, 1)), box((0, -1, -5), (1, 1, -4)))
    pose = np.diag([1.0, -1, -1, 1])
    pose[2, 3] = 6.0
    camera = dd.Camera.orthographic(3.0, pose, 44, 44)  # no pixel's center is on an edge
    mould = rendered(renderer, mesh, camera).to_mesh()
    assert_solid(mould)
    heights = mould.vertices[mould.faces][..., 2]
    # No face is part of both.
    assert ((heights.min(1) >= -1e-5) | (heights.max(1) <= -4 + 1e-5)).all()
    assert (heights.max(1) <= -4 + 1e-5).any()
    assert (heights.min(1) >= -1e-5).any()
    assert mould.volume == pytest.approx(2 * 14 * 29 * (3 / 44) ** 2, rel=1e-5)
    assert rendered(renderer, mesh, camera).to_mesh(jump=np.inf).volume > mould.volume


@pytest.mark.parametrize("gap", [0.8, 5.0])
def test_a_box_in_front_of_another_is_not_joined_to_it(renderer, gap):
    mesh = merged(box((-0.5, -0.5, 0), (0.5, 0.5, 1)), box((-1, -1, -1 - gap), (1, 1, -gap)))
    camera = dd.Camera.look_at((0.4, 0.3, 8), (0, 0, 0), (0, 1, 0), width=160, height=160)
    mould = rendered(renderer, mesh, camera).to_mesh()
    assert_solid(mould)
    assert mould.is_oriented
    front, back, _ = sheets_of(mould)
    depth = camera.project(mould.vertices)[1]
    # Depths in a face differ by less than two jumps; the gap is wider.
    footprint = depth.max() / camera.K[0, 0]
    for faces in (front, back):
        spread = np.ptp(depth[faces], axis=1)
        assert spread.max() <= JUMP * footprint < gap
    heights = mould.vertices[front][..., 2]
    assert ((heights.min(1) > 0) | (heights.max(1) <= -gap + 1e-5)).any()


# What cannot be stitched


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1)])
def test_images_without_a_block_of_pixels(shape):
    with pytest.raises(dd.MeshError, match="no mould"):
        maps_of(np.full(shape, 2.0), np.full(shape, 3.0)).to_mesh()


def test_nothing_seen_and_lone_pixels():
    nothing = np.full((4, 4), np.nan)
    with pytest.raises(dd.MeshError, match="no pixel has both an entry and an exit; aim"):
        maps_of(nothing, nothing).to_mesh()
    lone = np.where(np.indices((5, 5)).sum(0) % 2 == 0, 1.0, np.nan)  # touching at corners only
    with pytest.raises(dd.MeshError, match="no three of the 13 covered pixels"):
        maps_of(lone, lone + 1).to_mesh()


@pytest.mark.parametrize("jump", [0.0, -1.0, np.nan, -np.inf])
def test_jumps_that_are_not_positive(jump):
    with pytest.raises(dd.RequestError, match="jump must be positive"):
        maps_of(np.full((2, 2), 2.0), np.full((2, 2), 3.0)).to_mesh(jump)


def test_pixels_without_thickness_are_no_solid():
    depth = np.full((3, 3), 2.0)
    with pytest.raises(
        dd.MeshError, match=r"no three of the 9 covered.*thicker than .*9 are not"
    ) as caught:
        maps_of(depth, depth).to_mesh()
    assert "\n" not in str(caught.value)
    # One float32 step is no thickness, a thousandth of the depth is.
    with pytest.raises(dd.MeshError, match="thicker"):
        maps_of(depth, np.nextafter(np.float32(depth), np.float32(9))).to_mesh()
    assert maps_of(depth, 1.001 * depth).to_mesh().volume == pytest.approx(4 * 0.002, rel=1e-4)


# A 2-manifold


def triangles_of(maps, jump, least=0.0):
    """Return the number of triangles of pixels thicker than `least`, pinched ones included."""
    near, far = (
        ends(np.asarray(maps.entry, np.float64), np.asarray(maps.exit, np.float64))
        for ends in (np.fmin, np.fmax)
    )
    focal = min(maps.camera.K[0, 0], maps.camera.K[1, 1])
    corners = [(slice(i, i - 1 or None), slice(j, j - 1 or None)) for i in (0, 1) for j in (0, 1)]

    def joined(p, q):
        result = (far[p] - near[p] > least) & (far[q] - near[q] > least)
        for sheet in (near, far):
            footprint = (
                1.0 if maps.camera.is_orthographic else np.minimum(sheet[p], sheet[q])
            ) / focal
            result &= abs(sheet[p] - sheet[q]) <= jump * footprint
        return result

    def triangle(*names):
        a, b, c = (corners[name] for name in names)
        return (joined(a, b) & joined(b, c) & joined(c, a)).astype(int)

    one, other = triangle(0, 1, 3) + triangle(0, 2, 3), triangle(0, 1, 2) + triangle(1, 2, 3)
    return int(np.maximum(one, other).sum())


@st.composite
def sheets(draw):
    """Draw small images with many contacts: checkered, bridges of one pixel, jumps, holes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(st.integers(2, 12), st.integers(2, 12)))
    row, column = np.indices(shape)
    mask = rng.random(shape) < draw(st.sampled_from([0.5, 0.7, 0.9, 1.0]))
    pattern = draw(st.sampled_from(["random", "checkered", "diagonal", "bridges", "holes"]))
    if pattern == "checkered":
        step = draw(st.integers(1, 3))
        mask &= (row // step + column // step) % 2 == 0
        mask |= rng.random(shape) < 0.3
    elif pattern == "diagonal":
        mask &= abs(row - column) <= draw(st.integers(0, 2))
    elif pattern == "bridges":
        mask |= row % draw(st.integers(2, 4)) == 0
        mask &= (column % 3 != 2) | (row % 2 == 0)
    elif pattern == "holes":
        mask |= (row % 2 == 0) | (column % 2 == 0)
    levels = 40.0 * rng.integers(0, draw(st.integers(1, 3)), shape)
    entry = 60 + levels + draw(st.sampled_from([0.0, 2.0])) * rng.random(shape)
    thickness = 0.2 + 3 * rng.random(shape)
    thickness[rng.random(shape) < draw(st.sampled_from([0.0, 0.2]))] = 0.0
    too_thin = rng.random(shape) < draw(st.sampled_from([0.0, 0.1]))
    thickness[too_thin] = 1e-6  # less than float32 resolves here
    exit_ = np.where(mask, entry + thickness, np.nan).astype(np.float32)
    entry = np.where(mask, entry, np.nan).astype(np.float32)
    pose = np.eye(4)
    pose[:3, :3] = rotation(rng)
    height, width = shape
    if draw(st.booleans()):
        camera = dd.Camera.orthographic((width, height), pose, width, height)
    else:
        K = [[50.0, 0, width / 2], [0, 50.0, height / 2], [0, 0, 1]]
        camera = dd.Camera.from_intrinsics(K, pose, width, height)
    return dd.DepthMaps(entry, exit_, camera), draw(st.sampled_from([JUMP, 2.0]))


@settings(max_examples=300)
@given(sheets())
def test_the_mould_is_a_solid_for_all_contacts(given_sheets):
    maps, jump = given_sheets
    before = triangles_of(maps, jump, 1e-3)
    if before:
        mould = maps.to_mesh(jump)
        assert_solid(mould)
        assert 0 < len(sheets_of(mould)[0]) <= before
    else:
        with pytest.raises(dd.MeshError, match="no mould"):
            maps.to_mesh(jump)


def test_a_pinched_pixel_loses_one_triangle():
    mask = np.array(
        [
            [1, 0, 0, 0, 0],
            [1, 1, 1, 0, 0],  # triangles at 10-11-00 and 11-12-22 share the pixel 11 alone
            [0, 0, 1, 1, 1],
            [0, 0, 1, 1, 1],
        ],
        bool,
    )
    depth = np.where(mask, 5.0, np.nan)
    mould = maps_of(depth, depth + 1).to_mesh()
    assert_solid(mould)
    # One triangle against one: either may go. No other pixel loses any.
    assert len(sheets_of(mould)[0]) == expected_triangles(np.where(mask, 0, -1)) - 1


def test_the_larger_of_two_fans_stays_and_swapped_sheets_are_ordered():
    # The center pixel has two triangles on its left and one on its right.
    mask = np.array([[1, 0, 0], [1, 1, 1], [1, 0, 1]], bool)
    depth = np.where(mask, 5.0, np.nan)
    for entry, exit_ in ((depth, depth + 1), (depth + 1, depth)):
        mould = maps_of(entry, exit_).to_mesh()
        assert_solid(mould)
        assert mould.volume == pytest.approx(2 * 0.5)
        assert mould.bounds[1, 0] == pytest.approx(0.0)  # the right column is gone


@pytest.mark.slow
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("name", ["demo", *REAL])
def test_real_moulds_are_solids_of_nearly_all_pixels(renderer, name, orthographic):
    mesh = demo_mesh() if name == "demo" else dd.load_mesh(good(name))
    before = after = 0
    for camera in dd.Camera.orbit(mesh, views=2, width=128, height=96, seed=2):
        if orthographic:
            extent = 1.1 * float(np.linalg.norm(np.ptp(mesh.bounds, axis=0)))
            camera = dd.Camera.orthographic(
                (extent * 4 / 3, extent), camera.camera_from_world, 128, 96
            )
        maps = rendered(renderer, mesh, camera)
        mould = maps.to_mesh()
        assert_solid(mould)
        assert mould.volume > 0
        before += triangles_of(maps, JUMP)
        after += len(sheets_of(mould)[0])
    # A few in a thousand are lost; more on the demo, whose thin parts are a pixel wide here.
    assert 0.97 * before <= after <= before


@pytest.mark.parametrize("name", ["demo", "suzanne.obj", "multibody.stl"])
def test_other_software_reads_mould_files_as_solids(renderer, tmp_path, name):
    """The PLY that `ddepth render` writes and an STL of it, in trimesh and in MeshLab."""
    mesh = demo_mesh() if name == "demo" else dd.load_mesh(good(name))
    maps = rendered(
        renderer, mesh, dd.Camera.orbit(mesh, views=1, width=160, height=120, seed=2)[0]
    )
    write_mesh(tmp_path / "mould.ply", maps.to_mesh())
    solid = trimesh.load(tmp_path / "mould.ply")
    assert solid.is_volume
    solid.export(tmp_path / "mould.stl")
    assert trimesh.load(tmp_path / "mould.stl").is_volume
    pymeshlab = pytest.importorskip(
        "pymeshlab", reason="MeshLab's own count needs pip install pymeshlab"
    )
    for ending in ("ply", "stl"):
        meshes = pymeshlab.MeshSet()
        meshes.load_new_mesh(str(tmp_path / f"mould.{ending}"))
        meshes.meshing_remove_duplicate_vertices()  # STL faces share no vertices
        counted = meshes.get_topological_measures()
        names = ("non_two_manifold_edges", "non_two_manifold_vertices", "boundary_edges")
        assert [counted[name] for name in names] == [0, 0, 0]
