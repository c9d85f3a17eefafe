"""The viewer's window, as a person uses it: mouse, keys, dropped files, and the screen."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import imageio.v3 as iio
import numpy as np
import pytest
from programs import ROOT, kill_session
from shapes import box, merged, sphere
from x_messages import close_window, drop_file
from x_server import XServer, screen
from xdotool import Person

import ddepth_gl as dd
from ddepth_gl.viewer.modes import MODES
from ddepth_gl.viewer.session import Session
from ddepth_gl.viewer.state import ViewerState

pytestmark = [
    pytest.mark.usefixtures("measured_programs"),
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in ("imgui_bundle", "glfw", "typer")),
        reason='the window\'s packages are not installed: pip install "ddepth-gl[viewer]"',
    ),
]

# The command, with its log on stderr: that tells what the window shows, see `Window`.
PROGRAM = """
import logging
logging.basicConfig(format="%(name)s: %(message)s")
logging.getLogger("ddepth_gl").setLevel(logging.DEBUG)
from ddepth_gl.cli.start import main
main()
"""
# The same, measured by coverage.
MEASURED = f"""
import coverage
measured = coverage.Coverage(
    data_file={str(ROOT / ".coverage")!r}, data_suffix=True,
    config_file={str(ROOT / "pyproject.toml")!r},
)
measured.start()
try:
    {PROGRAM.replace(chr(10), chr(10) + "    ")}
finally:
    measured.stop()
    measured.save()
