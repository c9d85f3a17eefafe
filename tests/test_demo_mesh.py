"""The demo mesh is as its docstring says: closed, wound outward, six shells, many crossings."""

from __future__ import annotations

import numpy as np
import pytest
from oracle import all_crossings
from shapes import view_of

import ddepth_gl as dd
from ddepth_gl.mesh.demo import demo_mesh


@pytest.fixture(scope="module")
def mesh():
    return demo_mesh()


def shells(mesh):
    """Return the connected parts of a mesh as a list of face index arrays."""
    label = np.arange(len(mesh.vertices))
    while True:
        least = label[mesh.faces].min(1)
        following = label.copy()
        np.minimum.at(following, mesh.faces.ravel(), np.repeat(least, 3))
        following = following[following]
        if (following == label).all():
            return [np.flatnonzero(label[mesh.faces[:, 0]] == part) for part in np.unique(label)]
        label = following


def test_closed_outward_and_of_the_documented_size(mesh):
    assert mesh.is_closed
    assert mesh.is_oriented
    assert len(mesh.faces) == 73_376
    assert np.linalg.norm(mesh.vertices, axis=1).max() < 2.0
    assert mesh.colors is not None
    assert len(np.unique(mesh.colors, axis=0)) == 4


def test_every_shell_is_closed_and_the_cavity_is_inside_out(mesh):
    # is_oriented tests all shells together, and would not notice a small one that is inside out.
    parts = shells(mesh)
    volumes = []
    for faces in parts:
        shell = dd.Mesh(mesh.vertices, mesh.faces[faces])
        assert shell.is_closed
        assert len(np.unique(mesh.object_id[faces])) == 1
        volumes.append(shell.volume)
    names = [mesh.object_names[mesh.object_id[faces[0]]] for faces in parts]
    assert sorted(names) == ["ball", "knot", "ring", "ring", "shell", "shell"]
    assert [name for name, volume in zip(names, volumes, strict=True) if volume < 0] == ["shell"]
    # The ball floats in the hollow sphere.
    by_name = {
        name: mesh.vertices[mesh.faces[faces]] for name, faces in zip(names, parts, strict=True)
    }
    assert np.linalg.norm(by_name["ball"], axis=-1).max() < 0.33 * 0.99


def test_the_knot_goes_around_the_shell_and_the_rings_go_through_the_knot(mesh):
    names = [mesh.object_names[k] for k in mesh.object_id]
    knot, ring, shell = (
        mesh.vertices[np.unique(mesh.faces[np.array(names) == name])]
        for name in ("knot", "ring", "shell")
    )
    assert np.linalg.norm(shell, axis=1).max() < np.linalg.norm(knot, axis=1).min()
    # The disc of a ring lies in the xz plane. The knot crosses it inside the ring.
    for x in (1.0, -1.0):
        near_plane = knot[np.abs(knot[:, 1]) < 0.02]
        assert (np.hypot(near_plane[:, 0] - x, near_plane[:, 2]) < 0.72 - 0.07).any()
        around = ring[np.hypot(ring[:, 0] - x, ring[:, 2]) < 0.72 + 0.08]
        assert np.abs(around[:, 1]).max() < 0.08


def test_many_rays_cross_it_ten_times_and_more(mesh):
    often = 0
    for camera in dd.Camera.orbit(mesh, views=4, width=640, height=480):  # those of `ddepth demo`
        crossings = all_crossings(mesh.vertices, mesh.faces, view_of(camera))
        count = np.diff(crossings.offsets)[crossings.stable.ravel()]
        assert (count % 2 == 0).all()
        often += (count >= 10).sum()
    assert often >= 1000


def test_two_calls_return_equal_meshes(mesh):
    again = demo_mesh()
    np.testing.assert_array_equal(again.vertices, mesh.vertices)
    np.testing.assert_array_equal(again.faces, mesh.faces)
