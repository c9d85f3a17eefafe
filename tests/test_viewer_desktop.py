"""Parts of the viewer's window that need no window: keys, layout, messages, pace."""

from __future__ import annotations

import importlib.util
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from shapes import box, merged, pixel_rays

import ddepth_gl as dd
from ddepth_gl import _packages
from ddepth_gl.viewer.desktop.layout import Layout, moved_point
from ddepth_gl.viewer.desktop.messages import Messages
from ddepth_gl.viewer.desktop.pace import Pace
from ddepth_gl.viewer.keys import KEYS
from ddepth_gl.viewer.session import Session
from ddepth_gl.viewer.state import ViewerState

needs_imgui = pytest.mark.skipif(
    importlib.util.find_spec("imgui_bundle") is None or importlib.util.find_spec("glfw") is None,
    reason='the window\'s packages are not installed: pip install "ddepth-gl[viewer]"',
)


class FakeViewer:
    """What actions change."""

    def __init__(self):
        self.mesh = box()
        self.state = ViewerState.framing(self.mesh)
        self.home = self.mould_home = self.state.orbit
        self.aspect, self.layers_known = 1.5, 4
        self.has_panel, self.has_help, self.draws_section = True, False, False
        self.window, self.calls = self, []

    def framed(self, home):
        return home

    def __getattr__(self, name):
        return lambda *values: self.calls.append((name, *values))


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.action)
def test_every_key_of_the_table_does_something(key):
    from ddepth_gl.viewer.desktop.actions import perform

    def seen():
        return (viewer.state.as_dict(), viewer.has_panel, viewer.has_help, viewer.draws_section,
                list(viewer.calls))  # fmt: skip

    viewer = FakeViewer()
    viewer.state.mode = "entry" if key.action == "mode:photo" else "photo"
    viewer.state.pin = (3, 4)
    viewer.state.orbit = viewer.state.orbit.turned(7.0, 3.0).zoomed(2)
    before = seen()
    perform(viewer, key.action)
    assert seen() != before


@needs_imgui
def test_every_key_of_the_table_is_bound_once():
    from imgui_bundle import imgui

    from ddepth_gl.viewer.desktop.events import _KEYS
    from ddepth_gl.viewer.desktop.key_input import _BINDINGS

    assert {action for *_, action in _BINDINGS} >= {key.action for key in KEYS}
    combinations = [binding[:3] for binding in _BINDINGS]
    assert len(set(combinations)) == len(combinations)
    assert {key for key, *_ in combinations} <= set(_KEYS.values())
    assert _KEYS[ord("A")] == imgui.Key.a


def test_actions_turn_a_camera_of_a_file_into_an_orbit():
    from ddepth_gl.viewer.desktop.actions import perform

    viewer = FakeViewer()
    camera = dd.Camera.orbit(viewer.mesh, views=1, width=40, height=30)[0]
    viewer.state.camera = camera
    perform(viewer, "turn:left")
    assert viewer.state.camera is None
    eye = viewer.state.orbit.camera(40, 30).center
    assert np.linalg.norm(eye) == pytest.approx(np.linalg.norm(camera.center), rel=1e-6)
    # In the mould view, only the view moves.
    viewer.state.camera, viewer.state.place = camera, "mould"
    before = viewer.state.mould_orbit
    perform(viewer, "turn:left")
    assert viewer.state.camera is camera
    assert viewer.state.mould_orbit == before.turned(-10.0, 0.0)


def test_layers_stay_within_what_is_known():
    from ddepth_gl.viewer.desktop.actions import perform

    viewer = FakeViewer()
    perform(viewer, "layer:next")  # shows the layer first
    assert (viewer.state.mode, viewer.state.layer) == ("layer", 0)
    for _ in range(9):
        perform(viewer, "layer:next")
    assert viewer.state.layer == 3
    for _ in range(9):
        perform(viewer, "layer:previous")
    assert viewer.state.layer == 0


def test_escape_closes_one_thing_after_the_other():
    from ddepth_gl.viewer.desktop.actions import perform

    viewer = FakeViewer()
    viewer.has_help = viewer.draws_section = True
    viewer.state.pin, viewer.state.section = (1, 2), ((0.0, 0.0), (5.0, 5.0))

    def opened():
        state = viewer.state
        return [viewer.has_help, viewer.draws_section, state.pin is not None,
                state.section is not None]  # fmt: skip

    for count in (3, 2, 1, 0, 0):
        perform(viewer, "release")
        assert opened() == [False] * (4 - count) + [True] * count


@pytest.mark.parametrize("width", [1, 150, 640, 1280])
@pytest.mark.parametrize("height", [1, 40, 480, 840])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_areas_share_the_window(width, height, scale):
    for has_panel, has_plot in ((True, True), (True, False), (False, True), (False, False)):
        layout = Layout.of(width, height, scale, has_panel=has_panel, has_plot=has_plot)
        assert layout.image.width >= 1
        assert layout.image.height >= 1
        areas = [layout.panel, layout.status, layout.plot]
        for area in filter(None, areas):
            assert area.x >= 0
            assert area.y >= 0
            assert area.x + area.width <= width + 1e-9
            assert area.y + area.height <= height + 1e-9
        if width > 600 and height > 400:
            covered = sum(a.width * a.height for a in [layout.image, *filter(None, areas)])
            assert covered == pytest.approx(width * height)


