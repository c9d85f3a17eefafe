"""Readers of camera files: poses and intrinsics worked out by hand, and damaged files."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from camera_checks import NERF_POSE, check, refused
from hypothesis import given, settings
from hypothesis import strategies as st

from ddepth_gl.errors import CameraError
from ddepth_gl.io.cameras.read import load_cameras

FULL = {"fl_x": 100.0, "fl_y": 110.0, "cx": 33.0, "cy": 21.0, "w": 64, "h": 48}
FULL_K = [[100, 0, 33], [0, 110, 21], [0, 0, 1]]
BOP_K = [100.0, 0.0, 31.5, 0.0, 110.0, 20.5, 0.0, 0.0, 1.0]


def frame(index: int = 0, **values: Any) -> dict[str, Any]:
    return {"file_path": f"images/{index:04d}.png", "transform_matrix": NERF_POSE, **values}


def nerf(*frames: Any, **values: Any) -> dict[str, Any]:
    return {**FULL, "frames": list(frames or [frame()]), **values}


def view(**values: Any) -> dict[str, Any]:
    return {"cam_K": BOP_K, **values}


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file from text, bytes or a JSON value."""

    def write(content: Any, name: str = "transforms.json") -> Path:
        path = tmp_path / name
        if isinstance(content, (bytes, str)):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        else:
            path.write_text(json.dumps(content))
        return path

    return write


@pytest.fixture
def colmap(write):
    """Return a function that writes a COLMAP folder."""

    def colmap(cameras: str, images: str) -> Path:
        write(cameras, "cameras.txt")
        return write(images, "images.txt").parent

    return colmap


# NeRF, nerfstudio, instant-ngp


def test_nerf_global_intrinsics(write):
    (camera,) = load_cameras(write(nerf()))
    check(camera, FULL_K)
    np.testing.assert_allclose(camera.center, (5, 0, 1), atol=1e-14)
    # One unit ahead of the camera and a tenth of a unit up lands above the principal point.
    image, depth = camera.project((4.0, 0.0, 1.1))
    np.testing.assert_allclose(image, (33, 21 - 11), atol=1e-12)
    assert depth == pytest.approx(1.0)


def test_nerf_frame_intrinsics_override_the_files_and_order_is_kept(write):
    intrinsics = {"fl_x": 50.0, "fl_y": 60.0, "cx": 1.0, "cy": 2.0, "w": 32, "h": 16}
    first, second, third = load_cameras(
        str(write(nerf(frame(9), frame(3, **intrinsics), frame(5, cx=7.0))))
    )
    check(first, FULL_K)
    check(second, [[50, 0, 1], [0, 60, 2], [0, 0, 1]], size=(32, 16))
    check(third, [[100, 0, 7], [0, 110, 21], [0, 0, 1]])
    assert [camera.name for camera in (first, second, third)] == [
        f"images/000{index}.png" for index in (9, 3, 5)
    ]


def test_nerf_frames_without_a_name(write):
    unnamed = {"transform_matrix": NERF_POSE}
    cameras = load_cameras(write(nerf(unnamed, {**unnamed, "file_path": 5}, frame(file_path=""))))
    assert [camera.name for camera in cameras] == ["", "", ""]
    refused(write(nerf(frame(file_path="a\0b"))), "frame 0", "null characters")


def test_nerf_angles(write):
    # 2 atan(1 / 2): the focal length is the width; and 90 degrees: half the height.
    angles = {"camera_angle_x": 2 * math.atan(0.5), "camera_angle_y": math.pi / 2}
    (camera,) = load_cameras(write({"frames": [frame()], "w": 64, "h": 48.0, **angles}))
    check(camera, [[64, 0, 32], [0, 24, 24], [0, 0, 1]])


def test_nerf_synthetic_has_square_pixels_and_takes_the_size_from_the_caller(write):
    path = write({"camera_angle_x": 2 * math.atan(0.5), "frames": [frame(), frame(1)]})
    cameras = load_cameras(path, width=64, height=48)
    assert len(cameras) == 2
    check(cameras[1], [[64, 0, 32], [0, 64, 24], [0, 0, 1]])
    refused(path, "frame 0 ('images/0000.png')", "no image size", "width= and height=", "--size")


