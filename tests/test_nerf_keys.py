"""Keys of instant-ngp and nerfstudio in transforms.json, with values worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from camera_checks import CAMERA_FROM_WORLD, NERF_POSE, check, refused

from ddepth_gl.camera.camera import Camera
from ddepth_gl.io.cameras.read import load_cameras

SIZE = {"w": 100, "h": 50}
FORTY_FIVE = 50 / math.tan(math.radians(22.5))  # focal length of 45 degrees over 100 pixels


@pytest.fixture
def write(tmp_path):
    def write(document: Any, name: str = "transforms.json") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        return path

    return write


def nerf(frame: dict[str, Any] | None = None, **values: Any) -> dict[str, Any]:
    return {**SIZE, **values, "frames": [{"transform_matrix": NERF_POSE, **(frame or {})}]}


def load(write: Any, *arguments: Any, **values: Any) -> Camera:
    (camera,) = load_cameras(write(nerf(*arguments, **values)))
    return camera


@pytest.mark.parametrize(
    ("values", "focals"),
    [
        ({"x_fov": 45}, (FORTY_FIVE, FORTY_FIVE)),
        ({"y_fov": 90}, (25, 25)),
        ({"x_fov": 45, "y_fov": 90}, (FORTY_FIVE, 25)),
        ({"fl_y": 120}, (120, 120)),
        ({"camera_angle_y": math.pi / 2}, (25, 25)),
        ({"x_fov": 45, "camera_angle_x": 0.1, "fl_x": 7}, (FORTY_FIVE, FORTY_FIVE)),
        ({"fl_x": 7, "camera_angle_x": 0.1}, (7, 7)),
        ({"y_fov": 90, "fl_y": 7, "fl_x": 8}, (8, 25)),
        ({"camera_angle_x": math.pi / 2, "fl_y": 7}, (50, 7)),
    ],
)
def test_focal_lengths(write, values, focals):
    expected = [[focals[0], 0, 50], [0, focals[1], 25], [0, 0, 1]]
    check(load(write, **values), expected, size=(100, 50))
    check(load(write, values), expected, size=(100, 50))  # in the frame


@pytest.mark.parametrize(
    ("frame", "file", "focals"),
    [
        ({"camera_angle_y": math.pi / 2}, {"x_fov": 45}, (25, 25)),
        ({"fl_x": 50}, {"fl_x": 100, "fl_y": 110}, (50, 50)),
        ({"fl_y": 50}, {"fl_x": 100}, (50, 50)),
        ({"camera_angle_x": math.pi / 2}, {"x_fov": 45, "fl_y": 9}, (50, 50)),
        ({"cx": 3}, {"fl_x": 100, "fl_y": 110}, (100, 110)),
    ],
)
def test_a_frame_with_a_focal_length_takes_none_from_the_file(write, frame, file, focals):
    # As instant-ngp, which reads the focal lengths of the file, then those of the frame.
    camera = load(write, frame, **file)
    np.testing.assert_allclose((camera.K[0, 0], camera.K[1, 1]), focals)


@pytest.mark.parametrize("angle", [0, -45, 180, "45", None, 1e-300])
def test_bad_angle_in_degrees(write, angle):
    refused(write(nerf(x_fov=angle)), "'x_fov'")


def test_no_focal_length(write):
    refused(write(nerf()), "no focal length", "'x_fov'")


# Other lenses


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"equirectangular": True}, ("'equirectangular'", "ns-process-data")),
        ({"latlong": 1}, ("'latlong'", "panorama")),
        ({"ftheta_p3": 0.1}, ("'ftheta_p3'",)),
        ({"orthographic": True}, ("'orthographic'", "Camera.orthographic")),
        ({"is_fisheye": True}, ("'is_fisheye'", "colmap image_undistorter --image_path IMAGES")),
        ({"camera_model": "OPENCV_FISHEYE"}, ("'OPENCV_FISHEYE'", "colmap image_undistorter")),
        ({"camera_model": "EQUIRECTANGULAR"}, ("'EQUIRECTANGULAR'", "ns-process-data")),
        ({"camera_model": "ORTHOPHOTO"}, ("'ORTHOPHOTO'",)),
    ],
)
def test_other_lenses_are_refused_by_name(write, values, words):
    refused(write(nerf(fl_x=99, **values)), "frame 0", *words)
    refused(write(nerf(values, fl_x=99)), "frame 0", *words)


def test_other_lenses_that_are_switched_off(write):
    off = {"equirectangular": False, "latlong": None, "orthographic": False, "is_fisheye": False}
    assert load(write, fl_x=99, **off).K[0, 0] == 99
    off = {"equirectangular": 0, **{f"ftheta_p{n}": 0.0 for n in range(5)}}
    assert load(write, fl_x=99, **off).K[0, 0] == 99


def test_nulls_count_as_missing(write):
    nulls = dict.fromkeys(("cx", "fl_y", "k1", "x_fov", "camera_angle_x"))
    plain = load(write, fl_x=99)
    np.testing.assert_array_equal(load(write, fl_x=99, **nulls).K, plain.K)
    camera = load_cameras(write(nerf({"cx": 7.0, "fl_x": 99.0}, cx=None, k1=None)))[0]
    assert (camera.K[0, 0], camera.K[0, 2]) == (99, 7)


@pytest.mark.parametrize("model", ["SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV"])
def test_models_without_distortion_are_pinholes(write, model):
    assert load(write, fl_x=99, camera_model=model, k1=0.0, k2=0).K[0, 0] == 99
    message = refused(write(nerf(fl_x=99, camera_model=model, k1=0.1)), "'k1' is 0.1")
    assert "--input_path MODEL --output_path OUT" in message


# Poses


def test_exposure_at_rest(write):
    other = np.eye(4).tolist()
    moving = {"transform_matrix_start": NERF_POSE, "transform_matrix_end": NERF_POSE}
    both = load(write, {**moving, "transform_matrix": other}, fl_x=9, rolling_shutter=[0, 0, 1])
    check(both, both.K, CAMERA_FROM_WORLD, (100, 50))
    document = nerf(moving, fl_x=9)
    del document["frames"][0]["transform_matrix"]
    (camera,) = load_cameras(write(document))
    check(camera, both.K, CAMERA_FROM_WORLD, (100, 50))
    # Without a second pose, a rolling shutter changes nothing.
    check(load(write, fl_x=9, rolling_shutter=[0, 0, 1, 0]), both.K, CAMERA_FROM_WORLD, (100, 50))


@pytest.mark.parametrize("key", ["transform_matrix_start", "transform_matrix_end"])
def test_camera_that_moves_during_the_exposure(write, key):
    pose = np.eye(4).tolist()
    frame = {"transform_matrix_start": NERF_POSE, "transform_matrix_end": NERF_POSE, key: pose}
    refused(write(nerf(frame, fl_x=9)), "frame 0", "moves", "leave one pose")
    if key.endswith("end"):
        refused(write(nerf({key: pose}, fl_x=9)), "moves")
    refused(write(nerf({"transform_matrix_start": 3}, fl_x=9)), "transform_matrix_start", "shape")


@pytest.mark.parametrize("key", ["from_mitsuba", "normal_mts_args"])
def test_poses_of_mitsuba(write, key):
    # Mitsuba's camera frame is x left, y up, z forward: x and z are minus OpenGL's.
    pose = (np.array(NERF_POSE) @ np.diag([-1, 1, -1, 1])).tolist()
    camera = load(write, {"transform_matrix": pose}, fl_x=9, **{key: True})
    check(camera, camera.K, CAMERA_FROM_WORLD, (100, 50))
    off = load(write, fl_x=9, **{key: True, "from_mitsuba": False})
    check(off, camera.K, CAMERA_FROM_WORLD, (100, 50))


# Comments


COMMENTED = r"""// first line
{ "w": 100, "h": /* rows */ 50, // size
  "fl_x": 99, /* over
  two lines, with "quotes" and // more */ "k1": 0,
  "frames": [ {"file_path": "http://a//b \"c//d\" /* e */ \\", // "a name"
   "transform_matrix": [[0,0,1,5],[1,0,0,0],[0,1,0,1],[0,0,0,1]]} ] } // end"""


