"""CrossingList: the crossings of one image, and what is known of each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import checked_result, checked_texts
from ..camera.camera import Camera, check_camera
from ..errors import RequestError
from . import crossing_rows
from .attributes import checked_attributes
from .mesh_facts import FaceKinds, Facts, StoredFacts
from .requested import WithRequestedArrays

__all__ = ["BoolArray", "CrossingList", "Float32Array", "IntArray"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CrossingList(WithRequestedArrays):
    """The data of `DepthLayers`, which describes the fields, and quantities of single crossings."""

    offsets: IntArray
    depth: npt.NDArray[np.float32]
    face: IntArray
    front_facing: BoolArray
    truncated: BoolArray
    camera: Camera
    attributes: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    _facts: Facts = field(default_factory=StoredFacts)
    _is_cropped: bool = False
    _min_gap: float = 0.0

    def __post_init__(self) -> None:
        check_camera(self.camera)
        shape = height, width = self.camera.height, self.camera.width
        offsets = checked_result("offsets", self.offsets, np.int64, (height * width + 1,))
        count = len(checked_result("depth", self.depth, np.float32, (None,)))
        if offsets[0] != 0 or offsets[-1] != count or (offsets[1:] < offsets[:-1]).any():
            raise RequestError(f"offsets must rise from 0 to {count}, the number of depths")
        checked = {
            "offsets": offsets,
            "depth": checked_result("depth", self.depth, np.float32, (count,)),
            "face": checked_result("face", self.face, np.int64, (count,)),
            "front_facing": checked_result("front_facing", self.front_facing, np.bool_, (count,)),
            "truncated": checked_result("truncated", self.truncated, np.bool_, shape),
            "attributes": checked_attributes(
                self.attributes,
                (count,),
                lambda attribute, value, shape: checked_result(
                    attribute.name, value, attribute.dtype, shape
                ),
            ),
            "provenance": checked_texts("provenance", self.provenance),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        state = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**state, "_facts": self._stored_facts()}

    def _stored_facts(self) -> StoredFacts:
        """Return the facts as values, for pickles and copies, which do not hold the mesh."""
        facts = self._facts
        seen = (
            np.unique(self.attributes["object_id"]).tolist()
            if "object_id" in self.attributes
            else []
        )
        surfaces = {each: facts.surfaces_of_object(each) for each in seen}
        return StoredFacts(
            facts.is_oriented,
            facts.surfaces,
            frozenset(each for each in seen if facts.is_oriented_object(each)),
            {each: decided for each, decided in surfaces.items() if decided},
            self._kinds,
            self._kinds_in_object if seen else None,
        )

    def __repr__(self) -> str:
        size = f"{self.camera.width}x{self.camera.height}"
        crossings = f"{len(self.depth):,} crossings, at most {self.count.max(initial=0)} a pixel"
        return f"<{', '.join((f'DepthLayers {size}', crossings, *self.attributes))}>"

    @property
    def _shape(self) -> tuple[int, int]:
        return self.camera.height, self.camera.width

    @cached_property
    def count(self) -> npt.NDArray[np.int32]:
        """(H, W) int32: number of crossings of each pixel, at most `max_layers`."""
        return np.diff(self.offsets).astype(np.int32).reshape(self._shape)

    @property
    def pixel(self) -> IntArray:
        """(M,) int64: row * width + column of each crossing."""
        return crossing_rows.per_crossing(self.offsets, np.arange(len(self.offsets) - 1))

    @property
    def layer(self) -> IntArray:
        """(M,) int64: layer of each crossing, counted from 0: its index within its pixel."""
        layer = np.arange(len(self.depth))
        layer -= crossing_rows.per_crossing(self.offsets, self.offsets[:-1])
        return layer

    @property
    def distance(self) -> npt.NDArray[np.float32]:
        """(M,) float32: length along the ray, mesh units; equal to depth if orthographic."""
        per_depth = self.camera.distance_per_depth().reshape(-1)
        distance = crossing_rows.per_crossing(self.offsets, per_depth)
        distance *= self.depth
        return distance.astype(np.float32)

    @property
    def is_oriented(self) -> bool:
        """True if the mesh is closed and wound outward; in layers of one object, that object.

        An object that shares edges with others is open on its own.
        """
        return self._facts.is_oriented

    @property
    def two_sided(self) -> BoolArray:
        """(M,) bool: the face of the crossing counts on either side, see `Mesh.bodies`.

        In layers of one object, the object is judged on its own. False everywhere if the layers
        were made by hand, or read from a file of version 0.2 or older.
        """
        return self._kinds.two_sided

    @property
    def _kinds(self) -> FaceKinds:
        return self._facts.kinds(self.face)

    @property
    def _kinds_in_object(self) -> FaceKinds:
        return self._facts.kinds(self.face, in_object=True)

    @property
    def is_cropped(self) -> bool:
        """True if `near` or `far` was given, which may have cut off crossings."""
        return self._is_cropped

    @property
    def oriented_objects(self) -> frozenset[int]:
        """Ids of the objects seen whose own faces are closed and wound outward.

        Empty unless the attribute "object_id" was requested. See `Mesh.oriented_objects`.
        """
        seen = (
            np.unique(self.attributes["object_id"]).tolist()
            if "object_id" in self.attributes
            else ()
        )
        return frozenset(each for each in seen if self._facts.is_oriented_object(each))

    @property
    def min_gap(self) -> float:
        """Crossings closer than this behind another one were merged with it; 0 if none were."""
        return self._min_gap

    @property
    def is_complete(self) -> bool:
        """True if no crossing is missing because of `max_layers`, `near`, `far` or `min_gap`."""
        return not (self._is_cropped or self._min_gap or self.truncated.any())

    @property
    def odd(self) -> BoolArray:
        """(H, W) bool: the number of crossings is odd.

        The mesh is open there, the camera is inside it, or crossings were cut off. If the layers
        are `is_oriented` and `is_complete`, the camera is inside.
        """
        odd: BoolArray = self.count % 2 == 1
        return odd

    def _check_all_layers(self, consequence: str) -> None:
        if self.truncated.any():
            raise RequestError(
                f"{int(self.truncated.sum())} pixels were cut short by max_layers, so "
                f"{consequence}; peel with max_layers=None"
            )
        if self._min_gap:
            raise RequestError(
                f"min_gap={self._min_gap:g} merged crossings, so {consequence}; "
                "peel without min_gap"
            )
