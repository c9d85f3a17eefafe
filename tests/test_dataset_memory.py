"""Many small images from one renderer process: memory and open files stay the same."""

from __future__ import annotations

import os

import psutil
import pytest
from dataset_runs import small_meshes

from ddepth_gl.dataset.child import RendererChild
from ddepth_gl.dataset.config import DatasetConfig
from ddepth_gl.dataset.entries import MeshEntry
from ddepth_gl.dataset.plan import Plan
from ddepth_gl.dataset.shard import run_shard

VIEWS = 24
# Growth that is no leak, as in test_soak.py; a leaked image of 32 x 32 pixels takes 10 KiB or more.
SLACK_MIB = 24.0


@pytest.mark.slow
@pytest.mark.parametrize("images", [2_400, pytest.param(100_000, marks=pytest.mark.soak)])
def test_memory_and_files_stay(tmp_path, images):
    meshes = sorted(small_meshes(tmp_path / "meshes", 8).iterdir())
    config = DatasetConfig(
        views={"count": VIEWS, "size": 32}, store={"outputs": ["photo", "layers"]}
    )
    ids = [f"mesh{number:05d}" for number in range(images // VIEWS)]
    entries = [MeshEntry(id, str(meshes[n % len(meshes)])) for n, id in enumerate(ids)]
    shards = tuple(tuple(entries[start : start + 20]) for start in range(0, len(entries), 20))
    done = []

    def state():
        process = psutil.Process(child.pid)
        memory = (process.memory_info().rss, psutil.Process().memory_info().rss)
        return [each / 2**20 for each in memory], [
            len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208
            for pid in (child.pid, os.getpid())
        ]

    with RendererChild(config) as child:
        plan = Plan(config, shards, child.start()["versions"], 1)
        for index in range(len(shards)):
            result = run_shard(tmp_path / "out", plan, index, child, report=done.append)
            assert result.marker.failures == 0
            if index == len(shards) // 5:
                (child_before, own_before), files_before = state()
        (child_after, own_after), files_after = state()
    assert sum(report.samples for report in done) == len(entries) * VIEWS
    assert child_after - child_before < SLACK_MIB
    assert own_after - own_before < SLACK_MIB
    assert files_after == files_before
