"""Options that several commands take, and the parsing of option values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from ..errors import CameraError, OutputError, RequestError

__all__ = [
    "Debug",
    "Device",
    "Engine",
    "Engines",
    "Eye",
    "Meshes",
    "Output",
    "Surfaces",
    "Target",
    "Up",
    "create_output_folder",
    "naming",
    "parse_list",
    "parse_numbers",
    "parse_size",
]

Number = TypeVar("Number", int, float)


def _parse_folder(text: str | Path) -> Path:
    if not str(text):  # pathlib would take it for the working folder
        raise typer.BadParameter("'' is no folder; give one, or . for the working folder")
    return Path(text)


def _parse_mesh(text: str | Path) -> Path:
    if not str(text):  # pathlib would take it for the working folder
        raise typer.BadParameter("'' is no mesh; give a file or a folder, . for the working folder")
    return Path(text)


Meshes = Annotated[
    list[Path],
    typer.Argument(
        metavar="MESH",
        parser=_parse_mesh,
        help="OBJ, STL, PLY, OFF, GLB, glTF, 3MF, DAE or USD; a folder stands for all such files "
        "in it and its subfolders, except hidden ones and results of ddepth.",
    ),
]
Output = Annotated[
    Path,
    typer.Option(
        "--output",
        "-o",
        parser=_parse_folder,
        metavar="FOLDER",
        help="Folder for the results; created if missing.",
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        help="EGL index, cuda:N, PCI address, gpu, software or auto "
        "(also: environment variable DDEPTH_DEVICE)."
    ),
]
Engine = Annotated[str, typer.Option(help="compute, raster or auto.")]
Engines = Annotated[
    list[str] | None,
    typer.Option(help="raster, compute or auto; repeat it to compare. auto by default."),
]
Surfaces = Annotated[
    str,
    typer.Option(
        metavar="auto|oriented|any",
        help="How faces count. oriented: by facing, for closed meshes; any: on either side, "
        "for scans with holes; auto decides for each connected body.",
    ),
]
Eye = Annotated[str | None, typer.Option(metavar="X,Y,Z", help="Camera position, with --target.")]
Target = Annotated[
    str | None, typer.Option(metavar="X,Y,Z", help="Point that the camera looks at.")
]
Up = Annotated[
    str | None,
    typer.Option(
        metavar="auto|AXIS|X,Y,Z",
        help="Up direction in the image: an axis such as y or -y, or X,Y,Z. By default auto: y "
        "for GLB and glTF, what DAE and USD files say, else z. Many OBJ files need y.",
    ),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def create_output_folder(folder: Path) -> None:
    """Create the folder of --output and its parents.

    Raises:
        OutputError: the folder cannot be created, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        file = next(
            (path for path in (folder, *folder.parents) if not path.is_dir() and path.exists()),
            folder,
        )
        where = f"-o {folder}" if file == folder else f"-o {folder}: {file}"
        raise OutputError(f"{where} is a file; give a folder") from error
    except OSError as error:
        raise OutputError(
            f"folder {folder} cannot be created ({error.strerror}); give another -o"
        ) from error


def parse_list(text: str) -> tuple[str, ...]:
    """Return the names in a comma-separated option value such as ``npz,ply``."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_numbers(
    option: str, text: str, form: str, separator: str, kind: Callable[[str], Number]
) -> list[Number]:
    """Return the numbers in an option value such as ``640x480`` or ``1,0,2.5``.

    Args:
        option: name of the option, for the message.
        text: value of the option.
        form: form of the value, such as ``X,Y,Z``; it has as many numbers as the value must have.
        separator: character between the numbers, in lower case.
        kind: int or float.

    Raises:
        RequestError: the value does not have this form.
    """
    try:
        values = [kind(part) for part in text.lower().split(separator)]
    except ValueError:
        values = []
    if len(values) != form.lower().count(separator) + 1:
        raise RequestError(f"{option} must look like {form}, not {text!r}")
    return values


def parse_size(text: str) -> tuple[int, int]:
    """Return width and height of a value of --size, ``640x480`` or ``512``.

    Raises:
        RequestError: the value does not have this form, or there are no such images.
    """
    from ..camera.checks import checked_image_size

    if text.isdecimal():
        text = f"{text}x{text}"
    width, height = parse_numbers("--size", text, "N or WxH", "x", int)
    with naming("--size"):
        return checked_image_size(width, height)


@contextmanager
def naming(option: str) -> Iterator[None]:
    """Put the option before the message of a CameraError, which names the Python argument."""
    try:
        yield
    except CameraError as error:
        raise RequestError(f"{option}: {error}") from None
