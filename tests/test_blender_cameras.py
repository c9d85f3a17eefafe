"""Cameras of Blender: values worked out by hand, and Blender's view plane computed independently.

The view plane was compared with ``calc_matrix_camera`` of Blender 5.0.1 for 200 random cameras.
"""

from __future__ import annotations

import inspect
import json
import math
import random
import sys
import textwrap
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import ddepth_gl as dd

# At (1, -2, 3), looking along +y with z up: the columns are right, up and backward.
LOOKING_ALONG_Y = np.array([[1, 0, 0, 1], [0, 0, -1, -2], [0, 1, 0, 3], [0, 0, 0, 1]], float)
HD = {"resolution_x": 1920, "resolution_y": 1080}
UPRIGHT = {"resolution_x": 1080, "resolution_y": 1920}
SQUARE = {"resolution_x": 1000, "resolution_y": 1000}


def camera(matrix_world: Any = LOOKING_ALONG_Y, **arguments: Any) -> dd.Camera:
    return dd.Camera.from_blender(matrix_world, **{**HD, "lens": 50.0, **arguments})


def refused(*words: str, **arguments: Any) -> None:
    with pytest.raises(dd.CameraError) as caught:
        camera(**arguments)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message


# Focal lengths in pixels and the principal point. By default the sensor is 36 x 24 mm.
BY_HAND = [
    # The longer side is 1920 pixels and shows 36 mm.
    ({}, (1920 * 50 / 36, 1920 * 50 / 36, 960, 540)),
    (UPRIGHT, (1920 * 50 / 36, 1920 * 50 / 36, 540, 960)),
    ({"sensor_fit": "HORIZONTAL"}, (1920 * 50 / 36, 1920 * 50 / 36, 960, 540)),
    ({"sensor_fit": "HORIZONTAL", **UPRIGHT}, (1500, 1500, 540, 960)),
    ({"sensor_fit": "VERTICAL"}, (2250, 2250, 960, 540)),
    ({"sensor_fit": "VERTICAL", **UPRIGHT}, (4000, 4000, 540, 960)),
    # With AUTO, sensor_height does not count.
    ({"sensor_height": 5.0, **UPRIGHT}, (1920 * 50 / 36, 1920 * 50 / 36, 540, 960)),
    # 90 degrees: the focal length is half of the side.
    ({"lens": None, "angle_deg": 90.0}, (960, 960, 960, 540)),
    ({"lens": None, "angle_deg": 90.0, "sensor_fit": "VERTICAL"}, (540, 540, 960, 540)),
    ({"lens": None, "angle_deg": 90.0, **UPRIGHT}, (960, 960, 540, 960)),
    # A shift to the right shows more of the right: the principal point moves to the left.
    ({"lens": 36, "shift_x": 0.1}, (1920, 1920, 960 - 192, 540)),
    ({"lens": 36, "shift_y": 0.1}, (1920, 1920, 960, 540 + 192)),
    ({"lens": 36, "shift_x": -0.1, "shift_y": -0.1, **UPRIGHT}, (1920, 1920, 540 + 192, 960 - 192)),
    ({"lens": 24, "shift_y": 0.1, "sensor_fit": "VERTICAL"}, (1080, 1080, 960, 540 + 108)),
    ({"lens": 36, "shift_y": 0.1, "sensor_fit": "HORIZONTAL", **UPRIGHT}, (1080, 1080, 540, 1068)),
    # Pixels twice as high as wide: the image is 1000 x 2000 pixel widths.
    ({"lens": 36, "pixel_aspect_y": 2, **SQUARE}, (2000, 1000, 500, 500)),
    ({"lens": 36, "pixel_aspect_x": 2, **SQUARE}, (1000, 2000, 500, 500)),
    ({"lens": 36, "pixel_aspect_y": 2, "shift_x": 0.1, "shift_y": 0.1, **SQUARE},
     (2000, 1000, 300, 600)),
    ({"lens": 36, "pixel_aspect_x": 2, "shift_x": 0.1, "shift_y": 0.1, **SQUARE},
     (1000, 2000, 400, 700)),
    ({"lens": 24, "pixel_aspect_x": 2, "sensor_fit": "VERTICAL", **SQUARE}, (500, 1000, 500, 500)),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "expected"), BY_HAND)
