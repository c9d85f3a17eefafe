"""The command line: arguments in, calls to the package out. Heavy imports happen inside the commands."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ..errors import CameraError, ContextError, DDepthError, OutputError, RequestError

if TYPE_CHECKING:
    from ..camera.camera import Camera
    from ..jobs.render import RenderJob, RenderReport
    from ..mesh.mesh import Mesh
    from ..renderer import DepthRenderer

__all__ = ["main"]

app = typer.Typer(
    name="ddepth",
    help="Exact double depth maps of a mesh: where every pixel's ray first enters and where it last exits.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class SurfacesOption(str, Enum):
    """The choices of --surfaces."""

    oriented = "oriented"
    any = "any"


def _folder(text: str | Path) -> Path:
    if not str(text):  # which pathlib takes for the working folder
        raise typer.BadParameter("'' is no folder; give one, or . for the working folder")
    return Path(text)


Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        parser=_folder,
        metavar="FOLDER",
        help="Folder for the results; made if missing.",
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        help="EGL index, cuda:N, PCI address, gpu, software or auto (also: environment DDEPTH_DEVICE)."
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]

Number = TypeVar("Number", int, float)

# What typer raises for a wrong command line; only this subclass of it has a public name.
_UsageError: Any = typer.BadParameter.__base__


def main() -> None:
    """Runs the command that `sys.argv` asks for; `start.main` calls it."""
    try:
        # Not standalone, which would print a wrong command line's error on four lines.
        sys.exit(app(sys.argv[1:] or ["--help"], prog_name="ddepth", standalone_mode=False))
    except _UsageError as error:
        command = error.ctx.command_path if error.ctx else "ddepth"
        _complain(f"{error.format_message().rstrip('.')}; see {command} --help")
        sys.exit(2)
    except typer.Abort:
        sys.exit(130)
    except OSError as error:  # of help and version: commands report what happens in them
        if not isinstance(error, BrokenPipeError):
            _complain(f"stdout cannot be written ({error.strerror})")
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  Python would try again when it ends
        sys.exit(int(not isinstance(error, BrokenPipeError)))


def _print_version(wanted: bool) -> None:
    if wanted:
        from .._version import __version__

        _say(f"ddepth_gl {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Exact double depth maps of a mesh: where every pixel's ray first enters it and where it last exits."""


