"""OBJ files: every form of the text against arrays by hand, and trimesh as a second reader."""

import io
from pathlib import Path

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
    obj,
    png,
    put,
    refused,
)
from meshes import REAL, good

import ddepth_gl as dd
from ddepth_gl.io.meshes.obj import lines as obj_lines
from ddepth_gl.io.meshes.read import load_mesh

TETRA = obj().decode()
VERTICES = "".join(f"v {x} {y} {z}\n" for x, y, z in TETRA_VERTICES)


def loaded(tmp_path: Path, text: str, encoding: str = "utf-8", **options) -> dd.Mesh:
    return load_mesh(put(tmp_path, "a.obj", text.encode(encoding)), **options)


def corners(mesh: dd.Mesh) -> np.ndarray:
    return mesh.vertices[mesh.faces]


def check_tetra(mesh: dd.Mesh) -> None:
    np.testing.assert_array_equal(corners(mesh), TETRA_VERTICES[TETRA_FACES])


# Polygons


def prism_text(outline, height: float = 1.0) -> str:
    """Return a prism as an OBJ, its polygons counted: both caps, and quads around."""
    count = len(outline)
    text = "".join(f"v {x} {y} {z}\n" for z in (0, height) for x, y in outline)
    text += "f " + " ".join(str(i + 1) for i in reversed(range(count))) + "\n"
    text += "f " + " ".join(str(count + i + 1) for i in range(count)) + "\n"
    for i in range(count):
        j = (i + 1) % count
        text += f"f {i + 1} {j + 1} {count + j + 1} {count + i + 1}\n"
    return text


def test_concave_polygons_and_their_ids(tmp_path):
    outline = [(3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3), (0, 0), (3, 0)]  # a U of area 7
    mesh = loaded(tmp_path, prism_text(outline, 2.0))
    assert mesh.is_oriented
    assert mesh.volume == pytest.approx(14.0)
    areas = np.linalg.norm(
        np.cross(
            corners(mesh)[:, 1] - corners(mesh)[:, 0], corners(mesh)[:, 2] - corners(mesh)[:, 0]
        ),
        axis=1,
    )
    assert areas.sum() / 2 == pytest.approx(2 * 7 + 2 * 16)
    np.testing.assert_array_equal(mesh.polygon_id, np.repeat(np.arange(10), [6, 6, *[2] * 8]))


@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
def test_polygon_ids_count_every_face_line(tmp_path):
    text = VERTICES + "f 1 3 2\nf 1 2\nf 1 2 4\nl 1 2\nf 2 3 4\nf 1 4 3\n"
    mesh = loaded(tmp_path, text)
    check_tetra(mesh)
    np.testing.assert_array_equal(mesh.polygon_id, [0, 2, 3, 4])
    assert mesh.report().left_out == ("lines: 1", "1 face with fewer than 3 corners")


# Objects and materials


def two_boxes(names=("left", "right"), materials=(None, None)) -> str:
    text = ""
    for i, (name, material) in enumerate(zip(names, materials, strict=True)):
        text += f"o {name}\n" if name else ""
        text += f"usemtl {material}\n" if material else ""
        text += obj(TETRA_VERTICES + 3 * i, TETRA_FACES + 4 * i).decode()
    return text


def test_objects_in_file_order(tmp_path):
    mesh = loaded(tmp_path, two_boxes() + two_boxes().replace("o right", "o left"))
    assert mesh.object_names == ("left", "right")
    # Faces of a name that comes again belong to the first object of that name.
    np.testing.assert_array_equal(mesh.object_id, [0] * 4 + [0] * 8 + [1] * 4)
    np.testing.assert_array_equal(mesh.polygon_id, [*range(4), *range(8, 16), *range(4, 8)])


@pytest.mark.parametrize("names", [("a", "b"), (None, None), ("a", "a")])
@pytest.mark.parametrize("materials", [("red", "blue"), ("red", "red"), (None, None)])
def test_names_of_objects_are_those_of_trimesh(tmp_path, names, materials):
    text = "mtllib a.mtl\n" + two_boxes(names, materials)
    library = "newmtl red\nKd 1 0 0\n" + ("newmtl blue\nKd 0 0 1\n" if "blue" in materials else "")
    put(tmp_path, "a.mtl", library.encode())
    mesh = loaded(tmp_path, text)
    scene = trimesh.load_scene(
        str(tmp_path / "a.obj"), process=False, split_objects=True, maintain_order=True
    )
    wanted = {("a" if name == "a.obj" else name): g.triangles for name, g in scene.geometry.items()}
    assert sorted(mesh.object_names) == sorted(wanted)
    for index, name in enumerate(mesh.object_names):
        np.testing.assert_array_equal(corners(mesh)[mesh.object_id == index], wanted[name])
    if materials[0]:
        red = mesh.colors[mesh.faces[np.isin(mesh.polygon_id, range(4))]]
        assert (red == (255, 0, 0, 255)).all()


