"""LayerSheets: entry and exit from all layers, of the whole image or of each object."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import checked_choice
from . import crossing_rows
from .attributes import ATTRIBUTES
from .crossing_list import BoolArray, CrossingList
from .depth_maps import DepthMaps, SheetPair
from .mesh_facts import DecidedSurfaces, Surfaces
from .objects import ObjectMaps, Sheet, sheets_by_object
from .silhouettes import exchange, fix_silhouettes

__all__ = ["LayerSheets"]


class LayerSheets(CrossingList):
    """The methods of `DepthLayers` that return DepthMaps."""

    def entry_exit(self, surfaces: Surfaces = "auto") -> DepthMaps:
        """Return the DepthMaps of these layers, with face indices and the layers' attributes.

        They equal those of `DepthRenderer.entry_exit` bit for bit.

        Args:
            surfaces: "oriented" takes the first front-facing and the last back-facing crossing;
                "any" takes the first and the last crossing of either side. "auto" does the latter
                for `two_sided` crossings, and the former for all others.

        Raises:
            RequestError: `max_layers` or `min_gap` removed crossings, so some exits are unknown.
        """
        self._check_all_layers("their exits are unknown")
        entering, exiting = self._sides(surfaces)
        sheets = (
            Sheet(*crossing_rows.outermost(self.offsets, entering, "nearest")),
            Sheet(*crossing_rows.outermost(self.offsets, exiting, "farthest")),
        )
        return self._maps(surfaces, None, sheets)

    def objects(self, surfaces: Surfaces = "auto") -> Mapping[int, DepthMaps]:
        """Return the DepthMaps of each object, including what other objects occlude.

        These are the *amodal* sheets: those of the object as if it were rendered alone. They equal
        ``of_object(id).entry_exit(surfaces)`` bit for bit; this is faster for many objects.

        Args:
            surfaces: as for `entry_exit`. "auto" judges each object on its own: if it shares edges
                with others, it is open, and its crossings are two-sided.

        Returns:
            Object id to DepthMaps, in increasing order of the ids. Objects without crossings are
            left out. The maps are built each time they are accessed, since an image per object may
            exceed the memory; ``dict(layers.objects())`` keeps them all.

        Raises:
            NotAskedForError: the layers lack the attribute object_id.
            RequestError: `max_layers` or `min_gap` removed crossings, so some occluded parts are
                unknown.
        """
        object_id = self._requested_array("object_id")
        self._check_all_layers("what they hide of the objects is unknown")
        sides = self._sides(surfaces, in_object=True)
        sheets = sheets_by_object(self.offsets, object_id, *sides)
        return ObjectMaps(sheets, partial(self._maps, surfaces))

    def _sides(self, surfaces: Surfaces, in_object: bool = False) -> tuple[BoolArray, BoolArray]:
        """Return (M,) bool each: the crossings that count as entries, and those that do as exits.

        Args:
            surfaces: see `entry_exit`.
            in_object: judge each object on its own.

        Raises:
            RequestError: `surfaces` is not an allowed value.
        """
        checked_choice("surfaces", surfaces, ("auto", "oriented", "any"))
        if surfaces == "oriented":
            return self.front_facing, ~self.front_facing
        if surfaces == "any":
            both = np.ones(len(self.depth), bool)
            return both, both
        two_sided = (self._kinds_in_object if in_object else self._kinds).two_sided
        return self.front_facing | two_sided, ~self.front_facing | two_sided

    def _maps(
        self, surfaces: Surfaces, object_id: int | None, sheets: tuple[Sheet, Sheet]
    ) -> DepthMaps:
        """Return the DepthMaps of these sheets, of one object or, for None, of all."""

        def images(values: npt.NDArray[Any], fill: float) -> SheetPair:
            return SheetPair(
                *(crossing_rows.scattered(values, *sheet, self._shape, fill) for sheet in sheets)
            )

        entry, exit_ = images(self.depth, np.nan)
        attributes = {
            name: images(values, ATTRIBUTES[name].fill)
            for name, values in {"face": self.face, **self.attributes}.items()
        }
        decided = self._decided(surfaces, object_id)
        if decided != "any" and not self._is_cropped:
            is_oriented = partial(self._is_oriented_of, object_id)
            by_geometry = surfaces == "auto" and decided is not None
            exchanged = fix_silhouettes(entry, exit_, self.camera, is_oriented, by_geometry)
            for pair in attributes.values():
                exchange(pair, exchanged)
        return DepthMaps(entry, exit_, self.camera, attributes, self.provenance, decided)

    def _decided(self, surfaces: Surfaces, object_id: int | None) -> DecidedSurfaces | None:
        if surfaces != "auto":
            return "oriented" if surfaces == "oriented" else "any"
        if object_id is None:
            return self._facts.surfaces
        return self._facts.surfaces_of_object(object_id)

    def _is_oriented_of(self, object_id: int | None) -> bool:
        if object_id is None:
            return self.is_oriented
        return self._facts.is_oriented_object(object_id)
