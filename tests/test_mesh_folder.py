"""Side files of meshes: their names, and that nothing outside the folder is read."""

import json
import os
from pathlib import Path

import pytest
from mesh_files import (
    SMALL_FILES,
    TETRA,
    TEXTURE,
    check_texture,
    gltf_tree,
    obj,
    png,
    put,
    refused,
    textured_obj,
)

import ddepth_gl as dd
from ddepth_gl.io.meshes.read import load_mesh

# Names that are not UTF-8

NOT_UTF8 = os.fsdecode(b"caf\xe9")


@pytest.mark.parametrize("name", SMALL_FILES)
def test_file_names_that_are_not_utf8(tmp_path, name):
    mesh = load_mesh(put(tmp_path, NOT_UTF8 + Path(name).suffix, SMALL_FILES[name]))
    assert mesh.is_oriented
    assert mesh.name == NOT_UTF8
    assert len(mesh.object_names) == 1


def test_an_object_with_the_name_of_the_file_keeps_it(tmp_path):
    mesh = load_mesh(put(tmp_path, "a.obj", b"o a.obj\n" + obj()))
    assert mesh.object_names == ("a.obj",)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_side_files_of_an_obj_with_names_beyond_ascii(tmp_path, encoding):
    """Exporters write names in the encoding of their machine, and archives keep them."""
    put(
        tmp_path,
        os.fsdecode("café.mtl".encode(encoding)),
        "newmtl paint\nmap_Kd é.png\n".encode(encoding),
    )
    put(tmp_path, os.fsdecode("é.png".encode(encoding)), png(TEXTURE))
    text = textured_obj("café.mtl").decode().encode(encoding)
    check_texture(load_mesh(put(tmp_path, "a.obj", text)))


@pytest.mark.parametrize("uri", ["%C3%A9.bin", "é.bin"])
def test_side_files_of_a_gltf_with_names_beyond_ascii(tmp_path, uri):
    _, content = gltf_tree(TETRA)
    put(tmp_path, "é.bin", content)
    tree, _ = gltf_tree(TETRA, buffers=[{"uri": uri, "byteLength": len(content)}])
    assert load_mesh(put(tmp_path, "a.gltf", json.dumps(tree).encode())).is_oriented
    (tmp_path / "é.bin").rename(tmp_path / os.fsdecode(b"\xe9.bin"))
    tree, _ = gltf_tree(TETRA, buffers=[{"uri": "%E9.bin", "byteLength": len(content)}])
    assert load_mesh(put(tmp_path, "a.gltf", json.dumps(tree).encode())).is_oriented


@pytest.mark.parametrize("uri", ["\ud800.bin", "%00.bin", "%"])
def test_names_that_no_file_can_have(tmp_path, uri):
    tree, _ = gltf_tree(TETRA, buffers=[{"uri": uri, "byteLength": 100}])
    refused(put(tmp_path, "a.gltf", json.dumps(tree).encode()), "which is not in its folder")


# Side files


@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
def test_nothing_outside_the_folder_is_read(tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "elsewhere").mkdir()
    put(tmp_path, "secret.mtl", b"newmtl paint\nKd 1 0 0\n")
    (folder / "link.mtl").symlink_to(tmp_path / "secret.mtl")
    (folder / "linked").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(folder / "pipe.mtl")
    names = [
        "../secret.mtl",
        "link.mtl",
        "linked/secret.mtl",
        str(tmp_path / "secret.mtl"),
        "pipe.mtl",
    ]
    for name in [
        *names,
        "~/secret.mtl",
        "..\\secret.mtl",
        "file:///etc/passwd",
        "http://127.0.0.1:9/a.mtl",
        ".",
    ]:
        mesh = load_mesh(put(folder, "a.obj", textured_obj(name)))
        assert mesh.colors is None, name
    put(folder, "real.mtl", b"newmtl paint\nKd 1 0 0\n")
    assert load_mesh(put(folder, "a.obj", textured_obj("real.mtl"))).colors is not None
    assert load_mesh(put(folder, "a.obj", textured_obj("C:\\work\\real.mtl"))).colors is not None

    _, content = gltf_tree(TETRA)
    put(tmp_path, "secret.bin", content)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    for uri in (
        "../secret.bin",
        "link.bin",
        str(tmp_path / "secret.bin"),
        "%2e%2e/secret.bin",
        "a\0b",
        "",
    ):
        tree, _ = gltf_tree(TETRA, buffers=[{"uri": uri, "byteLength": len(content)}])
        refused(put(folder, "a.gltf", json.dumps(tree).encode()), "which is not in its folder")
    put(folder, "real.bin", content)
    tree, _ = gltf_tree(TETRA, buffers=[{"uri": "real.bin", "byteLength": len(content)}])
    assert len(load_mesh(put(folder, "a.gltf", json.dumps(tree).encode())).faces) == 4


