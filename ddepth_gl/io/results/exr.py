"""OpenEXR: both sheets in one picture, one part a layer, or deep with one sample a crossing."""

from __future__ import annotations

import io
import os
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._checks import checked_flag
from ...errors import OutputError, RequestError
from ...results.attributes import ATTRIBUTES
from ...results.depth_layers import DepthLayers
from ...results.depth_maps import DepthMaps
from .atomic import file_path, whole_file
from .contents import FRAMES, check_is, checked_fill, filled, provenance

__all__ = ["NOTHING", "openexr", "write_deep_exr", "write_exr"]

NOTHING = 2**32 - 1  # what a channel of integers holds where there is none: -1 in 32 bits

# The base names of a quantity's channels, by their number. V ("value") is what Blender calls a lone one.
_CHANNELS = {1: "V", 2: "UV", 3: "XYZ", 4: "RGBA"}

# Multiplied by their alpha.
_COLORS = ("color", "shaded_color")

# OpenEXR's worldToCamera is left-handed with y up; ours is right-handed with y down.
_FLIP_Y = np.diag([1.0, -1.0, 1.0, 1.0])

_FLAT = (
    "Channels are SHEET.QUANTITY.CHANNEL, or QUANTITY.CHANNEL in a part per layer, nearest crossings first. "
    "Misses hold fill, or 4294967295 in channels of integers. Colors are multiplied by alpha."
)
_DEEP = (
    "One sample a crossing, nearest first. Z is its depth, ZBack the depth to which the solid behind it "
    "reaches, equal to Z where there is none. id is object_id. Colors are multiplied by alpha."
)


def write_exr(
    path: str | os.PathLike[str], result: DepthMaps | DepthLayers, *, fill: float = float("nan")
) -> None:
    """Writes one image as a flat EXR, lossless: float32 channels, and uint32 for integers.

    Of DepthMaps one part, with channels named ``SHEET.QUANTITY.CHANNEL``. Sheets are ``entry`` and ``exit``;
    quantities are ``depth`` (channel Z), ``distance`` (V) and the attributes that the maps have: normal,
    smooth_normal, barycentric, position (X, Y, Z), uv (U, V), color (R, G, B, A), face, object_id (V); and
    ``thickness.V``. So Blender finds a layer for each sheet with a pass for each quantity, whoever follows
    OpenEXR's own rule a layer for each quantity, and ``entry.depth.Z`` is what its name says.

    Of DepthLayers one part for each layer, nearest first, at least one: parts are named ``layer01``,
    ``layer02``, ...; their channels are ``QUANTITY.CHANNEL`` with the same quantities, ``face.V`` always, and
    ``front_facing.V``, 0 or 1. Blender puts the name of the part before those of its channels.

    Colors are linear and, as is EXR's rule, multiplied by alpha. Each part's header holds ``K`` (m33d) and
    ``camera_from_world`` (m44d), both as they are printed in mathematics; ``is_orthographic`` (int), ``fill``
    (float), ``conventions`` and ``software`` (string), and of a rendered image ``renderer``, ``gl_version``
    and ``engine`` (string); of layers ``truncated_pixels`` (int), how many pixels
    `max_layers` cut short; and OpenEXR's own ``worldToCamera`` (m44f: left-handed, y up, for row vectors).

    Args:
        path: of the file; replaced as a whole.
        result: what to write.
        fill: what float channels hold where there is no value. Integers hold 4294967295, -1 in 32 bits.

    Raises:
        OutputError: the package OpenEXR is not installed, a face index does not fit into 32 bits, float32
            cannot hold `fill`, or the file cannot be written.
    """
    check_is(result, DepthMaps, DepthLayers)
    file_path(path)
    exr = openexr()
    miss = checked_fill(fill)
    header = {
        "compression": exr.ZIP_COMPRESSION,
        "type": exr.scanlineimage,
        "fill": float(miss),
        **_about(result, _FLAT),
    }
    if isinstance(result, DepthLayers):
        header["truncated_pixels"] = int(result.truncated.sum())
        parts = [
            exr.Part(dict(header), channels, name=f"layer{number:02d}")
            for number, channels in enumerate(_layer_channels(result, miss), start=1)
        ]
        _write(path, exr.File(parts))
    else:
        _write(path, exr.File(header, _sheet_channels(result, miss)))


