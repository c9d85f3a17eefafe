"""The viewer of the examples: a real window on an X server, real events, and what it shows."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pytest
from programs import ROOT, kill_session, wait_until
from shapes import box
from x_server import XServer, screen

import ddepth_gl as dd

VIEWER = ROOT / "examples" / "viewer.py"
WIDTH, HEIGHT = 900, 700
# Nine colors of matplotlib's viridis, from its first to its last.
VIRIDIS = np.array([
    (68, 1, 84), (71, 45, 123), (59, 82, 139), (44, 114, 142), (33, 145, 140), (40, 174, 128),
    (94, 201, 98), (173, 220, 48), (253, 231, 37),
])  # fmt: skip

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("glfw") is None, reason="glfw is not installed: pip install glfw"
)


def start(folder, display, *arguments):
    """Start the viewer; warnings are errors."""
    search = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return subprocess.Popen(
        [sys.executable, "-W", "error", str(VIEWER), *arguments],
        cwd=folder,
        env={**os.environ, "DISPLAY": display, "PYTHONPATH": search, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(folder, display, *arguments):
    process = start(folder, display, *arguments)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        kill_session(process)
    return process.returncode, out, err


def background(picture):
    """Return which pixels show the background, (H, W) bool."""
    return (picture == picture[0, 0]).all(axis=-1)


@pytest.fixture
def mesh_file(tmp_path):
    path = tmp_path / "part.ply"
    mesh = box()
    dd.write_ply(path, mesh.vertices, faces=mesh.faces)
    return path


def test_without_glfw(tmp_path):
    code = f"import runpy, sys; sys.modules['glfw'] = None; runpy.run_path({str(VIEWER)!r})"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("viewer: the package glfw is missing; run: pip install")
    assert ended.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("view", ["photo", "entry", "exit", "thickness", "layer"])
def test_a_screenshot_of_every_view(tmp_path, display, mesh_file, view):
    picture_file = tmp_path / "picture.png"
    arguments = (str(mesh_file), "--view", view, "--screenshot", str(picture_file))
    assert run(tmp_path, display, *arguments) == (0, f"{picture_file}\n", "")
    picture = iio.imread(picture_file)
    assert picture.shape == (HEIGHT, WIDTH, 3)
    # The same view, by hand: the box is 2 wide, so its sphere has a radius of sqrt(3).
    azimuth, elevation = np.radians([35, 25])
    outward = np.array([
        np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)
    ])  # fmt: skip
    camera = dd.Camera.look_at(
        2.5 * 3**0.5 * outward, (0, 0, 0), width=WIDTH, height=HEIGHT, fov_y_deg=40
    )
    maps = dd.double_depth(mesh_file, camera)
    np.testing.assert_array_equal(background(picture), ~maps.mask)
    inside = picture[maps.mask].astype(int)
    if view == "photo":
        assert (np.ptp(inside, axis=1) == 0).all()  # gray
        return
    # Thick is bright; in depth, near is bright, and both sheets have the same colors.
    values = {"thickness": maps.thickness, "exit": maps.exit}.get(view, maps.entry)[maps.mask]
    depths = np.stack([maps.entry, maps.exit])
    dark, bright = (0, values.max()) if view == "thickness" else np.nanquantile(depths, [1, 0])
    place = (values - dark) / (bright - dark)
    nearest = np.abs(VIRIDIS[None] - inside[::97, None]).sum(axis=2).argmin(axis=1)
    assert np.abs(nearest / 8 - place[::97]).max() < 0.1


def test_errors_take_one_line(tmp_path, display, mesh_file):
    assert run(tmp_path, display, "absent.ply")[2].startswith("viewer: absent.ply")
    status, out, err = run(tmp_path, "", str(mesh_file))
    assert (status, out) == (1, "")
    assert re.fullmatch(r"viewer: GLFW opens no window \(X11: .*display.*\)\n", err)


@pytest.mark.slow
def test_a_real_drag_and_real_keys(tmp_path, display_with_screen, mesh_file):
    display, folder = display_with_screen
    viewer = start(tmp_path, display, str(mesh_file))
    with XServer(display) as server:
        try:

            def title():
                assert viewer.poll() is None, viewer.stderr.read()
                return next((name for name in server.titles() if name.startswith("part |")), "")

            def saved(view):
                path = tmp_path / f"part_{view}.png"
                path.unlink(missing_ok=True)
                server.key("s")
                assert viewer.stdout.readline() == f"part_{view}.png\n"
                return iio.imread(path)

            wait_until(title, "window")
            shown = screen(folder)
            rows, columns = np.nonzero((shown != 0).any(axis=-1))  # without a window manager
            left, top = int(columns.min()), int(rows.min())
            assert shown[top:, left:].shape[:2] >= (HEIGHT, WIDTH)

            def point(x, y):
                server.move(left + x, top + y)

            def probe(x, y):
                point(x, y)
                return wait_until(lambda: f"pixel ({x}, {y})" in title() and title(), "probe")

            # The probe under the cursor, in the middle and beside the object.
            middle = probe(WIDTH // 2, HEIGHT // 2)
            entry, exit_, thickness = (
                float(re.search(rf"{name} (\S+)", middle)[1])
                for name in ("entry", "exit", "thickness")
            )
            assert 2.0 < entry < 3.4 < exit_ - thickness + 2.0
            assert exit_ - entry == pytest.approx(thickness, rel=1e-3)
            assert "2 crossings" in middle
            assert "entry" not in probe(5, 5)

            photo = saved("photo")
            assert 0.05 < (~background(photo)).mean() < 0.6
            # The screen shows what was saved.
            window = screen(folder)[top : top + HEIGHT, left : left + WIDTH]
            np.testing.assert_array_equal(window, photo)

            # Keys.
            pictures = {"photo": photo}
            for key, view in zip("2345", ("entry", "exit", "thickness", "layer"), strict=True):
                server.key(key)
                wait_until(lambda view=view: f"| {view}" in title(), view)
                pictures[view] = saved("layer1" if view == "layer" else view)
                np.testing.assert_array_equal(background(pictures[view]), background(photo))
            assert (pictures["layer"] == pictures["entry"]).mean() > 0.5
            server.key("bracketright")
            wait_until(lambda: "| layer 2" in title(), "second layer")
            second = saved("layer2")
            assert (second != pictures["layer"]).any()
            server.key("bracketright")  # a box has no third one
            wait_until(lambda: "| layer 2" in title(), "last layer")
            server.key("2")
            wait_until(lambda: "| entry" in title(), "entries")

            # A drag, in steps as a hand makes it.
            point(300, 350)
            server.button(1, pressed=True)
            for step in range(1, 11):
                point(300 + 20 * step, 350 + 8 * step)
            server.button(1, pressed=False)
            wait_until(lambda: "pixel (500, 430)" in title(), "probe after the drag")
            turned = saved("entry")
            assert 0.05 < (~background(turned)).mean() < 0.6
            assert (turned != pictures["entry"]).any(axis=-1).mean() > 0.05
            point(400, 200)  # without the button, nothing turns
            np.testing.assert_array_equal(saved("entry"), turned)

            # The wheel, and back.
            server.button(4, pressed=True)
            server.button(4, pressed=False)
            nearer = saved("entry")
            assert (~background(nearer)).mean() > 1.1 * (~background(turned)).mean()
            server.key("r")
            np.testing.assert_array_equal(saved("entry"), pictures["entry"])

            server.key("Escape")
            assert viewer.wait(30) == 0
            assert viewer.stderr.read() == ""
        finally:
            kill_session(viewer)
            for stream in (viewer.stdout, viewer.stderr):
                stream.close()