def test_side_files_have_the_same_limit(tmp_path):
    put(tmp_path, "a.mtl", b"newmtl paint\nmap_Kd p.png\n")
    put(tmp_path, "p.png", bytes(10_000))
    with pytest.warns(dd.LeftOutWarning, match="4 faces lost their texture p.png: .* 10000 bytes"):
        load_mesh(put(tmp_path, "a.obj", textured_obj()), max_file_bytes=5000)
    put(tmp_path, "a.mtl", bytes(10_000))
    refused(tmp_path / "a.obj", "max_file_bytes", max_file_bytes=5000)
    tree, _ = gltf_tree(TETRA, buffers=[{"uri": "p.png", "byteLength": 100}])
    refused(
        put(tmp_path, "a.gltf", json.dumps(tree).encode()), "max_file_bytes", max_file_bytes=5000
    )


# Texture roots


def shapenet(tmp_path: Path, name: str = "../images/t.png") -> Path:
    """Write the layout of ShapeNet, and return the path of its OBJ."""
    for folder in ("model/models", "model/images", "outside"):
        (tmp_path / folder).mkdir(parents=True)
    put(tmp_path / "model/models", "a.mtl", f"newmtl paint\nmap_Kd {name}\n".encode())
    put(tmp_path / "model/images", "t.png", png(TEXTURE))
    put(tmp_path / "outside", "secret.png", png(TEXTURE))
    return put(tmp_path / "model/models", "a.obj", textured_obj())


@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
def test_texture_roots(tmp_path):
    path = shapenet(tmp_path)
    assert load_mesh(path).textures == ()
    plain = load_mesh(path).source.textures_sha256
    hashes = set()
    for root in ("model", "model/images", "model/models/../images", "."):
        mesh = load_mesh(path, texture_roots=tmp_path / root)
        check_texture(mesh)
        hashes.add(mesh.source.textures_sha256)
    assert plain not in hashes
    check_texture(load_mesh(path, texture_roots=["/", tmp_path / "model"]))
    check_texture(load_mesh(path, texture_roots=[str(tmp_path / "outside"), tmp_path / "model"]))
    assert load_mesh(path, texture_roots=tmp_path / "outside").textures == ()
    assert load_mesh(path, texture_roots=tmp_path / "model/models").textures == ()


@pytest.mark.parametrize("name", ["images/t.png", "C:\\work\\t.png", "../IMAGES/T.png", "T.PNG"])
def test_paths_start_from_texture_roots(tmp_path, name):
    path = shapenet(tmp_path, name)
    roots = [tmp_path / "model", tmp_path / "model/images"]
    check_texture(load_mesh(path, texture_roots=roots))


@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
@pytest.mark.parametrize(
    "name",
    ["../../outside/secret.png", "../images/link.png", "../images/linked/secret.png",
     "../images/../../outside/secret.png", "../images/LINKED/secret.png", "/etc/passwd"],
)  # fmt: skip
def test_nothing_outside_texture_roots_is_read(tmp_path, name):
    path = shapenet(tmp_path, name)
    images = tmp_path / "model/images"
    (images / "link.png").symlink_to(tmp_path / "outside/secret.png")
    (images / "linked").symlink_to(tmp_path / "outside", target_is_directory=True)
    assert load_mesh(path, texture_roots=images).textures == ()
    assert load_mesh(path, texture_roots=tmp_path / "model").textures == ()


