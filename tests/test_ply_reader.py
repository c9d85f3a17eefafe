"""Reading PLY files: layouts, lists, strips, colors, texture coordinates, damage."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import trimesh
from mesh_files import (
    PRISM_POLYGONS,
    PRISM_VERTICES,
    PRISM_VOLUME,
    TETRA_FACES,
    TETRA_VERTICES,
    TEXTURE,
    ply,
    png,
    put,
    refused,
)

import ddepth_gl as dd
from ddepth_gl.io.meshes.read import load_mesh

CODES = {"uchar": "B", "ushort": "H", "short": "h", "int": "i", "uint": "I", "float": "f",
         "double": "d"}  # fmt: skip
XYZ = [("float", name) for name in "xyz"]
INDICES = ("uchar int", "vertex_indices")
LAYOUTS = ["ascii", "binary_little_endian", "binary_big_endian"]
SQUARE = [(0, 0, 0), (1, 0, 0), (2, 0, 0), (2, 1, 0), (1, 1, 0), (0, 1, 0)]
HALVES = [(0, 1, 4), (0, 4, 5), (1, 2, 3), (1, 3, 4)]


def write(layout, elements, comments=()):
    """Return a PLY.

    Args:
        elements: (name, properties, rows); a property is (type, name), that of a list
            ("count_type item_type", name); in a row, the value of a list is a tuple.
    """
    order = ">" if "big" in layout else "<"
    header = f"ply\nformat {layout} 1.0\n" + "".join(f"comment {c}\n" for c in comments)
    body = b""
    for name, properties, rows in elements:
        header += f"element {name} {len(rows)}\n"
        for kind, prop in properties:
            header += f"property {'list ' * (' ' in kind)}{kind} {prop}\n"
        for row in rows:
            words = []
            for (kind, _), value in zip(properties, row, strict=True):
                if " " in kind:
                    count, item = kind.split()
                    words += [(count, len(value)), *((item, v) for v in value)]
                else:
                    words.append((kind, value))
            if layout == "ascii":
                body += (" ".join(str(v) for _, v in words) + "\n").encode()
            else:
                body += b"".join(struct.pack(order + CODES[k], v) for k, v in words)
    return (header + "end_header\n").encode() + body


def tetra(layout="ascii", face_properties=(), face_rows=None, **more):
    rows = [(tuple(f), *(face_rows[i] if face_rows else ())) for i, f in
            enumerate(TETRA_FACES.tolist())]  # fmt: skip
    vertices = ("vertex", XYZ, TETRA_VERTICES.tolist())
    return write(layout, [vertices, ("face", [INDICES, *face_properties], rows)], **more)


def load(folder, data):
    return load_mesh(put(folder, "a.ply", data))


def is_tetra(mesh):
    np.testing.assert_array_equal(mesh.vertices, TETRA_VERTICES)
    np.testing.assert_array_equal(mesh.faces, TETRA_FACES)
    return True


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_line_ends(tmp_path, layout, end):
    data = tetra(layout, comments=["made by hand"])
    size = data.index(b"end_header\n") + 11
    text = len(data) if layout == "ascii" else size
    data = data[:text].replace(b"\n", end) + data[text:]
    assert is_tetra(load(tmp_path, data))
    # The first byte of the body may look like a line feed.
    vertices = [(2.0, 0, 0), *TETRA_VERTICES.tolist()[1:]]
    if layout == "binary_little_endian":
        moved = write(layout, [("vertex", XYZ, vertices), ("face", [INDICES], [((0, 1, 2),)])])
        moved = moved.replace(b"end_header\n\0\0\0\x40", b"end_header\n\x0a\0\0\x40")
        start = moved.index(b"end_header\n") + 11
        mesh = load(tmp_path, moved[:start].replace(b"\n", end) + moved[start:])
        assert mesh.vertices[0, 0] == np.float32(2.0 + 10 * 2.0**-22)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mixed", [False, True])
def test_properties_lists_and_elements_in_any_order(tmp_path, layout, mixed):
    polygons = [(4, 3, 2, 1, 0), (5, 6, 7, 8, 9), *PRISM_POLYGONS[2:]] if mixed else TETRA_FACES
    vertices = PRISM_VERTICES if mixed else TETRA_VERTICES
    faces = [
        (7, tuple(range(i % 3 if mixed else 2)), tuple(int(v) for v in p), 0.5, (1.0,))
        for i, p in enumerate(polygons)
    ]
    elements = [
        ("material", [("uchar", "kind"), ("uchar int", "links")], [(1, (2, 3)), (4, ())]),
        (
            "face",
            [("uchar", "flags"), ("uint short", "neighbors"), ("int uint", "vertex_index"),
             ("double", "area"), ("uchar float", "weights")],
            faces,
        ),
        ("empty", [("float", "nothing")], []),
        ("vertex", [("double", "z"), ("uchar", "y_flag"), ("float", "x"), ("float", "y")],
         [(z, 9, x, y) for x, y, z in vertices.tolist()]),
        ("edge", [("int", "vertex1"), ("int", "vertex2")], [(0, 1)]),
    ]  # fmt: skip
    mesh = load(tmp_path, write(layout, elements) + b"\n" * (layout == "ascii"))
    np.testing.assert_array_equal(mesh.vertices, vertices)
    assert mesh.is_oriented
    assert mesh.volume == pytest.approx(PRISM_VOLUME if mixed else 1 / 6, rel=1e-6)
    sizes = [len(p) - 2 for p in polygons]
    np.testing.assert_array_equal(mesh.polygon_id, np.repeat(np.arange(len(sizes)), sizes))


@pytest.mark.parametrize("kind", ["uchar uchar", "uchar ushort", "uchar uint", "int float"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_types_of_indices(tmp_path, layout, kind):
    rows = [(tuple(float(v) if "float" in kind else v for v in f),) for f in TETRA_FACES.tolist()]
    vertices = ("vertex", XYZ, TETRA_VERTICES.tolist())
    data = write(layout, [vertices, ("face", [(kind, "vertex_indices")], rows)])
    assert is_tetra(load(tmp_path, data))
    if "float" in kind:
        rows[2] = ((0.0, 1.5, 2.0),)
        data = write(layout, [vertices, ("face", [(kind, "vertex_indices")], rows)])
        refused(put(tmp_path, "a.ply", data), r"face 2 uses vertex 1\.5 of 4 vertices")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["int int", "int uint"])
@pytest.mark.parametrize("rows", [1, 3])
def test_strips(tmp_path, layout, kind, rows):
    end = -1 if kind == "int int" or layout == "ascii" else 2**32 - 1
    strips = [(0, 1, 2, 3, end, 4, 5, 3, end, end, 2, 0, 4, 4, 5)]
    if rows == 3:
        strips = [(0, 1, 2, 3), (4, 5, 3, end), (2, 0, 4, 4, 5)]
    elements = [("vertex", XYZ, SQUARE), ("tristrips", [(kind, "vertex_indices")],
                                          [(s,) for s in strips])]  # fmt: skip
    mesh = load(tmp_path, write(layout, elements))
    np.testing.assert_array_equal(mesh.faces, [(0, 1, 2), (2, 1, 3), (4, 5, 3), (2, 0, 4)])
    elements.append(("face", [INDICES], [((0, 1, 2, 3),)]))
    both = load(tmp_path, write(layout, elements))
    np.testing.assert_array_equal(both.faces[2:], mesh.faces)
    np.testing.assert_array_equal(both.polygon_id, [0, 0, 1, 2, 3, 4])


def color_of(mesh, face):
    (color,) = {tuple(c) for c in mesh.colors[mesh.faces[face]].tolist()}
    return color


@pytest.mark.parametrize(
    ("names", "kind", "scale"),
    [
        (("red", "green", "blue"), "uchar", 1),
        (("red", "green", "blue", "alpha"), "float", 1 / 255),
        (("diffuse_red", "diffuse_green", "diffuse_blue"), "ushort", 257),
        (("r", "g", "b"), "int", 1),
        (("red", "green", "blue"), "float", 1),
    ],
)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("of_faces", [False, True])
def test_colors(tmp_path, layout, names, kind, scale, of_faces):
    colors = np.array([(1, 2, 3, 4), (255, 128, 0, 255), (9, 8, 7, 6), (0, 0, 0, 200)])
    given = colors[:, : len(names)] * scale
    given = [tuple(v if kind == "float" else int(v) for v in row) for row in given.tolist()]
    expected = colors.copy()
    expected[:, len(names) :] = 255
    properties = [(kind, name) for name in names]
    if of_faces:
        mesh = load(tmp_path, tetra(layout, properties, given))
        assert [color_of(mesh, i) for i in range(4)] == [tuple(c) for c in expected.tolist()]
        assert mesh.is_oriented
        np.testing.assert_array_equal(mesh.vertices[mesh.faces], TETRA_VERTICES[TETRA_FACES])
        plain = load_mesh(tmp_path / "a.ply", appearance=False)
        assert is_tetra(plain)
        assert plain.colors is None
        return
    vertices = [(*v, *c) for v, c in zip(TETRA_VERTICES.tolist(), given, strict=True)]
    elements = [("vertex", XYZ + properties, vertices),
                ("face", [INDICES], [(tuple(f),) for f in TETRA_FACES.tolist()])]  # fmt: skip
    mesh = load(tmp_path, write(layout, elements))
    np.testing.assert_array_equal(mesh.colors, expected)


def test_colors_of_vertices_win_over_those_of_faces(tmp_path):
    columns = [("uchar", name) for name in ("red", "green", "blue")]
    elements = [("vertex", XYZ + columns, [(*v, 1, 2, 3) for v in TETRA_VERTICES.tolist()]),
                ("face", [INDICES, *columns], [((0, 1, 2), 9, 9, 9)])]  # fmt: skip
    with pytest.warns(dd.LeftOutWarning, match="face colors"):
        mesh = load(tmp_path, write("ascii", elements))
    assert color_of(mesh, 0) == (1, 2, 3, 255)


@pytest.mark.parametrize("names", ["s t", "u v", "texture_u texture_v", "texture_s texture_t"])
def test_uv_of_vertices(tmp_path, names):
    put(tmp_path, "a b.png", png(TEXTURE))
    uv = np.array([(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)])
    rows = [(*v, *c) for v, c in zip(TETRA_VERTICES.tolist(), uv.tolist(), strict=True)]
    elements = [("vertex", [*XYZ, *(("float", n) for n in names.split())], rows),
                ("face", [INDICES], [(tuple(f),) for f in TETRA_FACES.tolist()])]  # fmt: skip
    data = write("binary_little_endian", elements, ["TextureFile a b.png"])
    mesh = load(tmp_path, data)
    np.testing.assert_array_equal(mesh.uv, uv)
    np.testing.assert_array_equal(mesh.texture[..., :3], TEXTURE)
    theirs = trimesh.load(tmp_path / "a.ply", process=False)
    if names == "s t" and theirs.visual.kind == "texture":
        np.testing.assert_allclose(mesh.uv, theirs.visual.uv)
    plain = load_mesh(tmp_path / "a.ply", appearance=False)
    assert (plain.uv, plain.textures) == (None, ())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_textures_by_number(tmp_path, layout):
    red, blue = (np.full((2, 2, 3), c, np.uint8) for c in ((255, 0, 0), (0, 0, 255)))
    put(tmp_path, "1.png", png(red))
    put(tmp_path, "2.png", png(blue))
    uv = [(0.1, 0.2, 0.3, 0.4, 0.5, 0.6), (), (0.7,) * 6, (0.1, 0.2)]
    rows = [(f, t, n) for f, t, n in zip(HALVES, uv, (0, -1, 1, 5), strict=True)]
    properties = [INDICES, ("uchar float", "texcoord"), ("int", "texnumber")]
    comments = ["TextureFile 1.png", "TextureFile 2.png"]
    data = write(layout, [("vertex", XYZ, SQUARE), ("face", properties, rows)], comments)
    with pytest.warns(dd.LeftOutWarning) as warned:
        mesh = load(tmp_path, data)
    text = str(warned[0].message)
    assert "texture coordinates of 1 face, not two for each corner" in text
    assert "textures of 1 face, which it does not name" in text
    by_polygon = np.argsort(mesh.polygon_id)
    texture_id = mesh.texture_id[by_polygon]
    assert (texture_id[[1, 3]] == -1).all()
    assert mesh.textures[texture_id[0]][0, 0].tolist() == [255, 0, 0, 255]
    assert mesh.textures[texture_id[2]][0, 0].tolist() == [0, 0, 255, 255]
    corners = mesh.faces[by_polygon]
    np.testing.assert_array_equal(mesh.vertices[corners], np.array(SQUARE)[HALVES])
    np.testing.assert_allclose(mesh.uv[corners[0]].ravel(), uv[0])
    np.testing.assert_allclose(mesh.uv[corners[2]].ravel(), uv[2])
    assert len(set(mesh.object_id)) == 1


def test_textures_that_cannot_be_used(tmp_path):
    with pytest.warns(dd.LeftOutWarning, match="textures, because it has no texture coordinates"):
        load(tmp_path, tetra(comments=["TextureFile gone.png"]))
    uv = [((0.5,) * 6,)] * 4
    data = tetra("ascii", [("uchar float", "texcoord")], uv, comments=["TextureFile gone.png"])
    with pytest.warns(dd.LeftOutWarning, match=r"texture gone\.png: file not found"):
        mesh = load(tmp_path, data)
    assert mesh.textures == ()
    np.testing.assert_array_equal(mesh.uv, np.full((4, 2), 0.5))


def test_rows_over_several_lines(tmp_path):
    data = ply()
    start = data.index(b"end_header\n") + 11
    spread = data[:start] + b"\n\n".join(data[start:].split())
    assert is_tetra(load(tmp_path, spread))
    refused(put(tmp_path, "a.ply", spread + b"\n5"), "its rows have 28 numbers and it holds 29")
    refused(put(tmp_path, "a.ply", spread.rsplit(b"\n\n", 1)[0]), "declares|incomplete")
    assert is_tetra(load(tmp_path, data + b"what is this\n"))


def test_faces_that_hold_no_area_or_no_list(tmp_path):
    elements = [("vertex", XYZ, SQUARE), ("face", [INDICES], [((),), ((0,),), ((0, 1, 4),)])]
    for layout in LAYOUTS:
        mesh = load(tmp_path, write(layout, elements))
        np.testing.assert_array_equal(mesh.vertices[mesh.faces], [np.array(SQUARE)[[0, 1, 4]]])
        np.testing.assert_array_equal(mesh.polygon_id, [2])
    elements[1] = ("face", [("int", "material")], [(1,)])
    refused(put(tmp_path, "a.ply", write("ascii", elements)), "no list 'vertex_indices'")
    refused(put(tmp_path, "a.ply", write("ascii", elements[1:])), "no element 'vertex'")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage(tmp_path, layout):
    refused(put(tmp_path, "a.ply", tetra(layout)[:-2]), "cut short|incomplete|declares")
    elements = [("vertex", XYZ, SQUARE), ("face", [INDICES], [((0, 1, 2),), ((0, 1, 2, 7),)])]
    refused(put(tmp_path, "a.ply", write(layout, elements)), "face 1 uses vertex 7 of 6 vertices")
    elements[1] = ("face", [("short int", "vertex_indices")], [((0, 1, 2),), ((0, 1, 2, 3),)])
    data = write(layout, elements)
    if layout != "ascii":
        order = ">" if "big" in layout else "<"
        bad = data.replace(struct.pack(order + "h4i", 4, 0, 1, 2, 3),
                           struct.pack(order + "h4i", -4, 0, 1, 2, 3))  # fmt: skip
        refused(put(tmp_path, "a.ply", bad), "face 1 has a list of -4 items")
        refused(put(tmp_path, "a.ply", data[:-2]), "its face rows end after 1 of 2")
    else:
        refused(put(tmp_path, "a.ply", data.replace(b"4 0 1 2 3", b"-4 0 1 2 3")), "incomplete")
        refused(put(tmp_path, "a.ply", data.replace(b"4 0 1 2 3", b"4 0 x 2 3")), "'x' where a num")
    refused(put(tmp_path, "a.ply", data.replace(b"short int", b"float int")), "makes no sense")
    header = data.replace(b"format " + layout.encode(), b"format none")
    refused(put(tmp_path, "a.ply", header), "format is")


def test_vertices_without_a_face_may_be_anything(tmp_path):
    vertices = [(np.nan,) * 3, *TETRA_VERTICES.tolist(), (np.inf, 0, 1e300)]
    rows = [(tuple(v + 1 for v in f),) for f in TETRA_FACES.tolist()]
    for layout in LAYOUTS:
        kinds = [("double", name) for name in "xyz"]
        elements = [("vertex", kinds, vertices), ("face", [INDICES], rows)]
        assert is_tetra(load(tmp_path, write(layout, elements)))
        elements[1] = ("face", [INDICES], [*rows, ((1, 2, 3, 5),)])
        message = r"face 4 of part 'a' uses vertex 5 = \(inf, 0, 1e\+300\), which is not finite"
        refused(put(tmp_path, "a.ply", write(layout, elements)), message)


def test_trimesh_reads_the_same(tmp_path):
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(50, 3)).astype(np.float32)
    faces = rng.integers(0, 50, (80, 3))
    colors = rng.integers(0, 256, (50, 3))
    for layout in LAYOUTS:
        mesh = load(tmp_path, ply(layout, vertices, faces, colors))
        theirs = trimesh.load(tmp_path / "a.ply", process=False)
        np.testing.assert_array_equal(mesh.vertices, np.asarray(theirs.vertices))
        np.testing.assert_array_equal(mesh.faces, theirs.faces)
        np.testing.assert_array_equal(mesh.colors, theirs.visual.vertex_colors)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_colors_of_different_types(tmp_path, layout):
    colors = [("uchar", "red"), ("uchar", "green"), ("ushort", "blue"), ("float", "alpha")]
    rows = [(*map(float, v), 10, 200, 257 * 30, 0.2) for v in TETRA_VERTICES]
    faces = [(tuple(map(int, f)),) for f in TETRA_FACES]
    elements = [("vertex", XYZ + colors, rows), ("face", [INDICES], faces)]
    mesh = load(tmp_path, write(layout, elements))
    assert {tuple(row) for row in mesh.colors.tolist()} == {(10, 200, 30, 51)}
