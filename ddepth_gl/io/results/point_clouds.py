"""Point clouds in PLY files: one for each sheet, or one for each layer."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..._srgb import srgb_from_linear
from ...results.depth_layers import DepthLayers
from ...results.depth_maps import DepthMaps
from ..file_names import checked_stem
from .arguments import check_result_type
from .earlier_files import remove_leftovers
from .ply import coordinate_type, write_ply

__all__ = ["sheet_normals", "write_layer_clouds", "write_sheet_clouds"]


def write_sheet_clouds(
    target: Path, maps: DepthMaps, face_normals: npt.NDArray[np.float64]
) -> list[Path]:
    """Write ``NAME_front.ply`` and ``NAME_back.ply`` with outward normals.

    World frame, mesh units, pixels in row-major order.

    Args:
        target: folder and ``NAME``, without an extension.
        maps: sheets to write, with the attribute ``face``.
        face_normals: (F, 3) unit normals of the mesh, world frame.

    Returns:
        The files written.

    Raises:
        OutputError: a file cannot be written.
    """
    clouds = maps.points(frame="world", dtype=np.float64)
    along_ray = maps.camera.rays()[1][maps.mask]
    sheets = (
        ("_front.ply", clouds.front, maps.entry_face, -along_ray),
        ("_back.ply", clouds.back, maps.exit_face, along_ray),
    )
    written = []
    for ending, points, faces, outward in sheets:
        written.append(target.with_name(target.name + ending))
        normals = sheet_normals(face_normals, faces[maps.mask], toward=outward)
        write_ply(
            written[-1], points.astype(coordinate_type(points)), normals=normals, rendered=maps
        )
    return written


def sheet_normals(
    face_normals: npt.NDArray[np.float64],
    faces: npt.NDArray[np.int64],
    *,
    toward: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Return the face normals of a sheet's points, flipped where they point away from `toward`.

    Args:
        face_normals: (F, 3) unit normals of the mesh.
        faces: (N,) face of each point.
        toward: (N, 3) outward direction: against the ray for entries, along it for exits.

    Returns:
        (N, 3) float64.
    """
    normals = face_normals[faces]
    inward = np.einsum("ij,ij->i", normals, toward) < 0.0
    return np.where(inward[:, None], -normals, normals)


def write_layer_clouds(path: str | os.PathLike[str], layers: DepthLayers) -> list[Path]:
    """Write one point cloud per layer: ``NAME_layer01.ply``, ... for ``NAME.ply``.

    World frame, mesh units, pixels in row-major order; float32, or float64 in all files if the
    points are too far from the origin for float32. Normals come from the attribute ``normal``
    (unit, counter-clockwise side) and colors from ``color``, converted to sRGB, if the layers have
    them. An image without any crossing yields one file without points. Files of the same name with
    a higher number, left by an earlier run, are removed.

    Args:
        path: name that the files share, such as ``NAME.ply``; what tells them apart stands before
            its extension. Without the extension, the names are the same.
        layers: crossings to write.

    Returns:
        The files written, nearest layer first.

    Raises:
        OutputError: a file cannot be written, or one of an earlier run cannot be removed.
    """
    check_result_type(layers, DepthLayers)
    target = checked_stem(path, ".ply")
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
    remove_leftovers(target, r"_layer([0-9]{2}|[1-9][0-9]{2,})\.ply", written)
    return written
