"""Draco in glTF files: every attribute, files with plain data beside it, damage, and no decoder."""

import base64
import sys

import DracoPy
import numpy as np
import pytest
from gltf_compressed import add_stream, draco_stream, draco_tree, with_buffer
from mesh_files import TETRA, TETRA_FACES, TETRA_VERTICES, glb, gltf_tree, put, refused
from shapes import box

import ddepth_gl as dd
from ddepth_gl.io.meshes.gltf import draco
from ddepth_gl.io.meshes.gltf.accessors import GltfAccessors
from ddepth_gl.io.meshes.gltf.document import GltfDocument
from ddepth_gl.io.meshes.gltf.draco import DRACO_EXTENSION, DracoPrimitives

# Positions int16, then int8 x 2, uint16 x 2, int32, of 5 vertices and 3 faces: encoded by draco3d
# 1.5.7, because DracoPy encodes no signed integers.
SIGNED = base64.b64decode(
    "RFJBQ08CAgEAAAADBQEAAQIAAgMBAwQBBAADAwAABAECAAEEBAIAAgQFAQADAQEBAQABAQARC80MzQwraSYDGFCdEBMAsgT0/+v/zQTa/9v/FwAWANYMAID///9/AAAAAQEACQeZGQfNDAedGQNXobFm+vv9/WoCgP///38AAAAAAQEABAPNDAM1MwME4ILKJEkCAQAAAP//AAAAAQEBAQkHaSYHzQwHzQwD8DWbkO7+/wQAAAA="
)


def draco_arrays(tree, content):
    """Return what the reader of streams returns for the first primitive."""
    document = GltfDocument(glb(tree, content), None)
    (primitive,) = document.tree["meshes"][0]["primitives"]
    return primitive, DracoPrimitives(document, GltfAccessors(document)).arrays(primitive)


def test_positions_and_faces(tmp_path):
    mesh = box((0, 0, 0), (1, 2, 3))
    arrays = {"POSITION": mesh.vertices.astype("f4"), "indices": mesh.faces.astype("u2").ravel()}
    loaded = dd.load_mesh(put(tmp_path, "a.glb", glb(*draco_tree(arrays))))
    assert np.abs(loaded.vertices - mesh.vertices).max() <= 3 / 2**20
    assert (loaded.faces == mesh.faces).all()
    assert loaded.is_closed


def test_every_attribute(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        **TETRA,
        "TEXCOORD_0": rng.random((4, 2)).astype("f4"),
        "COLOR_0": rng.integers(0, 256, (4, 4)).astype("u1"),
        "JOINTS_0": rng.integers(0, 60_000, (4, 4)).astype("u2"),
        "WEIGHTS_0": rng.random((4, 4)).astype("f4"),
    }
    tree, content = draco_tree(arrays)
    names = tree["meshes"][0]["primitives"][0]["attributes"]
    tree["accessors"][names["JOINTS_0"]]["normalized"] = False
    primitive, found = draco_arrays(tree, content)
    assert found.is_decoded
    assert found.corners(primitive).tolist() == TETRA_FACES.ravel().tolist()
    for name in ("TEXCOORD_0", "JOINTS_0", "WEIGHTS_0"):
        values = found.array(names[name], name, (2, 4))
        assert values.dtype == arrays[name].dtype
        assert (values == arrays[name]).all()
    colors = found.array(names["COLOR_0"], "COLOR_0", (4,))  # normalized
    assert (colors == arrays["COLOR_0"] / 255).all()
    mesh = dd.load_mesh(put(tmp_path, "a.glb", glb(tree, content)))
    assert mesh.uv is None or np.allclose(mesh.uv[:, 0], arrays["TEXCOORD_0"][:, 0])
    assert mesh.colors is not None


def test_signed_integers():
    tree, _ = gltf_tree(
        {
            "POSITION": np.zeros((5, 3), "i2"),
            "_A": np.zeros((5, 2), "i1"),
            "_B": np.zeros((5, 2), "u2"),
            "indices": np.zeros(9, "u2"),
        }
    )
    add_stream(tree, 0, SIGNED, {"POSITION": 0, "_A": 1, "_B": 2}, plain=False)
    primitive, found = draco_arrays(*with_buffer(tree, [b"", SIGNED]))
    assert found.corners(primitive).tolist() == [0, 1, 2, 0, 2, 3, 1, 3, 4]
    positions = np.array([(0, 1, 2), (-5, -300, 32767), (-32768, 7, 8), (9, 1, 2), (3, 4, 5)])
    assert (found.array(0, "POSITION", (3,)) == np.maximum(positions / 32767, -1)).all()
    assert found.array(1, "_A", (2,))[2].tolist() == [1.0, -1.0]  # 127 and -128
    assert found.array(2, "_B", (2,))[0].tolist() == [1 / 65535, 1.0]


def test_one_child_decodes_all_streams(tmp_path, monkeypatch):
    calls = []
    run = draco.run_in_child

    def counted(*arguments, **options):
        calls.append(arguments[0])
        return run(*arguments, **options)

    monkeypatch.setattr(draco, "run_in_child", counted)
    tree, content = gltf_tree(TETRA)
    tree["accessors"] += [dict(each) for each in tree["accessors"]]
    primitive = {"attributes": {"POSITION": 2}, "indices": 3}
    tree["meshes"].append({"primitives": [primitive]})
    tree["nodes"] = [{"children": [1, 2]}, {"mesh": 0}, {"mesh": 1, "translation": [5, 0, 0]}]
    streams = [draco_stream({**TETRA, "POSITION": k * TETRA_VERTICES}) for k in (1, 2)]
    for mesh, (stream, ids) in enumerate(streams):
        add_stream(tree, mesh, stream, ids, plain=False)
    tree, content = with_buffer(tree, [b"", *(stream for stream, _ in streams)])
    mesh = dd.load_mesh(put(tmp_path, "a.glb", glb(tree, content)))
    assert calls == ["draco"]
    assert np.abs(mesh.bounds - [[0, 0, 0], [7, 2, 2]]).max() < 1e-5


