"""MTL files: colors, textures and their options, alpha, and what is told of what is not read."""

import numpy as np
import pytest
from mesh_files import TEXTURE, UV_UP, check_texture, obj, png, put, textured_obj

import ddepth_gl as dd
from ddepth_gl.io.meshes.obj.mtl import parsed_mtl
from ddepth_gl.io.meshes.read import load_mesh

OBJ = textured_obj()


def loaded(tmp_path, mtl: str, text: bytes = OBJ, image: bytes | None = None, **options) -> dd.Mesh:
    put(tmp_path, "a.mtl", mtl.encode())
    put(tmp_path, "p.png", png(TEXTURE) if image is None else image)
    return load_mesh(put(tmp_path, "a.obj", text), **options)


def told_to_blend(tmp_path, mtl: str, text: bytes = OBJ, **options) -> dd.Mesh:
    """Return the mesh of a material that blends, without a cutoff, which is told."""
    text_of_note = r"materials that blend \(the whole face counts; blend_cutoff cuts\): 1$"
    with pytest.warns(dd.LeftOutWarning, match=text_of_note):
        mesh = loaded(tmp_path, mtl, text, **options)
    assert mesh.alpha_cutoff is None
    return mesh


def color(mesh: dd.Mesh) -> tuple[int, ...]:
    """Return the only color of the mesh."""
    (only,) = {tuple(row) for row in mesh.colors.tolist()}
    return only


# Texture options


@pytest.mark.parametrize(
    "statement",
    [
        "map_Kd p.png",
        "MAP_KD p.png",
        "map_Kd\tp.png\t",
        "  map_Kd   p.png  # a picture",
        'map_Kd "p.png"',
        "map_Kd p.png #comment",
        "map_Kd -blendu on -blendv off -bm 1.0 -imfchan l -mm 0 1 -texres 64 p.png",
        "map_Kd -boost 2 -cc off -clamp off -t 0 0 0 -type sphere p.png",
        "map_Kd -s 1 -o 0 p.png",
        "map_Kd -S 1 1 1 -O 0 0 0 p.png",
        "map_Kd -unknown 5 p.png",
        "map_Kd C:\\work\\p.png",
        "map_Kd ./p.png",
        "map_Kd p.png -bm 0.5",
        "map_Kd \\\n p.png",
    ],
)
def test_options_that_do_not_move_the_texture(tmp_path, statement):
    mesh = loaded(tmp_path, f"newmtl paint\n{statement}\n")
    check_texture(mesh)
    assert mesh.samplers == (dd.Sampler(),)
    assert mesh.report().left_out == ()


@pytest.mark.parametrize(
    ("options", "scale", "offset"),
    [
        ("-s 2", (2, 1), (0, 0)),
        ("-s 2 3", (2, 3), (0, 0)),
        ("-s 2 3 1", (2, 3), (0, 0)),
        ("-o .5", (1, 1), (0.5, 0)),
        ("-o 0.5 -1e-1 0", (1, 1), (0.5, -0.1)),
        ("-bm 1 -o 0.5 0.25 -clamp off -s 2 3", (2, 3), (0.5, 0.25)),
    ],
)
@pytest.mark.parametrize("behind", [False, True])
def test_scale_and_offset(tmp_path, options, scale, offset, behind):
    statement = f"map_Kd p.png {options}" if behind else f"map_Kd {options} p.png"
    mesh = loaded(tmp_path, f"newmtl paint\n{statement}\n")
    np.testing.assert_allclose(mesh.uv, UV_UP * scale + offset, rtol=1e-6)
    assert len(mesh.textures) == 1


def test_clamp(tmp_path):
    mesh = loaded(tmp_path, "newmtl paint\nmap_Kd -clamp on p.png\n")
    assert mesh.samplers == (dd.Sampler("clamp", "clamp"),)


@pytest.mark.parametrize(
    "name", ["two  blanks.png", "2.png", "-s.png", "a #1.png", "a#b.png", "é.png"]
)
def test_odd_names_of_textures(tmp_path, name):
    put(tmp_path, name, png(TEXTURE))
    put(tmp_path, "a.mtl", f"newmtl paint\nmap_Kd -s 1 1 1 {name}\n".encode())
    check_texture(load_mesh(put(tmp_path, "a.obj", OBJ)))


