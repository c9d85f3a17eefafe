"""Every crossing of every ray: against the oracle, on closed meshes, where faces coincide, and at limits."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from conftest import no_gl_objects_left
from hypothesis import HealthCheck, given, settings
from meshes import REAL, good
from shapes import (
    box,
    grid_step,
    inside_out,
    merged,
    peel,
    pixel_rays,
    random_camera,
    random_closed_mesh,
    rotation,
    sealed_t_junction,
    soups,
    sphere,
    sphere_sagitta,
    torus,
    turned_view,
    view_of,
)

import ddepth_gl as dd

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
    candidates = oracle.find_candidates(mesh.vertices, mesh.faces, view)

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
    # plane at the very pixel center. Its corners are stored on a grid. Inside the face the plane moves with
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


@pytest.mark.slow
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
    assert not len(odd), (
        f"{len(odd)} pixels with an odd count, the first at (row, column) {odd[0].tolist()}"
    )
    step = np.where(layers.front_facing, 1, -1)
    balance = np.bincount(layers.pixel, step, minlength=layers.offsets.size - 1)
    assert not balance.any(), (
        f"{np.count_nonzero(balance)} pixels where fronts and backs do not balance"
    )


def closed_meshes() -> list[dd.Mesh]:
    """From formulas: convex, curved, with a cavity in it, overlapping, and as flat as a sheet."""
    rng = np.random.default_rng(1)
    meshes = [
        box(),
        sphere(),
        torus(),
        merged(sphere(), inside_out(sphere(0.5)), sphere(0.25, 9, 12)),
    ]
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
        mesh
        for mesh in (dd.load_mesh(good(name)) for name in REAL)
        if mesh.is_closed and mesh.is_oriented
    ]
    assert len(meshes) >= 13
    scenes = [renderer.upload(mesh) for mesh in meshes]
    for view in range(500):
        which = view % len(scenes)
        camera = random_camera(rng, meshes[which], bool(rng.integers(2)), 160)
        layers = renderer.peel(scenes[which], camera)
        try:
            check_even(layers)
            check_nesting(layers, meshes[which])
        except AssertionError as error:
            raise AssertionError(f"view {view}, {meshes[which]!r}, {camera!r}: {error}") from error
    for scene in scenes:
        scene.release()


# Facing and nesting


def is_in_doubt(layers: dd.DepthLayers, mesh: dd.Mesh, pixel: int) -> bool:
    """Whether the oracle leaves open which faces cover this pixel: it is within 1/128 pixel of an edge."""
    camera = layers.camera
    row, column = divmod(pixel, camera.width)
    K = camera.K.copy()
    K[:2, 2] -= column, row
    view = oracle.View(K, camera.camera_from_world, 1, 1, camera.is_orthographic, None, None)
    here = mesh.faces[layers.face[layers.offsets[pixel] : layers.offsets[pixel + 1]]]
    # Mostly one of the faces that are there is enough to tell.
    return any(
        not oracle.all_crossings(mesh.vertices, f, view).stable[0, 0] for f in (here, mesh.faces)
    )


def check_nesting(layers: dd.DepthLayers, mesh: dd.Mesh, most: int | None = None) -> np.ndarray:
    """Of a closed mesh seen from outside: a ray is in no body at its start and its end, in 0..most between.

    With `most` = 1 that is to say that fronts and backs strictly alternate. Start and end hold at every
    pixel. In between there are two doubts, and no third: at a pixel within 1/128 pixel of an edge, another
    face may have been met than the ray itself meets; and crossings nearer to each other than the errors of
    both depths may have changed places, so it is only after all of them that one can tell.

    Gives the nesting.
    """
    inside, at_start = layers.nesting
    assert not at_start.any()
    follows = np.append(layers.pixel[1:] == layers.pixel[:-1], False)
    gap = np.diff(layers.depth.astype(np.float64), append=0.0)
    is_settled = ~follows | (gap > 2 * RELATIVE * layers.depth.astype(np.float64))
    assert (inside[~follows] == 0).all()
    wrong = is_settled & ((inside < 0) | (False if most is None else inside > most))
    pixels = np.unique(layers.pixel[wrong])
    # 1/128 pixel to either side of every edge is a small part of the image.
    assert len(pixels) <= 10 + 0.002 * layers.count.size
    for pixel in pixels.tolist():
        assert is_in_doubt(layers, mesh, pixel), (
            f"(row, column) {divmod(pixel, layers.camera.width)}: nested "
            f"{inside[layers.offsets[pixel] : layers.offsets[pixel + 1]].tolist()}"
        )
    return inside


# Each of these is one body that does not intersect itself; test_depth_layers proves it of the last two.
BODIES = ("box", "sphere", "torus", "lumps", "rocker-arm.obj", "homer.obj")


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("name", BODIES)
def test_fronts_and_backs_of_one_body_alternate(renderer, name, orthographic):
    rng = np.random.default_rng([orthographic, 43])
    if name == "lumps":
        mesh = random_closed_mesh(rng, bodies=1)
    else:
        mesh = (
            dd.load_mesh(good(name))
            if "." in name
            else {"box": box, "sphere": sphere, "torus": torus}[name]()
        )
    scene = renderer.upload(mesh)
    deepest = 0
    for _ in range(3):
        layers = renderer.peel(scene, random_camera(rng, mesh, orthographic, 120))
        inside = check_nesting(layers, mesh, most=1)
        assert inside.max() >= 1
        deepest = max(deepest, int(layers.count.max()))
    assert deepest >= {"box": 2, "sphere": 2, "lumps": 2}.get(name, 4)
    scene.release()


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_a_ray_is_in_at_most_as_many_bodies_as_there_are(renderer, orthographic):
    rng = np.random.default_rng([orthographic, 47])
    deepest = 0
    for bodies in (2, 3, 5):
        mesh = random_closed_mesh(rng, bodies)
        inside = check_nesting(
            peel(renderer, mesh, random_camera(rng, mesh, orthographic, 120)), mesh, bodies
        )
        deepest = max(deepest, int(inside.max()))
    assert deepest >= 2


# (center, radius, whether it is the wall of a cavity) of each sphere, and what the ray through the middle
# must meet: a nested body is entered before the outer one is left, a cavity leaves the solid for a while.
ORIGIN = (0.0, 0.0, 0.0)
SHELLS = {
    "nested": ([(ORIGIN, 1.0, False), (ORIGIN, 0.5, False)], "FFBB"),
    "cavity": ([(ORIGIN, 1.0, False), (ORIGIN, 0.5, True)], "FBFB"),
    "body in a cavity": (
        [(ORIGIN, 1.0, False), (ORIGIN, 0.7, True), (ORIGIN, 0.4, False)],
        "FBFBFB",
    ),
    "three nested": ([(ORIGIN, 1.0, False), (ORIGIN, 0.7, False), (ORIGIN, 0.4, False)], "FFFBBB"),
    "two in one": (
        [(ORIGIN, 1.0, False), ((0, 0, 0.4), 0.3, False), ((0, 0, -0.4), 0.3, False)],
        "FFBFBB",
    ),
    "overlapping": ([((0, 0, 0.3), 0.6, False), ((0, 0, -0.3), 0.6, False)], "FFBB"),
    "behind each other": ([((0, 0, 0.6), 0.4, False), ((0, 0, -0.6), 0.4, False)], "FBFB"),
}


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("name", SHELLS)
def test_shells_are_met_in_the_order_that_their_spheres_are(renderer, name, orthographic):
    """By closed form: the faces lie between each sphere and one that is smaller by the sagitta.

    So a crossing lies between those of the two spheres. Where a ray passes through both or neither of each
    pair, and these ranges do not overlap, the order is beyond doubt.
    """
    shells, through_the_middle = SHELLS[name]
    rings, sides = 40, 80
    parts = [sphere(r, rings, sides, center) for center, r, _ in shells]
    mesh = merged(
        *(inside_out(p) if wall else p for p, (_, _, wall) in zip(parts, shells, strict=True))
    )
    camera = dd.Camera.look_at(
        (0.02, 0.03, 4), (0, 0, 0), (0, 1, 0), fov_y_deg=32.0, width=81, height=61
    )
    if orthographic:
        camera = dd.Camera.orthographic((2.9, 2.2), camera.camera_from_world, 81, 61)
    layers = peel(renderer, mesh, camera)
    check_even(layers)
    check_nesting(layers, mesh, sum(not wall for _, _, wall in shells))

    origins, directions, _ = pixel_rays(camera)
    certain = np.ones((camera.height, camera.width), bool)
    lows, highs, met = [], [], []
    for center, radius, _ in shells:
        inner = radius - sphere_sagitta(radius, rings, sides)
        toward = np.array(center) - origins
        middle = (toward * directions).sum(-1)
        offset_squared = (toward**2).sum(-1) - middle**2
        certain &= (offset_squared > radius**2) | (offset_squared < inner**2)
        outer_half = np.sqrt((radius**2 - offset_squared).clip(0))
        inner_half = np.sqrt((inner**2 - offset_squared).clip(0))
        lows += [middle - outer_half, middle + inner_half]
        highs += [middle - inner_half, middle + outer_half]
        met += [offset_squared < inner**2] * 2
    sides_met = np.array([side for _, _, wall in shells for side in ("BF" if wall else "FB")])
    low, high = (np.where(met, values, np.inf) for values in (lows, highs))
    order = np.argsort(low, axis=0)
    low, high, is_met = (np.take_along_axis(np.asarray(a), order, axis=0) for a in (low, high, met))
    with np.errstate(invalid="ignore"):  # infinity less infinity, of those that are not met
        certain &= ((low[1:] - high[:-1] > 4 * RELATIVE * 6) | ~is_met[1:]).all(axis=0)
    # All of the middle, and all but rims elsewhere.
    assert certain.mean() > 0.8
    strings = set()
    for row, column in np.argwhere(certain).tolist():
        wanted = "".join(sides_met[order[:, row, column][is_met[:, row, column]]])
        pixel = row * camera.width + column
        fronts = layers.front_facing[layers.offsets[pixel] : layers.offsets[pixel + 1]]
        assert "".join(np.where(fronts, "F", "B")) == wanted, (row, column)
        strings.add(wanted)
    assert through_the_middle in strings
    assert "" in strings


@pytest.mark.parametrize("first", ["near", "far"])
def test_coincident_walls_alternate_only_if_their_indices_do(renderer, first):
    """Two boxes that share a wall: there, at one depth, a back and a front come in the order of their faces.

    So it is not facing but depth that says what is solid: both boxes, either way, without a gap.
    """
    near, far = box((-1, -1, 0), (1, 1, 1)), box((-1, -1, -1), (1, 1, 0))
    pair = (near, far) if first == "near" else (far, near)
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[2, 3] = 5
    layers = peel(renderer, merged(*pair), dd.Camera.orthographic((3, 3), pose, 24, 24))
    check_even(layers)
    # Depths 4, 5, 5, 6 at the 16 x 16 pixels within.
    assert (layers.count == 4).sum() == len(layers.depth) / 4 == 256
    np.testing.assert_array_equal(
        layers.depth.reshape(-1, 4), np.tile(np.float32([4, 5, 5, 6]), (256, 1))
    )
    facing = [True, False, True, False] if first == "near" else [True, True, False, False]
    np.testing.assert_array_equal(layers.front_facing.reshape(-1, 4), np.tile(facing, (256, 1)))
    check_nesting(layers, merged(*pair), most=1)
    assert set(np.unique(layers.solid_length)) == {0, 2}


# Coincident faces

FACE_ON = dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), fov_y_deg=40.0, width=40, height=30)
QUAD = np.array([(-1.0, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)])
QUAD_FACES = np.array([(0, 1, 2), (0, 2, 3)])


@pytest.mark.parametrize("tilt_deg", [0.0, 33.0])
def test_200_identical_sheets_are_200_layers_in_face_order(renderer, tilt_deg):
    angle = np.radians(tilt_deg)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
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
        mesh = dd.Mesh(
            mesh.vertices, rng.permuted(mesh.faces, axis=1)[rng.integers(0, len(mesh.faces), 900)]
        )
    scene = renderer.upload(mesh)
    camera = random_camera(rng, mesh, orthographic, cutting=seed == 2)
    _, depth = camera.project(mesh.vertices)
    crop = dict(zip(("near", "far"), np.quantile(depth[depth > 0], [0.2, 0.8]), strict=True))
    for arguments in ({}, crop):
        layers = renderer.peel(scene, camera, **arguments)
        same_bits(layers, renderer.peel(scene, camera, **arguments))
        for surfaces in ("oriented", "any"):
            follows = layers.entry_exit(surfaces)
            direct = renderer.entry_exit(
                scene, camera, surfaces=surfaces, attributes=("face",), **arguments
            )
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


def crowded_mesh(kind: str, rng: np.random.Generator) -> dd.Mesh:
    """Meshes on whose rays fronts and backs come in many orders, or only one of them comes."""
    if kind == "closed":
        return random_closed_mesh(rng, bodies=5)
    heights = rng.permutation(np.repeat(np.linspace(-0.5, 0.5, 4), 3))
    if (
        kind == "pairs"
    ):  # at each height three fronts and three backs at one depth, their indices mixed
        quads = np.concatenate([QUAD + np.array([0, 0, z]) for z in heights])
        faces = (QUAD_FACES[None] + 4 * np.arange(len(heights))[:, None, None]).reshape(-1, 3)
        return dd.Mesh(quads, rng.permutation(np.concatenate([faces, faces[:, ::-1]])))
    if kind == "fronts":  # tilted sheets that cut each other; the camera is on the same side of all
        quads = QUAD + rng.uniform(-0.4, 0.4, (12, 4, 1)) * (0, 0, 1)
        faces = (QUAD_FACES[None] + 4 * np.arange(12)[:, None, None]).reshape(-1, 3)
        return dd.Mesh(quads.reshape(-1, 3), faces)
    corners = rng.uniform(-1, 1, (40, 3))  # "soup": of either winding, some of it three times
    faces = rng.integers(0, 40, (60, 3))
    again = rng.permuted(faces[rng.integers(0, 60, 60)], axis=1)
    return dd.Mesh(corners, np.concatenate([faces, again]))


@pytest.mark.parametrize("kind", ["closed", "pairs", "fronts", "soup"])
def test_max_layers_gives_the_first_of_all(renderer, kind):
    """Fronts and backs are peeled apart, and cut apart: whatever their order, the nearest k are kept."""
    rng = np.random.default_rng(17)
    mesh = crowded_mesh(kind, rng)
    scene = renderer.upload(mesh)
    camera = random_camera(rng, mesh, False) if kind == "closed" else FACE_ON
    names = ("object_id", "barycentric")
    whole = renderer.peel(scene, camera, attributes=names)
    assert not whole.truncated.any()
    most = int(whole.count.max())
    assert most >= 4
    ties = (np.diff(whole.depth) == 0) & (np.diff(whole.pixel) == 0)
    assert ties.any() == (kind in ("pairs", "soup"))
    assert whole.front_facing.all() == (kind == "fronts")
    if kind == "pairs":  # either of the two comes first at one depth
        assert len({bytes(row) for row in whole.front_facing.reshape(-1, 6)[:, :2]}) > 1
    for k in (*range(1, most + 2), np.int64(2)):
        cut = renderer.peel(scene, camera, max_layers=k, attributes=names)
        first = whole.layer < k
        np.testing.assert_array_equal(cut.count, np.minimum(whole.count, k))
        for name in ("depth", "face", "front_facing", *names):
            assert getattr(cut, name).tobytes() == getattr(whole, name)[first].tobytes(), name
        np.testing.assert_array_equal(cut.truncated, whole.count > k)
        if k < most:
            with pytest.raises(
                dd.RequestError, match=rf"{int(cut.truncated.sum())} pixels.*max_layers"
            ):
                cut.entry_exit()
        else:
            same_bits(cut, whole)
            cut.entry_exit()
    scene.release()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_max_layers_on_real_meshes(renderer, k):
    """Open, of mixed winding, with bodies that overlap."""
    mesh = dd.load_mesh(good("CesiumMilkTruck.glb"))
    scene = renderer.upload(mesh)
    for camera in dd.Camera.orbit(mesh, views=2, width=150, height=110):
        whole, cut = renderer.peel(scene, camera), renderer.peel(scene, camera, max_layers=k)
        assert whole.count.max() > 6
        np.testing.assert_array_equal(cut.truncated, whole.count > k)
        for name in ("depth", "face", "front_facing"):
            assert (
                getattr(cut, name).tobytes() == getattr(whole, name)[whole.layer < k].tobytes()
            ), name
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
    crossings = len(before.depth)
    with no_gl_objects_left(renderer):
        with pytest.raises(
            dd.DeviceMemoryError, match=rf"{crossings:,} crossings.*20 layers.*max_layers"
        ):
            renderer.peel(scene, FACE_ON, memory_limit=crossings)
        # Cut to what the limit holds, it fits.
        assert len(
            renderer.peel(scene, FACE_ON, max_layers=1, memory_limit=crossings * 21 // 2).depth
        )
        same_bits(renderer.peel(scene, FACE_ON), before)
        assert renderer.entry_exit(scene, FACE_ON).entry.tobytes() == maps.entry.tobytes()
    scene.release()


@pytest.mark.slow
@pytest.mark.parametrize("of_each", [254, 255, 256])
@pytest.mark.parametrize("max_layers", [255, 256, 300, 2**40])
def test_about_as_many_faces_as_a_stencil_counts(renderer, of_each, max_layers):
    """So many fronts and so many backs at each pixel: all of them, and cut where it is asked for."""
    fronts, backs = dd.Mesh(QUAD, QUAD_FACES), dd.Mesh(QUAD, QUAD_FACES[:, ::-1])
    mesh = merged(*[fronts, backs] * of_each)
    scene = renderer.upload(mesh)
    camera = dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), fov_y_deg=40.0, width=12, height=9)
    whole = renderer.peel(scene, camera)
    assert whole.count.max() == 2 * of_each
    check_invariants(whole, len(mesh.faces))
    cut = renderer.peel(scene, camera, max_layers=max_layers)
    assert cut.face.tobytes() == whole.face[whole.layer < max_layers].tobytes()
    assert (cut.truncated == (whole.count > max_layers)).all()
    scene.release()


def test_peeling_leaves_no_gl_objects_behind(renderer):
    mesh = random_closed_mesh(np.random.default_rng(0), bodies=3)
    camera = dd.Camera.orbit(mesh, views=1, width=50, height=40)[0]
    arguments = ({}, {"max_layers": 2}, {"near": 1.0, "far": 2.0})
    for each in arguments:
        peel(renderer, mesh, camera, **each)  # the programs are made once and kept
    with no_gl_objects_left(renderer):
        for each in arguments * 3:
            peel(renderer, mesh, camera, **each)


def hairball(needles: int, thickness: float) -> dd.Mesh:
    """Closed needles of four slivers each, between random points of the unit sphere."""
    rng = np.random.default_rng(23)
    ends = rng.normal(size=(needles, 2, 3))
    ends /= np.linalg.norm(ends, axis=2, keepdims=True)
    start, end = ends[:, 0], ends[:, 1]
    across = np.cross(end - start, rng.normal(size=(needles, 3)))
    across *= thickness / np.linalg.norm(across, axis=1, keepdims=True)
    up = np.cross(end - start, across)
    up *= thickness / np.linalg.norm(up, axis=1, keepdims=True)
    vertices = np.stack([start, start + across, start + up, end], 1).reshape(-1, 3)
    tetrahedron = np.array([(0, 2, 1), (0, 1, 3), (1, 2, 3), (2, 0, 3)])
    return dd.Mesh(
        vertices, (tetrahedron[None] + 4 * np.arange(needles)[:, None, None]).reshape(-1, 3)
    )


def test_a_hairball_of_slivers(renderer):
    """3,000 closed needles, a hundredth as thick as long: tens of layers, and every count even."""
    mesh = hairball(3000, 1e-2)
    assert mesh.is_oriented
    layers = peel(renderer, mesh, dd.Camera.orbit(mesh, views=1, width=128, height=128)[0])
    check_invariants(layers, len(mesh.faces))
    assert layers.count.max() >= 20
    check_even(layers)


@pytest.mark.slow
def test_a_hairball_of_100_000_slivers(renderer):
    """Needles a fifth of a pixel thick: complete; or, short of memory, a clear error and no harm."""
    mesh = hairball(25_000, 3e-3)
    assert len(mesh.faces) == 100_000
    assert mesh.is_oriented
    scene = renderer.upload(mesh)
    camera = dd.Camera.orbit(mesh, views=1, width=140, height=130)[0]
    layers = renderer.peel(scene, camera)
    check_invariants(layers, len(mesh.faces))
    check_even(layers)
    assert layers.count.max() >= 60
    # Nothing is missing and nothing is too much: by the oracle, in some rows of the middle.
    part = layers.rows(55, 75)
    truth = oracle.find_candidates(mesh.vertices, mesh.faces, view_of(part.camera))
    keys, truth_keys = (c.pixel * len(mesh.faces) + c.face for c in (part, truth))
    assert np.isin(truth_keys[truth.certain], keys).all()
    assert np.isin(keys, truth_keys[truth.certain | truth.uncertain]).all()
    assert truth.certain.sum() > 0.7 * len(keys) > 20_000
    maps = renderer.entry_exit(scene, camera)
    limit = 13 * len(layers.depth) - 1  # one byte too few
    message = rf"{len(layers.depth):,} crossings \({layers.count.max()} layers\).*reduce.*size.*max_layers="
    with no_gl_objects_left(renderer):
        with pytest.raises(dd.DeviceMemoryError, match=message) as caught:
            renderer.peel(scene, camera, memory_limit=limit)
        assert "\n" not in str(caught.value)
        assert renderer.entry_exit(scene, camera).entry.tobytes() == maps.entry.tobytes()
        # As advised: fewer layers fit, and they are the first.
        few = renderer.peel(scene, camera, max_layers=3, memory_limit=limit)
        assert few.depth.tobytes() == layers.depth[layers.layer < 3].tobytes()
        # The engine `compute` lists at least a row at a time besides.
        in_row = int(layers.count.sum(axis=1).max()) if renderer.info.engine == "compute" else 0
        same_bits(renderer.peel(scene, camera, memory_limit=limit + 1 + 8 * in_row), layers)
    scene.release()