def test_nerf_frame_angle_overrides_the_files_focal_length(write):
    (camera,) = load_cameras(write(nerf(frame(camera_angle_x=2 * math.atan(0.5)))))
    assert camera.K[0, 0] == pytest.approx(64.0)


def test_nerf_defaults_are_square_pixels_and_the_image_center(write):
    (camera,) = load_cameras(write({"fl_x": 80, "w": 64, "h": 48, "frames": [frame()]}))
    check(camera, [[80, 0, 32], [0, 80, 24], [0, 0, 1]])


def test_nerf_resizes_each_axis(write):
    path = write(nerf())
    (camera,) = load_cameras(path, width=128, height=24)
    check(camera, [[200, 0, 66], [0, 55, 10.5], [0, 0, 1]], size=(128, 24))
    # The ray at the same fraction of the image is the same.
    (original,) = load_cameras(path)
    points = original.unproject((16.0, 12.0), 3.0), camera.unproject((32.0, 6.0), 3.0)
    np.testing.assert_allclose(*points, rtol=1e-12)


def test_nerfstudio_extras_do_not_change_poses(write):
    extras = {
        "camera_model": "OPENCV",
        **dict.fromkeys(("k1", "k2", "k3", "k4", "p1", "p2"), 0.0),
        "is_fisheye": False,
        "applied_transform": [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0]],
        "orientation_override": "none",
        "aabb_scale": 16,
        "ply_file_path": "sparse.ply",
    }
    (camera,) = load_cameras(write(nerf(**extras)))
    check(camera, FULL_K)


@pytest.mark.parametrize("model", ["PINHOLE", "SIMPLE_PINHOLE", "OPENCV"])
def test_nerf_pinhole_models(write, model):
    check(*load_cameras(write(nerf(camera_model=model))), FULL_K)


def test_nerf_three_row_pose_and_byte_order_mark(write):
    text = json.dumps(nerf(frame(transform_matrix=NERF_POSE[:3])))
    check(*load_cameras(write(b"\xef\xbb\xbf" + text.encode())), FULL_K)


@pytest.mark.parametrize("key", ["k1", "k2", "k3", "k4", "p1", "p2", "is_fisheye"])
def test_nerf_distortion(write, key):
    refused(
        write(nerf(**{key: 0.01})),
        f"frame 0 ('images/0000.png'): {key!r} is 0.01",
        "undistort the images",
    )
    refused(write(nerf(frame(), frame(1, **{key: 0.01}))), "frame 1 ('images/0001.png')", key)


def test_nerf_distortion_list(write):
    check(*load_cameras(write(nerf(distortion_params=[0.0] * 6))), FULL_K)
    refused(write(nerf(distortion_params=[0, 0, 0.1])), "distortion_params", "undistort")


@pytest.mark.parametrize(
    "model", ["OPENCV_FISHEYE", "EQUIRECTANGULAR", "pinhole", 3, None, ["PINHOLE"]]
)
def test_nerf_other_camera_models(write, model):
    refused(write(nerf(camera_model=model)), "'camera_model'", "undistort")


NAN_POSE = [[math.nan, 0, 0, 0], *NERF_POSE[1:]]
BAD_FRAMES = [
    (3, "lacks 'transform_matrix'"),
    ({}, "lacks 'transform_matrix'"),
    (frame(transform_matrix=None), "transform_matrix", "numbers", "None"),
    (frame(transform_matrix="identity"), "numbers"),
    (frame(transform_matrix=NAN_POSE), "NaN"),
    (frame(transform_matrix=[[1, 2], [3, 4]]), "shape (4, 4) or (3, 4), not (2, 2)"),
    (frame(transform_matrix=[[1, 2], [3]]), "numbers"),
    (frame(transform_matrix=[["1"] * 4] * 4), "numbers"),
    (frame(transform_matrix=np.diag([2, 2, 2, 1]).tolist()), "rotation and a translation"),
    (frame(transform_matrix=np.diag([1, 1, -1, 1]).tolist()), "determinant -1"),
    (frame(transform_matrix=np.transpose(NERF_POSE).tolist()), "transposed"),
    (frame(transform_matrix=[[1e308] * 4] * 3), "rotation and a translation"),
    (frame(transform_matrix=[[10**400] * 4] * 3), "numbers"),
    (frame(fl_x=0), "'fl_x' must be positive"),
    (frame(fl_y=-3), "'fl_y' must be positive"),
    (frame(fl_x="100"), "'fl_x' must be a number, not '100'"),
    (frame(fl_x=True), "'fl_x' must be a number"),
    (frame(fl_x=10**400), "'fl_x' must be a number"),
    (frame(cy=math.inf), "'cy' holds NaN or infinity"),
    (frame(w=64.5), "integers of pixels"),
    (frame(w=0), "integer from 1"),
    (frame(h=-48), "integer from 1"),
    (frame(w=1e300), "integer"),
    (frame(h=[48]), "'h' must have shape"),
]


