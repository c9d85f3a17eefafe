"""Data sets whose processes are killed at random moments, and hostile meshes among good ones.

After reruns, all shards are those of the undisturbed run, bit for bit. `make soak` kills more often
and at other moments each time.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from dataset_runs import rows, small_meshes, sums
from programs import ROOT, wait_until

from ddepth_gl.dataset import child
from ddepth_gl.dataset.config import DatasetConfig
from ddepth_gl.dataset.entries import unescaped_id
from ddepth_gl.dataset.run import RunOptions, run_dataset

MESHES, VIEWS = 20, 4
KILLS, SOAK_KILLS = 3, 20
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
    "RAY_AUTH_MODE": "disabled",
}


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    return small_meshes(tmp_path_factory.mktemp("meshes"), MESHES)


@pytest.fixture(params=[KILLS, pytest.param(SOAK_KILLS, marks=pytest.mark.soak)])
def kills(request):
    return request.param


@pytest.fixture
def rng(request, kills):
    """Random moments; the same ones each time but in `make soak`, which tells the seed."""
    seed = request.config.option.soak_seed if kills == SOAK_KILLS else 17
    return random.Random(seed)


def command(meshes, out, workers=2):
    return [
        *(sys.executable, "-m", "ddepth_gl", "dataset", str(meshes), "-o", str(out)),
        *("--views", str(VIEWS), "--size", "64", "--set", "shards.meshes=2"),
        *("--workers", str(workers)),
    ]


def start(arguments):
    return subprocess.Popen(
        arguments,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def complete(arguments):
    """Run the command to its end."""
    process = start(arguments)
    try:
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 0, err
    return out


@pytest.fixture(scope="module")
def undisturbed(meshes, tmp_path_factory):
    """The hashes of an undisturbed run, its seconds, and its folder."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    begin = time.monotonic()
    complete(command(meshes, out))
    seconds = time.monotonic() - begin
    assert len(rows(out / "index.parquet")) == MESHES * VIEWS
    return sums(out), seconds, out


def renderers(pid):
    """Return the renderer processes of a run."""
    try:
        children = psutil.Process(pid).children()
        return [each for each in children if "ddepth_gl.dataset.child_main" in each.cmdline()]
    except psutil.Error:
        return []


def check(out, undisturbed):
    expected, _, folder = undisturbed
    assert sums(out) == expected
    assert rows(out / "index.parquet") == rows(folder / "index.parquet")
    assert rows(out / "failures.parquet") == []
    assert not list((out / "claims").iterdir())
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]


@pytest.mark.slow
def test_the_main_process_is_killed(meshes, undisturbed, tmp_path, kills, rng):
    out = tmp_path / "out"
    killed = 0
    while killed < kills:
        process = start(command(meshes, out))
        children = []
        end = time.monotonic() + rng.uniform(0.0, 1.2 * undisturbed[1])
        while time.monotonic() < end and process.poll() is None:
            children = renderers(process.pid) or children
            time.sleep(0.05)
        if process.poll() is not None:  # it was faster
            shutil.rmtree(out)
            process.communicate()
            continue
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += 1
        wait_until(lambda children=children: not any(each.is_running() for each in children), "end")
    complete(command(meshes, out))
    check(out, undisturbed)


@pytest.mark.slow
def test_a_process_is_killed_while_it_merges_the_index(meshes, undisturbed, tmp_path):
    out = tmp_path / "out"
    process = start(command(meshes, out))
    wait_until(
        lambda: list(out.glob(".index-*")) or process.poll() is not None, "index", pause=0.0005
    )
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(out.glob(".index-*"))  # it was at it
    assert not (out / "index.parquet").exists()
    complete(command(meshes, out))
    check(out, undisturbed)


@pytest.mark.slow
def test_renderer_processes_are_killed(meshes, undisturbed, tmp_path, kills, rng):
    """With one worker, and after each kill another shard: so no mesh is hit twice."""
    out = tmp_path / "out"
    killed = 0

    def finished():
        return len(list((out / "shards").glob("*.json"))) if (out / "shards").exists() else 0

    while killed < kills:
        process = start(command(meshes, out, workers=1))
        while process.poll() is None and killed < kills:
            time.sleep(rng.uniform(0.0, 1.5))
            found = renderers(process.pid)
            if not found:
                continue
            before = finished()
            rng.choice(found).kill()
            killed += 1
            wait_until(
                lambda: finished() > before or process.poll() is not None,  # noqa: B023
                "shard",
                pause=0.02,
            )
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        check(out, undisturbed)
        if killed < kills:
            shutil.rmtree(out)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_the_run_at_once(meshes, undisturbed, tmp_path, number):
    out = tmp_path / "out"
    process = start(command(meshes, out))
    wait_until(lambda: (out / "claims").exists() and any((out / "claims").iterdir()), "claim")
    wait_until(lambda: renderers(process.pid), "renderer process")
    children = renderers(process.pid)
    begin = time.monotonic()
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - begin < 10
    assert process.returncode == 128 + number
    left = "finished shards are whole; the same command renders the rest"
    assert err.splitlines()[-1].endswith(left), err
    wait_until(lambda: not any(each.is_running() for each in children), "end")
    assert not list((out / "claims").iterdir())  # other machines need not wait
    complete(command(meshes, out))
    check(out, undisturbed)


