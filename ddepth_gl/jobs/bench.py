"""Times of every job on this machine, for `ddepth bench`."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import Any

from ..camera.camera import Camera
from ..engines.scene import Scene
from ..errors import ContextError, DDepthError
from ..mesh.demo import demo_mesh, sphere_mesh
from ..mesh.mesh import Mesh
from ..renderer import DepthRenderer

__all__ = ["BENCH_JOBS", "MADE_UP_MESHES", "BenchRow", "BenchRun"]

# Meshes that need no file.
MADE_UP_MESHES: Mapping[str, Callable[[], Mesh]] = {
    "sphere 5k": lambda: sphere_mesh(5_000),
    "demo": demo_mesh,
    "sphere 82k": lambda: sphere_mesh(82_000),
    "sphere 1.3M": lambda: sphere_mesh(1_300_000),
}

# Rounds after which the time left goes to the next meshes; fewer if the time is short.
_MAX_ROUNDS = 15
_CAMERAS = 16  # around each mesh; as many images in a call of `entry_exit_many`
_MILLISECONDS, _IMAGES_PER_SECOND = "ms per image", "images per second"

_Call = Callable[[DepthRenderer, Scene, Callable[[], Camera]], object]


@dataclass(frozen=True)
class BenchJob:
    """Something to time.

    Attributes:
        heading: of its column in a table.
        call: renders; it takes the next camera from its last argument, once per image.
        images: images of a call.
        unit: of its figures.
    """

    heading: str
    call: _Call
    images: int = 1
    unit: str = _MILLISECONDS

    def figure(self, seconds: float) -> float:
        """Return the time of a call in the job's unit."""
        if self.unit == _IMAGES_PER_SECOND:
            return self.images / seconds
        return 1e3 * seconds / self.images


BENCH_JOBS: Mapping[str, BenchJob] = {
    "sheets": BenchJob("sheets", lambda r, scene, camera: r.entry_exit(scene, camera())),
    "sheets_attributes": BenchJob(
        "+ face, normal, barycentric",
        lambda r, scene, camera: r.entry_exit(
            scene, camera(), attributes=("face", "normal", "barycentric")
        ),
    ),
    "layers": BenchJob("layers", lambda r, scene, camera: r.peel(scene, camera())),
    "photo": BenchJob("photo", lambda r, scene, camera: r.shade(scene, camera())),
    "photo_16_samples": BenchJob(
        "photo, 16 samples", lambda r, scene, camera: r.shade(scene, camera(), samples=4)
    ),
    "sheets_many": BenchJob(
        "entry_exit_many",
        lambda r, scene, camera: deque(
            r.entry_exit_many(scene, (camera() for _ in range(_CAMERAS))), maxlen=1
        ),
        _CAMERAS,
        _IMAGES_PER_SECOND,
    ),
}


@dataclass
class BenchRow:
    """Times of one job on one mesh at one size with one engine.

    Attributes:
        mesh: name of the mesh.
        faces: number of its faces.
        size: width and height of the images, pixels.
        engine: that rendered.
        job: key of BENCH_JOBS.
        unit: of the figures.
        images: images of a timed call.
        figures: one per round, in `unit`.
        cpu_ms: processor time of all threads, milliseconds per image, one per round.
    """

    mesh: str
    faces: int
    size: int
    engine: str
    job: str
    unit: str
    images: int
    figures: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    @property
    def median(self) -> float | None:
        """Median of the rounds; None without any."""
        return statistics.median(self.figures) if self.figures else None

    @property
    def spread(self) -> float | None:
        """Half the interquartile range of the rounds; None with fewer than two."""
        if len(self.figures) < 2:
            return None
        low, _, high = statistics.quantiles(self.figures, n=4, method="inclusive")
        return (high - low) / 2

    def as_dict(self) -> dict[str, Any]:
        """Return the values as a plain dict, ready for JSON."""
        values = asdict(self)
        cpu_ms = values.pop("cpu_ms")
        values.update(
            rounds=len(values.pop("figures")),
            median=self.median,
            spread=self.spread,
            least=min(self.figures, default=None),
            most=max(self.figures, default=None),
            median_cpu_ms_per_image=statistics.median(cpu_ms) if cpu_ms else None,
        )
        return values


