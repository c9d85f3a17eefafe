"""The ways that dataset.py compares: `ddepth dataset`, its steps alone, and the peers' scripts."""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import imageio.v3 as iio
import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import typer
from cases import SCANS, SPHERES
from dataset_steps import STEPS
from numpy.lib.stride_tricks import sliding_window_view

import ddepth_gl as dd
from ddepth_gl.dataset.machine import child_environment
from ddepth_gl.dataset.reading import DatasetReader
from ddepth_gl.mesh.demo import sphere_mesh

MAX_FACES = 200_000  # images of the largest sphere take as long as those of all other meshes
DEPTH_TOLERANCE = 1e-5
HERE = Path(__file__).parent


class Cost(NamedTuple):
    """Wall time and CPU time in seconds; CPU time of all processes."""

    wall: float
    cpu: float

    @classmethod
    def least(cls, costs: Iterable[Cost]) -> Cost:
        """Return the least of several rounds, of each time."""
        return cls(*map(min, zip(*costs, strict=True)))

    def without(self, start: Cost) -> Cost:
        """Return what is left without the start."""
        return Cost(self.wall - start.wall, self.cpu - start.cpu)


def make_meshes(folder: Path, meshes: Path) -> None:
    """Write the benchmark meshes into a folder; all have colors, the spheres per vertex."""
    for name, faces in SPHERES.items():
        if faces <= MAX_FACES:
            write_ply(folder / f"{name.replace(' ', '-')}.ply", sphere_mesh(faces))
    for name in SCANS:
        source = meshes / "good" / name
        if not source.exists():
            typer.echo(f"{source} does not exist and is left out; use --meshes", err=True)
        elif source.parent.name == source.stem:  # with its texture
            shutil.copytree(source.parent, folder / source.stem)
        else:
            shutil.copy(source, folder)


def write_ply(path: Path, mesh: dd.Mesh) -> None:
    """Write a mesh as binary PLY, with the colors of its vertices."""
    assert mesh.colors is not None
    vertices = np.zeros(len(mesh.vertices), "3<f8, 3u1")
    vertices["f0"], vertices["f1"] = mesh.vertices, np.rint(255 * mesh.colors[:, :3])
    faces = np.zeros(len(mesh.faces), "u1, 3<i4")
    faces["f0"], faces["f1"] = 3, mesh.faces
    properties = [f"property double {axis}" for axis in "xyz"]
    properties += [f"property uchar {color}" for color in ("red", "green", "blue")]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [*properties, f"element face {len(faces)}"]
    header += ["property list uchar int vertex_indices", "end_header", ""]
    path.write_bytes("\n".join(header).encode() + vertices.tobytes() + faces.tobytes())