@pytest.mark.filterwarnings("ignore::ddepth_gl.errors.LeftOutWarning")
def test_names_do_not_depend_on_libraries(tmp_path):
    text = two_boxes((None, None), ("red", "Material #2"))
    assert loaded(tmp_path, text).object_names == ("red", "Material #2")
    assert loaded(tmp_path, text, appearance=False).object_names == ("red", "Material #2")


@pytest.mark.parametrize(("count", "names"), [(1000, 1000), (1001, 2)])
@pytest.mark.filterwarnings("ignore::ddepth_gl.errors.LeftOutWarning")
def test_many_objects(tmp_path, count, names):
    text = VERTICES
    for i in range(count):
        text += f"o {i}\nusemtl {'ab'[0 if names > 2 else i % 2]}\nf 1 3 2\nf 1 2 4\n"
    mesh = loaded(tmp_path, text)
    assert len(mesh.object_names) == names
    assert len(mesh.faces) == 2 * count
    assert len(mesh.vertices) == 4 * names


@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
def test_very_many_materials_are_one_object(tmp_path):
    text = VERTICES + "".join(f"usemtl {i}\nf 1 3 2\n" for i in range(20_001))
    mesh = loaded(tmp_path, text)
    assert mesh.object_names == ("a",)
    assert mesh.report().left_out == ("objects and materials: 20,001, more than 20000",)


# Texture coordinates


def test_vertices_split_where_uv_differ_and_keep_their_order(tmp_path):
    text = VERTICES + "vt 0 0\nvt 1 0\nvt 0 1\nvt .5 .5\n"
    text += "f 1/1 3/3 2/2\nf 1/1 2/2 4/4\nf 2/3 3/3 4/4\nf 1/4 4/4 3/1\n"
    mesh = loaded(tmp_path, text)
    check_tetra(mesh)
    uv = np.array([(0, 0), (1, 0), (0, 1), (0.5, 0.5)])
    wanted = uv[[(0, 2, 1), (0, 1, 3), (2, 2, 3), (3, 3, 0)]]
    np.testing.assert_array_equal(mesh.uv[mesh.faces], wanted)
    # One vertex for each pair, copies right behind the first.
    np.testing.assert_array_equal(mesh.vertices, TETRA_VERTICES[[0, 0, 1, 1, 2, 2, 3]])
    assert mesh.is_closed


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.filterwarnings("ignore::ddepth_gl.errors.LeftOutWarning")
def test_random_uv(tmp_path, seed):
    rng = np.random.default_rng(seed)
    points, uv = rng.normal(size=(40, 3)), rng.normal(size=(30, 2))
    v, t = rng.integers(0, 40, (200, 3)), rng.integers(0, 30, (200, 3))
    text = "".join("v " + " ".join(map(repr, p)) + "\n" for p in points.tolist())
    text += "".join("vt " + " ".join(map(repr, p)) + "\n" for p in uv.tolist())
    for a, b in zip(v + 1, t + 1, strict=True):
        text += f"usemtl {rng.integers(3)}\n"
        text += "f " + " ".join(f"{i}/{j}" for i, j in zip(a, b, strict=True)) + "\n"
    mesh = loaded(tmp_path, text)
    order = mesh.polygon_id
    np.testing.assert_array_equal(corners(mesh), points[v][order])
    np.testing.assert_array_equal(mesh.uv[mesh.faces], uv.astype(np.float32)[t][order])
    pairs = len(
        {
            (mesh.object_id[f], *row)
            for f, face in enumerate(mesh.faces)
            for row in zip(v[order[f]], t[order[f]], strict=True)
        }
    )
    assert len(mesh.vertices) == pairs


def test_faces_with_and_without_uv(tmp_path):
    put(tmp_path, "a.mtl", b"newmtl m\nKd 1 0 0\nmap_Kd p.png\n")
    put(tmp_path, "p.png", png(TEXTURE))
    text = "mtllib a.mtl\n" + VERTICES + "vt 0 0\nvt 1 0\nvt 0 1\nusemtl m\n"
    text += "f 1 3 2\nf 1/1 2/2 4/3\nf 2//1 3//1 4//1\nf 1/1/1 4/2/1 3/3/1\n"
    with pytest.warns(
        dd.LeftOutWarning, match=r"2 faces lost their texture p\.png: .* no texture coord"
    ):
        mesh = loaded(tmp_path, text)
    assert mesh.object_names == ("a",)
    textured = mesh.texture_id == 0
    np.testing.assert_array_equal(np.isin(mesh.polygon_id, (1, 3)), textured)
    np.testing.assert_array_equal(corners(mesh), TETRA_VERTICES[TETRA_FACES][mesh.polygon_id])
    assert (mesh.colors[mesh.faces[~textured]] == (255, 0, 0, 255)).all()
    assert (mesh.colors[mesh.faces[textured]] == 255).all()


