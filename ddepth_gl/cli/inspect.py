"""The command `ddepth inspect`: what mesh files hold, and what becomes of it."""

from __future__ import annotations

import warnings
from typing import Annotated, Any

import typer

from ..errors import DDepthError, LeftOutWarning
from .loading import (
    Alpha,
    BlendCutoff,
    MaxTextureSize,
    Pose,
    TextureRoots,
    loading_options,
)
from .options import Debug, Meshes
from .reporting import (
    one_line_errors,
    print_exception,
    print_failed,
    print_json,
    print_line,
    print_warning,
    report_sources,
)
from .wording import in_options

__all__ = ["inspect"]


def inspect(
    meshes: Meshes,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array, one entry per file.")
    ] = False,
    texture_root: TextureRoots = None,
    alpha: Alpha = "mask",
    blend_cutoff: BlendCutoff = None,
    pose: Pose = None,
    max_texture_size: MaxTextureSize = None,
    debug: Debug = False,
) -> None:
    """Show bodies, winding, materials and defects of mesh files."""
    with one_line_errors(debug, in_options):
        from ..io.meshes.read import load_mesh
        from ..jobs.sources import mesh_files

        loading = loading_options(texture_root, alpha, blend_cutoff, pose, max_texture_size)
        found = mesh_files(meshes)
        # JSON stays alone on stdout.
        note = print_warning if as_json else print_line
        report_sources(found, note)
        entries: list[dict[str, Any]] = [
            {"file": str(path), "error": message, "report": None}
            for path, message in found.failures.items()
        ]
        for path in found.files:
            entry: dict[str, Any] = {"file": str(path), "error": None, "report": None}
            entries.append(entry)
            try:
                with warnings.catch_warnings():
                    # The report itself lists what is left out.
                    warnings.simplefilter("ignore", LeftOutWarning)
                    report = load_mesh(path, **loading).report()
            except (DDepthError, MemoryError) as error:  # the other files are still reported
                print_exception(error, debug, in_options)
                entry["error"] = in_options(str(error)) or "out of memory"
                continue
            if as_json:
                entry["report"] = report.as_dict()
                entry["report"]["left_out"] = [in_options(text) for text in report.left_out]
            else:
                heading, *lines = in_options(str(report)).splitlines()
                for line in (f"{path}: {heading.rpartition(': ')[2]}", *lines):
                    print_line(line)
        if as_json:
            print_json(entries)
        failed = sum(entry["error"] is not None for entry in entries)
        if failed:
            if len(found.files) > 1 and not as_json:
                print_failed(failed - len(found.failures), len(found.files))
            raise typer.Exit(1)
