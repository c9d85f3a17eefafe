"""Alpha masks on the device: what shaders need to know which points of masked faces exist.

Both engines ask shaders/include/alpha_mask.glsl about each crossing. It takes everything about a
face from one row of a table, as the faces of a mesh with masks are mostly few and read often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...gl.context import GLContext
from ...gl.functions import BufferTexture
from ...mesh.mesh import Mesh
from ..scene import Scene
from .mesh_tables import sampler_bits, upload_table

__all__ = ["AlphaMasks", "alpha_masks"]

Int32Array = npt.NDArray[np.int32]

# The texture units of alpha_mask.glsl, by sampler.
_UNITS = {"mask_of_face": 9, "face_masks": 10, "mask_texels": 11}

# In `mask_of_face`: no point of the face is left out, or all are.
_NO_MASK, _ALL_CUT_OUT = -1, -2

# A row of `face_masks`, as alpha_mask.glsl reads it: 8 texels of 4 words.
_FACE_MASK = np.dtype(
    [
        ("corners", "<f8", (3, 3)),  # local frame
        ("limit", "<f8"),  # of vertex alpha x texture alpha, of 255 each
        ("uv", "<f4", (3, 2)),
        ("vertex_alpha", "u1", 4),  # the fourth is not used
        ("unused", "<i4"),
        ("first_texel", "<i4"),
        ("size", "<i4", 2),  # of the texture: width, height
        ("sampler", "<i4"),
    ]
)
# Alpha is at least a cutoff if it is by so much less, half a step of float32 at 1: cutoffs are
# float32, and 128 / 255 should not be cut out by a cutoff of 128 / 255.
_SLACK = 2.0**-24

_ADVICE = "split the mesh, or use smaller textures for its masked faces"


@dataclass(frozen=True)
class AlphaMasks:
    """The masks of a scene's faces, in buffer textures that the scene owns.

    Attributes:
        tables: buffer texture of each sampler of alpha_mask.glsl.
    """

    tables: dict[str, BufferTexture]

    def use(self, context: GLContext, program: Any) -> None:
        """Bind the masks for a program.

        Args:
            context: current.
            program: includes alpha_mask.glsl.
        """
        for name, table in self.tables.items():
            table.use(_UNITS[name])
            if name in program:
                context.functions.set_sampler(program, name, _UNITS[name])


def alpha_masks(context: GLContext, scene: Scene) -> AlphaMasks | None:
    """Return the masks of a scene's faces; they are uploaded on the first call.

    Args:
        context: the scene's, current.
        scene: owner of the masks.

    Returns:
        The masks; None if no face has one that leaves out a point.

    Raises:
        DeviceMemoryError: the masks are larger than a buffer texture, or do not fit into the
            device's memory.
    """
    cutoff = scene.mesh.alpha_cutoff
    if cutoff is None:
        return None

    def upload() -> AlphaMasks | None:
        tables = _mask_tables(scene, cutoff)
        if tables is None:
            return None
        return AlphaMasks(
            {
                name: upload_table(context, scene, name, words, _ADVICE)
                for name, words in tables.items()
            }
        )

    return scene.cached("alpha masks", upload)


def _mask_tables(scene: Scene, cutoff: npt.NDArray[np.float32]) -> dict[str, Int32Array] | None:
    """Return the tables of alpha_mask.glsl, (n, words of a texel) each; None if none is needed.

    Args:
        scene: Scene of the faces.
        cutoff: (F,), see `Mesh`.
    """
    mesh = scene.mesh
    masked = np.flatnonzero(cutoff > 0.0)
    limit = 255.0**2 * (cutoff[masked].astype(np.float64) - _SLACK)
    alphas = {
        i: np.ascontiguousarray(mesh._textures[i].alpha()) for i in _texture_ids(mesh, masked)
    }
    vertex_alpha = (
        np.full((len(masked), 3), 255, np.uint8)
        if mesh.colors is None
        else mesh.colors[:, 3][mesh.faces[masked]]
    )
    # Interpolated values lie between these, so many faces are decided as a whole.
    extremes = np.full((len(mesh.samplers) + 1, 2), 255.0)  # the last is for faces without texture
    for index, alpha in alphas.items():
        extremes[index] = alpha.min(), alpha.max()
    lowest, highest = extremes[mesh.texture_id[masked]].T
    exists = lowest * vertex_alpha.min(axis=1) >= limit
    is_cut_out = highest * vertex_alpha.max(axis=1) < limit
    mask_of_face = np.full(len(mesh.faces), _NO_MASK, np.int32)
    mask_of_face[masked[is_cut_out]] = _ALL_CUT_OUT
    if exists.all():
        return None
    varies = np.flatnonzero(~(exists | is_cut_out))
    faces = masked[varies]
    mask_of_face[faces] = np.arange(len(faces))

    first_texels, texels = _packed({i: alphas[i] for i in _texture_ids(mesh, faces)})
    rows = np.zeros(max(1, len(faces)), _FACE_MASK)  # a buffer cannot be empty
    rows["size"] = 1, 1  # of the first texel, which is opaque
    filled = rows[: len(faces)]
    filled["corners"] = scene.to_local(mesh.vertices)[mesh.faces[faces]]
    filled["limit"], filled["vertex_alpha"][:, :3] = limit[varies], vertex_alpha[varies]
    if mesh.uv is not None:
        filled["uv"] = mesh.uv[mesh.faces[faces]]
    texture_id = mesh.texture_id[faces]
    for index, first_texel in first_texels.items():
        those = texture_id == index
        filled["first_texel"][those] = first_texel
        filled["size"][those] = alphas[index].shape[::-1]
        filled["sampler"][those] = sampler_bits(mesh.samplers[index])
    return {
        "mask_of_face": mask_of_face[:, None],
        "face_masks": rows.view(np.int32).reshape(-1, 4),
        "mask_texels": texels,
    }


def _texture_ids(mesh: Mesh, faces: npt.NDArray[np.int64]) -> list[int]:
    """Return the textures of some faces."""
    return [int(i) for i in np.unique(mesh.texture_id[faces]) if i >= 0]


def _packed(alphas: dict[int, npt.NDArray[np.uint8]]) -> tuple[dict[int, int], Int32Array]:
    """Return where the texels of each texture begin, and all texels, (n, 1), four a word.

    The texel at 0 is opaque.
    """
    first_texels, total = {}, 1
    for index, alpha in alphas.items():
        first_texels[index] = total
        total += alpha.size
    texels = np.zeros(4 * -(-total // 4), np.uint8)
    texels[0] = 255
    for index, alpha in alphas.items():
        first = first_texels[index]
        texels[first : first + alpha.size] = alpha.reshape(-1)
    return first_texels, texels.view("<i4").reshape(-1, 1)
