"""Progress of `ddepth dataset`: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from .._text import counted, size_text
from .reporting import print_line

if TYPE_CHECKING:
    from ..dataset.progress import Counts, Progress
    from ..dataset.run import RunReport

__all__ = ["printed_report", "shown_progress"]

_BAR_SECONDS, _LINE_SECONDS = 0.25, 5.0


@contextmanager
def shown_progress(progress: Progress) -> Iterator[None]:
    """Show the progress of a run on stderr during a block."""
    ended = threading.Event()
    show = _show_bar if sys.stderr.isatty() else _print_lines
    # The main thread renders, or waits for it: signals are handled there.
    thread = threading.Thread(target=show, args=(progress, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(2.0)


def _show_bar(progress: Progress, ended: threading.Event) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = bar.add_task("starting", total=None)
        while not ended.wait(_BAR_SECONDS):
            counts = progress.counts()
            if counts.all_shards:
                done = counts.meshes + counts.failures
                bar.update(
                    task,
                    description=_line(counts),
                    total=max(1, counts.pending_meshes),
                    completed=done,
                )
            bar.refresh()


def _print_lines(progress: Progress, ended: threading.Event) -> None:
    before = None
    while not ended.wait(_LINE_SECONDS):
        counts = progress.counts()
        line = _line(counts) if counts.all_shards else "finding meshes and making the plan"
        if line != before:
            typer.echo(line, err=True)
        before = line


def _line(counts: Counts) -> str:
    parts = [
        f"{counts.shards}/{counts.all_shards} shards",
        f"{counts.all_meshes - counts.pending_meshes + counts.meshes + counts.failures}"
        f"/{counts.all_meshes} meshes",
        f"{counts.images_per_second:.1f} images/s",
        size_text(counts.bytes),
    ]
    if counts.seconds_left is not None:
        parts.append(f"{duration_text(counts.seconds_left)} left")
    if counts.failures:
        parts.append(f"{counts.failures} failed")
    return ", ".join(parts)


def printed_report(report: RunReport, output: str) -> None:
    """Print the outcome of a run."""
    from ..dataset.assumed_up import assumed_up_text
    from ..dataset.progress import left_out_text, times_text

    counts = report.counts
    is_done = not report.failures or report.claimed
    rendered = "nothing to render" if is_done else "nothing to render without --retry"
    if counts.meshes or counts.failures:
        rendered = (
            f"{counted(counts.images, 'image')} of {counted(counts.meshes, 'mesh', 'meshes')} in "
            f"{duration_text(counts.seconds)}, {counts.images_per_second:.1f} images/s, "
            f"{size_text(counts.bytes)}"
        )
    shards = f"{counts.shards} of {counts.all_shards} shards are there"
    print_line(f"{output}: {rendered}; {shards}")
    if counts.meshes:
        memory = f"{size_text(report.peak_memory)} of memory"
        print_line(times_text(counts.meshes, report.seconds_p50, report.seconds_p99, memory))
    if counts.meshes and report.assumed_up:
        print_line(assumed_up_text(report.assumed_up))
    if report.left_out:
        print_line(left_out_text(report.left_out))
    if report.failures:
        print_line(
            f"{counted(report.failures, 'mesh', 'meshes')} failed, see "
            f"{output.rstrip('/')}/failures.parquet; --retry renders their shards again"
        )
    if report.claimed:
        verb = "is" if report.claimed == 1 else "are"
        print_line(
            f"{counted(report.claimed, 'shard')} {verb} with other processes; if they were lost, "
            "run the command again in ten minutes"
        )


def duration_text(seconds: float) -> str:
    """Return a duration in words such as ``3 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
