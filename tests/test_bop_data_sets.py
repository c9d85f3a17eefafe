"""Data sets of BOP: image sizes, sensors, nested matrices."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from camera_checks import check, refused
from PIL import Image

from ddepth_gl.io.cameras.read import load_cameras

K = [100.0, 0.0, 31.5, 0.0, 110.0, 20.5, 0.0, 0.0, 1.0]
SHIFTED = [[100, 0, 32], [0, 110, 21], [0, 0, 1]]
SCENE = {"0": {"cam_K": K}, "7": {"cam_K": K}}


@pytest.fixture
def put(tmp_path):
    """Return a function that writes a file of the data set."""

    def put(name: str, content: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return put


def sized(width: int, height: int) -> dict[str, Any]:
    return {"width": width, "height": height, "fx": 1.0}


def png(width: int, height: int, file_format: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, file_format)
    return file.getvalue()


def sizes(path: Path, **arguments: Any) -> list[tuple[int, int]]:
    return [(camera.width, camera.height) for camera in load_cameras(path, **arguments)]


def test_camera_json_in_the_root(put, monkeypatch):
    scene = put("test/000001/scene_camera.json", SCENE)
    put("camera.json", sized(64, 48))
    for camera in load_cameras(scene):
        check(camera, SHIFTED, np.eye(4))
    assert sizes(scene.parent) == [(64, 48)] * 2
    monkeypatch.chdir(scene.parent)
    assert sizes(Path("scene_camera.json")) == [(64, 48)] * 2
    assert sizes(Path("..") / "000001") == [(64, 48)] * 2
    put("test/000001/camera.json", sized(32, 24))  # beside the file goes first
    assert sizes(scene) == [(32, 24)] * 2
    (camera, _) = load_cameras(scene, width=64, height=12)
    np.testing.assert_allclose(camera.K, [[200, 0, 64], [0, 55, 10.5], [0, 0, 1]])


def test_linked_scene_keeps_its_place(put, tmp_path):
    put("elsewhere/deep/down/scene_camera.json", SCENE)
    put("set/camera.json", sized(64, 48))
    (tmp_path / "set" / "test").mkdir()
    link = tmp_path / "set" / "test" / "000001"
    link.symlink_to(tmp_path / "elsewhere" / "deep" / "down")
    assert sizes(link) == [(64, 48)] * 2


def test_size_two_folders_up_only(put):
    put("camera.json", sized(64, 48))
    refused(put("a/test/000001/scene_camera.json", SCENE), "no image size", "root of the data set")
    refused(put("scene/scene_camera.json", SCENE), "no image size")


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        ("test_kinect/000001/scene_camera.json", (72, 54)),
        ("test_canon/000001/scene_camera.json", (256, 192)),
        ("test/000001/scene_camera_canon.json", (256, 192)),
        ("train_pbr/000001/scene_camera_kinect.json", (72, 54)),
    ],
)
def test_sensors(put, scene, expected):
    put("camera_kinect.json", sized(72, 54))
    put("camera_canon.json", sized(256, 192))
    assert sizes(put(scene, SCENE)) == [expected] * 2


def test_sensors_that_differ(put):
    put("camera_kinect.json", sized(72, 54))
    put("camera_canon.json", sized(256, 192))
    scene = put("train_pbr/000001/scene_camera.json", SCENE)
    refused(scene, "camera_canon.json (256x192)", "camera_kinect.json (72x54)", "width= and height")
    put("camera_canon.json", sized(72, 54))
    assert sizes(scene) == [(72, 54)] * 2
    put("camera.json", sized(80, 60))
    assert sizes(scene) == [(80, 60)] * 2


def test_images_decide(put):
    # As in T-LESS: training images are smaller than the sensor's.
    put("camera_kinect.json", sized(72, 54))
    scene = put("train_kinect/000001/scene_camera.json", SCENE)
    put("train_kinect/000001/rgb/000000.png", png(40, 41))
    put("train_kinect/000001/rgb/000007.png", png(50, 51))
    assert sizes(scene) == [(40, 41), (50, 51)]
    assert sizes(scene, width=10, height=20) == [(10, 20)] * 2
    for content in (png(50, 51, "JPEG"), b"\x89PNG", b"", png(50, 51).replace(b"IHDR", b"IDAT")):
        put("train_kinect/000001/rgb/000007.png", content)
        assert sizes(scene) == [(40, 41), (72, 54)]


def test_images_of_a_sensor(put):
    scene = put("test/000001/scene_camera_cam1.json", SCENE)
    put("test/000001/rgb/000000.png", png(9, 9))
    put("test/000001/gray_cam1/000000.png", png(40, 41))
    put("test/000001/gray_cam1/000007.png", png(40, 41))
    assert sizes(scene) == [(40, 41)] * 2


def test_pipe_in_place_of_an_image(put, tmp_path):
    scene = put("test/000001/scene_camera.json", SCENE)
    put("camera.json", sized(64, 48))
    (scene.parent / "rgb").mkdir()
    os.mkfifo(scene.parent / "rgb" / "000000.png")
    assert sizes(scene) == [(64, 48)] * 2


def test_bad_camera_json_in_the_root_is_named(put):
    scene = put("test/000001/scene_camera.json", SCENE)
    root = put("camera.json", {"width": 64})
    refused(scene, str(root), "'width' only")


def test_nested_matrices(put):
    nested = {
        "cam_K": np.reshape(K, (3, 3)).tolist(),
        "cam_R_w2c": [[0, 1, 0], [0, 0, -1], [-1, 0, 0]],
        "cam_t_w2c": [[0.0], [1.0], [5.0]],
    }
    (camera,) = load_cameras(put("scene_camera.json", {"0": nested}), width=64, height=48)
    check(camera, SHIFTED)


def test_scene_folder_with_named_sensors(put):
    put("camera.json", sized(64, 48))
    put("test/000001/scene_camera_rgb.json", SCENE)
    folder = put("test/000001/scene_gt_rgb.json", {}).parent
    assert sizes(folder) == [(64, 48)] * 2
    put("test/000001/scene_camera_gray1.json", SCENE)
    refused(folder, "several sensors", "scene_camera_gray1.json, scene_camera_rgb.json")


def test_other_lenses_are_refused_by_name(put):
    model = {"projection_model_type": "CameraModelType.FISHEYE624", "projection_params": [1.0]}
    scene = put("scene_camera_rgb.json", {"0": {"cam_model": model}})
    refused(scene, "image 0", "CameraModelType.FISHEYE624", "undistort")
    refused(put("scene_camera_rgb.json", {"0": {"cam_model": 5}}), "'cam_model' is 5")
