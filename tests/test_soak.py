"""Long runs: no growth of memory, no object left on the GPU, the same bits to the end."""

from __future__ import annotations

import gc

import numpy as np
import psutil
import pytest
from conftest import ENGINES, gl_census
from shapes import box, sphere

import ddepth_gl as dd

# What an allocator may keep without anything leaking: a few arenas, not a few bytes an image.
SLACK_MIB = 24.0


def mebibytes() -> float:
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_ten_thousand_images(engine):
    mesh = sphere(rings=10, sides=20)
    cameras = dd.Camera.orbit(mesh, views=20, width=96, height=64)
    with dd.DepthRenderer(engine=engine) as renderer:
        scene = renderer.upload(mesh)
        first = [maps.entry for maps in renderer.entry_exit_many(scene, cameras)]
        renderer.entry_exit(scene, cameras[0], attributes=("face",))
        with renderer._context:
            census = gl_census()
        before = mebibytes()
        for _ in range(250):
            for maps, expected in zip(renderer.entry_exit_many(scene, cameras), first, strict=True):
                assert np.array_equal(maps.entry, expected, equal_nan=True)
        for number in range(5000):
            renderer.entry_exit(scene, cameras[number % 20], attributes=("face",) if number % 2 else ())
        # 10,000 leaked images of any of these kinds would be 230 MiB or more.
        assert mebibytes() - before < SLACK_MIB
        renderer.entry_exit(scene, cameras[0], attributes=("face",))
        with renderer._context:
            assert gl_census() == census


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_hundred_scenes(engine):
    mesh = sphere(rings=100, sides=200)
    camera = dd.Camera.orbit(mesh, views=1, width=64, height=64)[0]
    with dd.DepthRenderer(engine=engine) as renderer:
        renderer.entry_exit(renderer.upload(box()), camera)
        for number in range(110):
            if number == 10:
                before = mebibytes()
                with renderer._context:
                    census = gl_census()
            scene = renderer.upload(mesh)
            renderer.entry_exit(scene, camera)
            if number % 2:
                scene.release()
            del scene
        gc.collect()
        with renderer._context:
            assert gl_census() == census
        # A scene of this mesh takes 2.5 MiB.
        assert mebibytes() - before < SLACK_MIB


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_hundred_renderers(engine):
    mesh = box()
    camera = dd.Camera.orbit(mesh, views=1, width=64, height=64)[0]
    for number in range(120):
        if number == 20:
            before = mebibytes()
        with dd.DepthRenderer(engine=engine) as renderer:
            renderer.entry_exit(renderer.upload(mesh), camera)
    growth = mebibytes() - before
    # The driver itself keeps something for every context it destroys; the contexts' own images are small.
    assert growth < 2 * SLACK_MIB
