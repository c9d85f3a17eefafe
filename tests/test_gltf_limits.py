"""Small glTF files that ask for much: images, primitives, instances and chains of nodes."""

import time

import numpy as np
import pytest
from gltf_builder import Gltf
from mesh_files import TEXTURE, glb, png, put, refused, textured_gltf

import ddepth_gl as dd
from ddepth_gl.io.meshes.gltf import images, reader

TRIANGLE = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0)], np.float32)


def test_images_in_the_same_bytes_are_read_once(tmp_path, monkeypatch):
    tree, content = textured_gltf(png(TEXTURE))
    primitive = tree["meshes"][0]["primitives"][0]
    for index in range(1, 20):
        tree["images"].append(tree["images"][0])
        tree["textures"].append({"source": index})
        base = {"baseColorTexture": {"index": index}}
        tree["materials"].append({"pbrMetallicRoughness": base})
        tree["meshes"][0]["primitives"].append({**primitive, "material": index})
    opened = []
    open_texture = images.open_texture
    monkeypatch.setattr(
        images, "open_texture", lambda *given: opened.append(given) or open_texture(*given)
    )
    mesh = dd.load_mesh(put(tmp_path, "a.glb", glb(tree, content)))
    assert (len(opened), len(mesh.textures), len(mesh.faces)) == (1, 1, 80)


def shared(primitives):
    """Return a file whose primitives share a million vertices that it does not store."""
    g = Gltf()
    zeros = {"count": 500_000, "componentType": 5121}
    g.mesh(TRIANGLE, [(0, 1, 2)])
    primitive = g.tree["meshes"][0]["primitives"][0]
    g.tree["accessors"] += [
        {"count": 500_000, "componentType": 5126, "type": "VEC3"},
        {**zeros, "type": "VEC4"},
        {**zeros, "type": "VEC2"},
    ]
    last = len(g.tree["accessors"]) - 1
    primitive["attributes"] = {"POSITION": last - 2, "COLOR_0": last - 1, "TEXCOORD_0": last}
    g.tree["meshes"][0]["primitives"] = [primitive] * primitives
    g.node(mesh=0)
    return g


def test_primitives_take_only_the_vertices_that_they_use(tmp_path, monkeypatch):
    sizes = []
    as_color = reader._as_color
    monkeypatch.setattr(
        reader, "_as_color", lambda values: sizes.append(len(values)) or as_color(values)
    )
    g = shared(20)
    g.mesh(TRIANGLE, [(0, 1, 2)])
    g.node(mesh=1)
    mesh = g.load(tmp_path)
    assert (len(mesh.vertices), len(mesh.faces)) == (63, 21)
    assert sizes == [3] * 20


def test_primitives_that_use_all_vertices_again_and_again_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "_MIN_STEPS", 1_000_000)
    g = shared(20)
    for primitive in g.tree["meshes"][0]["primitives"][:1]:
        del primitive["indices"]
        g.tree["accessors"][primitive["attributes"]["POSITION"]]["count"] = 499_998
        for name in ("COLOR_0", "TEXCOORD_0"):
            del primitive["attributes"][name]
    refused(g.write(tmp_path), "building its primitives and instances takes more than")


def instances(mode):
    g = Gltf()
    g.mesh(TRIANGLE, [(0, 1, 2)])
    g.tree["meshes"][0]["primitives"][0]["mode"] = mode
    g.tree["accessors"].append({"count": 100_000, "componentType": 5126, "type": "VEC3"})
    moves = {"TRANSLATION": len(g.tree["accessors"]) - 1}
    for _ in range(20):
        g.node(mesh=0, extensions={"EXT_mesh_gpu_instancing": {"attributes": moves}})
    return g


def test_instances_of_nothing_have_no_transforms(tmp_path, monkeypatch):
    g = instances(mode=0)
    g.mesh(TRIANGLE, [(0, 1, 2)])
    g.node(mesh=1)
    monkeypatch.setattr(reader, "instance_transforms", None)
    with pytest.warns(dd.LeftOutWarning, match="points or lines"):
        assert len(g.load(tmp_path).faces) == 1


def test_instances_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(reader, "_MIN_STEPS", 1_000_000)
    refused(instances(mode=4).write(tmp_path), "export fewer that share the same data")


def test_joints_outside_of_the_scene_may_be_a_long_chain():
    class Document:
        def __init__(self):
            chain = [{"children": [i + 1]} for i in range(20_000)]
            self.tree = {"nodes": [*chain, {}], "scenes": [{}]}

        def item(self, kind, index):
            return self.tree[kind][index]

    nodes = reader.GltfNodes(Document(), {})
    start = time.process_time()
    np.testing.assert_array_equal(nodes.world_from_node(20_000), np.eye(4))
    assert time.process_time() - start < 5.0
