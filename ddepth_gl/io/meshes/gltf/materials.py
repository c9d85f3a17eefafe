"""The colors of glTF materials: factors, textures with their samplers, and alpha modes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ....mesh.sampler import Sampler, Wrap
from ..alpha_modes import effective_cutoff
from ..options import LoadOptions
from ..textures import EncodedTexture, LostTexture
from .document import GltfDocument
from .images import GltfImages

__all__ = ["GltfLook", "GltfMaterials", "is_emissive_only"]

_WRAPS: dict[Any, Wrap] = {33071: "clamp", 33648: "mirror", 10497: "repeat"}
_NEAREST = 9728
_WHITE = (1.0, 1.0, 1.0, 1.0)
_BLACK = (0.0, 0.0, 0.0)
_DEFAULT_CUTOFF = 0.5


class GltfLook(NamedTuple):
    """Colors, texture and alpha cutoff of a material, as far as a mesh holds them.

    Attributes:
        factor: (4,) linear RGBA.
        texture: the texture that multiplies it, not decoded yet; None without one.
        sampler: sampler of the texture.
        uv_name: vertex attribute with the texture coordinates; empty if none are wanted.
        uv_matrix: (2, 3) affine transform of the texture coordinates.
        alpha_cutoff: alpha below which a point does not exist; 0 without a mask.
        channels: (4,) booleans: components of vertex colors that multiply the factor.
    """

    factor: npt.NDArray[np.float64]
    texture: EncodedTexture | LostTexture | None
    sampler: Sampler
    uv_name: str
    uv_matrix: npt.NDArray[np.float64]
    alpha_cutoff: float
    channels: npt.NDArray[np.bool_]

    def vertex_colors(self, given: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return (V, 4) linear colors: (V, 3) or (V, 4) of the vertices, times the factor."""
        linear = np.tile(self.factor, (len(given), 1))
        used = np.flatnonzero(self.channels[: given.shape[1]])
        linear[:, used] *= given[:, used]
        return linear

    def cutoff(self, lowest_vertex_alpha: float, has_uv: bool) -> float:
        """Return the alpha cutoff; 0 if no point of the faces can be below it.

        Without texture coordinates, there is no texture. Its texels are not looked at:
        `merge_parts` does that.
        """
        texture = self.texture if has_uv else None
        return effective_cutoff(self.alpha_cutoff, lowest_vertex_alpha, texture)


class GltfMaterials:
    """Reader of the materials of a glTF document.

    Args:
        document: the glTF document.
        images: its images.
        options: options of `load_mesh`.
    """

    def __init__(self, document: GltfDocument, images: GltfImages, options: LoadOptions) -> None:
        self._document = document
        self._images = images
        self._options = options

    def look(self, index: Any, has_vertex_colors: bool) -> GltfLook:
        """Return colors, texture and alpha cutoff of a material; white if the index is None.

        Args:
            index: index of the material; None without one.
            has_vertex_colors: whether the faces have vertex colors.
        """
        material = {} if index is None else self._document.item("materials", index)
        is_emissive = is_emissive_only(material, has_vertex_colors)
        factor, info = _color(material, is_emissive)
        mode = material.get("alphaMode", "OPAQUE")
        cutoff = self._alpha_cutoff(material, mode)
        is_opaque = mode not in ("MASK", "BLEND")
        if is_opaque:
            factor[3] = 1.0
        if not (self._options.appearance or cutoff):
            no_channels = np.zeros(4, bool)
            return GltfLook(np.ones(4), None, Sampler(), "", np.eye(2, 3), 0.0, no_channels)
        channels = np.full(4, not is_emissive)
        channels[3] = not is_opaque
        is_mask = cutoff > 0.0 and not is_emissive  # alpha of an emissive texture does not count
        if not (self._options.appearance or is_mask):
            info = None
        texture = sampler = None
        uv_set, uv_matrix = 0, np.eye(2, 3)
        if info is not None:
            given = self._document.item("textures", info["index"])
            texture = self._images.first_usable(_sources(given), is_mask)
            if isinstance(texture, EncodedTexture) and (is_opaque or is_emissive):
                texture = texture.opaque()
            sampler = self._sampler(given.get("sampler"))
            uv_set, uv_matrix = _uv_transform(info)
        return GltfLook(
            factor, texture, sampler or Sampler(), f"TEXCOORD_{uv_set}", uv_matrix, cutoff, channels
        )

    def _alpha_cutoff(self, material: Any, mode: Any) -> float:
        if self._options.alpha == "ignore":
            return 0.0
        if mode == "MASK":
            return max(0.0, float(material.get("alphaCutoff", _DEFAULT_CUTOFF)))
        return float(self._options.blend_cutoff or 0.0) if mode == "BLEND" else 0.0

    def _sampler(self, index: Any) -> Sampler:
        """Return a sampler; unknown values count as the default."""
        given = {} if index is None else self._document.item("samplers", index)
        return Sampler(
            _WRAPS.get(given.get("wrapS"), "repeat"),
            _WRAPS.get(given.get("wrapT"), "repeat"),
            "nearest" if given.get("magFilter") == _NEAREST else "linear",
        )


