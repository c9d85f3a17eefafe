"""LayerSelections: layers of some of the crossings, chosen by row, object or distance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from .._checks import checked_count, checked_min_gap, checked_rows, is_integer, shown
from ..errors import RequestError
from . import crossing_rows
from .crossing_list import BoolArray, CrossingList, IntArray
from .mesh_facts import StoredFacts

__all__ = ["LayerSelections"]

LayersT = TypeVar("LayersT", bound="LayerSelections")

# Fields with one value per crossing, besides the attributes.
_PER_CROSSING = ("depth", "face", "front_facing")


class LayerSelections(CrossingList):
    """The methods of `DepthLayers` that return layers of some of the crossings."""

    def rows(self: LayersT, start: int, stop: int) -> LayersT:
        """Return copies of the layers of rows [start, stop), with the camera of those rows.

        Raises:
            RequestError: not 0 <= start < stop <= H.
        """
        height, width = self._shape
        start, stop = checked_rows(start, stop, height)
        first, last = int(self.offsets[start * width]), int(self.offsets[stop * width])
        return replace(
            self,
            **self._copies(np.arange(first, last)),
            offsets=self.offsets[start * width : stop * width + 1] - first,
            truncated=self.truncated[start:stop].copy(),
            camera=self.camera.rows(start, stop),
        )

    def of_object(self: LayersT, object_id: int) -> LayersT:
        """Return copies of the crossings of one object, including what other objects occlude.

        The result has one object's layers at all pixels of the image: layer k is the object's k-th
        crossing. `is_oriented` tells about the object alone. Where `max_layers` cut off crossings,
        some of them may be the object's; such pixels stay marked as `truncated`.

        Args:
            object_id: of the mesh. An object that the rays do not meet has no crossings.

        Raises:
            NotAskedForError: the layers lack the attribute object_id.
            RequestError: `object_id` is not an integer from 0 to 2147483647.
        """
        ids = self._requested_array("object_id")
        if not is_integer(object_id) or not 0 <= object_id < 2**31:
            raise RequestError(
                f"object_id must be an integer from 0 to {2**31 - 1}, not {shown(object_id)}"
            )
        selected = ids == object_id
        return replace(
            self,
            **{
                **self._copies(np.flatnonzero(selected)),
                "offsets": crossing_rows.selected_rows(self.offsets, selected),
                "truncated": self.truncated.copy(),
                "_facts": self._facts_of_object(int(object_id), selected),
            },
        )

    def _facts_of_object(self, object_id: int, selected: BoolArray) -> StoredFacts:
        kinds = self._kinds_in_object.of(selected)
        is_oriented = self._facts.is_oriented_object(object_id)
        surfaces = self._facts.surfaces_of_object(object_id)
        return StoredFacts(
            is_oriented,
            surfaces,
            frozenset([object_id] if is_oriented else []),
            {object_id: surfaces} if surfaces else {},
            kinds,
        )

    def merged(self: LayersT, min_gap: float, max_layers: int | None = None) -> LayersT:
        """Return the layers without crossings that lie close behind another one.

        In each pixel the first crossing remains, and then each one at least `min_gap` behind the
        last one that remains, whatever its facing. Thin parts are lost. What needs all crossings,
        such as `entry_exit`, raises RequestError for the result.

        Args:
            min_gap: distance along the ray, mesh units.
            max_layers: keep at most this many crossings per pixel; None keeps all.

        Raises:
            RequestError: `min_gap` is not a number >= 0, or `max_layers` not an integer >= 1.
        """
        gap = checked_min_gap(min_gap)
        per_depth = self.camera.distance_per_depth().reshape(-1)
        remains = crossing_rows.separate(self.offsets, self.depth, per_depth, gap)
        truncated = self.truncated.copy()
        if max_layers is not None:
            checked_count("max_layers", max_layers)
            layer = np.cumsum(remains) - 1
            offsets = crossing_rows.selected_rows(self.offsets, remains)
            layer -= crossing_rows.per_crossing(self.offsets, offsets[:-1])
            truncated |= (np.diff(offsets) > max_layers).reshape(self._shape)
            remains &= layer < max_layers
        return replace(
            self,
            **self._copies(np.flatnonzero(remains)),
            offsets=crossing_rows.selected_rows(self.offsets, remains),
            truncated=truncated,
            _min_gap=max(gap, self._min_gap),
        )

    def _copies(self, crossings: IntArray) -> dict[str, Any]:
        """Return all fields that have one value per crossing, for the given crossings."""
        return {
            **{name: getattr(self, name)[crossings] for name in _PER_CROSSING},
            "_facts": self._facts.of_crossings(crossings),
            "attributes": {name: values[crossings] for name, values in self.attributes.items()},
        }