# Libraries


def test_several_libraries(tmp_path):
    put(tmp_path, "a.mtl", b"newmtl other\nKd 0 1 0\nnewmtl paint\nKd 1 0 0\n")
    put(tmp_path, "b.mtl", b"newmtl paint\nKd 0 0 1\nnewmtl more\nKd 0 0 1\n")
    put(tmp_path, "a b.mtl", b"newmtl paint\nKd 0 1 1\n")

    def first(lines):
        text = OBJ.replace(b"mtllib a.mtl", lines)
        return color(load_mesh(put(tmp_path, "a.obj", text)))[:3]

    assert first(b"mtllib a.mtl b.mtl") == (255, 0, 0)  # the first that defines it
    assert first(b"mtllib b.mtl\nmtllib a.mtl") == (0, 0, 255)
    assert first(b"mtllib  b.mtl \t a.mtl # both") == (0, 0, 255)
    assert first(b"mtllib a b.mtl") == (0, 255, 255)  # one name with a blank
    with pytest.warns(dd.LeftOutWarning, match=r"library c\.mtl: file not found in the mesh's fol"):
        assert first(b"mtllib c.mtl a.mtl") == (255, 0, 0)
    with pytest.warns(dd.LeftOutWarning, match=r"library c d\.mtl: file not found"):
        load_mesh(put(tmp_path, "a.obj", OBJ.replace(b"mtllib a.mtl", b"mtllib c d.mtl")))


