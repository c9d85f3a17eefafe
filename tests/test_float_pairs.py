"""Shaders with pairs of floats: their arithmetic, against exact fractions, and when it is used."""

from __future__ import annotations

import shutil
from fractions import Fraction

import glslang
import numpy as np
import pytest
from conftest import ENGINES
from shapes import box, merged, random_camera, random_closed_mesh, torus

import ddepth_gl as dd
from ddepth_gl.engines.shared.float_pairs import as_pairs
from ddepth_gl.gl import shaders

VARIABLE = "DDEPTH_FLOAT_PAIRS"

# Reads vectors a and b and a point (u, v), all as pairs; writes results as (high, low).
ARITHMETIC = """#version 430 core
#include "wide.glsl"
layout(local_size_x = 64) in;
layout(std430, binding = 0) readonly buffer Given { dvec3 numbers[]; };
layout(std430, binding = 1) writeonly buffer Results { vec2 results[]; };

void put(uint index, Wide3 value) {
    results[index] = x_of(value);
    results[index + 1u] = y_of(value);
    results[index + 2u] = z_of(value);
}

void main() {
    uint i = gl_GlobalInvocationID.x;
    Wide3 a = given(numbers[2u * i]), b = given(numbers[2u * i + 1u]);
    vec2 uv = narrowed(b).xy;
    uint k = 20u * i;
    put(k, plus(a, b));
    put(k + 3u, minus(a, b));
    put(k + 6u, cross_of(a, b));
    put(k + 9u, over(a, z_of(b)));
    results[k + 12u] = dot_of(a, b);
    results[k + 13u] = value_at(a, uv);
    results[k + 14u] = times(x_of(a), uv.x);
    results[k + 15u] = rounded_quotients(vector(x_of(a), y_of(a), z_of(b)));
    put(k + 16u, widened(ivec3(a.high) + ivec3(a.low)));
    results[k + 19u] = vec2(is_less(x_of(a), x_of(b)), 0.0);
}
"""
COUNT = 1024


