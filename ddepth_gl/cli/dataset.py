"""The command `ddepth dataset`: many meshes and views in, shards of samples and an index out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .._packages import import_needed
from ..dataset.choices import Codec, Kind, Layout, Output, Preset, choices_text
from ..errors import DatasetError, RequestError
from .dataset_actions import (
    check_options,
    draw_preview,
    merge_index,
    print_plan,
    print_status,
    print_verification,
    run_and_report,
    write_settings,
)
from .options import Debug, Device, Engine, parse_list, parse_numbers
from .reporting import one_line_errors
from .wording import in_options

if TYPE_CHECKING:
    from ..dataset.config import DatasetConfig
    from ..dataset.run import RunOptions

__all__ = ["dataset"]

# Exit statuses beside 0, all meshes are there, and 1, an error.
_SOME_FAILED, _OTHERS_WORK = 3, 4
# All of the extra, so that a run does not find out in the middle that one is missing.
_PACKAGES = ("pydantic", "yaml", "pyarrow", "fsspec", "psutil")


def dataset(
    context: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONFIG.yaml] SOURCES",
            help="Mesh files, folders, globs, lists, tables with columns id and path, tars, "
            "addresses such as s3://bucket/meshes; or settings, see --init. Without any, -o goes "
            "on with its own.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="OUT", help="Folder of the data set, or its address."
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Write a file of all settings with comments, and do nothing else."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="GROUP.NAME=VALUE",
            help="Any setting of --init; repeatable.",
        ),
    ] = None,
    views: Annotated[int | None, typer.Option(help="Views of each mesh; 24 by default.")] = None,
    size: Annotated[
        str | None, typer.Option(metavar="N|WxH", help="Image size; 512 by default.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help=f"Cameras: {choices_text(Kind)}; orbit by default.")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help=f"Cameras of published work: {choices_text(Preset)}. Other options go before it."
        ),
    ] = None,
    cameras: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Camera file; {id} and {stem} are those of the mesh."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of random views.")] = None,
    fov: Annotated[
        str | None,
        typer.Option(metavar="N|MIN,MAX", help="Field of view in degrees; 40 by default."),
    ] = None,
    distance: Annotated[
        str | None,
        typer.Option(
            metavar="N|MIN,MAX", help="Of cameras, in radii of the mesh; it fits by default."
        ),
    ] = None,
    elevation: Annotated[
        str | None, typer.Option(metavar="N|MIN,MAX", help="Of cameras in degrees.")
    ] = None,
    up: Annotated[
        str | None, typer.Option(metavar="auto|AXIS|X,Y,Z", help="Up direction of meshes.")
    ] = None,
    ortho: Annotated[bool, typer.Option("--ortho", help="Parallel rays.")] = False,
    normalize: Annotated[
        str | None, typer.Option(help="Scale meshes into a unit box or sphere; none by default.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help=f"{choices_text(Output, '')}; photo,depth by default.",
        ),
    ] = None,
    layouts: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help=f"Layouts of published work, too: {choices_text(Layout, '')}.",
        ),
    ] = None,
    codec: Annotated[
        str | None,
        typer.Option(help=f"Of sheets and layers: {choices_text(Codec)}; packed is smallest."),
    ] = None,
    depth_tolerance: Annotated[
        float | None, typer.Option(help="Largest relative error of stored depths, such as 1e-5.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(help="Samples of photos along each side of a pixel; 2.")
    ] = None,
    max_layers: Annotated[int | None, typer.Option(help="Layers to store; all.")] = None,
    surfaces: Annotated[
        str | None,
        typer.Option(
            metavar="auto|oriented|any",
            help="How faces count, as in ddepth render; auto by default.",
        ),
    ] = None,
    photo: Annotated[
        str | None,
        typer.Option(
            metavar="own|cycles|eevee",
            help="Of .blend files: by Blender, with its materials; own by default.",
        ),
    ] = None,
    photo_samples: Annotated[
        int | None, typer.Option(help="Of photos by Blender, per pixel; 64 by default.")
    ] = None,
    photos: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Existing photos with poses, instead of own views."),
    ] = None,
    min_iou: Annotated[
        float | None, typer.Option(help="Leave out photos whose mask overlaps less.")
    ] = None,
    val: Annotated[float | None, typer.Option(help="Fraction of meshes for validation.")] = None,
    test: Annotated[float | None, typer.Option(help="Fraction of meshes for tests.")] = None,
    layout: Annotated[
        str | None, typer.Option(help="webdataset (tars) or files; webdataset by default.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Renderer processes; as many as the machine can use by default."),
    ] = None,
    rank: Annotated[
        int | None, typer.Option(help="Of this process in a job; Slurm and others tell it.")
    ] = None,
    world_size: Annotated[int | None, typer.Option(help="Number of ranks.")] = None,
    executor: Annotated[str, typer.Option(help="local or ray.")] = "local",
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster.")] = None,
    engine: Engine = "auto",
    device: Device = None,
    seconds_per_mesh: Annotated[
        float | None, typer.Option(help="Slower meshes fail; 300 by default.")
    ] = None,
    memory_mb: Annotated[
        int | None, typer.Option(help="Limit of a renderer process, MiB; a share by default.")
    ] = None,
    allow_mixed: Annotated[
        bool, typer.Option("--allow-mixed", help="Render although drivers or versions differ.")
    ] = False,
    extend: Annotated[
        bool, typer.Option("--extend", help="Append shards for meshes that are new.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Render shards with failures again.")
    ] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="Only merge the index of what is there.")
    ] = False,
    status: Annotated[
        str | None, typer.Option(metavar="OUT", help="Print the state of a data set.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Print the plan, and bytes and time from a few meshes."),
    ] = False,
    preview: Annotated[
        bool,
        typer.Option(
            "--preview",
            help="Write a contact sheet and a page of failures and warnings at the end.",
        ),
    ] = False,
    verify: Annotated[
        str | None,
        typer.Option(
            metavar="OUT",
            help="Check a data set: checksums, contents, and random pixels against float64 rays.",
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    debug: Debug = False,
) -> None:
    """Render data sets of many meshes and views.

    The same command again renders only what is missing.

    Exit status: 0, all meshes are there; 1, an error; 3, some meshes failed, see failures.parquet;
    4, other processes are still at work.
    """
    with one_line_errors(debug, in_options):
        for package in _PACKAGES:
            import_needed(package, "ddepth dataset", DatasetError, "dataset")
        options: dict[str, Any] = {
            "views": views,
            "size": size,
            "kind": kind,
            "preset": preset,
            "cameras": cameras,
            "seed": seed,
            "fov": _number_or_range("--fov", fov),
            "distance": _number_or_range("--distance", distance),
            "elevation": _number_or_range("--elevation", elevation),
            "up": up,
            "ortho": ortho or None,
            "normalize": normalize,
            "store": None if store is None else parse_list(store),
            "layouts": None if layouts is None else parse_list(layouts),
            "codec": codec,
            "depth_tolerance": depth_tolerance,
            "samples": samples,
            "max_layers": max_layers,
            "surfaces": surfaces,
            "photo": photo,
            "photo_samples": photo_samples,
            "photos": photos,
            "min_iou": min_iou,
            "val": val,
            "test": test,
            "layout": layout,
            "seconds_per_mesh": seconds_per_mesh,
            "memory_mb": memory_mb,
        }
        check_options(context)
        if init is not None:
            write_settings(Path(init))
            return
        if status is not None:
            print_status(status, json)
            return
        if verify is not None:
            print_verification(verify, json)
            return
        config = _config(sources or [], settings or [], options)
        if dry_run:
            print_plan(config, workers, world_size, engine, device, json)
            return
        if output is None:
            raise RequestError("the data set needs a folder; give -o OUT")
        if preview and "://" in output:
            raise RequestError("--preview needs a local folder; run it on a copy, with --finish")
        if finish:
            merge_index(output, json)
        else:
            run_options = _run_options(
                workers=workers,
                executor=executor,
                address=address,
                rank=rank,
                world_size=world_size,
                engine=engine,
                device=device,
                extend=extend,
                retry=retry,
                allow_mixed=allow_mixed,
            )
            report = run_and_report(config, output, run_options, json)
        if preview and (finish or report.is_complete):
            draw_preview(output, json)
        if not finish and (report.failures or not report.is_complete):
            raise typer.Exit(_SOME_FAILED if report.is_complete else _OTHERS_WORK)


def _number_or_range(option: str, text: str | None) -> float | list[float] | None:
    if text is None:
        return None
    if "," in text:
        return parse_numbers(option, text, "MIN,MAX", ",", float)
    return parse_numbers(option, text, "N", ",", float)[0]


def _config(
    sources: list[str], settings: list[str], options: dict[str, Any]
) -> DatasetConfig | None:
    """Return the config of the command line; None if it says nothing but the folder."""
    given = _names(options)
    if not sources:
        if given or settings:
            raise RequestError(
                f"{(given or ['--set'])[0]} needs sources; give the meshes, or -o alone to go on"
            )
        return None
    from ..dataset.config_options import config_from_options

    return config_from_options(sources, assignments=settings, **options)


def _names(options: dict[str, Any]) -> list[str]:
    """Return the options that are given."""
    return [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]


def _run_options(**given: Any) -> RunOptions:
    from ..dataset.run import RunOptions

    if given["workers"] is not None and given["workers"] < 1:
        raise RequestError(f"--workers must be at least 1, not {given['workers']}")
    if given["executor"] not in ("local", "ray"):
        raise RequestError(f"--executor must be local or ray, not {given['executor']!r}")
    return RunOptions(**given)
