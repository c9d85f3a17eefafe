"""Closed forms of solids, and the depths they allow a renderer to return.

A *form* maps rays, as origins and unit directions (H, W, 3), to the distances at which they enter
and leave a solid: two arrays (crossings, H, W), NaN for a miss. Crossings behind the origin are
included.

A mesh of a curved body is bracketed by two forms: it contains a slightly smaller body of the same
kind and lies within a slightly larger one. A ray enters the mesh between its entries into these
two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from shapes import pixel_rays

import ddepth_gl as dd

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Form = Callable[[Floats, Floats], tuple[Floats, Floats]]
Record = Callable[[str, object], None]
Plane = tuple[Floats, float]  # unit normal and offset: normal . point = offset

# Relative error of a depth, by rounding. Planes are set up in double precision. That leaves the
# plane's value as a float (0.5 ulp) and one float division (GLSL allows 2.5 ulp); changing the unit
# multiplies by a power of two. An ulp is at most 2**-23. The contract, 2e-6, is five times wider.
ROUNDING = 3 * 2.0**-23

# Pixels by which the rasterizer may move a corner: its grid of 1/256 pixel, and float32 before it.
MARGIN = 1 / 128

# Where a pixel is sampled, in pixels from its center, if corners move by the margin.
SAMPLES = ((0, 0), (-MARGIN, -MARGIN), (-MARGIN, MARGIN), (MARGIN, -MARGIN), (MARGIN, MARGIN))


def sphere_form(radius: float, center: npt.ArrayLike = (0.0, 0.0, 0.0)) -> Form:
    """Return the form of a ball."""

    def form(origins: Floats, directions: Floats) -> tuple[Floats, Floats]:
        offset = origins - np.asarray(center)
        nearest = -(offset * directions).sum(-1)
        # The vector from the center to the nearest point. A difference of squares would cancel if
        # the camera is distant.
        away = offset + nearest[..., None] * directions
        with np.errstate(invalid="ignore"):
            half = np.sqrt(radius**2 - (away**2).sum(-1))
        return (nearest - half)[None], (nearest + half)[None]

    return form


def torus_form(
    major: float,
    minor: float,
    center: npt.ArrayLike = (0.0, 0.0, 0.0),
    turn: Floats | None = None,
) -> Form:
    """Return the form of a torus around the z axis, rotated by `turn`, then moved to `center`.

    Its crossings are the roots of a quartic.
    """
    rotation = np.eye(3) if turn is None else turn

    def form(origins: Floats, directions: Floats) -> tuple[Floats, Floats]:
        shape = directions.shape[:2]
        offset, d = (origins - np.asarray(center)) @ rotation, directions @ rotation
        nearest = -(offset * d).sum(-1)
        o = offset + nearest[..., None] * d
        # With p = o + s d and o perpendicular to d: (p.p + R^2 - r^2)^2 = 4 R^2 (px^2 + py^2).
        k = (o**2).sum(-1) + major**2 - minor**2
        a, b, c = ((x[..., :2] * y[..., :2]).sum(-1) for x, y in ((d, d), (o, d), (o, o)))
        companion = np.zeros((*shape, 4, 4))
        companion[..., 1:, :3] = np.eye(3)
        companion[..., 0, 3] = 4 * major**2 * c - k**2
        companion[..., 1, 3] = 8 * major**2 * b
        companion[..., 2, 3] = 4 * major**2 * a - 2 * k
        roots = np.full((*shape, 4), np.nan)
        may_hit = (o**2).sum(-1) < (major + minor) ** 2
        found = np.linalg.eigvals(companion[may_hit])
        # Real roots have an imaginary part of exactly 0 and come in pairs.
        roots[may_hit] = np.sort(np.where(found.imag == 0, found.real, np.nan), -1)
        distance = np.moveaxis(roots + nearest[..., None], -1, 0)
        return distance[::2], distance[1::2]

    return form


def torus_spread(major: float, minor: float, steps: int, sides: int) -> float:
    """Return the largest distance between the faces of `torus` and the true torus, on either side.

    Linear interpolation over a right triangle with legs h and k errs by at most
    (h^2 |f_hh| + 2 h k |f_hk| + k^2 |f_kk|) / 8. The second derivatives of the torus are at most
    major + minor, minor and minor.
    """
    h, k = 2 * np.pi / steps, 2 * np.pi / sides
    return (h**2 * (major + minor) + 2 * h * k * minor + k**2 * minor) / 8


def box_planes(
    low: npt.ArrayLike,
    high: npt.ArrayLike,
    origins: Floats,
    directions: Floats,
    turn: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Return the distances to the near and far plane of each pair of a box's sides.

    Each is (H, W, 3). The box is rotated by `turn`.
    """
    rotation = np.eye(3) if turn is None else turn
    o, d = origins @ rotation, directions @ rotation
    with np.errstate(divide="ignore"):
        first, second = (np.asarray(low) - o) / d, (np.asarray(high) - o) / d
    return np.minimum(first, second), np.maximum(first, second)


