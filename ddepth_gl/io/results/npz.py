"""NumPy archives of one image: every array, the camera and the conventions."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import OutputError
from ...results.attributes import ATTRIBUTES
from ...results.depth_layers import DepthLayers
from ...results.depth_maps import DepthMaps
from ...results.mesh_facts import DecidedSurfaces, StoredFacts
from ..atomic import atomic_write
from .arguments import check_result_type, checked_fill, with_fill
from .metadata import CONVENTIONS, file_metadata

__all__ = ["LAYOUT", "MISSING", "OF_OBJECTS", "SURFACES", "TEXTS", "write_archive", "write_npz"]

# Rises when files change in a way that `load_npz` must know. Layout 2, the first after 0.2.0, added
# `camera_name`, `NAME_missing`, `surfaces`, and of layers `two_sided`, `solid`, `is_oriented`,
# `is_cropped`, `min_gap` and OF_OBJECTS.
LAYOUT = 2
# The texts that are not provenance.
TEXTS = ("conventions", "version", "camera_name", "surfaces")
# The arrays of layers that exist only with the attribute object_id.
OF_OBJECTS = ("oriented_objects", "object_surfaces", "two_sided_in_object", "solid_in_object")
# The numbers in `object_surfaces`.
SURFACES: tuple[DecidedSurfaces, ...] = ("oriented", "any", "mixed")
# The end of the name of an array that says which values of another array are misses.
MISSING = "_missing"

_MAPS_TEXT = (
    "entry and exit are depth, of the first entry and the last exit; "
    "entry_distance, exit_distance and thickness are along the ray. "
    "Misses hold `fill`, those of integers -1; mask is where both exist."
)
_LAYERS_TEXT = (
    "All crossings of each ray with the mesh, compressed by rows: those of pixel i = row * width "
    "+ column are [offsets[i], offsets[i + 1]), sorted by (depth, face). front_facing is where the "
    "ray comes from the counter-clockwise side; two_sided faces count on either side. truncated "
    "marks pixels that have more crossings than were asked for."
)


def write_npz(
    path: str | os.PathLike[str], result: DepthMaps | DepthLayers, *, fill: float = float("nan")
) -> list[Path]:
    """Write one image as a compressed ``.npz`` that ``numpy.load`` reads without pickle.

    `load_npz` turns it back into DepthMaps or DepthLayers.

    In every file: ``K`` (3, 3), ``camera_from_world`` (4, 4) float64; the scalars ``width``,
    ``height``, ``layout`` int64 and ``is_orthographic`` bool; the texts ``conventions``,
    ``version``, ``camera_name`` and ``surfaces`` (see `DepthMaps.surfaces`; of layers what "auto"
    decides; empty if unknown). ``layout`` is 2; it rises when the meaning of an array changes
    or `load_npz` needs another one. For a rendered image also the texts ``renderer``,
    ``gl_version``, ``engine``; if its mesh was read from a file, ``mesh_path`` and ``mesh_sha256``;
    if other files were read for the mesh, ``mesh_side_files_sha256`` and ``mesh_textures_sha256``;
    and ``mesh_left_out``, see `MeshSource`.

    For DepthMaps: ``entry``, ``exit``, ``entry_distance``, ``exit_distance``, ``thickness`` (H, W)
    float32; ``mask`` (H, W) bool; ``entry_NAME``, ``exit_NAME`` for each attribute of the maps,
    (H, W) or (H, W, channels), such as ``entry_face``; the scalar ``fill`` float32. If a value
    of ``NAME`` that is not NaN equals `fill`, ``NAME_missing`` of the same shape, bool, says which
    values were NaN; there is no such array for distances and thickness.

    For DepthLayers, recognizable by the array ``offsets``: ``offsets`` (H * W + 1,) int64;
    ``depth``, ``distance`` (M,) float32; ``face`` (M,) int64; ``front_facing``, ``two_sided``,
    ``solid`` (see `Bodies.is_solid`) (M,) bool; ``NAME`` (M,) or (M, channels) for each attribute
    of the layers; ``count`` (H, W) int32; ``truncated`` (H, W) bool; the scalars ``is_oriented``
    (see `DepthLayers.is_oriented`) and ``is_cropped`` (``near`` or ``far`` was given) bool, and
    ``min_gap`` float64; with the attribute object_id also ``oriented_objects`` (K,) int64, see
    `DepthLayers.oriented_objects`, and ``two_sided_in_object``, ``solid_in_object`` (M,) bool, if
    each object is judged on its own, and ``object_surfaces`` (K, 2) int64: object ids, and what
    "auto" decides for each, 0 for "oriented", 1 for "any", 2 for "mixed".

    Args:
        path: file to write; an existing file is replaced.
        result: sheets or layers to write.
        fill: value of misses in the float arrays of DepthMaps. Layers hold no misses.

    Returns:
        The file written, as a list.

    Raises:
        RequestError: float32 cannot hold `fill`.
        OutputError: the file cannot be written, or an entry of the provenance has the name of an
            array.
    """
    check_result_type(result, DepthMaps, DepthLayers)
    miss = checked_fill(fill)
    if isinstance(result, DepthLayers):
        facts = result._stored_facts()
        arrays, surfaces = _layers_arrays(result, facts), facts.surfaces
    else:
        arrays, surfaces = _maps_arrays(result, miss), result.surfaces
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
    }
    taken = [name for name in result.provenance if name in arrays or _is_reserved(name)]
    if taken:
        raise OutputError(
            f"provenance has the entry {taken[0]!r}, the name of an array; rename the entry"
        )
    return write_archive(path, {**file_metadata(result), **arrays})


def _is_reserved(name: str) -> bool:
    """Return whether `load_npz` could take a text of this name for something else."""
    return (
        name in {*TEXTS, *ATTRIBUTES, "entry", "exit", "offsets", *OF_OBJECTS}
        or name.startswith(("entry_", "exit_"))
        or name.endswith(MISSING)
    )


def _maps_arrays(maps: DepthMaps, fill: np.float32) -> dict[str, Any]:
    loaded = {"entry": maps.entry, "exit": maps.exit}
    for name, pair in maps.attributes.items():
        loaded |= {f"entry_{name}": pair.entry, f"exit_{name}": pair.exit}
    derived = {
        "entry_distance": maps.entry_distance,
        "exit_distance": maps.exit_distance,
        "thickness": maps.thickness,
    }
    missing = {
        name + MISSING: np.isnan(array)
        for name, array in loaded.items()
        if array.dtype.kind == "f" and (array == fill).any()
    }
    return {
        **{name: with_fill(array, fill) for name, array in {**loaded, **derived}.items()},
        **missing,
        "mask": maps.mask,
        "fill": fill,
        "conventions": CONVENTIONS + _MAPS_TEXT,
    }


def _layers_arrays(layers: DepthLayers, facts: StoredFacts) -> dict[str, Any]:
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
        "offsets": layers.offsets,
        "depth": layers.depth,
        "distance": layers.distance,
        "face": layers.face,
        "front_facing": layers.front_facing,
        **facts.kinds(layers.face)._asdict(),
        "count": layers.count,
        "truncated": layers.truncated,
        "is_oriented": facts.is_oriented,
        "is_cropped": layers.is_cropped,
        "min_gap": layers.min_gap,
        "conventions": CONVENTIONS + _LAYERS_TEXT,
    }


def write_archive(path: str | os.PathLike[str], arrays: Mapping[str, Any]) -> list[Path]:
    """Write arrays as a compressed ``.npz``, and return its path as a list.

    Raises:
        OutputError: the file cannot be written.
    """
    # Into memory first: an archive whose writing is interrupted writes again when it is
    # garbage-collected, and would then complain that its file is closed.
    # Texts first: a file that was cut short still says where it is from.
    in_order = dict(sorted(arrays.items(), key=lambda item: not isinstance(item[1], str)))
    archive = io.BytesIO()
    np.savez_compressed(archive, **in_order)
    with atomic_write(path) as file:
        file.write(archive.getbuffer())
    return [Path(path)]