def test_primitives_may_share_accessors_but_not_streams(tmp_path):
    """Two streams with other orders of vertices behind the same accessors."""
    tree, _ = gltf_tree(TETRA)
    tree["meshes"].append({"primitives": [dict(tree["meshes"][0]["primitives"][0])]})
    tree["nodes"] = [{"children": [1, 2]}, {"mesh": 0}, {"mesh": 1}]
    streams = [draco_stream({**TETRA, "POSITION": k * TETRA_VERTICES}) for k in (1, 2)]
    for mesh, (stream, ids) in enumerate(streams):
        add_stream(tree, mesh, stream, ids, plain=True)
    for accessor in tree["accessors"]:
        del accessor["bufferView"]
    tree, content = with_buffer(tree, [b"", *(stream for stream, _ in streams)])
    mesh = dd.load_mesh(put(tmp_path, "a.glb", glb(tree, content)))
    sizes = [np.ptp(mesh.vertices[mesh.faces[mesh.object_id == k]]) for k in (0, 1)]
    assert np.allclose(sizes, [1, 2])


def test_strips_are_decoded_to_triangles(tmp_path):
    tree, content = draco_tree(TETRA)
    tree["meshes"][0]["primitives"][0]["mode"] = 5
    assert len(dd.load_mesh(put(tmp_path, "a.glb", glb(tree, content))).faces) == 4


def test_the_stream_has_faces_even_if_the_primitive_has_no_indices(tmp_path):
    tree, content = draco_tree(TETRA)
    del tree["meshes"][0]["primitives"][0]["indices"]
    assert len(dd.load_mesh(put(tmp_path, "a.glb", glb(tree, content))).faces) == 4


def test_attributes_beside_the_stream_are_read_as_usual(tmp_path):
    colors = np.full((4, 3), 0.25, "f4")
    tree, content = gltf_tree({**TETRA, "COLOR_0": colors})
    stream, ids = draco_stream(TETRA)
    add_stream(tree, 0, stream, ids, plain=True)
    for index in (0, 1):
        del tree["accessors"][index]["bufferView"]
    mesh = dd.load_mesh(put(tmp_path, "a.glb", glb(*with_buffer(tree, [content, stream]))))
    assert mesh.colors is not None
    assert len(mesh.faces) == 4


@pytest.fixture
def without_dracopy(monkeypatch):
    monkeypatch.setitem(sys.modules, "DracoPy", None)


def test_plain_data_need_no_decoder(tmp_path, without_dracopy):
    tree, content = draco_tree(TETRA, plain=True)
    mesh = dd.load_mesh(put(tmp_path, "a.glb", glb(tree, content)))
    assert (mesh.vertices == TETRA_VERTICES).all()


def test_without_the_decoder_the_error_names_the_extra(tmp_path, without_dracopy):
    message = r"reading Draco compression needs the package DracoPy; run .*ddepth-gl\[compressed\]"
    refused(put(tmp_path, "a.glb", glb(*draco_tree(TETRA))), message)


def test_damaged_streams(tmp_path):
    tree, content = draco_tree(TETRA)
    for damaged in (bytes(len(content)), content[:20] + bytes(len(content) - 20)):
        refused(put(tmp_path, "a.glb", glb(tree, damaged)), "a Draco stream of it ")


def test_the_decoder_has_a_limit_of_time(tmp_path, monkeypatch):
    path = put(tmp_path, "a.glb", glb(*draco_tree(TETRA)))
    monkeypatch.setattr(draco, "_SECONDS", 0.0)
    refused(path, "takes longer than")


def test_a_cloud_of_points_is_refused(tmp_path):
    tree, _ = gltf_tree(TETRA)
    stream = DracoPy.encode(TETRA_VERTICES)
    add_stream(tree, 0, stream, {"POSITION": 0}, plain=False)
    tree, content = with_buffer(tree, [b"", stream])
    refused(put(tmp_path, "a.glb", glb(tree, content)), "holds points")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ({"POSITION": 99}, "has no attribute 99"),
        ({"POSITION": 10}, "2 components of POSITION"),
        ({"POSITION": "x"}, "."),
        ({"POSITION": -1}, "."),
        ({"POSITION": 2**70}, "."),
        ({"NORMAL": 0}, "NORMAL"),
        ([], "."),
    ],
)
def test_false_ids(tmp_path, ids, message):
    tree, content = draco_tree({**TETRA, "TEXCOORD_0": np.zeros((4, 2), "f4")})
    tree["meshes"][0]["primitives"][0]["extensions"][DRACO_EXTENSION]["attributes"] = ids
    refused(put(tmp_path, "a.glb", glb(tree, content)), message)


@pytest.mark.slow
def test_damage_raises_nothing_but_mesh_errors(tmp_path):
    rng = np.random.default_rng(0)
    tree, content = draco_tree({**TETRA, "COLOR_0": np.full((4, 4), 9, "u1")})
    for _ in range(25):
        damaged = bytearray(content)
        for at in rng.integers(0, len(damaged), rng.integers(1, 4)):
            damaged[at] ^= 1 << rng.integers(8)
        path = put(tmp_path, "a.glb", glb(tree, bytes(damaged)))
        try:
            dd.load_mesh(path)
        except dd.MeshError as error:
            assert "\n" not in str(error)  # noqa: PT017
