"""Texts of saved images of the viewer: in their files, in words, and as a color bar."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .._packages import import_needed
from ..errors import OutputError, RequestError
from .coloring import BACKGROUND, color_table
from .state import ViewerState

__all__ = ["image_texts", "range_text", "with_color_bar"]

Limits = tuple[float, float] | None

_SMALLEST = (240, 80)  # of an image that a color bar leaves room in
_UNIT_SIZE = (640, 480)  # of an image whose color bar has the size below
_BAR = (280, 48)  # pixels


def range_text(state: ViewerState, limits: Limits) -> str:
    """Return the range of the color scale with its unit: ``0 to 0.4279 mesh units``.

    Args:
        state: that is shown.
        limits: values at both ends of its scale; None for images without one.
    """
    if limits is None:
        return ""
    return f"{limits[0]:.4g} to {limits[1]:.4g} {state.mode_info.unit}"


def image_texts(state: ViewerState, limits: Limits) -> dict[str, str]:
    """Return keywords and texts for the file of an image: what its colors mean.

    ``mode``, and for images with a color scale ``range_low``, ``range_high``, ``unit`` and
    ``color_map``; ``layer``, counted from 1, for one layer.

    Args:
        state, limits: see `range_text`.
    """
    if state.place == "mould":
        return {"mode": "mould"}
    texts = {"mode": state.mode}
    if state.mode == "layer":
        texts["layer"] = str(state.layer + 1)
    if limits is not None:
        texts |= {
            "range_low": f"{limits[0]:.9g}",  # float32, to the last bit
            "range_high": f"{limits[1]:.9g}",
            "unit": state.mode_info.unit,
            "color_map": state.color_map_name,
        }
    return texts


def with_color_bar(
    image: npt.NDArray[np.uint8], state: ViewerState, limits: tuple[float, float]
) -> npt.NDArray[np.uint8]:
    """Return an image with its color scale in the lower left corner.

    Args:
        image: (H, W, 4) uint8.
        state, limits: see `range_text`.

    Raises:
        RequestError: the image is too small.
        OutputError: matplotlib is not installed.
    """
    height, width = image.shape[:2]
    if width < _SMALLEST[0] or height < _SMALLEST[1]:
        raise RequestError(
            f"a color bar needs an image of at least {_SMALLEST[0]}x{_SMALLEST[1]} pixels, not "
            f"{width}x{height}"
        )
    import_needed("matplotlib", "drawing a color bar", OutputError, "cli")
    from ..plot.bar_image import bar_image

    # As large as it is easy to read, and never wider than the image.
    wanted = max(1.0, min(width / _UNIT_SIZE[0], height / _UNIT_SIZE[1]))
    scale = min(wanted, width / _BAR[0])
    title = f"{state.mode_info.label.lower()}, {state.mode_info.unit}"
    size = round(scale * _BAR[0]), round(scale * _BAR[1])
    bar = bar_image(color_table(state.color_map_name), limits, title, size, BACKGROUND)
    result = image.copy()
    result[height - bar.shape[0] :, : bar.shape[1], :3] = bar
    return result
