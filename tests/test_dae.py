"""COLLADA files: nodes, polygons, materials, skins, limits, against values worked out by hand."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loaded_meshes import area, loaded, refused, volume
from PIL import Image
from scene_files import CUBE_POINTS, INSTANCE, POLYLIST, SKIN, document, geometry, source, textured

import ddepth_gl as dd


def put(folder: Path, text: str | bytes) -> Path:
    path = folder / "a.dae"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("axis", "up"), [("X_UP", (1, 0, 0)), ("Y_UP", (0, 1, 0)), ("Z_UP", (0, 0, 1)), ("", (0, 1, 0))]
)
def test_cube_and_up(axis: str, up: tuple[int, ...], tmp_path: Path) -> None:
    mesh = loaded(put(tmp_path, document(axis=axis)))
    assert mesh.up == up
    assert mesh.is_closed
    assert volume(mesh) == pytest.approx(1)  # neither scaled by the unit nor turned
    assert mesh.bounds.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert mesh.polygon_id.tolist() == [i // 2 for i in range(12)]
    assert mesh.object_names == ("Box",)
    assert mesh.source.left_out == ()


def test_values_of_params_without_a_name_are_skipped(tmp_path: Path) -> None:
    words = CUBE_POINTS.split()
    rows = [["9", *words[i : i + 3]] for i in range(0, len(words), 3)]
    wide = source("p", " ".join(word for row in rows for word in row), 4)
    wide = wide.replace('name="X"', "").replace('name="W"', 'name="Z2"')
    mesh = loaded(put(tmp_path, document().replace(source("p", CUBE_POINTS), wide)))
    assert mesh.bounds.tolist() == [[0, 0, 0], [1, 1, 1]]


TRIANGLES = '<triangles count="2"><input semantic="VERTEX" source="#v" offset="0"/>{}</triangles>'
POLYGONS = '<polygons count="1"><input semantic="VERTEX" source="#v" offset="0"/>{}</polygons>'
STRIPS = '<tristrips count="1"><input semantic="VERTEX" source="#v" offset="0"/>{}</tristrips>'
FANS = '<trifans count="1"><input semantic="VERTEX" source="#v" offset="0"/>{}</trifans>'


@pytest.mark.parametrize(
    ("polygons", "triangles"),
    [
        (TRIANGLES.format("<p>0 1 2 0 2 3</p>"), [[0, 1, 2], [0, 2, 3]]),
        (POLYGONS.format("<p>0 1 2 3</p><p>4 5 6</p>"), [[0, 1, 2], [0, 2, 3], [4, 5, 6]]),
        (STRIPS.format("<p>0 1 3 2 5</p>"), [[0, 1, 3], [3, 1, 2], [3, 2, 5]]),
        (FANS.format("<p>0 1 2 3</p><p>4 5 6</p>"), [[0, 1, 2], [0, 2, 3], [4, 5, 6]]),
    ],
)
def test_kinds_of_polygons(polygons: str, triangles: list[Any], tmp_path: Path) -> None:
    mesh = loaded(put(tmp_path, document(geometries=geometry(polygons))))
    points = np.array(CUBE_POINTS.split(), float).reshape(-1, 3)
    got = [sorted(map(tuple, face)) for face in mesh.vertices[mesh.faces].tolist()]
    assert got == [sorted(map(tuple, face)) for face in points[triangles].tolist()]
    normals = np.cross(*np.moveaxis(np.diff(mesh.vertices[mesh.faces], axis=1), 1, 0))
    a, b, c = np.moveaxis(points[triangles], 1, 0)
    np.testing.assert_allclose(normals, np.cross(b - a, c - b))


def test_concave_polygon(tmp_path: Path) -> None:
    polygons = POLYGONS.format("<p>3 4 5 0 1 2</p>")
    points = "0 0 0 2 0 0 2 1 0 1 1 0 1 2 0 0 2 0"
    assert area(loaded(put(tmp_path, document(geometries=geometry(polygons, points))))) == 3


def test_transforms_in_their_order(tmp_path: Path) -> None:
    nodes = (
        "<node><translate>10 0 0</translate><rotate>0 0 1 90</rotate><scale>2 1 1</scale>"
        f"<node><matrix>1 0 0 0  0 1 0 0  0 0 1 5  0 0 0 1</matrix>{INSTANCE}</node></node>"
        f"<node><scale>-1 1 1</scale>{INSTANCE}</node>"
        '<node><translate>0 0 50</translate><instance_node url="#lib"/></node>'
        f"<node><lookat>0 0 0  0 0 -1  0 1 0</lookat>{INSTANCE}</node>"
    )
    library = f'<library_nodes><node id="lib">{INSTANCE}</node></library_nodes>'
    mesh = loaded(put(tmp_path, document(nodes, more=library)))
    boxes = [mesh.vertices[np.unique(mesh.faces[mesh.object_id == i])] for i in range(4)]
    bounds = [np.rint(1e6 * np.stack((b.min(axis=0), b.max(axis=0)))) / 1e6 for b in boxes]
    # x of 0..2 becomes y, y of 0..1 becomes x of -1..0.
    assert bounds[0].tolist() == [[9, 0, 5], [10, 2, 6]]
    assert bounds[1].tolist() == [[-1, 0, 0], [0, 1, 1]]
    assert bounds[2].tolist() == [[0, 0, 50], [1, 1, 51]]
    assert bounds[3].tolist() == [[0, 0, 0], [1, 1, 1]]
    assert volume(mesh, mesh.object_id == 1) == pytest.approx(1)
    assert volume(mesh) == pytest.approx(2 + 1 + 1 + 1)


# Of pycollada 0.9 with NumPy 2.5.
@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")
def test_trimesh_agrees(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    pytest.importorskip("collada", reason="trimesh reads COLLADA with pycollada, not installed")
    triangles = TRIANGLES.format("<p>0 1 2 0 2 3</p>")
    nodes = f"<node><translate>1 2 3</translate><rotate>0 1 0 30</rotate>{INSTANCE}</node>"
    path = put(tmp_path, document(nodes, geometry(triangles)))
    other = trimesh.load_scene(path, process=False).to_geometry()
    mesh = loaded(path)
    np.testing.assert_allclose(
        mesh.vertices[mesh.faces], other.vertices[other.faces], rtol=1e-6, atol=1e-6
    )


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (2, 2), (1, 2, 3, 255)).save(file, "PNG")
    return file.getvalue()


def test_materials(tmp_path: Path) -> None:
    (tmp_path / "my pic.png").write_bytes(png())
    with pytest.warns(dd.LeftOutWarning, match="materials that blend"):
        mesh = dd.load_mesh(put(tmp_path, textured()))
    assert mesh.texture_id.tolist() == [-1, -1, 0, 0]
    assert mesh.polygon_id.tolist() == [0, 0, 1, 1]
    assert len(mesh.object_names) == 1
    assert mesh.samplers == (dd.Sampler("mirror", "clamp", "linear"),)
    assert (mesh.colors[mesh.faces[:2]] == [255, 128, 0, 64]).all()
    assert mesh.uv[mesh.faces[2]].tolist() == [[0, 0], [1, 0], [1, 1]]
    assert mesh.alpha_cutoff is None
    mesh = loaded(put(tmp_path, textured()), blend_cutoff=0.5)
    assert mesh.alpha_cutoff.tolist() == [0.5, 0.5, 0, 0]
    assert (mesh.colors[mesh.faces[:2]] == [255, 128, 0, 64]).all()
    with pytest.warns(dd.LeftOutWarning, match="materials that blend"):
        mesh = dd.load_mesh(put(tmp_path, textured()), appearance=False)
    assert mesh.colors is None
    assert mesh.textures == ()


@pytest.mark.parametrize(
    "name", ["../pic.png", "http://a.example/pic.png", "/etc/passwd", "no.png"]
)
def test_textures_outside(name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "pic.png").write_bytes(png())
    path = put(tmp_path / "in", textured(name))
    with pytest.warns(dd.LeftOutWarning, match="texture"):
        assert dd.load_mesh(path).textures == ()


def test_paths_of_other_machines(tmp_path: Path) -> None:
    (tmp_path / "my pic.png").write_bytes(png())
    path = put(tmp_path, textured("file:///C:/Users/me/my%20pic.png"))
    assert len(loaded(path, alpha="ignore").textures) == 1


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("file:///C:/me/a.png", "C:/me/a.png"),
        ("file://C:/me/a.png", "C:/me/a.png"),
        ("file:///home/me/a.png", "/home/me/a.png"),
        ("file:a.png", "a.png"),
    ],
)
def test_names_of_lost_textures(url: str, name: str, tmp_path: Path) -> None:
    with pytest.warns(dd.LeftOutWarning, match=f"lost their texture {name}: file not found"):
        dd.load_mesh(put(tmp_path, textured(url)))


def test_vertex_colors(tmp_path: Path) -> None:
    polygons = (
        '<triangles count="1"><input semantic="VERTEX" source="#v" offset="0"/>'
        '<input semantic="COLOR" source="#c" offset="1"/><p>0 0 1 1 2 2</p></triangles>'
    )
    more = source("c", "1 0 0 1 0 1 0 1 0 0 0.2 0.4", 4)
    mesh = loaded(put(tmp_path, document(geometries=geometry(polygons, more=more))))
    assert mesh.colors[mesh.faces[0]].tolist() == [
        [255, 0, 0, 255],
        [0, 255, 0, 255],
        [0, 0, 51, 102],
    ]


def test_a_skin_is_posed(tmp_path: Path) -> None:
    polygons = TRIANGLES.replace('"2"', '"1"').format("<p>0 1 2</p>")
    nodes = (
        '<node id="r" sid="one" type="JOINT"><node sid="two" type="JOINT">'
        "<translate>1 0 0</translate>"
        "<rotate>0 0 1 90</rotate></node></node><node><translate>99 0 0</translate>"
        '<instance_controller url="#c"><skeleton>#r</skeleton></instance_controller></node>'
    )
    text = document(nodes, geometry(polygons, "0 0 0 2 0 0 3 0 1"), SKIN)
    mesh = loaded(put(tmp_path, text))
    # The second joint turns about (1, 0, 0) by 90 degrees: (2, 0, 0) to (1, 1, 0), and the last
    # vertex is halfway between (3, 0, 1) and (1, 2, 1). The node's own transform does not count.
    np.testing.assert_allclose(mesh.vertices, [[0, 0, 0], [1, 1, 0], [2, 1, 1]], atol=1e-9)
    refused(put(tmp_path, text.replace("one two", "one three")), "lacks the joint")
    refused(put(tmp_path, text.replace("0 0  1 0", "0 0  7 0")), "wrong indices")


LAUGHS = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "XML is damaged"),
        ("<a/>", "XML is 'a', not COLLADA"),
        (document()[:500], "XML is damaged"),
        (document().replace("<COLLADA", LAUGHS + "<COLLADA"), "declares a document type"),
        (document().replace("<COLLADA", OUTSIDE + "<COLLADA"), "declares a document type"),
        (document().replace("0 3 2 1", "0 3 2 9"), "indices from 0 to 9"),
        (document().replace("0 3 2 1", "0 3 2 -1"), "indices from -1 to 7"),
        (document().replace("0 3 2 1", "0 3 2 x"), "no number"),
        (document().replace("0 3 2 1", "0 3 2"), "declares 6 polygons"),
        (document().replace("4 4 4 4 4 4", "4 4 4 4 4 -4"), "declares 6 polygons"),
        (document().replace('count="8"', 'count="900000000000"'), "declares 900,000,000,000"),
        (document().replace('url="#g"', 'url="#nothing"'), "refers to '#nothing'"),
        (document().replace("0 0 0 1 0 0", "0 0 nan 1 0 0"), "NaN|finite"),
        (document(f"<node><translate>1 2</translate>{INSTANCE}</node>"), "has 2 numbers"),
        (document(f"<node><skew>1 2 3 4 5 6 7</skew>{INSTANCE}</node>"), "uses skew"),
        (document('<node id="x"><instance_node url="#x"/></node>'), "contain themselves"),
        (document("<node/>"), "holds no faces"),
    ],
)
def test_damage(text: str, message: str, tmp_path: Path) -> None:
    refused(put(tmp_path, text), message)


@pytest.mark.slow
def test_nodes_that_multiply(tmp_path: Path) -> None:
    nodes = [f'<node id="n0">{INSTANCE}</node>']
    for i in range(1, 10):
        nodes.append(f'<node id="n{i}">' + f'<instance_node url="#n{i - 1}"/>' * 10 + "</node>")
    library = f"<library_nodes>{''.join(nodes)}</library_nodes>"
    path = put(tmp_path, document('<node><instance_node url="#n9"/></node>', more=library))
    refused(path, "too many")


def test_poses_are_refused(tmp_path: Path) -> None:
    refused(put(tmp_path, document()), "only animations of glTF, GLB and USD", pose=(0, 1.0))


def test_what_is_told(tmp_path: Path) -> None:
    lines = '<lines count="1"><input semantic="VERTEX" source="#v" offset="0"/><p>0 1</p></lines>'
    more = "<library_animations><animation/></library_animations>"
    path = put(tmp_path, document(geometries=geometry(lines + POLYLIST), more=more))
    with pytest.warns(dd.LeftOutWarning, match="lines: 1; animations: 1"):
        dd.load_mesh(path)