def test_uv_that_do_not_exist_are_told(tmp_path):
    for corner in ("9", "0", "-9"):
        text = VERTICES + "vt 0 0\n" + f"f 1/1 3/1 2/1\nf 1/1 2/{corner} 4/1\n"
        with pytest.warns(dd.LeftOutWarning, match="texture coordinates of 1 face, which are not"):
            mesh = loaded(tmp_path, text)
        assert len(mesh.faces) == 2


# Forms of the text


FORMS = ["{0}", "{0}/{0}", "{0}//{0}", "{0}/{0}/{0}", "{0}/", "{0}/{0}/", "{0}//", "+{0}"]
SEPARATE = "vt 0 0\nvt 1 0\nvt 0 1\nvt 1 1\n" + "vn 0 0 1\n" * 4


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("relative", [False, True])
def test_forms_of_corners(tmp_path, form, relative):
    text = VERTICES + SEPARATE
    for face in TETRA_FACES:
        numbers = [i - 4 if relative else i + 1 for i in face]
        text += "f " + " ".join(form.format(i) for i in numbers).replace("+-", "-") + "\n"
    mesh = loaded(tmp_path, text)
    check_tetra(mesh)
    assert (mesh.uv is not None) == (form.count("{0}") == 3 or form.startswith("{0}/{0}"))


def test_faces_of_different_forms(tmp_path):
    text = VERTICES + SEPARATE
    for face, form in zip(TETRA_FACES, FORMS[:4], strict=True):
        text += "f " + " ".join(form.format(i + 1) for i in face) + "\n"
    mesh = loaded(tmp_path, text)
    np.testing.assert_array_equal(corners(mesh), TETRA_VERTICES[TETRA_FACES][mesh.polygon_id])
    assert sorted(mesh.polygon_id) == [0, 1, 2, 3]


EDITS = {
    "comments": lambda t: t.replace("\n", " # of 3, v 1 / 2\n").replace("f 1 3 2 ", "f 1 3 2"),
    "comment lines": lambda t: t.replace("\n", "\n# f 1 2 3\n   #\n#\n"),
    "a comment that ends with a backslash": lambda t: "# C:\\models\\\n" + t,
    "continued": lambda t: t.replace(" ", " \\\n"),
    "continued with blanks": lambda t: t.replace(" ", " \\  \n\t"),
    "carriage returns": lambda t: t.replace("\n", "\r"),
    "both": lambda t: t.replace("\n", "\r\n"),
    "continued, both": lambda t: t.replace(" ", " \\\n").replace("\n", "\r\n"),
    "tabs": lambda t: t.replace(" ", "\t"),
    "indented": lambda t: "".join(f" \t {line}\n" for line in t.splitlines()),
    "blank lines": lambda t: t.replace("\n", "\n\n \n\t\n"),
    "blanks at the end": lambda t: t.replace("\n", "  \t\n"),
    "no last line feed": lambda t: t.rstrip("\n"),
    "byte order mark": lambda t: "\ufeff" + t,
    "weights": lambda t: t.replace("v 0.0 0.0 0.0", "v 0.0 0.0 0.0 1.0"),
    "exponents": lambda t: t.replace("1.0", "+1.0E+0").replace(" 0.0", " -.0e-3"),
    "smoothing": lambda t: t.replace("f ", "s off\ng one two\nf "),
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("block", [1, 64, 1 << 23])
def test_variants_of_the_text(tmp_path, monkeypatch, edit, block):
    monkeypatch.setattr(obj_lines, "_BLOCK_BYTES", block)
    check_tetra(loaded(tmp_path, EDITS[edit](TETRA)))


def test_vertices_behind_faces_and_between_them(tmp_path):
    lines = TETRA.splitlines()
    text = "\n".join(lines[4:] + lines[:4]) + "\n"
    check_tetra(loaded(tmp_path, text))


def test_unused_vertices_are_left_out(tmp_path):
    text = (
        "v nan nan nan\n"
        + VERTICES
        + "".join("f " + " ".join(str(i + 2) for i in face) + "\n" for face in TETRA_FACES)
    )
    mesh = loaded(tmp_path, text)
    check_tetra(mesh)
    assert len(mesh.vertices) == 4


def test_what_is_no_polygon_is_told(tmp_path):
    text = TETRA + "p 1 2\nl 1 2\nl 2 3\ncstype bezier\ndeg 3\ncurv 0 1 1 2 3 4\nend\nfoo 1\nbar\n"
    with pytest.warns(dd.LeftOutWarning):
        mesh = loaded(tmp_path, text)
    assert mesh.report().left_out == (
        "points: 1",
        "lines: 2",
        "free-form curves and surfaces: 1",
        "2 lines that OBJ does not define, the first begins with 'foo'",
    )


# Colors


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (("1 0.5 0", "0 0 1"), ((255, 128, 0), (0, 0, 255))),
        (("1.0000001 0.5 0", "0 0 1"), ((255, 128, 0), (0, 0, 255))),
        (("200 10 0", "1 0 1"), ((200, 10, 0), (1, 0, 1))),
        (("2 0 0", "0 0 0"), ((2, 0, 0), (0, 0, 0))),
        (("0 -1 0", "inf 1 1"), ((0, 0, 0), (255, 255, 255))),
        (("1 0 0 0.5", "0 0 1 0.5"), ((255, 0, 0), (0, 0, 255))),
        (("1 0 0", ""), ((255, 0, 0), (255, 255, 255))),
    ],
)
def test_vertex_colors(tmp_path, given, wanted):
    lines = TETRA.splitlines()
    text = "\n".join(
        f"{line} {given[i % 2]}" if line[0] == "v" else line for i, line in enumerate(lines)
    )
    mesh = loaded(tmp_path, text)
    check_tetra(mesh)
    np.testing.assert_array_equal(mesh.colors[:, :3], [*wanted, *wanted])
    assert (mesh.colors[:, 3] == 255).all()
    assert loaded(tmp_path, text, appearance=False).colors is None