@pytest.mark.parametrize(("bad", "words"), [(bad, words) for bad, *words in BAD_FRAMES])
def test_nerf_bad_frame_is_named(write, bad, words):
    path = write(nerf(frame(0), frame(1), frame(2), bad))
    message = refused(path, *words)
    name = " ('images/0000.png')" if isinstance(bad, dict) and bad else ""
    assert message.startswith(f"{path}: frame 3{name}: ")


def test_overflow_while_resizing_does_not_warn(write, colmap):
    refused(write(nerf(fl_x=1e308)), "infinity", width=640, height=480)
    folder = colmap("1 PINHOLE 64 48 1e308 1e308 33 21", ONE_IMAGE)
    refused(folder, "infinity", width=640, height=480)


@pytest.mark.parametrize("angle", [0, 5e-324, -1.0, math.pi, 40.0, "1", None])
def test_nerf_bad_angle(write, angle):
    refused(write({"w": 4, "h": 4, "camera_angle_x": angle, "frames": [frame()]}), "camera_angle_x")


def test_nerf_lacks_intrinsics(write):
    refused(write({"w": 64, "h": 48, "frames": [frame()]}), "'fl_x' and 'camera_angle_x'")
    refused(write({"w": 64, "fl_x": 3, "frames": [frame()]}), "'w' only")
    refused(write({"h": 64, "fl_x": 3, "frames": [frame()]}), "'h' only", width=4, height=4)


@pytest.mark.parametrize("frames", [[], {}, None, "many", {"0": frame()}])
def test_nerf_bad_frames(write, frames):
    refused(write({**FULL, "frames": frames}), "'frames' must be a list of at least one frame")


def test_nerf_frame_name_is_shown_on_one_line(write):
    bad = {"file_path": "a\nb\u2028" + "c" * 500}
    assert len(refused(write(nerf(bad)), r"'a\nb\u2028ccc")) < 400
    refused(write(nerf({"file_path": {"no": "text"}})), "frame 0: ")


# COLMAP

CAMERAS_TXT = """# Camera list with one line of data per camera:
#   CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]
# Number of cameras: 2
1 PINHOLE 64 48 100 110 33 21
7 SIMPLE_PINHOLE 32 16 50 16.5 8
"""
ROOT_HALF = math.sqrt(0.5)
IMAGES_TXT = f"""# Image list with two lines of data per image:
#   IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME
#   POINTS2D[] as (X, Y, POINT3D_ID)
# Number of images: 3, mean observations per image: 1
12 {ROOT_HALF} 0 0 {ROOT_HALF} 1 2 3 7 seq 1/second image.png

3 1 0 0 0 0.5 -0.5 4 1 0003.png
10.5 20.5 -1 30.25 40.75 118
5 2 2 2 2 0 0 0 1 0005.png
"""


