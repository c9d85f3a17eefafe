"""Both sheets, with attributes and without, and all layers, compared with ray casters.

All cast or render the rays of the same pixels.

* Open3D's RaycastingScene: entry and exit are a forward and a backward cast, all layers are
  `list_intersections`.
* trimesh + embreex: entry and exit are the same two casts by embreex itself, for distances alone,
  which is the fastest; for attributes it returns all that it finds. All layers are trimesh's
  `intersects_location`, which casts again from behind the last hit.

Both trace with Embree: Open3D on all CPUs, embreex on one. Rays and scenes are built beforehand.
The times end with NumPy arrays as each library returns them. The crossings of the pixels must agree
before anything is timed. The ways take turns, round after round, so a machine whose speed drifts
slows all of them alike. The report is median milliseconds, and the peers' time divided by ours.

    pip install ".[bench]"
    python benchmarks/peers.py [--engine ENGINE ...] [--meshes FOLDER] [--device DEVICE]
                               [--rounds N] [--write]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from cases import IMAGE_SIZES, MESHES, DeviceOption, MeshesOption, RoundsOption, mesh_loaders
from rich.console import Console
from rich.progress import track
from tables import WriteOption, describe_machine, markdown_table, report, why_skipped

import ddepth_gl as dd

try:
    from ray_casters import PEERS, Crossings, Rays, Way, our_ways
except (ImportError, OSError) as error:  # OSError: a peer's system library is missing
    print(f"{Path(__file__).name} is skipped: {why_skipped(error)}", file=sys.stderr)
    sys.exit()  # with success, so that `make bench` works without the peers

JOBS = {
    "sheets": "entry + exit",
    "attributes": "entry + exit with face, normal and barycentric",
    "layers": "all layers",
}

# Embree computes in float32, which rounds by 6e-8. That grows a hundredfold for the few rays within
# half a degree of a face.
DEPTH_TOLERANCE = 1e-5

# A ray that meets an edge may be decided either way, and a few rays run along a face. If more than
# this fraction of the covered pixels differs, something is wrong.
MAX_DIFFERING = 1e-3

# Seconds between two ways. A peer's threads spin for a while after a call, waiting for more work,
# and would take a CPU from the way that is timed next.
PAUSE = 0.3


@dataclass(order=True)
class Timing:
    """Milliseconds of a method, and the average number of CPUs that it kept busy."""

    ms: float
    busy_cpus: float


@dataclass
class Cell:
    """One job on one mesh at one size.

    Attributes:
        mesh: name of the mesh.
        faces: number of its faces.
        size: width and height of the image in pixels.
        job: a key of JOBS.
        timings: by peer and by engine.
        differing: by peer, the fraction of covered pixels that differ from an engine's, at most.
    """

    mesh: str
    faces: int
    size: int
    job: str
    timings: dict[str, Timing]
    differing: dict[str, float]

    def ratio(self, peer: str, engine: str) -> float:
        """Return the peer's time divided by the engine's."""
        return self.timings[peer].ms / self.timings[engine].ms


def differing_fraction(first: Crossings, second: Crossings) -> float:
    """Return the fraction of covered pixels where the number of crossings or a depth differs."""
    same_count = first.count == second.count
    a = first.depth[np.repeat(same_count, first.count)]
    b = second.depth[np.repeat(same_count, second.count)]
    pixel = np.repeat(np.flatnonzero(same_count), first.count[same_count])
    differs = ~same_count
    differs[pixel[np.abs(a - b) > DEPTH_TOLERANCE * a]] = True
    return float(differs[(first.count > 0) | (second.count > 0)].mean())


def compare(ways: dict[str, Way], case: str) -> dict[str, float]:
    """Return each peer's largest differing fraction against an engine; exit if it is too large."""
    crossings = {name: way.crossings(way.call()) for name, way in ways.items()}
    fractions = dict.fromkeys(PEERS, 0.0)
    for peer in PEERS:
        for engine in ways.keys() - PEERS.keys():
            fraction = max(map(differing_fraction, crossings[engine], crossings[peer]))
            if fraction > MAX_DIFFERING:
                raise SystemExit(
                    f"{case}: {engine} and {peer} differ at {fraction:.3%} of the pixels; "
                    "nothing is timed"
                )
            fractions[peer] = max(fraction, fractions[peer])
    return fractions


