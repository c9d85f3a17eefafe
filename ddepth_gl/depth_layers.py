"""DepthLayers: every crossing of every pixel's ray with the mesh."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .attributes import ATTRIBUTES, NotAskedForError
from .camera import Camera, Frame
from .depth_maps import DepthMaps, SheetPair
from .errors import RequestError
from .silhouettes import uncross
from .srgb import srgb_from_linear

__all__ = ["DepthLayers"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

# What `dense` can lay out besides attributes, and what stands where there is no crossing.
_DENSE_FILL: dict[str, Any] = {"depth": np.nan, "distance": np.nan, "front_facing": False}


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


@dataclass(frozen=True, eq=False)
class DepthLayers:
    """All crossings of one image, compressed by rows.

    Row 0 is the top row; pixel i = row * width + column is sampled at its centre. The crossings of pixel i
    are [offsets[i], offsets[i + 1]), sorted by (depth, face). Coincident faces are all there. Depths are in
    mesh units.

    Each attribute that was asked for is there by its name: with ``attributes=("normal",)`` the layers have
    ``normal``, (M, 3). `DepthRenderer.entry_exit` lists them.

    Attributes:
        offsets: (H * W + 1,) int64.
        depth: (M,) float32 z-depth of each crossing.
        face: (M,) int64 index of the face crossed.
        front_facing: (M,) bool, whether the ray comes from the counter-clockwise side: it enters.
        truncated: (H, W) bool, pixels that `max_layers` cut short.
        camera: the Camera of the image.
        attributes: name to (M,) or (M, channels).
    """

    offsets: IntArray
    depth: npt.NDArray[np.float32]
    face: IntArray
    front_facing: BoolArray
    truncated: BoolArray
    camera: Camera
    attributes: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    _is_oriented: Callable[[], bool] = field(default=lambda: False, repr=False)
    _is_cropped: bool = field(default=False, repr=False)

    def __getattr__(self, name: str) -> npt.NDArray[Any]:
        """The attributes, by their names."""
        if name not in ATTRIBUTES:
            raise AttributeError(f"DepthLayers has no attribute {name!r}")
        array: npt.NDArray[Any] | None = self.__dict__.get("attributes", {}).get(name)
        if array is None:
            raise NotAskedForError(f'{name} was not asked for; peel with attributes=("{name}",)')
        return array

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.attributes]

    @property
    def _shape(self) -> tuple[int, int]:
        return self.camera.height, self.camera.width

    @cached_property
    def count(self) -> npt.NDArray[np.int32]:
        """(H, W) int32: crossings of each pixel, at most `max_layers`."""
        return np.diff(self.offsets).astype(np.int32).reshape(self._shape)

    @cached_property
    def pixel(self) -> IntArray:
        """(M,) int64: row * width + column of each crossing."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    @cached_property
    def layer(self) -> IntArray:
        """(M,) int64: how many crossings of its pixel come before each crossing."""
        return np.arange(len(self.depth)) - self.offsets[self.pixel]

    @property
    def distance(self) -> npt.NDArray[np.float32]:
        """(M,) float32: along the ray from the camera centre; for an orthographic camera equal to depth."""
        return (self.depth * self._distance_per_depth).astype(np.float32)

    @property
    def _distance_per_depth(self) -> npt.NDArray[np.float64]:
        return self.camera.distance_per_depth().reshape(-1)[self.pixel]

    @property
    def is_complete(self) -> bool:
        """Whether all crossings are there: nothing was cut away by `max_layers`, `near` or `far`."""
        return not (self._is_cropped or self.truncated.any())

    @property
    def odd(self) -> BoolArray:
        """(H, W) bool: crossings do not pair up, so the mesh is open here (or the pixel was cut short)."""
        odd: BoolArray = self.count % 2 == 1
        return odd

    def dense(self, name: str, max_layers: int | None = None) -> npt.NDArray[Any]:
        """One quantity as a stack of images, first crossings first.

        Args:
            name: "depth", "distance", "face", "front_facing", or an attribute that was asked for.
            max_layers: height of the stack; None takes as many as the pixel with the most crossings has.

        Returns:
            (L, H, W) or (L, H, W, channels) of the quantity's dtype; NaN, -1 or False where there is no such
            crossing.

        Raises:
            RequestError: there is no quantity of that name, or `max_layers` is no whole number >= 0.
        """
        if name not in _DENSE_FILL and name not in ATTRIBUTES:
            raise RequestError(f"dense takes {', '.join((*_DENSE_FILL, *ATTRIBUTES))}, not {name!r}")
        layers = int(self.count.max(initial=0)) if max_layers is None else max_layers
        if not _is_whole(layers) or layers < 0:
            raise RequestError(f"max_layers must be a whole number, at least 0, or None, not {max_layers!r}")
        values = getattr(self, name)
        fill = _DENSE_FILL[name] if name in _DENSE_FILL else ATTRIBUTES[name].fill
        stack = np.full((layers, len(self.offsets) - 1, *values.shape[1:]), fill, dtype=values.dtype)
        kept = self.layer < layers
        stack[self.layer[kept], self.pixel[kept]] = values[kept]
        return stack.reshape(layers, *self._shape, *values.shape[1:])

    def pictures(
        self, name: Literal["color", "shaded_color"] = "color", max_layers: int | None = None
    ) -> npt.NDArray[np.uint8]:
        """The peeled colour of every layer, as PeeledHuman and its successors store it.

        Args:
            name: the attribute to show, which must have been asked for: unlit or under the light of `shade`.
            max_layers: as for `dense`.

        Returns:
            (L, H, W, 4) uint8 sRGB; alpha is 255 where there is a crossing and 0, with black, elsewhere.

        Raises:
            RequestError: the attribute was not asked for, or is no colour.
        """
        if name not in ("color", "shaded_color"):
            raise RequestError(f"pictures are made of color or shaded_color, not {name!r}")
        colours = self.dense(name, max_layers)
        pictures = srgb_from_linear(colours)
        pictures[..., 3] = np.where(np.isnan(colours[..., 3]), 0, 255)
        return pictures

    def entry_exit(self, surfaces: Literal["oriented", "any"] = "oriented") -> DepthMaps:
        """The DepthMaps that follow: the same bits as `DepthRenderer.entry_exit` gives, with face indices.

        Args:
            surfaces: "oriented": first front and last back crossing; "any": first and last of either side.

        Raises:
            RequestError: `max_layers` cut a pixel short, so that its exit is not known.
        """
        self._check_complete("their exits are")
        if surfaces not in ("oriented", "any"):
            raise RequestError(f"surfaces must be 'oriented' or 'any', not {surfaces!r}")
        oriented = surfaces == "oriented"
        entering = np.flatnonzero(self.front_facing) if oriented else np.arange(len(self.depth))
        leaving = np.flatnonzero(~self.front_facing) if oriented else entering
        # Of several crossings of a pixel the last one written stays: backwards for the first.
        first, last = self._last_of_each_pixel(entering[::-1]), self._last_of_each_pixel(leaving)
        entry, exit_ = (self._image(crossings, self.depth, np.nan) for crossings in (first, last))
        if oriented and not self._is_cropped:
            uncross(entry, exit_, self.camera, self._is_oriented)
        attributes = {
            name: SheetPair(*(self._image(c, values, ATTRIBUTES[name].fill) for c in (first, last)))
            for name, values in {"face": self.face, **self.attributes}.items()
        }
        return DepthMaps(entry, exit_, self.camera, attributes)

    def _last_of_each_pixel(self, crossings: IntArray) -> IntArray:
        last = np.full(len(self.offsets) - 1, -1)
        last[self.pixel[crossings]] = crossings
        return last[last >= 0]

    def _image(self, crossings: IntArray, values: npt.NDArray[Any], fill: float) -> npt.NDArray[Any]:
        """(H, W) or (H, W, channels): the values of some crossings, one a pixel, at their pixels."""
        image = np.full((len(self.offsets) - 1, *values.shape[1:]), fill, dtype=values.dtype)
        image[self.pixel[crossings]] = values[crossings]
        return image.reshape(*self._shape, *values.shape[1:])

    def _check_complete(self, unknown: str) -> None:
        if self.truncated.any():
            raise RequestError(
                f"{int(self.truncated.sum())} pixels were cut short by max_layers, {unknown} unknown; "
                "peel with max_layers=None"
            )

    @property
    def nesting(self) -> tuple[IntArray, IntArray]:
        """How many bodies the ray is in after each crossing (M,), and at its start for each pixel (H * W,).

        A ray ends outside of every closed body, so where entries and exits do not balance it began inside.
        That takes all of its crossings.

        Raises:
            RequestError: `max_layers`, `near` or `far` cut crossings away.
        """
        self._check_complete("what is inside is")
        if self._is_cropped:
            raise RequestError(
                "near and far cut crossings away, so what is inside is unknown; peel without them"
            )
        step = np.where(self.front_facing, 1, -1)
        total = np.concatenate([[0], np.cumsum(step)])
        at_start = -(total[self.offsets[1:]] - total[self.offsets[:-1]])
        return total[1:] - total[self.offsets[self.pixel]] + at_start[self.pixel], at_start

    @property
    def solid_length(self) -> npt.NDArray[np.float32]:
        """(H, W) float32: length of the ray inside the solid, 0 where it misses.

        By facing and nesting: bodies that overlap or contain each other count once, a cavity (a surface
        wound inwards) does not count. Meant for closed meshes; see `odd`.

        Raises:
            RequestError: `max_layers`, `near` or `far` cut crossings away, which the nesting needs.
        """
        inside, inside_at_start = self.nesting
        distance = self.depth * self._distance_per_depth
        following = np.append(distance[1:], 0.0)
        last = np.append(self.pixel[1:] != self.pixel[:-1], True) if len(distance) else np.zeros(0, bool)
        piece = np.where((inside > 0) & ~last, following - distance, 0.0)
        length = np.bincount(self.pixel, piece, minlength=len(self.offsets) - 1).astype(np.float64)
        begins_inside = np.flatnonzero((inside_at_start > 0) & (np.diff(self.offsets) > 0))
        length[begins_inside] += distance[self.offsets[begins_inside]]
        return length.reshape(self._shape).astype(np.float32)

    def intervals(self, row: int, column: int) -> list[tuple[float, float]]:
        """The pieces of one pixel's ray inside the solid, for a person to look at.

        Returns:
            (entry, exit) depths, nearest first; an entry of 0 is a camera inside the solid.

        Raises:
            RequestError: there is no such pixel, or crossings were cut away as for `solid_length`.
        """
        height, width = self._shape
        is_whole = _is_whole(row) and _is_whole(column)
        if not (is_whole and 0 <= row < height and 0 <= column < width):
            raise RequestError(
                f"there is no pixel ({row!r}, {column!r}) in an image of {height} rows, {width} columns"
            )
        inside, inside_at_start = self.nesting
        pixel = row * width + column
        was_inside, start, pieces = bool(inside_at_start[pixel] > 0), 0.0, []
        for crossing in range(self.offsets[pixel], self.offsets[pixel + 1]):
            is_inside = bool(inside[crossing] > 0)
            if is_inside and not was_inside:
                start = float(self.depth[crossing])
            elif was_inside and not is_inside:
                pieces.append((start, float(self.depth[crossing])))
            was_inside = is_inside
        return pieces

    def points(self, frame: Frame = "world", dtype: npt.DTypeLike = np.float32) -> list[npt.NDArray[Any]]:
        """One cloud a layer: the points of all first crossings, of all second ones, ...

        Args:
            frame: "world" or "camera".
            dtype: of the result; a mesh far from the world's origin needs float64 in the world frame.

        Returns:
            A list of (N, 3) arrays of `dtype`, pixels in row-major order.
        """
        centres = self.camera.pixel_centres().reshape(-1, 2)[self.pixel]
        points = self.camera.unproject(centres, self.depth, frame).astype(dtype)
        order = np.argsort(self.layer, kind="stable")
        ends = np.cumsum(np.bincount(self.layer)) if len(order) else np.zeros(0, np.int64)
        return np.split(points[order], ends[:-1]) if len(ends) else []

    def rows(self, start: int, stop: int) -> DepthLayers:
        """The layers of the rows from `start` up to, not including, `stop`, with the camera of just them."""
        height, width = self._shape
        if not (_is_whole(start) and _is_whole(stop) and 0 <= start < stop <= height):
            raise RequestError(f"rows must satisfy 0 <= start < stop <= {height}, not {start!r}, {stop!r}")
        first, last = int(self.offsets[start * width]), int(self.offsets[stop * width])
        return replace(
            self,
            offsets=self.offsets[start * width : stop * width + 1] - first,
            depth=self.depth[first:last].copy(),
            face=self.face[first:last].copy(),
            front_facing=self.front_facing[first:last].copy(),
            truncated=self.truncated[start:stop].copy(),
            attributes={name: values[first:last].copy() for name, values in self.attributes.items()},
            camera=self.camera.rows(start, stop),
        )
