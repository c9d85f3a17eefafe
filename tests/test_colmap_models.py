"""COLMAP models: binary files, folders of projects, and camera models that are no pinholes.

The binary reader and the table of camera models were compared with pycolmap 4.2.1.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from camera_checks import check, refused

from ddepth_gl.camera.camera import Camera
from ddepth_gl.cli.wording import in_options
from ddepth_gl.errors import CameraError
from ddepth_gl.io.cameras.read import load_cameras

# Name, id and number of parameters: https://colmap.github.io/cameras.html
MODELS = [
    ("SIMPLE_PINHOLE", 0, 3), ("PINHOLE", 1, 4), ("SIMPLE_RADIAL", 2, 4), ("RADIAL", 3, 5),
    ("OPENCV", 4, 8), ("OPENCV_FISHEYE", 5, 8), ("FULL_OPENCV", 6, 12), ("FOV", 7, 5),
    ("SIMPLE_RADIAL_FISHEYE", 8, 4), ("RADIAL_FISHEYE", 9, 5), ("THIN_PRISM_FISHEYE", 10, 12),
    ("RAD_TAN_THIN_PRISM_FISHEYE", 11, 16), ("SIMPLE_DIVISION", 12, 4), ("DIVISION", 13, 5),
    ("SIMPLE_FISHEYE", 14, 3), ("FISHEYE", 15, 4), ("EUCM", 16, 6), ("EQUIRECTANGULAR", 17, 2),
]  # fmt: skip
ONE_FOCAL = {"SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL", "SIMPLE_DIVISION"}
PINHOLES = ONE_FOCAL | {"PINHOLE", "OPENCV", "FULL_OPENCV", "FOV", "DIVISION"}

Camera_ = tuple[int, int, int, int, list[float]]  # id, model, width, height, parameters
Image_ = tuple[int, list[float], int, bytes, int]  # id, pose, camera id, name, number of points
CAMERAS: list[Camera_] = [
    (1, 1, 64, 48, [100.0, 110.0, 33.0, 21.0]),
    (7, 0, 32, 16, [50.0, 16.5, 8.0]),
]
HALF = 0.5**0.5
IMAGES: list[Image_] = [
    (12, [HALF, 0, 0, HALF, 1, 2, 3], 7, b"seq 1/second image.png", 0),
    (3, [1, 0, 0, 0, 0.5, -0.5, 4], 1, b"0003.png", 2),
    (5, [2, 2, 2, 2, 0, 0, 0], 1, "straße.png".encode(), 5),
]


def cameras_bin(cameras: list[Camera_] = CAMERAS) -> bytes:
    parts = [struct.pack("<Q", len(cameras))]
    for *head, parameters in cameras:
        parts.append(struct.pack(f"<IiQQ{len(parameters)}d", *head, *parameters))
    return b"".join(parts)


def images_bin(images: list[Image_] = IMAGES) -> bytes:
    parts = [struct.pack("<Q", len(images))]
    for image_id, pose, camera_id, name, points in images:
        parts.append(struct.pack("<I7dI", image_id, *pose, camera_id) + name + b"\0")
        parts.append(struct.pack("<Q", points))
        parts += [struct.pack("<ddQ", 1.5, 2.5, 2**64 - 1)] * points
    return b"".join(parts)


def cameras_txt(cameras: list[Camera_] = CAMERAS) -> str:
    names = {model_id: name for name, model_id, _ in MODELS}
    return "".join(
        f"{camera_id} {names[model]} {w} {h} {' '.join(map(repr, parameters))}\n"
        for camera_id, model, w, h, parameters in cameras
    )


def images_txt(images: list[Image_] = IMAGES) -> str:
    return "".join(
        f"{image_id} {' '.join(map(repr, pose))} {camera_id} {name.decode()}\n"
        + " ".join(["1.5 2.5 -1"] * points)
        + "\n"
        for image_id, pose, camera_id, name, points in images
    )


Write = Callable[..., Path]


@pytest.fixture
def binary(tmp_path) -> Write:
    """Return a function that writes a binary model and returns its folder."""

    def write(
        cameras: bytes = cameras_bin(), images: bytes = images_bin(), where: str = ""
    ) -> Path:
        folder = tmp_path / where
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cameras.bin").write_bytes(cameras)
        (folder / "images.bin").write_bytes(images)
        return folder

    return write


@pytest.fixture
def text(tmp_path) -> Write:
    """Return a function that writes a text model and returns its folder."""

    def write(cameras: str = cameras_txt(), images: str = images_txt(), where: str = "") -> Path:
        folder = tmp_path / where
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cameras.txt").write_text(cameras, encoding="utf-8")
        (folder / "images.txt").write_text(images, encoding="utf-8")
        return folder

    return write


def one_camera(model: int, parameters: list[float]) -> list[Camera_]:
    return [(1, model, 64, 48, parameters)]


ONE_IMAGE: list[Image_] = [(1, [1, 0, 0, 0, 0, 0, 0], 1, b"a.png", 0)]


# Binary files


def test_binary_by_hand(binary):
    first, second, third = load_cameras(binary())
    K = [[100, 0, 33], [0, 110, 21], [0, 0, 1]]
    check(first, K, [[1, 0, 0, 0.5], [0, 1, 0, -0.5], [0, 0, 1, 4], [0, 0, 0, 1]])
    # (1, 1, 1, 1) / 2 rotates by 120 degrees about (1, 1, 1): x to y, y to z, z to x.
    check(second, K, [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    turned = [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
    check(third, [[50, 0, 16.5], [0, 50, 8], [0, 0, 1]], turned, (32, 16))
    names = ["0003.png", "straße.png", "seq 1/second image.png"]
    assert [camera.name for camera in (first, second, third)] == names


def test_binary_and_text_of_a_model_are_the_same_cameras(binary, text):
    rng = random.Random(3)
    images: list[Image_] = [
        (n, [rng.uniform(-1, 1) for _ in range(7)], 1, b"%d.png" % n, n % 3) for n in range(1, 40)
    ]
    ours = load_cameras(binary(images=images_bin(images), where="b"))
    theirs = load_cameras(text(images=images_txt(images), where="t"))
    assert ours == theirs
    assert [camera.name for camera in ours] == [camera.name for camera in theirs]
    resized = load_cameras(binary(where="b"), width=32, height=96)
    np.testing.assert_allclose(resized[0].K, [[50, 0, 16.5], [0, 220, 42], [0, 0, 1]])


@pytest.mark.parametrize(
    "name",
    ["", "cameras.bin", "images.bin", "points3D.bin", "frames.bin", "rigs.bin"],
)
def test_binary_model_is_given_as_any_of_its_files(binary, name):
    assert len(load_cameras(binary() / name)) == 3


def test_binary_files_go_first_in_a_folder_and_a_file_decides(binary, text):
    binary(images=images_bin(IMAGES[:1]))
    folder = text()
    assert len(load_cameras(folder)) == 1
    assert len(load_cameras(folder / "images.bin")) == 1
    assert len(load_cameras(folder / "images.txt")) == 3
    (folder / "cameras.bin").unlink()  # half a model does not hide a whole one
    assert len(load_cameras(folder)) == 3
    (folder / "images.txt").unlink()
    refused(folder, "cameras.bin: cannot be read", "No such file")


def test_large_models_are_read_without_their_points(binary):
    images: list[Image_] = [(1, [1, 0, 0, 0, 0, 0, 0], 1, b"a.png", 200_000)]
    assert len(load_cameras(binary(images=images_bin(images)))) == 1
    refused(binary(images=images_bin(images)), "max_file_bytes", max_file_bytes=1000)


HUGE = struct.pack("<Q", 2**63)
BAD_CAMERAS = [
    (b"", "ends too early"),
    (b"\2\0\0\0", "ends too early"),
    (HUGE + cameras_bin()[8:], "9,223,372,036,854,775,808 cameras cannot be in"),
    (cameras_bin()[:-1], "camera 2 of 2", "ends too early"),
    (cameras_bin() + b"\0", "1 byte behind its 2 cameras"),
    (struct.pack("<Q", 1) + cameras_bin()[8:], "48 bytes behind its 1 camera"),
    (cameras_bin(one_camera(18, [1.0] * 4)), "camera model 18 is unknown", "model_converter"),
    (cameras_bin(one_camera(-1, [1.0] * 4)), "camera model -1 is unknown"),
    (cameras_bin(CAMERAS[:1] * 2), "camera id 1 comes twice"),
    (cameras_bin([(1, 1, 0, 48, [1.0] * 4)]), "width must be an integer from 1"),
    (cameras_bin([(1, 1, 2**64 - 1, 48, [1.0] * 4)]), "width must be an integer from 1"),
    (cameras_bin(one_camera(2, [100.0, 33.0, 21.0, 0.1])), "SIMPLE_RADIAL has distortion [0.1]",
     "colmap image_undistorter --image_path IMAGES --input_path", "--output_path OUT"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "words"), [(data, words) for data, *words in BAD_CAMERAS])
def test_bad_cameras_bin(binary, data, words):
    folder = binary(cameras=data)
    assert refused(folder, *words).startswith(f"{folder / 'cameras.bin'}: ")


def with_points(number: int) -> bytes:
    """Return an images.bin whose image claims this number of points, and has none."""
    return images_bin(ONE_IMAGE)[:-8] + struct.pack("<Q", number)


BAD_IMAGES = [
    (b"", "ends too early"),
    (HUGE + images_bin()[8:], "images cannot be in"),
    (images_bin([]), "holds no image"),
    (images_bin()[:-1], "image 3 of 3", "5 points cannot be in 119 bytes"),
    (images_bin() + b"\0\0", "2 bytes behind its 3 images"),
    (images_bin(ONE_IMAGE).replace(b"\0" * 9, b"a" * 9), "image 1 of 1", "has no end"),
    (with_points(2**61), "2,305,843,009,213,693,952 points cannot be in 0 bytes"),
    (with_points(1), "1 point cannot be in 0 bytes"),
    (images_bin(ONE_IMAGE * 2), "image 2 of 2", "'a.png'", "image id 1 comes twice"),
    (images_bin([(1, [1, 0, 0, 0, 0, 0, 0], 9, b"a", 0)]), "camera id 9 is not in cameras.bin"),
    (images_bin([(1, [0] * 7, 1, b"a", 0)]), "'a'", "cannot be normalized"),
    (images_bin([(1, [1, 0, 0, 0, float("nan"), 0, 0], 1, b"a\nb", 0)]), r"'a\nb'", "NaN"),
]


@pytest.mark.parametrize(("data", "words"), [(data, words) for data, *words in BAD_IMAGES])
def test_bad_images_bin(binary, data, words):
    folder = binary(images=data)
    assert refused(folder, *words).startswith(f"{folder / 'images.bin'}: ")


def loads(folder: Path) -> bool:
    """Return whether a damaged model loads; any other error than CameraError fails the test."""
    try:
        cameras = load_cameras(folder)
    except CameraError:
        return False
    assert all(isinstance(camera, Camera) and np.isfinite(camera.K).all() for camera in cameras)
    return True


@pytest.mark.parametrize("rounds", [150, pytest.param(1500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("file", ["cameras", "images"])
def test_damaged_binary_files_raise_camera_error_only(binary, file, rounds):
    rng = random.Random(f"{file} {rounds}")
    whole = {"cameras": cameras_bin(), "images": images_bin()}[file]
    for length in range(0, len(whole), 1500 // rounds):  # truncations
        assert not loads(binary(**{file: whole[:length]}))
    loaded = 0
    for _ in range(rounds):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 1, 2, 8])):
            position = rng.randrange(len(data))
            data[position] ^= 1 << rng.randrange(8)
        if rng.random() < 0.2:
            start = rng.randrange(len(data))
            data[start : start + rng.randrange(9)] = rng.randbytes(rng.randrange(9))
        loaded += loads(binary(**{file: bytes(data)}))
    assert loaded > 0  # a changed focal length is still a camera


# Camera models


@pytest.mark.parametrize(("name", "model_id", "number"), MODELS)
@pytest.mark.parametrize("kind", ["binary", "text"])
def test_camera_models(binary, text, kind, name, model_id, number):
    focals = [100.0] if name in ONE_FOCAL else [100.0, 110.0]
    parameters = [*focals, 33.0, 21.0] + [0.0] * 16

    def model(values: list[float]) -> Path:
        cameras = one_camera(model_id, values[:number])
        if kind == "binary":
            return binary(cameras_bin(cameras), images_bin(ONE_IMAGE))
        return text(cameras_txt(cameras), images_txt(ONE_IMAGE))

    folder = model(parameters)
    if name not in PINHOLES:
        refused(folder, f"camera model '{name}' is not a pinhole", f"--input_path {folder} ")
        return
    (camera,) = load_cameras(folder)
    check(camera, [[100, 0, 33], [0, focals[-1], 21], [0, 0, 1]], np.eye(4))
    if number > len(focals) + 2:
        parameters[number - 1] = 1e-3
        refused(model(parameters), f"{name} has distortion", "colmap image_undistorter")


def test_undistorting_command_quotes_the_folder(text):
    folder = text(cameras_txt(one_camera(2, [1.0, 2.0, 3.0, 0.1])), where="my model")
    refused(folder, f"--input_path '{folder}' --output_path OUT")


# Folders


@pytest.mark.parametrize("kind", ["binary", "text"])
@pytest.mark.parametrize("where", ["sparse/0", "sparse", "colmap/sparse/0"])
def test_project_folders(binary, text, tmp_path, kind, where):
    write = binary if kind == "binary" else text
    write(where=where)
    (tmp_path / "images").mkdir()
    (tmp_path / "database.db").write_bytes(b"")
    assert len(load_cameras(tmp_path)) == 3


def test_order_of_models_in_a_project(binary, tmp_path):
    binary(images=images_bin(IMAGES[:2]), where="sparse")
    assert len(load_cameras(tmp_path)) == 2
    binary(where="sparse/0")
    assert len(load_cameras(tmp_path)) == 3
    binary(images=images_bin(IMAGES[:1]), where="models/1")
    binary(where="models/0")
    assert len(load_cameras(tmp_path / "models")) == 3
    binary(images=images_bin(IMAGES[:1]))
    assert len(load_cameras(tmp_path)) == 1
    refused_folder = tmp_path / "empty"
    refused_folder.mkdir()
    refused(refused_folder, "holds none of", "sparse/0 or sparse")


def test_blanks_before_lines_of_text(text):
    cameras = f"   # a comment\n\t \n \t{cameras_txt()}"
    images = "  # comment\n" + "".join(f" \t{line}\n" for line in images_txt().splitlines())
    first, *_, last = load_cameras(text(cameras, images))
    assert (first.name, last.name) == ("0003.png", "seq 1/second image.png")


def test_camera_id_that_comes_twice_in_text(text):
    refused(text(cameras_txt(CAMERAS[:1] * 2)), "line 2", "camera id 1 comes twice")


def test_unreadable_model_in_a_project(tmp_path: Any):
    (tmp_path / "sparse" / "0").mkdir(parents=True)
    (tmp_path / "sparse" / "0" / "cameras.bin").mkdir()
    refused(tmp_path, "cameras.bin", "not a plain file")


def test_file_limit_names_the_argument_of_the_command_line(binary):
    message = refused(binary(), "pass a larger max_file_bytes", max_file_bytes=10)
    assert "pass a larger --max-file-mb" in in_options(message)
