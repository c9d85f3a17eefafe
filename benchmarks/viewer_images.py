"""The viewer's images off-screen: milliseconds from a moved camera to the drawn image.

The orbit turns a little before each image, as under a mouse. An image counts until the device has
drawn its colors. It is rendered at full resolution, as when the camera is still, and with 2 x 2 and
4 x 4 pixels of the window for each of its own, as while the camera moves. The mould view turns
around points that were rendered before; then it is every point, or every second or fourth along
both sides. Before anything is timed, the values of every image must be those of the public API,
bit for bit. It needs no display, so it runs on GPUs without one.

    python benchmarks/viewer_images.py [--meshes FOLDER] [--device DEVICE] [--rounds N] [--write]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import typer
from cases import MESHES, DeviceOption, MeshesOption, RoundsOption
from rich.console import Console
from rich.progress import track
from tables import WriteOption, describe_machine, markdown_table, report

import ddepth_gl as dd
from ddepth_gl.engines.shared.image_targets import ImageTarget
from ddepth_gl.mesh.demo import sphere_mesh
from ddepth_gl.viewer.canvas import Canvas
from ddepth_gl.viewer.device_images import DeviceImages
from ddepth_gl.viewer.modes import MODES
from ddepth_gl.viewer.state import ViewerState
from ddepth_gl.viewer.values import needed_parts, values_of
from ddepth_gl.viewer.world import World

SIZE = (1024, 768)
REDUCTIONS = (1, 2, 4)  # pixels of the window for each pixel of the image, along each side
DTYPES = {"f1": np.uint8, "f4": np.float32, "i4": np.int32}
HEADINGS = ("mesh", "faces", "mode", "raster", "1/2", "1/4", "compute", "1/2", "1/4")
# Wall and CPU milliseconds.
Times = tuple[float, float]


class Bench:
    """A mesh on one engine, drawn to an image of its own."""

    def __init__(self, renderer: dd.DepthRenderer, mesh: dd.Mesh) -> None:
        self.renderer, self.scene = renderer, renderer.upload(mesh)
        self.state = ViewerState.framing(mesh, aspect=SIZE[0] / SIZE[1])
        self.images = DeviceImages(renderer)
        with renderer._context as context:
            self.canvas, self.world = Canvas(context.gl), World(context.gl)
            self.target = ImageTarget(context, SIZE, 4, "f1")

    def image(self, reduction: int) -> Any:
        """Render the image of the state, and draw it; wait for the device."""
        size = SIZE[0] // reduction, SIZE[1] // reduction
        image = self.images.update(self.scene, self.state, *size)
        with self.renderer._context as context:
            self.canvas.draw(self.target.framebuffer, image, self.state, (0, 0, *SIZE))
            context.gl.finish()
        return image

    def mould(self, stride: int) -> None:
        """Draw the mould view; wait for the device."""
        points = self.images.points(self.scene, self.state, *SIZE)
        with self.renderer._context as context:
            self.world.draw(
                self.target.framebuffer,
                points,
                self.scene.mesh,
                self.state,
                (0, 0, *SIZE),
                stride=stride,
            )
            context.gl.finish()

    def check(self, reduction: int) -> None:
        """Exit unless the image has the values of the public API."""
        state, image = self.state, self.image(reduction)
        frame = self.renderer.render(self.scene, image.camera, **needed_parts(state.mode))
        expected = values_of(state.mode, frame, state.layer)
        with self.renderer._context:
            found = np.frombuffer(image.texture.read(), DTYPES[image.texture.dtype])
        shape = (*expected.shape[:2], image.texture.components)
        values = found.reshape(shape)[..., : np.atleast_3d(expected).shape[2]]
        if not np.array_equal(values.reshape(expected.shape), expected, equal_nan=True):
            raise SystemExit(f"{self.scene.mesh!r}, {state.mode}: other values; nothing is timed")

    def turn(self) -> None:
        """Turn both orbits, as a mouse does."""
        self.state.orbit = self.state.orbit.turned(2.0, 0.5)

    def turn_mould(self) -> None:
        """Turn the orbit of the mould view."""
        self.state.mould_orbit = self.state.mould_orbit.turned(2.0, 0.5)

    def release(self) -> None:
        """Free everything but the renderer."""
        with self.renderer._context:
            for each in (self.canvas, self.world, self.target):
                each.release()
        self.images.release()
        self.scene.release()


def median_times(call: Callable[[], Any], prepare: Callable[[], None], rounds: int) -> Times:
    """Return the median times of a call; one more round warms up."""
    times = []
    for _ in range(rounds + 1):
        prepare()
        start = time.perf_counter(), time.process_time()
        call()
        stop = time.perf_counter(), time.process_time()
        times.append((1e3 * (stop[0] - start[0]), 1e3 * (stop[1] - start[1])))
    wall, cpu = (statistics.median(column) for column in zip(*times[1:], strict=True))
    return wall, cpu


def measured(bench: Bench, rounds: int) -> dict[str, list[Times]]:
    """Return the times of every mode, by resolution."""
    found = {}
    for mode in MODES:
        bench.state.mode = mode
        for reduction in REDUCTIONS:
            bench.check(reduction)
        found[mode] = [
            median_times(partial(bench.image, each), bench.turn, rounds) for each in REDUCTIONS
        ]
    found["mould view"] = [
        median_times(partial(bench.mould, each), bench.turn_mould, rounds) for each in REDUCTIONS
    ]
    return found


def loaders(meshes: Path) -> dict[str, Callable[[], dd.Mesh]]:
    """Return functions that make the meshes to measure, by name."""
    chosen: dict[str, Callable[[], dd.Mesh]] = {
        "sphere 100k": partial(sphere_mesh, 100_000),
        "demo": dd.demo_mesh,
    }
    path = meshes / "good" / "ogre.obj"
    if path.exists():
        chosen["ogre"] = partial(dd.load_mesh, path)
    return chosen


def main(
    meshes: MeshesOption = MESHES,
    device: DeviceOption = None,
    rounds: RoundsOption = 9,
    write: WriteOption = False,
) -> None:
    """Time the viewer's images by mode, engine and resolution."""
    rows, machine = [], ""
    for name, load in track(loaders(meshes).items(), console=Console(stderr=True)):
        mesh = load()
        times: dict[str, dict[str, list[Times]]] = {}
        for engine in ("raster", "compute"):
            with dd.DepthRenderer(engine, device) as renderer:
                bench = Bench(renderer, mesh)
                times[engine] = measured(bench, rounds)
                bench.release()
                machine = describe_machine(renderer.info)
        for mode in times["raster"]:
            cells = [
                f"{wall:.1f} ({cpu:.0f})"
                for engine in ("raster", "compute")
                for wall, cpu in times[engine][mode]
            ]
            rows.append([name, f"{len(mesh.faces):,}", mode, *cells])
    summary = (
        f"{machine}; {SIZE[0]}x{SIZE[1]} pixels, {rounds} rounds, medians, ms of wall time (of CPU "
        "time). 1/2 and 1/4: rendered at a half and a quarter of the resolution."
    )
    report("viewer", f"{summary}\n\n{markdown_table(HEADINGS, rows)}", write)


if __name__ == "__main__":
    typer.run(main)
