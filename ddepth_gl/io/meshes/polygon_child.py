"""Cutting large polygons in a child process, because earcut cannot be interrupted."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..._packages import import_needed
from ...errors import MeshError

__all__ = ["cut_outlines"]


def cut_outlines(
    request: dict[str, Any], blobs: list[memoryview]
) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """Return what earcut finds for outlines of equal numbers of corners.

    Args:
        request: ``corners``, the number of corners of each.
        blobs: float64 coordinates of all.

    Returns:
        ``sizes``, how many corner numbers belong to each outline, and one array of all of them.

    Raises:
        MeshError: the package mapbox-earcut is not installed.
    """
    earcut = import_needed("mapbox_earcut", "triangulating concave polygons", MeshError)
    count = int(request["corners"])
    ring = np.array([count], np.uint32)
    plane = np.frombuffer(blobs[0], np.float64).reshape(-1, count, 2).copy()
    found = [earcut.triangulate_float64(outline, ring) for outline in plane]
    return {"sizes": [len(flat) for flat in found]}, [np.concatenate(found)]
