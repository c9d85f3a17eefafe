"""Stored depths of random pixels against float64 rays, where the mesh is still there."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from ..camera.camera import Camera
from ..jobs.float64_rays import RayCaster
from ..jobs.ray_judge import RELATIVE, explained, unexplained_layers
from ..mesh.mesh import Mesh
from .decoding import decoded_camera, decoded_sample, sample_facts
from .loaded_mesh import loaded_mesh
from .normalization import normalized
from .opened_mesh import opened_mesh

if TYPE_CHECKING:
    from .config import DatasetConfig
    from .entries import MeshEntry

__all__ = ["RayCheck", "mesh_of"]


def mesh_of(entry: MeshEntry, config: DatasetConfig) -> Mesh:
    """Return a mesh of a data set as it was rendered, without its appearance.

    Raises:
        DDepthError: it is not there any more, or cannot be read.
    """
    with opened_mesh(entry) as path:
        mesh = loaded_mesh(entry, path, config.loading, appearance=False)
    return normalized(mesh, config.normalization)[0]


@dataclass
class RayCheck:
    """A check of samples of one mesh.

    Attributes:
        mesh: as it was rendered.
        config: settings of the data set.
        rays: pixels of each sample to check.
        pixels: pixels that were compared so far.
    """

    mesh: Mesh
    config: DatasetConfig
    rays: int
    pixels: int = 0

    def problem(self, key: str, files: Mapping[str, bytes]) -> str:
        """Return what is wrong with the depths of a sample; empty if nothing is.

        Half of the pixels are anywhere, half where the sample has a depth. Which ones they are
        follows from the key. Pixels at faces with alpha masks are left out: the rays know no
        textures.

        Raises:
            DatasetError: the sample is damaged.
        """
        arrays = decoded_sample(files)
        camera = decoded_camera(files)
        pixels = self._pixels(key, camera, arrays)
        centers = camera.pixel_centers().reshape(-1, 2)[pixels]
        crossings = RayCaster(self.mesh.vertices, self.mesh.faces, camera).cast(centers)
        known = np.ones(len(pixels), bool)
        if self.mesh.alpha_cutoff is not None:
            known[crossings.point[self.mesh.alpha_cutoff[crossings.face] > 0.0]] = False
        self.pixels += int(known.sum())
        store = self.config.store
        relative = RELATIVE + store.depth_tolerance
        wrong: dict[str, npt.NDArray[np.bool_]] = {}
        sheets: tuple[Literal["entry", "exit"], ...] = ("entry", "exit")
        for sheet in sheets:
            values = _depths(sheet, arrays, camera)
            if values is not None:
                wrong[sheet] = ~explained(
                    crossings,
                    values[pixels],
                    sheet,
                    self._two_sided,
                    relative=relative,
                    absolute=_half_step(store.codec, files),
                    near=store.near,
                    far=store.far,
                )
        if "layers_depth" in arrays and store.near is None and store.far is None:
            wrong["layers"] = self._wrong_layers(arrays, crossings, pixels, relative)
        for name, found in wrong.items():
            found &= known
            if found.any():
                row, column = divmod(int(pixels[np.flatnonzero(found)[0]]), camera.width)
                return (
                    f"{key}: {int(found.sum())} of {len(pixels)} pixels of {name} are not where "
                    f"float64 rays meet the mesh, such as row {row}, column {column}"
                )
        return ""

    @property
    def _two_sided(self) -> npt.NDArray[np.bool_]:
        surfaces = self.config.store.surfaces
        if surfaces == "auto":
            return self.mesh.bodies.two_sided_faces
        return np.full(len(self.mesh.faces), surfaces == "any")

    def _pixels(self, key: str, camera: Camera, arrays: Mapping[str, Any]) -> npt.NDArray[np.int64]:
        rng = np.random.default_rng(zlib.crc32(key.encode()))
        count = camera.width * camera.height
        covered = np.zeros(count, bool)
        for name in ("entry", "entry_distance", "exit", "exit_distance"):
            if name in arrays:
                covered |= ~np.isnan(arrays[name].ravel())
        if "layers_count" in arrays:
            covered |= arrays["layers_count"].ravel() > 0
        inside = np.flatnonzero(covered)
        chosen = [rng.integers(0, count, self.rays - self.rays // 2)]
        if len(inside):
            chosen.append(rng.choice(inside, self.rays // 2))
        return np.unique(np.concatenate(chosen)).astype(np.int64)

    def _wrong_layers(
        self,
        arrays: Mapping[str, npt.NDArray[Any]],
        crossings: Any,
        pixels: npt.NDArray[np.int64],
        relative: float,
    ) -> npt.NDArray[np.bool_]:
        """Return at which pixels layers are wrong; those that were cut short are not looked at."""
        count = arrays["layers_count"].ravel().astype(np.int64)
        starts = np.concatenate([[0], np.cumsum(count)])
        offsets = np.concatenate([[0], np.cumsum(count[pixels])])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], count[pixels])
        depth = arrays["layers_depth"][np.repeat(starts[pixels], count[pixels]) + within]
        wrong, _ = unexplained_layers(crossings, offsets, depth, relative=relative)
        wrong[arrays["layers_truncated"].ravel()[pixels]] = False
        return wrong


def _depths(
    sheet: str, arrays: Mapping[str, npt.NDArray[Any]], camera: Camera
) -> npt.NDArray[np.float64] | None:
    """Return the depths of a sheet, (H * W,), from whatever the sample has of it."""
    if sheet in arrays:
        return arrays[sheet].ravel().astype(np.float64)
    if f"{sheet}_distance" not in arrays:
        return None
    distance = arrays[f"{sheet}_distance"].ravel().astype(np.float64)
    if camera.is_orthographic:
        return distance
    x = (camera.pixel_centers().reshape(-1, 2) - camera.K[:2, 2]) / np.diag(camera.K)[:2]
    x[:, 0] -= camera.K[0, 1] / camera.K[0, 0] * x[:, 1]
    return np.asarray(distance / np.sqrt(1.0 + (x * x).sum(axis=1)))


def _half_step(codec: str, files: Mapping[str, bytes]) -> float:
    """Return by how much a depth may be off that was rounded to steps, mesh units."""
    if codec != "png16":
        return 0.0
    scale = sample_facts(files).get("png16_scale", 0.0)
    return 0.5 * float(scale) if isinstance(scale, (int, float)) else 0.0
