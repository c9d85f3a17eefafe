"""Options of `load_mesh` that every reader of a format gets."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from ..._checks import (
    checked_choice,
    checked_count,
    checked_flag,
    checked_number,
    is_integer,
    one_line,
    shown,
)
from ...errors import RequestError
from ..opened_files import opened_folder

__all__ = ["AlphaMode", "LoadOptions", "checked_limit", "checked_options", "checked_roots"]

AlphaMode = Literal["mask", "ignore"]


class LoadOptions(NamedTuple):
    """Options of `load_mesh`, checked.

    Attributes:
        max_faces: largest number of triangles, all instances together.
        appearance: whether colors, uv and textures are read. If not, only those that alpha masks
            need are.
        alpha: whether alpha masks cut holes into faces ("mask") or are ignored ("ignore").
        blend_cutoff: alpha cutoff of materials that blend; None if they count as opaque.
        pose: animation (index or name) and time in seconds; None for the pose at rest.
        max_texture_size: largest width and height of a texture in texels; None for no limit.
    """

    max_faces: int
    appearance: bool = True
    alpha: AlphaMode = "mask"
    blend_cutoff: float | None = None
    pose: tuple[int | str, float] | None = None
    max_texture_size: int | None = None


def checked_options(
    max_faces: Any,
    appearance: Any,
    alpha: Any,
    blend_cutoff: Any,
    pose: Any,
    max_texture_size: Any,
) -> LoadOptions:
    """Return the options of `load_mesh`; raise RequestError if one is not valid."""
    checked_choice("alpha", alpha, get_args(AlphaMode))
    if blend_cutoff is not None:
        blend_cutoff = checked_number("blend_cutoff", blend_cutoff)
        if not 0.0 < blend_cutoff < math.inf:
            raise RequestError(
                f"blend_cutoff must be a number above 0, not {blend_cutoff}; "
                "pass None to count materials that blend as opaque"
            )
    if max_texture_size is not None:
        max_texture_size = checked_count("max_texture_size", max_texture_size)
    return LoadOptions(
        checked_limit("max_faces", max_faces),
        checked_flag("appearance", appearance),
        alpha,
        blend_cutoff,
        None if pose is None else _checked_pose(pose),
        max_texture_size,
    )


def checked_limit(name: str, limit: Any) -> int:
    """Return a limit as an int; raise RequestError if it is not an integer of at least 0."""
    if not is_integer(limit) or limit < 0:
        raise RequestError(f"{name} must be an integer of at least 0, not {shown(limit)}")
    return int(limit)


def checked_roots(texture_roots: Any) -> tuple[Path, ...]:
    """Return folders as paths; one path counts as a sequence of one.

    Raises:
        RequestError: it is neither a path nor a sequence of paths, or one is no folder that can be
            opened.
    """
    given = (texture_roots,) if isinstance(texture_roots, (str, os.PathLike)) else texture_roots
    reason = "no sequence of paths"
    if isinstance(given, Sequence) and not isinstance(given, bytes):
        try:
            roots = tuple(Path(root) for root in given)
        except Exception as error:  # an __fspath__ method may raise anything
            reason = one_line(error)
        else:
            for root in roots:
                _check_folder(root)
            return roots
    raise RequestError(f"texture_roots must be folders, not {shown(texture_roots)} ({reason})")


def _check_folder(root: Path) -> None:
    try:
        with opened_folder(root.resolve(strict=True)):
            return
    except (OSError, ValueError, RuntimeError):  # a null character, a loop of links
        raise RequestError(
            f"texture_roots must be folders, {str(root)!r:.240} is not one that can be opened; "
            "check the path"
        ) from None


def _checked_pose(pose: Any) -> tuple[int | str, float]:
    expected = "pose must be (animation, seconds), an index or name and a finite number"
    if not isinstance(pose, (tuple, list)) or len(pose) != 2:
        raise RequestError(f"{expected}, not {shown(pose)}")
    animation, seconds = pose[0], checked_number("seconds of pose", pose[1])
    if not (isinstance(animation, str) or is_integer(animation)) or not math.isfinite(seconds):
        raise RequestError(f"{expected}, not {shown(pose)}")
    return animation if isinstance(animation, str) else int(animation), seconds
