"""Layouts of published work: what each one needs rendered, and its files in a sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._srgb import srgb_from_linear
from ..errors import OutputError
from ..io.results.archive_writer import archive_bytes
from ..io.results.lari import lari_bytes
from ..io.results.layereddepth import PUBLISHED_SCALE
from ..io.results.xray import xray_bytes
from ..mesh.mesh import Mesh
from ..results.depth_layers import DepthLayers
from ..results.depth_maps import DepthMaps
from .codecs import depth_png, png_bytes

__all__ = ["LAYOUTS", "LayoutSpec", "Rendered", "reference_distance"]

LAYEREDDEPTH_LAYERS = 8
_STEPS_PER_PIXEL = 32  # of 2K2K


@dataclass(frozen=True)
class Rendered:
    """One view as it was rendered.

    Attributes:
        mesh: the mesh, placed.
        maps: both sheets.
        layers: crossings; None unless something needs them.
        image: (H, W, 4) uint8; None unless the photo is stored.
    """

    mesh: Mesh
    maps: DepthMaps
    layers: DepthLayers | None = None
    image: npt.NDArray[np.uint8] | None = None

    @property
    def required_layers(self) -> DepthLayers:
        """The layers, for what cannot do without."""
        if self.layers is None:
            raise OutputError("layers were not rendered")
        return self.layers


@dataclass(frozen=True)
class LayoutSpec:
    """A layout of published work.

    Attributes:
        files: returns the files of a view, content by ending.
        fields: name in the decoded sample to its description in the JSON file.
        layers: number of layers that it stores; 0 for layouts of both sheets.
        map_attributes, layer_attributes: attributes that it needs.
        shows_colors: whether it depends on colors or textures.
    """

    files: Callable[[Rendered], dict[str, bytes]]
    fields: Mapping[str, Mapping[str, str]]
    layers: int = 0
    map_attributes: tuple[str, ...] = ()
    layer_attributes: tuple[str, ...] = ()
    shows_colors: bool = False


def _xray(view: Rendered) -> dict[str, bytes]:
    return {"xray.npz": xray_bytes(view.required_layers)}


def _lari(view: Rendered) -> dict[str, bytes]:
    return {"ldi.npz": lari_bytes(view.required_layers)}


def _lari16(view: Rendered) -> dict[str, bytes]:
    layers = view.required_layers
    return {"ldi16.npz": lari_bytes(layers, dtype="float16", name="ldi16.npz")}


def _layereddepth(view: Rendered) -> dict[str, bytes]:
    """Return the depths as the data set has them, and what else its generator renders.

    Wen et al., "Seeing and Seeing Through the Glass", ICCV 2025: images ``depth_1.png`` to
    ``depth_8.png`` in steps of 0.001, see `write_layereddepth`. The generator also renders, of
    each layer, normal, object id and material id, where ids count from 1 and 0 is a miss.
    A Mesh keeps textures and no other parts of materials: 1 is a face without a texture.
    """
    layers = view.required_layers
    stacks = layers.dense_many(("depth", "face", "normal", "object_id"), LAYEREDDEPTH_LAYERS)
    files = {
        f"depth_{number}.png": depth_png(depth, PUBLISHED_SCALE, f"depth_{number}.png")
        for number, depth in enumerate(stacks["depth"], start=1)
    }
    face, texture_id = stacks["face"], view.mesh.texture_id
    material = np.where(face >= 0, texture_id[face] + 2, 0)
    files["layereddepth.npz"] = archive_bytes(
        {
            "normal": stacks["normal"],
            "object_id": stacks["object_id"] + 1,
            "material_id": material.astype(np.int32),
        }
    )
    return files


def reference_distance(view: Rendered) -> float:
    """Return the distance of the camera to the center of the mesh's bounding box, mesh units."""
    camera = view.maps.camera
    low, high = view.mesh.bounds.tolist()
    center = [(a + b) / 2.0 for a, b in zip(low, high, strict=True)]
    # Sum by sum: matrix products round by the CPU.
    x, y, z = (
        row[0] * center[0] + row[1] * center[1] + row[2] * center[2] + row[3]
        for row in camera.camera_from_world[:3].tolist()
    )
    return z if camera.is_orthographic else math.sqrt(x * x + y * y + z * z)


