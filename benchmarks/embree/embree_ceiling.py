"""Embree 4 in C++ with packets, beside engine `compute`: the ceiling for ray casting on a CPU.

No package ships this. rays.cpp casts packets of 8 or 16 rays on all CPUs, forward and backward for
the sheets, and with a filter function for all hits. It is built on request, outside the checkout:

    python benchmarks/embree/embree_ceiling.py --include FOLDER --library FILE [--width 8|16]
                                               [--build FOLDER] [--meshes FOLDER] [--rounds N]

FOLDER has embree4/rtcore.h, FILE is libembree4.so: Debian 13's libembree-dev, a release of Embree,
or the library inside the wheel of embreex with the headers of its version. It needs g++.

Crossings are compared as in peers.py before anything is timed. Both end with NumPy arrays. The
methods take turns; times are medians. Where other programs take CPUs, look at the ratio of
processor times; on an idle machine both ratios are alike.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer

sys.path.insert(0, str(Path(__file__).parents[1]))

from cases import IMAGE_SIZES, MESHES, MeshesOption, RoundsOption, equal_cameras, mesh_loaders
from tables import describe_machine, markdown_table

import ddepth_gl as dd

Array = npt.NDArray[Any]
JOBS = ("sheets", "sheets with faces", "layers")
MAX_DIFFERING, DEPTH_TOLERANCE = 1e-3, 1e-5  # see peers.py


class Image(ctypes.Structure):
    """`Image` of rays.cpp."""

    _fields_ = (
        ("center", ctypes.c_float * 3),
        ("right", ctypes.c_float * 3),
        ("down", ctypes.c_float * 3),
        ("first", ctypes.c_float * 3),
        ("end", ctypes.c_float),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
    )


def build(folder: Path, include: Path, library: Path) -> ctypes.CDLL:
    """Compile rays.cpp into a folder, and load it."""
    target = folder / "librays.so"
    source = Path(__file__).with_name("rays.cpp")
    command = ["g++", "-std=c++17", "-O3", "-march=native", "-shared", "-fPIC", "-pthread"]
    command += [str(source), f"-I{include}", str(library.resolve()), "-o", str(target)]
    subprocess.run([*command, f"-Wl,-rpath,{library.resolve().parent}"], check=True)
    rays = ctypes.CDLL(str(target))
    rays.caster_new.restype = ctypes.c_void_p
    rays.layers.restype = ctypes.c_int64
    return rays


class Caster:
    """A mesh in Embree.

    Args:
        rays: the library of `build`.
        mesh: the mesh.
        width: rays of a packet, 8 or 16; 0 for the largest that the CPU traces as one.
    """

    def __init__(self, rays: ctypes.CDLL, mesh: dd.Mesh, width: int) -> None:
        self._rays, self._mesh, self._threads = rays, mesh, len(os.sched_getaffinity(0))
        vertices = np.ascontiguousarray(mesh.vertices, np.float32)
        faces = np.ascontiguousarray(mesh.faces, np.uint32)
        self._caster = ctypes.c_void_p(
            rays.caster_new(
                _pointer(vertices),
                ctypes.c_int64(len(vertices)),
                _pointer(faces),
                ctypes.c_int64(len(faces)),
            )
        )
        self.native_width = int(rays.native_width(self._caster))
        self.version = int(rays.embree_version(self._caster))
        self.width = width or max(8, self.native_width)

    def image(self, camera: dd.Camera) -> Image:
        """Return the rays of a perspective camera; they advance by 1 in depth."""
        ray_of_pixel = camera.camera_from_world[:3, :3].T @ np.linalg.inv(camera.K)
        vectors = [(ctypes.c_float * 3)(*column) for column in ray_of_pixel.T]
        end = 1.5 * float(camera.project(self._mesh.vertices)[1].max())
        center = (ctypes.c_float * 3)(*camera.center)
        return Image(center, *vectors, end, camera.width, camera.height)

    def sheets(self, image: Image, with_faces: bool = False) -> tuple[Array, Array | None]:
        """Return (2, H, W) depths of entries and exits, and their faces if asked for."""
        shape = (2, image.height, image.width)
        depths = np.empty(shape, np.float32)
        faces = np.empty(shape, np.int64) if with_faces else None
        pointer = None if faces is None else _pointer(faces)
        self._rays.sheets(
            self._caster,
            ctypes.byref(image),
            self.width,
            self._threads,
            _pointer(depths),
            pointer,
        )
        return depths, faces

    def layers(self, image: Image) -> tuple[Array, Array, Array]:
        """Return offsets, depths and faces of all crossings, as `DepthLayers` has them."""
        count = self._rays.layers(self._caster, ctypes.byref(image), self.width, self._threads)
        offsets = np.empty(image.width * image.height + 1, np.int64)
        depth, face = np.empty(count, np.float32), np.empty(count, np.uint32)
        self._rays.copy_layers(self._caster, _pointer(offsets), _pointer(depth), _pointer(face))
        return offsets, depth, face

    def release(self) -> None:
        """Free the scene."""
        self._rays.caster_free(self._caster)


def _pointer(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def differing_pixels(first: list[Array], second: list[Array]) -> float:
    """Return the fraction of covered pixels whose crossings differ; offsets and depths of both."""
    counts = [np.diff(offsets) for offsets, _ in (first, second)]
    same = counts[0] == counts[1]
    a, b = (
        depth[np.repeat(same, count)]
        for (_, depth), count in zip((first, second), counts, strict=True)
    )
    differs = ~same
    pixel = np.repeat(np.flatnonzero(same), counts[0][same])
    differs[pixel[np.abs(a - b) > DEPTH_TOLERANCE * a]] = True
    covered = (counts[0] > 0) | (counts[1] > 0)
    return float(differs[covered].mean())


def as_crossings(sheet: Array) -> list[Array]:
    """Return offsets and depths of a sheet."""
    hit = np.isfinite(sheet).reshape(-1)
    return [np.concatenate([[0], np.cumsum(hit)]), sheet.reshape(-1)[hit]]


def milliseconds(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, Array]:
    """Return the median wall and processor time of each call; they take turns."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            call()  # brings the method's memory back into the cache
            start, cpu_start = time.perf_counter(), time.process_time()
            call()
            wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
            times[name].append((1e3 * wall, 1e3 * cpu))
    return {name: np.median(values, axis=0) for name, values in times.items()}


