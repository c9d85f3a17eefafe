"""Parts that flat and deep EXR files share: the package OpenEXR, header, channels, writing."""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._packages import import_needed, pip_command
from ...errors import OutputError
from ...results.attributes import ATTRIBUTES
from ...results.depth_layers import DepthLayers
from ...results.depth_maps import DepthMaps
from ..atomic import atomic_write
from .metadata import CONVENTIONS, file_metadata

__all__ = ["NO_VALUE", "channels_of", "exr_bytes", "header_of", "import_openexr", "write_exr_file"]

NO_VALUE = 2**32 - 1  # in integer channels; -1 in 32 bits

# Base names of a quantity's channels, by their number. Blender calls a single channel V, "value".
_CHANNELS = {1: "V", 2: "UV", 3: "XYZ", 4: "RGBA"}

# EXR stores these multiplied by alpha.
_COLORS = ("color", "shaded_color")

# OpenEXR's worldToCamera is left-handed with y up; camera_from_world is right-handed with y down.
_FLIP_Y = np.diag([1.0, -1.0, 1.0, 1.0])


def import_openexr() -> ModuleType:
    """Return the package OpenEXR, which is an optional dependency.

    Raises:
        OutputError: it is not installed, or too old.
    """
    module = import_needed("OpenEXR", "writing EXR", OutputError, "exr")
    if tuple(map(int, module.__version__.split(".")[:2])) < (3, 5):
        raise OutputError(
            f"writing EXR needs OpenEXR 3.5 or later, not {module.__version__}; "
            f"run {pip_command('exr')}"
        )
    return module


def header_of(result: DepthMaps | DepthLayers, channels_text: str) -> dict[str, Any]:
    """Return the camera, the conventions and the provenance as header attributes.

    Args:
        result: sheets or layers to write.
        channels_text: description of the channels, appended to the conventions.
    """
    camera, texts = result.camera, file_metadata(result)
    return {
        "K": np.array(camera.K),
        "camera_from_world": np.array(camera.camera_from_world),
        "is_orthographic": int(camera.is_orthographic),
        "worldToCamera": np.ascontiguousarray(
            (_FLIP_Y @ camera.camera_from_world).T, dtype=np.float32
        ),
        "conventions": CONVENTIONS + channels_text,
        "software": texts.pop("version"),  # EXR's `version` is that of the file format
        **texts,
    }


def channels_of(name: str, values: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    """Return the channels ``NAME.CHANNEL`` of one quantity: contiguous, float32 or uint32.

    Args:
        name: name of the quantity.
        values: (...) numbers, or (..., channels) of an attribute with several channels; copied
            only where necessary.

    Raises:
        OutputError: an integer does not fit into 32 bits.
    """
    has_several = name in ATTRIBUTES and ATTRIBUTES[name].channels > 0
    planes = np.moveaxis(values, -1, 0) if has_several else values[None]
    kind = np.float32 if values.dtype.kind == "f" else np.uint32
    if kind is np.uint32 and values.max(initial=0) >= NO_VALUE:
        raise OutputError(f"{name} {values.max()} does not fit into the 32 bits of EXR; write npz")
    bases = "Z" if name == "depth" else _CHANNELS[len(planes)]
    return {
        f"{name}.{base}": np.ascontiguousarray(
            plane * planes[3] if name in _COLORS and base != "A" else plane, dtype=kind
        )
        for base, plane in zip(bases, planes, strict=True)
    }


def write_exr_file(path: str | os.PathLike[str], exr: Any) -> list[Path]:
    """Write an ``OpenEXR.File``, and return its path as a list.

    Raises:
        OutputError: the file cannot be written.
    """
    # Into memory first: OpenEXR writes its table of offsets last, and reports no error if the disk
    # is full by then.
    content = exr_bytes(exr)
    with atomic_write(path) as file:
        file.write(content)
    return [Path(path)]


def exr_bytes(exr: Any) -> bytes:
    """Return the content of an ``OpenEXR.File``."""
    stream = io.BytesIO()
    exr.write(stream)
    return stream.getvalue()
