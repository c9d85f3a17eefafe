"""X-Ray's layers: distance, normal and color of the first 16 hits as a sparse matrix in an .npz."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..._checks import checked_count
from ..._srgb import srgb_from_linear
from ...errors import OutputError
from ...results.depth_layers import DepthLayers
from ..atomic import atomic_write
from ..file_names import checked_path
from .archive_writer import archive_bytes
from .arguments import check_result_type
from .metadata import file_metadata

__all__ = ["write_xray", "xray_bytes"]

CHANNELS = 7
_MAX_LAYERS = 1 << 24
_ATTRIBUTES = ("normal", "color")


def write_xray(
    path: str | os.PathLike[str], layers: DepthLayers, *, max_layers: int = 16
) -> list[Path]:
    """Write the layout of X-Ray's data sets.

    Described in Hu et al., "X-Ray: A Sequential 3D Representation", 2024.
    ``preprocess/get_xray/gen_objaverse.py`` of tau-yihouxiang/X-Ray writes this layout and
    ``src/dataset.py`` reads it: a float32 array (16, 7, H, W), reshaped to (16, 7 * H * W) and
    stored as the parts of SciPy's ``csr_matrix``: ``data`` float32, ``indices``, ``indptr`` int32,
    ``shape`` (2,) int64. Zeros are not stored. The seven channels:

    - 0: distance along the ray, mesh units; a hit is where it is greater than 0.
    - 1, 2, 3: unit normal of the face, counter-clockwise side, in OpenGL's camera frame (x right,
      y up, z backward). The published meshes are rotated into that frame before the rays are cast.
    - 4, 5, 6: red, green, blue; sRGB in steps of 1/255, 0..1.

    The nearest hits come first; hits beyond `max_layers` are left out, as in the published data.
    The published loader takes exactly 16 layers of 256 x 256 pixels. The published meshes are
    centered with a longest side of 1, and their rays pass through integer image coordinates. For
    the same rays, create the camera from the same K with
    ``Camera.from_intrinsics(..., pixel_center=0.0)``.

    The layout holds no camera. Beside the arrays, where the loader ignores them, are the texts of
    `DepthLayers.provenance` and ``version``.

    Args:
        path: file to write; an existing file is replaced.
        layers: crossings with the attributes ``normal`` and ``color``. A NaN normal is written
            as 0.
        max_layers: number of layers.

    Returns:
        The file written, as a list.

    Raises:
        RequestError: `max_layers` is not an integer >= 1.
        OutputError: an attribute is missing, or the file cannot be written.
    """
    content = xray_bytes(layers, max_layers, str(checked_path(path)))
    with atomic_write(path) as file:
        file.write(content)
    return [Path(path)]


def xray_bytes(layers: DepthLayers, max_layers: int = 16, name: str = "xray.npz") -> bytes:
    """Return the content of the file that `write_xray` writes.

    Args:
        layers, max_layers: see `write_xray`.
        name: of the file, for messages.

    Raises:
        RequestError, OutputError: see `write_xray`.
    """
    check_result_type(layers, DepthLayers)
    missing = [each for each in _ATTRIBUTES if each not in layers.attributes]
    if missing:
        raise OutputError(
            f"{name}: X-Ray needs the attribute {' and '.join(missing)}; "
            'peel with attributes=("normal", "color")'
        )
    max_layers = checked_count("max_layers", max_layers, _MAX_LAYERS)
    camera = layers.camera
    layer = layers.layer
    kept = layer < max_layers
    # OpenCV's camera frame has y down and z forward, OpenGL's has y up and z backward.
    opengl_from_world = np.diag([1.0, -1.0, -1.0]) @ camera.camera_from_world[:3, :3]
    # Sum by sum: matrix products round by the CPU.
    nx, ny, nz = layers.normal[kept].astype(np.float64).T
    values = np.column_stack(
        [
            layers.distance[kept],
            *(np.nan_to_num(nx * row[0] + ny * row[1] + nz * row[2]) for row in opengl_from_world),
            srgb_from_linear(layers.color[kept, :3]) / 255.0,
        ]
    ).astype(np.float32)
    pixels = camera.height * camera.width
    row = np.repeat(layer[kept], CHANNELS)
    column = (layers.pixel[kept][:, None] + pixels * np.arange(CHANNELS)).ravel()
    stored = np.flatnonzero(values)
    order = stored[np.lexsort((column[stored], row[stored]))]
    # SciPy's rule for the type of indices.
    largest = max(CHANNELS * pixels, len(order))
    index_type = np.int32 if largest <= np.iinfo(np.int32).max else np.int64
    ends = np.cumsum(np.bincount(row[order], minlength=max_layers))
    return archive_bytes(
        {
            "data": values.ravel()[order],
            "indices": column[order].astype(index_type),
            "indptr": np.concatenate([[0], ends]).astype(index_type),
            "shape": np.array([max_layers, CHANNELS * pixels], np.int64),
            **file_metadata(layers),
        },
    )
