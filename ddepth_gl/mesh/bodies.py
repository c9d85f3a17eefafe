"""Bodies of a mesh: faces connected through edges, and how the crossings of each can count.

See docs/decisions/0012-bodies.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .._frozen_arrays import frozen
from .chunks import face_chunks
from .edges import connected, sorted_edges
from .enclosure import enclosing_bodies
from .topology import position_keys, scrambled

__all__ = ["BODY_KINDS", "Bodies", "Surfaces", "find_bodies"]

# The first two kinds count by facing, the others on either side.
BODY_KINDS = ("outward", "cavity", "masked", "open", "mixed", "doubled", "flat", "inward")

# How all bodies of a mesh count.
Surfaces = Literal["oriented", "any", "mixed"]

# A closed body of less volume than this, as a fraction of area x diagonal, is flat.
_FLAT = 1e-9
# Centers of at most so many faces of an inward body must lie inside an outward one.
_SAMPLES = 8


@dataclass(frozen=True, eq=False)
class Bodies:
    """The bodies of a mesh, in the order of their first faces.

    A body is a set of faces connected through edges at exactly equal positions. All faces at an
    edge belong to one body, however many they are; bodies that touch in a vertex are two. Faces
    that use a position twice connect nothing and belong to no body.

    ``kind`` says how a body counts:

    - ``"outward"``: closed, consistently wound, positive volume. Counts by facing.
    - ``"cavity"``: closed, consistently wound, negative volume, inside an outward body. Counts by
      facing.
    - All others are two-sided, their crossings count on either side. The first reason that applies:
      ``"masked"``, a face has an alpha mask; ``"open"``; ``"mixed"``, not consistently wound;
      ``"doubled"``, holds a face and its reverse at the same positions; ``"flat"``, absolute volume
      of at most 1e-9 x area x diagonal of its bounds; ``"inward"``, negative volume, not inside an
      outward body.

    Attributes:
        of_face: (F,) int32 body of each face; -1 for a face that uses a position twice.
        face_count: (B,) int64 number of faces.
        duplicate_faces: (B,) int64 number of faces at the positions of an earlier face of the mesh,
            in either winding.
        is_closed: (B,) bool; every edge belongs to an even number of faces.
        is_consistent: (B,) bool; consistently wound: the faces at an edge traverse it equally often
            in both directions, apart from one face more at the border of an open body.
        volume: (B,) float64 signed volume of a closed body in cubic mesh units, positive if it is
            wound outward; without meaning for an open one.
        area: (B,) float64 area in square mesh units.
        bounds: (B, 2, 3) float64 minimum and maximum coordinates in mesh units.
        kind: (B,) strings, one of the above.

    The arrays are read-only.
    """

    of_face: npt.NDArray[np.int32]
    face_count: npt.NDArray[np.int64]
    duplicate_faces: npt.NDArray[np.int64]
    is_closed: npt.NDArray[np.bool_]
    is_consistent: npt.NDArray[np.bool_]
    volume: npt.NDArray[np.float64]
    area: npt.NDArray[np.float64]
    bounds: npt.NDArray[np.float64]
    kind: npt.NDArray[np.str_]

    @property
    def counts_by_facing(self) -> npt.NDArray[np.bool_]:
        """(B,) bool: False for two-sided bodies."""
        return np.isin(self.kind, BODY_KINDS[:2])

    @property
    def is_solid(self) -> npt.NDArray[np.bool_]:
        """(B,) bool: facing tells where the inside is.

        True for bodies that count by facing, and for doubled ones of positive volume, such as boxes
        that share a wall.
        """
        is_solid = self.counts_by_facing
        is_solid |= (self.kind == "doubled") & (self.volume > _flat_volume(self.area, self.bounds))
        return is_solid

    @property
    def two_sided_faces(self) -> npt.NDArray[np.bool_]:
        """(F,) bool: the face counts on either side; True for faces of no body."""
        # The index -1 of faces of no body refers to the last element.
        return np.append(~self.counts_by_facing, True)[self.of_face]

    @property
    def solid_faces(self) -> npt.NDArray[np.bool_]:
        """(F,) bool: the face belongs to a body that `is_solid`; False for faces of no body."""
        return np.append(self.is_solid, False)[self.of_face]

    @cached_property
    def surfaces(self) -> Surfaces:
        """Kind of all bodies: "oriented" (by facing), "any" (two-sided) or "mixed"."""
        by_facing = self.counts_by_facing
        return "oriented" if by_facing.all() else "mixed" if by_facing.any() else "any"

    def __len__(self) -> int:
        return len(self.face_count)

    def __repr__(self) -> str:
        kinds = ", ".join(
            f"{count} {kind}"
            for kind in BODY_KINDS
            if (count := int(np.count_nonzero(self.kind == kind)))
        )
        return f"Bodies({kinds})"


def _flat_volume(
    area: npt.NDArray[np.float64], bounds: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return (B,) the absolute volume up to which a closed body is flat."""
    diagonal: npt.NDArray[np.float64] = np.linalg.norm(bounds[:, 1] - bounds[:, 0], axis=1)
    return _FLAT * area * diagonal