def test_perspective_by_hand(arguments, expected):
    fx, fy, cx, cy = expected
    found = camera(**arguments)
    np.testing.assert_allclose(found.K, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], rtol=1e-12)
    assert not found.is_orthographic


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, (320, 320, 960, 540)),
        (UPRIGHT, (320, 320, 540, 960)),
        ({"sensor_fit": "VERTICAL"}, (180, 180, 960, 540)),
        ({"sensor_fit": "HORIZONTAL", **UPRIGHT}, (180, 180, 540, 960)),
        # Half the scale to the right is three units.
        ({"shift_x": 0.5, "shift_y": -0.25}, (320, 320, 0, 60)),
        ({"pixel_aspect_y": 2, **SQUARE}, (2000 / 6, 1000 / 6, 500, 500)),
        ({"lens": None, "sensor_width": 7}, (320, 320, 960, 540)),
    ],
)
def test_orthographic_by_hand(arguments, expected):
    sx, sy, cx, cy = expected
    found = camera(type="ORTHO", ortho_scale=6.0, **arguments)
    np.testing.assert_allclose(found.K, [[sx, 0, cx], [0, sy, cy], [0, 0, 1]], rtol=1e-12)
    assert found.is_orthographic


@pytest.mark.parametrize(
    ("size", "percentage", "expected"),
    [((1921, 1081), 50, (960, 540)), ((101, 67), 77, (77, 51)), ((101, 67), 150, (151, 100))],
)
def test_percentage_cuts_off_fractions(size, percentage, expected):
    found = camera(
        resolution_x=size[0], resolution_y=size[1], resolution_percentage=percentage, lens=36
    )
    assert (found.width, found.height) == expected
    # The focal length follows from the pixels that are left.
    np.testing.assert_allclose(found.K[0], [expected[0], 0, expected[0] / 2])


def test_pose_and_directions():
    found = camera(lens=36)
    np.testing.assert_allclose(found.center, (1, -2, 3), atol=1e-12)
    # One unit to the right and half a unit up, 10 units ahead.
    image, depth = found.project((2.0, 8.0, 3.5))
    np.testing.assert_allclose(image, (960 + 192, 540 - 96), rtol=1e-12)
    assert depth == pytest.approx(10.0)
    same = dd.Camera.from_opengl(found.K, LOOKING_ALONG_Y, 1920, 1080)
    assert found == same


def test_the_scale_of_the_matrix_is_dropped():
    scaled = LOOKING_ALONG_Y.copy()
    scaled[:3, :3] *= (2.0, 0.25, 7.0)
    found = camera(scaled)
    np.testing.assert_allclose(found.camera_from_world, camera().camera_from_world, atol=1e-14)
    # Two negative scales are half a turn about the third axis.
    turned = LOOKING_ALONG_Y.copy()
    turned[:3, :3] *= (-1.0, -1.0, 1.0)
    image, _ = camera(turned, lens=36).project((2.0, 8.0, 3.5))
    np.testing.assert_allclose(image, (960 - 192, 540 + 96), rtol=1e-12)
    tiny = LOOKING_ALONG_Y.copy()
    tiny[:3, :3] *= (1e-200, 1e200, 1.0)
    np.testing.assert_allclose(
        camera(tiny).camera_from_world, camera().camera_from_world, atol=1e-14
    )


def test_float32_matrix_of_blender_is_accepted():
    # A rotation by 0.3, 0.4 and 0.5 radians, rounded as in Blender.
    matrix = np.eye(4)
    for axis, angle in enumerate((0.3, 0.4, 0.5)):
        turn = np.eye(4)
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn[i, i] = turn[j, j] = math.cos(angle)
        turn[j, i], turn[i, j] = math.sin(angle), -math.sin(angle)
        matrix = turn @ matrix
    found = camera(matrix.astype(np.float32).tolist())
    np.testing.assert_allclose(found.world_from_camera[:3, 2], -matrix[:3, 2], atol=1e-6)
    np.testing.assert_allclose(camera(LOOKING_ALONG_Y[:3]).center, (1, -2, 3))


