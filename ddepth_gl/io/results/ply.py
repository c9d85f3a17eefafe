"""Binary PLY: the point cloud of one sheet or one layer with normals and colors, or a mesh."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._checks import checked_array, quiet_math
from ..._srgb import srgb_from_linear
from ...errors import OutputError
from ...results.depth_layers import DepthLayers
from .atomic import file_path, remove_others, whole_file
from .contents import Rendered, check_is, provenance

__all__ = ["coordinate_type", "sheet_normals", "write_layer_clouds", "write_ply"]

_PLY_TYPES = {"<f4": "float", "<f8": "double", "|u1": "uchar"}


def write_ply(
    path: str | os.PathLike[str],
    vertices: npt.NDArray[Any],
    *,
    normals: npt.NDArray[Any] | None = None,
    colors: npt.NDArray[np.uint8] | None = None,
    faces: npt.NDArray[np.integer[Any]] | None = None,
    rendered: Rendered | None = None,
) -> None:
    """Writes little-endian binary PLY 1.0 (Turk, "The PLY Polygon File Format", 1994).

    Args:
        path: of the file; replaced as a whole.
        vertices: (N, 3); float64 is written as ``double``, anything else as ``float``: ``x y z``.
        normals: (N, 3) unit vectors, written as ``float``: ``nx ny nz``.
        colors: (N, 4) uint8 sRGB: ``red green blue alpha``.
        faces: (F, 3) vertex indices: ``vertex_indices``.
        rendered: the DepthMaps or DepthLayers that the points are of; comments repeat their provenance.

    Raises:
        OutputError: the shapes do not fit, a number is beyond its type, or the file cannot be written.
    """
    texts = provenance(rendered)
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
        faces = checked_array("faces", faces, "biuf", None, OutputError)
        if faces.dtype.kind not in "iu" or faces.ndim != 2 or faces.shape[1] != 3:
            raise OutputError(
                f"faces need shape (F, 3) and integers, not {faces.shape} {faces.dtype}"
            )
        if len(faces) and not (faces.min() >= 0 and faces.max() < count):
            raise OutputError(
                f"faces name vertices {faces.min()} to {faces.max()}, but there are {count} of them"
            )
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    with whole_file(path) as file:
        file.write("\n".join([*header, "end_header\n"]).encode("ascii", "backslashreplace"))
        file.write(rows.tobytes())
        if faces is not None:
            corners = np.empty(len(faces), dtype=[("count", "u1"), ("index", "<i4", 3)])
            corners["count"], corners["index"] = 3, faces
            file.write(corners.tobytes())


def _converted(name: str, values: npt.NDArray[Any], kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """The values in another type, if they are in its range; NaN and infinity are in that of floats."""
    with quiet_math(OutputError, values):
        converted = values.astype(kind)
        lost = (
            np.isinf(converted) & np.isfinite(values) if kind.kind == "f" else converted != values
        )
    if lost.any():
        raise OutputError(
            f"{name} hold {values[lost][0]}, which {_PLY_TYPES[kind.str]} cannot; scale them"
        )
    return converted


def coordinate_type(points: npt.NDArray[np.float64]) -> type[np.floating]:
    """float32 unless, far from the origin, it would lose more than a millionth of the points' extent.

    Args:
        points: (N, 3).
    """
    if not len(points):
        return np.float32
    size = float(np.ptp(points, axis=0).max())
    return np.float64 if np.spacing(np.float32(np.abs(points).max())) > 1e-6 * size else np.float32


def write_layer_clouds(path: str | os.PathLike[str], layers: DepthLayers) -> list[Path]:
    """Writes ``NAME_layer01.ply`` with the points of all first crossings, ``NAME_layer02.ply``, ...

    World frame, mesh units, pixels in row-major order; float32, or float64 in all files where
    `coordinate_type` asks for it. If the layers have them, with the attribute ``normal`` (unit,
    counter-clockwise side) and with ``color``, turned into sRGB. An image without any crossing gives one
    file without points. Files of that name and a higher number, of an earlier run, are removed.

    Args:
        path: ``NAME`` with its folder, without an ending.
        layers: what to write.

    Returns:
        The files written, nearest layer first.

    Raises:
        OutputError: a file cannot be written, or one of an earlier run not be removed.
    """
    check_is(layers, DepthLayers)
    target = file_path(path)
    clouds = layers.points(frame="world", dtype=np.float64) or [np.zeros((0, 3))]
    kind = coordinate_type(np.concatenate(clouds))
    normals, colors = layers.attributes.get("normal"), layers.attributes.get("color")
    layer, written = layers.layer, []
    for number, points in enumerate(clouds, start=1):
        chosen = layer == number - 1  # in the order of `points`: by pixel
        written.append(target.with_name(f"{target.name}_layer{number:02d}.ply"))
        write_ply(
            written[-1],
            points.astype(kind),
            normals=None if normals is None else normals[chosen],
            colors=None if colors is None else srgb_from_linear(colors[chosen]),
            rendered=layers,
        )
    remove_others(target, r"_layer([0-9]{2}|[1-9][0-9]{2,})\.ply", written)
    return written


def sheet_normals(
    face_normals: npt.NDArray[np.float64],
    faces: npt.NDArray[np.int64],
    *,
    toward: npt.NDArray[np.float64],
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
