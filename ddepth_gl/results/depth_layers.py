"""DepthLayers: every crossing of every pixel's ray with the mesh."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .._checks import (
    checked_choice,
    checked_float_type,
    checked_result,
    checked_texts,
    is_integer,
    shown,
)
from .._srgb import srgb_from_linear
from ..camera.camera import Camera, Frame, check_camera
from ..errors import NotAskedForError, RequestError
from .attributes import ATTRIBUTES, checked_attributes
from .depth_maps import DepthMaps, SheetPair
from .silhouettes import fix_silhouettes

__all__ = ["DepthLayers"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

# What `dense` can lay out, and what stands where there is no crossing.
_DENSE_FILL: dict[str, Any] = {
    **{"depth": np.nan, "distance": np.nan, "front_facing": False},
    **{name: attribute.fill for name, attribute in ATTRIBUTES.items()},
}


def _sums_before(values: npt.NDArray[Any]) -> IntArray:
    """(M + 1,): the sum of the values (M,) before each of them, and of all."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


@dataclass(frozen=True, eq=False)
class DepthLayers:
    """All crossings of one image, compressed by rows.

    Row 0 is the top row; pixel i = row * width + column is sampled at its center. The crossings of pixel i
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
        provenance: of the image, as in `DepthMaps`.

    Raises:
        CameraError: `camera` is no Camera.
        RequestError: an array has another shape than the others ask for, or cannot be of its type.
    """

    offsets: IntArray
    depth: npt.NDArray[np.float32]
    face: IntArray
    front_facing: BoolArray
    truncated: BoolArray
    camera: Camera
    attributes: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    _is_oriented: Callable[[], bool] = bool  # which gives False, and unlike a lambda can be pickled
    _is_cropped: bool = False

    def __post_init__(self) -> None:
        check_camera(self.camera)
        shape = height, width = self.camera.height, self.camera.width
        offsets = checked_result("offsets", self.offsets, np.int64, (height * width + 1,))
        count = len(checked_result("depth", self.depth, np.float32, (None,)))
        if offsets[0] != 0 or offsets[-1] != count or (np.diff(offsets) < 0).any():
            raise RequestError(f"offsets must rise from 0 to {count}, the number of depths")
        checked = {
            "offsets": offsets,
            "depth": checked_result("depth", self.depth, np.float32, (count,)),
            "face": checked_result("face", self.face, np.int64, (count,)),
            "front_facing": checked_result("front_facing", self.front_facing, np.bool_, (count,)),
            "truncated": checked_result("truncated", self.truncated, np.bool_, shape),
            "attributes": checked_attributes(
                self.attributes,
                (count,),
                lambda each, value, shape: checked_result(each.name, value, each.dtype, shape),
            ),
            "provenance": checked_texts("provenance", self.provenance),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> npt.NDArray[Any]:
        """The attributes, by their names."""
        if name not in ATTRIBUTES:
            raise AttributeError(f"DepthLayers has no attribute {name!r}")
        array: npt.NDArray[Any] | None = self.__dict__.get("attributes", {}).get(name)
        if array is None:
            raise NotAskedForError(f'{name} was not asked for; peel with attributes=("{name}",)')
        return array

    def __getstate__(self) -> dict[str, Any]:
        # Whoever pickles or copies layers wants them without the mesh that `_is_oriented` may hold.
        state = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**state, "_is_oriented": partial(bool, self.is_oriented)}

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.attributes]

    def __repr__(self) -> str:
        size = f"{self.camera.width}x{self.camera.height}"
        crossings = f"{len(self.depth):,} crossings, at most {self.count.max(initial=0)} a pixel"
        return f"<{', '.join((f'DepthLayers {size}', crossings, *self.attributes))}>"

    @property
    def _shape(self) -> tuple[int, int]:
        return self.camera.height, self.camera.width

    @cached_property
    def count(self) -> npt.NDArray[np.int32]:
        """(H, W) int32: crossings of each pixel, at most `max_layers`."""
        return np.diff(self.offsets).astype(np.int32).reshape(self._shape)

    @property
    def pixel(self) -> IntArray:
        """(M,) int64: row * width + column of each crossing."""
        return self._per_crossing(np.arange(len(self.offsets) - 1))

    @property
    def layer(self) -> IntArray:
        """(M,) int64: how many crossings of its pixel come before each crossing."""
        layer = np.arange(len(self.depth))
        layer -= self._per_crossing(self.offsets[:-1])
        return layer

    @property
    def distance(self) -> npt.NDArray[np.float32]:
        """(M,) float32: along the ray from the camera center; for an orthographic camera equal to depth."""
        distance = self._per_crossing(self.camera.distance_per_depth().reshape(-1))
        distance *= self.depth
        return distance.astype(np.float32)

    def _per_crossing(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """(M,): what each pixel has (H * W,), for each of its crossings."""
        return np.repeat(values, np.diff(self.offsets))

    def _by_layer(self) -> Iterator[tuple[IntArray, IntArray]]:
        """Of each layer, nearest first: the pixels that have it, in row-major order, and their crossings."""
        count = self.count.reshape(-1)
        pixels = np.flatnonzero(count)
        for layer in range(count.max(initial=0)):
            yield pixels, self.offsets[pixels] + layer
            pixels = pixels[count[pixels] > layer + 1]

    @property
    def is_oriented(self) -> bool:
        """Whether the mesh is closed and wound outward: then an `odd` pixel's ray begins inside of it."""
        return self._is_oriented()

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
            RequestError: there is no quantity of that name, or `max_layers` is not an integer >= 0.
        """
        if not isinstance(name, str) or name not in _DENSE_FILL:
            raise RequestError(f"dense takes {', '.join(_DENSE_FILL)}, not {shown(name)}")
        layers = int(self.count.max(initial=0)) if max_layers is None else max_layers
        if not is_integer(layers) or layers < 0:
            raise RequestError(
                f"max_layers must be an integer, at least 0, or None, not {shown(max_layers)}"
            )
        values = getattr(self, name)
        shape = (layers, len(self.offsets) - 1, *values.shape[1:])
        try:
            stack = np.full(shape, _DENSE_FILL[name], dtype=values.dtype)
        except (MemoryError, ValueError):  # NumPy's for arrays that no computer could hold
            raise RequestError(
                f"there is no memory for {shown(layers)} layers of {self._shape[1]}x{self._shape[0]} "
                "pixels; pass a small max_layers="
            ) from None
        for image, (pixels, crossings) in zip(stack, self._by_layer(), strict=False):
            image[pixels] = values[crossings]
        return stack.reshape(layers, *self._shape, *values.shape[1:])

    def color_images(
        self, name: Literal["color", "shaded_color"] = "color", max_layers: int | None = None
    ) -> npt.NDArray[np.uint8]:
        """The peeled color of every layer, as PeeledHuman and its successors store it.

        Args:
            name: the attribute to show, which must have been asked for: unlit or under the light of `shade`.
            max_layers: as for `dense`.

        Returns:
            (L, H, W, 4) uint8 sRGB; alpha is 255 where there is a crossing and 0, with black, elsewhere.

        Raises:
            RequestError: the attribute was not asked for, or is no color.
        """
        checked_choice("the attribute of pictures", name, ("color", "shaded_color"))
        colors = self.dense(name, max_layers)
        pictures = srgb_from_linear(colors)
        pictures[..., 3] = np.where(np.isnan(colors[..., 3]), 0, 255)
        return pictures

    def entry_exit(self, surfaces: Literal["oriented", "any"] = "oriented") -> DepthMaps:
        """The DepthMaps that follow: the same bits as `DepthRenderer.entry_exit` gives, with face indices.

        Args:
            surfaces: "oriented": first front and last back crossing; "any": first and last of either side.

        Raises:
            RequestError: `max_layers` cut a pixel short, so that its exit is not known.
        """
        self._check_not_truncated("their exits are")
        checked_choice("surfaces", surfaces, ("oriented", "any"))
        oriented = surfaces == "oriented"
        entering = self.front_facing if oriented else np.ones(len(self.depth), bool)
        leaving = ~self.front_facing if oriented else entering
        sheets = self._outermost(entering, 0), self._outermost(leaving, -1)
        entry, exit_ = (self._image(*sheet, self.depth, np.nan) for sheet in sheets)
        if oriented and not self._is_cropped:
            fix_silhouettes(entry, exit_, self.camera, self._is_oriented)
        attributes = {
            name: SheetPair(
                *(self._image(*sheet, values, ATTRIBUTES[name].fill) for sheet in sheets)
            )
            for name, values in {"face": self.face, **self.attributes}.items()
        }
        return DepthMaps(entry, exit_, self.camera, attributes, self.provenance)

    def _outermost(self, wanted: BoolArray, which: Literal[0, -1]) -> tuple[IntArray, IntArray]:
        """The pixels that have wanted crossings (M,), and the first (0) or the last (-1) one of each."""
        crossings = np.flatnonzero(wanted)
        before = _sums_before(wanted)[self.offsets]
        pixels = np.flatnonzero(np.diff(before))
        return pixels, crossings[before[pixels] if which == 0 else before[pixels + 1] - 1]

    def _image(
        self, pixels: IntArray, crossings: IntArray, values: npt.NDArray[Any], fill: float
    ) -> npt.NDArray[Any]:
        """(H, W) or (H, W, channels): the values of some crossings at their pixels."""
        image = np.full((len(self.offsets) - 1, *values.shape[1:]), fill, dtype=values.dtype)
        image[pixels] = values[crossings]
        return image.reshape(*self._shape, *values.shape[1:])

    def _check_not_truncated(self, unknown: str) -> None:
        if self.truncated.any():
            raise RequestError(
                f"{int(self.truncated.sum())} pixels were cut short by max_layers, {unknown} unknown; "
                "peel with max_layers=None"
            )

    def _check_complete(self) -> None:
        self._check_not_truncated("what is inside is")
        if self._is_cropped:
            raise RequestError(
                "near and far cut crossings away, so what is inside is unknown; peel without them"
            )

    @property
    def nesting(self) -> tuple[IntArray, IntArray]:
        """How many bodies the ray is in after each crossing (M,), and at its start for each pixel (H * W,).

        A ray ends outside of every closed body, so where entries and exits do not balance it began inside.
        That takes all of its crossings.

        Raises:
            RequestError: `max_layers`, `near` or `far` cut crossings away.
        """
        self._check_complete()
        total = _sums_before(self._step)
        at_end = total[self.offsets[1:]]
        at_start = total[self.offsets[:-1]] - at_end
        inside = total[1:]
        inside -= self._per_crossing(at_end)
        return inside, at_start

    @property
    def _step(self) -> npt.NDArray[np.int8]:
        """(M,) by how much the nesting changes at each crossing."""
        step: npt.NDArray[np.int8] = np.where(self.front_facing, np.int8(1), np.int8(-1))
        return step

    @property
    def solid_pieces(self) -> tuple[IntArray, npt.NDArray[np.float32]]:
        """The pieces of all rays inside the solid: the pixel of each (N,), and its ends (N, 2), depths.

        By facing and nesting: bodies that overlap or contain each other are one piece, a cavity (a surface
        wound inward) is in none, nor is a back that is before its front at a silhouette. Pieces are in the
        order of pixels, nearest first; one that begins at depth 0 is of a camera inside the solid. Meant for
        closed meshes; see `odd`.

        Raises:
            RequestError: `max_layers`, `near` or `far` cut crossings away, which the nesting needs.
        """
        inside, at_start = self.nesting
        is_inside, was_inside = inside > 0, inside > self._step
        begins, ends = (
            np.flatnonzero(is_inside & ~was_inside),
            np.flatnonzero(was_inside & ~is_inside),
        )
        pixels = self.pixel[ends]
        # Rays end outside, so each piece that begins ends; but a pixel's first may begin at the camera.
        is_first = np.diff(pixels, prepend=-1) > 0
        from_camera = is_first & (at_start[pixels] > 0)
        pieces = np.zeros((len(ends), 2), np.float32)
        pieces[~from_camera, 0] = self.depth[begins]
        pieces[:, 1] = self.depth[ends]
        return pixels, pieces

    @property
    def solid_length(self) -> npt.NDArray[np.float32]:
        """(H, W) float32: length of the ray inside the solid, its `solid_pieces` together; 0 where it misses.

        Raises:
            RequestError: as for `solid_pieces`.
        """
        pixels, pieces = self.solid_pieces
        extent = np.subtract(pieces[:, 1], pieces[:, 0], dtype=np.float64)
        length = np.bincount(pixels, extent, minlength=len(self.offsets) - 1).reshape(self._shape)
        return (length * self.camera.distance_per_depth()).astype(np.float32)

    def intervals(self, row: int, column: int) -> list[tuple[float, float]]:
        """The `solid_pieces` of one pixel, for a person to look at.

        Returns:
            (entry, exit) depths, nearest first; an entry of 0 is a camera inside the solid.

        Raises:
            RequestError: there is no such pixel, or as for `solid_pieces`.
        """
        height, width = self._shape
        if not (
            is_integer(row) and is_integer(column) and 0 <= row < height and 0 <= column < width
        ):
            raise RequestError(
                f"there is no pixel ({shown(row)}, {shown(column)}) in an image of {height} rows, "
                f"{width} columns"
            )
        self._check_complete()
        row = int(row)  # NumPy's small integers would overflow
        columns, pieces = self.rows(row, row + 1).solid_pieces
        return [(float(entry), float(exit_)) for entry, exit_ in pieces[columns == column]]

    def points(
        self, frame: Frame = "world", dtype: npt.DTypeLike = np.float32
    ) -> list[npt.NDArray[Any]]:
        """One cloud a layer: the points of all first crossings, of all second ones, ...

        Args:
            frame: "world" or "camera".
            dtype: of the result; a mesh far from the world's origin needs float64 in the world frame.

        Returns:
            A list of (N, 3) arrays of `dtype`, pixels in row-major order.

        Raises:
            RequestError: `dtype` is no floating point type.
            CameraError: `frame` is neither of the two.
        """
        kind = checked_float_type(dtype)
        centers = self.camera.pixel_centers().reshape(-1, 2)
        return [
            self.camera.unproject(centers[pixels], self.depth[crossings], frame).astype(kind)
            for pixels, crossings in self._by_layer()
        ]

    def rows(self, start: int, stop: int) -> DepthLayers:
        """The layers of the rows from `start` up to, not including, `stop`, with the camera of just them."""
        height, width = self._shape
        if not (is_integer(start) and is_integer(stop) and 0 <= start < stop <= height):
            raise RequestError(
                f"rows must satisfy 0 <= start < stop <= {height}, not {shown(start)}, {shown(stop)}"
            )
        start, stop = int(start), int(stop)  # NumPy's small integers would overflow below
        first, last = int(self.offsets[start * width]), int(self.offsets[stop * width])
        return replace(
            self,
            offsets=self.offsets[start * width : stop * width + 1] - first,
            depth=self.depth[first:last].copy(),
            face=self.face[first:last].copy(),
            front_facing=self.front_facing[first:last].copy(),
            truncated=self.truncated[start:stop].copy(),
            attributes={
                name: values[first:last].copy() for name, values in self.attributes.items()
            },
            camera=self.camera.rows(start, stop),
        )