def test_a_link_between_texture_roots_is_followed(tmp_path):
    path = shapenet(tmp_path, "../images/link.png")
    (tmp_path / "model/images/link.png").symlink_to(tmp_path / "outside/secret.png")
    check_texture(load_mesh(path, texture_roots=[tmp_path / "model", tmp_path / "outside"]))


def test_texture_roots_that_are_no_folders(tmp_path):
    path = shapenet(tmp_path)
    for root in (tmp_path / "gone", path, "a\0b"):
        with pytest.raises(dd.RequestError, match=r"must be folders, .* is not one .*; check the"):
            load_mesh(path, texture_roots=[root])


def test_buffers_of_a_gltf_may_lie_in_texture_roots(tmp_path):
    path = shapenet(tmp_path)
    _, content = gltf_tree(TETRA)
    put(tmp_path / "model/images", "b.bin", content)
    tree, _ = gltf_tree(TETRA, buffers=[{"uri": "../images/b.bin", "byteLength": len(content)}])
    path = put(tmp_path / "model/models", "a.gltf", json.dumps(tree).encode())
    refused(path, "which is not in its folder")
    assert load_mesh(path, texture_roots=tmp_path / "model").is_oriented


def test_hashes_tell_equal_names_in_different_roots_apart(tmp_path):
    """Swapping two files of equal name changes the hash."""
    text = b"newmtl paint\nmap_Kd ../x/t.png\nnewmtl more\nmap_Kd ../y/t.png\n"
    (tmp_path / "m").mkdir()
    put(tmp_path / "m", "a.mtl", text)
    faces = textured_obj().split(b"f ", 3)
    path = put(tmp_path / "m", "a.obj", b"f ".join(faces[:3]) + b"usemtl more\nf " + faces[3])
    hashes = set()
    for images in ((TEXTURE, TEXTURE[::-1]), (TEXTURE[::-1], TEXTURE), (TEXTURE, TEXTURE)):
        for folder, image in zip("xy", images, strict=True):
            (tmp_path / folder).mkdir(exist_ok=True)
            put(tmp_path / folder, "t.png", png(image))
        roots = [tmp_path / "x", tmp_path / "y"]
        hashes.add(load_mesh(path, texture_roots=roots).source.textures_sha256)
    assert len(hashes) == 3


# Case


@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
def test_names_that_differ_in_case(tmp_path):
    (tmp_path / "Maps").mkdir()
    put(tmp_path, "Library.MTL", b"newmtl paint\nmap_Kd maps\\P.png\n")
    put(tmp_path / "Maps", "p.PNG", png(TEXTURE))
    path = put(tmp_path, "a.obj", textured_obj("library.mtl"))
    check_texture(load_mesh(path))
    put(tmp_path / "Maps", "P.PNG", png(TEXTURE[::-1]))
    assert load_mesh(path).textures == ()  # either could be meant
    put(tmp_path / "Maps", "P.png", png(TEXTURE))
    check_texture(load_mesh(path))


# Git LFS

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n"
LFS = "is a Git LFS pointer, not the file"


@pytest.mark.parametrize("name", ["a.obj", "a.stl", "a.ply", "a.glb", "a.dae", "a.usdc"])
def test_a_git_lfs_pointer_is_named(tmp_path, name):
    refused(put(tmp_path, name, POINTER), f": it {LFS}; run `git lfs pull`$")


def test_side_files_that_are_git_lfs_pointers(tmp_path):
    path = put(tmp_path, "a.obj", textured_obj())
    put(tmp_path, "a.mtl", POINTER)
    refused(path, f"its side file 'a.mtl' {LFS}; run `git lfs pull`$")
    put(tmp_path, "a.mtl", b"newmtl paint\nmap_Kd p.png\n")
    put(tmp_path, "p.png", POINTER)
    with pytest.warns(dd.LeftOutWarning, match=f"lost their texture p.png: .*{LFS}$"):
        load_mesh(path)
