"""Facts about each view and its mesh, for the index: computed from what was rendered anyway."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..mesh.chunks import face_chunks
from ..mesh.mesh import Mesh
from ..results.depth_layers import DepthLayers
from ..results.depth_maps import DepthMaps

__all__ = ["FACTS", "mesh_facts", "view_facts"]

# Columns of the index, with the sentences of docs/dataset.md.
FACTS: Mapping[str, str] = {
    "coverage": "share of the pixels that have both an entry and an exit, 0 to 1",
    "depth_min": "smallest depth of an entry or exit at those pixels, mesh units; null without any",
    "depth_max": "largest depth of an entry or exit at those pixels, mesh units; null without any",
    "equal_share": "share of those pixels where entry and exit are equal, as on an open sheet; "
    "null without any",
    "layers": "largest number of crossings of a pixel; null unless layers were rendered",
    "odd_share": "share of odd numbers of crossings among the pixels that have some and were not "
    "cut short; null without any",
    "truncated_share": "share of the pixels with crossings that max_layers cut short; null without "
    "any",
    "surfaces": 'result of surfaces for the mesh: "oriented" (faces count by facing), "any" (on '
    'either side) or "mixed"',
    "closed": "every edge of the mesh belongs to an even number of faces",
    "two_sided_share": "share of the mesh's area in faces that count on either side; null without "
    "area",
    "warnings": "list of texts: what the mesh file holds and the mesh does not",
}


def mesh_facts(mesh: Mesh, left_out: Iterable[str]) -> dict[str, Any]:
    """Return the facts that all views of a mesh share.

    Args:
        mesh: the mesh, placed.
        left_out: what its file holds and the mesh does not, see `MeshSource`.
    """
    two_sided = total = 0.0
    start = 0
    is_two_sided = mesh.bodies.two_sided_faces
    for faces in face_chunks(mesh.faces):
        a, b, c = (mesh.vertices[faces[:, corner]] for corner in range(3))
        normal = np.cross(b - a, c - a)
        area = np.sqrt((normal * normal).sum(axis=1))
        total += float(area.sum())
        two_sided += float(area[is_two_sided[start : start + len(faces)]].sum())
        start += len(faces)
    return {
        "closed": bool(mesh.is_closed),
        # Rounded: sums of many numbers differ by the CPU in their last digits.
        "two_sided_share": round(two_sided / total, 9) if total else None,
        "warnings": list(left_out),
    }


def view_facts(maps: DepthMaps, layers: DepthLayers | None) -> dict[str, Any]:
    """Return the facts of one view.

    Args:
        maps: both sheets.
        layers: crossings; None if they were not rendered.
    """
    mask = maps.mask
    entry, exit_ = maps.entry[mask], maps.exit[mask]
    covered = len(entry)
    facts: dict[str, Any] = {
        "coverage": covered / mask.size,
        "depth_min": float(min(entry.min(), exit_.min())) if covered else None,
        "depth_max": float(max(entry.max(), exit_.max())) if covered else None,
        "equal_share": _share(int(np.count_nonzero(entry == exit_)), covered),
        "layers": None,
        "odd_share": None,
        "truncated_share": None,
        "surfaces": maps.surfaces,
    }
    if layers is not None:
        count = layers.count
        crossed = count > 0
        whole = crossed & ~layers.truncated
        facts |= {
            "layers": int(count.max(initial=0)),
            "odd_share": _share(
                int(np.count_nonzero(layers.odd & whole)), int(np.count_nonzero(whole))
            ),
            "truncated_share": _share(
                int(np.count_nonzero(layers.truncated)), int(np.count_nonzero(crossed))
            ),
        }
    return facts


def _share(part: float, total: float) -> float | None:
    return part / total if total else None