def is_emissive_only(material: Any, has_vertex_colors: bool) -> bool:
    """Return whether a material has light of its own and no other color.

    It emits light, has no base color texture, and its base color is black. If no base color is
    given, it is white by definition of glTF: such a material counts only if it has an emissive
    texture and the faces have no vertex colors.

    Args:
        material: JSON object of the material.
        has_vertex_colors: whether the faces have vertex colors.
    """
    emitted = material.get("emissiveFactor", _BLACK)
    if not any(emitted):
        return False
    factor, texture = _base_color(material)
    if texture is not None:
        return False
    if factor is None:
        return "emissiveTexture" in material and not has_vertex_colors
    return not any(factor[:3])


def _color(material: Any, is_emissive: bool) -> tuple[npt.NDArray[np.float64], Any]:
    """Return the linear (4,) factor and the texture info of what is shown as the color."""
    factor, texture = _base_color(material)
    color: npt.NDArray[np.float64] = np.array(_WHITE if factor is None else factor, np.float64)
    color = color.reshape(4)
    if is_emissive:
        color[:3] = np.array(material["emissiveFactor"], np.float64).reshape(3)
        texture = material.get("emissiveTexture")
    return np.clip(color, 0.0, 1.0), texture


def _base_color(material: Any) -> tuple[Any, Any]:
    """Return the factor and the texture info of the base color, None each where not given.

    KHR_materials_pbrSpecularGlossiness comes before the metallic-roughness model.
    """
    extensions = material.get("extensions", {})
    diffuse = extensions.get("KHR_materials_pbrSpecularGlossiness")
    if diffuse is not None:
        return diffuse.get("diffuseFactor"), diffuse.get("diffuseTexture")
    base = material.get("pbrMetallicRoughness", {})
    return base.get("baseColorFactor"), base.get("baseColorTexture")


def _sources(texture: Any) -> Iterator[Any]:
    """Yield the images of a texture, in the order in which they are tried.

    A plain image is preferred to formats that few decoders read in full.
    """
    extensions = texture.get("extensions", {})
    others = (name for name in extensions if name != "EXT_texture_webp")
    candidates = [
        extensions.get("EXT_texture_webp", {}).get("source"),
        texture.get("source"),
        *(extensions[name].get("source") for name in sorted(others)),
    ]
    yield from (index for index in candidates if index is not None)


def _uv_transform(info: Any) -> tuple[Any, npt.NDArray[np.float64]]:
    """Return the uv set of a texture info and the (2, 3) transform of KHR_texture_transform."""
    transform = info.get("extensions", {}).get("KHR_texture_transform", {})
    angle = transform.get("rotation", 0.0)
    offset_u, offset_v = transform.get("offset", (0, 0))
    scale_u, scale_v = transform.get("scale", (1, 1))
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.array(
        ((c * scale_u, s * scale_v, offset_u), (-s * scale_u, c * scale_v, offset_v)), np.float64
    )
    return transform.get("texCoord", info.get("texCoord", 0)), matrix
