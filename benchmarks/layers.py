"""All layers and attributes, in units of one bare entry pass of the same image.

These ways are timed:

* an entry pass: one sheet, cleared, drawn and read back. It is half of ``bare`` in sheets.py, and
  the unit for both engines, so it always runs on engine `raster`;
* ``peel``: `DepthRenderer.peel` with every layer;
* both sheets: `DepthRenderer.entry_exit` alone, then with attributes.

They take turns in one process, round after round, so a machine whose speed drifts slows all of
them alike. The sheets that the layers imply must agree bit for bit with `entry_exit` before
anything is timed. The report is two tables of median milliseconds, with the peak of NumPy's memory
during `peel`.

    python benchmarks/layers.py [--engine ENGINE] [--meshes FOLDER] [--device DEVICE] [--rounds N]
                                [--write]
"""

from __future__ import annotations

import statistics
import time
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated, Any

import typer
from bare_passes import BarePasses
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
from sheets import same_bits
from tables import WriteOption, describe_machine, markdown_table, report

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
LAYER_HEADINGS = (
    "mesh",
    "faces",
    "size",
    "layers",
    "crossings",
    "entry pass",
    "peel",
    "per layer",
    "per (L + 1) passes",
    "MB",
)
ATTRIBUTE_HEADINGS = ("mesh", "size", "entry pass", "both sheets", *ATTRIBUTES)


def median_milliseconds(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median time of each call; the calls take turns, and one more round warms up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            result = call()  # like a caller, keep the last result while the next one is rendered
            times[name].append(1e3 * (time.perf_counter() - start))
    del result
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def peak_megabytes(call: Callable[[], Any]) -> float:
    """Return the peak of NumPy's memory during a call, results included."""
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def _call(
    render: Callable[..., Any], scene: dd.Scene, cameras: Iterator[dd.Camera], **options: Any
) -> Any:
    return render(scene, next(cameras), **options)


def main(
    engine: Annotated[str, typer.Option(help="Engine to time: raster or compute.")] = "raster",
    meshes: MeshesOption = MESHES,
    device: DeviceOption = None,
    rounds: RoundsOption = 7,
    write: WriteOption = False,
) -> None:
    """Time all layers, and both sheets with attributes."""
    layer_rows, attribute_rows = [], []
    loaders = mesh_loaders(meshes)
    with dd.DepthRenderer("raster", device) as raster, dd.DepthRenderer(engine, device) as renderer:
        for name, load in track(loaders.items(), "measuring", console=Console(stderr=True)):
            mesh = load()
            scene, raster_scene = renderer.upload(mesh), raster.upload(mesh)
            for size in IMAGE_SIZES:
                camera = dd.Camera.orbit(mesh, views=1, width=size, height=size)[0]
                cameras = equal_cameras(camera)
                peel = partial(_call, renderer.peel, scene, cameras)
                sheets = partial(_call, renderer.entry_exit, scene, cameras)

                layers, maps = peel(), sheets()
                implied = layers.entry_exit()
                if not same_bits([maps.entry, maps.exit], [implied.entry, implied.exit]):
                    raise SystemExit(
                        f"{name} at {size}: layers and sheets disagree; nothing is timed"
                    )
                max_layers, crossings = int(layers.count.max()), len(layers.depth)
                del layers, maps, implied

                bare = BarePasses(raster, raster_scene, camera)
                calls: dict[str, Callable[[], Any]] = {"bare": bare, "peel": peel, "sheets": sheets}
                calls |= {
                    label: partial(sheets, attributes=names) for label, names in ATTRIBUTES.items()
                }
                times = median_milliseconds(calls, rounds)
                bare.release()

                entry_pass, peel_time = times["bare"] / 2, times["peel"]
                layer_rows.append(
                    [
                        name,
                        f"{len(mesh.faces):,}",
                        size,
                        max_layers,
                        f"{crossings:,}",
                        f"{entry_pass:.2f}",
                        f"{peel_time:.1f}",
                        f"{peel_time / max_layers:.2f}",
                        f"{peel_time / (max_layers + 1) / entry_pass:.2f}",
                        f"{peak_megabytes(peel):.0f}",
                    ]
                )
                extra_times = [times[label] - times["sheets"] for label in ATTRIBUTES]
                attribute_rows.append(
                    [
                        name,
                        size,
                        f"{entry_pass:.2f}",
                        f"{times['sheets']:.2f}",
                        *(f"{extra:+.1f} ({extra / entry_pass:.1f})" for extra in extra_times),
                    ]
                )
            scene.release()
            raster_scene.release()
        machine = f"{describe_machine(renderer.info)}; {rounds} rounds, medians, ms per image."
        engine = renderer.info.engine
    layer_table = markdown_table(LAYER_HEADINGS, layer_rows)
    report(f"layers {engine}", f"{machine}\n\n{layer_table}", write)
    attribute_table = markdown_table(ATTRIBUTE_HEADINGS, attribute_rows)
    report(f"attributes {engine}", f"{machine}\n\n{attribute_table}", write)


if __name__ == "__main__":
    typer.run(main)