"""


class Window:
    """`ddepth view` in a window that fills the screen; what it shows, from its log."""

    def __init__(self, folder, program, display, *arguments, **environment):
        search = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, "view", *map(str, arguments)],
            cwd=folder,
            env={**os.environ, "DISPLAY": display, "PYTHONPATH": search, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.shown, self.log, self.is_changed = {}, [], threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self.is_changed:
                _, is_shown, text = line.partition("viewer: shown: ")
                if is_shown:
                    self.shown = json.loads(text)
                else:
                    self.log.append(line)
                self.is_changed.notify_all()

    def wait_for(self, what, look, seconds=30.0):
        """Return what is shown as soon as `look` is true for it."""
        end = time.monotonic() + seconds
        with self.is_changed:
            while not (self.shown and look(self.shown)):
                if self.process.poll() is not None or time.monotonic() > end:
                    shown = json.dumps(self.shown, indent=1)
                    pytest.fail(f"no {what}: {shown}\n{''.join(self.log)}", pytrace=False)
                self.is_changed.wait(0.2)
            return self.shown

    def wait_for_state(self, **values):
        """Wait for values of the state, shown at full resolution."""

        def look(shown):
            state = shown["state"]
            return all(state[name] == value for name, value in values.items()) and is_full(shown)

        return self.wait_for(f"state {values}", look)

    def when_quiet(self):
        """Return what is shown once no more frames come."""
        with self.is_changed:
            while self.is_changed.wait(1.0):
                pass
            return self.shown

    def end(self, seconds=30.0):
        """Wait for the end; return the exit status, stdout, and the lines of stderr but the log."""
        status = self.process.wait(seconds)
        self.reader.join(seconds)
        lines = [line for line in self.log if not line.startswith("ddepth_gl.")]
        return status, self.process.stdout.read(), "".join(lines)


def is_full(shown):
    return shown["rendered"] == shown["size"]


@pytest.fixture
def mesh_file(tmp_path):
    path = tmp_path / "part.ply"
    mesh = box()
    dd.write_ply(path, mesh.vertices, faces=mesh.faces)
    return path


@pytest.fixture
def open_window(request, tmp_path, display_with_screen):
    """A function that opens a window and returns it, with the person in front of it."""
    opened = []
    program = MEASURED if getattr(request.config.option, "cov_source", None) else PROGRAM

    def opener(*arguments, **environment):
        person = Person(display_with_screen[0])
        person.move(1000, 700)  # over the panel, as far as the image is concerned
        window = Window(tmp_path, program, display_with_screen[0], *arguments, **environment)
        opened.append(window)
        window.wait_for("window", is_full)
        return window, person

    yield opener
    for window in opened:
        kill_session(window.process)
        window.process.stdout.close()
        window.reader.join(10)
        window.process.stderr.close()


def image_of(mesh_file, shown):
    """Return the image that the API makes of a state, (H, W, 3) uint8."""
    state = ViewerState.from_dict(shown["state"])
    with dd.DepthRenderer() as renderer:
        session = Session(renderer, dd.load_mesh(mesh_file))
        return session.image(state, *shown["size"])[..., :3]


def on_screen(folder, shown):
    """Return the part of the screen that shows the image."""
    left, top, width, height = map(int, shown["area"])
    return screen(folder)[top : top + height, left : left + width]


def middle(shown):
    left, top, width, height = shown["area"]
    return left + width / 2, top + height / 2


def center_of(shown, name):
    left, top, width, height = shown["places"][name]
    return left + width / 2, top + height / 2


def differences(folder, mesh_file, shown):
    """Return how many pixels of the screen differ from what the API computes."""
    end = time.monotonic() + 20.0
    wanted = image_of(mesh_file, shown)
    differs = np.ones(wanted.shape[:2], bool)
    while differs.any() and time.monotonic() < end:  # the X server may still be drawing
        differs = (on_screen(folder, shown) != wanted).any(axis=-1)
        if "color bar" in shown["places"]:
            left, top, width, height = map(int, shown["places"]["color bar"])
            differs[top : top + height + 2, left : left + width + 2] = False
    return int(differs.sum())


@pytest.mark.slow
def test_keys_and_colors_of_every_mode(open_window, display_with_screen, mesh_file):
    _, folder = display_with_screen
    window, person = open_window(mesh_file)
    for key, mode in enumerate(MODES, start=1):
        person.key(str(key))
        shown = window.wait_for(
            mode,
            lambda shown, mode=mode: (
                shown["state"]["mode"] == mode
                and MODES[mode].has_scale == ("color bar" in shown["places"])
                and is_full(shown)
            ),
        )
        assert differences(folder, mesh_file, shown) == 0, mode
    person.key("q")
    assert window.end() == (0, "", "")


@pytest.mark.slow
def test_mouse_and_view_keys_move_the_camera(open_window, display_with_screen, mesh_file):
    _, folder = display_with_screen
    window, person = open_window(mesh_file)
    shown = window.shown
    x, y = middle(shown)
    height = shown["area"][3]

    def orbit():
        return window.shown["state"]["orbit"]

    def changed(what, before):
        return window.wait_for(
            what, lambda shown: shown["state"]["orbit"] != before and is_full(shown)
        )

    # 90 degrees for half of the height, less what the hand was still within a click.
    before = orbit()
    person.drag((x, y), (x + height / 2, y))
    person.move(*center_of(shown, "Photo"))
    shown = window.wait_for(
        "turn",
        lambda shown: (
            is_full(shown)
            and (before["azimuth_deg"] - shown["state"]["orbit"]["azimuth_deg"]) % 360
            == pytest.approx(90, abs=1)
        ),
    )
    assert orbit()["elevation_deg"] == before["elevation_deg"]
    assert differences(folder, mesh_file, shown) == 0
    for button, key in ((2, ""), (3, ""), (1, "shift")):
        before = window.when_quiet()["state"]["orbit"]
        person.drag((x, y), (x + 40, y + 30), button, key=key)
        after = window.when_quiet()["state"]["orbit"]
        assert after["target"] != before["target"]
        assert after["azimuth_deg"] == before["azimuth_deg"]
    before = after
    person.scroll(x, y, 3)
    window.wait_for(
        "zoom",
        lambda shown: (
            shown["state"]["orbit"]["distance"] == pytest.approx(before["distance"] * 0.9**3)
        ),
    )
    for key, side in (("x", (90, 0)), ("shift+x", (-90, 0)), ("y", (0, 0)), ("z", (0, 90))):
        person.key(key)
        window.wait_for(
            key,
            lambda shown, side=side: (
                shown["state"]["orbit"]["azimuth_deg"], shown["state"]["orbit"]["elevation_deg"]
            ) == side,
        )  # fmt: skip
    person.key("p")
    shown = window.wait_for(
        "parallel rays", lambda shown: shown["state"]["orbit"]["is_orthographic"] and is_full(shown)
    )
    person.move(*center_of(shown, "Photo"))
    assert differences(folder, mesh_file, window.shown) == 0
    # A double click turns around what is under the cursor.
    person.key("h")
    before = window.wait_for(
        "home", lambda shown: not shown["state"]["orbit"]["is_orthographic"] and is_full(shown)
    )["state"]["orbit"]
    person.click(x + 20, y + 10, times=2)
    changed("new target", before)
    shown = window.when_quiet()
    left, top = shown["area"][:2]
    camera = ViewerState.from_dict(shown["state"] | {"orbit": before}).camera_for(*shown["size"])
    column, row = int(x + 20 - left), int(y + 10 - top)
    entry = dd.double_depth(mesh_file, camera).entry[row, column]
    target = camera.unproject([[column + 0.5, row + 0.5]], [entry])[0]
    np.testing.assert_allclose(shown["state"]["orbit"]["target"], target, atol=1e-5)
    assert shown["state"]["pin"] is None


@pytest.mark.slow
def test_the_first_view_holds_the_mesh_in_a_window_of_any_shape(open_window, mesh_file):
    vertices = dd.load_mesh(mesh_file).vertices

    def check(shown, key):
        """Check that all of the mesh is in the image, and nearly as large as it can be."""
        orbit = shown["state"][key]
        state = ViewerState.from_dict(shown["state"] | {"orbit": orbit, "camera": None})
        camera = state.camera_for(*shown["size"])
        pixels = camera.project(vertices)[0]
        fractions = pixels / shown["size"]
        assert (fractions > 0.0).all()
        assert (fractions < 1.0).all()
        assert abs(fractions - 0.5).max() > 0.4

    window, person = open_window(mesh_file)
    first = window.shown
    check(first, "orbit")
    for place in ("image", "mould"):
        for key in ("Tab", "Tab"):  # a wide image, and the narrow one
            person.key("Right")
            person.key("minus")
            area = window.when_quiet()["area"]
            person.key(key)
            window.wait_for("other shape", lambda shown, area=area: shown["area"] != area)
            for fits in ("h", "f"):
                person.key(fits)
                check(window.when_quiet(), "orbit" if place == "image" else "mould_orbit")
        person.key("h")
        person.key("m")
    shown = window.when_quiet()
    assert shown["state"]["orbit"] == first["state"]["orbit"]


@pytest.mark.slow
def test_a_camera_that_was_asked_for_is_shown_as_it_is(open_window, mesh_file):
    window, person = open_window(mesh_file, "--eye", "5,-7,3", "--target", "0.25,0,0")
    first = window.shown["state"]["orbit"]
    camera = ViewerState.from_dict(window.shown["state"]).camera_for(*window.shown["size"])
    np.testing.assert_allclose(camera.center, (5, -7, 3), atol=1e-9)
    person.key("Right")
    window.wait_for("turn", lambda shown: shown["state"]["orbit"] != first)
    person.key("h")
    window.wait_for("home", lambda shown: shown["state"]["orbit"] == first)


@pytest.mark.slow
def test_the_probe_and_the_section(open_window, mesh_file):
    window, person = open_window(mesh_file, "--mode", "thickness")
    shown = window.shown
    left, top, width, height = shown["area"]
    x, y = map(int, middle(shown))
    column, row = int(x - left), int(y - top)
    person.move(x, y)
    shown = window.wait_for("probe", lambda shown: shown["probe"])
    camera = ViewerState.from_dict(shown["state"]).camera_for(*shown["size"])
    maps = dd.double_depth(mesh_file, camera)
    lines = shown["probe"].splitlines()
    assert lines[:4] == [
        f"pixel ({column}, {row})",
        f"entry {maps.entry[row, column]:.6g}",
        f"exit {maps.exit[row, column]:.6g}",
        f"thickness {maps.thickness[row, column]:.6g}",
    ]
    assert "2 crossings:" in lines
    person.move(left + 5, top + 5)
    window.wait_for("miss", lambda shown: "meets nothing" in (shown["probe"] or ""))
    # A click pins it; it stays when the cursor moves on, and is released by Escape.
    person.click(x, y)
    window.wait_for_state(pin=[column, row])
    person.move(left + 5, top + 5)
    pinned = window.wait_for("pinned probe", lambda shown: shown["probe"] == "\n".join(lines))
    # Where the image becomes smaller, the pin stays on its ray.
    person.key("c")
    person.drag((left + 20, y), (left + width - 20, y + 40))
    window.wait_for("section", lambda shown: "section plot" in shown["places"])
    shown = window.when_quiet()
    assert shown["size"][1] < pinned["size"][1]
    state = shown["state"]
    (x0, y0), (x1, y1) = state["section"]
    assert x1 - x0 == pytest.approx((width - 40) * shown["size"][1] / height, rel=0.02)
    assert y1 > y0
    window.wait_for("probe in the smaller image", lambda shown: "2 crossings" in shown["probe"])
    person.key("Escape")
    window.wait_for_state(pin=None)
    person.key("Escape")
    window.wait_for_state(section=None)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.25, 1.75])
def test_a_screen_of_small_pixels(open_window, display_with_screen, mesh_file, scale):
    display, folder = display_with_screen
    with XServer(display) as server:
        server.set_resources(f"Xft.dpi:\t{96 * scale:.0f}\n")
    window, person = open_window(mesh_file, "--mode", "thickness")
    shown = window.shown
    # Text and panels are larger, the window is not; an image has a pixel for each of the screen.
    left, top, width, height = shown["area"]
    assert 1022 - scale < width + 336 * scale <= 1024
    assert 766 - scale < height + int(30 * scale) <= 768
    assert shown["size"] == [width, height]
    assert differences(folder, mesh_file, shown) == 0
    x, y = map(int, middle(shown))
    pixel = [int(x - left), int(y - top)]
    person.click(x, y)
    shown = window.wait_for("pin", lambda shown: shown["state"]["pin"] and shown["probe"])
    assert shown["state"]["pin"] == pixel
    camera = ViewerState.from_dict(shown["state"]).camera_for(*shown["size"])
    entry = dd.double_depth(mesh_file, camera).entry[pixel[1], pixel[0]]
    assert shown["probe"].splitlines()[:2] == [f"pixel ({x}, {y})", f"entry {entry:.6g}"]


@pytest.mark.slow
def test_widgets_of_the_panel(open_window, display_with_screen, tmp_path):
    display, folder = display_with_screen
    mesh = merged(*(box([-k] * 3, [k] * 3) for k in (1.0, 2.0, 3.0)))
    mesh_file = tmp_path / "shells.ply"
    dd.write_ply(mesh_file, mesh.vertices, faces=mesh.faces)
    window, person = open_window(mesh_file)
    person.click(*center_of(window.shown, "Layer"))
    shown = window.wait_for("slider", lambda shown: "layer slider" in shown["places"])
    left, top, width, height = shown["places"]["layer slider"]
    person.drag((left + 12, top + height / 2), (left + width - 3, top + height / 2))
    shown = window.wait_for_state(layer=5)  # of six
    assert differences(folder, mesh_file, shown) == 0
    person.click(*center_of(shown, "Thickness"))
    shown = window.wait_for_state(mode="thickness")
    person.click(*center_of(shown, "Colors"))
    window.wait_for("list", lambda shown: "Colors:cividis" in shown["places"])
    person.click(*center_of(window.when_quiet(), "Colors:cividis"))
    shown = window.wait_for_state(color_map="cividis")
    left, top, width, height = shown["places"]["range"]
    person.drag((left + 20, top + height / 2), (left + 60, top + height / 2))
    window.wait_for("range", lambda shown: shown["state"]["limits"])
    shown = window.when_quiet()
    assert shown["limits"] == shown["state"]["limits"]
    assert differences(folder, mesh_file, shown) == 0
    person.click(*center_of(shown, "auto range"))
    window.wait_for_state(limits=None)
    person.click(*center_of(shown, "Orthographic"))
    window.wait_for("parallel rays", lambda shown: shown["state"]["orbit"]["is_orthographic"])
    # Parts that are folded.
    person.click(*center_of(shown, "Probe"))
    person.click(*center_of(shown, "View"))
    window.wait_for("folded part", lambda shown: "fov" not in shown["places"])
    person.click(*center_of(window.when_quiet(), "Rendering"))
    shown = window.wait_for("rendering", lambda shown: "Surfaces" in shown["places"])
    person.click(*center_of(shown, "Engine"))
    window.wait_for("list", lambda shown: "Engine:raster" in shown["places"])
    person.click(*center_of(window.when_quiet(), "Engine:raster"))
    shown = window.wait_for_state(engine="raster")
    assert shown["engine"] == "raster"
    person.click(*center_of(shown, "odd"))
    window.wait_for_state(highlight_odd=True)
    person.click(*center_of(shown, "Mould view"))
    shown = window.wait_for("mould", lambda shown: "All layers" in shown["places"])
    person.click(*center_of(shown, "All layers"))
    shown = window.wait_for_state(place="mould", mould_layers=True)
    assert len(np.unique(on_screen(folder, shown).reshape(-1, 3), axis=0)) > 10
    before = shown["state"]
    x, y = middle(shown)
    person.drag((x, y), (x + 60, y + 20))
    shown = window.wait_for(
        "turned mould", lambda shown: shown["state"]["mould_orbit"] != before["mould_orbit"]
    )
    assert shown["state"]["orbit"] == before["orbit"]
    person.key("s")
    window.wait_for("saved", lambda shown: any(t.startswith("saved ") for t in shown["messages"]))
    shown = window.when_quiet()
    saved = iio.imread(tmp_path / "shells_mould.png")[..., :3]
    differs = (on_screen(folder, shown) != saved).any(axis=-1)
    assert 0 < differs.sum() < 0.1 * differs.size  # the message
    person.key("Tab")
    wide = window.wait_for("no panel", lambda shown: shown["area"][2] > shown["area"][3])
    assert "Mould view" not in wide["places"]
    close_window(display, 400, 300)
    assert window.end() == (0, "", "")


@pytest.mark.slow
def test_files_are_dropped_saved_and_stepped_through(
    open_window, display_with_screen, mesh_file, tmp_path
):
    display, folder = display_with_screen
    other = tmp_path / "ball.ply"
    mesh = sphere()
    dd.write_ply(other, mesh.vertices, faces=mesh.faces)
    broken = tmp_path / "broken file.obj"
    broken.write_text("v 0 0 0\nf 1 2 3\n")
    cameras = tmp_path / "cameras.json"
    dd.save_cameras(cameras, dd.Camera.orbit(mesh, views=3, width=400, height=300))
    window, person = open_window(mesh_file, "--cameras", cameras, "--mode", "entry")
    x, y = map(int, middle(window.shown))
    first = window.shown["state"]["camera"]
    person.key("period")
    second = window.wait_for("camera", lambda shown: shown["state"]["camera"] not in (None, first))
    assert dd.Camera.from_dict(second["state"]["camera"]) == dd.load_cameras(cameras)[1]
    person.move(*center_of(window.shown, "Photo"))
    assert differences(folder, mesh_file, window.wait_for("image", is_full)) == 0
    # A broken file is a message; what is shown stays.
    assert drop_file(display, broken, x, y)
    shown = window.wait_for(
        "message", lambda shown: any("broken file.obj" in text for text in shown["messages"])
    )
    assert shown["state"]["camera"] == second["state"]["camera"]
    assert len(shown["messages"]) == 1
    assert "\n" not in shown["messages"][0]
    assert drop_file(display, other, x, y)
    shown = window.wait_for("other mesh", lambda shown: shown["name"] == "ball" and is_full(shown))
    assert shown["messages"] == []
    assert shown["state"]["camera"] is None
    person.move(*center_of(shown, "Photo"))
    assert differences(folder, other, shown) == 0
    # A folder, a file that is gone, and one without permission to read are messages, too.
    gone = tmp_path / "gone.ply"
    assert drop_file(display, gone, x, y)
    window.wait_for("message", lambda shown: any("gone.ply" in text for text in shown["messages"]))
    assert drop_file(display, tmp_path, x, y)
    window.wait_for("message", lambda shown: len(shown["messages"]) == 1)
    person.key("s")
    window.wait_for(
        "saved image", lambda shown: any(t.startswith("saved ") for t in shown["messages"])
    )
    (text,) = [text for text in window.shown["messages"] if text.startswith("saved ")]
    saved = iio.imread(tmp_path / text.removeprefix("saved "))
    np.testing.assert_array_equal(saved[..., :3], image_of(other, window.shown))
    person.key("q")
    assert window.end() == (0, "", "")


@pytest.mark.slow
def test_every_button_that_saves_writes_its_file(open_window, mesh_file, tmp_path):
    window, person = open_window(mesh_file)
    person.click(*center_of(window.shown, "Probe"))  # folded, to make room
    person.click(*center_of(window.shown, "View"))
    window.wait_for("folded part", lambda shown: "fov" not in shown["places"])
    person.click(*center_of(window.when_quiet(), "Save"))
    window.wait_for("buttons", lambda shown: "save:image" in shown["places"])
    shown = window.when_quiet()
    for kind, names in (
        ("image", {"part_photo.png"}),
        ("npz", {"part_maps.npz"}),
        ("ply", {"part_front.ply", "part_back.ply"}),
        ("camera", {"part_camera.json"}),
    ):
        before = {path.name for path in tmp_path.iterdir()}
        person.click(*center_of(shown, f"save:{kind}"))
        window.wait_for(
            kind, lambda shown, names=names: any(min(names) in text for text in shown["messages"])
        )
        assert {path.name for path in tmp_path.iterdir()} - before == names
    assert window.shown["state"]["place"] == "image"


@pytest.mark.slow
def test_nothing_is_drawn_while_nothing_changes(open_window, mesh_file):
    window, person = open_window(mesh_file)
    x, y = middle(window.shown)
    person.click(x, y)
    window.wait_for("probe", lambda shown: shown["state"]["pin"] and shown["probe"])
    frames = window.when_quiet()["frames"]
    time.sleep(3.0)
    assert window.process.poll() is None
    assert window.when_quiet()["frames"] == frames
    person.move(x + 3, y)  # an event ends the quiet
    window.wait_for("frames", lambda shown: shown["frames"] > frames)


@pytest.mark.slow
def test_an_interrupt_ends_it(open_window, mesh_file):
    window, _ = open_window(mesh_file)
    window.process.send_signal(signal.SIGINT)
    status, out, err = window.end()
    assert (status, out) == (130, "")
    assert re.fullmatch(r"ddepth: error: interrupted; .*\n", err)


@pytest.mark.slow
def test_opengl_without_compute_shaders(open_window, display_with_screen, mesh_file):
    _, folder = display_with_screen
    versions = {"MESA_GL_VERSION_OVERRIDE": "4.1", "MESA_GLSL_VERSION_OVERRIDE": "410"}
    window, person = open_window(mesh_file, "--mode", "solid_length", **versions)
    shown = window.shown
    assert shown["engine"] == "raster"
    assert differences(folder, mesh_file, shown) == 0
    person.click(*center_of(shown, "View"))
    person.click(*center_of(shown, "Probe"))


def test_without_a_display(tmp_path, mesh_file):
    code = "from ddepth_gl.cli.start import main; main()"
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("DISPLAY", "WAYLAND_DISPLAY")}  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "view", str(mesh_file)],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(r"ddepth: error: no window opens \(.*\); .*\n", ended.stderr)
    assert "--web" in ended.stderr
    assert "--screenshot" in ended.stderr


# Everything that makes objects of OpenGL, then a look at what is left. DeviceMemoryError stands for
# errors while rendering: a line in the window.
RELEASED = """
import ctypes, sys, time
from pathlib import Path
import ddepth_gl as dd
from ddepth_gl.viewer.state import ViewerState
from ddepth_gl.viewer.modes import MODES
from ddepth_gl.viewer.desktop.show import show_window  # imports in the right order
import imgui_bundle, glfw
from imgui_bundle import imgui
from ddepth_gl.viewer.desktop.viewer import Viewer
from ddepth_gl.viewer.desktop.window import Window

