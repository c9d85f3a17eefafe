"""Mesh tables: arrays of a mesh in buffer textures, which shaders read by index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ...errors import DeviceMemoryError
from ...gl.context import GLContext
from ...mesh.normals import smooth_normals
from ..scene import Scene

__all__ = ["MESH_TABLES", "mesh_table"]


def _uvs(scene: Scene) -> npt.NDArray[np.float32]:
    return scene.mesh.uv if scene.mesh.uv is not None else np.zeros((1, 2), np.float32)


def _colors(scene: Scene) -> npt.NDArray[np.uint8]:
    return scene.mesh.colors if scene.mesh.colors is not None else np.zeros((1, 4), np.uint8)


def _texels(scene: Scene) -> npt.NDArray[np.uint8]:
    return np.concatenate([texture.reshape(-1, 4) for texture in scene.mesh.textures])


def _texture_table(scene: Scene) -> npt.NDArray[np.int32]:
    sizes = np.array([texture.shape[1::-1] for texture in scene.mesh.textures])
    starts = np.cumsum(sizes.prod(axis=1)) - sizes.prod(axis=1)
    return np.column_stack((starts, sizes)).astype(np.int32)


# The samplers of the shaders, and the rows of their tables: one texel each, of 32-bit words.
MESH_TABLES: dict[str, Callable[[Scene], npt.NDArray[Any]]] = {
    "faces": lambda scene: scene.mesh.faces,
    # One coordinate a texel: a double is two words.
    "vertices": lambda scene: scene.to_local(scene.mesh.vertices).reshape(-1, 1),
    "texture_of_face": lambda scene: scene.mesh.texture_id[:, None],
    "uvs": _uvs,
    "corner_normals": lambda scene: smooth_normals(scene.mesh.vertices, scene.mesh.faces).reshape(
        -1, 3
    ),
    "colors": _colors,
    "texels": _texels,  # of all textures, one after the other
    "texture_table": _texture_table,  # first texel, width and height of each texture
}


def mesh_table(context: GLContext, scene: Scene, name: str) -> Any:
    """Return a table of a scene's mesh; it is uploaded on the first call.

    Args:
        context: the scene's, current.
        scene: owner of the table.
        name: one of `MESH_TABLES`.

    Returns:
        The buffer texture, of signed 32-bit integers.

    Raises:
        DeviceMemoryError: the table is larger than a buffer texture, or does not fit into
            the device's memory.
    """

    def upload() -> Any:
        words = np.ascontiguousarray(MESH_TABLES[name](scene)).view(np.int32)
        if len(words) > context.max_texels:
            raise DeviceMemoryError(
                f"{scene.mesh!r}: the table of {name.replace('_', ' ')} has {len(words):,} "
                f"entries, more than the {context.max_texels:,} that {context.renderer} can read; "
                "split the mesh, or request fewer attributes"
            )
        buffer = scene.adopt(context.gl.buffer(words))
        table = scene.adopt(context.functions.buffer_texture(buffer, words.shape[1]))
        context.check_error(f"uploading {name} of {scene.mesh!r}", "the mesh")
        return table

    return scene.cached(("table", name), upload)
