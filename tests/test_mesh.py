import copy
import pickle

import numpy as np
import pytest

from ddepth_gl.errors import MeshError
from ddepth_gl.mesh.mesh import Mesh

CUBE_VERTICES = np.array([(x, y, z) for z in (0, 1) for y in (0, 1) for x in (0, 1)], np.float64)
CUBE_FACES = np.array(
    [
        *[(0, 2, 3), (0, 3, 1), (4, 5, 7), (4, 7, 6), (0, 1, 5), (0, 5, 4)],
        *[(2, 6, 7), (2, 7, 3), (0, 4, 6), (0, 6, 2), (1, 3, 7), (1, 7, 5)],
    ]
)
TRIANGLE = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0)], np.float64)
ONE_FACE = [[0, 1, 2]]


def cube(**kwargs):
    return Mesh(CUBE_VERTICES, CUBE_FACES, **kwargs)


class Arraylike:
    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)


class Failing:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("still\non the device")


def check_one_line(error):
    message = str(error.value)
    assert message.isprintable()
    assert 20 < len(message) < 300
    assert ";" in message  # separates what is wrong from what to do


# Construction


@pytest.mark.parametrize("convert", [np.asarray, np.ndarray.tolist, Arraylike, np.asfortranarray])
def test_accepts_anything_like_an_array(convert):
    mesh = Mesh(convert(CUBE_VERTICES), convert(CUBE_FACES))
    assert mesh.vertices.dtype == np.float64
    assert mesh.faces.dtype == np.int32
    np.testing.assert_array_equal(mesh.vertices, CUBE_VERTICES)
    np.testing.assert_array_equal(mesh.faces, CUBE_FACES)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int64, np.uint64])
def test_accepts_every_integer_type_of_faces(dtype):
    assert Mesh(CUBE_VERTICES.astype(np.float32), CUBE_FACES.astype(dtype)).faces.dtype == np.int32


def test_arrays_are_private_contiguous_and_read_only():
    vertices, faces, uv = (
        CUBE_VERTICES.copy(),
        CUBE_FACES.astype(np.int32),
        np.zeros((8, 2), np.float32),
    )
    colors, texture = np.zeros((8, 4), np.uint8), np.zeros((2, 3, 4), np.uint8)
    ids = np.zeros(12, np.int32)
    mesh = Mesh(
        vertices, faces, uv=uv, colors=colors, texture=texture, texture_id=ids, object_id=ids
    )
    given = (vertices, faces, uv, colors, texture, ids, ids)
    kept = (
        mesh.vertices,
        mesh.faces,
        mesh.uv,
        mesh.colors,
        mesh.texture,
        mesh.texture_id,
        mesh.object_id,
    )
    for a, b in zip(given, kept, strict=True):
        assert not np.shares_memory(a, b)
        assert b.flags.c_contiguous
        assert not b.flags.writeable
    for array in (*kept, mesh.bounds):
        with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
            array.flags.writeable = True
    with pytest.raises(ValueError, match="read-only"):
        mesh.vertices[0] = 5


def test_attributes_cannot_be_set_or_deleted():
    mesh = cube()
    with pytest.raises(AttributeError, match="cannot be changed"):
        mesh.vertices = CUBE_VERTICES
    with pytest.raises(AttributeError, match="cannot be changed"):
        mesh.anything = 1
    with pytest.raises(AttributeError, match="cannot be changed"):
        del mesh.faces


def test_defaults():
    mesh = cube()
    assert mesh.uv is None
    assert mesh.colors is None
    assert mesh.textures == ()
    assert mesh.texture is None
    assert mesh.object_names == ()
    np.testing.assert_array_equal(mesh.texture_id, np.full(12, -1))
    np.testing.assert_array_equal(mesh.object_id, np.zeros(12))
    assert mesh.texture_id.dtype == mesh.object_id.dtype == np.int32


