"""Sheets of every object of a view, amodal, as one .npz that grows with what is covered."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..io.results.archive_writer import archive_bytes
from ..io.results.packing import PACKED, pack
from ..io.results.rounding import rounded
from ..results.depth_layers import DepthLayers
from ..results.mesh_facts import Surfaces

__all__ = ["object_sheets_bytes"]

_TEXT = (
    "Sheets of each object as if it were alone. Of object_id[k], the pixels row * width + column "
    "are pixel[offsets[k]:offsets[k + 1]], and entry and exit of the same slice are depths, NaN "
    "where only the other one exists. "
    "NAME_packed: d = np.stack(packed, -1).view('<u4')[..., 0] - np.uint32(0x808080); "
    "NAME = d.cumsum(-1, '<u4').view('<f4')."
)


def object_sheets_bytes(
    layers: DepthLayers, surfaces: Surfaces, *, compression: str, tolerance: float
) -> bytes:
    """Return the sheets of all objects as the content of an ``.npz``.

    ``object_id`` (K,) int32 in increasing order; ``offsets`` (K + 1,) int64; ``pixel`` (N,) int32;
    ``entry``, ``exit`` (N,) float32, or packed as in `write_npz`. An image for each object would
    take gigabytes for a mesh of a thousand objects; this grows with the pixels that they cover.

    Args:
        layers: all crossings, with the attribute object_id.
        surfaces: see `DepthRenderer.entry_exit`; each object is judged on its own.
        compression, tolerance: see `write_npz`.
    """
    ids, pixels, entries, exits = [], [], [], []
    for object_id, maps in layers.objects(surfaces).items():
        entry, exit_ = maps.entry.ravel(), maps.exit.ravel()
        pixel = np.flatnonzero(~(np.isnan(entry) & np.isnan(exit_)))
        ids.append(object_id)
        pixels.append(pixel.astype(np.int32))
        entries.append(entry[pixel])
        exits.append(exit_[pixel])
    sizes = [len(each) for each in pixels]
    arrays: dict[str, Any] = {
        "object_id": np.array(ids, np.int32),
        "offsets": np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        "pixel": np.concatenate([np.empty(0, np.int32), *pixels]),
        "conventions": _TEXT,
    }
    for name, parts in (("entry", entries), ("exit", exits)):
        depth = rounded(np.concatenate([np.empty(0, np.float32), *parts]), tolerance)
        is_packed = compression == "packed"
        arrays[name + PACKED * is_packed] = pack(depth) if is_packed else depth
    return archive_bytes(arrays, compressed=compression != "none")
