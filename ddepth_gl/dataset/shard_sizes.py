"""Sizes of shards: how many meshes fill one, from views, image size and what is stored."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .config import DatasetConfig

__all__ = ["bytes_per_sample", "meshes_per_shard", "shard_count"]

# Bytes per pixel at 512 x 512, rounded means over eight meshes that cover a quarter of it (normals:
# between smooth and rough ones).
_DEPTH = {"packed": 0.75, "deflate": 1.6, "none": 8.0, "png16": 0.5, "exr": 1.8}
# In depths of two sheets.
_SHEETS = {"depth": 1.0, "distance": 1.0, "thickness": 0.6, "layers": 2.0, "objects": 2.0}
_OUTPUTS = {"photo": 0.2, "normal": 2.0, "face": 0.4, "object_id": 0.1, "points": 6.0}
_LAYOUTS = {
    "xray": 3.0,
    "lari": 3.0,
    "lari16": 1.5,
    "layereddepth": 3.0,
    "2k2k": 3.0,
    "point_map": 6.0,
    "point_map16": 3.0,
}
# Smaller images have more outline for their area, which is what is hard to compress.
_INSIDE, _OUTLINE = 0.65, 180.0
_FIXED = 4096  # JSON, headers of the tar and of the files in it


def bytes_per_sample(config: DatasetConfig) -> float:
    """Return the estimated size of one view in bytes; `dry_run` measures it."""
    store = config.store
    per_pixel = sum(_LAYOUTS[layout] for layout in store.layouts)
    for output in store.outputs:
        if output in _SHEETS:
            per_pixel += _SHEETS[output] * _DEPTH[store.codec]
        else:
            per_pixel += _OUTPUTS[output]
    width, height = config.views.size
    pixels = width * height
    return _FIXED + per_pixel * (_INSIDE * pixels + _OUTLINE * math.sqrt(pixels))


def meshes_per_shard(config: DatasetConfig, meshes: int, workers: int) -> int:
    """Return how many meshes a shard has at most.

    ``shards.meshes`` if it is given; otherwise as many as fit into ``shards.target_mb``,
    that is target / (views x bytes per sample), but so few that there are
    ``shards.min_per_worker`` shards for each worker.

    Args:
        config: settings of the data set.
        meshes: number of meshes.
        workers: number of workers.
    """
    shards = config.shards
    if shards.meshes is not None:
        return shards.meshes
    size = config.views.count * bytes_per_sample(config)
    by_size = int(shards.target_mb * 1e6 / size)
    by_workers = meshes // (shards.min_per_worker * max(workers, 1))
    return max(1, min(by_size, by_workers))


def shard_count(meshes: int, per_shard: int) -> int:
    """Return how many shards some meshes need."""
    return math.ceil(meshes / per_shard)