def find_bodies(
    vertices: npt.NDArray[np.float64],
    faces: npt.NDArray[np.int32],
    alpha_cutoff: npt.NDArray[np.float32] | None = None,
) -> Bodies:
    """Return the bodies of a mesh.

    A mesh of 1.3 million faces takes about a second, more with thousands of cavities: see
    docs/decisions/0012-bodies.md.

    Args:
        vertices: (V, 3) mesh units.
        faces: (F, 3); at least one has three positions.
        alpha_cutoff: (F,), see `Mesh`; None if no face has a mask.
    """
    corners = _positions(vertices, faces)
    a, b, c = corners.T
    proper = np.flatnonzero((a != b) & (b != c) & (c != a))
    corners = corners if len(proper) == len(faces) else corners[proper]
    edges = sorted_edges(corners)
    label = connected(len(proper), *edges.links)
    number = np.cumsum(label == np.arange(len(label))) - 1  # the first face of a body is its label
    body, count = number[label], int(number[-1]) + 1
    of_face = np.full(len(faces), -1, np.int32)
    of_face[proper] = body

    is_closed, is_consistent = np.ones((2, count), bool)
    body_of_edge = body[edges.face[edges.first]]
    is_closed[body_of_edge[edges.sizes % 2 == 1]] = False
    is_consistent[body_of_edge[np.abs(edges.balance) > 1]] = False
    duplicates, reversed_faces = _coincident(corners)
    is_doubled = np.zeros(count, bool)
    is_doubled[body[reversed_faces]] = True
    bounds, area, volume = _measures(vertices, faces[proper], body, count)
    is_flat = np.abs(volume) <= _flat_volume(area, bounds)
    is_masked = np.zeros(count, bool)
    if alpha_cutoff is not None:
        is_masked[body[alpha_cutoff[proper] > 0.0]] = True

    kind = np.full(count, "outward", dtype="U7")
    for name, holds in (  # the last that holds wins
        ("inward", volume < 0.0),
        ("flat", is_flat),
        ("doubled", is_doubled),
        ("mixed", ~is_consistent),
        ("open", ~is_closed),
        ("masked", is_masked),
    ):
        kind[holds] = name
    kind[_cavities(vertices, faces[proper], body, kind, bounds)] = "cavity"
    return Bodies(
        of_face=frozen(of_face),
        face_count=frozen(np.bincount(body, minlength=count)),
        duplicate_faces=frozen(np.bincount(body[duplicates], minlength=count)),
        is_closed=frozen(is_closed),
        is_consistent=frozen(is_consistent),
        volume=frozen(volume),
        area=frozen(area),
        bounds=frozen(bounds),
        kind=frozen(kind),
    )


