"""Reading of the archives that `write_npz` writes."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._checks import checked_choice, checked_count, checked_min_gap
from ...camera.camera import Camera
from ...errors import OutputError
from ...results.attributes import ATTRIBUTES, Attribute
from ...results.depth_layers import DepthLayers
from ...results.depth_maps import DepthMaps, SheetPair
from ...results.mesh_facts import DecidedSurfaces, FaceKinds, StoredFacts
from ..file_names import checked_path
from .archive import Archive, Expected, archive_in_memory, opened_archive
from .npz import LAYOUT, MISSING, SURFACES, TEXTS
from .packing import PACKED, from_layers

__all__ = ["load_npz", "npz_in_memory"]

# Arrays that tell the layouts of other writers.
_OTHER_LAYOUTS = {
    "X-Ray": ("data", "indices", "indptr", "shape"),
    "LaRI": ("ldi",),
}
_CAMERA = {
    "K": Expected(np.float64, (3, 3)),
    "camera_from_world": Expected(np.float64, (4, 4)),
    "width": Expected(np.int64),
    "height": Expected(np.int64),
    "is_orthographic": Expected(np.bool_),
}
_SHEETS = ("entry", "exit")


def load_npz(path: str | os.PathLike[str], *, max_bytes: int = 1 << 32) -> DepthMaps | DepthLayers:
    """Load one image that `write_npz` wrote, with its camera, attributes and provenance.

    Every array equals the array that was written, bit for bit, but for depths that were written
    with a tolerance; a `fill` is turned back into NaN. Files of all versions of ddepth_gl can be
    loaded. Those of 0.1.0 and 0.2.0 (layout 1) hold less:

    - A value that equals the `fill` is taken for a miss where `mask` is False.
    - `DepthMaps.surfaces` is None. `DepthLayers.two_sided` is False everywhere, so
      `DepthLayers.entry_exit` counts all faces by facing.
    - `DepthLayers.is_oriented` is False, so `DepthLayers.entry_exit` does not repair entries and
      exits that are swapped at a silhouette.
    - `DepthLayers.is_complete` does not know whether `near` or `far` cut crossings off.

    The file may come from anywhere: nothing in it is executed, and types, shapes and sizes are
    checked before memory is taken.

    Args:
        path: an ``.npz`` file from `write_npz` or ``ddepth render``.
        max_bytes: maximum size of the arrays in memory, in bytes, with those that loading needs in
            between. A larger file is refused.

    Returns:
        DepthMaps or DepthLayers, whichever was written.

    Raises:
        OutputError: the file cannot be read, is of another layout or a newer one, or an array is
            missing, malformed or too large.
        RequestError: `max_bytes` is not an integer, at least 1.
    """
    limit = checked_count("max_bytes", max_bytes)
    with opened_archive(checked_path(path)) as archive:
        return _result(archive, limit)


def npz_in_memory(
    content: bytes, name: str, *, max_bytes: int = 1 << 32
) -> DepthMaps | DepthLayers:
    """Return what `load_npz` returns for a file of this content.

    Args:
        content: of the file.
        name: of the file, for messages.
        max_bytes: see `load_npz`.

    Raises:
        OutputError, RequestError: see `load_npz`.
    """
    limit = checked_count("max_bytes", max_bytes)
    with archive_in_memory(content, name) as archive:
        return _result(archive, limit)


def _result(archive: Archive, max_bytes: int) -> DepthMaps | DepthLayers:
    layout = _layout(archive)
    camera = _camera(archive, max_bytes)
    holds_layers = ("offsets" if layout < 3 else "count") in archive.names
    load = _layers if holds_layers else _maps
    return load(archive, layout, camera, max_bytes)


def _layout(archive: Archive) -> int:
    if "layout" not in archive.names:
        for name, arrays in _OTHER_LAYOUTS.items():
            if set(arrays) <= set(archive.names):
                raise OutputError(
                    f"is in the layout of {name}, which holds no camera; load it with numpy.load"
                )
        raise OutputError("lacks 'layout', so write_npz did not write it; load it with numpy.load")
    layout: int = archive.read({"layout": Expected(np.int64)}, 8)["layout"]
    if layout > LAYOUT:
        raise OutputError(
            f"has layout {layout}, and this version of ddepth_gl reads up to {LAYOUT}; "
            "update ddepth_gl"
        )
    if layout < 1:
        raise OutputError(f"has layout {layout}, which does not exist")
    return layout


def _camera(archive: Archive, max_bytes: int) -> Camera:
    values = archive.read(_CAMERA, max_bytes)
    if "camera_name" in archive.names:
        values["name"] = archive.read({"camera_name": Expected(np.str_)}, max_bytes)["camera_name"]
    return Camera(**values)


def _provenance_texts(archive: Archive) -> dict[str, Expected]:
    names = [name for name in archive.names if name not in TEXTS and archive.is_text(name)]
    return dict.fromkeys(names, Expected(np.str_))


def _maps(archive: Archive, layout: int, camera: Camera, max_bytes: int) -> DepthMaps:
    shape = camera.height, camera.width
    names = [
        name for name in ATTRIBUTES if any(archive.has(f"{sheet}_{name}") for sheet in _SHEETS)
    ]
    arrays = {
        **{sheet: Expected(np.float32, shape) for sheet in _SHEETS},
        **{
            f"{sheet}_{name}": _expected(ATTRIBUTES[name], shape)
            for name in names
            for sheet in _SHEETS
        },
    }
    missing = {
        name + MISSING: Expected(np.bool_, expected.shape)
        for name, expected in arrays.items()
        if name + MISSING in archive.names
    }
    texts = _provenance_texts(archive)
    others = {"fill": Expected(np.float32)} | (
        {"mask": Expected(np.bool_, shape)} if layout == 1 else {"surfaces": Expected(np.str_)}
    )
    values = archive.read({**texts, **arrays, **missing, **others}, max_bytes)
    if not np.isnan(values["fill"]):
        for name, wanted in arrays.items():
            if np.dtype(wanted.dtype).kind == "f":
                values[name][_misses(name, values)] = np.nan
    return DepthMaps(
        values["entry"],
        values["exit"],
        camera,
        {name: SheetPair(values[f"entry_{name}"], values[f"exit_{name}"]) for name in names},
        {name: values[name] for name in texts},
        _surfaces(values),
    )


def _misses(name: str, values: dict[str, Any]) -> npt.NDArray[np.bool_]:
    """Return where an array of maps held NaN before it was filled.

    Args:
        name: name of the array; sheets come before their attributes.
        values: content of the file; has ``mask`` if the layout is 1.
    """
    if name + MISSING in values:
        stored: npt.NDArray[np.bool_] = values[name + MISSING]
        return stored
    array = values[name]
    is_miss: npt.NDArray[np.bool_] = array == np.float32(values["fill"])
    if "mask" in values:
        sheet = name.partition("_")[0]
        may_miss = ~values["mask"] if name == sheet else np.isnan(values[sheet])
        is_miss &= may_miss[..., None] if array.ndim > 2 else may_miss
    return is_miss


def _surfaces(values: dict[str, Any]) -> DecidedSurfaces | None:
    stored: DecidedSurfaces | None = values.get("surfaces") or None
    if stored is not None:
        checked_choice("surfaces", stored, SURFACES, OutputError)
    return stored


def _object_surfaces(rows: npt.NDArray[np.int64]) -> dict[int, DecidedSurfaces]:
    decided = dict(rows.tolist())
    if not set(decided.values()) <= set(range(len(SURFACES))):
        raise OutputError(f"object_surfaces must hold 0 to {len(SURFACES) - 1}")
    return {each: SURFACES[number] for each, number in decided.items()}


def _layers(archive: Archive, layout: int, camera: Camera, max_bytes: int) -> DepthLayers:
    shape = camera.height, camera.width
    pixels = shape[0] * shape[1]
    is_packed = archive.is_packed("depth")
    depth_shape = archive.header("depth" + PACKED * is_packed).shape
    count = depth_shape[-1] if len(depth_shape) == 1 + is_packed else None
    names = [name for name in ATTRIBUTES if archive.has(name) and name != "face"]
    arrays = {
        "depth": Expected(np.float32, (count,)),
        "face": Expected(np.int64, (count,)),
        "front_facing": Expected(np.bool_, (count,)),
        "truncated": Expected(np.bool_, shape),
    }
    attributes = {name: _expected(ATTRIBUTES[name], (count,)) for name in names}
    facts: dict[str, Expected] = {}
    if layout > 1:
        facts = {
            "surfaces": Expected(np.str_),
            "is_oriented": Expected(np.bool_),
            "is_cropped": Expected(np.bool_),
            "min_gap": Expected(np.float64),
            **dict.fromkeys(FaceKinds._fields, Expected(np.bool_, (count,))),
        }
        if "object_id" in names:
            facts["oriented_objects"] = Expected(np.int64, (None,))
            facts["object_surfaces"] = Expected(np.int64, (None, 2))
            facts |= {f"{name}_in_object": facts[name] for name in FaceKinds._fields}
    texts = _provenance_texts(archive)
    has_counts = layout > 2
    rows = {"offsets": Expected(np.int64, (pixels + 1,))}
    if has_counts:
        rows = {"count": Expected(np.int32, shape)}
    packed = [name for name in ("depth", *names) if has_counts and archive.is_packed(name)]
    reserved = 0
    if has_counts:
        reserved += 8 * (pixels + 1)  # offsets
    if packed:  # the order of the layers, and the largest array a second time
        reserved += pixels + 8 * min(pixels, count or 0)
        reserved += max(archive.header(name + PACKED).size for name in packed)
    values = archive.read(
        {**texts, **rows, **arrays, **attributes, **facts}, max_bytes, reserved=reserved
    )
    if has_counts:
        offsets = _offsets(values["count"], len(values["depth"]))
        for name in packed:
            values[name] = from_layers(values[name], offsets)
    else:
        offsets = values["offsets"]
    return DepthLayers(
        **{name: values[name] for name in arrays},
        offsets=offsets,
        camera=camera,
        attributes={name: values[name] for name in names},
        provenance={name: values[name] for name in texts},
        _facts=StoredFacts(
            values.get("is_oriented", False),
            _surfaces(values),
            frozenset(values.get("oriented_objects", np.empty(0)).tolist()),
            _object_surfaces(values.get("object_surfaces", np.empty((0, 2)))),
            _face_kinds(values, ""),
            _face_kinds(values, "_in_object"),
        ),
        _is_cropped=values.get("is_cropped", False),
        _min_gap=checked_min_gap(values.get("min_gap", 0.0)),
    )


def _offsets(count: npt.NDArray[np.int32], total: int) -> npt.NDArray[np.int64]:
    """Return the offsets of rows of crossings, see `DepthLayers`.

    Raises:
        OutputError: the counts are not those of `total` crossings.
    """
    offsets = np.zeros(count.size + 1, np.int64)
    np.cumsum(count, out=offsets[1:])
    if count.min(initial=0) < 0 or offsets[-1] != total:
        raise OutputError(f"count must hold numbers that add up to {total}, the number of depths")
    return offsets


def _face_kinds(values: dict[str, Any], suffix: str) -> FaceKinds | None:
    if FaceKinds._fields[0] + suffix not in values:
        return None
    return FaceKinds(*(values[name + suffix] for name in FaceKinds._fields))


def _expected(attribute: Attribute, shape: tuple[int | None, ...]) -> Expected:
    channels = (attribute.channels,) if attribute.channels else ()
    return Expected(attribute.dtype, (*shape, *channels), bool(channels))
