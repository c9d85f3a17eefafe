"""Camera: results worked out by hand, and identities between its methods."""

from __future__ import annotations

import copy
import json
import math
import pickle
from collections import UserDict
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyrr import matrix44

from ddepth_gl.camera.camera import Camera
from ddepth_gl.errors import CameraError

IDENTITY = np.eye(4)
OPENGL_IDENTITY = np.diag([1.0, -1.0, -1.0, 1.0])
# Looks along world +x with world z up: x_cam = 1 - y, y_cam = 2 - z, z_cam = 3 + x.
ALONG_X = np.array([[0.0, -1, 0, 1], [0, 0, -1, 2], [1, 0, 0, 3], [0, 0, 0, 1]])
K = np.array([[100.0, 0.0, 30.0], [0.0, 200.0, 20.0], [0.0, 0.0, 1.0]])


class ArrayLike:
    """Like a torch tensor on the CPU: has only `__array__`, without a `copy` parameter."""

    def __init__(self, values: Any) -> None:
        self._values = np.array(values)

    def __array__(self, dtype: Any = None) -> np.ndarray:
        return self._values if dtype is None else self._values.astype(dtype)


def rotation(axis: Any, angle: float) -> np.ndarray:
    """Return a rotation matrix by Rodrigues' formula, independent of the package and of pyrr."""
    axis = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross


coordinate = st.floats(-100.0, 100.0, allow_subnormal=False)
vector = st.tuples(coordinate, coordinate, coordinate)


@st.composite
def poses(draw: st.DrawFn) -> np.ndarray:
    axis = np.add(draw(vector), (0.0, 0.0, 200.0))
    pose = np.eye(4)
    pose[:3, :3] = rotation(axis, draw(st.floats(-math.pi, math.pi)))
    pose[:3, 3] = draw(vector)
    return pose


@st.composite
def cameras(draw: st.DrawFn) -> Camera:
    """Draw a perspective or orthographic camera: skewed, off-center, with oblong pixels."""
    focal = st.floats(1.0, 2000.0)
    matrix = [
        [draw(focal), draw(st.floats(-50.0, 50.0)), draw(st.floats(-100.0, 200.0))],
        [0.0, draw(focal), draw(st.floats(-100.0, 200.0))],
        [0.0, 0.0, 1.0],
    ]
    size = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    return Camera(np.array(matrix), draw(poses()), *size, is_orthographic=draw(st.booleans()))


# Projection


def test_perspective_projection_by_hand():
    camera = Camera(K, ALONG_X, 64, 48)
    # World (7, 3, -4) is (-3 + 1, 4 + 2, 7 + 3) = (-2, 6, 10) in the camera frame.
    image, depth = camera.project((7.0, 3.0, -4.0))
    np.testing.assert_allclose(image, (100 * -0.2 + 30, 200 * 0.6 + 20), rtol=1e-15)
    assert depth == 10.0
    np.testing.assert_allclose(camera.unproject((10.0, 140.0), 10.0), (7, 3, -4), rtol=1e-14)
    np.testing.assert_allclose(
        camera.unproject((10.0, 140.0), 10.0, "camera"), (-2, 6, 10), rtol=1e-14
    )
    np.testing.assert_array_equal(camera.project((-2.0, 6.0, 10.0), "camera")[0], image)


def test_orthographic_projection_by_hand():
    camera = Camera.orthographic((8.0, 4.0), ALONG_X, width=64, height=16)
    # 8 pixels per unit across and 4 down, around (32, 8), for any depth.
    image, depth = camera.project([(7.0, 3.0, -4.0), (700.0, 3.0, -4.0), (-9.0, 3.0, -4.0)])
    np.testing.assert_array_equal(image, [(32 - 16, 8 + 24)] * 3)
    np.testing.assert_array_equal(depth, [10.0, 703.0, -6.0])
    np.testing.assert_allclose(camera.unproject((16.0, 32.0), 10.0), (7, 3, -4), atol=1e-14)
    np.testing.assert_array_equal(camera.distance_per_depth(), np.ones((16, 64)))


def test_orthographic_extent_reaches_the_image_corners():
    camera = Camera.orthographic((8.0, 4.0), IDENTITY, 64, 16)
    image, _ = camera.project([(-4.0, -2.0, 1.0), (4.0, 2.0, 1.0)])
    np.testing.assert_array_equal(image, [(0, 0), (64, 16)])


def test_orthographic_single_extent_is_the_width_with_square_pixels():
    camera = Camera.orthographic(8.0, IDENTITY, 64, 16)
    assert camera.is_orthographic
    assert camera.K[0, 0] == camera.K[1, 1] == 8.0
    assert camera.K[:2, 2].tolist() == [32.0, 8.0]


def test_skew_by_hand():
    skewed = K + np.array([[0, 10.0, 0], [0, 0, 0], [0, 0, 0]])
    camera = Camera(skewed, IDENTITY, 64, 48)
    image, _ = camera.project((1.0, 2.0, 4.0))
    np.testing.assert_allclose(image, (25 + 10 * 0.5 + 30, 100 + 20), rtol=1e-15)
    np.testing.assert_allclose(camera.unproject(image, 4.0), (1, 2, 4), rtol=1e-14)