class Load:
    def __call__(self, path):
        return dd.load_mesh(path)
    def line_of(self, mesh):
        return "mesh = dd.load_mesh('part.ply')"

def function(name, result, *arguments):
    address = ctypes.cast(glfw.get_proc_address(name), ctypes.c_void_p).value
    return ctypes.CFUNCTYPE(result, *arguments)(address)

def left(kind):
    exists = function(f"glIs{kind}", ctypes.c_ubyte, ctypes.c_uint)
    return [name for name in range(1, 5000) if exists(name) and not is_deleted(kind, name)]

def is_deleted(kind, name):
    # Mesa keeps the last program, and its shaders, until the next one is used.
    if kind not in ("Program", "Shader"):
        return False
    status = ctypes.c_int()
    get = function(f"glGet{kind}iv", None, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p)
    get(name, 0x8B80, ctypes.byref(status))  # GL_DELETE_STATUS
    return bool(status.value)

path = Path(sys.argv[1])
mesh = dd.load_mesh(path)
for _ in range(2):  # a second window in the same process
    state = ViewerState.framing(mesh)
    with Window("test", 500, 400) as window:
        viewer = Viewer(window, mesh, state, name="part", load=Load())

        def frames():
            for _ in range(3):
                window.wait(0)
                viewer.draw()

        for mode in MODES:
            state.mode, state.highlight_odd = mode, mode in ("entry", "layer")
            frames()
        state.pin, state.section = (60, 150), ((5.0, 150.0), (140.0, 160.0))
        frames()
        assert viewer.probe is not None and viewer.section is not None
        state.place = "mould"
        frames()
        state.mould_layers = viewer.shows_mesh = True
        frames()
        state.place, state.engine, state.section = "image", "raster", None
        frames()
        assert viewer.picture.engine == "raster"
        viewer.open(path)
        state.engine = "auto"
        frames()
        viewer.copy_lines()
        assert glfw.get_clipboard_string(None).startswith(b"import ddepth_gl as dd")

        # Rendering fails: one line, nothing is drawn, and the next image is there again.
        def no_memory(*_):
            raise dd.DeviceMemoryError("the device has no memory left; make the window smaller")
        images = viewer.picture._images
        images.update = no_memory
        state.mode = "exit"
        frames()
        assert [m.text for m in viewer.messages.shown() if m.is_error] == [
            "the device has no memory left; make the window smaller"]
        time.sleep(0.5)
        frames()
        assert viewer._next_due() > time.monotonic() + 0.5  # it is not tried again and again
        del images.update
        state.mode = "entry"
        frames()
        assert not [m for m in viewer.messages.shown() if m.is_error]
        viewer.release()
        imgui.backends.opengl3_shutdown()
        for kind in ("Texture", "Buffer", "Framebuffer", "Renderbuffer", "VertexArray", "Program",
                     "Shader", "Sampler", "Query"):
            assert left(kind) == [], kind
        assert window.gl.error == "GL_NO_ERROR"
        imgui.backends.opengl3_init("#version 410")  # that the window can close
