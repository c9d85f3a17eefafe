"""Viewer: the program in the window, from events to a shown image."""

from __future__ import annotations

import json
import logging
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from imgui_bundle import imgui

from ..._log import logger
from ...camera.camera import Camera
from ...errors import LeftOutWarning
from ...mesh.mesh import Mesh
from ..code_lines import code_of
from ..coloring import BACKGROUND
from ..exports import export
from ..orbit import Orbit
from ..state import ViewerState
from .actions import move
from .image_area import ImageArea
from .key_input import handle_keys
from .layout import Area, Layout, moved_point
from .messages import Messages
from .pace import Pace
from .panels.overlay import draw_messages, draw_overlay
from .panels.section_plot import draw_section_plot
from .panels.side import draw_side
from .panels.status import draw_help, draw_status
from .panels.widgets import PLACES
from .picture import Picture
from .window import Window

if TYPE_CHECKING:
    from ..probe import Probe
    from ..section import Section

__all__ = ["Loader", "Viewer"]

_LOG = logger(__name__)
_FRAMES_PER_EVENT = 3  # Dear ImGui takes some to follow one event
_LONGEST_WAIT = 0.5  # seconds; Python handles Ctrl-C after each wait
_REST_SECONDS = 0.12  # the cursor rests before the crossings below it are rendered
_BACKGROUND = tuple(each / 255 for each in BACKGROUND)
_FIXED = (
    imgui.WindowFlags_.no_decoration
    | imgui.WindowFlags_.no_move
    | imgui.WindowFlags_.no_saved_settings
    | imgui.WindowFlags_.no_bring_to_front_on_focus
    | imgui.WindowFlags_.no_nav
)


class Loader(Protocol):
    """Reads mesh files."""

    def __call__(self, path: Path) -> Mesh:
        """Return the mesh of a file."""
        ...

    def line_of(self, mesh: Mesh) -> str:
        """Return the line of Python that makes a mesh that was read."""
        ...


