"""Merging of close crossings: against loops over every pixel, in layers, stacks and files."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from crossings import ATTRIBUTES, by_hand, layers_of
from hypothesis import given
from hypothesis import strategies as st
from meshes import good
from shapes import box, merged

import ddepth_gl as dd

GAP = 0.7


def kept_by_loops(layers, gap):
    """Return the indices of the crossings that remain, found one by one."""
    per_depth = layers.camera.distance_per_depth().reshape(-1)
    kept = []
    for pixel in range(len(layers.offsets) - 1):
        last = None
        for crossing in range(layers.offsets[pixel], layers.offsets[pixel + 1]):
            depth = float(layers.depth[crossing])
            if last is None or (depth - last) * per_depth[pixel] >= gap:
                kept.append(crossing)
                last = depth
    return np.array(kept, int)


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("gap", [0.0, 1e-3, GAP, 100.0])
def test_every_quantity_against_loops(gap, orthographic):
    rng = np.random.default_rng(3)
    layers = layers_of(rng.integers(0, 9, (6, 7)), rng, orthographic=orthographic)
    kept = kept_by_loops(layers, gap)
    merged_layers = layers.merged(gap)
    for name in ("depth", "distance", "face", "front_facing", "pixel", "two_sided", *ATTRIBUTES):
        np.testing.assert_array_equal(getattr(merged_layers, name), getattr(layers, name)[kept])
    assert merged_layers.min_gap == gap
    assert (gap < GAP) == (len(kept) == len(layers.depth))
    if gap == 100.0:
        np.testing.assert_array_equal(merged_layers.count, layers.count > 0)
    for name in ("depth", "normal", "face"):
        np.testing.assert_array_equal(layers.dense(name, min_gap=gap), merged_layers.dense(name))
        np.testing.assert_array_equal(
            layers.dense(name, 2, min_gap=gap), merged_layers.dense(name, 2)
        )


@given(st.lists(st.integers(0, 12), max_size=9), st.integers(0, 5))
def test_one_ray(steps, gap):
    """In integers, where nothing is rounded: chains do not merge beyond the gap."""
    depths = np.cumsum([1, *steps]).tolist()
    layers = by_hand([[" ".join(f"F{depth}" for depth in depths)]])
    remaining = [depths[0]]
    for depth in depths[1:]:
        if depth - remaining[-1] >= gap:
            remaining.append(depth)
    assert layers.merged(gap).depth.tolist() == remaining


def test_max_layers_counts_what_remains():
    layers = by_hand([["F1 F1 B2 B2 F3", "F1 B1.1 F1.2"]])
    cut = layers.merged(0.5, max_layers=2)
    assert cut.depth.tolist() == [1, 2, 1]
    assert cut.truncated.tolist() == [[True, False]]
    assert layers.merged(0.5, max_layers=3).depth.tolist() == [1, 2, 3, 1]
    assert not layers.merged(0.5, max_layers=3).truncated.any()


def test_peel_and_render_merge_alike(renderer):
    mesh = merged(box(), box((-1, -1, -1), (1, 1, 1)), box((-0.5,) * 3, (0.5,) * 3))
    camera = dd.Camera.look_at((3, 2, 4), (0, 0, 0), width=60, height=50)
    scene = renderer.upload(mesh)
    names = ("normal",)
    everything = renderer.peel(scene, camera, attributes=names)
    for limit in (None, 2):
        wanted = everything.merged(0.01, limit)
        peeled = renderer.peel(scene, camera, attributes=names, max_layers=limit, min_gap=0.01)
        frame = renderer.render(
            scene,
            camera,
            layers=True,
            layer_attributes=names,
            max_layers=limit,
            min_gap=0.01,
        )
        many = next(renderer.peel_many(scene, [camera], max_layers=limit, min_gap=0.01))
        for layers in (peeled, frame.layers, many):
            assert layers.min_gap == 0.01
            np.testing.assert_array_equal(layers.depth, wanted.depth)
            np.testing.assert_array_equal(layers.offsets, wanted.offsets)
            np.testing.assert_array_equal(layers.truncated, wanted.truncated)
        np.testing.assert_array_equal(peeled.normal, wanted.normal)
    assert everything.count.max() > 5
    # Both outer boxes coincide, so a pixel in the middle has four walls, not six.
    assert renderer.peel(scene, camera, min_gap=0.01).count[25, 30] == 4
    scene.release()


def test_repeated_layers_of_a_real_mesh(renderer):
    """Nine tenths of the fifth layers of this file repeat the fourth."""
    mesh = dd.load_mesh(good("not_convex.obj"))
    camera = dd.Camera.orbit(mesh, views=1, width=160, height=160)[0]
    scene = renderer.upload(mesh)
    layers = renderer.peel(scene, camera)
    gap = 1e-5 * float(np.linalg.norm(np.ptp(mesh.bounds, axis=0)))
    apart = renderer.peel(scene, camera, min_gap=gap)
    scene.release()
    depths = layers.dense("depth")
    fifth = ~np.isnan(depths[4])
    repeated = depths[4] - depths[3] < gap
    print(f"{repeated[fifth].mean():.0%} of the fifth layers repeat the fourth")
    separate = apart.dense("depth")
    assert np.nanmin(np.diff(separate, axis=0)) >= gap / 2
    assert len(apart.depth) < len(layers.depth)


def test_merged_layers_refuse_what_needs_all_crossings(tmp_path):
    layers = by_hand(
        [["F1 B2 F2 B3"]], oriented=True, attributes={"object_id": np.zeros(4, np.int32)}
    ).merged(0.5)

    def stored(result):
        dd.write_npz(tmp_path / "layers.npz", result)
        return dd.load_npz(tmp_path / "layers.npz")

    for clone in (lambda each: each, copy.deepcopy, stored, lambda each: each.of_object(0)):
        again = clone(layers)
        assert again.min_gap == 0.5
        assert not again.is_complete
        for call in (
            again.entry_exit,
            again.objects,
            lambda again=again: again.nesting,
            lambda again=again: again.solid_length,
        ):
            with pytest.raises(dd.RequestError, match=r"min_gap=0\.5 merged crossings, so .*peel"):
                call()
    assert pickle.loads(pickle.dumps(layers)).min_gap == 0.5
    # Merging again keeps the larger gap.
    assert layers.merged(0.1).min_gap == 0.5
    assert layers.merged(2.0).min_gap == 2.0


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf, "1", None, [1.0]])
def test_gaps_that_are_not_numbers(renderer, wrong):
    layers = by_hand([["F1 B2"]])
    scene = renderer.upload(box())
    camera = layers.camera
    for call in (
        lambda: layers.merged(wrong),
        lambda: layers.dense("depth", min_gap=wrong),
        lambda: renderer.peel(scene, camera, min_gap=wrong),
        lambda: renderer.render(scene, camera, layers=True, min_gap=wrong),
    ):
        with pytest.raises(dd.RequestError, match="min_gap must be a"):
            call()
    with pytest.raises(dd.RequestError, match=r"min_gap= has no effect without layers=True"):
        renderer.render(scene, camera, min_gap=0.1)
    scene.release()
