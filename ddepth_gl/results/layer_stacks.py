"""LayerStacks: layers as stacks of images, and as one point cloud each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .._checks import checked_choice, checked_float_type, checked_min_gap, is_integer, shown
from .._srgb import srgb_from_linear
from ..camera.camera import CoordinateFrame
from ..errors import RequestError
from . import crossing_rows
from .attributes import ATTRIBUTES
from .layer_selections import LayerSelections

__all__ = ["LayerStacks"]

# The quantities that `dense` takes, and their values where there is no crossing.
_DENSE_FILL: dict[str, Any] = {
    "depth": np.nan,
    "distance": np.nan,
    "front_facing": False,
    **{name: attribute.fill for name, attribute in ATTRIBUTES.items()},
}


class LayerStacks(LayerSelections):
    """The methods of `DepthLayers` that return one array for each layer."""

    def dense(
        self, name: str, max_layers: int | None = None, *, min_gap: float = 0.0
    ) -> npt.NDArray[Any]:
        """Return one quantity as a stack of images, one per layer, nearest first.

        Args:
            name: "depth", "distance", "face", "front_facing" or a requested attribute.
            max_layers: number of images; None uses the largest `count` of any pixel.
            min_gap: merge crossings closer than this, see `DepthRenderer.peel`.

        Returns:
            (L, H, W) or (L, H, W, channels) of the quantity's dtype; NaN, -1 or False where a pixel
            has no such crossing.

        Raises:
            RequestError: there is no such quantity, `max_layers` is not an integer >= 0, or
                `min_gap` is not a number >= 0.
            NotAskedForError: the attribute was not requested.
        """
        if not isinstance(name, str):
            raise _not_dense(name)
        return self.dense_many((name,), max_layers, min_gap=min_gap)[name]

    def dense_many(
        self, names: Iterable[str], max_layers: int | None = None, *, min_gap: float = 0.0
    ) -> dict[str, npt.NDArray[Any]]:
        """Return several quantities as `dense` does, by name, in less time than one by one.

        Args:
            names: of quantities, see `dense`; a single string is one name.
            max_layers, min_gap: see `dense`.

        Raises:
            RequestError, NotAskedForError: see `dense`.
        """
        names = _dense_names(names)
        if checked_min_gap(min_gap):
            return self.merged(min_gap).dense_many(names, max_layers)
        layers = int(self.count.max(initial=0)) if max_layers is None else max_layers
        if not is_integer(layers) or layers < 0:
            raise RequestError(
                f"max_layers must be an integer, at least 0, or None, not {shown(max_layers)}"
            )
        values = {name: (getattr(self, name), _DENSE_FILL[name]) for name in names}
        try:
            stacks = crossing_rows.layer_stacks(self.offsets, values, int(layers))
        except (MemoryError, ValueError):  # NumPy raises ValueError for impossible sizes
            raise RequestError(
                f"there is no memory for {shown(layers)} layers of "
                f"{self._shape[1]}x{self._shape[0]} pixels; pass a smaller max_layers="
            ) from None
        return {
            name: stack.reshape(len(stack), *self._shape, *stack.shape[2:])
            for name, stack in stacks.items()
        }

    def color_images(
        self, name: Literal["color", "shaded_color"] = "color", max_layers: int | None = None
    ) -> npt.NDArray[np.uint8]:
        """Return the colors as images, one per layer, as PeeledHuman and similar works store them.

        Args:
            name: "color" (unlit) or "shaded_color" (under the light of `DepthRenderer.shade`); the
                attribute must have been requested.
            max_layers: as for `dense`.

        Returns:
            (L, H, W, 4) uint8 sRGB; alpha is 255 at crossings. Elsewhere all four channels are 0.

        Raises:
            RequestError: `name` is not a color, or as for `dense`.
            NotAskedForError: the attribute was not requested.
        """
        checked_choice("the attribute of color_images", name, ("color", "shaded_color"))
        colors = self.dense(name, max_layers)
        images = srgb_from_linear(colors)
        images[..., 3] = np.where(np.isnan(colors[..., 3]), 0, 255)
        return images

    def points(
        self, frame: CoordinateFrame = "world", dtype: npt.DTypeLike = np.float32
    ) -> list[npt.NDArray[Any]]:
        """Return one point cloud per layer, nearest first.

        Args:
            frame: "world" or "camera".
            dtype: of the result; a mesh far from the world's origin needs float64 in the world
                frame.

        Returns:
            A list of (N, 3) arrays of `dtype`, mesh units, pixels in row-major order.

        Raises:
            RequestError: `dtype` is not a floating point type.
            CameraError: `frame` is neither "world" nor "camera".
        """
        dtype = checked_float_type(dtype)
        centers = self.camera.pixel_centers().reshape(-1, 2)
        return [
            self.camera.unproject(centers[pixels], self.depth[crossings], frame).astype(dtype)
            for pixels, crossings in crossing_rows.by_layer(self.offsets)
        ]


def _dense_names(names: Any) -> tuple[str, ...]:
    """Return the names of quantities for `DepthLayers.dense_many`, checked."""
    try:
        checked = (names,) if isinstance(names, str) else tuple(names)
    except Exception:  # a foreign __iter__ may raise anything
        raise _not_dense(names) from None
    for name in checked:
        if not isinstance(name, str) or name not in _DENSE_FILL:
            raise _not_dense(name)
    return checked


def _not_dense(name: Any) -> RequestError:
    return RequestError(f"dense takes {', '.join(_DENSE_FILL)}, not {shown(name)}")
