"""The controls of the page: tabs with what can be chosen, and the texts beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..._checks import shown
from ...errors import RequestError
from ..clouds import COLORINGS
from ..coloring import COLOR_MAPS
from ..exports import EXPORTS
from ..modes import MODES
from ..orbit import STANDARD_VIEWS, Orbit, Vector
from ..probe import Probe
from ..state import SURFACES, ViewerState
from . import texts

__all__ = ["Controls"]

_Known = TypeVar("_Known")

_PLACES = {"image": "Image", "mould": "Mould, from the side"}
_SIDES = {name.capitalize(): name for name in STANDARD_VIEWS}
_MODE_OF_LABEL = {mode.label: mode.name for mode in MODES.values()}
_STEPS = {"Previous": -1, "Next": 1}
_OWN_MAP = "of the mode"
_OWN_UP = "another"  # of a mesh, an option or a camera that rolls
_UPS: dict[str, Vector] = {
    "z": (0.0, 0.0, 1.0),
    "y": (0.0, 1.0, 0.0),
    "x": (1.0, 0.0, 0.0),
    "-z": (0.0, 0.0, -1.0),
    "-y": (0.0, -1.0, 0.0),
    "-x": (-1.0, 0.0, 0.0),
}
_HINT_PROBE = "Click into the image: the ray of that pixel, with all crossings, appears here."
_HINT_CAMERA = "perspective cameras only; the lines below keep parallel rays"
_HINT_SECTION = (
    "A line across the image; filled is inside the solid. Shift-click moves the end that is "
    "nearer to the click."
)


class Controls:
    """All controls of one client. Values are read from the handles, and changes reported.

    Args:
        gui: the interface of a client of viser.
        state: what is shown first.
        changed: awaited after a change, with the name of the control.
        pressed: awaited after a button was pressed, with its name.
    """

    def __init__(
        self,
        gui: Any,
        state: ViewerState,
        changed: Callable[[str], Any],
        pressed: Callable[[str], Any],
    ) -> None:
        self._gui = gui
        self._changed, self._pressed = changed, pressed
        self.place = self._watched(
            "place",
            gui.add_dropdown("View", list(_PLACES.values()), initial_value=_PLACES[state.place]),
        )
        self.probe_line = gui.add_html("")
        tabs = gui.add_tab_group()
        with tabs.add_tab("Image"):
            self._add_image(state)
        with tabs.add_tab("Probe"):
            self.probe = gui.add_html(texts.note(_HINT_PROBE))
            self.clear_probe = self._button("clear_probe", "Clear", visible=False)
        with tabs.add_tab("Section"):
            self._add_section()
        with tabs.add_tab("Mould"):
            self._add_mould(state)
        with tabs.add_tab("Save"):
            self._add_save()
        with tabs.add_tab("Mesh"):
            self.report = gui.add_html(texts.note("..."))

    # What is chosen

    @property
    def place_name(self) -> str:
        """The place: "image" or "mould"."""
        return "image" if self.place.value == _PLACES["image"] else "mould"

    @property
    def mode_name(self) -> str:
        """The mode, a name in `MODES`."""
        return _known(self.mode.value, _MODE_OF_LABEL)

    @property
    def color_map_name(self) -> str | None:
        """The color map; None for that of the mode."""
        return None if self.color_map.value == _OWN_MAP else self.color_map.value

    @property
    def up_vector(self) -> Vector | None:
        """The direction that is to be up; None for that of the view."""
        return _UPS.get(self.up.value)

    @property
    def side(self) -> str:
        """The standard view whose button was pressed last."""
        return _known(self.sides.value, _SIDES)

    @property
    def camera_step(self) -> int:
        """The step of the button of cameras that was pressed last."""
        return _known(self.cameras.value, _STEPS)

    # What is shown

    def show_place(self, place: str) -> None:
        """Show that the page is at the image or at the mould view."""
        self.place.value = _PLACES[place]

    def show_state(self, state: ViewerState) -> None:
        """Show or hide what depends on the mode and the place."""
        mode = MODES[state.mode]
        self.layer.visible = state.mode == "layer"
        self.color_map.visible = mode.has_scale
        self.is_full_range.visible = mode.has_scale
        is_typed = mode.has_scale and not self.is_full_range.value
        self.low.visible = self.high.visible = is_typed
        for control in (self.has_entry, self.has_exit):
            control.disabled = state.mould_layers
        self.show_mould.visible = state.place == "image"
        is_parallel = state.camera_for(8, 8).is_orthographic
        self.save_camera.disabled = is_parallel
        # Only then: a hint lies over other buttons.
        self.save_camera.hint = _HINT_CAMERA if is_parallel else None

    def show_view(self, orbit: Orbit) -> None:
        """Show up direction, angle and kind of rays of a view that the program chose."""
        self.up.value = _up_name(orbit.up)
        self.fov_deg.value = _within(orbit.fov_deg, 5.0, 120.0)
        self.is_orthographic.value = orbit.is_orthographic

    def show_cameras(self, text: str) -> None:
        """Show the buttons that step through cameras, and which one is shown; not if empty."""
        self.cameras.visible = bool(text)
        content = texts.note(text) if text else ""
        if self.camera_name.content != content:
            self.camera_name.content = content

    def show_layers(self, layers: int) -> None:
        """Let the slider reach the last layer of the image, and its own value."""
        self.layer.max = max(layers, self.layer.value, 2)

    def show_limits(self, limits: tuple[float, float]) -> None:
        """Show the limits of the image where others can be typed."""
        if self.is_full_range.value:
            span = limits[1] - limits[0]
            digits = max(0, 4 - math.floor(math.log10(span))) if span > 0.0 else 4
            for control, limit in zip((self.low, self.high), limits, strict=True):
                control.precision, control.step = digits, 10.0**-digits
                control.value = round(limit, digits)

    def show_probe(self, probe: Probe | None) -> None:
        """Show a probe; None for the hint."""
        self.probe.content = texts.note(_HINT_PROBE) if probe is None else texts.probe_text(probe)
        self.probe_line.content = "" if probe is None else texts.probe_line(probe)
        self.clear_probe.visible = probe is not None

    def show_section(self, svg: str) -> None:
        """Show the drawing of a section; nothing for an empty text."""
        self.section.content = svg and f'<div style="padding:0 0.4rem">{svg}</div>'

    # Building

    def _add_image(self, state: ViewerState) -> None:
        gui = self._gui
        self.mode = self._watched(
            "mode",
            gui.add_dropdown("Show", list(_MODE_OF_LABEL), initial_value=MODES[state.mode].label),
        )
        self.layer = self._watched(
            "layer",
            gui.add_slider(
                "Layer", 1, max(state.layer + 1, 2), 1, state.layer + 1,
                hint="the k-th crossing of each ray, counted from 1",
            ),
        )  # fmt: skip
        self.bar = gui.add_html("")
        maps = list(COLOR_MAPS)
        if state.color_map not in (None, *maps):
            maps.append(str(state.color_map))
        self.color_map = self._watched(
            "color_map",
            gui.add_dropdown(
                "Colors", [_OWN_MAP, *maps], initial_value=state.color_map or _OWN_MAP
            ),
        )
        self.is_full_range = self._watched(
            "limits",
            gui.add_checkbox(
                "Range of the image", state.limits is None,
                hint="from the smallest to the largest value that is seen",
            ),
        )  # fmt: skip
        low, high = state.limits or (0.0, 1.0)
        self.low = self._watched("limits", gui.add_number("From", low))
        self.high = self._watched("limits", gui.add_number("To", high))
        self.surfaces = self._watched(
            "surfaces",
            gui.add_dropdown(
                "Surfaces", list(SURFACES), initial_value=state.surfaces,
                hint="how faces count: by facing, on either side, or decided for each body",
            ),
        )  # fmt: skip
        self.highlight_odd = self._watched(
            "highlight_odd",
            gui.add_checkbox(
                "Odd pixels", state.highlight_odd,
                hint="mark rays whose crossings do not pair up: the mesh is open there",
            ),
        )  # fmt: skip
        with gui.add_folder("Camera"):
            self.sides = gui.add_button_group("From", list(_SIDES))
            self.sides.on_click(self._reporter(self._pressed, "side"))
            self._button("fit", "Fit")
            self.cameras = gui.add_button_group("Cameras", list(_STEPS), visible=False)
            self.cameras.on_click(self._reporter(self._pressed, "cameras"))
            self.camera_name = gui.add_html("")
            self.up = self._watched(
                "up",
                gui.add_dropdown(
                    "Up", [*_UPS, _OWN_UP], initial_value=_up_name(state.orbit.up),
                    hint="the direction that is up in the image; y for many OBJ files",
                ),
            )  # fmt: skip
            self.fov_deg = self._watched(
                "fov_deg",
                gui.add_slider("Angle", 5.0, 120.0, 1.0, _within(state.orbit.fov_deg, 5.0, 120.0)),
            )
            self.is_orthographic = self._watched(
                "is_orthographic",
                gui.add_checkbox("Parallel rays", state.orbit.is_orthographic),
            )
        self.status = gui.add_html("")

    def _add_section(self) -> None:
        gui = self._gui
        self.has_section = self._watched("section", gui.add_checkbox("Section line", False))
        gui.add_html(texts.note(_HINT_SECTION))
        self.section = gui.add_html("")
        self._button("section_row", "Along the row")
        self._button("section_column", "Along the column")

    def _add_mould(self, state: ViewerState) -> None:
        gui = self._gui
        self.show_mould = self._button("mould", "Show the mould view")
        gui.add_html(
            texts.note(
                "In the mould view the camera of the image stays where it is; you turn around "
                "the points that its rays found."
            )
        )
        self.has_entry = self._watched("clouds", gui.add_checkbox("Entry points", True))
        self.has_exit = self._watched("clouds", gui.add_checkbox("Exit points", True))
        self.mould_layers = self._watched(
            "clouds", gui.add_checkbox("Points of all layers", state.mould_layers)
        )
        self.coloring = self._watched(
            "clouds",
            gui.add_dropdown(
                "Colors by", list(COLORINGS), hint="front and back side, depth, or object"
            ),
        )
        self.has_camera = self._watched("camera", gui.add_checkbox("Camera", True))
        self.has_mesh = self._watched("mesh", gui.add_checkbox("Mesh", False))
        self.opacity = self._watched("mesh", gui.add_slider("Opacity", 0.05, 1.0, 0.05, 0.25))
        self.has_photo = self._watched(
            "photo",
            gui.add_checkbox(
                "Photo", False, hint="rendered by the server; hides the points behind it"
            ),
        )
        self.point_scale = self._watched(
            "point_scale", gui.add_slider("Point size", 0.5, 5.0, 0.25, 1.5)
        )

    def _add_save(self) -> None:
        gui = self._gui
        # A browser saves one file.
        labels = EXPORTS | {"ply": "Points (zip of two PLY)"}
        buttons = {kind: self._button(kind, label) for kind, label in labels.items()}
        self.save_camera = buttons["camera"]
        gui.add_html(texts.note("These lines of Python make the same arrays:"))
        self.code = gui.add_html("")

    def _button(self, name: str, label: str, visible: bool = True) -> Any:
        button = self._gui.add_button(label, visible=visible)
        button.on_click(self._reporter(self._pressed, name))
        return button

    def _watched(self, name: str, handle: Any) -> Any:
        handle.on_update(self._reporter(self._changed, name))
        return handle

    @staticmethod
    def _reporter(target: Callable[[str], Any], name: str) -> Callable[[Any], Any]:
        async def report(event: Any) -> None:
            if event.client is not None:  # not a change that the program made itself
                await target(name)

        return report


def _up_name(up: Vector) -> str:
    """Return the name of an up direction in the menu."""
    return next((name for name, each in _UPS.items() if each == up), _OWN_UP)


def _known(value: str, names: Mapping[str, _Known]) -> _Known:
    """Return what a choice stands for; a page may send any text.

    Raises:
        RequestError: it was not offered.
    """
    if value not in names:
        raise RequestError(f"the page offers {', '.join(names)}, not {shown(value)}")
    return names[value]


def _within(value: float, low: float, high: float) -> float:
    return min(high, max(low, float(round(value))))
