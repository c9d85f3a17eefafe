"""Meshes and image sizes that all benchmarks measure."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import ddepth_gl as dd

IMAGE_SIZES = (256, 512, 1024)
SPHERES = {"sphere 5k": 5_000, "sphere 82k": 82_000, "sphere 1.3M": 1_300_000}
SCANS = ("spot/spot.obj", "rocker-arm.obj", "stanford-bunny.obj", "ogre.obj")
MESHES = Path(os.environ.get("DDEPTH_MESHES", Path(__file__).parents[2] / "shared" / "meshes"))

MeshesOption = Annotated[Path, typer.Option(help="Folder that holds the real meshes.")]
DeviceOption = Annotated[str | None, typer.Option(help="Device to render on; see ddepth doctor.")]
RoundsOption = Annotated[int, typer.Option(help="Number of times that each way is timed.")]


def mesh_loaders(meshes: Path) -> dict[str, Callable[[], dd.Mesh]]:
    """Return functions that build or load the meshes to measure, by name; all have colors."""
    loaders: dict[str, Callable[[], dd.Mesh]] = {
        name: partial(_colored_sphere, face_count) for name, face_count in SPHERES.items()
    }
    for name in SCANS:
        path = meshes / "good" / name
        if path.exists():
            loaders[path.stem] = partial(_colored_scan, path)
        else:
            typer.echo(f"{path} does not exist and is left out; use --meshes", err=True)
    return loaders


def _colored_sphere(face_count: int) -> dd.Mesh:
    return _with_colors(_sphere(face_count))


def _colored_scan(path: Path) -> dd.Mesh:
    return _with_colors(dd.load_mesh(path))


def _sphere(face_count: int) -> dd.Mesh:
    """Return a latitude-longitude sphere of about that many faces."""
    rings = round((face_count / 2) ** 0.5) + 1
    sides = rings - 1
    polar = np.pi * np.arange(rings + 1)[:, None] / rings
    around = 2 * np.pi * np.arange(sides)[None, :] / sides
    radius = np.sin(polar).round(15)  # the sine of pi, 1e-16, would leave a hole at the pole
    grid = np.broadcast_arrays(radius * np.cos(around), radius * np.sin(around), np.cos(polar))
    index = np.arange((rings + 1) * sides).reshape(rings + 1, sides)
    a, c = index[:-1], index[1:]
    b, d = np.roll(a, -1, 1), np.roll(c, -1, 1)
    lower, upper = np.stack([a, c, d], -1)[:-1], np.stack([a, d, b], -1)[1:]
    return dd.Mesh(
        np.stack(grid, -1).reshape(-1, 3),
        np.concatenate([lower.reshape(-1, 3), upper.reshape(-1, 3)]),
    )


def _with_colors(mesh: dd.Mesh) -> dd.Mesh:
    """Return the mesh, colored by position if it has no colors of its own."""
    if mesh.textures or mesh.colors is not None:
        return mesh
    low, high = mesh.bounds
    colors = np.clip((mesh.vertices - low) / (high - low), 0, 1)
    return dd.Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, object_id=mesh.object_id, colors=colors)