def test_vertex_colors_that_are_no_numbers_are_told(tmp_path):
    lines = [f"{line} 1 0 0" if line[0] == "v" else line for line in TETRA.splitlines()]
    lines[0] = lines[0].replace(" 1 0 0", "") + " nan nan nan"
    lines[1] = lines[1].removesuffix("1 0 0") + "1 nan 0"
    with pytest.warns(dd.LeftOutWarning, match="leaves out colors of 2 vertices: not numbers$"):
        mesh = load_mesh(put(tmp_path, "a.obj", "\n".join(lines).encode()))
    check_tetra(mesh)
    assert mesh.colors.tolist() == [[255] * 4] * 2 + [[255, 0, 0, 255]] * 2


# Appearance left out


@pytest.mark.parametrize("alpha", ["mask", "ignore"])
def test_without_appearance_no_side_file_is_read(tmp_path, alpha):
    put(tmp_path, "a.mtl", b"newmtl m\nmap_Kd p.png\n")
    text = "mtllib a.mtl\nusemtl m\n" + VERTICES + SEPARATE + "f 1/1 3/3 2/2\nf 1/2 2/2 4/4\n"
    blend = {"blend_cutoff": 0.5} if alpha == "ignore" else {}
    mesh = loaded(tmp_path, text, appearance=False, alpha=alpha, **blend)
    assert mesh.uv is mesh.colors is None
    assert mesh.textures == ()
    assert mesh.report().left_out == ()
    assert mesh.source.side_files_sha256 == ""
    assert len(mesh.vertices) == 4


# Refusals


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("f 1 2/1 3", "face on line 6 mixes corners with and without texture coordinates"),
        ("f 1//1 2/1/1 3//1", "face on line 6 mixes corners"),
        ("f 1 2 0", "face on line 6 uses vertex 0, but OBJ counts from 1"),
        ("f 1 2 5", "face on line 6 uses vertex 5 of 4 vertices"),
        ("f 1 2 -5", "face on line 6 refers 5 lines back, but there are only 4"),
        ("f 1 2 99999999999999999999999", "face on line 6 uses vertex"),
        ("f 1 2 x", "face on line 6 is '1 2 x', not indices"),
        ("f 1 2 3.5", "face on line 6 is '1 2 3.5', not indices"),
        ("f 1 2 /3", "face on line 6 is"),
        ("f 1/1/1/1 2/1/1/1 3/1/1/1", "face on line 6 is"),
        ("f 1 2 1_0", "face on line 6 is"),
        ("v 1 2", "line 6 has fewer than 3 numbers"),
        ("v 1 2 3x", "line 6 has '3x' in place of a number"),
        ("v 0,5 1 2", "line 6 has '0,5' in place of a number"),
        ("vt a", "line 6 has 'a' in place of a number"),
        ("vt", "line 6 has fewer than 1 numbers"),
    ],
)
@pytest.mark.parametrize("block", [16, 1 << 23])
def test_errors_name_the_line(tmp_path, monkeypatch, line, message, block):
    monkeypatch.setattr(obj_lines, "_BLOCK_BYTES", block)
    text = VERTICES + "vt 0 \\\n 0\n" + TETRA[TETRA.index("f ") :]
    text = text.replace("f 1 3 2", line + "\nf 1 3 2", 1).replace("vt 0 \\\n 0\n", "", 1)
    text = "# \n" + text
    refused(put(tmp_path, "a.obj", text.encode()), message)


