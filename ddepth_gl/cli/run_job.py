"""One mesh of a command: its job under a progress bar, and the lines about its files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._text import counted
from ..errors import OutputError, RequestError
from .reporting import print_line, print_warning

if TYPE_CHECKING:
    from ..camera.camera import Camera
    from ..io.results.earlier_files import EarlierFiles
    from ..jobs.render import RenderJob
    from ..jobs.report import RenderReport
    from ..mesh.mesh import Mesh
    from ..renderer import DepthRenderer

__all__ = ["print_renderer", "raise_failures", "run_job"]


def run_job(
    renderer: DepthRenderer,
    job: RenderJob,
    mesh: Mesh,
    cameras: list[Camera],
    name: str,
    heading: str | None = None,
    note: str = "",
    known_steps: Sequence[str] = (),
    settings: Sequence[str] = (),
    earlier: EarlierFiles | None = None,
) -> RenderReport:
    """Run the job for one mesh under a progress bar, and print what it wrote.

    Args:
        renderer, job, mesh, cameras, name, settings, earlier: see `RenderJob.run`.
        heading: heading of the line with the times; `name` by default.
        note: what else the line with the times says; may be empty.
        known_steps: steps whose times another line says.

    Raises:
        RequestError: an image is larger than the device allows.
        OutputError: a file was not written; those of single views are left to `raise_failures`.
        DDepthError: rendering failed.
    """
    from rich.console import Console
    from rich.progress import Progress

    limit = renderer.info.max_image_size
    largest = max(cameras, key=lambda camera: max(camera.width, camera.height))
    if max(largest.width, largest.height) > limit:
        raise RequestError(
            f"an image of {largest.width}x{largest.height} pixels is larger than the "
            f"{limit}x{limit} that {renderer.info.renderer} allows; use a smaller --size"
        )
    with Progress(
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as progress:
        task = progress.add_task(name, total=len(cameras))
        report = job.run(
            renderer, mesh, cameras, name, lambda: progress.advance(task), settings, earlier
        )
    _print_files(report, name)
    _print_warnings(report, name)
    images = f"{counted(len(report.views), 'image')} of {cameras[0].width}x{cameras[0].height}"
    faces = counted(len(mesh.faces), "face")
    times = report.times_text(known_steps)
    notes = (images + _skipped_note(report), faces, note, _layers_note(job), times)
    print_line(f"{heading or name}: {', '.join(filter(None, notes))}")
    return report


def raise_failures(report: RenderReport) -> None:
    """Raise OutputError if files of single views could not be written."""
    if report.failures:
        more = f" (and {len(report.failures) - 1} more)" if len(report.failures) > 1 else ""
        raise OutputError(report.failures[0] + more)


def _skipped_note(report: RenderReport) -> str:
    """Return how many images --skip-existing skipped, and how many it replaced."""
    notes = []
    if report.skipped:
        notes.append(f"{report.skipped} more already there")
    if report.replaced:
        notes.append(f"{report.replaced} again: files damaged or of other options")
    return f" ({', '.join(notes)})" if notes else ""


def _layers_note(job: RenderJob) -> str:
    """Return which files hold other data than without --layers; empty if none do."""
    formats = job.formats_of_layers
    return f"layers instead of sheets in {', '.join(formats)}" if formats else ""


def _print_files(report: RenderReport, name: str) -> None:
    """Print one line for each file, or one for each kind of file if there are many."""
    for ending, paths in report.files.items():
        digits = len(paths[0].name) - len(f"{name}_{ending}")
        pattern = f"{paths[0].parent / name}_{'?' * digits}{ending}   {len(paths)} files"
        for line in [pattern] if len(paths) > 2 else paths:
            print_line(str(line))
    if report.preview:
        print_line(str(report.preview))


def _print_warnings(report: RenderReport, name: str) -> None:
    covered = zip(report.views, report.covered, strict=True)
    empty = [str(view) for view, fraction in covered if fraction == 0.0]
    if empty:
        print_warning(f"{name}: no ray enters and leaves the mesh in view {', '.join(empty[:10])}")
    for format_name, count in report.left_out.items():
        if count:
            print_warning(
                f"{name}: {format_name} leaves out {counted(count, 'crossing')} beyond the layers "
                "that it stores; --max-layers stores more"
            )


def print_renderer(renderer: DepthRenderer) -> None:
    """Print the line that names the driver and the engine."""
    info = renderer.info
    print_line(f"on {info.renderer}, OpenGL {info.gl_version}, engine {info.engine}")
