"""Reads a mesh file into one Mesh. A file is never trusted: it gives a Mesh or a MeshError, nothing else."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._checks import is_integer, one_line, shown
from ...errors import MeshError
from ...mesh.mesh import Mesh, MeshSource
from .checks import checked_obj, checked_off, checked_ply, checked_stl
from .folder import UNNAMED, MeshFolder
from .gltf import gltf_parts
from .parts import MeshPart, merged

__all__ = ["load_mesh"]

_CHECKS = {".obj": checked_obj, ".stl": checked_stl, ".ply": checked_ply, ".off": checked_off}
_GLTF = (".glb", ".gltf")
_MAX_OBJECTS = 1000  # trimesh takes time in proportion to objects x vertices

# Without a handler of its own trimesh's warnings would go to stderr; whoever sets up logging still gets them.
logging.getLogger("trimesh").addHandler(logging.NullHandler())


def load_mesh(
    path: str | os.PathLike[str],
    *,
    max_file_bytes: int = 2 * 1024**3,
    max_faces: int = 100_000_000,
) -> Mesh:
    """Read an OBJ, STL, PLY, OFF, GLB or glTF file as one Mesh in world coordinates.

    Transforms of the scene are applied in float64 and every instance is included; a mirroring transform
    reverses the winding. Polygons are cut into fans of triangles, which may change the order.

    - ``object_id`` and ``object_names``: one object for each glTF node with a mesh, each OBJ object and
      material (OBJ files of more than 1000 objects: each material), each solid of an ASCII STL, else one.
    - ``colors``: vertex colors if a part has them, else the material's base color, else white where
      other parts have colors; None if nothing has any. In OBJ, PLY and STL they are taken for sRGB and
      a texture replaces the base color; in glTF they are linear and are converted, and base color,
      vertex colors and texture multiply. Colors of single faces are used only if all are the same.
    - ``uv`` and ``textures``: base color only, v up, same pictures once. Only pictures in the folder of
      the mesh file are read; those that are missing or in an unknown format are left out.

    Args:
        path: the file; the extension (in any case) names the format.
        max_file_bytes: the largest size of the file, and of each file it names, that will be read.
        max_faces: the largest number of triangles, all instances together.

    Raises:
        MeshError: one line, ``<path>: <what is wrong>; <what to do>``.
    """
    for name, limit in (("max_file_bytes", max_file_bytes), ("max_faces", max_faces)):
        if not is_integer(limit) or limit < 0:
            raise MeshError(f"{name} must be an integer, at least 0, not {shown(limit)}")
    try:
        path = Path(path)
    except Exception as error:  # whatever an __fspath__ method raises
        raise MeshError(
            f"{shown(path)} is not the path of a file ({one_line(error)}); give one"
        ) from None
    try:
        return _load(path, int(max_file_bytes), int(max_faces))
    except MeshError as error:
        raise MeshError(f"{_one_line(path, 4096)}: {_one_line(error)}") from error
    except PermissionError as error:
        what = f"it cannot be read ({error.strerror}); change the permissions of the file or of its folder"
        raise MeshError(f"{_one_line(path, 4096)}: {what}") from error
    except FileNotFoundError as error:
        what = f"it needs {_one_line(error, 80)!r}, which is not in its folder or not readable; put it there"
        raise MeshError(f"{_one_line(path, 4096)}: {what}") from error
    except MemoryError as error:
        what = "there is not enough memory to read it; use a smaller file or a larger machine"
        raise MeshError(f"{_one_line(path, 4096)}: {what}") from error
    except Exception as error:  # parsers of damaged files raise nearly anything
        what = f"it cannot be read ({type(error).__name__}: {_one_line(error, 100)})"
        raise MeshError(f"{_one_line(path, 4096)}: {what}; check or export it again") from error


def _one_line(value: object, limit: int = 240) -> str:
    text = "".join(c if c.isprintable() else " " for c in str(value))
    text = " ".join(text.split()) if limit < 4096 else text  # a path keeps its double spaces
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _load(path: Path, max_file_bytes: int, max_faces: int) -> Mesh:
    suffix = path.suffix.lower()
    with MeshFolder(path, max_file_bytes) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # NumPy's text parser only warns where it stops at something that is no number.
        warnings.filterwarnings("error", message="string or file could not be read")
        data = folder.read_mesh((*_CHECKS, *_GLTF))
        if suffix in _GLTF:
            parts = gltf_parts(data, folder, max_faces)
        else:
            parts = _trimesh_parts(_CHECKS[suffix](data, max_faces), suffix, folder, path.stem)
        own = hashlib.sha256(data).hexdigest()
        source = MeshSource(str(path.absolute()), own, folder.side_files_sha256())
        return merged(parts, path.stem, max_faces, source)


def _trimesh_parts(data: bytes, suffix: str, folder: MeshFolder, stem: str) -> list[MeshPart]:
    with _interrupts_held_back():
        import trimesh  # slow to import, and only needed here

    options: dict[str, Any] = {}
    if suffix == ".obj" and data.count(b"\no ") <= _MAX_OBJECTS:
        options["split_objects"] = True
    scene = trimesh.load_scene(
        io.BytesIO(data), file_type=suffix[1:], resolver=folder, process=False, **options
    )
    if folder.refusal is not None:
        raise folder.refusal
    parts = []
    for node in scene.graph.nodes_geometry:
        world_from_part, key = scene.graph[node]
        geometry = scene.geometry[key]
        if not isinstance(geometry, trimesh.Trimesh) or geometry.is_empty:
            continue
        unnamed = node == UNNAMED or str(node).startswith(
            "geometry_"
        )  # names that trimesh makes up
        name = stem if unnamed else str(node)
        vertices = np.asarray(geometry.vertices)
        parts.append(
            MeshPart(
                vertices,
                np.asarray(geometry.faces),
                name,
                node,
                np.asarray(world_from_part, np.float64),
                uv=_rows(getattr(geometry.visual, "uv", None), len(vertices)),
                colors=_colors(geometry, len(vertices)),
                picture=getattr(getattr(geometry.visual, "material", None), "image", None),
            )
        )
    return parts


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C within the block takes effect after it: trimesh's imports swallow every exception."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    pressed: list[int] = []
    try:
        signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    except ValueError:  # not the main thread, which alone is interrupted
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if pressed:
        raise KeyboardInterrupt


def _rows(value: Any, count: int) -> npt.NDArray[Any] | None:
    """An array with a row for each vertex; trimesh sometimes keeps one that does not fit."""
    array = None if value is None else np.asarray(value)
    return array if array is not None and array.ndim == 2 and len(array) == count else None


def _colors(geometry: Any, vertex_count: int) -> npt.NDArray[np.uint8] | None:
    """(V, 4) vertex colors, a (1, 4) color for all, or None."""
    visual = geometry.visual
    if visual.kind == "vertex":
        return _rows(visual.vertex_colors, vertex_count)
    if visual.kind == "face":
        same = bool((visual.face_colors == visual.face_colors[0]).all())
        return np.asarray(visual.face_colors[:1]) if same else None
    beside_texture = _rows(geometry.vertex_attributes.get("color"), vertex_count)
    if beside_texture is not None and beside_texture.shape[1] in (3, 4):
        if beside_texture.dtype.kind == "f":
            beside_texture = np.rint(np.clip(np.nan_to_num(beside_texture), 0.0, 1.0) * 255.0)
        colors = np.full((vertex_count, 4), 255, np.uint8)
        colors[:, : beside_texture.shape[1]] = beside_texture
        return colors
    material = getattr(visual, "material", None)
    if getattr(material, "image", None) is None and "kd" in getattr(material, "kwargs", {}):
        return np.asarray(material.diffuse, np.uint8).reshape(1, 4)  # type: ignore[union-attr]
    return None
