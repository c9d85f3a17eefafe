"""Checks of the settings of views, before any mesh is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import DatasetError
from .axes import direction_fault
from .directions import random_direction

if TYPE_CHECKING:
    from .config import ViewsConfig

__all__ = ["elevation_faults", "file_faults", "is_read_by", "view_faults"]

# Settings that only some kinds read, with those kinds; their default is what others must have.
_READ_BY = {
    "azimuth_deg": ("turntable",),
    "density": ("random",),
    "upper_share": ("hammersley",),
    "file": ("file",),
}


def is_read_by(name: str, kind: str) -> bool:
    """Return whether a kind of cameras reads a setting."""
    return kind in _READ_BY.get(name, (kind,))


def view_faults(config: ViewsConfig) -> Iterator[str]:
    """Yield a line for each setting of views that is out of range or contradicts others."""
    for name, lowest, highest in (
        ("fov_deg", 0.0, 180.0),
        ("distance", 0.0, float("inf")),
        ("elevation_deg", -90.0, 90.0),
    ):
        value = getattr(config, name)
        low, high = value if isinstance(value, tuple) else (value, value)
        if value is None:
            continue
        is_open = name != "elevation_deg"  # neither 0 nor 180 degrees is a field of view
        inside = lowest < low <= high < highest if is_open else lowest <= low <= high <= highest
        if not inside:
            bounds = "above 0" if name == "distance" else f"from {lowest:g} to {highest:g}"
            yield (
                f"views.{name} must be a number {bounds}, or a range [low, high] of such, not "
                f"{list(value) if isinstance(value, tuple) else value}"
            )
    yield from direction_fault("views.up", config.up)
    for name, kinds in _READ_BY.items():
        is_default = getattr(config, name) == type(config).model_fields[name].default
        if not is_default and config.kind not in kinds:
            yield f"views.{name} is for kind {' or '.join(kinds)}, not {config.kind}; leave it out"
    if config.seed < 0:
        yield f"views.seed must be at least 0, not {config.seed}"


def file_faults(config: ViewsConfig, column: str | None) -> Iterator[str]:
    """Yield a line if there are no camera files, or if their column of the tables is not read."""
    if config.kind == "file" and config.file is None and column is None:
        yield (
            "views.kind file needs views.file, the path of a camera file; {id}, {stem} and "
            "{folder} stand for those of the mesh; or sources.cameras_column"
        )
    if config.kind != "file" and column is not None:
        yield (
            f"sources.cameras_column is for views.kind file, not {config.kind}; leave it out, or "
            "set views.kind: file"
        )


def elevation_faults(config: ViewsConfig) -> Iterator[str]:
    """Yield a line if hardly any random view can have such an elevation."""
    given = config.elevation_deg
    if config.kind != "random" or given is None:
        return
    try:
        band = given if isinstance(given, tuple) else (given, given)
        random_direction(config.seed, "", 0, band, config.density)
    except DatasetError as error:
        yield f"views.elevation_deg: {error}"
