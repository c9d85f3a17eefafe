"""Plans and runs of data sets for tests: with the fake renderer process, or real small meshes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from fake_child import VERSIONS
from shapes import box, sphere, torus

from ddepth_gl.dataset import child
from ddepth_gl.dataset.child import RendererChild
from ddepth_gl.dataset.config import DatasetConfig
from ddepth_gl.dataset.entries import MeshEntry, escaped_id
from ddepth_gl.dataset.plan import Plan
from ddepth_gl.io.results.ply import write_mesh

FAKE = "fake_child"


def use_fakes(monkeypatch: Any) -> None:
    """Have renderer processes run the fake renderer."""
    monkeypatch.setattr(child, "_ENTRY", FAKE)


def fake_plan(*shards: Iterable[str], folder: Path = Path(), **settings: Any) -> Plan:
    """Return a plan whose meshes have the given file names; see fake_child.py."""
    return Plan(
        DatasetConfig(**settings),
        tuple(
            tuple(MeshEntry(escaped_id(name), str(folder / name)) for name in names)
            for names in shards
        ),
        VERSIONS,
        1,
    )


def fake_renderer(plan: Plan, **options: Any) -> RendererChild:
    return RendererChild(plan.config, **{"versions": plan.versions, **options})


def small_meshes(folder: Path, count: int = 20) -> Path:
    """Write small closed meshes."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        mesh = (sphere(6 + number, 9), torus(steps=9 + number, sides=6), box())[number % 3]
        write_mesh(folder / f"mesh{number:02d}.ply", mesh)
    return folder


def sums(out: Path) -> dict[str, str]:
    """Return the SHA-256 of all samples and rows: what no interruption may change."""
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((out / "shards").rglob("*"))
        if path.is_file() and path.suffix != ".json"
    }


def rows(path: Path) -> list[dict[str, Any]]:
    return list(pq.read_table(path).to_pylist())
