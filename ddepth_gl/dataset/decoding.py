"""`decoded_sample`: the arrays of a sample from its files, which may come from anywhere."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import one_line, printable
from .._packages import import_needed
from ..camera.camera import Camera
from ..errors import DatasetError, DDepthError, OutputError
from ..io.results.archive import Archive, Expected, archive_in_memory
from ..io.results.exr_chunks import check_chunks
from ..io.results.exr_file import import_openexr
from ..io.results.packing import PACKED
from ..io.results.read_npz import npz_in_memory
from ..results.attributes import ATTRIBUTES
from ..results.depth_layers import DepthLayers

__all__ = ["decoded_camera", "decoded_layers", "decoded_sample", "sample_facts"]

_MAX_JSON_BYTES = 1 << 26
_MAX_BYTES = 1 << 31  # of the arrays of a file
_MAX_PIXELS = 1 << 28
_Arrays = dict[str, npt.NDArray[Any]]
_Decoder = Callable[[str, bytes, Camera, dict[str, Any]], _Arrays]


def decoded_sample(files: Mapping[str, bytes]) -> _Arrays:
    """Return the arrays of a sample by name.

    - ``K`` (3, 3), ``camera_from_world`` (4, 4) float64.
    - ``photo`` (H, W, 4) uint8, sRGB and straight alpha.
    - ``entry``, ``exit``, ``entry_distance``, ``exit_distance``, ``thickness`` (H, W) float32, NaN
      for a miss; ``entry_NAME``, ``exit_NAME`` of the attributes normal, face and object_id.
    - ``layers_count``, ``layers_truncated`` (H, W); ``layers_depth``, ``layers_face``,
      ``layers_front_facing``, ``layers_two_sided`` (M,) and ``layers_NAME`` of attributes, as in
      `DepthLayers`.
    - ``points`` (2, N, 3), entry and exit points, world frame; ``points_normal`` (2, N, 3).
    - ``objects_object_id`` (K,), ``objects_offsets`` (K + 1,), ``objects_pixel``,
      ``objects_entry``, ``objects_exit`` (N,), see `object_sheets_bytes`.
    - ``xray`` (16, 7, H, W) float32; ``ldi``, ``ldi16`` (H, W, 15); ``layereddepth_depth``
      (8, H, W) float32, NaN for a miss; ``layereddepth_normal``, ``layereddepth_object_id``,
      ``layereddepth_material_id``; ``2k2k_depth`` (2, H, W) uint16, ``2k2k_color`` (2, H, W, 3);
      ``point_map_entry``, ``point_map_exit`` (H, W, 3), and of ``point_map16``.

    Nothing in the files is executed. Types, shapes and sizes are checked before memory is taken.

    Args:
        files: contents by ending, as in `Sample`; "json" is needed, all others may be left out.
            Files of unknown endings are ignored.

    Raises:
        DatasetError: a file is damaged or not of the size that the camera says; the message names
            it.
    """
    about = sample_facts(files)
    camera = _camera(about)
    arrays: _Arrays = {"K": camera.K, "camera_from_world": camera.camera_from_world}
    for ending, content in files.items():
        decode = _DECODERS.get(ending)
        if decode is not None:
            try:
                arrays |= decode(ending, content, camera, about)
            except DatasetError:
                raise
            except Exception as error:  # decoders of damaged files may raise anything
                raise _damaged(ending, error) from None
    for name, count in (("2k2k_depth", 2), ("2k2k_color", 2), ("layereddepth_depth", 8)):
        parts = [arrays.pop(f"{name} {number}", None) for number in range(1, count + 1)]
        if all(part is not None for part in parts):
            arrays[name] = np.stack([part for part in parts if part is not None])
    return arrays


def sample_facts(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the content of a sample's JSON file.

    Raises:
        DatasetError: it is missing or damaged.
    """
    content = files.get("json")
    if content is None:
        raise DatasetError("the sample lacks its json file; write it again with ddepth dataset")
    if len(content) > _MAX_JSON_BYTES:
        raise DatasetError(f"json: {len(content)} bytes are more than {_MAX_JSON_BYTES}")
    try:
        about = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _damaged("json", error) from None
    if not isinstance(about, dict):
        raise DatasetError("json: holds no object; write the sample again with ddepth dataset")
    return about


def decoded_camera(files: Mapping[str, bytes]) -> Camera:
    """Return the camera of a sample.

    Raises:
        DatasetError: the JSON file is missing or damaged.
    """
    return _camera(sample_facts(files))


def decoded_layers(content: bytes) -> DepthLayers:
    """Return the layers of ``layers.npz``.

    Raises:
        DatasetError: the file is damaged.
    """
    try:
        layers = npz_in_memory(content, "layers.npz", max_bytes=_MAX_BYTES)
    except DDepthError as error:
        raise DatasetError(str(error)) from None
    if not isinstance(layers, DepthLayers):
        raise DatasetError("layers.npz: holds sheets instead of layers")
    return layers


def _camera(about: Mapping[str, Any]) -> Camera:
    try:
        camera = Camera.from_dict(about["camera"])
    except Exception as error:
        raise _damaged("json", error) from None
    if camera.width * camera.height > _MAX_PIXELS:
        raise DatasetError(f"json: a camera of {camera.width}x{camera.height} pixels is too large")
    return camera


