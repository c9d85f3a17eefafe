"""Every crossing of every ray: against the oracle, on closed meshes, where faces coincide, and at limits."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from conftest import gl_census
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meshes import good
from shapes import (
    box,
    grid_step,
    inside_out,
    merged,
    peel,
    random_camera,
    random_closed_mesh,
    rotation,
    sphere,
    torus,
    view_of,
)

import ddepth_gl as dd

REAL = (
    "suzanne.obj", "spot/spot.obj", "rocker-arm.obj", "homer.obj", "stanford-bunny.obj", "ogre.obj",
    "not_convex.obj", "multibody.stl", "Duck.glb", "CesiumMilkTruck.glb",
)  # fmt: skip

# What a depth may be off by, relatively. A float32 value, its rounding and a division are 3 * 2**-23, or
# 3.6e-7; the contract is this.
RELATIVE = 2e-6


def same_bits(one: dd.DepthLayers, other: dd.DepthLayers) -> None:
    for name in ("offsets", "depth", "face", "front_facing", "truncated"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name


def check_invariants(layers: dd.DepthLayers, faces: int) -> None:
    """What holds of any layers, at every pixel, whatever the mesh."""
    camera = layers.camera
    pixels = camera.width * camera.height
    assert layers.offsets.shape == (pixels + 1,)
    assert layers.offsets[0] == 0
    assert layers.offsets[-1] == len(layers.depth) == len(layers.face) == len(layers.front_facing)
    assert (np.diff(layers.offsets) >= 0).all()
    dtypes = {"offsets": np.int64, "depth": np.float32, "face": np.int64}
    dtypes |= {"front_facing": np.bool_, "truncated": np.bool_}
    for name, dtype in dtypes.items():
        array = getattr(layers, name)
        assert array.dtype == dtype, name
        assert array.flags.c_contiguous, name
        assert array.flags.owndata, name
    assert layers.truncated.shape == (camera.height, camera.width)
    # A layer that the count foresaw and the peeling did not find would be NaN.
    assert np.isfinite(layers.depth).all()
    assert (layers.depth > 0).all()
    assert ((layers.face >= 0) & (layers.face < faces)).all()
    # Strictly ascending in (depth, face), which also means that no face is there twice.
    pixel = layers.pixel
    follows = pixel[1:] == pixel[:-1]
    ascends = (layers.depth[1:] > layers.depth[:-1]) | (
        (layers.depth[1:] == layers.depth[:-1]) & (layers.face[1:] > layers.face[:-1])
    )
    assert (ascends | ~follows).all()


def compare(renderer, mesh, camera, near=None, far=None) -> int:
    """Peels and judges one image; gives how many crossings were held to the oracle's."""
    layers = peel(renderer, mesh, camera, near=near, far=far)
    check_invariants(layers, len(mesh.faces))
    view = view_of(camera, near, far)
    truth = oracle.all_crossings(mesh.vertices, mesh.faces, view)
    candidates = oracle.crossings(mesh.vertices, mesh.faces, view)

    stable = truth.stable.ravel()
    count, expected = np.diff(layers.offsets), np.diff(truth.offsets)
    wrong = np.flatnonzero(stable & (count != expected))
    assert not len(wrong), (
        f"{len(wrong)} of {stable.sum()} stable pixels; pixel {wrong[0]}: {count[wrong[0]]} crossings "
        f"instead of {expected[wrong[0]]}"
    )

    # The same faces, each once. Both sides in order of (pixel, face).
    def keys(pixel, face):
        return pixel * len(mesh.faces) + face

    truth_pixel = np.repeat(np.arange(len(stable)), expected)
    got, want = np.flatnonzero(stable[layers.pixel]), np.flatnonzero(stable[truth_pixel])
    got_key, want_key = (
        keys(layers.pixel[got], layers.face[got]),
        keys(truth_pixel[want], truth.face[want]),
    )
    got_sorted, want_sorted = got[np.argsort(got_key)], want[np.argsort(want_key)]
    np.testing.assert_array_equal(np.sort(got_key), np.sort(want_key))
    np.testing.assert_array_equal(layers.front_facing[got_sorted], truth.front[want_sorted])

    # The coverage is beyond doubt, so nothing is left of the oracle's margin: the depth is that of the face's
    # plane at the very pixel centre. Its corners are stored on a grid. Inside the face the plane moves with
    # them by no more than they do; where the face is steep, that moves the crossing by as much sideways,
    # which is slope / footprint in depth; threefold, for the sum over u and v and the ray's own slant.
    candidate_keys = keys(candidates.pixel, candidates.face)
    matching = np.searchsorted(candidate_keys, np.sort(want_key))
    exact = truth.depth[want_sorted]
    footprint = camera.pixel_footprint(exact)
    allowed = RELATIVE * exact + grid_step(mesh) * (1 + 3 * candidates.slope[matching] / footprint)
    error = np.abs(layers.depth[got_sorted].astype(np.float64) - exact)
    worst = int(np.argmax(error / allowed)) if len(error) else 0
    assert (error <= allowed).all(), f"off by {error[worst]:.3g} at depth {exact[worst]:.9g}"

    # The order. The oracle's crossings fall into clusters wherever the gap to the next is larger than both of
    # their errors; the layers must go through the clusters in the same order, within one in any.
    allowed_in_order = np.zeros(len(truth.depth))
    allowed_in_order[want_sorted] = allowed
    gap = np.diff(truth.depth, prepend=0.0) > allowed_in_order + np.roll(allowed_in_order, 1)
    gap |= np.diff(truth_pixel, prepend=-1) != 0
    cluster = np.cumsum(gap)
    cluster_of_got = np.zeros(len(layers.depth), np.int64)
    cluster_of_got[got_sorted] = cluster[want_sorted]
    np.testing.assert_array_equal(cluster_of_got[got], cluster[want])
    return len(got)


