"""Double depth and all layers against ray casters, on the same pixels' rays, side by side.

* Open3D: RaycastingScene; entry and exit are a forward and a backward cast, all layers `list_intersections`;
* trimesh + embreex: the same two casts by embreex itself, for distances alone, which costs least; all layers
  by trimesh's `intersects_location`, which casts again and again from behind the last hit.

Both trace with Embree, Open3D on all processors, embreex on one. Rays and scenes are made beforehand; what is
timed ends with NumPy arrays as each library gives them. Before any time counts, the crossings of every pixel
are compared with those of the ray casters. Then the ways are timed in turns, round after round, so that a
machine whose speed drifts slows all of them alike. Reports median milliseconds and the peers' time over ours.

    pip install ".[bench]"
    python benchmarks/peers.py [--engine ENGINE ...] [--meshes FOLDER] [--device DEVICE] [--rounds N]
                               [--write]
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
import trimesh
import typer
from rich.console import Console
from rich.progress import track
from sheets import MESHES, SIZES, cases
from tables import Write, machine, report, table

import ddepth_gl as dd

try:
    import open3d as o3d
    from embreex.mesh_construction import TriangleMesh
    from embreex.rtcore_scene import EmbreeScene
    from trimesh.ray.ray_pyembree import RayMeshIntersector
except (
    ImportError,
    OSError,
) as error:  # OSError: a system library that one of them needs is absent
    print(f"{Path(__file__).name} left out: {error}; pip install '.[bench]'", file=sys.stderr)
    sys.exit()  # no failure: `make bench` goes without it

JOBS = {"sheets": "entry + exit", "layers": "all layers"}
# Embree computes in float32, which rounds by 6e-8. Faces that are seen edge on multiply that: a hundredfold
# where the ray is within half a degree of the face, as few are.
DEPTH_TOLERANCE = 1e-5
# A ray that meets an edge is decided one way or the other, and a few rays run along a face. More than this
# share of the pixels that the mesh covers is a mistake.
DIFFERENT_PIXELS = 1e-3
# Seconds between the ways. After each call the peers' threads wait in a loop for more work for a while, and
# would take a processor from whoever is timed next.
PAUSE = 0.3
EMBREE_MISSES = 1e37  # what embreex gives as the distance of a ray that hits nothing

Crossings = tuple[Any, Any]  # how many each pixel has, and their depths, by pixel and depth


@dataclass
class Way:
    """A way to a result: what is timed, and what it found, one Crossings an image, to compare it by."""

    call: Callable[[], Any]
    found: Callable[[Any], list[Crossings]]


class Rays:
    """The pixels' rays, forwards from the camera and backward from behind the mesh; float32, as Embree's.

    They advance by one in depth, so that distances along them are depths, counted from either end.
    """

    def __init__(self, mesh: dd.Mesh, camera: dd.Camera) -> None:
        u, v = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
        pixels = np.stack([u, v, np.ones_like(u)], -1).reshape(-1, 3)
        along = pixels @ np.linalg.inv(camera.K).T @ camera.camera_from_world[:3, :3]
        start = np.broadcast_to(camera.center, along.shape)
        self.camera, self.count = camera, len(along)
        self.end = float(camera.project(mesh.vertices)[1].max()) * 1.5
        self.forward = start.astype(np.float32), along.astype(np.float32)
        self.backward = (start + self.end * along).astype(np.float32), -self.forward[1]

    def first(self, distances: list[Any]) -> list[Crossings]:
        """Entry and exit from what the two casts hit first."""
        entry, back = (
            np.where(each < EMBREE_MISSES, each, np.inf).reshape(-1) for each in distances
        )
        return [of_sheet(entry), of_sheet(self.end - back)]

    def all(self, pixel: Any, depth: Any) -> list[Crossings]:
        """All crossings, given in any order."""
        return [(np.bincount(pixel, minlength=self.count), depth[np.lexsort((depth, pixel))])]


def of_sheet(depth: Any) -> Crossings:
    hit = np.isfinite(depth)
    return hit.reshape(-1).astype(int), depth[hit]


def ours(renderer: dd.DepthRenderer, scene: dd.Scene, camera: dd.Camera) -> dict[str, Way]:
    # As the documentation says: "any" is for what is not closed, where rays see faces from behind as well.
    surfaces = "oriented" if scene.mesh.is_oriented else "any"
    return {
        "sheets": Way(
            lambda: renderer.entry_exit(scene, camera, surfaces=surfaces),
            lambda maps: [of_sheet(maps.entry), of_sheet(maps.exit)],
        ),
        "layers": Way(
            lambda: renderer.peel(scene, camera),
            lambda layers: [(np.diff(layers.offsets), layers.depth)],
        ),
    }


def by_open3d(mesh: dd.Mesh, rays: Rays) -> dict[str, Way]:
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(mesh.vertices.astype(np.float32), mesh.faces.astype(np.uint32))
    forward, backward = (o3d.core.Tensor(np.hstack(each)) for each in (rays.forward, rays.backward))

    def sheets() -> list[Any]:
        return [scene.cast_rays(each)["t_hit"].numpy() for each in (forward, backward)]

    def layers() -> list[Any]:
        found = scene.list_intersections(forward)
        return [found["ray_ids"].numpy(), found["t_hit"].numpy()]

    return {
        "sheets": Way(sheets, rays.first),
        "layers": Way(layers, lambda found: rays.all(*found)),
    }


def by_trimesh(mesh: dd.Mesh, rays: Rays) -> dict[str, Way]:
    scene = EmbreeScene()
    TriangleMesh(scene=scene, vertices=mesh.vertices.astype(np.float32), indices=mesh.faces)
    intersector = RayMeshIntersector(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False))

    def sheets() -> list[Any]:
        return [scene.run(*each, query="DISTANCE") for each in (rays.forward, rays.backward)]

    def layers() -> list[Any]:
        points, pixel, _ = intersector.intersects_location(*rays.forward, multiple_hits=True)
        return [pixel, points]

    def found(crossings: list[Any]) -> list[Crossings]:
        pixel, points = crossings
        return rays.all(pixel, rays.camera.project(points)[1])

    return {"sheets": Way(sheets, rays.first), "layers": Way(layers, found)}


PEERS = {"Open3D": by_open3d, "trimesh + embreex": by_trimesh}


def differing(first: Crossings, second: Crossings) -> float:
    """Share of the pixels with crossings where two results differ, in their number or in any depth."""
    (count, depth), (other_count, other_depth) = first, second
    alike = count == other_count
    a, b = depth[np.repeat(alike, count)], other_depth[np.repeat(alike, other_count)]
    pixel = np.repeat(np.flatnonzero(alike), count[alike])
    differs = ~alike
    differs[pixel[np.abs(a - b) > DEPTH_TOLERANCE * a]] = True
    return float(differs[(count > 0) | (other_count > 0)].mean())


@dataclass
class Timed:
    """How long a way took, and how many processors it kept busy on average."""

    ms: float
    busy: float


def timed(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, Timed]:
    """Medians of each way, timed in turns; of a few calls in a row the fastest counts."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            time.sleep(PAUSE)
            turn: list[tuple[float, float]] = []
            while len(turn) < 2 or (len(turn) < 5 and sum(wall for wall, _ in turn) < PAUSE):
                start, cpu = time.perf_counter(), time.process_time()
                call()
                turn.append((time.perf_counter() - start, time.process_time() - cpu))
            times[name].append(min(turn))
    return {
        name: Timed(
            statistics.median(1e3 * wall for wall, _ in values),
            statistics.median(cpu / wall for wall, cpu in values),
        )
        for name, values in times.items()
    }


