"""Vectors of the camera as pairs of floats, for shaders that compute with these; see wide.glsl."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gl.context import GLContext
from ..request import SheetRequest
from ..scene import Scene

__all__ = ["Uniforms", "as_pairs", "in_arithmetic", "uses_pairs"]

Uniforms = dict[str, npt.NDArray[np.floating[Any]]]

# Pairs have the exponents of float32. Shaders multiply a number of the camera, or the camera's
# center, with the cross product of two edges: with less than 2**65.
_LARGEST = 2.0**40


# Uniforms of sheet.vert that wide.glsl computes with.
_WIDE_UNIFORMS = (
    *("camera_center", "view_direction", "ray_right", "ray_down", "ray_origin", "ray_direction"),
    *("image_right", "image_down", "image_origin"),
)


def uses_pairs(
    context: GLContext,
    scene: Scene,
    request: SheetRequest,
    vectors: Iterable[npt.NDArray[np.floating[Any]]],
) -> bool:
    """Return whether the shaders of an image compute with pairs of floats instead of doubles.

    Args:
        context: which may prefer pairs.
        scene: of the image. With alpha masks, which need doubles, it has doubles.
        request: of the image. For a camera beside a face, pairs are too short.
        vectors: of the camera. Extreme ones have doubles, since pairs could overflow.
    """
    return (
        context.prefers_float_pairs
        and not request.beside_a_face
        and scene.mesh.alpha_cutoff is None
        and all(bool(np.abs(vector).max() <= _LARGEST) for vector in vectors)
    )


def in_arithmetic(
    context: GLContext, scene: Scene, request: SheetRequest, uniforms: Uniforms
) -> tuple[Uniforms, dict[str, int]]:
    """Return uniforms of sheet.vert as its arithmetic needs them, and the macro that sets it.

    Args:
        context, scene, request: see `uses_pairs`.
        uniforms: from `sheet_uniforms`, perhaps with more.
    """
    wide = {name: uniforms[name] for name in _WIDE_UNIFORMS if name in uniforms}
    if not uses_pairs(context, scene, request, wide.values()):
        return uniforms, {"FLOAT_PAIRS": 0}
    pairs = {name: as_pairs(vector) for name, vector in wide.items()}
    return {**uniforms, **pairs}, {"FLOAT_PAIRS": 1}


def as_pairs(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Return numbers as pairs of floats: eight bytes each, the high part first.

    The dtype remains that of doubles, as which shaders declare them; only the bits differ.
    """
    pairs: npt.NDArray[Any] = np.empty((*values.shape, 2), np.float32)
    pairs[..., 0] = values
    pairs[..., 1] = values - pairs[..., 0]
    return pairs.view(np.float64)[..., 0]
