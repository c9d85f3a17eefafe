"""Images of samples for the preview: photo, entry and exit, side by side and in colors."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .._packages import import_needed
from ..errors import DatasetError, DDepthError
from .decoding import decoded_sample
from .index import SHARDS
from .layout_files import file_path

__all__ = ["Pixels", "contact_sheet", "png_content", "sample_image"]

Pixels = npt.NDArray[np.uint8]

_TILE = 128  # pixels, the longer side of an image
_COLUMNS = 6  # samples in a row of the sheet
_MAX_FILE = 1 << 28
_SHARD = re.compile(r"shard-[0-9]{5,9}")


def sample_image(root: Path, row: Mapping[str, Any]) -> Pixels:
    """Return photo, entry and exit of a sample side by side, those that it has, (h, w, 3).

    Args:
        root: folder of the data set.
        row: of the index.

    Raises:
        DatasetError: the sample cannot be read, or a package is missing.
    """
    key = str(row.get("key"))
    try:
        arrays = decoded_sample(_files(root, row))
    except DDepthError as error:
        raise DatasetError(f"{key}: {error}") from error
    parts = [_on_white(arrays["photo"])] if "photo" in arrays else []
    sheets = _sheets(arrays)
    finite = [sheet[np.isfinite(sheet)] for sheet in sheets]
    values = np.concatenate([*finite, np.zeros(0)])
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    parts += [_in_colors(sheet, low, high) for sheet in sheets]
    if not parts:
        parts = [np.full((_TILE, _TILE, 3), 230, np.uint8)]
    return np.concatenate([_reduced(part) for part in parts], axis=1)


def _sheets(arrays: Mapping[str, npt.NDArray[Any]]) -> list[npt.NDArray[np.float32]]:
    for suffix in ("", "_distance"):
        names = [f"entry{suffix}", f"exit{suffix}"]
        if all(name in arrays for name in names):
            return [arrays[name] for name in names]
    if "layers_count" in arrays:
        return [_first_layer(arrays["layers_count"], arrays["layers_depth"])]
    return [arrays["thickness"]] if "thickness" in arrays else []


def _first_layer(
    count: npt.NDArray[Any], depth: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    first = np.full(count.shape, np.nan, np.float32)
    flat = count.ravel().astype(np.int64)
    starts = np.cumsum(flat) - flat
    first.ravel()[flat > 0] = depth[starts[flat > 0]]
    return first


def _files(root: Path, row: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files of a sample from the places that its row names."""
    key, shard = str(row.get("key")), str(row.get("shard"))
    file_path(f"{key}.x")  # raises for what is no key
    if _SHARD.fullmatch(shard) is None:
        raise DatasetError(f"{key}: {shard!r:.40} is not the name of a shard")
    files = {}
    for column, offset in row.items():
        ending = column.removeprefix("offset.")
        size = row.get(f"size.{ending}")
        if ending == column or offset is None or size is None:
            continue
        if not (isinstance(offset, int) and isinstance(size, int) and 0 <= size <= _MAX_FILE):
            raise DatasetError(f"{key}: {ending} has the size {size!r:.40} by the index")
        tar = root / SHARDS / f"{shard}.tar"
        path = tar if tar.exists() else root / SHARDS / shard / file_path(f"{key}.{ending}")
        try:
            with path.open("rb") as file:
                file.seek(max(0, offset))
                files[ending] = file.read(size)
        except OSError as error:
            raise DatasetError(f"{path} cannot be read ({error.strerror})") from error
    return files


def _on_white(photo: npt.NDArray[np.uint8]) -> Pixels:
    if photo.shape[-1] < 4:
        return np.ascontiguousarray(photo[..., :3])
    alpha = photo[..., 3:].astype(np.float32) / 255.0
    return np.asarray(np.rint(photo[..., :3] * alpha + 255.0 * (1.0 - alpha)), np.uint8)


def _in_colors(sheet: npt.NDArray[np.float32], low: float, high: float) -> Pixels:
    """Return depths in the colors of plots: near is bright, a miss is gray."""
    import_needed("matplotlib", "the preview", DatasetError, "dataset")
    from ..plot.color_scales import DEPTH_MAP, checked_color_map

    scaled = (sheet.astype(np.float64) - low) / (high - low if high > low else 1.0)
    colors = checked_color_map(DEPTH_MAP)(np.ma.masked_invalid(scaled), bytes=True)
    return np.asarray(colors)[..., :3]


def _reduced(image: Pixels) -> Pixels:
    """Return an image whose longer side is `_TILE`."""
    pillow = import_needed("PIL.Image", "the preview", DatasetError)
    scale = _TILE / max(image.shape[:2])
    size = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
    method = pillow.Resampling.BOX if scale < 1.0 else pillow.Resampling.NEAREST
    return np.asarray(pillow.fromarray(image).resize(size, method))


def contact_sheet(images: Sequence[Pixels]) -> Pixels:
    """Return images of samples in rows, on white."""
    if not images:
        return np.full((_TILE, _TILE, 3), 255, np.uint8)
    height = max(image.shape[0] for image in images) + 4
    width = max(image.shape[1] for image in images) + 8
    columns = min(_COLUMNS, len(images))
    rows = -(-len(images) // columns)
    sheet = np.full((rows * height, columns * width, 3), 255, np.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * height + 2, number % columns * width + 4
        sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet


def png_content(image: Pixels) -> bytes:
    """Return a PNG file of an image, (H, W, 3)."""
    pillow = import_needed("PIL.Image", "the preview", DatasetError)
    target = io.BytesIO()
    pillow.fromarray(np.ascontiguousarray(image)).save(target, "PNG")
    return target.getvalue()