class BenchRun:
    """One run over all meshes, sizes, engines and jobs, within a time.

    Meshes come one after another, each with all sizes. The engines and jobs of a mesh and a size
    are timed in turns, round after round, so that a machine whose speed drifts slows all of them
    alike. No two calls in a row have the same camera, as the engines keep what they know of it.

    Args:
        renderers: by the name of their engine.
        seconds: after which no other call starts.
        report: takes a few words about what is timed next.

    Attributes:
        rows: what was timed so far.
        left_out: mesh and size of everything that the time did not suffice for.
        failures: what failed, with the message of its error.
    """

    def __init__(
        self,
        renderers: Mapping[str, DepthRenderer],
        seconds: float,
        report: Callable[[str], object] = str,
    ) -> None:
        self.rows: list[BenchRow] = []
        self.left_out: list[str] = []
        self.failures: dict[str, str] = {}
        self._renderers, self._report = renderers, report
        self._end = time.perf_counter() + seconds

    def time_meshes(self, meshes: Mapping[str, Callable[[], Mesh]], sizes: Sequence[int]) -> None:
        """Time every job.

        Args:
            meshes: loads each mesh, by name; small ones first, as the time may end.
            sizes: width and height of images, pixels.

        Raises:
            ContextError: the device is lost. Other failures are noted, see `failures`.
        """
        cells_left = len(meshes) * len(sizes)
        for name, load in meshes.items():
            if self._seconds_left() <= 0:
                self.left_out += [f"{name} at {size}" for size in sizes]
                continue
            self._report(name)
            mesh, scenes = load(), {}
            try:
                with self._noting_failures(name):
                    for engine, renderer in self._renderers.items():
                        scenes[engine] = renderer.upload(mesh)
                    for size in sizes:
                        if self._seconds_left() <= 0:
                            self.left_out.append(f"{name} at {size}")
                            continue
                        self._report(f"{name} at {size}")
                        seconds = self._seconds_left() / cells_left
                        self._time_cell(name, mesh, scenes, size, seconds)
                        cells_left -= 1
            finally:
                for scene in scenes.values():
                    scene.release()

    def _seconds_left(self) -> float:
        return self._end - time.perf_counter()

    def _time_cell(
        self, name: str, mesh: Mesh, scenes: Mapping[str, Scene], size: int, seconds: float
    ) -> None:
        """Time all jobs on one mesh at one size, for about so long."""
        end = time.perf_counter() + seconds
        cameras = cycle(Camera.orbit(mesh, views=_CAMERAS, width=size, height=size))
        rows = [
            BenchRow(name, len(mesh.faces), size, engine, key, job.unit, job.images)
            for engine in scenes
            for key, job in BENCH_JOBS.items()
        ]
        self.rows += rows
        for round_number in range(_MAX_ROUNDS + 1):  # the first compiles programs, and is no figure
            for row in rows:
                now = time.perf_counter()
                if now > self._end or (round_number > 1 and now > end):
                    if round_number < 2:
                        self.left_out.append(f"{name} at {size}, in part")
                    return
                what = f"{name} at {size}, {row.engine}, {BENCH_JOBS[row.job].heading}"
                if what not in self.failures:
                    with self._noting_failures(what):
                        self._time_call(row, scenes[row.engine], cameras, round_number > 0)

    def _time_call(
        self, row: BenchRow, scene: Scene, cameras: Iterator[Camera], counts: bool
    ) -> None:
        job, renderer = BENCH_JOBS[row.job], self._renderers[row.engine]
        start, cpu_start = time.perf_counter(), time.process_time()
        job.call(renderer, scene, cameras.__next__)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
        if counts:
            row.figures.append(job.figure(seconds))
            row.cpu_ms.append(1e3 * cpu_seconds / job.images)

    @contextmanager
    def _noting_failures(self, what: str) -> Iterator[None]:
        try:
            yield
        except ContextError:
            raise
        except DDepthError as error:
            self.failures[what] = str(error)
