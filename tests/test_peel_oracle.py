"""All layers, against the float64 oracle."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from hypothesis import HealthCheck, given, settings
from layer_checks import RELATIVE, check_invariants
from meshes import REAL, good
from shapes import (
    grid_step,
    mask_of,
    peel,
    random_camera,
    random_closed_mesh,
    rotation,
    soups,
    view_of,
)

import ddepth_gl as dd


def compare(renderer, mesh, camera, near=None, far=None) -> int:
    """Peel and check one image; return the number of crossings compared with the oracle."""
    layers = peel(renderer, mesh, camera, near=near, far=far)
    check_invariants(layers, len(mesh.faces))
    view = view_of(camera, near, far)
    mask = mask_of(mesh)
    truth = oracle.all_crossings(mesh.vertices, mesh.faces, view, mask=mask)
    candidates = oracle.find_candidates(mesh.vertices, mesh.faces, view, mask=mask)

    stable = truth.stable.ravel()
    count, expected = np.diff(layers.offsets), np.diff(truth.offsets)
    wrong = np.flatnonzero(stable & (count != expected))
    assert not len(wrong), (
        f"{len(wrong)} of {stable.sum()} stable pixels; pixel {wrong[0]}: "
        f"{count[wrong[0]]} crossings instead of {expected[wrong[0]]}"
    )

    # The same faces, each once. Both lists are sorted by (pixel, face).
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

    # Coverage is certain, so the oracle's margin does not apply: depth is that of the face's plane
    # at the pixel center. Corners are stored on a grid. Inside the face, the plane moves by no more
    # than they do. On a steep face that moves the crossing by as much sideways, or by slope /
    # footprint in depth; three times that, for the sum over u and v and an oblique ray.
    candidate_keys = keys(candidates.pixel, candidates.face)
    matching = np.searchsorted(candidate_keys, np.sort(want_key))
    exact = truth.depth[want_sorted]
    footprint = camera.pixel_footprint(exact)
    allowed = RELATIVE * exact + grid_step(mesh) * (1 + 3 * candidates.slope[matching] / footprint)
    error = np.abs(layers.depth[got_sorted].astype(np.float64) - exact)
    worst = int(np.argmax(error / allowed)) if len(error) else 0
    assert (error <= allowed).all(), f"off by {error[worst]:.3g} at depth {exact[worst]:.9g}"

    # The order. Clusters of the oracle's crossings end where the gap to the next crossing is larger
    # than both errors. Layers must have the same order of clusters, but any order within one.
    allowed_in_order = np.zeros(len(truth.depth))
    allowed_in_order[want_sorted] = allowed
    gap = np.diff(truth.depth, prepend=0.0) > allowed_in_order + np.roll(allowed_in_order, 1)
    gap |= np.diff(truth_pixel, prepend=-1) != 0
    cluster = np.cumsum(gap)
    cluster_of_got = np.zeros(len(layers.depth), np.int64)
    cluster_of_got[got_sorted] = cluster[want_sorted]
    np.testing.assert_array_equal(cluster_of_got[got], cluster[want])
    return len(got)


@pytest.mark.slow
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
