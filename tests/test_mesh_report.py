"""`Mesh.report`: its facts against meshes whose defects are known, its text, and its JSON."""

from __future__ import annotations

import dataclasses
import json
import warnings

import numpy as np
import pytest
from mesh_files import (
    TETRA,
    TEXTURE,
    glb,
    gltf,
    gltf_tree,
    obj,
    ply,
    png,
    put,
    textured_gltf,
    textured_obj,
)
from meshes import REAL, good
from shapes import box, inside_out, merged, sphere

import ddepth_gl as dd


def known() -> dd.Mesh:
    """Return an outward box with a cavity, a box inside out, an open box, and defects."""
    whole = merged(
        box((0, 0, 0), (4, 4, 4)),
        inside_out(box((1, 1, 1), (2, 2, 2))),
        inside_out(box((10, 0, 0), (11, 1, 1))),
        box((20, 0, 0), (21, 1, 1)),
    )
    faces = whole.faces[:-1]
    middle = len(whole.vertices)  # on an edge of the first box
    vertices = np.concatenate((whole.vertices, [(2, 0, 0), (9e9, 0, 0), (9e9, 0, 0)]))
    extra = [faces[40], (0, 0, 1), (0, 4, middle)]  # a copy, no edge, no area
    return dd.Mesh(
        vertices,
        np.concatenate((faces, extra)),
        object_id=np.repeat([0, 2], [24, 26]),
        object_names=("solid", "never used", "two\nlines"),
        name="known",
    )


def test_every_fact_of_a_known_mesh():
    mesh = known()
    report = mesh.report()
    assert report == dd.MeshReport(
        name="known",
        path=None,
        sha256=None,
        vertices=35,
        unused_vertices=2,
        faces=50,
        degenerate_faces=2,
        duplicate_faces=1,
        # The face without area, at an edge of the first box, opens it: three faces meet there.
        bodies={"open": 2, "inward": 2},
        faces_of_bodies={"open": 25, "inward": 24},
        two_sided_faces=50,
        is_closed=False,
        is_consistent=True,
        is_oriented=False,
        bounds=((0.0, 0.0, 0.0), (21.0, 4.0, 4.0)),
        up=(0.0, 0.0, 1.0),
        is_up_known=False,
        area=pytest.approx(96 + 6 + 6 + 5.5 + 0.5),
        volume=None,
        object_names=("solid", "never used", "two\nlines"),
        objects=2,
        has_uv=False,
        has_colors=False,
        has_alpha=False,
        textures=(),
        textured_faces=0,
        left_out=(),
    )


def test_the_text():
    assert str(known().report()).splitlines() == [
        "known: 50 faces, 35 vertices",
        "  bodies      4 bodies, not closed, consistently wound",
        "  by facing   none",
        "  two-sided   2 open (25 faces), 2 inward (24 faces)",
        "  bounds      (0, 0, 0) to (21, 4, 4), size 21 x 4 x 4",
        "  up          z by default",
        "  area        114, volume not defined",
        "  objects     2: solid, never used, two lines",
        "  appearance  no uv, no texture, no vertex colors",
        "  defects     2 faces without area, 1 duplicate face, 2 unused vertices",
    ]
    hollow = merged(box(), inside_out(box((-0.5,) * 3, (0.5,) * 3)))
    lines = str(hollow.report()).splitlines()
    assert lines[:4] == [
        "mesh: 24 faces, 16 vertices",
        "  bodies      2 bodies, closed, consistently wound",
        "  by facing   1 outward (12 faces), 1 cavity (12 faces)",
        "  two-sided   none",
    ]
    assert lines[6] == "  area        30, volume 7"
    assert lines[7] == "  objects     1"
    assert lines[-1] == "  defects     none"
    one = dd.Mesh(np.eye(3), [(0, 1, 2)], name="a\nb" + "x" * 100).report()
    assert str(one).splitlines()[0] == "a b" + "x" * 54 + "...: 1 face, 3 vertices"
    assert "1 open (1 face)" in str(one)


