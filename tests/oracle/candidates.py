"""Candidates: every pair of a pixel and a face that the pixel's ray meets or may meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .alpha_masks import AlphaMask, masked
from .geometry import Booleans, Floats, Integers, View, mesh_arrays
from .projected_faces import (
    ProjectedFaces,
    corners_around,
    edge_distance,
    edge_functions,
    pixel_boxes,
    project_faces,
)

# Float32 rounding may put a depth on the wrong side of another depth, or of a crop plane, if they
# differ by less than this, relatively. It decides only which pixels are stable; `check` has a
# stricter tolerance of its own.
ROUNDING = 4e-6

# Pairs of (pixel, face) processed together: about 50 arrays of this length exist at once.
CHUNK = 400_000


@dataclass(frozen=True)
class Candidates:
    """Pairs of (pixel, face) as flat arrays, sorted by pixel, then by face.

    A pair is included if the pixel center is inside the face's projection, or outside it by less
    than 2 * margin.

    Attributes:
        pixel: row * width + column.
        face: index into the faces as given.
        depth: depth of the face's plane at the pixel center, clamped to the face's own depths.
        low, high: range of the plane's depth within `margin` of the center, clamped to the face's
            own depths and to the crop.
        slope: |dz/du| + |dz/dv| of the plane, mesh units per pixel; inf if edge-on.
        clearance: signed distance in pixels from the center to the projection's boundary, positive
            inside.
        front: the ray's origin sees the counter-clockwise side.
        thin: the projection is so thin that corners moving by `margin` may turn it over.
        hit: the ray meets the closed face, and z > 0 and the crop accept the crossing.
        in_crop: z > 0 and the crop accept the crossing, whatever the rounding.
        margin: bound on the movement of projected vertices, in pixels.
    """

    pixel: Integers
    face: Integers
    depth: Floats
    low: Floats
    high: Floats
    slope: Floats
    clearance: Floats
    front: Booleans
    thin: Booleans
    hit: Booleans
    in_crop: Booleans
    margin: float

    @property
    def certain(self) -> Booleans:
        """Bool: the face covers the pixel, whatever the rounding."""
        return self.in_crop & ~self.thin & (self.clearance > self.margin)

    @property
    def uncertain(self) -> Booleans:
        """Bool: rounding decides whether the face covers the pixel."""
        return ~self.certain & (self.clearance >= -self.margin)

    def __len__(self) -> int:
        return len(self.pixel)


def find_candidates(
    vertices: npt.ArrayLike,
    faces: npt.ArrayLike,
    view: View,
    margin: float = 1 / 128,
    mask: AlphaMask | None = None,
) -> Candidates:
    """Return all candidates of a mesh.

    Args:
        vertices: (N, 3) in the world frame.
        faces: (F, 3) indices of vertices.
        view: the camera.
        margin: bound on the movement of projected vertices, in pixels.
        mask: alpha masks of the faces.

    Returns:
        The candidates of all pixels.
    """
    vertices, faces = mesh_arrays(vertices, faces)
    f = project_faces(vertices, faces, view, margin)
    row, column, rows, columns = pixel_boxes(f, view, 2 * margin)

    # Pair k belongs to the face g with start[g] <= k < start[g + 1]: it is pixel k - start[g], row
    # by row, of that face's box. Chunks are cut from the pairs, so no face is too large for memory.
    start = np.concatenate([[0], np.cumsum(rows * columns)])
    parts = []
    for first in range(0, int(start[-1]), CHUNK):
        stop = min(first + CHUNK, int(start[-1]))
        first_face = int(np.searchsorted(start, first, "right")) - 1
        stop_face = int(np.searchsorted(start, stop, "left"))
        within = np.clip(start[first_face : stop_face + 1], first, stop)
        g = np.repeat(np.arange(first_face, stop_face), np.diff(within))
        r, c = np.divmod(np.arange(first, stop) - start[g], columns[g])
        parts.append(_candidates_of_pairs(f, g, row[g] + r, column[g] + c, view, margin))
    if not parts:
        none = np.zeros(0, np.int64)
        parts.append(_candidates_of_pairs(f, none, none, none, view, margin))

    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort([arrays["face"], arrays["pixel"]])
    found = Candidates(margin=margin, **{name: array[order] for name, array in arrays.items()})
    return found if mask is None else masked(found, mask, vertices, faces, view)


def _candidates_of_pairs(
    f: ProjectedFaces, g: Integers, row: Integers, column: Integers, view: View, margin: float
) -> dict[str, npt.NDArray[Any]]:
    """Return the fields of `Candidates` for faces g and pixels (row, column), all (N,).

    Pairs that are too far apart are dropped.
    """
    # Coverage. The distance to the nearest edge line is exact inside and too small outside.
    X, Y, w = corners_around(f, g, row, column)
    edge, length = edge_functions(f, g, X, Y, w)
    hit = (edge >= 0).all(axis=0) & (f.sign[g] != 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        lines = edge / length
    lines[(edge == 0) & (length == 0)] = 0
    clearance = lines.min(axis=0)
    near = clearance > -2 * margin
    g, row, column = g[near], row[near], column[near]
    hit, clearance = hit[near], clearance[near]
    X, Y, w = (a[:, near] for a in (X, Y, w))

    # Outside the face and beyond a corner, the edge is farther away than its line.
    X, Y, w = (a[:, ~hit] for a in (X, Y, w))
    distance: Floats = np.stack([edge_distance(X, Y, w, j) for j in range(3)]).min(axis=0)
    clearance[~hit] = -distance

    # Depth, slope and range within the margin are exact, since 1/z (or z) is affine in the image.
    with np.errstate(all="ignore"):
        a, b, c = f.plane[:, g]
        at = a * (column + 0.5) + b * (row + 0.5) + c
        steep = np.abs(a) + np.abs(b)
        if view.orthographic:
            depth, low, high, slope = at, at - steep * margin, at + steep * margin, steep
        else:
            inverses = (at, at + steep * margin, at - steep * margin)
            depth, low, high = (np.where(value > 0, 1 / value, np.inf) for value in inverses)
            slope = steep * np.minimum(depth, f.z_high[g]) ** 2
    # An edge-on plane has no depth here (NaN): the ray may meet the face at any of its depths.
    slope = np.where(np.isnan(slope), np.inf, slope)
    low = np.clip(np.where(np.isnan(low), -np.inf, low), f.z_low[g], f.z_high[g])
    high = np.clip(np.where(np.isnan(high), np.inf, high), f.z_low[g], f.z_high[g])
    unclamped = np.where(np.isnan(depth), low, depth)
    depth = np.clip(unclamped, f.z_low[g], f.z_high[g])

    # The crop. An orthographic camera crops at z = 0; perspective rays meet nothing behind z = 0.
    nearest = 0.0 if view.near is None else max(float(view.near), 0.0)
    farthest = np.inf if view.far is None else float(view.far)
    hit &= (depth >= nearest) & (depth <= farthest)
    if view.orthographic:
        hit &= unclamped > 0
    doubt = ROUNDING * f.size[g]
    if view.orthographic or nearest > 0:
        in_crop = low > nearest + doubt
    else:
        in_crop = np.ones(len(g), bool)
    in_crop &= high < farthest - doubt
    possible = (high >= nearest - doubt) & (low <= farthest + doubt)
    low, high = np.clip(low, nearest, farthest), np.clip(high, nearest, farthest)

    selected = possible & (clearance > -2 * margin)
    fields: dict[str, npt.NDArray[Any]] = {
        "pixel": row * view.width + column,
        "face": f.index[g],
        "depth": depth,
        "low": low,
        "high": high,
        "slope": slope,
        "clearance": clearance,
        "front": f.front[g],
        "thin": f.thin[g],
        "hit": hit,
        "in_crop": in_crop,
    }
    return {name: values[selected] for name, values in fields.items()}