@pytest.mark.parametrize(
    "clone", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_copies_and_pickles_stay_read_only(clone):
    mesh = clone(
        cube(uv=np.zeros((8, 2)), texture=np.zeros((1, 1), np.uint8), object_names=["a"], name="n")
    )
    np.testing.assert_array_equal(mesh.vertices, CUBE_VERTICES)
    assert (mesh.name, mesh.object_names, len(mesh.textures)) == ("n", ("a",), 1)
    with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
        mesh.vertices.flags.writeable = True


def test_repr_shows_closed_once_it_is_computed():
    mesh = cube(name="box")
    assert repr(mesh) == "Mesh('box', 8 vertices, 12 faces, closed=unknown)"
    assert mesh.is_closed
    assert repr(mesh) == "Mesh('box', 8 vertices, 12 faces, closed=True)"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (np.full((8, 3), 7, np.uint8), [7, 7, 7, 255]),
        (np.full((8, 4), 7, np.uint8), [7, 7, 7, 7]),
        ([[1, 2, 255]] * 8, [1, 2, 255, 255]),
        (np.full((8, 3), 0.5), [128, 128, 128, 255]),
        (np.full((8, 4), 1.0, np.float32), [255, 255, 255, 255]),
    ],
)
def test_colors(given, wanted):
    colors = cube(colors=given).colors
    assert colors.dtype == np.uint8
    np.testing.assert_array_equal(colors, [wanted] * 8)


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [((2, 3), [9, 9, 9, 255]), ((2, 3, 1), [9, 9, 9, 255]), ((2, 3, 3), [9, 9, 9, 255])],
)
def test_textures_become_rgba(shape, wanted):
    mesh = cube(uv=np.zeros((8, 2)), texture=np.full(shape, 9, np.uint8))
    np.testing.assert_array_equal(mesh.texture, np.broadcast_to(wanted, (2, 3, 4)))
    np.testing.assert_array_equal(mesh.texture_id, np.zeros(12))


def test_several_textures():
    textures = [np.zeros((1, 1), np.uint8), np.ones((2, 2, 4), np.uint8)]
    mesh = cube(uv=np.zeros((8, 2)), texture=textures, texture_id=[-1, 0, 1] * 4)
    assert [t.shape for t in mesh.textures] == [(1, 1, 4), (2, 2, 4)]
    np.testing.assert_array_equal(mesh.texture_id, [-1, 0, 1] * 4)


# Refusals

UV = np.zeros((8, 2))
TEXTURE = np.zeros((1, 1), np.uint8)