def test_appearance():
    colors = np.full((8, 4), 255, np.uint8)
    texture = np.full((2, 3, 4), 255, np.uint8)
    texture_id = [0, 1, -1] * 4
    given = {"uv": np.zeros((8, 2)), "texture": [texture, texture], "texture_id": texture_id}
    mesh = dd.Mesh(box().vertices, box().faces, colors=colors, **given)
    report = mesh.report()
    assert report.textures == ((3, 2), (3, 2))
    assert report.textured_faces == 8
    assert (report.has_uv, report.has_colors, report.has_alpha) == (True, True, False)
    assert "  appearance  uv, 2 textures (3x2) on 8 faces, vertex colors\n" in str(report)
    colors[3, 3] = 254
    translucent = dd.Mesh(box().vertices, box().faces, colors=colors)
    assert translucent.report().has_alpha
    assert "vertex colors, not everywhere opaque" in str(translucent.report())
    texture[0, 0, 3] = 0
    mesh = dd.Mesh(box().vertices, box().faces, **given)
    assert mesh.report().has_alpha


def test_many_objects_are_not_all_named():
    names = tuple(f"part {k}" for k in range(12))
    mesh = dd.Mesh(box().vertices, box().faces, object_id=np.arange(12), object_names=names)
    assert "  objects     12: part 0, part 1, part 2, part 3, part 4, part 5, ...\n" in str(
        mesh.report()
    )


def test_json_has_every_fact():
    report = known().report()
    fields = [field.name for field in dataclasses.fields(report)]
    assert list(report.as_dict()) == fields
    again = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert list(again) == fields
    assert again["bodies"] == {"open": 2, "inward": 2}
    assert again["bounds"] == [[0, 0, 0], [21, 4, 4]]
    assert again["volume"] is None


