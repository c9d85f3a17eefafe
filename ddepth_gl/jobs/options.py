"""The options of one run of `ddepth render`, checked before anything is rendered."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from .._checks import (
    MAX_SAMPLES,
    checked_choice,
    checked_count,
    checked_flag,
    checked_float32,
    checked_number,
    shown,
)
from ..errors import RequestError
from ..io.results.npz import COMPRESSIONS, Compression
from ..io.results.quantization import checked_scale
from ..io.results.rounding import checked_tolerance
from ..renderer import Surfaces
from ..results.attributes import checked_names
from ..results.plots import check_matplotlib
from .formats import FORMATS, Format, checked_formats

__all__ = ["JobOptions"]

_SURFACES = get_args(Surfaces)


@dataclass(frozen=True, kw_only=True)
class JobOptions:
    """Options of a run: what to render and which files to write, checked before rendering.

    Attributes:
        folder: existing output folder.
        formats: keys of `FORMATS`, each once.
        surfaces: see `DepthRenderer.entry_exit`.
        near, far: crop, mesh units.
        fill: value of misses in exr files, and in npz files of both sheets.
        png_scale: mesh units per step of 16-bit PNG; None chooses one that fits all images of a
            mesh.
        preview: whether to write one preview image per mesh.
        layers: whether to render all layers besides both sheets.
        max_layers: number of crossings to keep per pixel, nearest first; None keeps all.
        memory_limit: limit in bytes for the crossings of an image; see `DepthRenderer.peel`.
        attributes: attributes to store for each crossing; see `DepthRenderer.entry_exit`.
        samples: samples of the photo along each side of a pixel.
        compression, derived, tolerance: of npz files, see `write_npz`.
        overwrite: whether to replace files that were not written from the same mesh.
        skip_existing: whether to leave out views whose files are all there, whole, and written
            from the same mesh, cameras and options by this version of the package. Files of other
            options are replaced.

    Raises:
        RequestError: an option is out of range, contradicts another one, or has no effect on the
            formats.
        OutputError: a package that a format needs is not installed. For the preview,
            `check_preview` raises it.
    """

    folder: Path
    formats: tuple[str, ...] = ("npz",)
    surfaces: Surfaces = "auto"
    near: float | None = None
    far: float | None = None
    fill: float = float("nan")
    png_scale: float | None = None
    preview: bool = True
    layers: bool = False
    max_layers: int | None = None
    memory_limit: int | None = None
    attributes: tuple[str, ...] = ()
    samples: int = 1
    compression: Compression = "packed"
    derived: bool = False
    tolerance: float = 0.0
    overwrite: bool = False
    skip_existing: bool = False

    def __post_init__(self) -> None:
        if self.overwrite and self.skip_existing:
            raise RequestError(
                "--skip-existing keeps files and --overwrite replaces them; give one of them"
            )
        checked_formats(self.formats, self.layers)
        checked_names(self.attributes)
        if self.surfaces not in _SURFACES:
            expected = f"{', '.join(_SURFACES[:-1])} or {_SURFACES[-1]}"
            raise RequestError(f"--surfaces must be {expected}, not {shown(self.surfaces)}")
        checked_float32("--fill", self.fill)
        checked_choice("--compression", self.compression, COMPRESSIONS)
        checked_flag("--derived", self.derived)
        checked_tolerance("--tolerance", self.tolerance)
        checked_count("--samples", self.samples, MAX_SAMPLES)
        for option, value in (
            ("--max-layers", self.max_layers),
            ("--memory-limit", self.memory_limit),
        ):
            if value is not None:
                checked_count(option, value)
                if not self.layers:
                    raise RequestError(f"{option} has no effect without --layers; give both")
        if self.png_scale is not None:
            checked_scale(self.png_scale, "--png-scale")
        self._check_crop()
        if not self.formats and not self.preview:
            raise RequestError(
                f"nothing to write: no format and no preview; give {', '.join(FORMATS)}"
            )
        self._check_effects()
        for chosen in self._chosen_formats:
            chosen.check()

    def check_preview(self) -> None:
        """Raise OutputError if a preview is to be written and matplotlib is not installed."""
        if self.preview:
            check_matplotlib()

    def _check_crop(self) -> None:
        """Raise RequestError unless 0 <= near < far."""
        crop = {
            f"--{name}": checked_number(f"--{name}", value)
            for name, value in (("near", self.near), ("far", self.far))
            if value is not None
        }
        if not 0.0 <= crop.get("--near", 0.0) < crop.get("--far", math.inf):
            given = " ".join(f"{option} {number:g}" for option, number in crop.items())
            raise RequestError(f"depths to crop at must satisfy 0 <= near < far, not {given}")

    @property
    def _chosen_formats(self) -> list[Format]:
        return [FORMATS[name] for name in self.formats]

    @property
    def formats_of_layers(self) -> list[str]:
        """Formats that hold all layers, and would hold both sheets without `layers`."""
        return [
            name
            for name, chosen in zip(self.formats, self._chosen_formats, strict=True)
            if self.layers and chosen.has_option("layers", True) and not chosen.needs_layers
        ]

    @property
    def shows_colors(self) -> bool:
        """True if anything to be written depends on colors, uv or textures of the mesh."""
        return self.preview or any(
            chosen.shows_colors(self.attributes, self.layers) for chosen in self._chosen_formats
        )

    def _check_effects(self) -> None:
        """Raise RequestError if an option is given that has no effect on any of the formats."""
        is_given = {
            "layers": self.layers and not self.preview,  # the preview shows layers
            "fill": not math.isnan(self.fill),
            "png_scale": self.png_scale is not None,
            "attributes": bool(self.attributes),
            "samples": self.samples != 1,
            "compression": self.compression != "packed",
            "derived": self.derived,
            "tolerance": self.tolerance != 0.0,
        }
        for option, given in is_given.items():
            has_effect = any(
                chosen.has_option(option, self.layers) for chosen in self._chosen_formats
            )
            if has_effect or not given:
                continue
            flag = "--" + option.replace("_", "-")
            written = ", ".join(self.formats) or "the preview"
            if self.layers and option != "layers":
                written += " with --layers"
            suitable = [
                name for name, other in FORMATS.items() if other.has_option(option, self.layers)
            ]
            raise RequestError(
                f"{flag} has no effect on {written}; it is for {', '.join(suitable)}: "
                f"add one of them to --format, or leave {flag} out"
            )
