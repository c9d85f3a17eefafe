"""Eight layers as stacks of images, compared with Open3D's bare list of hits.

These ways are timed, each from a camera to NumPy arrays:

* Open3D: `list_intersections`, unsorted pixels and distances, without normals or colors;
* ``peel``: all crossings in order, as compressed sparse rows;
* ``depth``: `peel` and `DepthLayers.dense` of the depth;
* ``depth, normal, color``: `peel` with both attributes and `DepthLayers.dense_many` of all three;
* ``out=``: the same, into the arrays of the last image;
* ``stacks alone``: `dense_many` into new arrays, of layers that are peeled already.

The crossings must agree with Open3D's, and the stacks with the crossings, before anything is timed.
The ways take turns as in peers.py. The report is median milliseconds, and Open3D's time divided by
ours.

    pip install ".[bench]"
    python benchmarks/dense.py [--engine ENGINE] [--meshes FOLDER] [--device DEVICE] [--rounds N]
                               [--write]
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
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
from tables import WriteOption, describe_machine, markdown_table, report, why_skipped

import ddepth_gl as dd

try:
    from ray_casters import Rays, open3d_ways, our_ways
except (ImportError, OSError) as error:  # OSError: a peer's system library is missing
    print(f"{Path(__file__).name} is skipped: {why_skipped(error)}", file=sys.stderr)
    sys.exit()  # with success, so that `make bench` works without the peers
from peers import MAX_DIFFERING, differing_fraction, measure

LAYERS = 8
ATTRIBUTES = ("normal", "color")
QUANTITIES = ("depth", *ATTRIBUTES)
TITLES = {"peel": "peel", "depth": "depth", "all": ", ".join(QUANTITIES), "again": "out="}


def check_stacks(layers: dd.DepthLayers, case: str) -> None:
    """Exit unless the stacks hold every value of the first layers in its place, and no other."""
    kept = layers.layer < LAYERS
    where = layers.layer[kept], layers.pixel[kept]
    for name, stack in layers.dense_many(QUANTITIES, LAYERS).items():
        values = getattr(layers, name)[kept]
        flat = stack.reshape(LAYERS, -1, *values.shape[1:])
        filled = np.count_nonzero(~np.isnan(flat))
        if flat[where].tobytes() != values.tobytes() or filled != values.size:
            raise SystemExit(f"{case}: the stack of {name} is wrong; nothing is timed")


def measure_image(
    renderer: dd.DepthRenderer, scene: dd.Scene, camera: dd.Camera, rounds: int, case: str
) -> tuple[int, dict[str, float]]:
    """Return the number of crossings of an image, and the milliseconds of each way to it."""
    peer = open3d_ways(scene.mesh, Rays(scene.mesh, camera))["layers"]
    ours = our_ways(renderer, scene, camera)["layers"]
    (hits,), (crossings,) = peer.crossings(peer.call()), ours.crossings(ours.call())
    if differing_fraction(crossings, hits) > MAX_DIFFERING:
        raise SystemExit(f"{case}: the crossings differ; nothing is timed")
    layers = renderer.peel(scene, camera, attributes=ATTRIBUTES)
    check_stacks(layers, case)
    cameras = equal_cameras(camera)
    last = layers.dense_many(QUANTITIES, LAYERS)

    def dense_depth() -> Any:
        return renderer.peel(scene, next(cameras)).dense("depth", LAYERS)

    def dense_all(out: dict[str, Any] | None = None) -> Any:
        peeled = renderer.peel(scene, next(cameras), attributes=ATTRIBUTES)
        return peeled.dense_many(QUANTITIES, LAYERS, out=out)

    calls: dict[str, Callable[[], Any]] = {
        "Open3D": peer.call,
        "peel": ours.call,
        "depth": dense_depth,
        "all": dense_all,
        "again": partial(dense_all, last),
        "stacks alone": lambda: layers.dense_many(QUANTITIES, LAYERS),
    }
    timings = measure(calls, rounds)
    return len(layers.depth), {name: timing.ms for name, timing in timings.items()}


def main(
    engine: Annotated[str, typer.Option(help="Engine to time.")] = "auto",
    meshes: MeshesOption = MESHES,
    device: DeviceOption = None,
    rounds: RoundsOption = 7,
    write: WriteOption = False,
) -> None:
    """Compare stacks of layers with Open3D's list of hits."""
    rows = []
    ratios: dict[str, list[float]] = {way: [] for way in TITLES}
    loaders = mesh_loaders(meshes)
    with dd.DepthRenderer(engine, device) as renderer:
        for name, load in track(loaders.items(), "measuring", console=Console(stderr=True)):
            mesh = load()
            scene = renderer.upload(mesh)
            for size in IMAGE_SIZES:
                camera = dd.Camera.orbit(mesh, views=1, width=size, height=size)[0]
                count, ms = measure_image(renderer, scene, camera, rounds, f"{name} at {size}")
                cells = []
                for way in TITLES:
                    ratios[way].append(ms["Open3D"] / ms[way])
                    cells.append(f"{ms[way]:.1f} ({ratios[way][-1]:.1f})")
                cells.append(f"{ms['stacks alone']:.1f}")
                rows.append([name, size, f"{count:,}", f"{ms['Open3D']:.1f}", *cells])
            scene.release()
        machine = describe_machine(renderer.info)
    for title, summary in (("geometric mean", statistics.geometric_mean), ("smallest", min)):
        rows.append([title, "", "", "", *(f"({summary(ratios[way]):.2f})" for way in TITLES), ""])
    headings = ["mesh", "size", "crossings", "Open3D", *TITLES.values(), "stacks alone"]
    text = f"{machine}; open3d {version('open3d')}; {rounds} rounds, medians, ms per image."
    report("dense", f"{text}\n\n{markdown_table(headings, rows)}", write)


if __name__ == "__main__":
    typer.run(main)
