"""Samplers: how a texture continues outside of 0..1, and between its texels."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["Sampler", "Wrap"]

Wrap = Literal["repeat", "clamp", "mirror"]


class Sampler(NamedTuple):
    """Wrap modes and filter of a texture, with the meanings of OpenGL and glTF.

    Attributes:
        wrap_u: outside of 0..1, the texture repeats ("repeat"), its outermost texels continue
            ("clamp"), or every second copy is mirrored ("mirror").
        wrap_v: the same for v.
        filter: "linear" interpolates between the centers of the four nearest texels, "nearest"
            takes the nearest texel.
    """

    wrap_u: Wrap = "repeat"
    wrap_v: Wrap = "repeat"
    filter: Literal["linear", "nearest"] = "linear"
