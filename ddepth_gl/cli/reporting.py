"""Lines on stdout and stderr: results, warnings, and every error as one line."""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from .._text import counted, printable
from ..errors import DDepthError, LeftOutWarning

if TYPE_CHECKING:
    from ..jobs.sources import MeshFiles

__all__ = [
    "one_line_errors",
    "print_error",
    "print_exception",
    "print_failed",
    "print_json",
    "print_line",
    "print_table",
    "print_warning",
    "report_sources",
    "show_progress",
]

# What meshes leave out: lines of a run, and notes in a line.
_MAX_LEFT_OUT_LINES, _MAX_NOTES = 8, 4


def print_line(text: str) -> None:
    """Print a line to stdout."""
    # As bytes: a file name may hold bytes that are not valid text.
    typer.echo(os.fsencode(printable(text, keep_bytes=True)))


def print_json(entries: object) -> None:
    """Print JSON to stdout."""
    typer.echo(json.dumps(entries, indent=2))


def print_table(rows: list[list[str]]) -> None:
    """Print rows, the first of which are headings, as a table in Markdown."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in (rows[0], ["-" * width for width in widths], *rows[1:]):
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        print_line(f"| {' | '.join(padded)} |")


def show_progress(line: str) -> None:
    """Replace the line of progress on a terminal's stderr; an empty one removes it."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def print_error(message: str) -> None:
    """Print an error to stderr as one line."""
    _print_message("error", message)


def print_warning(message: str) -> None:
    """Print a warning to stderr as one line."""
    _print_message("warning", message)


def _print_message(kind: str, message: str) -> None:
    typer.echo(f"ddepth: {kind}: {' '.join(printable(message).split())}", err=True)


def print_exception(error: Exception, debug: bool, reworded: Callable[[str], str] = str) -> None:
    """Print an exception to stderr as one line, below its traceback if `debug` is set.

    Args:
        error: exception to print.
        debug: whether to print its traceback, too.
        reworded: returns the message of a DDepthError in words that suit the command.
    """
    if debug:
        traceback.print_exception(error)
    if isinstance(error, DDepthError):
        print_error(reworded(str(error)))
    elif isinstance(error, OSError):
        print_error(
            f"{error.filename or 'the output'} cannot be written or read "
            f"({error.strerror or error})"
        )
    elif isinstance(error, MemoryError):
        print_error("out of memory; reduce the image size or the mesh")
    else:
        advice = "" if debug else "; please report it, with the output of --debug"
        print_error(f"unexpected {type(error).__name__}: {error}{advice}")


def report_sources(found: MeshFiles, print_note: Callable[[str], None] = print_line) -> None:
    """Print what is not as it was given: files that count once or are left out, bad folders.

    Args:
        found: the mesh files of a run.
        print_note: prints the lines about results and foreign files.
    """
    _, repeated, failures, results, foreign = found
    if repeated:
        more = f" and {len(repeated) - 1} more" if len(repeated) > 1 else ""
        print_warning(f"given or found twice, used once: {printable(str(repeated[0]))}{more}")
    if results:
        print_note(
            f"left out {counted(len(results), 'result')} of ddepth found in folders, such as "
            f"{printable(str(results[0]))}"
        )
    if foreign:
        suffixes = sorted({path.suffix.lower() for path in foreign})
        kind = "format that is" if len(suffixes) == 1 else "formats that are"
        print_note(
            f"left out {counted(len(foreign), 'file')} in {'a ' * (len(suffixes) == 1)}{kind} not "
            f"read ({', '.join(suffixes)}); give one by name to see how to convert it"
        )
    for message in failures.values():
        print_error(printable(message))


def print_failed(failed: int, count: int) -> None:
    """Print how many meshes of a run failed, if any did."""
    if failed:
        print_line(f"{failed} of {count} meshes failed")


@contextmanager
def one_line_errors(debug: bool, reworded: Callable[[str], str] = str) -> Iterator[None]:
    """Turn exceptions into one line on stderr and exit status 1; 130 for Ctrl-C.

    `LeftOutWarning` becomes one line, too.

    Args:
        debug, reworded: see `print_exception`.
    """
    try:
        with _one_line_warnings(reworded):
            yield
    except KeyboardInterrupt:
        print_error("interrupted; files written so far are whole")
        raise typer.Exit(130) from None
    except (typer.Exit, BrokenPipeError):
        raise
    except Exception as error:
        print_exception(error, debug, reworded)
        raise typer.Exit(1) from None


@contextmanager
def _one_line_warnings(reworded: Callable[[str], str]) -> Iterator[None]:
    """Print one line for each of the first meshes that leave something out, and their number."""
    count = 0
    with warnings.catch_warnings():
        warnings.simplefilter("always", LeftOutWarning)
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
            nonlocal count
            if not issubclass(category, LeftOutWarning):
                others(message, category, *place)
                return
            count += 1
            if count <= _MAX_LEFT_OUT_LINES:
                print_warning(_shortened_notes(reworded(str(message))))

        warnings.showwarning = show  # type: ignore[assignment]
        try:
            yield
        finally:
            if count > _MAX_LEFT_OUT_LINES:
                more = counted(count - _MAX_LEFT_OUT_LINES, "more mesh", "more meshes")
                print_warning(f"{more} leave something out; ddepth inspect lists it")


def _shortened_notes(text: str) -> str:
    notes = text.split("; ")
    if len(notes) <= _MAX_NOTES + 1:
        return text
    more = f"{len(notes) - _MAX_NOTES} more notes, see ddepth inspect"
    return "; ".join([*notes[:_MAX_NOTES], more])
