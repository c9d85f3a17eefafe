"""The command `ddepth check-layers`: what methods of published pipelines lose of the layers."""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import DDepthError, RequestError
from .options import Debug, Device, Engines, Meshes, parse_list
from .reporting import (
    one_line_errors,
    print_exception,
    print_failed,
    print_json,
    print_line,
    print_table,
    print_warning,
    report_sources,
)
from .wording import in_options

if TYPE_CHECKING:
    from ..jobs.layer_check import MethodRow
    from ..mesh.mesh import Mesh

__all__ = ["check_layers"]

_HEADINGS = (
    "method", "rays", "wrong %", "wrong exits %", "walls lost %", "walls added %", "truncated %",
    "shift, px", "ms per image",
)  # fmt: skip


def check_layers(
    meshes: Meshes = [],  # noqa: B006
    views: Annotated[int, typer.Option(min=1, help="Images of each mesh.")] = 4,
    size: Annotated[
        int, typer.Option(min=1, max=1024, help="Width and height of the images, pixels.")
    ] = 128,
    tolerance: Annotated[
        float, typer.Option(help="Relative error of a depth that counts as right.")
    ] = 1e-4,
    steps: Annotated[
        str,
        typer.Option(metavar="S,S,...", help="Steps of casting again, in diagonals of the mesh."),
    ] = "1e-3,1e-5",
    layers: Annotated[
        str, typer.Option(metavar="K,K,...", help="Numbers of layers that are stored.")
    ] = "4,8",
    engine: Engines = None,
    device: Device = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with all numbers.")] = False,
    debug: Debug = False,
) -> None:
    """Compare methods of rendering layers with float64 rays.

    Counts the rays that each gets wrong and the walls that it loses, and times it. Without MESHES,
    a mesh is made up that rays cross ten times or more. docs/check-layers.md says what each method
    is.
    """
    with one_line_errors(debug, in_options), ExitStack() as stack:
        from ..camera.camera import Camera
        from ..io.meshes.read import load_mesh
        from ..jobs.layer_check import LayerCheck
        from ..jobs.layer_check import check_layers as rows_of
        from ..jobs.sources import mesh_files
        from ..mesh.demo import demo_mesh
        from ..renderer import DepthRenderer

        check = LayerCheck(
            _number("--tolerance", tolerance),
            tuple(_number("--steps", each) for each in parse_list(steps)),
            tuple(int(_number("--layers", each, True)) for each in parse_list(layers)),
        )
        found = mesh_files(meshes)
        report_sources(found, print_warning)
        renderers = [
            stack.enter_context(DepthRenderer(name, device))
            for name in dict.fromkeys(engine or ["auto"])
        ]

        def rows_of_mesh(mesh: Mesh) -> list[MethodRow]:
            if mesh.alpha_cutoff is not None:
                raise RequestError(f"{mesh.name} has alpha masks, which the rays do not know")
            return rows_of(mesh, Camera.orbit(mesh, views, size, size), renderers, check)

        failed = len(found.failures)
        entries: list[dict[str, Any]] = []
        checked: list[Path | None] = [*found.files] if meshes else [None]
        for path in checked:
            name = "demo" if path is None else str(path)
            try:
                mesh = demo_mesh() if path is None else load_mesh(path, alpha="ignore")
                rows = rows_of_mesh(mesh)
            except (DDepthError, MemoryError) as error:  # the other files are still checked
                print_exception(error, debug, in_options)
                failed += 1
                continue
            faces = len(mesh.faces)
            entries.append(
                {"mesh": name, "faces": faces, "methods": [row.as_dict() for row in rows]}
            )
            if not as_json:
                print_line(f"{name}: {faces:,} faces, {views} images of {size}x{size} pixels")
                print_table([list(_HEADINGS), *(_cells(row) for row in rows)])
        if as_json:
            print_json(entries)
        if failed:
            if len(found.files) > 1 and not as_json:
                print_failed(failed - len(found.failures), len(found.files))
            raise typer.Exit(1)


def _number(option: str, value: float | str, is_integer: bool = False) -> float:
    """Return a number above 0.

    Raises:
        RequestError: it is none.
    """
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0.0 < number < math.inf or (is_integer and number != int(number)):
        kind = "integers" if is_integer else "numbers"
        raise RequestError(f"{option} must be {kind} above 0, not {value}")
    return number


def _cells(row: MethodRow) -> list[str]:
    milliseconds = row.as_dict()["ms_per_image"]
    return [
        row.method,
        f"{row.rays:,}",
        *(
            _percent(number, whole)
            for number, whole in (
                (row.wrong, row.rays),
                (row.wrong_exits, row.rays),
                (row.walls_lost, row.walls),
                (row.walls_added, row.walls),
                (row.truncated, row.rays),
            )
        ),
        "-" if row.shift is None else f"{row.shift:.2f}",
        "-" if milliseconds is None else f"{milliseconds:.1f}",
    ]


def _percent(number: int | None, whole: int) -> str:
    """Return a share in percent; 0 stands for none at all."""
    if number is None:
        return "-"
    if number == 0:
        return "0"
    return f"{max(100.0 * number / max(1, whole), 0.001):.3f}"
