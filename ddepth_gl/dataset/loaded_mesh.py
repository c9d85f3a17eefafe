"""Meshes of a data set as their readers return them, with the options of its settings."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import LeftOutWarning, MeshError
from ..io.meshes.read import load_mesh
from ..mesh.mesh import Mesh
from .blend_mesh import BLEND_SUFFIX, blend_mesh
from .entries import MeshEntry

if TYPE_CHECKING:
    from .config import LoadingConfig

__all__ = ["loaded_mesh"]


def loaded_mesh(
    entry: MeshEntry,
    path: Path,
    loading: LoadingConfig,
    *,
    appearance: bool,
    has_own_camera: bool = False,
) -> Mesh:
    """Return a mesh as the data set has it, before it is placed.

    Args:
        entry: the mesh in the plan.
        path: its file on this machine.
        loading: options.
        appearance: see `load_mesh`.
        has_own_camera: see `blend_mesh`.

    Raises:
        MeshError: it cannot be read; the message names the address of the entry.
    """
    options: dict[str, Any] = {
        "appearance": appearance,
        "alpha": loading.alpha,
        "blend_cutoff": loading.blend_cutoff,
        "pose": loading.pose,
        "max_texture_size": loading.max_texture_size,
        "texture_roots": loading.texture_roots,
    }
    if loading.max_faces is not None:
        options["max_faces"] = loading.max_faces
    if loading.max_file_mb is not None:
        options["max_file_bytes"] = loading.max_file_mb * 10**6
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOutWarning)  # a column of the index has them
        try:
            if path.suffix.lower() == BLEND_SUFFIX:
                if loading.pose is not None:
                    raise MeshError(
                        f"{path}: its pose is that of its current frame; leave pose out"
                    )
                limits = {k: options[k] for k in ("max_faces", "max_file_bytes") if k in options}
                return blend_mesh(path, **limits, has_own_camera=has_own_camera)
            return load_mesh(path, **options)
        except MeshError as error:
            # A mesh of a tar or of other storage lies in a folder of no meaning to the user.
            place = entry.address if entry.member is None else f"{entry.address}:{entry.member}"
            raise MeshError(str(error).replace(str(path), place)) from error
