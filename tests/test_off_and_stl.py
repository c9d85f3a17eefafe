"""Reading OFF and STL files: dialects, colors, damage."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import trimesh
from mesh_files import (
    PYRAMID_POLYGONS,
    PYRAMID_VERTICES,
    TETRA_FACES,
    TETRA_VERTICES,
    ascii_stl,
    off,
    put,
    refused,
    stl,
)

import ddepth_gl as dd
from ddepth_gl.io.meshes.read import load_mesh

CORNERS = TETRA_VERTICES[TETRA_FACES]
TEXT = off().decode()
ROWS = "0 0 0\n1 0 0\n0 1 0\n0 0 1\n"
FACES = "3 0 2 1\n3 0 1 3\n3 1 2 3\n3 0 3 2\n"


def load(folder, text, suffix="off", **options):
    data = text if isinstance(text, bytes) else text.encode()
    return load_mesh(put(folder, f"a.{suffix}", data), **options)


def is_tetra(mesh):
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], CORNERS)
    return True


def with_columns(*columns):
    """Return the rows of the vertices, with text behind each."""
    return "".join(f"{r} {c}\n" for r, c in zip(ROWS.splitlines(), columns, strict=True))


@pytest.mark.parametrize(
    "text",
    [
        f"OFF\n4 4 6\n{ROWS}{FACES}",
        f"OFF4 4 0\n{ROWS}{FACES}",
        f"OFF 4 4\n{ROWS}{FACES}",
        f"OFF\n4 4\n{ROWS}{FACES}",
        f"OFF\n4\n4\n0\n{ROWS}{FACES}",
        f"# made by hand\n\n \t OFF # here\n\n4 4 0\n\n{ROWS}\n{FACES}".replace("\n", "  # x\n"),
        f"OFF 4 4 0 {ROWS}{FACES}".replace("\n", " "),
        f"OFF\n4 4 0\n{ROWS}{FACES}".replace("\n", "\r\n"),
        f"OFF\n4 4 0\n{ROWS}{FACES}".replace("\n", "\r"),
        f"OFF\n4 4 0\n{ROWS}{FACES}".replace(" ", "\t"),
        f"OFF\n4 4 0\n0 0 0 1 0 0\n0 1\n0 0 0 1\n{FACES}",
        f"OFF\n4 4 0\n{ROWS}3 0 2 1\n3 0\n1 3\n3 1 2\n3\n3 0 3 2",
        f"nOFF\n3\n4 4 0\n{ROWS}{FACES}",
        f"nOFF 3 4 4 0\n{ROWS}{FACES}",
        f"NOFF\n4 4 0\n{with_columns(*['0 0 1'] * 4)}{FACES}",
        "4OFF\n4 4 0\n" + "".join(f"{2 * x} {2 * y} {2 * z} 2\n" for x, y, z in TETRA_VERTICES)
        + FACES,
        "4nOFF\n3\n4 4 0\n" + "".join(f"-{x} -{y} -{z} -1\n" for x, y, z in TETRA_VERTICES)
        + FACES,
    ],
)  # fmt: skip
def test_dialects_of_off(tmp_path, text):
    assert is_tetra(load(tmp_path, text))


def test_everything_that_a_vertex_of_off_can_have(tmp_path):
    columns = [f"0 0 1 0.5 0.25 {i / 4} 1 0.{i} 0.75" for i in range(4)]
    mesh = load(tmp_path, f"STCNOFF\n4 4 0\n{with_columns(*columns)}{FACES}")
    assert is_tetra(mesh)
    expected = [(128, 64, round(255 * i / 4), 255) for i in range(4)]
    np.testing.assert_array_equal(mesh.colors, expected)
    np.testing.assert_allclose(mesh.uv, [(i / 10, 0.75) for i in range(4)], rtol=1e-6)
    plain = load(tmp_path, f"STCNOFF\n4 4 0\n{with_columns(*columns)}{FACES}", appearance=False)
    assert is_tetra(plain)
    assert (plain.colors, plain.uv) == (None, None)


@pytest.mark.parametrize(
    ("columns", "color"),
    [("200 10 60", (200, 10, 60, 255)), ("200 10 60 40", (200, 10, 60, 40)),
     ("1 0 0.5", (255, 0, 128, 255)), ("1 0 0 0.2", (255, 0, 0, 51))],
)  # fmt: skip
@pytest.mark.parametrize("breaks", [False, True])
def test_vertex_colors_of_off(tmp_path, columns, color, breaks):
    text = f"COFF\n4 4 0\n{with_columns(*[columns] * 4)}"
    if breaks:  # without lines, a color has four components
        if len(columns.split()) == 3:
            return
        text = text.replace(" ", "\n")
    mesh = load(tmp_path, text + FACES)
    assert is_tetra(mesh)
    np.testing.assert_array_equal(mesh.colors, [color] * 4)


def test_face_colors_of_off(tmp_path):
    faces = "3 0 2 1 220 20 20\n3 0 1 3\n3 1 2\n3 0 0 255 64\n3 0 3 2\n"
    mesh = load(tmp_path, f"OFF\n4 4 0\n{ROWS}{faces}")
    assert is_tetra(mesh)
    colors = [{tuple(c) for c in mesh.colors[f].tolist()} for f in mesh.faces]
    white = {(255, 255, 255, 255)}
    assert colors == [{(220, 20, 20, 255)}, white, {(0, 0, 255, 64)}, white]
    fractions = load(tmp_path, f"OFF\n4 1 0\n{ROWS}3 0 1 2 0.2 1 0\n")
    assert {tuple(c) for c in fractions.colors.tolist()} == {(51, 255, 0, 255)}
    with pytest.warns(dd.LeftOutWarning, match="colors of 2 faces, which are of a color map"):
        mesh = load(tmp_path, f"OFF\n4 2 0\n{ROWS}3 0 1 2 5\n3 0 1 2 7\n")
    assert mesh.colors is None
    with pytest.warns(dd.LeftOutWarning, match="face colors"):
        mesh = load(tmp_path, f"COFF\n4 1 0\n{with_columns(*['9 9 9 255'] * 4)}3 0 1 2 50 60 70\n")
    assert {tuple(c) for c in mesh.colors.tolist()} == {(9, 9, 9, 255)}
    with pytest.warns(dd.LeftOutWarning, match="vertex colors that are indices"):
        load(tmp_path, f"COFF\n4 4 0\n{with_columns(*'1234')}{FACES}")


def binary_off(prefix="", width=3, face_colors=(), polygons=PYRAMID_POLYGONS):
    rows = np.zeros((5, width), ">f4")
    rows[:, :3] = PYRAMID_VERTICES
    rows[:, 3:] = np.linspace(0, 1, 5)[:, None]
    data = f"{prefix}OFF BINARY\n".encode() + struct.pack(">3i", 5, len(polygons), 0)
    data += rows.tobytes()
    for i, polygon in enumerate(polygons):
        color = face_colors[i] if face_colors else ()
        data += struct.pack(f">{len(polygon) + 1}i", len(polygon), *polygon)
        data += struct.pack(f">i{len(color)}f", len(color), *color)
    return data


def test_binary_off(tmp_path):
    mesh = load(tmp_path, binary_off())
    np.testing.assert_array_equal(mesh.vertices, PYRAMID_VERTICES)
    assert mesh.is_oriented
    assert mesh.volume == pytest.approx(4 / 3)
    np.testing.assert_array_equal(mesh.polygon_id, [0, 0, 1, 2, 3, 4])
    mesh = load(tmp_path, binary_off("STCN", 12))
    np.testing.assert_array_equal(mesh.colors[:, 0], np.rint(np.linspace(0, 1, 5) * 255))
    np.testing.assert_allclose(mesh.uv[:, 1], np.linspace(0, 1, 5))
    colors = [(1, 0, 0), (0, 1, 0, 0.2), (), (), ()]
    mesh = load(tmp_path, binary_off(face_colors=colors))
    found = [tuple(mesh.colors[f[0]].tolist()) for f in mesh.faces]
    assert found[1:4] == [(255, 0, 0, 255), (0, 255, 0, 51), (255,) * 4]
    data = binary_off()
    for size in range(12, len(data), 9):
        refused(put(tmp_path, "a.off", data[:size]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("OFFSET\n4 4 0\n", "does not begin with OFF"),
        ("OFF\n", "no vertex and face counts"),
        ("OFF\n4.5 4 0\n" + ROWS + FACES, "no vertex and face counts"),
        ("OFF\nnan 4 0\n" + ROWS + FACES, "no vertex and face counts"),
        (f"OFF\n4 4 0\n{ROWS}{FACES[:-2]}", "faces end early"),
        (f"OFF\n4 4 0\n{ROWS}{FACES[:-8]}", "faces end early"),
        (f"OFF\n4 40 0\n{ROWS}{FACES}", "declares 4 vertices and 40 faces but holds 28"),
        (f"NOFF\n9 0 0\n{ROWS}{FACES}", "vertices end early"),
        (f"OFF\n4 4 0\n{ROWS}{FACES}".replace("3 1 2 3", "3 1 2 x"), "'x' where a number"),
        (f"OFF\n4 4 0\n{ROWS}{FACES}".replace("3 1 2 3", "-3 1 2 3"), "faces end early"),
        (f"OFF\n4 4 0\n{ROWS}{FACES}".replace("3 1 2 3", "3 1 2 4"), "face 2 uses vertex 4 of"),
        (f"OFF\n4 4 0\n{ROWS}{FACES}".replace("3 1 2 3", "3 1 2 2.5"), r"face 2 uses vertex 2\.5"),
        (f"4OFF\n4 4 0\n{with_columns(*'1011')}{FACES}", "not finite"),
        (f"nOFF\n4\n4 4 0\n{ROWS}{FACES}", "dimension 4, not 3"),
        ("OFF BINARY\n\0\0\0\1", "ends in its header"),
    ],
)
def test_damaged_off(tmp_path, text, message):
    refused(put(tmp_path, "a.off", text.encode()), message)


def test_trimesh_reads_the_same_off(tmp_path):
    rng = np.random.default_rng(1)
    vertices, faces = rng.normal(size=(30, 3)), rng.integers(0, 30, (60, 3))
    mesh = load(tmp_path, off(vertices, faces))
    theirs = trimesh.load(tmp_path / "a.off", process=False)
    np.testing.assert_array_equal(mesh.vertices, theirs.vertices)
    np.testing.assert_array_equal(mesh.faces, theirs.faces)


STL = ascii_stl().decode()


@pytest.mark.parametrize(
    "text",
    [
        STL,
        STL.upper(),
        STL.replace("\n", "\r"),
        STL.replace("\n", "\r\n"),
        STL.replace("\n", " "),
        STL.replace("\n", " ").rstrip() + "\n",
        STL.replace("normal 0 0 0", "normal nan NaN -inf"),
        STL.replace("normal 0 0 0", "normal -1.#IND 0 0"),
        STL.replace("normal 0 0 0", "normal 1e+00 -0.0E-03 +.5"),
        STL.replace(" normal 0 0 0", ""),
        STL.replace("0.0 ", "0.0e+00 ").replace("1.0 ", "\t1E0  "),
        STL.replace("part", "part 2 of 3"),
        STL.replace("part", ""),
        STL.replace("endsolid part", "endsolid"),
        STL.replace("\nfacet", "\n \t facet").replace("vertex", "\n\nvertex"),
    ],
)
def test_dialects_of_ascii_stl(tmp_path, text):
    mesh = load(tmp_path, text, "stl")
    assert is_tetra(mesh)
    assert mesh.is_oriented
    named = not text.startswith(("solid\n", "solid \n"))
    name = "PART" if text.isupper() else "part 2 of 3" if "2 of" in text else "part"
    assert mesh.object_names == ((name if named else "a"),)


def test_solids_are_objects(tmp_path):
    text = ascii_stl(("solid one", "", "solid one")).decode()
    mesh = load(tmp_path, text, "stl")
    assert mesh.object_names == ("solid one", "a", "solid one")
    np.testing.assert_array_equal(mesh.object_id, np.repeat([0, 1, 2], 4))
    np.testing.assert_array_equal(mesh.vertices[mesh.faces[4:8]], CORNERS + np.float32([5, 0, 0]))
    one_line = load(tmp_path, ascii_stl(("one", "two")).decode().replace("\n", " "), "stl")
    assert one_line.object_names == ("one", "two")
    with_empty = load(tmp_path, "solid nothing\nendsolid nothing\n" + STL, "stl")
    assert with_empty.object_names == ("part",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (STL.replace("endsolid part", ""), "does not end"),
        (STL.replace("vertex 0.0 0.0 1.0", "vertex 0.0 0.0", 1), "'endloop' where a number"),
        (STL.replace("vertex 0.0 0.0 1.0", "vertex 0.0 0.0 x", 1), "'x' where a number"),
        (STL.replace("vertex 0.0 0.0 1.0\n", "", 1), "11 corners in 4 facets"),
        (STL.replace("0.0 0.0 1.0", "0.0 0.0 nan"), "not finite"),
        (STL.replace("0.0 0.0 1.0", "0.0 0.0 1e39"), "not finite"),
        ("solid a\nfacet\nendsolid a\n", "no faces"),
    ],
)
def test_damaged_ascii_stl(tmp_path, text, message):
    refused(put(tmp_path, "a.stl", text.encode()), message)


@pytest.mark.parametrize("header", [b"made by hand", b"solid by a CAD program", b"solid facet"])
@pytest.mark.parametrize("rest", [b"", b"\0", b"xx", b"solid facet endsolid", bytes(49)])
def test_bytes_behind_a_binary_stl(tmp_path, header, rest):
    data = header.ljust(80) + stl()[80:]
    rows = np.frombuffer(data[84:], np.uint8).reshape(4, 50).copy()
    rows[:, 48:] = 255  # attribute bytes
    assert is_tetra(load(tmp_path, data[:84] + rows.tobytes() + rest, "stl"))
    refused(put(tmp_path, "a.stl", data[:-1]))


def test_triangles_behind_a_binary_stl_are_told(tmp_path):
    data = stl()
    with pytest.warns(dd.LeftOutWarning, match="50 bytes behind the 3 triangles"):
        mesh = load(tmp_path, data[:80] + struct.pack("<I", 3) + data[84:], "stl")
    assert len(mesh.faces) == 3


def test_trimesh_reads_the_same_stl(tmp_path):
    rng = np.random.default_rng(2)
    vertices, faces = rng.normal(size=(30, 3)).astype(np.float32), rng.integers(0, 30, (60, 3))
    for data in (stl(vertices, faces), ascii_stl(("a",), vertices, faces)):
        mesh = load(tmp_path, data, "stl")
        theirs = trimesh.load(tmp_path / "a.stl", process=False)
        # In text, trimesh rounds to float32.
        np.testing.assert_allclose(
            mesh.vertices[mesh.faces], theirs.vertices[theirs.faces], rtol=1e-6
        )


# Files without triangles


@pytest.mark.parametrize(
    "data",
    [
        bytes(84),
        b"solid exporter".ljust(80) + bytes(4) + bytes(10),
        b"solid a\nendsolid a\n",
        b"solid\nendsolid",
        b"SOLID A\r\nENDSOLID\r\n",
        b"solid " + b"a" * 100 + b"\nendsolid\n",
    ],
)
def test_an_stl_without_triangles(tmp_path, data):
    refused(put(tmp_path, "a.stl", data), ": it holds no faces")


@pytest.mark.parametrize("data", [b"solid a\n", bytes(83), bytes(84 + 50), b"hello\nendsolid\n"])
def test_what_is_no_empty_stl(tmp_path, data):
    refused(put(tmp_path, "a.stl", data), "neither ASCII nor binary STL")


@pytest.mark.filterwarnings("ignore::ddepth_gl.errors.LeftOutWarning")
def test_off_with_further_numbers_or_in_lower_case(tmp_path):
    mesh = load(tmp_path, f"off\n4 4 0\n{with_columns('9 0 0', '9 0 0', '9 0 0', '9 0 0')}{FACES}")
    assert is_tetra(mesh)
    assert mesh.report().left_out == ("3 numbers of each vertex, which OFF does not define",)
    mesh = load(tmp_path, f"OFF\n4 3 0\n{ROWS}{FACES}")
    assert len(mesh.faces) == 3
    assert mesh.report().left_out == ("4 numbers behind the 3 faces that it declares",)


@pytest.mark.parametrize(
    "text",
    [
        f"OFF\n4 4 0\n{ROWS}3 0 2 1 3 0 1 3\n3 1 2 3 3 0 3 2\n0 1\n0 2\n",
        f"OFF\n4 4 0\n{with_columns('', '255 0 0', '', '')}{FACES}",
        f"OFF\n4 4 0\n{ROWS}{FACES}".replace("3 0 2 1", "3 0 2 1 7 7"),
    ],
)
def test_off_whose_numbers_do_not_fit(tmp_path, text):
    refused(put(tmp_path, "a.off", text.encode()), "not fit 4 faces|have 3 to 6 numbers")


def test_names_of_solids_hold_keywords(tmp_path):
    facet = ascii_stl().decode().split("\n", 1)[1].rsplit("endsolid", 1)[0]
    text = f"solid endsolid solid\n{facet}endsolid endsolid solid\n"
    mesh = load(tmp_path, text + f"solid a endsolid a\nsolid facet\n{facet}endsolid\n", "stl")
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], np.concatenate((CORNERS, CORNERS)))
    assert mesh.object_names == ("endsolid solid", "facet")
