"""Both sheets against the float64 oracle: real meshes, random closed meshes, random cameras."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from meshes import REAL, good
from shapes import box, mask_of, random_camera, random_closed_mesh, rotation, view_of

import ddepth_gl as dd


def compare(
    renderer, mesh, camera, surfaces="oriented", near=None, far=None, **tolerances
) -> oracle.Report:
    """Render and check one image, with `tolerances` of `oracle.check`; return the report."""
    scene = renderer.upload(mesh)
    maps = renderer.entry_exit(scene, camera, surfaces=surfaces, near=near, far=far)
    scene.release()
    reference = oracle.reference(
        mesh.vertices, mesh.faces, view_of(camera, near, far), surfaces, mask=mask_of(mesh)
    )
    report = oracle.check(reference, maps.entry, maps.exit, **tolerances)
    assert report.ok, str(report)
    return report


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("surfaces", ["oriented", "any"])
@pytest.mark.slow
def test_real_meshes(renderer, name, surfaces, record_property):
    mesh = dd.load_mesh(good(name))
    cameras = dd.Camera.orbit(mesh, views=3, width=210, height=170)
    extent = 1.2 * np.linalg.norm(np.ptp(mesh.bounds, axis=0))
    cameras.append(dd.Camera.orthographic(extent, cameras[1].camera_from_world, 160, 190))
    reports = [compare(renderer, mesh, camera, surfaces) for camera in cameras]
    assert sum(report.covered for report in reports) > 5000
    record_property("largest_relative_error", max(report.max_relative_error for report in reports))


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("seed", range(20))
def test_random_closed_meshes(renderer, seed, orthographic):
    rng = np.random.default_rng([seed, orthographic])
    mesh = random_closed_mesh(rng)
    assert mesh.is_oriented
    for surfaces in ("oriented", "any"):
        report = compare(renderer, mesh, random_camera(rng, mesh, orthographic), surfaces)
        assert report.covered > 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_random_closed_meshes(renderer, seed):
    rng = np.random.default_rng(seed)
    mesh = random_closed_mesh(rng)
    for orthographic in (False, True):
        compare(
            renderer,
            mesh,
            random_camera(rng, mesh, orthographic, 200),
            ("oriented", "any")[seed % 2],
        )


@pytest.mark.parametrize("seed", range(12))
def test_orthographic_rays_that_start_inside_the_mesh(renderer, seed):
    """Depths go down to 0, where a relative tolerance needs the step of the vertex grid added."""
    rng = np.random.default_rng(seed)
    mesh = random_closed_mesh(rng, bodies=3)
    camera = random_camera(rng, mesh, orthographic=True, cutting=True)
    step = 2.0**-29 * np.linalg.norm(np.ptp(mesh.bounds, axis=0)) / 2
    for surfaces in ("oriented", "any"):
        compare(renderer, mesh, camera, surfaces, absolute=2 * step)


@pytest.mark.parametrize("seed", range(12))
def test_camera_inside_the_mesh(renderer, seed):
    rng = np.random.default_rng(seed)
    mesh = random_closed_mesh(rng, bodies=4)
    eye = mesh.vertices[rng.integers(len(mesh.vertices))] * rng.uniform(0.3, 0.95)
    pose = np.eye(4)
    pose[:3, :3] = rotation(rng)
    pose[:3, 3] = -pose[:3, :3] @ eye
    K = [[50.0, 3.0, 61.5], [0.0, 55.0, 43.0], [0.0, 0.0, 1.0]]
    for surfaces in ("oriented", "any"):
        compare(renderer, mesh, dd.Camera.from_intrinsics(K, pose, 120, 90), surfaces)


@pytest.mark.parametrize("seed", range(6))
def test_large_faces_that_cross_the_camera_plane(renderer, seed):
    """A room of twelve faces, a hundred times larger than the distance to its floor."""
    rng = np.random.default_rng(seed)
    mesh = box((-100, -80, -1), (120, 90, 60))
    for _ in range(4):
        pose = np.eye(4)
        pose[:3, :3] = rotation(rng)
        pose[:3, 3] = -pose[:3, :3] @ rng.uniform((-50, -50, -0.9), (50, 50, 3))
        K = [[80.0, 0.0, 64.0], [0.0, 80.0, 48.0], [0.0, 0.0, 1.0]]
        compare(renderer, mesh, dd.Camera.from_intrinsics(K, pose, 128, 96), "any")


@pytest.mark.parametrize("orthographic", [False, True])
def test_crop(renderer, orthographic):
    rng = np.random.default_rng(5)
    mesh = random_closed_mesh(rng, bodies=5)
    camera = random_camera(rng, mesh, orthographic)
    _, depth = camera.project(mesh.vertices)
    near, far = np.quantile(depth[depth > 0], [0.3, 0.7])
    for crop in ((near, far), (near, None), (None, far)):
        compare(renderer, mesh, camera, "any", *crop)
        compare(renderer, mesh, camera, "oriented", *crop)


def test_faces_equal_the_oracle(renderer):
    rng = np.random.default_rng(8)
    mesh = random_closed_mesh(rng, bodies=3)
    camera = random_camera(rng, mesh, False, 160)
    maps = renderer.entry_exit(renderer.upload(mesh), camera, attributes=("face",))
    reference = oracle.reference(mesh.vertices, mesh.faces, view_of(camera))
    for got, sheet in (
        (maps.entry_face, reference.sheets["entry"]),
        (maps.exit_face, reference.sheets["exit"]),
    ):
        assert got.dtype == np.int64
        expected = np.full(got.shape, -1)
        has_face = sheet.candidate >= 0
        expected[has_face] = reference.candidates.face[sheet.candidate[has_face]]
        assert (got == expected)[sheet.stable].mean() > 0.9999
        assert ((got == -1) == (expected == -1))[sheet.stable].all()