def changed(array, index, value):
    array = np.array(array)
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], CUBE_FACES), "no vertices"),
        ((np.zeros((0, 3)), CUBE_FACES), "no vertices"),
        ((np.zeros((8, 2)), CUBE_FACES), r"shape \(8, 2\), expected \(V, 3\)"),
        ((np.zeros(9), CUBE_FACES), r"shape \(9,\)"),
        ((CUBE_VERTICES.astype(complex), CUBE_FACES), "complex128"),
        ((CUBE_VERTICES.astype(bool), CUBE_FACES), "bool"),
        ((CUBE_VERTICES.astype(object), CUBE_FACES), "object"),
        (([["a", "b", "c"]], CUBE_FACES), "vertices must hold numbers"),
        (([[1, 2, 3], [1, 2]], CUBE_FACES), "cannot be read as an array"),
        ((Failing(), CUBE_FACES), "still on the device"),
        (
            (np.broadcast_to(np.zeros(3), (2**31, 3)), CUBE_FACES),
            "2147483648 vertices are too many",
        ),
        ((CUBE_VERTICES, []), "no faces"),
        ((CUBE_VERTICES, np.zeros((0, 3), int)), "no faces"),
        (
            (CUBE_VERTICES, CUBE_FACES.astype(float)),
            "faces must hold integers, not float64",
        ),
        ((CUBE_VERTICES, CUBE_FACES.astype(bool)), "faces must hold integers, not bool"),
        ((CUBE_VERTICES, CUBE_FACES.astype(object)), "faces must hold integers, not object"),
        ((CUBE_VERTICES, [[0, 1, 2, 3]]), r"shape \(1, 4\).*triangulate"),
        ((CUBE_VERTICES, [0, 1, 2]), r"shape \(3,\)"),
        (
            (CUBE_VERTICES, changed(CUBE_FACES, (3, 1), 8)),
            r"first is face 3 = \(4, 8, 6\) with 8 vertices",
        ),
        (
            (CUBE_VERTICES, changed(CUBE_FACES, (4, 0), -1)),
            r"1 of 12 .*first is face 4 = \(-1, 1, 5\)",
        ),
        ((CUBE_VERTICES, np.uint64([[0, 1, 2**64 - 1]])), "first is face 0"),
        ((CUBE_VERTICES, [[0, 1, 2**32]]), "first is face 0"),
        ((CUBE_VERTICES, [[0, 1, 1], [2, 2, 3]]), "all 2 faces are degenerate"),
        (([[0, 0, 0], [1, 1, 1], [2, 2, 2]], ONE_FACE), "its only face is degenerate"),
        ((np.ones((8, 3)), CUBE_FACES), "all 12 faces are degenerate"),
        (
            (changed(CUBE_VERTICES, (5, 1), np.nan), CUBE_FACES),
            r"1 of 8 .*vertex 5 = \(1, nan, 1\)",
        ),
        ((changed(CUBE_VERTICES, (5, 1), -np.inf), CUBE_FACES), "vertex 5"),
        ((changed(CUBE_VERTICES, (5, 1), 1e39), CUBE_FACES), r"vertex 5 = \(1, 1e\+39, 1\)"),
        ((TRIANGLE * 5e38 - 2e38, ONE_FACE), "more than float32"),
    ],
)
def test_refuses_bad_geometry(arguments, message):
    with pytest.raises(MeshError, match=message) as error:
        Mesh(*arguments)
    check_one_line(error)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"uv": np.zeros((7, 2))}, r"uv has shape \(7, 2\), expected \(8, 2\)"),
        ({"uv": np.zeros((8, 3))}, "uv has shape"),
        ({"uv": changed(UV, (3, 0), np.nan)}, "the first is vertex 3"),
        ({"uv": changed(UV, (3, 0), 1e39)}, "the first is vertex 3"),
        ({"uv": UV.astype(str)}, "uv must hold numbers"),
        ({"colors": np.zeros((7, 3), np.uint8)}, "colors has shape"),
        ({"colors": np.zeros((8, 2), np.uint8)}, "colors has shape"),
        ({"colors": np.full((8, 3), 1.5)}, r"0\.\.1;"),
        ({"colors": np.full((8, 3), np.nan)}, r"0\.\.1;"),
        ({"colors": np.full((8, 3), 256)}, r"0\.\.255;"),
        ({"colors": np.full((8, 3), -1)}, r"0\.\.255;"),
        ({"colors": np.full((8, 3), True)}, "bool"),
        ({"texture": TEXTURE}, "without uv"),
        ({"uv": UV, "texture": np.zeros((2, 2, 2), np.uint8)}, "texture has shape"),
        ({"uv": UV, "texture": np.zeros((2, 2))}, "float64"),
        ({"uv": UV, "texture": np.zeros((0, 2), np.uint8)}, "texture has shape"),
        ({"uv": UV, "texture": [TEXTURE, TEXTURE]}, "2 textures were given without texture_id"),
        ({"uv": UV, "texture_id": np.zeros(12, int)}, "without a texture"),
        ({"uv": UV, "texture": TEXTURE, "texture_id": np.zeros(11, int)}, "texture_id has shape"),
        (
            {"uv": UV, "texture": TEXTURE, "texture_id": np.ones(12, int)},
            "from 1 to 1, expected -1 to 0",
        ),
        ({"uv": UV, "texture": TEXTURE, "texture_id": np.full(12, -2)}, "from -2 to -2"),
        (
            {"uv": UV, "texture": TEXTURE, "texture_id": np.zeros(12)},
            "must hold integers, not float64",
        ),
        ({"object_id": np.zeros(11, int)}, "object_id has shape"),
        ({"object_id": np.full(12, -1)}, "object_id goes from -1"),
        ({"object_id": np.full(12, 2**31)}, "object_id goes from"),
        ({"object_id": np.full(12, 2), "object_names": ("a", "b")}, "expected 0 to 1"),
        ({"object_names": "abc"}, "sequence of strings"),
        ({"object_names": (1,)}, "sequence of strings"),
    ],
)
def test_refuses_bad_attributes(attributes, message):
    with pytest.raises(MeshError, match=message) as error:
        cube(**attributes)
    check_one_line(error)


