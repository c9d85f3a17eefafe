"""Mesh files of a run: those given, and those in folders, but neither results nor hidden files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddepth_gl.jobs.sources import mesh_files


def write_result(path, comment="mesh_sha256 12ab", points=3):
    """Write a point cloud by hand, as `ddepth render` describes it."""
    header = (
        f"ply\nformat binary_little_endian 1.0\ncomment version ddepth_gl 1\ncomment {comment}\n"
    )
    numbers = "".join(f"property float {axis}\n" for axis in "xyz")
    header += f"element vertex {points}\n{numbers}end_header\n"
    path.write_bytes(header.encode() + bytes(12 * points))


@pytest.fixture
def folder(tmp_path):
    for name in (
        "b.obj",
        "a.PLY",
        "sub/c.glb",
        "sub/deep/d.gltf",
        "notes.txt",
        "b.mtl",
        "out/r.ply",
        "._b.obj",
        "sub/.copy.ply",
        ".cache/b.obj",
    ):
        path = tmp_path / "meshes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    write_result(tmp_path / "meshes" / "out" / "r.ply")
    (tmp_path / "meshes" / "folder.obj").mkdir()
    return tmp_path / "meshes"


def test_a_folder_stands_for_its_mesh_files(folder):
    found = mesh_files([folder])
    names = [str(file.relative_to(folder)) for file in found.files]
    assert names == ["a.PLY", "b.obj", "sub/c.glb", "sub/deep/d.gltf"]
    assert not found.repeated
    assert not found.failures


def test_a_file_counts_once_however_its_folder_is_written(folder, monkeypatch):
    monkeypatch.chdir(folder)
    Path("linked").symlink_to("sub", target_is_directory=True)
    paths = ["b.obj", ".", "./b.obj", folder / "sub", "sub/deep/../c.glb", "linked", "linked/c.glb"]
    found = mesh_files([Path(path) for path in paths])
    assert [str(file) for file in found.files] == ["b.obj", "a.PLY", "sub/c.glb", "sub/deep/d.gltf"]
    assert [str(file) for file in found.repeated] == [
        "b.obj",
        "b.obj",
        f"{folder}/sub/c.glb",
        f"{folder}/sub/deep/d.gltf",
        "sub/deep/../c.glb",
        "linked/c.glb",
        "linked/deep/d.gltf",
        "linked/c.glb",
    ]


def test_links_to_one_mesh_are_files_of_their_own(folder):
    """Data sets share meshes by links, and results are named after the links."""
    (folder / "sub" / "same.obj").symlink_to(folder / "b.obj")
    found = mesh_files([folder])
    assert {"same.obj", "b.obj"} <= {file.name for file in found.files}
    assert not found.repeated


def test_results_are_left_out_wherever_they_lie(folder):
    """Also where the results of a run go to the searched folder, and of other meshes."""
    write_result(folder / "b_000_mould.ply")
    write_result(folder / "sub" / "deep" / "d_000_front.ply")
    (folder / "sub" / "link.ply").symlink_to("deep/d_000_front.ply")
    found = mesh_files([folder, folder / "sub"])
    names = [str(file.relative_to(folder)) for file in found.files]
    assert names == ["a.PLY", "b.obj", "sub/c.glb", "sub/deep/d.gltf"]
    assert sorted({str(file.relative_to(folder)) for file in found.results}) == [
        "b_000_mould.ply",
        "out/r.ply",
        "sub/deep/d_000_front.ply",
        "sub/link.ply",
    ]
    assert not found.failures


def test_meshes_of_others_are_no_results(folder):
    """What counts is a comment in the header, not the name, and not the data below it."""
    write_result(folder / "of_a_mesh_in_memory.ply", "engine compute")
    write_result(folder / "x_000_mould.ply", "made by mesh_sha256")
    (folder / "below.ply").write_bytes(b"ply\nend_header\ncomment mesh_sha256 12ab\n")
    (folder / "line.ply").write_bytes(b"a" * 3_000_000 + b"\ncomment mesh_sha256 12ab\n")
    (folder / "empty.ply").touch()
    os.mkfifo(folder / "pipe.ply")
    names = {file.name for file in mesh_files([folder]).files}
    expected = {"of_a_mesh_in_memory", "x_000_mould", "below", "line", "empty", "pipe"}
    assert {f"{name}.ply" for name in expected} < names


def test_a_file_given_by_name_is_taken(folder):
    paths = [folder / "out" / "r.ply", folder / "._b.obj"]
    assert mesh_files(paths) == (paths, [], {}, [], [])
    assert mesh_files([folder, *paths]).results == []
    hidden = folder / ".cache"
    assert mesh_files([hidden]).files == [hidden / "b.obj"]


def test_a_folder_of_results_alone(folder):
    found = mesh_files([folder / "out", folder / "out"])
    assert (found.files, found.results) == ([], [folder / "out" / "r.ply"])
    (message,) = found.failures.values()
    assert message.endswith(
        "besides 1 result of ddepth; give results by name, or give another folder"
    )


def test_files_that_are_missing_are_left_to_the_reader(folder):
    missing = folder / "nowhere.obj"
    assert mesh_files([missing]).files == [missing]


def test_a_loop_of_links_ends(folder):
    (folder / "sub" / "loop").symlink_to(folder, target_is_directory=True)
    assert len(mesh_files([folder]).files) == 4


def test_a_folder_that_cannot_be_read(folder, monkeypatch):
    """The other folders are searched nevertheless."""
    scandir = os.scandir

    def refuse_deep(path):
        if Path(path).name == "deep":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse_deep)
    found = mesh_files([folder])
    assert [file.name for file in found.files] == ["a.PLY", "b.obj", "c.glb"]
    deep = folder / "sub" / "deep"
    assert found.failures == {
        deep: f"{deep} cannot be searched (Permission denied); "
        "change its permissions, or leave it out"
    }
    # One message says enough.
    found = mesh_files([deep])
    assert (found.files, list(found.failures)) == ([], [deep])
    assert "cannot be searched" in found.failures[deep]


def test_a_folder_without_meshes(folder):
    empty = folder.parent / "empty"
    empty.mkdir()
    found = mesh_files([empty, folder / "b.obj"])
    assert found.files == [folder / "b.obj"]
    suffixes = ".obj, .stl, .ply, .off, .glb, .gltf, .3mf, .dae, .usd, .usda, .usdc, .usdz"
    message = f"{empty} has no mesh files ({suffixes}); give another folder"
    assert found.failures == {empty: message}


def test_a_link_to_itself_is_left_to_the_reader(folder):
    (folder / "loop.obj").symlink_to("loop.obj")
    names = [file.name for file in mesh_files([folder]).files]
    assert "loop.obj" in names
    assert "b.obj" in names
