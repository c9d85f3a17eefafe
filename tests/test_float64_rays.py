"""The package's own rays in float64, against closed forms, the oracle of the tests, and engines."""

import numpy as np
import oracle
import pytest
from meshes import good
from shapes import box, random_camera, random_closed_mesh, sphere, view_of
from views import views

import ddepth_gl as dd
from ddepth_gl.jobs.float64_rays import MARGIN, RayCaster
from ddepth_gl.jobs.ray_judge import explained, unexplained_layers


def centers(camera):
    return camera.pixel_centers().reshape(-1, 2)


def cast(mesh, camera):
    return RayCaster(mesh.vertices, mesh.faces, camera).cast(centers(camera))


def judged(mesh, camera, maps, surfaces="oriented", **options):
    two_sided = np.full(len(mesh.faces), surfaces == "any")
    crossings = cast(mesh, camera)
    return [
        explained(crossings, getattr(maps, sheet).ravel(), sheet, two_sided, **options)
        for sheet in ("entry", "exit")
    ]


def test_a_sphere_in_closed_form():
    mesh = sphere(1.0, 96, 192)
    camera = dd.Camera.look_at((0, -4, 0), (0, 0, 0), width=33, height=33)
    crossings = RayCaster(mesh.vertices, mesh.faces, camera).cast([(16.5, 16.5)])
    rows = crossings.of_ray()
    assert sorted(set(np.round(crossings.depth[rows, 0], 2))) == [3.0, 5.0]
    assert crossings.front[rows[0]]
    assert not crossings.front[rows[-1]]
    missed = RayCaster(mesh.vertices, mesh.faces, camera).cast([(0.5, 0.5)])
    assert not len(missed.of_ray())


@pytest.mark.parametrize("name", ["plain", "wide", "off_center", "principal_point_outside"])
@pytest.mark.parametrize("orthographic", [False, True])
def test_all_crossings_are_those_of_the_oracle(name, orthographic):
    rng = np.random.default_rng([len(name), orthographic])
    mesh = random_closed_mesh(rng)
    camera = views(float(np.linalg.norm(mesh.vertices, axis=1).max()))[name]
    if orthographic:
        camera = random_camera(rng, mesh, True)
    # The oracle's margin is a distance; the corners of our square are farther away.
    margin = 1.001 * 2**0.5 * MARGIN
    expected = oracle.all_crossings(mesh.vertices, mesh.faces, view_of(camera), margin)
    crossings = cast(mesh, camera)
    rows = crossings.of_ray()
    # Where a face has a border in the square, the oracle's rule for edges decides.
    stable = expected.stable.ravel()
    pixel = np.repeat(np.arange(len(stable)), np.diff(expected.offsets))
    ours, theirs = rows[stable[crossings.point[rows]]], stable[pixel]
    np.testing.assert_array_equal(crossings.point[ours], pixel[theirs])
    np.testing.assert_array_equal(crossings.face[ours], expected.face[theirs])
    np.testing.assert_array_equal(crossings.front[ours], expected.front[theirs])
    np.testing.assert_allclose(crossings.depth[ours, 0], expected.depth[theirs], rtol=1e-11)
    assert crossings.certain[ours].all()
    assert theirs.sum() > 20
    # Faces that turn over within the square may lie beside it, which the oracle knows.
    compared = unexplained_layers(crossings, expected.offsets, expected.depth)[1]
    assert compared[stable].mean() > 0.999


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("surfaces", ["oriented", "any"])
@pytest.mark.parametrize("seed", range(5))
def test_everything_rendered_is_explained(renderer, seed, surfaces, orthographic):
    rng = np.random.default_rng([seed, orthographic])
    mesh = random_closed_mesh(rng)
    camera = random_camera(rng, mesh, orthographic)
    maps = renderer.entry_exit(renderer.upload(mesh), camera, surfaces=surfaces)
    for right in judged(mesh, camera, maps, surfaces):
        assert right.all()
    # Values that are off are found where there is a face: depths, misses and hits.
    entry = maps.entry.ravel()
    hit = ~np.isnan(entry)
    crossings, two_sided = cast(mesh, camera), np.full(len(mesh.faces), surfaces == "any")
    for wrong in (entry * np.float32(1.01), np.where(hit, np.nan, 1.0)):
        found = ~explained(crossings, wrong, "entry", two_sided)
        assert found[hit].mean() > 0.95
        assert found[~hit].all() == np.isnan(wrong[hit]).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["stanford-bunny.obj", "rocker-arm.obj", "not_convex.obj", "Duck.glb"]
)
def test_real_meshes_are_explained(renderer, name):
    mesh = dd.load_mesh(good(name))
    scene = renderer.upload(mesh)
    two_sided = mesh.bodies.two_sided_faces
    for camera in dd.Camera.orbit(mesh, views=3, width=96, height=80):
        maps = renderer.entry_exit(scene, camera)
        layers = renderer.peel(scene, camera)
        crossings = cast(mesh, camera)
        for sheet in ("entry", "exit"):
            right = explained(crossings, getattr(maps, sheet).ravel(), sheet, two_sided)
            assert right.all(), np.flatnonzero(~right)
        wrong, compared = unexplained_layers(crossings, layers.offsets, layers.depth)
        assert not wrong.any()
        assert compared.mean() > 0.5