@pytest.fixture
def arithmetic(tmp_path, monkeypatch):
    """The program of ARITHMETIC: takes (n, 2, 3) float64, returns (n, 20, 2) float32."""
    shutil.copytree(shaders.shader_folder() / "include", tmp_path / "include")
    (tmp_path / "arithmetic.comp").write_text(ARITHMETIC)
    monkeypatch.setattr(shaders, "shader_folder", lambda: tmp_path)
    shaders._read.cache_clear()
    with dd.DepthRenderer() as renderer, renderer._context as context:
        if not context.has_compute:
            pytest.skip("the arithmetic is tested in a compute shader")
        gl = context.gl
        program = shaders.compile_program(gl, {"FLOAT_PAIRS": 1}, compute_shader="arithmetic.comp")

        def run(numbers):
            given = np.zeros((len(numbers), 2, 4))
            given[..., :3] = as_pairs(numbers)
            given, results = gl.buffer(given), gl.buffer(reserve=len(numbers) * 160)
            given.bind_to_storage_buffer(0)
            results.bind_to_storage_buffer(1)
            program.run(-(-len(numbers) // 64))
            gl.memory_barrier()
            values = np.frombuffer(results.read(), np.float32).reshape(-1, 20, 2)
            for item in (given, results):
                item.release()
            return values

        yield run
        program.release()
    shaders._read.cache_clear()


def exact(pairs):
    """Return pairs (..., 2) as an object array of fractions."""
    return np.vectorize(Fraction)(pairs.astype(np.float64)).sum(axis=-1)


def test_arithmetic_of_pairs(arithmetic):
    """Each error is at most 2**-44 of the sum of the terms' magnitudes; most are far smaller.

    2**-48 is the rounding of a pair. Up to six of them, and of as many products of low parts,
    add up in a dot product: fewer than 2**4.
    """
    rng = np.random.default_rng(4)
    numbers = rng.normal(size=(COUNT, 2, 3)) * 2.0 ** rng.integers(-20, 30, size=(COUNT, 2, 3))
    numbers[: COUNT // 4, 1] = numbers[: COUNT // 4, 0] * (1.0 + 2.0**-30)  # cancellation
    results = arithmetic(numbers)
    given = as_pairs(numbers).view(np.float32).reshape(COUNT, 2, 3, 2)
    a, b = exact(given[:, 0]), exact(given[:, 1])
    u, v = (np.vectorize(Fraction)(given[:, 1, k, 0].astype(float)) for k in (0, 1))
    found = exact(results)
    # Of each result: its terms.
    nothing = 0 * u
    forms = {
        **{k: (a[:, k], b[:, k]) for k in range(3)},
        **{3 + k: (a[:, k], -b[:, k]) for k in range(3)},
        **{
            6 + k: (a[:, (k + 1) % 3] * b[:, (k + 2) % 3], -a[:, (k + 2) % 3] * b[:, (k + 1) % 3])
            for k in range(3)
        },
        **{9 + k: (a[:, k] / b[:, 2], nothing) for k in range(3)},
        12: tuple(a[:, k] * b[:, k] for k in range(3)),
        13: (a[:, 0] * u, a[:, 1] * v, a[:, 2]),
        14: (a[:, 0] * u, nothing),
    }
    for index, terms in forms.items():
        error = abs(found[:, index] - sum(terms))
        assert (error <= Fraction(1, 2**44) * sum(map(abs, terms))).all(), index
    # The low part is at most half a unit in the last place of the high part.
    pairs = results[:, list(forms)]
    assert (pairs[..., 0] == pairs[..., 0] + pairs[..., 1]).all()
    assert (results[:, 19, 0] == (a[:, 0] < b[:, 0])).all()


def test_quotients_are_rounded_to_the_nearest_integer(arithmetic):
    """As exact numbers, unless they are closer to a half than pairs can tell."""
    rng = np.random.default_rng(5)
    numbers = np.zeros((COUNT, 2, 3))
    divisor = rng.uniform(1.0, 2.0, COUNT).astype(np.float32)
    offset = rng.choice([0.0, 0.25, 0.5 - 2.0**-20, 0.5 + 2.0**-20, -0.5 + 2.0**-20], (COUNT, 2))
    integer = rng.integers(-(2**22), 2**22, (COUNT, 2))
    numbers[:, 0, :2] = (integer + offset) * divisor[:, None]
    numbers[:, 1, 2] = divisor
    found = arithmetic(numbers)[:, 15]
    assert np.array_equal(found, integer + (offset > 0.5))


def test_integers_become_pairs_exactly(arithmetic):
    """Local coordinates are integers of up to 2**30."""
    numbers = np.zeros((COUNT, 2, 3))
    rng = np.random.default_rng(6)
    numbers[:, 0] = rng.integers(-(2**30), 2**30 + 1, (COUNT, 3))
    numbers[0, 0] = -(2**30), 2**30, 0
    results = arithmetic(numbers)
    assert np.array_equal(results[:, 16:19].astype(float).sum(axis=-1), numbers[:, 0])
    assert not results[:, 9:12].any()  # quotients by 0


def test_pairs_hold_doubles_to_48_bits():
    values = np.random.default_rng(7).normal(size=(50, 3)) * 1e6
    pairs = as_pairs(values).view(np.float32).reshape(50, 3, 2).astype(np.float64)
    assert (abs(pairs.sum(axis=-1) - values) <= 2.0**-48 * abs(values)).all()
    assert np.array_equal(pairs[..., 0], values.astype(np.float32))


@pytest.fixture(params=ENGINES)
def two_renderers(request, monkeypatch):
    """Renderers of the same engine: with pairs, with doubles."""
    monkeypatch.setenv(VARIABLE, "1")
    with dd.DepthRenderer(engine=request.param) as with_pairs:
        monkeypatch.setenv(VARIABLE, "0")
        with dd.DepthRenderer(engine=request.param) as with_doubles:
            yield with_pairs, with_doubles


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_images_are_those_with_doubles(two_renderers, orthographic):
    """Pairs have 24 bits more than the result, so they seldom round it to another float32.

    A vertex that snaps to another subpixel changes coverage, but in a few thousand positions none
    is as close to the middle between two as pairs are rounded.
    """
    rng = np.random.default_rng(11)
    differing = total = 0
    for _ in range(5):
        mesh = merged(random_closed_mesh(rng), torus(1.0, 0.3, 40, 24))
        camera = random_camera(rng, mesh, orthographic, 160)
        sheets = []
        for renderer in two_renderers:
            scene = renderer.upload(mesh)
            maps = renderer.entry_exit(scene, camera)
            sheets.append(np.stack([maps.entry, maps.exit]))
            scene.release()
        with_pairs, with_doubles = sheets
        assert np.array_equal(np.isnan(with_pairs), np.isnan(with_doubles))
        hits = ~np.isnan(with_doubles)
        np.testing.assert_allclose(with_pairs[hits], with_doubles[hits], rtol=2.0**-23)
        differing += (with_pairs[hits] != with_doubles[hits]).sum()
        total += hits.sum()
    assert total > 10_000
    assert differing <= total / 1000


def masked_box() -> dd.Mesh:
    """A box whose vertices are transparent at the bottom."""
    mesh = box()
    colors = np.full((len(mesh.vertices), 4), 255, np.uint8)
    colors[mesh.vertices[:, 2] < 0, 3] = 0
    cutoffs = np.full(len(mesh.faces), 0.5)
    return dd.Mesh(mesh.vertices, mesh.faces, colors=colors, alpha_cutoff=cutoffs)


def eye_at(*eye: float) -> dd.Camera:
    return dd.Camera.look_at(eye, (0, 0, 0), width=40, height=30)


@pytest.mark.parametrize(
    ("mesh", "camera", "wish", "expected"),
    [
        pytest.param(box(), eye_at(3, 2, 4), "1", 1, id="a usual image"),
        pytest.param(box(), eye_at(3, 2, 4), "0", 0, id="doubles"),
        pytest.param(masked_box(), eye_at(3, 2, 4), "1", 0, id="alpha masks"),
        pytest.param(box(), eye_at(0.3, 0.1, 1), "1", 0, id="beside a face"),
        pytest.param(box(), eye_at(3e9, 2e9, 4e9), "1", 0, id="very far"),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_when_pairs_are_used(monkeypatch, engine, mesh, camera, wish, expected):
    monkeypatch.setenv(VARIABLE, wish)
    with glslang.recorded_programs() as programs, dd.DepthRenderer(engine=engine) as renderer:
        renderer.entry_exit(renderer.upload(mesh), camera)
        renderer.peel(renderer.upload(mesh), camera)
    told = [name.split() for name in programs if "FLOAT_PAIRS" in name]
    assert told
    assert all(f"FLOAT_PAIRS={expected}" in words for words in told)


def test_a_wrong_wish(monkeypatch):
    monkeypatch.setenv(VARIABLE, "yes")
    with pytest.raises(dd.ContextError, match=r"DDEPTH_FLOAT_PAIRS is 'yes'; set it to 1"):
        dd.DepthRenderer()