# Against the oracle


@pytest.mark.parametrize("name", REAL)
def test_real_meshes(renderer, name):
    mesh = dd.load_mesh(good(name))
    cameras = dd.Camera.orbit(mesh, views=2, width=130, height=100)
    extent = 1.2 * np.linalg.norm(np.ptp(mesh.bounds, axis=0))
    cameras[1] = dd.Camera.orthographic(extent, cameras[1].camera_from_world, 110, 130)
    assert sum(compare(renderer, mesh, camera) for camera in cameras) > 1000


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("seed", range(8))
def test_random_closed_meshes(renderer, seed, orthographic):
    rng = np.random.default_rng([seed, orthographic, 7])
    mesh = random_closed_mesh(rng)
    assert compare(renderer, mesh, random_camera(rng, mesh, orthographic)) > 200


@pytest.mark.parametrize("seed", range(6))
def test_camera_inside_the_mesh(renderer, seed):
    rng = np.random.default_rng([seed, 11])
    mesh = random_closed_mesh(rng, bodies=4)
    eye = mesh.vertices[rng.integers(len(mesh.vertices))] * rng.uniform(0.3, 0.95)
    pose = np.eye(4)
    pose[:3, :3] = rotation(rng)
    pose[:3, 3] = -pose[:3, :3] @ eye
    K = [[50.0, 3.0, 61.5], [0.0, 55.0, 43.0], [0.0, 0.0, 1.0]]
    compare(renderer, mesh, dd.Camera.from_intrinsics(K, pose, 120, 90))
    compare(renderer, mesh, random_camera(rng, mesh, orthographic=True, cutting=True))


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_crop(renderer, orthographic):
    rng = np.random.default_rng([5, orthographic])
    mesh = random_closed_mesh(rng, bodies=5)
    camera = random_camera(rng, mesh, orthographic)
    _, depth = camera.project(mesh.vertices)
    near, far = np.quantile(depth[depth > 0], [0.3, 0.7])
    for crop in ((near, far), (near, None), (None, far)):
        assert compare(renderer, mesh, camera, *crop) > 200
    layers = peel(renderer, mesh, camera, near=near, far=far)
    # The planes are compared as float32.
    assert layers.depth.min() >= np.float32(near)
    assert layers.depth.max() <= np.float32(far)


