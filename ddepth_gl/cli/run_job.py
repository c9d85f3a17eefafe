"""One mesh of a command: its job under a progress bar, and the lines about its files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .._text import counted
from ..errors import OutputError, RequestError
from .reporting import print_line, print_warning

if TYPE_CHECKING:
    from ..camera.camera import Camera
    from ..jobs.render import RenderJob
    from ..jobs.report import RenderReport
    from ..mesh.mesh import Mesh
    from ..renderer import DepthRenderer

__all__ = ["print_renderer", "run_job"]


def run_job(
    renderer: DepthRenderer,
    job: RenderJob,
    mesh: Mesh,
    cameras: list[Camera],
    name: str,
    heading: str | None = None,
) -> RenderReport:
    """Run the job for one mesh under a progress bar, and print what it wrote.

    Args:
        renderer, job, mesh, cameras, name: see `RenderJob.run`.
        heading: heading of the line with the times; `name` by default.

    Raises:
        RequestError: an image is larger than the device allows.
        OutputError: a file was not written.
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
        report = job.run(renderer, mesh, cameras, name, lambda: progress.advance(task))
    _print_files(report, name)
    _print_warnings(report, name)
    size = f"{cameras[0].width}x{cameras[0].height}"
    images, faces = counted(len(cameras), "image"), counted(len(mesh.faces), "face")
    print_line(f"{heading or name}: {images} of {size}, {faces}, {report.times_text()}")
    if report.failures:
        more = f" (and {len(report.failures) - 1} more)" if len(report.failures) > 1 else ""
        raise OutputError(report.failures[0] + more)
    return report


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
    empty = [str(view) for view, covered in enumerate(report.covered) if covered == 0.0]
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
