"""What a benchmark reports: the machine in a line and tables in Markdown, printed and kept in the docs.

docs/performance.md keeps each report between comments, ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``.
What stands between them is a benchmark's to replace; what it means is said outside.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

import ddepth_gl as dd

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
Write = Annotated[
    bool, typer.Option("--write", help="Put the tables into docs/performance.md as well.")
]


def machine(info: dd.RendererInfo) -> str:
    """Processor and renderer in one line."""
    # Where Linux does not name the model, Python does not know more than the architecture either.
    model = re.search(
        r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M
    )
    processor = f"{platform.machine()} ({model[1]})" if model else platform.machine()
    return f"{processor}, {os.cpu_count()} processors, {info.renderer}, OpenGL {info.gl_version}"


def table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


def replaced(page: str, name: str, text: str) -> str:
    """The page with `text` between the comments of that name, in the place of what was there."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    block = re.escape(begin) + ".*?" + re.escape(end)
    page, found = re.subn(block, lambda _: f"{begin}\n{text}\n\n{end}", page, flags=re.DOTALL)
    if found != 1:
        raise ValueError(f"the page holds {found} pairs of comments of the name {name!r}, not one")
    return page


def report(name: str, text: str, write: bool) -> None:
    """Prints the report, so that it is not lost whatever comes, and with `write` puts it into the docs."""
    print(f"{text}\n", flush=True)
    if write:
        page = replaced(PAGE.read_text(encoding="utf-8"), name, text)
        PAGE.write_text(page, encoding="utf-8")
