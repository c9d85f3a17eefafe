"""Options of the command line that decide how mesh files are loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import RequestError

__all__ = [
    "Alpha",
    "BlendCutoff",
    "MaxFaces",
    "MaxFileMb",
    "MaxTextureSize",
    "Pose",
    "TextureRoots",
    "loading_limits",
    "loading_options",
    "loading_text",
]

TextureRoots = Annotated[
    list[Path] | None,
    typer.Option(
        "--texture-root",
        metavar="DIR",
        readable=False,
        help="A folder outside of the mesh's that its side files may also be in: textures, alpha "
        "masks, buffers of glTF, layers of USD; repeatable.",
    ),
]
Alpha = Annotated[
    str,
    typer.Option(
        metavar="mask|ignore",
        help="mask: holes where the materials' alpha masks have them; ignore: whole faces.",
    ),
]
BlendCutoff = Annotated[
    float | None,
    typer.Option(
        metavar="ALPHA",
        help="Cut materials that blend below this alpha; by default their faces are whole.",
    ),
]
Pose = Annotated[
    str | None,
    typer.Option(
        metavar="ANIMATION,SECONDS",
        help="Pose of an animation: its index or name, and the time; by default the pose at rest.",
    ),
]
MaxTextureSize = Annotated[
    int | None,
    typer.Option(
        metavar="TEXELS",
        help="Reduce larger textures, alpha masks too, to this width and height.",
    ),
]
MaxFaces = Annotated[int | None, typer.Option(help="Refuse meshes with more faces.")]
MaxFileMb = Annotated[int | None, typer.Option(help="Refuse larger mesh and camera files, in MiB.")]


def loading_limits(
    max_faces: int | None, max_file_mb: int | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return keyword arguments that limit what is read, of `load_mesh` and of `load_cameras`.

    Raises:
        RequestError: a value is below 0.
    """
    for option, number in (("--max-faces", max_faces), ("--max-file-mb", max_file_mb)):
        if number is not None and number < 0:
            raise RequestError(f"{option} must be at least 0, not {number}")
    of_files = {} if max_file_mb is None else {"max_file_bytes": max_file_mb * 2**20}
    return of_files | ({} if max_faces is None else {"max_faces": max_faces}), of_files


def loading_options(
    texture_roots: list[Path] | None,
    alpha: str,
    blend_cutoff: float | None,
    pose: str | None,
    max_texture_size: int | None,
) -> dict[str, Any]:
    """Return keyword arguments of `load_mesh` for the options that are given, checked.

    Raises:
        RequestError: a value is out of range or does not have the form of its option.
    """
    if alpha not in ("mask", "ignore"):
        raise RequestError(f"--alpha must be mask or ignore, not {alpha!r}")
    if blend_cutoff is not None and not 0.0 < blend_cutoff < float("inf"):
        raise RequestError(
            f"--blend-cutoff must be a number above 0, not {blend_cutoff:g}; "
            "leave it out to count materials that blend as opaque"
        )
    if blend_cutoff is not None and alpha == "ignore":
        raise RequestError("--blend-cutoff has no effect with --alpha ignore; give one of them")
    if max_texture_size is not None and max_texture_size < 1:
        raise RequestError(f"--max-texture-size must be at least 1, not {max_texture_size}")
    for root in texture_roots or ():
        if not root.is_dir():
            raise RequestError(f"--texture-root {root} is not a folder; give an existing one")
    given = {
        "texture_roots": tuple(texture_roots or ()),
        "alpha": None if alpha == "mask" else alpha,
        "blend_cutoff": blend_cutoff,
        "pose": None if pose is None else _parse_pose(pose),
        "max_texture_size": max_texture_size,
    }
    return {name: value for name, value in given.items() if value}


def loading_text(options: dict[str, Any]) -> str:
    """Return what decides the mesh besides its files, for the hash of settings; empty by default.

    Args:
        options: result of `loading_options`.
    """
    deciding = {name: value for name, value in options.items() if name != "texture_roots"}
    return repr(sorted(deciding.items())) if deciding else ""


def _parse_pose(text: str) -> tuple[int | str, float]:
    """Return the animation, an index if it consists of digits, and the time in seconds."""
    # The name of an animation may hold commas.
    animation, comma, seconds = text.rpartition(",")
    try:
        time = float(seconds)
        is_finite = abs(time) < float("inf")
    except ValueError:
        is_finite = False
    if not (comma and animation and is_finite):
        raise RequestError(
            f"--pose must look like ANIMATION,SECONDS, such as 0,1.5 or Walk,0.25, not {text!r}"
        )
    return (int(animation) if animation.strip().isdecimal() else animation), time