def measure(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, Timing]:
    """Return each call's medians over the rounds; in a round, the fastest of a few calls counts."""
    timings: dict[str, list[Timing]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(PAUSE)
            turn: list[Timing] = []
            total = 0.0
            while len(turn) < 2 or (len(turn) < 5 and total < PAUSE):
                start, cpu_start = time.perf_counter(), time.process_time()
                call()
                wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
                turn.append(Timing(1e3 * wall, cpu / wall))
                total += wall
            timings[name].append(min(turn))
    return {
        name: Timing(
            statistics.median(timing.ms for timing in values),
            statistics.median(timing.busy_cpus for timing in values),
        )
        for name, values in timings.items()
    }


def summary_table(cells: list[Cell], engines: dict[str, str]) -> str:
    """Return the table of mean and smallest ratios; `engines` holds their titles."""
    headings = [
        f"{title}: {what}" for title in engines.values() for what in ("geometric mean", "smallest")
    ]
    rows = []
    for job, peer in product(JOBS, PEERS):
        job_cells = [cell for cell in cells if cell.job == job]
        row = [f"{JOBS[job]}, {peer}"]
        for engine in engines:
            ratios = [cell.ratio(peer, engine) for cell in job_cells]
            smallest, cell = min(zip(ratios, job_cells, strict=True), key=lambda pair: pair[0])
            row.append(f"{statistics.geometric_mean(ratios):.2f}")
            row.append(f"{smallest:.2f} ({cell.mesh} at {cell.size})")
        rows.append([*row, f"{max(cell.differing[peer] for cell in job_cells):.3%}"])
    headings = ["time of the peer over ours", *headings, "pixels that differ, at most"]
    return markdown_table(headings, rows)


def job_table(cells: list[Cell], engines: dict[str, str]) -> str:
    """Return the table of milliseconds and ratios of one job; `engines` holds their titles."""
    rows = []
    for cell in cells:
        row: list[Any] = [cell.mesh, f"{cell.faces:,}", cell.size]
        row += [f"{cell.timings[peer].ms:.1f}" for peer in PEERS]
        for engine in engines:
            ratios = ", ".join(f"{cell.ratio(peer, engine):.1f}" for peer in PEERS)
            row.append(f"{cell.timings[engine].ms:.1f} ({ratios})")
        rows.append(row)
    return markdown_table(["mesh", "faces", "size", *PEERS, *engines.values()], rows)


def introduction(
    machine: str, cells: list[Cell], engines: dict[str, str], open_meshes: list[str], rounds: int
) -> str:
    """Return the line above the tables: machine, versions, and how the times were taken."""
    packages = ("open3d", "trimesh", "embreex")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    text = f"{machine}; {versions}; {rounds} rounds, medians, ms per image."
    if open_meshes:
        text += f' `surfaces="any"` for {" and ".join(open_meshes)}, which are not closed.'
    # Other programs on the machine may take CPUs from a peer and make it look slow; this shows it.
    titles = {peer: peer for peer in PEERS} | engines
    busy = ", ".join(
        f"{title} {statistics.mean(cell.timings[name].busy_cpus for cell in cells):.1f}"
        for name, title in titles.items()
    )
    return f"{text} CPU cores busy: {busy}."


def main(
    meshes: MeshesOption = MESHES,
    device: DeviceOption = None,
    rounds: RoundsOption = 7,
    engine: Annotated[
        list[str] | None, typer.Option(help="Engine to time; repeat for several. Default: both.")
    ] = None,
    write: WriteOption = False,
) -> None:
    """Compare both sheets, their attributes and all layers with ray casters."""
    cells: list[Cell] = []
    open_meshes = []
    loaders = mesh_loaders(meshes)
    with ExitStack() as stack:
        renderers = {
            name: stack.enter_context(dd.DepthRenderer(name, device))
            for name in engine or ("compute", "raster")
        }
        with dd.DepthRenderer("auto", device) as renderer:
            info = renderer.info
        for name, load in track(loaders.items(), "measuring", console=Console(stderr=True)):
            mesh = load()
            if not mesh.is_oriented:
                open_meshes.append(name)
            scenes = {key: renderer.upload(mesh) for key, renderer in renderers.items()}
            for size in IMAGE_SIZES:
                camera = dd.Camera.orbit(mesh, views=1, width=size, height=size)[0]
                rays = Rays(mesh, camera)
                ways = {peer: build_ways(mesh, rays) for peer, build_ways in PEERS.items()}
                for key, renderer in renderers.items():
                    ways[key] = our_ways(renderer, scenes[key], camera)
                for job, title in JOBS.items():
                    job_ways = {key: jobs[job] for key, jobs in ways.items()}
                    differing = compare(job_ways, f"{name} at {size}, {title}")
                    timings = measure({key: way.call for key, way in job_ways.items()}, rounds)
                    cells.append(Cell(name, len(mesh.faces), size, job, timings, differing))
            for scene in scenes.values():
                scene.release()
    engines = {key: f"{key} (auto)" if key == info.engine else key for key in renderers}
    parts = [
        introduction(describe_machine(info), cells, engines, open_meshes, rounds),
        summary_table(cells, engines),
    ]
    for job, title in JOBS.items():
        parts.append(
            f"{title.capitalize()}; in parentheses the time over ours of {', '.join(PEERS)}:"
        )
        parts.append(job_table([cell for cell in cells if cell.job == job], engines))
    report("peers", "\n\n".join(parts), write)


if __name__ == "__main__":
    typer.run(main)
