"""Both sheets, side by side in one run: the API against the bare GL calls of the same two passes.

Three ways to the same image are timed in turns, round after round, so that a machine whose speed drifts slows
all of them alike:

* ``bare``: clear, draw and read back twice, nothing else, on the renderer's own buffers and shaders;
* ``api``: `DepthRenderer.entry_exit`;
* ``many``: `DepthRenderer.entry_exit_many`, per image;

and, for scale, ``plain``: the simplest two passes there are, each vertex shared, the depth left to the
rasterizer and converted in the shader. It is less exact (see docs/decisions/0003).

Before any time counts, ``bare``, ``api`` and ``many`` must have given the same bits. Reports a table: median
milliseconds per image, and half the distance between the quartiles as the spread.

    python benchmarks/sheets.py [--meshes FOLDER] [--device DEVICE] [--rounds N] [--write]
"""

from __future__ import annotations

import os
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import track
from tables import Write, machine, report, table

import ddepth_gl as dd
from ddepth_gl.engines.raster.engine import _ENTRY, _EXIT, _uniforms
from ddepth_gl.engines.request import SheetRequest
from ddepth_gl.results.silhouettes import fix_silhouettes

SIZES = (256, 512, 1024)
REAL = ("spot/spot.obj", "rocker-arm.obj", "stanford-bunny.obj", "ogre.obj")
IMAGES_PER_ROUND = 4
MESHES = Path(os.environ.get("DDEPTH_MESHES", Path(__file__).parents[2] / "shared" / "meshes"))

PLAIN_VERTEX = """
#version 410 core
layout(location = 0) in vec3 position;
uniform mat4 clip_from_world;
void main() { gl_Position = clip_from_world * vec4(position, 1.0); }
"""
PLAIN_FRAGMENT = """
#version 410 core
layout(location = 0) out float depth;
uniform float near;
uniform float far;
void main() { depth = near * far / (far - gl_FragCoord.z * (far - near)); }
"""


def sphere(about: int) -> dd.Mesh:
    """A latitude-longitude sphere of about that many faces."""
    rings = round((about / 2) ** 0.5) + 1
    sides = rings - 1
    polar = np.pi * np.arange(rings + 1)[:, None] / rings
    around = 2 * np.pi * np.arange(sides)[None, :] / sides
    ring = np.sin(polar).round(15)  # or the sine of pi, 1e-16, would leave a hole at the pole
    grid = np.broadcast_arrays(ring * np.cos(around), ring * np.sin(around), np.cos(polar))
    index = np.arange((rings + 1) * sides).reshape(rings + 1, sides)
    a, c = index[:-1], index[1:]
    b, d = np.roll(a, -1, 1), np.roll(c, -1, 1)
    lower, upper = np.stack([a, c, d], -1)[:-1], np.stack([a, d, b], -1)[1:]
    return dd.Mesh(
        np.stack(grid, -1).reshape(-1, 3),
        np.concatenate([lower.reshape(-1, 3), upper.reshape(-1, 3)]),
    )


class Bare:
    """The two passes and nothing else, on the engine's program and buffers."""

    def __init__(self, renderer: dd.DepthRenderer, scene: dd.Scene, camera: dd.Camera) -> None:
        self.context, engine = renderer._context, renderer._engine
        with self.context:
            gl = self.gl = self.context.gl
            program = engine._program(
                "sheet", camera, SheetRequest(), _uniforms(scene, camera, SheetRequest())
            )
            self.vertex_array = engine._vertex_array(scene, program)
            self.size = (camera.width, camera.height)
            self.depth = self.context.functions.depth_texture(self.size)
            self.colors = [gl.texture(self.size, 1, dtype="f4") for _ in range(2)]
            self.framebuffers = [gl.framebuffer([color], self.depth) for color in self.colors]

    def __call__(self) -> list[Any]:
        gl = self.gl
        with self.context:
            gl.enable_only(gl.DEPTH_TEST | gl.CULL_FACE)
            gl.front_face = "cw"
            for framebuffer, (culled, comparison, cleared) in zip(
                self.framebuffers, (_ENTRY, _EXIT), strict=True
            ):
                gl.cull_face, gl.depth_func = culled, comparison
                framebuffer.use()
                framebuffer.clear(float("nan"), depth=cleared)
                self.vertex_array.render()
            return self.read()

    def read(self) -> list[Any]:
        sheets = []
        for framebuffer in self.framebuffers:
            sheet = np.empty(self.size[::-1], np.float32)
            framebuffer.read_into(sheet, components=1, dtype="f4")
            sheets.append(sheet)
        return sheets

    def release(self) -> None:
        with self.context as context:
            context.unbind_framebuffer()
            for made in (*self.framebuffers, *self.colors, self.depth):
                made.release()


