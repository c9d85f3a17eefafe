"""Many small meshes with one view each: what a mesh costs beyond its image.

For meshes of each size, these take turns, round after round:

* ``image``: `entry_exit` of meshes that were uploaded and rendered before;
* ``mesh``: the constructor of `Mesh`, from arrays;
* ``bodies``: `Mesh.bodies`, which ``surfaces="auto"`` needs;
* ``upload``: `DepthRenderer.upload`, and freeing the scene;
* ``many``: `render_many` for pairs of a new mesh and a camera.

``overhead`` is ``many`` minus ``image``. ``render_many`` must return the bits of
``image`` before anything is timed. The report is a table of median milliseconds per mesh, with half
the interquartile range as the spread. It is the CPU time of all threads: what counts when several
processes keep all cores busy with a data set.

    python benchmarks/small_meshes.py [--device DEVICE] [--engine ENGINE] [--rounds N] [--write]
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any

import numpy as np
import typer
from cases import DeviceOption, RoundsOption
from tables import WriteOption, describe_machine, markdown_table, median_and_spread, report

import ddepth_gl as dd
from ddepth_gl.mesh.demo import sphere_mesh

MESHES = 200
FACES = (300, 1000, 3000)
SIZE = 256  # of the image, pixels
WAYS = ("image", "mesh", "bodies", "upload", "many")


def ellipsoids(faces: int) -> list[dd.Mesh]:
    """Return different ellipsoids of about that many faces each."""
    rng = np.random.default_rng(0)
    sphere = sphere_mesh(faces)
    return [
        dd.Mesh(sphere.vertices * rng.uniform(0.5, 1.5, 3), sphere.faces) for _ in range(MESHES)
    ]


def fresh(meshes: Sequence[dd.Mesh]) -> list[dd.Mesh]:
    """Return equal meshes that know nothing of their bodies yet."""
    return [dd.Mesh(mesh.vertices, mesh.faces) for mesh in meshes]


def milliseconds_per_mesh(results: Iterable[Any]) -> float:
    """Return the CPU time to compute a result for each mesh, divided by their number."""
    start = time.process_time()
    deque(results, maxlen=0)
    return 1e3 * (time.process_time() - start) / MESHES


def measure(renderer: dd.DepthRenderer, faces: int, rounds: int) -> list[Any]:
    """Return a row of the table."""
    meshes = ellipsoids(faces)
    cameras = [dd.Camera.orbit(mesh, views=1, width=SIZE, height=SIZE)[0] for mesh in meshes]
    scenes = [renderer.upload(mesh) for mesh in meshes]

    def images() -> Iterator[dd.DepthMaps]:
        for scene, camera in zip(scenes, cameras, strict=True):
            yield renderer.entry_exit(scene, camera)

    def many(given: Sequence[dd.Mesh]) -> Iterator[dd.Frame]:
        return renderer.render_many(zip(given, cameras, strict=True), image=False)

    for maps, frame in zip(images(), many(fresh(meshes)), strict=True):
        assert frame.maps is not None
        if not np.array_equal(maps.entry, frame.maps.entry, equal_nan=True):
            raise SystemExit(f"{faces} faces: render_many differs; nothing is timed")
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        new, unknown = fresh(meshes), fresh(meshes)
        calls: dict[str, Iterable[Any]] = {
            "image": images(),
            "mesh": (dd.Mesh(mesh.vertices, mesh.faces) for mesh in meshes),
            "bodies": (mesh.bodies for mesh in unknown),
            "upload": map(renderer.upload, meshes),
            "many": many(new),
        }
        for way in WAYS:
            times[way].append(milliseconds_per_mesh(calls[way]))
    for scene in scenes:
        scene.release()
    overhead = [many - image for many, image in zip(times["many"], times["image"], strict=True)]
    return [f"{len(meshes[0].faces):,}", *map(spread, times.values()), spread(overhead)]


def spread(values: Sequence[float]) -> str:
    """Return the median and half the interquartile range."""
    return "{:.2f} ± {:.2f}".format(*median_and_spread(values))


def main(
    device: DeviceOption = None,
    engine: Annotated[str, typer.Option(help="Engine to time.")] = "auto",
    rounds: RoundsOption = 9,
    write: WriteOption = False,
) -> None:
    """Measure what many small meshes cost beyond their images."""
    with dd.DepthRenderer(engine, device) as renderer:
        machine = f"{describe_machine(renderer.info)}, engine {renderer.info.engine}"
        rows = [measure(renderer, faces, rounds) for faces in FACES]
    table = markdown_table(["faces", *WAYS, "overhead"], rows)
    text = (
        f"{machine}; {MESHES} meshes, {SIZE}x{SIZE}; {rounds} rounds, medians, ms of CPU time per "
        "mesh."
    )
    report("small meshes", f"{text}\n\n{table}", write)


if __name__ == "__main__":
    typer.run(main)
