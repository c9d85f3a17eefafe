"""Binary PLY files: vertices with normals and colors, and the faces of a mesh."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._checks import checked_array, quiet_math
from ...errors import OutputError
from ...mesh.mesh import Mesh
from ..atomic import atomic_write
from .metadata import HasProvenance, file_metadata

__all__ = ["coordinate_type", "ply_bytes", "write_mesh", "write_ply"]

_PLY_TYPES = {"<f4": "float", "<f8": "double", "|u1": "uchar"}


def write_ply(
    path: str | os.PathLike[str],
    vertices: npt.NDArray[Any],
    *,
    normals: npt.NDArray[Any] | None = None,
    colors: npt.NDArray[np.uint8] | None = None,
    faces: npt.NDArray[np.integer[Any]] | None = None,
    rendered: HasProvenance | None = None,
) -> list[Path]:
    """Write `ply_bytes` to a file.

    Args:
        path: file to write; an existing file is replaced.
        vertices, normals, colors, faces, rendered: see `ply_bytes`.

    Returns:
        The file written, as a list.

    Raises:
        OutputError: see `ply_bytes`, or the file cannot be written.
    """
    content = ply_bytes(vertices, normals=normals, colors=colors, faces=faces, rendered=rendered)
    with atomic_write(path) as file:
        file.write(content)
    return [Path(path)]


def ply_bytes(
    vertices: npt.NDArray[Any],
    *,
    normals: npt.NDArray[Any] | None = None,
    colors: npt.NDArray[np.uint8] | None = None,
    faces: npt.NDArray[np.integer[Any]] | None = None,
    rendered: HasProvenance | None = None,
) -> bytes:
    """Return little-endian binary PLY 1.0 (Turk, "The PLY Polygon File Format", 1994).

    Args:
        vertices: (N, 3) ``x y z``; float64 is written as ``double``, other types as ``float``.
        normals: (N, 3) unit vectors ``nx ny nz``, written as ``float``.
        colors: (N, 4) uint8 sRGB ``red green blue alpha``.
        faces: (F, 3) ``vertex_indices``.
        rendered: DepthMaps or DepthLayers whose points these are; comments repeat its provenance.

    Raises:
        OutputError: a shape is wrong, or a number exceeds its type.
    """
    texts = file_metadata(rendered)
    vertices = checked_array("vertices", vertices, "biuf", None, OutputError)
    kind = "<f8" if vertices.dtype == np.float64 else "<f4"
    count = len(vertices) if vertices.ndim else 0
    columns: list[tuple[str, str, npt.NDArray[Any]]] = []
    groups = ((("x", "y", "z"), kind, vertices), (("nx", "ny", "nz"), "<f4", normals),
              (("red", "green", "blue", "alpha"), "|u1", colors))  # fmt: skip
    for names, column_kind, values in groups:
        if values is None:
            continue
        values = checked_array(" ".join(names), values, "biuf", None, OutputError)
        if values.shape != (count, len(names)):
            raise OutputError(
                f"{' '.join(names)} need shape ({count}, {len(names)}), not {values.shape}"
            )
        values = _converted(" ".join(names), values, np.dtype(column_kind))
        columns += [(name, column_kind, values[:, axis]) for axis, name in enumerate(names)]
    rows = np.empty(count, dtype=[(name, column_kind) for name, column_kind, _ in columns])
    for name, _, values in columns:
        rows[name] = values
    header = ["ply", "format binary_little_endian 1.0"]
    header += [f"comment {name} {' '.join(text.split())}" for name, text in texts.items()]
    header += [f"element vertex {count}"]
    header += [f"property {_PLY_TYPES[column_kind]} {name}" for name, column_kind, _ in columns]
    if faces is not None:
        faces = _checked_faces(faces, count)
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    content = "\n".join([*header, "end_header\n"]).encode("ascii", "backslashreplace")
    content += rows.tobytes()
    if faces is not None:
        corners = np.empty(len(faces), dtype=[("count", "u1"), ("index", "<i4", 3)])
        corners["count"], corners["index"] = 3, faces
        content += corners.tobytes()
    return content


def write_mesh(path: Path, mesh: Mesh, rendered: HasProvenance | None = None) -> list[Path]:
    """Write a Mesh with its vertex colors as binary PLY; see `write_ply`."""
    vertices = mesh.vertices.astype(coordinate_type(mesh.vertices))
    return write_ply(path, vertices, colors=mesh.colors, faces=mesh.faces, rendered=rendered)


def coordinate_type(points: npt.NDArray[np.float64]) -> type[np.floating]:
    """Return float32, or float64 if float32 would lose over a millionth of the points' extent.

    That happens far from the origin.

    Args:
        points: (N, 3).
    """
    if not len(points):
        return np.float32
    size = float(np.ptp(points, axis=0).max())
    return np.float64 if np.spacing(np.float32(np.abs(points).max())) > 1e-6 * size else np.float32


def _checked_faces(faces: Any, vertex_count: int) -> npt.NDArray[Any]:
    array = checked_array("faces", faces, "biuf", None, OutputError)
    if array.dtype.kind not in "iu" or array.ndim != 2 or array.shape[1] != 3:
        raise OutputError(f"faces need shape (F, 3) and integers, not {array.shape} {array.dtype}")
    if len(array) and not (array.min() >= 0 and array.max() < vertex_count):
        raise OutputError(
            f"faces name vertices {array.min()} to {array.max()}, "
            f"but there are {vertex_count} of them"
        )
    return array


def _converted(name: str, values: npt.NDArray[Any], kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return the values in another type; OutputError if a number is out of its range."""
    with quiet_math(OutputError, values):
        converted = values.astype(kind)
        # NaN and infinity are in the range of floats.
        lost = (
            np.isinf(converted) & np.isfinite(values) if kind.kind == "f" else converted != values
        )
    if lost.any():
        raise OutputError(
            f"{name} hold {values[lost][0]}, which {_PLY_TYPES[kind.str]} cannot; scale them"
        )
    return converted