print("released")
"""


@pytest.mark.slow
def test_everything_is_released_and_errors_are_lines(tmp_path, display, mesh_file):
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", RELEASED, str(mesh_file)],
        cwd=tmp_path,
        env={**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("released\n", "", 0)


# The viewer in this process, frame by frame.
FRAMES = """
import sys
from collections import Counter
from pathlib import Path
import ddepth_gl as dd
from ddepth_gl.viewer.state import ViewerState
from ddepth_gl.viewer.modes import MODES
from ddepth_gl.viewer.desktop.show import show_window  # imports in the right order
import imgui_bundle, glfw
from imgui_bundle import imgui
from ddepth_gl.viewer.desktop.panels.widgets import PLACES
from ddepth_gl.viewer.desktop.viewer import Viewer
from ddepth_gl.viewer.desktop.window import Window

mesh = dd.load_mesh(sys.argv[1])
"""

# Dear ImGui takes presses by id: of two widgets with the same one, neither can be pressed.
IDS = """
seen = Counter()

def noted(draw):
    def wrapped(label, *values):
        result = draw(label, *values)
        seen[imgui.get_item_id(), label] += 1
        return result
    return wrapped

for name in ("button", "checkbox", "radio_button", "slider_int", "slider_float", "begin_combo",
             "invisible_button", "collapsing_header"):
    setattr(imgui, name, noted(getattr(imgui, name)))
