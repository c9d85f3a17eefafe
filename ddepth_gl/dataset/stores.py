"""Stores: what the settings of a data set need rendered, and the files of each view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..camera.camera import Camera
from ..io.results.archive_writer import archive_bytes
from ..io.results.exr_file import import_openexr
from ..io.results.npz import npz_bytes
from ..io.results.packing import PACKED, pack
from ..io.results.ply import coordinate_type, ply_bytes
from ..io.results.quantization import smallest_scale
from ..io.results.rounding import rounded
from ..mesh.mesh import Mesh
from ..results.depth_layers import DepthLayers
from ..results.depth_maps import DepthMaps
from .codecs import depth_png, exr_sheets, png_bytes, sheet_arrays
from .layouts import LAYOUTS, Rendered
from .object_sheets import object_sheets_bytes

if TYPE_CHECKING:
    from .config import StoreConfig

__all__ = ["Stores", "scale_of_views"]

_SHEETS = ("depth", "distance", "thickness", "normal", "face", "object_id")
_ATTRIBUTES = _SHEETS[3:]
_FIELDS: Mapping[str, tuple[tuple[str, ...], str, str]] = {  # names, frame, units
    "depth": (("entry", "exit"), "camera, z", "mesh"),
    "distance": (("entry_distance", "exit_distance"), "along the ray", "mesh"),
    "thickness": (("thickness",), "along the ray", "mesh"),
    "normal": (("entry_normal", "exit_normal"), "world", "1"),
    "face": (("entry_face", "exit_face"), "index in the mesh as loaded", "1"),
    "object_id": (("entry_object_id", "exit_object_id"), "id in the mesh as loaded", "1"),
}
# Of what files record of their origin, that which varies within a data set and is the same on
# every machine. The plan has the rest.
_PROVENANCE = ("mesh_sha256", "mesh_side_files_sha256", "mesh_textures_sha256")


@dataclass(frozen=True)
class Stores:
    """The files of each view, as the settings ask for them.

    Attributes:
        config: settings of the stores.
        with_photo: render the photo; False where photos exist.
    """

    config: StoreConfig
    with_photo: bool = True

    @property
    def shows_colors(self) -> bool:
        """True if a file depends on colors or textures of the mesh."""
        return self._renders_photo or any(
            LAYOUTS[name].shows_colors for name in self.config.layouts
        )

    @property
    def _outputs(self) -> frozenset[str]:
        return frozenset(self.config.outputs)

    @property
    def _renders_photo(self) -> bool:
        return self.with_photo and "photo" in self._outputs

    @property
    def _needs_layers(self) -> bool:
        return bool({"layers", "objects"} & self._outputs) or any(
            LAYOUTS[name].layers for name in self.config.layouts
        )

    @property
    def _max_layers(self) -> int | None:
        """Number of crossings to render per pixel; None for all."""
        limits = [LAYOUTS[name].layers for name in self.config.layouts]
        if "objects" in self._outputs:
            return None
        if "layers" in self._outputs:
            if self.config.max_layers is None:
                return None
            limits.append(self.config.max_layers)
        return max(limits, default=0) or None

    def check(self) -> None:
        """Raise OutputError if a package that the files need is missing."""
        if self.config.codec == "exr" and not self._outputs.isdisjoint(_SHEETS):
            import_openexr()

    def render_options(self) -> dict[str, Any]:
        """Return the keyword arguments of `DepthRenderer.render_many`."""
        config = self.config
        maps = {name for name in _ATTRIBUTES if name in self._outputs}
        layers = maps - {"face"} if "layers" in self._outputs else set()
        for name in config.layouts:
            maps |= set(LAYOUTS[name].map_attributes)
            layers |= set(LAYOUTS[name].layer_attributes)
        if "points" in self._outputs:
            maps.add("normal")
        if "objects" in self._outputs:
            layers.add("object_id")
        options: dict[str, Any] = {
            "image": self._renders_photo,
            "maps": True,
            "layers": self._needs_layers,
            "attributes": sorted(maps),
            "surfaces": config.surfaces,
            "near": config.near,
            "far": config.far,
        }
        if self._renders_photo:
            options["samples"] = config.samples
        if self._needs_layers:
            options |= {"layer_attributes": sorted(layers), "max_layers": self._max_layers}
        return options

    def stored_layers(self, layers: DepthLayers | None) -> DepthLayers | None:
        """Return layers cut to the number that is stored, with the facts that follow."""
        limit = self.config.max_layers
        if layers is None or "layers" not in self._outputs or limit == self._max_layers:
            return layers
        return layers.merged(0.0, limit)

    def files(self, view: Rendered, layers: DepthLayers | None, scale: float) -> dict[str, bytes]:
        """Return the files of a view but the JSON file, content by ending.

        Args:
            view: what was rendered.
            layers: see `stored_layers`.
            scale: mesh units per step of 16-bit images, see `scale_of_views`.

        Raises:
            OutputError: a file cannot hold its content.
        """
        config = self.config
        view = replace(
            view,
            maps=replace(view.maps, provenance=_kept(view.maps)),
            layers=view.layers and replace(view.layers, provenance=_kept(view.layers)),
        )
        compression: Any = config.codec if config.codec in ("deflate", "none") else "packed"
        options = {"compression": compression, "tolerance": config.depth_tolerance}
        files: dict[str, bytes] = {}
        if view.image is not None:
            files["photo.png"] = png_bytes(view.image)
        files |= self._sheets(view.maps, compression, scale)
        if "layers" in self._outputs and layers is not None:
            names = [name for name in _ATTRIBUTES if name in self._outputs]
            kept = {name: layers.attributes[name] for name in names if name != "face"}
            stored = replace(layers, attributes=kept, provenance=_kept(layers))
            files["layers.npz"] = npz_bytes(stored, **options)
        if "points" in self._outputs:
            files["points.ply"] = _points(view.maps)
        if "objects" in self._outputs:
            files["objects.npz"] = object_sheets_bytes(
                view.required_layers, config.surfaces, **options
            )
        for name in config.layouts:
            files |= LAYOUTS[name].files(view)
        return files

    def _sheets(self, maps: DepthMaps, compression: Any, scale: float) -> dict[str, bytes]:
        config = self.config
        quantities = [name for name in _SHEETS if name in self._outputs]
        if not quantities:
            return {}
        tolerance = config.depth_tolerance
        kept = {name: pair for name, pair in maps.attributes.items() if name in quantities}
        maps = replace(maps, attributes=kept)
        if config.codec in ("png16", "exr"):
            entry, exit_ = rounded(maps.entry, tolerance), rounded(maps.exit, tolerance)
            maps = replace(maps, entry=entry, exit=exit_)
            arrays = sheet_arrays(maps, quantities)
            if config.codec == "exr":
                return {"sheets.exr": exr_sheets(maps, arrays)}
            depths = sheet_arrays(maps, [name for name in _SHEETS[:2] if name in quantities])
            files = {
                f"{name}.png": depth_png(depth, scale, f"{name}.png")
                for name, depth in depths.items()
            }
            others = {name: array for name, array in arrays.items() if name not in depths}
            if others:
                packed = dict(_packed(name, array) for name, array in others.items())
                files["sheets.npz"] = archive_bytes(packed)
            return files
        derived = [*_FIELDS["distance"][0]] if "distance" in quantities else []
        derived += ["thickness"] if "thickness" in quantities else []
        content = npz_bytes(maps, compression=compression, tolerance=tolerance, derived=derived)
        return {"sheets.npz": content}

    def fields(self) -> dict[str, dict[str, str]]:
        """Return a description of each array of a decoded sample, for the JSON file."""
        config, fields = self.config, {}
        if "photo" in self._outputs:
            fields["photo"] = {"file": "photo.png", "units": "sRGB, straight alpha"}
        for output, (names, frame, units) in _FIELDS.items():
            is_depth = output in ("depth", "distance")
            if output not in self._outputs and not (output == "depth" and self._adds_depth):
                continue
            for name in names:
                ending = "sheets.exr" if config.codec == "exr" else "sheets.npz"
                if is_depth and config.codec == "png16":
                    ending = f"{name}.png"
                fields[name] = {"file": ending, "frame": frame, "units": units}
        for output, ending, frame in (
            ("layers", "layers.npz", "camera, z"),
            ("objects", "objects.npz", "camera, z"),
            ("points", "points.ply", "world"),
        ):
            if output in self._outputs:
                fields[output] = {"file": ending, "frame": frame, "units": "mesh"}
        for name in config.layouts:
            fields |= {field: dict(about) for field, about in LAYOUTS[name].fields.items()}
        return fields

    @property
    def _adds_depth(self) -> bool:
        """True if files hold depth without being asked: those that `load_npz` reads."""
        is_npz = self.config.codec not in ("png16", "exr")
        return is_npz and any(name in self._outputs for name in _SHEETS)


def scale_of_views(mesh: Mesh, cameras: list[Camera]) -> float:
    """Return mesh units per step of 16-bit images, for depths and distances of all views."""
    low, high = mesh.bounds
    corners = np.array([[(low, high)[i >> axis & 1][axis] for axis in range(3)] for i in range(8)])
    farthest = 0.0
    for camera in cameras:
        depth = camera.project(corners)[1]
        farthest = max(farthest, float(depth.max()))
        if not camera.is_orthographic:
            offsets = corners - camera.center
            farthest = max(farthest, float(np.sqrt((offsets * offsets).sum(axis=1)).max()))
    return smallest_scale(farthest)


def _kept(result: DepthMaps | DepthLayers) -> dict[str, str]:
    return {name: text for name, text in result.provenance.items() if name in _PROVENANCE}


def _packed(name: str, array: Any) -> tuple[str, Any]:
    """Return an array's name and content in a packed file."""
    if array.dtype != np.float32:
        return name, array
    return name + PACKED, pack(array, array.ndim == 3)


