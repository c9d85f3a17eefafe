"""`ddepth check-layers`: each method on boxes whose crossings are known, and what it prints."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from shapes import box

import ddepth_gl as dd
from ddepth_gl.cli import main as cli
from ddepth_gl.io.results.ply import write_mesh
from ddepth_gl.jobs.layer_check import LayerCheck, check_layers

SIZE = 16


def boxes(*spans):
    """Return boxes behind each other along z, the camera's direction, wider than the image."""
    parts = [box((-9, -9, low), (9, 9, high)) for low, high in spans]
    vertices = np.concatenate([part.vertices for part in parts])
    faces = np.concatenate([part.faces + 8 * index for index, part in enumerate(parts)])
    return dd.Mesh(vertices, faces)


def rows_of(renderer, mesh, extent=(8.0, 8.0), **settings):
    # Moved by a bit, so that no pixel center lies on a diagonal of a box.
    pose = np.eye(4)
    pose[:2, 3] = 0.131, 0.057
    camera = dd.Camera.orthographic(extent, pose, SIZE, SIZE)
    rows = check_layers(mesh, [camera, camera], [renderer], LayerCheck(**settings))
    return {row.method: row for row in rows}


def test_three_boxes(renderer):
    # Crossings at 1, 2; 2.001, 3; 5, 6. The diagonal is sqrt(18^2 + 18^2 + 5^2) = 25.9.
    rows = rows_of(renderer, boxes((1, 2), (2.001, 3), (5, 6)), steps=(1e-3, 1e-6), layers=(4, 8))
    rays = 2 * SIZE * SIZE
    assert all(row.images == 2 for row in rows.values())
    assert all(row.rays == rays and row.walls == 6 * rays for row in rows.values())
    expected = {  # wrong, wrong exits, walls lost, walls added, truncated
        "float64 rays, the reference": (0, 0, 0, 0, 0),
        # 2 + 3 + 6 = 11 instead of 6
        "transparent nodes: back faces add up, 8 faces": (1, 1, None, None, 0),
        # The front at 2.001 is 0.001 behind the back at 2; a step is 0.026.
        "cast again, 0.001 of the diagonal behind": (1, 0, 1, 0, 0),
        "cast again, 1e-06 of the diagonal behind": (0, 0, 0, 0, 0),
        "rays through integer pixels": (0, 0, 0, 0, 0),  # the boxes are flat
        "the first 4 layers": (1, 1, 2, 0, 1),
        "the first 8 layers": (0, 0, 0, 0, 0),
        # float16 has steps of 2^-9 between 2 and 4: 2.001 becomes 2.002, off by 4.8e-4.
        "depths in float16": (1, 0, 0, 0, 0),
        f"ddepth_gl, engine {renderer.info.engine}": (0, 0, 0, 0, 0),
    }
    assert list(rows) == list(expected)
    for method, numbers in expected.items():
        row = rows[method]
        got = (row.wrong, row.wrong_exits, row.walls_lost, row.walls_added, row.truncated)
        assert got == tuple(n if n is None else n * rays for n in numbers), method


def test_float16_merges_walls_that_are_close(renderer):
    rows = rows_of(renderer, boxes((1, 4), (4.0005, 5)))  # its step at 4 is 2^-8
    assert rows["depths in float16"].walls_lost == 2 * SIZE * SIZE


def test_transparent_nodes_are_right_for_one_exit_and_stop_after_eight_faces(renderer):
    name = "transparent nodes: back faces add up, 8 faces"
    assert rows_of(renderer, boxes((1, 2)))[name].wrong == 0
    # Five boxes: the fifth exit is the tenth face. 2 + 2 + 2 + 2 of the first four is the eighth.
    spans = [(0.1 * k, 0.1 * k + 0.05) for k in (1, 2, 3, 4)]
    total = sum(high for _, high in spans)
    rows = rows_of(renderer, boxes(*spans, (total - 0.1, total)))
    assert rows[name].wrong == 0


def test_the_shift_of_integer_pixels(renderer):
    mesh = box((-1, -1, 2), (1, 1, 3))
    rows = rows_of(renderer, mesh, extent=(4.0, 4.0))
    # Pixels are 0.25 wide, with centers at (c - 7.5) / 4 and corners at (c - 8) / 4. Both see the
    # columns 5 to 12 of -0.869 to 1.131. Of -0.943 to 1.057, they see rows 4 to 11 and 5 to 12.
    assert rows["rays through integer pixels"].shift == pytest.approx(1.0)
    assert rows[f"ddepth_gl, engine {renderer.info.engine}"].shift == 0.0


@pytest.fixture
def check(tmp_path, monkeypatch, capfd):
    """Run `ddepth check-layers`; return exit status, stdout and lines of stderr."""
    write_mesh(tmp_path / "box.ply", box())
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ddepth", "check-layers", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        out, error = capfd.readouterr()
        return exit_.value.code or 0, out, error.splitlines()

    return run


def test_the_table(check):
    status, out, error = check("box.ply", "--views", 2, "--size", 16, "--engine", "raster")
    assert (status, error) == (0, [])
    lines = out.splitlines()
    assert lines[0] == "box.ply: 12 faces, 2 images of 16x16 pixels"
    assert len({len(line) for line in lines[1:]}) == 1
    assert lines[-1].startswith("| ddepth_gl, engine raster ")
    cells = [cell.strip() for cell in lines[-1].split("|")[2:-1]]
    assert cells[1:6] == ["0"] * 5
    assert float(cells[7]) > 0


def test_json_and_the_mesh_without_files(check):
    status, out, _ = check("--views", 1, "--size", 24, "--json", "--layers", "2", "--steps", ".1")
    [entry] = json.loads(out)
    assert (status, entry["mesh"]) == (0, "demo")
    rows = {row["method"]: row for row in entry["methods"]}
    assert rows["the first 2 layers"]["truncated"] > 0
    assert rows["cast again, 0.1 of the diagonal behind"]["walls_lost"] > 0
    own = entry["methods"][-1]
    assert own["wrong"] == own["walls_lost"] == 0
    assert own["rays"] > 20


def test_errors(check, tmp_path):
    (tmp_path / "bad.ply").write_text("ply")
    status, out, error = check("bad.ply", "box.ply", "--size", 8, "--views", 1)
    assert status == 1
    assert error[0].startswith("ddepth: error: bad.ply")
    assert "box.ply: 12 faces" in out
    for option, value in (("--tolerance", "0"), ("--steps", "x"), ("--layers", "1.5")):
        status, _, [line] = check("box.ply", option, value)
        assert status == 1
        assert line.startswith(f"ddepth: error: {option} must be ")


@pytest.mark.slow
def test_ours_loses_nothing_of_the_demo_mesh(renderer):
    mesh = dd.demo_mesh()
    rows = check_layers(mesh, dd.Camera.orbit(mesh, 2, 96, 96), [renderer])
    assert rows[-1].rays > 3000
    assert (rows[-1].wrong, rows[-1].walls_lost, rows[-1].walls_added) == (0, 0, 0)
    assert rows[1].wrong > 0.2 * rows[1].rays
