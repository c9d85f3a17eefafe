"""16-bit PNG: decoded by Pillow, within half a step of the depth."""

from __future__ import annotations

import json
import re

import imageio.v3 as iio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from shapes import box, rotation, sphere

import ddepth_gl as dd
from ddepth_gl.io.results.png16 import write_png16
from ddepth_gl.io.results.quantization import scale_for_cameras, smallest_scale
from ddepth_gl.jobs.render import RenderJob

MAX_STEPS = 65535


def maps_of(entry, exit_):
    """Return DepthMaps of these depths; the camera is arbitrary."""
    entry, exit_ = (np.asarray(sheet, np.float32) for sheet in (entry, exit_))
    camera = dd.Camera.look_at(
        (0, 0, 5), (0, 0, 0), (0, 1, 0), width=entry.shape[1], height=entry.shape[0]
    )
    return dd.DepthMaps(entry, exit_, camera)


def decoded(path):
    with Image.open(path) as image:
        assert image.mode == "I;16"
        steps = np.asarray(image).astype(np.int64)
    np.testing.assert_array_equal(steps, iio.imread(path))  # a second decoder agrees
    return steps


def check(folder, name, maps):
    """Assert that value times scale is the depth within half a step, and 0 a miss.

    Returns the scale.
    """
    entries = json.loads((folder / f"{name}_png16.json").read_text())
    assert entries["miss"] == 0
    for sheet in ("entry", "exit"):
        depth = getattr(maps, sheet).astype(np.float64)
        steps = decoded(folder / f"{name}_{sheet}.png")
        np.testing.assert_array_equal(steps == 0, np.isnan(depth))
        error = np.abs(steps * entries["scale"] - depth)[steps > 0]
        assert error.size == 0 or error.max() <= entries["scale"] / 2 * (1 + 1e-9)
    return entries["scale"]


def test_depth_within_half_a_step(renderer, tmp_path):
    camera = dd.Camera.look_at((2, 3, 2), (0, 0, 0), width=50, height=40)
    scene = renderer.upload(sphere(0.9))
    maps = renderer.entry_exit(scene, camera)
    scene.release()
    written = write_png16(tmp_path / "ball", maps)
    assert {path.name for path in written} == {"ball_png16.json", "ball_entry.png", "ball_exit.png"}
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in written}
    scale = check(tmp_path, "ball", maps)
    assert (
        decoded(tmp_path / "ball_exit.png").max() > MAX_STEPS / 2.6
    )  # at most 2.5 times too coarse
    assert scale * MAX_STEPS >= np.nanmax(maps.exit)


def test_the_json_file(tmp_path):
    maps = maps_of([[1, np.nan, 2]], [[3, np.nan, 4]])
    write_png16(tmp_path / "m", maps, 0.001)
    entries = json.loads((tmp_path / "m_png16.json").read_text())
    assert entries["scale"] == 0.001
    assert (entries["width"], entries["height"], entries["is_orthographic"]) == (3, 1, False)
    np.testing.assert_array_equal(entries["K"], maps.camera.K)
    np.testing.assert_array_equal(entries["camera_from_world"], maps.camera.camera_from_world)
    assert "z-depth" in entries["depth"]
    assert entries["version"].startswith("ddepth_gl 0.")


def test_nothing_but_misses(tmp_path):
    maps = maps_of(np.full((2, 3), np.nan), np.full((2, 3), np.nan))
    write_png16(tmp_path / "m", maps)
    check(tmp_path, "m", maps)


def test_the_last_step_that_fits(tmp_path):
    maps = maps_of([[1]], [[MAX_STEPS]])
    write_png16(tmp_path / "m", maps, 1.0)
    assert decoded(tmp_path / "m_exit.png")[0, 0] == MAX_STEPS
    with pytest.raises(dd.OutputError):
        write_png16(tmp_path / "m", maps_of([[1]], [[MAX_STEPS + 1]]), 1.0)
    # The failed attempt changed nothing.
    assert decoded(tmp_path / "m_exit.png")[0, 0] == MAX_STEPS