def _positions(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Return (F, 3): the corners of the faces, with one number for equal positions."""
    keys = position_keys(vertices)
    in_order = np.sort(keys)
    if (in_order[1:] != in_order[:-1]).all():  # faster than to number them
        return faces
    _, position = np.unique(keys, return_inverse=True)
    return position.astype(np.int32)[faces]


def _coincident(
    corners: npt.NDArray[np.int32],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return faces at the positions of an earlier face, and faces that lie beside their reverse.

    Args:
        corners: (F, 3) positions.
    """
    # The order of the corners does not change the sum of their hashes.
    key = scrambled(np.arange(int(corners.max()) + 1, dtype=np.uint64))[corners].sum(axis=1)
    in_order = np.sort(key)
    repeated = in_order[1:][in_order[1:] == in_order[:-1]]
    if not len(repeated):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    candidates = np.flatnonzero(np.isin(key, repeated))
    a, b, c = corners[candidates].T
    is_odd = (a < b) ^ (b < c) ^ (c < a)  # equal for equal windings
    order = np.argsort(key[candidates], kind="stable")
    same = np.flatnonzero(np.diff(key[candidates][order]) == 0)
    earlier, later = order[same], order[same + 1]
    is_reversed = is_odd[earlier] != is_odd[later]
    return candidates[later], candidates[later[is_reversed]]


def _measures(
    vertices: npt.NDArray[np.float64],
    faces: npt.NDArray[np.int32],
    body: npt.NDArray[Any],
    count: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return bounds (B, 2, 3), area (B,) and signed volume (B,) of each body.

    The tetrahedra that are summed have their apex at a corner of the body. So rounding errors are
    small compared with the body, wherever it is.
    """
    low, high = np.full((3, count), np.inf), np.full((3, count), -np.inf)
    area, volume = np.zeros((2, count))
    by_axis = np.ascontiguousarray(vertices.T)
    last_face = np.empty(count, np.int64)
    last_face[body] = np.arange(len(faces))
    apex = by_axis[:, faces[last_face, 0]]
    for chunk, owner in zip(face_chunks(faces), face_chunks(body), strict=True):
        a, b, c = (by_axis.take(chunk[:, corner], axis=1) for corner in range(3))
        lowest, highest = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
        for axis in range(3):
            np.minimum.at(low[axis], owner, lowest[axis])
            np.maximum.at(high[axis], owner, highest[axis])
        (x1, y1, z1), (x2, y2, z2), (x, y, z) = b - a, c - a, a - apex.take(owner, axis=1)
        nx, ny, nz = y1 * z2 - z1 * y2, z1 * x2 - x1 * z2, x1 * y2 - y1 * x2
        np.add.at(area, owner, np.sqrt(nx * nx + ny * ny + nz * nz) / 2.0)
        np.add.at(volume, owner, (x * nx + y * ny + z * nz) / 6.0)
    return np.ascontiguousarray(np.stack((low, high)).transpose(2, 0, 1)), area, volume


def _cavities(
    vertices: npt.NDArray[np.float64],
    faces: npt.NDArray[np.int32],
    body: npt.NDArray[Any],
    kind: npt.NDArray[np.str_],
    bounds: npt.NDArray[np.float64],
) -> npt.NDArray[np.int64]:
    """Return the inward bodies that lie inside an outward one.

    The bounds must lie within those of the outward body. So must the centers of up to eight faces,
    spread over the body: centers, because bodies that touch each other do so in vertices more often
    than within faces.
    """
    is_outward = kind == "outward"
    inward = np.flatnonzero(kind == "inward")
    if not len(inward) or not is_outward.any():
        return np.zeros(0, np.int64)
    outer = np.flatnonzero(is_outward[body])
    outer_corners, outer_body = vertices[faces[outer]], body[outer]
    by_body = np.argsort(body, kind="stable")
    starts, sizes = np.searchsorted(body[by_body], inward), np.bincount(body)[inward]
    for samples in (1, _SAMPLES):  # most bodies that are not inside leave after the first point
        used = np.minimum(sizes, samples)
        owner = np.repeat(np.arange(len(inward)), used)
        rank = np.arange(len(owner)) - np.repeat(np.cumsum(used) - used, used)
        picked = by_body[starts[owner] + rank * sizes[owner] // used[owner]]
        point, around = enclosing_bodies(
            vertices[faces[picked]].mean(axis=1), outer_corners, outer_body
        )
        pairs, counts = np.unique(owner[point] * len(kind) + around, return_counts=True)
        inner, around = pairs // len(kind), pairs % len(kind)
        low, high = (bounds[inward[inner]] - bounds[around]).transpose(1, 0, 2)
        is_around = (counts == used[inner]) & (low >= 0.0).all(axis=1) & (high <= 0.0).all(axis=1)
        kept = np.unique(inner[is_around])
        inward, starts, sizes = inward[kept], starts[kept], sizes[kept]
    return inward
