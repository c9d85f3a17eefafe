"""Both sheets: the API compared with the bare GL calls of the same two passes.

Three ways to the same sheets are timed:

* ``bare``: clear, draw and read back twice, with the renderer's own buffers and shaders;
* ``api``: `DepthRenderer.entry_exit`;
* ``many``: `DepthRenderer.entry_exit_many`, per image.

For scale, a fourth way is timed: ``plain``, the simplest two passes possible. The vertices are
shared, and the rasterizer's depth is converted in the shader. It is less exact; see
docs/decisions/0003.

The ways take turns in one process, round after round, so a machine whose speed drifts slows all of
them alike. ``bare``, ``api`` and ``many`` must agree bit for bit before anything is timed. The
report is a table of median milliseconds per image, with half the interquartile range as the spread.

    python benchmarks/sheets.py [--meshes FOLDER] [--device DEVICE] [--rounds N] [--write]
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import typer
from bare_passes import BarePasses, PlainPasses
from cases import IMAGE_SIZES, MESHES, DeviceOption, MeshesOption, RoundsOption, mesh_loaders
from rich.console import Console
from rich.progress import track
from tables import WriteOption, describe_machine, markdown_table, median_and_spread, report

import ddepth_gl as dd
from ddepth_gl.results.silhouettes import fix_silhouettes

IMAGES_PER_ROUND = 4
HEADINGS = (
    "mesh",
    "faces",
    "size",
    "covered",
    "plain",
    "bare",
    "api",
    "many",
    "api - bare",
    "many / api",
)


def same_bits(first: Sequence[npt.ArrayLike], second: Sequence[npt.ArrayLike]) -> bool:
    """Return whether two lists of arrays are equal, NaN included."""
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))


def milliseconds_per_image(call: Callable[[], Any], calls: int) -> float:
    """Return the time of `calls` calls that render IMAGES_PER_ROUND images in all."""
    start = time.perf_counter()
    for _ in range(calls):
        result = call()  # like a caller, keep the last result while the next one is rendered
    del result
    return 1e3 * (time.perf_counter() - start) / IMAGES_PER_ROUND


def measure(
    ways: dict[str, Callable[[], Any]], many: Callable[[], Iterator[Any]], rounds: int
) -> dict[str, tuple[float, float]]:
    """Return median and half the interquartile range of each way, ms per image.

    Args:
        ways: functions that render one image, by name.
        many: a function that renders IMAGES_PER_ROUND images.
        rounds: number of rounds.
    """
    times: dict[str, list[float]] = {name: [] for name in (*ways, "many")}
    for _ in range(rounds):
        for name, call in ways.items():
            times[name].append(milliseconds_per_image(call, IMAGES_PER_ROUND))
        times["many"].append(milliseconds_per_image(lambda: deque(many(), maxlen=1), 1))
    return {name: median_and_spread(values) for name, values in times.items()}


def measured_cells(
    renderer: dd.DepthRenderer, scene: dd.Scene, size: int, case: str, rounds: int
) -> list[str]:
    """Return the columns of one table row from ``covered`` on; exit if the ways disagree."""
    camera = dd.Camera.orbit(scene.mesh, views=1, width=size, height=size)[0]
    bare = BarePasses(renderer, scene, camera)
    plain = PlainPasses(renderer, scene, camera)

    def api() -> list[npt.NDArray[np.float32]]:
        maps = renderer.entry_exit(scene, camera)
        return [maps.entry, maps.exit]

    def many() -> Iterator[list[npt.NDArray[np.float32]]]:
        for maps in renderer.entry_exit_many(scene, [camera] * IMAGES_PER_ROUND):
            yield [maps.entry, maps.exit]

    # The API also fixes pixels at silhouettes where the two sheets are swapped.
    entry, exit_ = bare()
    fix_silhouettes(entry, exit_, camera, lambda: scene.mesh.is_oriented)
    plain()
    if not all(same_bits([entry, exit_], sheets) for sheets in (api(), *many())):
        raise SystemExit(f"{case}: the ways disagree; nothing is timed")
    result = measure({"plain": plain, "bare": bare, "api": api}, many, rounds)
    bare.release()
    plain.release()
    return [
        f"{np.isfinite(entry).mean():.0%}",
        *(f"{median:.2f} ± {spread:.2f}" for median, spread in result.values()),
        f"{result['api'][0] - result['bare'][0]:+.2f}",
        f"{result['many'][0] / result['api'][0]:.2f}",
    ]


def main(
    meshes: MeshesOption = MESHES,
    device: DeviceOption = None,
    rounds: RoundsOption = 15,
    write: WriteOption = False,
) -> None:
    """Compare the API with bare GL calls."""
    rows = []
    loaders = mesh_loaders(meshes)
    with dd.DepthRenderer("raster", device) as renderer:
        for name, load in track(loaders.items(), "measuring", console=Console(stderr=True)):
            scene = renderer.upload(load())
            faces = f"{len(scene.mesh.faces):,}"
            for size in IMAGE_SIZES:
                cells = measured_cells(renderer, scene, size, f"{name} at {size}", rounds)
                rows.append([name, faces, size, *cells])
            scene.release()
        machine = describe_machine(renderer.info)
    unit = "ms per image, ± half the interquartile range"
    how = f"{machine}; {rounds} rounds of {IMAGES_PER_ROUND} images; {unit}."
    report("sheets", f"{how}\n\n{markdown_table(HEADINGS, rows)}", write)


if __name__ == "__main__":
    typer.run(main)