def run(*commands: list[Any], environment: dict[str, str] | None = None) -> tuple[Cost, list[str]]:
    """Run commands at the same time; return what they cost together, and what they printed."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    list(map(str, command)),
                    env={**os.environ, **(environment or {})},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            for command in commands
        ]
        printed = [process.communicate() for process in processes]
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    for process, (_, errors) in zip(processes, printed, strict=True):
        if process.returncode:
            raise RuntimeError(errors.strip().splitlines()[-1] if errors.strip() else "it failed")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu), [output for output, _ in printed]


class Ways:
    """The ways to render the data set at one size, each of which returns its cost.

    Args:
        folder: of meshes.
        views, size: of each mesh; of images, in pixels.
        pyrender: Python that has pyrender.
    """

    def __init__(self, folder: Path, views: int, size: int, pyrender: str) -> None:
        self.folder, self.views, self.size, self._pyrender = folder, views, size, pyrender
        self.out = Path(tempfile.mkdtemp(dir=folder.parent))
        self.steps: dict[int, list[dict[str, list[float]]]] = defaultdict(list)

    def command(self, workers: int, name: str, *options: str) -> Cost:
        """Run the command into an empty folder of this name, which stays."""
        out = self._emptied(name)
        return run([*self._dataset(self.folder, out, self.views, self.size, workers), *options])[0]

    def start(self, workers: int) -> Cost:
        """Run the command for a tiny mesh and a pixel per worker."""
        tiny, out = self._emptied("tiny"), self._emptied("start")
        tiny.mkdir()
        for number in range(workers):
            write_ply(tiny / f"{number}.ply", sphere_mesh(20))
        return run(self._dataset(tiny, out, 1, 1, workers))[0]

    def alone(self, workers: int) -> Cost:
        """Run the steps of the workers one after the other; keep the times of each."""
        parts = [
            [
                *(sys.executable, HERE / "dataset_steps.py"),
                *(self.folder, self.views, self.size, part, workers),
            ]
            for part in range(workers)
        ]
        cost, printed = run(*parts, environment=child_environment(workers))
        times = [json.loads(text) for text in printed]
        self.steps[workers].append(
            {step: [sum(each[step][i] for each in times) for i in (0, 1)] for step in STEPS}
        )
        return cost

    def peer(self, name: str) -> Cost:
        """Run a peer; what it wrote stays."""
        meshes: dict[str, Any] = {}
        for row in pq.read_table(self.out / "1" / "index.parquet").to_pylist():
            about = meshes.setdefault(row["id"], {"path": "", "cameras": []})
            about["path"] = str(self.folder / unquote(row["id"]))
            about["cameras"].append(json.loads(row["camera"]))
        return self._run_peer(name, self._emptied(name), meshes)

    def peer_start(self, name: str) -> Cost:
        """Run a peer for a tiny mesh and a pixel."""
        mesh = self.out / "tiny.ply"
        write_ply(mesh, sphere_mesh(20))
        camera = dd.Camera.orbit(sphere_mesh(20), 1, width=1, height=1)[0].to_dict()
        meshes = {"tiny": {"path": str(mesh), "cameras": [camera]}}
        return self._run_peer(name, self._emptied("start"), meshes)

    def _run_peer(self, name: str, out: Path, meshes: dict[str, Any]) -> Cost:
        job = self.out / "job.json"
        job.write_text(json.dumps({"meshes": meshes, "out": str(out)}), encoding="utf-8")
        python = self._pyrender if name == "pyrender" else sys.executable
        return run([python, HERE / "dataset_peers.py", name, job])[0]

    def differing(self, peer: str) -> float:
        """Return the fraction of all covered pixels where the files of a peer differ."""
        reader, covered, wrong = DatasetReader(self.out / "1"), 0, 0
        for number in range(len(reader)):
            sample, (mesh, view) = reader.read(number), reader.key(number).rsplit("_", 1)
            ours = [sample["entry"], sample["exit"]]
            covered += int(np.isfinite(ours[0]).sum())
            wrong += int(_differs(self.out / peer / mesh, view, ours).sum())
        return wrong / covered

    def images(self) -> int:
        """Return the number of images of the command."""
        return len(DatasetReader(self.out / "1"))

    def sample_size(self) -> float:
        """Return the bytes of a sample."""
        rows = pq.read_table(self.out / "1" / "index.parquet").to_pylist()
        return statistics.mean(
            sum(value or 0 for name, value in row.items() if name.startswith("size."))
            for row in rows
        )

    def decode_seconds(self) -> float:
        """Return the CPU time to read and decode a sample."""
        reader = DatasetReader(self.out / "1")
        reader.read(0)
        start = time.process_time()
        for number in range(len(reader)):
            reader.read(number)
        return (time.process_time() - start) / len(reader)

    def _emptied(self, name: str) -> Path:
        shutil.rmtree(self.out / name, ignore_errors=True)
        return self.out / name

    @staticmethod
    def _dataset(sources: Path, out: Path, views: int, size: int, workers: int) -> list[Any]:
        command = [sys.executable, "-m", "ddepth_gl", "dataset", sources, "-o", out]
        return [*command, "--views", views, "--size", size, "--workers", workers]


def _differs(folder: Path, view: str, ours: list[npt.NDArray[Any]]) -> npt.NDArray[np.bool_]:
    """Return the pixels where what a peer wrote of a view differs."""
    if (folder / f"{view}.png").exists():
        is_covered = np.isfinite(ours[0])
        # Photos with several samples a pixel differ at silhouettes.
        near = sliding_window_view(np.pad(is_covered, 1, "edge"), (3, 3))
        is_inside = near.all((2, 3)) == near.any((2, 3))
        differs: npt.NDArray[np.bool_]
        differs = is_inside & ((iio.imread(folder / f"{view}.png")[..., 3] > 0) != is_covered)
        return differs
    rounding = 0.0
    if (folder / f"{view}.npz").exists():
        arrays = np.load(folder / f"{view}.npz")
        theirs = [arrays["entry"], arrays["exit"]]
    else:
        scale = json.loads((folder / "scale.json").read_text(encoding="utf-8"))
        steps = [iio.imread(folder / f"{view}.{name}.png") for name in ("entry", "exit")]
        theirs, rounding = [np.where(step, step * scale, np.nan) for step in steps], scale / 2
    wrong = np.zeros(ours[0].shape, bool)
    for depth, own in zip(theirs, ours, strict=True):
        wrong |= np.isfinite(depth) != np.isfinite(own)
        wrong |= np.abs(depth - own) > DEPTH_TOLERANCE * own + rounding
    return wrong
