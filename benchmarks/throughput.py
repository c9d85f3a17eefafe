"""Images a second of a machine: several processes, and llvmpipe's threads in each.

Every setting starts its processes, waits until all of them have rendered an image, and lets them
render for a few seconds. Settings take turns, round after round. Two jobs are timed:

* ``sheets``: `DepthRenderer.entry_exit_many`;
* ``data set``: both sheets and the photo from `DepthRenderer.render_many`, written by `write_npz`
  and `write_photo`.

Other programs on the machine take time from all settings, but not alike. So the report has the best
round's images a second, and the images per second of processor time, which they hardly change.

    python benchmarks/throughput.py [--size N] [--seconds S] [--rounds N] [--write]
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Annotated, Any

import typer
from cases import RoundsOption
from tables import WriteOption, describe_machine, markdown_table, report

import ddepth_gl as dd

PROCESSES = (1, 2, 4)
THREADS = (None, "2", "1", "0")  # of LP_NUM_THREADS; None: not set
VIEWS = 16
JOBS = ("sheets", "data set")


def sheets(renderer: dd.DepthRenderer, mesh: dd.Mesh, size: int, _: Path) -> Iterator[None]:
    """Render both sheets without end, one image a step."""
    cameras = dd.Camera.orbit(mesh, views=VIEWS, width=size, height=size)
    for _maps in renderer.entry_exit_many(renderer.upload(mesh), cycle(cameras)):
        yield


def data_set(renderer: dd.DepthRenderer, mesh: dd.Mesh, size: int, folder: Path) -> Iterator[None]:
    """Render and write sheets and photos without end, one image a step."""
    cameras = dd.Camera.orbit(mesh, views=VIEWS, width=size, height=size)
    frames = renderer.render_many(renderer.upload(mesh), cycle(cameras))
    for index, frame in enumerate(frames):
        assert frame.maps is not None
        assert frame.image is not None
        dd.write_npz(folder / f"{index % VIEWS}.npz", frame.maps)
        dd.write_photo(folder / f"{index % VIEWS}.png", frame.image, frame.maps)
        yield


STEPS: dict[str, Callable[..., Iterator[None]]] = {"sheets": sheets, "data set": data_set}


def work(job: str, size: int, seconds: float) -> None:
    """Render in this process once stdin says so; print the number of images and times as JSON."""
    with dd.DepthRenderer() as renderer, tempfile.TemporaryDirectory() as folder:
        steps = STEPS[job](renderer, dd.demo_mesh(), size, Path(folder))
        for _ in range(VIEWS + 1):  # compiles programs, allocates what is kept
            next(steps)
        print("ready", flush=True)
        sys.stdin.readline()
        start, cpu_start, images = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() < start + seconds:
            next(steps)
            images += 1
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu_start
        print(json.dumps({"images": images, "wall": wall, "cpu": cpu}), flush=True)


def measure(job: str, processes: int, threads: str | None, size: int, seconds: float) -> Any:
    """Return images per second, and images per second of processor time, of all processes."""
    environment = {key: value for key, value in os.environ.items() if key != "LP_NUM_THREADS"}
    if threads is not None:
        environment["LP_NUM_THREADS"] = threads
    command = [sys.executable, __file__, "--worker", job, "--size", str(size)]
    command += ["--seconds", str(seconds)]
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for _ in range(processes)
        ]
        for worker in workers:
            assert worker.stdout is not None
            if worker.stdout.readline() != "ready\n":
                raise SystemExit(f"a worker of {job!r} failed")
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("go\n")
            worker.stdin.flush()
        results = [json.loads(worker.communicate()[0]) for worker in workers]
    images = sum(result["images"] for result in results)
    return (
        sum(result["images"] / result["wall"] for result in results),
        images / sum(result["cpu"] for result in results),
    )


def main(
    size: Annotated[int, typer.Option(help="Width and height of the images, pixels.")] = 512,
    seconds: Annotated[float, typer.Option(help="Time to render in each round.")] = 3.0,
    rounds: RoundsOption = 5,
    job: Annotated[list[str] | None, typer.Option(help="Job to time; repeat for several.")] = None,
    worker: Annotated[str | None, typer.Option(hidden=True)] = None,
    write: WriteOption = False,
) -> None:
    """Compare numbers of processes and of llvmpipe's threads."""
    if worker is not None:
        work(worker, size, seconds)
        return
    settings = [(job, n, threads) for job in job or JOBS for n in PROCESSES for threads in THREADS]
    results: dict[Any, list[tuple[float, float]]] = {setting: [] for setting in settings}
    for _ in range(rounds):
        for setting in settings:
            results[setting].append(measure(*setting, size, seconds))
            print(*setting, *results[setting][-1], file=sys.stderr)
    rows = []
    for (name, processes, threads), figures in results.items():
        per_second, per_cpu_second = zip(*figures, strict=True)
        rows.append(
            [
                name,
                processes,
                "not set" if threads is None else threads,
                f"{max(per_second):.0f}",
                f"{statistics.median(per_second):.0f}",
                f"{statistics.median(per_cpu_second):.0f}",
            ]
        )
    headings = (
        "job",
        "processes",
        "`LP_NUM_THREADS`",
        "images/s: best",
        "median",
        "per CPU second",
    )
    with dd.DepthRenderer() as renderer:
        machine = describe_machine(renderer.info)
    how = f"{machine}; the demo mesh, {size}x{size}; {rounds} rounds of {seconds:g} s."
    report("throughput", f"{how}\n\n{markdown_table(headings, rows)}", write)


if __name__ == "__main__":
    typer.run(main)
