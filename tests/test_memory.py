"""Memory that this process may use: the machine's, or the limit of a control group."""

from __future__ import annotations

import os

import pytest

from ddepth_gl.gl import memory

MACHINE = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """A function that fakes the kernel's files of groups and limits and returns `host_memory()`."""

    def write(lines: str, **limits: str) -> int:
        (tmp_path / "self").write_text(lines)
        for path, limit in limits.items():
            file = tmp_path / "groups" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(limit + "\n")
        monkeypatch.setattr(memory, "_PROC", tmp_path / "self")
        monkeypatch.setattr(memory, "_CGROUPS", tmp_path / "groups")
        return memory.host_memory()

    return write


def test_a_machine_without_control_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_PROC", tmp_path / "nowhere")
    assert memory.host_memory() == MACHINE


def test_version_2_takes_the_smallest_limit_of_all_ancestors(groups):
    lines = "0::/job/step\n"
    assert groups(lines, **{"job/step/memory.max": "max"}) == MACHINE
    assert groups(lines, **{"job/step/memory.max": "3000", "job/memory.max": "max"}) == 3000
    assert groups(lines, **{"job/memory.max": "2000"}) == 2000
    assert groups(lines, **{"memory.max": "1000"}) == 1000


def test_version_1(groups):
    lines = "9:name=systemd:/\n4:cpu,memory:/job\n1:cpuset:/other\n"
    assert groups(lines, **{"memory/job/memory.limit_in_bytes": str(2**62)}) == MACHINE
    assert groups(lines, **{"memory/job/memory.limit_in_bytes": "5000"}) == 5000


def test_a_group_that_is_not_visible_inside_a_container(groups):
    """The path is the host's; the limit is at the root of what the container sees."""
    assert groups("4:memory:/docker/0123\n", **{"memory/memory.limit_in_bytes": "7000"}) == 7000


def test_this_process():
    assert 0 < memory.host_memory() <= MACHINE
