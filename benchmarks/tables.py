"""Reports of benchmarks: Markdown tables, printed and optionally written into docs/measurements.md.

The page keeps each report between two comments: ``<!-- NAME: begin -->`` and
``<!-- NAME: end -->``. A benchmark replaces only the text between its comments; the text outside
explains the tables.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ddepth_gl.renderer import RendererInfo

PAGE = Path(__file__).parents[1] / "docs" / "measurements.md"
WriteOption = Annotated[
    bool, typer.Option("--write", help="Also write the tables into docs/measurements.md.")
]


def describe_machine(info: RendererInfo) -> str:
    """Return CPU and renderer in one line."""
    # On some machines neither Linux nor Python knows more than the architecture.
    cpu_info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*:\s*(.+)$", cpu_info, re.M)
    cpu = f"{platform.machine()} ({model[1]})" if model else platform.machine()
    return f"{cpu}, {os.cpu_count()} CPU cores, {info.renderer}, OpenGL {info.gl_version}"


def median_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Return the median and half the interquartile range, which is 0 for a single round."""
    if len(values) < 2:
        return values[0], 0.0
    low, median, high = statistics.quantiles(values, n=4)
    return median, (high - low) / 2


def why_skipped(error: ImportError | OSError) -> str:
    """Return why a benchmark lacks one of its peers, and what to install."""
    if isinstance(error, ModuleNotFoundError):
        return f"{error}; pip install '.[bench]'"
    if "libusb" in str(error):
        return f"open3d cannot be loaded ({error}); apt-get install libusb-1.0-0"
    return f"a peer cannot be loaded ({error}); install what it names"


def markdown_table(headings: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table in Markdown."""
    headings = list(headings)
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


def replace_report(page: str, name: str, text: str) -> str:
    """Return the page with the report `name` replaced by `text`.

    Raises:
        ValueError: the page does not have exactly one report of that name.
    """
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    block = re.escape(begin) + ".*?" + re.escape(end)
    page, found = re.subn(block, lambda _: f"{begin}\n{text}\n\n{end}", page, flags=re.DOTALL)
    if found != 1:
        raise ValueError(f"the page has {found} pairs of comments named {name!r}; it must have one")
    return page


def report(name: str, text: str, write: bool) -> None:
    """Print a report; with `write`, also put it into docs/measurements.md.

    Printing comes first, so that a report is not lost if writing fails.
    """
    print(f"{text}\n", flush=True)
    if write:
        page = replace_report(PAGE.read_text(encoding="utf-8"), name, text)
        PAGE.write_text(page, encoding="utf-8")
