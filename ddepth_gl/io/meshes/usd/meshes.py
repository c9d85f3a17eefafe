"""Meshes of USD scenes as polygons, with their primvars and subsets; used in a child process."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...._packages import import_needed
from ...._srgb import srgb_from_linear
from ....errors import MeshError
from ..scene_message import Indexed, SceneMessage
from .materials import UsdLooks, UsdMaterials

__all__ = ["UsdMeshes"]

_UV_NAMES = ("st", "UVMap", "map1", "st0", "st_0")  # if the material names none


class UsdMeshes:
    """Reader of meshes. The instances of a prototype share what was read once.

    Args:
        message: collects what is read.
        time: time code of all values.
        materials: reader of materials; None if appearance is left out.
    """

    def __init__(self, message: SceneMessage, time: Any, materials: UsdMaterials | None) -> None:
        self._message, self._time, self._materials = message, time, materials
        self._geom = import_needed("pxr.UsdGeom", "reading USD files", MeshError, "usd")
        self._shade = import_needed("pxr.UsdShade", "reading USD files", MeshError, "usd")
        self._read: dict[str, tuple[list[tuple[int, int | None]], int]] = {}

    def add(self, prim: Any, object_key: int, name: str, matrix: npt.NDArray[Any]) -> None:
        """Add an instance of a mesh."""
        # What instances of one prototype share lies in the prototype. A binding of a material
        # and primvars outside of it may differ, and are part of the key.
        bound = self._bound(prim)
        key = f"{_shared(prim).GetPath()} {bound.GetPath() if bound else ''}"
        if self._materials is not None and prim.IsInstanceProxy():
            for primvar in self._geom.PrimvarsAPI(prim).FindPrimvarsWithInheritance():
                # Colors, and what may be texture coordinates.
                if primvar.GetPrimvarName() == "displayColor" or "2" in str(primvar.GetTypeName()):
                    attribute = primvar.GetAttr()
                    key += f" {_shared(attribute.GetPrim()).GetPath()}.{attribute.GetName()}"
        if key not in self._read:
            self._read[key] = self._meshes(prim, bound)
        meshes, polygon_count = self._read[key]
        first = self._message.polygon_count
        for mesh, material in meshes:
            self._message.add_part(mesh, object_key, name, matrix, material, first)
        self._message.polygon_count = first + polygon_count

    def _bound(self, prim: Any) -> Any:
        if self._materials is None:
            return None
        return self._shade.MaterialBindingAPI(prim).ComputeBoundMaterial()[0]

    def _meshes(self, prim: Any, bound: Any) -> tuple[list[tuple[int, int | None]], int]:
        """Return a mesh with its material for each subset of a mesh, and the number of polygons."""
        mesh = self._geom.Mesh(prim)
        points = mesh.GetPointsAttr().Get(self._time)
        counts = mesh.GetFaceVertexCountsAttr().Get(self._time)
        corners = mesh.GetFaceVertexIndicesAttr().Get(self._time)
        if not points or not counts or not corners:
            self._message.leave_out("meshes without faces", warn=False)
            return [], 0
        vertices = np.array(points)
        counts, corners = np.array(counts, np.int64), np.array(corners, np.int64)
        if (counts < 0).any() or int(counts.sum()) != len(corners):
            raise MeshError(f"the polygons of {prim.GetPath()} do not match; export it again")
        scheme = mesh.GetSubdivisionSchemeAttr()
        if scheme.Get(self._time) != "none":
            # Without an author, "catmullClark" is only the default, and most files mean polygons.
            is_meant = scheme.HasAuthoredValue()
            self._message.leave_out("subdivision, of which the cage is read", warn=is_meant)
        is_kept = np.ones(len(counts), bool)
        holes = np.array(mesh.GetHoleIndicesAttr().Get(self._time) or [], np.int64)
        is_kept[holes[(holes >= 0) & (holes < len(counts))]] = False
        starts = np.cumsum(counts) - counts
        is_left = mesh.GetOrientationAttr().Get(self._time) == "leftHanded"
        meshes = []
        for faces, looks in self._subsets(prim, bound, is_kept):
            # Positions of the corners of these faces; left-handed ones backward, from the first.
            size = counts[faces]
            step = np.arange(int(size.sum())) - np.repeat(np.cumsum(size) - size, size)
            if is_left:
                step = np.where(step > 0, np.repeat(size, size) - step, 0)
            chosen = np.repeat(starts[faces], size) + step
            uv = colors = None
            if looks is not None and looks.texture:
                uv = self._uv(prim, looks, len(vertices), counts, corners, chosen)
            if self._materials is not None and (looks is None or looks.number is None):
                colors = self._colors(prim, len(vertices), counts, corners, chosen)
            number = self._message.add_mesh(
                vertices, size, corners[chosen], uv=uv, colors=colors, polygons=faces
            )
            meshes.append((number, None if looks is None else looks.number))
        return meshes, len(counts)

    def _subsets(
        self, prim: Any, bound: Any, is_kept: npt.NDArray[np.bool_]
    ) -> list[tuple[npt.NDArray[np.int64], UsdLooks | None]]:
        """Return (faces, material) of the subsets with materials of their own, and of the rest."""
        if self._materials is None:
            return [(np.flatnonzero(is_kept), None)]
        found: list[tuple[npt.NDArray[np.int64], UsdLooks | None]] = []
        is_free = is_kept.copy()
        for subset in self._shade.MaterialBindingAPI(prim).GetMaterialBindSubsets():
            faces = np.array(subset.GetIndicesAttr().Get(self._time) or [], np.int64)
            if ((faces < 0) | (faces >= len(is_kept))).any():
                raise MeshError(f"{subset.GetPath()} names missing faces; export it again")
            faces = np.unique(faces[is_free[faces]])
            is_free[faces] = False
            if len(faces):
                found.append((faces, self._materials.material(self._bound(subset.GetPrim()))))
        rest = np.flatnonzero(is_free)
        if len(rest):
            found.append((rest, self._materials.material(bound)))
        return found

    def _uv(self, prim: Any, looks: UsdLooks, *sizes: Any) -> Indexed | None:
        names = [looks.uv_name] if looks.uv_name else []
        for name in (*names, *_UV_NAMES):
            found = self._primvar(prim, name, 2, *sizes)
            if found is not None:
                values = found.values @ looks.uv_matrix[:2, :2].T + looks.uv_matrix[:2, 2]
                return Indexed(values, found.indices)
        self._message.leave_out("textured meshes without texture coordinates")
        return None

    def _colors(self, prim: Any, *sizes: Any) -> Indexed | None:
        found = self._primvar(prim, "displayColor", 3, *sizes)
        if found is None:
            return None
        colors = np.full((len(found.values), 4), 255, np.uint8)
        colors[:, :3] = srgb_from_linear(found.values)
        return Indexed(colors, found.indices)

    def _primvar(
        self,
        prim: Any,
        name: str,
        width: int,
        vertex_count: int,
        counts: npt.NDArray[np.int64],
        corners: npt.NDArray[np.int64],
        chosen: npt.NDArray[np.int64],
    ) -> Indexed | None:
        """Return a primvar at the chosen corners; None if there is none of that name and width."""
        primvar = self._geom.PrimvarsAPI(prim).FindPrimvarWithInheritance(name)
        value = primvar.Get(self._time) if primvar and primvar.HasValue() else None
        if value is None or len(value) == 0:
            return None
        values = np.array(value, np.float64).reshape(len(value), -1)
        if values.shape[1] != width:
            return None
        interpolation = primvar.GetInterpolation()
        row_of_corner = {
            "constant": np.zeros(len(corners), np.int64),
            "uniform": np.repeat(np.arange(len(counts)), counts),
            "vertex": corners,
            "varying": corners,
            "faceVarying": np.arange(len(corners)),
        }.get(interpolation)
        if row_of_corner is None:
            return None
        rows = row_of_corner[chosen]
        if primvar.IsIndexed():
            indices = np.array(primvar.GetIndices(self._time), np.int64)
            if int(rows.max(initial=0)) >= len(indices):
                self._message.leave_out(f"values {name} of a wrong number")
                return None
            rows = indices[rows]
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(values):
            self._message.leave_out(f"values {name} of a wrong number")
            return None
        return Indexed(values, rows)


def _shared(prim: Any) -> Any:
    """Return the prim that all instances have in common; the prim itself outside of instances."""
    return prim.GetPrimInPrototype() if prim.IsInstanceProxy() else prim