@st.composite
def soups(draw):
    """Triangles on a coarse grid of corners, so that coincident, touching and crossing faces abound."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    # Powers of two, so that the vertices lie on the grid that they are stored on: else rounding to it would
    # give a face without area some, and the oracle knows no such face.
    levels = draw(st.sampled_from([2, 4, 8, 1024]))
    corners = rng.integers(0, levels + 1, (draw(st.integers(4, 14)), 3)) * (2.0 / levels) - 1
    faces = rng.integers(0, len(corners), (draw(st.integers(3, 25)), 3))  # a corner may be there twice
    picked = faces[rng.integers(0, len(faces), draw(st.integers(0, 12)))]
    turned = picked[:, draw(st.permutations([0, 1, 2]))]  # duplicates, of either winding
    # Faces without area, the middle of an edge between its ends.
    edges = faces[: draw(st.integers(0, 3)), :2]
    middle = corners[edges].mean(axis=1)
    zero_area = np.stack([edges[:, 0], len(corners) + np.arange(len(edges)), edges[:, 1]], 1)
    mesh_faces = rng.permutation(np.concatenate([faces, turned, zero_area]))
    vertices = np.concatenate([corners, middle])
    # A mesh needs a face with area.
    mesh_faces = np.append(mesh_faces, len(vertices) + np.arange(3)[None], axis=0)
    vertices = np.append(vertices, rng.permutation(np.eye(3)), axis=0)
    orthographic, facing_axis = draw(st.booleans()), draw(st.booleans())
    mesh = dd.Mesh(vertices, mesh_faces)
    camera = random_camera(rng, mesh, orthographic, 40)
    if facing_axis:  # faces seen face on and edge-on, edges along rows of pixel centres
        low, high = mesh.bounds
        pose = np.eye(4)
        pose[:3, 3] = -(low + high) / 2 + (0, 0, 4)
        camera = dd.Camera.orthographic((2.5, 2.5), pose, 40, 40)
        if not orthographic:
            camera = dd.Camera.from_intrinsics(
                [[50.0, 0.0, 20.0], [0.0, 50.0, 20.0], [0.0, 0.0, 1.0]], pose, 40, 40
            )
    return mesh, camera


@settings(
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(scene=soups())
def test_soups(renderer, scene):
    compare(renderer, *scene)


# Closed meshes


def check_even(layers: dd.DepthLayers) -> None:
    """At every pixel, without a band: as many fronts as backs."""
    odd = np.argwhere(layers.odd)
    assert not len(odd), f"{len(odd)} pixels with an odd count, the first at (row, column) {odd[0].tolist()}"
    step = np.where(layers.front_facing, 1, -1)
    balance = np.bincount(layers.pixel, step, minlength=layers.offsets.size - 1)
    assert not balance.any(), f"{np.count_nonzero(balance)} pixels where fronts and backs do not balance"


def closed_meshes() -> list[dd.Mesh]:
    """From formulas: convex, curved, with a cavity in it, overlapping, and as flat as a sheet."""
    rng = np.random.default_rng(1)
    meshes = [box(), sphere(), torus(), merged(sphere(), inside_out(sphere(0.5)), sphere(0.25, 9, 12))]
    meshes += [random_closed_mesh(rng) for _ in range(4)]
    turned = box()
    meshes.append(dd.Mesh(turned.vertices @ rotation(rng).T * (1, 1, 1e-3), turned.faces))
    return meshes


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_closed_meshes_have_an_even_count_at_every_pixel(renderer, orthographic):
    rng = np.random.default_rng([2, orthographic])
    for mesh in closed_meshes():
        for _ in range(2):
            check_even(peel(renderer, mesh, random_camera(rng, mesh, orthographic, 160)))


def sealed_t_junction() -> dd.Mesh:
    """A tetrahedron with a vertex in the middle of one edge, on one of the two faces only, sealed.

    The face on the other side goes from end to end; a face without area, between it and the two halves,
    makes every edge belong to two faces. So the mesh is closed.
    """
    vertices = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.375, 0, 0)]
    faces = [(0, 2, 4), (4, 2, 1), (0, 1, 3), (0, 4, 1), (0, 3, 2), (1, 2, 3)]
    return dd.Mesh(vertices, faces)


def turned_view(angle: float, x: float, y: float) -> dd.Camera:
    """Of 32x32 pixels along -z, turned about that axis (radians) and moved aside."""
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    pose[:3, 3] = x, y, 3
    return dd.Camera.orthographic((3, 3), pose, 32, 32)


# Corners are snapped to a fraction of a pixel, so the middle vertex leaves the edge by as much. Then the face
# without area has some, between the whole edge and its halves; if it is not drawn, a pixel there is uneven.


@pytest.mark.parametrize("view", [(4.3818, -0.0745, -0.1515), (5.99207, 0.10717, -0.14961)])
def test_an_edge_sealed_by_a_face_without_area(renderer, view):
    mesh = sealed_t_junction()
    assert mesh.is_oriented
    check_even(peel(renderer, mesh, turned_view(*view)))


def test_an_edge_sealed_by_a_face_without_area_in_many_views(renderer):
    scene = renderer.upload(sealed_t_junction())
    rng = np.random.default_rng(3)
    views = [(rng.uniform(0, 2 * np.pi), *rng.uniform(-0.2, 0.2, 2)) for _ in range(500)]
    odd = [view for view in views if renderer.peel(scene, turned_view(*view)).odd.any()]
    scene.release()
    assert not odd, f"odd counts in {len(odd)} of {len(views)} views"


@pytest.mark.parametrize("seed", range(10))
def test_wherever_the_camera_is_the_balance_is_the_same_at_every_pixel(renderer, seed):
    """Rays from one point leave as many bodies, less those they enter, as the point is in, whichever way.

    Faces reach behind the camera and are cut there; both sides of a shared edge must be cut alike.
    """
    rng = np.random.default_rng([seed, 19])
    mesh = merged(random_closed_mesh(rng, bodies=3), box((-9, -8, -3), (7, 9, 4)))
    scene = renderer.upload(mesh)
    for _ in range(5):
        pose = np.eye(4)
        pose[:3, :3] = rotation(rng)
        pose[:3, 3] = -pose[:3, :3] @ rng.uniform(-1, 1, 3)
        K = [[50.0, 3.0, 61.5], [0.0, 55.0, 43.0], [0.0, 0.0, 1.0]]
        layers = renderer.peel(scene, dd.Camera.from_intrinsics(K, pose, 120, 90))
        step = np.where(layers.front_facing, -1, 1)
        bodies = np.bincount(layers.pixel, step, minlength=layers.count.size)
        assert bodies[0] >= 1  # the box
        np.testing.assert_array_equal(bodies, np.full_like(bodies, bodies[0]))
    scene.release()


@pytest.mark.slow
def test_closed_meshes_have_an_even_count_in_500_views(renderer):
    rng = np.random.default_rng(3)
    meshes = closed_meshes()
    meshes += [
        mesh for mesh in (dd.load_mesh(good(name)) for name in REAL) if mesh.is_closed and mesh.is_oriented
    ]
    assert len(meshes) >= 13
    scenes = [renderer.upload(mesh) for mesh in meshes]
    for view in range(500):
        which = view % len(scenes)
        camera = random_camera(rng, meshes[which], bool(rng.integers(2)), 160)
        layers = renderer.peel(scenes[which], camera)
        try:
            check_even(layers)
        except AssertionError as error:
            raise AssertionError(f"view {view}, {meshes[which]!r}, {camera!r}: {error}") from error
    for scene in scenes:
        scene.release()


# Coincident faces

FACE_ON = dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), fov_y_deg=40.0, width=40, height=30)
QUAD = np.array([(-1.0, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)])
QUAD_FACES = np.array([(0, 1, 2), (0, 2, 3)])


@pytest.mark.parametrize("tilt_deg", [0.0, 33.0])
def test_200_identical_sheets_are_200_layers_in_face_order(renderer, tilt_deg):
    angle = np.radians(tilt_deg)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    mesh = dd.Mesh(QUAD @ turn.T, np.tile(QUAD_FACES, (200, 1)))
    layers = peel(renderer, mesh, FACE_ON)
    check_invariants(layers, 400)
    once = peel(renderer, dd.Mesh(QUAD @ turn.T, QUAD_FACES), FACE_ON)
    # At the diagonal either triangle may cover, but all copies of one or the other do.
    np.testing.assert_array_equal(layers.count, 200 * once.count)
    assert (once.count <= 1).all()
    assert once.count.sum() > 200
    covered = np.flatnonzero(once.count)
    faces = layers.dense("face").reshape(200, -1)[:, covered]
    np.testing.assert_array_equal(faces, once.face + 2 * np.arange(200)[:, None])
    depths = layers.dense("depth").reshape(200, -1)[:, covered]
    np.testing.assert_array_equal(depths, np.broadcast_to(once.depth, depths.shape))
    assert layers.front_facing.all()


def test_five_copies_of_one_quad_that_share_no_vertices(renderer):
    layers = peel(renderer, merged(*[dd.Mesh(QUAD, QUAD_FACES)] * 5), FACE_ON)
    assert set(np.unique(layers.count)) == {0, 5}
    np.testing.assert_array_equal(layers.face // 2, layers.layer)


def test_a_sheet_and_its_reversed_copy(renderer):
    sheet = dd.Mesh(QUAD, QUAD_FACES)
    layers = peel(renderer, merged(inside_out(sheet), sheet), FACE_ON)
    check_invariants(layers, 4)
    assert set(np.unique(layers.count)) == {0, 2}
    # The reversed one has the smaller indices, so its back comes first.
    np.testing.assert_array_equal(layers.front_facing, layers.layer == 1)
    np.testing.assert_array_equal(layers.face >= 2, layers.front_facing)
    assert not layers.solid_length.any()


def test_1000_parallel_sheets(renderer):
    """Heights -1, -0.998, ...: 0.002 apart at depths of 4 to 6, four thousand roundings."""
    heights = np.arange(1000) * 0.002 - 1
    vertices = (QUAD[None] + heights[:, None, None] * (0, 0, 1)).reshape(-1, 3)
    faces = (QUAD_FACES[None] + 4 * np.arange(1000)[:, None, None]).reshape(-1, 3)
    camera = dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), fov_y_deg=10.0, width=7, height=5)
    layers = peel(renderer, dd.Mesh(vertices, faces), camera)
    check_invariants(layers, 2000)
    assert (layers.count == 1000).all()
    np.testing.assert_array_equal(layers.face // 2, 999 - layers.layer)
    np.testing.assert_allclose(layers.depth, (5 - heights)[999 - layers.layer], rtol=RELATIVE)


# The same bits


@pytest.mark.parametrize("kind", ["closed", "open", "inverted", "soup"])
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("seed", range(3))
def test_entry_and_exit_follow_bit_for_bit(renderer, seed, kind, orthographic):
    rng = np.random.default_rng([seed, orthographic, 13])
    mesh = random_closed_mesh(rng)
    if kind == "open":
        mesh = dd.Mesh(mesh.vertices, mesh.faces[rng.random(len(mesh.faces)) < 0.6])
    elif kind == "inverted":
        mesh = inside_out(mesh)
    elif kind == "soup":
        mesh = dd.Mesh(mesh.vertices, rng.permuted(mesh.faces, axis=1)[rng.integers(0, len(mesh.faces), 900)])
    scene = renderer.upload(mesh)
    camera = random_camera(rng, mesh, orthographic, cutting=seed == 2)
    _, depth = camera.project(mesh.vertices)
    crop = dict(zip(("near", "far"), np.quantile(depth[depth > 0], [0.2, 0.8]), strict=True))
    for arguments in ({}, crop):
        layers = renderer.peel(scene, camera, **arguments)
        same_bits(layers, renderer.peel(scene, camera, **arguments))
        for surfaces in ("oriented", "any"):
            follows = layers.entry_exit(surfaces)
            direct = renderer.entry_exit(scene, camera, surfaces=surfaces, attributes=("face",), **arguments)
            for name in ("entry", "exit", "entry_face", "exit_face", "mask", "thickness"):
                one, other = getattr(follows, name), getattr(direct, name)
                assert one.dtype == other.dtype, name
                assert one.tobytes() == other.tobytes(), f"{surfaces} {name}"
    scene.release()


@pytest.mark.parametrize("name", ["rocker-arm.obj", "suzanne.obj", "CesiumMilkTruck.glb"])
def test_entry_and_exit_follow_bit_for_bit_on_real_meshes(renderer, name):
    mesh = dd.load_mesh(good(name))
    scene = renderer.upload(mesh)
    for camera in dd.Camera.orbit(mesh, views=3, width=200, height=150):
        layers = renderer.peel(scene, camera)
        for surfaces in ("oriented", "any"):
            direct = renderer.entry_exit(scene, camera, surfaces=surfaces, attributes=("face",))
            follows = layers.entry_exit(surfaces)
            for name in ("entry", "exit", "entry_face", "exit_face"):
                assert getattr(follows, name).tobytes() == getattr(direct, name).tobytes(), name
    scene.release()


def test_calls_may_be_interleaved(renderer):
    """Peeling blends, scissors and binds textures; none of that may reach the next image, or come from it."""
    rng = np.random.default_rng(41)
    mesh = random_closed_mesh(rng, bodies=4)
    scene = renderer.upload(mesh)
    cameras = [random_camera(rng, mesh, bool(i % 2), 60) for i in range(4)]
    maps_alone = [renderer.entry_exit(scene, camera, attributes=("face",)) for camera in cameras]
    layers_alone = [renderer.peel(scene, camera) for camera in cameras]
    together = renderer.entry_exit_many(scene, cameras, attributes=("face",))
    for k, maps in enumerate(together):
        same_bits(renderer.peel(scene, cameras[-k]), layers_alone[-k])
        assert maps.entry.tobytes() == maps_alone[k].entry.tobytes()
        assert maps.exit.tobytes() == maps_alone[k].exit.tobytes()
        np.testing.assert_array_equal(maps.exit_face, maps_alone[k].exit_face)
    scene.release()


def test_max_layers_gives_the_first_of_all(renderer):
    rng = np.random.default_rng(17)
    mesh = random_closed_mesh(rng, bodies=5)
    scene = renderer.upload(mesh)
    camera = random_camera(rng, mesh, False)
    whole = renderer.peel(scene, camera)
    assert not whole.truncated.any()
    most = int(whole.count.max())
    assert most >= 4
    for k in (1, 2, 3, most - 1, most, most + 1, np.int64(2)):
        cut = renderer.peel(scene, camera, max_layers=k)
        first = whole.layer < k
        np.testing.assert_array_equal(cut.count, np.minimum(whole.count, k))
        for name in ("depth", "face", "front_facing"):
            assert getattr(cut, name).tobytes() == getattr(whole, name)[first].tobytes(), name
        np.testing.assert_array_equal(cut.truncated, whole.count > k)
        if k < most:
            with pytest.raises(dd.RequestError, match=rf"{int(cut.truncated.sum())} pixels.*max_layers"):
                cut.entry_exit()
        else:
            same_bits(cut, whole)
            cut.entry_exit()
    scene.release()


# Limits


@pytest.mark.parametrize("bad", [0, -1, True, 1.5, "2", np.nan])
def test_max_layers_must_be_a_whole_number(renderer, bad):
    scene = renderer.upload(box())
    with pytest.raises(dd.RequestError, match="max_layers"):
        renderer.peel(scene, FACE_ON, max_layers=bad)
    scene.release()


def test_a_memory_limit_is_a_clear_error_and_the_renderer_lives_on(renderer):
    mesh = merged(*[dd.Mesh(QUAD, QUAD_FACES)] * 20)
    scene = renderer.upload(mesh)
    before = renderer.peel(scene, FACE_ON)
    maps = renderer.entry_exit(scene, FACE_ON)
    with renderer._context:
        census = gl_census()
    crossings = len(before.depth)
    with pytest.raises(dd.DeviceMemoryError, match=rf"{crossings:,} crossings.*20 layers.*max_layers"):
        renderer.peel(scene, FACE_ON, memory_limit=crossings)
    # Cut to what the limit holds, it fits.
    assert len(renderer.peel(scene, FACE_ON, max_layers=1, memory_limit=21 * crossings // 20).depth)
    same_bits(renderer.peel(scene, FACE_ON), before)
    assert renderer.entry_exit(scene, FACE_ON).entry.tobytes() == maps.entry.tobytes()
    with renderer._context:
        assert gl_census() == census
    scene.release()


def test_peeling_leaves_no_gl_objects_behind(renderer):
    mesh = random_closed_mesh(np.random.default_rng(0), bodies=3)
    camera = dd.Camera.orbit(mesh, views=1, width=50, height=40)[0]
    arguments = ({}, {"max_layers": 2}, {"near": 1.0, "far": 2.0})
    for each in arguments:
        peel(renderer, mesh, camera, **each)  # the programs are made once and kept
    with renderer._context:
        census = gl_census()
    for each in arguments * 3:
        peel(renderer, mesh, camera, **each)
    with renderer._context:
        assert gl_census() == census


def test_a_hairball_of_slivers(renderer):
    """3,000 closed needles, a hundredth as thick as long: tens of layers, and every count even."""
    rng = np.random.default_rng(23)
    ends = rng.normal(size=(3000, 2, 3))
    ends /= np.linalg.norm(ends, axis=2, keepdims=True)
    start, end = ends[:, 0], ends[:, 1]
    across = np.cross(end - start, rng.normal(size=(3000, 3)))
    across *= 1e-2 / np.linalg.norm(across, axis=1, keepdims=True)
    up = np.cross(end - start, across)
    up *= 1e-2 / np.linalg.norm(up, axis=1, keepdims=True)
    vertices = np.stack([start, start + across, start + up, end], 1).reshape(-1, 3)
    tetrahedron = np.array([(0, 2, 1), (0, 1, 3), (1, 2, 3), (2, 0, 3)])
    faces = (tetrahedron[None] + 4 * np.arange(3000)[:, None, None]).reshape(-1, 3)
    mesh = dd.Mesh(vertices, faces)
    assert mesh.is_oriented
    layers = peel(renderer, mesh, dd.Camera.orbit(mesh, views=1, width=128, height=128)[0])
    check_invariants(layers, len(faces))
    assert layers.count.max() >= 20
    check_even(layers)
