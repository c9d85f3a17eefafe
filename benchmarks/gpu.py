"""What a GPU does in ten minutes: images a second, `auto`'s rule, and the ceiling of the bus.

One command on a machine with an NVIDIA GPU, nothing else needed:

    python benchmarks/gpu.py [--device DEVICE] [--minutes 9] [--quick] [--write]

For meshes of 12 to 10 million faces at 128 to 1024 pixels, on both engines:

* images a second of `entry_exit_many` to NumPy and with ``output="gpu"``, of `render_many` (image
  and maps) and of `peel`;
* from these the rule that `engine="auto"` should follow, with what it and simpler rules lose;
* the floor: reading the same bytes back, and nothing else, from a buffer and from a texture;
* if they are installed: both sheets into torch by DLPack; nvdiffrast and Warp, which also keep
  their sheets on the device. Their depths are compared first.

The engines' sheets are compared before anything is timed. When the time is over, the rest is left
out; the meshes grow, so it is the largest. ``--quick`` is a trial of the benchmark itself, with
small meshes and few rounds; it also runs on llvmpipe.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import cycle, islice
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from cases import DeviceOption
from engine_rule import Timed, rule_report
from gpu_peers import peer_sheets
from tables import WriteOption, describe_machine, markdown_table, report

import ddepth_gl as dd
from ddepth_gl.mesh.demo import sphere_mesh

FACES = (12, 5_000, 20_000, 82_000, 300_000, 1_300_000, 4_000_000, 10_000_000)
SIZES = (128, 256, 512, 1024)
QUICK_FACES, QUICK_SIZES = (12, 5_000, 82_000), (64, 128)
ENGINES = ("raster", "compute")

# Pixels whose sheets may differ between engines, or from a peer: their centers are at a border.
MAX_DIFFERING = 2e-3
# Relative. Warp and nvdiffrast compute in float32, nvdiffrast from z/w.
ENGINE_TOLERANCE, PEER_TOLERANCE = 1e-6, 1e-3


@dataclass
class Cell:
    """Images a second of one mesh at one size, by what was timed."""

    faces: int
    size: int
    rates: dict[str, float] = field(default_factory=dict)


@cache  # each line once
def note(text: str) -> None:
    """Print a line on stderr."""
    print(text, file=sys.stderr, flush=True)


def mesh_of(face_count: int) -> dd.Mesh:
    """Return a box of twelve faces, or a sphere of about that many."""
    if face_count > 12:
        return sphere_mesh(face_count)
    x = np.array([(x, y, z) for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], float)
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    faces = [face for a, b, c, d in quads for face in ((a, b, c), (a, c, d))]
    return dd.Mesh(x, faces, colors=(x + 1) / 2)


def differing_fraction(
    first: npt.NDArray[np.float32], second: npt.NDArray[np.float32], tolerance: float
) -> float:
    """Return the fraction of covered pixels where two sheets differ by more than a tolerance."""
    covered = np.isfinite(first) | np.isfinite(second)
    with np.errstate(invalid="ignore"):
        same = np.abs(first - second) <= tolerance * np.abs(first)
    return float((~same[covered]).mean()) if covered.any() else 0.0


def images_per_second(call: Callable[[], Any], images: int, seconds: float) -> float:
    """Return the median rate of a call that renders so many images; the first call is a warm-up."""
    call()
    rates: list[float] = []
    end = time.perf_counter() + seconds
    while not rates or (time.perf_counter() < end and len(rates) < 20):
        start = time.perf_counter()
        call()
        rates.append(images / (time.perf_counter() - start))
    return statistics.median(rates)


def consume(items: Iterable[Any]) -> None:
    """Take all items, keeping the last like a caller who works with it."""
    deque(items, maxlen=1)


class Jobs:
    """What is timed on one renderer, each for a number of images of a scene."""

    def __init__(
        self, renderer: dd.DepthRenderer, scene: dd.Scene, cameras: Iterator[dd.Camera], images: int
    ) -> None:
        self.renderer, self.scene, self.cameras, self.images = renderer, scene, cameras, images

    def next_cameras(self) -> list[dd.Camera]:
        """Return other cameras than those of the last call."""
        return list(islice(self.cameras, self.images))

    def entry_exit_many(self) -> None:
        """Render both sheets to NumPy."""
        consume(self.renderer.entry_exit_many(self.scene, self.next_cameras()))

    def on_the_device(self) -> None:
        """Render both sheets, and wait until the device has them."""
        for maps in self.renderer.entry_exit_many(self.scene, self.next_cameras(), output="gpu"):
            maps.release()
        with self.renderer._context as context:
            context.gl.finish()

    def render_many(self) -> None:
        """Render photo and both sheets to NumPy."""
        consume(self.renderer.render_many(self.scene, self.next_cameras()))

    def peel(self) -> None:
        """Render all layers to NumPy."""
        for camera in self.next_cameras():
            self.renderer.peel(self.scene, camera)

    def dlpack(self) -> None:
        """Render both sheets into torch tensors on the GPU."""
        import torch

        for maps in self.renderer.entry_exit_many(self.scene, self.next_cameras(), output="gpu"):
            torch.from_dlpack(maps.entry)
            torch.from_dlpack(maps.exit)
            maps.release()
        torch.cuda.synchronize()


def has_torch_cuda() -> bool:
    """Return whether torch is installed and has CUDA."""
    try:
        import torch
    except ImportError:
        note("DLPack is left out: torch is not installed")
        return False
    if not torch.cuda.is_available():
        note("DLPack is left out: torch has no CUDA device")
        return False
    return True


def check_dlpack(renderer: dd.DepthRenderer, scene: dd.Scene, camera: dd.Camera) -> None:
    """Exit unless torch gets the bits that NumPy gets."""
    import torch

    with renderer.entry_exit(scene, camera, output="gpu") as maps:
        tensor = torch.from_dlpack(maps.entry).cpu().numpy()
        if not np.array_equal(tensor, maps.numpy().entry, equal_nan=True):
            raise SystemExit("torch.from_dlpack and NumPy differ; nothing is timed")


def floors(renderer: dd.DepthRenderer, size: int, seconds: float) -> dict[str, float]:
    """Return images a second of reading 8 bytes a pixel, as sheets have, and nothing else."""
    sheets = np.empty((2, size, size), np.float32)
    with renderer._context as context:
        gl = context.gl
        buffer = gl.buffer(reserve=sheets.nbytes)
        textures = [gl.texture((size, size), 1, dtype="f4") for _ in range(2)]
        framebuffers = [gl.framebuffer([texture]) for texture in textures]

        def from_buffer() -> None:
            with context.staging.reading(buffer, np.float32, sheets.size) as depths:
                sheets.reshape(-1)[:] = depths

        def from_textures() -> None:
            for framebuffer, sheet in zip(framebuffers, sheets, strict=True):
                framebuffer.read_into(sheet, components=1, dtype="f4")

        rates = {
            "read buffer": images_per_second(from_buffer, 1, seconds),
            "read texture": images_per_second(from_textures, 1, seconds),
        }
        context.unbind_framebuffer()
        for gl_object in (*framebuffers, *textures, buffer):
            gl_object.release()
    return rates


def time_cell(
    cell: Cell,
    renderers: dict[str, dd.DepthRenderer],
    scenes: dict[str, dd.Scene],
    seconds: float,
    use_dlpack: bool,
) -> None:
    """Compare the engines and time everything for one mesh at one size; exit if they disagree."""
    size, mesh = cell.size, scenes["raster"].mesh
    case = f"{cell.faces:,} faces at {size}"
    cameras = dd.Camera.orbit(mesh, views=48, width=size, height=size)
    first, second = (renderers[key].entry_exit(scenes[key], cameras[0]) for key in ENGINES)
    for a, b in ((first.entry, second.entry), (first.exit, second.exit)):
        if differing_fraction(a, b, ENGINE_TOLERANCE) > MAX_DIFFERING:
            raise SystemExit(f"{case}: the engines disagree; nothing is timed")
    images = 32 if size <= 512 else 8
    names = ["entry_exit_many", "on_the_device", "render_many", "peel"]
    for engine in ENGINES:
        jobs = Jobs(renderers[engine], scenes[engine], cycle(cameras), images)
        for name in names:
            jobs.images = images if name != "peel" else 4
            cell.rates[f"{engine} {name}"] = images_per_second(
                getattr(jobs, name), jobs.images, seconds
            )
        if use_dlpack:
            jobs.images = images
            check_dlpack(renderers[engine], scenes[engine], cameras[0])
            cell.rates[f"{engine} dlpack"] = images_per_second(jobs.dlpack, images, seconds)
    cell.rates |= floors(renderers["compute"], size, seconds / 2)
    for peer, call in peer_sheets(mesh, cameras[:images], note):
        entry, exit_ = call()
        worst = max(
            differing_fraction(first.entry, entry, PEER_TOLERANCE),
            differing_fraction(first.exit, exit_, PEER_TOLERANCE),
        )
        if worst > MAX_DIFFERING:
            note(f"{case}: {peer} differs at {worst:.2%} of the pixels and is not timed")
            continue
        cell.rates[peer] = images_per_second(call, images, seconds)


def rate_table(cells: list[Cell], titles: dict[str, str]) -> str:
    """Return a table of images a second; `titles` holds the headings by what was timed."""
    shown = {key: title for key, title in titles.items() if any(key in c.rates for c in cells)}
    rows = [
        [
            f"{cell.faces:,}",
            cell.size,
            *(f"{cell.rates[key]:,.0f}" if key in cell.rates else "-" for key in shown),
        ]
        for cell in cells
    ]
    return markdown_table(["faces", "size", *shown.values()], rows)


def gpu_report(cells: list[Cell], machine: str, left_out: list[str]) -> str:
    """Return the tables of all cells, and the rule they imply."""
    pair = partial("{} {}".format)
    jobs = {
        "entry_exit_many": "to NumPy",
        "on_the_device": "on the device",
        "dlpack": "DLPack",
        "render_many": "render_many",
        "peel": "peel",
    }
    own = {pair(e, job): f"{title}, {e}" for job, title in jobs.items() for e in ENGINES}
    others = {"read buffer": "floor: buffer", "read texture": "floor: texture"}
    others |= {peer: f"{peer}, on the device" for peer in ("nvdiffrast", "Warp")}
    timed = [
        Timed(
            cell.faces,
            cell.size**2,
            1 / cell.rates["raster entry_exit_many"],
            1 / cell.rates["compute entry_exit_many"],
        )
        for cell in cells
    ]
    parts = [
        f"{machine}. Images a second, medians; both sheets, unless the column says otherwise.",
        rate_table(cells, own | others),
        rule_report(timed),
    ]
    if left_out:
        parts.append(f"Left out, as the time was over: {', '.join(left_out)}.")
    return "\n\n".join(parts)


def main(
    device: DeviceOption = None,
    minutes: Annotated[float, typer.Option(help="After which the rest is left out.")] = 9.0,
    quick: Annotated[bool, typer.Option("--quick", help="Small meshes, few rounds.")] = False,
    write: WriteOption = False,
) -> None:
    """Time both engines, the bus and peers on a GPU."""
    end = time.perf_counter() + 60 * minutes
    face_counts, sizes = (QUICK_FACES, QUICK_SIZES) if quick else (FACES, SIZES)
    seconds = 0.05 if quick else 60 * minutes / (len(face_counts) * len(sizes) * 30)
    cells: list[Cell] = []
    left_out: list[str] = []
    with ExitStack() as stack:
        renderers = {
            engine: stack.enter_context(dd.DepthRenderer(engine, device)) for engine in ENGINES
        }
        info = renderers["compute"].info
        if info.is_software:
            note("no GPU: these figures are the CPU's")
        use_dlpack = not info.is_software and has_torch_cuda()
        for face_count in face_counts:
            if time.perf_counter() > end:
                left_out.append(f"{face_count:,} faces")
                continue
            mesh = mesh_of(face_count)
            try:
                scenes = {key: renderer.upload(mesh) for key, renderer in renderers.items()}
            except dd.DeviceMemoryError as error:
                left_out.append(f"{face_count:,} faces ({error})")
                continue
            for size in sizes:
                if time.perf_counter() > end:
                    left_out.append(f"{face_count:,} faces at {size}")
                    continue
                note(f"{face_count:,} faces at {size}")
                cell = Cell(len(mesh.faces), size)
                time_cell(cell, renderers, scenes, seconds, use_dlpack)
                cells.append(cell)
            for scene in scenes.values():
                scene.release()
    report("gpu", gpu_report(cells, describe_machine(info), left_out), write)


if __name__ == "__main__":
    typer.run(main)
