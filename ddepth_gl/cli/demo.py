"""The command `ddepth demo`: a mesh that needs nothing downloaded, and every result of it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from .options import Debug, Device, Output, create_output_folder
from .reporting import one_line_errors, print_line
from .run_job import print_renderer, raise_failures, run_job

__all__ = ["demo"]


def demo(output: Output = Path("out/demo"), device: Device = None, debug: Debug = False) -> None:
    """Generate a strongly non-convex mesh and render it."""
    from ..camera.camera import Camera
    from ..io.meshes.read import load_mesh
    from ..io.results.ply import write_mesh
    from ..jobs.render import RenderJob
    from ..mesh.demo import demo_mesh
    from ..renderer import DepthRenderer

    with one_line_errors(debug), ExitStack() as stack:
        formats = ("npz", "ply", "png16", "mould", "photo")
        sheets = RenderJob(folder=output, formats=formats, preview=False, samples=2, overwrite=True)
        layers = RenderJob(folder=output, layers=True, overwrite=True)
        layers.check_preview()  # before anything is written
        renderer = stack.enter_context(DepthRenderer(device=device))
        create_output_folder(output)
        write_mesh(output / "demo.ply", demo_mesh())
        # Loaded from the file, so that every result names the file.
        mesh = load_mesh(output / "demo.ply")
        print_line(
            f"{output / 'demo.ply'}: the mesh, {len(mesh.faces):,} faces, closed, several bodies"
        )
        cameras = Camera.orbit(mesh, views=4, width=640, height=480)
        raise_failures(run_job(renderer, sheets, mesh, cameras, "demo", "demo, both sheets"))
        # The first line says how long the sheets take; a second time would only differ by chance.
        report = run_job(
            renderer, layers, mesh, cameras, "demo", "demo, all layers", known_steps=["the sheets"]
        )
        raise_failures(report)
        print_renderer(renderer)
        print_line(f"look at {report.preview}")
