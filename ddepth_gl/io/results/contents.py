"""What all formats share: what files say about themselves, the value of a miss, how many layers there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..._checks import checked_float32, checked_texts
from ..._version import __version__
from ...errors import OutputError

__all__ = ["FRAMES", "VERSION", "Rendered", "check_is", "checked_fill", "filled", "provenance"]

VERSION = f"ddepth_gl {__version__}"

FRAMES = (
    "Camera frame: OpenCV, x right, y down, z forward. camera_from_world maps world points to it. "
    "Row 0 is the top row; pixel (row r, column c) is sampled at image coordinates (c + 0.5, r + 0.5), "
    "which K is in. Depth is the camera-frame z, distance is along the ray. Mesh units. "
    "Normals and positions are in the world frame, colors are linear. "
)


class Rendered(Protocol):
    """What knows where it was rendered: DepthMaps and DepthLayers."""

    @property
    def provenance(self) -> Mapping[str, str]:
        """Names of the driver and the engine."""


def provenance(result: Rendered | None = None) -> dict[str, str]:
    """Return what every file says of where it comes from: ``version``, and that of the rendered image."""
    if result is None:
        return {"version": VERSION}
    texts = getattr(result, "provenance", None)
    return {"version": VERSION, **checked_texts("the provenance of what was rendered", texts)}


def checked_fill(fill: Any) -> np.float32:
    """The float32 nearest to `fill`.

    Raises:
        OutputError: it is no number, or float32 cannot hold it.
    """
    return checked_float32("fill", fill, OutputError)


def check_is(result: Any, *kinds: type) -> None:
    """Raises OutputError unless what is to be written is one of these kinds."""
    if not isinstance(result, kinds):
        names = " or ".join(kind.__name__ for kind in kinds)
        raise OutputError(f"{names} can be written here, not a {type(result).__name__}")


def filled(array: npt.NDArray[Any], fill: np.float32) -> npt.NDArray[Any]:
    """`array` with `fill` in place of NaN; integers and booleans stay as they are."""
    if np.isnan(fill) or array.dtype.kind != "f":
        return array
    return np.where(np.isnan(array), fill, array)