@app.command()
def render(
    # Not readable=True, as is typer's default: one unreadable mesh would end the whole run.
    meshes: Annotated[
        list[Path],
        typer.Argument(metavar="MESH...", readable=False, help="OBJ, STL, PLY, OFF, GLB or glTF."),
    ],
    output: Output,
    views: Annotated[
        int | None, typer.Option(help="Cameras evenly spread around each mesh; 1 if not given.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Turns the cameras of --views; 0 if not given.")
    ] = None,
    cameras: Annotated[
        Path | None,
        typer.Option(
            readable=False, help="Camera file: NeRF transforms.json, COLMAP text or BOP JSON."
        ),
    ] = None,
    eye: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="Camera position, with --target.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="What the camera looks at.")
    ] = None,
    up: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,Z",
            help="Upward in the image; 0,0,1 if not given, 0,1,0 for many OBJ files.",
        ),
    ] = None,
    fov_deg: Annotated[
        float | None, typer.Option(help="Vertical field of view in degrees; 40 if not given.")
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Image size, such as 640x480; 512x512 if not given."),
    ] = None,
    ortho: Annotated[
        float | None,
        typer.Option(metavar="EXTENT", help="Parallel rays; width of the image in mesh units."),
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Render every crossing, not just two.")
    ] = False,
    max_layers: Annotated[
        int | None,
        typer.Option(
            help="With --layers, keep the first that many; if not given all, or as many as a layout has."
        ),
    ] = None,
    memory_limit: Annotated[
        int | None,
        typer.Option(
            metavar="BYTES",
            help="With --layers, what an image's crossings may take; if not given a quarter of the memory.",
        ),
    ] = None,
    attributes: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="What else npz, exr and deepexr store: face, normal, smooth_normal, barycentric, uv, color, "
            "shaded_color, object_id, position; several with commas.",
        ),
    ] = "",
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="LIST",
            help="npz, ply, png16, mould, photo, exr; with --layers also deepexr, xray, lari, layereddepth; "
            "several with commas.",
        ),
    ] = "npz",
    samples: Annotated[
        int, typer.Option(help="Of photos, along each side of a pixel, 1 to 128.")
    ] = 1,
    surfaces: Annotated[
        SurfacesOption, typer.Option(help="oriented: closed meshes; any: scans with holes, sheets.")
    ] = SurfacesOption.oriented,
    near: Annotated[
        float | None, typer.Option(help="Drop crossings nearer than this depth.")
    ] = None,
    far: Annotated[
        float | None, typer.Option(help="Drop crossings farther than this depth.")
    ] = None,
    fill: Annotated[
        float, typer.Option(help="Value of misses in exr, and in npz without --layers.")
    ] = float("nan"),
    png_scale: Annotated[
        float | None, typer.Option(help="Mesh units per step of 16-bit PNG (png16, layereddepth).")
    ] = None,
    preview: Annotated[bool, typer.Option(help="Write one picture per mesh to look at.")] = True,
    engine: Annotated[str, typer.Option(help="compute, raster or auto.")] = "auto",
    device: Device = None,
    max_faces: Annotated[int | None, typer.Option(help="Refuse meshes with more faces.")] = None,
    max_file_mb: Annotated[
        int | None, typer.Option(help="Refuse larger mesh files, in MiB.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that were written from another mesh.")
    ] = False,
    debug: Debug = False,
) -> None:
    """Render entry and exit depth of one or more meshes and write them to files."""
    from ..io.meshes.read import load_mesh
    from ..jobs.render import RenderJob, make_folder, unique_names
    from ..renderer import DepthRenderer

    limits = {
        name: value
        for name, value in (
            ("max_faces", max_faces),
            ("max_file_bytes", None if max_file_mb is None else max_file_mb * 2**20),
        )
        if value is not None
    }
    failed = 0
    with _one_line_errors(debug):
        job = RenderJob(
            folder=output,
            formats=_names(formats),
            surfaces=surfaces.value,
            near=near,
            far=far,
            fill=fill,
            png_scale=png_scale,
            preview=preview,
            layers=layers,
            max_layers=max_layers,
            memory_limit=memory_limit,
            attributes=_names(attributes),
            samples=samples,
            overwrite=overwrite,
        )
        cameras_for = _cameras(
            file=cameras,
            eye=eye,
            target=target,
            up=up,
            fov_deg=fov_deg,
            size=size,
            ortho=ortho,
            views=views,
            seed=seed,
        )
        with DepthRenderer(engine, device) as renderer:
            make_folder(output)
            for path, name in zip(meshes, unique_names(meshes), strict=True):
                try:
                    mesh = load_mesh(path, **limits)
                    _warn_if_open(mesh, path, surfaces)
                    _render_one(renderer, job, mesh, cameras_for(mesh), name)
                except (RequestError, ContextError):
                    raise  # the next mesh would meet it as well
                except (DDepthError, MemoryError) as error:
                    # The other meshes are still rendered; the exit status tells that one was not.
                    failed += 1
                    _report(error, debug)
            _say(f"on {_where(renderer)}")
    if failed:
        if len(meshes) > 1:
            _say(f"{failed} of {len(meshes)} meshes failed")
        raise typer.Exit(1)


@app.command()
def demo(output: Output = Path("out/demo"), device: Device = None, debug: Debug = False) -> None:
    """Make a strongly non-convex mesh and run the main job on it."""
    from ..camera.camera import Camera
    from ..io.meshes.read import load_mesh
    from ..jobs.formats import write_mesh
    from ..jobs.render import RenderJob, make_folder
    from ..mesh.demo import demo_mesh
    from ..renderer import DepthRenderer

    with _one_line_errors(debug), DepthRenderer(device=device) as renderer:
        make_folder(output)
        write_mesh(output / "demo.ply", demo_mesh())
        mesh = load_mesh(output / "demo.ply")  # so that every file names it
        _say(f"{output / 'demo.ply'}: the mesh, {len(mesh.faces):,} faces, closed, several bodies")
        cameras = Camera.orbit(mesh, views=4, width=640, height=480)
        formats = ("npz", "ply", "png16", "mould", "photo")
        sheets = RenderJob(folder=output, formats=formats, preview=False, samples=2, overwrite=True)
        _render_one(renderer, sheets, mesh, cameras, "demo", "demo, both sheets")
        layers = RenderJob(folder=output, layers=True, overwrite=True)
        report = _render_one(renderer, layers, mesh, cameras, "demo", "demo, all layers")
        _say(f"on {_where(renderer)}")
        _say(f"look at {report.preview}")


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
    debug: Debug = False,
) -> None:
    """Show every EGL device, what runs there, and what to install if nothing does."""
    with _one_line_errors(debug):
        from ..gl.devices import ENVIRONMENT_VARIABLE
        from ..gl.inspection import inspect_devices
        from ..io.results.contents import VERSION
        from ..renderer import DepthRenderer

        reports = inspect_devices()
        chosen: dict[str, Any] = {"error": None, "info": None}
        try:
            with DepthRenderer() as renderer:
                chosen["info"] = renderer.info.as_dict()
        except DDepthError as error:
            chosen["error"] = str(error)
        if as_json:
            rows = [
                {
                    "index": report.device.index,
                    "pci_address": report.device.pci_address,
                    "cuda_index": report.device.cuda_index,
                    "vendor": report.vendor,
                    "renderer": report.renderer,
                    "gl_version": report.gl_version,
                    "is_software": report.is_software,
                    "max_image_size": report.max_image_size,
                    "engines": list(report.engines),
                    "error": report.error,
                }
                for report in reports
            ]
            environment = os.environ.get(ENVIRONMENT_VARIABLE)
            facts = {ENVIRONMENT_VARIABLE: environment, "default": chosen, "version": VERSION}
            _say(json.dumps({"devices": rows, **facts}, indent=2))
        else:
            _print_devices(reports)
        if chosen["error"]:
            _complain(chosen["error"])
            raise typer.Exit(1)
        if not as_json:
            info = chosen["info"]
            _say(
                f"{VERSION}: a renderer made without device= runs engine {info['engine']} on device "
                f"{info['device_index']}: {info['renderer']}, OpenGL {info['gl_version']}."
            )
            if info["is_software"]:
                _say("No GPU answers through EGL; Mesa's software rasterizer works, only slower.")


