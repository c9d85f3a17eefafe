"""Attributes of crossings, against the float64 oracle."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from attribute_judge import ALL, judge_both, judge_maps
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from meshes import REAL, good
from shapes import (
    box,
    moved,
    moved_camera,
    painted,
    pixel_rays,
    random_camera,
    random_closed_mesh,
    render,
    rotation,
    scaled,
    scaled_camera,
    soups,
    view_of,
)

import ddepth_gl as dd

FEW_FACES = ("suzanne.obj", "Duck.glb")  # enough for `make test-fast`


@pytest.mark.parametrize(
    "name",
    [name if name in FEW_FACES else pytest.param(name, marks=pytest.mark.slow) for name in REAL],
)
@pytest.mark.slow
def test_real_meshes(renderer, name):
    mesh = dd.load_mesh(good(name))
    cameras = dd.Camera.orbit(mesh, views=2, width=130, height=100)
    extent = 1.2 * np.linalg.norm(np.ptp(mesh.bounds, axis=0))
    cameras[1] = dd.Camera.orthographic(extent, cameras[1].camera_from_world, 110, 130)
    assert sum(judge_both(renderer, mesh, camera) for camera in cameras) > 2000


@pytest.mark.slow
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("seed", range(4))
def test_random_closed_meshes(renderer, seed, orthographic):
    """Skewed, off-center cameras; random colors and textures."""
    rng = np.random.default_rng([seed, orthographic, 31])
    mesh = painted(rng, random_closed_mesh(rng), colors=seed != 1, textures=(3, 2, 0, 1)[seed])
    assert judge_both(renderer, mesh, random_camera(rng, mesh, orthographic)) > 500


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_camera_inside_the_mesh(renderer, seed):
    rng = np.random.default_rng([seed, 37])
    mesh = painted(rng, random_closed_mesh(rng, bodies=4))
    eye = mesh.vertices[rng.integers(len(mesh.vertices))] * rng.uniform(0.3, 0.95)
    pose = np.eye(4)
    pose[:3, :3] = rotation(rng)
    pose[:3, 3] = -pose[:3, :3] @ eye
    K = [[50.0, 3.0, 61.5], [0.0, 55.0, 43.0], [0.0, 0.0, 1.0]]
    camera = dd.Camera.from_intrinsics(K, pose, 120, 90)
    assert judge_both(renderer, mesh, camera) > 100
    assert (
        judge_both(renderer, mesh, random_camera(rng, mesh, orthographic=True, cutting=True)) > 100
    )


def test_faces_that_reach_behind_the_camera(renderer):
    """All walls of a room do; a formula yields the point where the ray meets the wall."""
    rng = np.random.default_rng(5)
    low, high = np.array((-3.0, -2, -1)), np.array((4.0, 5, 2))
    room = box(low, high)
    mesh = dd.Mesh(room.vertices, room.faces[:, ::-1], uv=room.vertices[:, :2] * (0.1, 0.2))
    for _ in range(4):
        pose = np.eye(4)
        pose[:3, :3] = rotation(rng)
        pose[:3, 3] = -pose[:3, :3] @ rng.uniform(-0.9, 0.9, 3)
        K = [[20.0, 3.0, 31.5], [0.0, 25.0, 23.0], [0.0, 0.0, 1.0]]
        camera = dd.Camera.from_intrinsics(K, pose, 60, 45)
        maps = render(renderer, mesh, camera, attributes=ALL)
        judge_maps(mesh, camera, maps)
        origins, directions, _ = pixel_rays(camera)
        with np.errstate(divide="ignore"):
            t = np.maximum((low - origins) / directions, (high - origins) / directions).min(-1)
        expected = origins + t[..., None] * directions
        # Weights within 1e-5 mean points within 2e-5 of the longest edge, 10. Near an edge the face
        # may be the neighbor; the point is then off by as much as the rasterizer moves the edge.
        face = maps.entry_face.ravel()
        truth = oracle.attributes(
            mesh.vertices, mesh.faces, view_of(camera), np.arange(len(face)), face
        )
        clear = truth.outside.reshape(t.shape) == 0
        off = np.abs(maps.entry_position - expected).max(-1)
        assert clear.sum() > 2500
        assert off[clear].max() <= 2e-4
        assert np.abs(maps.entry_uv - maps.entry_position[..., :2] * (0.1, 0.2)).max() <= 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_crop(renderer, orthographic):
    rng = np.random.default_rng([5, orthographic, 41])
    mesh = painted(rng, random_closed_mesh(rng, bodies=5))
    camera = random_camera(rng, mesh, orthographic)
    _, depth = camera.project(mesh.vertices)
    near, far = np.quantile(depth[depth > 0], [0.3, 0.7])
    for crop in ({"near": near, "far": far}, {"near": near}, {"far": far}):
        assert judge_both(renderer, mesh, camera, **crop) > 200


@pytest.mark.slow
@pytest.mark.parametrize("offset", [(1e6, -1e6, 5e5), (0.0, 0.0, 1e6)])
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_far_from_the_origin(renderer, offset, orthographic):
    rng = np.random.default_rng([43, orthographic])
    mesh = painted(rng, random_closed_mesh(rng, bodies=3))
    away = np.eye(4)
    away[:3, 3] = offset
    there = dd.Mesh(moved(mesh, away).vertices, mesh.faces, **mesh._attributes())
    camera = moved_camera(random_camera(rng, mesh, orthographic), away)
    assert judge_both(renderer, there, camera) > 500


@pytest.mark.slow
@pytest.mark.parametrize("factor", [1e-25, 1e-9, 1e9, 1e25])
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_tiny_and_huge(renderer, factor, orthographic):
    rng = np.random.default_rng([47, orthographic])
    mesh = painted(rng, random_closed_mesh(rng, bodies=2))
    other = dd.Mesh(scaled(mesh, factor).vertices, mesh.faces, **mesh._attributes())
    camera = scaled_camera(random_camera(rng, mesh, orthographic), factor)
    assert judge_both(renderer, other, camera) > 500


few = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.slow
@few
@given(
    scene=soups(), seed=st.integers(0, 2**32 - 1), colors=st.booleans(), textures=st.integers(0, 3)
)
def test_soups(renderer, scene, seed, colors, textures):
    """Coincident, duplicated, degenerate and intersecting faces, with corners on a coarse grid."""
    mesh, camera = scene
    mesh = painted(np.random.default_rng(seed), mesh, colors, textures)
    judge_both(renderer, mesh, camera)
    maps = render(renderer, mesh, camera, surfaces="any", attributes=ALL)
    judge_maps(mesh, camera, maps)


def test_needles(renderer):
    """A thousand faces, each a hundredth as wide as long, many of them thinner than a pixel."""
    rng = np.random.default_rng(23)
    ends = rng.normal(size=(1000, 2, 3))
    across = rng.normal(size=(1000, 3)) * 1e-2
    vertices = np.concatenate([ends, (ends[:, 0] + across)[:, None]], axis=1).reshape(-1, 3)
    mesh = painted(rng, dd.Mesh(vertices, np.arange(3000).reshape(-1, 3)))
    assert judge_both(renderer, mesh, dd.Camera.orbit(mesh, views=1, width=100, height=90)[0]) > 500


@pytest.mark.slow
def test_many_and_long_textures(renderer):
    """More textures than texture units, some larger than the device's largest texture."""
    rng = np.random.default_rng(103)
    mesh = random_closed_mesh(rng)
    sizes = [*rng.integers(1, 40, (200, 2)), (1, 20001), (20003, 2), (150, 217)]
    chosen = rng.integers(-1, len(sizes), len(mesh.faces))
    chosen[rng.random(len(chosen)) < 0.5] = len(sizes) - 1 - rng.integers(0, 3)
    mesh = dd.Mesh(
        mesh.vertices,
        mesh.faces,
        uv=rng.uniform(-1, 2, (len(mesh.vertices), 2)),
        texture=[rng.integers(0, 256, (*size, 4)).astype(np.uint8) for size in sizes],
        texture_id=chosen,
    )
    assert judge_both(renderer, mesh, random_camera(rng, mesh, False)) > 1000
