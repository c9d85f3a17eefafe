"""DepthMaps: the two sheets of one image, in depth and in distance, as point clouds and as a mould."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._checks import checked_float32, checked_float_type, checked_result, checked_texts, shown
from ..camera.camera import Camera, Frame, check_camera
from ..errors import NotAskedForError, RequestError
from ..mesh.mesh import Mesh
from .attributes import ATTRIBUTES, Attribute, checked_attributes
from .mould import stitch

__all__ = ["DepthMaps", "SheetPair", "SheetPoints"]

Float32Array = npt.NDArray[np.float32]


class SheetPair(NamedTuple):
    """Two arrays of one shape and dtype, one a sheet."""

    entry: npt.NDArray[Any]
    exit: npt.NDArray[Any]


class SheetPoints(NamedTuple):
    """Two (N, 3) clouds of points; row i of both lies on the ray of the same pixel."""

    front: npt.NDArray[Any]
    back: npt.NDArray[Any]


def _checked_pair(attribute: Attribute, value: Any, shape: tuple[int, ...]) -> SheetPair:
    try:
        entry, exit_ = value
    except Exception:  # of whatever it takes to go through it
        raise RequestError(
            f"attribute {attribute.name} must be a pair of arrays, entry and exit, not {shown(value)}"
        ) from None
    return SheetPair(
        checked_result(f"entry_{attribute.name}", entry, attribute.dtype, shape),
        checked_result(f"exit_{attribute.name}", exit_, attribute.dtype, shape),
    )


@dataclass(frozen=True, eq=False)
class DepthMaps:
    """The double depth map of one image.

    Row 0 is the top row; a pixel is sampled at its center; NaN is a miss. *Depth* is the z of the camera
    frame, *distance* is along the ray from the camera center; both are in mesh units.

    Each attribute that was asked for is there twice, as ``entry_NAME`` and ``exit_NAME``: with
    ``attributes=("face", "normal")`` the maps have ``entry_face``, ``exit_face``, ``entry_normal`` and
    ``exit_normal``. `DepthRenderer.entry_exit` lists them.

    Attributes:
        entry: (H, W) float32, depth where the ray first enters.
        exit: (H, W) float32, depth where the ray last exits.
        camera: the Camera of the image.
        attributes: name to (entry, exit), each (H, W) or (H, W, channels).
        provenance: ``renderer`` and ``gl_version``, the driver's own words, and ``engine``, as files say; of
            a mesh from a file its ``mesh_path``, ``mesh_sha256`` and, if other files were read for it,
            ``mesh_side_files_sha256``. Empty where no `DepthRenderer` rendered
            the image.

    Raises:
        CameraError: `camera` is no Camera.
        RequestError: an array has another shape than its image, or cannot be of its type.
    """

    entry: Float32Array
    exit: Float32Array
    camera: Camera
    attributes: Mapping[str, SheetPair] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_camera(self.camera)
        shape = self.camera.height, self.camera.width
        checked = {
            "entry": checked_result("entry", self.entry, np.float32, shape),
            "exit": checked_result("exit", self.exit, np.float32, shape),
            "attributes": checked_attributes(self.attributes, shape, _checked_pair),
            "provenance": checked_texts("provenance", self.provenance),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> npt.NDArray[Any]:
        """``entry_NAME`` and ``exit_NAME`` of every attribute."""
        sheet, _, attribute = name.partition("_")
        if sheet not in ("entry", "exit") or attribute not in ATTRIBUTES:
            raise AttributeError(f"DepthMaps has no attribute {name!r}")
        pair = self.__dict__.get("attributes", {}).get(attribute)
        if pair is None:
            raise NotAskedForError(
                f'{name} was not asked for; render with attributes=("{attribute}",)'
            )
        array: npt.NDArray[Any] = getattr(pair, sheet)
        return array

    def __getstate__(self) -> dict[str, Any]:
        # Without what follows from the fields and was kept once it was asked for.
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def __dir__(self) -> list[str]:
        return [
            *super().__dir__(),
            *(f"{sheet}_{name}" for sheet in SheetPair._fields for name in self.attributes),
        ]

    def __repr__(self) -> str:
        return f"<{', '.join((f'DepthMaps {self.camera.width}x{self.camera.height}', *self.attributes))}>"

    @property
    def has_faces(self) -> bool:
        """Whether `entry_face` and `exit_face` are there."""
        return "face" in self.attributes

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        """(H, W) bool: both entry and exit exist."""
        mask: npt.NDArray[np.bool_] = ~(np.isnan(self.entry) | np.isnan(self.exit))
        return mask

    @property
    def entry_distance(self) -> Float32Array:
        """(H, W) float32: entry along the ray."""
        return self._along_ray(self.entry)

    @property
    def exit_distance(self) -> Float32Array:
        """(H, W) float32: exit along the ray."""
        return self._along_ray(self.exit)

    @property
    def thickness(self) -> Float32Array:
        """(H, W) float32: exit minus entry along the ray, NaN outside `mask`.

        It is the outer thickness: cavities and gaps in between count as well.
        """
        # The difference first: that of two distances would lose what a thin sheet is about. Of two float32
        # numbers within a factor of two of each other it is exact.
        with np.errstate(all="ignore"):  # of infinite depths
            return self._along_ray(self.exit - self.entry)

    def _along_ray(self, depth: Float32Array) -> Float32Array:
        distance = self.camera.distance_per_depth()
        distance *= depth
        return distance.astype(np.float32)

    def filled(self, value: float) -> SheetPair:
        """Copies of entry and exit with `value` in place of NaN.

        Raises:
            RequestError: it is no number, or beyond float32.
        """
        fill = checked_float32("the fill value", value)
        return SheetPair(
            np.where(np.isnan(self.entry), fill, self.entry),
            np.where(np.isnan(self.exit), fill, self.exit),
        )

    def points(self, frame: Frame = "world", dtype: npt.DTypeLike = np.float32) -> SheetPoints:
        """The two point clouds of the mould, over the pixels of `mask` in row-major order.

        Args:
            frame: "world" or "camera".
            dtype: of the result. A mesh far from the world's origin needs float64 in the world frame:
                float32 holds 5e6 only to half a unit.

        Returns:
            (front, back), each (N, 3) of `dtype`.

        Raises:
            RequestError: `dtype` is no floating point type.
            CameraError: `frame` is neither of the two.
        """
        kind = checked_float_type(dtype)
        pixels = self.camera.pixel_centers()[self.mask]
        front, back = (
            np.ascontiguousarray(self.camera.unproject(pixels, sheet[self.mask], frame), dtype=kind)
            for sheet in (self.entry, self.exit)
        )
        return SheetPoints(front, back)

    def to_mesh(self, jump: float = 10.0) -> Mesh:
        """Return the mould: both sheets as one closed, outward-oriented Mesh in the world frame.

        Neighboring pixels of `mask` are joined into triangles in both sheets; wherever they are not joined
        (the object's silhouette, an image border, a depth jump) a wall along the rays closes the mould.

        The mould is a 2-manifold, also when it is written in float32 and vertices at equal positions are
        merged. So pixels without thickness are left out, those thinner than 2**-18 of the largest coordinate
        (or than an eighth of a pixel's footprint, if that is less). Where parts touch in one pixel alone the
        smaller ones lose their triangles there; of real objects that is a few triangles in a thousand.

        Args:
            jump: two neighboring pixels are not joined where their depths, in either sheet, differ by more
                than this many pixel footprints (the size of a pixel at the nearer of the two depths).

        Raises:
            MeshError: no three neighboring pixels with thickness can be joined.
        """
        vertices, faces = stitch(self.camera, self.entry, self.exit, self.mask, jump)
        return Mesh(vertices, faces, name="mould")