def test_near_and_far(renderer):
    mesh = sphere(1.0, 12, 24)
    camera = dd.Camera.look_at((0, -4, 0), (0, 0, 0), width=40, height=40)
    scene = renderer.upload(mesh)
    maps = renderer.entry_exit(scene, camera, near=3.2, far=4.7)
    for right in judged(mesh, camera, maps, near=3.2, far=4.7):
        assert right.all()
    assert not all(right.all() for right in judged(mesh, camera, maps))


def test_a_camera_among_the_faces(renderer):
    mesh = box((-1, -1, -1), (1, 1, 1))
    camera = dd.Camera.look_at((0.3, 0.2, 0.1), (1, 0.5, 0), fov_y_deg=100, width=40, height=40)
    maps = renderer.entry_exit(renderer.upload(mesh), camera, surfaces="any")
    for right in judged(mesh, camera, maps, "any"):
        assert right.all()


def test_a_hole_at_an_edge_is_not_explained():
    mesh = box((-1, -1, -1), (1, 1, 1))
    camera = dd.Camera.look_at((0, -4, 0), (0, 0, 0), width=40, height=40)
    # The diagonal of the front quad passes through centers of pixels; no face is certain there.
    crossings = cast(mesh, camera)
    nothing = np.full(1600, np.nan)
    right = explained(crossings, nothing, "entry", np.zeros(12, bool)).reshape(40, 40)
    assert not right[20, 20]
    assert not right[12:28, 12:28].any()
    assert right[0].all()


def test_layers_that_are_wrong(renderer):
    mesh = sphere(1.0, 12, 24)
    camera = dd.Camera.look_at((0, -4, 0), (0, 0, 0), width=40, height=40)
    layers = renderer.peel(renderer.upload(mesh), camera)
    crossings = cast(mesh, camera)
    wrong, compared = unexplained_layers(crossings, layers.offsets, layers.depth)
    assert not wrong.any()
    moved = layers.depth.copy()
    pixel = int(np.flatnonzero(compared & (layers.count.ravel() == 2))[5])
    moved[layers.offsets[pixel] + 1] *= np.float32(1.001)
    wrong, _ = unexplained_layers(crossings, layers.offsets, moved)
    assert np.flatnonzero(wrong).tolist() == [pixel]
    # One layer lost everywhere.
    kept = np.ones(len(layers.depth), bool)
    kept[layers.offsets[1:][layers.count.ravel() > 0] - 1] = False
    offsets = np.concatenate([[0], np.cumsum(np.maximum(layers.count.ravel() - 1, 0))])
    wrong, compared = unexplained_layers(crossings, offsets, layers.depth[kept])
    assert np.array_equal(wrong, compared & (layers.count.ravel() > 0))
