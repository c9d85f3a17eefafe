"""Binary PLY: the point cloud of one sheet with normals, or a mesh."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import OutputError
from .whole_file import whole_file

__all__ = ["sheet_normals", "write_ply"]

_PLY_TYPES = {"<f4": "float", "<f8": "double", "|u1": "uchar"}


def write_ply(
    path: str | os.PathLike[str],
    vertices: npt.NDArray[Any],
    *,
    normals: npt.NDArray[Any] | None = None,
    colors: npt.NDArray[np.uint8] | None = None,
    faces: npt.NDArray[np.integer[Any]] | None = None,
) -> None:
    """Writes little-endian binary PLY 1.0 (Turk, "The PLY Polygon File Format", 1994).

    Args:
        path: of the file; replaced as a whole.
        vertices: (N, 3); float64 is written as ``double``, anything else as ``float``: ``x y z``.
        normals: (N, 3) unit vectors, written as ``float``: ``nx ny nz``.
        colors: (N, 4) uint8 sRGB: ``red green blue alpha``.
        faces: (F, 3) vertex indices: ``vertex_indices``.

    Raises:
        OutputError: the shapes do not fit, or the file cannot be written.
    """
    kind = "<f8" if vertices.dtype == np.float64 else "<f4"
    columns: list[tuple[str, str, npt.NDArray[Any]]] = []
    groups = ((("x", "y", "z"), kind, vertices), (("nx", "ny", "nz"), "<f4", normals),
              (("red", "green", "blue", "alpha"), "|u1", colors))  # fmt: skip
    for names, column_kind, values in groups:
        if values is None:
            continue
        if values.shape != (len(vertices), len(names)):
            raise OutputError(
                f"{' '.join(names)} need shape ({len(vertices)}, {len(names)}), not {values.shape}"
            )
        columns += [(name, column_kind, values[:, axis]) for axis, name in enumerate(names)]
    rows = np.empty(len(vertices), dtype=[(name, column_kind) for name, column_kind, _ in columns])
    for name, _, values in columns:
        rows[name] = values
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [f"property {_PLY_TYPES[column_kind]} {name}" for name, column_kind, _ in columns]
    if faces is not None:
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    with whole_file(path) as file:
        file.write("\n".join([*header, "end_header\n"]).encode("ascii"))
        file.write(rows.tobytes())
        if faces is not None:
            corners = np.empty(len(faces), dtype=[("count", "u1"), ("index", "<i4", 3)])
            corners["count"], corners["index"] = 3, faces
            file.write(corners.tobytes())


def sheet_normals(
    face_normals: npt.NDArray[np.float64], faces: npt.NDArray[np.int64], *, toward: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The mould's outward normals of one sheet: the faces' normals, turned to the side `toward`.

    Args:
        face_normals: (F, 3) of the mesh.
        faces: (N,) the face of each point.
        toward: (N, 3) direction that the outside lies in: against the ray for entries, along it for exits.

    Returns:
        (N, 3) float64.
    """
    normals = face_normals[faces]
    inward = np.einsum("ij,ij->i", normals, toward) < 0.0
    return np.where(inward[:, None], -normals, normals)