@pytest.mark.parametrize(
    ("largest", "scale"), [(7.3, 1e-4), (1e30, 1.0), (2e-5, 1e-12), (65536, 1)]
)
def test_overflow_names_a_scale_that_works(tmp_path, largest, scale):
    maps = maps_of([[largest / 3]], [[largest]])
    with pytest.raises(dd.OutputError) as caught:
        write_png16(tmp_path / "m", maps, scale)
    assert not list(tmp_path.iterdir())
    message = str(caught.value)
    assert "\n" not in message
    assert "65535" in message
    named = float(re.search(r"scale (\S+) fits", message)[1])
    write_png16(tmp_path / "m", maps, named)
    check(tmp_path, "m", maps)


def test_a_depth_that_would_read_as_a_miss(tmp_path):
    maps = maps_of([[0.4]], [[3.0]])
    with pytest.raises(dd.OutputError, match="would read as a miss") as caught:
        write_png16(tmp_path / "m", maps, 1.0)
    write_png16(tmp_path / "m", maps, float(re.search(r"scale (\S+) fits", str(caught.value))[1]))
    check(tmp_path, "m", maps)


@pytest.mark.parametrize("scale", [None, 1.0, 1e-3])
def test_depths_that_no_scale_can_hold(tmp_path, scale):
    with pytest.raises(dd.OutputError, match=r"no scale holds both 0\.001 and 1000, use npz"):
        write_png16(tmp_path / "m", maps_of([[1e-3]], [[1000.0]]), scale)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("scale", [0.0, -1.0, np.nan, np.inf])
def test_invalid_scale(tmp_path, scale):
    with pytest.raises(dd.RequestError, match="must be positive"):
        write_png16(tmp_path / "m", maps_of([[1]], [[2]]), scale)


@given(st.floats(1e-30, 1e30))
def test_scales_are_round_and_fit_tightly(largest):
    scale = smallest_scale(largest)
    assert scale * MAX_STEPS >= largest
    assert scale * MAX_STEPS < largest * 2.5 * (1 + 1e-9)
    assert re.fullmatch(r"[125](\.0+)?(e[+-]?\d+)?", f"{scale:.6e}")


@pytest.mark.parametrize("orthographic", [False, True])
def test_one_scale_for_all_images_of_a_run(renderer, tmp_path, orthographic):
    mesh = box((-1, -2, -0.5), (3, 1, 2))
    rng = np.random.default_rng(4)
    cameras = []
    for distance in (7.0, 11.0, 40.0):
        pose = np.eye(4)
        pose[:3, :3] = rotation(rng)
        pose[:3, 3] = (0, 0, distance)
        cameras.append(
            dd.Camera.orthographic(9.0, pose, 40, 30)
            if orthographic
            else dd.Camera.from_intrinsics([[40, 0, 20], [0, 40, 15], [0, 0, 1]], pose, 40, 30)
        )
    RenderJob(folder=tmp_path, formats=("png16",), preview=False).run(renderer, mesh, cameras, "m")
    scene = renderer.upload(mesh)
    for view, camera in enumerate(cameras):
        scale = check(tmp_path, f"m_{view:03d}", renderer.entry_exit(scene, camera))
        assert scale == scale_for_cameras(mesh.bounds, cameras)
    scene.release()


def test_the_scale_of_a_run_holds_every_depth_of_the_mesh():
    # The farthest vertex decides, even if it is outside the image.
    camera = dd.Camera.look_at((0, 0, 10), (0, 0, 0), (0, 1, 0), 1.0, 8, 8)
    bounds = np.array([[-5.0, -5, -90], [5, 5, 1]])
    assert scale_for_cameras(bounds, [camera]) * MAX_STEPS >= 100
    assert scale_for_cameras(bounds, [camera]) == smallest_scale(100)
    behind = dd.Camera.look_at((0, 0, 10), (0, 0, 20), (0, 1, 0), 1.0, 8, 8)
    assert scale_for_cameras(bounds, [behind]) > 0
    assert scale_for_cameras(bounds, [behind, camera]) == smallest_scale(100)
