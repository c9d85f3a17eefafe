"""Memory that the process may use: the machine's, or a control group's."""

from __future__ import annotations

import os

import pytest

from ddepth_gl.gl import memory as host_memory

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Writes what the kernel would show: the process's groups, and files of limits."""

    def write(lines: str, **limits: str) -> int:
        (tmp_path / "self").write_text(lines)
        for path, limit in limits.items():
            file = tmp_path / "groups" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(limit + "\n")
        monkeypatch.setattr(host_memory, "_PROC", tmp_path / "self")
        monkeypatch.setattr(host_memory, "_CGROUPS", tmp_path / "groups")
        return host_memory.host_memory()

    return write


def test_without_groups_it_is_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(host_memory, "_PROC", tmp_path / "nowhere")
    assert host_memory.host_memory() == MACHINE


def test_version_2_takes_the_least_of_the_groups_around(groups):
    lines = "0::/job/step\n"
    assert groups(lines, **{"job/step/memory.max": "max"}) == MACHINE
    assert groups(lines, **{"job/step/memory.max": "3000", "job/memory.max": "max"}) == 3000
    assert groups(lines, **{"job/memory.max": "2000"}) == 2000
    assert groups(lines, **{"memory.max": "1000"}) == 1000


def test_version_1(groups):
    lines = "9:name=systemd:/\n4:cpu,memory:/job\n1:cpuset:/other\n"
    assert groups(lines, **{"memory/job/memory.limit_in_bytes": str(2**62)}) == MACHINE
    assert groups(lines, **{"memory/job/memory.limit_in_bytes": "5000"}) == 5000


def test_a_group_that_is_not_seen_from_inside_a_container(groups):
    """The path is the outer one; the limit lies at the root of what the container sees."""
    assert groups("4:memory:/docker/0123\n", **{"memory/memory.limit_in_bytes": "7000"}) == 7000


def test_this_process():
    assert 0 < host_memory.host_memory() <= MACHINE
