"""LaRI's layered depth: one .npz of z-depths, -1 where a ray has no such crossing."""

from __future__ import annotations

import os
from typing import Literal

import numpy as np

from ..._checks import checked_choice, checked_count
from ...errors import OutputError
from ...results.depth_layers import DepthLayers
from .atomic import file_path
from .contents import check_is, provenance
from .npz import write_archive

__all__ = ["write_lari"]

EMPTY = -1.0
_TYPES = ("float32", "float16")


def write_lari(
    path: str | os.PathLike[str],
    layers: DepthLayers,
    *,
    max_layers: int = 15,
    dtype: Literal["float32", "float16"] = "float32",
) -> None:
    """Writes the layout of LaRI's data sets (Li et al., "LaRI: Layered Ray Intersections", 2025).

    As ``dataset_curation/ldi_render_per_object.py`` of ruili3/lari writes it and ``src/datasets`` reads it:
    a compressed ``.npz``, named ``{view:03d}_ldi.npz`` there, with the one array ``ldi``, (H, W, L): z-depth,
    first crossings first, -1 where there is none. The last axis is that of the layers. L is
    chosen there for a whole data set, 15 for Objaverse, 10 for ScanNet++, and the loader takes the first 5 or
    10 of them; so it is fixed here as well, and all files have one shape, whatever an image shows. Theirs are
    float16; the loader makes float32 of either.

    The layout holds no camera. Texts stand beside the array, which the loader does not look at: those of
    `DepthLayers.provenance` and ``version``. It keeps mesh units; LaRI's objects have a longest side of 1.

    Args:
        path: of the file; replaced as a whole.
        layers: what to write.
        max_layers: L. Crossings beyond it are left out.
        dtype: float16 halves the size and keeps three digits of depth.

    Raises:
        RequestError: `max_layers` is not an integer >= 1.
        OutputError: a depth does not fit into `dtype`, or the file cannot be written.
    """
    check_is(layers, DepthLayers)
    file_path(path)
    checked_choice("dtype", dtype, _TYPES, OutputError)
    depth = layers.dense("depth", checked_count("max_layers", max_layers))
    hit = ~np.isnan(depth)
    with np.errstate(over="ignore", under="ignore"):
        stack = np.where(hit, depth, np.float32(EMPTY)).astype(dtype)
    # A depth that became 0 would read as empty: LaRI's loader takes what is greater than 0.
    lost = hit & ~((stack > 0) & np.isfinite(stack))
    if lost.any():
        raise OutputError(
            f"{os.fspath(path)}: {dtype} cannot hold depth {depth[lost].max():g}; "
            "write float32, or scale the mesh"
        )
    write_archive(
        path, {"ldi": np.ascontiguousarray(np.moveaxis(stack, 0, -1)), **provenance(layers)}
    )
