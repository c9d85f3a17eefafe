"""NumPy archives of one image: what was rendered, the camera and the conventions."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..._checks import checked_choice, checked_flag
from ...errors import OutputError, RequestError
from ...results.attributes import ATTRIBUTES
from ...results.depth_layers import DepthLayers
from ...results.depth_maps import DepthMaps
from ...results.mesh_facts import DecidedSurfaces, StoredFacts
from ..atomic import atomic_write
from .archive_writer import archive_bytes
from .arguments import check_result_type, checked_fill, with_fill
from .metadata import CONVENTIONS, file_metadata
from .packing import PACKED, pack, to_layers
from .rounding import checked_tolerance, rounded

__all__ = [
    "COMPRESSIONS", "DERIVED", "LAYOUT", "MISSING", "OF_OBJECTS", "SURFACES", "TEXTS",
    "Compression", "npz_bytes", "write_npz",
]  # fmt: skip

# Rises when files change in a way that `load_npz` must know. Layout 2, the first after 0.2.0, added
# `camera_name`, `NAME_missing`, `surfaces`, and of layers `two_sided`, `solid`, `is_oriented`,
# `is_cropped`, `min_gap` and OF_OBJECTS. Layout 3, the first after 0.3.0, added packed arrays,
# stores faces as int32 if they fit, and leaves out what can be derived.
LAYOUT = 3
# The texts that are not provenance.
TEXTS = ("conventions", "version", "camera_name", "surfaces")
# The arrays of layers that exist only with the attribute object_id.
OF_OBJECTS = ("oriented_objects", "object_surfaces", "two_sided_in_object", "solid_in_object")
# The numbers in `object_surfaces`.
SURFACES: tuple[DecidedSurfaces, ...] = ("oriented", "any", "mixed")
# The end of the name of an array that says which values of another array are misses.
MISSING = "_missing"
# The entry of the provenance that says how much depths were rounded.
TOLERANCE = "depth_tolerance"

Compression = Literal["packed", "deflate", "none"]
COMPRESSIONS: tuple[Compression, ...] = get_args(Compression)

# The arrays that can be computed from the others; the latter two are those of layers.
DERIVED = ("entry_distance", "exit_distance", "thickness", "mask", "offsets", "distance")

# Quantities that vary within a face, so that packing shrinks them. The others repeat.
_DEPTHS = ("entry", "exit", "entry_distance", "exit_distance", "thickness", "depth", "distance")
_VARYING = ("smooth_normal", "barycentric", "uv", "position")

_PACKED_TEXT = (
    "NAME_packed holds the array NAME. In NumPy: differences = np.stack(packed, -1).view('<u4')"
    "[..., 0] - np.uint32(0x808080); NAME = differences.cumsum(-1, '<u4').cumsum(-2, '<u4')"
    ".view('<f4'); for crossings without .cumsum(-2, '<u4'), and layer by layer. "
    "Channels come first. "
)
_MAPS_TEXT = (
    "entry and exit are depth, of the first entry and the last exit; "
    "entry_distance, exit_distance and thickness are along the ray. "
    "Misses hold `fill`, those of integers -1; mask is where both exist."
)
_LAYERS_TEXT = (
    "All crossings of each ray with the mesh, compressed by rows: those of pixel i = row * width "
    "+ column are [offsets[i], offsets[i + 1]), sorted by (depth, face); offsets are 0 and the "
    "running sum of count. front_facing is where the ray comes from the counter-clockwise side; "
    "two_sided faces count on either side. truncated marks pixels that have more crossings than "
    "were asked for."
)
_ROUNDED_TEXT = (
    " Depths were rounded after sorting, so those of a pixel may be equal in any order of faces."
)


def write_npz(
    path: str | os.PathLike[str],
    result: DepthMaps | DepthLayers,
    *,
    fill: float = float("nan"),
    compression: Compression = "packed",
    derived: bool = False,
    tolerance: float = 0.0,
) -> list[Path]:
    """Write one image as an ``.npz`` that ``numpy.load`` reads without pickle.

    `load_npz` turns it back into DepthMaps or DepthLayers.

    In every file: ``K`` (3, 3), ``camera_from_world`` (4, 4) float64; the scalars ``width``,
    ``height``, ``layout`` int64 and ``is_orthographic`` bool; the texts ``conventions``,
    ``version``, ``camera_name`` and ``surfaces`` (see `DepthMaps.surfaces`; of layers what "auto"
    decides; empty if unknown). ``layout`` is 3; it rises when the meaning of an array changes
    or `load_npz` needs another one. For a rendered image also the texts ``renderer``,
    ``gl_version``, ``engine``; if its mesh was read from a file, ``mesh_path`` and ``mesh_sha256``;
    if other files were read for the mesh, ``mesh_side_files_sha256`` and ``mesh_textures_sha256``;
    and ``mesh_left_out``, see `MeshSource`; if depths were rounded, ``depth_tolerance``.

    For DepthMaps: ``entry``, ``exit`` (H, W) float32; ``entry_NAME``, ``exit_NAME`` for each
    attribute of the maps, (H, W) or (H, W, channels), such as ``entry_face``; the scalar ``fill``
    float32. If a value of ``NAME`` that is not NaN equals `fill`, ``NAME_missing`` of the same
    shape, bool, says which values were NaN. With `derived` also ``entry_distance``,
    ``exit_distance``, ``thickness`` (H, W) float32 and ``mask`` (H, W) bool.

    For DepthLayers, recognizable by the array ``count`` (H, W) int32: ``depth`` (M,) float32;
    ``face`` (M,); ``front_facing``, ``two_sided``, ``solid`` (see `Bodies.is_solid`) (M,) bool;
    ``NAME`` (M,) or (M, channels) for each attribute of the layers; ``truncated`` (H, W) bool; the
    scalars ``is_oriented`` (see `DepthLayers.is_oriented`) and ``is_cropped`` (``near`` or ``far``
    was given) bool, and ``min_gap`` float64; with the attribute object_id also
    ``oriented_objects`` (K,) int64, see `DepthLayers.oriented_objects`, and
    ``two_sided_in_object``, ``solid_in_object`` (M,) bool, if each object is judged on its own,
    and ``object_surfaces`` (K, 2) int64: object ids, and what "auto" decides for each, 0 for
    "oriented", 1 for "any", 2 for "mixed". With `derived` also ``offsets`` (H * W + 1,) int64 and
    ``distance`` (M,) float32.

    Faces are int32, or int64 if they do not fit. In a packed file, ``NAME_packed`` uint8 replaces
    the arrays of depth, distance, thickness, smooth_normal, barycentric, uv and position. The
    file is half the size and takes less time to write. The shape is (4, H, W) or
    (4, channels, H, W), and with NumPy alone ``entry`` is::

        d = np.stack(file["entry_packed"], -1).view("<u4")[..., 0] - np.uint32(0x808080)
        entry = d.cumsum(-1, "<u4").cumsum(-2, "<u4").view("<f4")

    Of DepthLayers it is (4, M) or (4, channels, M), without the second ``cumsum``, and holds the
    first crossings of all pixels that have one, in row-major order, then the second ones: layer
    k is ``image[file["count"] > k] = depth[start:stop]``.

    Args:
        path: file to write; an existing file is replaced.
        result: sheets or layers to write.
        fill: value of misses in the float arrays of DepthMaps. Layers hold no misses.
        compression: "packed"; "deflate", arrays as they are, compressed: ``file["entry"]`` of
            ``numpy.load`` is the depth, in files of twice the size; "none", not compressed.
        derived: also store what `load_npz` can compute, for use without the package.
        tolerance: largest relative error of depths, such as 1e-4; rounding makes smaller files. 0,
            the default, stores them exactly. Attributes are never rounded. Derived quantities are
            those of the rounded depths. Crossings stay in the order of the exact ones. Roundings
            of a result that was rounded before add up, to less than 1.

    Returns:
        The file written, as a list.

    Raises:
        RequestError: float32 cannot hold `fill`, or another argument has a value that cannot be
            used.
        OutputError: the file cannot be written, or an entry of the provenance has the name of an
            array.
    """
    content = npz_bytes(
        result,
        fill=fill,
        compression=compression,
        derived=DERIVED if checked_flag("derived", derived) else (),
        tolerance=tolerance,
    )
    with atomic_write(path) as file:
        file.write(content)
    return [Path(path)]


def npz_bytes(
    result: DepthMaps | DepthLayers,
    *,
    fill: float = float("nan"),
    compression: Compression = "packed",
    derived: Collection[str] = (),
    tolerance: float = 0.0,
) -> bytes:
    """Return the content of the file that `write_npz` writes.

    Args:
        result, fill, compression, tolerance: see `write_npz`.
        derived: names of `DERIVED` to store, too.

    Raises:
        RequestError, OutputError: see `write_npz`.
    """
    check_result_type(result, DepthMaps, DepthLayers)
    miss = checked_fill(fill)
    checked_choice("compression", compression, COMPRESSIONS)
    result = _with_rounded_depth(result, checked_tolerance("tolerance", tolerance))
    if isinstance(result, DepthLayers):
        facts = result._stored_facts()
        arrays, surfaces = _layers_arrays(result, facts, derived), facts.surfaces
        text = _LAYERS_TEXT + (_ROUNDED_TEXT if TOLERANCE in result.provenance else "")
    else:
        arrays, surfaces = _maps_arrays(result, miss, derived), result.surfaces
        text = _MAPS_TEXT
    if compression == "packed":
        offsets = result.offsets if isinstance(result, DepthLayers) else None
        arrays = dict(_packed(name, array, offsets) for name, array in arrays.items())
        text = _PACKED_TEXT + text
    camera = result.camera
    arrays |= {
        "K": camera.K,
        "camera_from_world": camera.camera_from_world,
        "width": camera.width,
        "height": camera.height,
        "is_orthographic": camera.is_orthographic,
        "camera_name": camera.name,
        "surfaces": surfaces or "",
        "layout": LAYOUT,
        "conventions": CONVENTIONS + text,
    }
    taken = [name for name in result.provenance if name in arrays or _is_reserved(name)]
    if taken:
        raise OutputError(
            f"provenance has the entry {taken[0]!r}, the name of an array; rename the entry"
        )
    return archive_bytes({**file_metadata(result), **arrays}, compressed=compression != "none")


def _is_reserved(name: str) -> bool:
    """Return whether `load_npz` could take a text of this name for something else."""
    return (
        name in {*TEXTS, *ATTRIBUTES, *_DEPTHS, "offsets", "count", *OF_OBJECTS}
        or name.startswith(("entry_", "exit_"))
        or name.endswith((MISSING, PACKED))
    )


def _with_rounded_depth(
    result: DepthMaps | DepthLayers, tolerance: float
) -> DepthMaps | DepthLayers:
    """Return the result with depths rounded, and with a provenance that says so."""
    if tolerance == 0.0:
        return result
    # Errors of several roundings add up.
    earlier = checked_tolerance(f"{TOLERANCE} of the provenance", _number(result))
    if earlier + tolerance >= 1.0:
        raise RequestError(
            f"tolerance {tolerance:g} and the {earlier:g} of earlier roundings ({TOLERANCE} of the "
            "provenance) add up to 1 or more; pass a smaller tolerance"
        )
    provenance = {**result.provenance, TOLERANCE: repr(earlier + tolerance)}
    if isinstance(result, DepthLayers):
        depth = rounded(result.depth, tolerance)
        return replace(result, depth=depth, provenance=provenance)
    entry, exit_ = rounded(result.entry, tolerance), rounded(result.exit, tolerance)
    return replace(result, entry=entry, exit=exit_, provenance=provenance)


def _number(result: DepthMaps | DepthLayers) -> float | str:
    text = result.provenance.get(TOLERANCE, "0")
    try:
        return float(text)
    except ValueError:
        return text  # named in the error


def _packed(
    name: str, array: Any, offsets: npt.NDArray[np.int64] | None
) -> tuple[str, npt.NDArray[Any]]:
    """Return an array's name and content in a packed file.

    Args:
        name: of the array.
        array: the array itself.
        offsets: see `DepthLayers`, if the array has a value for each crossing.
    """
    quantity = name.removeprefix("entry_").removeprefix("exit_")
    if name not in _DEPTHS and quantity not in _VARYING:
        return name, array
    has_channels = quantity in ATTRIBUTES and ATTRIBUTES[quantity].channels > 0
    return name + PACKED, pack(
        array if offsets is None else to_layers(array, offsets), has_channels
    )


def _maps_arrays(maps: DepthMaps, fill: np.float32, derived: Collection[str]) -> dict[str, Any]:
    loaded = {"entry": maps.entry, "exit": maps.exit}
    for name, pair in maps.attributes.items():
        loaded |= {f"entry_{name}": pair.entry, f"exit_{name}": pair.exit}
    missing = {
        name + MISSING: np.isnan(array)
        for name, array in loaded.items()
        if array.dtype.kind == "f" and (array == fill).any()
    }
    arrays = loaded | _of(maps, DERIVED[:4], derived)
    return {
        **{name: with_fill(_small(array), fill) for name, array in arrays.items()},
        **missing,
        "fill": fill,
    }


def _layers_arrays(
    layers: DepthLayers, facts: StoredFacts, derived: Collection[str]
) -> dict[str, Any]:
    of_objects: dict[str, Any] = {}
    if "object_id" in layers.attributes:
        of_objects["oriented_objects"] = np.array(sorted(facts.oriented_objects), np.int64)
        kinds = facts.kinds(layers.face, in_object=True)
        of_objects |= {
            "two_sided_in_object": kinds.two_sided,
            "solid_in_object": kinds.solid,
            "object_surfaces": np.array(
                [(each, SURFACES.index(name)) for each, name in facts.object_surfaces.items()],
                np.int64,
            ).reshape(-1, 2),
        }
    return {
        **layers.attributes,
        **of_objects,
        **_of(layers, DERIVED[4:], derived),
        "depth": layers.depth,
        "face": _small(layers.face),
        "front_facing": layers.front_facing,
        **facts.kinds(layers.face)._asdict(),
        "count": layers.count,
        "truncated": layers.truncated,
        "is_oriented": facts.is_oriented,
        "is_cropped": layers.is_cropped,
        "min_gap": layers.min_gap,
    }


def _of(result: Any, possible: Collection[str], names: Collection[str]) -> dict[str, Any]:
    """Return the properties of a result that are among `names`, by name."""
    return {name: getattr(result, name) for name in possible if name in names}


def _small(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return an int64 array as int32 if that holds its numbers, and any other as it is."""
    if array.dtype != np.int64:
        return array
    small = array.astype(np.int32)
    return small if (small == array).all() else array