def test_errors_are_value_errors():
    with pytest.raises(ValueError, match="no faces"):
        Mesh(CUBE_VERTICES, [])


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("offset", [0.0, 5e6])
def test_any_scale_and_offset_that_float32_can_hold(scale, offset):
    mesh = Mesh((CUBE_VERTICES + offset) * scale, CUBE_FACES)
    assert mesh.is_closed
    assert mesh.is_oriented
    assert mesh.volume == pytest.approx(scale**3, rel=1e-6)
    np.testing.assert_allclose(np.linalg.norm(mesh.face_normals(), axis=1), 1.0)


# Geometry


def test_bounds():
    mesh = Mesh(CUBE_VERTICES * (1, 2, 3) - 5, CUBE_FACES)
    np.testing.assert_array_equal(mesh.bounds, [(-5, -5, -5), (-4, -3, -2)])
    assert mesh.bounds.dtype == np.float64


def test_cube_is_closed_and_oriented():
    mesh = cube()
    assert mesh.is_closed is True
    assert mesh.is_oriented is True
    assert mesh.volume == pytest.approx(1.0)


def test_seams_do_not_open_a_mesh_and_minus_zero_is_zero():
    vertices = CUBE_VERTICES[CUBE_FACES].reshape(-1, 3)
    vertices[::2] = np.where(vertices[::2] == 0, -0.0, vertices[::2])
    mesh = Mesh(vertices, np.arange(36).reshape(-1, 3))
    assert mesh.is_oriented
    assert not Mesh(changed(vertices, (0, 0), 1e-9), np.arange(36).reshape(-1, 3)).is_closed


def test_degenerate_faces_are_ignored():
    faces = np.concatenate((CUBE_FACES, [(0, 0, 1), (3, 3, 3)]))
    assert Mesh(CUBE_VERTICES, faces).is_oriented
    # Two indices with the same position
    vertices = np.concatenate((CUBE_VERTICES, CUBE_VERTICES[:1]))
    assert Mesh(vertices, np.concatenate((CUBE_FACES, [(0, 8, 1)]))).is_oriented


@pytest.mark.parametrize(
    ("faces", "closed", "oriented"),
    [
        (CUBE_FACES[:-1], False, False),
        (CUBE_FACES[:, ::-1], True, False),  # inside out
        (np.concatenate((CUBE_FACES[:5, ::-1], CUBE_FACES[5:])), True, False),  # mixed winding
        (np.concatenate((CUBE_FACES, CUBE_FACES)), True, True),  # every face twice: still balanced
        (np.concatenate((CUBE_FACES, CUBE_FACES[:1])), False, False),  # one face twice
        (
            np.concatenate((CUBE_FACES, CUBE_FACES[:1], CUBE_FACES[:1, ::-1])),
            True,
            True,
        ),  # one face doubled by its back
        ([(0, 1, 2), (0, 1, 2)], True, False),  # a face twice, same winding
        ([(0, 1, 2), (0, 2, 1)], True, False),  # a face and its back: no volume
    ],
)
def test_closed_and_oriented(faces, closed, oriented):
    mesh = Mesh(CUBE_VERTICES, faces)
    assert (mesh.is_closed, mesh.is_oriented) == (closed, oriented)


