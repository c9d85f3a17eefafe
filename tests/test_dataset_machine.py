"""Memory, CPUs and GPUs that renderer processes share."""

from __future__ import annotations

import pytest
from dataset_runs import fake_plan

import ddepth_gl as dd
from ddepth_gl.dataset import machine
from ddepth_gl.dataset.child import RendererChild
from ddepth_gl.dataset.executors import local
from ddepth_gl.dataset.executors.local import LocalExecutor
from ddepth_gl.dataset.job import ShardJob
from ddepth_gl.dataset.progress import Progress
from ddepth_gl.dataset.shard import ShardResult
from ddepth_gl.dataset.storage import LocalStorage

GIB = 2**30


@pytest.fixture
def computer(monkeypatch, tmp_path):
    """A function that sets CPUs and memory of the machine."""

    def set_up(cpus, memory, limit=None):
        monkeypatch.setattr(machine, "usable_cpus", lambda: cpus)
        monkeypatch.setattr(local, "usable_cpus", lambda: cpus)
        monkeypatch.setattr("ddepth_gl.gl.workers.usable_cpus", lambda: cpus)
        monkeypatch.delenv("LP_NUM_THREADS", raising=False)
        monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
        if limit is not None:
            (tmp_path / "memory.max").write_text(f"{limit}\n")
        monkeypatch.setattr("psutil.virtual_memory", lambda: type("M", (), {"total": memory}))

    return set_up


@pytest.mark.parametrize(
    ("cpus", "memory", "gpus", "workers"),
    [
        (16, 128 * GIB, 0, 16),
        (16, 8 * GIB, 0, 3),  # for lack of memory
        (1, GIB, 0, 1),
        (64, 512 * GIB, 2, 8),
        (4, 512 * GIB, 8, 4),
    ],
)
def test_the_number_of_workers(computer, cpus, memory, gpus, workers):
    computer(cpus, memory)
    assert machine.default_workers(gpus) == workers


def test_memory_is_shared(computer):
    computer(8, 100 * GIB)
    assert machine.memory_per_worker(10, None) == int(0.85 * 100 * GIB) // 10
    assert machine.memory_per_worker(1000, None) == GIB  # less would fail most meshes
    assert machine.memory_per_worker(10, 700) == 700 * 2**20
    computer(8, 100 * GIB, limit=20 * GIB)  # of the container
    assert machine.memory_per_worker(10, None) == int(0.85 * 20 * GIB) // 10
    computer(8, 100 * GIB, limit="max")
    assert machine.memory_per_worker(10, None) == int(0.85 * 100 * GIB) // 10


def test_cpus_are_shared(computer):
    computer(8, GIB)
    environment = machine.child_environment(3)
    assert environment["LP_NUM_THREADS"] == "2"
    assert environment["OMP_NUM_THREADS"] == "2"
    assert machine.child_environment(99)["OPENBLAS_NUM_THREADS"] == "1"


GPUS = {
    "two GPUs": ({"is_software": False, "gpus": [0, 3]}, None, [0, 3, 0, 3]),
    "one given": ({"is_software": False, "gpus": [0, 3]}, "cuda:1", ["cuda:1"] * 4),
    "software": ({"is_software": True, "gpus": []}, None, [None] * 4),
    "software beside a GPU": ({"is_software": True, "gpus": [0]}, None, [None] * 4),
}


@pytest.mark.parametrize("case", GPUS)
def test_gpus_are_shared(computer, monkeypatch, tmp_path, case):
    computer(8, 64 * GIB)
    facts, device, expected = GPUS[case]
    monkeypatch.setattr(RendererChild, "start", lambda _: {**facts, "versions": {"a": "b"}})
    plan = fake_plan(*[[f"mesh{number}"] for number in range(12)])
    used = []

    def run(self, index, child, _report):
        used.append((child._settings["device"], child._environment["LP_NUM_THREADS"]))
        return ShardResult(index, "there")

    monkeypatch.setattr(ShardJob, "run", run)
    devices = []

    class InTurn:
        """A thread that runs as it starts."""

        def __init__(self, target, args, daemon):
            self.start = lambda: target(*args)
            devices.extend(args)

    monkeypatch.setattr(local.threading, "Thread", InTurn)
    executor = LocalExecutor(4, device)
    assert executor.prepare(plan.config, "auto") == {"a": "b"}
    executor.run(ShardJob(LocalStorage(tmp_path), plan), range(12), Progress())
    assert devices == expected
    assert used == [(expected[0], "2")] * 12  # the first thread leaves nothing to the others


def test_the_first_process_is_taken_once(monkeypatch):
    monkeypatch.setattr(RendererChild, "start", lambda _: {"versions": {}})
    with LocalExecutor(1, None) as executor:
        executor.prepare(fake_plan(["x"]).config, "auto")
        assert isinstance(executor.take_first(), RendererChild)
        with pytest.raises(dd.DatasetError, match="call prepare first"):
            executor.take_first()
