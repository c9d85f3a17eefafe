"""Claims: one owner at a time, and takeovers where the owner is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ddepth_gl.dataset import claims
from ddepth_gl.dataset.claims import STALE_SECONDS, claim_owners, claimed, remove_stale_claims
from ddepth_gl.dataset.storage import LocalStorage
from ddepth_gl.io import owners
from ddepth_gl.io.owners import start_of, this_process


@pytest.fixture
def storage(tmp_path):
    return LocalStorage(tmp_path)


@pytest.fixture
def claim(tmp_path):
    return tmp_path / "claims" / "shard-00000"


def is_free(storage):
    with claimed(storage, "shard-00000") as claim:
        return claim is not None


def write(claim, **changes):
    """Write the claim of another owner."""
    claim.parent.mkdir(exist_ok=True)
    claim.write_text(json.dumps({"token": "other", **this_process(), **changes}))


def age(claim, seconds):
    os.utime(claim, (time.time() - seconds,) * 2)


def test_a_claim_is_there_during_the_block_only(storage, claim):
    with claimed(storage, "shard-00000") as mine:
        assert mine.is_held()
        assert json.loads(claim.read_text())["pid"] == os.getpid()
        assert not is_free(storage)
        with claimed(storage, "shard-00001") as other:
            assert other is not None
    assert list(claim.parent.iterdir()) == []
    assert is_free(storage)


def test_an_error_releases_it(storage, claim):
    with pytest.raises(KeyError), claimed(storage, "shard-00000"):
        raise KeyError
    assert list(claim.parent.iterdir()) == []


def test_of_many_threads_one_has_it(storage):
    inside, most, got = [], [], []
    barrier = threading.Barrier(16)

    def work():
        barrier.wait()
        for _ in range(30):
            with claimed(storage, "shard-00000") as claim:
                if claim is not None:
                    inside.append(1)
                    most.append(len(inside))
                    got.append(1)
                    time.sleep(0.001)
                    inside.pop()

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) > 1
    assert max(most) == 1


def dead_process():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def test_a_dead_process_of_this_machine_loses_it_at_once(storage, claim):
    write(claim, pid=dead_process(), start=12345)
    assert is_free(storage)
    write(claim, pid=os.getppid(), start=1)  # its number belongs to another process now
    assert is_free(storage)


def test_a_process_of_this_machine_that_runs_keeps_it(storage, claim):
    parent = os.getppid()
    write(claim, pid=parent, start=start_of(parent))
    age(claim, 100 * STALE_SECONDS)  # however long it takes
    assert not is_free(storage)
    assert claim.exists()


def test_stale_claims_are_removed(storage, claim):
    """Those of ended processes, of others after ten minutes, and what a clock left."""
    names = {}
    for name, seconds, changes in (
        ("ended", 0, {"pid": dead_process(), "start": 12345}),
        ("forgotten", 0, {}),
        ("elsewhere", 0, {"host": "other"}),
        ("silent", STALE_SECONDS + 30, {"host": "other"}),
        ("parent", STALE_SECONDS + 30, {"pid": os.getppid(), "start": start_of(os.getppid())}),
    ):
        names[name] = claim.with_name(f"shard-{len(names):05}")
        write(names[name], **changes)
        age(names[name], seconds)
    for seconds in (0, STALE_SECONDS + 30):
        clock = claim.with_name(f"clock-{seconds}")
        clock.touch()
        age(clock, seconds)
    assert set(claim_owners(storage)) == {
        names[name].name for name in ("elsewhere", "silent", "parent")
    }
    with claimed(storage, "shard-00099"):
        remove_stale_claims(storage)
        left = {path.name for path in claim.parent.iterdir()}
    kept = {names["elsewhere"].name, names["parent"].name, "clock-0", "shard-00099"}
    assert left == kept


@pytest.fixture(params=["of another namespace", "missing"])
def other_proc(request, monkeypatch):
    """Have /proc count processes from another number on, or not be there at all."""
    original, start = owners._link, owners.start_of

    def link(path):
        return "4194305" if path == Path("/proc/self") else original(path)

    monkeypatch.setattr(owners, "_this_machine", lambda: {"host": "here", "boot": "", "pids": ""})
    if request.param == "missing":
        monkeypatch.setattr(owners, "_text", lambda path: "")
        monkeypatch.setattr(owners, "_link", lambda path: "")
    else:
        monkeypatch.setattr(owners, "_link", link)
        monkeypatch.setattr(owners, "start_of", lambda pid: start(1))
    owners._process_text.cache_clear()
    owners._machine_digest.cache_clear()
    yield
    owners._process_text.cache_clear()
    owners._machine_digest.cache_clear()


def test_where_proc_shows_other_processes_age_decides(storage, claim, other_proc):
    assert owners.this_process()["start"] is None
    assert owners.owner_has_ended(owners.part_name("a")) is None
    write(claim, pid=dead_process(), start=12345)
    part = claim.with_name(owners.part_name("a"))
    part.touch()
    remove_stale_claims(storage)
    storage.remove_leftovers()
    assert part.exists()
    assert not is_free(storage)
    age(claim, STALE_SECONDS + 30)
    assert is_free(storage)


def test_owners_that_do_not_know_their_start(storage, claim):
    """They run in the same namespace, with another /proc: if there is such a process, they do."""
    write(claim, pid=os.getppid(), start=None)
    assert not is_free(storage)
    write(claim, pid=dead_process(), start=None)
    assert is_free(storage)


def test_a_zombie_has_ended(storage, claim):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        start = start_of(process.pid)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        write(claim, pid=process.pid, start=start)
        assert is_free(storage)


def test_a_claim_that_this_process_has_forgotten(storage, claim):
    write(claim)
    assert is_free(storage)


@pytest.mark.parametrize("changes", [{"host": "other"}, {"boot": "earlier"}, {"pids": "pid:[1]"}])
def test_other_machines_keep_it_for_ten_minutes(storage, claim, changes):
    write(claim, **changes)
    age(claim, STALE_SECONDS - 30)
    assert not is_free(storage)
    age(claim, STALE_SECONDS + 30)
    assert is_free(storage)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b"\xff"])
def test_a_damaged_claim_is_that_of_another_machine(storage, claim, content):
    claim.parent.mkdir()
    claim.write_bytes(content)
    assert not is_free(storage)
    age(claim, STALE_SECONDS + 30)
    assert is_free(storage)


def test_the_clock_is_that_of_the_file_server(storage, claim, monkeypatch):
    """An hour fast here, and the claim is young all the same."""
    write(claim, host="other")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    assert not is_free(storage)
    assert [path.name for path in claim.parent.iterdir()] == [claim.name]


def test_refresh_keeps_it_young(storage, claim, monkeypatch):
    with claimed(storage, "shard-00000") as mine:
        age(claim, STALE_SECONDS)
        mine.refresh()  # not so soon
        assert time.time() - claim.stat().st_mtime > STALE_SECONDS - 5
        monkeypatch.setattr(claims, "_REFRESH_SECONDS", 0.0)
        mine.refresh()
        assert time.time() - claim.stat().st_mtime < 60


def test_a_claim_that_was_taken_over_is_not_released(storage, claim, monkeypatch):
    monkeypatch.setattr(claims, "_REFRESH_SECONDS", 0.0)
    with claimed(storage, "shard-00000") as mine:
        write(claim, host="other")
        age(claim, 100)
        assert not mine.is_held()
        mine.refresh()
        assert time.time() - claim.stat().st_mtime > 90
    assert json.loads(claim.read_text())["host"] == "other"


def test_of_several_takeovers_one_succeeds(storage, claim):
    """Each finds the same stale claim; whoever comes second must not remove the new one."""
    write(claim, host="other")
    stale = claim.read_bytes()
    assert storage.remove_if("claims/shard-00000", stale)
    assert not storage.remove_if("claims/shard-00000", stale)
    write(claim, host="third")
    assert not storage.remove_if("claims/shard-00000", stale)
    assert json.loads(claim.read_text())["host"] == "third"
    assert [path.name for path in claim.parent.iterdir()] == [claim.name]


def test_file_systems_without_links(storage, claim, monkeypatch):
    def no_links(*_args, **_kwargs):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    assert storage.create("claims/a", b"1")
    assert not storage.create("claims/a", b"2")
    assert storage.read("claims/a") == b"1"
    assert sorted(path.name for path in Path(storage.folder, "claims").iterdir()) == ["a"]
