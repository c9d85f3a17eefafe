"""File formats of `ddepth render`: what each one needs rendered, and how it writes a frame."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RequestError
from ..io.results.deep_exr import write_deep_exr
from ..io.results.exr import write_exr
from ..io.results.exr_file import import_openexr
from ..io.results.exr_files import LAYER_ENDING, SHEET_ENDING, write_exr_files
from ..io.results.lari import write_lari
from ..io.results.layereddepth import write_layereddepth
from ..io.results.npz import Compression, write_npz
from ..io.results.ply import write_mesh
from ..io.results.png import import_png_packages, write_photo
from ..io.results.png16 import write_png16
from ..io.results.point_clouds import write_layer_clouds, write_sheet_clouds
from ..io.results.xray import write_xray
from ..mesh.mesh import Mesh
from ..results.attributes import COLOR_ATTRIBUTES
from ..results.depth_layers import DepthLayers
from ..results.depth_maps import DepthMaps

__all__ = ["FORMATS", "Format", "FrameToWrite", "checked_formats"]


@dataclass(frozen=True, kw_only=True)
class FrameToWrite:
    """Everything rendered for one view of a mesh, and the options of its files.

    Attributes:
        target: folder and beginning of the file names.
        mesh: rendered mesh.
        maps: both sheets.
        layers: all crossings, or None if not requested.
        photo: (H, W, 4) uint8 sRGB, or None if no format needs it.
        fill: value of misses in float arrays.
        png_scale: mesh units per step of 16-bit images; None takes the format's default.
        common_scale: a scale that fits all views of the mesh.
        max_layers: number of layers in a stack; None takes the format's default.
        compression, derived, tolerance: of npz files, see `write_npz`.
    """

    target: Path
    mesh: Mesh
    maps: DepthMaps
    layers: DepthLayers | None = None
    photo: npt.NDArray[np.uint8] | None = None
    fill: float = float("nan")
    png_scale: float | None = None
    common_scale: float | None = None
    max_layers: int | None = None
    compression: Compression = "packed"
    derived: bool = False
    tolerance: float = 0.0

    def path(self, ending: str) -> Path:
        """Return the path of the file with this ending."""
        return self.target.with_name(self.target.name + ending)

    def with_only(
        self, map_attributes: Collection[str], layer_attributes: Collection[str]
    ) -> FrameToWrite:
        """Return the frame with these attributes of its maps and layers, and no others."""
        maps = {name: pair for name, pair in self.maps.attributes.items() if name in map_attributes}
        layers = self.layers
        if layers is not None:
            kept = {
                name: values
                for name, values in layers.attributes.items()
                if name in layer_attributes
            }
            layers = replace(layers, attributes=kept)
        return replace(self, maps=replace(self.maps, attributes=maps), layers=layers)

    @property
    def required_layers(self) -> DepthLayers:
        """The layers, for formats that store nothing else."""
        if self.layers is None:
            raise RequestError("this format needs all layers; render with --layers")
        return self.layers

    @property
    def stack_options(self) -> dict[str, Any]:
        """`max_layers` as a keyword argument; empty for the writer's default."""
        return {} if self.max_layers is None else {"max_layers": self.max_layers}


def _write_npz(frame: FrameToWrite) -> Iterable[Path]:
    path = frame.path("_layers.npz" if frame.layers else ".npz")
    return write_npz(
        path,
        frame.layers or frame.maps,
        fill=frame.fill,
        compression=frame.compression,
        derived=frame.derived,
        tolerance=frame.tolerance,
    )


def _write_exr(frame: FrameToWrite) -> Iterable[Path]:
    path = frame.path("_layers.exr" if frame.layers else ".exr")
    return write_exr(path, frame.layers or frame.maps, fill=frame.fill)


def _write_exr_files(frame: FrameToWrite) -> Iterable[Path]:
    return write_exr_files(frame.target, frame.layers or frame.maps, fill=frame.fill)


def _write_deep_exr(frame: FrameToWrite) -> Iterable[Path]:
    layers = frame.required_layers
    # Without all crossings it is unknown which parts are solid.
    return write_deep_exr(frame.path("_deep.exr"), layers, volumes=layers.is_complete)


def _write_ply(frame: FrameToWrite) -> Iterable[Path]:
    if frame.layers is not None:
        return write_layer_clouds(frame.target, frame.layers)
    return write_sheet_clouds(frame.target, frame.maps, frame.mesh.face_normals())


def _write_png16(frame: FrameToWrite) -> Iterable[Path]:
    scale = frame.common_scale if frame.png_scale is None else frame.png_scale
    return write_png16(frame.target, frame.maps, scale)


def _write_photo(frame: FrameToWrite) -> Iterable[Path]:
    if frame.photo is None:
        return []
    return write_photo(frame.path("_photo.png"), frame.photo, frame.maps)


def _write_mould(frame: FrameToWrite) -> Iterable[Path]:
    return write_mesh(frame.path("_mould.ply"), frame.maps.to_mesh(), frame.maps)


def _write_xray(frame: FrameToWrite) -> Iterable[Path]:
    return write_xray(frame.path("_xray.npz"), frame.required_layers, **frame.stack_options)


def _write_lari(frame: FrameToWrite) -> Iterable[Path]:
    return write_lari(frame.path("_ldi.npz"), frame.required_layers, **frame.stack_options)


def _write_layereddepth(frame: FrameToWrite) -> Iterable[Path]:
    return write_layereddepth(
        frame.target, frame.required_layers, frame.png_scale, **frame.stack_options
    )