unfold = imgui.collapsing_header

def unfolded(*values):
    imgui.set_next_item_open(True)
    return unfold(*values)

imgui.collapsing_header = unfolded
cameras = dd.Camera.orbit(mesh, views=3, width=40, height=30)
state = ViewerState.framing(mesh)
with Window("test", 900, 1400) as window:
    viewer = Viewer(window, mesh, state, name="part", files=2 * [Path(sys.argv[1])],
                    cameras=cameras, load=None)
    for number in range(len(MODES) + 2):
        names = list(MODES)
        state.mode = names[min(number, len(names) - 1)]
        state.place = "mould" if number >= len(names) else "image"
        state.pin, state.section = (60, 150), ((5.0, 150.0), (140.0, 160.0))
        viewer.messages.error("one")
        viewer.messages.error("two")
        seen.clear()
        window.wait(0)
        viewer.draw()
        ids = Counter(each for each, _ in seen.elements())
        assert len(ids) > 20, ids
        twice = [label for each, label in seen if ids[each] > 1]
        assert not twice, (state.mode, state.place, twice)
    viewer.release()
print("done")
"""


def run_frames(code, folder, display, *arguments):
    """Run code after FRAMES; its last line prints "done"."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", FRAMES + code, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("done\n", "", 0)


@pytest.mark.slow
def test_every_widget_has_an_id_of_its_own(tmp_path, display, mesh_file):
    run_frames(IDS, tmp_path, display, mesh_file)


