"""Meshes and image sizes that all benchmarks measure."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from copy import copy
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import ddepth_gl as dd
from ddepth_gl.mesh.demo import sphere_mesh

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
        name: partial(sphere_mesh, face_count) for name, face_count in SPHERES.items()
    }
    for name in SCANS:
        path = meshes / "good" / name
        if path.exists():
            loaders[path.stem] = partial(_colored_scan, path)
        else:
            typer.echo(f"{path} does not exist and is left out; use --meshes", err=True)
    return loaders


def equal_cameras(camera: dd.Camera) -> Iterator[dd.Camera]:
    """Return two equal cameras in turn, without end.

    Engine `compute` keeps the faces that it queued for the camera of the last call. Rendering for
    the same camera again would leave out a part of the work that any other camera needs.
    """
    return cycle([camera, copy(camera)])


def _colored_scan(path: Path) -> dd.Mesh:
    return _with_colors(dd.load_mesh(path))


def _with_colors(mesh: dd.Mesh) -> dd.Mesh:
    """Return the mesh, colored by position if it has no colors of its own."""
    if mesh.textures or mesh.colors is not None:
        return mesh
    low, high = mesh.bounds
    colors = np.clip((mesh.vertices - low) / (high - low), 0, 1)
    return dd.Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, object_id=mesh.object_id, colors=colors)