@settings(max_examples=100, deadline=None)
@given(camera=cameras(), pixel=st.tuples(coordinate, coordinate), depth=st.floats(0.01, 1000.0))
def test_unproject_inverts_project(camera, pixel, depth):
    for frame in ("world", "camera"):
        point = camera.unproject(pixel, depth, frame)
        image, z = camera.project(point, frame)
        assert z == pytest.approx(depth, rel=1e-9, abs=1e-9)
        np.testing.assert_allclose(image, pixel, rtol=1e-7, atol=1e-4)
        np.testing.assert_allclose(camera.unproject(image, z, frame), point, rtol=1e-8, atol=1e-8)


@settings(max_examples=100, deadline=None)
@given(camera=cameras(), depth=st.floats(0.01, 1000.0))
def test_rays_pass_through_unprojected_points(camera, depth):
    distance = depth * camera.distance_per_depth()
    for frame in ("world", "camera"):
        origins, directions = camera.rays(frame)
        assert origins.shape == directions.shape == (camera.height, camera.width, 3)
        np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1.0, rtol=1e-14)
        points = camera.unproject(camera.pixel_centers(), np.full(distance.shape, depth), frame)
        scale = np.abs(points).max() + 100.0
        np.testing.assert_allclose(
            origins + distance[..., None] * directions, points, atol=1e-12 * scale
        )


@settings(max_examples=50, deadline=None)
@given(camera=cameras())
def test_distance_per_depth_is_the_length_of_unit_depth(camera):
    points = camera.unproject(
        camera.pixel_centers(), np.ones((camera.height, camera.width)), "camera"
    )
    if camera.is_orthographic:
        points[..., :2] = 0.0
    expected = np.linalg.norm(points, axis=-1)
    np.testing.assert_allclose(camera.distance_per_depth(), expected, rtol=1e-14)


def test_distance_per_depth_by_hand():
    camera = Camera([[1.0, 0, 0.5], [0, 1.0, 0.5], [0, 0, 1]], IDENTITY, 3, 3)
    squares = [[1, 2, 5], [2, 3, 6], [5, 6, 9]]
    np.testing.assert_allclose(camera.distance_per_depth(), np.sqrt(squares), rtol=1e-15)


def test_pixel_centers_are_at_halves_with_rows_downward():
    centers = Camera(K, IDENTITY, 3, 2).pixel_centers()
    assert centers.tolist() == [
        [[0.5, 0.5], [1.5, 0.5], [2.5, 0.5]],
        [[0.5, 1.5], [1.5, 1.5], [2.5, 1.5]],
    ]


@settings(max_examples=50, deadline=None)
@given(camera=cameras(), point=vector)
def test_clip_matrix_agrees_with_project(camera, point):
    moved = (
        np.array(point) if camera.is_orthographic else np.array([*point[:2], abs(point[2]) + 0.1])
    )
    image, depth = camera.project(moved, "camera")
    x, y, z, w = camera.projection((0.0, 0.0, 1.0, 0.0)) @ np.append(moved, 1.0)
    assert z == depth
    # Row 0 is at clip y = -1, which OpenGL keeps first.
    assert (x / w + 1.0) * camera.width / 2.0 == pytest.approx(image[0], rel=1e-9, abs=1e-6)
    assert (y / w + 1.0) * camera.height / 2.0 == pytest.approx(image[1], rel=1e-9, abs=1e-6)


def test_project_at_the_camera_plane_does_not_warn():
    image, depth = Camera(K, IDENTITY, 4, 4).project([(1.0, 1.0, 0.0), (0.0, 0.0, 0.0)])
    assert not np.isfinite(image).any()
    assert depth.tolist() == [0.0, 0.0]


def test_shapes_broadcast():
    camera = Camera(K, IDENTITY, 64, 48)
    image, depth = camera.project(np.ones((2, 5, 3)))
    assert image.shape == (2, 5, 2)
    assert depth.shape == (2, 5)
    assert camera.unproject(image, 2.0).shape == (2, 5, 3)
    assert camera.unproject((1.0, 2.0), depth).shape == (2, 5, 3)


@pytest.mark.parametrize("method", ["project", "unproject", "rays"])
def test_unknown_frame(method):
    arguments = {"project": [(0, 0, 1)], "unproject": [(0, 0), 1.0], "rays": []}[method]
    with pytest.raises(CameraError, match="frame must be 'world' or 'camera', not 'opengl'"):
        getattr(Camera(K, IDENTITY, 4, 4), method)(*arguments, frame="opengl")


# Pose