@pytest.mark.parametrize("name", REAL)
def test_reports_on_real_meshes_agree_with_the_mesh(name):
    mesh = dd.load_mesh(good(name))
    report = mesh.report()
    assert report.is_closed == mesh.is_closed
    assert report.path == str(good(name).absolute())
    assert report.sha256 == mesh.source.sha256
    assert sum(report.faces_of_bodies.values()) == np.count_nonzero(mesh.bodies.of_face >= 0)
    corners = mesh.vertices[mesh.faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert report.area == pytest.approx(np.linalg.norm(cross, axis=1).sum() / 2)
    assert report.degenerate_faces == np.count_nonzero((mesh.face_normals() == 0).all(1))
    if report.volume is not None:
        assert report.volume == pytest.approx(mesh.volume)
    json.dumps(report.as_dict(), allow_nan=False)


def test_a_well_wound_mesh_has_the_volume_of_the_mesh():
    mesh = merged(sphere(2.0), inside_out(sphere(1.0)), box((5, 5, 5), (6, 6, 6)))
    assert mesh.report().volume == pytest.approx(mesh.volume)
    turned = inside_out(mesh)
    assert turned.report().volume == pytest.approx(-mesh.volume)


# What the file holds and the mesh does not


def left_out(tmp_path, name, data):
    """Return what the report leaves out; the only warning says the same."""
    path = put(tmp_path, name, data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = dd.load_mesh(path).report().left_out
    lost = [text for text in found if "doubleSided" not in text]
    assert [(each.category, str(each.message)) for each in caught] == [
        (dd.LeftOutWarning, f"{path}: the mesh leaves out {'; '.join(lost)}")
    ] * bool(lost)
    assert not caught or caught[0].filename == __file__
    return found


def test_nothing_is_left_out_of_plain_files(tmp_path):
    for name, data in (("a.obj", obj()), ("a.ply", ply()), ("a.glb", glb())):
        assert left_out(tmp_path, name, data) == ()
    put(tmp_path, "p.png", png(TEXTURE))
    assert left_out(tmp_path, "b.gltf", gltf(*textured_gltf("p.png"))) == ()


def test_missing_and_unsupported_textures(tmp_path):
    text = "texture '0', which is not in the folder or cannot be used"
    assert left_out(tmp_path, "a.gltf", gltf(*textured_gltf("none.png"))) == (text,)
    put(tmp_path, "p.ktx2", b"\xabKTX 20\xbb" + bytes(100))
    assert left_out(tmp_path, "a.gltf", gltf(*textured_gltf("p.ktx2"))) == (text,)
    assert left_out(tmp_path, "a.obj", textured_obj()) == (
        "side file 'a.mtl', which is not in the folder or cannot be used",
    )
    put(tmp_path, "a.mtl", b"newmtl paint\nmap_Kd p.ktx2\n")
    assert left_out(tmp_path, "a.obj", textured_obj()) == (
        "side file 'p.ktx2', which is not in the folder or cannot be used",
    )


def test_the_warning_names_the_line_of_the_caller(tmp_path):
    tree, content = gltf_tree(TETRA)
    path = put(tmp_path, "a.glb", glb(tree | {"animations": [{}]}, content))
    for load in (dd.load_mesh, dd.double_depth):
        with pytest.warns(dd.LeftOutWarning) as caught:
            load(path)
        assert [each.filename for each in caught] == [__file__]


def test_content_of_gltf_that_is_not_geometry(tmp_path):
    tree, content = gltf_tree(TETRA, {"targets": [{}]})
    lines = {**tree["meshes"][0]["primitives"][0], "mode": 1}
    del lines["targets"]
    tree["meshes"][0]["primitives"].append(lines)
    tree |= {
        "animations": [{}, {}],
        "skins": [{}],
        "materials": [
            {"doubleSided": True, "alphaMode": "MASK", "normalTexture": {"index": 0}},
            {"doubleSided": False, "alphaMode": "OPAQUE"},
            {"pbrMetallicRoughness": {"metallicRoughnessTexture": {"index": 0}}},
        ],
    }
    assert left_out(tmp_path, "a.glb", glb(tree, content)) == (
        "animations: 2",
        "primitives of points or lines: 1",
        "materials with textures other than the base color: 2",
        "materials with an alphaMode (the whole face counts): 1",
        "materials marked doubleSided (geometry decides which faces are two-sided): 1",
    )
    with pytest.warns(dd.LeftOutWarning):
        mesh = dd.load_mesh(tmp_path / "a.glb")
    lines = str(mesh.report()).splitlines()
    assert lines[-5] == "  left out    animations: 2"


@pytest.mark.parametrize("odd", [None, 5, "text", {}, [5, None, "x"], [[]], [{"targets": 5}]])
def test_odd_content_that_is_left_out_is_no_reason_to_refuse(tmp_path, odd):
    tree, content = gltf_tree(TETRA)
    tree |= {"animations": odd, "skins": odd, "materials": odd}
    notes = left_out(tmp_path, "a.glb", glb(tree, content))
    assert all(text.isprintable() for text in notes)


def test_colors_of_faces_and_vertices(tmp_path):
    header = (
        "ply\nformat ascii 1.0\nelement vertex 4\n"
        + "".join(f"property float {axis}\n" for axis in "xyz")
        + "{0}"
        + "element face 2\nproperty list uchar int vertex_indices\n"
        + "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))
        + "end_header\n0 0 0{1}\n1 0 0{1}\n0 1 0{1}\n0 0 1{1}\n3 0 1 2 9 8 7\n3 0 1 3 1 2 3\n"
    )
    assert left_out(tmp_path, "a.ply", header.format("", "").encode()) == ()
    colors = "".join(f"property uchar {name}\n" for name in ("red", "green", "blue"))
    assert left_out(tmp_path, "a.ply", header.format(colors, " 5 6 7").encode()) == (
        "face colors, because its vertices have colors too",
    )


def test_very_many_notes_are_cut(tmp_path):
    tree, content = textured_gltf("none.png")
    tree["images"] = [{"uri": f"{k}.png", "name": f"{k}\n" + "x" * 500} for k in range(30)]
    tree["textures"] = [{"source": k} for k in range(30)]
    tree["materials"] = [
        {"pbrMetallicRoughness": {"baseColorTexture": {"index": k}}} for k in range(30)
    ]
    primitive = tree["meshes"][0]["primitives"][0]
    tree["meshes"][0]["primitives"] = [{**primitive, "material": k} for k in range(30)]
    notes = left_out(tmp_path, "a.gltf", gltf(tree, content))
    assert len(notes) == 21
    assert notes[-1] == "10 more"
    assert all(len(note) <= 160 and note.isprintable() for note in notes)


def test_a_moved_mesh_is_no_longer_the_file(tmp_path):
    put(tmp_path, "a.glb", glb())
    moved = dd.load_mesh(tmp_path / "a.glb").transformed(np.eye(4))
    assert moved.report().path is None
