"""A page: the state of one client, changed by its camera, controls and clicks."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import CameraError
from ..exports import EXPORTS
from ..orbit import Orbit
from ..probe import Probe
from ..state import ViewerState
from . import texts
from .controls import Controls
from .page_cameras import PageCameras, is_same_view
from .page_images import PageImages
from .page_scene import MAX_FACES, PageScene
from .page_world import beside
from .requests import one_line

if TYPE_CHECKING:
    from .server import WebViewer

__all__ = ["Page"]

_MAX_PIXELS = 1920 * 1200  # of an image
_CATCH_UP_SECONDS = 0.4


class Page:
    """The page of one client: its state, and how camera, controls and clicks change it.

    All methods run on the event loop of the server.

    Args:
        client: client of viser.
        viewer: the viewer that it looks at.

    Attributes:
        client, viewer: see above.
        is_open: whether the client is connected.
        state: what it sees.
        size: width and height of its images, in pixels.
        view: where it looks from, in the place that it shows.
        probe: the probe that it sees, with its ray; None for none.
        scene, controls, images: its parts.
    """

    def __init__(self, client: Any, viewer: WebViewer) -> None:
        self.client = client
        self.viewer = viewer
        self.is_open = True
        self.state: ViewerState = replace(viewer.state)
        self.scene = PageScene(client, viewer.world, viewer.mesh)
        self.view = self._place_orbit()
        camera = self.state.camera
        first = None if camera is None else (camera, self.state.orbit)
        self._cameras = PageCameras(viewer.cameras, first, viewer.world, viewer.mesh)
        self._orbit_beside = self.state.orbit if self.state.place == "mould" else None
        self.size = (0, 0)
        self._fitted = self.view
        self.probe: Probe | None = None
        self._catching_up: asyncio.TimerHandle | None = None
        self.images = PageImages(self)
        self.controls = Controls(
            client.gui, self.state, self._safe(self._changed), self._safe(self._pressed)
        )
        if len(viewer.mesh.faces) > MAX_FACES:
            self.controls.has_mesh.disabled = True
            self.controls.has_mesh.hint = f"more than {MAX_FACES:,} faces are not sent"
        client.camera.on_update(self._safe(self._camera_moved))
        client.scene.on_click()(self._safe(self._clicked))
        client.scene.on_click(modifier="shift")(self._safe(self._shift_clicked))
        self.controls.show_state(self.state)
        self.controls.show_cameras(self._cameras.text(camera))
        viewer.when_reported(self._show_report)

    def close(self) -> None:
        """Free what the client had."""
        self.is_open = False
        if self._catching_up is not None:
            self._catching_up.cancel()
        self.images.close()
        self.scene.close()

    def _safe(self, react: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return a function whose errors are messages on the page; its state stays as it was."""

        async def react_safely(event: Any) -> None:
            state, view = copy(self.state), self.view
            try:
                await react(event)
            except Exception as error:  # a page sent what none does by itself
                self.state, self.view = state, view
                self.fail(one_line(error))

        return react_safely

    # The camera

    async def _camera_moved(self, camera: Any) -> None:
        """Follow the camera of the page."""
        self._follow(camera)

    def _follow(self, camera: Any) -> None:
        """Take over size and view of the page; later, if a view was just sent to it."""
        if self._catching_up is not None or not (camera.image_width > 0 < camera.image_height):
            return
        size = _image_size(camera.image_width, camera.image_height)
        seen = camera.position, camera.look_at, camera.up_direction, camera.fov
        if not all(np.isfinite(each).all() for each in seen):
            raise CameraError("a camera needs finite numbers")
        with np.errstate(all="ignore"):  # what comes of huge numbers is found below
            orbit = self.viewer.world.orbit_of(camera, self.view)
            orbit.camera(*size)
        is_moved = not is_same_view(orbit, self.view)
        if is_moved:
            self._set_view(orbit)
        is_resized = self._resize(size)
        if self._fit_first_view(orbit):
            is_moved = True
        if not is_resized and not is_moved:
            return
        if is_resized:
            self.images.draw_mould()
        self.images.draw(is_moving=True)

    def _fit_first_view(self, orbit: Orbit) -> bool:
        """Fit the first view into the canvas, again where that changes; return if it did."""
        viewer, (width, height) = self.viewer, self.size
        if not (viewer.is_framed and self.state.place == "image"):
            return False
        if not any(is_same_view(orbit, each) for each in (viewer.state.orbit, self._fitted)):
            return False
        fitted = orbit.fitted(viewer.mesh, width / height)
        if is_same_view(fitted, orbit):
            return False
        self._fitted = fitted
        self._look(fitted)
        return True

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
        self.view = orbit
        state = self.state
        if state.place == "mould":
            state.mould_orbit = orbit
            return
        state.orbit, state.pin = orbit, None
        # A camera of a file is shown wherever the page is where that is.
        state.camera = self._cameras.at(orbit)
        self.controls.show_cameras(self._cameras.text(state.camera))

    def _look(self, orbit: Orbit) -> None:
        """Turn the camera of the page."""
        self._set_view(orbit)
        self._send_view()

    def _send_view(self) -> None:
        """Give the camera of the page the view."""
        position, look_at, up, fov = self.viewer.world.camera_of(self.view)
        camera = self.client.camera
        with self.client.atomic():
            camera.up_direction = up
            camera.position = position
            camera.look_at = look_at
            camera.fov = fov
        # What the page reports until it has all of this is neither the old nor the new view.
        if self._catching_up is not None:
            self._catching_up.cancel()
        self._catching_up = self.viewer.loop.call_later(_CATCH_UP_SECONDS, self._catch_up)

    def _catch_up(self) -> None:
        """Follow the page again."""
        self._catching_up = None
        if self.is_open:
            self._follow(self.client.camera)

    @property
    def is_moving(self) -> bool:
        """Boolean: more will be asked for soon, without anything that the client does."""
        return self.images.is_moving or self._catching_up is not None

    # Changes

    async def _changed(self, name: str) -> None:
        """Take over what was chosen."""
        controls, state = self.controls, self.state
        if name == "place":
            self._move_to(controls.place_name)
        elif name == "fov_deg":
            self._look(self.view.with_fov(controls.fov_deg.value))
        elif name == "up":
            if controls.up_vector is not None:
                width, height = self.size
                turned = replace(self.view, up=controls.up_vector)
                self._look(turned.fitted(self.viewer.mesh, width / height))
        elif name == "is_orthographic":
            is_orthographic = controls.is_orthographic.value
            if state.place == "mould":
                state.orbit = replace(state.orbit, is_orthographic=is_orthographic)
                state.camera = None
                self.images.draw_mould()
            else:
                self._set_view(replace(self.view, is_orthographic=is_orthographic))
        elif name == "section":
            state.section = (
                self._middle_line(along_row=True) if controls.has_section.value else None
            )
            controls.show_section("")
        elif name in ("clouds", "point_scale", "camera", "mesh"):
            state.mould_layers = controls.mould_layers.value
            self.images.draw_mould()
        else:
            state.mode = controls.mode_name
            state.layer = controls.layer.value - 1
            state.color_map = controls.color_map_name
            state.surfaces = controls.surfaces.value
            state.highlight_odd = controls.highlight_odd.value
            state.limits = None
            low, high = controls.low.value, controls.high.value
            is_range = math.isfinite(low) and math.isfinite(high) and low < high
            if not controls.is_full_range.value and is_range:
                state.limits = low, high
        state.check()
        controls.show_state(state)
        self.images.draw(is_moving=name in ("layer", "fov_deg"))

    async def _pressed(self, name: str) -> None:
        """Do what a button says."""
        if name == "side":
            self._look(self.view.seen_from(self.controls.side))
        elif name == "fit":
            width, height = self.size
            self._look(self.view.fitted(self.viewer.mesh, width / height))
        elif name == "cameras":
            self._step_camera(self.controls.camera_step)
        elif name == "mould":
            self.controls.show_place("mould")
            self._move_to("mould")
            self.controls.show_state(self.state)
        elif name == "clear_probe":
            self.set_probe(None)
        elif name.startswith("section_"):
            self.state.section = self._middle_line(name == "section_row")
            self.controls.has_section.value = True
        elif name in EXPORTS:
            self.images.save(name)
            return
        self.images.draw(is_moving=False)

    def _step_camera(self, step: int) -> None:
        """Show another camera of the file; the first time, the one that was last shown."""
        state = self.state
        _, orbit, left_out = self._cameras.step(0 if state.camera is None else step)
        if left_out:
            self.fail(left_out)
        if state.place == "mould":
            self.controls.show_place("image")
            self._move_to("image")
        self._look(orbit)
        self.controls.show_view(orbit)
        self.controls.show_state(state)

    def _move_to(self, place: str) -> None:
        """Go to the image or to the mould view."""
        state = self.state
        state.place = "image" if place == "image" else "mould"
        if state.place == "mould" and state.orbit != self._orbit_beside:
            state.mould_orbit = beside(state.orbit)
            self._orbit_beside = state.orbit
        self.view = self._place_orbit()
        self._send_view()
        if state.place == "image":
            for name in ("clouds", "camera", "mesh"):
                self.scene.hide(name)
        else:
            self.images.draw_mould()

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
        self.images.draw_probe(*pixel)

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
        self.images.draw(is_moving=False)

    def _pixel(self, event: Any) -> tuple[int, int] | None:
        """Return column and row that were clicked."""
        x, y = event.screen_pos
        column, row = math.floor(x * self.size[0]), math.floor(y * self.size[1])
        if 0 <= column < self.size[0] and 0 <= row < self.size[1]:
            return column, row
        return None

    def set_probe(self, probe: Probe | None) -> None:
        """Show a probe and its ray; None for none."""
        if probe is None:
            self.state.pin = None
        self.probe = probe
        self.controls.show_probe(probe)
        if probe is None:
            self.scene.hide_ray()
        else:
            self.scene.show_ray(probe)
        self.images.draw(is_moving=False)

    # Messages

    def fail(self, line: str) -> None:
        """Show an error; the page goes on."""
        self.client.add_notification("ddepth", line, color="red", auto_close_seconds=12.0)

    def _show_report(self, text: str) -> None:
        if self.is_open:
            self.controls.report.content = texts.plain_text(text)


def _image_size(width: int, height: int) -> tuple[int, int]:
    """Return the size of images for a canvas."""
    scale = min(1.0, math.sqrt(_MAX_PIXELS / (width * height)))
    return max(1, round(scale * width)), max(1, round(scale * height))