def _print_devices(reports: list[Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("device", "renderer", "OpenGL", "largest image", "engines")
    for report in reports:
        device = report.device
        names = [str(device.index), device.pci_address]
        names.append(None if device.cuda_index is None else f"cuda:{device.cuda_index}")
        table.add_row(
            "\n".join(name for name in names if name),
            f"{report.renderer}\n{report.vendor}" if report.renderer else f"fails: {report.error}",
            report.gl_version or "-",
            str(report.max_image_size or "-"),
            ", ".join(report.engines) or "none",
        )
    Console().print(table)


def _render_one(
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
        heading: of the line that tells the times; None takes `name`.
    """
    from rich.console import Console
    from rich.progress import Progress

    limit = renderer.info.max_image_size
    largest = max(cameras, key=lambda camera: max(camera.width, camera.height))
    if max(largest.width, largest.height) > limit:
        raise RequestError(
            f"an image of {largest.width}x{largest.height} pixels is larger than the {limit}x{limit} that "
            f"{renderer.info.renderer} allows; use a smaller --size"
        )
    with Progress(
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as progress:
        task = progress.add_task(name, total=len(cameras))
        report = job.run(renderer, mesh, cameras, name, lambda: progress.advance(task))
    for ending, paths in report.files.items():
        # A line a file, or a line a kind where there are many.
        digits = len(paths[0].name) - len(f"{name}_{ending}")
        many = [f"{paths[0].parent / name}_{'?' * digits}{ending}   {len(paths)} files"]
        for line in many if len(paths) > 2 else paths:
            _say(str(line))
    if report.preview:
        _say(str(report.preview))
    empty = [str(view) for view, covered in enumerate(report.covered) if covered == 0.0]
    if empty:
        _complain(
            f"{name}: no ray enters and leaves the mesh in view {', '.join(empty[:10])}", "warning"
        )
    for name_of, crossings in report.left_out.items():
        if crossings:
            what = f"{name_of} leaves out {_counted(crossings, 'crossing')} beyond the layers that it stores"
            _complain(f"{name}: {what}; --max-layers stores more", "warning")
    size = f"{cameras[0].width}x{cameras[0].height}"
    images, faces = _counted(len(cameras), "image"), _counted(len(mesh.faces), "face")
    _say(f"{heading or name}: {images} of {size}, {faces}, {report.time_taken()}")
    if report.failures:
        more = f" (and {len(report.failures) - 1} more)" if len(report.failures) > 1 else ""
        raise OutputError(report.failures[0] + more)
    return report


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _where(renderer: DepthRenderer) -> str:
    info = renderer.info
    return f"{info.renderer}, OpenGL {info.gl_version}, engine {info.engine}"


def _cameras(
    *,
    file: Path | None,
    eye: str | None,
    target: str | None,
    up: str | None,
    fov_deg: float | None,
    size: str | None,
    ortho: float | None,
    views: int | None,
    seed: int | None,
) -> Callable[[Mesh], list[Camera]]:
    """The cameras that the options ask for, as a function of the mesh: of a file, placed, or in orbit."""
    from ..camera.camera import Camera
    from ..camera.checks import checked_field_of_view, checked_image_size
    from ..io.cameras.read import load_cameras

    if sum(option is not None for option in (file, eye, views)) > 1:
        raise RequestError(
            "--cameras, --eye with --target, and --views exclude each other; give one of them"
        )
    if (eye is None) != (target is None):
        raise RequestError("--eye and --target belong together; give both as X,Y,Z")
    if file is not None and fov_deg is not None:
        raise RequestError("--cameras brings its own field of view; leave --fov-deg out")
    if file is not None and up is not None:
        raise RequestError("--cameras brings its own poses; leave --up out")
    if seed is not None and (file is not None or eye is not None):
        raise RequestError(
            "--seed turns the cameras of --views; leave it out with --cameras or --eye"
        )
    if eye is not None and ortho is not None and fov_deg is not None:
        raise RequestError("parallel rays have no field of view; give --ortho or --fov-deg")
    if views is not None and views < 1:
        raise RequestError(f"--views must be at least 1, not {views}")
    width, height = (512, 512) if size is None else _numbers("--size", size, "WxH", "x", int)
    fov_deg = 40.0 if fov_deg is None else fov_deg
    with _said_of("--size"):
        checked_image_size(width, height)
    with _said_of("--fov-deg"):
        checked_field_of_view(fov_deg)
    up = "0,0,1" if up is None else up

    def parallel(cameras: list[Camera]) -> list[Camera]:
        if ortho is None:
            return cameras
        with _said_of("--ortho"):
            return [
                Camera.orthographic(ortho, view.camera_from_world, view.width, view.height)
                for view in cameras
            ]

    if file is not None:
        placed = parallel(
            load_cameras(file, **({"width": width, "height": height} if size else {}))
        )
    elif eye is not None and target is not None:
        points = [
            _numbers(option, text, "X,Y,Z", ",", float)
            for option, text in (("--eye", eye), ("--target", target), ("--up", up))
        ]
        placed = parallel([Camera.look_at(points[0], points[1], points[2], fov_deg, width, height)])
    else:
        axis = _numbers("--up", up, "X,Y,Z", ",", float)
        return lambda mesh: parallel(
            Camera.orbit(mesh, views or 1, width, height, seed or 0, fov_deg, axis)
        )
    return lambda mesh: placed


@contextmanager
def _said_of(option: str) -> Iterator[None]:
    """Puts the option before the message of a CameraError, which names the argument in Python."""
    try:
        yield
    except CameraError as error:
        raise RequestError(f"{option}: {error}") from None


def _names(text: str) -> tuple[str, ...]:
    """The names of an option such as npz,ply."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _numbers(
    option: str, text: str, form: str, separator: str, kind: Callable[[str], Number]
) -> list[Number]:
    """The numbers of an option such as 640x480 or 1,0,2.5."""
    try:
        values = [kind(part) for part in text.lower().split(separator)]
    except ValueError:
        values = []
    if len(values) != form.lower().count(separator) + 1:
        raise RequestError(f"{option} must look like {form}, not {text!r}")
    return values


def _warn_if_open(mesh: Mesh, path: Path, surfaces: SurfacesOption) -> None:
    """Front and back mean nothing where a mesh has holes: say so instead of writing a surprise."""
    if surfaces is SurfacesOption.any or mesh.is_oriented:
        return
    fault = "its winding is not consistent" if mesh.is_closed else "it is not closed"
    _complain(
        f"{path}: {fault}; entry and exit may be missing in places, --surfaces any takes every face",
        "warning",
    )


def _say(text: str) -> None:
    # As bytes: the name of a file may hold some that are no text.
    typer.echo(os.fsencode(text))


def _complain(message: str, kind: str = "error") -> None:
    typer.echo(f"ddepth: {kind}: {' '.join(message.split())}", err=True)


def _report(error: Exception, debug: bool) -> None:
    """Prints an error as one line, after its traceback if that is wanted."""
    if debug:
        traceback.print_exception(error)
    if isinstance(error, DDepthError):
        _complain(str(error))
    elif isinstance(error, OSError):
        _complain(
            f"{error.filename or 'the output'} cannot be written or read ({error.strerror or error})"
        )
    elif isinstance(error, MemoryError):
        _complain("out of memory; reduce the image size or the mesh")
    else:
        what = f"{type(error).__name__}: {error}"
        _complain(
            f"unexpected {what}"
            if debug
            else f"unexpected {what}; please report it, with what --debug says"
        )


@contextmanager
def _one_line_errors(debug: bool) -> Iterator[None]:
    """Turns errors into one line on stderr and exit status 1."""
    try:
        yield
    except KeyboardInterrupt:
        _complain("interrupted; files written so far are whole")
        raise typer.Exit(130) from None
    except (typer.Exit, BrokenPipeError):
        raise
    except Exception as error:
        _report(error, debug)
        raise typer.Exit(1) from None