def test_y_up_camera_sees_the_exported_mesh():
    found = camera(axes="y_up", lens=36)
    np.testing.assert_allclose(found.center, (1, 3, 2), atol=1e-12)  # (x, z, -y)
    np.testing.assert_allclose(found.camera_from_world[2, :3], (0, 0, -1), atol=1e-12)
    points = np.random.default_rng(0).uniform(-1, 1, (20, 3)) + np.array([0.0, 9.0, 3.0])
    exported = np.column_stack([points[:, 0], points[:, 2], -points[:, 1]])
    for ours, theirs in zip(found.project(exported), camera(lens=36).project(points), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def view_plane_image(
    points: np.ndarray, a: dict[str, Any], width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pixels of points in Blender's camera frame, from the bounds of its view plane.

    The bounds are at depth 1, in units of the scene, as in BKE_camera_params_compute_viewplane.
    """
    fit, ycor = a["sensor_fit"], a["pixel_aspect_y"] / a["pixel_aspect_x"]
    if fit == "AUTO":
        wide = a["pixel_aspect_x"] * width >= a["pixel_aspect_y"] * height
        resolved = "HORIZONTAL" if wide else "VERTICAL"
    else:
        resolved = fit
    if a["type"] == "ORTHO":
        extent = a["ortho_scale"]
    else:
        extent = (a["sensor_height"] if fit == "VERTICAL" else a["sensor_width"]) / a["lens"]
    view_factor = width if resolved == "HORIZONTAL" else ycor * height
    pixel = extent / view_factor
    x_min, x_max = -0.5 * width, 0.5 * width
    y_min, y_max = -0.5 * ycor * height, 0.5 * ycor * height
    x_min, x_max = (x + a["shift_x"] * view_factor for x in (x_min, x_max))
    y_min, y_max = (y + a["shift_y"] * view_factor for y in (y_min, y_max))
    plane = points[:, :2] / (1.0 if a["type"] == "ORTHO" else -points[:, 2:])
    u = (plane[:, 0] / pixel - x_min) / (x_max - x_min) * width
    v = (y_max - plane[:, 1] / pixel) / (y_max - y_min) * height
    return np.column_stack([u, v]), -points[:, 2]


@pytest.mark.parametrize("seed", range(60))
def test_view_plane_of_blender(seed):
    rng = random.Random(seed)
    arguments = {
        "type": rng.choice(["PERSP", "ORTHO"]),
        "lens": rng.uniform(8, 120),
        "ortho_scale": rng.uniform(0.5, 20),
        "sensor_width": rng.uniform(5, 50),
        "sensor_height": rng.uniform(5, 50),
        "sensor_fit": rng.choice(["AUTO", "HORIZONTAL", "VERTICAL"]),
        "shift_x": rng.uniform(-1, 1),
        "shift_y": rng.uniform(-1, 1),
        "resolution_x": rng.randint(4, 2000),
        "resolution_y": rng.randint(4, 2000),
        "pixel_aspect_x": rng.choice([1.0, 1.0, 1.5, 2.3]),
        "pixel_aspect_y": rng.choice([1.0, 1.0, 1.7, 1.2]),
    }
    found = dd.Camera.from_blender(LOOKING_ALONG_Y, **arguments)
    draw = np.random.default_rng(seed)
    in_camera = np.column_stack([draw.uniform(-2, 2, (30, 2)), -draw.uniform(1, 9, 30)])
    image, depth = found.project(in_camera @ LOOKING_ALONG_Y[:3, :3].T + LOOKING_ALONG_Y[:3, 3])
    expected_image, expected_depth = view_plane_image(
        in_camera, arguments, arguments["resolution_x"], arguments["resolution_y"]
    )
    np.testing.assert_allclose(image, expected_image, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(depth, expected_depth, rtol=1e-12)


def test_angle_is_the_lens():
    for fit, sensor in (("AUTO", 36.0), ("HORIZONTAL", 36.0), ("VERTICAL", 24.0)):
        angle_deg = math.degrees(2 * math.atan(sensor / 2 / 35.0))
        by_angle = camera(lens=None, angle_deg=angle_deg, sensor_fit=fit)
        np.testing.assert_allclose(by_angle.K, camera(lens=35.0, sensor_fit=fit).K, rtol=1e-12)


def test_recipe_of_the_docstring(monkeypatch, capsys):
    """Run it with a stand-in for bpy, in which every value differs from the default."""
    data = {"type": "PERSP", "lens": 35.0, "ortho_scale": 7.0, "sensor_width": 32.0,
            "sensor_height": 18.0, "sensor_fit": "VERTICAL",
            "shift_x": 0.1, "shift_y": -0.2}  # fmt: skip
    render = {"resolution_x": 640, "resolution_y": 360, "resolution_percentage": 50,
              "pixel_aspect_x": 1.0, "pixel_aspect_y": 2.0}  # fmt: skip
    # As in Blender, it is what a script has set only after an update.
    shot = SimpleNamespace(matrix_world=np.eye(4), data=SimpleNamespace(**data))
    scene = SimpleNamespace(camera=shot, render=SimpleNamespace(**render))

    def update() -> None:
        shot.matrix_world = LOOKING_ALONG_Y

    layer = SimpleNamespace(update=update)
    bpy = SimpleNamespace(context=SimpleNamespace(scene=scene, view_layer=layer))
    monkeypatch.setitem(sys.modules, "bpy", bpy)
    text = inspect.getdoc(dd.Camera.from_blender) or ""
    recipe = text[text.index("    import bpy") : text.index("Then ``Camera")]
    exec(textwrap.dedent(recipe), {})
    arguments = json.loads(capsys.readouterr().out)
    assert arguments == {"matrix_world": LOOKING_ALONG_Y.tolist(), **data, **render}
    found = dd.Camera.from_blender(**arguments, axes="y_up")
    assert (found.width, found.height) == (320, 180)
    assert found.K[1, 1] == pytest.approx(180 * 35 / 18)


MIRRORED, SHEARED, FLAT = (LOOKING_ALONG_Y.copy() for _ in range(3))
MIRRORED[:3, 0] *= -1
SHEARED[:3, 0] += 0.5 * SHEARED[:3, 1]
FLAT[:3, 1] = 0.0


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        (("type 'PANO'", "Perspective or Orthographic"), {"type": "PANO"}),
        (("type 'CUSTOM'",), {"type": "CUSTOM"}),
        (("type must be 'PERSP' or 'ORTHO'", "'persp'"), {"type": "persp"}),
        (("one of lens and angle_deg", "lens=None"), {"lens": None}),
        (("one of lens and angle_deg",), {"angle_deg": 40.0}),
        (("lacks ortho_scale",), {"type": "ORTHO"}),
        (("ortho_scale must be positive",), {"type": "ORTHO", "ortho_scale": 0.0}),
        (("lens must be positive",), {"lens": -50}),
        (("lens must be a number",), {"lens": "50 mm"}),
        (("angle_deg must lie between",), {"lens": None, "angle_deg": 180.0}),
        (("sensor_width must be positive",), {"sensor_width": 0}),
        (("sensor_height must be positive",), {"sensor_height": 0, "sensor_fit": "VERTICAL"}),
        (("sensor_fit must be 'AUTO'",), {"sensor_fit": "auto"}),
        (("shift_x",), {"shift_x": math.nan}),
        (("shift_y",), {"shift_y": "0"}),
        (("pixel_aspect_x must be positive",), {"pixel_aspect_x": 0}),
        (("pixel_aspect_y / pixel_aspect_x",), {"pixel_aspect_x": 1e-320}),
        (("resolution_x must be an integer",), {"resolution_x": 0}),
        (("resolution_y must be an integer",), {"resolution_y": 10.5}),
        (("resolution_percentage must be an integer",), {"resolution_percentage": 0}),
        (("an image of 0 pixels",), {"resolution_x": 4, "resolution_percentage": 1}),
        (("axes must be 'blender' or 'y_up'",), {"axes": "z"}),
        (("mirrors", "positive"), {"matrix_world": MIRRORED}),
        (("shears", "parent"), {"matrix_world": SHEARED}),
        (("scale of 0",), {"matrix_world": FLAT}),
        (("last row", "transpose"), {"matrix_world": LOOKING_ALONG_Y.T}),
        (("matrix_world must have shape",), {"matrix_world": np.eye(3)}),
    ],
)
def test_refused(words, arguments):
    refused(*words, **arguments)
