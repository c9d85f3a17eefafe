"""Checks of the settings of views, before any mesh is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import DatasetError
from .axes import direction_of

if TYPE_CHECKING:
    from .config import ViewsConfig

__all__ = ["check_views"]

# Settings that only some kinds read, with those kinds; their default is what others must have.
_READ_BY = {
    "azimuth_deg": ("turntable",),
    "density": ("random",),
    "upper_share": ("hammersley",),
    "file": ("file",),
}


def check_views(config: ViewsConfig) -> None:
    """Raise DatasetError if settings of views are out of range or contradict each other."""
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
            raise DatasetError(
                f"views.{name} must be a number {bounds}, or a range [low, high] of such, not "
                f"{list(value) if isinstance(value, tuple) else value}"
            )
    direction_of("views.up", config.up)
    for name, kinds in _READ_BY.items():
        is_default = getattr(config, name) == type(config).model_fields[name].default
        if not is_default and config.kind not in kinds:
            raise DatasetError(
                f"views.{name} is for kind {' or '.join(kinds)}, not {config.kind}; leave it out"
            )
    if config.kind == "file" and config.file is None:
        raise DatasetError(
            "views.kind file needs views.file, the path of a camera file; {id}, {stem} and "
            "{folder} stand for those of the mesh"
        )
    if config.seed < 0:
        raise DatasetError(f"views.seed must be at least 0, not {config.seed}")
