"""Mesh files of a run: folders stand for the mesh files in them, results are left out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ddepth_gl.jobs.sources import mesh_files


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
    ):
        path = tmp_path / "meshes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "meshes" / "folder.obj").mkdir()
    return tmp_path / "meshes"


def test_a_folder_stands_for_its_mesh_files(folder):
    found = mesh_files([folder], folder / "out")
    names = [str(file.relative_to(folder)) for file in found.files]
    assert names == ["a.PLY", "b.obj", "sub/c.glb", "sub/deep/d.gltf"]
    assert not found.repeated
    assert not found.failures


def test_a_file_counts_once_however_its_folder_is_written(folder, monkeypatch):
    monkeypatch.chdir(folder)
    Path("linked").symlink_to("sub", target_is_directory=True)
    paths = ["b.obj", ".", "./b.obj", folder / "sub", "sub/deep/../c.glb", "linked", "linked/c.glb"]
    found = mesh_files([Path(path) for path in paths], Path("out"))
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
    found = mesh_files([folder], folder / "out")
    assert {"same.obj", "b.obj"} <= {file.name for file in found.files}
    assert not found.repeated


def test_results_are_left_out_however_their_folder_is_written(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for output in ("out", "./sub/../out", folder / "out"):
        assert not [
            file for file in mesh_files([folder], folder / output).files if file.name == "r.ply"
        ]
    elsewhere = mesh_files([folder], folder.parent / "elsewhere").files
    assert [file.name for file in elsewhere if file.parent.name == "out"] == ["r.ply"]


def test_files_that_are_missing_are_left_to_the_reader(folder):
    missing = folder / "nowhere.obj"
    assert mesh_files([missing], folder / "out").files == [missing]


def test_a_loop_of_links_ends(folder):
    (folder / "sub" / "loop").symlink_to(folder, target_is_directory=True)
    assert len(mesh_files([folder], folder / "out").files) == 4


def test_a_folder_that_cannot_be_read(folder, monkeypatch):
    """The other folders are searched nevertheless."""
    scandir = os.scandir

    def refuse_deep(path):
        if Path(path).name == "deep":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse_deep)
    found = mesh_files([folder], folder / "out")
    assert [file.name for file in found.files] == ["a.PLY", "b.obj", "c.glb"]
    deep = folder / "sub" / "deep"
    assert found.failures == {
        deep: f"{deep} cannot be searched (Permission denied); "
        "change its permissions, or leave it out"
    }
    # One message says enough.
    found = mesh_files([deep], folder / "out")
    assert (found.files, list(found.failures)) == ([], [deep])
    assert "cannot be searched" in found.failures[deep]


def test_a_folder_without_meshes(folder):
    empty = folder.parent / "empty"
    empty.mkdir()
    found = mesh_files([empty, folder / "b.obj"], folder / "out")
    assert found.files == [folder / "b.obj"]
    message = (
        f"{empty} has no mesh files (.obj, .stl, .ply, .off, .glb, .gltf); give another folder"
    )
    assert found.failures == {empty: message}


@pytest.mark.parametrize("output", [".", "..", "sub"])
def test_results_beside_or_above_the_folder_leave_nothing_out(folder, output):
    """Only results below a searched folder are told from its meshes by their place."""
    searched = folder / "sub" if output == "sub" else folder
    found = mesh_files([searched], (folder / output).resolve())
    assert len(found.files) == (2 if output == "sub" else 5)


def test_a_link_to_itself_is_left_to_the_reader(folder):
    (folder / "loop.obj").symlink_to("loop.obj")
    names = [file.name for file in mesh_files([folder], folder / "out").files]
    assert "loop.obj" in names
    assert "b.obj" in names
