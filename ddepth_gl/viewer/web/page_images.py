"""Images of a page, its points, sections, probes and files: asked for, rendered and sent."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ..clouds import clouds_of
from ..code_lines import code_of
from ..exports import export_bytes
from ..state import ViewerState
from . import texts
from .drawing import Drawing, draw, with_marks
from .page_scene import MAX_FACES
from .section_chart import section_svg

if TYPE_CHECKING:
    from .page import Page

__all__ = ["PageImages"]

_MAX_CLOUD_PIXELS = 640 * 480
_STILL_AFTER = 0.15  # seconds without movement
_MOVING_SECONDS = 0.05  # that an image may take while the camera moves
_DIVISORS = (1, 1.5, 2, 3, 4)


class PageImages:
    """The requests of a page, and what becomes of their results.

    Methods are called on the event loop of the server. What they ask for is rendered and encoded in
    other threads, from a copy of the state.

    Args:
        page: the page.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._divisor = 2.0
        self._settling: asyncio.TimerHandle | None = None

    @property
    def is_moving(self) -> bool:
        """Boolean: a full image is to come as soon as nothing moves."""
        return self._settling is not None

    def close(self) -> None:
        """Drop what was asked for."""
        if self._settling is not None:
            self._settling.cancel()
        self._page.viewer.requests.discard(self._page.client.client_id)

    def draw(self, is_moving: bool) -> None:
        """Ask for the image of the state; small while something moves, and full soon after."""
        if not self._page.is_open or 0 in self._page.size:
            return
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        if is_moving:
            loop = asyncio.get_running_loop()
            self._settling = loop.call_later(_STILL_AFTER, self.draw, False)
        self._draw_image(is_moving)
        if self._page.state.section is not None:
            self._draw_section()

    def _draw_image(self, is_moving: bool) -> None:
        state = replace(self._page.state)
        if state.place == "mould":
            if not self._page.controls.has_photo.value:
                self._page.scene.hide_image()
                return
            # The photo from where the page looks, in place of the mesh.
            state = replace(state, place="image", mode="photo", orbit=self._page.view, camera=None)
            state.pin = state.section = None
        # Parallel rays of the image do not meet what the page draws in perspective.
        with_depth = not state.camera_for(8, 8).is_orthographic and (
            self._page.probe is not None or self._page.state.place == "mould"
        )
        scale = 1.0 / self._divisor if is_moving else 1.0
        width, height = (max(1, round(scale * each)) for each in self._page.size)
        full_width = self._page.size[0]

        page, place = self._page, self._page.state.place

        def serve() -> None:
            drawing = draw(page.viewer.session, state, width, height, with_depth)
            colors = with_marks(drawing.colors, state, width / full_width)
            if page.is_open and page.state.place == place:
                is_photo = state.mode == "photo"
                page.scene.show_image(colors, drawing.depth, not is_moving, is_photo)
                self._on_loop(self._show_facts, drawing, state, is_moving)

        self.submit("image", serve)

    def _show_facts(self, drawing: Drawing, state: ViewerState, is_moving: bool) -> None:
        """Show what is known of an image, and choose the size of those to come."""
        if is_moving:
            pixels = drawing.colors.shape[0] * drawing.colors.shape[1]
            seconds = drawing.seconds / pixels * self._page.size[0] * self._page.size[1]
            affordable = [each for each in _DIVISORS if seconds / each**2 < _MOVING_SECONDS]
            self._divisor = affordable[0] if affordable else _DIVISORS[-1]
        controls = self._page.controls
        if self._page.state.place == "image":
            if drawing.layers is not None:
                controls.show_layers(drawing.layers)
            if drawing.limits is not None:
                controls.show_limits(drawing.limits)
            bar = texts.color_bar(state.mode_info, state.color_map_name, drawing.limits)
            if controls.bar.content != bar:
                controls.bar.content = bar
        if not is_moving:
            (width, height), viewer = self._page.size, self._page.viewer
            milliseconds = 1e3 * drawing.seconds
            controls.status.content = texts.note(
                f"{width} x {height} pixels, {milliseconds:.0f} ms, {viewer.renderer_name}"
            )
            lines = code_of(viewer.mesh, self._page.state, width, height, viewer.mesh_line)
            controls.code.content = texts.plain_text(lines)

    def draw_probe(self, column: int, row: int) -> None:
        """Ask for the probe of a pixel."""
        page = self._page
        state, (width, height) = replace(page.state), page.size

        def serve() -> None:
            probe = page.viewer.session.probe(state, width, height, column, row)
            self._on_loop(page.set_probe, probe)

        self.submit("probe", serve)

    def _draw_section(self) -> None:
        state, (width, height) = replace(self._page.state), self._page.size

        def serve() -> None:
            section = self._page.viewer.session.section(state, width, height)
            self._on_loop(self._page.controls.show_section, section_svg(section))

        self.submit("section", serve)

    def draw_mould(self) -> None:
        """Show what was chosen of the mould view, if the page shows it."""
        if self._page.state.place != "mould" or 0 in self._page.size:
            return
        controls, scene = self._page.controls, self._page.scene
        width, height = self._page.size
        if controls.has_camera.value:
            scene.show_camera(self._page.state.camera_for(width, height))
        else:
            scene.hide("camera")
        if controls.has_mesh.value and len(self._page.viewer.mesh.faces) <= MAX_FACES:
            scene.show_mesh(controls.opacity.value)
        else:
            scene.hide("mesh")
        self._draw_clouds()

    def _draw_clouds(self) -> None:
        """Ask for the points that the rays of the image found."""
        state, controls = replace(self._page.state), self._page.controls
        width, height = self._page.size
        scale = min(1.0, math.sqrt(_MAX_CLOUD_PIXELS / (width * height)))
        width, height = (max(1, round(scale * each)) for each in self._page.size)
        wanted = {"entry": controls.has_entry.value, "exit": controls.has_exit.value}
        coloring: Any = controls.coloring.value
        size = controls.point_scale.value * state.orbit.height / height

        page = self._page

        def serve() -> None:
            session = cast(Any, page.viewer.session)
            clouds: Any = clouds_of(session, state, width, height, coloring, is_shaded=True)
            clouds = [each for each in clouds if wanted.get(each.name, True)]
            if self._page.is_open and self._page.state.place == "mould":
                self._page.scene.show_clouds(clouds, size)

        self.submit("clouds", serve)

    def save(self, kind: str) -> None:
        """Ask for a file, and send it."""
        state, (width, height) = replace(self._page.state), self._page.size

        def serve() -> None:
            session = cast(Any, self._page.viewer.session)
            name, content = export_bytes(kind, session, state, width, height)
            if self._page.is_open:
                self._page.client.send_file_download(name, content, save_immediately=True)

        self.submit(kind, serve)

    def submit(self, kind: str, serve: Callable[[], None]) -> None:
        """Queue a request; a newer one of the same kind replaces it."""
        fail = partial(self._on_loop, self._page.fail)
        self._page.viewer.requests.submit(self._page.client.client_id, kind, serve, fail)

    def _on_loop(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function on the event loop, from any thread, unless the client is gone."""

        def call() -> None:
            if self._page.is_open:
                function(*arguments)

        with suppress(RuntimeError):  # the server has ended meanwhile
            self._page.viewer.loop.call_soon_threadsafe(call)
