"""The command `ddepth view`: its options, one line for every error, and screenshots."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shapes import box, sphere

import ddepth_gl as dd
from ddepth_gl.io.results.ply import write_mesh
from ddepth_gl.viewer.coloring import colored
from ddepth_gl.viewer.desktop import show
from ddepth_gl.viewer.session import Session
from ddepth_gl.viewer.state import ViewerState

SHOT = ("--screenshot", "out.png", "--size", "64x48")


@pytest.fixture(autouse=True)
def meshes(tmp_path, monkeypatch):
    """A working folder with some meshes."""
    monkeypatch.chdir(tmp_path)
    write_mesh(Path("box.ply"), box())
    write_mesh(Path("ball.ply"), sphere(rings=8, sides=12))
    Path("bad.ply").write_text("ply\nnonsense")
    cameras = [dd.Camera.look_at((5, 4, 3), (0, 0, 0), width=40, height=30)] * 2
    dd.save_cameras("cameras.json", cameras)


@pytest.fixture
def ddepth(ddepth):
    """Run `ddepth view`."""
    return partial(ddepth, "view")


@pytest.fixture
def shown(monkeypatch):
    """What the window was asked to show, without a window."""
    calls = []

    def show_window(mesh, state, **options):
        calls.append((mesh, state, options))

    monkeypatch.setattr(show, "show_window", show_window)
    return calls


def picture() -> np.ndarray:
    return np.array(Image.open("out.png").convert("RGB"))


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ((), {}),
        (("--mode", "thickness"), {"mode": "thickness"}),
        (("--layer", "2", "--color-map", "cividis"), {"mode": "layer", "layer": 1,
         "color_map": "cividis"}),
        (("--mode", "entry", "--range", "1,4", "--surfaces", "any"),
         {"mode": "entry", "limits": (1.0, 4.0), "surfaces": "any"}),
        (("--mode", "exit", "--engine", "raster"), {"mode": "exit", "engine": "raster"}),
    ],
)  # fmt: skip
def test_screenshots_are_the_values_in_colors(ddepth, options, state):
    code, out, err = ddepth("box.ply", *SHOT, *options)
    assert (code, err) == (0, [])
    label = {"thickness": "thickness", "layer": "layer"}.get(state.get("mode", ""), "")
    assert out.startswith("out.png: ")
    assert label in out
    assert ", 64x48 pixels, z up by default" in out
    mesh = dd.load_mesh("box.ply")
    expected = ViewerState.framing(mesh, aspect=4 / 3, **state)
    with dd.DepthRenderer(expected.engine) as renderer:
        session = Session(renderer, mesh)
        values = session.values(expected, 64, 48)
        image = colored(values, expected.mode, expected.color_map, expected.limits)
    # Shaders may round a level differently, at borders between two entries of the table.
    assert np.abs(picture().astype(int) - image[..., :3]).max() <= 2
    assert len(np.unique(picture().reshape(-1, 3), axis=0)) > 2


def test_views_of_options(ddepth, shown):
    mesh = dd.load_mesh("box.ply")

    def state_of(*options):
        code, _, err = ddepth("box.ply", *options)
        assert (code, err) == (0, [])
        return shown[-1][1]

    state = state_of("--side", "top", "--up", "y", "--fov", "30")
    assert (state.orbit.elevation_deg, state.orbit.fov_deg) == (90.0, 30.0)
    assert state.orbit.up == (0.0, 1.0, 0.0)
    state = state_of("--eye", "5,4,3", "--target", "0,0,0.5", "--ortho")
    assert state.orbit.target == (0.0, 0.0, 0.5)
    assert state.orbit.is_orthographic
    expected = dd.Camera.look_at((5, 4, 3), (0, 0, 0.5), width=64, height=48)
    ahead = state.camera_for(64, 48).camera_from_world[2, :3]
    assert ahead == pytest.approx(expected.camera_from_world[2, :3])
    state = state_of("--eye", "5,4,3", "--target", "0,0,0.5")
    camera = state.camera_for(64, 48)
    assert camera.camera_from_world == pytest.approx(expected.camera_from_world, abs=1e-12)
    assert state_of("--ortho").orbit.is_orthographic
    state = state_of("--mould-layers", "--odd", "--samples", "4")
    assert (state.place, state.mould_layers, state.highlight_odd) == ("mould", True, True)
    assert state.samples == 4
    assert state_of("--mould").place == "mould"
    cameras = dd.load_cameras("cameras.json")
    state = state_of("--cameras", "cameras.json", "--camera", "2")
    assert state.camera == cameras[1]
    assert shown[-1][2]["cameras"] == cameras
    again = state.orbit.camera(40, 30)
    assert again.camera_from_world == pytest.approx(cameras[0].camera_from_world, abs=1e-6)
    assert mesh.bounds == pytest.approx(shown[-1][0].bounds)


def test_screenshots_say_what_their_colors_mean(ddepth):
    out = ddepth("box.ply", *SHOT, "--mode", "thickness", "--ortho", "--side", "front")[1]
    assert ": thickness of box, 0 to 2 mesh units, 64x48 pixels" in out
    with Image.open("out.png") as image:
        texts = image.text
    assert (texts["mode"], texts["range_low"]) == ("thickness", "0")
    assert float(texts["range_high"]) == pytest.approx(2.0, abs=1e-6)
    assert (texts["unit"], texts["color_map"]) == ("mesh units", "plasma")
    out = ddepth("box.ply", *SHOT, "--mode", "entry", "--range", "1,4.5")[1]
    assert ": entry depth of box, 1 to 4.5 mesh units, " in out
    out = ddepth("box.ply", *SHOT, "--layer", "2")[1]
    assert ": layer 2 of box, " in out
    with Image.open("out.png") as image:
        assert image.text["layer"] == "2"
    assert ": photo of box, 64x48 pixels" in ddepth("box.ply", *SHOT)[1]
    assert ": mould of box, 64x48 pixels" in ddepth("box.ply", *SHOT, "--mould")[1]
    with Image.open("out.png") as image:
        assert image.text["mode"] == "mould"


def test_screenshots_say_when_nothing_is_known(ddepth):
    whole = box()
    write_mesh(Path("open.ply"), dd.Mesh(whole.vertices, whole.faces[:-1]))
    out = ddepth("open.ply", *SHOT, "--mode", "solid_length")[1]
    assert "of open, unknown: open or of mixed winding, see ddepth inspect, 64x48" in out
    away = ("--eye", "9,9,9", "--target", "20,20,20")
    out = ddepth("box.ply", *SHOT, "--mode", "solid_length", *away)[1]
    assert ": solid length of box, no value anywhere, 64x48" in out


def test_a_color_bar_in_the_screenshot(ddepth):
    shot = ("box.ply", "--screenshot", "out.png", "--mode", "thickness", "--size", "320x240")
    assert ddepth(*shot)[0] == 0
    plain = picture()
    assert ddepth(*shot, "--color-bar")[0] == 0
    barred = picture()
    changed = np.argwhere((plain != barred).any(axis=-1))
    assert changed.min(axis=0)[0] > 240 - 60  # in the lower left corner only
    assert changed.max(axis=0)[1] < 290
    table = colored(np.arange(256.0, dtype=np.float32)[None], "thickness")[0, :, :3]
    rows = [row for row in barred[180:] if (row[20] != row[60]).any()]
    found = {tuple(color) for row in rows for color in row}
    assert len(found & {tuple(color) for color in table}) > 200
    for options, words in (
        (("--mode", "photo"), "--color-bar has no effect with --mode photo"),
        (("--mould",), "no effect on the mould view"),
        (("--mode", "entry", "--size", "64x48"), "at least 240x80 pixels, not 64x48"),
    ):
        code, _, err = ddepth("box.ply", "--screenshot", "out.png", "--color-bar", *options)
        assert code == 1
        assert words in err[0]
    code, _, err = ddepth("box.ply", "--color-bar")
    assert (code, len(err)) == (1, 1)
    assert "give --screenshot" in err[0]


def test_screenshots_say_which_direction_was_taken_for_up(ddepth):
    line = ", z up by default (--up y if it lies on its back)"
    assert line in ddepth("box.ply", *SHOT)[1]
    assert line in ddepth("box.ply", *SHOT, "--side", "front")[1]
    # Somebody says it: an option or cameras; the demo lies as it should.
    for options in (("box.ply", "--up", "y"), ("box.ply", "--cameras", "cameras.json"), ()):
        assert " up " not in ddepth(*options, *SHOT)[1]


def test_a_camera_that_no_orbit_continues_is_named(ddepth):
    pose = dd.Camera.look_at((1e30, 0, 0), (2e30, 0, 0), width=8, height=8).camera_from_world
    K = [[9, 0, 4], [0, 9, 4], [0, 0, 1]]
    dd.save_cameras("odd.json", [dd.Camera(K, pose, 8, 8, name="far")])
    code, out, err = ddepth("box.ply", "--screenshot", "out.png", "--cameras", "odd.json")
    assert (code, out) == (1, "")
    assert len(err) == 1
    assert err[0].startswith("ddepth: error: odd.json: camera far: ")


def test_a_camera_of_a_file_decides_the_size(ddepth):
    code, out, err = ddepth("box.ply", "--screenshot", "out.png", "--cameras", "cameras.json")
    assert (code, err) == (0, [])
    assert "40x30 pixels" in out
    assert picture().shape == (30, 40, 3)


def test_several_meshes_and_broken_ones(ddepth, shown):
    code, out, err = ddepth("bad.ply", "box.ply", "ball.ply")
    assert code == 0
    assert len(err) == 1
    assert err[0].startswith("ddepth: error: bad.ply: ")
    mesh, _, options = shown[-1]
    assert [path.name for path in options["files"]] == ["box.ply", "ball.ply"]
    assert options["name"] == "box"
    assert len(mesh.faces) == 12
    assert len(options["load"](Path("ball.ply")).faces) > 12
    with pytest.raises(dd.MeshError):
        options["load"](Path("bad.ply"))
    code, out, err = ddepth("bad.ply")
    assert (code, len(err), out) == (1, 1, "")
    code, _, err = ddepth(".")
    assert code == 0
    assert [path.name for path in shown[-1][2]["files"]] == ["ball.ply", "box.ply"]


def test_without_a_mesh_the_demo_is_shown(ddepth, shown):
    assert ddepth("--mode", "exit")[0] == 0
    mesh, state, options = shown[-1]
    assert (options["name"], [*options["files"]], state.mode) == ("demo", [], "exit")
    assert options["load"].line_of(mesh) == "mesh = dd.demo_mesh()"


def test_options_of_loading_are_kept(ddepth, shown):
    assert ddepth("box.ply", "--alpha", "ignore", "--max-texture-size", "64")[0] == 0
    mesh, _, options = shown[-1]
    line = options["load"].line_of(mesh)
    assert line.endswith("box.ply', alpha='ignore', max_texture_size=64)")
    code, _, err = ddepth("box.ply", "--max-faces", "3")
    assert code == 1
    assert "--max-faces" in err[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--mode", "x"), "--mode must be 'photo' or 'entry' or"),
        (("--layer", "0"), "--layer must be at least 1, not 0; layers are counted from 1"),
        (("--layer", "1", "--mode", "exit"), "--layer has no effect with --mode exit"),
        (("--range", "3"), "--range must look like A,B, not '3'"),
        (("--range", "3,1"), "--range must be a smaller and a larger number, not 3 and 1"),
        (("--range", "nan,1"), "--range must be a smaller and a larger number"),
        (("--color-map", "zz"), "--color-map must be a color map of matplotlib, such as"),
        (("--surfaces", "x"), "--surfaces must be 'auto' or"),
        (("--engine", "x"), "--engine must be 'auto' or"),
        (("--samples", "0"), "--samples must be an integer, at least 1 and at most 128, not 0"),
        (("--side", "above"), "--side must be 'front' or"),
        (("--eye", "1,2,3"), "--eye and --target belong together"),
        (("--eye", "1,2", "--target", "0,0,0"), "--eye must look like X,Y,Z"),
        (("--eye", "0,0,0", "--target", "0,0,0"), "eye and target coincide"),
        (("--eye", "0,0,9", "--target", "0,0,0"), "parallel to the view"),
        (("--eye", "1,2,3", "--target", "0,0,0", "--side", "top"), "exclude each other"),
        (("--cameras", "cameras.json", "--fov", "30"), "--cameras brings its own projection"),
        (("--cameras", "cameras.json", "--camera", "3"), "is not in --cameras, which has 2"),
        (("--cameras", "no.json"), "no.json"),
        (("--camera", "1"), "--camera names one of --cameras"),
        (("--up", "w"), "--up must look like"),
        (("--fov", "180"), "--fov: "),
        (("--web", "--screenshot", "a.png"), "--web and --screenshot exclude each other"),
        (("--port", "80"), "--port belongs to --web"),
        (("--host", "::1"), "--host belongs to --web"),
        (("--web", "--port", "65536"), "--port must be from 0 to 65535, not 65536"),
        (("--size", "64"), "--size is that of --screenshot"),
        (("--device", "gpu"), "give --device with --web or --screenshot"),
        (("--max-faces", "-1"), "--max-faces must be at least 0"),
        (("--alpha", "x"), "--alpha must be mask or ignore"),
        (("--screenshot", "a.png", "--size", "x"), "--size must look like N or WxH"),
        (("--screenshot", "a.png", "--size", "0"), "--size: "),
        (("--screenshot", "a.jpg"), "a name that ends in .png"),
        (("--screenshot", "no/a.png"), "no/a.png"),
        (("--screenshot", "a.png", "--range", "1,2"), "--range has no effect with --mode photo"),
        (("--screenshot", "a.png", "--mode", "normals", "--color-map", "gray"),
         "--color-map has no effect with --mode normals"),
        (("--screenshot", "a.png", "--mode", "exit", "--samples", "2"), "--samples has no effect"),
        (("ball.ply", "--screenshot", "a.png"), "--screenshot shows one mesh, not 2; give one"),
        (("ball.ply", "--web"), "--web shows one mesh, not 2; give one"),
    ],
)  # fmt: skip
def test_every_error_is_one_line(ddepth, shown, arguments, message):
    code, out, err = ddepth("box.ply", *arguments)
    assert (code, out, len(err)) == (1, "", 1), (out, err)
    assert err[0].startswith("ddepth: error: ")
    assert message in err[0]
    assert not shown
    assert not list(Path().glob("a.*"))


@pytest.mark.parametrize(("name", "end"), [("", ""), ("left", ", or a name such as left")])
def test_names_of_cameras_are_told_where_they_have_some(ddepth, shown, name, end):
    camera = dd.load_cameras("cameras.json")[0]
    dd.save_cameras("named.json", [dataclasses.replace(camera, name=name)])
    _, _, err = ddepth("box.ply", "--cameras", "named.json", "--camera", "2")
    said = f"--camera 2 is not in --cameras, which has 1 camera; give a number from 1{end}"
    assert err == [f"ddepth: error: {said}"]
    assert not shown


def test_help_names_what_there_is(ddepth):
    code, out, _ = ddepth("--help")
    assert code == 0
    from ddepth_gl.viewer.modes import MODES
    from ddepth_gl.viewer.orbit import STANDARD_VIEWS

    text = " ".join(out.split())
    for name in (*MODES, *STANDARD_VIEWS):
        assert name in text


def test_without_a_display_one_line_names_the_other_ways():
    pytest.importorskip("imgui_bundle", reason="imgui-bundle is not installed")
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "ddepth_gl", "view", "box.ply"],
        env={name: text for name, text in os.environ.items() if name not in hidden},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("ddepth: error: ")
    assert "--web" in line
    assert "--screenshot" in line


# Served pages


@pytest.fixture
def served():
    """Start `ddepth view --web`; return the process and the address that it prints."""
    pytest.importorskip("viser", reason="viser is not installed: pip install viser")
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "ddepth_gl", "view", "box.ply", "--web", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        line = process.stdout.readline()
        return process, (re.findall(r"http://[\d.:]+", line) or [line])[0]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_page_ends_with_an_interrupt(served):
    process, address = served("--port", "0")
    with urllib.request.urlopen(address, timeout=20) as page:
        assert page.status == 200
    # A second one on the same port is one line.
    other, _ = served("--port", address.rpartition(":")[2])
    assert other.wait(60) == 1
    (line,) = other.stderr.read().splitlines()
    assert line.startswith("ddepth: error: ")
    assert "already in use" in line
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert process.stderr.read() == ""


def test_a_page_that_is_terminated_says_so(served):
    process, _ = served("--port", "0")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert process.stderr.read() == "ddepth: error: terminated; the viewer is closed\n"
