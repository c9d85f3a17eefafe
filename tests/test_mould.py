"""The mould: closed whatever the mask and the depths are, of the right volume, and not across depth jumps."""

from __future__ import annotations

import numpy as np
import pytest
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
from ddepth_gl.demo_mesh import demo_mesh

JUMP = 10.0  # the default


def flat_camera(width, height):
    """Orthographic, one mesh unit a pixel, looking along world z: a pixel's centre is its world x and y."""
    return dd.Camera.orthographic((width, height), np.eye(4), width, height)


def maps_of(entry, exit_):
    """DepthMaps of given depths, seen by `flat_camera`."""
    entry, exit_ = (np.array(sheet, np.float32) for sheet in (entry, exit_))
    return dd.DepthMaps(entry, exit_, flat_camera(*entry.shape[::-1]))


def rendered(renderer, mesh, camera):
    scene = renderer.upload(mesh)
    maps = renderer.entry_exit(scene, camera)
    scene.release()
    return maps


def assert_closed(mould):
    """Every directed edge is met by one the other way round: by vertex index, not only by position."""
    edges = np.concatenate([mould.faces[:, [i, (i + 1) % 3]] for i in range(3)]).astype(np.int64)
    assert (edges[:, 0] != edges[:, 1]).all()
    ways = [a * len(mould.vertices) + b for a, b in (edges.T, edges.T[::-1])]
    np.testing.assert_array_equal(np.sort(ways[0]), np.sort(ways[1]))
    assert mould.is_closed


def sheets_of(mould):
    """The faces of the entry sheet, of the exit sheet, and the walls: entry vertices come first."""
    count = len(mould.vertices) // 2
    far = (mould.faces >= count).sum(1)
    return mould.faces[far == 0], mould.faces[far == 3], mould.faces[(far > 0) & (far < 3)]


