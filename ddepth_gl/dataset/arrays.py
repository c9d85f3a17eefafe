"""Arrays of a sample for training: images with channels first, all of fixed shapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._checks import shown
from ..camera.camera import Camera
from ..errors import DatasetError, RequestError
from ..results.depth_layers import DepthLayers
from ..results.depth_maps import DepthMaps

__all__ = ["OUTPUTS", "Needs", "checked_outputs", "rendered_arrays", "training_arrays"]

_Arrays = Mapping[str, npt.NDArray[Any]]

_ATTRIBUTES = ("normal", "face", "object_id")
_OF_MAPS = ("depth", "distance", "thickness", "points", *_ATTRIBUTES)
OUTPUTS = ("photo", *_OF_MAPS, "layers")


def checked_outputs(outputs: Iterable[str]) -> tuple[str, ...]:
    """Return the names of outputs, without repetition.

    Raises:
        RequestError: there are none, or a name does not exist.
    """
    names: tuple[Any, ...] = ()
    if isinstance(outputs, (list, tuple, set, dict)):
        names = tuple(outputs)
    if not names or not all(isinstance(name, str) and name in OUTPUTS for name in names):
        raise RequestError(
            f"outputs must be a list of some of {', '.join(OUTPUTS)}, not {shown(outputs)}"
        )
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Needs:
    """The results that some outputs are made of.

    Attributes:
        photo, maps, layers: whether each of them is needed.
        attributes: of the maps.
        depth_alone: whether "depth" is the only output that needs maps.
    """

    photo: bool
    maps: bool
    layers: bool
    attributes: tuple[str, ...]
    depth_alone: bool

    @classmethod
    def of(cls, outputs: Iterable[str]) -> Needs:
        """Return the needs of outputs that exist."""
        names = tuple(outputs)
        of_maps = [name for name in names if name in _OF_MAPS]
        return cls(
            "photo" in names,
            bool(of_maps),
            "layers" in names,
            tuple(name for name in of_maps if name in _ATTRIBUTES),
            of_maps == ["depth"],
        )


def rendered_arrays(
    photo: npt.NDArray[np.uint8] | None, maps: DepthMaps | None, layers: DepthLayers | None
) -> dict[str, npt.NDArray[Any]]:
    """Return what was rendered as `decoded_sample` returns what was stored."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    if photo is not None:
        arrays["photo"] = photo
    if maps is not None:
        arrays |= {"entry": maps.entry, "exit": maps.exit}
        for name, pair in maps.attributes.items():
            arrays |= {f"entry_{name}": pair.entry, f"exit_{name}": pair.exit}
    if layers is not None:
        arrays |= {"layers_count": layers.count, "layers_depth": layers.depth}
    return arrays


def training_arrays(
    outputs: Iterable[str], arrays: _Arrays, camera: Camera, max_layers: int
) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of outputs; see `DoubleDepthDataset` for their shapes.

    Args:
        outputs: names, see OUTPUTS.
        arrays: those of `rendered_arrays` or `decoded_sample`.
        camera: of the image.
        max_layers: number of layers.

    Raises:
        DatasetError: `arrays` lacks one that an output needs.
    """
    made: dict[str, npt.NDArray[Any]] = {}
    for name in outputs:
        if name == "photo":
            made[name] = np.moveaxis(_found(arrays, name, name), -1, 0)
        elif name == "layers":
            made["count"] = count = _found(arrays, name, "layers_count")
            made[name] = _dense(count, _found(arrays, name, "layers_depth"), max_layers)
        else:
            made[name] = _of_sheets(name, arrays, camera)
            if "mask" not in made:
                made["mask"] = _mask(arrays)
    return {name: np.ascontiguousarray(array) for name, array in made.items()}


def _found(arrays: _Arrays, output: str, name: str) -> npt.NDArray[Any]:
    if name not in arrays:
        raise DatasetError(
            f"the samples have no {name}, which the output {output} needs; render the data set "
            "with it"
        )
    return arrays[name]


def _of_sheets(output: str, arrays: _Arrays, camera: Camera) -> npt.NDArray[Any]:
    stored = {
        "depth": ("entry", "exit"),
        "distance": ("entry_distance", "exit_distance"),
        "thickness": ("thickness",),
        "points": (),
    }.get(output, (f"entry_{output}", f"exit_{output}"))
    if stored and all(name in arrays for name in stored):
        if output == "thickness":
            return arrays["thickness"]
        pair = np.stack([arrays[name] for name in stored])
        return pair.transpose(0, 3, 1, 2) if pair.ndim == 4 else pair
    if output in ("depth", *_ATTRIBUTES):
        _found(arrays, output, next(name for name in stored if name not in arrays))
    entry, exit_ = (_found(arrays, output, name) for name in ("entry", "exit"))
    maps = DepthMaps(entry, exit_, camera)
    if output == "thickness":
        return maps.thickness
    if output == "distance":
        return np.stack([maps.entry_distance, maps.exit_distance])
    return np.stack([_points(camera, sheet) for sheet in (entry, exit_)]).transpose(0, 3, 1, 2)


def _mask(arrays: _Arrays) -> npt.NDArray[np.bool_]:
    """Return where both sheets exist, by any array that says so."""
    if "entry" in arrays:
        return ~(np.isnan(arrays["entry"]) | np.isnan(arrays["exit"]))
    if "thickness" in arrays:
        return ~np.isnan(arrays["thickness"])
    if "entry_distance" in arrays:
        return ~(np.isnan(arrays["entry_distance"]) | np.isnan(arrays["exit_distance"]))
    raise DatasetError("the samples have no depth, distance or thickness, which the mask needs")


def _points(camera: Camera, sheet: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the world points of a sheet, (H, W, 3), NaN for a miss."""
    hit = ~np.isnan(sheet)
    points = np.full((*sheet.shape, 3), np.nan, np.float32)
    points[hit] = camera.unproject(camera.pixel_centers()[hit], sheet[hit], "world")
    return points


def _dense(
    count: npt.NDArray[Any], depth: npt.NDArray[np.float32], layers: int
) -> npt.NDArray[np.float32]:
    """Return the first crossings of each pixel, (layers, H, W); see `DepthLayers.dense`."""
    stack = np.full((layers, count.size), np.nan, np.float32)
    counts = count.ravel()
    starts = np.cumsum(counts) - counts
    for number, image in enumerate(stack):
        pixels = np.flatnonzero(counts > number)
        image[pixels] = depth[starts[pixels] + number]
    return stack.reshape(layers, *count.shape)