# The first frame with a table, or with longer texts in it, shows it as all later ones do: no frame
# follows it while nothing happens.
TABLE = """
with Window("test", 1100, 800) as window:
    state = ViewerState.framing(mesh)
    viewer = Viewer(window, mesh, state, name="part", load=None)

    def columns():
        window.wait(0)
        viewer.draw()
        return {name: place for name, place in PLACES.items() if name.startswith("probe:")}

    columns()
    for pin in ((350, 380), (380, 400), (400, 420), (5, 5), (370, 350)):
        state.pin = pin
        viewer._pace._moving_until = 0.0  # the camera is still
        first = columns()
        assert viewer.probe is not None and viewer.probe.pixel == pin
        later = [columns() for _ in range(3)]
        if viewer.probe.crossings:
            x = [place[0] for place in first.values()]
            assert len(x) == 8 and x == sorted(set(x)), first
            assert all(b - a > 12 for a, b in zip(x, x[1:]))
            assert later == [first] * 3, (first, later)
    viewer.release()
print("done")
"""


# The ray of a pin is the same in images of other sizes, to the last bit.
PIN = """
with Window("test", 1100, 800) as window:
    state = ViewerState.framing(mesh, mode="thickness")
    viewer = Viewer(window, mesh, state, name="part", load=None)

    def probe():
        viewer._pace._moving_until = 0.0
        for _ in range(4):
            window.wait(0)
            viewer.draw()
        return viewer.probe

    probe()
    camera = dd.Camera.orbit(mesh, views=1, width=400, height=300)[0]
    for state.camera in (None, camera):
        state.pin = pin = (371, 355)
        first = probe()
        assert len(first.crossings) == 2 and first.pixel == pin
        sizes = [viewer.size]
        for step in range(3):
            if step % 2 == 0:
                state.section = ((5.0, 150.0), (140.0, 160.0))
            viewer.has_panel = step != 1
            after = probe()
            sizes.append(viewer.size)
            assert state.pin != pin and after.pixel == state.pin
            assert (after.crossings, after.thickness) == (first.crossings, first.thickness)
            x, y = viewer.pin_point
            assert state.pin == (int(x), int(y))
        state.section = None
        assert (probe(), state.pin, viewer.size) == (first, pin, sizes[0])
        assert len(set(sizes)) == 3, sizes
        state.pin = (300, 300)  # another one is that of this image
        assert probe().pixel == (300, 300) and viewer.pin_image == (viewer.size, (300, 300))
    viewer.release()
print("done")
"""


