"""Requests to an engine, and the buffers that it returns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..mesh.mesh import Mesh
from ..results.attributes import ATTRIBUTES
from ..results.mesh_facts import DecidedSurfaces

__all__ = ["LayerBuffers", "SheetBuffers", "SheetRequest"]


@dataclass(frozen=True)
class SheetRequest:
    """Options of an image: which crossings count, and their attributes.

    Attributes:
        surfaces: "oriented" takes entries from front faces and exits from back faces. "any" takes
            both from faces of either side. "mixed" does one or the other for each face, see
            `Bodies.two_sided_faces`.
        by_geometry: the mesh decides on `surfaces`, see `decided`.
        attributes: names of attributes, besides depth.
        crop: smallest and largest depth of crossings that count, mesh units; None for all.
        beside_a_face: the camera is beside a face, see `Scene.is_beside_a_face`.
        shaded: the entries are shaded as well, see `Engine.collect_shaded`.
        stays_on_device: the sheets are not read, see `Engine.collect_on_device`.
        keeps_silhouettes: silhouettes stay as they were rendered, see `fix_silhouettes`.
    """

    surfaces: DecidedSurfaces = "oriented"
    by_geometry: bool = False
    attributes: tuple[str, ...] = ()
    crop: tuple[float, float] | None = None
    beside_a_face: bool = False
    shaded: bool = False
    stays_on_device: bool = False
    keeps_silhouettes: bool = False

    @property
    def needs_faces(self) -> bool:
        """Boolean: the face of each crossing is needed, for attributes or shading."""
        return bool(self.attributes) or self.shaded

    @property
    def computed_attributes(self) -> tuple[str, ...]:
        """Names of all attributes except the face, which engines store with each crossing."""
        return tuple(name for name in self.attributes if name != "face")

    @property
    def computed_bytes_per_crossing(self) -> int:
        """Bytes that `computed_attributes` take per crossing."""
        return sum(ATTRIBUTES[name].bytes for name in self.computed_attributes)

    def decided(self, mesh: Mesh) -> SheetRequest:
        """Return the request for a mesh; with `by_geometry`, its bodies decide on `surfaces`."""
        return replace(self, surfaces=mesh.bodies.surfaces) if self.by_geometry else self

    @property
    def may_fix_silhouettes(self) -> bool:
        """Boolean: `fix_silhouettes` applies to the image if `fixes_silhouettes` of its mesh."""
        return self.surfaces != "any" and self.crop is None and not self.keeps_silhouettes

    @property
    def may_exchange(self) -> bool:
        """Boolean: `fix_silhouettes` may exchange entries and exits."""
        return self.by_geometry and self.may_fix_silhouettes

    def fixes_silhouettes(self, mesh: Mesh) -> bool:
        """Return whether `fix_silhouettes` applies to the image.

        If geometry decides, every face that counts by facing belongs to a closed body. Where a
        two-sided face covers a pixel, entry and exit cannot be swapped.
        """
        return self.may_fix_silhouettes and (self.by_geometry or mesh.is_oriented)


@dataclass(frozen=True)
class SheetBuffers:
    """Both sheets of an image, row 0 at the top.

    Attributes:
        entry: (H, W) float32 depth, mesh units, NaN for a miss.
        exit: (H, W) float32 depth, mesh units, NaN for a miss.
        attributes: name to (entry, exit), each (H, W) or (H, W, channels).
        is_finished: `fix_silhouettes` was applied on the device, if it applies to the image.
    """

    entry: npt.NDArray[np.float32]
    exit: npt.NDArray[np.float32]
    attributes: dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]] = field(default_factory=dict)
    is_finished: bool = False


@dataclass(frozen=True)
class LayerBuffers:
    """Crossings of every pixel; those of pixel i are [offsets[i], offsets[i + 1]).

    Attributes:
        offsets: (H * W + 1,) int64.
        depth: (M,) float32, mesh units; sorted by (depth, face) within each pixel.
        face: (M,) int64.
        front_facing: (M,) bool.
        truncated: (H, W) bool: the pixel has more crossings than `max_layers`.
        attributes: name to (M,) or (M, channels), without the face.
    """

    offsets: npt.NDArray[np.int64]
    depth: npt.NDArray[np.float32]
    face: npt.NDArray[np.int64]
    front_facing: npt.NDArray[np.bool_]
    truncated: npt.NDArray[np.bool_]
    attributes: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
