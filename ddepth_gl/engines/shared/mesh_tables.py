"""Mesh tables: arrays of a mesh in buffer textures, which shaders read by index."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._srgb import linear_from_srgb
from ...errors import DeviceMemoryError
from ...gl.context import GLContext
from ...mesh.normals import smooth_normals
from ...mesh.sampler import Sampler
from ..scene import Scene

__all__ = ["LINEAR_OF_SRGB", "MESH_TABLES", "mesh_table", "sampler_bits", "upload_table"]


# (256,) float32: the linear value of each sRGB byte.
LINEAR_OF_SRGB = linear_from_srgb(np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1))[
    :, 0
].copy()

# In the order of WRAP_* and FILTER_* in texel_wrap.glsl.
_WRAPS = ("repeat", "clamp", "mirror")
_FILTERS = ("linear", "nearest")


def _uvs(scene: Scene) -> npt.NDArray[np.float32]:
    return scene.mesh.uv if scene.mesh.uv is not None else np.zeros((1, 2), np.float32)


def _colors(scene: Scene) -> npt.NDArray[np.uint8]:
    return scene.mesh.colors if scene.mesh.colors is not None else np.zeros((1, 4), np.uint8)


def _texels(scene: Scene) -> npt.NDArray[np.uint8]:
    return np.concatenate([each.reshape(-1, 4) for each in _distinct_textures(scene).values()])


def _texture_table(scene: Scene) -> npt.NDArray[np.int32]:
    """Return (T, 4): first texel, width, height and sampler; texel_wrap.glsl describes them."""
    first_of_texture = {}
    first = 0
    for key, texture in _distinct_textures(scene).items():
        first_of_texture[key] = first
        first += texture.shape[0] * texture.shape[1]
    rows = [
        (first_of_texture[id(texture)], *texture.shape[1::-1], sampler_bits(sampler))
        for texture, sampler in zip(scene.mesh.textures, scene.mesh.samplers, strict=True)
    ]
    return np.array(rows, np.int64).astype(np.int32)  # too many texels are refused on upload


def _distinct_textures(scene: Scene) -> dict[int, npt.NDArray[np.uint8]]:
    """Return the textures by identity: those with different samplers may share their texels."""
    return {id(texture): texture for texture in scene.mesh.textures}


def sampler_bits(sampler: Sampler) -> int:
    """Return a sampler as texel_wrap.glsl reads it."""
    wraps = _WRAPS.index(sampler.wrap_u) | _WRAPS.index(sampler.wrap_v) << 2
    return wraps | _FILTERS.index(sampler.filter) << 4


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
    "linear_colors": lambda scene: LINEAR_OF_SRGB[_colors(scene)[:, :3]],
    "texels": _texels,  # of all distinct textures, one after the other
    "texture_table": _texture_table,
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
        return upload_table(
            context, scene, name, words, "split the mesh, or request fewer attributes"
        )

    return scene.cached(("table", name), upload)


def upload_table(
    context: GLContext, scene: Scene, name: str, words: npt.NDArray[np.int32], advice: str
) -> Any:
    """Upload a table of a scene's mesh.

    Args:
        context: the scene's, current.
        scene: will own the table.
        name: name of the table in messages.
        words: (n, 1 to 4), a row for each texel.
        advice: what to do if the table is too large.

    Returns:
        The buffer texture, of signed 32-bit integers.

    Raises:
        DeviceMemoryError: see `mesh_table`.
    """
    if len(words) > context.max_texels:
        raise DeviceMemoryError(
            f"{scene.mesh!r}: the table of {name.replace('_', ' ')} has {len(words):,} "
            f"entries, more than the {context.max_texels:,} that {context.renderer} can read; "
            f"{advice}"
        )
    buffer = scene.adopt(context.gl.buffer(words))
    table = scene.adopt(context.functions.buffer_texture(buffer, words.shape[1]))
    context.check_error(f"uploading {name} of {scene.mesh!r}", "the mesh")
    return table