def prism_volume(mould):
    """Volume under a flat camera: half a pixel times the mean thickness of each entry triangle."""
    front, _, _ = sheets_of(mould)
    thickness = mould.vertices[len(mould.vertices) // 2 :, 2] - mould.vertices[: len(mould.vertices) // 2, 2]
    return 0.5 * thickness[front].mean(1).sum()


def expected_triangles(label):
    """How many triangles pixels of equal label give, where labels are too far apart to join; -1 is a miss."""
    total = 0
    for row in range(label.shape[0] - 1):
        for column in range(label.shape[1] - 1):
            block = label[row : row + 2, column : column + 2].ravel()
            largest = max(int((block == value).sum()) * (value >= 0) for value in block)
            total += max(0, largest - 2)
    return total


# Closed and oriented


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("name", ["box", "sphere", "torus", "demo"])
def test_closed_and_outward(renderer, name, orthographic):
    mesh = {"box": box, "sphere": sphere, "torus": torus, "demo": demo_mesh}[name]()
    camera = dd.Camera.orbit(mesh, width=96, height=72, seed=3)[5]
    if orthographic:
        camera = dd.Camera.orthographic(4.5, camera.camera_from_world, 96, 72)
    maps = rendered(renderer, mesh, camera)
    mould = maps.to_mesh()
    assert_closed(mould)
    assert mould.is_oriented
    front, back, walls = sheets_of(mould)
    assert len(front) == len(back) > 300
    assert len(walls) > 0
    # Each sheet shows the outside its own way: seen from the camera, and from behind.
    for faces, side in ((front, 1.0), (back, -1.0)):
        corners = mould.vertices[faces]
        toward = camera.centre - corners.mean(1)
        if orthographic:
            toward = np.broadcast_to(-camera.camera_from_world[2, :3], toward.shape)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert (side * (normals * toward).sum(1) > 0).all()


@pytest.mark.parametrize("seed", [*range(11), 12])  # the camera of 11 looks past the mesh
def test_closed_for_random_meshes(renderer, seed):
    rng = np.random.default_rng(seed)
    mesh = random_closed_mesh(rng)
    # Cameras that cut the mesh or see a part of it put the silhouette on the image's border.
    camera = random_camera(rng, mesh, orthographic=bool(seed % 2), cutting=seed % 4 == 3)
    maps = rendered(renderer, mesh, camera)
    assert_closed(maps.to_mesh())
    assert_closed(maps.to_mesh(jump=1.5))
    assert maps.to_mesh(jump=np.inf).is_closed


@pytest.mark.parametrize("seed", range(40))
def test_any_mask_gives_a_closed_mould_of_the_volume_of_its_prisms(seed):
    # Small random masks hold every way in which pixels can touch: diagonally, at the border, alone.
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
    assert_closed(mould)
    assert len(sheets_of(mould)[0]) == len(sheets_of(mould)[1]) == triangles
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
    assert_closed(mould)
    assert mould.is_oriented
    front, back, walls = sheets_of(mould)
    assert len(front) == expected_triangles(near + 3 * far)
    for faces in (front, back):
        assert np.ptp(mould.vertices[faces][..., 2], axis=1).max() == 0.0  # level: none spans a step of 40
    assert mould.volume == pytest.approx(prism_volume(mould), rel=1e-9)
    # Walls stand upright, along the rays.
    normals = np.cross(*(mould.vertices[walls][:, k] - mould.vertices[walls][:, 0] for k in (1, 2)))
    assert np.abs(normals[:, 2]).max() < 1e-9


def test_exactly_the_jump_is_joined_and_a_hair_more_is_not():
    for step, triangles in ((JUMP, 2), (JUMP + 1e-4, 0)):
        entry = np.array([[20, 20, 20 + step, 20 + step]] * 2)
        mould = maps_of(entry, np.full((2, 4), 90.0)).to_mesh()
        assert len(sheets_of(mould)[0]) == 4 + triangles
        assert_closed(mould)


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


@pytest.mark.parametrize("pixels", [40, 160])
def test_the_volume_of_a_sphere(renderer, pixels):
    rings, sides = 200, 400
    mesh = sphere(1.0, rings, sides)
    pose = np.eye(4)
    pose[:3, :3], pose[2, 3] = rotation(np.random.default_rng(2)), 3.0
    extent = 2.2
    pixel = extent / pixels
    mould = rendered(renderer, mesh, dd.Camera.orthographic(extent, pose, pixels, pixels)).to_mesh()
    # Its points lie on the convex mesh, so that it is a part of the solid...
    assert mould.volume <= mesh.volume * (1 + 1e-6)
    # ...and it holds at least the sphere's part over the disc in which every block of pixels is joined,
    # less what chords cut off. Both depths are steeper than JUMP beyond `steep`; a block reaches `corner`.
    radius = 1.0 - sphere_sagitta(1.0, rings, sides)
    corner = np.sqrt(2) * pixel
    slope = JUMP / np.sqrt(2) * 0.98  # along a block's diagonal; the mesh's facets may be 2 % steeper
    steep = radius * slope / np.hypot(1.0, slope) - corner
    rho = np.linspace(0, steep, 4000)
    bend = radius**2 / (radius**2 - (rho + corner) ** 2).clip(radius**2 / (1 + slope**2)) ** 1.5
    height = 2 * np.sqrt(radius**2 - rho**2) - 2 * bend * corner**2 / 8
    least = np.sum((height * 2 * np.pi * rho)[:-1]) * (rho[1] - rho[0])
    assert least > 0.8 * mesh.volume  # else the bound would say nothing
    assert mould.volume >= least


def test_the_volume_of_a_box_is_exact(renderer):
    pose = np.eye(4)
    pose[2, 3] = 5.0
    camera = dd.Camera.orthographic(3.0, pose, 30, 30)
    mould = rendered(renderer, box(), camera).to_mesh()
    # Pixels of 0.1 have their centres at 0.05 + 0.1 k: the outermost inside are 1.9 apart.
    assert mould.volume == pytest.approx(1.9 * 1.9 * 2.0, rel=1e-5)
    np.testing.assert_allclose(mould.bounds, [[-0.95, -0.95, -1], [0.95, 0.95, 1]], atol=1e-5)
    _, _, walls = sheets_of(mould)
    assert len(walls) == 4 * 19 * 2


def test_it_is_the_outer_volume(renderer):
    camera = dd.Camera.look_at((3, 1, 2), (0, 0, 0), width=64, height=64)
    solid = rendered(renderer, sphere(1.0), camera).to_mesh()
    hollow = rendered(renderer, merged(sphere(1.0), inside_out(sphere(0.7))), camera).to_mesh()
    assert hollow.volume == solid.volume


def test_its_vertices_are_the_two_clouds(renderer):
    shift = np.array([5e6, -3e6, 2e5])
    shape = torus()
    camera = dd.Camera.look_at(np.add(shift, (2, 3, 2)), shift, width=50, height=50)
    maps = rendered(renderer, dd.Mesh(shape.vertices + shift, shape.faces), camera)
    mould = maps.to_mesh(jump=1e6)
    vertices = {tuple(point) for point in mould.vertices}
    cloud = {tuple(point) for points in maps.points(dtype=np.float64) for point in points}
    # The same float64 numbers; pixels without a neighbour are left out.
    assert vertices <= cloud
    assert len(vertices) > 0.98 * len(cloud)


# The mould's own double depth map


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("name", ["sphere", "torus", "demo"])
def test_rendered_again_it_gives_the_same_depths(renderer, name, orthographic):
    mesh = {"sphere": sphere, "torus": torus, "demo": demo_mesh}[name]()
    camera = dd.Camera.orbit(mesh, width=120, height=90, seed=1)[7]
    if orthographic:
        camera = dd.Camera.orthographic(4.2, camera.camera_from_world, 120, 90)
    first = rendered(renderer, mesh, camera)
    again = rendered(renderer, first.to_mesh(), camera)

    # Inside: the eight neighbours are all joined. There the ray meets a vertex of the mould.
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


def test_boxes_beside_and_behind_each_other_are_not_joined(renderer):
    # In the image they touch along a line; in the world there are 4 units between them.
    mesh = merged(box((-1, -1, 0), (0, 1, 1)), box((0, -1, -5), (1, 1, -4)))
    pose = np.diag([1.0, -1, -1, 1])
    pose[2, 3] = 6.0
    camera = dd.Camera.orthographic(3.0, pose, 44, 44)  # no pixel's centre is on an edge
    mould = rendered(renderer, mesh, camera).to_mesh()
    assert_closed(mould)
    heights = mould.vertices[mould.faces][..., 2]
    assert ((heights.min(1) >= -1e-5) | (heights.max(1) <= -4 + 1e-5)).all()  # no face is in both
    assert (heights.max(1) <= -4 + 1e-5).any()
    assert (heights.min(1) >= -1e-5).any()
    assert mould.volume == pytest.approx(2 * 14 * 29 * (3 / 44) ** 2, rel=1e-5)
    assert rendered(renderer, mesh, camera).to_mesh(jump=np.inf).volume > mould.volume


@pytest.mark.parametrize("gap", [0.8, 5.0])
def test_a_box_before_another_is_not_joined_to_it(renderer, gap):
    mesh = merged(box((-0.5, -0.5, 0), (0.5, 0.5, 1)), box((-1, -1, -1 - gap), (1, 1, -gap)))
    camera = dd.Camera.look_at((0.4, 0.3, 8), (0, 0, 0), (0, 1, 0), width=160, height=160)
    mould = rendered(renderer, mesh, camera).to_mesh()
    assert_closed(mould)
    assert mould.is_oriented
    front, back, _ = sheets_of(mould)
    depth = camera.project(mould.vertices)[1]
    # Within a face of a sheet depths differ by less than two jumps; the gap is wider than that.
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
    with pytest.raises(dd.MeshError, match="no three of the 0 covered pixels"):
        maps_of(nothing, nothing).to_mesh()
    lone = np.where(np.indices((5, 5)).sum(0) % 2 == 0, 1.0, np.nan)  # they touch at corners only
    with pytest.raises(dd.MeshError, match="no three of the 13 covered pixels"):
        maps_of(lone, lone + 1).to_mesh()


@pytest.mark.parametrize("jump", [0.0, -1.0, np.nan, -np.inf])
def test_a_jump_that_is_none(jump):
    with pytest.raises(dd.MeshError, match="jump must be positive"):
        maps_of(np.full((2, 2), 2.0), np.full((2, 2), 3.0)).to_mesh(jump)


def test_a_sheet_without_thickness_is_no_solid_but_still_closed():
    depth = np.full((3, 3), 2.0)
    mould = maps_of(depth, depth).to_mesh()
    assert mould.is_closed
    assert mould.volume == 0.0
