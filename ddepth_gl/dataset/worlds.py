"""Worlds that poses are given in, and how a mesh lies in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .axes import Axis
from .normalization import Placement, placement_of

if TYPE_CHECKING:
    from ..mesh.mesh import Mesh
    from .entries import MeshEntry

__all__ = ["placement_in_world"]

_Z_UP = (0.0, 0.0, 1.0)
_Y_UP = (0.0, 1.0, 0.0)


def placement_in_world(
    world: str, loaded: Mesh, placement: Placement | None, entry: MeshEntry, up: Axis | None
) -> Placement:
    """Return how a mesh, as it is rendered, lies in the world of poses.

    Args:
        world: "mesh", the frame of the mesh file; or "blender", that of Blender after import, where
            rendering scripts scale the longest side of the bounding box to 1 and move its center to
            the origin. z is up there.
        loaded: the mesh as its file has it, before it was normalized.
        placement: how it was normalized; None if it was not.
        entry: the mesh's entry.
        up: direction in the file that is up in the world of Blender. None takes `Mesh.up`; for OBJ
            files, which do not say it, y, as Blender's import does.
    """
    in_file = (placement or Placement()).inverse()
    if world == "mesh":
        return in_file
    is_obj = (entry.member or entry.address).lower().endswith(".obj")
    if up is None and is_obj and not loaded.is_up_known:
        up = _Y_UP
    return placement_of(loaded, "box", _Z_UP, up).after(in_file)
