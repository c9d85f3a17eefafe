"""The parts of a file that a child process has read: what it told, checked and triangulated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ...errors import MeshError
from ...mesh.sampler import Sampler
from .alpha_modes import alpha_notes, effective_cutoff
from .folder import MeshFolder
from .merge import MeshPart
from .options import LoadOptions
from .polygon_work import PolygonWork
from .polygons import triangulated
from .textures import NOT_FOUND, EncodedTexture, LostTexture, open_texture

__all__ = ["scene_parts", "seconds_for", "up_of"]

_Arrays = list[npt.NDArray[Any]]


class ReadTexture(Protocol):
    """`MeshFolder.read`, or the same for an archive."""

    def __call__(self, name: str, *, is_texture: bool = False) -> bytes: ...


def scene_parts(
    message: tuple[dict[str, Any], _Arrays],
    folder: MeshFolder,
    options: LoadOptions,
    read_texture: ReadTexture,
) -> list[MeshPart]:
    """Return the parts of a scene.

    Args:
        message: result of `run_in_child`, made by `SceneMessage`.
        folder: takes notes of what is left out.
        options: options of `load_mesh`.
        read_texture: returns the content of a texture, or raises FileNotFoundError; see
            `MeshFolder.read`.

    Raises:
        MeshError: an index is out of range.
    """
    head, arrays = message
    scene = _Scene(head, arrays, folder, options, read_texture)
    parts = [scene.part(entry) for entry in head["parts"]]
    scene.tell_alpha()
    scene.work.tell(folder.leave_out)
    for text, warn in head["left_out"]:
        folder.leave_out(str(text), warn=bool(warn))
    return parts


def seconds_for(size: int) -> float:
    """Return the time limit in seconds for a file of a size in bytes: 20 s for a small one."""
    return 20.0 + size / 1e6


def up_of(message: tuple[dict[str, Any], _Arrays]) -> tuple[float, float, float] | None:
    """Return the direction that a scene says is up; None if it does not say."""
    up = message[0]["up"]
    return None if up is None else (float(up[0]), float(up[1]), float(up[2]))


class _Scene:
    """Meshes and materials of a message, each converted once."""

    def __init__(
        self,
        head: dict[str, Any],
        arrays: _Arrays,
        folder: MeshFolder,
        options: LoadOptions,
        read_texture: ReadTexture,
    ) -> None:
        self._head, self._arrays = head, arrays
        self._folder, self._options = folder, options
        self._read_texture = read_texture
        self._meshes: dict[tuple[int, bool], MeshPart] = {}
        self._images: dict[tuple[str, bool], EncodedTexture | LostTexture] = {}
        self._used: set[int] = set()  # materials
        self.work = PolygonWork()

    def part(self, entry: dict[str, Any]) -> MeshPart:
        """Return one instance of a mesh."""
        material = None if entry["material"] is None else self._head["materials"][entry["material"]]
        has_uv = self._head["meshes"][entry["mesh"]]["uv"] is not None
        cutoff, image = 0.0, None
        if material is not None:
            self._used.add(entry["material"])
            cutoff = self._cutoff(material)
            if self._options.appearance or cutoff > 0:
                image = self._image(material, cutoff)
            lowest = 1.0 if material["color"] is None else material["color"][3] / 255
            cutoff = effective_cutoff(cutoff, lowest, image if has_uv else None)
        has_looks = self._options.appearance or cutoff > 0
        key = (int(entry["mesh"]), has_looks)
        if key not in self._meshes:
            self._meshes[key] = self._mesh(self._head["meshes"][key[0]], has_looks)
        mesh = self._meshes[key]
        colors, sampler = mesh.colors, Sampler()
        if material is not None and has_looks:
            if material["color"] is not None:
                colors = np.array([material["color"]], np.uint8)
            wrap_u, wrap_v = material["wrap"]
            sampler = Sampler(wrap_u, wrap_v, "nearest" if material["nearest"] else "linear")
        return replace(
            mesh,
            name=str(entry["name"]),
            object_key=int(entry["object"]),
            world_from_part=np.array(entry["matrix"], np.float64).reshape(4, 4),
            colors=colors,
            uv=mesh.uv if image is not None else None,
            texture=image if has_looks else None,
            sampler=sampler,
            alpha_cutoff=cutoff,
            polygon_id=np.asarray(mesh.polygon_id) + int(entry["first_polygon"]),
        )

    def tell_alpha(self) -> None:
        """Note the alpha of the materials in use that does not count."""
        used = [self._head["materials"][number] for number in self._used]
        masked = [each for each in used if each["alpha_cutoff"] > 0]
        blending = [
            each
            for each in used
            if each["blends"] and each["alpha_cutoff"] == 0 and self._may_blend(each)
        ]
        for text, warn in alpha_notes(self._options, len(masked), len(blending)):
            self._folder.leave_out(text, warn=warn)
        if self._options.alpha == "mask":
            wanted = masked if self._options.blend_cutoff is None else masked + blending
            lost = sum(each["loses_mask"] for each in wanted)
            if lost:
                self._folder.leave_out(f"masks from textures of their own: {lost}")

    def _may_blend(self, material: dict[str, Any]) -> bool:
        """Return whether the alpha of a material that blends may be below 1."""
        if material["loses_mask"] or (material["color"] or [255])[-1] < 255:
            return True
        if not material["texture_has_alpha"]:
            return False
        image = self._images.get((material["texture"], self._cutoff(material) > 0))
        return image is None or (isinstance(image, EncodedTexture) and image.has_alpha)

    def _cutoff(self, material: dict[str, Any]) -> float:
        """Return the alpha cutoff of a material as the options want it."""
        if self._options.alpha == "ignore" or material["loses_mask"]:
            return 0.0
        blend_cutoff = self._options.blend_cutoff if material["blends"] else None
        return float(material["alpha_cutoff"] or blend_cutoff or 0.0)

    def _mesh(self, mesh: dict[str, Any], has_looks: bool) -> MeshPart:
        """Return a mesh without its place and material; a vertex per distinct set of values."""
        vertices, corners = self._arrays[mesh["vertices"]], self._arrays[mesh["corners"]]
        if vertices.ndim != 2 or vertices.shape[1] != 3 or corners.ndim != 1:
            raise MeshError("a mesh of it has arrays of a wrong shape; export it again")
        corners = _checked_indices(corners, len(vertices))
        if mesh["counts"] is None:
            counts = np.full(len(corners) // 3, 3, np.int64)
        else:
            counts = self._arrays[mesh["counts"]].astype(np.int64).reshape(-1)
        if (counts < 0).any() or int(counts.sum()) != len(corners):
            raise MeshError("a mesh of it has sizes that do not match; export it again")
        triangles, polygons = triangulated(vertices, corners, counts, self.work)
        if mesh["polygons"] is not None:
            polygons = self._arrays[mesh["polygons"]].astype(np.int64).reshape(-1)[polygons]
        values: dict[str, npt.NDArray[Any] | None] = {"uv": None, "colors": None}
        columns: list[npt.NDArray[np.int64]] = []
        given: list[tuple[str, npt.NDArray[Any]]] = []
        for name in values if has_looks else ():
            if mesh[name] is None:
                continue
            rows = self._arrays[mesh[name][0]]
            if mesh[name][1] is None:
                if len(rows) != len(vertices):
                    raise MeshError("a mesh of it has values of a wrong number; export it again")
                values[name] = rows
                continue
            indices = _checked_indices(self._arrays[mesh[name][1]], len(rows))
            if len(indices) != len(corners):
                raise MeshError("a mesh of it has indices of a wrong number; export it again")
            columns.append(indices)
            given.append((name, rows))
        if not columns:
            faces = corners[triangles]
        else:
            vertex_of, column_of, corner_new = _split(corners, columns)
            vertices = vertices[vertex_of]
            values = {k: None if v is None else v[vertex_of] for k, v in values.items()}
            for (name, rows), column in zip(given, column_of, strict=True):
                values[name] = rows[column]
            faces = corner_new[triangles]
        return MeshPart(
            vertices,
            faces,
            "",
            0,
            uv=values["uv"],
            colors=values["colors"],
            polygon_id=polygons,
        )

    def _image(
        self, material: dict[str, Any], cutoff: float
    ) -> EncodedTexture | LostTexture | None:
        name = material["texture"]
        if name is None:
            return None
        key = name, cutoff > 0
        if key not in self._images:
            self._images[key] = self._opened(material, cutoff > 0)
        image = self._images[key]
        if isinstance(image, EncodedTexture) and not material["texture_has_alpha"]:
            return image.opaque()
        return image

    def _opened(self, material: dict[str, Any], is_mask: bool) -> EncodedTexture | LostTexture:
        name = material["texture"]
        try:
            if material["image"] is None:
                # A mask decides where the surface is.
                data = self._read_texture(name, is_texture=not is_mask)
            else:
                data = self._arrays[material["image"]].tobytes()
        except FileNotFoundError:
            return LostTexture(name, NOT_FOUND)
        except MeshError as error:  # too large, or being written
            return LostTexture(name, str(error).partition(";")[0])
        return open_texture(data, name)


def _checked_indices(indices: npt.NDArray[Any], count: int) -> npt.NDArray[np.int64]:
    if indices.dtype.kind not in "iu" or indices.ndim != 1:
        raise MeshError("a mesh of it has indices of a wrong type; export it again")
    if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < count:
        raise MeshError(
            f"a mesh of it has indices from {indices.min()} to {indices.max()} into a list of "
            f"{count:,}; repair the file"
        )
    return indices.astype(np.int64)


def _split(
    corners: npt.NDArray[np.int64], columns: list[npt.NDArray[np.int64]]
) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.int64]], npt.NDArray[np.int64]]:
    """Return the vertex and the values of each new vertex, and the new vertex of each corner."""
    keys = corners
    for column in columns:
        # Ranks instead of products of the indices themselves, which could overflow.
        keys = np.unique(keys, return_inverse=True)[1].reshape(-1)
        keys = keys * (int(column.max(initial=0)) + 1) + column
    _, first, new = np.unique(keys, return_index=True, return_inverse=True)
    return corners[first], [column[first] for column in columns], new.reshape(-1)
