"""The part of the window that shows the image: what the mouse does there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imgui_bundle import imgui

from .actions import move
from .layout import Area

if TYPE_CHECKING:
    from .viewer import Viewer

__all__ = ["ImageArea"]

_CLICK_POINTS = 4.0  # a press that moves less is a click
_HANDLE_POINTS = 9.0  # how near to an end of the section a press takes it
_ALL_BUTTONS = (
    imgui.ButtonFlags_.mouse_button_left
    | imgui.ButtonFlags_.mouse_button_right
    | imgui.ButtonFlags_.mouse_button_middle
)
_LEFT, _RIGHT, _MIDDLE = range(3)


class ImageArea:
    """Presses and drags in the image.

    Attributes:
        area: where the image is, points.
        pixel: column and row under the cursor, at full resolution; None outside or while dragging.
        is_dragging: whether a button is down.
    """

    def __init__(self) -> None:
        self.area = Area(0.0, 0.0, 1.0, 1.0)
        self.pixel: tuple[int, int] | None = None
        self.is_dragging = False
        self._gesture = ""
        self._had_section = False
        self._start = (0.0, 0.0)
        self._has_moved = False
        self._pin_before: tuple[int, int] | None = None

    def draw(self, viewer: Viewer, area: Area) -> None:
        """Take the input of this frame, and draw what lies over the image."""
        self.area = area
        imgui.invisible_button("image", (area.width, area.height), _ALL_BUTTONS)
        imgui.set_item_key_owner(imgui.Key.mouse_wheel_y)
        io = imgui.get_io()
        x, y = io.mouse_pos.x, io.mouse_pos.y
        is_hovered = imgui.is_item_hovered()
        if imgui.is_item_activated():
            self._press(viewer, x, y)
        if self.is_dragging:
            self._drag(viewer, x, y)
        if self.is_dragging and not imgui.is_item_active():
            self._release(viewer, x, y)
        if is_hovered and imgui.is_mouse_double_clicked(_LEFT):
            viewer.state.pin, self._gesture = self._pin_before, ""  # the first click was none
            viewer.look_at_pixel(self.pixel_at(viewer, x, y))
        if is_hovered and io.mouse_wheel:
            move(viewer, lambda orbit: orbit.zoomed(io.mouse_wheel))
        if is_hovered and io.mouse_wheel_h:
            move(viewer, lambda orbit: orbit.panned(0.05 * io.mouse_wheel_h, 0.0))
        is_over = is_hovered and area.has(x, y) and not self.is_dragging
        self.pixel = self.pixel_at(viewer, x, y) if is_over else None

    def pixel_at(self, viewer: Viewer, x: float, y: float) -> tuple[int, int]:
        """Return column and row of the pixel at a point of the window, inside of the image."""
        u, v = self.image_point(viewer, x, y)
        width, height = viewer.size
        return min(max(int(u), 0), width - 1), min(max(int(v), 0), height - 1)

    def image_point(self, viewer: Viewer, x: float, y: float) -> tuple[float, float]:
        """Return image coordinates, pixel centers at 0.5, of a point of the window."""
        scale = viewer.size[1] / self.area.height
        return (x - self.area.x) * scale, (y - self.area.y) * scale

    def window_point(self, viewer: Viewer, u: float, v: float) -> tuple[float, float]:
        """Return the point of the window of image coordinates."""
        scale = self.area.height / viewer.size[1]
        return self.area.x + u * scale, self.area.y + v * scale

    @property
    def draws_first_section(self) -> bool:
        """True while a section line is drawn where there was none."""
        return self.is_dragging and self._gesture == "section" and not self._had_section

    def _press(self, viewer: Viewer, x: float, y: float) -> None:
        io, state = imgui.get_io(), viewer.state
        self.is_dragging, self._has_moved, self._start = True, False, (x, y)
        if not imgui.is_mouse_down(_LEFT):
            is_zoom = imgui.is_mouse_down(_MIDDLE) and io.key_ctrl
            # Blender turns with the middle button, MeshLab pans: Shift pans in both.
            self._gesture = "zoom" if is_zoom else "pan"
        elif io.key_shift:
            self._gesture = "pan"
        elif io.key_ctrl:
            self._gesture = "zoom"
        elif viewer.draws_section and state.place == "image":
            self._gesture, self._had_section = "section", state.section is not None
        elif state.place == "image" and (end := self._end_near(viewer, x, y)) is not None:
            self._gesture = f"end {end}"
        else:
            self._gesture = "turn"

    def _end_near(self, viewer: Viewer, x: float, y: float) -> int | None:
        """Return which end of the section is at a point of the window."""
        for number, end in enumerate(viewer.state.section or ()):
            u, v = self.window_point(viewer, *end)
            if abs(u - x) + abs(v - y) < _HANDLE_POINTS * viewer.window.scale:
                return number
        return None

    def _drag(self, viewer: Viewer, x: float, y: float) -> None:
        io, state = imgui.get_io(), viewer.state
        far = abs(x - self._start[0]) + abs(y - self._start[1]) >= _CLICK_POINTS
        dx, dy = io.mouse_delta.x, io.mouse_delta.y
        if far and not self._has_moved:  # from where it began
            self._has_moved = True
            dx, dy = x - self._start[0], y - self._start[1]
        if not self._has_moved or not (dx or dy):
            return
        height = self.area.height
        if self._gesture == "turn":
            move(viewer, lambda orbit: orbit.turned(180.0 * dx / height, 180.0 * dy / height))
        elif self._gesture == "pan":
            move(viewer, lambda orbit: orbit.panned(dx / height, dy / height))
        elif self._gesture == "zoom":
            move(viewer, lambda orbit: orbit.zoomed(-20.0 * dy / height))
        elif self._gesture == "section":
            start = self.image_point(viewer, *self._start)
            state.section = start, self.image_point(viewer, x, y)
        elif state.section is not None:  # an end of it
            ends = list(state.section)
            ends[int(self._gesture[-1])] = self.image_point(viewer, x, y)
            state.section = ends[0], ends[1]

    def _release(self, viewer: Viewer, x: float, y: float) -> None:
        self.is_dragging = False
        if self._gesture == "section" and self._has_moved:
            viewer.draws_section = False
        if self._gesture == "turn" and not self._has_moved and viewer.state.place == "image":
            self._pin_before = viewer.state.pin
            viewer.state.pin = self.pixel_at(viewer, x, y)