def box_form(
    low: npt.ArrayLike = (-1.0, -1.0, -1.0),
    high: npt.ArrayLike = (1.0, 1.0, 1.0),
    turn: Floats | None = None,
) -> Form:
    """Return the form of an axis-aligned box rotated by `turn`."""

    def form(origins: Floats, directions: Floats) -> tuple[Floats, Floats]:
        near, far = box_planes(low, high, origins, directions, turn)
        enter, leave = near.max(-1), far.min(-1)
        hit = enter <= leave
        return np.where(hit, enter, np.nan)[None], np.where(hit, leave, np.nan)[None]

    return form


def cavity(form: Form) -> Form:
    """Return the form of a hole: a ray that enters the hole leaves the solid."""

    def swapped(origins: Floats, directions: Floats) -> tuple[Floats, Floats]:
        enter, leave = form(origins, directions)
        return leave, enter

    return swapped


class Range(NamedTuple):
    """The depths allowed on a sheet, each (H, W).

    Attributes:
        low, high: least and greatest depth; NaN if no guess and no sample has the crossing.
        always: all guesses and samples have the crossing.
        never: None of them has it.
    """

    low: Floats
    high: Floats
    always: Booleans
    never: Booleans


def first_and_last(
    forms: Sequence[Form], origins: Floats, directions: Floats
) -> tuple[Floats, Floats]:
    """Return distances (H, W) of first entry and last exit of several bodies, NaN for a miss."""
    crossings = [form(origins, directions) for form in forms]
    first, last = (np.concatenate([c[side] for c in crossings]) for side in (0, 1))
    first[~(first > 0)] = np.nan
    last[~(last > 0)] = np.nan
    return np.fmin.reduce(first), np.fmax.reduce(last)


def bracket(camera: dd.Camera, *guesses: Sequence[Form]) -> dict[str, Range]:
    """Return the range of depths on each sheet within MARGIN of the pixel centers.

    Args:
        camera: the camera.
        *guesses: lists of forms; each list describes the same scene.

    Returns:
        The ranges of "entry" and "exit", over all guesses.
    """
    found: dict[str, list[Floats]] = {"entry": [], "exit": []}
    for du, dv in SAMPLES:
        origins, directions, depth_per_distance = pixel_rays(camera, du, dv)
        for forms in guesses:
            first, last = first_and_last(forms, origins, directions)
            found["entry"].append(first * depth_per_distance)
            found["exit"].append(last * depth_per_distance)
    ranges = {}
    for name, values in found.items():
        stack = np.array(values)
        exists = ~np.isnan(stack)
        ranges[name] = Range(
            np.fmin.reduce(stack),
            np.fmax.reduce(stack),
            np.asarray(exists.all(0)),
            np.asarray(~exists.any(0)),
        )
    return ranges


