"""A page: state, camera and controls of one client, and what is rendered for them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from ...errors import DDepthError
from ..clouds import clouds_of
from ..code_lines import code_of
from ..exports import EXPORTS, export_bytes
from ..orbit import Orbit
from ..probe import Probe
from ..state import ViewerState
from . import texts
from .controls import Controls
from .drawing import Drawing, draw, with_marks
from .page_scene import MAX_FACES, PageScene
from .page_world import beside
from .section_chart import section_svg

if TYPE_CHECKING:
    from .server import WebViewer

__all__ = ["Page"]

_MAX_PIXELS = 1920 * 1200  # of an image
_MAX_CLOUD_PIXELS = 640 * 480
_STILL_AFTER = 0.15  # seconds without movement
_MOVING_SECONDS = 0.05  # that an image may take while the camera moves
_DIVISORS = (1, 1.5, 2, 3, 4)
_SAME = 1e-6


class Page:
    """One client: a state of its own, and the requests that keep its image up to date.

    All methods run on the event loop of the server, except where they say otherwise.

    Args:
        client: client of viser.
        viewer: the viewer that it looks at.

    Attributes:
        client, viewer: see above.
        is_open: whether the client is connected.
        state: what it sees.
        size: width and height of its images, in pixels.
        probe: the probe that it sees, with a ray if `has_ray`; None for none.
        scene, controls: what the page has.
    """

    def __init__(self, client: Any, viewer: WebViewer) -> None:
        self.client = client
        self.viewer = viewer
        self.is_open = True
        self.state: ViewerState = replace(viewer.state)
        self.scene = PageScene(client, viewer.world, viewer.mesh)
        self._view = self._place_orbit()
        self._orbit_beside = self.state.orbit if self.state.place == "mould" else None
        self.size = (0, 0)
        self.probe: Probe | None = None
        self._divisor = 2.0
        self._settling: asyncio.TimerHandle | None = None
        self.has_ray = False
        self.controls = Controls(client.gui, self.state, self._changed, self._pressed)
        if len(viewer.mesh.faces) > MAX_FACES:
            self.controls.has_mesh.disabled = True
            self.controls.has_mesh.hint = f"more than {MAX_FACES:,} faces are not sent"
        client.camera.on_update(self._camera_moved)
        client.scene.on_click()(self._clicked)
        client.scene.on_click(modifier="shift")(self._shift_clicked)
        self.controls.show_state(self.state)
        viewer.when_reported(self._show_report)

    def close(self) -> None:
        """Free what the client had."""
        self.is_open = False
        if self._settling is not None:
            self._settling.cancel()
        self.viewer.requests.discard(self.client.client_id)
        self.scene.close()

    @property
    def is_moving(self) -> bool:
        """Boolean: a full image is to come as soon as nothing moves."""
        return self._settling is not None

    # The camera

    async def _camera_moved(self, camera: Any) -> None:
        """Follow the camera of the page."""
        if not (camera.image_width > 0 and camera.image_height > 0):
            return
        size = _image_size(camera.image_width, camera.image_height)
        try:
            orbit = self.viewer.world.orbit_of(camera, self._view)
        except DDepthError as error:  # a page sent what no camera can have
            self._fail(str(error))
            return
        is_moved = not _is_same_view(orbit, self._view)
        if is_moved:
            self._set_view(orbit)
        if not self._resize(size) and not is_moved:
            return
        self.draw(is_moving=True)

    def _resize(self, size: tuple[int, int]) -> bool:
        """Take over the size of the canvas; return whether the size of images changed."""
        width, height = self.size
        if 0 not in self.size:
            # A browser that is slow draws fewer pixels on the same canvas for a while.
            ratios = size[0] / width, size[1] / height
            if abs(ratios[0] - ratios[1]) < 0.005 and 0.7 < ratios[0] <= 1.0:
                return False
            self.state.pin = None
            if self.state.section is not None:
                start, end = ((x * ratios[0], y * ratios[1]) for x, y in self.state.section)
                self.state.section = start, end
        self.size = size
        return True

    def _place_orbit(self) -> Orbit:
        """Return the orbit of the view: the rendering camera, or that of the mould view."""
        return self.state.orbit if self.state.place == "image" else self.state.mould_orbit

    def _set_view(self, orbit: Orbit) -> None:
        """Take over where the page looks from."""
        self._view = orbit
        state, first = self.state, self.viewer.state
        if state.place == "mould":
            state.mould_orbit = orbit
            return
        state.orbit, state.pin = orbit, None
        # A camera of a file is shown wherever the page is where it started.
        is_first = first.camera is not None and _is_same_view(orbit, first.orbit)
        state.camera = first.camera if is_first else None

    def _look(self, orbit: Orbit) -> None:
        """Turn the camera of the page."""
        self._set_view(orbit)
        self._send_view()

    def _send_view(self) -> None:
        """Give the camera of the page the view."""
        position, look_at, up, fov = self.viewer.world.camera_of(self._view)
        camera = self.client.camera
        with self.client.atomic():
            camera.up_direction = up
            camera.position = position
            camera.look_at = look_at
            camera.fov = fov

    # Changes

    async def _changed(self, name: str) -> None:
        """Take over what was chosen."""
        controls, state = self.controls, self.state
        if name == "place":
            self._move_to(controls.place_name)
        elif name == "fov_deg":
            self._look(self._view.with_fov(controls.fov_deg.value))
        elif name == "is_orthographic":
            is_orthographic = controls.is_orthographic.value
            if state.place == "mould":
                state.orbit = replace(state.orbit, is_orthographic=is_orthographic)
                state.camera = None
                self._show_mould()
            else:
                self._set_view(replace(self._view, is_orthographic=is_orthographic))
        elif name == "section":
            state.section = (
                self._middle_line(along_row=True) if controls.has_section.value else None
            )
            controls.show_section("")
        elif name in ("clouds", "point_scale", "camera", "mesh"):
            state.mould_layers = controls.mould_layers.value
            self._show_mould()
        else:
            state.mode = controls.mode_name
            state.layer = controls.layer.value - 1
            state.color_map = controls.color_map_name
            state.surfaces = controls.surfaces.value
            state.highlight_odd = controls.highlight_odd.value
            state.limits = None
            low, high = controls.low.value, controls.high.value
            if not controls.is_full_range.value and low < high:
                state.limits = low, high
        controls.show_state(state)
        self.draw(is_moving=name in ("layer", "fov_deg"))

    async def _pressed(self, name: str) -> None:
        """Do what a button says."""
        if name == "side":
            self._look(self._view.seen_from(self.controls.side))
        elif name == "fit":
            width, height = self.size
            self._look(self._view.fitted(self.viewer.mesh, width / height))
        elif name == "clear_probe":
            self._set_probe(None)
        elif name.startswith("section_"):
            self.state.section = self._middle_line(name == "section_row")
            self.controls.has_section.value = True
        elif name in EXPORTS:
            self._save(name)
            return
        self.draw(is_moving=False)

    def _move_to(self, place: str) -> None:
        """Go to the image or to the mould view."""
        state = self.state
        state.place = "image" if place == "image" else "mould"
        if state.place == "mould" and state.orbit != self._orbit_beside:
            state.mould_orbit = beside(state.orbit)
            self._orbit_beside = state.orbit
        self._view = self._place_orbit()
        self._send_view()
        if state.place == "image":
            for name in ("clouds", "camera", "mesh"):
                self.scene.hide(name)
        else:
            self._show_mould()

    def _middle_line(self, along_row: bool) -> Any:
        """Return the section line along the row or column of the pin, or through the middle."""
        width, height = self.size
        x, y = width / 2.0, height / 2.0
        if self.state.pin is not None:
            x, y = (each + 0.5 for each in self.state.pin)
        if along_row:
            return (0.5, math.floor(y) + 0.5), (width - 0.5, math.floor(y) + 0.5)
        return (math.floor(x) + 0.5, 0.5), (math.floor(x) + 0.5, height - 0.5)

    # Clicks

    async def _clicked(self, event: Any) -> None:
        """Probe the pixel that was clicked."""
        pixel = self._pixel(event)
        if self.state.place != "image" or pixel is None:
            return
        self.state.pin = pixel
        state, (width, height) = replace(self.state), self.size

        def serve() -> None:
            probe = self.viewer.session.probe(state, width, height, *pixel)
            self._on_loop(self._set_probe, probe)

        self.submit("probe", serve)

    async def _shift_clicked(self, event: Any) -> None:
        """Move the nearer end of the section line."""
        pixel = self._pixel(event)
        if self.state.place != "image" or pixel is None:
            return
        ends = list(self.state.section or self._middle_line(along_row=True))
        point = pixel[0] + 0.5, pixel[1] + 0.5
        nearer = min((0, 1), key=lambda each: math.dist(ends[each], point))
        ends[nearer] = point
        self.state.section = ends[0], ends[1]
        self.controls.has_section.value = True
        self.draw(is_moving=False)

    def _pixel(self, event: Any) -> tuple[int, int] | None:
        """Return column and row that were clicked."""
        x, y = event.screen_pos
        column, row = math.floor(x * self.size[0]), math.floor(y * self.size[1])
        if 0 <= column < self.size[0] and 0 <= row < self.size[1]:
            return column, row
        return None

    def _set_probe(self, probe: Probe | None) -> None:
        if probe is None:
            self.state.pin = None
        self.probe = probe
        self.controls.show_probe(probe)
        self.has_ray = probe is not None
        if probe is None:
            self.scene.hide_ray()
        else:
            self.scene.show_ray(probe)
        self.draw(is_moving=False)

    # Rendering

    def draw(self, is_moving: bool) -> None:
        """Ask for the image of the state; small while something moves, and full soon after."""
        if not self.is_open or 0 in self.size:
            return
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        if is_moving:
            loop = asyncio.get_running_loop()
            self._settling = loop.call_later(_STILL_AFTER, self.draw, False)
        self._draw_image(is_moving)
        if self.state.section is not None:
            self._draw_section()

    def _draw_image(self, is_moving: bool) -> None:
        state = replace(self.state)
        if state.place == "mould":
            if not self.controls.has_photo.value:
                self.scene.hide_image()
                return
            # The photo from where the page looks, in place of the mesh.
            state = replace(state, place="image", mode="photo", orbit=self._view, camera=None)
            state.pin = state.section = None
        # Parallel rays of the image do not meet what the page draws in perspective.
        with_depth = not state.camera_for(8, 8).is_orthographic and (
            self.has_ray or self.state.place == "mould"
        )
        scale = 1.0 / self._divisor if is_moving else 1.0
        width, height = (max(1, round(scale * each)) for each in self.size)
        full_width = self.size[0]

        def serve() -> None:
            drawing = draw(self.viewer.session, state, width, height, with_depth)
            colors = with_marks(drawing.colors, state, width / full_width)
            if self.is_open:
                self.scene.show_image(colors, drawing.depth, not is_moving, state.mode == "photo")
                self._on_loop(self._show_facts, drawing, state, is_moving)

        self.submit("image", serve)

    def _show_facts(self, drawing: Drawing, state: ViewerState, is_moving: bool) -> None:
        """Show what is known of an image, and choose the size of those to come."""
        if is_moving:
            pixels = drawing.colors.shape[0] * drawing.colors.shape[1]
            seconds = drawing.seconds / pixels * self.size[0] * self.size[1]
            affordable = [each for each in _DIVISORS if seconds / each**2 < _MOVING_SECONDS]
            self._divisor = affordable[0] if affordable else _DIVISORS[-1]
        controls = self.controls
        if self.state.place == "image":
            if drawing.layers is not None:
                controls.show_layers(drawing.layers)
            if drawing.limits is not None:
                controls.show_limits(drawing.limits)
            bar = texts.color_bar(state.mode_info, state.color_map_name, drawing.limits)
            if controls.bar.content != bar:
                controls.bar.content = bar
        if not is_moving:
            width, height = self.size
            milliseconds = 1e3 * drawing.seconds
            controls.status.content = texts.note(
                f"{width} x {height} pixels, {milliseconds:.0f} ms, {self.viewer.renderer_name}"
            )
            lines = code_of(self.viewer.mesh, self.state, width, height, self.viewer.mesh_line)
            controls.code.content = texts.plain_text(lines)

    def _draw_section(self) -> None:
        state, (width, height) = replace(self.state), self.size

        def serve() -> None:
            section = self.viewer.session.section(state, width, height)
            self._on_loop(self.controls.show_section, section_svg(section))

        self.submit("section", serve)

    def _show_mould(self) -> None:
        """Show what was chosen of the mould view."""
        if self.state.place != "mould":
            return
        controls, scene = self.controls, self.scene
        width, height = self.size
        if controls.has_camera.value:
            scene.show_camera(self.state.camera_for(width, height))
        else:
            scene.hide("camera")
        if controls.has_mesh.value and len(self.viewer.mesh.faces) <= MAX_FACES:
            scene.show_mesh(controls.opacity.value)
        else:
            scene.hide("mesh")
        self._show_clouds()

    def _show_clouds(self) -> None:
        """Ask for the points that the rays of the image found."""
        state, controls = replace(self.state), self.controls
        width, height = self.size
        scale = min(1.0, math.sqrt(_MAX_CLOUD_PIXELS / (width * height)))
        width, height = (max(1, round(scale * each)) for each in self.size)
        wanted = {"entry": controls.has_entry.value, "exit": controls.has_exit.value}
        coloring: Any = controls.coloring.value
        size = controls.point_scale.value * state.orbit.height / height

        def serve() -> None:
            clouds: Any = clouds_of(cast(Any, self.viewer.session), state, width, height, coloring)
            clouds = [each for each in clouds if wanted.get(each.name, True)]
            if self.is_open and self.state.place == "mould":
                self.scene.show_clouds(clouds, size)

        self.submit("clouds", serve)

    def _save(self, kind: str) -> None:
        """Ask for a file, and send it."""
        state, (width, height) = replace(self.state), self.size

        def serve() -> None:
            session = cast(Any, self.viewer.session)
            name, content = export_bytes(kind, session, state, width, height)
            if self.is_open:
                self.client.send_file_download(name, content, save_immediately=True)

        self.submit(kind, serve)

    # Helpers

    def submit(self, kind: str, serve: Callable[[], None]) -> None:
        """Queue a request; a newer one of the same kind replaces it."""
        fail = partial(self._on_loop, self._fail)
        self.viewer.requests.submit(self.client.client_id, kind, serve, fail)

    def _on_loop(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function on the event loop, from any thread, unless the client is gone."""

        def call() -> None:
            if self.is_open:
                function(*arguments)

        self.viewer.loop.call_soon_threadsafe(call)

    def _fail(self, line: str) -> None:
        """Show an error; the page goes on."""
        self.client.add_notification("ddepth", line, color="red", auto_close_seconds=12.0)

    def _show_report(self, text: str) -> None:
        if self.is_open:
            self.controls.report.content = texts.plain_text(text)


def _image_size(width: int, height: int) -> tuple[int, int]:
    """Return the size of images for a canvas."""
    scale = min(1.0, math.sqrt(_MAX_PIXELS / (width * height)))
    return max(1, round(scale * width)), max(1, round(scale * height))


def _is_same_view(orbit: Orbit, other: Orbit) -> bool:
    """Return whether two orbits differ by rounding alone, or by what the page cannot show."""
    eye, target, _ = orbit.viewpoint
    other_eye, other_target, _ = other.viewpoint
    limit = _SAME * orbit.distance
    return (
        bool(abs(eye - other_eye).max() < limit)
        and bool(abs(target - other_target).max() < limit)
        and abs(orbit.distance - other.distance) < limit  # parallel rays have one eye for all
        and abs(orbit.fov_deg - other.fov_deg) < 1e-4
        and orbit.is_orthographic == other.is_orthographic
    )
