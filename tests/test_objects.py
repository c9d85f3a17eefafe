"""Maps and layers of each object, against NumPy by hand and against the object rendered alone."""

from __future__ import annotations

import copy
import pickle
import tracemalloc
import weakref

import numpy as np
import oracle
import pytest
from crossings import ATTRIBUTES, by_hand, layers_of
from layer_checks import RELATIVE
from shapes import (
    box,
    inside_out,
    merged,
    peel,
    random_camera,
    random_closed_mesh,
    render,
    sphere,
    view_of,
)

import ddepth_gl as dd
from ddepth_gl.results.mesh_facts import StoredFacts

SURFACES = ("oriented", "any")
CAMERA = dd.Camera.look_at((2.6, 1.7, 1.9), (0, 0.1, 0), fov_y_deg=45.0, width=90, height=70)
FLAT = dd.Camera.orthographic((3.6, 3.0), CAMERA.camera_from_world, 80, 60)


def with_objects(mesh, object_id):
    return dd.Mesh(mesh.vertices, mesh.faces, object_id=object_id)


def of_parts(*parts, ids=None):
    """Return the parts as one mesh, an object each."""
    counts = [len(part.faces) for part in parts]
    return with_objects(
        merged(*parts), np.repeat(range(len(parts)) if ids is None else ids, counts)
    )


def alone(mesh, object_id):
    """Return a mesh of the object's faces only, and the indices of those faces."""
    faces = np.flatnonzero(mesh.object_id == object_id)
    return with_objects(dd.Mesh(mesh.vertices, mesh.faces[faces]), mesh.object_id[faces]), faces


def same_maps(one, other, faces=None):
    """Assert equal bits; `faces` maps the face indices of `other` to those of `one`."""
    assert set(one.attributes) >= set(other.attributes)
    for name in (
        "entry",
        "exit",
        *(f"{s}_{n}" for n in other.attributes for s in ("entry", "exit")),
    ):
        ours, theirs = getattr(one, name), getattr(other, name)
        if name.endswith("_face") and faces is not None:
            theirs = np.append(faces, -1)[theirs]
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), name
        assert ours.tobytes() == theirs.tobytes(), name


# By hand


def test_crossings_by_hand():
    """Object 7 is hidden behind and inside object 2; object 4 is open."""
    layers = by_hand(
        [["F1 F2 B3 B4", "F1 B2 F5 B6", "", "B1"]],
        attributes={"object_id": np.array([2, 7, 7, 2, 2, 2, 7, 7, 4])},
    )
    nan = np.nan
    found = layers.objects()
    assert list(found) == [2, 4, 7]
    assert [type(each) for each in found] == [int] * 3
    for object_id, entry, exit_ in (
        (2, [1, 1, nan, nan], [4, 2, nan, nan]),
        (4, [nan, nan, nan, nan], [nan, nan, nan, 1]),
        (7, [2, 5, nan, nan], [3, 6, nan, nan]),
    ):
        np.testing.assert_array_equal(found[object_id].entry, np.float32([entry]))
        np.testing.assert_array_equal(found[object_id].exit, np.float32([exit_]))
    np.testing.assert_array_equal(found[7].entry_face, [[1, 6, -1, -1]])
    np.testing.assert_array_equal(found[7].exit_object_id, [[7, 7, -1, -1]])
    np.testing.assert_array_equal(layers.objects("any")[4].entry, np.float32([[nan, nan, nan, 1]]))

    hidden = layers.of_object(7)
    assert hidden.offsets.tolist() == [0, 2, 4, 4, 4]
    assert hidden.depth.tolist() == [2, 3, 5, 6]
    assert hidden.face.tolist() == [1, 2, 6, 7]
    assert hidden.front_facing.tolist() == [True, False, True, False]
    assert hidden.object_id.tolist() == [7] * 4
    assert hidden.solid_length.tolist() == [[1, 1, 0, 0]]
    assert hidden.intervals(0, 1) == [(5, 6)]
    assert not hidden.odd.any()
    assert layers.of_object(4).odd.tolist() == [[False, False, False, True]]