def test_center_and_inverse_by_hand():
    camera = Camera(K, ALONG_X, 4, 4)
    assert camera.center.tolist() == [-3.0, 1.0, 2.0]
    np.testing.assert_array_equal(camera.project(camera.center, "world")[1], 0.0)
    np.testing.assert_allclose(camera.world_from_camera @ ALONG_X, IDENTITY, atol=1e-15)
    assert camera.world_from_camera[3].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_three_by_four_pose_is_the_same_camera():
    for camera in (
        Camera(K, ALONG_X[:3], 4, 4),
        Camera.from_intrinsics(K, ALONG_X[:3], 4, 4),
        Camera.from_opengl(K, np.linalg.inv(ALONG_X)[:3] @ OPENGL_IDENTITY, 4, 4),
        Camera.orthographic(2.0, ALONG_X[:3], 4, 4),
    ):
        np.testing.assert_allclose(camera.camera_from_world, ALONG_X, atol=1e-15)
        assert camera.camera_from_world.shape == (4, 4)


# look_at


def test_look_at_by_hand():
    camera = Camera.look_at(
        (-10, 0, 5), (0, 0, 5), up=(0, 0, 1), fov_y_deg=90.0, width=64, height=32
    )
    assert camera.K.tolist() == [
        [pytest.approx(16.0), 0, 32],
        [0, pytest.approx(16.0), 16],
        [0, 0, 1],
    ]
    expected = [[0, -1, 0, 0], [0, 0, -1, 5], [1, 0, 0, 10], [0, 0, 0, 1]]
    np.testing.assert_allclose(camera.camera_from_world, expected, atol=1e-14)
    # 90 degrees: half the height at a depth of 10 is 10.
    np.testing.assert_allclose(camera.project((0, 0, 15))[0], (32, 0), atol=1e-12)
    np.testing.assert_allclose(camera.project((0, 20, -5))[0], (0, 32), atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(eye=vector, away=vector, up=vector)
def test_look_at_centers_the_target_with_up_above(eye, away, up):
    eye, away, up = np.array(eye), np.array(away), np.array(up)
    length, sine = np.linalg.norm(away), np.linalg.norm(np.cross(away, up))
    assume(
        length > 1e-3 and np.linalg.norm(up) > 1e-3 and sine > 1e-3 * length * np.linalg.norm(up)
    )
    camera = Camera.look_at(eye, eye + away, up, 50.0, 30, 20)
    image, depth = camera.project(eye + away)
    np.testing.assert_allclose(image, (15, 10), atol=1e-6)
    assert depth == pytest.approx(length, rel=1e-9)
    np.testing.assert_allclose(camera.center, eye, atol=1e-10)
    raised, _ = camera.project(eye + away + 1e-3 * length * up / np.linalg.norm(up))
    assert raised[1] < image[1]
    assert raised[0] == pytest.approx(image[0], abs=1e-6)


def test_look_at_far_from_the_origin_is_exact():
    eye, step = np.array([5e6, -3e6, 2e5]), np.array([3.0, 4.0, 1.5])
    near = Camera.look_at((0, 0, 0), step, width=640, height=480)
    far = Camera.look_at(eye, eye + step, width=640, height=480)
    # The rotation depends only on target - eye, which is exact for these numbers.
    np.testing.assert_allclose(
        far.camera_from_world[:3, :3], near.camera_from_world[:3, :3], atol=1e-15
    )
    np.testing.assert_allclose(far.center, eye, atol=1e-9)
    np.testing.assert_allclose(far.rays()[1], near.rays()[1], atol=1e-9)
    image, depth = far.project(eye + step)
    # A float64 near 5e6 is exact to 1e-9, which is 1.4e-7 pixels here.
    np.testing.assert_allclose(image, (320, 240), atol=1e-6)
    assert depth == pytest.approx(math.sqrt(9 + 16 + 2.25), abs=2e-9)


@pytest.mark.parametrize("length", [1e-200, 1e200])
def test_look_at_accepts_up_of_any_length(length):
    camera = Camera.look_at((1, 2, 3), (4, 5, 7), (0, 0, length))
    expected = Camera.look_at((1, 2, 3), (4, 5, 7), (0, 0, 1))
    np.testing.assert_allclose(camera.camera_from_world, expected.camera_from_world, rtol=1e-15)


# from_intrinsics


def test_pixel_center_zero_adds_a_half():
    camera = Camera.from_intrinsics(K, ALONG_X, 64, 48, pixel_center=0.0)
    assert camera.K.tolist() == [[100.0, 0.0, 30.5], [0.0, 200.0, 20.5], [0.0, 0.0, 1.0]]
    # The point whose OpenCV image coordinates are (3, 7) lies on the ray of row 7, column 3.
    point = np.linalg.inv(K) @ (3.0, 7.0, 1.0)
    _, directions = camera.rays("camera")
    np.testing.assert_allclose(directions[7, 3], point / np.linalg.norm(point), rtol=1e-13)


def test_pixel_center_half_keeps_the_matrix():
    np.testing.assert_array_equal(Camera.from_intrinsics(K, ALONG_X, 64, 48).K, K)


@pytest.mark.parametrize("value", [1.0, -0.5, "0.5", None, math.nan, (0.0, 0.5)])
def test_bad_pixel_center(value):
    with pytest.raises(CameraError, match="pixel_center"):
        Camera.from_intrinsics(K, IDENTITY, 4, 4, pixel_center=value)


# from_opengl


@settings(max_examples=50, deadline=None)
@given(pose=poses())
def test_from_opengl_with_intrinsics_agrees_with_from_intrinsics(pose):
    camera = Camera.from_opengl(K, pose, 64, 48)
    expected = np.linalg.inv(pose @ OPENGL_IDENTITY)
    np.testing.assert_allclose(camera.camera_from_world, expected, atol=1e-11)
    other = Camera.from_intrinsics(K, expected, 64, 48)
    np.testing.assert_array_equal(camera.K, other.K)
    # A point in front of an OpenGL camera has negative z there, and one above has positive y.
    ahead = pose @ (0.0, 1.0, -5.0, 1.0)
    image, depth = camera.project(ahead[:3])
    assert depth == pytest.approx(5.0, abs=1e-9)
    np.testing.assert_allclose(image, (30.0, 20.0 - 200 / 5), atol=1e-8)


def test_from_opengl_with_a_perspective_projection_agrees_with_look_at():
    eye, target, up = (3.0, -4.0, 2.0), (0.5, 0.0, 0.25), (0.0, 0.0, 1.0)
    matrix = matrix44.create_perspective_projection(35.0, 64 / 48, 0.1, 10.0, dtype=np.float64).T
    view = matrix44.create_look_at(eye, target, up, dtype=np.float64).T
    camera = Camera.from_opengl(matrix, np.linalg.inv(view), 64, 48)
    expected = Camera.look_at(eye, target, up, 35.0, 64, 48)
    assert not camera.is_orthographic
    np.testing.assert_allclose(camera.K, expected.K, rtol=1e-12)
    np.testing.assert_allclose(camera.camera_from_world, expected.camera_from_world, atol=1e-12)


def test_from_opengl_with_an_orthographic_projection_agrees_with_orthographic():
    matrix = matrix44.create_orthogonal_projection(
        -4.0, 4.0, -3.0, 3.0, 0.1, 10.0, dtype=np.float64
    ).T
    camera = Camera.from_opengl(matrix, np.linalg.inv(ALONG_X) @ OPENGL_IDENTITY, 64, 48)
    expected = Camera.orthographic((8.0, 6.0), ALONG_X, 64, 48)
    assert camera.is_orthographic
    np.testing.assert_allclose(camera.K, expected.K, rtol=1e-14)
    np.testing.assert_allclose(camera.camera_from_world, expected.camera_from_world, atol=1e-15)


@pytest.mark.parametrize(
    "make",
    [matrix44.create_perspective_projection_from_bounds, matrix44.create_orthogonal_projection],
)
def test_from_opengl_off_center_projection_maps_as_opengl_does(make):
    matrix = make(-1.0, 3.0, -2.0, 0.5, 1.0, 9.0, dtype=np.float64).T
    matrix[0, 1] = 0.125  # skew
    camera = Camera.from_opengl(matrix, IDENTITY, 40, 30)
    for point in ((0.3, -0.2, -2.0), (-1.0, 0.7, -5.0), (2.0, 1.0, -1.5)):
        x, y, _, w = matrix @ (*point, 1.0)
        image, depth = camera.project(point)
        np.testing.assert_allclose(image, ((1 + x / w) * 20, (1 - y / w) * 15), rtol=1e-13)
        assert depth == -point[2]


def test_from_opengl_ignores_near_and_far():
    near, far = (
        Camera.from_opengl(
            matrix44.create_perspective_projection(35.0, 1.0, *planes, dtype=np.float64).T,
            IDENTITY,
            8,
            8,
        )
        for planes in ((0.1, 10.0), (1.0, 1e6))
    )
    np.testing.assert_allclose(near.K, far.K, rtol=1e-12)


@pytest.mark.parametrize(
    "matrix",
    [
        matrix44.create_perspective_projection(35.0, 1.0, 0.1, 10.0),
        matrix44.create_orthogonal_projection(-1.0, 3.0, -1.0, 1.0, 0.1, 10.0),
        np.zeros((4, 4)),
        np.ones((4, 4)),
    ],
)
def test_from_opengl_refuses_other_matrices(matrix):
    with pytest.raises(
        CameraError, match=r"not an OpenGL projection matrix of column vectors.*transpose"
    ):
        Camera.from_opengl(matrix, IDENTITY, 8, 8)


# orbit


def box(low: Any, high: Any) -> SimpleNamespace:
    return SimpleNamespace(bounds=np.array([low, high], dtype=np.float64))


BOXES = [
    box((-1, -1, -1), (1, 1, 1)),
    box((10, -5, 2), (10.5, 30, 2.01)),
    box((5e6, 0, 0), (5e6 + 3, 2, 1)),
]


def corners(bounds: np.ndarray) -> np.ndarray:
    return np.array(np.meshgrid(*bounds.T)).reshape(3, 8).T


@pytest.mark.parametrize("size", [(64, 64), (300, 20), (20, 300)])
@pytest.mark.parametrize("mesh", BOXES)
@pytest.mark.parametrize("fov_y_deg", [5.0, 40.0, 120.0])
def test_orbit_keeps_every_corner_in_view(mesh, size, fov_y_deg):
    for camera in Camera.orbit(mesh, 25, *size, seed=3, fov_y_deg=fov_y_deg):
        image, depth = camera.project(corners(mesh.bounds))
        assert (depth > 0).all()
        assert (image >= 0).all()
        assert (image <= size).all()


def test_orbit_is_the_same_for_the_same_seed():
    def run(seed):
        return np.array(
            [camera.camera_from_world for camera in Camera.orbit(BOXES[1], 7, seed=seed)]
        )

    np.testing.assert_array_equal(run(5), run(5))
    assert np.abs(run(5) - run(6)).max() > 0.01


def test_orbit_looks_at_the_center_from_all_sides():
    cameras = Camera.orbit(BOXES[0], 100)
    directions = np.array([camera.center for camera in cameras])
    np.testing.assert_allclose(np.ptp(np.linalg.norm(directions, axis=1)), 0.0, atol=1e-9)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    nearest = np.sort(directions @ directions.T, axis=1)[:, -2]
    # Of 100 evenly spread directions, the nearest neighbor is about 0.33 rad away.
    assert np.arccos(nearest).min() > 0.15
    assert np.arccos(nearest).max() < 0.45
    assert np.abs(directions.mean(axis=0)).max() < 0.02
    for camera in cameras:
        np.testing.assert_allclose(camera.project((0, 0, 0))[0], (256, 256), atol=1e-8)


def test_orbit_single_view():
    (camera,) = Camera.orbit(BOXES[0], 1, 32, 32)
    assert camera.center[2] > 0
    assert (camera.width, camera.height) == (32, 32)


def test_orbit_many_views_reach_the_poles():
    cameras = Camera.orbit(BOXES[0], 3000, 8, 8)
    assert len(cameras) == 3000


# Immutability and array-likes


def test_arrays_are_copies_and_read_only():
    intrinsics, pose = K.copy(), ALONG_X.copy()
    camera = Camera(intrinsics, pose, 4, 4)
    intrinsics[:], pose[:] = 0.0, 0.0
    np.testing.assert_array_equal(camera.K, K)
    np.testing.assert_array_equal(camera.camera_from_world, ALONG_X)
    for array in (camera.K, camera.camera_from_world):
        assert array.dtype == np.float64
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1.0
    camera.center[:] = 7.0
    assert camera.center.tolist() == [-3.0, 1.0, 2.0]


@pytest.mark.parametrize("wrap", [ArrayLike, list, np.float32, np.asfortranarray], ids=str)
def test_accepts_anything_array_like(wrap):
    for camera in (
        Camera(wrap(K), wrap(ALONG_X), 4, 4),
        Camera.from_intrinsics(wrap(K), wrap(ALONG_X), np.int64(4), np.uint8(4)),
        Camera.from_opengl(wrap(K), wrap(np.linalg.inv(ALONG_X) @ OPENGL_IDENTITY), 4, 4),
    ):
        np.testing.assert_array_equal(camera.K, K)
        np.testing.assert_allclose(camera.camera_from_world, ALONG_X, atol=1e-15)
        assert type(camera.width) is type(camera.height) is int
    camera = Camera.look_at(wrap([1, 2, 3]), wrap([4, 5, 7]), wrap([0, 0, 1]), 40.0, 4, 4)
    expected = Camera.look_at((1, 2, 3), (4, 5, 7), (0, 0, 1), 40.0, 4, 4)
    np.testing.assert_array_equal(camera.camera_from_world, expected.camera_from_world)
    image, _ = camera.project(wrap([4.0, 5.0, 7.0]))
    np.testing.assert_allclose(image, (2, 2), atol=1e-12)
    assert Camera.orthographic(wrap([2, 2]), wrap(IDENTITY), 4, 4).K[0, 0] == 2.0


# Bad input

NAN, INF = math.nan, math.inf
SCALED, SHEARED, MIRRORED = np.diag([2.0, 2, 2, 1]), IDENTITY.copy(), np.diag([-1.0, 1, 1, 1])
SHEARED[0, 1] = 0.01
TRANSPOSED = ALONG_X.T
HOLED = IDENTITY.copy()
HOLED[1, 3] = NAN
NOT_NUMBERS: list[Any] = [
    "text",
    None,
    object(),
    1j * np.ones((4, 4)),
    [["1"] * 4] * 4,
    [[1, 2], [3]],
    {},
]
NOT_POSES: list[tuple[Any, str]] = [
    (SCALED, "rotation and a translation.*determinant 8"),
    (np.diag([1e-6, 1e-6, 1e-6, 1]), "rotation and a translation"),
    (1e200 * np.array([[1, 1, 1, 0], [1, -1, 1, 0], [1, 1, -1, 0]]), "rotation and a translation"),
    (SHEARED, "rotation and a translation"),
    (MIRRORED, "rotation and a translation.*determinant -1"),
    (TRANSPOSED, "last row.*transposed"),
    (np.zeros((4, 4)), "last row"),
    (np.zeros((3, 4)), "rotation and a translation.*determinant 0"),
    (HOLED, "NaN"),
    (INF * np.ones((4, 4)), "infinity"),
    (np.eye(3), r"shape \(4, 4\) or \(3, 4\), not \(3, 3\)"),
    ([[10**400] * 4] * 4, "numbers"),
    *((value, "numbers of shape") for value in NOT_NUMBERS),
]
NOT_SIZES: list[Any] = [
    0,
    -1,
    4.0,
    4.5,
    NAN,
    "4",
    None,
    True,
    (4, 4),
    np.float64(4),
    1 << 31,
    10**400,
]


def refused(match: str) -> Any:
    """Expect a CameraError whose message is one line with this pattern."""
    return pytest.raises(CameraError, match=rf"\A(?=.*{match})[^\n]+\Z")


@pytest.mark.parametrize(("pose", "match"), NOT_POSES)
def test_bad_pose(pose, match):
    for name, make in (
        ("camera_from_world", lambda: Camera(K, pose, 4, 4)),
        ("camera_from_world", lambda: Camera.from_intrinsics(K, pose, 4, 4)),
        ("camera_from_world", lambda: Camera.orthographic(2.0, pose, 4, 4)),
        ("world_from_camera", lambda: Camera.from_opengl(K, pose, 4, 4)),
    ):
        with refused(f"{name}.*{match}"):
            make()


@pytest.mark.parametrize("size", NOT_SIZES, ids=lambda size: f"{size!r:.20}")
def test_bad_size(size):
    for name, pair in (("width", (size, 4)), ("height", (4, size))):
        for make in (
            lambda pair=pair: Camera(K, IDENTITY, *pair),
            lambda pair=pair: Camera.from_intrinsics(K, IDENTITY, *pair),
            lambda pair=pair: Camera.from_opengl(K, IDENTITY, *pair),
            lambda pair=pair: Camera.orthographic(2.0, IDENTITY, *pair),
            lambda pair=pair: Camera.look_at((0, 0, 0), (1, 0, 0), (0, 0, 1), 40.0, *pair),
            lambda pair=pair: Camera.orbit(BOXES[0], 2, *pair),
        ):
            with refused(f"{name} must be an integer from 1 to 2147483647 pixels"):
                make()


def test_bad_rows_are_refused_by_name():
    camera = Camera.look_at((0, -5, 0), (0, 0, 0), width=6, height=4)
    for start, stop in ((-1, 2), (2, 2), (0, 5), (0.0, 2)):
        with refused(rf"rows must satisfy 0 <= start < stop <= 4, not start={start}, stop={stop}"):
            camera.rows(start, stop)
    for samples in (0, 1.5, True, 1 << 31):
        with refused(f"samples must be an integer, at least 1.*not {samples}"):
            camera.rows(0, 2, samples)


@pytest.mark.parametrize(
    ("matrix", "match"),
    [
        (np.zeros((3, 3)), "last row"),
        (np.diag([0.0, 1, 1]), r"singular.*focal lengths must be positive, not \(0, 1\)"),
        (np.diag([1.0, 0, 1]), "singular"),
        (np.diag([1.0, -1, 1]), r"mirrors.*Camera\.from_opengl"),
        (np.diag([1.0, 1, 2]), "last row"),
        (K.T, "upper triangular"),
        (np.array([[1.0, 0, 0], [0.1, 1, 0], [0, 0, 1]]), "upper triangular"),
        (np.diag([NAN, 1, 1]), "NaN"),
        (np.diag([INF, 1, 1]), "infinity"),
        (np.eye(2), r"shape \(3, 3\)"),
        (5.0, r"shape \(3, 3\)"),
        *((value, "numbers of shape") for value in NOT_NUMBERS),
    ],
)
def test_bad_intrinsics(matrix, match):
    for make in (
        lambda: Camera(matrix, IDENTITY, 4, 4),
        lambda: Camera.from_intrinsics(matrix, IDENTITY, 4, 4),
        lambda: Camera.from_opengl(matrix, IDENTITY, 4, 4),
    ):
        with refused(match):
            make()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (
            {"eye": (1, 2, 3), "target": (1, 2, 3)},
            r"eye and target coincide at \[1\.0, 2\.0, 3\.0\]; move one",
        ),
        ({"eye": (5e6, 0, 0), "target": (5e6 * (1 + 2e-16), 0, 0)}, "coincide"),
        ({"eye": (0, 0, 0), "target": (0, 0, 0)}, "coincide"),
        ({"up": (-2, 0, 0)}, "up.*parallel to the view.*choose another up"),
        ({"up": (1, 1e-12, 0)}, "parallel"),
        ({"up": (0, 0, 0)}, "up.*is zero or parallel"),
        ({"eye": (NAN, 0, 0)}, "eye holds NaN"),
        ({"target": (0, INF, 0)}, "target holds NaN or infinity"),
        ({"up": (0, 0, -INF)}, "up holds"),
        ({"eye": (0, 0)}, r"eye must have shape \(3,\), not \(2,\)"),
        ({"target": np.zeros((1, 3))}, "target must have shape"),
        ({"up": "z"}, "up must be numbers.*'z'"),
        ({"up": ("0", "0", "1")}, "up must be numbers"),
        ({"eye": None}, "eye must be numbers.*None"),
        ({"fov_y_deg": 0.0}, "fov_y_deg must lie between 0 and 180 degrees, not 0"),
        ({"fov_y_deg": 5e-324}, "fov_y_deg must lie"),
        ({"fov_y_deg": 180}, "fov_y_deg must lie between"),
        ({"fov_y_deg": -40.0}, "fov_y_deg must lie between"),
        ({"fov_y_deg": NAN}, "fov_y_deg holds NaN"),
        ({"fov_y_deg": "40"}, "fov_y_deg must be a number, not '40'"),
        ({"fov_y_deg": None}, "fov_y_deg must be a number, not None"),
        ({"fov_y_deg": (40, 40)}, "fov_y_deg must have shape"),
    ],
)
def test_bad_look_at(arguments, match):
    with refused(match):
        Camera.look_at(**{"eye": (0, 0, 0), "target": (1, 0, 0), **arguments})