@pytest.mark.parametrize(
    ("used", "defined"),
    [
        ("paint", "paint # the only one"),
        ("paint # here too", "paint"),
        ("paint #here too", "paint"),
        ("light  blue", "light blue"),
        ("Material #25", "Material #25"),
        ("größe", "größe"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_names_of_materials(tmp_path, used, defined, end):
    mtl = f"\ufeff# library\nnewmtl {defined}\n\tKd 1 0 0 # red\nnewmtl Material #26\nKd 0 1 0\n"
    text = OBJ.decode().replace("usemtl paint", f"usemtl {used}").encode()
    assert color(loaded(tmp_path, mtl.replace("\n", end), text)) == (255, 0, 0, 255)


# Colors


@pytest.mark.parametrize(
    ("statements", "wanted"),
    [
        ("Kd 0.2 0.4 0.6", (51, 102, 153, 255)),
        ("Kd 0.5", (128, 128, 128, 255)),
        ("kd 2 -1 0.6#comment", (255, 0, 153, 255)),
        ("Kd 1 0 0\nKd 0 1 0", (0, 255, 0, 255)),
        ("Kd 1 0 0\nd 0.2", (255, 0, 0, 51)),
        ("Kd 1 0 0\nTr 0.2", (255, 0, 0, 204)),
        ("Kd 1 0 0\nTr 1\nd 1", (255, 0, 0, 255)),
        ("Kd 1 0 0\nd 1\nTr 1", (255, 0, 0, 255)),
        ("Kd 1 0 0\nd -halo 0.2", (255, 0, 0, 51)),
        ("d 0.2", (255, 255, 255, 51)),
        # Emission only counts where nothing else has a color.
        ("Kd 0 0 0\nKe 1 0 1", (255, 0, 255, 255)),
        ("Ke 1 0 1", (255, 0, 255, 255)),
        ("Kd 0.2 0.4 0.6\nKe 1 0 1", (51, 102, 153, 255)),
        ("Kd 0 0 0\nKe 0 0 0", (0, 0, 0, 255)),
    ],
)
def test_colors(tmp_path, statements, wanted):
    load = loaded if wanted[3] == 255 else told_to_blend
    assert color(load(tmp_path, f"newmtl paint\n{statements}\n")) == wanted


def test_emission_with_textures(tmp_path):
    mesh = loaded(tmp_path, "newmtl paint\nKd 0 0 0\nmap_Ke p.png\n")
    check_texture(mesh)
    assert mesh.colors is None
    mesh = loaded(tmp_path, "newmtl paint\nKd 0 0 0\nmap_Kd p.png\nKe 1 0 0\nmap_Ke gone.png\n")
    check_texture(mesh)
    assert mesh.colors is None


@pytest.mark.parametrize("statement", ["Kd spectral a.rfl 1", "Kd xyz 0.3 0.3 0.3", "Kd nan 0 0"])
def test_colors_that_are_not_rgb_are_told(tmp_path, statement):
    with pytest.warns(dd.LeftOutWarning, match=r"Kd \w+ of material paint: only RGB is read"):
        mesh = loaded(tmp_path, f"newmtl paint\n{statement}\n")
    assert mesh.colors is None


def test_an_ambient_texture_is_told(tmp_path):
    with pytest.warns(dd.LeftOutWarning, match="ambient texture of material paint: only map_Kd"):
        mesh = loaded(tmp_path, "newmtl paint\nKd 1 0 0\nmap_Ka p.png\n")
    assert color(mesh) == (255, 0, 0, 255)


# Alpha


ALPHA = np.dstack((TEXTURE, np.array([[255, 0], [255, 255]], np.uint8)))


@pytest.mark.parametrize(
    ("statements", "cutoff"),
    [
        ("Kd 1 0 0\nd 0.2", 0.5),
        ("Kd 1 0 0\nd 1", None),
        ("map_Kd p.png", None),
        ("map_Kd p.png\nmap_d p.png", 0.5),
        ("map_Kd -s 2 p.png\nmap_d P.PNG", 0.5),
        ("map_Kd p.png\nd 0.9", None),  # it cannot cut anything
        ("map_Kd p.png\nmap_d p.png\nd 0.9", 0.5),
        ("map_Kd p.png\nd 0", 0.5),
        ("Kd 1 0 0\nTr 1", 0.5),
        ("map_Kd p.png\nd 0.4", 0.5),
    ],
)
def test_materials_that_blend(tmp_path, statements, cutoff):
    mtl = f"newmtl paint\n{statements}\n"
    is_opaque = "map_d" not in statements and statements.split()[-1] == "1" and "Tr" not in mtl
    is_opaque |= statements == "map_Kd p.png"
    load = loaded if is_opaque else told_to_blend
    for appearance in (True, False):
        load(tmp_path, mtl, image=png(ALPHA), appearance=appearance)
    for appearance in (True, False):
        mesh = loaded(tmp_path, mtl, image=png(ALPHA), blend_cutoff=0.5, appearance=appearance)
        assert (mesh.alpha_cutoff is None) == (cutoff is None)
        if cutoff is not None:
            np.testing.assert_array_equal(mesh.alpha_cutoff, np.full(4, cutoff, np.float32))
        if "map_Kd" in statements and (appearance or cutoff):
            assert len(mesh.textures) == 1
            assert mesh.uv is not None
        elif not appearance and cutoff is None:
            assert mesh.uv is mesh.colors is None
        ignored = loaded(tmp_path, mtl, image=png(ALPHA), blend_cutoff=0.5, alpha="ignore")
        assert ignored.alpha_cutoff is None
        note = "materials with alpha masks or blending, ignored on request: 1"
        assert ignored.report().left_out == (() if is_opaque else (note,))


def test_textures_without_alpha_cut_nothing(tmp_path):
    """The texture is missing, or has no alpha, or the faces have no texture coordinates."""
    mtl = "newmtl paint\nmap_Kd p.png\nmap_d p.png\n"
    for options in ({}, {"blend_cutoff": 0.5}):
        mesh = loaded(tmp_path, mtl, **options)
        assert mesh.alpha_cutoff is None
        assert mesh.is_oriented
    without_uv = b"mtllib a.mtl\nusemtl paint\n" + obj()
    for text, lost in ((OBJ, "q.png: file not found"), (without_uv, "no texture coordinates")):
        name = "q.png" if text is OBJ else "p.png"
        given = mtl.replace("p.png", name)
        with pytest.warns(dd.LeftOutWarning, match=lost):
            mesh = loaded(tmp_path, given, text, image=png(ALPHA), blend_cutoff=0.5)
        assert mesh.alpha_cutoff is None
        assert mesh.is_oriented


def test_opacity_multiplies_textures_and_vertex_colors(tmp_path):
    mtl = "newmtl paint\nKd 0.5 0.5 0.5\nmap_Kd p.png\nd 0.2\n"
    assert color(told_to_blend(tmp_path, mtl)) == (255, 255, 255, 51)
    colored = OBJ.replace(b"v 0.0 0.0 0.0", b"v 0.0 0.0 0.0 1 0 0")
    mesh = told_to_blend(tmp_path, mtl, colored)
    assert mesh.colors[0].tolist() == [255, 0, 0, 51]
    assert (mesh.colors[:, 3] == 51).all()


OPACITY = np.array([[255, 0], [100, 255]], np.uint8)


@pytest.mark.parametrize("opacity", [OPACITY, np.dstack((TEXTURE, OPACITY))])
def test_an_opacity_texture_of_its_own(tmp_path, opacity):
    put(tmp_path, "o.png", png(opacity))
    mtl = "newmtl paint\nmap_Kd p.png\nmap_d o.png\n"
    check_texture(told_to_blend(tmp_path, mtl, image=png(ALPHA)))
    for appearance in (True, False):
        mesh = loaded(tmp_path, mtl, image=png(ALPHA), blend_cutoff=0.5, appearance=appearance)
        np.testing.assert_array_equal(mesh.texture, np.dstack((TEXTURE, OPACITY)))
        np.testing.assert_array_equal(mesh.alpha_cutoff, [0.5] * 4)
        assert mesh.report().left_out == ()


def test_an_opacity_texture_beside_a_color(tmp_path):
    put(tmp_path, "o.png", png(OPACITY))
    mesh = loaded(tmp_path, "newmtl paint\nKd 1 0 0\nmap_d -s 2 o.png\n", blend_cutoff=0.5)
    assert color(mesh) == (255, 0, 0, 255)
    white = np.full((2, 2, 3), 255, np.uint8)
    np.testing.assert_array_equal(mesh.texture, np.dstack((white, OPACITY)))
    np.testing.assert_allclose(mesh.uv, UV_UP * (2, 1))


def test_an_opacity_texture_gets_the_size_of_the_other(tmp_path):
    put(tmp_path, "o.png", png(np.full((7, 5), 9, np.uint8)))
    mesh = loaded(tmp_path, "newmtl paint\nmap_Kd p.png\nmap_d o.png\n", blend_cutoff=0.5)
    np.testing.assert_array_equal(mesh.texture, np.dstack((TEXTURE, np.full((2, 2), 9, np.uint8))))


@pytest.mark.parametrize("statement", ["map_d gone.png", "map_d -s 2 o.png", "map_d bad.png"])
def test_opacity_textures_that_are_left_out(tmp_path, statement):
    put(tmp_path, "o.png", png(OPACITY))
    put(tmp_path, "bad.png", png(OPACITY)[:40])
    with pytest.warns(dd.LeftOutWarning, match="opacity texture of material paint"):
        mesh = loaded(tmp_path, f"newmtl paint\nmap_Kd p.png\n{statement}\n", blend_cutoff=0.5)
    check_texture(mesh)
    assert mesh.alpha_cutoff is None


# Lost textures


def test_lost_textures_are_told_with_their_faces(tmp_path):
    with pytest.warns(dd.LeftOutWarning):
        mesh = loaded(tmp_path, "newmtl paint\nKd 1 0 0\nmap_Kd ../q.png\n")
    assert mesh.report().left_out == (
        "4 faces lost their texture ../q.png: file not found in the mesh's folder or texture_roots",
    )
    assert color(mesh) == (255, 0, 0, 255)  # the color remains
    put(tmp_path, "q.ktx2", b"\xabKTX 20\xbb" + bytes(100))
    with pytest.warns(
        dd.LeftOutWarning, match="4 faces lost their texture q.ktx2: format not read"
    ):
        loaded(tmp_path, "newmtl paint\nmap_Kd q.ktx2\n")


def test_materials_that_no_face_uses_cost_nothing(tmp_path):
    mtl = "newmtl paint\nKd 1 0 0\nnewmtl other\nKd xyz 1 1 1\nmap_Kd gone.png\n"
    mesh = loaded(tmp_path, mtl)
    assert mesh.report().left_out == ()


@pytest.mark.parametrize(
    "text",
    [
        b"", b"newmtl", b"newmtl \n", b"Kd 1 1 1\n", b"newmtl m\nKd\nd\nTr x\nmap_Kd\n",
        b"newmtl m\nmap_Kd -s\nmap_Kd -s 1 2 3\nmap_Kd # x\n", b"\xff\xfe\0", b"newmtl m\nd nan\n",
        b"newmtl m\nmap_Kd -o nan 1e999 a.png\n",
    ],
)  # fmt: skip
def test_damaged_libraries_are_read_as_far_as_possible(text):
    for material in parsed_mtl(text).values():
        for texture in (material.diffuse_map, material.opacity_map):
            assert texture is None or np.isfinite([*texture.scale, *texture.offset]).all()


def test_tabs_between_options(tmp_path):
    mesh = loaded(tmp_path, "newmtl paint\nmap_Kd -s 2\t3 1 -o\t.25 0.5\t-clamp\ton\tp.png\n")
    corners = mesh.uv[mesh.faces]
    wanted = loaded(tmp_path, "newmtl paint\nmap_Kd -clamp on -s 2 3 1 -o .25 0.5 p.png\n")
    np.testing.assert_array_equal(corners, wanted.uv[wanted.faces])
    assert mesh.samplers == wanted.samplers == (dd.Sampler("clamp", "clamp"),)
    assert len(mesh.textures) == 1


@pytest.mark.parametrize("library", ["sub/a.mtl", "sub\\a.mtl"])
@pytest.mark.parametrize(
    ("name", "place"),
    [("q.png", "sub/q.png"), ("../tex/q.png", "tex/q.png"), ("in/q.png", "sub/in/q.png"),
     ("in/q.png", "in/q.png")],
)  # fmt: skip
def test_textures_lie_beside_their_library(tmp_path, library, name, place):
    for folder in ("sub/in", "tex", "in"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    if place != "q.png":  # a wrong one beside the mesh
        put(tmp_path, "q.png", png(255 - TEXTURE))
    put(tmp_path, place, png(TEXTURE))
    put(tmp_path, "sub/a.mtl", f"newmtl paint\nmap_Kd {name}\n".encode())
    text = OBJ.replace(b"mtllib a.mtl", f"mtllib {library}".encode())
    assert text != OBJ
    mesh = load_mesh(put(tmp_path, "a.obj", text))
    check_texture(mesh)


@pytest.mark.parametrize(
    ("used", "defined"),
    [("m", "m #steel"), ("m#c", "m"), ("m", "m#steel"), ("m #a", "m #b"), ("a#1", "a#1"),
     ("Material #25", "Material #25")],
)  # fmt: skip
def test_comments_behind_names_of_materials(tmp_path, used, defined):
    text = OBJ.replace(b"usemtl paint", f"usemtl {used}".encode())
    text = text.replace(b"mtllib a.mtl", b"mtllib a.mtl#library")
    mesh = loaded(tmp_path, f"newmtl {defined}\nmap_Kd p.png#picture\n", text)
    check_texture(mesh)
    assert mesh.report().left_out == ()


@pytest.mark.filterwarnings("ignore::ddepth_gl.errors.LeftOutWarning")
def test_numbered_materials_are_not_mistaken(tmp_path):
    text = OBJ.replace(b"usemtl paint", b"usemtl Material #27")
    mesh = loaded(tmp_path, "newmtl Material #25\nmap_Kd p.png\n", text)
    assert not mesh.textures
    assert "lost their material 'Material #27'" in mesh.report().left_out[0]