@pytest.mark.parametrize("line", ["f", "f 1", "f 1 2", "p 1", "l 1 2"])
def test_files_without_polygons(tmp_path, line):
    refused(put(tmp_path, "a.obj", f"{VERTICES}{line}\n".encode()), "it holds no faces")


def test_lines_are_counted_across_continued_ones(tmp_path):
    text = VERTICES.replace(" ", " \\\n") + "f 1 2 9\n"
    refused(put(tmp_path, "a.obj", text.encode()), "face on line 17 uses vertex 9")


def test_faces_are_limited_before_they_are_built(tmp_path):
    text = VERTICES + "f " + "1 2 3 4 " * 100 + "\n"
    refused(
        put(tmp_path, "a.obj", text.encode()), "holds 398 faces, the limit is 397", max_faces=397
    )


# A second reader


def plain_triangles(path: Path) -> np.ndarray:
    data = io.BytesIO(path.read_bytes())
    mesh = trimesh.load_mesh(data, file_type="obj", process=False, maintain_order=True)
    return np.asarray(mesh.triangles)


@pytest.mark.parametrize("name", [name for name in REAL if name.endswith(".obj")])
def test_real_files_are_read_as_by_trimesh(name):
    mesh = load_mesh(good(name))
    given, wanted = corners(mesh), plain_triangles(good(name))
    if name == "suzanne.obj":  # its quads are not planar, and cut by another rule
        assert given.shape == wanted.shape
    else:
        np.testing.assert_array_equal(given, wanted)


def test_a_prism_of_pentagons(tmp_path):
    mesh = load_mesh(put(tmp_path, "a.obj", obj(PRISM_VERTICES, PRISM_POLYGONS)))
    assert mesh.volume == pytest.approx(PRISM_VOLUME)


@pytest.mark.parametrize("further", ["", " 0.5"])  # none, or the w of a vertex
@pytest.mark.parametrize(("numbers", "red"), [("0.2 0 1", 51), ("51 0 255", 51)])
def test_colors_of_some_vertices(tmp_path, further, numbers, red):
    # A coordinate above 1 says nothing about colors.
    text = f"v 0 0 0 {numbers}\nv 9 0 0{further}\nv 0 9 0 {numbers}\nf 1 2 3\n"
    mesh = loaded(tmp_path, text)
    np.testing.assert_array_equal(mesh.vertices, [(0, 0, 0), (9, 0, 0), (0, 9, 0)])
    colored, white = [red, 0, 255, 255], [255] * 4
    assert mesh.colors.tolist() == [colored, white, colored]


def test_numbers_of_old_visual_studio(tmp_path):
    check_tetra(loaded(tmp_path, TETRA + "v -1.#IND 1.#QNAN 1.#INF00 # 1.#IND\n"))
    put(tmp_path, "b.obj", b"v 0 0 0\nv 1 0 0\nv 0 1.#QNAN 0\nf 1 2 3\n")
    refused(tmp_path / "b.obj", "face 0 .* uses vertex 2 = .*nan")


@pytest.mark.parametrize("library", ["", "mtllib a.mtl\n"])
@pytest.mark.filterwarnings("ignore::ddepth_gl.errors.LeftOutWarning")
def test_materials_that_do_not_exist_are_told(tmp_path, library):
    put(tmp_path, "a.mtl", b"newmtl a\nKd 1 0 0\n")
    mesh = loaded(tmp_path, f"{library}usemtl zzz\n{TETRA}\nusemtl None\nf 1 2 3\n")
    reason = (
        "material 'zzz': no library defines it"
        if library
        else ("materials: the file has no mtllib line")
    )
    assert mesh.report().left_out == (f"4 faces lost their {reason}",)
    assert not loaded(tmp_path, f"usemtl z\n{TETRA}", appearance=False).report().left_out
