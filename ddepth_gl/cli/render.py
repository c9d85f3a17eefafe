"""The command `ddepth render`: meshes and cameras in, files out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from ..errors import ContextError, DDepthError, RequestError
from .cameras import views_from_options
from .loading import (
    Alpha,
    BlendCutoff,
    MaxFaces,
    MaxFileMb,
    MaxTextureSize,
    Pose,
    TextureRoots,
    loading_limits,
    loading_options,
    loading_text,
)
from .options import (
    Debug,
    Device,
    Engine,
    Eye,
    Meshes,
    Output,
    Surfaces,
    Target,
    Up,
    create_output_folder,
    parse_list,
)
from .reporting import (
    one_line_errors,
    print_exception,
    print_failed,
    print_line,
    print_warning,
    report_sources,
)
from .run_job import print_renderer, raise_failures, run_job
from .up import up_text
from .wording import in_options

if TYPE_CHECKING:
    from ..io.results.npz import Compression
    from ..mesh.mesh import Mesh, MeshSource

__all__ = ["render"]


def render(
    meshes: Meshes,
    output: Output,
    views: Annotated[
        int | None,
        typer.Option(help="Number of cameras, spread evenly around each mesh; 1 by default."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Rotates the cameras of --views; 0 by default.")
    ] = None,
    cameras: Annotated[
        Path | None,
        typer.Option(
            readable=False,
            help="Camera file, or its folder: NeRF transforms.json, COLMAP model or BOP JSON.",
        ),
    ] = None,
    eye: Eye = None,
    target: Target = None,
    up: Up = None,
    fov_deg: Annotated[
        float | None, typer.Option(help="Vertical field of view in degrees; 40 by default.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="N|WxH", help="Image size, such as 640x480; 512 by default."),
    ] = None,
    ortho: Annotated[
        float | None,
        typer.Option(
            metavar="EXTENT", help="Orthographic projection: width of the image in mesh units."
        ),
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Render every crossing, not only entry and exit.")
    ] = False,
    max_layers: Annotated[
        int | None,
        typer.Option(
            help="With --layers: crossings to keep per pixel, nearest first; "
            "by default all, or as many as a layout holds."
        ),
    ] = None,
    memory_limit: Annotated[
        int | None,
        typer.Option(
            metavar="BYTES",
            help="With --layers: memory for the crossings of an image; "
            "a quarter of the memory by default.",
        ),
    ] = None,
    attributes: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="What else npz, exr, exr-files and deepexr store, separated by commas: face, "
            "normal, smooth_normal, barycentric, uv, color, shaded_color, object_id, position.",
        ),
    ] = "",
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="LIST",
            help="File formats, separated by commas: npz, ply, png16, mould, photo, exr, "
            "exr-files; with --layers also deepexr, xray, lari, layereddepth.",
        ),
    ] = "npz",
    samples: Annotated[
        int, typer.Option(help="Samples of photos along each side of a pixel, 1 to 128.")
    ] = 1,
    surfaces: Surfaces = "auto",
    near: Annotated[
        float | None, typer.Option(help="Drop crossings nearer than this depth.")
    ] = None,
    far: Annotated[
        float | None, typer.Option(help="Drop crossings farther than this depth.")
    ] = None,
    fill: Annotated[
        float, typer.Option(help="Value of misses in exr, exr-files, and in npz without --layers.")
    ] = float("nan"),
    png_scale: Annotated[
        float | None, typer.Option(help="Mesh units per step of 16-bit PNG (png16, layereddepth).")
    ] = None,
    compression: Annotated[
        str,
        typer.Option(
            metavar="METHOD",
            help="npz: packed, the smallest; or deflate or none, whose depths numpy.load returns "
            "as they are.",
        ),
    ] = "packed",
    derived: Annotated[
        bool,
        typer.Option(
            "--derived",
            help="npz: also store distances, thickness and mask; with --layers distances and "
            "offsets.",
        ),
    ] = False,
    tolerance: Annotated[
        float, typer.Option(help="npz: round depths, by at most this relative error, such as 1e-4.")
    ] = 0.0,
    preview: Annotated[
        bool | None,
        typer.Option(
            "--preview/--no-preview",
            help="Write one preview image per mesh; by default for up to 8 meshes.",
        ),
    ] = None,
    engine: Engine = "auto",
    device: Device = None,
    texture_root: TextureRoots = None,
    alpha: Alpha = "mask",
    blend_cutoff: BlendCutoff = None,
    pose: Pose = None,
    max_texture_size: MaxTextureSize = None,
    max_faces: MaxFaces = None,
    max_file_mb: MaxFileMb = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that were written from another mesh.")
    ] = False,
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing",
            help="Skip views whose files are all there, of complete structure and size, from the "
            "same mesh, cameras, options and version; only PNG files are checked for damaged "
            "bytes. Others are rendered, and replace their files.",
        ),
    ] = False,
    debug: Debug = False,
) -> None:
    """Render entry and exit depth of meshes to files."""
    from ..io.meshes.read import load_mesh, source_of_file
    from ..io.results.earlier_files import EarlierFiles
    from ..jobs.names import PREVIEW_MESHES, unique_names
    from ..jobs.render import RenderJob
    from ..jobs.skipping import remaining_views, stale_files
    from ..jobs.sources import mesh_files
    from ..renderer import DepthRenderer

    failed = skipped = rendered = 0
    stale: list[Path] = []
    with one_line_errors(debug, in_options):
        limits, file_limit = loading_limits(max_faces, max_file_mb)
        loading = loading_options(texture_root, alpha, blend_cutoff, pose, max_texture_size)
        job = RenderJob(
            folder=output,
            formats=parse_list(formats),
            surfaces=cast(Literal["auto", "oriented", "any"], surfaces),  # RenderJob checks it
            near=near,
            far=far,
            fill=fill,
            png_scale=png_scale,
            preview=preview is not False,
            layers=layers,
            max_layers=max_layers,
            memory_limit=memory_limit,
            attributes=parse_list(attributes),
            samples=samples,
            compression=cast("Compression", compression),  # RenderJob checks it
            derived=derived,
            tolerance=tolerance,
            overwrite=overwrite,
            skip_existing=skip_existing,
        )
        plan = views_from_options(
            file=cameras,
            eye=eye,
            target=target,
            up=up,
            fov_deg=fov_deg,
            size=size,
            ortho=ortho,
            views=views,
            seed=seed,
            file_limit=file_limit,
        )
        settings = [text + loading_text(loading) for text in plan.settings]
        found = mesh_files(meshes)
        report_sources(found)
        files = found.files
        if not files:
            raise typer.Exit(1)
        if preview is None and job.formats and len(files) > PREVIEW_MESHES:
            job = replace(job, preview=False)
            print_line(f"no preview images of {len(files)} meshes; --preview writes them")
        if max_texture_size is not None and alpha == "ignore" and not job.shows_colors:
            raise RequestError(
                "--max-texture-size has no effect with --alpha ignore where nothing shows colors; "
                "leave it out"
            )
        job.check_preview()
        with DepthRenderer(engine, device) as renderer:
            create_output_folder(output)
            earlier = EarlierFiles(output)

            def is_done(source: MeshSource | None, name: str) -> bool:
                if source is None or not skip_existing:
                    return False
                left = remaining_views(job, source, name, settings, earlier)
                return not (left.views or left.preview)

            for path, name in zip(files, unique_names(files), strict=True):
                stale += stale_files(job, name, len(settings), earlier)
                try:
                    # Most files tell what they are without being decoded.
                    if skip_existing and is_done(source_of_file(path, **file_limit), name):
                        skipped += 1
                        continue
                    mesh = load_mesh(path, appearance=job.shows_colors, **loading, **limits)
                    if is_done(mesh.source, name):
                        skipped += 1
                        continue
                    _warn_if_open(mesh, path, surfaces)
                    report = run_job(
                        renderer,
                        job,
                        mesh,
                        plan.cameras_of(mesh),
                        name,
                        note=up_text(mesh, plan.up) if plan.uses_up else "",
                        settings=settings,
                        earlier=earlier,
                    )
                    rendered += 1
                    raise_failures(report)
                except (RequestError, ContextError):
                    raise  # the next mesh would fail for the same reason
                except (DDepthError, MemoryError) as error:
                    # The other meshes are still rendered; the exit status reports the failure.
                    failed += 1
                    print_exception(error, debug, in_options)
            if rendered:
                print_renderer(renderer)
            if skipped:
                print_line(f"skipped {skipped} of {len(files)} meshes: already there")
            if stale:
                _warn_of_stale(stale)
    if failed or found.failures:
        if len(files) > 1:
            print_failed(failed, len(files))
        raise typer.Exit(1)


def _warn_of_stale(files: list[Path]) -> None:
    """Warn that files of earlier runs would be taken for results of this one."""
    print_warning(
        f"files of views that this run does not have are left from earlier runs: {files[0]}"
        + (f" and {len(files) - 1} more" if len(files) > 1 else "")
        + "; remove them if they are not wanted"
    )


def _warn_if_open(mesh: Mesh, path: Path, surfaces: str) -> None:
    """Warn that front and back are undefined where a mesh has holes."""
    if surfaces != "oriented" or mesh.is_oriented:
        return
    fault = "its winding is not consistent" if mesh.is_closed else "it is not closed"
    if mesh.alpha_cutoff is not None:
        fault = "it has alpha masks"
    print_warning(
        f"{path}: {fault}; entry and exit may be missing in places; "
        "--surfaces auto decides for each body"
    )
