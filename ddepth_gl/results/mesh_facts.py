"""Facts that layers know of their mesh: how its faces count, looked up in the mesh or stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ..mesh.bodies import Surfaces as _BodySurfaces
from ..mesh.mesh import Mesh

__all__ = ["DecidedSurfaces", "FaceKinds", "Facts", "MeshFacts", "StoredFacts", "Surfaces"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
# How faces count, as requested, and as decided: see `DepthRenderer.entry_exit`.
Surfaces = Literal["auto", "oriented", "any"]
DecidedSurfaces = _BodySurfaces


class FaceKinds(NamedTuple):
    """Kinds of the faces of M crossings, (M,) bool each.

    Attributes:
        two_sided: the face counts on either side, see `Bodies.two_sided_faces`.
        solid: the face bounds a solid, see `Bodies.solid_faces`.
    """

    two_sided: BoolArray
    solid: BoolArray

    def of(self, crossings: IntArray | BoolArray) -> FaceKinds:
        """Return the kinds of some of the crossings."""
        return FaceKinds(self.two_sided[crossings], self.solid[crossings])


class Facts(Protocol):
    """Properties of a mesh and of the faces of its M crossings."""

    @property
    def is_oriented(self) -> bool:
        """True if the mesh is closed and wound outward."""

    @property
    def surfaces(self) -> DecidedSurfaces | None:
        """Result of "auto" for the mesh; None if it is unknown."""

    def is_oriented_object(self, object_id: int) -> bool:
        """Return whether an object is closed and wound outward on its own."""

    def surfaces_of_object(self, object_id: int) -> DecidedSurfaces | None:
        """Return the result of "auto" for an object on its own; None if it is unknown."""

    def kinds(self, face: IntArray, in_object: bool = False) -> FaceKinds:
        """Return the kinds of the crossed faces, (M,).

        Args:
            face: (M,) of all crossings that the facts are for.
            in_object: judge each object on its own.
        """

    def of_crossings(self, crossings: IntArray) -> Facts:
        """Return the facts for some of the crossings."""


@dataclass(frozen=True)
class MeshFacts:
    """Facts that are looked up in a mesh on first need."""

    mesh: Mesh

    @property
    def is_oriented(self) -> bool:
        """As in `Facts`."""
        return self.mesh.is_oriented

    @property
    def surfaces(self) -> DecidedSurfaces:
        """As in `Facts`."""
        return self.mesh.bodies.surfaces

    def is_oriented_object(self, object_id: int) -> bool:
        """Return as in `Facts`."""
        return object_id in self.mesh.oriented_objects

    def surfaces_of_object(self, object_id: int) -> DecidedSurfaces | None:
        """Return as in `Facts`."""
        return self.mesh.object_bodies.surfaces.get(object_id)

    def kinds(self, face: IntArray, in_object: bool = False) -> FaceKinds:
        """Return as in `Facts`."""
        bodies = self.mesh.object_bodies if in_object else self.mesh.bodies
        return FaceKinds(bodies.two_sided_faces[face], bodies.solid_faces[face])

    def of_crossings(self, crossings: IntArray) -> MeshFacts:
        """Return as in `Facts`: faces are looked up, so nothing changes."""
        return self


@dataclass(frozen=True)
class StoredFacts:
    """Facts as values, for layers without a mesh: unpickled, loaded or made by hand.

    Attributes:
        is_oriented, surfaces: see `Facts`.
        oriented_objects: ids of objects that are closed and wound outward on their own.
        object_surfaces: object id to what "auto" decides for it on its own.
        of_mesh: kinds of the faces; None if all count by facing.
        of_objects: kinds if each object is judged on its own; None if they are those of the mesh.
    """

    is_oriented: bool = False
    surfaces: DecidedSurfaces | None = None
    oriented_objects: frozenset[int] = field(default_factory=frozenset)
    object_surfaces: Mapping[int, DecidedSurfaces] = field(default_factory=dict)
    of_mesh: FaceKinds | None = None
    of_objects: FaceKinds | None = None

    def is_oriented_object(self, object_id: int) -> bool:
        """Return as in `Facts`."""
        return object_id in self.oriented_objects

    def surfaces_of_object(self, object_id: int) -> DecidedSurfaces | None:
        """Return as in `Facts`."""
        return self.object_surfaces.get(object_id)

    def kinds(self, face: IntArray, in_object: bool = False) -> FaceKinds:
        """Return as in `Facts`."""
        stored = (self.of_objects if in_object else None) or self.of_mesh
        return stored or FaceKinds(np.zeros(len(face), np.bool_), np.ones(len(face), np.bool_))

    def of_crossings(self, crossings: IntArray) -> StoredFacts:
        """Return as in `Facts`."""
        return StoredFacts(
            self.is_oriented,
            self.surfaces,
            self.oriented_objects,
            self.object_surfaces,
            self.of_mesh and self.of_mesh.of(crossings),
            self.of_objects and self.of_objects.of(crossings),
        )