@pytest.mark.parametrize(
    "extent", [0.0, -1.0, (2.0, 0.0), (-2.0, 2.0), NAN, (INF, 1), (1, 2, 3), "2", None]
)
def test_bad_extent(extent):
    with refused("extent"):
        Camera.orthographic(extent, IDENTITY, 4, 4)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"views": 0}, "views must be an integer from 1 to 16777216, not 0"),
        ({"views": 2.0}, "views"),
        ({"views": True}, "views"),
        ({"views": None}, "views"),
        ({"seed": -1}, "seed must be an integer, at least 0, not -1"),
        ({"seed": "dice"}, "seed"),
        ({"seed": None}, "seed"),
        ({"fov_y_deg": 0.0}, "fov_y_deg"),
        ({"fov_y_deg": 180.0}, "fov_y_deg"),
        ({"fov_y_deg": "40"}, "fov_y_deg"),
        ({"mesh": box((0, 0, 0), (NAN, 1, 1))}, r"mesh\.bounds holds NaN"),
        (
            {"mesh": SimpleNamespace(bounds=np.zeros((3, 2)))},
            r"mesh\.bounds must have shape \(2, 3\)",
        ),
        ({"mesh": box((1, 2, 3), (1, 2, 3))}, "single point"),
        (
            {"mesh": "x.glb"},
            "^mesh must be a Mesh, or an object with bounds, not 'x.glb'; load_mesh reads one",
        ),
        ({"mesh": None}, "^mesh must be a Mesh, or an object with bounds, not None"),
    ],
)
def test_bad_orbit(arguments, match):
    with refused(match):
        Camera.orbit(**{"mesh": BOXES[0], **arguments})