RAY = """
import sys
import ray
from ddepth_gl.dataset.config_options import config_from_options
from ddepth_gl.dataset.entries import unescaped_id
from ddepth_gl.dataset.run import RunOptions, run_dataset

ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
config = config_from_options([sys.argv[1]], views=4, size="64", assignments=["shards.meshes=2"])
report = run_dataset(config, sys.argv[2], RunOptions(executor="ray"))
sys.exit(0 if report.is_complete and not report.failures else 5)
"""


@pytest.mark.slow
def test_processes_of_ray_are_killed(meshes, undisturbed, tmp_path, kills, rng):
    pytest.importorskip("ray", reason="ray is not installed; pip install ddepth-gl[ray]")
    out = tmp_path / "out"
    killed = 0
    while killed < kills:
        process = start([sys.executable, "-c", RAY, str(meshes), str(out)])
        killed_here = 0
        while process.poll() is None:
            time.sleep(rng.uniform(0.5, 3.0))
            # A few in a run: Ray gives up a task that is lost time and again.
            found = [] if killed_here == KILLS or killed == kills else tasks_of_ray(process.pid)
            if found:
                rng.choice(found).kill()
                killed += 1
                killed_here += 1
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        check(out, undisturbed)
        if killed < kills:
            shutil.rmtree(out)


def tasks_of_ray(pid):
    try:
        children = psutil.Process(pid).children(recursive=True)
        return [each for each in children if " ".join(each.cmdline()).startswith("ray::_render")]
    except psutil.Error:
        return []


LYING = b"""ply
format binary_little_endian 1.0
element vertex 350000000000
property float x
property float y
property float z
element face 3
property list uchar int vertex_indices
end_header
"""


@pytest.mark.slow
def test_hostile_meshes_among_good_ones(meshes, undisturbed, tmp_path, monkeypatch):
    folder = tmp_path / "meshes"
    shutil.copytree(meshes, folder)
    os.mkfifo(folder / "pipe.ply")
    (folder / "lying.ply").write_bytes(LYING + bytes(100))
    (folder / "empty.glb").touch()
    (folder / "noise.stl").write_bytes(random.Random(1).randbytes(5000))
    (folder / "sleepy.ply").write_bytes((folder / "mesh00.ply").read_bytes())
    (folder / "list.txt").write_text("\n".join(path.name for path in folder.iterdir()))
    hostile = {"pipe.ply", "lying.ply", "empty.glb", "noise.stl", "sleepy.ply"}
    monkeypatch.setattr(child, "_ENTRY", "sleepy_child")
    config = DatasetConfig(
        sources={"lists": [str(listed(folder))]},
        views={"count": VIEWS, "size": 64},
        shards={"meshes": 5},
        limits={"seconds_per_mesh": 5.0},
    )
    report = run_dataset(config, tmp_path / "out", RunOptions(workers=2))
    assert report.is_complete
    failures = {row["id"]: row for row in rows(tmp_path / "out" / "failures.parquet")}
    assert {file_name(id) for id in failures} == hostile
    assert all("\n" not in row["message"] and row["message"] for row in failures.values())
    assert {row["kind"] for row in failures.values()} == {"error", "timeout"}
    found = rows(tmp_path / "out" / "index.parquet")
    expected = rows(undisturbed[2] / "index.parquet")
    assert len(found) == len(expected)
    # The same samples as without hostile neighbors.
    assert contents(tmp_path / "out", found) == contents(undisturbed[2], expected)


def listed(folder):
    path = folder.parent / "meshes.txt"
    names = sorted(each.name for each in folder.iterdir() if each.suffix != ".txt")
    path.write_text("\n".join(f"meshes/{name}" for name in names))
    return path


def file_name(id):
    return unescaped_id(id).rpartition("/")[2]


def contents(out, found):
    """Return the photo of each sample, read by its offset."""
    photos = {}
    for row in found:
        with (out / "shards" / f"{row['shard']}.tar").open("rb") as file:
            file.seek(row["offset.photo.png"])
            photos[file_name(row["id"]), row["view"]] = file.read(row["size.photo.png"])
    return photos


@pytest.mark.slow
def test_files_that_readers_choke_on(meshes, tmp_path):
    """Those of other projects' test suites: good or failed, but all accounted for."""
    bad = Path(os.environ.get("DDEPTH_MESHES", ROOT.parent / "shared" / "meshes")) / "bad"
    if not bad.is_dir():
        pytest.skip("no real meshes: set DDEPTH_MESHES")
    config = DatasetConfig(
        sources={"paths": [str(bad), str(meshes)]},
        views={"count": 1, "size": 32},
        limits={"seconds_per_mesh": 30.0},
    )
    said = []
    report = run_dataset(config, tmp_path / "out", RunOptions(workers=2), tell=said.append)
    assert report.is_complete
    planned = {row["id"] for row in rows(tmp_path / "out" / "plan.parquet")}
    good = {row["id"] for row in rows(tmp_path / "out" / "index.parquet")}
    failed = {row["id"] for row in rows(tmp_path / "out" / "failures.parquet")}
    assert good | failed == planned
    assert not good & failed
    assert {path.name for path in meshes.iterdir()} <= {file_name(id) for id in good}
    assert len(failed) > 5
