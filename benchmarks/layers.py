"""All layers and attributes, in units of one bare entry pass of the same image.

Timed in turns in one process, round after round, so that a machine whose speed drifts slows all alike:

* an entry pass: one sheet, cleared, drawn and read back with nothing else, half of ``bare`` in sheets.py, on
  `raster` whatever engine is measured: it is the unit of both;
* ``peel``: `DepthRenderer.peel` with every layer;
* both sheets: `DepthRenderer.entry_exit` alone, then with attributes.

Before any time counts, the sheets that follow from the layers must be those of `entry_exit`, bit for bit.
Reports two tables: median milliseconds, and the most memory that NumPy held while it peeled.

    python benchmarks/layers.py [--engine ENGINE] [--meshes FOLDER] [--device DEVICE] [--rounds N] [--write]
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import track
from sheets import MESHES, SIZES, Bare, cases, same
from tables import Write, machine, report, table

import ddepth_gl as dd

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "normal": ("normal",),
    "barycentric": ("barycentric",),
    "color": ("color",),
    "all": (
        "face",
        "normal",
        "smooth_normal",
        "barycentric",
        "uv",
        "color",
        "object_id",
        "position",
    ),
}


def medians(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each call; in turns."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            kept = call()  # as callers do: the last result is still there while the next is made
            times[name].append(1e3 * (time.perf_counter() - start))
    del kept
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def megabytes(call: Callable[[], Any]) -> float:
    """The most that NumPy holds during a call, results included."""
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def main(
    engine: Annotated[str, typer.Option(help="raster or compute.")] = "raster",
    meshes: Annotated[Path, typer.Option(help="Folder of the real meshes.")] = MESHES,
    device: Annotated[str | None, typer.Option(help="See ddepth doctor.")] = None,
    rounds: Annotated[int, typer.Option(help="Times each way is timed.")] = 7,
    write: Write = False,
) -> None:
    """Reports the tables."""
    of_layers, of_attributes = [], []
    with dd.DepthRenderer("raster", device) as raster, dd.DepthRenderer(engine, device) as renderer:
        for name, make in track(cases(meshes).items(), "measuring", console=Console(stderr=True)):
            mesh = make()
            scene, raster_scene = renderer.upload(mesh), raster.upload(mesh)
            for size in SIZES:
                camera = dd.Camera.orbit(mesh, views=1, width=size, height=size)[0]
                bare = Bare(raster, raster_scene, camera)
                layers = renderer.peel(scene, camera)
                maps, follows = renderer.entry_exit(scene, camera), layers.entry_exit()
                if not same([maps.entry, maps.exit], [follows.entry, follows.exit]):
                    raise SystemExit(
                        f"{name} at {size}: layers and sheets disagree; no time counts"
                    )

                def peel(scene: Any = scene, camera: Any = camera) -> dd.DepthLayers:
                    return renderer.peel(scene, camera)

                def sheets(
                    attributes: tuple[str, ...] = (), scene: Any = scene, camera: Any = camera
                ) -> dd.DepthMaps:
                    return renderer.entry_exit(scene, camera, attributes=attributes)

                calls: dict[str, Callable[[], Any]] = {"bare": bare, "peel": peel, "sheets": sheets}
                for kind, names in ATTRIBUTES.items():
                    calls[kind] = lambda names=names, sheets=sheets: sheets(names)
                time_of = medians(calls, rounds)
                one, most, total = time_of["bare"] / 2, int(layers.count.max()), len(layers.depth)
                del layers, maps, follows
                ms = time_of["peel"]
                cells = [
                    f"{one:.2f}",
                    f"{ms:.1f}",
                    f"{ms / most:.2f}",
                    f"{ms / (most + 1) / one:.2f}",
                ]
                cells = [most, f"{total:,}", *cells, f"{megabytes(peel):.0f}"]
                of_layers.append([name, f"{len(mesh.faces):,}", size, *cells])
                more = [time_of[kind] - time_of["sheets"] for kind in ATTRIBUTES]
                cells = [f"{each:+.1f} ({each / one:.1f})" for each in more]
                of_attributes.append([name, size, f"{one:.2f}", f"{time_of['sheets']:.2f}", *cells])
                bare.release()
            scene.release()
            raster_scene.release()
        how = f"{machine(renderer.info)}; {rounds} rounds, medians, ms per image."
        engine = renderer.info.engine
    heads = ["mesh", "faces", "size", "layers", "crossings"]
    heads += ["entry pass", "peel", "per layer", "per (L + 1) passes", "MB"]
    report(f"layers {engine}", f"{how}\n\n{table(heads, of_layers)}", write)
    heads = ["mesh", "size", "entry pass", "both sheets", *ATTRIBUTES]
    report(f"attributes {engine}", f"{how}\n\n{table(heads, of_attributes)}", write)


if __name__ == "__main__":
    typer.run(main)
