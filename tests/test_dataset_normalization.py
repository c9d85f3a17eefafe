"""Normalization of meshes: boxes, spheres, axes, and the way back."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from shapes import box, merged, sphere

import ddepth_gl as dd
from ddepth_gl.dataset.config import NormalizationConfig
from ddepth_gl.dataset.normalization import Placement, normalized
from ddepth_gl.errors import MeshError

MESH = box((1.0, 2.0, -3.0), (3.0, 5.0, 1.0))
AXES = [sign + letter for sign in ("", "-") for letter in "xyz"]


def place(mesh=MESH, **settings):
    return normalized(mesh, NormalizationConfig(**settings))


def unit(axis):
    vector = np.zeros(3)
    vector["xyz".index(axis[-1])] = -1.0 if axis[0] == "-" else 1.0
    return vector


def test_nothing_is_changed_by_default():
    mesh, placement = place()
    assert mesh is MESH
    assert placement.is_identity
    assert np.array_equal(placement.matrix, np.eye(4))


def test_a_box_is_centered_with_its_longest_side_1():
    mesh, placement = place(fit="box")
    assert mesh.bounds.tolist() == [[-0.25, -0.375, -0.5], [0.25, 0.375, 0.5]]
    assert placement == Placement(0.25, (-0.5, -0.875, 0.25))


def test_a_sphere_has_its_farthest_vertex_at_1():
    mesh, placement = place(fit="sphere")
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - 1).max() < 4e-16
    assert placement.scale == pytest.approx(1 / np.sqrt(1 + 1.5**2 + 4), rel=1e-15)
    ball, _ = place(sphere(7.0, rings=8, sides=12), fit="sphere")
    assert np.abs(np.linalg.norm(ball.vertices, axis=1).max() - 1) < 4e-16


@pytest.mark.parametrize(("source", "target"), list(itertools.product(AXES, AXES)))
@pytest.mark.parametrize("fit", ["none", "box"])
def test_any_axis_becomes_any_other(source, target, fit):
    mesh, placement = place(mesh_up=source, up=target, fit=fit)
    rotation = np.array(placement.rotation)
    assert np.array_equal(rotation @ unit(source), unit(target))
    assert np.array_equal(np.abs(rotation).sum(axis=0), [1, 1, 1])  # of axes, exactly
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert mesh.up == tuple(unit(target))
    assert mesh.is_up_known
    assert mesh.volume > 0
    assert np.array_equal(mesh.faces, MESH.faces)
    extents = np.abs(rotation) @ (MESH.bounds[1] - MESH.bounds[0]) * placement.scale
    assert np.allclose(mesh.bounds[1] - mesh.bounds[0], extents, rtol=1e-15)


def test_y_up_becomes_z_up_as_in_blender():
    """Blender's import of a glTF file: (x, y, z) becomes (x, -z, y)."""
    gltf = MESH.transformed(np.eye(4), up=(0, 1, 0))
    mesh, placement = place(gltf, up="z")
    x, y, z = MESH.vertices.T
    assert np.array_equal(mesh.vertices, np.stack([x, -z, y], axis=-1))
    assert place(mesh, up="y")[0].vertices.tolist() == MESH.vertices.tolist()
    assert placement.scale == 1.0


@pytest.mark.parametrize("fit", ["none", "box", "sphere"])
@pytest.mark.parametrize("up", [None, "y", "1,2,3"])
def test_the_way_back(fit, up):
    """Within a few roundings of the largest coordinate, in the file's units."""
    rng = np.random.default_rng(3)
    base = sphere(1.0, rings=8, sides=12)
    far = dd.Mesh(base.vertices * rng.uniform(1, 100, 3) + (1000.0, -5.0, 20.0), base.faces)
    mesh, placement = place(far, fit=fit, up=up)
    largest = np.abs(far.vertices).max()
    back = placement.original(mesh.vertices)
    assert back.dtype == np.float64
    assert np.abs(back - far.vertices).max() <= 8 * np.spacing(largest)
    size = np.abs(far.vertices).max() * placement.scale
    assert np.abs(placement.placed(far.vertices) - mesh.vertices).max() <= 8 * np.spacing(size)
    homogeneous = np.c_[far.vertices, np.ones(len(far.vertices))]
    assert np.allclose(homogeneous @ placement.matrix.T[:, :3], mesh.vertices, atol=1e-12 * size)


def test_a_placement_survives_json():
    _, placement = place(fit="box", up="1,2,3")
    text = json.dumps(placement.to_dict())
    assert Placement.from_dict(json.loads(text)) == placement


def test_attributes_stay():
    base = merged(box(), box((3, 0, 0), (4, 1, 1)))
    count = len(base.vertices)
    mesh = dd.Mesh(
        base.vertices,
        base.faces,
        uv=np.linspace(0, 1, 2 * count).reshape(count, 2),
        colors=np.arange(4 * count).reshape(count, 4) % 256,
        texture=np.full((2, 2, 3), 9, np.uint8),
        object_id=[0] * 12 + [1] * 12,
        object_names=("left", "right"),
        alpha_cutoff=[0.5] * 24,
        name="pair",
    )
    placed, _ = place(mesh, fit="box", up="y")
    for name in ("uv", "colors", "texture", "object_id", "alpha_cutoff", "texture_id"):
        assert np.array_equal(getattr(placed, name), getattr(mesh, name)), name
    assert placed.object_names == mesh.object_names
    assert placed.name == "pair"
    plain = dd.Mesh(base.vertices, base.faces)
    bodies = place(plain, fit="sphere", up="x")[0].bodies
    assert list(bodies.kind) == list(plain.bodies.kind) == ["outward", "outward"]
    assert np.array_equal(bodies.of_face, plain.bodies.of_face)
    assert place(plain, fit="sphere")[0].is_oriented


def test_vertices_that_no_face_uses_do_not_count():
    mesh = dd.Mesh(np.vstack([MESH.vertices, [[500.0, 0, 0]]]), MESH.faces)
    assert np.array_equal(place(mesh, fit="box")[0].bounds, place(fit="box")[0].bounds)


def test_errors():
    with pytest.raises(ValueError, match=r"normalization.up must be auto, an axis .* not 'up'"):
        place(up="up")
    with pytest.raises(ValueError, match=r"normalization\.mesh_up"):
        place(up="y", mesh_up="w")

    class Point:
        bounds = np.zeros((2, 3))
        name = "dot"

    for fit in ("box", "sphere"):
        with pytest.raises(MeshError, match=f"dot: all vertices .* fits it into a {fit}"):
            place(Point(), fit=fit)