def extended_by_planes(
    ranges: dict[str, Range], camera: dd.Camera, planes: Sequence[Plane]
) -> dict[str, Range]:
    """Return the ranges, extended to planes that continue past their faces by the margin.

    A pixel center within the margin of a face may get that face's depth, though its ray meets
    another plane first. Only a plane whose depths overlap a range can be the answer.
    """
    values = []
    for du, dv in SAMPLES:
        origins, directions, depth_per_distance = pixel_rays(camera, du, dv)
        with np.errstate(divide="ignore", invalid="ignore"):
            values.append(
                [
                    (offset - origins @ n) / (directions @ n) * depth_per_distance
                    for n, offset in planes
                ]
            )
    least, most = np.fmin.reduce(values), np.fmax.reduce(values)
    extended = {}
    for name, (low, high, always, never) in ranges.items():
        overlaps = (least <= high) & (most >= low)
        extended[name] = Range(
            np.fmin(low, np.where(overlaps, least, np.inf).min(0)),
            np.fmax(high, np.where(overlaps, most, -np.inf).max(0)),
            always,
            never,
        )
    return extended


def planes_of_quads(mesh: dd.Mesh) -> list[Plane]:
    """Return the plane of every second face, as of a box's sides, which are pairs of faces."""
    normals = mesh.face_normals()
    planes = [
        (n, float(n @ mesh.vertices[face[0]])) for n, face in zip(normals, mesh.faces, strict=True)
    ]
    return planes[::2]


def plane_overrun(camera: dd.Camera, mesh: dd.Mesh, bend: float) -> float:
    """Return how far the faces' planes leave a curved body, a margin past the faces.

    At its corners a face is inclined to the body by at most `bend` radians. So its plane leaves the
    body by at most `bend` times the margin at the farthest depth.
    """
    _, depth = camera.project(mesh.vertices)
    pixel = (1 if camera.is_orthographic else depth.max()) / min(camera.K[0, 0], camera.K[1, 1])
    return float(bend * MARGIN * pixel)


def longest_edge(mesh: dd.Mesh) -> float:
    """Return the length of the longest edge: no two points of a face are farther apart."""
    corners = mesh.vertices[mesh.faces]
    return float(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1).max())


def assert_within(
    maps: dd.DepthMaps,
    ranges: dict[str, Range],
    face_size: float,
    record_property: Record | None = None,
    covered: float = 0.02,
) -> None:
    """Assert that both sheets exist where they must and only where they may, and are in range.

    At the rim a ray may hit or miss the mesh. Its crossings there lie between the larger body's
    first entry and last exit. The pixel center may also be outside the face by the margin. Then
    only the face's own depths, which differ by at most `face_size`, limit how far its plane
    extends.

    Args:
        maps: the rendered maps.
        ranges: the ranges of "entry" and "exit".
        face_size: longest edge of the mesh.
        record_property: where to record the largest excess and the median range.
        covered: least fraction of the pixels that must have each sheet.
    """
    widths, excess = [0.0], 0.0
    start, end = ranges["entry"].low, ranges["exit"].high
    for name in ("entry", "exit"):
        got = getattr(maps, name)
        low, high, always, never = ranges[name]
        assert got.dtype == np.float32
        assert not np.isinf(got).any()
        assert not np.isnan(got[always]).any(), f"{name}: {np.isnan(got[always]).sum()} holes"
        assert np.isnan(got[never]).all(), (
            f"{name}: {(~np.isnan(got[never])).sum()} pixels beside the body"
        )
        assert always.mean() >= covered
        least = np.where(always, low, np.fmin(low, start) - face_size)
        most = np.where(always, high, np.fmax(high, end) + face_size)
        hit = ~np.isnan(got)
        value = got[hit].astype(np.float64)
        beyond = np.maximum(least[hit] - value, value - most[hit]) / value
        excess = max(excess, beyond.max(initial=-np.inf))
        assert (beyond <= ROUNDING).all(), (
            f"{name}: out of range by {beyond.max():.3g} relatively "
            f"at {np.argwhere(hit)[beyond.argmax()]}"
        )
        widths.extend((high - low)[always])
    if record_property:
        record_property("largest_excess", excess)
        record_property("median_range", float(np.median(widths)))