@pytest.mark.parametrize("given_as", ["", "cameras.txt", "images.txt"])
def test_colmap_by_hand(colmap, given_as):
    first, second, third = load_cameras(colmap(CAMERAS_TXT, IMAGES_TXT) / given_as)
    check(first, FULL_K, [[1, 0, 0, 0.5], [0, 1, 0, -0.5], [0, 0, 1, 4], [0, 0, 0, 1]])
    # (1, 1, 1, 1) / 2 rotates by 120 degrees about (1, 1, 1): x to y, y to z, z to x. The file
    # holds it at twice its length.
    check(second, FULL_K, [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    # A quarter turn about z: x to y, y to -x.
    turned = [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
    check(third, [[50, 0, 16.5], [0, 50, 8], [0, 0, 1]], turned, (32, 16))
    names = ["0003.png", "0005.png", "seq 1/second image.png"]
    assert [camera.name for camera in (first, second, third)] == names


def test_colmap_image_without_a_name(colmap):
    (camera,) = load_cameras(colmap(CAMERAS_TXT, "1 1 0 0 0 0 0 0 1\n\n"))
    assert camera.name == ""


@settings(max_examples=50, deadline=None)
@given(
    numbers=st.tuples(*[st.floats(-1, 1, allow_subnormal=False)] * 4), angle=st.floats(-3.1, 3.1)
)
def test_colmap_quaternion_equals_axis_and_angle(tmp_path_factory, numbers, angle):
    axis, point = np.add(numbers[:3], (0.0, 0.0, 2.0)), np.array([0.3, -0.7, numbers[3]])
    axis /= np.linalg.norm(axis)
    x, y, z = (3.0 * math.sin(angle / 2) * axis).tolist()
    folder = tmp_path_factory.mktemp("colmap")
    (folder / "cameras.txt").write_text("1 SIMPLE_PINHOLE 8 8 4 4 4")
    (folder / "images.txt").write_text(
        f"1 {3.0 * math.cos(angle / 2)!r} {x!r} {y!r} {z!r} 0 0 0 1 a.png\n\n"
    )
    (camera,) = load_cameras(folder)
    # Rodrigues' formula.
    cosine, sine = math.cos(angle), math.sin(angle)
    turned = point * cosine + np.cross(axis, point) * sine + axis * (axis @ point) * (1 - cosine)
    np.testing.assert_allclose(camera.camera_from_world[:3, :3] @ point, turned, atol=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        "SIMPLE_RADIAL 64 48 100 33 21 0",
        "RADIAL 64 48 100 33 21 0 0.0",
        "OPENCV 64 48 100 100 33 21 0 0 0 0",
    ],
)
def test_colmap_models_without_distortion_are_pinholes(colmap, model):
    cameras = load_cameras(colmap(f"1 {model}", "1 1 0 0 0 0 0 0 1 a.png\n\n"))
    check(*cameras, [[100, 0, 33], [0, 100, 21], [0, 0, 1]], np.eye(4))


def test_colmap_resizes_and_accepts_windows_line_ends(colmap):
    images = "\ufeff1 1 0 0 0 0 0 0 1 a.png\r\n\r\n2 1 0 0 0 0 0 0 1 b.png\r\n1.0 2.0 -1\r\n"
    first, second = load_cameras(
        colmap("1 PINHOLE 64 48 100 110 33 21\r\n", images), width=32, height=96
    )
    for camera in (first, second):
        check(camera, [[50, 0, 16.5], [0, 220, 42], [0, 0, 1]], np.eye(4), (32, 96))


ONE_IMAGE = "1 1 0 0 0 0 0 0 1 a.png\n\n"
BAD_CAMERAS_TXT = [
    (
        "1 SIMPLE_RADIAL 64 48 100 33 21 0.1",
        "SIMPLE_RADIAL has distortion [0.1]",
        "colmap image_undistorter",
    ),
    ("1 OPENCV 64 48 100 100 33 21 0 0 0 nan", "OPENCV has distortion", "colmap image_undistorter"),
    ("1 OPENCV_FISHEYE 64 48 100 100 33 21 0 0 0 0", "OPENCV_FISHEYE", "colmap image_undistorter"),
    ("1 PINHOLE 64 48 100 33 21", "PINHOLE has 4 parameters, not 3"),
    ("1 PINHOLE 64 48 100 110 33 21 5", "PINHOLE has 4 parameters, not 5"),
    ("1 PINHOLE 64", "CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]"),
    ("1", "CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]"),
    ("one PINHOLE 64 48 100 110 33 21", "CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]"),
    ("1 PINHOLE 64 48 100 110 33 x", "CAMERA_ID MODEL WIDTH HEIGHT PARAMS[]"),
    ("1 PINHOLE 0 48 100 110 33 21", "width must be an integer from 1 to"),
    ("1 PINHOLE 64.5 48 100 110 33 21", "integers of pixels"),
    ("1 PINHOLE inf 48 100 110 33 21", "integers of pixels"),
    ("1 PINHOLE 64 nan 100 110 33 21", "integers of pixels"),
]


@pytest.mark.parametrize(("line", "words"), [(line, words) for line, *words in BAD_CAMERAS_TXT])
def test_colmap_bad_cameras_txt(colmap, line, words):
    folder = colmap(f"# cameras\n{line}\n", ONE_IMAGE)
    assert refused(folder, *words).startswith(f"{folder / 'cameras.txt'}: line 2: ")


BAD_IMAGES_TXT = [
    ("1 1 0 0 0 0 0 0 2 a.png\n\n", "camera id 2 is not in cameras.txt"),
    ("1 0 0 0 0 0 0 0 1 a.png\n\n", "quaternion", "cannot be normalized"),
    ("1 inf 0 0 0 0 0 0 1 a.png\n\n", "quaternion holds NaN or infinity"),
    ("1 1e200 1e200 0 0 0 0 0 1 a.png\n\n", "cannot be normalized"),
    ("1 1 0 0 0 0 nan 0 1 a.png\n\n", "NaN"),
    ("1 1 0 0 0 0 0 0\n\n", "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME"),
    ("1 1 0 0 0 0 0 zero 1 a.png\n\n", "IMAGE_ID QW QX"),
    ("1.5 1 0 0 0 0 0 0 1 a.png\n\n", "IMAGE_ID QW QX"),
    ("1 1 0 0 0 0 0 0 1 a.png\n2 1 0 0 0 0 0 0 1 b.png\n", "line of image points"),
    ("1 1 0 0 0 0 0 0 1 a.png\n2 1 0 0 0 0 0 0 1 of two words.png\n", "line of image points"),
    (f"{ONE_IMAGE}{ONE_IMAGE}", "image id 1 comes twice"),
]


@pytest.mark.parametrize(
    ("images", "words"), [(images, words) for images, *words in BAD_IMAGES_TXT]
)
def test_colmap_bad_images_txt(colmap, images, words):
    folder = colmap(CAMERAS_TXT, images)
    assert refused(folder, *words).startswith(f"{folder / 'images.txt'}: line ")


def test_colmap_bad_intrinsics_are_found(colmap):
    refused(
        colmap("1 PINHOLE 64 48 -100 110 33 21", ONE_IMAGE),
        "'a.png'",
        "focal lengths must be positive",
    )
    refused(colmap("1 PINHOLE 64 48 inf 110 33 21", ONE_IMAGE), "'a.png'", "infinity")


def test_colmap_without_images(colmap):
    refused(colmap(CAMERAS_TXT, "# Number of images: 0\n"), "images.txt", "no image")


def test_colmap_needs_both_files(write):
    refused(write(CAMERAS_TXT, "cameras.txt").parent, "images.txt: cannot be read", "No such file")
    write(CAMERAS_TXT, "cameras.txt").rename(write(IMAGES_TXT, "images.txt").with_name("moved.txt"))
    refused(write(IMAGES_TXT, "images.txt"), "cameras.txt: cannot be read", "No such file")


# BOP


def test_bop_by_hand(write):
    pose = {
        "cam_R_w2c": [0, 1, 0, 0, 0, -1, -1, 0, 0],
        "cam_t_w2c": [0.0, 1.0, 5.0],
        "depth_scale": 0.1,
    }
    path = write({"10": view(**pose), "9": view()}, "scene_camera.json")
    nine, ten = load_cameras(path, width=64, height=48)
    assert (nine.name, ten.name) == ("9", "10")
    # BOP's pixel centers are at integers, ours are at halves.
    expected = [[100, 0, 32], [0, 110, 21], [0, 0, 1]]
    check(nine, expected, np.eye(4))
    check(ten, expected)
    # The center of column 3, row 7 is at (3, 7) in BOP's convention.
    point = np.linalg.inv(np.reshape(BOP_K, (3, 3))) @ (3.0, 7.0, 1.0)
    np.testing.assert_allclose(nine.rays()[1][7, 3], point / np.linalg.norm(point), rtol=1e-12)


def test_bop_size_from_camera_json_beside_it(write):
    write({"width": 64, "height": 48, "fx": 1.0}, "camera.json")
    path = write({"0": view()}, "scene_camera_rgb.json")
    check(*load_cameras(path), [[100, 0, 32], [0, 110, 21], [0, 0, 1]], np.eye(4))
    resized = [[50, 0, 16], [0, 220, 42], [0, 0, 1]]
    check(*load_cameras(path, width=32, height=96), resized, np.eye(4), (32, 96))


def test_bop_without_a_size(write):
    path = write({"0": view()}, "scene_camera.json")
    refused(path, str(path), "no image size", "width= and height=", "--size")
    refused(write({"fx": 1.0}, "camera.json").with_name(path.name), "no image size")
    for bad, word in (
        ({"width": 64}, "'width' only"),
        ([64, 48], "JSON object"),
        (b"\0", "not JSON"),
    ):
        write(bad, "camera.json")
        refused(path, "camera.json: ", word)


BAD_VIEWS = [
    (None, "lacks 'cam_K'"),
    ([], "lacks 'cam_K'"),
    ({}, "lacks 'cam_K'"),
    (view(cam_R_w2c=[1, 0, 0, 0, 1, 0, 0, 0, 1]), "'cam_t_w2c'"),
    (view(cam_t_w2c=[0, 0, 0]), "'cam_R_w2c'"),
    (view(cam_K=BOP_K[:8]), "cam_K must have shape (9,) or (3, 3), not (8,)"),
    (view(cam_K=np.transpose(np.reshape(BOP_K, (3, 3))).ravel().tolist()), "upper triangular"),
    (view(cam_K=["1"] * 9), "cam_K must be numbers"),
    (view(cam_K=[math.nan] * 9), "cam_K holds NaN"),
    (view(cam_R_w2c=[1] * 9, cam_t_w2c=[0] * 3), "rotation and a translation"),
    (
        view(cam_R_w2c=[1, 0, 0, 0, 1, 0, 0, 0, 1], cam_t_w2c=[0, 0]),
        "cam_t_w2c must have shape (3,) or (3, 1), not (2,)",
    ),
    (view(cam_R_w2c="R", cam_t_w2c=[0] * 3), "cam_R_w2c must be numbers"),
]


@pytest.mark.parametrize(("bad", "word"), BAD_VIEWS)
def test_bop_bad_image_is_named(write, bad, word):
    path = write({"0": view(), "17": bad}, "scene_camera.json")
    assert refused(path, word, width=64, height=48).startswith(f"{path}: image 17: ")


# Recognition


@pytest.mark.parametrize(
    "name", ["transforms.json", "transforms_train.json", "cams", "scene_camera.json"]
)
def test_json_is_recognized_by_content(write, name):
    check(*load_cameras(write(nerf(), name)), FULL_K)
    assert len(load_cameras(write({"0": view()}, name), width=4, height=4)) == 1


def test_folder_with_a_json_file(write):
    check(*load_cameras(write(nerf()).parent), FULL_K)


def test_colmap_files_take_precedence_in_a_folder(colmap, write):
    write(nerf())
    assert len(load_cameras(colmap(CAMERAS_TXT, IMAGES_TXT))) == 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\xff\xfe garbage \x80",
        b"\x89PNG\r\n\x1a\n",
        b"{",
        b"[1, 2]",
        b"3",
        b"null",
        b'"frames"',
        b"{}",
        b'{"0": {}, "name": {}}',
        b'{"-1": {}}',
        b'{"cameras": []}',
        b'{"frames": ' + b"1" * 5000 + b"}",
        b"[" * 100_000,
        b'{"frames":' * 100_000,
        b'{"frames": [' + b"[" * 300 + b"]" * 300 + b"]}",
        b'{"frames": [{"transform_matrix": '
        + b"[" * 300
        + b"]" * 300
        + b'}], "fl_x": 1, "w": 1, "h": 1}',
        b'{"w": 1, "h": 1, "fl_x": 1, "k1": '
        + b"[" * 300
        + b"]" * 300
        + b', "frames": [{"transform_matrix": 0}]}',
    ],
    ids=lambda content: repr(content[:24]),
)
@pytest.mark.parametrize(
    "name", ["transforms.json", "scene_camera.json", "images.txt", "cameras.txt"]
)
def test_garbage(write, content, name):
    if name.endswith(".txt"):
        write(CAMERAS_TXT, "cameras.txt")
    path = write(content, name)
    message = refused(path, width=4, height=4)
    assert message.startswith(str(path.parent))
    assert len(message) < 700


