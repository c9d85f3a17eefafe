"""DepthMaps: the double depth map of one image, its point clouds and its mould."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._checks import (
    checked_choice,
    checked_float32,
    checked_float_type,
    checked_result,
    checked_texts,
    shown,
)
from ..camera.camera import Camera, CoordinateFrame, check_camera
from ..errors import RequestError
from ..mesh.mesh import Mesh
from .attributes import Attribute, checked_attributes
from .mesh_facts import DecidedSurfaces
from .mould import stitch
from .plots import notebook_png, plot_maps
from .requested import RequestedArray, WithRequestedArrays

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure, SubFigure

__all__ = ["DepthMaps", "SheetPair", "SheetPoints"]

Float32Array = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


class SheetPair(NamedTuple):
    """One array per sheet, both of the same shape and dtype."""

    entry: npt.NDArray[Any]
    exit: npt.NDArray[Any]


class SheetPoints(NamedTuple):
    """Two (N, 3) point clouds; row i of both lies on the ray of the same pixel."""

    front: npt.NDArray[Any]
    back: npt.NDArray[Any]


def _checked_pair(attribute: Attribute, value: Any, shape: tuple[int, ...]) -> SheetPair:
    try:
        entry, exit_ = value
    except Exception:  # a foreign __iter__ may raise anything
        raise RequestError(
            f"attribute {attribute.name} must be a pair of arrays, entry and exit, "
            f"not {shown(value)}"
        ) from None
    return SheetPair(
        checked_result(f"entry_{attribute.name}", entry, attribute.dtype, shape),
        checked_result(f"exit_{attribute.name}", exit_, attribute.dtype, shape),
    )


@dataclass(frozen=True, eq=False)
class DepthMaps(WithRequestedArrays):
    """The double depth map of one image: where each ray first enters and last exits the surface.

    Row 0 is the top row. Pixels are sampled at their centers. NaN is a miss. *Depth* is z in the
    camera frame; *distance* is the length along the ray. Both are in mesh units.

    Attributes that were requested are also properties, one for each sheet: with
    ``attributes=("face", "normal")`` the maps have ``entry_face``, ``exit_face``, ``entry_normal``
    and ``exit_normal``. All others raise NotAskedForError. `DepthRenderer.entry_exit` describes all
    of them.

    Attributes:
        entry: (H, W) float32 depth of the first entry.
        exit: (H, W) float32 depth of the last exit.
        camera: the Camera of the image.
        attributes: name to a pair (entry, exit) of arrays, each (H, W) or (H, W, channels).
        provenance: ``renderer``, ``gl_version`` and ``engine``, the first two as reported by the
            driver. For a mesh from a file also ``mesh_path``, ``mesh_sha256`` and, if other files
            were read with it, ``mesh_side_files_sha256`` and ``mesh_textures_sha256``; if something
            of it is not used, ``mesh_left_out``, one text. Empty unless a `DepthRenderer` rendered
            the image.
        surfaces: how faces counted: "oriented", by facing; "any", on either side; "mixed", both
            kinds, decided by ``surfaces="auto"`` for each body. None if it is unknown.

    Raises:
        CameraError: `camera` is not a Camera.
        RequestError: an array has the wrong shape or cannot be converted to its dtype.
    """

    entry: Float32Array
    exit: Float32Array
    camera: Camera
    attributes: Mapping[str, SheetPair] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    surfaces: DecidedSurfaces | None = None

    entry_face = RequestedArray[IntArray]("face", "entry")
    exit_face = RequestedArray[IntArray]("face", "exit")
    entry_normal = RequestedArray[Float32Array]("normal", "entry")
    exit_normal = RequestedArray[Float32Array]("normal", "exit")
    entry_smooth_normal = RequestedArray[Float32Array]("smooth_normal", "entry")
    exit_smooth_normal = RequestedArray[Float32Array]("smooth_normal", "exit")
    entry_barycentric = RequestedArray[Float32Array]("barycentric", "entry")
    exit_barycentric = RequestedArray[Float32Array]("barycentric", "exit")
    entry_uv = RequestedArray[Float32Array]("uv", "entry")
    exit_uv = RequestedArray[Float32Array]("uv", "exit")
    entry_color = RequestedArray[Float32Array]("color", "entry")
    exit_color = RequestedArray[Float32Array]("color", "exit")
    entry_shaded_color = RequestedArray[Float32Array]("shaded_color", "entry")
    exit_shaded_color = RequestedArray[Float32Array]("shaded_color", "exit")
    entry_object_id = RequestedArray[npt.NDArray[np.int32]]("object_id", "entry")
    exit_object_id = RequestedArray[npt.NDArray[np.int32]]("object_id", "exit")
    entry_position = RequestedArray[Float32Array]("position", "entry")
    exit_position = RequestedArray[Float32Array]("position", "exit")

    def __post_init__(self) -> None:
        check_camera(self.camera)
        shape = self.camera.height, self.camera.width
        checked = {
            "entry": checked_result("entry", self.entry, np.float32, shape),
            "exit": checked_result("exit", self.exit, np.float32, shape),
            "attributes": checked_attributes(self.attributes, shape, _checked_pair),
            "provenance": checked_texts("provenance", self.provenance),
        }
        if self.surfaces is not None:
            checked_choice("surfaces", self.surfaces, ("oriented", "any", "mixed"))
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        # Cached properties are left out.
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def __repr__(self) -> str:
        size = f"{self.camera.width}x{self.camera.height}"
        return f"<{', '.join((f'DepthMaps {size}', *self.attributes))}>"

    @property
    def has_faces(self) -> bool:
        """True if `entry_face` and `exit_face` exist."""
        return "face" in self.attributes

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        """(H, W) bool: True where both entry and exit exist."""
        mask: npt.NDArray[np.bool_] = ~(np.isnan(self.entry) | np.isnan(self.exit))
        return mask

    @property
    def entry_distance(self) -> Float32Array:
        """(H, W) float32: distance of the first entry, along the ray."""
        return self._along_ray(self.entry)

    @property
    def exit_distance(self) -> Float32Array:
        """(H, W) float32: distance of the last exit, along the ray."""
        return self._along_ray(self.exit)

    @property
    def thickness(self) -> Float32Array:
        """(H, W) float32: exit minus entry along the ray, NaN outside `mask`.

        This is the outer thickness: it includes cavities and gaps. `DepthLayers.solid_length` does
        not.
        """
        # Subtract first. The difference of two float32 depths within a factor of two of each other
        # is exact; that of two rounded distances would lose a thin sheet's digits.
        with np.errstate(all="ignore"):  # depths may be infinite
            return self._along_ray(self.exit - self.entry)

    def _along_ray(self, depth: Float32Array) -> Float32Array:
        distance = self.camera.distance_per_depth()
        distance *= depth
        return distance.astype(np.float32)

    def filled(self, value: float) -> SheetPair:
        """Return copies of entry and exit with NaN replaced by `value`.

        Raises:
            RequestError: `value` is not a number, or outside the range of float32.
        """
        fill = checked_float32("the fill value", value)
        return SheetPair(
            np.where(np.isnan(self.entry), fill, self.entry),
            np.where(np.isnan(self.exit), fill, self.exit),
        )

    def points(
        self, frame: CoordinateFrame = "world", dtype: npt.DTypeLike = np.float32
    ) -> SheetPoints:
        """Return both sheets as point clouds, over the pixels of `mask` in row-major order.

        Args:
            frame: "world" or "camera".
            dtype: of the result. A mesh far from the world's origin needs float64 in the world
                frame: float32 resolves half a unit at 5e6.

        Returns:
            (front, back), the entry points and the exit points, each (N, 3) of `dtype`, mesh units.

        Raises:
            RequestError: `dtype` is not a floating point type.
            CameraError: `frame` is neither "world" nor "camera".
        """
        dtype = checked_float_type(dtype)
        pixels = self.camera.pixel_centers()[self.mask]
        front, back = (
            np.ascontiguousarray(
                self.camera.unproject(pixels, sheet[self.mask], frame), dtype=dtype
            )
            for sheet in (self.entry, self.exit)
        )
        return SheetPoints(front, back)

    def to_mesh(self, jump: float = 10.0) -> Mesh:
        """Return the mould: both sheets stitched into one closed Mesh in the world frame.

        Each sheet joins neighboring pixels of `mask` into triangles. Where neighbors are not joined
        (at the silhouette, the image border or a depth jump), a wall along the rays closes the
        mould. Its faces are wound outward.

        The mould is a 2-manifold, even after rounding to float32 and merging vertices at equal
        positions. For that, pixels without thickness are left out: those thinner than 2**-18 of the
        largest coordinate, or than an eighth of a pixel footprint if that is less. Where parts
        touch in a single pixel, the smaller ones lose their triangles at it: a few in a thousand
        for real objects.

        Args:
            jump: largest depth difference, in pixel footprints, across which neighboring pixels are
                joined; in either sheet. A footprint is the size of a pixel at the nearer of the two
                depths.

        Raises:
            MeshError: no three neighboring pixels with thickness can be joined.
            RequestError: `jump` is not a positive number.
        """
        vertices, faces = stitch(self.camera, self.entry, self.exit, self.mask, jump)
        return Mesh(vertices, faces, name="mould")

    def plot(
        self,
        quantities: str | Sequence[str] = ("entry", "exit", "thickness"),
        *,
        ax: Axes | Sequence[Axes] | npt.NDArray[Any] | None = None,
        figure: Figure | SubFigure | None = None,
        cmap: str | Colormap | None = None,
        vmin: float | None = None,
        vmax: float | None = None,
        title: str | None = None,
    ) -> Figure:
        """Draw images of depths and thickness side by side, with matplotlib.

        Entry and exit share one color scale, from the smallest to the largest depth of both. The
        scale of thickness starts at 0. Values are in mesh units; gray is a miss. Data coordinates
        of the axes are image coordinates, those of `Camera.project`. Large images are thinned:
        every n-th pixel is drawn.

        The figure shows itself in Jupyter; ``plot().savefig("maps.pdf")`` writes it. pyplot is not
        used; for a window, pass ``figure=plt.figure()`` and call ``plt.show()``.

        Args:
            quantities: one or several of "entry", "exit", "thickness", "entry_distance" and
                "exit_distance".
            ax: Axes to draw on, one for each quantity.
            figure: Figure or SubFigure to draw on instead; it keeps its size, on white.
            cmap: color map of all panels; by default "viridis_r" and, for thickness, "magma".
            vmin, vmax: ends of the color scale of all panels.
            title: above the panels; above the first of `ax` if axes are given.

        Returns:
            The figure that was drawn on.

        Raises:
            OutputError: matplotlib is not installed.
            RequestError: an argument has a value that cannot be used.
        """
        return plot_maps(self, quantities, ax, figure, cmap, vmin, vmax, title)

    def _repr_png_(self) -> bytes | None:
        covered = f"{100.0 * self.mask.mean():.1f} % of the pixels covered"
        return notebook_png(lambda: self.plot(title=f"{repr(self)[1:-1]}: {covered}"))