def test_camera_error_is_a_value_error():
    with pytest.raises(ValueError, match="singular"):
        Camera(np.diag([0.0, 1, 1]), IDENTITY, 4, 4)


def test_message_includes_the_error_of_the_array():
    class OnDevice:
        def __array__(self, dtype=None):
            raise RuntimeError("values live on a device;\ncall .cpu() first")

    with refused(r"K must be numbers.*call \.cpu\(\) first"):
        Camera(OnDevice(), IDENTITY, 4, 4)


def test_orbit_with_another_up():
    """The center of the mesh is the center of the image, and `up` points to smaller rows."""
    box = BOXES[0]
    for up in ((0, 0, 1), (0, 1, 0), (-1, 2, 0.5)):
        unit = np.array(up) / np.linalg.norm(up)
        for camera in Camera.orbit(box, 9, 32, 24, up=up):
            center = np.mean(box.bounds, axis=0)
            (u, v), _ = camera.project(center)
            assert (u, v) == (pytest.approx(16), pytest.approx(12))
            _, above = camera.project(center + 1e-3 * unit)[0]
            assert above < v
    with pytest.raises(CameraError, match="up"):
        Camera.orbit(box, 2, up=(0, 0, 0))


def test_look_at_refuses_coordinates_too_large_to_square():
    for eye, target in (((1e308, 0, 1), (-1e308, 0, 0)), ((1e300, 1, 1), (0, 0, 0))):
        with pytest.raises(CameraError, match="must lie within 1e\\+150 of the origin"):
            Camera.look_at(eye, target)