@dataclass
class Cell:
    """One job on one mesh at one size: the time of each way, and the share of pixels where a peer differs."""

    mesh: str
    faces: int
    size: int
    job: str
    times: dict[str, Timed]
    differing: dict[str, float]

    def ratio(self, peer: str, engine: str) -> float:
        return self.times[peer].ms / self.times[engine].ms


def compared(ways: dict[str, Way], where: str) -> dict[str, float]:
    """The largest share of pixels where each peer differs from an engine; raises where that is too much."""
    found = {name: way.found(way.call()) for name, way in ways.items()}
    shares = {}
    for peer in PEERS:
        for name in ways.keys() - PEERS.keys():
            share = max(map(differing, found[name], found[peer]))
            if share > DIFFERENT_PIXELS:
                raise SystemExit(
                    f"{where}: {name} and {peer} differ at {share:.3%} of the pixels; no time counts"
                )
            shares[peer] = max(share, shares.get(peer, 0.0))
    return shares


def summary(cells: list[Cell], engines: dict[str, str]) -> str:
    """The table of means and least ratios."""
    heads = [
        f"{title}: {what}" for title in engines.values() for what in ("geometric mean", "least")
    ]
    rows = []
    for job, peer in product(JOBS, PEERS):
        of_job = [cell for cell in cells if cell.job == job]
        row = [f"{JOBS[job]}, {peer}"]
        for engine in engines:
            least = min(of_job, key=lambda cell: cell.ratio(peer, engine))
            row.append(
                f"{statistics.geometric_mean(cell.ratio(peer, engine) for cell in of_job):.2f}"
            )
            row.append(f"{least.ratio(peer, engine):.2f} ({least.mesh} at {least.size})")
        rows.append([*row, f"{max(cell.differing[peer] for cell in of_job):.3%}"])
    return table(["time of the peer over ours", *heads, "pixels that differ, at most"], rows)


