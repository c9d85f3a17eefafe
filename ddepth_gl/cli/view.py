"""The command `ddepth view`: meshes in a window, in a browser, or as an image."""

from __future__ import annotations

import logging
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DDepthError, RequestError
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
)
from .options import Debug, Device, Engine, Eye, Meshes, Surfaces, Target, Up
from .reporting import (
    one_line_errors,
    print_exception,
    print_line,
    report_sources,
)
from .view_screenshot import check_effect, image_size, write_screenshot
from .view_start import FirstView, numbers_of
from .wording import in_options

if TYPE_CHECKING:
    from ..mesh.mesh import Mesh
    from ..viewer.state import ViewerState

__all__ = ["view"]

_OPTIONS = (
    (r"^limits must be", "--range must be"),
    (r"^(mode|layer|surfaces|samples) must be", r"--\1 must be"),
    (r"^color_map must be", "--color-map must be"),
    (r"^the side must be", "--side must be"),
)


def view(
    meshes: Meshes = [],  # noqa: B006
    screenshot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.png",
            help="Write what the viewer draws, without panels, and end; needs no display.",
        ),
    ] = None,
    web: Annotated[
        bool, typer.Option("--web", help="Serve a page for browsers; needs no display.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(help="With --web: port; 0 for any, by default the first free one from 8080."),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="With --web: address to listen on. 127.0.0.1, the default, is reached from this "
            "computer alone; 0.0.0.0 from others, without a password."
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            help="photo (the default), entry, exit, thickness, layer, layer_count, normals, "
            "solid_length or object_ids."
        ),
    ] = None,
    layer: Annotated[
        int | None,
        typer.Option(metavar="K", help="Layer to show, counted from 1; implies --mode layer."),
    ] = None,
    mould: Annotated[
        bool,
        typer.Option("--mould", help="Show the points of both sheets, seen from the side."),
    ] = False,
    mould_layers: Annotated[
        bool, typer.Option("--mould-layers", help="Show the points of all layers.")
    ] = False,
    odd: Annotated[
        bool, typer.Option("--odd", help="Highlight pixels with an odd number of crossings.")
    ] = False,
    color_map: Annotated[
        str | None, typer.Option(metavar="NAME", help="Color map of matplotlib, such as cividis.")
    ] = None,
    limits: Annotated[
        str | None,
        typer.Option(
            "--range", metavar="A,B", help="Values at both ends of the color scale; the image's."
        ),
    ] = None,
    color_bar: Annotated[
        bool, typer.Option("--color-bar", help="Draw the color scale into the screenshot.")
    ] = False,
    samples: Annotated[
        int, typer.Option(help="Samples of the photo along each side of a pixel, 1 to 128.")
    ] = 1,
    surfaces: Surfaces = "auto",
    side: Annotated[
        str | None, typer.Option(help="front, back, left, right, top, bottom or iso.")
    ] = None,
    eye: Eye = None,
    target: Target = None,
    up: Up = None,
    fov_deg: Annotated[
        float | None,
        typer.Option("--fov-deg", "--fov", help="Vertical field of view in degrees; 40."),
    ] = None,
    ortho: Annotated[bool, typer.Option("--ortho", help="Start with parallel rays.")] = False,
    cameras: Annotated[
        Path | None,
        typer.Option(
            readable=False,
            help="Camera file, or its folder, to step through: NeRF transforms.json, COLMAP model "
            "or BOP JSON.",
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(
            metavar="K|NAME", help="The camera of --cameras to start with; counted from 1, or name."
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="N|WxH", help="Size of the screenshot; 1024x768, or that of the camera's file."
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
    debug: Debug = False,
) -> None:
    """Look at meshes in a window, in a browser, or as an image.

    Shows photo, depth of both sheets and of all layers, thickness, and what a ray meets.

    Opens a window. Of several meshes it shows one, and N steps to the next. Without MESH it shows
    the mesh of ddepth demo. F1 lists keys and mouse. Without a display, use --web or --screenshot.
    """
    if debug:  # of errors that the viewer shows and goes on after
        logging.getLogger("ddepth_gl").addHandler(logging.StreamHandler())
    with one_line_errors(debug, _reworded):
        limits_of_files, file_limit = loading_limits(max_faces, max_file_mb)
        _check_places(screenshot, web, port, host, size, device)
        mode = _mode(mode, layer)
        if screenshot is not None:
            check_effect(mode, mould or mould_layers, color_map, limits, samples, color_bar)
        elif color_bar:
            raise RequestError("--color-bar is drawn into a screenshot; give --screenshot FILE.png")
        values: dict[str, Any] = {
            "mode": mode,
            "layer": (layer or 1) - 1,
            "color_map": color_map,
            "limits": None if limits is None else numbers_of("--range", limits, "A,B"),
            "samples": samples,
            "surfaces": surfaces,
            "engine": engine,
            "highlight_odd": odd,
            "place": "mould" if mould or mould_layers else "image",
            "mould_layers": mould_layers,
        }
        start = FirstView.of_options(
            side, eye, target, up, fov_deg, ortho, cameras, camera, file_limit
        )
        width, height = image_size(size, start.cameras[start.number] if start.cameras else None)
        start.check(values)
        loading = loading_options(texture_root, alpha, blend_cutoff, pose, max_texture_size)
        loader = _Loader(loading, limits_of_files)
        files, mesh, name = _first_mesh(loader, meshes, debug)
        if len(files) > 1 and (web or screenshot is not None):
            option = "--web" if web else "--screenshot"
            raise RequestError(f"{option} shows one mesh, not {len(files)}; give one file")
        state = start.state_of(mesh, width / height, values)
        if screenshot is not None:
            note = start.up_note(mesh)
            write_screenshot(screenshot, mesh, state, (width, height), device, color_bar, note)
        elif web:
            line = loader.line_of(mesh)
            note = start.up_note(mesh)
            _serve(mesh, state, name, line, host, port, device, start, note)
        else:
            from ..viewer.desktop.show import show_window

            show_window(
                mesh,
                state,
                name=name,
                files=files,
                cameras=start.cameras,
                load=loader,
                is_framed=start.is_framed,
            )


def _reworded(message: str) -> str:
    for argument, option in _OPTIONS:
        message = re.sub(argument, option, message)
    return in_options(message)


class _Loader:
    """Loads mesh files as the options say; a callable.

    Args:
        options: keyword arguments of `load_mesh` that decide the mesh.
        limits: those that limit what is read.
    """

    def __init__(self, options: dict[str, Any], limits: dict[str, Any]) -> None:
        self._options, self._limits = options, limits

    def __call__(self, path: Path) -> Mesh:
        from ..io.meshes.read import load_mesh

        return load_mesh(path, **self._options, **self._limits)

    def line_of(self, mesh: Mesh) -> str:
        """Return the line of Python that makes a mesh of this loader, or that of the demo."""
        from ..viewer.code_lines import mesh_line_of

        if mesh.source is None:
            return "mesh = dd.demo_mesh()"
        return mesh_line_of(mesh, self._options)


def _check_places(
    screenshot: Path | None,
    web: bool,
    port: int | None,
    host: str | None,
    size: str | None,
    device: str | None,
) -> None:
    """Raise RequestError if options contradict each other or have no effect."""
    if web and screenshot is not None:
        raise RequestError("--web and --screenshot exclude each other; give one of them")
    for option, value in (("--port", port), ("--host", host)):
        if value is not None and not web:
            raise RequestError(f"{option} belongs to --web; give both")
    if port is not None and not 0 <= port < 2**16:
        raise RequestError(f"--port must be from 0 to 65535, not {port}")
    if size is not None and screenshot is None:
        raise RequestError("--size is that of --screenshot; give both")
    if device is not None and screenshot is None and not web:
        raise RequestError(
            "a window renders on the device of its display; give --device with --web or "
            "--screenshot"
        )


def _mode(mode: str | None, layer: int | None) -> str:
    if layer is None:
        return mode or "photo"
    if layer < 1:
        raise RequestError(f"--layer must be at least 1, not {layer}; layers are counted from 1")
    if mode not in (None, "layer"):
        raise RequestError(f"--layer has no effect with --mode {mode}; give one of them")
    return "layer"


def _first_mesh(loader: _Loader, meshes: list[Path], debug: bool) -> tuple[list[Path], Mesh, str]:
    """Return the files to show, and the first mesh of them that can be loaded with its name."""
    from ..jobs.sources import mesh_files
    from ..mesh.demo import demo_mesh

    if not meshes:
        return [], demo_mesh(), "demo"
    found = mesh_files(meshes)
    report_sources(found)
    files = found.files
    for number, path in enumerate(files):
        try:
            return files[number:], loader(path), path.stem
        except (DDepthError, MemoryError) as error:
            print_exception(error, debug, in_options)
    raise typer.Exit(1)


def _serve(
    mesh: Mesh,
    state: ViewerState,
    name: str,
    mesh_line: str,
    host: str | None,
    port: int | None,
    device: str | None,
    start: FirstView,
    note: str,
) -> None:
    """Serve the page until it is interrupted; that is how it ends."""
    from ..viewer.web.server import WebViewer

    options: dict[str, Any] = {"port": port, "device": device, "mesh_line": mesh_line}
    options.update(cameras=start.cameras, is_framed=start.is_framed)
    if host is not None:
        options["host"] = host
    with WebViewer(mesh, state, name=name, **options) as viewer:
        interrupts: list[int] = []
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:

            def interrupt(number: int, _: object) -> None:
                interrupts.append(number)
                signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one ends it at once

            signal.signal(signal.SIGINT, interrupt)
        print_line(f"{name}: {viewer.url}, until Ctrl-C{note and f'; {note}'}")
        for line in viewer.notes:
            print_line(line)
        while not (interrupts or viewer.wait(0.5)):
            pass