@pytest.mark.slow
def test_a_pin_stays_on_its_ray(tmp_path, display, mesh_file):
    run_frames(PIN, tmp_path, display, mesh_file)


# A window that was one pixel large, as some systems make those that are minimized, shows the same.
RESIZED = """
import glfw

with Window("test", 1100, 800) as window:
    state = ViewerState.framing(mesh, mode="thickness")
    viewer = Viewer(window, mesh, state, name="part", load=None, is_framed=True)

    def drawn(width, height):
        glfw.set_window_size(window._window, width, height)
        for _ in range(200):
            window.wait(0.02)
            if glfw.get_window_size(window._window) == (width, height):
                break
        viewer._pace._moving_until = 0.0
        for _ in range(3):
            window.wait(0)
            viewer.draw()
        return viewer.size

    drawn(1100, 800)
    state.orbit = turned = state.orbit.turned(20.0, 5.0)
    state.section = ((5.0, 150.0), (140.0, 160.0))
    with_plot = drawn(1100, 800)
    section = state.section
    assert drawn(1, 1) == (1, 1) != with_plot
    assert drawn(1100, 800) == with_plot
    assert state.orbit == turned
    assert all(
        abs(a - b) < 1e-6
        for end, before in zip(state.section, section)
        for a, b in zip(end, before)
    )
    viewer.release()
print("done")
"""


@pytest.mark.slow
def test_a_window_that_was_one_pixel_large_shows_the_same(tmp_path, display, mesh_file):
    run_frames(RESIZED, tmp_path, display, mesh_file)


# With parallel rays, the plot of a section has the same scale on both axes: mesh units.
SCALE = """
from dataclasses import replace
import numpy as np

with Window("test", 1100, 800) as window:
    viewer = Viewer(window, mesh, ViewerState.framing(mesh), name="part", load=None)
    state = viewer.state

    def scale():
        frames = 0
        viewer._frames_left = 1
        while viewer._frames_left > 0 and frames < 9:
            viewer._frames_left -= 1
            window.wait(0)
            viewer.draw()
            frames += 1
        assert frames < 9
        return viewer.plot_scale

    state.section = ((5.0, 150.0), (500.0, 160.0))
    across, along = scale()
    assert abs(across * viewer.plot_size[0] - len(viewer.section)) < 1e-6 * len(viewer.section)
    state.orbit = replace(state.orbit, is_orthographic=True)
    for state.section in (((20.5, 250.5), (500.5, 300.5)), ((300.5, 50.5), (300.5, 400.5)),
                          ((20.0, 250.2), (500.0, 250.2))):
        scale()
        across, along = scale()
        assert abs(across / along - 1.0) < 1e-9, (across, along)
        low, high = viewer.section.depth_range
        assert along * viewer.plot_size[1] >= (high - low) * (1 - 1e-9)
        points = viewer.section.points
        camera = state.camera_for(*viewer.size)
        ends = camera.unproject(points[[0, -1]], [1.0, 1.0])
        length = np.linalg.norm(ends[1] - ends[0])
        from ddepth_gl.viewer.desktop.panels.section_plot import _spacing
        spacing = _spacing(viewer, viewer.section)
        assert abs(spacing * (len(points) - 1) - length) < 1e-9 * length
        assert across * viewer.plot_size[0] >= spacing * len(points) * (1 - 1e-9)
    viewer.release()
print("done")
"""


@pytest.mark.slow
def test_sections_of_parallel_rays_are_in_mesh_units(tmp_path, display, mesh_file):
    run_frames(SCALE, tmp_path, display, mesh_file)


EMPTY = """
def shown(mesh, **values):
    state = ViewerState.framing(mesh, **values)
    viewer = Viewer(window, mesh, state, name="part", load=None)
    viewer.messages.error("something failed")
    for _ in range(3):
        window.wait(0)
        PLACES.clear()
        viewer.draw()
    viewer.release()
    return viewer

window = Window("test", 900, 700)
opened = dd.Mesh(mesh.vertices, mesh.faces[1:])
mixed = dd.Mesh(mesh.vertices, [mesh.faces[0][::-1], *mesh.faces[1:]])
line = "The solid length is unknown:"
for each, mode, is_unknown in (
    (mesh, "solid_length", False), (opened, "solid_length", True), (mixed, "solid_length", True),
    (opened, "thickness", False), (opened, "photo", False),
):
    viewer = shown(each, mode=mode)
    assert viewer.picture.is_unknown is is_unknown, mode
    assert (line in PLACES) is is_unknown
    # Messages leave all but the top of the image free.
    area, (x, y, width, height) = viewer.image_area.area, PLACES["message"]
    assert area.y <= y and y + height < area.y + area.height / 4
away = ViewerState.framing(opened).orbit.panned(9.0, 0.0)  # no ray meets the mesh
viewer = shown(opened, mode="solid_length", orbit=away)
assert not viewer.picture.is_unknown and line not in PLACES
window.close()
print("done")
"""