# Names, equality, repr, dicts

# Not representable in few digits, and zeros of both signs.
ODD_K = np.array([[1000 / 3, -0.0, math.pi], [0.0, 1e-9 + 7, 1 / 7], [0.0, 0.0, 1.0]])
NAMED = Camera(ODD_K, ALONG_X, 60, 40, False, "images/räume 1.png")


@given(camera=cameras())
def test_a_dict_holds_everything_through_json(camera):
    text = json.dumps(replace(camera, name="a\ud800\n").to_dict(), allow_nan=False)
    again = Camera.from_dict(json.loads(text))
    assert again == camera
    assert again.name == "a\ud800\n"
    assert again.K.tobytes() == camera.K.tobytes()
    assert again.camera_from_world.tobytes() == camera.camera_from_world.tobytes()
    assert (again.width, again.height) == (camera.width, camera.height)
    assert again.is_orthographic is camera.is_orthographic


def test_a_dict_holds_plain_values():
    values = NAMED.to_dict()
    assert values == {
        "K": ODD_K.tolist(),
        "camera_from_world": ALONG_X.tolist(),
        "width": 60,
        "height": 40,
        "is_orthographic": False,
        "name": "images/räume 1.png",
    }
    assert {type(value) for value in values.values()} == {list, int, bool, str}
    assert {type(number) for row in values["K"] for number in row} == {float}
    values["K"][0][0] = 5.0
    assert NAMED.K[0, 0] == 1000 / 3
    short = {name: values[name] for name in ("K", "camera_from_world", "width", "height")}
    assert Camera.from_dict(short).name == ""
    assert not Camera.from_dict(short).is_orthographic


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"wide": 60}, r"no entry 'wide'; did you mean 'width'\?"),
        ({"camera_from_wrld": 1}, r"no entry 'camera_from_wrld'; did you mean 'camera_from_world'"),
        ({"k": 60}, r"no entry 'k'; did you mean 'K'"),
        ({"widths": 60}, r"no entry 'widths'; did you mean 'width'\?"),
        *(
            ({key: 60}, rf"no entry {key!r}; it may have K, camera_from_world, width, height, is_")
            for key in (3, "", "zzzzzz")
        ),
        ({"width": 60.5}, "width must be an integer"),
        ({"width": None}, "width must be an integer"),
        ({"K": [[1, 2], [3]]}, "K must be numbers"),
        ({"K": np.eye(4).tolist()}, "K must have shape"),
        ({"camera_from_world": np.eye(4).tolist()[:2]}, "camera_from_world must have shape"),
        ({"is_orthographic": "no"}, "is_orthographic must be True or False"),
        ({"name": 5}, "name must be a str"),
        ({"name": "a\0"}, "name must be a str without null characters"),
        ({"name": b"a"}, "name must be a str"),
    ],
)
def test_bad_dicts(changed, match):
    with pytest.raises(CameraError, match=match) as caught:
        Camera.from_dict({**NAMED.to_dict(), **changed})
    assert "\n" not in str(caught.value)


