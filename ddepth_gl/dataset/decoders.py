"""Decoders of each file of a sample; types, shapes and sizes are checked first."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .._packages import import_needed
from ..camera.camera import Camera
from ..errors import DatasetError, OutputError
from ..io.results.archive import Archive, Expected, archive_in_memory
from ..io.results.exr_chunks import check_chunks
from ..io.results.exr_file import import_openexr
from ..io.results.packing import PACKED
from ..io.results.read_npz import npz_in_memory
from ..results.attributes import ATTRIBUTES
from ..results.depth_layers import DepthLayers

__all__ = ["DECODERS", "MAX_BYTES", "STACKS", "Arrays", "Decoder"]

MAX_BYTES = 1 << 31  # of the arrays of a file
# Arrays made of one image for each number: their decoders return "NAME NUMBER".
STACKS = {"2k2k_depth": 2, "2k2k_color": 2, "layereddepth_depth": 8}
_DEPTH_PNGS = ("entry.png", "exit.png", "entry_distance.png", "exit_distance.png")

Arrays = dict[str, npt.NDArray[Any]]
# Takes the ending of a file, its content, the camera and the JSON file of the sample.
Decoder = Callable[[str, bytes, Camera, dict[str, Any]], Arrays]


def _pixels(content: bytes, camera: Camera, modes: tuple[str, ...]) -> npt.NDArray[Any]:
    """Return the pixels of a PNG of the camera's size; modes are Pillow's."""
    _check_png(content)
    pillow = import_needed("PIL.Image", "reading PNG", DatasetError)
    with pillow.open(io.BytesIO(content), formats=["PNG"]) as image:
        if image.size != (camera.width, camera.height) or image.mode not in modes:
            raise OutputError(
                f"is an image of {image.size[0]}x{image.size[1]} pixels, {image.mode}, and not of "
                f"{camera.width}x{camera.height}, {' or '.join(modes)}"
            )
        return np.array(image)


def _check_png(content: bytes) -> None:
    """Raise OutputError unless all chunks are there and unchanged; Pillow forgives a lot."""
    kind, position = b"", 8
    while kind != b"IEND":
        if position + 12 > len(content):
            raise OutputError("is cut short")
        size, kind = struct.unpack_from(">I4s", content, position)
        end = position + 8 + size
        checksum = zlib.crc32(memoryview(content)[position + 4 : end])
        if content[end : end + 4] != checksum.to_bytes(4, "big"):
            raise OutputError("is cut short or damaged")
        position = end + 4


def _photo(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> Arrays:
    return {"photo": _pixels(content, camera, ("RGBA", "RGB"))}


_GRAY16 = ("I;16", "I;16B", "I")


def _depth_png(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> Arrays:
    name = ending.removesuffix(".png")
    return {name: _scaled(_pixels(content, camera, _GRAY16), float(about["png16_scale"]))}


def _scaled(steps: npt.NDArray[Any], scale: float) -> npt.NDArray[np.float32]:
    return np.where(steps == 0, np.nan, steps * scale).astype(np.float32)


def _published(name: str, number: int, scale: float | None, modes: tuple[str, ...]) -> Decoder:
    """Return the decoder of one image of a stack."""

    def decode(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> Arrays:
        pixels = _pixels(content, camera, modes)
        if scale is not None:
            pixels = _scaled(pixels, scale)
        elif modes == _GRAY16:
            pixels = pixels.astype(np.uint16)
        return {f"{name} {number}": pixels}

    return decode


def _quantity(name: str, shape: tuple[int, ...]) -> Expected | None:
    """Return dtype and shape of an array of both sheets; None if there is no such array."""
    sheet, _, quantity = name.partition("_")
    if name == "thickness" or quantity in ("", "distance"):
        known = name == "thickness" or sheet in ("entry", "exit")
        return Expected(np.float32, shape) if known else None
    attribute = ATTRIBUTES.get(quantity)
    if sheet not in ("entry", "exit") or attribute is None:
        return None
    channels = (attribute.channels,) if attribute.channels else ()
    return Expected(attribute.dtype, (*shape, *channels), bool(channels))


def _sheets_npz(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> Arrays:
    shape = camera.height, camera.width
    with archive_in_memory(content, ending) as archive:
        names = dict.fromkeys(name.removesuffix(PACKED) for name in archive.names)
        expected = {name: wanted for name in names if (wanted := _quantity(name, shape))}
        return archive.read(expected, MAX_BYTES)


def _sheets_exr(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> Arrays:
    exr = import_openexr()
    check_chunks(io.BytesIO(content))
    header = exr.File(io.BytesIO(content), header_only=True)
    low, high = header.header()["dataWindow"]
    size = tuple(int(side) for side in np.asarray(high) - np.asarray(low) + 1)
    if size != (camera.width, camera.height) or len(header.parts) != 1:
        raise OutputError(f"is not one image of {camera.width}x{camera.height}")
    channels = exr.File(io.BytesIO(content), separate_channels=True).channels()
    arrays: Arrays = {}
    planes: dict[str, list[npt.NDArray[Any]]] = {}
    for name, channel in channels.items():
        stem = name.rpartition(".")[0]
        sheet, _, quantity = stem.partition(".")
        array = sheet if quantity in ("", "depth") else f"{sheet}_{quantity}"
        planes.setdefault(array, []).append(channel.pixels)
    for name, values in planes.items():
        wanted = _quantity(name, (camera.height, camera.width))
        if wanted is None:
            continue
        stacked = np.stack(values, -1) if wanted.has_channels else values[0]
        if np.dtype(wanted.dtype).kind == "i":
            stacked = stacked.view(np.int32)  # -1 for a miss
        array = stacked.astype(wanted.dtype)
        if array.shape != wanted.shape:
            raise OutputError(f"{name} must have shape {wanted.shape}, not {array.shape}")
        arrays[name] = array
    return arrays


def _layers_npz(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> Arrays:
    layers = npz_in_memory(content, ending, max_bytes=MAX_BYTES)
    if not isinstance(layers, DepthLayers):
        raise OutputError("holds sheets instead of layers")
    if layers.count.shape != (camera.height, camera.width):
        raise OutputError(f"must be of {camera.width}x{camera.height} pixels")
    names = ("count", "truncated", "depth", "face", "front_facing", "two_sided")
    return {
        f"layers_{name}": values
        for name, values in (
            *((name, getattr(layers, name)) for name in names),
            *layers.attributes.items(),
        )
    }


def _arrays_npz(prefix: str, wanted: Callable[[Camera, Archive], dict[str, Expected]]) -> Decoder:
    """Return the decoder of a file whose arrays have known shapes."""

    def decode(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> Arrays:
        with archive_in_memory(content, ending) as archive:
            values = archive.read(wanted(camera, archive), MAX_BYTES)
        return {f"{prefix}_{name}": array for name, array in values.items()}

    return decode


def _of_objects(camera: Camera, archive: Archive) -> dict[str, Expected]:
    name = "pixel"
    count = archive.header(name).shape[-1:]
    return {
        "object_id": Expected(np.int32, (None,)),
        "offsets": Expected(np.int64, (None,)),
        "pixel": Expected(np.int32, count),
        "entry": Expected(np.float32, count),
        "exit": Expected(np.float32, count),
    }


def _objects_npz(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> Arrays:
    arrays = _arrays_npz("objects", _of_objects)(ending, content, camera, about)
    offsets, pixel = arrays["objects_offsets"], arrays["objects_pixel"]
    if (
        len(offsets) != len(arrays["objects_object_id"]) + 1
        or offsets[0] != 0
        or offsets[-1] != len(pixel)
        or (np.diff(offsets) < 0).any()
        or (len(pixel) and not 0 <= pixel.min() <= pixel.max() < camera.width * camera.height)
    ):
        raise OutputError("has offsets or pixels that do not exist")
    return arrays


def _of_layereddepth(camera: Camera, archive: Archive) -> dict[str, Expected]:
    shape = 8, camera.height, camera.width
    return {
        "normal": Expected(np.float32, (*shape, 3)),
        "object_id": Expected(np.int32, shape),
        "material_id": Expected(np.int32, shape),
    }


def _of_points(dtype: type[np.floating[Any]]) -> Callable[[Camera, Archive], dict[str, Expected]]:
    def wanted(camera: Camera, archive: Archive) -> dict[str, Expected]:
        points = Expected(dtype, (camera.height, camera.width, 3))
        return {"entry": points, "exit": points}

    return wanted


def _ldi(dtype: type[np.floating[Any]]) -> Decoder:
    def decode(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> Arrays:
        wanted = Expected(dtype, (camera.height, camera.width, 15))
        with archive_in_memory(content, ending) as archive:
            stack = archive.read({"ldi": wanted}, MAX_BYTES)["ldi"]
        return {ending.removesuffix(".npz"): stack}

    return decode


def _xray(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> Arrays:
    columns = 7 * camera.height * camera.width
    if 16 * 4 * columns > MAX_BYTES:
        raise OutputError(f"is of too many pixels, {camera.width}x{camera.height}")
    index = np.int32 if columns <= np.iinfo(np.int32).max else np.int64
    with archive_in_memory(content, ending) as archive:
        count = archive.header("data").shape[-1:]
        wanted = {
            "data": Expected(np.float32, count),
            "indices": Expected(index, count),
            "indptr": Expected(index, (17,)),
            "shape": Expected(np.int64, (2,)),
        }
        parts = archive.read(wanted, MAX_BYTES)
    ends, columns_of = parts["indptr"].astype(np.int64), parts["indices"].astype(np.int64)
    if (
        parts["shape"].tolist() != [16, columns]
        or ends[0] != 0
        or ends[-1] != len(columns_of)
        or (np.diff(ends) < 0).any()
        or (len(columns_of) and not 0 <= columns_of.min() <= columns_of.max() < columns)
    ):
        raise OutputError(f"has indices that do not exist in 16 layers of {columns // 7} pixels")
    dense = np.zeros((16, columns), np.float32)
    dense[np.repeat(np.arange(16), np.diff(ends)), columns_of] = parts["data"]
    return {"xray": dense.reshape(16, 7, camera.height, camera.width)}


def _points_ply(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> Arrays:
    """Decode what `ply_bytes` writes of both sheets, and nothing else."""
    end = content.find(b"end_header\n", 0, 1 << 16)
    lines = content[: max(end, 0)].decode("ascii").splitlines()
    if lines[:2] != ["ply", "format binary_little_endian 1.0"]:
        raise OutputError("is not a PLY file of ddepth_gl")
    words = [line.split() for line in lines if not line.startswith("comment ")]
    counts = [int(each[2]) for each in words if each[:2] == ["element", "vertex"]]
    kinds = {"float": "<f4", "double": "<f8"}
    types = [(each[2], kinds[each[1]]) for each in words if each[:1] == ["property"]]
    names = ["x", "y", "z", "nx", "ny", "nz"]
    if [name for name, _ in types] != names or len(counts) != 1 or counts[0] % 2:
        raise OutputError("must hold x y z nx ny nz of an even number of vertices")
    rows = np.frombuffer(content[end + len(b"end_header\n") :], np.dtype(types))
    if len(rows) != counts[0]:
        raise OutputError(f"must hold {counts[0]} vertices, not {len(rows)}")
    points, normals = (
        np.stack([rows[name] for name in group], -1).reshape(2, -1, 3)
        for group in (names[:3], names[3:])
    )
    return {"points": points, "points_normal": normals}


DECODERS: dict[str, Decoder] = {
    "photo.png": _photo,
    "sheets.npz": _sheets_npz,
    "sheets.exr": _sheets_exr,
    **dict.fromkeys(_DEPTH_PNGS, _depth_png),
    "layers.npz": _layers_npz,
    "points.ply": _points_ply,
    "objects.npz": _objects_npz,
    "xray.npz": _xray,
    "ldi.npz": _ldi(np.float32),
    "ldi16.npz": _ldi(np.float16),
    **{
        f"depth_{number}.png": _published("layereddepth_depth", number, 0.001, _GRAY16)
        for number in range(1, 9)
    },
    "layereddepth.npz": _arrays_npz("layereddepth", _of_layereddepth),
    **{
        f"{kind}_{name}.png": _published(f"2k2k_{kind}", number, None, modes)
        for kind, modes in (("depth", _GRAY16), ("color", ("RGB",)))
        for number, name in ((1, "front"), (2, "back"))
    },
    "point_map.npz": _arrays_npz("point_map", _of_points(np.float32)),
    "point_map16.npz": _arrays_npz("point_map16", _of_points(np.float16)),
}
