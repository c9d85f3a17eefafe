"""Photos, beside both sheets of the same image.

These ways are timed: both sheets (`DepthRenderer.entry_exit`), the photo with one sample a pixel,
and with 16 (``samples=4``). They take turns in one process, round after round. With one sample,
alpha must be the mask of the sheets before anything is timed. The report is a table of medians of
CPU time, which other programs on the machine change less than wall time, and geometric means of
the ratios in both.

    python benchmarks/photo.py [--engine ENGINE] [--meshes FOLDER] [--device DEVICE] [--rounds N]
                               [--write]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from cases import (
    IMAGE_SIZES,
    MESHES,
    DeviceOption,
    MeshesOption,
    RoundsOption,
    equal_cameras,
    mesh_loaders,
)
from rich.console import Console
from rich.progress import track
from tables import WriteOption, describe_machine, markdown_table, report

import ddepth_gl as dd

MESH_NAMES = ("spot", "rocker-arm", "ogre", "stanford-bunny", "sphere 82k")
HEADINGS = (
    "mesh",
    "faces",
    "size",
    "sheets",
    "photo",
    "photo / sheets",
    "16 samples",
    "16 samples / photo",
)
# (wall, CPU) milliseconds of each way.
Times = dict[str, tuple[float, float]]


def median_times(calls: dict[str, Callable[[], Any]], rounds: int) -> Times:
    """Return the median times of each call; the calls take turns, and one more round warms up."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter(), time.process_time()
            call()
            stop = time.perf_counter(), time.process_time()
            times[name].append((1e3 * (stop[0] - start[0]), 1e3 * (stop[1] - start[1])))
    return {
        name: tuple(statistics.median(column) for column in zip(*rows[1:], strict=True))
        for name, rows in times.items()
    }


def loaders(meshes: Path) -> dict[str, Callable[[], dd.Mesh]]:
    """Return the functions that load the meshes to measure, by name."""
    chosen = {name: load for name, load in mesh_loaders(meshes).items() if name in MESH_NAMES}
    duck = meshes / "good" / "Duck.glb"
    if duck.exists():
        chosen["Duck"] = partial(dd.load_mesh, duck)
    return chosen


def measured(renderer: dd.DepthRenderer, scene: dd.Scene, camera: dd.Camera, rounds: int) -> Times:
    """Return the times of the sheets and of the photo of one image."""
    mask = renderer.entry_exit(scene, camera).mask
    if not np.array_equal(renderer.shade(scene, camera)[..., 3] > 0, mask):
        raise SystemExit(f"{scene.mesh!r}: alpha is not the mask; nothing is timed")
    cameras = equal_cameras(camera)
    calls: dict[str, Callable[[], Any]] = {
        "sheets": lambda: renderer.entry_exit(scene, next(cameras)),
        "photo": lambda: renderer.shade(scene, next(cameras)),
        "samples": lambda: renderer.shade(scene, next(cameras), samples=4),
    }
    return median_times(calls, rounds)


def main(
    engine: Annotated[str, typer.Option(help="Engine to time: auto, raster, compute.")] = "auto",
    meshes: MeshesOption = MESHES,
    device: DeviceOption = None,
    rounds: RoundsOption = 7,
    write: WriteOption = False,
) -> None:
    """Time photos of one and of 16 samples a pixel, and both sheets."""
    rows, all_times = [], []
    with dd.DepthRenderer(engine, device) as renderer:
        for name, load in track(loaders(meshes).items(), console=Console(stderr=True)):
            mesh = load()
            scene = renderer.upload(mesh)
            for size in IMAGE_SIZES:
                camera = dd.Camera.orbit(mesh, views=1, width=size, height=size)[0]
                times = measured(renderer, scene, camera, rounds)
                all_times.append(times)
                sheets, photo, samples = (times[way][1] for way in ("sheets", "photo", "samples"))
                rows.append(
                    [
                        name,
                        f"{len(mesh.faces):,}",
                        size,
                        f"{sheets:.2f}",
                        f"{photo:.2f}",
                        f"{photo / sheets:.1f}",
                        f"{samples:.1f}",
                        f"{samples / photo:.1f}",
                    ]
                )
            scene.release()
        machine = describe_machine(renderer.info)

    def means(way: str, over: str) -> str:
        """Return the geometric mean of the ratio of two ways, in wall and in CPU time."""
        ratios = [[t[way][clock] / t[over][clock] for t in all_times] for clock in range(2)]
        wall, cpu = map(statistics.geometric_mean, ratios)
        return f"{cpu:.1f} (wall time {wall:.1f})"

    summary = (
        f"{machine}; {rounds} rounds, medians, ms of CPU time per image. Geometric means: photo "
        f"over sheets {means('photo', 'sheets')}, 16 samples over one {means('samples', 'photo')}."
    )
    report("photo", f"{summary}\n\n{markdown_table(HEADINGS, rows)}", write)


if __name__ == "__main__":
    typer.run(main)
