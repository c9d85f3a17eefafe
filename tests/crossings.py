"""DepthLayers for tests: written by hand, random, and peeled from a real mesh."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from shapes import box, merged, painted, peel, torus

import ddepth_gl as dd
from ddepth_gl.results.mesh_facts import StoredFacts

ATTRIBUTES = (
    "normal",
    "smooth_normal",
    "barycentric",
    "uv",
    "color",
    "shaded_color",
    "object_id",
    "position",
)


def camera_of(width: int, height: int, orthographic: bool = False) -> dd.Camera:
    """Return a camera none of whose axes is parallel to a world axis."""
    view = dd.Camera.look_at((3, -2, 1.5), (0.1, 0, 0), fov_y_deg=50, width=width, height=height)
    if not orthographic:
        return view
    return dd.Camera.orthographic((2.5, 2.0), view.camera_from_world, width, height)


def by_hand(rows: Sequence[Sequence[str]], oriented: bool = False, **fields: Any) -> dd.DepthLayers:
    """Return layers with the given crossings.

    Args:
        rows: a text per pixel, like "F1 B2": front and back crossings with their depths.
        oriented: whether the mesh counts as closed and wound outward.
        **fields: other arguments of DepthLayers.
    """
    pixels = [pixel.split() for row in rows for pixel in row]
    words = [word for pixel in pixels for word in pixel]
    shape = (len(rows), len(rows[0]))
    return dd.DepthLayers(
        offsets=np.cumsum([0, *map(len, pixels)]),
        depth=np.array([float(word[1:]) for word in words], np.float32),
        face=np.arange(len(words)),
        front_facing=np.array([word[0] == "F" for word in words], bool),
        truncated=fields.pop("truncated", np.zeros(shape, bool)),
        camera=dd.Camera.orthographic(2.0, np.eye(4), shape[1], shape[0]),
        **{"_facts": StoredFacts(is_oriented=oriented), **fields},
    )


def layers_of(
    count: npt.ArrayLike,
    rng: np.random.Generator,
    attributes: tuple[str, ...] = ATTRIBUTES,
    orthographic: bool = False,
) -> dd.DepthLayers:
    """Return random layers with `count` (H, W) crossings per pixel, at depths from 1 to 9."""
    count = np.asarray(count)
    total = int(count.sum())
    offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
    pixel = np.repeat(np.arange(count.size), count.ravel())
    depth = rng.uniform(1, 9, total).astype(np.float32)
    depth = depth[np.lexsort((depth, pixel))]
    units = [
        (unit := rng.normal(size=(total, 3))) / np.linalg.norm(unit, axis=1)[:, None]
        for _ in range(2)
    ]
    values = {
        "normal": units[0].astype(np.float32),
        "smooth_normal": units[1].astype(np.float32),
        "barycentric": rng.dirichlet((1, 1, 1), total).astype(np.float32),
        "uv": rng.uniform(-2, 2, (total, 2)).astype(np.float32),
        "color": rng.uniform(0, 1, (total, 4)).astype(np.float32),
        "shaded_color": rng.uniform(0, 1, (total, 4)).astype(np.float32),
        "object_id": rng.integers(0, 9, total).astype(np.int32),
        "position": rng.normal(size=(total, 3)).astype(np.float32),
    }
    return dd.DepthLayers(
        offsets=offsets,
        depth=depth,
        face=rng.integers(0, 2**31, total),  # beyond the integers that float32 represents
        front_facing=rng.random(total) < 0.5,
        truncated=rng.random(count.shape) < 0.2,
        camera=camera_of(count.shape[1], count.shape[0], orthographic),
        attributes={name: values[name] for name in attributes},
    )


def random_layers(
    seed: int, orthographic: bool = False, attributes: tuple[str, ...] = ATTRIBUTES
) -> dd.DepthLayers:
    """Return random layers of 5 x 7 pixels with 0 to 5 crossings each."""
    rng = np.random.default_rng(seed)
    return layers_of(rng.integers(0, 6, (5, 7)), rng, attributes, orthographic)


def crossings_of(layers: dd.DepthLayers) -> Iterator[tuple[int, int, int, int]]:
    """Yield row, column, layer (from 0) and index of each crossing."""
    width = layers.camera.width
    for pixel in range(len(layers.offsets) - 1):
        for layer, crossing in enumerate(range(layers.offsets[pixel], layers.offsets[pixel + 1])):
            yield pixel // width, pixel % width, layer, crossing


def real_mesh() -> dd.Mesh:
    """Return a painted torus that passes through a box, with a smaller box inside that box."""
    boxes = box((0.4, -0.5, -0.5), (1.6, 0.5, 0.5)), box((1, -0.1, -0.1), (1.2, 0.1, 0.1))
    return painted(np.random.default_rng(53), merged(torus(steps=40, sides=20), *boxes))


def real_layers(
    renderer: dd.DepthRenderer, attributes: tuple[str, ...] = ATTRIBUTES, **arguments: Any
) -> dd.DepthLayers:
    """Return `real_mesh` peeled from outside; each of the attributes has several values."""
    layers = peel(renderer, real_mesh(), camera_of(40, 30), attributes=attributes, **arguments)
    assert all(len(np.unique(layers.attributes[name], axis=0)) > 5 for name in attributes)
    return layers
