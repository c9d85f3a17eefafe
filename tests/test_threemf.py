"""3MF files: objects, components, items, colors and limits, against values worked out by hand."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from loaded_meshes import loaded, refused, volume
from PIL import Image
from scene_files import FACES, mesh_xml, model_xml, threemf
from scene_files import SIMPLE_3MF as SIMPLE

import ddepth_gl as dd


def put(folder: Path, model: str | bytes, **files: str | bytes) -> Path:
    path = folder / "a.3mf"
    path.write_bytes(threemf(model, **files))
    return path


def test_one_object(tmp_path: Path) -> None:
    mesh = loaded(put(tmp_path, SIMPLE))
    assert mesh.faces.tolist() == [list(face) for face in FACES]
    assert mesh.vertices.max() == 1  # inches stay
    assert mesh.up == (0, 0, 1)
    assert mesh.object_names == ("tetra",)
    assert mesh.is_closed
    assert mesh.source.left_out == ()


def test_items_components_and_mirrors(tmp_path: Path) -> None:
    components = (
        '<component objectid="1" transform="-1 0 0 0 1 0 0 0 1 0 0 0"/>'
        '<component objectid="1" transform="0 1 0 -1 0 0 0 0 1 5 0 0"/>'
    )
    resources = (
        f'<object id="1">{mesh_xml()}</object>'
        f'<object id="2" name="pair"><components>{components}</components></object>'
        f'<object id="3" type="support">{mesh_xml()}</object>'
    )
    items = (
        '<item objectid="2" transform="2 0 0 0 2 0 0 0 2 0 0 10"/><item objectid="1"/>'
        '<item objectid="3"/>'
    )
    path = put(tmp_path, model_xml(resources, items))
    with pytest.warns(dd.LeftOutWarning, match="support structures: 1"):
        mesh = dd.load_mesh(path)
    assert mesh.object_names == ("pair", "object 1")
    assert np.bincount(mesh.object_id).tolist() == [8, 4]
    assert volume(mesh) == pytest.approx((8 + 8 + 1) / 6)
    assert mesh.polygon_id.tolist() == list(range(12))
    # The second component: x becomes y, y becomes -x, then (5, 0, 0), then twice and (0, 0, 10).
    second = mesh.vertices[np.unique(mesh.faces[4:8])]
    assert second.min(axis=0).tolist() == [8, 0, 10]
    assert second.max(axis=0).tolist() == [10, 2, 12]


@pytest.mark.parametrize("kind", ["support", "solidsupport", "other"])
def test_supports_are_left_out(kind: str, tmp_path: Path) -> None:
    objects = "".join(
        f'<object id="{i}" type="{name}">{mesh_xml()}</object>'
        for i, name in enumerate(("model", kind))
    )
    path = put(tmp_path, model_xml(objects, '<item objectid="0"/><item objectid="1"/>'))
    with pytest.warns(dd.LeftOutWarning, match="support structures: 1"):
        assert len(dd.load_mesh(path).faces) == 4


def test_trimesh_agrees(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    pytest.importorskip("lxml", reason="trimesh reads 3MF with lxml, which is not installed")
    pytest.importorskip("networkx", reason="trimesh reads 3MF with networkx, not installed")
    transform = "0 1 0 -1 0 0 0 0 1 5 6 7"
    resources = f'<object id="1">{mesh_xml()}</object>'
    path = put(tmp_path, model_xml(resources, f'<item objectid="1" transform="{transform}"/>'))
    other = trimesh.load_scene(path, process=False).to_geometry()
    mesh = loaded(path)
    np.testing.assert_allclose(mesh.vertices[mesh.faces], other.vertices[other.faces])


def test_models_in_several_files(tmp_path: Path) -> None:
    part = model_xml(f'<object id="7">{mesh_xml()}</object>', "")
    component = '<component objectid="7" p:path="/3D/Objects/part.model"/>'
    root = model_xml(
        f'<object id="7"><components>{component}</components></object>',
        '<item objectid="7"/>',
        'requiredextensions="p"',
    )
    assert len(loaded(put(tmp_path, root, **{"3D/Objects/part.model": part})).faces) == 4
    refused(put(tmp_path, root), "lacks the model '/3D/Objects/part.model'")


def test_colors(tmp_path: Path) -> None:
    faces = ("", 'p1="0"', 'pid="2" p1="0" p2="1" p3="0"', 'pid="2" p1="1"')
    resources = (
        '<basematerials id="1"><base name="a" displaycolor="#FF0000"/>'
        '<base name="b" displaycolor="#00FF0080"/></basematerials>'
        '<m:colorgroup id="2"><m:color color="#0000FF"/><m:color color="#102030"/></m:colorgroup>'
        f'<object id="3" pid="1" pindex="1">{mesh_xml(*faces)}</object>'
    )
    mesh = loaded(put(tmp_path, model_xml(resources, '<item objectid="3"/>')))
    green, red, blue, dark = (
        [0, 255, 0, 128],
        [255, 0, 0, 255],
        [0, 0, 255, 255],
        [16, 32, 48, 255],
    )
    assert mesh.colors[mesh.faces].tolist() == [
        [green] * 3,
        [red] * 3,
        [blue, dark, blue],
        [dark] * 3,
    ]
    assert mesh.is_closed
    assert (
        loaded(put(tmp_path, model_xml(resources, '<item objectid="3"/>')), appearance=False).colors
        is None
    )


def test_textures(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("RGB", (2, 2), (1, 2, 3)).save(file, "PNG")
    faces = ("", "", 'pid="6" p1="0" p2="1" p3="2"', "")
    coordinates = "".join(f'<m:tex2coord u="{u}" v="{v}"/>' for u, v in ((0, 0), (1, 0), (0, 2)))
    resources = (
        '<m:texture2d id="5" path="/3D/Textures/t.png" contenttype="image/png" '
        'tilestyleu="mirror" tilestylev="clamp" filter="nearest"/>'
        f'<m:texture2dgroup id="6" texid="5">{coordinates}</m:texture2dgroup>'
        f'<object id="3">{mesh_xml(*faces)}</object>'
    )
    model = model_xml(resources, '<item objectid="3"/>')
    mesh = loaded(put(tmp_path, model, **{"3D/Textures/t.png": file.getvalue()}))
    is_pictured = mesh.texture_id == 0
    assert mesh.polygon_id[is_pictured].tolist() == [2]
    assert sorted(mesh.polygon_id.tolist()) == [0, 1, 2, 3]
    assert mesh.uv[mesh.faces[is_pictured]].tolist() == [[[0, 0], [1, 0], [0, 2]]]
    assert mesh.textures[0][0, 0].tolist() == [1, 2, 3, 255]
    assert mesh.samplers[0] == dd.Sampler("mirror", "clamp", "nearest")
    with pytest.warns(dd.LeftOutWarning, match=r"t\.png"):
        assert dd.load_mesh(put(tmp_path, model)).textures == ()


ENTITIES = '<!DOCTYPE model [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nonsense", "XML is damaged"),
        (SIMPLE[:300], "XML is damaged"),
        (SIMPLE.replace("<model", ENTITIES + "<model"), "declares a document type"),
        (
            SIMPLE.replace("<model", ENTITIES + "<model")
            .replace('<?xml version="1.0"?>', '<?xml version="1.0" encoding="utf-16"?>')
            .encode("utf-16"),
            "declares a document type",
        ),
        (SIMPLE.replace('v1="0"', ""), "lacks 'v1'"),
        (SIMPLE.replace('v1="0"', 'v1="9"'), "indices from 0 to 9"),
        (SIMPLE.replace('v1="0"', 'v1="-1"'), "indices from -1 to 3"),
        (SIMPLE.replace('v1="0"', 'v1="x"'), "wrong number"),
        (SIMPLE.replace('v1="0"', 'v1="99999999999999999999"'), "wrong number"),
        (SIMPLE.replace('x="1"', 'x="nan"'), "NaN|not finite|finite"),
        (SIMPLE.replace('objectid="1"', 'objectid="8"'), "refers to object '8'"),
        (SIMPLE.replace('objectid="1"', 'objectid="1" transform="1 0"'), "2 numbers"),
        (
            SIMPLE.replace('unit="inch"', 'requiredextensions="sc" xmlns:sc="http://s/sc"'),
            "needs the 3MF extension http://s/sc, which is not supported",
        ),
        (
            model_xml(
                '<object id="1"><components><component objectid="1"/></components></object>',
                '<item objectid="1"/>',
            ),
            "contains itself",
        ),
        (model_xml("", ""), "holds no faces"),
    ],
)
def test_damage(model: str | bytes, message: str, tmp_path: Path) -> None:
    refused(put(tmp_path, model), message)


SLICES = (
    '<s:slicestack xmlns:s="http://schemas.microsoft.com/3dmanufacturing/slice/2015/07" id="5">'
    '<s:slice ztop="0.5"><s:vertices><s:vertex x="0" y="0"/><s:vertex x="1" y="0"/></s:vertices>'
    '<s:polygon startv="0"><s:segment v2="1"/></s:polygon></s:slice></s:slicestack>'
)


@pytest.mark.parametrize(
    ("before", "note"),
    [
        (SLICES, "slice stacks"),
        ('<basematerials id="3"><base name="x"/></basematerials>', "colors that are not"),
        (
            '<basematerials id="3"><base name="x" displaycolor="#FFF"/></basematerials>',
            "colors that are not",
        ),
        ('<basematerials id="3"></basematerials>', "the file lacks"),
    ],
)
def test_appearance_and_slices_never_refuse_the_geometry(before, note, tmp_path: Path) -> None:
    content = before + f'<object id="1" pid="3" pindex="0">{mesh_xml()}</object>'
    path = put(tmp_path, model_xml(content, '<item objectid="1"/>'))
    with pytest.warns(dd.LeftOutWarning, match=note):
        mesh = dd.load_mesh(path)
    plain = loaded(put(tmp_path, SIMPLE))
    np.testing.assert_array_equal(mesh.vertices, plain.vertices)
    assert len(mesh.faces) == len(plain.faces)


def test_archives(tmp_path: Path) -> None:
    path = tmp_path / "a.3mf"
    path.write_bytes(b"nonsense")
    refused(path, "not a zip archive")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "")
    refused(path, "holds no 3D model")
    put(tmp_path, SIMPLE)
    path.write_bytes(path.read_bytes().replace(b"v1=", b"v9="))
    data = bytearray(put(tmp_path, SIMPLE).read_bytes())
    at = data.index(b"3D/3dmodel.model") + 40  # in the compressed content
    data[at : at + 8] = bytes(8)
    path.write_bytes(data)
    refused(path, "damaged or encrypted|XML is damaged")


@pytest.mark.slow
def test_zip_bombs(tmp_path: Path) -> None:
    refused(put(tmp_path, SIMPLE + " " * 80_000_000), "declares 80,0.*the limit is 67,108,864")
    path = tmp_path / "many.3mf"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(10_001):
            archive.writestr(f"{i}", "")
    refused(path, "more than 10,000 entries")


@pytest.mark.slow
def test_instances_that_multiply(tmp_path: Path) -> None:
    # Each object shows the one before ten times: 4e9 faces.
    objects = [f'<object id="0">{mesh_xml()}</object>']
    for i in range(1, 10):
        components = f'<component objectid="{i - 1}"/>' * 10
        objects.append(f'<object id="{i}"><components>{components}</components></object>')
    path = put(tmp_path, model_xml("".join(objects), '<item objectid="9"/>'))
    refused(path, "more than 1,000 faces", max_faces=1000)
    refused(path, "more than 100,000 parts")