def _most_crossings(frame: FrameToWrite) -> int:
    """Return the number of layers that the writers of one file per layer write."""
    return max(1, int(frame.required_layers.count.max(initial=0)))


def _count_exr_files(frame: FrameToWrite) -> int:
    if frame.layers is None:
        return 5 + 2 * len(frame.maps.attributes)
    return _most_crossings(frame) * (4 + len(frame.layers.attributes))


@dataclass(frozen=True)
class Format:
    """One file format.

    Attributes:
        write: writes the files of a frame and returns their paths.
        endings: regular expressions for the ends of its file names: with both sheets, with all
            layers.
        needs_layers: whether it stores all crossings and nothing else.
        is_photo: whether it shows the mesh in its colors.
        map_attributes, layer_attributes: attributes of both sheets, or of all crossings, that it
            always stores.
        default_layers: number of layers that it stores by default; None for all.
        options: names of the options in `JobOptions` that change its files.
        sheet_options: options that do so only where it stores both sheets, not all layers.
        count: number of files that `write` writes for a frame.
        check: raises OutputError if a package that it needs is missing.
    """

    write: Callable[[FrameToWrite], Iterable[Path]] = field(repr=False)
    endings: tuple[str, str]
    _: KW_ONLY
    needs_layers: bool = False
    is_photo: bool = False
    map_attributes: tuple[str, ...] = ()
    layer_attributes: tuple[str, ...] = ()
    default_layers: int | None = None
    options: tuple[str, ...] = ()
    sheet_options: tuple[str, ...] = ()
    count: Callable[[FrameToWrite], int] = lambda frame: 1
    check: Callable[[], object] = lambda: None

    def has_option(self, option: str, layers: bool) -> bool:
        """Return whether the option changes the files, with or without all layers."""
        if option == "layers" and self.needs_layers:
            return True
        return option in self.options or (not layers and option in self.sheet_options)

    def shows_colors(self, attributes: Collection[str], layers: bool) -> bool:
        """Return whether the files depend on colors, uv or textures of the mesh.

        Args:
            attributes: attributes in `JobOptions`.
            layers: whether it stores all layers where it can.
        """
        stored = set(self.layer_attributes if layers else self.map_attributes)
        if self.has_option("attributes", layers):
            stored |= set(attributes)
        return self.is_photo or not COLOR_ATTRIBUTES.isdisjoint(stored)

    def count_left_out(self, frame: FrameToWrite) -> int:
        """Return the number of crossings that the format has no room for."""
        if frame.layers is None or self.default_layers is None:
            return 0
        return int((frame.layers.layer >= (frame.max_layers or self.default_layers)).sum())


FORMATS = {
    "npz": Format(
        _write_npz,
        (r"\.npz", r"_layers\.npz"),
        options=("layers", "attributes", "compression", "derived", "tolerance"),
        sheet_options=("fill",),
    ),
    "ply": Format(
        _write_ply,
        (r"_(front|back)\.ply", r"_layer[0-9]+\.ply"),
        map_attributes=("face",),
        layer_attributes=("normal", "color"),
        options=("layers",),
        count=lambda frame: _most_crossings(frame) if frame.layers else 2,
    ),
    "png16": Format(
        _write_png16,
        (r"_(entry\.png|exit\.png|png16\.json)",) * 2,
        options=("png_scale",),
        count=lambda frame: 3,
        check=import_png_packages,
    ),
    "mould": Format(_write_mould, (r"_mould\.ply",) * 2),
    "photo": Format(
        _write_photo,
        (r"_photo\.png",) * 2,
        is_photo=True,
        options=("samples",),
        check=import_png_packages,
    ),
    "exr": Format(
        _write_exr,
        (r"\.exr", r"_layers\.exr"),
        options=("layers", "attributes", "fill"),
        check=import_openexr,
    ),
    "exr-files": Format(
        _write_exr_files,
        (SHEET_ENDING, LAYER_ENDING),
        options=("layers", "attributes", "fill"),
        count=_count_exr_files,
        check=import_openexr,
    ),
    "deepexr": Format(
        _write_deep_exr,
        (r"_deep\.exr",) * 2,
        needs_layers=True,
        options=("attributes",),
        check=import_openexr,
    ),
    "xray": Format(
        _write_xray,
        (r"_xray\.npz",) * 2,
        needs_layers=True,
        layer_attributes=("normal", "color"),
        default_layers=16,
    ),
    "lari": Format(_write_lari, (r"_ldi\.npz",) * 2, needs_layers=True, default_layers=15),
    "layereddepth": Format(
        _write_layereddepth,
        (r"\.(depth_[0-9]+\.png|layereddepth\.json)",) * 2,
        needs_layers=True,
        default_layers=8,
        options=("png_scale",),
        count=lambda frame: 1 + (frame.max_layers or 8),
        check=import_png_packages,
    ),
}


def checked_formats(names: tuple[str, ...], layers: bool) -> list[Format]:
    """Return the formats of these names.

    Args:
        names: keys of `FORMATS`.
        layers: whether all layers are rendered.

    Raises:
        RequestError: a format is unknown, given twice, or needs all layers without --layers.
    """
    for number, name in enumerate(names):
        if name not in FORMATS:
            raise RequestError(f"unknown format {name!r}; give {', '.join(FORMATS)}")
        if name in names[:number]:
            raise RequestError(f"format {name} is given twice; give it once")
        if FORMATS[name].needs_layers and not layers:
            raise RequestError(f"format {name} stores all layers; give --layers as well")
    return [FORMATS[name] for name in names]
