"""`ddepth bench`: what it times, when it stops, and what it prints."""

from __future__ import annotations

import json
import os
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from shapes import box

import ddepth_gl as dd
from ddepth_gl.io.results.ply import write_mesh
from ddepth_gl.jobs import bench
from ddepth_gl.jobs.bench import BENCH_JOBS, MADE_UP_MESHES, BenchRun
from ddepth_gl.mesh.demo import sphere_mesh


@pytest.fixture
def ddepth(tmp_path, monkeypatch, ddepth):
    """Run `ddepth bench` beside a mesh."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "_MAX_ROUNDS", 2)
    write_mesh(tmp_path / "box.ply", box())
    return partial(ddepth, "bench")


class Clocked:
    """A renderer whose calls take a second per image, by the clock of the module under test."""

    def __init__(self, monkeypatch, failing=()):
        self.now, self.cameras, self.failing = 0.0, [], failing
        self.scenes = 0
        monkeypatch.setattr(
            bench, "time", SimpleNamespace(perf_counter=self.clock, process_time=self.clock)
        )

    def clock(self):
        return self.now

    def upload(self, mesh):
        if "upload" in self.failing:
            raise dd.DeviceMemoryError("no memory for the mesh")
        self.scenes += 1
        return self

    def release(self):
        self.scenes -= 1

    def entry_exit(self, scene, camera, attributes=()):
        self.now += 1.0
        self.cameras.append(camera)

    def shade(self, scene, camera, samples=1):
        if samples in self.failing:
            raise dd.DeviceMemoryError("no memory for the image")
        self.entry_exit(scene, camera)

    peel = entry_exit

    def entry_exit_many(self, scene, cameras):
        return map(self.entry_exit, cycle_of(scene), cameras)


def cycle_of(item):
    while True:
        yield item


def meshes(*names):
    return dict.fromkeys(names, box)


def test_every_job_is_timed_in_turns_until_the_rounds_are_over(monkeypatch):
    renderer = Clocked(monkeypatch)
    run = BenchRun({"raster": renderer, "compute": renderer}, 1e6)
    run.time_meshes(meshes("a", "b"), [8, 16])
    assert [(row.mesh, row.size, row.engine, row.job) for row in run.rows] == [
        (mesh, size, engine, job)
        for mesh in "ab"
        for size in (8, 16)
        for engine in ("raster", "compute")
        for job in BENCH_JOBS
    ]
    for row in run.rows:
        assert len(row.figures) == 15
        assert row.median == (1.0 if row.job == "sheets_many" else 1000.0)
        assert row.spread == 0.0
        assert row.cpu_ms == [1000.0] * 15
        assert row.faces == 12
    assert (run.left_out, run.failures, renderer.scenes) == ([], {}, 0)
    assert {camera.width for camera in renderer.cameras} == {8, 16}
    # The engines keep what they know of a camera, so the same one again would be too fast.
    assert all(a is not b for a, b in zip(renderer.cameras, renderer.cameras[1:], strict=False))


@pytest.mark.parametrize("seconds", [1, 21, 25, 30, 60, 75, 200])
def test_no_call_starts_after_the_time(monkeypatch, seconds):
    """A round takes 21 seconds: five jobs of one image, one of 16."""
    renderer = Clocked(monkeypatch)
    run = BenchRun({"raster": renderer}, seconds)
    run.time_meshes(meshes("a", "b"), [8])
    assert renderer.now < seconds + 16 + 1
    timed = {row.mesh for row in run.rows if row.median is not None}
    complete = {name for name in "ab" if name in timed} - {
        row.mesh for row in run.rows if row.median is None
    }
    left_out = {text.split(" ")[0] for text in run.left_out}
    assert complete.isdisjoint(left_out)
    assert complete | left_out == {"a", "b"}
    # A mesh needs a warm-up and a round, whose last job starts 26 s after the mesh's first.
    assert ("a" in complete) == (seconds >= 26)
    assert ("b" in complete) == (seconds >= 42 + 26)


def test_the_time_is_shared_by_meshes_and_sizes(monkeypatch):
    renderer = Clocked(monkeypatch)
    run = BenchRun({"raster": renderer}, 2000)
    run.time_meshes(meshes("a", "b", "c", "d"), [8, 16])
    # 2000 s for 8 cells: 250 each, a warm-up and eleven rounds of 21 s
    assert {len(row.figures) for row in run.rows} <= {10, 11, 12}
    assert not run.left_out


def test_a_job_that_fails_stops_no_other(monkeypatch):
    renderer = Clocked(monkeypatch, failing=(4,))
    run = BenchRun({"raster": renderer}, 1e6)
    run.time_meshes(meshes("a"), [8])
    assert run.failures == {"a at 8, raster, photo, 16 samples": "no memory for the image"}
    assert {row.job for row in run.rows if row.median is None} == {"photo_16_samples"}
    renderer = Clocked(monkeypatch, failing=("upload",))
    run = BenchRun({"raster": renderer}, 1e6)
    run.time_meshes(meshes("a", "b"), [8])
    assert run.failures == dict.fromkeys("ab", "no memory for the mesh")
    assert not run.rows


def test_a_lost_device_ends_the_run(monkeypatch):
    renderer = Clocked(monkeypatch)
    monkeypatch.setattr(renderer, "peel", lambda *_: (_ for _ in ()).throw(dd.ContextError("lost")))
    with pytest.raises(dd.ContextError, match="lost"):
        BenchRun({"raster": renderer}, 1e6).time_meshes(meshes("a"), [8])
    assert renderer.scenes == 0


@pytest.mark.parametrize("count", [5_000, 82_000])
def test_spheres(count):
    mesh = sphere_mesh(count)
    assert abs(len(mesh.faces) - count) < 0.01 * count
    assert mesh.is_closed
    assert mesh.is_oriented
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices, axis=1), 1.0, rtol=1e-12)
    a, b, c = np.moveaxis(mesh.vertices[mesh.faces], 1, 0)
    volume = np.einsum("fx,fx->", a, np.cross(b, c)) / 6
    # The faces cut off a part of the ball that shrinks with their number.
    assert 0.995 < volume / (4 / 3 * np.pi) < 1
    assert np.ptp(mesh.colors[:, :3], axis=0).tolist() == [255, 255, 255]


def test_the_table(ddepth, monkeypatch):
    monkeypatch.setenv("LP_NUM_THREADS", "1")
    code, out, err = ddepth("box.ply", "--sizes", "8,16", "--engine", "raster", "--engine", "auto")
    assert (code, err) == (0, [])
    with dd.DepthRenderer("raster") as renderer:
        info = renderer.info
    heading, titles, rule, *rows, note = out.splitlines()
    for text in (info.renderer, info.gl_version, dd.__version__, f"{os.cpu_count()} CPUs"):
        assert text in heading
    assert heading.endswith("LP_NUM_THREADS 1")
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in (titles, *rows)]
    assert cells[0] == ["mesh", "faces", "size", "engine"] + [
        job.heading for job in BENCH_JOBS.values()
    ]
    assert len({len(row) for row in (titles, rule, *rows)}) == 1  # aligned
    with dd.DepthRenderer("auto") as renderer:
        engines = list(dict.fromkeys(["raster", renderer.info.engine]))
    assert [row[:4] for row in cells[1:]] == [
        ["box.ply", "12", size, engine] for size in ("8", "16") for engine in engines
    ]
    for row in cells[1:]:
        for cell in row[4:]:
            median, spread = cell.split(" ±")
            assert float(median) > 0
            assert float(spread) >= 0
    assert "2 rounds" in note


def test_json_is_complete(ddepth, monkeypatch):
    monkeypatch.delenv("LP_NUM_THREADS", raising=False)
    code, out, err = ddepth("box.ply", "--json", "--sizes", "8")
    assert (code, err) == (0, [])
    report = json.loads(out)
    with dd.DepthRenderer() as renderer:
        assert report["renderer"] == renderer.info.as_dict()
    assert report["version"] == f"ddepth_gl {dd.__version__}"
    assert report["LP_NUM_THREADS"] is None
    assert report["cpu_count"] == os.cpu_count()
    assert report["left_out"] == []
    assert report["failures"] == {}
    assert [row["job"] for row in report["rows"]] == list(BENCH_JOBS)
    for row in report["rows"]:
        assert row["unit"] == BENCH_JOBS[row["job"]].unit
        assert row["rounds"] == 2
        assert 0 < row["least"] <= row["median"] <= row["most"]
        assert 0 <= row["spread"] <= row["most"] - row["least"]
        assert row["median_cpu_ms_per_image"] > 0
        assert (row["mesh"], row["faces"], row["size"]) == ("box.ply", 12, 8)


def test_without_meshes_it_makes_some(ddepth, monkeypatch):
    monkeypatch.setattr(bench, "MADE_UP_MESHES", dict(list(MADE_UP_MESHES.items())[:1]))
    code, out, _ = ddepth("--json", "--sizes", "8")
    assert code == 0
    assert {row["mesh"] for row in json.loads(out)["rows"]} == {"sphere 5k"}


def test_time_that_does_not_suffice_is_told(ddepth):
    code, out, err = ddepth("box.ply", "--sizes", "8,16", "--seconds", "1e-9")
    assert code == 0
    assert err == [
        "ddepth: warning: left out after 1e-09 seconds: box.ply at 8, box.ply at 16; "
        "give more --seconds"
    ]
    assert "0 rounds" in out


def test_failures_are_lines_on_stderr(ddepth, monkeypatch):
    def peel(*_):
        raise dd.DeviceMemoryError("pass max_layers=")

    monkeypatch.setattr(dd.DepthRenderer, "peel", peel)
    code, out, err = ddepth("box.ply", "--sizes", "8", "--engine", "raster")
    assert code == 1
    assert err == ["ddepth: error: box.ply at 8, raster, layers: give --max-layers"]
    assert " - " in out.splitlines()[3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sizes", "0"], ["--sizes", "'0'"]),
        (["--sizes", "8,x"], ["--sizes", "'8,x'"]),
        (["--sizes", ""], ["--sizes"]),
        (["--sizes", "1000000"], ["--sizes 1000000", "pixels"]),
        (["--seconds", "0"], ["--seconds"]),
        (["--seconds", "nan"], ["--seconds"]),
        (["--seconds", "inf"], ["--seconds"]),
        (["--engine", "banana"], ["--engine must be"]),
        (["--device", "banana"], ["banana"]),
        (["missing.obj"], ["missing.obj"]),
        (["empty"], ["empty has no mesh files"]),
    ],
)
def test_bad_arguments_are_one_line(ddepth, tmp_path, arguments, words):
    (tmp_path / "empty").mkdir()
    code, out, err = ddepth(*arguments)
    assert (code, out) == (1, "")
    assert len(err) == 1
    for word in words:
        assert word in err[0]