def test_a_point_keeps_its_ray_in_an_image_of_another_size():
    state = ViewerState.framing(box())
    cameras = [None, dd.Camera.orbit(box(), views=1, width=400, height=300)[0]]
    for camera in cameras:
        state.camera = camera
        before, after = (640, 480), (500, 700)
        x, y = moved_point((280.5, 200.5), before, after, camera)
        first = state.camera_for(*before)
        _, rays, _ = pixel_rays(first)
        column, row = int(x), int(y)
        _, moved, _ = pixel_rays(state.camera_for(*after), x - column - 0.5, y - row - 0.5)
        np.testing.assert_allclose(moved[row, column], rays[200, 280], atol=1e-12)


@needs_imgui
def test_the_table_of_the_probe_has_the_thickness_of_each_wall():
    from ddepth_gl.viewer.desktop.panels.probe import cells_of

    # Two walls with a gap, the second with a smaller body inside of it; seen along -z.
    mesh = merged(
        box((-1, -1, 2), (1, 1, 2.5)), box((-1, -1, -1), (1, 1, 1)), box([-0.5] * 3, [0.5] * 3)
    )
    orbit = ViewerState.framing(mesh).orbit.seen_from("top")
    state = ViewerState(orbit=replace(orbit, is_orthographic=True), mould_orbit=orbit)

    def cells(mesh):
        with dd.DepthRenderer() as renderer:
            return cells_of(Session(renderer, mesh).probe(state, 41, 41, 20, 22))

    rows = cells(mesh)
    assert [row[3] for row in rows] == ["0.5", "", "2", "", "", ""]
    assert [row[4] for row in rows] == ["front", "back", "front", "front", "back", "back"]
    assert [row[6] for row in rows] == ["1", "0", "1", "2", "1", "0"]
    named = dd.Mesh(mesh.vertices, mesh.faces, object_names=["a name of 22 characters"])
    assert cells(named)[0][-1] == "a name of 22 characters"


CURES = [
    # Without a display, nothing else counts.
    (
        {},
        "No module named 'imgui_bundle'",
        "no window opens (DISPLAY is not set); use --web for the browser or --screenshot FILE for "
        "an image",
    ),
    (
        {"DISPLAY": ":0"},
        "libX11.so.6: cannot open shared object file: No such file or directory",
        "imgui_bundle lacks libX11.so.6; on Debian run apt-get install -y libx11-6 libxext6 libgl1 "
        "libgl1-mesa-dri, or use --web or --screenshot FILE",
    ),
    (
        {"WAYLAND_DISPLAY": "wayland-0"},
        "undefined symbol: glClear",
        "the window needs the package imgui_bundle (undefined symbol: glClear); run pip install "
        '"ddepth-gl[viewer]"',
    ),
]


@pytest.mark.parametrize(("display", "missing", "line"), CURES)
def test_what_is_missing_is_told_with_its_cure(monkeypatch, display, missing, line):
    from ddepth_gl.viewer.desktop.needs import check_needs

    def fail(name):
        raise ImportError(missing)

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(_packages, "import_module", fail)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in display.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(dd.ViewerError) as caught:
        check_needs()
    assert str(caught.value) == line


def test_what_to_do_without_a_library_of_x():
    from ddepth_gl.viewer.desktop.needs import WAYS_OUT, cure_of

    assert cure_of("X11: Failed to open display :9") == WAYS_OUT
    assert cure_of("GLX: Failed to load GLX").startswith("on Debian run apt-get install -y libx11")


def test_messages(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    messages = Messages()
    messages.note("reading", "file")
    messages.error("broken", "file")  # in place of the note
    messages.note("saved")
    assert [line.text for line in messages.shown()] == ["broken", "saved"]
    assert messages.next_end == pytest.approx(106.0)
    now[0] = 107.0
    assert [line.text for line in messages.shown()] == ["broken"]
    assert messages.next_end == float("inf")
    messages.error("broken", "file")
    assert len(messages.shown()) == 1
    messages.clear("file")
    for number in range(9):
        messages.error(f"error {number}")
    assert [line.text for line in messages.shown()] == [f"error {n}" for n in (5, 6, 7, 8)]
    messages.close(messages.shown()[0])
    assert len(messages.shown()) == 3


def test_the_resolution_follows_the_time_of_images(monkeypatch):
    now = [10.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    pace = Pace()
    assert pace.reduction == 1
    pace.move()
    assert (pace.is_moving, pace.reduction) == (True, 1)
    pace.note(90.0, is_full=True)  # too slow to move with
    assert pace.reduction == 2
    pace.note(50.0, is_full=False)
    assert pace.reduction == 4
    pace.note(50.0, is_full=False)
    assert pace.reduction == 4  # not less than that
    now[0] = pace.still_at + 0.001
    assert (pace.is_moving, pace.reduction) == (False, 1)
    # The next movement starts with what the last full image promises.
    for milliseconds, reduction in ((20.0, 1), (41.0, 2), (160.0, 2), (161.0, 4), (5000.0, 4)):
        pace.note(milliseconds, is_full=True)
        now[0] += 1.0
        pace.move()
        assert pace.reduction == reduction, milliseconds
        now[0] += 1.0
