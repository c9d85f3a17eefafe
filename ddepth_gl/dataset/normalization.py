"""Normalization: each mesh turned, scaled and moved into a unit box or a unit sphere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..camera.checks import Float64Array
from ..camera.placement import HasBounds, axes_of_up, bounding_sphere
from ..errors import CameraError, MeshError
from .axes import Axis, direction_of

if TYPE_CHECKING:
    from ..mesh.mesh import Mesh
    from .config import NormalizationConfig

__all__ = ["Placement", "normalized", "placement_of"]

_Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Placement:
    """The similarity that took a mesh from its file's frame to that of the data set.

    ``placed = scale * rotation @ point + offset``; nothing is mirrored.

    Attributes:
        scale: factor of all lengths, depths included; above 0.
        offset: (3,) in units of the placed mesh.
        rotation: (3, 3) rows of the rotation.
    """

    scale: float = 1.0
    offset: _Numbers = (0.0, 0.0, 0.0)
    rotation: tuple[_Numbers, ...] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

    @property
    def is_identity(self) -> bool:
        """True if the mesh stays as it is in its file."""
        return self == Placement()

    @property
    def matrix(self) -> Float64Array:
        """(4, 4) float64: maps points of the file's frame to the placed mesh."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.scale * np.array(self.rotation)
        matrix[:3, 3] = self.offset
        return matrix

    def placed(self, points: npt.ArrayLike) -> Float64Array:
        """Return (..., 3) float64: points of the file's frame in that of the placed mesh."""
        return _turned(np.asarray(points, np.float64), self.rotation) * self.scale + self.offset

    def original(self, points: npt.ArrayLike) -> Float64Array:
        """Return (..., 3) float64: points of the placed mesh in its file's frame."""
        back = (np.asarray(points, np.float64) - self.offset) / self.scale
        return _turned(back, tuple(zip(*self.rotation, strict=True)))

    def inverse(self) -> Placement:
        """Return the similarity back: of the placed mesh to its file's frame."""
        rotation = tuple(zip(*self.rotation, strict=True))
        offset = _turned(-np.array(self.offset) / self.scale, rotation) + 0.0
        return Placement(1.0 / self.scale, tuple(offset.tolist()), rotation)

    def after(self, first: Placement) -> Placement:
        """Return the similarity that does `first`, then this one."""
        columns = zip(*first.rotation, strict=True)
        # Column by column, as `_turned` sums: matrix products round by the CPU.
        turned = [_turned(np.array(column), self.rotation) + 0.0 for column in columns]
        rotation = tuple(map(tuple, np.stack(turned, axis=-1).tolist()))
        offset = self.placed(first.offset) + 0.0
        return Placement(self.scale * first.scale, tuple(offset.tolist()), rotation)

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes by name, as lists and numbers that JSON can hold."""
        return {
            "scale": self.scale,
            "offset": list(self.offset),
            "rotation": [list(row) for row in self.rotation],
        }

    @classmethod
    def from_dict(cls, entries: dict[str, Any]) -> Placement:
        """Return the placement of a dict from `to_dict`."""
        rotation = tuple(tuple(map(float, row)) for row in entries["rotation"])
        return cls(float(entries["scale"]), tuple(map(float, entries["offset"])), rotation)


def normalized(mesh: Mesh, config: NormalizationConfig) -> tuple[Mesh, Placement]:
    """Return a mesh with the orientation, scale and position of the data set.

    First it is turned, so that its up direction becomes the axis `config.up`. Then it is scaled and
    moved: with "box", its bounding box is centered in [-0.5, 0.5]^3 and its longest side is 1, as
    in the scripts of Objaverse, Zero123 and TRELLIS; with "sphere", the center of its bounding box
    is the origin and its farthest vertex is at 1. Vertices that no face uses do not count.

    Args:
        mesh: the mesh as loaded. Without a change, the same mesh is returned.
        config: settings of the data set. ``mesh_up`` says which way is up in the files; "auto"
            takes `Mesh.up`.

    Returns:
        The mesh, with all its attributes (its up direction is then known), and how it was placed.

    Raises:
        MeshError: all vertices are at one point.
        DatasetError: an axis is not understood.
    """
    target = direction_of("normalization.up", config.up) if config.up else None
    source = direction_of("normalization.mesh_up", config.mesh_up)
    placement = placement_of(mesh, config.fit, target, source)
    knows_up = target is None or (mesh.is_up_known and mesh.up == target)
    if placement.is_identity and knows_up:
        return mesh, placement
    return mesh.transformed(placement.matrix, up=target), placement


def placement_of(
    mesh: Mesh, fit: str, target_up: Axis | None = None, source_up: Axis | None = None
) -> Placement:
    """Return how `normalized` places a mesh.

    Args:
        mesh: the mesh.
        fit: "none", "box" or "sphere".
        target_up: unit vector that the up direction is turned to; None turns nothing.
        source_up: up direction of the mesh; None takes `Mesh.up`.

    Raises:
        MeshError: all vertices are at one point, and a scale is asked for.
    """
    rotation = Placement().rotation
    extent: HasBounds = mesh
    if target_up is not None:
        rows = axes_of_up("up", target_up).T @ axes_of_up("up", source_up or mesh.up)
        rotation = tuple(tuple((row + 0.0).tolist()) for row in rows)  # -0 becomes 0
        points = _turned(mesh.vertices[np.unique(mesh.faces)], rotation)
        extent = _Extent(np.array([points.min(axis=0), points.max(axis=0)]), points)
    if fit == "none":
        return Placement(rotation=rotation)
    low, high = extent.bounds
    try:
        size = float((high - low).max()) if fit == "box" else bounding_sphere(extent)[1]
    except CameraError:
        size = 0.0
    if not size > 0.0:
        raise MeshError(
            f"{mesh.name}: all vertices are at {low.tolist()}, so no scale fits it into a {fit}; "
            "leave this mesh out"
        )
    offset = -(low + high) / 2.0 / size + 0.0
    return Placement(1.0 / size, tuple(offset.tolist()), rotation)


class _Extent(NamedTuple):
    """Bounds and points of a turned mesh."""

    bounds: Float64Array
    vertices: Float64Array


def _turned(points: Float64Array, rotation: tuple[_Numbers, ...]) -> Float64Array:
    # Sum by sum: matrix products round by the CPU.
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    return np.stack([x * row[0] + y * row[1] + z * row[2] for row in rotation], axis=-1)
