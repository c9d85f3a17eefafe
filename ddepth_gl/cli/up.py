"""The option --up: a direction, an axis, or what each mesh says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import RequestError
from .options import parse_numbers

if TYPE_CHECKING:
    from ..mesh.mesh import Mesh

__all__ = ["assumed_up_text", "parse_up", "up_text"]


def parse_up(text: str | None) -> tuple[float, float, float] | None:
    """Return the direction that a value of --up names; None for ``auto``, the default.

    Args:
        text: ``auto``, an axis such as ``y``, ``+y`` or ``-y``, or ``X,Y,Z``; None if not given.

    Raises:
        RequestError: it is none of these, or not a direction.
    """
    from ..errors import MeshError
    from ..mesh.validate import checked_up

    if text is None or text.strip().lower() == "auto":
        return None
    axis = re.fullmatch(r"([+-]?)([xyz])", text.strip().lower())
    if axis is not None:
        numbers = [0.0, 0.0, 0.0]
        numbers["xyz".index(axis[2])] = -1.0 if axis[1] == "-" else 1.0
    else:
        try:
            numbers = parse_numbers("--up", text, "X,Y,Z", ",", float)
        except RequestError as error:
            expected = "must look like X,Y,Z, y, -y or auto"
            raise RequestError(str(error).replace("must look like X,Y,Z", expected)) from None
    try:
        return checked_up(numbers)
    except MeshError:
        raise RequestError(
            f"--up must be a direction, not {text!r}; give a vector with a length, an axis or auto"
        ) from None


def up_text(mesh: Mesh, given: tuple[float, float, float] | None) -> str:
    """Return which direction is up in the images of a mesh, and why: ``y up by its file``.

    Args:
        mesh: the rendered mesh.
        given: result of `parse_up`.
    """
    from ..mesh.report import direction_text

    if given is not None:
        return f"{direction_text(given)} up by --up"
    return f"{direction_text(mesh.up)} up by {'its file' if mesh.is_up_known else 'default'}"


def assumed_up_text(mesh: Mesh, given: tuple[float, float, float] | None) -> str:
    """Return which direction is taken for up, and what to do if it is wrong; empty if it is known.

    Args:
        mesh: the shown mesh; one without a file lies as it should.
        given: result of `parse_up`.
    """
    if given is not None or mesh.is_up_known or mesh.source is None:
        return ""
    return f"{up_text(mesh, None)} (--up y if it lies on its back)"
