"""LaRI's layered depth images: one .npz of z-depths, -1 where a ray has no such crossing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np

from ..._checks import checked_choice, checked_count
from ...errors import OutputError
from ...results.depth_layers import DepthLayers
from ..atomic import atomic_write
from ..file_names import checked_path
from .archive_writer import archive_bytes
from .arguments import check_result_type
from .metadata import file_metadata

__all__ = ["lari_bytes", "write_lari"]

EMPTY = -1.0
_DTYPES = ("float32", "float16")


def write_lari(
    path: str | os.PathLike[str],
    layers: DepthLayers,
    *,
    max_layers: int = 15,
    dtype: Literal["float32", "float16"] = "float32",
) -> list[Path]:
    """Write the layout of LaRI's data sets (Li et al., "LaRI: Layered Ray Intersections", 2025).

    ``dataset_curation/ldi_render_per_object.py`` of ruili3/lari writes this layout and
    ``src/datasets`` reads it: a compressed ``.npz``, named ``{view:03d}_ldi.npz`` there. Its one
    array ``ldi``, (H, W, L), holds z-depth, nearest crossings first, and -1 where there is none.

    L is fixed, so that all files of a data set have one shape: LaRI uses 15 for Objaverse and 10
    for ScanNet++, and its loader takes the first 5 or 10 layers. LaRI's files are float16; its
    loader converts either type to float32.

    The layout holds no camera. Beside the array, where the loader ignores them, are the texts of
    `DepthLayers.provenance` and ``version``. Depths are in mesh units; the longest side of LaRI's
    objects is 1.

    Args:
        path: file to write; an existing file is replaced.
        layers: crossings to write.
        max_layers: L; crossings beyond it are left out.
        dtype: float16 halves the size and keeps three digits of depth.

    Returns:
        The file written, as a list.

    Raises:
        RequestError: `max_layers` is not an integer >= 1, or `dtype` another type.
        OutputError: a depth does not fit into `dtype`, or the file cannot be written.
    """
    content = lari_bytes(layers, max_layers, dtype, str(checked_path(path)))
    with atomic_write(path) as file:
        file.write(content)
    return [Path(path)]


def lari_bytes(
    layers: DepthLayers,
    max_layers: int = 15,
    dtype: Literal["float32", "float16"] = "float32",
    name: str = "ldi.npz",
) -> bytes:
    """Return the content of the file that `write_lari` writes.

    Args:
        layers, max_layers, dtype: see `write_lari`.
        name: of the file, for messages.

    Raises:
        RequestError, OutputError: see `write_lari`.
    """
    check_result_type(layers, DepthLayers)
    checked_choice("dtype", dtype, _DTYPES)
    depth = layers.dense("depth", checked_count("max_layers", max_layers))
    hit = ~np.isnan(depth)
    with np.errstate(over="ignore", under="ignore"):
        stack = np.where(hit, depth, np.float32(EMPTY)).astype(dtype)
    # A depth that is rounded to 0 would read as empty: LaRI's loader takes values greater than 0.
    lost = hit & ~((stack > 0) & np.isfinite(stack))
    if lost.any():
        raise OutputError(
            f"{name}: {dtype} cannot hold depth {depth[lost].max():g}; "
            "write float32, or scale the mesh"
        )
    return archive_bytes(
        {"ldi": np.ascontiguousarray(np.moveaxis(stack, 0, -1)), **file_metadata(layers)}
    )