def test_missing_and_unusable_paths(tmp_path):
    refused(tmp_path / "none.json", f"{tmp_path / 'none.json'}: cannot be read", "No such file")
    refused(tmp_path / "none" / "images.txt", "cannot be read")
    refused(
        tmp_path, str(tmp_path), "holds none of", "transforms.json", "cameras.txt and images.txt"
    )
    refused("a\0b", "cannot be read", "null")
    refused("x" * 5000, "too long")
    for path in (None, 3, b"transforms.json"):
        refused(path, "cannot be opened")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_opening_a_pipe_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "transforms.json")
    refused(tmp_path / "transforms.json", "not a plain file")


def test_size_is_checked_before_reading(write, monkeypatch):
    path = write(nerf())
    load_cameras(path, max_file_bytes=path.stat().st_size)
    monkeypatch.setattr(
        "ddepth_gl.io.opened_files.OpenedFile.read", lambda _: pytest.fail("was read")
    )
    refused(
        path,
        f"limit of {path.stat().st_size - 1}",
        "max_file_bytes",
        max_file_bytes=path.stat().st_size - 1,
    )


@pytest.mark.parametrize(
    ("size", "word"),
    [((64, None), "both"), ((None, 48), "both"), ((0, 48), "width"), ((64, 4.5), "height")],
)
def test_bad_size_arguments(write, size, word):
    with pytest.raises(CameraError, match=word):
        load_cameras(write(nerf()), width=size[0], height=size[1])


