"""Texts that result files hold about themselves: conventions, package version, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ..._checks import checked_texts
from ..._version import __version__

__all__ = ["CONVENTIONS", "VERSION", "HasProvenance", "file_metadata"]

VERSION = f"ddepth_gl {__version__}"

CONVENTIONS = (
    "Camera frame: OpenCV, x right, y down, z forward. camera_from_world maps world points to it. "
    "Row 0 is the top row; pixel (row r, column c) is sampled at image coordinates "
    "(c + 0.5, r + 0.5), which K is in. Depth is the camera-frame z, distance is along the ray. "
    "Mesh units. Normals and positions are in the world frame, colors are linear. "
)


class HasProvenance(Protocol):
    """A result that knows how it was rendered: DepthMaps or DepthLayers."""

    @property
    def provenance(self) -> Mapping[str, str]:
        """Names of the driver and the engine, and of the mesh file if there is one."""


def file_metadata(result: HasProvenance | None = None) -> dict[str, str]:
    """Return the texts for a file: ``version`` of the package, and the provenance of `result`."""
    if result is None:
        return {"version": VERSION}
    texts = getattr(result, "provenance", None)
    return {"version": VERSION, **checked_texts("the provenance of what was rendered", texts)}
