"""Section: the rays along a line across the image, cut open."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._packages import import_needed
from ..camera.camera import Camera
from ..errors import OutputError, RequestError
from ..results.depth_layers import DepthLayers
from ..results.sections import section_of
from .probe import pixel_camera

__all__ = ["Line", "Section", "SectionLine", "section_along", "section_line"]

Line = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, eq=False)
class SectionLine:
    """The rays along a line across an image.

    Attributes:
        camera: camera of an image of a single row or column, one pixel for each ray.
        points: (N, 2) image coordinates (column, row) of the rays in the whole image.
    """

    camera: Camera
    points: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Section:
    """The crossings and the solid along a line across the image; depths in mesh units.

    In a plot, ray k extends from k to k + 1.

    Attributes:
        points: (N, 2) image coordinates (column, row) of the rays.
        ray: (M,) int64 index of the ray of each crossing.
        depth: (M,) float32 depth of each crossing.
        is_front: (M,) bool, True for entries.
        solid_ray: (P,) int64 index of the ray of each piece inside the solid.
        solid: (P, 2) float32 depths of its ends; a start of 0 is a camera inside.
        unknown: (N,) bool, rays without pieces because nothing tells what is solid there.
        depth_range: depths that a plot shows.
    """

    points: npt.NDArray[np.float64]
    ray: npt.NDArray[np.int64]
    depth: npt.NDArray[np.float32]
    is_front: npt.NDArray[np.bool_]
    solid_ray: npt.NDArray[np.int64]
    solid: npt.NDArray[np.float32]
    unknown: npt.NDArray[np.bool_]
    depth_range: tuple[float, float]

    def __len__(self) -> int:
        return len(self.points)


def section_line(camera: Camera, line: Line) -> SectionLine:
    """Return the rays along a line, one for each pixel of its length.

    A line within a row or a column has the rays of its pixels. The rays of all others lie on the
    line itself, at equal distances: the camera is rolled until the line is a row.

    Args:
        camera: camera of the image.
        line: both ends, image coordinates (column, row) with pixel centers at halves. What is
            outside of the image is left out. The order of the ends does not count.

    Raises:
        RequestError: the line does not cross the image.
    """
    start, end = _clipped(line, camera.width, camera.height)
    first, last = (
        np.minimum(np.floor(each), (camera.width - 1, camera.height - 1)).astype(int)
        for each in (start, end)
    )
    (column, row), (columns, rows) = first.tolist(), (abs(last - first) + 1).tolist()
    if rows == 1 or columns == 1:
        row = min(row, int(last[1]))
        window = pixel_camera(camera, column, row, columns, rows)
        return SectionLine(window, np.add(window.pixel_centers().reshape(-1, 2), (column, row)))
    length = float(np.linalg.norm(end - start))
    count = math.ceil(length)
    along = (end - start) / length
    # Image coordinates of the new camera: along the line, and across it.
    rolled = np.array([along * count / length, (-along[1], along[0])])
    # Its K must be upper triangular, and the rest a rotation of the camera about its axis.
    product = rolled @ camera.K[:2, :2]
    sine, cosine = product[1] / np.linalg.norm(product[1])
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    K, pose = np.eye(3), camera.camera_from_world.copy()
    K[:2, :2] = product @ rotation.T
    K[1, 0] = 0.0
    K[:2, 2] = rolled @ (camera.K[:2, 2] - start) + (0.0, 0.5)
    pose[:2] = rotation @ pose[:2]
    points = start + (np.arange(count) + 0.5)[:, None] / count * (end - start)
    return SectionLine(Camera(K, pose, count, 1, camera.is_orthographic), points)


def section_along(layers: DepthLayers, points: npt.NDArray[np.float64]) -> Section:
    """Return the section of layers of a `SectionLine`.

    Args:
        layers: all crossings of its camera's image.
        points: its points.

    Raises:
        OutputError: matplotlib is not installed.
    """
    import_needed("matplotlib", "a section", OutputError, "cli")
    found = section_of(layers, **({"row": 0} if layers.camera.height == 1 else {"column": 0}))
    return Section(
        points,
        found.pixel,
        found.depth,
        found.entering,
        found.solid_pixel,
        found.solid,
        found.unknown,
        found.depth_range(),
    )


def _clipped(line: Line, width: int, height: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return both ends of the part of a line inside the image, from the left or the top.

    The algorithm is that of Liang and Barsky (1984).
    """
    start, end = (np.array(each, np.float64) for each in sorted(line))
    step = end - start
    first, last = 0.0, 1.0
    for axis, size in enumerate((width, height)):
        if step[axis] == 0.0:
            is_outside = not 0.0 <= start[axis] <= size
        else:
            ends = sorted(((0.0 - start[axis]) / step[axis], (size - start[axis]) / step[axis]))
            first, last = max(first, ends[0]), min(last, ends[1])
            is_outside = first > last
        if is_outside:
            raise RequestError(
                f"the section from {line[0]} to {line[1]} does not cross the image of "
                f"{width}x{height} pixels; draw it across the image"
            )
    return start + first * step, start + last * step
