"""SceneMessage: meshes, materials and instances, as a child process tells them to its parent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...errors import MeshError

__all__ = ["Indexed", "SceneMessage"]

_MAX_PARTS = 100_000


class Indexed(NamedTuple):
    """Values of the corners of polygons.

    Attributes:
        values: (N, k) array.
        indices: (C,) row of each corner, in the order of the polygons; None if the values belong to
            the vertices.
    """

    values: npt.NDArray[Any]
    indices: npt.NDArray[Any] | None = None


class SceneMessage:
    """Collector of what a reader finds. Arrays that instances share are sent once.

    Args:
        max_faces: largest number of triangles, all instances together.
    """

    def __init__(self, max_faces: int) -> None:
        self._max_faces = max_faces
        self._faces = 0
        self._arrays: list[npt.NDArray[Any]] = []
        self._meshes: list[dict[str, Any]] = []
        self._face_counts: list[int] = []
        self._materials: list[dict[str, Any]] = []
        self._parts: list[dict[str, Any]] = []
        self._left_out: dict[str, tuple[int, bool]] = {}
        self.up: tuple[float, float, float] | None = None
        self.polygon_count = 0  # of the parts so far

    def leave_out(self, text: str, count: int = 1, *, warn: bool = True) -> None:
        """Count something that the file holds and the mesh does not, as `MeshFolder.leave_out`."""
        before = self._left_out.get(text, (0, False))
        self._left_out[text] = (before[0] + count, before[1] or warn)

    def add_mesh(
        self,
        vertices: npt.NDArray[Any],
        counts: npt.NDArray[Any] | None,
        corners: npt.NDArray[Any],
        *,
        uv: Indexed | None = None,
        colors: Indexed | None = None,
        polygons: npt.NDArray[Any] | None = None,
    ) -> int:
        """Add polygons and return their number as a mesh.

        Args:
            vertices: (V, 3) floats.
            counts: (P,) number of corners of each polygon; None if all are triangles.
            corners: (C,) index of the vertex of each corner.
            uv: texture coordinates, v up.
            colors: (N, 4) sRGB uint8.
            polygons: (P,) index of each polygon in its own list of the file; None if in order.

        Raises:
            MeshError: the counts do not match the corners.
        """
        if counts is not None and (counts == 3).all():
            counts = None
        if counts is None:
            faces, rest = divmod(len(corners), 3)
        else:
            faces = int(np.maximum(counts.astype(np.int64) - 2, 0).sum())
            rest = len(corners) - int(counts.sum(dtype=np.int64)) or int(counts.min(initial=0) < 0)
        if rest:
            raise MeshError(
                f"a mesh of it has {len(corners)} corners, which does not match the sizes of its "
                "polygons; export it again"
            )
        self._face_counts.append(faces)
        self._meshes.append(
            {
                "vertices": self.add_array(vertices),
                "counts": None if counts is None else self.add_array(counts),
                "corners": self.add_array(corners),
                "uv": self._indexed(uv),
                "colors": self._indexed(colors),
                "polygons": None if polygons is None else self.add_array(polygons),
            }
        )
        return len(self._meshes) - 1

    def add_array(self, array: npt.NDArray[Any]) -> int:
        """Add an array and return its number."""
        self._arrays.append(array)
        return len(self._arrays) - 1

    def _indexed(self, given: Indexed | None) -> list[int | None] | None:
        if given is None:
            return None
        indices = None if given.indices is None else self.add_array(given.indices)
        return [self.add_array(given.values), indices]

    def add_material(
        self,
        color: Sequence[int] | None = None,
        texture: str | None = None,
        image: int | None = None,
        wrap: tuple[str, str] = ("repeat", "repeat"),
        nearest: bool = False,
        alpha_cutoff: float = 0.0,
        blends: bool = False,
        texture_has_alpha: bool = False,
        loses_mask: bool = False,
    ) -> int:
        """Add a material and return its number.

        Args:
            color: red, green, blue and alpha, sRGB 0..255, times the texture; None for white.
            texture: path of its texture, as the folder's `read` takes it.
            image: number of an array with the content of the image file instead.
            wrap: modes of u and v, as in `Sampler`.
            nearest: whether the texture is read without interpolation.
            alpha_cutoff: alpha below which a point does not exist; 0 without a mask.
            blends: whether it blends, if it has no mask.
            texture_has_alpha: whether the texture's alpha counts.
            loses_mask: whether its alpha is in a texture that is not read.
        """
        self._materials.append(
            {
                "color": None if color is None else [int(c) for c in color],
                "texture": texture,
                "image": image,
                "wrap": wrap,
                "nearest": nearest,
                "alpha_cutoff": float(alpha_cutoff),
                "blends": blends,
                "texture_has_alpha": texture_has_alpha,
                "loses_mask": loses_mask,
            }
        )
        return len(self._materials) - 1

    def add_part(
        self,
        mesh: int,
        object_key: int,
        name: str,
        world_from_part: npt.NDArray[Any],
        material: int | None = None,
        first_polygon: int | None = None,
    ) -> None:
        """Add an instance of a mesh.

        Args:
            mesh: its number.
            object_key: parts with equal keys are one object.
            name: name of the object.
            world_from_part: (4, 4) affine transform of column vectors.
            material: its number; None for a part without.
            first_polygon: added to the mesh's `polygons`; the default is the number of polygons
                before this part.

        Raises:
            MeshError: there are too many instances or faces.
        """
        self._faces += self._face_counts[mesh]
        if self._faces > self._max_faces or len(self._parts) >= _MAX_PARTS:
            what = "faces" if self._faces > self._max_faces else "parts"
            limit = self._max_faces if self._faces > self._max_faces else _MAX_PARTS
            advice = "pass a larger max_faces" if what == "faces" else "simplify the file"
            raise MeshError(f"it holds more than {limit:,} {what}, the limit; {advice}")
        if first_polygon is None:
            first_polygon = self.polygon_count
            counts = self._meshes[mesh]["counts"]
            corners = self._arrays[self._meshes[mesh]["corners"]]
            self.polygon_count += len(corners) // 3 if counts is None else len(self._arrays[counts])
        self._parts.append(
            {
                "mesh": mesh,
                "object": object_key,
                "name": name[:200],
                "matrix": np.asarray(world_from_part, np.float64).reshape(16).tolist(),
                "material": material,
                "first_polygon": first_polygon,
            }
        )

    def result(self) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
        """Return what a function of a child process returns."""
        left_out = [(f"{text}: {n:,}", warn) for text, (n, warn) in self._left_out.items()]
        head = {
            "meshes": self._meshes,
            "materials": self._materials,
            "parts": self._parts,
            "left_out": left_out,
            "up": self.up,
        }
        return head, self._arrays