def details(cells: list[Cell], engines: dict[str, str]) -> str:
    """The table of milliseconds and ratios of one job."""
    rows = []
    for cell in cells:
        row = [
            cell.mesh,
            f"{cell.faces:,}",
            cell.size,
            *(f"{cell.times[peer].ms:.1f}" for peer in PEERS),
        ]
        for engine in engines:
            ratios = ", ".join(f"{cell.ratio(peer, engine):.1f}" for peer in PEERS)
            row.append(f"{cell.times[engine].ms:.1f} ({ratios})")
        rows.append(row)
    return table(["mesh", "faces", "size", *PEERS, *engines.values()], rows)


def main(
    meshes: Annotated[Path, typer.Option(help="Folder of the real meshes.")] = MESHES,
    device: Annotated[str | None, typer.Option(help="See ddepth doctor.")] = None,
    rounds: Annotated[int, typer.Option(help="Times each way is timed.")] = 7,
    engine: Annotated[
        list[str] | None, typer.Option(help="Engines to time; both, if none is named.")
    ] = None,
    write: Write = False,
) -> None:
    """Reports the tables."""
    cells, unoriented = [], []
    with ExitStack() as stack:
        renderers = {
            name: stack.enter_context(dd.DepthRenderer(name, device))
            for name in engine or ("compute", "raster")
        }
        with dd.DepthRenderer("auto", device) as renderer:
            info = renderer.info
        for name, make in track(cases(meshes).items(), "measuring", console=Console(stderr=True)):
            mesh = make()
            if not mesh.is_oriented:
                unoriented.append(name)
            scenes = {each: renderer.upload(mesh) for each, renderer in renderers.items()}
            for size in SIZES:
                camera = dd.Camera.orbit(mesh, views=1, width=size, height=size)[0]
                rays = Rays(mesh, camera)
                ways = {peer: made(mesh, rays) for peer, made in PEERS.items()}
                ways |= {each: ours(renderers[each], scenes[each], camera) for each in renderers}
                for job in JOBS:
                    of_job = {each: jobs[job] for each, jobs in ways.items()}
                    shares = compared(of_job, f"{name} at {size}, {JOBS[job]}")
                    times = timed({each: way.call for each, way in of_job.items()}, rounds)
                    cells.append(Cell(name, len(mesh.faces), size, job, times, shares))
            for scene in scenes.values():
                scene.release()
    engines = {each: f"{each} (auto)" if each == info.engine else each for each in renderers}
    versions = ", ".join(
        f"{package} {version(package)}" for package in ("open3d", "trimesh", "embreex")
    )
    how = f"{machine(info)}; {versions}; {rounds} rounds, medians, ms per image."
    if unoriented:
        how += f' `surfaces="any"` for {" and ".join(unoriented)}, which are not closed.'
    # A peer that others on the machine keep from its processors looks slow; this tells.
    busy = {
        title: statistics.mean(cell.times[each].busy for cell in cells)
        for each, title in ({peer: peer for peer in PEERS} | engines).items()
    }
    how += f" Processors kept busy: {', '.join(f'{title} {mean:.1f}' for title, mean in busy.items())}."
    parts = [how, summary(cells, engines)]
    for job, title in JOBS.items():
        parts.append(
            f"{title.capitalize()}; in parentheses the time over ours of {', '.join(PEERS)}:"
        )
        parts.append(details([cell for cell in cells if cell.job == job], engines))
    report("peers", "\n\n".join(parts), write)


if __name__ == "__main__":
    typer.run(main)
