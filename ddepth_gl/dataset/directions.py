"""Directions from a mesh to its cameras: lattices on the sphere, turntables, random ones.

All are unit vectors in the frame x, y, up of `axes_of_up`, as lists of three floats: z is the sine
of the elevation. They are computed by `draws`, so they are the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from ..camera.placement import GOLDEN_ANGLE
from ..errors import DatasetError
from .draws import cos_deg, draw, sin_deg, within

__all__ = [
    "Direction",
    "Elevations",
    "fibonacci_directions",
    "hammersley_directions",
    "orbit_directions",
    "random_direction",
    "turntable_directions",
]

Direction = tuple[float, float, float]
Elevations = tuple[float, float]  # lowest and highest, degrees

_GOLDEN_DEG = math.degrees(GOLDEN_ANGLE)
_MAX_TRIES = 10_000


def orbit_directions(count: int, start_deg: float, elevations: Elevations) -> list[Direction]:
    """Return the directions of `Camera.orbit`: a Fibonacci lattice, from the top down.

    Args:
        count: number of directions.
        start_deg: azimuth of the first one, degrees.
        elevations: the band of the sphere that the lattice covers; all of it is (-90, 90).
    """
    return _lattice(count, elevations, 0.67, lambda view: start_deg + view * _GOLDEN_DEG)


def fibonacci_directions(count: int, start_deg: float, elevations: Elevations) -> list[Direction]:
    """Return a Fibonacci lattice (Swinbank and Purser, "Fibonacci grids", 2006), from the top down.

    Direction i of n has the sine of its elevation in the middle of the i-th of n equal intervals,
    so that each stands for the same area, and an azimuth of i golden angles.

    Args:
        count, start_deg, elevations: see `orbit_directions`.
    """
    return _lattice(count, elevations, 0.5, lambda view: start_deg + view * _GOLDEN_DEG)


def hammersley_directions(
    count: int, offsets: tuple[float, float], elevations: Elevations, upper_share: float | None
) -> list[Direction]:
    """Return the Hammersley set on the sphere (Wong, Luk and Heng, 1997), from the bottom up.

    Point i of n is u = (i + offset) / n and v = radical inverse of i in base 2, plus an offset. The
    sine of the elevation is 2 u - 1, the azimuth v turns.

    Args:
        count: number of directions.
        offsets: of u, in steps of 1 / n, and of v, in turns; each in [0, 1).
        elevations: see `orbit_directions`.
        upper_share: share of the directions that look down from above the horizon; None for an even
            density. As in TRELLIS, u is then stretched in two linear pieces that meet at the
            horizon.
    """
    low, high = sin_deg(elevations[0]), sin_deg(elevations[1])
    directions = []
    for view in range(count):
        u = (view + offsets[0]) / count
        if upper_share is not None:
            lower = 1.0 - upper_share
            u = 0.5 * u / lower if u < lower else 0.5 + 0.5 * (u - lower) / upper_share
        turns = int(f"{view:b}"[::-1], 2) / (1 << view.bit_length()) + offsets[1]
        directions.append(_direction(within(low, high, u), 360.0 * turns))
    return directions


def turntable_directions(count: int, start_deg: float, elevations: Elevations) -> list[Direction]:
    """Return a circle: equal steps of azimuth, counter-clockwise seen from above.

    Args:
        count: number of directions.
        start_deg: azimuth of the first one, degrees.
        elevations: of the first and of the last direction; between them it changes evenly.
    """
    low, high = elevations
    return [
        _direction(
            sin_deg(within(low, high, view / max(count - 1, 1))),
            start_deg + 360.0 * view / count,
        )
        for view in range(count)
    ]


def random_direction(
    seed: int,
    id: str,
    view: int,
    elevations: Elevations,
    density: Literal["sphere", "cube"] = "sphere",
) -> Direction:
    """Return a random direction.

    Args:
        seed, id: see `draw`.
        view: number of the view.
        elevations: lowest and highest elevation in degrees; others are left out.
        density: "sphere": the same everywhere on the sphere (Archimedes: the sine of the elevation
            is uniform). "cube": that of points in a cube, divided by their distance from its
            center, as in the rendering scripts of Zero123 and Objaverse-XL; denser toward the
            corners, by up to 3 ** 1.5.

    Raises:
        DatasetError: with "cube", hardly any direction has such an elevation.
    """
    low, high = sin_deg(elevations[0]), sin_deg(elevations[1])
    if density == "sphere":
        z = within(low, high, draw(seed, id, view, "elevation"))
        return _direction(z, 360.0 * draw(seed, id, view, "azimuth"))
    for attempt in range(_MAX_TRIES):
        x, y, z = (2.0 * draw(seed, id, view, axis, attempt) - 1.0 for axis in "xyz")
        length = math.sqrt(x * x + y * y + z * z)
        if length > 0.0 and low <= z / length <= high:
            return x / length, y / length, z / length
    raise DatasetError(
        f"directions of a cube hardly ever have an elevation from {elevations[0]:g} to "
        f"{elevations[1]:g} degrees; give a wider elevation_deg, or density: sphere"
    )


def _lattice(
    count: int, elevations: Elevations, offset: float, azimuth_deg: Callable[[int], float]
) -> list[Direction]:
    low, high = sin_deg(elevations[0]), sin_deg(elevations[1])
    return [
        _direction(within(low, high, (count - 1 - view + offset) / count), azimuth_deg(view))
        for view in range(count)
    ]


def _direction(z: float, azimuth_deg: float) -> Direction:
    ring = math.sqrt(max(0.0, 1.0 - z * z))
    return ring * cos_deg(azimuth_deg), ring * sin_deg(azimuth_deg), z
