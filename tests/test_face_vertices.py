"""FaceVertices: the same faces, each with a provoking vertex of its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapes import sphere

from ddepth_gl.engines.shared.vertex_order import FaceVertices


def check(faces: np.ndarray, vertex_count: int) -> int:
    """Check the vertices of these faces, and return their number."""
    layout = FaceVertices(faces, vertex_count)
    corners, indices = layout.corners(slice(None)), layout.indices(slice(None))
    for face, cycled in zip(faces.tolist(), corners.tolist(), strict=True):
        assert cycled in (face, face[1:] + face[:1], face[2:] + face[:2])
    assert (indices[:, 2] == np.arange(len(faces))).all()
    mesh_vertex = np.concatenate([corners[:, 2], layout.extra])
    assert (mesh_vertex[indices] == corners).all()
    middle = slice(len(faces) // 3, 2 * len(faces) // 3)
    assert (layout.indices(middle) == indices[middle]).all()
    return len(mesh_vertex)


def test_a_closed_mesh_needs_no_extra_vertices():
    mesh = sphere(rings=20, sides=40)
    assert check(mesh.faces, len(mesh.vertices)) <= len(mesh.faces) + 2


def test_unused_vertices_are_omitted():
    assert check(np.array([[5, 7, 9]], np.int32), 100) == 3


@given(st.lists(st.tuples(*[st.integers(0, 8)] * 3), min_size=1, max_size=40))
def test_any_faces(faces):
    check(np.array(faces, np.int32), 9)


@pytest.mark.parametrize("count", [1, 2, 1000])
def test_repeated_faces(count):
    check(np.tile(np.array([[0, 1, 2]], np.int32), (count, 1)), 3)