def _sheets(
    renderer: dd.DepthRenderer,
    scene: dd.Scene,
    cameras: Iterator[dd.Camera],
    surfaces: Any,
    attributes: tuple[str, ...] = (),
) -> dd.DepthMaps:
    return renderer.entry_exit(scene, next(cameras), surfaces=surfaces, attributes=attributes)


def _layers(
    renderer: dd.DepthRenderer, scene: dd.Scene, cameras: Iterator[dd.Camera]
) -> dd.DepthLayers:
    return renderer.peel(scene, next(cameras))


def main(
    include: Annotated[Path, typer.Option(help="Folder that has embree4/rtcore.h.")],
    library: Annotated[Path, typer.Option(help="The shared library libembree4.so.")],
    width: Annotated[int, typer.Option(help="Rays of a packet; 0 for the widest.")] = 0,
    build_folder: Annotated[
        Path | None,
        typer.Option("--build", help="Where to build; a temporary folder if not given."),
    ] = None,
    meshes: MeshesOption = MESHES,
    rounds: RoundsOption = 7,
) -> None:
    """Compare engine `compute` with Embree 4 in C++."""
    if width not in (0, 8, 16):
        raise typer.BadParameter("--width must be 8, 16, or 0 for the widest")
    folder = build_folder or Path(tempfile.mkdtemp(prefix="rays-"))
    folder.mkdir(parents=True, exist_ok=True)
    rays = build(folder, include, library)
    rows: list[list[Any]] = []
    ratios: dict[str, list[Array]] = {job: [] for job in JOBS}
    with dd.DepthRenderer("compute") as renderer:
        for name, load in mesh_loaders(meshes).items():
            mesh = load()
            caster, scene = Caster(rays, mesh, width), renderer.upload(mesh)
            surfaces: Any = "oriented" if mesh.is_oriented else "any"
            for size in IMAGE_SIZES:
                camera = dd.Camera.orbit(mesh, views=1, width=size, height=size)[0]
                image, cameras = caster.image(camera), equal_cameras(camera)

                ours = partial(_sheets, renderer, scene, cameras, surfaces)
                maps, layers = ours(), renderer.peel(scene, camera)
                depths, _ = caster.sheets(image)
                offsets, depth, _ = caster.layers(image)
                worst = max(
                    differing_pixels(as_crossings(maps.entry), as_crossings(depths[0])),
                    differing_pixels(as_crossings(maps.exit), as_crossings(depths[1])),
                    differing_pixels([layers.offsets, layers.depth], [offsets, depth]),
                )
                if worst > MAX_DIFFERING:
                    raise SystemExit(f"{name} at {size}: {worst:.3%} of the pixels differ")
                times = milliseconds(
                    {
                        "Embree sheets": partial(caster.sheets, image),
                        "sheets": ours,
                        "Embree sheets with faces": partial(caster.sheets, image, True),
                        "sheets with faces": partial(ours, attributes=("face",)),
                        "Embree layers": partial(caster.layers, image),
                        "layers": partial(_layers, renderer, scene, cameras),
                    },
                    rounds,
                )
                cells = []
                for job in JOBS:
                    ratios[job].append(times[f"Embree {job}"] / times[job])
                    wall, cpu = ratios[job][-1]
                    theirs, own = times[f"Embree {job}"][0], times[job][0]
                    cells.append(f"{theirs:.1f} / {own:.1f} ({wall:.2f}, {cpu:.2f})")
                rows.append([name, f"{len(mesh.faces):,}", size, *cells])
                print(*rows[-1], file=sys.stderr)
            version, widest, used = caster.version, caster.native_width, caster.width
            caster.release()
            scene.release()
        machine = describe_machine(renderer.info)
    print(
        f"{machine}; Embree {version // 10000}.{version // 100 % 100}.{version % 100}, packets of "
        f"{used} rays, traced {min(used, widest)} at once; {rounds} rounds, medians.\n"
    )
    means = [np.exp(np.log(ratios[job]).mean(axis=0)) for job in JOBS]
    rows.append(["geometric mean", "", "", *(f"{wall:.2f}, {cpu:.2f}" for wall, cpu in means)])
    headings = [f"{job}: ms of Embree / ours (ratio, of processor times)" for job in JOBS]
    print(markdown_table(["mesh", "faces", "size", *headings], rows))


if __name__ == "__main__":
    typer.run(main)