def test_objects_in_a_single_pixel_are_kept_apart():
    layers = by_hand([["F1 F2 B3 B4"]], attributes={"object_id": np.array([0, 1, 1, 0])})
    found = layers.objects()
    assert [maps.entry.item() for maps in found.values()] == [1, 2]
    assert [maps.exit.item() for maps in found.values()] == [4, 3]


@pytest.mark.parametrize("surfaces", SURFACES)
@pytest.mark.parametrize("seed", range(3))
def test_random_crossings_against_a_loop(seed, surfaces):
    """Depths have ties, ids are far apart, and objects are missing from most pixels."""
    rng = np.random.default_rng([seed, 17])
    layers = layers_of(rng.integers(0, 9, (5, 7)), rng)
    layers.truncated[...] = False
    layers.depth[...] = np.ceil(layers.depth / 2)
    layers.object_id[...] = rng.choice([0, 3, 5, 2**31 - 1], len(layers.depth))
    layers.object_id[layers.object_id == 5] = 3 if seed == 0 else 5
    found = layers.objects(surfaces)
    assert list(found) == sorted({*layers.object_id.tolist()})
    for object_id, maps in found.items():
        part = layers.of_object(object_id)
        expected = {(sheet, k): -1 for sheet in ("entry", "exit") for k in range(35)}
        kept = []
        for pixel in range(35):
            for k in range(layers.offsets[pixel], layers.offsets[pixel + 1]):
                if layers.object_id[k] != object_id:
                    continue
                kept.append(k)
                front = bool(layers.front_facing[k])
                if (surfaces == "any" or front) and expected["entry", pixel] < 0:
                    expected["entry", pixel] = k
                if surfaces == "any" or not front:
                    expected["exit", pixel] = k
            assert part.offsets[pixel + 1] == len(kept)
        for name in ("depth", "face", "front_facing", *ATTRIBUTES):
            np.testing.assert_array_equal(getattr(part, name), getattr(layers, name)[kept])
        for sheet in ("entry", "exit"):
            chosen = np.array([expected[sheet, pixel] for pixel in range(35)]).reshape(5, 7)
            for name in ("depth", "face", *ATTRIBUTES):
                image = getattr(maps, sheet if name == "depth" else f"{sheet}_{name}")
                hit = chosen >= 0
                np.testing.assert_array_equal(image[hit], getattr(layers, name)[chosen[hit]])
                assert (np.isnan(image[~hit]) | (image[~hit] == -1)).all()
        same_maps(maps, part.entry_exit(surfaces))
    # The sheets of all objects together are the nearest and the farthest of theirs.
    whole = layers.entry_exit(surfaces)
    np.testing.assert_array_equal(np.fmin.reduce([m.entry for m in found.values()]), whole.entry)
    np.testing.assert_array_equal(np.fmax.reduce([m.exit for m in found.values()]), whole.exit)


# Against each object rendered alone


def octahedron():
    corners = np.concatenate([np.eye(3), -np.eye(3)])
    faces = [(0, 1, 2), (1, 3, 2), (3, 4, 2), (4, 0, 2), (1, 0, 5), (3, 1, 5), (4, 3, 5), (0, 4, 5)]
    return dd.Mesh(corners, faces)


def nested_solids():
    """Return three solids that intersect each other, with interleaved faces and equal bounds.

    Equal bounds mean the same local frame for the whole and for each object, so the same bits.
    """
    ball = sphere(rings=12, sides=16)
    ball = dd.Mesh(np.clip(ball.vertices / np.abs(ball.vertices).max(axis=0), -1, 1), ball.faces)
    mesh = of_parts(box(), ball, octahedron(), ids=(9, 2, 5))
    order = np.random.default_rng(3).permutation(len(mesh.faces))
    return dd.Mesh(mesh.vertices, mesh.faces[order], object_id=mesh.object_id[order])


