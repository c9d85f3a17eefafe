"""Names that settings of a data set choose from, for the settings and the help of the command."""

from __future__ import annotations

from typing import Any, Literal, get_args

__all__ = ["Codec", "Fit", "Kind", "Layout", "Output", "PhotoBy", "Preset", "choices_text"]

Kind = Literal["orbit", "hemisphere", "fibonacci", "hammersley", "turntable", "random", "file"]
Preset = Literal["trellis", "trellis_cond", "zero123", "objaverse", "objaverse_xl", "lari"]
Output = Literal[
    "photo",
    "depth",
    "distance",
    "thickness",
    "layers",
    "normal",
    "face",
    "object_id",
    "points",
    "objects",
]
Layout = Literal["xray", "lari", "lari16", "layereddepth", "2k2k", "point_map", "point_map16"]
Codec = Literal["packed", "deflate", "none", "png16", "exr"]
Fit = Literal["none", "box", "sphere"]
PhotoBy = Literal["own", "cycles", "eevee"]


def choices_text(choice: Any, last: str = "or") -> str:
    """Return the names of a choice as text, such as ``a, b or c``; `last` precedes the last one."""
    *names, end = get_args(choice)
    return f"{', '.join(names)} {last} {end}" if last else ", ".join((*names, end))