@pytest.mark.slow
def test_an_image_without_a_known_length_says_why(tmp_path, display, mesh_file):
    run_frames(EMPTY, tmp_path, display, mesh_file)


@pytest.mark.slow
def test_the_table_of_the_probe_can_be_read_at_once(tmp_path, display, mesh_file):
    run_frames(TABLE, tmp_path, display, mesh_file)


# A window that goes on: names that are no text, frames that fail anywhere, keys that come faster
# than frames.
GOES_ON = """
import ctypes, sys
from pathlib import Path
import ddepth_gl as dd
from ddepth_gl.viewer.state import ViewerState
from ddepth_gl.viewer.desktop.show import show_window  # imports in the right order
import imgui_bundle, glfw
from imgui_bundle import imgui, implot
from ddepth_gl.viewer.desktop import viewer as viewer_module
from ddepth_gl.viewer.desktop.viewer import Viewer
from ddepth_gl.viewer.desktop.window import Window

class Load:
    def __call__(self, path):
        raise KeyError("nobody expects this")
    def line_of(self, mesh):
        return "mesh = dd.demo_mesh()"

mesh = dd.Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
state = ViewerState.framing(mesh)
name = "\\udcff\\udcfe"
with Window(f"{name} - ddepth", 500, 400) as window:
    viewer = Viewer(window, mesh, state, name=name, load=Load())

    def frames(count=3):
        for _ in range(count):
            window.wait(0)
            viewer.draw()
            viewer._open_dropped()

    def errors():
        found = [m.text for m in viewer.messages.shown() if m.is_error]
        viewer.messages._lines.clear()
        return found

    frames()
    assert errors() == []

    # A name that is not UTF-8 arrives; what cannot be read is one line.
    window.events._dropper(None, 1, (ctypes.c_char_p * 1)(b"/no/\\xff.obj"))
    assert window.events.dropped == [Path("/no/\\udcff.obj")]
    frames()
    assert errors() == ["unexpected KeyError: 'nobody expects this'"], viewer.messages._lines

    # Frames that fail with windows and plots open.
    draw_status = viewer_module.draw_status
    def broken(viewer):
        imgui.begin("left open")
        imgui.push_id("left, too")
        implot.begin_plot("plot")
        raise ValueError("no such panel")
    viewer_module.draw_status = broken
    frames(5)
    assert errors() == ["unexpected ValueError: no such panel"]
    viewer_module.draw_status = draw_status
    frames()
    assert implot.begin_plot is not None and errors() == []
    def no_memory(*_, **__):
        raise dd.DeviceMemoryError("the device has no memory left")
    viewer.picture.draw = no_memory
    frames()
    assert errors() == ["the device has no memory left"]
    del viewer.picture.draw
    frames()
    assert errors() == []

    # Keys.
    type_key = window.events._keeper("key")
    def key(number, action, held=0):
        type_key(None, number, glfw.get_key_scancode(number), action, held)
    def count_frames():
        count = 0
        while window.events.are_waiting:
            frames(1)
            count += 1
        return count
    key(glfw.KEY_LEFT, glfw.PRESS)
    for _ in range(50):
        key(glfw.KEY_LEFT, glfw.REPEAT)
    key(glfw.KEY_LEFT, glfw.RELEASE)
    assert count_frames() == 2
    frames()
    before = state.orbit
    for _ in range(40):
        key(glfw.KEY_LEFT_SHIFT, glfw.PRESS)
        key(glfw.KEY_EQUAL, glfw.PRESS, glfw.MOD_SHIFT)
        key(glfw.KEY_EQUAL, glfw.RELEASE, glfw.MOD_SHIFT)
        key(glfw.KEY_LEFT_SHIFT, glfw.RELEASE, glfw.MOD_SHIFT)
    assert count_frames() <= 4
    frames()
    assert abs(state.orbit.distance / before.distance / 0.9**40 - 1) < 1e-6
    key(glfw.KEY_1, glfw.PRESS)  # another key is not swallowed
    key(glfw.KEY_1, glfw.RELEASE)
    key(glfw.KEY_2, glfw.PRESS)
    key(glfw.KEY_2, glfw.RELEASE)
    key(glfw.KEY_1, glfw.PRESS)
    key(glfw.KEY_1, glfw.RELEASE)
    assert count_frames() == 6
    assert state.mode == "photo"

    # A camera that no orbit continues.
    pose = dd.Camera.look_at((1e30, 0, 0), (2e30, 0, 0), width=8, height=8).camera_from_world
    state.camera = dd.Camera([[9, 0, 4], [0, 9, 4], [0, 0, 1]], pose, 8, 8, name="far")
    key(glfw.KEY_LEFT, glfw.PRESS)
    frames()
    (line,) = [m.text for m in viewer.messages.shown()]
    assert line.startswith("camera far cannot be turned ("), line
    assert state.camera is None
    viewer.release()
print("goes on")
"""


@pytest.mark.slow
def test_the_window_goes_on(tmp_path, display):
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", GOES_ON],
        cwd=tmp_path,
        env={**os.environ, "DISPLAY": display, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("goes on\n", "", 0)