def cameras_or_refusal(path: Path, **arguments: Any) -> None:
    """Load a file that may be damaged; expect usable cameras or a CameraError."""
    try:
        cameras = load_cameras(path, **arguments)
    except CameraError:
        refused(path, str(path), **arguments)
    else:
        assert all(np.isfinite(camera.K).all() for camera in cameras)


@pytest.mark.parametrize("depth", [50, 400, 700, 800, *range(850, 1000, 7)])
@pytest.mark.parametrize(
    "key",
    ["frames", "transform_matrix", "transform_matrix_end", "k1", "fl_x", "camera_model", "cam_K"],
)
def test_nesting_near_the_recursion_limit(write, depth, key):
    deep = "[" * depth + "0.5" + "]" * depth
    if key == "cam_K":
        content = f'{{"0": {{"cam_K": {deep}}}}}'
    else:
        content = json.dumps(
            {**nerf(), key: "DEEP"} if key == "frames" else nerf(frame(**{key: "DEEP"}))
        )
    refused(write(content.replace('"DEEP"', deep)), width=8, height=8)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.just(NERF_POSE),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [*FULL, "k1", "camera_angle_x", "camera_model", "transform_matrix", "frames", "cam_K", "0"]
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    damage=st.dictionaries(KEYS, JSON_VALUES, max_size=3),
    frame_damage=st.dictionaries(KEYS, JSON_VALUES, max_size=3),
)
def test_damaged_json_raises_camera_error_only(tmp_path_factory, damage, frame_damage):
    path = tmp_path_factory.mktemp("damaged") / "transforms.json"
    for content in (nerf(frame(**frame_damage), **damage), {"0": view(**frame_damage)}):
        path.write_text(json.dumps(content))
        cameras_or_refusal(path, width=8, height=8)


@settings(max_examples=100, deadline=None)
@given(where=st.integers(0, len(IMAGES_TXT) - 1), text=st.binary(max_size=6), cameras=st.booleans())
def test_damaged_text_raises_camera_error_only(tmp_path_factory, where, text, cameras):
    folder = tmp_path_factory.mktemp("damaged")
    for name, content, hit in (
        ("cameras.txt", CAMERAS_TXT, cameras),
        ("images.txt", IMAGES_TXT, not cameras),
    ):
        data = content.encode()
        start = where % len(data)
        (folder / name).write_bytes(
            data[:start] + text + data[start + len(text) :] if hit else data
        )
    cameras_or_refusal(folder)
