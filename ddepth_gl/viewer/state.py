"""ViewerState: all that decides what the viewer shows, as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy.typing as npt

from .._checks import (
    MAX_SAMPLES,
    checked_choice,
    checked_count,
    checked_flag,
    checked_number,
    is_integer,
    shown,
)
from ..camera.camera import Camera
from ..camera.placement import HasBounds
from ..errors import RequestError
from .coloring import check_color_map
from .modes import MODES, Mode
from .orbit import Orbit

__all__ = ["ENGINES", "PLACES", "SURFACES", "ViewerState"]

SURFACES = ("auto", "oriented", "any")
ENGINES = ("auto", "compute", "raster")
PLACES = ("image", "mould")

Point = tuple[float, float]


@dataclass(kw_only=True)
class ViewerState:
    """All that decides what the viewer shows of a mesh; mutable, no arrays, no OpenGL.

    Values are checked when it is made, and by `check`; not when one is set.

    Attributes:
        orbit: the rendering camera, as the mouse moves it.
        mould_orbit: camera of the mould view.
        mode: name of a mode in `MODES`.
        layer: number of the layer in the mode "layer", counted from 0.
        color_map: color map of numbers and counts; None for that of the mode.
        limits: values at both ends of the color scale; None for those of the image.
        surfaces: how faces count, see `DepthRenderer.entry_exit`.
        engine: "auto", "compute" or "raster".
        camera: camera of a file, shown as it is; None as soon as the orbit is moved.
        place: "image", or "mould": both clouds seen from the side.
        mould_layers: the mould view shows the points of all layers.
        pin: column and row of the pixel that the probe is pinned to, at full resolution.
        section: ends of the section line in image coordinates (column, row), pixel centers at 0.5.
        highlight_odd: mark pixels with an odd number of crossings.
        samples: samples of the photo along each side of a pixel.

    Raises:
        RequestError: a value is not allowed; the message names it.
    """

    orbit: Orbit
    mould_orbit: Orbit
    mode: str = "photo"
    layer: int = 0
    color_map: str | None = None
    limits: tuple[float, float] | None = None
    surfaces: Literal["auto", "oriented", "any"] = "auto"
    engine: Literal["auto", "compute", "raster"] = "auto"
    camera: Camera | None = None
    place: Literal["image", "mould"] = "image"
    mould_layers: bool = False
    pin: tuple[int, int] | None = None
    section: tuple[Point, Point] | None = None
    highlight_odd: bool = False
    samples: int = 1

    def __post_init__(self) -> None:
        self.check()

    @classmethod
    def framing(
        cls,
        mesh: HasBounds | npt.ArrayLike,
        up: npt.ArrayLike | None = None,
        aspect: float = 1.0,
        **values: Any,
    ) -> ViewerState:
        """Return the state of a viewer that shows a whole mesh.

        Args:
            mesh, up, aspect: see `Orbit.framing`.
            values: other attributes.
        """
        orbit = Orbit.framing(mesh, up, aspect)
        return cls(**{"orbit": orbit, "mould_orbit": orbit.beside(), **values})

    def check(self) -> None:
        """Raise RequestError if a value is not allowed, and convert numbers of NumPy."""
        for name in ("orbit", "mould_orbit"):
            if not isinstance(getattr(self, name), Orbit):
                raise RequestError(f"{name} must be an Orbit, not {shown(getattr(self, name))}")
        checked_choice("mode", self.mode, MODES)
        if not is_integer(self.layer) or not 0 <= self.layer < 2**31:
            raise RequestError(f"layer must be an integer, at least 0, not {shown(self.layer)}")
        self.layer = int(self.layer)
        if self.color_map is not None:
            check_color_map(self.color_map)
        if self.limits is not None:
            self.limits = _checked_limits(self.limits)
        checked_choice("surfaces", self.surfaces, SURFACES)
        checked_choice("engine", self.engine, ENGINES)
        if not isinstance(self.camera, (Camera, type(None))):
            raise RequestError(f"camera must be a Camera or None, not {shown(self.camera)}")
        checked_choice("place", self.place, PLACES)
        self.mould_layers = checked_flag("mould_layers", self.mould_layers)
        if self.pin is not None:
            self.pin = _checked_pin(self.pin)
        if self.section is not None:
            start, end = _pair("section", self.section, "two ends")
            self.section = _checked_point("section", start), _checked_point("section", end)
        self.highlight_odd = checked_flag("highlight_odd", self.highlight_odd)
        self.samples = checked_count("samples", self.samples, MAX_SAMPLES)

    @property
    def mode_info(self) -> Mode:
        """The mode that is shown."""
        return MODES[self.mode]

    @property
    def color_map_name(self) -> str:
        """Color map that is shown, the mode's own unless another one is chosen; may be empty."""
        mode = MODES[self.mode]
        return (self.color_map or mode.color_map) if mode.has_scale else mode.color_map

    def camera_for(self, width: int, height: int) -> Camera:
        """Return the rendering camera of an image of this size.

        A camera of a file keeps what it shows; what an image of another shape has beyond that is
        seen, too.
        """
        if self.camera is None:
            return self.orbit.camera(width, height)
        return _resized(self.camera, width, height)

    # Files

    def as_dict(self) -> dict[str, Any]:
        """Return the values as a plain dict, ready for JSON; `from_dict` takes it."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values["orbit"] = self.orbit.as_dict()
        values["mould_orbit"] = self.mould_orbit.as_dict()
        values["camera"] = None if self.camera is None else self.camera.to_dict()
        return values

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> ViewerState:
        """Return the state of a dict from `as_dict`, also after a round trip through JSON.

        Raises:
            RequestError, CameraError: an entry is missing, unknown or invalid; the message names
                it.
        """
        names = [each.name for each in fields(cls)]
        if not isinstance(entries, Mapping) or not {*names[:2]} <= {*entries} <= {*names}:
            raise RequestError(f"a state has {', '.join(names)}, not {shown(entries)}")
        values = dict(entries)
        for name in ("orbit", "mould_orbit"):
            values[name] = Orbit.from_dict(values[name])
        if values.get("camera") is not None:
            values["camera"] = Camera.from_dict(values["camera"])
        return cls(**values)


def _resized(camera: Camera, width: int, height: int) -> Camera:
    """Return the camera with an image of another size, which shows at least the same."""
    if (camera.width, camera.height) == (width, height):
        return camera
    scale = min(width / camera.width, height / camera.height)
    K = camera.K.copy()
    K[:2] *= scale
    K[0, 2] += (width - scale * camera.width) / 2.0
    K[1, 2] += (height - scale * camera.height) / 2.0
    return Camera(K, camera.camera_from_world, width, height, camera.is_orthographic, camera.name)


def _pair(name: str, values: Any, expected: str) -> tuple[Any, Any]:
    if not isinstance(values, (tuple, list)) or len(values) != 2:
        raise RequestError(f"{name} must be {expected}, not {shown(values)}")
    return values[0], values[1]


def _checked_point(name: str, values: Any) -> Point:
    x, y = (checked_number(name, each) for each in _pair(name, values, "two points (x, y)"))
    if not (abs(x) < 2.0**31 and abs(y) < 2.0**31):
        raise RequestError(f"{name} must be in pixels, not {shown(values)}")
    return x, y


def _checked_limits(values: Any) -> Point:
    low, high = (checked_number("limits", each) for each in _pair("limits", values, "two numbers"))
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise RequestError(
            f"limits must be a smaller and a larger number, not {low:g} and {high:g}"
        )
    return low, high


def _checked_pin(values: Any) -> tuple[int, int]:
    column, row = _pair("pin", values, "a column and a row")
    if not (is_integer(column) and is_integer(row) and 0 <= column < 2**31 and 0 <= row < 2**31):
        raise RequestError(f"pin must be a column and a row, integers, not {shown(values)}")
    return int(column), int(row)
