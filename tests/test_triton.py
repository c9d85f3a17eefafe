"""Triton and Mesa's software rasterizer in one process: both contain LLVM."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

RENDER = (
    "with dd.DepthRenderer(device='software') as renderer:\n"
    "    camera = dd.Camera.look_at((3, 2, 1), (0, 0, 0), width=8, height=8)\n"
    "    maps = renderer.entry_exit(renderer.upload(mesh), camera)\n"
    "    print(maps.mask.any())\n"
)
LOAD = "import triton._C.libtriton\n"


@pytest.mark.skipif(not importlib.util.find_spec("triton"), reason="Triton is not installed")
@pytest.mark.parametrize("order", [(RENDER, LOAD, RENDER), (LOAD, RENDER)])
def test_either_order(order):
    """In a process of its own, which would crash."""
    script = "import ddepth_gl as dd\nmesh = dd.demo_mesh()\n" + "".join(order)
    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=100
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.split() == ["True"] * order.count(RENDER)


@pytest.mark.parametrize("found", ["None", "importlib.machinery.ModuleSpec('triton', None)"])
def test_without_triton(found):
    script = (
        "import importlib.machinery, importlib.util\n"
        f"importlib.util.find_spec = lambda name: {found}\n"
        "import ddepth_gl as dd\n"
        "dd.DepthRenderer(device='software').close()\n"
        "print('rendered')\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=100
    )
    assert (process.stdout, process.stderr) == ("rendered\n", "")
