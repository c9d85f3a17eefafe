"""LayeredDepth's stack: one 16-bit PNG a layer, with the scale written beside them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..._checks import checked_count
from ...results.depth_layers import DepthLayers
from .atomic import file_path, remove_others
from .contents import check_is, provenance
from .png16 import checked_scale, write_about, write_steps

__all__ = ["PUBLISHED_SCALE", "write_layereddepth"]

PUBLISHED_SCALE = 0.001


def write_layereddepth(
    path: str | os.PathLike[str],
    layers: DepthLayers,
    scale: float | None = None,
    *,
    max_layers: int = 8,
) -> list[Path]:
    """Writes the layout of LayeredDepth-Syn (Wen et al., "Seeing and Seeing Through the Glass", ICCV 2025).

    ``NAME.depth_1.png`` to ``NAME.depth_8.png``: the names of that data set's columns, with the dot that
    makes ``NAME`` the key of a WebDataset sample once the files are put into a tar archive. Each is a 16-bit
    gray picture, (H, W); z-depth is pixel value times scale, 0 where a ray has no such crossing. Seen from
    outside, a body's front has an odd number, its back an even one. ``evaluate.py`` of
    princeton-vl/LayeredDepth divides by 1000: its steps are thousandths of a unit, so that is the scale here
    unless another is given.

    Beside them ``NAME.layereddepth.json`` holds ``scale``, ``miss``, ``layers``, ``left_out`` (how many
    of these crossings lie beyond the last layer), ``truncated_pixels`` (how many pixels had more before
    `DepthRenderer.peel` cut them short) and the camera. Pictures of that name and a higher number, of an
    earlier run, are removed.

    Args:
        path: ``NAME`` with its folder, without an ending.
        layers: what to write.
        scale: mesh units per step; None takes the published 0.001.
        max_layers: how many pictures; crossings beyond are left out.

    Returns:
        The files written, in the order of the layers, after the JSON file.

    Raises:
        RequestError: `max_layers` is not an integer, at least 1.
        OutputError: a depth does not fit into 16 bits at this scale, or is rounded to 0, which means a
            miss; the message names the scale that fits. Or a file cannot be written, or one of an earlier
            run not be removed.
    """
    check_is(layers, DepthLayers)
    target = file_path(path)
    max_layers = checked_count("max_layers", max_layers)
    stack = layers.dense("depth", max_layers).astype(np.float64)
    step = checked_scale(
        target, stack[~np.isnan(stack)], PUBLISHED_SCALE if scale is None else scale
    )
    written = [target.with_name(f"{target.name}.layereddepth.json")]
    left_out = int((layers.layer >= max_layers).sum())
    cut_short = int(layers.truncated.sum())
    texts = provenance(layers)
    write_about(
        written[0],
        layers.camera,
        step,
        texts,
        layers=len(stack),
        left_out=left_out,
        truncated_pixels=cut_short,
    )
    for number, depth in enumerate(stack, start=1):
        written.append(target.with_name(f"{target.name}.depth_{number}.png"))
        write_steps(written[-1], depth, step, texts)
    remove_others(target, r"\.depth_[1-9][0-9]*\.png", written)
    return written
