"""Runs of data sets: the same bytes from every executor, and a rerun renders what is missing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from dataset_runs import rows, small_meshes, sums, use_fakes
from fake_child import VIEWS
from programs import ROOT, run_script
from s3_server import s3, s3_server  # noqa: F401 - fixtures

import ddepth_gl as dd
from ddepth_gl.dataset import child, index
from ddepth_gl.dataset.config import DatasetConfig
from ddepth_gl.dataset.executors import local
from ddepth_gl.dataset.executors.local import LocalExecutor
from ddepth_gl.dataset.executors.ranks import find_rank, in_order_of_rank
from ddepth_gl.dataset.finishing import finish_dataset, is_index_current
from ddepth_gl.dataset.plan import read_plan
from ddepth_gl.dataset.progress import Progress, percentile
from ddepth_gl.dataset.run import RunOptions, run_dataset
from ddepth_gl.dataset.status import read_status
from ddepth_gl.dataset.storage import LocalStorage
from ddepth_gl.errors import DDepthError
from ddepth_gl.io.owners import this_process

MESHES = 12


@pytest.fixture
def fakes(monkeypatch):
    use_fakes(monkeypatch)


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    return small_meshes(tmp_path_factory.mktemp("meshes"), MESHES)


def settings(folder, **others):
    return DatasetConfig(
        sources={"paths": [str(folder)]},
        views={"count": 4, "size": 64},
        shards={"meshes": 3},
        **others,
    )


def named(folder, *names):
    """Write files whose names tell the fake renderer what to do."""
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.ply").touch()
    return folder


def run(config, out, **options):
    return run_dataset(config, out, RunOptions(**{"workers": 1, "environment": {}, **options}))


@pytest.fixture(scope="module")
def undisturbed(meshes, tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    report = run(settings(meshes), out, workers=2)
    assert report.is_complete
    assert (report.counts.meshes, report.counts.images) == (MESHES, 4 * MESHES)
    return out


@pytest.mark.slow
def test_one_worker_and_two_render_the_same(undisturbed, meshes, tmp_path):
    report = run(settings(meshes), tmp_path / "out", workers=1)
    assert report.is_complete
    assert sums(tmp_path / "out") == sums(undisturbed)
    for name in ("index.parquet", "failures.parquet", "plan.parquet"):
        assert rows(tmp_path / "out" / name) == rows(undisturbed / name)
    assert (report.seconds_p50, report.peak_memory) > (0, 2**20)
    assert report.seconds_p99 >= report.seconds_p50


@pytest.mark.slow
def test_ranks_render_the_same(undisturbed, meshes, tmp_path):
    """Two processes at once, of which each begins with its own shards."""
    out = tmp_path / "out"
    command = [sys.executable, "-m", "ddepth_gl", "dataset", str(meshes), "-o", str(out)]
    command += ["--views", "4", "--size", "64", "--set", "shards.meshes=3", "--workers", "1"]
    started = [
        subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": str(ROOT), "SLURM_PROCID": rank, "SLURM_NTASKS": "2"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    ended = [(*process.communicate(), process.returncode) for process in started]
    assert 0 in [status for _, _, status in ended], ended
    assert {status for _, _, status in ended} <= {0, 4}, ended
    assert sums(out) == sums(undisturbed)
    assert rows(out / "index.parquet") == rows(undisturbed / "index.parquet")


@pytest.mark.slow
def test_ray_renders_the_same(undisturbed, meshes, tmp_path):
    pytest.importorskip("ray", reason="ray is not installed; pip install ddepth-gl[ray]")
    code = (
        "import sys\n"
        "from ddepth_gl.dataset.config import DatasetConfig\n"
        "from ddepth_gl.dataset.run import RunOptions, run_dataset\n"
        "import ray\n"
        "ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)\n"
        "config = DatasetConfig.from_yaml(sys.argv[1])\n"
        "report = run_dataset(config, sys.argv[2], RunOptions(executor='ray'))\n"
        "print(report.is_complete, report.counts.images, report.failures)\n"
    )
    done = run_code(code, tmp_path, config_file(settings(meshes), tmp_path), tmp_path / "out")
    assert done.stdout.splitlines()[-1] == f"True {4 * MESHES} 0", done.stderr
    assert sums(tmp_path / "out") == sums(undisturbed)
    assert rows(tmp_path / "out" / "index.parquet") == rows(undisturbed / "index.parquet")


def config_file(config, folder):
    path = folder / "settings.yaml"
    path.write_text(json.dumps(config.model_dump(mode="json")))
    return path


def run_code(code, folder, *arguments):
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "RAY_AUTH_MODE": "disabled"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_rerun_renders_only_what_is_missing(fakes, tmp_path):
    config = settings(named(tmp_path / "meshes", *"abcdefg"))
    first = run(config, tmp_path / "out")
    assert (first.counts.meshes, first.counts.shards, first.is_complete) == (7, 3, True)
    before = sums(tmp_path / "out")
    index = (tmp_path / "out" / "index.parquet").stat().st_mtime_ns
    again = run(config, tmp_path / "out")
    assert (again.counts.meshes, again.counts.shards, again.is_complete) == (0, 3, True)
    assert (tmp_path / "out" / "index.parquet").stat().st_mtime_ns == index
    (tmp_path / "out" / "shards" / "shard-00001.tar").unlink()
    # Without a config, the plan's settings hold.
    third = run(None, tmp_path / "out")
    assert 2 <= third.counts.meshes <= 3
    assert sums(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("workers", "names", "started"),
    [(1, "abcdefg", 1), (2, "abcdefg", 2), (2, "abc", 2)],  # two workers, but one shard: other CPUs
)
def test_processes_start_once(fakes, tmp_path, monkeypatch, workers, names, started):
    processes = []

    class Counted(child.ChildProcess):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            processes.append(self._process)

    monkeypatch.setattr(child, "ChildProcess", Counted)
    monkeypatch.setattr(local, "usable_cpus", lambda: 8)
    config = settings(named(tmp_path / "meshes", *names))
    assert run(config, tmp_path / "out", workers=workers).counts.meshes == len(names)
    assert len(processes) == started
    assert all(process.returncode is not None for process in processes)
    run(config, tmp_path / "out", workers=workers)  # nothing is missing
    assert len(processes) == started


def test_an_index_that_lacks_a_shard_is_merged(fakes, tmp_path):
    config = settings(named(tmp_path / "meshes", *"abcd"))
    run(config, tmp_path / "out")
    storage = LocalStorage(tmp_path / "out")
    expected = rows(tmp_path / "out" / "index.parquet")
    assert is_index_current(storage, read_plan(storage))
    os.utime(tmp_path / "out" / "index.parquet", (1, 1))  # as if it came before the shards
    assert not is_index_current(storage, read_plan(storage))
    assert not read_status(tmp_path / "out").is_index_current
    run(config, tmp_path / "out")
    assert is_index_current(storage, read_plan(storage))
    (tmp_path / "out" / "index.parquet").unlink()
    run(config, tmp_path / "out")
    assert rows(tmp_path / "out" / "index.parquet") == expected


@pytest.mark.parametrize(
    "name", ["merging.merge_parquet", "card.write_settings", "card.write_card", "os.replace"]
)
@pytest.mark.parametrize("is_retry", [False, True])
def test_an_end_that_is_interrupted_is_repaired(fakes, tmp_path, monkeypatch, name, is_retry):
    """The disk is full at some file of those made from the shards."""
    meshes = named(tmp_path / "meshes", *"abcd", "error_x")
    out = tmp_path / "out"
    if is_retry:  # all files are there, made from the first shards
        run(settings(meshes), out)
        (out / "failures.parquet").write_bytes(b"of before")
    original = Path.replace
    failed = []

    def full(self, *arguments, **options):
        if name != "os.replace" or (Path(self).parent.name.startswith(".index-") and failed):
            raise OSError(28, "No space left on device")
        failed.extend([self] if Path(self).parent.name.startswith(".index-") else [])
        return original(self, *arguments, **options)

    with monkeypatch.context() as patched:
        if name == "os.replace":  # at the second file that appears
            patched.setattr(Path, "replace", full)
        else:
            module, _, function = name.rpartition(".")
            user = {"merging": "index"}.get(module, module)
            patched.setattr(f"ddepth_gl.dataset.{user}.{function}", full)
        with pytest.raises(DDepthError, match="No space left"):
            run(settings(meshes), out, retry=is_retry)
    storage = LocalStorage(out)
    assert not is_index_current(storage, read_plan(storage))
    assert not list(out.glob(".index-*"))
    run(settings(meshes), out)
    assert is_index_current(storage, read_plan(storage))
    assert [row["id"] for row in rows(out / "failures.parquet")] == ["error_x%2Eply"]
    assert "| meshes that failed | 1 |" in (out / "README.md").read_text()


@pytest.mark.parametrize("name", ["failures.parquet", "dataset.yaml", "README.md"])
def test_a_file_beside_the_index_that_is_gone_is_made_again(fakes, tmp_path, name):
    config = settings(named(tmp_path / "meshes", "a"))
    run(config, tmp_path / "out")
    before = (tmp_path / "out" / name).read_bytes()
    (tmp_path / "out" / name).unlink()
    assert not is_index_current(LocalStorage(tmp_path / "out"), read_plan(tmp_path / "out"))
    run(config, tmp_path / "out")
    assert (tmp_path / "out" / name).read_bytes() == before


def test_a_shard_that_is_finished_while_the_index_is_merged(fakes, tmp_path, monkeypatch):
    config = settings(named(tmp_path / "meshes", "a"))
    run(config, tmp_path / "out")
    merge = index.merge_parquet
    finished_meanwhile = []

    def slow_merge(*arguments):
        time.sleep(0.02)
        if not finished_meanwhile:
            finished_meanwhile.append((tmp_path / "out/shards/shard-00000.json").touch())
            time.sleep(0.02)
        return merge(*arguments)

    storage = LocalStorage(tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(index, "merge_parquet", slow_merge)
        finish_dataset(storage, read_plan(storage))
    assert not is_index_current(storage, read_plan(storage))
    finish_dataset(storage, read_plan(storage))
    assert is_index_current(storage, read_plan(storage))


def test_what_a_killed_end_left_is_removed(fakes, tmp_path):
    config = settings(named(tmp_path / "meshes", "a"))
    run(config, tmp_path / "out")
    code = "from ddepth_gl.io.owners import part_name; print(part_name('index'))"
    killed = run_script(code, tmp_path).out.strip()
    for age, name in ((0, "new"), (2 * 86_400, "old"), (0, killed)):
        left = tmp_path / "out" / (name if name is killed else f".index-{name}.part")
        left.mkdir()
        os.utime(left, (left.stat().st_mtime - age,) * 2)
    finish_dataset(LocalStorage(tmp_path / "out"), read_plan(tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").glob(".index-*")] == [".index-new.part"]


@pytest.mark.parametrize("renames", [1, 2])
def test_cameras_that_a_killed_end_left_half_replaced(tmp_path, renames):
    """Killed before and after the new folder takes the place of the earlier one."""
    config = settings(small_meshes(tmp_path / "meshes", 1), store={"transforms": True})
    out = tmp_path / "out"
    run(config, out)
    before = set(out.rglob("*"))
    code = f"""
        import os, sys
        from pathlib import Path
        from ddepth_gl.dataset.finishing import finish_dataset
        from ddepth_gl.dataset.plan import read_plan
        from ddepth_gl.dataset.storage import LocalStorage
        rename, seen = Path.rename, []

        def killed(self, to):
            found = rename(self, to)
            seen.extend([to] if seen or str(to).endswith(".old") else [])
            if len(seen) == {renames}:
                os._exit(9)
            return found

        Path.rename = killed
        finish_dataset(LocalStorage(Path(sys.argv[1])), read_plan(sys.argv[1]))
    """
    run_script(textwrap.dedent(code), tmp_path, str(out))
    assert set(out.rglob("*")) != before
    (out / "claims" / "shard-00000").write_text(json.dumps({**this_process(), "pid": 1 << 30}))
    assert (renames == 2) is is_index_current(LocalStorage(out), read_plan(out))
    run(config, out)
    assert set(out.rglob("*")) == before


def test_an_index_of_some_shards(fakes, tmp_path):
    config = settings(named(tmp_path / "meshes", *"abcdefg"))
    run(config, tmp_path / "out")
    (tmp_path / "out" / "shards" / "shard-00001.json").unlink()
    finish_dataset(LocalStorage(tmp_path / "out"), read_plan(tmp_path / "out"))
    assert {row["shard"] for row in rows(tmp_path / "out" / "index.parquet")} == {
        "shard-00000",
        "shard-00002",
    }


def test_shards_that_others_finish_count(fakes, tmp_path, monkeypatch):
    run_shards = LocalExecutor.run

    def by_others(self, job, indices, _):
        return run_shards(self, job, indices, Progress())

    monkeypatch.setattr(LocalExecutor, "run", by_others)
    report = run(settings(named(tmp_path / "m", *"abcdefg")), tmp_path / "out")
    assert report.counts.shards == report.counts.all_shards > 1


def test_failures_do_not_stop_the_run(fakes, tmp_path):
    folder = named(tmp_path / "meshes", "a", "b", "c", "error_x", "exit_x", "crash_x", "bug_x")
    progress = Progress()
    report = run_dataset(
        settings(folder), tmp_path / "out", RunOptions(workers=2), progress=progress
    )
    assert report.is_complete
    assert (report.counts.meshes, report.counts.failures, report.failures) == (3, 4, 4)
    found = rows(tmp_path / "out" / "failures.parquet")
    assert {row["id"] for row in found} == {
        f"{x}_x%2Eply" for x in ("error", "exit", "crash", "bug")
    }
    assert len(rows(tmp_path / "out" / "index.parquet")) == 3 * VIEWS
    assert len(progress.failures) == 4
    assert {failure.split(":")[0] for failure in progress.failures} == {row["id"] for row in found}


def test_retry(fakes, tmp_path, monkeypatch):
    folder = named(tmp_path / "meshes", "a", "b", "c", "d", "e")
    out = tmp_path / "out"
    run(settings(folder), out)
    expected = sums(out)
    index = rows(out / "index.parquet")
    whole = out / "shards" / "shard-00001.tar"
    time_of_whole = whole.stat().st_mtime_ns
    # A mesh of shard 0 fails, for lack of memory on some machine.
    (out / "shards" / "shard-00000.json").unlink()
    from ddepth_gl.dataset import child

    monkeypatch.setattr(child.RendererChild, "samples", failing(child.RendererChild.samples))
    report = run(settings(folder), out)
    assert report.failures == 1
    monkeypatch.undo()
    use_fakes(monkeypatch)
    assert run(settings(folder), out).counts.meshes == 0
    report = run(settings(folder), out, retry=True)
    assert (report.failures, report.is_complete) == (0, True)
    assert sums(out) == expected
    assert rows(out / "index.parquet") == index
    assert whole.stat().st_mtime_ns == time_of_whole


def test_shards_that_another_process_retries_first(fakes, tmp_path, monkeypatch):
    """Another --retry ends between this one's look at the markers and its first claim."""
    config = settings(named(tmp_path / "meshes", "a", "error_x", "b", "c"))
    out = tmp_path / "out"
    run(config, out)
    original = LocalExecutor.run

    def later(self, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(LocalExecutor, "run", original)
            assert run(config, out, retry=True).counts.failures == 1
        return original(self, *arguments)

    monkeypatch.setattr(LocalExecutor, "run", later)
    report = run(config, out, retry=True)
    assert (report.counts.meshes, report.counts.failures) == (0, 0)
    assert (report.counts.shards, report.counts.all_shards) == (2, 2)


def test_shards_of_other_processes_are_there_in_the_end(fakes, tmp_path, monkeypatch):
    """Another process has claimed all shards, and finishes them before this one ends."""
    config = settings(named(tmp_path / "meshes", *"abcd"))
    out = tmp_path / "out"
    original = LocalExecutor.run

    def claimed(self, job, indices, progress):
        original(self, job, indices, Progress())
        return list(indices)

    monkeypatch.setattr(LocalExecutor, "run", claimed)
    report = run(config, out)
    assert (report.is_complete, report.claimed) == (True, 0)
    assert (report.counts.shards, report.counts.all_shards) == (2, 2)


def test_an_extended_data_set(fakes, tmp_path):
    out = tmp_path / "out"
    first = settings(named(tmp_path / "first", *"abcd"))
    more = settings(named(tmp_path / "more", *"xy"))
    run(first, out)
    assert run(more, out, extend=True).counts.meshes == 2
    sources = DatasetConfig.from_yaml(out / "dataset.yaml").sources
    assert sources.paths == (str(tmp_path / "first"), str(tmp_path / "more"))
    run(DatasetConfig.from_yaml(out / "dataset.yaml"), tmp_path / "again")
    keys = [
        {row["key"] for row in rows(each / "index.parquet")} for each in (out, out / "../again")
    ]
    assert keys[0] == keys[1]
    # Each of the commands completes all of it.
    (out / "shards/shard-00000.json").unlink()
    (out / "shards/shard-00002.json").unlink()
    assert run(first, out).is_complete
    assert {row["key"] for row in rows(out / "index.parquet")} == keys[0]


def failing(method):
    from ddepth_gl.dataset.child import MeshFailedError

    first = []

    def samples(self, entry):
        first.append(entry.id)
        yield from method(self, entry)
        if entry.id == first[0]:
            raise MeshFailedError("error", "no luck")

    return samples


def test_extend_appends_shards(fakes, tmp_path):
    folder = named(tmp_path / "meshes", *"abcd")
    out = tmp_path / "out"
    run(settings(folder), out)
    before = sums(out)
    named(folder, "x", "y")
    with pytest.raises(dd.DatasetError, match="--extend"):
        run(settings(folder), out)
    report = run(settings(folder), out, extend=True)
    assert report.counts.meshes == 2
    after = sums(out)
    assert {name: after[name] for name in before} == before
    assert {row["id"][0] for row in rows(out / "index.parquet")} == set("abcdxy")
    with pytest.raises(dd.DatasetError, match="--extend needs sources"):
        run(None, out, extend=True)


def test_other_settings_are_refused(fakes, tmp_path):
    folder = named(tmp_path / "meshes", *"ab")
    run(settings(folder), tmp_path / "out")
    other = settings(folder, store={"codec": "deflate"})
    with pytest.raises(dd.DatasetError, match=r"store\.codec"):
        run(other, tmp_path / "out")


def test_other_versions_are_refused(fakes, tmp_path, monkeypatch):
    folder = named(tmp_path / "meshes", *"abcd")
    out = tmp_path / "out"
    run(settings(folder), out)
    (out / "shards" / "shard-00001.json").unlink()
    import fake_child

    # The process tells its own versions; so change what the plan has.
    plan = read_plan(out)
    from dataclasses import replace

    from ddepth_gl.dataset.plan_file import plan_bytes

    changed = replace(plan, versions={**fake_child.VERSIONS, "driver": "another"})
    (out / "plan.parquet").write_bytes(plan_bytes(changed))
    with pytest.raises(dd.DatasetError, match=r"driver is none 1\.0, not another"):
        run(settings(folder), out)
    assert run(settings(folder), out, allow_mixed=True).is_complete


def test_shards_of_other_processes_are_left_to_them(fakes, tmp_path):
    from ddepth_gl.dataset.claims import claimed

    folder = named(tmp_path / "meshes", *"abcdefg")
    storage = LocalStorage(tmp_path / "out")
    with claimed(storage, "shard-00001"):
        report = run(settings(folder), tmp_path / "out")
        assert (report.is_complete, report.claimed, report.counts.shards) == (False, 1, 2)
        assert not (tmp_path / "out" / "index.parquet").exists()
        status = read_status(tmp_path / "out")
        assert (status.shards, status.all_shards) == (2, 3)
        assert f"process {os.getpid()} on" in status.claims[0]
    assert run(settings(folder), tmp_path / "out").is_complete


def test_a_full_disk_ends_the_run_and_a_rerun_completes_it(fakes, tmp_path, monkeypatch):
    import errno

    folder = named(tmp_path / "meshes", *"abcdefghi")
    run(settings(folder), tmp_path / "whole")
    calls = []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 8:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises((dd.OutputError, dd.DatasetError), match="No space left"):
        run(settings(folder), tmp_path / "out", workers=2)
    monkeypatch.undo()
    use_fakes(monkeypatch)
    left = [path.name for path in (tmp_path / "out").rglob(".*")]
    assert left == []
    assert run(settings(folder), tmp_path / "out").is_complete
    assert sums(tmp_path / "out") == sums(tmp_path / "whole")


@pytest.mark.slow
def test_on_s3(undisturbed, meshes, s3):  # noqa: F811 - the fixture
    """Tars are uploaded whole, and their markers last."""
    import fsspec

    report = run(settings(meshes), s3, workers=2)
    assert report.is_complete
    system, root = fsspec.core.url_to_fs(s3)
    for name in sums(undisturbed):
        assert system.cat_file(f"{root}/{name}") == (undisturbed / name).read_bytes()
    for name in ("index.parquet", "failures.parquet", "README.md", "dataset.yaml"):
        assert system.exists(f"{root}/{name}")
    assert system.cat_file(f"{root}/index.parquet") == (undisturbed / "index.parquet").read_bytes()
    again = run(None, s3)
    assert (again.is_complete, again.counts.meshes) == (True, 0)
    status = read_status(s3)
    assert (status.shards, status.images) == (MESHES // 3, 4 * MESHES)
    system.rm_file(f"{root}/shards/shard-00002.tar")
    third = run(settings(meshes), s3)
    assert (third.is_complete, third.counts.meshes) == (True, 3)
    name = "shards/shard-00002.tar"
    assert system.cat_file(f"{root}/{name}") == (undisturbed / name).read_bytes()


def test_the_card_on_other_storage(fakes, tmp_path):
    """What people wrote below it stays, and a card that is not of a data set is not replaced."""
    import fsspec

    config = settings(named(tmp_path / "meshes", "a"))
    system = fsspec.filesystem("memory")
    for address in ("/card-of-a-run", "/card-of-mine"):
        if system.exists(address):
            system.rm(address, recursive=True)
    run(config, "memory://card-of-a-run")
    card = system.cat_file("/card-of-a-run/README.md") + b"\nTaken for the paper.\n"
    system.pipe_file("/card-of-a-run/README.md", card)
    system.rm_file("/card-of-a-run/index.parquet")
    run(config, "memory://card-of-a-run")
    assert system.cat_file("/card-of-a-run/README.md") == card
    system.pipe_file("/card-of-mine/README.md", b"mine")
    with pytest.raises(dd.DatasetError, match=r"card-of-mine/README.md is not of a data set"):
        run(config, "memory://card-of-mine")
    assert system.cat_file("/card-of-mine/README.md") == b"mine"


@pytest.mark.slow
def test_files_and_cameras_on_s3(meshes, tmp_path, s3):  # noqa: F811 - the fixture
    """The layout "files" has a list of hashes in the folder of each shard."""
    import fsspec

    config = settings(meshes, layout="files", store={"transforms": True})
    run(config, tmp_path / "out")
    assert run(config, s3).is_complete
    system, root = fsspec.core.url_to_fs(s3)
    there = {name.removeprefix(f"{root}/") for name in system.find(root)}
    here = {f.relative_to(tmp_path / "out").as_posix(): f for f in files_of(tmp_path / "out")}
    assert {name for name in there if not name.startswith("claims/")} == here.keys()
    for name in there & here.keys():
        if name.startswith(("transforms/", "index", "shards/")) and not name.endswith(".json"):
            assert system.cat_file(f"{root}/{name}") == here[name].read_bytes()
    transforms = [name for name in there if name.startswith("transforms/")]
    assert len(transforms) == MESHES
    for name in transforms:
        assert system.cat_file(f"{root}/{name}") == here[name].read_bytes()


def files_of(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_cameras_that_transforms_cannot_hold(tmp_path, meshes):
    with pytest.raises(dd.DatasetError, match="cannot hold the cameras of views"):
        DatasetConfig(views={"orthographic": True}, store={"transforms": True})
    one = tmp_path / "meshes"
    one.mkdir()
    shutil.copy(sorted(meshes.glob("*.ply"))[0], one / "a.ply")
    cameras = tmp_path / "scene_camera.json"
    pose = {"cam_R_w2c": np.eye(3).reshape(-1).tolist(), "cam_t_w2c": [0, 0, 5]}
    cameras.write_text(json.dumps({"0": {"cam_K": [60, 1, 32, 0, 60, 32, 0, 0, 1], **pose}}))
    config = DatasetConfig(
        sources={"paths": [str(one)]},
        views={"kind": "file", "file": str(cameras), "size": 64},
        store={"transforms": True},
    )
    report = run(config, tmp_path / "out")
    assert report.is_complete
    (failure,) = rows(tmp_path / "out" / "failures.parquet")
    assert "skew" in failure["message"]


RANKS = [
    ((None, None, {}), (0, 1)),
    ((2, 4, {}), (2, 4)),
    ((None, None, {"SLURM_PROCID": "3", "SLURM_NTASKS": "8"}), (3, 8)),
    ((1, 2, {"SLURM_PROCID": "3", "SLURM_NTASKS": "8"}), (1, 2)),
    ((None, 5, {"JOB_COMPLETION_INDEX": "4"}), (4, 5)),
    ((None, None, {"JOB_COMPLETION_INDEX": "4"}), (0, 1)),
    (
        (None, None, {"AWS_BATCH_JOB_ARRAY_INDEX": "1", "AWS_BATCH_JOB_ARRAY_SIZE": "3"}),
        (1, 3),
    ),
    ((None, 3, {"AWS_BATCH_JOB_ARRAY_INDEX": "1"}), (1, 3)),
    ((None, 1, {}), (0, 1)),
]


@pytest.mark.parametrize(("given", "expected"), RANKS)
def test_the_rank_of_a_process(given, expected):
    assert find_rank(*given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((3, None, {}), "--rank needs --world-size"),
        ((3, 3, {}), "--rank 3: ranks start at 0, so with --world-size 3 it must be from 0 to 2"),
        ((-1, 3, {}), "--rank -1: ranks start at 0, so with --world-size 3 it must be from 0 to 2"),
        ((None, 4, {}), "--world-size 4 needs --rank"),
    ],
)
def test_a_rank_that_cannot_be(given, message):
    with pytest.raises(dd.DatasetError, match=message):
        find_rank(*given)


def test_each_rank_begins_with_its_own_shards():
    orders = [in_order_of_rank(range(7), rank, 3) for rank in range(3)]
    assert orders == [[0, 3, 6, 1, 4, 2, 5], [1, 4, 2, 5, 0, 3, 6], [2, 5, 0, 3, 6, 1, 4]]
    assert in_order_of_rank([5, 2, 9], 0, 1) == [2, 5, 9]


def test_percentiles():
    assert percentile([], 50) == 0
    assert percentile([3.0], 99) == 3
    assert percentile([float(x) for x in range(100)], 50) == 50
    assert percentile([float(x) for x in range(100)], 99) == 99


def test_an_interrupt_of_the_main_thread_ends_the_workers(fakes, tmp_path, monkeypatch):
    """As Ctrl-C does in a notebook, where the library handles no signals."""
    folder = named(tmp_path / "meshes", "a", "sleep_x")
    before = signal.getsignal(signal.SIGALRM)

    def interrupt(_number, _frame):
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 2.5)
        with pytest.raises(KeyboardInterrupt):
            run(settings(folder), tmp_path / "out")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert LocalStorage(tmp_path / "out").files("claims") == {}
    assert LocalStorage(tmp_path / "out").files("shards") == {}