def write_deep_exr(
    path: str | os.PathLike[str], layers: DepthLayers, *, volumes: bool = True
) -> None:
    """Writes all crossings as a deep scan line EXR: one sample a crossing, nearest first.

    After "Interpreting OpenEXR Deep Pixels" and the reserved names of OpenEXR's "Technical Introduction":

    - ``Z`` is the crossing's z-depth. ``ZBack`` is how far the solid behind it reaches: for an entry the
      depth of its exit, or of the next crossing if bodies overlap or are nested; for an exit that leaves
      the solid it equals ``Z``. So an entry is a volume sample of the solid up to its exit, an exit is a
      point sample, volumes of a pixel do not overlap, and together they cover what `solid_length` measures
      from the first crossing on.
    - ``A`` is 1, or the alpha of the attribute color; ``R``, ``G``, ``B`` are its color, linear, multiplied
      by alpha. ``id`` (uint32) is the attribute object_id.
    - ``distance.V``, ``face.V`` (uint32), ``front_facing.V`` (uint32, 0 or 1) and the other attributes are
      named as in `write_exr`, and so is the header. Everything but integers is float32.

    Args:
        path: of the file; replaced as a whole.
        layers: what to write; meant for closed meshes, see `DepthLayers.odd`.
        volumes: False leaves ``ZBack`` out: surfaces only, every sample a point sample.

    Raises:
        OutputError: the package OpenEXR is not installed; crossings were cut away by `max_layers`, `near` or
            `far`, so that what is solid is unknown; a face index does not fit into 32 bits; or the file
            cannot be written.
    """
    check_is(layers, DepthLayers)
    file_path(path)
    exr = openexr()
    checked_flag("volumes", volumes, OutputError)
    columns: dict[str, npt.NDArray[Any]] = {"Z": layers.depth}
    if volumes:
        try:
            columns["ZBack"] = _solid_back(layers)
        except RequestError as error:
            raise OutputError(f"{os.fspath(path)}: {error}, or write without volumes") from error
    columns["A"] = np.ones_like(layers.depth)
    named: dict[str, npt.NDArray[Any]] = {
        "distance": layers.distance,
        "face": layers.face,
        "front_facing": layers.front_facing,
        **layers.attributes,
    }
    for name, values in named.items():
        planes = _planes(name, values)
        if name == "color":
            columns |= {channel.rpartition(".")[2]: plane for channel, plane in planes.items()}
            columns["A"] = np.clip(
                columns["A"], 0.0, 1.0
            )  # interpolation may overshoot by a rounding
        elif name == "object_id":
            columns["id"] = planes["object_id.V"]
        else:
            columns |= planes
    header = {
        "compression": exr.ZIPS_COMPRESSION,  # of the lossless ones, deep files take this or run lengths
        "type": exr.deepscanline,
        "truncated_pixels": int(layers.truncated.sum()),
        **_about(layers, _DEEP),
    }
    pixels = np.flatnonzero(layers.count)
    samples = list(map(slice, layers.offsets[pixels].tolist(), layers.offsets[pixels + 1].tolist()))
    shape = layers.camera.height, layers.camera.width
    channels = {name: _deep(values, shape, pixels, samples) for name, values in columns.items()}
    _write(path, exr.File(header, channels))


def openexr() -> ModuleType:
    """The package OpenEXR, which is an extra.

    Raises:
        OutputError: it is not installed, or too old.
    """
    try:
        import OpenEXR
    except ImportError as error:
        raise OutputError(
            f"writing EXR needs the package OpenEXR ({error}); "
            'run pip install ".[exr]" in the source folder of ddepth_gl'
        ) from error
    module: ModuleType = OpenEXR
    if tuple(map(int, module.__version__.split(".")[:2])) < (3, 5):
        raise OutputError(
            f"writing EXR needs OpenEXR 3.5 or later, not {module.__version__}; "
            'run pip install --upgrade ".[exr]" in the source folder of ddepth_gl'
        )
    return module


def _write(path: str | os.PathLike[str], exr: Any) -> None:
    # Into memory: OpenEXR fills in its table of offsets last, and says nothing if the disk is full by then.
    stream = io.BytesIO()
    exr.write(stream)
    with whole_file(path) as file:
        file.write(stream.getbuffer())


