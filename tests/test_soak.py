"""Long runs: memory does not grow, no OpenGL object leaks, results stay correct to the last bit.

Tests marked `soak` run random cases until their share of ``--soak-minutes`` is used up. If a case
fails, the message names its seed, and `make soak SEED=...` starts with that case.
"""

from __future__ import annotations

import gc
import itertools
import os
import time

import numpy as np
import psutil
import pytest
from conftest import ENGINES, gl_census
from damage_cases import CASES_OF_DAMAGE
from shapes import (
    box,
    inside_out,
    merged,
    painted,
    random_camera,
    random_closed_mesh,
    rotation,
    scaled,
    sphere,
)
from test_damaged_files import load_damaged
from test_peel_oracle import compare as compare_layers
from test_sheets_oracle import compare as compare_sheets

import ddepth_gl as dd
from ddepth_gl.engines.compute.targets import SheetTargets

# Growth that is no leak: an allocator may keep a few arenas, but not some bytes for every image.
SLACK_MIB = 24.0


def mebibytes() -> float:
    gc.collect()
    return psutil.Process().memory_info().rss / 2**20


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_ten_thousand_images(engine, monkeypatch):
    mesh = sphere(rings=10, sides=20)
    cameras = dd.Camera.orbit(mesh, views=20, width=96, height=64)
    with dd.DepthRenderer(engine=engine) as renderer:
        scene = renderer.upload(mesh)
        first = [maps.entry for maps in renderer.entry_exit_many(scene, cameras)]
        renderer.entry_exit(scene, cameras[0], attributes=("face",))
        with (
            monkeypatch.context() as patch
        ):  # the programs of a second pass, which is seldom needed
            patch.setattr(SheetTargets, "are_faces_in_doubt", lambda _: True)
            for camera in cameras:
                renderer.entry_exit(scene, camera)
                renderer.entry_exit(scene, camera, attributes=("face",))
        with renderer._context:
            census = gl_census()
        before = mebibytes()
        for _ in range(250):
            for maps, expected in zip(renderer.entry_exit_many(scene, cameras), first, strict=True):
                assert np.array_equal(maps.entry, expected, equal_nan=True)
        for number in range(5000):
            renderer.entry_exit(
                scene, cameras[number % 20], attributes=("face",) if number % 2 else ()
            )
        # 10,000 leaked images of either kind would take 230 MiB or more.
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
    # The driver keeps some memory for every destroyed context; the images are small.
    assert growth < 2 * SLACK_MIB


# Random cases


@pytest.fixture
def soak(request, record_property):
    """A function that calls a case with one seed after another until the time is used up."""
    config = request.config
    tests = sum(item.get_closest_marker("soak") is not None for item in request.session.items)
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first, seconds = (
        config.option.soak_seed,
        60 * config.option.soak_minutes * min(1.0, processes / tests),
    )

    def run(case) -> None:
        end = time.monotonic() + seconds
        for seed in itertools.count(first):
            try:
                case(seed)
            except Exception as error:
                raise AssertionError(f"`make soak SEED={seed}` repeats it: {error}") from error
            if time.monotonic() > end:
                break
        record_property("soaked", f"{seed - first + 1} cases, seeds from {first}")

    return run


