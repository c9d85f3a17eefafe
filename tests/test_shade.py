"""The shaded image: repeatable, owned by the caller, and its limits and errors."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import no_gl_objects_left
from shaded_images import FACE_ON, shade
from shapes import (
    box,
    painted,
    random_camera,
    random_closed_mesh,
    sphere,
)

import ddepth_gl as dd


@pytest.mark.parametrize("samples", [1, 4])
def test_the_same_call_returns_the_same_bits(renderer, samples):
    """Also after calls with other scenes and sizes, which do not affect each other."""
    rng = np.random.default_rng(27)
    mesh, other = (painted(rng, random_closed_mesh(rng, bodies=3)) for _ in range(2))
    scene, other_scene = renderer.upload(mesh), renderer.upload(other)
    camera, other_camera = random_camera(rng, mesh, False), random_camera(rng, mesh, True, 50)
    image = renderer.shade(scene, camera, samples=samples)
    maps = renderer.entry_exit(scene, camera)
    layers = renderer.peel(scene, camera)
    renderer.shade(other_scene, other_camera, samples=3, surfaces="any")
    assert renderer.shade(scene, camera, samples=samples).tobytes() == image.tobytes()
    assert renderer.entry_exit(scene, camera).exit.tobytes() == maps.exit.tobytes()
    assert renderer.shade(scene, camera, samples=samples).tobytes() == image.tobytes()
    assert renderer.peel(scene, camera).depth.tobytes() == layers.depth.tobytes()
    for i, again in enumerate(renderer.entry_exit_many(scene, [camera, other_camera, camera])):
        assert renderer.shade(scene, camera, samples=samples).tobytes() == image.tobytes()
        if i != 1:
            assert again.entry.tobytes() == maps.entry.tobytes()
    scene.release()
    other_scene.release()


def test_the_caller_owns_the_image(renderer):
    scene = renderer.upload(box())
    image = renderer.shade(scene, FACE_ON)
    before = image.copy()
    renderer.shade(scene, FACE_ON, samples=2)
    np.testing.assert_array_equal(image, before)
    image[:] = 0
    np.testing.assert_array_equal(renderer.shade(scene, FACE_ON), before)
    scene.release()


@pytest.mark.parametrize("bad", [0, -1, True, 1.5, 2.0, "2", None, float("nan"), 129])
def test_samples_must_be_an_integer(renderer, bad):
    scene = renderer.upload(box())
    with pytest.raises(dd.RequestError, match="samples"):
        renderer.shade(scene, FACE_ON, samples=bad)
    scene.release()


def test_the_largest_number_of_samples(renderer):
    """More would need loops that Mesa ends early, see decision 7."""
    scene = renderer.upload(box())
    camera = dd.Camera.look_at((0.3, 0.2, 3), (0, 0, 0), (0, 1, 0), fov_y_deg=30, width=4, height=4)
    assert (renderer.shade(scene, camera, samples=128)[..., 3] == 255).all()
    scene.release()


def test_samples_may_be_a_numpy_integer(renderer):
    scene = renderer.upload(box())
    one, other = (renderer.shade(scene, FACE_ON, samples=s) for s in (3, np.int64(3)))
    assert one.tobytes() == other.tobytes()
    scene.release()


def test_invalid_requests(renderer):
    scene = renderer.upload(box())
    with pytest.raises(dd.RequestError, match="surfaces"):
        renderer.shade(scene, FACE_ON, surfaces="both")
    with pytest.raises(dd.CameraError):
        renderer.shade(scene, "camera")
    with pytest.raises(dd.MeshError):
        renderer.shade(box(), FACE_ON)
    scene.release()
    with pytest.raises(dd.ContextClosedError):
        renderer.shade(scene, FACE_ON)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 300), (300, 1), (67, 31)])
def test_images_of_odd_shapes(renderer, width, height):
    pose = np.eye(4)
    pose[2, 3] = 4
    camera = dd.Camera.from_intrinsics(
        [[150.0, 0, width / 2], [0, 150.0, height / 2], [0, 0, 1]], pose, width, height
    )
    for samples in (1, 4):
        image = shade(renderer, sphere(2.0, 20, 30), camera, samples=samples)
        assert image[height // 2, width // 2, 3] == 255


def test_shading_leaves_no_gl_objects_behind(renderer):
    rng = np.random.default_rng(0)
    mesh = painted(rng, random_closed_mesh(rng, bodies=2))
    camera = dd.Camera.orbit(mesh, views=1, width=50, height=40)[0]

    def everything():
        scene = renderer.upload(mesh)
        for samples in (1, 4):
            for surfaces in ("oriented", "any"):
                renderer.shade(scene, camera, samples=samples, surfaces=surfaces)
        scene.release()

    everything()  # programs are compiled once
    with no_gl_objects_left(renderer):
        for _ in range(3):
            everything()
