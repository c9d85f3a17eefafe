"""Meshes whose up direction is assumed, because their format does not say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._text import counted

if TYPE_CHECKING:
    from .plan import Plan

__all__ = ["assumed_up_count", "assumed_up_text"]

# Formats of `load_mesh` that do not say which way is up; see there.
_SILENT = {".obj": "OBJ", ".stl": "STL", ".ply": "PLY", ".off": "OFF"}


def assumed_up_count(plan: Plan) -> int:
    """Return how many meshes of a plan are rendered with z up only because nothing says otherwise.

    Their formats are judged by the endings of their names.
    """
    config = plan.config
    if config.photos is not None or config.views.kind == "file":
        return 0  # cameras come from files
    settings = config.normalization.mesh_up if config.normalization.up else config.views.up
    if settings != "auto":
        return 0
    names = ((entry.member or entry.address) for shard in plan.shards for entry in shard)
    return sum(name.lower().endswith(tuple(_SILENT)) for name in names)


def assumed_up_text(count: int) -> str:
    """Return a line for the user about so many meshes, and how to change it."""
    return (
        f"z up was assumed for {counted(count, 'mesh', 'meshes')}, whose formats "
        f"({', '.join(_SILENT.values())}) do not say it; if they lie on their backs, give --up y; "
        "if the settings have normalization.up, set normalization.mesh_up: y instead"
    )