def random_scene(rng: np.random.Generator) -> tuple[dd.Mesh, dd.Camera, dict[str, float]]:
    """Return a mesh, closed, open or with a cavity, any kind of camera, and sometimes a crop."""
    mesh = random_closed_mesh(rng)
    kind = rng.integers(4)
    if kind == 0:
        mesh = dd.Mesh(
            mesh.vertices, mesh.faces[rng.random(len(mesh.faces)) < rng.uniform(0.3, 0.95)]
        )
    elif kind == 1:
        cavity = inside_out(scaled(mesh, 0.9 / np.abs(mesh.vertices).max()))
        mesh = merged(mesh, box(), cavity)
    elif kind == 2:
        scale = 10.0 ** rng.uniform(-4, 4)
        mesh = dd.Mesh(mesh.vertices * scale + rng.normal(size=3) * scale * 3, mesh.faces)
    camera_kind, size = rng.integers(4), int(rng.integers(24, 160))
    if camera_kind == 0:  # inside the bounds
        low, high = mesh.bounds
        pose = np.eye(4)
        pose[:3, :3] = rotation(rng)
        pose[:3, 3] = -pose[:3, :3] @ rng.uniform(low, high)
        K = [[50.0, 3.0, 61.5], [0.0, 55.0, 43.0], [0.0, 0.0, 1.0]]
        camera = dd.Camera.from_intrinsics(K, pose, 120, 90)
    else:
        orthographic, cutting = camera_kind > 1, camera_kind > 2
        camera = random_camera(rng, mesh, orthographic=orthographic, size=size, cutting=cutting)
    crop = {}
    if rng.random() < 0.3:
        _, depth = camera.project(mesh.vertices)
        if (depth > 0).sum() > 1:
            near, far = np.quantile(depth[depth > 0], [rng.uniform(0, 0.5), rng.uniform(0.5, 1)])
            crop = {"near": float(near), "far": float(far)} if near < far else {}
    return mesh, camera, crop


def bits(maps: dd.DepthMaps) -> list[bytes]:
    sheets = [maps.entry, maps.exit, *itertools.chain(*maps.attributes.values())]
    return [sheet.tobytes() for sheet in sheets]


@pytest.mark.soak
def test_random_scenes_against_the_oracle(renderer, soak):
    def case(seed):
        rng = np.random.default_rng([seed, 1])
        mesh, camera, crop = random_scene(rng)
        # Depths near 0 are wrong by up to the step of the grid on which vertices are stored.
        step = 2.0**-29 * np.linalg.norm(np.ptp(mesh.bounds, axis=0)) / 2
        for surfaces in ("oriented", "any"):
            compare_sheets(renderer, mesh, camera, surfaces, **crop, absolute=2 * step)
        compare_layers(renderer, mesh, camera, **crop)

    soak(case)


@pytest.mark.soak
@pytest.mark.parametrize("engine", ENGINES)
def test_calls_in_any_order(engine, soak):
    """Interleaved generators of two renderers, some abandoned, yield what single calls return."""
    memory_levels = []  # after every case
    with dd.DepthRenderer(engine) as one, dd.DepthRenderer(engine) as other:

        def case(seed):
            rng = np.random.default_rng([seed, 2])
            running = []
            for renderer in (one, other, one, other):
                mesh = painted(rng, random_closed_mesh(rng, bodies=2))
                scene = renderer.upload(mesh)
                count = int(rng.integers(1, 7))
                cameras = [
                    random_camera(rng, mesh, bool(rng.integers(2)), 64) for _ in range(count)
                ]
                options = {"surfaces": rng.choice(["oriented", "any"])}
                options["attributes"] = [(), ("face",), ("normal", "shaded_color")][rng.integers(3)]
                singly = [renderer.entry_exit(scene, camera, **options) for camera in cameras]
                many = renderer.entry_exit_many(scene, cameras, **options)
                running.append((renderer, scene, cameras[0], zip(many, singly, strict=True)))
            while running:
                which = int(rng.integers(len(running)))
                renderer, scene, camera, pairs = running[which]
                chance = rng.random()
                if chance < 0.05:
                    del running[which], pairs
                elif chance < 0.1:
                    renderer.peel(scene, camera, attributes=("color",))
                elif chance < 0.15:
                    renderer.shade(scene, camera, samples=2)
                elif chance < 0.2:
                    renderer.entry_exit(scene, camera, output="gpu")
                else:
                    pair = next(pairs, None)
                    if pair is None:
                        del running[which]
                    else:
                        assert bits(pair[0]) == bits(pair[1])
            memory_levels.append(mebibytes())

        soak(case)
    settled = memory_levels[len(memory_levels) // 3 :]
    assert settled[-1] - settled[0] < SLACK_MIB, f"from {settled[0]:.1f} to {settled[-1]:.1f} MiB"


@pytest.mark.soak
def test_damaged_mesh_files(soak, tmp_path):
    kinds = sorted(CASES_OF_DAMAGE)
    soak(lambda seed: load_damaged(tmp_path, kinds[seed % len(kinds)], seed))
