"""Alpha masks: which points of a masked face exist, by sampling written for the oracle alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .geometry import Booleans, Floats, Integers, View
from .hit_attributes import attributes

if TYPE_CHECKING:
    from .candidates import Candidates

# A renderer may decide either way this close to a cutoff, in alpha, and this close to the border
# between two texels of which the nearest is taken, in texture coordinates.
ALPHA_DOUBT, UV_DOUBT = 1 / 512, 1e-5

# Copies of a texture on each side, made by np.pad; texture coordinates must stay within them.
COPIES = 5
PADDING: dict[str, Any] = {"repeat": "wrap", "clamp": "edge", "mirror": "symmetric"}


@dataclass(frozen=True)
class MaskTexture:
    """The alpha of a texture, and how it is sampled.

    Attributes:
        alpha: (h, w) 0 to 255, top row first.
        wrap_u, wrap_v: "repeat", "clamp" or "mirror".
        is_nearest: take the nearest texel; otherwise interpolate between four.
    """

    alpha: npt.NDArray[np.uint8]
    wrap_u: str
    wrap_v: str
    is_nearest: bool

    def at(self, uv: Floats) -> tuple[Floats, Booleans]:
        """Return alpha, 0 to 1, at texture coordinates (N, 2); and where rounding may decide."""
        height, width = self.alpha.shape
        padded = np.pad(self.alpha, ((COPIES * height,) * 2, (0, 0)), mode=PADDING[self.wrap_v])
        padded = np.pad(padded, ((0, 0), (COPIES * width,) * 2), mode=PADDING[self.wrap_u])
        x = (COPIES + uv[:, 0]) * width
        y = (COPIES + 1 - uv[:, 1]) * height
        assert min(x.min(), y.min()) > 1
        assert x.max() < padded.shape[1] - 1
        assert y.max() < padded.shape[0] - 1
        if self.is_nearest:
            doubt = np.abs(x - np.rint(x)) / width <= UV_DOUBT
            doubt |= np.abs(y - np.rint(y)) / height <= UV_DOUBT
            return padded[y.astype(int), x.astype(int)] / 255.0, doubt
        value = np.zeros(len(uv))
        for row in (np.floor(y - 0.5), np.floor(y - 0.5) + 1):
            for column in (np.floor(x - 0.5), np.floor(x - 0.5) + 1):
                # A texel's weight falls linearly to 0 at the center of the next one.
                weight = (1 - np.abs(x - 0.5 - column)) * (1 - np.abs(y - 0.5 - row))
                value += weight * padded[row.astype(int), column.astype(int)] / 255.0
        return value, np.zeros(len(uv), bool)


@dataclass(frozen=True)
class AlphaMask:
    """The alpha masks of a mesh's F faces.

    Attributes:
        cutoff: (F,); 0 without a mask.
        vertex_alpha: (N,) 0 to 255; None where vertices are opaque.
        uv: (N, 2), v up.
        textures: of all faces.
        texture_id: (F,); -1 without a texture.
    """

    cutoff: Floats
    vertex_alpha: Floats | None
    uv: Floats | None
    textures: Sequence[MaskTexture]
    texture_id: Integers

    def decide(
        self, vertices: Floats, faces: Integers, view: View, pixel: Integers, face: Integers
    ) -> tuple[Booleans, Booleans]:
        """Return whether pairs of (pixel, face) exist, and where rounding may decide, (N,) each."""
        weights = attributes(vertices, faces, view, pixel, face).barycentric
        alpha = np.ones(len(face))
        doubt = np.zeros(len(face), np.bool_)
        doubt[np.isnan(weights).any(axis=1)] = True
        # Just outside of the face, or edge-on: a pair that is uncertain in any case.
        weights = np.clip(np.nan_to_num(weights), 0.0, 1.0)
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
        corner = faces[face]
        if self.vertex_alpha is not None:
            alpha *= (weights * self.vertex_alpha[corner]).sum(axis=1) / 255.0
        for index, texture in enumerate(self.textures):
            those = np.flatnonzero(self.texture_id[face] == index)
            if len(those):
                assert self.uv is not None
                uv = np.einsum("nk,nkx->nx", weights[those], self.uv[corner[those]])
                value, near_border = texture.at(uv)
                alpha[those] *= value
                doubt[those] |= near_border
        cutoff = self.cutoff[face]
        doubt |= np.abs(alpha - cutoff) <= ALPHA_DOUBT
        doubt &= (cutoff > 0) & (cutoff <= 1)
        return (alpha >= cutoff) | (cutoff == 0), doubt


def masked(
    c: Candidates, mask: AlphaMask, vertices: Floats, faces: Integers, view: View
) -> Candidates:
    """Return the candidates that exist, or may exist, under the masks.

    A pair in doubt, and one within the margin of the border of a face with a mask, is uncertain.
    So it is no part of a closed patch either.
    """
    exists, doubt = mask.decide(vertices, faces, view, c.pixel, c.face)
    at_border = (mask.cutoff[c.face] > 0) & (c.clearance <= c.margin)
    c = replace(c, hit=c.hit & exists, in_crop=c.in_crop & ~(doubt | at_border))
    gone = ~exists & ~doubt & ~(at_border & (mask.cutoff[c.face] <= 1))
    per_pair = [field.name for field in fields(c) if field.name != "margin"]
    return replace(c, **{name: getattr(c, name)[~gone] for name in per_pair})
