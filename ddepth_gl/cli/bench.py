"""The command `ddepth bench`: a table of times of this machine, to compare or to report."""

from __future__ import annotations

import math
import os
import platform
import re
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .._text import printable
from ..errors import RequestError
from .options import Debug, Device, Engines, Meshes, parse_list
from .reporting import (
    one_line_errors,
    print_error,
    print_json,
    print_line,
    print_table,
    print_warning,
    report_sources,
    show_progress,
)
from .wording import in_options

if TYPE_CHECKING:
    from ..jobs.bench import BenchRow
    from ..renderer import DepthRenderer

__all__ = ["bench"]

_UNITS = {
    "size": "pixels, width and height of an image",
    "images": "images of a timed call",
    "median, spread, least, most": "of the rounds, in the row's unit",
    "spread": "half the interquartile range",
    "median_cpu_ms_per_image": "milliseconds of processor time, all threads",
    "seconds, seconds_taken": "seconds",
}


def bench(
    meshes: Meshes = [],  # noqa: B006
    sizes: Annotated[
        str, typer.Option(metavar="N,N,...", help="Widths of the square images, pixels.")
    ] = "256,512,1024",
    engine: Engines = None,
    device: Device = None,
    seconds: Annotated[
        float, typer.Option(help="Time to spend; less time means fewer rounds.")
    ] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all figures.")] = False,
    debug: Debug = False,
) -> None:
    """Time sheets, layers and photos on this machine.

    Meshes are made up, or your own.
    """
    with one_line_errors(debug, in_options), ExitStack() as stack:
        from ..io.meshes.read import load_mesh
        from ..io.results.metadata import VERSION
        from ..jobs.bench import MADE_UP_MESHES, BenchRun
        from ..jobs.sources import mesh_files
        from ..renderer import DepthRenderer

        pixels = _parsed_sizes(sizes)
        if not 0 < seconds < math.inf:
            raise RequestError(f"--seconds must be a number above 0, not {seconds:g}")
        timed = dict(MADE_UP_MESHES)
        if meshes:
            found = mesh_files(meshes)
            report_sources(found, print_warning)
            if found.failures:
                raise typer.Exit(1)
            timed = {str(path): partial(_same, load_mesh(path)) for path in found.files}
        renderers: dict[str, DepthRenderer] = {}
        for name in engine or ["auto"]:
            renderer = stack.enter_context(DepthRenderer(name, device))
            renderers.setdefault(renderer.info.engine, renderer)
        info = next(iter(renderers.values())).info
        if max(pixels) > info.max_image_size:
            raise RequestError(
                f"--sizes {max(pixels)} is more than the {info.max_image_size} pixels that "
                f"{info.renderer} allows"
            )
        machine = {"version": VERSION, "renderer": info.as_dict(), **_cpu_facts()}
        if not as_json:
            print_line(_heading(machine, list(renderers)))
        start = time.monotonic()
        run = BenchRun(renderers, seconds, _report_progress)
        run.time_meshes(timed, pixels)
        _report_progress("")
        for what, message in run.failures.items():
            print_error(f"{what}: {in_options(message)}")
        if run.left_out:
            print_warning(
                f"left out after {seconds:g} seconds: {', '.join(run.left_out)}; "
                "give more --seconds"
            )
        if as_json:
            print_json(
                {
                    **machine,
                    "engines": list(renderers),
                    "seconds": seconds,
                    "seconds_taken": round(time.monotonic() - start, 1),
                    "units": _UNITS,
                    "left_out": run.left_out,
                    "failures": run.failures,
                    "rows": [row.as_dict() for row in run.rows],
                }
            )
        else:
            _print_table(run.rows, seconds)
        if run.failures:
            raise typer.Exit(1)


def _same(mesh: Any) -> Any:
    return mesh


def _parsed_sizes(text: str) -> list[int]:
    names = parse_list(text)
    if not names or not all(name.isdecimal() and int(name) > 0 for name in names):
        raise RequestError(f"--sizes must be integers above 0, such as 256,512, not {text!r}")
    return list(dict.fromkeys(int(name) for name in names))


def _cpu_facts() -> dict[str, Any]:
    """Return what decides the speed of software rendering, ready for JSON."""
    try:
        model = re.search(
            r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.M
        )
    except OSError:
        model = None
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": model[1] if model else platform.machine(),
        "cpu_count": os.cpu_count(),
        "usable_cpus": usable,
        "LP_NUM_THREADS": os.environ.get("LP_NUM_THREADS"),
        "python": platform.python_version(),
    }


def _heading(machine: dict[str, Any], engines: list[str]) -> str:
    info, threads = machine["renderer"], machine["LP_NUM_THREADS"]
    device = "" if info["device_index"] is None else f" on device {info['device_index']}"
    return (
        f"{machine['version']}{device}: {info['renderer']}, OpenGL {info['gl_version']}; engine "
        f"{' and '.join(engines)}; {machine['cpu']}, {machine['usable_cpus']} of "
        f"{machine['cpu_count']} CPUs; LP_NUM_THREADS "
        f"{'not set' if threads is None else threads}"
    )


def _report_progress(text: str) -> None:
    show_progress(f"timing {printable(text)}" if text else "")


def _print_table(rows: list[BenchRow], seconds: float) -> None:
    from ..jobs.bench import BENCH_JOBS

    headings = ["mesh", "faces", "size", "engine", *(job.heading for job in BENCH_JOBS.values())]
    lines: dict[tuple[Any, ...], list[str]] = {}
    for row in rows:
        key = (row.mesh, f"{row.faces:,}", str(row.size), row.engine)
        lines.setdefault(key, []).append(_cell(row))
    print_table([headings, *([*key, *cells] for key, cells in lines.items())])
    print_line(
        "Median ms per image, ± half the interquartile range; entry_exit_many in images per "
        f"second. {_rounds(rows)} rounds in {seconds:g} seconds."
    )


def _cell(row: BenchRow) -> str:
    if row.median is None:
        return "-"
    spread = "" if row.spread is None else f" ±{_short(row.spread)}"
    return f"{_short(row.median)}{spread}"


def _short(number: float) -> str:
    """Return a number with about three digits."""
    return f"{number:.2f}" if number < 10 else f"{number:.1f}" if number < 100 else f"{number:.0f}"


def _rounds(rows: list[BenchRow]) -> str:
    counts = [len(row.figures) for row in rows] or [0]
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"