def test_comments_are_skipped(write):
    (camera,) = load_cameras(write(COMMENTED))
    check(camera, [[99, 0, 50], [0, 99, 25], [0, 0, 1]], size=(100, 50))
    assert camera.name == 'http://a//b "c//d" /* e */ \\'


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("// a\n/* b\n */ {]", "line 3"),
        ("{ // a", "not JSON"),
        ('{"a": "b // c', "not JSON"),
        ("{} /* no end", "has neither"),
        ("{} /", "not JSON"),
        ('{"a": 1 /', "not JSON"),
    ],
)
def test_errors_in_files_with_comments(write, content, where):
    refused(write(content), where)


def test_comments_take_linear_time(write):
    refused(write("//" + '\\"' * 500_000 + "\n" + '"' + '\\"' * 500_000), "not JSON")
    refused(write("[" + '"/*",' * 200_000 + "//"), "not JSON")
    refused(write("/**/" * 300_000 + "["), "not JSON")


# Folders


def test_synthetic_scenes(write):
    for split, number in (("train", 3), ("val", 1), ("test", 2)):
        document = nerf(camera_angle_x=0.7)
        document["frames"] *= number
        folder = write(document, f"transforms_{split}.json").parent
    assert len(load_cameras(folder)) == 3
    assert len(load_cameras(folder / "transforms_test.json")) == 2
    write(nerf(fl_x=9))
    assert len(load_cameras(folder)) == 1