def _points(maps: DepthMaps) -> bytes:
    """Return one cloud of all entry points and then all exit points, with outward normals."""
    camera, mask = maps.camera, maps.mask
    pixels = camera.pixel_centers()[mask]
    # The way of the ray in the camera frame; of an orthographic camera it is the same everywhere.
    along = camera.unproject(pixels, np.ones(len(pixels)), "camera")
    if camera.is_orthographic:
        along[:, :2] = 0.0
    clouds, normals = [], []
    for depth, normal, sign in (
        (maps.entry, maps.entry_normal, -1.0),
        (maps.exit, maps.exit_normal, 1.0),
    ):
        points = camera.unproject(pixels, depth[mask], "camera")
        clouds.append(_rotated(points - camera.camera_from_world[:3, 3], camera))
        values = normal[mask]
        is_inward = sign * (values * _rotated(along, camera)).sum(axis=1) < 0.0
        normals.append(np.where(is_inward[:, None], -values, values))
    points = np.concatenate(clouds)
    return ply_bytes(
        points.astype(coordinate_type(points)), normals=np.concatenate(normals), rendered=maps
    )


def _rotated(vectors: npt.NDArray[np.float64], camera: Camera) -> npt.NDArray[np.float64]:
    """Return (N, 3) vectors of the camera frame in the world frame.

    Sum by sum: matrix products round by the CPU.
    """
    x, y, z = vectors.T
    columns = camera.camera_from_world[:3, :3].T
    return np.stack([row[0] * x + row[1] * y + row[2] * z for row in columns], axis=-1)
