"""3MF files, read in a child process: objects, components, build items and their colors.

3MF Core Specification 1.3; Materials and Properties Extension 1.2; Production Extension 1.1 (models
in several files of the archive). Coordinates stay in the model's unit.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ....errors import MeshError
from ..scene_message import Indexed, SceneMessage
from ..zip_entries import ZipEntries
from .document import MeshObject, ModelFile, parse_model, parse_relationships

__all__ = ["read_3mf"]

_MAX_DEPTH = 64  # components in components
_UP = (0.0, 0.0, 1.0)  # core specification, chapter 2: z is away from the build platform


def read_3mf(
    request: dict[str, Any], blobs: Sequence[memoryview]
) -> tuple[dict[str, Any], list[npt.NDArray[Any]]]:
    """Read a 3MF file; a function of `run_in_child`.

    Args:
        request: ``max_faces``, and ``appearance``.
        blobs: the content of the file.
    """
    reader = _Reader(ZipEntries(blobs[0]), request)
    reader.read()
    return reader.message.result()


class _Reader:
    """Reader of one archive. Each model file, object and material is read once."""

    def __init__(self, archive: ZipEntries, request: dict[str, Any]) -> None:
        self._archive = archive
        self._appearance = bool(request["appearance"])
        self.message = SceneMessage(request["max_faces"])
        self.message.up = _UP
        self._files: dict[str, ModelFile] = {}
        self._meshes: dict[tuple[str, str], list[tuple[int, int | None]]] = {}
        self._images: dict[str, int | None] = {}
        self._object_count = 0

    def read(self) -> None:
        root = self._root()
        model = self._file(root)
        items = model.items
        if not items:  # not a print job; show what no other object contains
            contained = {key for o in model.objects.values() for key, _, _ in o.components}
            items = [(key, "", np.eye(4)) for key in model.objects if key not in contained]
        for key, path, matrix in items:
            self._instances(path or root, key, matrix, self._object_count, "", 0)
            self._object_count += 1

    def _root(self) -> str:
        """Return the path of the model that the archive starts with (OPC, 9.3)."""
        if "_rels/.rels" in self._archive:
            for kind, target in parse_relationships(self._archive.read("_rels/.rels")):
                if kind.rstrip("/").endswith("3dmodel"):
                    return posixpath.normpath("/" + target.lstrip("/"))
        for name in self._archive.names:
            if name.lower().endswith(".model"):
                return "/" + name
        raise MeshError("its archive holds no 3D model; it is not 3MF, or damaged")

    def _file(self, path: str) -> ModelFile:
        if path not in self._files:
            if path not in self._archive:
                raise MeshError(f"its archive lacks the model {path!r}; it is damaged")
            self._files[path] = parse_model(self._archive.read(path), self.message.leave_out)
        return self._files[path]

    def _instances(
        self, path: str, key: str, matrix: npt.NDArray[Any], number: int, name: str, depth: int
    ) -> None:
        """Add an object and its components."""
        if depth > _MAX_DEPTH:
            raise MeshError(f"object {key} of it contains itself; repair it")
        model = self._file(path)
        if key not in model.objects:
            raise MeshError(f"it refers to object {key!r}, which it does not hold; repair it")
        found = model.objects[key]
        if found.kind in ("support", "solidsupport", "other"):
            self.message.leave_out("support structures")
            return
        name = name or found.name or f"object {key}"
        if (path, key) not in self._meshes:
            self._meshes[path, key] = self._read_mesh(model, found)
        first: int | None = None
        for mesh, material in self._meshes[path, key]:
            before = self.message.polygon_count
            self.message.add_part(mesh, number, name, matrix, material, first)
            if first is None:
                first = before
        if found.triangles:  # the parts of one object share a list of triangles
            self.message.polygon_count = (first or 0) + len(found.triangles) // 3
        for component, component_path, component_matrix in found.components:
            self._instances(
                component_path or path,
                component,
                matrix @ component_matrix,
                number,
                name,
                depth + 1,
            )

    def _read_mesh(self, model: ModelFile, found: MeshObject) -> list[tuple[int, int | None]]:
        """Return the meshes of an object, one per texture, with their materials."""
        if not found.triangles:
            return []
        vertices = np.frombuffer(found.vertices, np.float64).reshape(-1, 3)
        triangles = np.frombuffer(found.triangles, np.int64).reshape(-1, 3)
        if not self._appearance or not model.groups:
            return [(self.message.add_mesh(vertices, None, triangles.reshape(-1)), None)]
        properties = np.frombuffer(found.properties, np.int64).reshape(-1, 4)
        meshes = []
        for faces, uv, colors, texture in self._looks(model, properties):
            mesh = self.message.add_mesh(
                vertices,
                None,
                triangles[faces].reshape(-1),
                uv=uv,
                colors=colors,
                polygons=faces,
            )
            material = None
            if texture is not None:
                material = self._texture(model, texture)
            meshes.append((mesh, material))
        return meshes

    def _looks(
        self, model: ModelFile, properties: npt.NDArray[np.int64]
    ) -> Iterator[tuple[npt.NDArray[Any], Indexed | None, Indexed | None, str | None]]:
        """Yield (faces, uv, colors, texture) of the faces with equal textures.

        Args:
            model: the file of the object.
            properties: (F, 4): the property group of each face, and the index of each corner in it.
        """
        colors = [np.full((1, 4), 255, np.uint8)]
        start = 1
        corner_colors = np.zeros((len(properties), 3), np.int64)
        is_colored = np.ones(len(properties), bool)
        for number in np.unique(properties[:, 0]):
            group = model.groups.get(int(number))
            of_group = np.flatnonzero(properties[:, 0] == number)
            if group is None:
                if number >= 0:
                    self.message.leave_out("properties that are no color", warn=True)
                continue
            rows = properties[of_group, 1:]
            exists = ((rows >= 0) & (rows < len(group.values))).all(axis=1)
            if not exists.all():
                self.message.leave_out(
                    "colors that triangles refer to and the file lacks", warn=True
                )
                of_group, rows = of_group[exists], rows[exists]
            if group.kind == "basematerials":  # no gradients: the first corner decides
                rows = np.repeat(rows[:, :1], 3, axis=1)
            if group.kind == "texture2dgroup":
                is_colored[of_group] = False
                uv = Indexed(np.asarray(group.values, np.float64).reshape(-1, 2), rows.reshape(-1))
                yield of_group, uv, None, group.texture
            else:
                corner_colors[of_group] = rows + start
                colors.append(np.asarray(group.values, np.uint8).reshape(-1, 4))
                start += len(group.values)
        faces = np.flatnonzero(is_colored)
        if len(faces):
            given = Indexed(np.concatenate(colors), corner_colors[faces].reshape(-1))
            yield faces, None, given if start > 1 else None, None

    def _texture(self, model: ModelFile, key: str) -> int | None:
        """Return the material of a texture; None if its image is not there."""
        path, wrap, nearest = model.textures.get(key, ("", ("repeat", "repeat"), False))
        if path not in self._images:
            if path in self._archive:
                content = np.frombuffer(self._archive.read(path), np.uint8)
                self._images[path] = self.message.add_array(content)
            else:
                self.message.leave_out(f"texture {path!r}, which is not in the archive")
                self._images[path] = None
        image = self._images[path]
        return (
            None
            if image is None
            else self.message.add_material(texture=path, image=image, wrap=wrap, nearest=nearest)
        )
