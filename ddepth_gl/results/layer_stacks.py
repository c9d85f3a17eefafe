"""LayerStacks: layers as stacks of images, and as one point cloud each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .._checks import (
    checked_choice,
    checked_float_type,
    checked_min_gap,
    is_integer,
    one_line,
    shown,
)
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
        self,
        name: str,
        max_layers: int | None = None,
        *,
        min_gap: float = 0.0,
        out: npt.NDArray[Any] | None = None,
    ) -> npt.NDArray[Any]:
        """Return one quantity as a stack of images, one per layer, nearest first.

        Args:
            name: "depth", "distance", "face", "front_facing" or a requested attribute.
            max_layers: number of images; None uses the largest `count` of any pixel.
            min_gap: merge crossings closer than this, see `DepthRenderer.peel`.
            out: the array to overwrite and return, C-contiguous, of the shape and dtype of the
                result, in memory of its own; None for a new one. A loop that reuses its arrays
                saves most of the time of large stacks, which goes into fresh memory.

        Returns:
            (L, H, W) or (L, H, W, channels) of the quantity's dtype; NaN, -1 or False where a pixel
            has no such crossing.

        Raises:
            RequestError: there is no such quantity, `max_layers` is not an integer >= 0, `min_gap`
                is not a number >= 0, or `out` is no such array.
            NotAskedForError: the attribute was not requested.
        """
        if not isinstance(name, str):
            raise _not_dense(name)
        arrays = {} if out is None else {name: out}
        return self.dense_many((name,), max_layers, min_gap=min_gap, out=arrays)[name]

    def dense_many(
        self,
        names: Iterable[str],
        max_layers: int | None = None,
        *,
        min_gap: float = 0.0,
        out: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> dict[str, npt.NDArray[Any]]:
        """Return several quantities as `dense` does, by name, in less time than one by one.

        Args:
            names: of quantities, see `dense`; a single string is one name.
            max_layers, min_gap: see `dense`.
            out: name to the array to overwrite, such as the last result; without one for a name,
                its array is new.

        Raises:
            RequestError, NotAskedForError: see `dense`.
        """
        names = _dense_names(names)
        if out is not None and not isinstance(out, Mapping):
            raise RequestError(f"out must be a dict of names to arrays, not {shown(out)}")
        self._check_memory({name: out[name] for name in names if name in out} if out else {})
        if checked_min_gap(min_gap):
            return self.merged(min_gap).dense_many(names, max_layers, out=out)
        layers = int(self.count.max(initial=0)) if max_layers is None else max_layers
        if not is_integer(layers) or layers < 0:
            raise RequestError(
                f"max_layers must be an integer, at least 0, or None, not {shown(max_layers)}"
            )
        values = {name: getattr(self, name) for name in names}
        stacks = {name: out[name] for name in values if name in out} if out else {}
        shapes = {
            name: (int(layers), *self._shape, *each.shape[1:]) for name, each in values.items()
        }
        for name, stack in stacks.items():
            _check_out(name, stack, values[name].dtype, shapes[name])
        try:
            for name, shape in shapes.items():
                if name in stacks:
                    stacks[name].fill(_DENSE_FILL[name])
                else:
                    stacks[name] = np.full(shape, _DENSE_FILL[name], values[name].dtype)
        except (MemoryError, ValueError):  # NumPy raises ValueError for impossible sizes
            raise RequestError(
                f"there is no memory for {shown(layers)} layers of "
                f"{self._shape[1]}x{self._shape[0]} pixels; pass a smaller max_layers="
            ) from None
        moves = [(each, stacks[name]) for name, each in values.items()]
        crossing_rows.put_layers(self.offsets, moves, int(layers))
        return {name: stacks[name] for name in values}

    def _check_memory(self, stacks: Mapping[str, Any]) -> None:
        """Raise RequestError if stacks to overwrite share memory with each other or the layers."""
        own = (self.depth, self.face, self.front_facing, self.offsets, self.truncated)
        taken = [("the layers", each) for each in (*own, *self.attributes.values())]
        for name, stack in stacks.items():
            if not isinstance(stack, np.ndarray):
                continue  # refused as such
            for owner, array in taken:
                if np.may_share_memory(stack, array):
                    raise RequestError(
                        f"out for {name} shares memory with {owner}; pass an array of its own"
                    )
            taken.append((f"out for {name}", stack))

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


def _check_out(name: str, out: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    """Raise RequestError unless `out` can take the stack of a quantity."""
    if type(out) is not np.ndarray:
        given = type(out).__name__
    elif out.dtype != dtype or out.shape != shape:
        given = f"{one_line(out.dtype, 40)} of shape {one_line(out.shape)}"
    elif not out.flags.c_contiguous:
        given = "one with gaps or in another order"
    elif not out.flags.writeable:
        given = "a read-only one"
    else:
        return
    raise RequestError(
        f"out for {name} must be a writable C-contiguous NumPy array of {dtype} of shape {shape}, "
        f"not {given}"
    )
