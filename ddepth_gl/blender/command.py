"""Options of ``python -m ddepth_gl.blender``, and the lines that it prints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .._checks import printable
from .._text import counted
from ..errors import RequestError
from ..jobs.formats import FORMATS
from ..jobs.render import RenderJob
from ..renderer import DepthRenderer
from .job import FrameReport, checked_frames, run_batch
from .open_blend import bpy_module

__all__ = ["command"]


def command(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder; it is created.")
    ],
    blend: Annotated[
        Path | None,
        typer.Argument(metavar="SCENE.blend", help="Inside of Blender, the open file by default."),
    ] = None,
    frames: Annotated[
        str | None,
        typer.Option(metavar="1:100|1:100:5|1,7", help="Frames; the current one by default."),
    ] = None,
    objects: Annotated[
        str, typer.Option(help="renderable, selected, or the name of a collection.")
    ] = "renderable",
    scene: Annotated[str | None, typer.Option(help="Name of the scene.")] = None,
    camera: Annotated[str | None, typer.Option(help="Name of the camera.")] = None,
    view_layer: Annotated[
        str | None, typer.Option(help="Name of the view layer; the first by default.")
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", metavar="LIST", help=", ".join(FORMATS))
    ] = "npz",
    layers: Annotated[bool, typer.Option("--layers", help="All layers, too.")] = False,
    max_layers: Annotated[int | None, typer.Option(help="Layers of each pixel; all.")] = None,
    attributes: Annotated[
        str, typer.Option(metavar="LIST", help="normal, object_id, face, color, ...")
    ] = "",
    surfaces: Annotated[
        str, typer.Option(metavar="auto|oriented|any", help="How faces count.")
    ] = "auto",
    clip: Annotated[
        bool, typer.Option("--clip", help="Clip start and end of the camera count.")
    ] = False,
    photo: Annotated[
        str,
        typer.Option(
            metavar="own|cycles|eevee",
            help="own: with --format photo; cycles, eevee: by Blender, with its materials.",
        ),
    ] = "own",
    photo_samples: Annotated[
        int | None, typer.Option(help="Samples of photos by Blender; the scene's by default.")
    ] = None,
    samples: Annotated[int, typer.Option(help="Of own photos, along a pixel's side.")] = 1,
    png_scale: Annotated[
        float | None, typer.Option(help="Units per step of 16-bit PNG, the same for all frames.")
    ] = None,
    fill: Annotated[float, typer.Option(help="Value of misses.")] = float("nan"),
    preview: Annotated[
        bool, typer.Option("--preview", help="A picture of the first frame.")
    ] = False,
    engine: Annotated[str, typer.Option(help="compute, raster or auto.")] = "auto",
    device: Annotated[int | None, typer.Option(help="Index of the device.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files of other scenes.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print tracebacks.")] = False,
) -> None:
    """Render both depths, or all layers, of frames of a Blender scene."""
    bpy = bpy_module()
    if blend is None and not bpy.app.binary_path:
        raise RequestError("there is no scene; give a .blend file")
    chosen: Any = surfaces  # RenderJob checks it
    job = RenderJob(
        folder=output,
        formats=_listed(formats),
        surfaces=chosen,
        fill=fill,
        png_scale=png_scale,
        preview=preview,
        layers=layers,
        max_layers=max_layers,
        attributes=_listed(attributes),
        samples=samples,
        overwrite=overwrite,
    )
    numbers = None if frames is None else checked_frames(frames)
    output.mkdir(parents=True, exist_ok=True)
    told: set[str] = set()

    def tell(done: FrameReport) -> None:
        for line in done.scene.left_out:
            if line not in told:
                told.add(line)
                print(f"not in the depths: {line}", flush=True)
        files = [path for paths in done.report.files.values() for path in paths]
        faces = counted(len(done.scene.mesh.faces), "face")
        what = f"{counted(len(done.scene.object_names), 'object')}, {faces}"
        paths = (*files, *([done.photo] if done.photo else []))
        names = ", ".join(printable(path.name) for path in paths)
        print(f"frame {done.frame}: {what}, {done.report.times_text()}: {names}", flush=True)

    with DepthRenderer(engine, device) as renderer:
        run_batch(
            blend,
            output,
            numbers,
            job=job,
            objects=objects,
            scene_name=scene,
            camera_name=camera,
            layer_name=view_layer,
            clip=clip,
            photo=photo,
            photo_samples=photo_samples,
            renderer=renderer,
            tell=tell,
        )
        info = renderer.info
    print(f"{output}, on {info.renderer}, engine {info.engine}", flush=True)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
