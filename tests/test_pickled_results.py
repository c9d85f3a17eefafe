"""Pickled results hold their arrays, the camera and a few facts, but not the mesh."""

from __future__ import annotations

import copy
import pickle
import re

import numpy as np
import pytest
from shapes import box, inside_out, sphere

import ddepth_gl as dd
from ddepth_gl import errors
from ddepth_gl.results.mesh_facts import StoredFacts

CAMERA = dd.Camera.look_at((0, 0, 4), (0, 0, 0), (0, 1, 0), fov_y_deg=40, width=60, height=50)
CLONES = {
    "pickle": lambda result: pickle.loads(pickle.dumps(result)),
    "oldest pickle": lambda result: pickle.loads(pickle.dumps(result, protocol=0)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}
# Bytes for the camera, class names, fields and dtypes; a mesh of 200,000 faces takes 7.2 MB.
OVERHEAD = 8_000


@pytest.fixture(scope="module")
def large():
    mesh = sphere(rings=250, sides=400)
    assert len(mesh.faces) > 199_000
    return mesh


def arrays_of(result):
    """Return all arrays of a result by name."""
    values = {name: value for name, value in vars(result).items() if isinstance(value, np.ndarray)}
    for name, value in result.attributes.items():
        pair = value if isinstance(value, tuple) else (value,)
        values |= {f"{name} {index}": array for index, array in enumerate(pair)}
    return values


def results_of(renderer, mesh, **options):
    scene = renderer.upload(mesh)
    try:
        yield renderer.entry_exit(scene, CAMERA, attributes=("face", "normal"), **options)
        yield from renderer.entry_exit_many(scene, [CAMERA] * 3, **options)
        yield renderer.peel(scene, CAMERA, attributes=("normal", "color"), **options)
        yield renderer.peel(scene, CAMERA, **options).rows(10, 30)
        yield renderer.peel(scene, CAMERA, **options).entry_exit()
        with renderer.entry_exit(scene, CAMERA, output="gpu", **options) as maps:
            yield maps.numpy()
    finally:
        scene.release()


@pytest.mark.parametrize("options", [{}, {"near": 3.5}])
def test_a_pickle_is_hardly_larger_than_the_arrays(renderer, large, options):
    for result in results_of(renderer, large, **options):
        bytes_of_arrays = sum(array.nbytes for array in arrays_of(result).values())
        assert len(pickle.dumps(result)) < bytes_of_arrays + OVERHEAD
        # Cached properties are not pickled.
        cached = result.mask if isinstance(result, dd.DepthMaps) else result.count
        assert cached.any()
        assert len(pickle.dumps(result)) < bytes_of_arrays + OVERHEAD


@pytest.mark.parametrize("clone", CLONES.values(), ids=CLONES)
@pytest.mark.parametrize("turn", [lambda mesh: mesh, inside_out], ids=["outward", "inward"])
def test_a_clone_is_the_same(renderer, clone, turn):
    for result in results_of(renderer, turn(sphere())):
        again = clone(result)
        assert type(again) is type(result)
        for name, array in arrays_of(result).items():
            other = arrays_of(again)[name]
            assert (other.dtype, other.shape, other.tobytes()) == (
                array.dtype,
                array.shape,
                array.tobytes(),
            )
            assert other.flags.c_contiguous
        assert again.camera.K.tobytes() == result.camera.K.tobytes()
        assert again.camera.camera_from_world.tobytes() == result.camera.camera_from_world.tobytes()
        if isinstance(result, dd.DepthMaps):
            assert again.thickness.tobytes() == result.thickness.tobytes()
            assert again.mask.tobytes() == result.mask.tobytes()
            assert repr(again) == repr(result)
        else:
            assert again.is_oriented == result.is_oriented
            assert again.is_complete == result.is_complete
            assert again.solid_length.tobytes() == result.solid_length.tobytes()
            assert again.entry_exit().entry.tobytes() == result.entry_exit().entry.tobytes()
            assert again.rows(1, 3).is_oriented == result.is_oriented


def test_a_clone_of_a_clone(renderer):
    scene = renderer.upload(sphere())
    layers = renderer.peel(scene, CAMERA)
    scene.release()
    twice = pickle.loads(pickle.dumps(copy.deepcopy(layers)))
    assert twice.is_oriented
    assert len(pickle.dumps(twice)) == len(pickle.dumps(pickle.loads(pickle.dumps(twice))))


def test_silhouettes_are_fixed_in_a_clone_as_well():
    """Only where entry and exit are swapped is the mesh asked whether it is oriented."""
    asked = []

    class Asked:
        surfaces = None

        @property
        def is_oriented(self):
            asked.append(True)
            return True

        def kinds(self, face, in_object=False):
            return StoredFacts().kinds(face)

    camera = dd.Camera.look_at((0, 0, 4), (0, 0, 0), (0, 1, 0), width=3, height=1)
    layers = dd.DepthLayers(
        offsets=np.array([0, 0, 2, 2]),
        depth=np.array([4.0, 4.001], np.float32),
        face=np.array([0, 1]),
        front_facing=np.array([False, True]),
        truncated=np.zeros((1, 3), bool),
        camera=camera,
        _facts=Asked(),
    )
    assert not asked
    again = pickle.loads(pickle.dumps(layers))
    assert asked == [True]
    mean = np.float32((np.float32(4.0) + np.float32(4.001)) / 2)
    for each in (layers, again, copy.deepcopy(again)):
        maps = each.entry_exit()
        assert maps.entry[0, 1] == maps.exit[0, 1] == mean


def test_errors_can_be_pickled():
    for name in errors.__all__:
        error = getattr(dd, name)("what was given; what to do")
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)


def test_every_error_is_public_and_documented():
    ours = {name for name, each in vars(errors).items() if isinstance(each, type)}
    public = {name for name in dd.__all__ if name.endswith(("Error", "Warning"))}
    assert ours == set(errors.__all__) == public
    for name in ours:
        assert re.search(rf"\b{name}\b", errors.__doc__), name
    maps = dd.double_depth(box(), dd.Camera.look_at((3, 2, 1), (0, 0, 0), width=4, height=4))
    with pytest.raises(dd.NotAskedForError) as raised:
        maps.entry_normal  # noqa: B018
    assert isinstance(raised.value, dd.DDepthError)
    assert isinstance(raised.value, AttributeError)
