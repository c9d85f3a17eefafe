"""Mesh files of a run: folders stand for the mesh files in them, results are left out."""

from __future__ import annotations

import pytest

import ddepth_gl as dd
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
    found = mesh_files([folder / "b.obj", folder], folder / "out")
    names = [str(file.relative_to(folder)) for file in found]
    assert names == ["b.obj", "a.PLY", "b.obj", "sub/c.glb", "sub/deep/d.gltf"]


def test_results_are_left_out_however_their_folder_is_written(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for output in ("out", "./sub/../out", folder / "out"):
        assert not [file for file in mesh_files([folder], folder / output) if file.name == "r.ply"]
    elsewhere = mesh_files([folder], folder.parent / "elsewhere")
    assert [file.name for file in elsewhere if file.parent.name == "out"] == ["r.ply"]


def test_files_that_are_missing_are_left_to_the_reader(folder):
    missing = folder / "nowhere.obj"
    assert mesh_files([missing], folder / "out") == [missing]


def test_a_loop_of_links_ends(folder):
    (folder / "sub" / "loop").symlink_to(folder, target_is_directory=True)
    assert len(mesh_files([folder], folder / "out")) == 4


def test_a_folder_that_cannot_be_read(folder, monkeypatch):
    def scandir(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", scandir)
    with pytest.raises(dd.RequestError, match=r"cannot be searched \(Permission denied\)"):
        mesh_files([folder], folder / "out")


def test_a_folder_without_meshes(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(dd.RequestError, match=r"empty has no mesh files \(\.obj.*glTF|\.gltf\)"):
        mesh_files([tmp_path / "empty"], tmp_path / "out")


@pytest.mark.parametrize("output", [".", "..", "sub"])
def test_results_beside_or_above_the_folder_leave_nothing_out(folder, output):
    """Only results below a searched folder are told from its meshes by their place."""
    searched = folder / "sub" if output == "sub" else folder
    found = mesh_files([searched], (folder / output).resolve())
    assert len(found) == (2 if output == "sub" else 5)


def test_a_link_to_itself_is_left_to_the_reader(folder):
    (folder / "loop.obj").symlink_to("loop.obj")
    names = [file.name for file in mesh_files([folder], folder / "out")]
    assert "loop.obj" in names
    assert "b.obj" in names
