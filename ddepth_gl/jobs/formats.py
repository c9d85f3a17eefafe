"""The file formats of `ddepth render`: what each needs to be rendered, and how one view becomes its files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import RequestError
from ..io.results.contents import Rendered, provenance
from ..io.results.exr import openexr, write_deep_exr, write_exr
from ..io.results.lari import write_lari
from ..io.results.layereddepth import write_layereddepth
from ..io.results.npz import write_npz
from ..io.results.ply import coordinate_type, sheet_normals, write_layer_clouds, write_ply
from ..io.results.png import write_png
from ..io.results.png16 import write_png16
from ..io.results.xray import write_xray
from ..mesh.mesh import Mesh
from ..results.depth_layers import DepthLayers
from ..results.depth_maps import DepthMaps

__all__ = ["FORMATS", "Format", "View", "checked_formats", "write_mesh"]


@dataclass(frozen=True, kw_only=True)
class View:
    """One view of a mesh, rendered.

    Attributes:
        target: the files' folder and the beginning of their names.
        mesh: what was rendered.
        maps: its two sheets.
        layers: all crossings, or None if they were not asked for.
        photo: (H, W, 4) uint8 sRGB, or None if no format needs it.
        fill: what float arrays hold where there is no value.
        png_scale: mesh units per step of 16-bit pictures; None takes the format's own choice.
        common_scale: one that fits all views of the mesh.
        max_layers: height of stacks; None takes the format's own choice.
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

    def file(self, ending: str) -> Path:
        """The file with this ending."""
        return self.target.with_name(self.target.name + ending)

    def with_only(self, of_maps: Collection[str], of_layers: Collection[str]) -> View:
        """The view with these attributes of its results and no others."""
        maps = {name: pair for name, pair in self.maps.attributes.items() if name in of_maps}
        layers = self.layers
        if layers is not None:
            kept = {name: values for name, values in layers.attributes.items() if name in of_layers}
            layers = replace(layers, attributes=kept)
        return replace(self, maps=replace(self.maps, attributes=maps), layers=layers)

    @property
    def all_layers(self) -> DepthLayers:
        """The layers, for formats that need them."""
        if self.layers is None:
            raise RequestError("this format needs all layers; render with --layers")
        return self.layers

    @property
    def stack_height(self) -> dict[str, Any]:
        """`max_layers` as an argument, if it was given."""
        return {} if self.max_layers is None else {"max_layers": self.max_layers}


def _npz(view: View) -> Iterator[Path]:
    path = view.file("_layers.npz" if view.layers else ".npz")
    write_npz(path, view.layers or view.maps, fill=view.fill)
    yield path


def _exr(view: View) -> Iterator[Path]:
    path = view.file("_layers.exr" if view.layers else ".exr")
    write_exr(path, view.layers or view.maps, fill=view.fill)
    yield path


def _deep_exr(view: View) -> Iterator[Path]:
    layers, path = view.all_layers, view.file("_deep.exr")
    # What is solid is known only of all crossings.
    write_deep_exr(path, layers, volumes=layers.is_complete)
    yield path


def _ply(view: View) -> Iterator[Path]:
    if view.layers is not None:
        yield from write_layer_clouds(view.target, view.layers)
        return
    maps = view.maps
    clouds = maps.points(frame="world", dtype=np.float64)
    along_ray = maps.camera.rays()[1][maps.mask]
    normals = view.mesh.face_normals()
    sheets = (
        ("_front.ply", clouds.front, maps.entry_face, -along_ray),
        ("_back.ply", clouds.back, maps.exit_face, along_ray),
    )
    for ending, points, faces, outward in sheets:
        path, kind = view.file(ending), coordinate_type(points)
        outward = sheet_normals(normals, faces[maps.mask], toward=outward)
        write_ply(path, points.astype(kind), normals=outward, rendered=maps)
        yield path


def _png16(view: View) -> Iterator[Path]:
    scale = view.common_scale if view.png_scale is None else view.png_scale
    yield from write_png16(view.target, view.maps, scale)


def _photo(view: View) -> Iterator[Path]:
    path = view.file("_photo.png")
    if view.photo is not None:
        write_png(path, view.photo, provenance(view.maps))
        yield path


def _mould(view: View) -> Iterator[Path]:
    path = view.file("_mould.ply")
    write_mesh(path, view.maps.to_mesh(), view.maps)
    yield path