def _about(result: DepthMaps | DepthLayers, channels: str) -> dict[str, Any]:
    camera, texts = result.camera, provenance(result)
    return {
        "K": np.array(camera.K),
        "camera_from_world": np.array(camera.camera_from_world),
        "is_orthographic": int(camera.is_orthographic),
        "worldToCamera": np.ascontiguousarray(
            (_FLIP_Y @ camera.camera_from_world).T, dtype=np.float32
        ),
        "conventions": FRAMES + channels,
        "software": texts.pop("version"),  # `version` is that of the file format
        **texts,
    }


def _sheet_channels(maps: DepthMaps, fill: np.float32) -> dict[str, npt.NDArray[Any]]:
    sheets: dict[str, dict[str, npt.NDArray[Any]]] = {
        "entry": {"depth": maps.entry, "distance": maps.entry_distance},
        "exit": {"depth": maps.exit, "distance": maps.exit_distance},
    }
    for name, pair in maps.attributes.items():
        sheets["entry"][name], sheets["exit"][name] = pair
    channels = _planes("thickness", filled(maps.thickness, fill))
    for sheet, quantities in sheets.items():
        for name, values in quantities.items():
            planes = _planes(name, values)
            channels |= {
                f"{sheet}.{channel}": filled(plane, fill) for channel, plane in planes.items()
            }
    return channels


def _layer_channels(layers: DepthLayers, fill: np.float32) -> list[dict[str, npt.NDArray[Any]]]:
    """The channels of each part."""
    count = max(1, int(layers.count.max(initial=0)))
    parts: list[dict[str, npt.NDArray[Any]]] = [{} for _ in range(count)]
    for name in ("depth", "distance", "face", "front_facing", *layers.attributes):
        for part, values in zip(parts, layers.dense(name, count), strict=True):
            part |= {
                channel: filled(plane, fill) for channel, plane in _planes(name, values).items()
            }
    for number, part in enumerate(parts):
        part["front_facing.V"][layers.count <= number] = (
            NOTHING  # which has no value of its own for none
        )
    return parts


def _planes(name: str, values: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """The channels ``NAME.CHANNEL`` of one quantity, contiguous, float32 or uint32; copied only where needed.

    Args:
        name: of the quantity.
        values: (...) of a lone number, or (..., channels) of an attribute that has some.
    """
    several = name in ATTRIBUTES and ATTRIBUTES[name].channels > 0
    planes = np.moveaxis(values, -1, 0) if several else values[None]
    kind = np.float32 if values.dtype.kind == "f" else np.uint32
    if kind is np.uint32 and values.max(initial=0) >= NOTHING:
        raise OutputError(f"{name} {values.max()} does not fit into the 32 bits of EXR; write npz")
    bases = "Z" if name == "depth" else _CHANNELS[len(planes)]
    return {
        f"{name}.{base}": np.ascontiguousarray(
            plane * planes[3] if name in _COLORS and base != "A" else plane, dtype=kind
        )
        for base, plane in zip(bases, planes, strict=True)
    }


def _solid_back(layers: DepthLayers) -> npt.NDArray[np.float32]:
    """(M,) float32: the depth of the next crossing where the solid is behind this one, else its own."""
    inside, _ = layers.nesting
    # A ray ends outside of every body, so where it is inside there is a next crossing of the same pixel.
    following = np.append(layers.depth[1:], np.float32(0.0))
    return np.where(inside > 0, following, layers.depth)


def _deep(
    values: npt.NDArray[Any],
    shape: tuple[int, int],
    pixels: npt.NDArray[np.intp],
    samples: list[slice],
) -> npt.NDArray[np.object_]:
    """(H, W) arrays of the samples of each pixel, None where there are none, as OpenEXR takes them.

    Args:
        values: (M,) of all crossings.
        shape: of the image.
        pixels: (N,) those that have crossings.
        samples: N slices of `values`.
    """
    image = np.full(shape, None)
    # OpenEXR learns the type from the first array: an image without any crossing needs one, if empty.
    image.flat[0] = values[:0]
    # An array object a pixel and channel is what takes the time, here and in OpenEXR, so no loop in Python.
    image.flat[pixels] = np.fromiter(map(values.__getitem__, samples), object, len(samples))
    return image
