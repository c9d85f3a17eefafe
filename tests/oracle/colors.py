"""Colors: sRGB to linear and back, and bilinear texture lookup."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .geometry import Floats


def linear_from_srgb(levels: npt.ArrayLike) -> Floats:
    """Return linear light, 0 to 1, of sRGB levels, 0 to 255 (IEC 61966-2-1)."""
    encoded = np.asarray(levels, np.float64) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def encode_srgb(value: float) -> float:
    """Return sRGB, 0 to 1, of one value of linear light, 0 to 1 (IEC 61966-2-1)."""
    if value <= 0.0031308:
        return 12.92 * value
    return float(1.055 * value ** (1 / 2.4) - 0.055)


def linear_rgba(levels: npt.ArrayLike) -> Floats:
    """Return (..., 4) linear colors of (..., 4) sRGB levels; alpha is linear already."""
    levels = np.asarray(levels)
    return np.concatenate([linear_from_srgb(levels[..., :3]), levels[..., 3:] / 255.0], axis=-1)


def texture_at(
    texture: npt.ArrayLike, uv: npt.ArrayLike, doubt_texels: npt.ArrayLike = 0.0
) -> tuple[Floats, Floats]:
    """Return bilinear linear colors of a repeating texture, and how steep they are.

    Args:
        texture: (h, w, 4) sRGB levels, top row first; texel centers are at halves.
        uv: (N, 2) texture coordinates; v points up.
        doubt_texels: largest movement, in texels, for which the steepness must hold: one number, or
            one for each point.

    Returns:
        (N, 4) colors, and (N, 4) bounds on the change of color per texel of movement in u or v.
    """
    texture = np.asarray(texture)
    height, width, _ = texture.shape
    uv = np.asarray(uv, np.float64)
    x, y = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    right, down = (x - column)[:, None], (y - row)[:, None]

    def texel(r: int, c: int) -> Floats:
        return linear_rgba(texture[(row + r) % height, (column + c) % width])

    top = texel(0, 0) * (1 - right) + texel(0, 1) * right
    bottom = texel(1, 0) * (1 - right) + texel(1, 1) * right

    # A point that moves by at most a texel stays among these; one that moves farther may meet any.
    block = [texel(r, c) for r in range(-1, 3) for c in range(-1, 3)]
    steepness = np.max(block, axis=0) - np.min(block, axis=0)
    far = np.broadcast_to(np.asarray(doubt_texels) > 1, len(uv))
    levels = texture.reshape(-1, 4)
    steepness[far] = linear_rgba(levels.max(axis=0)) - linear_rgba(levels.min(axis=0))
    return top * (1 - down) + bottom * down, steepness
