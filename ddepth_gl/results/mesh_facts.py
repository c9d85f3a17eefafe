"""What layers know of their mesh: how its faces count, looked up in the mesh or stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from ..mesh.mesh import Mesh

__all__ = ["DecidedSurfaces", "Facts", "MeshFacts", "StoredFacts", "Surfaces"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
# How faces count, as requested, and as decided: see `DepthRenderer.entry_exit`.
Surfaces = Literal["auto", "oriented", "any"]
DecidedSurfaces = Literal["oriented", "any", "mixed"]


class Facts(Protocol):
    """How the faces of a mesh count, for M crossings of these faces."""

    @property
    def is_oriented(self) -> bool:
        """True if the mesh is closed and wound outward."""

    @property
    def surfaces(self) -> DecidedSurfaces | None:
        """What "auto" decides for the mesh; None if it is unknown."""

    def is_oriented_object(self, object_id: int) -> bool:
        """Return whether an object is closed and wound outward on its own."""

    def two_sided(self, face: IntArray) -> BoolArray:
        """Return (M,) bool: the crossed faces, (M,), that count on either side."""

    def two_sided_in_object(self, face: IntArray) -> BoolArray:
        """Return (M,) bool: the same, if each object is judged on its own."""

    def of_crossings(self, crossings: IntArray) -> Facts:
        """Return the facts for some of the crossings."""


@dataclass(frozen=True)
class MeshFacts:
    """Facts that are looked up in a mesh on first need."""

    mesh: Mesh

    @property
    def is_oriented(self) -> bool:  # noqa: D102
        return self.mesh.is_oriented

    @property
    def surfaces(self) -> DecidedSurfaces:  # noqa: D102
        return self.mesh.bodies.surfaces

    def is_oriented_object(self, object_id: int) -> bool:  # noqa: D102
        return object_id in self.mesh.oriented_objects

    def two_sided(self, face: IntArray) -> BoolArray:  # noqa: D102
        return self.mesh.bodies.two_sided_faces[face]

    def two_sided_in_object(self, face: IntArray) -> BoolArray:  # noqa: D102
        return self.mesh.object_bodies.two_sided_faces[face]

    def of_crossings(self, crossings: IntArray) -> MeshFacts:  # noqa: D102
        return self


@dataclass(frozen=True)
class StoredFacts:
    """Facts as values, for layers without a mesh: unpickled, loaded or made by hand.

    Attributes:
        is_oriented, surfaces: see `Facts`.
        oriented_objects: ids of objects that are closed and wound outward on their own.
        are_two_sided, are_two_sided_in_object: (M,) bool, one per crossing; None if no face is.
    """

    is_oriented: bool = False
    surfaces: DecidedSurfaces | None = None
    oriented_objects: frozenset[int] = frozenset()
    are_two_sided: BoolArray | None = None
    are_two_sided_in_object: BoolArray | None = None

    def is_oriented_object(self, object_id: int) -> bool:  # noqa: D102
        return object_id in self.oriented_objects

    def two_sided(self, face: IntArray) -> BoolArray:  # noqa: D102
        stored = self.are_two_sided
        return np.zeros(len(face), np.bool_) if stored is None else stored

    def two_sided_in_object(self, face: IntArray) -> BoolArray:  # noqa: D102
        stored = self.are_two_sided_in_object
        return self.two_sided(face) if stored is None else stored

    def of_crossings(self, crossings: IntArray) -> StoredFacts:  # noqa: D102
        def taken(flags: BoolArray | None) -> BoolArray | None:
            return None if flags is None else flags[crossings]

        return replace(
            self,
            are_two_sided=taken(self.are_two_sided),
            are_two_sided_in_object=taken(self.are_two_sided_in_object),
        )
