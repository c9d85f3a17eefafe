"""Memory of `peel`: bytes per crossing and per pixel, and little else."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from shapes import box, merged

import ddepth_gl as dd
from ddepth_gl.results.attributes import ATTRIBUTES

# Bytes per crossing (depth, face, facing), per listed key, per pixel, and in total besides.
PER_CROSSING, PER_KEY, PER_PIXEL, OTHER = 4 + 8 + 1, 8, 24, 8_000_000

SIZE = 512
POSE = np.eye(4)
POSE[2, 3] = 9.0
CAMERA = dd.Camera.orthographic(2.0, POSE, SIZE, SIZE)

# Five boxes, each larger than the image: all fronts before all backs; alternating; coincident.
BODIES = 5
MESHES = {
    "nested": [box([-size] * 3, [size] * 3) for size in (2.0, 2.5, 3.0, 3.5, 4.0)],
    "alternating": [box((-2, -2, z), (2, 2, z + 0.5)) for z in range(-2, 3)],
    "coincident": [box([-3] * 3, [3] * 3)] * BODIES,
}
NAMES = [(), ("normal", "color", "barycentric")]


def painted(name: str) -> dd.Mesh:
    mesh = merged(*MESHES[name])
    colors = np.random.default_rng(0).integers(0, 256, (len(mesh.vertices), 4)).astype(np.uint8)
    return dd.Mesh(mesh.vertices, mesh.faces, colors=colors)


def peak(renderer, mesh, camera=CAMERA, **options) -> tuple[int, int]:
    """Return the largest number of bytes in use while an image is peeled, and its crossings."""
    scene = renderer.upload(mesh)
    renderer.peel(scene, camera, **options)  # creates programs and mesh tables
    tracemalloc.start()
    try:
        crossings = len(renderer.peel(scene, camera, **options).depth)
        return tracemalloc.get_traced_memory()[1], crossings
    finally:
        tracemalloc.stop()
        scene.release()


def returned_bytes(crossings: int, names: tuple[str, ...]) -> int:
    return crossings * (PER_CROSSING + sum(ATTRIBUTES[name].bytes for name in names))


@pytest.mark.slow
@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("mesh", MESHES)
def test_all_layers(renderer, mesh, names):
    used, crossings = peak(renderer, painted(mesh), attributes=names)
    assert crossings == 2 * BODIES * SIZE**2
    assert used <= returned_bytes(crossings, names) + PER_PIXEL * SIZE**2 + OTHER


@pytest.mark.slow
@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("max_layers", [1, 4])
@pytest.mark.parametrize("mesh", MESHES)
def test_the_first_layers(renderer, mesh, max_layers, names):
    """Engine raster lists `max_layers` of each facing; compute lists all, in bands of rows."""
    listed = 2 * max_layers if renderer.info.engine == "raster" else BODIES
    limit = returned_bytes(max_layers * SIZE**2, names) + listed * SIZE**2 * PER_KEY
    used, crossings = peak(
        renderer, painted(mesh), attributes=names, max_layers=max_layers, memory_limit=limit
    )
    assert crossings == max_layers * SIZE**2
    assert used <= limit + PER_PIXEL * SIZE**2 + OTHER


@pytest.mark.slow
@pytest.mark.parametrize("names", NAMES)
def test_the_default_limit_is_a_quarter_of_the_memory(renderer, monkeypatch, names):
    crossings = 2 * BODIES * SIZE**2
    listed = {"raster": 0, "compute": 2 * BODIES * SIZE}[renderer.info.engine]
    needed = returned_bytes(crossings, names) + listed * PER_KEY
    scene = renderer.upload(painted("nested"))
    monkeypatch.setattr(renderer._context, "memory", 4 * needed)
    assert len(renderer.peel(scene, CAMERA, attributes=names).depth) == crossings
    monkeypatch.setattr(renderer._context, "memory", 4 * needed - 1)
    with pytest.raises(
        dd.DeviceMemoryError, match=rf"{needed:,} bytes, more than .* {needed - 1:,};"
    ):
        renderer.peel(scene, CAMERA, attributes=names)
    scene.release()


@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("max_layers", [None, 3])
@pytest.mark.parametrize("memory", [0, 1, 5000])
def test_by_default_one_row_always_fits(renderer, monkeypatch, memory, max_layers, names):
    camera = dd.Camera.orthographic((2.0, 2.0 / SIZE), POSE, SIZE, 1)
    scene = renderer.upload(painted("alternating"))
    monkeypatch.setattr(renderer._context, "memory", memory)
    layers = renderer.peel(scene, camera, max_layers=max_layers, attributes=names)
    assert len(layers.depth) == SIZE * (max_layers or 2 * BODIES)
    scene.release()


@pytest.mark.parametrize("max_layers", [None, 1])
def test_pixels_without_crossings(renderer, max_layers):
    camera = dd.Camera.orthographic(400.0, POSE, 2048, 2048)
    used, crossings = peak(
        renderer, painted("nested"), camera, max_layers=max_layers, attributes=NAMES[1]
    )
    assert 0 < crossings < 20_000
    assert used <= PER_PIXEL * 2048**2 + OTHER
