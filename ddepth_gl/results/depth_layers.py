"""DepthLayers: every crossing of every pixel's ray with the mesh."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from .._checks import (
    checked_choice,
    checked_count,
    checked_float_type,
    checked_min_gap,
    checked_result,
    checked_rows,
    checked_texts,
    is_integer,
    shown,
)
from .._srgb import srgb_from_linear
from ..camera.camera import Camera, CoordinateFrame, check_camera
from ..errors import RequestError
from . import crossing_rows
from .attributes import ATTRIBUTES, checked_attributes
from .depth_maps import DepthMaps, SheetPair
from .mesh_facts import DecidedSurfaces, FaceKinds, Facts, StoredFacts, Surfaces
from .objects import ObjectMaps, Sheet, sheets_by_object
from .plots import notebook_png, plot_layers, plot_section
from .requested import RequestedArray, WithRequestedArrays
from .silhouettes import exchange, fix_silhouettes, inside_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure, SubFigure

__all__ = ["DepthLayers"]

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Float32Array = npt.NDArray[np.float32]

# Fields with one value per crossing, besides the attributes.
_PER_CROSSING = ("depth", "face", "front_facing")

# The quantities that `dense` takes, and their values where there is no crossing.
_DENSE_FILL: dict[str, Any] = {
    "depth": np.nan,
    "distance": np.nan,
    "front_facing": False,
    **{name: attribute.fill for name, attribute in ATTRIBUTES.items()},
}


@dataclass(frozen=True, eq=False)
class DepthLayers(WithRequestedArrays):
    """All crossings of one image, as compressed sparse rows with one row per pixel.

    Row 0 of the image is the top row. Pixels are numbered i = row * width + column and sampled at
    their centers. The crossings of pixel i are [offsets[i], offsets[i + 1]), sorted by (depth,
    face). Coincident faces are all kept. Layer k is the k-th crossing of every pixel: arrays index
    layers from 0, labels and file names count them from 1.

    Attributes that were requested are also properties: with ``attributes=("normal",)``,
    ``layers.normal`` is (M, 3). All others raise NotAskedForError. `DepthRenderer.entry_exit`
    describes all of them.

    Attributes:
        offsets: (H * W + 1,) int64, index of the first crossing of each pixel; the last is M.
        depth: (M,) float32 z of each crossing in the camera frame, mesh units.
        face: (M,) int64 index of the crossed face, in the mesh as uploaded.
        front_facing: (M,) bool, True where the ray enters: it meets the counter-clockwise side.
        truncated: (H, W) bool, pixels where `max_layers` left crossings out.
        camera: the Camera of the image.
        attributes: name to an array, (M,) or (M, channels).
        provenance: as in `DepthMaps`.

    Raises:
        CameraError: `camera` is not a Camera.
        RequestError: an array has the wrong shape or cannot be converted to its dtype.
    """

    offsets: IntArray
    depth: npt.NDArray[np.float32]
    face: IntArray
    front_facing: BoolArray
    truncated: BoolArray
    camera: Camera
    attributes: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    _facts: Facts = field(default_factory=StoredFacts)
    _is_cropped: bool = False
    _min_gap: float = 0.0

    normal = RequestedArray[Float32Array]("normal")
    smooth_normal = RequestedArray[Float32Array]("smooth_normal")
    barycentric = RequestedArray[Float32Array]("barycentric")
    uv = RequestedArray[Float32Array]("uv")
    color = RequestedArray[Float32Array]("color")
    shaded_color = RequestedArray[Float32Array]("shaded_color")
    object_id = RequestedArray[npt.NDArray[np.int32]]("object_id")
    position = RequestedArray[Float32Array]("position")

    def __post_init__(self) -> None:
        check_camera(self.camera)
        shape = height, width = self.camera.height, self.camera.width
        offsets = checked_result("offsets", self.offsets, np.int64, (height * width + 1,))
        count = len(checked_result("depth", self.depth, np.float32, (None,)))
        if offsets[0] != 0 or offsets[-1] != count or (offsets[1:] < offsets[:-1]).any():
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
                lambda attribute, value, shape: checked_result(
                    attribute.name, value, attribute.dtype, shape
                ),
            ),
            "provenance": checked_texts("provenance", self.provenance),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        state = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**state, "_facts": self._stored_facts()}

    def _stored_facts(self) -> StoredFacts:
        """Return the facts as values, for pickles and copies, which do not hold the mesh."""
        facts = self._facts
        seen = np.unique(self.object_id).tolist() if "object_id" in self.attributes else []
        surfaces = {each: facts.surfaces_of_object(each) for each in seen}
        return StoredFacts(
            facts.is_oriented,
            facts.surfaces,
            frozenset(each for each in seen if facts.is_oriented_object(each)),
            {each: decided for each, decided in surfaces.items() if decided},
            self._kinds,
            self._kinds_in_object if seen else None,
        )

    def __repr__(self) -> str:
        size = f"{self.camera.width}x{self.camera.height}"
        crossings = f"{len(self.depth):,} crossings, at most {self.count.max(initial=0)} a pixel"
        return f"<{', '.join((f'DepthLayers {size}', crossings, *self.attributes))}>"

    @property
    def _shape(self) -> tuple[int, int]:
        return self.camera.height, self.camera.width

    @cached_property
    def count(self) -> npt.NDArray[np.int32]:
        """(H, W) int32: number of crossings of each pixel, at most `max_layers`."""
        return np.diff(self.offsets).astype(np.int32).reshape(self._shape)

    @property
    def pixel(self) -> IntArray:
        """(M,) int64: row * width + column of each crossing."""
        return crossing_rows.per_crossing(self.offsets, np.arange(len(self.offsets) - 1))

    @property
    def layer(self) -> IntArray:
        """(M,) int64: layer of each crossing, counted from 0: its index within its pixel."""
        layer = np.arange(len(self.depth))
        layer -= crossing_rows.per_crossing(self.offsets, self.offsets[:-1])
        return layer

    @property
    def distance(self) -> npt.NDArray[np.float32]:
        """(M,) float32: length along the ray, mesh units; equal to depth if orthographic."""
        per_depth = self.camera.distance_per_depth().reshape(-1)
        distance = crossing_rows.per_crossing(self.offsets, per_depth)
        distance *= self.depth
        return distance.astype(np.float32)

    @property
    def is_oriented(self) -> bool:
        """True if the mesh is closed and wound outward; in layers of one object, that object.

        An object that shares edges with others is open on its own.
        """
        return self._facts.is_oriented

    @property
    def two_sided(self) -> BoolArray:
        """(M,) bool: the face of the crossing counts on either side, see `Mesh.bodies`.

        In layers of one object, the object is judged on its own. False everywhere if the layers
        were made by hand, or read from a file of version 0.2 or older.
        """
        return self._kinds.two_sided

    @property
    def _kinds(self) -> FaceKinds:
        return self._facts.kinds(self.face)

    @property
    def _kinds_in_object(self) -> FaceKinds:
        return self._facts.kinds(self.face, in_object=True)

    @property
    def is_cropped(self) -> bool:
        """True if `near` or `far` was given, which may have cut off crossings."""
        return self._is_cropped

    @property
    def oriented_objects(self) -> frozenset[int]:
        """Ids of the objects seen whose own faces are closed and wound outward.

        Empty unless the attribute "object_id" was requested. See `Mesh.oriented_objects`.
        """
        seen = np.unique(self.object_id).tolist() if "object_id" in self.attributes else ()
        return frozenset(each for each in seen if self._facts.is_oriented_object(each))

    @property
    def min_gap(self) -> float:
        """Crossings closer than this behind another one were merged with it; 0 if none were."""
        return self._min_gap

    @property
    def is_complete(self) -> bool:
        """True if no crossing is missing because of `max_layers`, `near`, `far` or `min_gap`."""
        return not (self._is_cropped or self._min_gap or self.truncated.any())

    @property
    def odd(self) -> BoolArray:
        """(H, W) bool: the number of crossings is odd.

        The mesh is open there, the camera is inside it, or crossings were cut off. If the layers
        are `is_oriented` and `is_complete`, the camera is inside.
        """
        odd: BoolArray = self.count % 2 == 1
        return odd

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

    def merged(self, min_gap: float, max_layers: int | None = None) -> DepthLayers:
        """Return the layers without crossings that lie close behind another one.

        In each pixel the first crossing remains, and then each one at least `min_gap` behind the
        last one that remains, whatever its facing. Thin parts are lost. What needs all crossings,
        such as `entry_exit`, raises RequestError for the result.

        Args:
            min_gap: distance along the ray, mesh units.
            max_layers: keep at most this many crossings per pixel; None keeps all.

        Raises:
            RequestError: `min_gap` is not a number >= 0, or `max_layers` not an integer >= 1.
        """
        gap = checked_min_gap(min_gap)
        per_depth = self.camera.distance_per_depth().reshape(-1)
        remains = crossing_rows.separate(self.offsets, self.depth, per_depth, gap)
        truncated = self.truncated.copy()
        if max_layers is not None:
            checked_count("max_layers", max_layers)
            layer = np.cumsum(remains) - 1
            offsets = crossing_rows.selected_rows(self.offsets, remains)
            layer -= crossing_rows.per_crossing(self.offsets, offsets[:-1])
            truncated |= (np.diff(offsets) > max_layers).reshape(self._shape)
            remains &= layer < max_layers
        return replace(
            self,
            **self._copies(np.flatnonzero(remains)),
            offsets=crossing_rows.selected_rows(self.offsets, remains),
            truncated=truncated,
            _min_gap=max(gap, self._min_gap),
        )

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

    def entry_exit(self, surfaces: Surfaces = "auto") -> DepthMaps:
        """Return the DepthMaps of these layers, with face indices and the layers' attributes.

        They equal those of `DepthRenderer.entry_exit` bit for bit.

        Args:
            surfaces: "oriented" takes the first front-facing and the last back-facing crossing;
                "any" takes the first and the last crossing of either side. "auto" does the latter
                for `two_sided` crossings, and the former for all others.

        Raises:
            RequestError: `max_layers` or `min_gap` removed crossings, so some exits are unknown.
        """
        self._check_all_layers("their exits are unknown")
        entering, exiting = self._sides(surfaces)
        sheets = (
            Sheet(*crossing_rows.outermost(self.offsets, entering, "nearest")),
            Sheet(*crossing_rows.outermost(self.offsets, exiting, "farthest")),
        )
        return self._maps(surfaces, None, sheets)

    def objects(self, surfaces: Surfaces = "auto") -> Mapping[int, DepthMaps]:
        """Return the DepthMaps of each object, including what other objects occlude.

        These are the *amodal* sheets: those of the object as if it were rendered alone. They equal
        ``of_object(id).entry_exit(surfaces)`` bit for bit; this is faster for many objects.

        Args:
            surfaces: as for `entry_exit`. "auto" judges each object on its own: if it shares edges
                with others, it is open, and its crossings are two-sided.

        Returns:
            Object id to DepthMaps, in increasing order of the ids. Objects without crossings are
            left out. The maps are built each time they are accessed, since an image per object may
            exceed the memory; ``dict(layers.objects())`` keeps them all.

        Raises:
            NotAskedForError: the layers lack the attribute object_id.
            RequestError: `max_layers` or `min_gap` removed crossings, so some occluded parts are
                unknown.
        """
        object_id = self.object_id
        self._check_all_layers("what they hide of the objects is unknown")
        sides = self._sides(surfaces, in_object=True)
        sheets = sheets_by_object(self.offsets, object_id, *sides)
        return ObjectMaps(sheets, partial(self._maps, surfaces))

    def of_object(self, object_id: int) -> DepthLayers:
        """Return copies of the crossings of one object, including what other objects occlude.

        The result has one object's layers at all pixels of the image: layer k is the object's k-th
        crossing. `is_oriented` tells about the object alone. Where `max_layers` cut off crossings,
        some of them may be the object's; such pixels stay marked as `truncated`.

        Args:
            object_id: of the mesh. An object that the rays do not meet has no crossings.

        Raises:
            NotAskedForError: the layers lack the attribute object_id.
            RequestError: `object_id` is not an integer from 0 to 2147483647.
        """
        ids = self.object_id
        if not is_integer(object_id) or not 0 <= object_id < 2**31:
            raise RequestError(
                f"object_id must be an integer from 0 to {2**31 - 1}, not {shown(object_id)}"
            )
        selected = ids == object_id
        return replace(
            self,
            **{
                **self._copies(np.flatnonzero(selected)),
                "offsets": crossing_rows.selected_rows(self.offsets, selected),
                "truncated": self.truncated.copy(),
                "_facts": self._facts_of_object(int(object_id), selected),
            },
        )

    def _facts_of_object(self, object_id: int, selected: BoolArray) -> StoredFacts:
        kinds = self._kinds_in_object.of(selected)
        is_oriented = self._facts.is_oriented_object(object_id)
        surfaces = self._facts.surfaces_of_object(object_id)
        return StoredFacts(
            is_oriented,
            surfaces,
            frozenset([object_id] if is_oriented else []),
            {object_id: surfaces} if surfaces else {},
            kinds,
        )

    def _sides(self, surfaces: Surfaces, in_object: bool = False) -> tuple[BoolArray, BoolArray]:
        """Return (M,) bool each: the crossings that count as entries, and those that do as exits.

        Args:
            surfaces: see `entry_exit`.
            in_object: judge each object on its own.

        Raises:
            RequestError: `surfaces` is not an allowed value.
        """
        checked_choice("surfaces", surfaces, ("auto", "oriented", "any"))
        if surfaces == "oriented":
            return self.front_facing, ~self.front_facing
        if surfaces == "any":
            both = np.ones(len(self.depth), bool)
            return both, both
        two_sided = (self._kinds_in_object if in_object else self._kinds).two_sided
        return self.front_facing | two_sided, ~self.front_facing | two_sided

    def _maps(
        self, surfaces: Surfaces, object_id: int | None, sheets: tuple[Sheet, Sheet]
    ) -> DepthMaps:
        """Return the DepthMaps of these sheets, of one object or, for None, of all."""

        def images(values: npt.NDArray[Any], fill: float) -> SheetPair:
            return SheetPair(
                *(crossing_rows.scattered(values, *sheet, self._shape, fill) for sheet in sheets)
            )

        entry, exit_ = images(self.depth, np.nan)
        attributes = {
            name: images(values, ATTRIBUTES[name].fill)
            for name, values in {"face": self.face, **self.attributes}.items()
        }
        decided = self._decided(surfaces, object_id)
        if decided != "any" and not self._is_cropped:
            is_oriented = partial(self._is_oriented_of, object_id)
            by_geometry = surfaces == "auto" and decided is not None
            exchanged = fix_silhouettes(entry, exit_, self.camera, is_oriented, by_geometry)
            for pair in attributes.values():
                exchange(pair, exchanged)
        return DepthMaps(entry, exit_, self.camera, attributes, self.provenance, decided)

    def _decided(self, surfaces: Surfaces, object_id: int | None) -> DecidedSurfaces | None:
        if surfaces != "auto":
            return "oriented" if surfaces == "oriented" else "any"
        if object_id is None:
            return self._facts.surfaces
        return self._facts.surfaces_of_object(object_id)

    def _is_oriented_of(self, object_id: int | None) -> bool:
        if object_id is None:
            return self.is_oriented
        return self._facts.is_oriented_object(object_id)

    def _copies(self, crossings: IntArray) -> dict[str, Any]:
        """Return all fields that have one value per crossing, for the given crossings."""
        return {
            **{name: getattr(self, name)[crossings] for name in _PER_CROSSING},
            "_facts": self._facts.of_crossings(crossings),
            "attributes": {name: values[crossings] for name, values in self.attributes.items()},
        }

    def _check_all_layers(self, consequence: str) -> None:
        if self.truncated.any():
            raise RequestError(
                f"{int(self.truncated.sum())} pixels were cut short by max_layers, so "
                f"{consequence}; peel with max_layers=None"
            )
        if self._min_gap:
            raise RequestError(
                f"min_gap={self._min_gap:g} merged crossings, so {consequence}; "
                "peel without min_gap"
            )

    def _check_complete(self) -> None:
        consequence = "what lies inside the solid is unknown"
        self._check_all_layers(consequence)
        if self._is_cropped:
            raise RequestError(
                f"near or far cut crossings off, so {consequence}; peel without them"
            )

    @property
    def nesting(self) -> tuple[Float32Array, Float32Array]:
        """(M,) and (H * W,) float32: number of bodies that the ray is inside.

        The first array counts right after each crossing, the second at the start of each ray. A ray
        ends outside every closed body, so if it meets more backs than fronts, it started inside.

        Only closed, consistently wound bodies are solid, see `Bodies.is_solid`. Crossings of other
        bodies change nothing. Both arrays are NaN where nothing tells what is solid: in pixels with
        crossings of these alone, with more fronts than backs, or with a back before its front that
        is no silhouette, as in a body that overlaps itself and is inside out there.

        Raises:
            RequestError: `max_layers`, `near` or `far` cut crossings off; the nesting needs all.
        """
        self._check_complete()
        inside, at_start, _ = crossing_rows.nesting(*self._for_nesting)
        return inside, at_start

    @property
    def _for_nesting(self) -> tuple[Any, ...]:
        """The arguments of `crossing_rows.nesting`."""
        is_inside_out = partial(inside_out, self.camera)
        return self.offsets, self.depth, self.front_facing, self._kinds.solid, is_inside_out

    @property
    def solid_pieces(self) -> tuple[IntArray, npt.NDArray[np.float32]]:
        """(N,) int64 pixels and (N, 2) float32 end depths of all ray pieces inside the solid.

        Pieces follow from facing and `nesting`. Bodies that overlap or contain each other form one
        piece. A cavity (a surface wound inward) belongs to none. Neither does a pair of crossings
        at a silhouette whose back face comes first. Pieces are sorted by pixel, then nearest first.
        A piece that starts at depth 0 starts at a camera inside the solid. Pixels whose nesting is
        NaN have none.

        Raises:
            RequestError: as for `nesting`.
        """
        self._check_complete()
        pixels, pieces, _ = crossing_rows.solid_pieces(*self._for_nesting)
        return pixels, pieces

    @property
    def solid_length(self) -> npt.NDArray[np.float32]:
        """(H, W) float32: length of the ray inside the solid, mesh units; 0 at misses.

        It is the sum of the lengths of the pixel's `solid_pieces`, along the ray; NaN where the
        `nesting` is.

        Raises:
            RequestError: as for `nesting`.
        """
        self._check_complete()
        pixels, pieces, is_unknown = crossing_rows.solid_pieces(*self._for_nesting)
        extent = np.subtract(pieces[:, 1], pieces[:, 0], dtype=np.float64)
        length = np.bincount(pixels, extent, minlength=len(self.offsets) - 1).astype(np.float64)
        length[is_unknown] = np.nan
        length = length.reshape(self._shape)
        return (length * self.camera.distance_per_depth()).astype(np.float32)

    def intervals(self, row: int, column: int) -> list[tuple[float, float]]:
        """Return the `solid_pieces` of one pixel, for interactive use.

        Returns:
            (entry, exit) depths, nearest first; an entry of 0 means a camera inside the solid.

        Raises:
            RequestError: there is no such pixel, or as for `nesting`.
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

    def rows(self, start: int, stop: int) -> DepthLayers:
        """Return copies of the layers of rows [start, stop), with the camera of those rows.

        Raises:
            RequestError: not 0 <= start < stop <= H.
        """
        height, width = self._shape
        start, stop = checked_rows(start, stop, height)
        first, last = int(self.offsets[start * width]), int(self.offsets[stop * width])
        return replace(
            self,
            **self._copies(np.arange(first, last)),
            offsets=self.offsets[start * width : stop * width + 1] - first,
            truncated=self.truncated[start:stop].copy(),
            camera=self.camera.rows(start, stop),
        )

    def plot(
        self,
        max_layers: int | None = None,
        *,
        ax: Axes | Sequence[Axes] | npt.NDArray[Any] | None = None,
        figure: Figure | SubFigure | None = None,
        cmap: str | Colormap | None = None,
        vmin: float | None = None,
        vmax: float | None = None,
        title: str | None = None,
    ) -> Figure:
        """Draw the number of crossings of each pixel, and the depths of the first layers.

        In the count map, odd numbers are orange to brown, and pixels that `max_layers` of
        `DepthRenderer.peel` cut short are black. Layers share one color scale, from the smallest to
        the largest depth of all of them. See `DepthMaps.plot` for coordinates and display.

        Args:
            max_layers: number of layers to draw; None draws as many as fit, and of `ax` as many as
                there are axes.
            ax: Axes to draw on: the first for the count map, the others for layers.
            figure: Figure or SubFigure to draw on instead; it keeps its size, on white.
            cmap: color map of the layers; by default "viridis_r".
            vmin, vmax: ends of the color scale of the layers.
            title: above the panels; above the first of `ax` if axes are given.

        Returns:
            The figure that was drawn on.

        Raises:
            OutputError: matplotlib is not installed.
            RequestError: an argument has a value that cannot be used.
        """
        return plot_layers(self, max_layers, ax, figure, cmap, vmin, vmax, title)

    def plot_section(
        self,
        row: int | None = None,
        column: int | None = None,
        *,
        ax: Axes | None = None,
        figure: Figure | SubFigure | None = None,
        title: str | None = None,
    ) -> Figure:
        """Draw a cross-section: one row or column of the image cut open, the solid filled.

        A row is drawn with depth down, a column with depth to the right. Entries are blue, exits
        orange. Pixels where nothing tells what is solid (see `nesting`) are tinted, not filled. If
        crossings are missing (see `is_complete`), nothing is filled.
        See `DepthMaps.plot` for coordinates and display.

        Args:
            row: row of the image; without row and column, the row with the most crossings.
            column: column of the image, instead of a row.
            ax: Axes to draw on.
            figure: Figure or SubFigure to draw on instead; it keeps its size, on white.
            title: above the section; in place of its name if `ax` is given.

        Returns:
            The figure that was drawn on.

        Raises:
            OutputError: matplotlib is not installed.
            RequestError: there is no such row or column, both are given, or another argument has
                a value that cannot be used.
        """
        return plot_section(self, row, column, ax, figure, title)

    def _repr_png_(self) -> bytes | None:
        return notebook_png(lambda: self.plot(title=repr(self)[1:-1]))


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