def test_four_faces_on_one_edge_are_closed():
    faces = np.concatenate((CUBE_FACES, CUBE_FACES + 8))
    beside = CUBE_VERTICES + np.array((1, 1, 0))
    assert Mesh(np.concatenate((CUBE_VERTICES, beside)), faces).is_oriented


def test_face_normals():
    normals = cube().face_normals()
    assert normals.shape == (12, 3)
    outward = CUBE_VERTICES[CUBE_FACES].mean(axis=1) - 0.5
    assert (np.einsum("ij,ij->i", normals, outward) > 0).all()
    mesh = Mesh(TRIANGLE, [(0, 1, 2), (0, 0, 1)])
    np.testing.assert_array_equal(mesh.face_normals(), [(0, 0, 1), (0, 0, 0)])


def test_transformed():
    matrix = np.diag((2.0, 3.0, 4.0, 1.0))
    matrix[:3, 3] = (5, 6, 7)
    mesh = cube(
        uv=UV, texture=TEXTURE, colors=np.zeros((8, 4), np.uint8), object_id=np.arange(12), name="n"
    )
    moved = mesh.transformed(matrix)
    np.testing.assert_array_equal(moved.bounds, [(5, 6, 7), (7, 9, 11)])
    np.testing.assert_array_equal(moved.faces, mesh.faces)
    np.testing.assert_array_equal(moved.object_id, np.arange(12))
    assert moved.texture is not None
    assert moved.name == "n"
    assert moved.volume == pytest.approx(24.0)


def test_mirroring_keeps_faces_wound_outward():
    moved = cube(uv=UV).transformed(np.diag((-1.0, 1.0, 1.0, 1.0)))
    assert moved.is_oriented
    assert moved.volume == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.eye(3), "not affine"),
        (np.full((4, 4), np.nan), "not affine"),
        (np.diag((1, 1, 1, 2)), "not affine"),
        (np.diag((1, 1, 0, 1)), "not invertible"),
        (np.diag((1e39, 1, 1, 1)), "not finite in float32"),
        (np.eye(4).astype(str), "matrix must hold numbers"),
    ],
)
def test_refuses_matrices(matrix, message):
    with pytest.raises(MeshError, match=message) as error:
        cube().transformed(matrix)
    check_one_line(error)


def test_topology_of_a_large_mesh():
    n = 400
    row, column = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    a, b = (2 * np.pi * k / n for k in (row.ravel(), column.ravel()))
    vertices = np.stack(
        ((3 + np.cos(b)) * np.cos(a), (3 + np.cos(b)) * np.sin(a), np.sin(b)), axis=1
    )
    index = row * n + column
    right, down = np.roll(index, -1, 0), np.roll(index, -1, 1)
    across = np.roll(right, -1, 1)
    quads = np.stack((index, right, across, down), axis=-1).reshape(-1, 4)
    mesh = Mesh(vertices, np.concatenate((quads[:, [0, 1, 2]], quads[:, [0, 2, 3]])))
    assert len(mesh.faces) == 320_000
    assert mesh.is_oriented
    assert mesh.volume == pytest.approx(2 * np.pi**2 * 3, rel=1e-3)


def test_vertices_that_no_face_uses_do_not_count():
    corners = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1e9, 0, 0]]
    mesh = Mesh(corners, [[0, 1, 2]])
    assert mesh.bounds.tolist() == [[0, 0, 0], [1, 1, 0]]
    assert len(mesh.vertices) == 4


@pytest.mark.parametrize("size", [1e-300, 1e-42])
def test_a_mesh_too_small_for_float32_is_refused(size):
    with pytest.raises(MeshError, match="scale it up"):
        Mesh(np.eye(3) * size, [[0, 1, 2]])