def _damaged(ending: str, error: Exception) -> DatasetError:
    text = one_line(error, 200) if isinstance(error, DDepthError) else type(error).__name__
    hint = "" if ";" in text else "; write the sample again with ddepth dataset"
    return DatasetError(f"{printable(ending)}: {text.removeprefix(ending + ': ')}{hint}")


def _pixels(content: bytes, camera: Camera, modes: tuple[str, ...]) -> npt.NDArray[Any]:
    """Return the pixels of a PNG of the camera's size; modes are Pillow's."""
    pillow = import_needed("PIL.Image", "reading PNG", DatasetError)
    with pillow.open(io.BytesIO(content), formats=["PNG"]) as image:
        if image.size != (camera.width, camera.height) or image.mode not in modes:
            raise OutputError(
                f"is an image of {image.size[0]}x{image.size[1]} pixels, {image.mode}, and not of "
                f"{camera.width}x{camera.height}, {' or '.join(modes)}"
            )
        return np.array(image)


def _photo(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> _Arrays:
    return {"photo": _pixels(content, camera, ("RGBA", "RGB"))}


_GRAY16 = ("I;16", "I;16B", "I")


def _depth_png(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> _Arrays:
    name = ending.removesuffix(".png")
    return {name: _scaled(_pixels(content, camera, _GRAY16), float(about["png16_scale"]))}


def _scaled(steps: npt.NDArray[Any], scale: float) -> npt.NDArray[np.float32]:
    return np.where(steps == 0, np.nan, steps * scale).astype(np.float32)


def _published(name: str, number: int, scale: float | None, modes: tuple[str, ...]) -> _Decoder:
    """Return the decoder of one image of a stack."""

    def decode(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> _Arrays:
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


def _sheets_npz(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> _Arrays:
    shape = camera.height, camera.width
    with archive_in_memory(content, ending) as archive:
        names = dict.fromkeys(name.removesuffix(PACKED) for name in archive.names)
        expected = {name: wanted for name in names if (wanted := _quantity(name, shape))}
        return archive.read(expected, _MAX_BYTES)


def _sheets_exr(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> _Arrays:
    exr = import_openexr()
    check_chunks(io.BytesIO(content))
    header = exr.File(io.BytesIO(content), header_only=True)
    low, high = header.header()["dataWindow"]
    size = tuple(int(side) for side in np.asarray(high) - np.asarray(low) + 1)
    if size != (camera.width, camera.height) or len(header.parts) != 1:
        raise OutputError(f"is not one image of {camera.width}x{camera.height}")
    channels = exr.File(io.BytesIO(content), separate_channels=True).channels()
    arrays: _Arrays = {}
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


def _layers_npz(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> _Arrays:
    layers = decoded_layers(content)
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


def _arrays_npz(prefix: str, wanted: Callable[[Camera, Archive], dict[str, Expected]]) -> _Decoder:
    """Return the decoder of a file whose arrays have known shapes."""

    def decode(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> _Arrays:
        with archive_in_memory(content, ending) as archive:
            values = archive.read(wanted(camera, archive), _MAX_BYTES)
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


def _objects_npz(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> _Arrays:
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


def _ldi(dtype: type[np.floating[Any]]) -> _Decoder:
    def decode(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> _Arrays:
        wanted = Expected(dtype, (camera.height, camera.width, 15))
        with archive_in_memory(content, ending) as archive:
            stack = archive.read({"ldi": wanted}, _MAX_BYTES)["ldi"]
        return {ending.removesuffix(".npz"): stack}

    return decode


def _xray(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> _Arrays:
    columns = 7 * camera.height * camera.width
    if 16 * 4 * columns > _MAX_BYTES:
        raise OutputError(f"is of too many pixels, {camera.width}x{camera.height}")
    index = np.int32 if columns <= np.iinfo(np.int32).max else np.int64
    with archive_in_memory(content, ending) as archive:
        count = archive.header("data").shape[-1:]
        wanted = {
            "data": Expected(np.float32, count),
            "indices": Expected(index, count),
            "indptr": Expected(index, (17,)),
        }
        parts = archive.read(wanted, _MAX_BYTES)
    ends, columns_of = parts["indptr"].astype(np.int64), parts["indices"].astype(np.int64)
    if (
        ends[0] != 0
        or ends[-1] != len(columns_of)
        or (np.diff(ends) < 0).any()
        or (len(columns_of) and not 0 <= columns_of.min() <= columns_of.max() < columns)
    ):
        raise OutputError("has indices that do not exist")
    dense = np.zeros((16, columns), np.float32)
    dense[np.repeat(np.arange(16), np.diff(ends)), columns_of] = parts["data"]
    return {"xray": dense.reshape(16, 7, camera.height, camera.width)}


def _points_ply(ending: str, content: bytes, camera: Camera, about: dict[str, Any]) -> _Arrays:
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


_DECODERS: dict[str, _Decoder] = {
    "photo.png": _photo,
    "sheets.npz": _sheets_npz,
    "sheets.exr": _sheets_exr,
    **dict.fromkeys(
        ("entry.png", "exit.png", "entry_distance.png", "exit_distance.png"), _depth_png
    ),
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
