"""Cameras of each mesh as a ``transforms.json``, for NeRF, nerfstudio and `load_cameras`."""

from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from ..camera.camera import Camera
from ..errors import CameraError, DatasetError
from ..io.cameras.write import transforms_json
from ..io.owners import part_name
from .index import INDEX, SHARDS, sample_rows
from .layout_files import file_path, replace_folder

__all__ = ["TRANSFORMS", "write_transforms"]

TRANSFORMS = "transforms"
_PHOTO = "photo.png"
_COLUMNS = ("id", "key", "shard", "camera")
_SHARD = re.compile(r"shard-[0-9]{5,9}")


def write_transforms(folder: str | os.PathLike[str], into: Path | None = None) -> int:
    """Write ``transforms/SHARD/ID.json`` for every mesh of a data set's index.

    The names of the images are those of the photos: beside the file, where ``tar -xf`` puts them,
    or in the folders of the layout "files".

    Args:
        folder: of the data set.
        into: folder that has the index, and gets the files; None for that of the data set.

    Returns:
        The number of files written; earlier ones are replaced.

    Raises:
        DatasetError: the index is missing or not one.
        OutputError: a camera is orthographic or has skew, which the format cannot hold.
        OSError: a file cannot be written.
    """
    root = Path(folder)
    made = into or root
    written = 0
    for shard, rows in groupby(
        sample_rows(made / INDEX, _COLUMNS), key=lambda row: str(row["shard"])
    ):
        if _SHARD.fullmatch(shard) is None:
            raise DatasetError(f"{made / INDEX}: {shard!r} is not the name of a shard")
        has_folders = (root / SHARDS / shard).is_dir()
        part = made / TRANSFORMS / part_name(shard)
        part.mkdir(parents=True)
        for _, views in groupby(rows, key=lambda row: row["id"]):
            cameras = []
            for row in views:
                photo = file_path(f"{row['key']}.{_PHOTO}")  # checks the key, too
                beside = Path("..", "..", SHARDS, shard, photo).as_posix()
                name = beside if has_folders else f"{row['key']}.{_PHOTO}"
                cameras.append(replace(_camera(row), name=name))
            (part / f"{photo.parent}.json").write_bytes(transforms_json(cameras))
            written += 1
        replace_folder(part, part.with_name(shard))
    return written


def _camera(row: dict[str, Any]) -> Camera:
    try:
        return Camera.from_dict(json.loads(row["camera"]))
    except (CameraError, TypeError, ValueError) as error:
        raise DatasetError(f"the camera of {row['key']} cannot be read: {error}") from error
