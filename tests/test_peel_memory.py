"""What `peel` promises of memory: so many bytes a crossing, so many a pixel, and little besides."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from shapes import box, merged

import ddepth_gl as dd
from ddepth_gl.results.attributes import ATTRIBUTES

# Bytes of a crossing (depth, face, facing), of one more in a list, of a pixel, and of what does not grow.
PER_CROSSING, PER_LISTED, PER_PIXEL, BESIDES = 4 + 8 + 1, 8, 24, 8_000_000

SIZE = 512
POSE = np.eye(4)
POSE[2, 3] = 9.0
CAMERA = dd.Camera.orthographic(2.0, POSE, SIZE, SIZE)

# Five boxes, each larger than the image: all fronts come before all backs; in turns; all at one depth.
BODIES = 5
MESHES = {
    "nested": [box([-size] * 3, [size] * 3) for size in (2.0, 2.5, 3.0, 3.5, 4.0)],
    "in turns": [box((-2, -2, z), (2, 2, z + 0.5)) for z in range(-2, 3)],
    "coincident": [box([-3] * 3, [3] * 3)] * BODIES,
}
NAMES = [(), ("normal", "color", "barycentric")]


def painted(name: str) -> dd.Mesh:
    mesh = merged(*MESHES[name])
    colors = np.random.default_rng(0).integers(0, 256, (len(mesh.vertices), 4)).astype(np.uint8)
    return dd.Mesh(mesh.vertices, mesh.faces, colors=colors)


def peak(renderer, mesh, camera=CAMERA, **options) -> tuple[int, int]:
    """Bytes in use at once while an image is peeled, and its number of crossings."""
    scene = renderer.upload(mesh)
    renderer.peel(scene, camera, **options)  # makes what is kept: programs, tables of the mesh
    tracemalloc.start()
    try:
        crossings = len(renderer.peel(scene, camera, **options).depth)
        return tracemalloc.get_traced_memory()[1], crossings
    finally:
        tracemalloc.stop()
        scene.release()


def handed_over(crossings: int, names: tuple[str, ...]) -> int:
    return crossings * (PER_CROSSING + sum(ATTRIBUTES[name].bytes for name in names))


@pytest.mark.slow
@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("mesh", MESHES)
def test_all_layers(renderer, mesh, names):
    most, crossings = peak(renderer, painted(mesh), attributes=names)
    assert crossings == 2 * BODIES * SIZE**2
    assert most <= handed_over(crossings, names) + PER_PIXEL * SIZE**2 + BESIDES


@pytest.mark.slow
@pytest.mark.parametrize("names", NAMES)
@pytest.mark.parametrize("max_layers", [1, 4])
@pytest.mark.parametrize("mesh", MESHES)
def test_the_first_layers(renderer, mesh, max_layers, names):
    """Raster lists so many of each facing. Compute lists all, on the device and here, and is given bands."""
    listed = 2 * max_layers if renderer.info.engine == "raster" else BODIES
    limit = handed_over(max_layers * SIZE**2, names) + listed * SIZE**2 * PER_LISTED
    most, crossings = peak(
        renderer, painted(mesh), attributes=names, max_layers=max_layers, memory_limit=limit
    )
    assert crossings == max_layers * SIZE**2
    assert most <= limit + PER_PIXEL * SIZE**2 + BESIDES


@pytest.mark.parametrize("names", NAMES)
def test_without_a_limit_a_quarter_of_the_memory_is_allowed(renderer, monkeypatch, names):
    crossings = 2 * BODIES * SIZE**2
    listed = {"raster": 0, "compute": 2 * BODIES * SIZE}[renderer.info.engine]
    needed = handed_over(crossings, names) + listed * PER_LISTED
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
def test_without_a_limit_one_row_fits_whatever_the_memory_is(
    renderer, monkeypatch, memory, max_layers, names
):
    camera = dd.Camera.orthographic((2.0, 2.0 / SIZE), POSE, SIZE, 1)
    scene = renderer.upload(painted("in turns"))
    monkeypatch.setattr(renderer._context, "memory", memory)
    layers = renderer.peel(scene, camera, max_layers=max_layers, attributes=names)
    assert len(layers.depth) == SIZE * (max_layers or 2 * BODIES)
    scene.release()


@pytest.mark.parametrize("max_layers", [None, 1])
def test_pixels_without_crossings(renderer, max_layers):
    camera = dd.Camera.orthographic(400.0, POSE, 2048, 2048)
    most, crossings = peak(
        renderer, painted("nested"), camera, max_layers=max_layers, attributes=NAMES[1]
    )
    assert 0 < crossings < 20_000
    assert most <= PER_PIXEL * 2048**2 + BESIDES