class Unreadable(UserDict):
    def __getitem__(self, key):
        raise RuntimeError("no entries")

    def __iter__(self):
        return iter(("K",))


def test_dicts_without_entries():
    with pytest.raises(CameraError, match="lacks 'K' and 'camera_from_world' and 'width'"):
        Camera.from_dict({"height": 3})
    for value in ([], None, "K", [("K", 1)], Unreadable()):
        with pytest.raises(CameraError, match="must be a dict, not"):
            Camera.from_dict(value)


def test_equal_cameras_have_the_same_rays():
    same = Camera(ODD_K + 0.0, ALONG_X.tolist(), np.int64(60), 40)
    assert same.K.tobytes() != NAMED.K.tobytes()  # 0 and -0
    assert same == NAMED
    assert hash(same) == hash(NAMED)
    assert len({same, NAMED, replace(NAMED, name="other")}) == 1
    others = [
        replace(NAMED, width=61),
        replace(NAMED, height=41),
        replace(NAMED, is_orthographic=True),
        replace(NAMED, K=np.nextafter(NAMED.K, np.where(math.pi == NAMED.K, 9, NAMED.K))),
        replace(NAMED, camera_from_world=ALONG_X + np.eye(4, k=3) * 1e-15),
    ]
    assert len({NAMED, *others}) == 6
    assert all(other != NAMED for other in others)
    assert NAMED != "camera"
    assert NAMED != None  # noqa: E711
    assert NAMED.__eq__(NAMED.to_dict()) is NotImplemented


def test_copies_are_equal_and_keep_the_name():
    for again in (copy.copy(NAMED), copy.deepcopy(NAMED), pickle.loads(pickle.dumps(NAMED))):
        assert again == NAMED
        assert again.name == NAMED.name
    assert NAMED.rows(3, 9).name == NAMED.name
    # Pickles of cameras from before there were names.
    assert Camera(*NAMED.__reduce__()[1][:5]).name == ""


def test_repr_is_one_readable_line():
    camera = Camera.look_at((3, 0, -1e-3), (0, 0, 0), width=512, height=256)
    focal = 128 / math.tan(math.radians(20))
    assert repr(camera) == (
        f"<Camera 512x256, perspective, focal lengths ({focal:.6g}, {focal:.6g}) pixels, "
        "at (3, 0, -0.001)>"
    )
    flat = Camera.orthographic((4, 2), ALONG_X, 100, 200)
    assert repr(replace(flat, name="a\nb")) == (
        "<Camera 100x200, orthographic, focal lengths (25, 100) pixels per unit, at (-3, 1, 2), "
        r"'a\nb'>"
    )
    assert len(repr(replace(flat, name="\n" * 1000))) < 250
