"""LayeredDepth's stack: one 16-bit PNG per layer, and a JSON file with the scale."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..._checks import checked_count
from ...results.depth_layers import DepthLayers
from ..file_names import checked_stem
from .arguments import check_result_type
from .earlier_files import remove_leftovers
from .metadata import file_metadata
from .png import import_png_packages
from .png16 import write_depth_png, write_scale_file
from .quantization import fitting_scale

__all__ = ["PUBLISHED_SCALE", "write_layereddepth"]

PUBLISHED_SCALE = 0.001


def write_layereddepth(
    path: str | os.PathLike[str],
    layers: DepthLayers,
    scale: float | None = None,
    *,
    max_layers: int = 8,
) -> list[Path]:
    """Write the layout of LayeredDepth-Syn.

    Described in Wen et al., "Seeing and Seeing Through the Glass", ICCV 2025.

    The files of ``NAME.png`` are ``NAME.depth_1.png`` to ``NAME.depth_8.png``, after the columns of
    that data set. The dot makes ``NAME`` the key of a WebDataset sample once the files are in a tar
    archive. Each is a 16-bit gray image, (H, W): z-depth is pixel value times scale, and 0 where a
    ray has no such crossing. Seen from outside, a body's front has an odd number and its back an
    even one. ``evaluate.py`` of princeton-vl/LayeredDepth divides by 1000, so the default scale is
    0.001.

    ``NAME.layereddepth.json`` holds ``scale``, ``miss``, ``layers``, the camera, ``left_out`` (the
    number of crossings beyond the last layer) and ``truncated_pixels`` (the number of pixels whose
    crossings `DepthRenderer.peel` cut short). Images of the same name with a higher number, left by
    an earlier run, are removed.

    Args:
        path: name that the files share, such as ``NAME.png``; what tells them apart stands before
            its extension. Without the extension, the names are the same.
        layers: crossings to write.
        scale: mesh units per step; None takes the published 0.001.
        max_layers: number of images; crossings beyond it are left out.

    Returns:
        The files written: the JSON file, then the images in the order of the layers.

    Raises:
        RequestError: `max_layers` is not an integer >= 1, or the scale not positive.
        OutputError: a depth exceeds 16 bits at this scale, or is rounded to 0, which means a miss;
            the message names a scale that fits. Or a file cannot be written, or one of an earlier
            run cannot be removed.
    """
    check_result_type(layers, DepthLayers)
    target = checked_stem(path, ".png")
    import_png_packages()  # before the JSON file is written
    max_layers = checked_count("max_layers", max_layers)
    stack = layers.dense("depth", max_layers).astype(np.float64)
    scale = fitting_scale(
        target, stack[~np.isnan(stack)], PUBLISHED_SCALE if scale is None else scale
    )
    written = [target.with_name(f"{target.name}.layereddepth.json")]
    texts = file_metadata(layers)
    write_scale_file(
        written[0],
        layers.camera,
        scale,
        texts,
        layers=len(stack),
        left_out=int((layers.layer >= max_layers).sum()),
        truncated_pixels=int(layers.truncated.sum()),
    )
    for number, depth in enumerate(stack, start=1):
        written.append(target.with_name(f"{target.name}.depth_{number}.png"))
        write_depth_png(written[-1], depth, scale, texts)
    remove_leftovers(target, r"\.depth_[1-9][0-9]*\.png", written)
    return written