class Viewer:
    """A mesh in a window, with what the panels show of it.

    Args:
        window: an open window; its owner closes it, after `release`.
        mesh: the mesh.
        state: what to show; is changed.
        name: of the mesh, for title and files.
        files: mesh files to step through; the mesh is of the first.
        cameras: cameras to step through.
        load: reads mesh files.
        is_framed: see `show_window`.

    Attributes:
        size: width and height of the image at full resolution, pixels.
        home, mould_home: the first orbits.
        is_framed: whether these fit the mesh into the image, whatever its shape.
        limits: values at both ends of the color bar.
        probe: crossings of the pinned pixel, or of the one under the cursor, if they are known.
        draws_section: the next drag draws the section line.
        section_point: image coordinates of the ray under the cursor in the plot of the section.
        plot_size, plot_size_before: of that plot, without labels, pixels: now, and before it
            changed.
        plot_scale: units of its axes per pixel.
        has_panel, has_help: whether the panel and the list of keys are shown.
    """

    def __init__(
        self,
        window: Window,
        mesh: Mesh,
        state: ViewerState,
        *,
        name: str,
        files: Sequence[Path] = (),
        cameras: Sequence[Camera] = (),
        load: Loader,
        is_framed: bool = False,
    ) -> None:
        self.window, self.mesh, self.state, self.name = window, mesh, state, name
        self.files, self.file_number = list(files), 0
        self.cameras, self.camera_number = list(cameras), 0
        if state.camera is not None and state.camera in self.cameras:
            self.camera_number = self.cameras.index(state.camera)
        # A direction that was asked for is kept for the meshes that come.
        is_asked = state.camera is None and state.orbit.up != mesh.up
        self._up = state.orbit.up if is_asked else None
        self._load = load
        self.home, self.mould_home, self.is_framed = state.orbit, state.mould_orbit, is_framed
        self.messages, self.image_area, self._pace = Messages(), ImageArea(), Pace()
        self.draws_section = self.has_help = False
        self.has_panel = True
        self.size, self._has_size = (1, 1), False
        self.shows_mesh = False
        self.probe: Probe | None = None
        self._frames_left, self._resting_since = 1, 0.0
        self._rendered: tuple[Any, ...] = ()
        self._moved: tuple[Any, ...] = ()
        self._probed: tuple[Any, ...] = (None,)
        self._sectioned: tuple[Any, ...] = ()
        self._section: Section | None = None
        self._hovered: tuple[int, int] | None = None
        # The image that the pin was set in, if that had another size: (pin, size, camera) now, and
        # size and pixel then.
        self._pinned: tuple[tuple[Any, ...], tuple[tuple[int, int], tuple[int, int]]] | None = None
        self._frames, self._has_failed = 0, False
        self._to_open: Path | None = None
        self.section_point: tuple[float, float] | None = None
        self.plot_size = self.plot_size_before = 0.0, 0.0
        self.plot_scale: tuple[float, float] | None = None
        self.picture = Picture(window.gl, mesh, name, state.engine)
        self._note_mesh()

    # What panels read

    @property
    def aspect(self) -> float:
        """Width of the image divided by its height."""
        return self.size[0] / self.size[1]

    @property
    def limits(self) -> tuple[float, float]:
        """Values at both ends of the color bar."""
        return self.state.limits or self.picture.limits

    @property
    def layers_known(self) -> int:
        """Number of layers of the image, as far as they were rendered; at least 1."""
        return self.picture.layers_known

    # The loop

    def run(self) -> None:
        """Show the window until it is closed."""
        while self.window.is_wanted:
            self.window.wait(self._seconds_to_wait())
            if self.window.events.is_fresh:
                self.window.events.is_fresh = False
                self._frames_left = _FRAMES_PER_EVENT
            if self._frames_left <= 0 and time.monotonic() >= self._next_due():
                self._frames_left = 1
            if self._frames_left > 0 and not self.window.is_minimized:
                if not self.window.events.are_waiting:
                    self._frames_left -= 1
                self.draw()
                self._open_dropped()

    def _seconds_to_wait(self) -> float:
        if self._frames_left > 0 and not self.window.is_minimized:
            return 0.0
        return min(max(self._next_due() - time.monotonic(), 0.0), _LONGEST_WAIT)

    def _next_due(self) -> float:
        """Return when the window changes without an event, seconds of `time.monotonic`."""
        due = self.messages.next_end
        if self._is_reduced:
            due = min(due, self._pace.still_at)
        if self._wanted_pixel() is not None and self._probe_is_stale():
            due = min(due, max(self._resting_since + _REST_SECONDS, self._pace.still_at))
        return due

    @property
    def _is_reduced(self) -> bool:
        """True if the image has a lower resolution than the window."""
        if self.state.place == "mould":
            return self.picture.stride > 1
        return bool(self._rendered) and self._rendered[1] != self.size

    def draw(self) -> None:
        """Draw one frame; one that fails is a message in the next ones, not the end."""
        self._frames += 1
        try:
            self._draw_frame()
        except Exception as error:
            self.window.give_up_frame()
            self.messages.fail(error, "frame")
            self._draw_messages()
            if not self._has_failed:  # once more: what failed may have been a key
                self._frames_left = max(self._frames_left, 1)
            self._has_failed = True
        else:
            self._has_failed = False

    def _draw_messages(self) -> None:
        """Draw a frame with nothing but the messages."""
        window = self.window
        window.start_frame()
        points, screen = imgui.get_io().display_size, window.gl.screen
        screen.viewport, screen.scissor = (0, 0, *window.size), None
        screen.clear(*_BACKGROUND)
        draw_messages(self, Area(0, 0, points.x, points.y))
        window.end_frame()

    def _draw_frame(self) -> None:
        """Draw panels, and the image where it changed."""
        window = self.window
        window.start_frame()
        points = imgui.get_io().display_size
        # The plot makes the image smaller, which would take its points away from under the cursor.
        has_plot = self.state.section is not None and not self.image_area.draws_first_section
        layout = Layout.of(
            points.x, points.y, window.scale, has_panel=self.has_panel, has_plot=has_plot
        )
        handle_keys(self)
        self._draw_image_window(layout.image)
        if layout.panel is not None:
            with _fixed_window("panel", layout.panel):
                draw_side(self)
        if layout.plot is not None:
            with _fixed_window("section", layout.plot):
                draw_section_plot(self)
        with _fixed_window("status", layout.status):
            draw_status(self)
        draw_messages(self, layout.image)
        if self.has_help:
            draw_help(self)
        self._render()
        self._draw_image(layout.image)
        window.end_frame()
        self._log_shown(layout.image)

    def _draw_image_window(self, area: Area) -> None:
        imgui.push_style_var(imgui.StyleVar_.window_padding, (0.0, 0.0))
        imgui.set_next_window_pos((area.x, area.y))
        imgui.set_next_window_size((area.width, area.height))
        imgui.begin("image", None, _FIXED | imgui.WindowFlags_.no_background)
        imgui.pop_style_var()
        scale = self.window.pixels_per_point
        size = max(int(area.width * scale), 1), max(int(area.height * scale), 1)
        if size != self.size or not self._has_size:
            if self._has_size:
                self._keep_rays(size)
            elif self.is_framed:  # the shape is known only now
                self.size = size
                self.state.orbit = self.framed(self.home)
                self.state.mould_orbit = self.framed(self.mould_home)
            self.size, self._has_size = size, True
        self.image_area.draw(self, area)
        if self.image_area.pixel != self._hovered:
            self._hovered, self._resting_since = self.image_area.pixel, time.monotonic()
        self._update_probe()
        draw_overlay(self)
        imgui.end()

    def _keep_rays(self, size: tuple[int, int]) -> None:
        """Move pin and section with what they mark to an image of another size."""
        state, before = self.state, self.size
        if state.pin is not None:
            first, (column, row) = self.pin_image
            x, y = moved_point((column + 0.5, row + 0.5), first, size, state.camera)
            state.pin = (int(x), int(y)) if 0 <= x < size[0] and 0 <= y < size[1] else None
            self._pinned = (state.pin, size, state.camera), (first, (column, row))
        if state.section is not None:
            start, end = (moved_point(each, before, size, state.camera) for each in state.section)
            state.section = start, end

    @property
    def pin_image(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Size of the image that the pin was set in, and the pixel there: its ray is kept."""
        state = self.state
        if self._pinned is not None and self._pinned[0] == (state.pin, self.size, state.camera):
            return self._pinned[1]
        return self.size, state.pin or (0, 0)

    @property
    def pin_point(self) -> tuple[float, float]:
        """Image coordinates of the ray of the pin; the center of the pixel that it was set in."""
        size, (column, row) = self.pin_image
        return moved_point((column + 0.5, row + 0.5), size, self.size, self.state.camera)

    def framed(self, home: Orbit) -> Orbit:
        """Return a first orbit for an image of this shape."""
        return home.fitted(self.mesh, self.aspect) if self.is_framed else home

    # The image

    def _render(self) -> None:
        """Render the image, unless nothing that it shows has changed.

        In the mould view, the image are the points: rendered at full resolution, drawn by `_draw`.
        """
        self._follow_engine()
        state, is_image = self.state, self.state.place == "image"
        seen = (
            state.orbit, state.camera, self.size, state.mode, state.layer, state.surfaces,
            state.engine, state.place, state.mould_layers, state.highlight_odd, state.samples,
            self.picture.session.scene,
        )  # fmt: skip
        moved = state.orbit if is_image else state.mould_orbit, state.camera, self.size
        if moved != self._moved:
            self._moved = moved
            self._pace.move()
        reduction = self._pace.reduction
        size = self.size
        if is_image:
            size = max(size[0] // reduction, 1), max(size[1] // reduction, 1)
        if self._rendered == (seen, size):
            return
        self._rendered = seen, size
        try:
            self.picture.render(state, *size)
        except Exception as error:
            self.messages.fail(error, "image")
        else:
            self.messages.clear("image")
            if is_image:
                self._pace.note(self.picture.milliseconds, is_full=reduction == 1)
        self.want_frame()  # panels show what was found

    def _draw_image(self, area: Area) -> None:
        """Draw the image into its part of the window, and the background around it."""
        state, scale, (width, height) = self.state, self.window.pixels_per_point, self.window.size
        screen = self.window.gl.screen
        screen.viewport = 0, 0, width, height
        screen.scissor = None
        screen.clear(*_BACKGROUND)
        # OpenGL counts rows from below.
        bottom = height - int((area.y + area.height) * scale)
        stride = self._pace.reduction
        probe = self.probe if state.pin is not None else None
        try:
            is_new = self.picture.draw(
                state,
                (int(area.x * scale), bottom, *self.size),
                probe=probe,
                shows_mesh=self.shows_mesh,
                stride=stride,
            )
        except Exception as error:
            self.messages.fail(error, "image")
            return
        if is_new:
            self._pace.note(self.picture.milliseconds, is_full=stride == 1)
            self.want_frame()

    def _follow_engine(self) -> None:
        """Make another renderer if another engine was chosen; if there is none, keep the old."""
        if self.state.engine == self.picture.engine_asked:
            return
        try:
            picture = Picture(self.window.gl, self.mesh, self.name, self.state.engine)
        except Exception as error:
            self.state.engine = self.picture.engine_asked
            self.messages.fail(error, "engine")
            return
        self.messages.clear("engine")
        self.picture.release()
        self.picture = picture

    # The probe

    def _wanted_pixel(self) -> tuple[int, int] | None:
        """Return the pixel whose crossings are wanted: the pinned one, or that under the cursor."""
        is_free = self.state.place == "image" and not self.image_area.is_dragging
        return self.state.pin or (self.image_area.pixel if is_free else None)

    def _rays(self) -> tuple[Any, ...]:
        """Return what decides the crossings of a pixel."""
        state = self.state
        return state.orbit, state.camera, self.size, state.surfaces, self.picture.session.mesh

    def _probe_is_stale(self) -> bool:
        return self._probed != (self._wanted_pixel(), *self._rays())

    def _update_probe(self) -> None:
        """Find the crossings of the pixel once the camera is still and the cursor rests."""
        pixel = self._wanted_pixel()
        if pixel is None:
            self.probe, self._probed = None, (None,)
        elif self._probe_is_stale():
            rests = time.monotonic() >= self._resting_since + _REST_SECONDS
            if not self._pace.is_moving and (rests or self.state.pin is not None):
                self._probed = pixel, *self._rays()
                self.probe = self._probe_at(pixel)
            elif self._probed[1:] != self._rays():
                self.probe = None  # of another view

    @property
    def section(self) -> Section | None:
        """The section along the line of the state; None without one, or if it cannot be made."""
        if self.state.section is None:
            return None
        key = self.state.section, *self._rays()
        if key != self._sectioned:
            self._sectioned = key
            try:
                self._section = self.picture.session.section(self.state, *self.size)
            except Exception as error:
                self._section = None
                self.messages.fail(error, "section")
            else:
                self.messages.clear("section")
        return self._section

    def look_at_pixel(self, pixel: tuple[int, int]) -> None:
        """Turn around the first crossing of a pixel from now on."""
        probe = self._probe_at(pixel)
        if probe is not None and probe.crossings:
            point = probe.crossings[0].point
            move(self, lambda orbit: replace(orbit, target=point))

    def _probe_at(self, pixel: tuple[int, int]) -> Probe | None:
        """Return the crossings of a pixel; None, with a message, if they cannot be rendered."""
        size, asked = self.size, pixel
        if pixel == self.state.pin:
            size, pixel = self.pin_image
        column, row = (min(each, most - 1) for each, most in zip(pixel, size, strict=True))
        try:
            probe = self.picture.session.probe(self.state, *size, column, row)
            return replace(probe, pixel=asked) if size != self.size else probe
        except Exception as error:
            self.messages.fail(error, "probe")
            return None

    def want_frame(self) -> None:
        """Draw one more frame, although nothing happens."""
        self._frames_left = max(self._frames_left, 1)

    # Cameras, meshes and files

    def step_camera(self, step: int) -> None:
        """Show another camera of the file; the first time, the one that was last shown."""
        if not self.cameras:
            self.messages.note("no cameras to step through; start with --cameras FILE", "camera")
            return
        if self.state.camera is not None:
            self.camera_number = (self.camera_number + step) % len(self.cameras)
        self.state.camera, self.state.place = self.cameras[self.camera_number], "image"

    def step_mesh(self, step: int) -> None:
        """Open another file of the command line."""
        if len(self.files) < 2:
            self.messages.note("one mesh only; start with several, or drop a file", "file")
            return
        self.open_number((self.file_number + step) % len(self.files))

    def open_number(self, number: int) -> None:
        """Open a file of the command line by its place."""
        self.file_number = number
        self._to_open = self.files[number]

    def _open_dropped(self) -> None:
        """Open the file that was dropped or chosen; of several, the first."""
        dropped = self.window.events.dropped
        if dropped:
            self._to_open = dropped[0]
            dropped.clear()
        if self._to_open is None:
            return
        path, self._to_open = self._to_open, None
        self.messages.note(f"reading {path.name} ...", "file")
        self.draw()
        self.open(path)
        self._frames_left = _FRAMES_PER_EVENT

    def open(self, path: Path) -> None:
        """Show the mesh of a file instead; if it cannot be read, say why and keep the old one."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", LeftOutWarning)  # the report tells
                mesh = self._load(path)
            home = replace(
                Orbit.framing(mesh, self._up, self.aspect, self.state.orbit.fov_deg),
                is_orthographic=self.state.orbit.is_orthographic,
            )
            self.picture.replace_mesh(mesh, path.stem)
        except Exception as error:
            self.messages.fail(error, "file")
            return
        self.messages.clear("file")
        state = self.state
        self.mesh, self.name = mesh, path.stem
        self.home = home
        self.mould_home = self.home.turned(-40.0, 0.0)  # beside the rendering camera
        self.is_framed = True
        state.orbit, state.mould_orbit = self.home, self.mould_home
        state.camera = state.pin = state.section = None
        state.layer, state.limits = 0, None
        if path in self.files:
            self.file_number = self.files.index(path)
        self._note_mesh()

    def _note_mesh(self) -> None:
        self.report_lines = str(self.mesh.report()).splitlines()
        self.window.set_title(f"{self.name} - ddepth")
        _LOG.debug("mesh: %s", self.report_lines[0])

    def save(self, kind: str) -> None:
        """Save what is shown in the working folder.

        Args:
            kind: one of `EXPORTS`.
        """
        drawn = None
        if self.state.place == "mould":
            drawn = self.picture.mould_pixels(*self.size)
        try:
            files = export(kind, self.picture.session, self.state, *self.size, drawn=drawn)
        except Exception as error:
            self.messages.fail(error, "save")
            return
        self.messages.note(f"saved {', '.join(map(str, files))}", "save")

    def copy_lines(self) -> None:
        """Put the Python lines that make this view into the clipboard."""
        line = self._load.line_of(self.mesh)
        self.window.set_clipboard(code_of(self.mesh, self.state, *self.size, line))
        self.messages.note("the Python lines of this view are in the clipboard", "copy")

    def _log_shown(self, area: Area) -> None:
        """Write what is shown to the log, for tests."""
        if not _LOG.isEnabledFor(logging.DEBUG):
            return
        shown = {
            "name": self.name,
            "frames": self._frames,
            "engine": self.picture.engine,
            "state": self.state.as_dict(),
            "area": [area.x, area.y, area.width, area.height],
            "size": self.size,
            "rendered": self.picture.rendered_size,
            "limits": self.limits,
            "plot": self.plot_scale,
            "probe": None if self.probe is None else str(self.probe),
            "messages": [message.text for message in self.messages.shown()],
            "places": PLACES,
        }
        _LOG.debug("shown: %s", json.dumps(shown))
        PLACES.clear()

    def release(self) -> None:
        """Free what was made in the window's context."""
        self.picture.release()


class _fixed_window:  # noqa: N801
    """A window without decoration, at a fixed place."""

    def __init__(self, name: str, area: Area) -> None:
        self._name, self._area = name, area

    def __enter__(self) -> None:
        area = self._area
        imgui.set_next_window_pos((area.x, area.y))
        imgui.set_next_window_size((area.width, area.height))
        scrolls = imgui.WindowFlags_.no_scrollbar if self._name == "panel" else 0
        imgui.begin(self._name, None, _FIXED & ~scrolls)

    def __exit__(self, *_: object) -> None:
        imgui.end()