@pytest.mark.slow
@pytest.mark.parametrize("camera", [CAMERA, FLAT], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("surfaces", SURFACES)
@pytest.mark.parametrize("crop", [{}, {"near": 3.0, "far": 4.0}], ids=["whole", "cropped"])
def test_each_object_has_the_bits_of_the_object_alone(renderer, camera, surfaces, crop):
    mesh = nested_solids()
    # Attributes of a whole face; those of its points are computed with the mesh's own constants.
    attributes = ("face", "normal", "object_id")
    layers = peel(renderer, mesh, camera, attributes=attributes, **crop)
    found = layers.objects(surfaces)
    assert list(found) == [2, 5, 9]
    assert layers.is_complete == (not crop)
    for object_id, maps in found.items():
        single, faces = alone(mesh, object_id)
        assert (single.bounds == mesh.bounds).all()
        expected = render(
            renderer, single, camera, surfaces=surfaces, attributes=attributes, **crop
        )
        assert np.count_nonzero(expected.mask) > 100
        same_maps(maps, expected, faces)
        part, own = layers.of_object(object_id), peel(renderer, single, camera, **crop)
        for name in ("offsets", "depth", "front_facing", "truncated"):
            assert getattr(part, name).tobytes() == getattr(own, name).tobytes(), name
        assert (part.face == faces[own.face]).all()
        assert part.is_oriented == own.is_oriented is True
        assert part.is_complete == own.is_complete
        same_maps(part.entry_exit(surfaces), maps)
        if not crop:
            np.testing.assert_array_equal(part.solid_length, own.solid_length)
        assert maps.camera is camera
        assert maps.provenance == part.provenance == layers.provenance != {}


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("seed", range(3))
def test_random_solids_against_each_alone(renderer, seed, orthographic):
    """With bounds of its own, an object alone differs in rounding, and only within 1/128 pixel."""
    rng = np.random.default_rng([seed, orthographic, 23])
    parts = [random_closed_mesh(rng, bodies=1) for _ in range(4)]
    mesh = of_parts(*parts)
    camera = random_camera(rng, mesh, orthographic)
    layers = peel(renderer, mesh, camera, attributes=("object_id",))
    compared = 0
    for object_id, maps in layers.objects().items():
        single, _ = alone(mesh, object_id)
        expected = render(renderer, single, camera)
        part = layers.of_object(object_id)
        assert part.is_oriented
        assert not part.odd.any()
        stable = oracle.all_crossings(single.vertices, single.faces, view_of(camera)).stable
        for sheet in ("entry", "exit"):
            ours, theirs = getattr(maps, sheet)[stable], getattr(expected, sheet)[stable]
            assert (np.isnan(ours) == np.isnan(theirs)).all()
            # Each is within RELATIVE of the truth.
            hit = ~np.isnan(ours)
            assert (np.abs(ours - theirs)[hit] <= 2 * RELATIVE * theirs[hit]).all()
            compared += np.count_nonzero(hit)
    assert compared > 500


# Objects that are open on their own


def halves():
    """Return a sphere in two halves that share edges, and a closed box inside one of them."""
    ball = sphere(rings=12, sides=16)
    upper = ball.vertices[ball.faces].mean(axis=1)[:, 2] > 0
    small = box((-0.2, -0.2, 0.1), (0.2, 0.2, 0.5))
    ids = np.concatenate([np.where(upper, 1, 0), np.full(12, 2)])
    return with_objects(merged(ball, small), ids)


def test_an_object_that_shares_edges_is_open_on_its_own(renderer):
    mesh = halves()
    assert mesh.is_oriented
    assert mesh.oriented_objects == {2}
    layers = peel(renderer, mesh, CAMERA, attributes=("object_id",))
    assert layers.is_oriented
    assert [layers.of_object(k).is_oriented for k in range(4)] == [False, False, True, False]
    assert layers.of_object(0).odd.any()
    for surfaces in SURFACES:
        for object_id, maps in layers.objects(surfaces).items():
            single, _ = alone(mesh, object_id)
            expected = render(renderer, single, CAMERA, surfaces=surfaces)
            stable = oracle.all_crossings(single.vertices, single.faces, view_of(CAMERA)).stable
            for sheet in ("entry", "exit"):
                np.testing.assert_allclose(
                    getattr(maps, sheet)[stable], getattr(expected, sheet)[stable],
                    rtol=2 * RELATIVE,
                )  # fmt: skip
    # The box is inside the sphere: all of it is found although none of it is seen.
    hidden = layers.objects()[2]
    assert hidden.mask.any()
    assert (layers.entry_exit().entry[hidden.mask] < hidden.entry[hidden.mask]).all()


def test_silhouettes_are_fixed_if_the_object_is_closed():
    """The same swapped pixel in two objects, of which one is open."""

    def layers(oriented):
        return by_hand(
            [["", "B4 F4.001", ""]],
            attributes={"object_id": np.array([3, 3])},
            _facts=StoredFacts(is_oriented=True, oriented_objects=frozenset(oriented)),
        )

    mean = (np.float32(4) + np.float32(4.001)) / 2
    for oriented, entry, exit_ in (({3}, mean, mean), ({1}, np.float32(4.001), np.float32(4))):
        given = layers(oriented)
        for each in (given, copy.deepcopy(given), pickle.loads(pickle.dumps(given))):
            assert each.of_object(3).is_oriented == (3 in oriented)
            for maps in (each.objects()[3], each.of_object(3).entry_exit()):
                assert (maps.entry[0, 1], maps.exit[0, 1]) == (entry, exit_)
    unknown = by_hand([["F1 B2"]], oriented=True, attributes={"object_id": np.zeros(2, int)})
    assert not unknown.of_object(0).is_oriented


def test_oriented_objects_of_a_mesh():
    mesh = of_parts(
        box(),
        inside_out(box()),
        box((2, 0, 0), (2.5, 1, 1)),
        octahedron(),
        sphere(rings=5, sides=7),
        ids=(4, 0, 4, 11, 8),
    )
    open_sphere = np.flatnonzero(mesh.object_id == 8)[0]
    keep = np.arange(len(mesh.faces)) != open_sphere
    mesh = dd.Mesh(mesh.vertices, mesh.faces[keep], object_id=mesh.object_id[keep])
    assert mesh.oriented_objects == {4, 11}
    assert {k for k in (0, 4, 8, 11) if alone(mesh, k)[0].is_oriented} == {4, 11}
    assert mesh.oriented_objects is mesh.oriented_objects
    assert pickle.loads(pickle.dumps(mesh)).oriented_objects == {4, 11}
    assert box().oriented_objects == {0}


# What is missing, and errors


def test_truncated_pixels_stay_marked(renderer):
    mesh = nested_solids()
    cut = peel(renderer, mesh, CAMERA, attributes=("object_id",), max_layers=2)
    assert cut.truncated.any()
    message = "so what they hide of the objects is unknown; peel with max_layers=None"
    with pytest.raises(dd.RequestError, match=rf"^\d+ pixels were cut short .*, {message}$"):
        cut.objects()
    part = cut.of_object(5)
    assert not np.shares_memory(part.truncated, cut.truncated)
    assert (part.truncated == cut.truncated).all()
    assert not part.is_complete
    whole = peel(renderer, mesh, CAMERA, attributes=("object_id",)).of_object(5)
    clear = ~cut.truncated
    assert (part.count[clear] == whole.count[clear]).all()
    assert (part.count <= whole.count).all()
    with pytest.raises(dd.RequestError, match="cut short by max_layers"):
        part.entry_exit()
    with pytest.raises(dd.RequestError, match="cut short by max_layers"):
        _ = part.solid_length


def test_errors_and_objects_that_are_not_there():
    without = by_hand([["F1 B2"]])
    for call in (without.objects, lambda: without.of_object(0)):
        with pytest.raises(dd.NotAskedForError, match=r'pass attributes=\("object_id",\) \(in'):
            call()
    layers = by_hand([["F1 B2", ""]], attributes={"object_id": np.array([3, 3])})
    with pytest.raises(dd.RequestError, match="must be 'auto' or 'oriented' or 'any', not 'all'"):
        layers.objects("all")
    for wrong in (-1, 2**31, 1.0, "3", None, True):
        with pytest.raises(dd.RequestError, match="object_id must be an integer from 0 to 2147483"):
            layers.of_object(wrong)
    assert layers.of_object(np.uint8(3)).depth.tolist() == [1, 2]
    absent = layers.of_object(4)
    assert (len(absent.depth), absent.count.tolist()) == (0, [[0, 0]])
    assert np.isnan(absent.entry_exit().entry).all()
    assert list(absent.objects()) == list(absent.objects().items()) == []
    with pytest.raises(KeyError):
        layers.objects()[4]
    assert 4 not in layers.objects()
    assert 3 in layers.objects()


def test_results_belong_to_the_caller():
    layers = by_hand([["F1 B2", ""]], attributes={"object_id": np.array([3, 3])})
    found, part = layers.objects(), layers.of_object(3)
    maps = found[3]
    for array in (maps.entry, maps.exit_face, part.depth, part.object_id, part.offsets):
        array[...] = 0
    assert found[3].entry[0, 0] == 1
    assert layers.depth.tolist() == [1, 2]
    assert layers.offsets.tolist() == [0, 2, 2]
    assert layers.object_id.tolist() == [3, 3]
    for clone in (pickle.loads(pickle.dumps(found)), copy.copy(found), copy.deepcopy(found)):
        assert list(clone) == [3]
        same_maps(clone[3], found[3])
    assert repr(found) == "<ObjectMaps of 1 objects: 3>"


def test_layers_of_an_object_do_not_keep_all_layers_alive(renderer):
    layers = peel(renderer, halves(), CAMERA, attributes=("object_id",))
    part, alive = layers.of_object(2), weakref.ref(layers)
    del layers
    assert alive() is None
    assert part.is_oriented


def test_rows_of_one_object(renderer):
    layers = peel(renderer, halves(), CAMERA, attributes=("object_id", "normal"))
    part = layers.of_object(2)
    some, same = part.rows(20, 50), layers.rows(20, 50).of_object(2)
    assert some.is_oriented == same.is_oriented is True
    for name in ("offsets", "depth", "face", "normal"):
        assert getattr(some, name).tobytes() == getattr(same, name).tobytes()
    assert part.of_object(2).depth.tobytes() == part.depth.tobytes()


def test_memory_does_not_grow_with_the_number_of_objects():
    """A thousand images of 160 x 120 pixels would take 1000 * 40 bytes * 19200 = 768 MB."""
    rng = np.random.default_rng(1)
    layers = layers_of(rng.integers(0, 6, (120, 160)), rng, ("object_id",))
    layers.truncated[...] = False
    layers.object_id[...] = rng.integers(0, 1000, len(layers.depth))
    tracemalloc.start()
    try:
        found = layers.objects()
        assert len(found) == 1000
        total = sum(np.count_nonzero(maps.entry == maps.entry) for maps in found.values())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total > 10_000
    # A dozen index arrays of 8 bytes per crossing, an image of 40 bytes per pixel with temporaries,
    # and a few hundred bytes of views per object.
    assert peak < 100 * len(layers.depth) + 100 * 19200 + 2000 * 1000
