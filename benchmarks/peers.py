"""Double depth and all layers against Open3D's RaycastingScene (Embree), the same rays, side by side.

Open3D casts a ray a pixel: forwards for the entry, backwards from behind the mesh for the exit, and
`list_intersections` for all layers. What is timed on either side ends with NumPy arrays; rays and scenes are
made beforehand. Before any time counts the results are compared: coverage, and depth within 1e-4. Then the
ways are timed in turns, round after round, so that a machine whose speed drifts slows all of them alike.
Prints a table in Markdown: median milliseconds, and Open3D's time over that of each engine.

    pip install open3d    # or ddepth-gl[bench]
    python benchmarks/peers.py [--meshes FOLDER] [--device DEVICE] [--rounds N] [--engine ENGINE ...]
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import open3d as o3d
import typer
from rich.console import Console
from rich.progress import track
from sheets import MESHES, REAL, SIZES, sphere

import ddepth_gl as dd

# Pixels whose ray meets an edge are decided one way or the other; more than this share of them is a mistake.
DIFFERENT_COVERAGE = 1e-3
DIFFERENT_DEPTH = 1e-4


class Open3D:
    """One mesh and one camera."""

    def __init__(self, mesh: dd.Mesh, camera: dd.Camera) -> None:
        self.scene = o3d.t.geometry.RaycastingScene()
        self.scene.add_triangles(
            np.ascontiguousarray(mesh.vertices, np.float32), np.ascontiguousarray(mesh.faces, np.uint32)
        )
        u, v = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
        rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(camera.K).T  # depth 1: t is z-depth
        rotation = camera.camera_from_world[:3, :3]
        along = rays @ rotation
        start = np.broadcast_to(camera.centre, along.shape)
        _, farthest = camera.project(mesh.vertices)
        self.end = float(farthest.max()) * 1.5
        self.forward = o3d.core.Tensor(np.concatenate([start, along], -1).astype(np.float32))
        back = np.concatenate([start + self.end * along, -along], -1)
        self.backward = o3d.core.Tensor(back.astype(np.float32))

    def sheets(self) -> list[Any]:
        entry = self.scene.cast_rays(self.forward)["t_hit"].numpy()
        exit_ = self.end - self.scene.cast_rays(self.backward)["t_hit"].numpy()
        return [entry, exit_]

    def layers(self) -> list[Any]:
        found = self.scene.list_intersections(self.forward)
        return [found["ray_splits"].numpy(), found["t_hit"].numpy()]


def check(name: str, ours: Any, theirs: Any) -> None:
    """Raises unless two depth maps agree."""
    seen, theirs_seen = np.isfinite(ours), np.isfinite(theirs)
    apart = (seen != theirs_seen).mean()
    both = seen & theirs_seen
    off = (np.abs(ours - theirs)[both] > DIFFERENT_DEPTH * ours[both]).mean() if both.any() else 0.0
    if apart > DIFFERENT_COVERAGE or off > 10 * DIFFERENT_COVERAGE:
        raise SystemExit(f"{name}: coverage differs at {apart:.2%}, depth at {off:.2%}; no time counts")


def medians(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each way, timed in turns; the best of two calls in a row counts."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, call in ways.items():
            calls = []
            for _ in range(2):
                start = time.perf_counter()
                call()
                calls.append(time.perf_counter() - start)
            times[name].append(1e3 * min(calls))
    return {name: statistics.median(values) for name, values in times.items()}


def main(
    meshes: Annotated[Path, typer.Option(help="Folder of the real meshes.")] = MESHES,
    device: Annotated[str | None, typer.Option(help="See ddepth doctor.")] = None,
    rounds: Annotated[int, typer.Option(help="Times each way is timed.")] = 7,
    engine: Annotated[list[str] | None, typer.Option(help="Engines to time.")] = None,
) -> None:
    """Prints the table."""
    engines = engine or ["compute", "raster"]
    cases: dict[str, Callable[[], dd.Mesh]] = {
        f"sphere {name}": lambda faces=faces: sphere(faces)
        for name, faces in (("5k", 5_000), ("82k", 82_000), ("1.3M", 1_300_000))
    }
    for name in REAL:
        path = meshes / "good" / name
        if path.exists():
            cases[path.stem] = lambda path=path: dd.load_mesh(path)
        else:
            typer.echo(f"left out: {path} is absent; --meshes names their folder", err=True)
    renderers = [dd.DepthRenderer(each, device) for each in engines]
    lines: list[str] = []
    ratios: dict[tuple[str, str], list[float]] = {}
    for name, make in track(cases.items(), "measuring", console=Console(stderr=True)):
        mesh = make()
        scenes = [renderer.upload(mesh) for renderer in renderers]
        for size in SIZES:
            camera = dd.Camera.orbit(mesh, views=1, width=size, height=size)[0]
            theirs = Open3D(mesh, camera)
            cells = []
            for job in ("sheets", "layers"):
                ways: dict[str, Callable[[], Any]] = {"open3d": getattr(theirs, job)}
                for each, renderer, scene in zip(engines, renderers, scenes, strict=True):
                    call = renderer.entry_exit if job == "sheets" else renderer.peel
                    ways[each] = lambda call=call, scene=scene, camera=camera: call(scene, camera)
                    if job == "sheets":
                        maps = renderer.entry_exit(scene, camera, surfaces="any")
                        for ours, found in zip((maps.entry, maps.exit), theirs.sheets(), strict=True):
                            check(f"{name} at {size}, {each}", ours, found)
                    else:
                        more = len(renderer.peel(scene, camera).depth) / max(len(theirs.layers()[1]), 1) - 1
                        if abs(more) > 10 * DIFFERENT_COVERAGE:
                            raise SystemExit(
                                f"{name} at {size}, {each}: {more:+.2%} crossings; no time counts"
                            )
                result = medians(ways, rounds)
                cells.append(f"{result['open3d']:.1f}")
                for each in engines:
                    ratio = result["open3d"] / result[each]
                    ratios.setdefault((job, each), []).append(ratio)
                    cells.append(f"{result[each]:.1f} ({ratio:.1f})")
            lines.append(f"| {name} | {len(mesh.faces):,} | {size} | {' | '.join(cells)} |")
        for scene in scenes:
            scene.release()
    info = renderers[0].info
    for renderer in renderers:
        renderer.close()
    print(f"{platform.machine()}, {os.cpu_count()} processors, {info.renderer}, Open3D {o3d.__version__}")
    print(f"{rounds} rounds; ms an image (Open3D's time over it)\n")
    heads = [f"{job}: {way}" for job in ("entry + exit", "all layers") for way in ("Open3D", *engines)]
    print(f"| mesh | faces | size | {' | '.join(heads)} |")
    print("|---|---|---|" + "---|" * len(heads))
    print("\n".join(lines))
    for (job, each), values in ratios.items():
        mean = statistics.geometric_mean(values)
        print(f"\n{job}, {each}: geometric mean {mean:.2f}, least {min(values):.2f}", end="")
    print()


if __name__ == "__main__":
    typer.run(main)
