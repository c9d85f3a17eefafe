"""The viewer's window, used as a person does: mouse, keys, dropped files, and what the screen shows."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
import time

import pytest
from programs import ROOT, kill_session
from shapes import box
from x_server import screen
from xdotool import Person

import ddepth_gl as dd
from ddepth_gl.viewer.session import Session
from ddepth_gl.viewer.state import ViewerState

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("imgui_bundle", "glfw", "typer")),
    reason='the window\'s packages are not installed: pip install "ddepth-gl[viewer]"',
)

# The command, with its log on stderr: that tells what the window shows, see `Shown`.
PROGRAM = """
import logging
logging.basicConfig(format="%(name)s: %(message)s")
logging.getLogger("ddepth_gl").setLevel(logging.DEBUG)
from ddepth_gl.cli.start import main
main()
"""


class Window:
    """`ddepth view` in a window that fills the screen; what it shows, from its log."""

    def __init__(self, folder, display, *arguments, **environment):
        search = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PROGRAM, "view", *map(str, arguments)],
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

    def wait_for(self, what, look, seconds=60.0):
        """Return what is shown as soon as `look` is true for it."""
        end = time.monotonic() + seconds
        with self.is_changed:
            while not (self.shown and look(self.shown)):
                if self.process.poll() is not None or time.monotonic() > end:
                    pytest.fail(f"no {what}: {self.shown}\n{''.join(self.log)}")
                self.is_changed.wait(0.2)
            return self.shown

    def wait_for_state(self, **values):
        """Wait for values of the state, shown at full resolution."""

        def look(shown):
            state = shown["state"]
            return all(state[name] == value for name, value in values.items()) and is_full(shown)

        return self.wait_for(f"state {values}", look)

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
def open_window(tmp_path, display_with_screen):
    """A function that opens a window and returns it, with the person in front of it."""
    opened = []

    def opener(*arguments, **environment):
        person = Person(display_with_screen[0])
        person.move(1000, 700)  # over the panel, as far as the image is concerned
        window = Window(tmp_path, display_with_screen[0], *arguments, **environment)
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


def agreement(folder, mesh_file, shown):
    """Return the share of pixels at which the screen shows what the API computes."""
    end = time.monotonic() + 10.0
    wanted = image_of(mesh_file, shown)
    while True:  # the X server may still be drawing
        same = (on_screen(folder, shown) == wanted).all(axis=-1).mean()
        if same > 0.999 or time.monotonic() > end:
            return same
        time.sleep(0.1)


@pytest.mark.slow
def test_keys_and_colors_of_every_mode(open_window, display_with_screen, mesh_file):
    _, folder = display_with_screen
    window, person = open_window(mesh_file)
    names = ("photo", "entry", "exit", "thickness", "layer", "layer_count", "normals",
             "solid_length", "object_ids")  # fmt: skip
    for key, mode in enumerate(names, start=1):
        person.key(str(key))
        shown = window.wait_for_state(mode=mode)
        # All but the color bar.
        bar = 0.12 if "Range" in shown["places"] or mode not in ("photo",) else 0.0
        assert agreement(folder, mesh_file, shown) > 0.999 - bar, mode
    person.key("q")
    assert window.end() == (0, "", "")
