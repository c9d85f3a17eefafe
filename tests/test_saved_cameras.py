"""save_cameras: a transforms.json that load_cameras and other programs read alike."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapes import box
from test_camera import poses

import ddepth_gl as dd

POSE = [[0, 1, 0, 0], [0, 0, -1, 1], [-1, 0, 0, 5], [0, 0, 0, 1]]
K = [[100.0, 0.0, 33.0], [0.0, 110.0, 21.0], [0.0, 0.0, 1.0]]
CAMERA = dd.Camera(K, POSE, 64, 48, False, "images/ä.png")


def test_the_format_by_hand(tmp_path):
    path = tmp_path / "transforms.json"
    dd.save_cameras(path, [CAMERA, replace(CAMERA, width=65, name="")])
    document = json.loads(path.read_bytes().decode("ascii"))
    assert set(document) == {"camera_model", "frames"}
    assert document["camera_model"] == "PINHOLE"
    first, second = document["frames"]
    assert second == {**first, "w": 65, "file_path": ""}
    # At (5, 0, 1), the axes right, up and backward are the world's y, z and x.
    matrix = first.pop("transform_matrix")
    assert matrix == [[0, 0, 1, 5], [1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1]]
    assert first == {
        "file_path": "images/ä.png",
        "fl_x": 100.0,
        "fl_y": 110.0,
        "cx": 33.0,
        "cy": 21.0,
        "w": 64,
        "h": 48,
        "camera_from_world": POSE,
    }
    assert len(path.read_text().splitlines()) == 4  # one line per frame


numbers = st.floats(1e-3, 1e6)


@settings(deadline=None)
@given(
    pose=poses(),
    K=st.tuples(numbers, numbers, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
    size=st.tuples(st.integers(1, 1 << 30), st.integers(1, 1 << 30)),
    name=st.text().filter(lambda name: "\0" not in name),
)
def test_cameras_come_back_equal(tmp_path_factory, pose, K, size, name):
    path = tmp_path_factory.mktemp("cameras") / "views.json"
    matrix = np.diag([K[0], K[1], 1.0])
    matrix[:2, 2] = K[2:]
    cameras = [dd.Camera(matrix, pose, *size, name=name), CAMERA]
    dd.save_cameras(path, iter(cameras))
    again = dd.load_cameras(path)
    assert again == cameras
    assert [camera.name for camera in again] == [name, CAMERA.name]
    # Other programs read transform_matrix alone.
    for frame, camera in zip(json.loads(path.read_text())["frames"], cameras, strict=True):
        opengl = np.array(frame["transform_matrix"]) @ np.diag([1, -1, -1, 1])
        scale = max(1.0, np.abs(camera.camera_from_world).max())
        np.testing.assert_allclose(opengl @ camera.camera_from_world, np.eye(4), atol=1e-14 * scale)


@pytest.mark.parametrize("scale", [0.0, 1e-12, 1e12])
def test_positions_of_any_size_come_back_and_may_be_edited(tmp_path, scale):
    pose = dd.Camera.look_at((3, 2, 1), (0, 0, 0)).camera_from_world.copy()
    pose[:3, 3] *= scale
    camera = replace(CAMERA, camera_from_world=pose)
    dd.save_cameras(tmp_path / "transforms.json", [camera])
    assert dd.load_cameras(tmp_path) == [camera]
    document = json.loads((tmp_path / "transforms.json").read_text())
    document["frames"][0]["transform_matrix"][0][3] += 1e-3 * scale + 1e-20
    (tmp_path / "transforms.json").write_text(json.dumps(document))
    (edited,) = dd.load_cameras(tmp_path)
    moved = camera.center + np.array([1e-3 * scale + 1e-20, 0, 0])
    np.testing.assert_allclose(edited.center, moved, rtol=0, atol=1e-14 * scale + 1e-30)


def test_many_views_come_back_equal_and_resized(tmp_path):
    cameras = dd.Camera.orbit(box(), views=100, width=64, height=48)
    dd.save_cameras(str(tmp_path / "transforms.json"), cameras)
    assert dd.load_cameras(tmp_path) == cameras
    half = dd.load_cameras(tmp_path, width=32, height=24)
    assert [camera.K.tolist() for camera in half] == [
        (camera.K * [[0.5], [0.5], [1.0]]).tolist() for camera in cameras
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"camera_from_world": None},
        {"camera_from_world": "other"},
        {"camera_from_world": np.eye(4).tolist()},
        {"camera_from_world": np.ones((4, 4)).tolist()},
        {"transform_matrix": [[0, 0, 1, 5 + 1e-9], [1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 1]]},
    ],
)
def test_the_matrix_that_others_read_decides(tmp_path, change):
    path = tmp_path / "transforms.json"
    dd.save_cameras(path, [CAMERA])
    document = json.loads(path.read_text())
    document["frames"][0] |= change
    path.write_text(json.dumps(document))
    (camera,) = dd.load_cameras(path)
    x = 5 + 1e-9 if "transform_matrix" in change else 5
    np.testing.assert_allclose(camera.center, (x, 0, 1), rtol=0, atol=1e-14)
    np.testing.assert_allclose(camera.camera_from_world[:3, :3], np.array(POSE)[:3, :3], atol=1e-14)


SKEWED = replace(CAMERA, K=[[100, 2.5, 33], [0, 110, 21], [0, 0, 1]])


@pytest.mark.parametrize(
    ("camera", "match"),
    [
        (
            replace(CAMERA, is_orthographic=True),
            r"camera 1 is orthographic, which .*; leave it out",
        ),
        (SKEWED, r"camera 1 has skew 2.5, which transforms.json cannot hold; leave it out"),
    ],
)
def test_cameras_that_the_format_cannot_hold(tmp_path, camera, match):
    path = tmp_path / "transforms.json"
    path.write_text("old")
    with pytest.raises(dd.OutputError, match=match):
        dd.save_cameras(path, [CAMERA, camera])
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["transforms.json"]  # noqa: PTH208


@pytest.mark.parametrize(
    ("cameras", "match"),
    [
        (CAMERA, "must be a list of cameras, not a Camera"),
        ([], "cameras is empty; pass at least one camera"),
        ([CAMERA, 5], "must be a Camera, not int"),
        (5, "must be a list of cameras, not 5"),
        ((1 / zero for zero in (0,)), "division by zero"),
    ],
)
def test_bad_cameras(tmp_path, cameras, match):
    with pytest.raises(dd.CameraError, match=match):
        dd.save_cameras(tmp_path / "transforms.json", cameras)
    assert not list(tmp_path.iterdir())


def test_unwritable(tmp_path):
    with pytest.raises(dd.OutputError, match=r"missing/views.json cannot be written"):
        dd.save_cameras(tmp_path / "missing" / "views.json", [CAMERA])
    with pytest.raises(dd.OutputError, match="is a folder"):
        dd.save_cameras(tmp_path, [CAMERA])
    with pytest.raises(dd.OutputError, match="is not the path of a file"):
        dd.save_cameras("", [CAMERA])
