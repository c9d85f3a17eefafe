"""`decoded_sample`: the arrays of a sample from its files, which may come from anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._checks import one_line, printable
from ..camera.camera import Camera
from ..errors import DatasetError, DDepthError, OutputError
from ..io.results.read_npz import npz_in_memory
from ..results.attributes import ATTRIBUTES
from ..results.depth_layers import DepthLayers
from ..results.depth_maps import DepthMaps, SheetPair
from .decoders import DECODERS, MAX_BYTES, STACKS, Arrays

__all__ = ["decoded_camera", "decoded_layers", "decoded_maps", "decoded_sample", "sample_facts"]

_MAX_JSON_BYTES = 1 << 26
_MAX_PIXELS = 1 << 28
_OF_SHEETS = (
    "json", "sheets.npz", "sheets.exr", "entry.png", "exit.png",
    "entry_distance.png", "exit_distance.png",
)  # fmt: skip


def decoded_sample(files: Mapping[str, bytes]) -> Arrays:
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
    arrays: Arrays = {"K": camera.K, "camera_from_world": camera.camera_from_world}
    for ending, content in files.items():
        decode = DECODERS.get(ending)
        if decode is not None:
            try:
                arrays |= decode(ending, content, camera, about)
            except DatasetError:
                raise
            except Exception as error:  # decoders of damaged files may raise anything
                raise _damaged(ending, error) from None
    for name, count in STACKS.items():
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


def decoded_maps(files: Mapping[str, bytes]) -> DepthMaps:
    """Return both sheets of a sample with their attributes, whatever codec they are in.

    Raises:
        DatasetError: the sample has no depths, or see `decoded_sample`.
    """
    arrays = decoded_sample({name: files[name] for name in files if name in _OF_SHEETS})
    if not {"entry", "exit"} <= set(arrays):
        raise DatasetError("the sample has no entry and exit; render the data set with depth")
    pairs = {
        name: SheetPair(arrays[f"entry_{name}"], arrays[f"exit_{name}"])
        for name in ATTRIBUTES
        if f"entry_{name}" in arrays and f"exit_{name}" in arrays
    }
    surfaces = sample_facts(files).get("facts", {}).get("surfaces")
    known = surfaces if surfaces in ("oriented", "any", "mixed") else None
    return DepthMaps(arrays["entry"], arrays["exit"], decoded_camera(files), pairs, {}, known)


def decoded_layers(content: bytes) -> DepthLayers:
    """Return the layers of ``layers.npz``.

    Raises:
        DatasetError: the file is damaged.
    """
    try:
        layers = npz_in_memory(content, "layers.npz", max_bytes=MAX_BYTES)
        if not isinstance(layers, DepthLayers):
            raise OutputError("holds sheets instead of layers")
    except DDepthError as error:
        raise _damaged("layers.npz", error) from None
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
    text = text.removeprefix(ending).lstrip(": ")
    return DatasetError(f"{printable(ending)}: {text}{hint}")
