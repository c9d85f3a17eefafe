"""All layers: coincident faces, equal bits from every call, and limits."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from conftest import no_gl_objects_left
from layer_checks import (
    FACE_ON,
    QUAD,
    QUAD_FACES,
    RELATIVE,
    check_even,
    check_invariants,
    same_bits,
)
from meshes import good
from shapes import (
    box,
    inside_out,
    merged,
    peel,
    random_camera,
    random_closed_mesh,
    view_of,
)

import ddepth_gl as dd


@pytest.mark.parametrize("tilt_deg", [0.0, 33.0])
def test_200_identical_quads_are_200_layers_in_face_order(renderer, tilt_deg):
    angle = np.radians(tilt_deg)
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    mesh = dd.Mesh(QUAD @ turn.T, np.tile(QUAD_FACES, (200, 1)))
    layers = peel(renderer, mesh, FACE_ON)
    check_invariants(layers, 400)
    once = peel(renderer, dd.Mesh(QUAD @ turn.T, QUAD_FACES), FACE_ON)
    # At the diagonal either triangle may cover a pixel, but then all of its copies do.
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


def test_a_quad_and_its_reversed_copy(renderer):
    sheet = dd.Mesh(QUAD, QUAD_FACES)
    layers = peel(renderer, merged(inside_out(sheet), sheet), FACE_ON)
    check_invariants(layers, 4)
    assert set(np.unique(layers.count)) == {0, 2}
    # The reversed copy has smaller indices, so its back comes first.
    np.testing.assert_array_equal(layers.front_facing, layers.layer == 1)
    np.testing.assert_array_equal(layers.face >= 2, layers.front_facing)
    # A sheet written twice has no inside.
    np.testing.assert_array_equal(np.isnan(layers.solid_length), layers.count > 0)


@pytest.mark.slow
def test_1000_parallel_quads(renderer):
    """They are 0.002 apart at depths from 4 to 6, which is four thousand times the rounding."""
    heights = np.arange(1000) * 0.002 - 1
    vertices = (QUAD[None] + heights[:, None, None] * (0, 0, 1)).reshape(-1, 3)
    faces = (QUAD_FACES[None] + 4 * np.arange(1000)[:, None, None]).reshape(-1, 3)
    camera = dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), fov_y_deg=10.0, width=7, height=5)
    layers = peel(renderer, dd.Mesh(vertices, faces), camera)
    check_invariants(layers, 2000)
    assert (layers.count == 1000).all()
    np.testing.assert_array_equal(layers.face // 2, 999 - layers.layer)
    np.testing.assert_allclose(layers.depth, (5 - heights)[999 - layers.layer], rtol=RELATIVE)


@pytest.mark.parametrize("kind", ["closed", "open", "inverted", "soup"])
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("seed", range(3))
def test_layers_yield_the_sheets_bit_for_bit(renderer, seed, kind, orthographic):
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
            derived = layers.entry_exit(surfaces)
            direct = renderer.entry_exit(
                scene, camera, surfaces=surfaces, attributes=("face",), **arguments
            )
            for name in ("entry", "exit", "entry_face", "exit_face", "mask", "thickness"):
                one, other = getattr(derived, name), getattr(direct, name)
                assert one.dtype == other.dtype, name
                assert one.tobytes() == other.tobytes(), f"{surfaces} {name}"
    scene.release()


@pytest.mark.parametrize("name", ["rocker-arm.obj", "suzanne.obj", "CesiumMilkTruck.glb"])
def test_layers_yield_the_sheets_bit_for_bit_on_real_meshes(renderer, name):
    mesh = dd.load_mesh(good(name))
    scene = renderer.upload(mesh)
    for camera in dd.Camera.orbit(mesh, views=3, width=200, height=150):
        layers = renderer.peel(scene, camera)
        for surfaces in ("oriented", "any"):
            direct = renderer.entry_exit(scene, camera, surfaces=surfaces, attributes=("face",))
            derived = layers.entry_exit(surfaces)
            for name in ("entry", "exit", "entry_face", "exit_face"):
                assert getattr(derived, name).tobytes() == getattr(direct, name).tobytes(), name
    scene.release()


def test_calls_may_be_interleaved(renderer):
    """Peeling blends, scissors and binds textures; none of this state may affect the next image."""
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
    """Return a mesh with many orders of fronts and backs, or with fronts only."""
    if kind == "closed":
        return random_closed_mesh(rng, bodies=5)
    heights = rng.permutation(np.repeat(np.linspace(-0.5, 0.5, 4), 3))
    if kind == "pairs":  # at each height three fronts and three backs, with mixed indices
        quads = np.concatenate([QUAD + np.array([0, 0, z]) for z in heights])
        faces = (QUAD_FACES[None] + 4 * np.arange(len(heights))[:, None, None]).reshape(-1, 3)
        return dd.Mesh(quads, rng.permutation(np.concatenate([faces, faces[:, ::-1]])))
    if kind == "fronts":  # tilted quads that intersect, seen from the same side
        quads = QUAD + rng.uniform(-0.4, 0.4, (12, 4, 1)) * (0, 0, 1)
        faces = (QUAD_FACES[None] + 4 * np.arange(12)[:, None, None]).reshape(-1, 3)
        return dd.Mesh(quads.reshape(-1, 3), faces)
    corners = rng.uniform(-1, 1, (40, 3))  # "soup": faces of either winding, some three times
    faces = rng.integers(0, 40, (60, 3))
    again = rng.permuted(faces[rng.integers(0, 60, 60)], axis=1)
    return dd.Mesh(corners, np.concatenate([faces, again]))


@pytest.mark.parametrize("kind", ["closed", "pairs", "fronts", "soup"])
def test_max_layers_returns_the_first_crossings(renderer, kind):
    """Fronts and backs are peeled and cut apart; in any order, the nearest k are returned."""
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
    if kind == "pairs":  # at one depth, either may come first
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
    """A mesh that is open, of mixed winding, with overlapping bodies."""
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


@pytest.mark.parametrize("bad", [0, -1, True, 1.5, "2", np.nan])
def test_max_layers_must_be_an_integer(renderer, bad):
    scene = renderer.upload(box())
    with pytest.raises(dd.RequestError, match="max_layers"):
        renderer.peel(scene, FACE_ON, max_layers=bad)
    scene.release()


def test_after_a_memory_limit_error_the_renderer_works(renderer):
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
        # With fewer layers, it fits.
        assert len(
            renderer.peel(scene, FACE_ON, max_layers=1, memory_limit=crossings * 21 // 2).depth
        )
        same_bits(renderer.peel(scene, FACE_ON), before)
        assert renderer.entry_exit(scene, FACE_ON).entry.tobytes() == maps.entry.tobytes()
    scene.release()


@pytest.mark.slow
@pytest.mark.parametrize("per_facing", [254, 255, 256])
@pytest.mark.parametrize("max_layers", [255, 256, 300, 2**40])
def test_as_many_faces_as_the_stencil_can_count(renderer, per_facing, max_layers):
    """Each pixel has `per_facing` fronts and as many backs; with and without a limit of layers."""
    fronts, backs = dd.Mesh(QUAD, QUAD_FACES), dd.Mesh(QUAD, QUAD_FACES[:, ::-1])
    mesh = merged(*[fronts, backs] * per_facing)
    scene = renderer.upload(mesh)
    camera = dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), fov_y_deg=40.0, width=12, height=9)
    whole = renderer.peel(scene, camera)
    assert whole.count.max() == 2 * per_facing
    check_invariants(whole, len(mesh.faces))
    cut = renderer.peel(scene, camera, max_layers=max_layers)
    assert cut.face.tobytes() == whole.face[whole.layer < max_layers].tobytes()
    assert (cut.truncated == (whole.count > max_layers)).all()
    scene.release()


def test_peeling_leaves_no_gl_objects_behind(renderer):
    mesh = random_closed_mesh(np.random.default_rng(0), bodies=3)
    camera = dd.Camera.orbit(mesh, views=1, width=50, height=40)[0]
    arguments = ({}, {"max_layers": 2}, {"near": 1.0, "far": 2.0})
    for options in arguments:
        peel(renderer, mesh, camera, **options)  # programs are compiled once
    with no_gl_objects_left(renderer):
        for options in arguments * 3:
            peel(renderer, mesh, camera, **options)


def hairball(needles: int, thickness: float) -> dd.Mesh:
    """Return closed needles of four slivers each, between random points of the unit sphere."""
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
    """3,000 closed needles, a hundredth as thick as long: tens of layers, and even counts."""
    mesh = hairball(3000, 1e-2)
    assert mesh.is_oriented
    layers = peel(renderer, mesh, dd.Camera.orbit(mesh, views=1, width=128, height=128)[0])
    check_invariants(layers, len(mesh.faces))
    assert layers.count.max() >= 20
    check_even(layers)


@pytest.mark.slow
def test_a_hairball_of_100_000_slivers(renderer):
    """Needles a fifth of a pixel thick: all layers, or a clear error if memory is short."""
    mesh = hairball(25_000, 3e-3)
    assert len(mesh.faces) == 100_000
    assert mesh.is_oriented
    scene = renderer.upload(mesh)
    camera = dd.Camera.orbit(mesh, views=1, width=140, height=130)[0]
    layers = renderer.peel(scene, camera)
    check_invariants(layers, len(mesh.faces))
    check_even(layers)
    assert layers.count.max() >= 60
    # The oracle confirms the crossings in some rows of the middle.
    part = layers.rows(55, 75)
    truth = oracle.find_candidates(mesh.vertices, mesh.faces, view_of(part.camera))
    keys, truth_keys = (c.pixel * len(mesh.faces) + c.face for c in (part, truth))
    assert np.isin(truth_keys[truth.certain], keys).all()
    assert np.isin(keys, truth_keys[truth.certain | truth.uncertain]).all()
    assert truth.certain.sum() > 0.7 * len(keys) > 20_000
    maps = renderer.entry_exit(scene, camera)
    limit = 13 * len(layers.depth) - 1  # one byte too few
    most_layers = layers.count.max()
    message = (
        rf"{len(layers.depth):,} crossings \({most_layers} layers\).*reduce.*size.*max_layers="
    )
    with no_gl_objects_left(renderer):
        with pytest.raises(dd.DeviceMemoryError, match=message) as caught:
            renderer.peel(scene, camera, memory_limit=limit)
        assert "\n" not in str(caught.value)
        assert renderer.entry_exit(scene, camera).entry.tobytes() == maps.entry.tobytes()
        # As the message advises, fewer layers fit; they are the first ones.
        few = renderer.peel(scene, camera, max_layers=3, memory_limit=limit)
        assert few.depth.tobytes() == layers.depth[layers.layer < 3].tobytes()
        # The engine `compute` also needs room for the keys of a row.
        in_row = int(layers.count.sum(axis=1).max()) if renderer.info.engine == "compute" else 0
        same_bits(renderer.peel(scene, camera, memory_limit=limit + 1 + 8 * in_row), layers)
    scene.release()