class Plain(Bare):
    """The simplest two passes: shared vertices, fixed-function depth, near and far planes chosen."""

    def __init__(self, renderer: dd.DepthRenderer, scene: dd.Scene, camera: dd.Camera) -> None:
        super().__init__(renderer, scene, camera)
        _, depth = camera.project(scene.mesh.vertices)
        near, far = float(depth.min()) * 0.9, float(depth.max()) * 1.1
        row = (0, 0, (far + near) / (far - near), -2 * far * near / (far - near))
        with self.context:
            program = self.gl.program(vertex_shader=PLAIN_VERTEX, fragment_shader=PLAIN_FRAGMENT)
            matrix = camera.projection(row) @ camera.camera_from_world
            program["clip_from_world"].write(matrix.T.astype("f4").tobytes())
            program["near"], program["far"] = near, far
            buffers = [
                self.gl.buffer(scene.mesh.vertices.astype("f4")),
                self.gl.buffer(scene.mesh.faces.astype("i4")),
            ]
            self.vertex_array = self.gl.vertex_array(
                program, [(buffers[0], "3f", "position")], buffers[1]
            )
            self.made = [self.vertex_array, *buffers, program]

    def release(self) -> None:
        super().release()
        with self.context:
            for made in self.made:
                made.release()


def timed(call: Callable[[], Any], times: int = 1) -> float:
    """Milliseconds per image of IMAGES_PER_ROUND images, made by that many calls."""
    start = time.perf_counter()
    for _ in range(times):
        kept = call()  # as callers do: the last image is still there while the next is made
    del kept
    return 1e3 * (time.perf_counter() - start) / IMAGES_PER_ROUND


def measure(
    singles: dict[str, Callable[[], Any]], many: Callable[[], Iterator[Any]], rounds: int
) -> dict[str, tuple[float, float]]:
    """Median and half the interquartile distance, ms per image, of each way; in turns."""
    times: dict[str, list[float]] = {name: [] for name in (*singles, "many")}
    for _ in range(rounds):
        for name, call in singles.items():
            times[name].append(timed(call, IMAGES_PER_ROUND))
        times["many"].append(timed(lambda: deque(many(), maxlen=1)))
    result = {}
    for name, values in times.items():
        low, median, high = statistics.quantiles(values, n=4)
        result[name] = (median, (high - low) / 2)
    return result


def same(first: list[Any], second: list[Any]) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(first, second, strict=True))


def colored(mesh: dd.Mesh) -> dd.Mesh:
    """The mesh with a color that changes from place to place, unless it has colors of its own."""
    if mesh.textures or mesh.colors is not None:
        return mesh
    low, high = mesh.bounds
    colors = np.clip((mesh.vertices - low) / (high - low), 0, 1)
    return dd.Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, object_id=mesh.object_id, colors=colors)


def cases(meshes: Path) -> dict[str, Callable[[], dd.Mesh]]:
    """The meshes to measure, by their names, made when they are wanted; each has colors."""
    made: dict[str, Callable[[], dd.Mesh]] = {
        f"sphere {name}": lambda faces=faces: colored(sphere(faces))
        for name, faces in (("5k", 5_000), ("82k", 82_000), ("1.3M", 1_300_000))
    }
    for name in REAL:
        path = meshes / "good" / name
        if path.exists():
            made[path.stem] = lambda path=path: colored(dd.load_mesh(path))
        else:
            typer.echo(f"left out: {path} is absent; --meshes names their folder", err=True)
    return made


def main(
    meshes: Annotated[Path, typer.Option(help="Folder of the real meshes.")] = MESHES,
    device: Annotated[str | None, typer.Option(help="See ddepth doctor.")] = None,
    rounds: Annotated[int, typer.Option(help="Times each way is timed.")] = 15,
    write: Write = False,
) -> None:
    """Reports the table."""
    rows = []
    with dd.DepthRenderer("raster", device) as renderer:
        for name, make in track(cases(meshes).items(), "measuring", console=Console(stderr=True)):
            mesh = make()
            scene = renderer.upload(mesh)
            for size in SIZES:
                camera = dd.Camera.orbit(mesh, views=1, width=size, height=size)[0]
                bare, plain = Bare(renderer, scene, camera), Plain(renderer, scene, camera)
                cameras = [camera] * IMAGES_PER_ROUND

                def api(scene: Any = scene, camera: Any = camera) -> list[Any]:
                    maps = renderer.entry_exit(scene, camera)
                    return [maps.entry, maps.exit]

                def many(scene: Any = scene, cameras: Any = cameras) -> Iterator[list[Any]]:
                    for maps in renderer.entry_exit_many(scene, cameras):
                        yield [maps.entry, maps.exit]

                # The API also mends the pixels at silhouettes where the two sheets have crossed.
                expected = bare()
                fix_silhouettes(*expected, camera, lambda mesh=mesh: mesh.is_oriented)
                plain()
                if not same(expected, api()) or not all(same(expected, image) for image in many()):
                    raise SystemExit(f"{name} at {size}: the ways disagree; no time counts")
                result = measure({"plain": plain, "bare": bare, "api": api}, many, rounds)
                cells = [f"{median:.2f} ± {spread:.2f}" for median, spread in result.values()]
                over = result["api"][0] - result["bare"][0]
                ratio = result["many"][0] / result["api"][0]
                covered = float(np.isfinite(expected[0]).mean())
                more = [f"{over:+.2f}", f"{ratio:.2f}"]
                rows.append([name, f"{len(mesh.faces):,}", size, f"{covered:.0%}", *cells, *more])
                bare.release()
                plain.release()
            scene.release()
        where = machine(renderer.info)
    how = f"{rounds} rounds of {IMAGES_PER_ROUND} images; ms per image, ± half the interquartile range"
    heads = (
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
    report("sheets", f"{where}; {how}.\n\n{table(heads, rows)}", write)


if __name__ == "__main__":
    typer.run(main)
