"""Samples of small meshes, rendered as `ddepth dataset` renders them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pytest
from shapes import box, merged, sphere

import ddepth_gl as dd

pytest.importorskip("pydantic", reason="the package pydantic is missing")

from ddepth_gl.dataset.choices import Layout, Output
from ddepth_gl.dataset.config import DatasetConfig
from ddepth_gl.dataset.entries import MeshEntry, Sample
from ddepth_gl.dataset.samples import MeshRenderer
from ddepth_gl.io.results.ply import write_mesh

ALL_OUTPUTS: tuple[Output, ...] = get_args(Output)
ALL_LAYOUTS: tuple[Layout, ...] = get_args(Layout)


def config_of(size: tuple[int, int] = (40, 32), views: int = 2, **store: Any) -> DatasetConfig:
    """Return settings of small images."""
    return DatasetConfig(views={"count": views, "size": size}, store=store)


def nested_boxes() -> dd.Mesh:
    """Return a colored box with a cavity, and a ball beside it."""
    hollow = box((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5))
    inner = dd.Mesh(hollow.vertices * 0.6, hollow.faces[:, ::-1])
    ball = sphere(0.4, 12, 16)
    ball = dd.Mesh(ball.vertices + np.array([1.2, 0.1, 0.3]), ball.faces)
    mesh = merged(hollow, inner, ball)
    colors = np.random.default_rng(3).integers(0, 256, (len(mesh.vertices), 4), np.uint8)
    colors[:, 3] = 255
    return dd.Mesh(mesh.vertices, mesh.faces, colors=colors)


def written(folder: Path, mesh: dd.Mesh, name: str = "part.ply") -> tuple[MeshEntry, Path]:
    """Write a mesh, and return its entry and its path."""
    path = folder / name
    write_mesh(path, mesh)
    return MeshEntry("part", str(path), columns={"license": "CC0"}), path


def samples_of(
    renderer: dd.DepthRenderer, config: DatasetConfig, entry: MeshEntry, path: Path, **more: Any
) -> list[Sample]:
    """Return all samples of a mesh."""
    return list(MeshRenderer(config, renderer, **more).samples(entry, path))


def equal(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> bool:
    """Return whether arrays have the same dtype, shape and bits, but for kinds of NaN."""
    return first.dtype == second.dtype and np.array_equal(
        first, second, equal_nan=first.dtype.kind == "f"
    )
