"""The `ddepth` application: its commands, and one-line errors for wrong command lines."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .bench import bench
from .check_layers import check_layers
from .dataset import dataset
from .demo import demo
from .doctor import doctor
from .inspect import inspect
from .render import render
from .reporting import print_error, print_line
from .view import view

__all__ = ["main"]

app = typer.Typer(
    name="ddepth",
    help="Exact double depth maps of a mesh: "
    "where every pixel's ray first enters and where it last exits.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

# The base of typer's errors for a wrong command line; only this subclass of it has a public name.
_UsageError: Any = typer.BadParameter.__base__


def main() -> None:
    """Run the command in `sys.argv`; `start.main` calls this function."""
    try:
        # In standalone mode typer would print the error of a wrong command line on four lines.
        sys.exit(app(sys.argv[1:] or ["--help"], prog_name="ddepth", standalone_mode=False))
    except _UsageError as error:
        command = error.ctx.command_path if error.ctx else "ddepth"
        print_error(f"{error.format_message().rstrip('.')}; see {command} --help")
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    except OSError as error:  # from --help and --version; commands report their own errors
        if not isinstance(error, BrokenPipeError):
            print_error(f"stdout cannot be written ({error.strerror})")
        # Python flushes stdout again at exit, which would fail again.
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
        sys.exit(int(not isinstance(error, BrokenPipeError)))


def _print_version(wanted: bool) -> None:
    if wanted:
        from .._version import __version__

        print_line(f"ddepth_gl {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Exact double depth maps of a mesh: where every pixel's ray first enters and last exits."""


for command in (render, view, dataset, inspect, demo, doctor, bench, check_layers):
    app.command()(command)
