"""Modes: the images that the viewer shows of a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["MODES", "Kind", "Mode"]

Kind = Literal["photo", "number", "count", "direction", "label"]


@dataclass(frozen=True)
class Mode:
    """An image that the viewer shows.

    Attributes:
        name: as in `ViewerState.mode` and on the command line.
        label: for panels.
        kind: of its values: "photo", colors; "number", one per pixel, colored by a map; "count", a
            number of crossings, colored by a map; "direction", a unit vector per pixel, its
            coordinates as red, green and blue; "label", an id per pixel, a color for each.
        color_map: name of its color table; empty for photos and directions.
        unit: of its values, for the color bar and the probe; may be empty.
        starts_at_zero: whether its color scale starts at 0, not at the smallest value.
        description: one sentence.
    """

    name: str
    label: str
    kind: Kind
    color_map: str
    unit: str
    starts_at_zero: bool = False
    description: str = ""

    @property
    def has_scale(self) -> bool:
        """Boolean: a scale with two ends colors the values, and a color bar explains it."""
        return self.kind in ("number", "count")

    @property
    def needs_layers(self) -> bool:
        """Boolean: all crossings are rendered for it."""
        return self.name in ("layer", "layer_count", "solid_length")


MODES: dict[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode("photo", "Photo", "photo", "", "", False, "the mesh in color, lit from the camera"),
        Mode(
            "entry", "Entry depth", "number", "viridis_r", "mesh units", False,
            "depth where each ray first enters the surface",
        ),
        Mode(
            "exit", "Exit depth", "number", "viridis_r", "mesh units", False,
            "depth where each ray last exits the surface",
        ),
        Mode(
            "thickness", "Thickness", "number", "plasma", "mesh units", True,
            "exit minus entry along the ray, cavities and gaps included",
        ),
        Mode(
            "layer", "Layer", "number", "viridis_r", "mesh units", False,
            "depth of the k-th crossing of each ray",
        ),
        Mode(
            "layer_count", "Layer count", "count", "viridis", "crossings", True,
            "number of crossings of each ray",
        ),
        Mode(
            "normals", "Normals", "direction", "", "", False,
            "unit normal of the face at the entry, world frame: x red, y green, z blue",
        ),
        Mode(
            "solid_length", "Solid length", "number", "plasma", "mesh units", True,
            "length of each ray inside the solid, without cavities and gaps; "
            "nothing where a body has no inside (open or mixed winding)",
        ),
        Mode(
            "object_ids", "Object ids", "label", "labels", "", False,
            "object of the face at the entry, a color for each",
        ),
    )
}  # fmt: skip