def _xray(view: View) -> Iterator[Path]:
    path = view.file("_xray.npz")
    write_xray(path, view.all_layers, **view.stack_height)
    yield path


def _lari(view: View) -> Iterator[Path]:
    path = view.file("_ldi.npz")
    write_lari(path, view.all_layers, **view.stack_height)
    yield path


def _layereddepth(view: View) -> Iterator[Path]:
    yield from write_layereddepth(view.target, view.all_layers, view.png_scale, **view.stack_height)


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        write: writes a view's files and gives their paths.
        endings: of the names of its files, as regular expressions: of the two sheets, of all layers.
        needs_layers: whether it stores all crossings and nothing else.
        of_maps, of_layers: attributes that it always stores of the two sheets, or of all crossings.
        height: how many layers it stores unless told otherwise; None for all.
        options: names of the options of a `RenderJob` that change what it stores.
        options_of_sheets: those that do so only where it stores the two sheets, not all layers.
        check: raises OutputError if a package that it needs is missing.
    """

    write: Callable[[View], Iterator[Path]] = field(repr=False)
    endings: tuple[str, str]
    _: KW_ONLY
    needs_layers: bool = False
    of_maps: tuple[str, ...] = ()
    of_layers: tuple[str, ...] = ()
    height: int | None = None
    options: tuple[str, ...] = ()
    options_of_sheets: tuple[str, ...] = ()
    check: Callable[[], object] = lambda: None

    def takes(self, option: str, layers: bool) -> bool:
        """Whether the option changes what the format stores, with or without all layers."""
        if option == "layers" and self.needs_layers:
            return True
        return option in self.options or (not layers and option in self.options_of_sheets)

    def left_out(self, view: View) -> int:
        """How many crossings of a view the format has no room for."""
        if view.layers is None or self.height is None:
            return 0
        return int((view.layers.layer >= (view.max_layers or self.height)).sum())


FORMATS = {
    "npz": Format(
        _npz,
        (r"\.npz", r"_layers\.npz"),
        options=("layers", "attributes"),
        options_of_sheets=("fill",),
    ),
    "ply": Format(
        _ply,
        (r"_(front|back)\.ply", r"_layer[0-9]+\.ply"),
        of_maps=("face",),
        of_layers=("normal", "color"),
        options=("layers",),
    ),
    "png16": Format(_png16, (r"_(entry\.png|exit\.png|png16\.json)",) * 2, options=("png_scale",)),
    "mould": Format(_mould, (r"_mould\.ply",) * 2),
    "photo": Format(_photo, (r"_photo\.png",) * 2, options=("samples",)),
    "exr": Format(
        _exr, (r"\.exr", r"_layers\.exr"), options=("layers", "attributes", "fill"), check=openexr
    ),
    "deepexr": Format(
        _deep_exr, (r"_deep\.exr",) * 2, needs_layers=True, options=("attributes",), check=openexr
    ),
    "xray": Format(
        _xray, (r"_xray\.npz",) * 2, needs_layers=True, of_layers=("normal", "color"), height=16
    ),
    "lari": Format(_lari, (r"_ldi\.npz",) * 2, needs_layers=True, height=15),
    "layereddepth": Format(
        _layereddepth,
        (r"\.(depth_[0-9]+\.png|layereddepth\.json)",) * 2,
        needs_layers=True,
        height=8,
        options=("png_scale",),
    ),
}


def checked_formats(names: tuple[str, ...], layers: bool) -> list[Format]:
    """The formats of these names.

    Raises:
        RequestError: there is no such format, it is given twice, or it needs all layers and they are not
            asked for.
    """
    for number, name in enumerate(names):
        if name not in FORMATS:
            raise RequestError(f"unknown format {name!r}; give {', '.join(FORMATS)}")
        if name in names[:number]:
            raise RequestError(f"format {name} is given twice; give it once")
        if FORMATS[name].needs_layers and not layers:
            raise RequestError(f"format {name} stores all layers; give --layers as well")
    return [FORMATS[name] for name in names]


def write_mesh(path: Path, mesh: Mesh, rendered: Rendered | None = None) -> None:
    """Writes a Mesh with its vertex colors as binary PLY; for `rendered` see `write_ply`."""
    vertices = mesh.vertices.astype(coordinate_type(mesh.vertices))
    write_ply(path, vertices, colors=mesh.colors, faces=mesh.faces, rendered=rendered)
