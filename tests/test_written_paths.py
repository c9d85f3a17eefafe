"""Paths that writers take and return: `path` is the file; all of them return the files written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from crossings import by_hand
from shapes import box

import ddepth_gl as dd
from ddepth_gl.io.results.ply import write_mesh
from ddepth_gl.io.results.png import write_png

CAMERA = dd.Camera.look_at((3, 2, 1), (0, 0, 0), width=6, height=4)
SHEET = np.full((4, 6), 2.0, np.float32)
MAPS = dd.DepthMaps(SHEET, SHEET + 1, CAMERA)
LAYERS = by_hand(
    [["F1 B2"]], attributes={"normal": np.ones((2, 3), np.float32), "color": np.ones((2, 4), "f4")}
)
# For each writer: the file to pass, the other arguments, and the files that result.
DERIVED = ("entry_distance", "exit_distance", "thickness")
WRITERS = {
    dd.save_cameras: ("a.json", ([CAMERA],), ["a.json"]),
    dd.write_npz: ("a.npz", (MAPS,), ["a.npz"]),
    dd.write_exr: ("a.exr", (MAPS,), ["a.exr"]),
    dd.write_deep_exr: ("a.exr", (LAYERS,), ["a.exr"]),
    dd.write_lari: ("a.npz", (LAYERS,), ["a.npz"]),
    dd.write_xray: ("a.npz", (LAYERS,), ["a.npz"]),
    dd.write_exr_files: (
        "a.exr",
        (MAPS,),
        [f"a_{each}.exr" for each in ("entry", "exit", *DERIVED)],
    ),
    dd.write_photo: ("a.png", (np.zeros((4, 6, 4), np.uint8),), ["a.png"]),
    dd.write_ply: ("a.ply", (np.eye(3),), ["a.ply"]),
    dd.write_png16: ("a.png", (MAPS,), ["a_png16.json", "a_entry.png", "a_exit.png"]),
    dd.write_layer_clouds: ("a.ply", (LAYERS,), ["a_layer01.ply", "a_layer02.ply"]),
    dd.write_layereddepth: (
        "a.png",
        (LAYERS,),
        ["a.layereddepth.json", *(f"a.depth_{number}.png" for number in range(1, 9))],
    ),
    write_mesh: ("a.ply", (box(),), ["a.ply"]),
    write_png: ("a.png", (np.zeros((4, 6, 3), np.uint8), {}), ["a.png"]),
}
SEVERAL = [dd.write_exr_files, dd.write_png16, dd.write_layer_clouds, dd.write_layereddepth]


def test_every_public_writer_is_tested():
    public = {getattr(dd, name) for name in dd.__all__ if name.startswith(("write_", "save_"))}
    assert public <= set(WRITERS)


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
def test_writers_return_the_files_they_wrote(tmp_path, writer):
    name, arguments, expected = WRITERS[writer]
    written = writer(tmp_path / name, *arguments)
    assert written == [tmp_path / each for each in expected]
    assert sorted(written) == sorted(tmp_path.iterdir())
    assert all(isinstance(path, Path) for path in written)


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
def test_relative_paths_stay_relative(tmp_path, monkeypatch, writer):
    name, arguments, expected = WRITERS[writer]
    monkeypatch.chdir(tmp_path)
    given = Path(name) if writer is write_png else name
    assert writer(given, *arguments) == list(map(Path, expected))


@pytest.mark.parametrize("writer", SEVERAL)
@pytest.mark.parametrize(("given", "stem"), [("a", "a"), ("a.v2", "a.v2"), (".png", ".png")])
def test_without_the_extension_the_names_are_the_same(tmp_path, writer, given, stem):
    _, arguments, expected = WRITERS[writer]
    written = writer(tmp_path / given, *arguments)
    assert [path.name for path in written] == [stem + name[1:] for name in expected]


@pytest.mark.parametrize("writer", SEVERAL)
def test_the_extension_counts_in_any_case(tmp_path, writer):
    name, arguments, expected = WRITERS[writer]
    written = writer(tmp_path / name.upper(), *arguments)
    assert [path.name for path in written] == ["A" + each[1:] for each in expected]
