"""Meshes for the training examples: objects of eight kinds with random sizes and colors.

All are closed, wound outward and inside the unit sphere. Many have thin walls or parts that stand
one behind the other, so that a ray crosses them more than twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

import ddepth_gl as dd

Array = npt.NDArray[np.float64]
Part = tuple[Array, Array]  # vertices (V, 3), faces (F, 3)


def make_mesh(seed: int) -> dd.Mesh:
    """Return the object of a seed; the seed also decides its kind, in turn."""
    random = np.random.default_rng(seed)
    kinds: Sequence[Callable[[np.random.Generator], list[Part]]] = (
        table, bowl, ring, chair, vase, shelf, dumbbell, lamp,
    )  # fmt: skip
    parts = kinds[seed % len(kinds)](random)
    vertices, faces, colors, count = [], [], [], 0
    for part_vertices, part_faces in parts:
        vertices.append(part_vertices)
        faces.append(part_faces + count)
        color = random.uniform(0.25, 1.0, 3)
        colors.append(np.tile(color, (len(part_vertices), 1)))
        count += len(part_vertices)
    points = np.concatenate(vertices)
    points -= (points.min(0) + points.max(0)) / 2
    points /= np.linalg.norm(points, axis=1).max()
    return dd.Mesh(points, np.concatenate(faces), colors=np.concatenate(colors))


def table(random: np.random.Generator) -> list[Part]:
    """Return a thin top on four legs, or on three shelves' worth of them."""
    width, depth, height = random.uniform((0.6, 0.4, 0.5), (1.0, 0.8, 0.9))
    thick, leg = random.uniform(0.005, 0.05), random.uniform(0.03, 0.08)
    legs = [
        box((x * (width - leg), y * (depth - leg), 0), (leg, leg, height))
        for x in (-1, 1)
        for y in (-1, 1)
    ]
    return [box((0, 0, height + thick), (width, depth, thick)), *legs]


def chair(random: np.random.Generator) -> list[Part]:
    """Return a table with a back."""
    parts = table(random)
    low, high = parts[0][0].min(0), parts[0][0].max(0)
    thick, back = random.uniform(0.02, 0.05), random.uniform(0.4, 0.9)
    middle = ((low[0] + high[0]) / 2, low[1] + thick, high[2] + back)
    return [*parts, box(middle, ((high[0] - low[0]) / 2, thick, back))]


def shelf(random: np.random.Generator) -> list[Part]:
    """Return boards between two sides."""
    width, depth, height = random.uniform((0.4, 0.15, 0.6), (0.8, 0.35, 1.0))
    thick = random.uniform(0.015, 0.04)
    levels = np.linspace(-height, height, random.integers(3, 6))
    boards = [box((0, 0, level), (width, depth, thick)) for level in levels]
    sides = [box((x * (width + thick), 0, 0), (thick, depth, height + thick)) for x in (-1, 1)]
    return [*boards, *sides]


def bowl(random: np.random.Generator) -> list[Part]:
    """Return a thin shell, open above."""
    wall, height = random.uniform(0.006, 0.04), random.uniform(0.4, 1.1)
    angle = np.linspace(0, math.pi / 2, 14)
    outer = np.stack([np.sin(angle), -height * np.cos(angle)], -1)
    inner = np.stack([(1 - wall) * np.sin(angle), -(height - wall) * np.cos(angle)], -1)
    return [lathe(np.concatenate([outer, inner[::-1]]))]


def vase(random: np.random.Generator) -> list[Part]:
    """Return a thin shell with a belly and a neck."""
    wall = random.uniform(0.006, 0.04)
    height = np.linspace(-1, 1, 24)
    radius = 0.45 + 0.25 * np.sin(random.uniform(1.5, 4.5) * height + random.uniform(0, 6))
    outer = np.stack([radius, height], -1)
    inner = np.stack([radius - wall, np.maximum(height, -1 + wall)], -1)
    return [lathe(np.concatenate([[[0, -1]], outer, inner[::-1], [[0, -1 + wall]]]))]


def lamp(random: np.random.Generator) -> list[Part]:
    """Return a thin cone on a rod."""
    wall, top, bottom = random.uniform((0.006, 0.15, 0.4), (0.03, 0.35, 0.7))
    low, rod = random.uniform(0.1, 0.4), random.uniform(0.03, 0.07)
    shade = [[bottom, low], [top, 1], [top - wall, 1], [bottom - wall, low]]
    base = random.uniform(0.25, 0.45)
    stand = [[0, -1], [base, -1], [base, -0.9], [rod, -0.85], [rod, 0.9], [0, 0.9]]
    return [lathe(np.array([*shade, shade[0]])), lathe(np.array(stand))]


def ring(random: np.random.Generator) -> list[Part]:
    """Return two rings, one through the other."""
    parts = []
    for axis in range(2):
        thick, radius = random.uniform(0.08, 0.25), random.uniform(0.55, 0.8)
        angle = np.linspace(0, 2 * math.pi, 17)
        profile = np.stack([radius + thick * np.cos(angle), thick * np.sin(angle)], -1)
        vertices, faces = lathe(profile)
        if axis:
            vertices = vertices[:, [1, 2, 0]] + (radius, 0, 0)
        parts.append((vertices, faces))
    return parts


def dumbbell(random: np.random.Generator) -> list[Part]:
    """Return balls on a rod."""
    angle = np.linspace(0, math.pi, 13)
    parts = []
    for level in np.linspace(-1, 1, random.integers(2, 4)):
        radius = random.uniform(0.2, 0.5)
        parts.append(lathe(radius * np.stack([np.sin(angle), -np.cos(angle)], -1) + (0, level)))
    rod = random.uniform(0.05, 0.12)
    return [*parts, lathe(np.array([[0, -1], [rod, -1], [rod, 1], [0, 1]]))]


def box(middle: npt.ArrayLike, half: npt.ArrayLike) -> Part:
    """Return a box of the given half sizes."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    faces = [
        [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
        [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
    ]  # fmt: skip
    return corners * np.asarray(half, float) + np.asarray(middle, float), np.array(faces)


def lathe(profile: Array, sides: int = 32) -> Part:
    """Return a profile of (radius, height) turned around z, counter-clockwise in (radius, z)."""
    angle = 2 * math.pi * np.arange(sides) / sides
    radius, height = profile.T
    vertices = np.stack(
        [np.outer(np.cos(angle), radius), np.outer(np.sin(angle), radius),
         np.tile(height, (sides, 1))], -1,
    )  # fmt: skip
    rows = len(profile)
    row, side = np.meshgrid(np.arange(rows - 1), np.arange(sides))
    following = (side + 1) % sides
    a, b = side * rows + row, following * rows + row
    faces = np.concatenate([np.stack([a, b, b + 1], -1), np.stack([a, b + 1, a + 1], -1)])
    vertices, faces = vertices.reshape(-1, 3), faces.reshape(-1, 3)
    # Corners at one point become one: rings of radius 0, and the ends of a closed profile.
    _, first, same = np.unique(vertices.round(12), axis=0, return_index=True, return_inverse=True)
    faces = first[same.ravel()][faces]
    distinct = (faces != np.roll(faces, 1, axis=1)).all(1)
    return vertices, faces[distinct]