def _2k2k(view: Rendered) -> dict[str, bytes]:
    """Return front and back as depth and unlit color.

    Han et al., "High-fidelity 3D Human Digitization from Single 2K Resolution Images", CVPR 2023;
    ``render/render.py`` of SangHunHan92/2K2K writes ``DEPTH/NAME_front.png``, ``NAME_back.png`` of
    16 bits and ``COLOR/NOSHADING/`` images of the same names. A pixel holds the distance along the
    ray, in pixels at the center of the object, as 32nds, rounded down, from half an image width in
    front of it on: ``32 * ((distance - reference) * fx / reference + width / 2)``; 0 is a miss.
    There the reference is 1, as the camera is 1 away from the center of the person; here it is
    `reference_distance`, which the JSON file holds.
    """
    maps = view.maps
    camera, reference = maps.camera, reference_distance(view)
    pixels_per_unit = camera.K[0, 0] / (1.0 if camera.is_orthographic else reference)
    files = {}
    for name, distance in (("front", maps.entry_distance), ("back", maps.exit_distance)):
        steps = (distance.astype(np.float64) - reference) * pixels_per_unit + camera.width / 2.0
        steps = np.floor(steps * _STEPS_PER_PIXEL)
        hit = maps.mask & ~np.isnan(steps)
        if hit.any() and not (steps[hit].min() >= 1.0 and steps[hit].max() <= 65535.0):
            raise OutputError(
                f"depth_{name}.png: 2K2K's layout holds depths within half an image width of the "
                "mesh's center, or less for images wider than 2048; move the camera away"
            )
        files[f"depth_{name}.png"] = png_bytes(np.where(hit, steps, 0.0).astype(np.uint16))
    for name, color in zip(("front", "back"), maps.attributes["color"], strict=True):
        shown = srgb_from_linear(np.where(maps.mask[..., None], color, np.float32(0.0)))
        files[f"color_{name}.png"] = png_bytes(np.ascontiguousarray(shown[..., :3]))
    return files


def _point_map(dtype: type[np.floating[Any]], ending: str) -> Callable[..., dict[str, bytes]]:
    def files(view: Rendered) -> dict[str, bytes]:
        """Return the points of both sheets in the camera frame, as point-map networks take them."""
        maps = view.maps
        arrays = {}
        for name, depth in (("entry", maps.entry), ("exit", maps.exit)):
            points = maps.camera.unproject(maps.camera.pixel_centers(), depth, "camera")
            points[np.isnan(depth)] = np.nan  # x and y, too, for orthographic cameras
            with np.errstate(over="ignore"):
                arrays[name] = points.astype(dtype)
            if np.isinf(arrays[name]).any():
                raise OutputError(f"{ending}: float16 holds numbers up to 65504; scale the mesh")
        return {ending: archive_bytes(arrays)}

    return files


_DEPTH = {"frame": "camera, z", "units": "mesh"}


def _point_fields(prefix: str, ending: str) -> dict[str, dict[str, str]]:
    return {
        f"{prefix}_{sheet}": {"file": ending, "frame": "camera", "units": "mesh"}
        for sheet in ("entry", "exit")
    }


LAYOUTS: Mapping[str, LayoutSpec] = {
    "xray": LayoutSpec(
        _xray,
        {"xray": {"file": "xray.npz", "frame": "along the ray; normals OpenGL", "units": "mesh"}},
        layers=16,
        layer_attributes=("normal", "color"),
        shows_colors=True,
    ),
    "lari": LayoutSpec(_lari, {"ldi": {"file": "ldi.npz", **_DEPTH}}, layers=15),
    "lari16": LayoutSpec(_lari16, {"ldi16": {"file": "ldi16.npz", **_DEPTH}}, layers=15),
    "layereddepth": LayoutSpec(
        _layereddepth,
        {
            "layereddepth_depth": {
                "file": "depth_1.png to depth_8.png",
                "scale": str(PUBLISHED_SCALE),
                **_DEPTH,
            },
            "layereddepth_normal": {"file": "layereddepth.npz", "frame": "world", "units": "1"},
            "layereddepth_object_id": {"file": "layereddepth.npz", "units": "id + 1, 0 a miss"},
            "layereddepth_material_id": {
                "file": "layereddepth.npz",
                "units": "texture + 2, 0 a miss",
            },
        },
        layers=LAYEREDDEPTH_LAYERS,
        layer_attributes=("normal", "object_id"),
        shows_colors=True,
    ),
    "2k2k": LayoutSpec(
        _2k2k,
        {
            "2k2k_depth": {
                "file": "depth_front.png, depth_back.png",
                "frame": "along the ray",
                "units": "32nds of a pixel at the reference",
            },
            "2k2k_color": {"file": "color_front.png, color_back.png", "units": "sRGB"},
        },
        map_attributes=("color",),
        shows_colors=True,
    ),
    "point_map": LayoutSpec(
        _point_map(np.float32, "point_map.npz"), _point_fields("point_map", "point_map.npz")
    ),
    "point_map16": LayoutSpec(
        _point_map(np.float16, "point_map16.npz"), _point_fields("point_map16", "point_map16.npz")
    ),
}
