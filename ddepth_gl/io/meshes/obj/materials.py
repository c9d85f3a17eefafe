"""Materials of an OBJ file: its libraries, and what each material means for its faces."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...._checks import shortened
from ...._text import counted
from ....errors import MeshError
from ..alpha_modes import alpha_notes, effective_cutoff
from ..folder import MeshFolder
from ..options import LoadOptions
from ..textures import NOT_FOUND, EncodedTexture, LostTexture, open_texture
from .material_names import material_named, means_none, shorter_names
from .mtl import MtlMaterial, TextureMap, parsed_mtl, possible_names
from .opacity_texture import with_opacity

__all__ = ["NO_LOOK", "Look", "ObjMaterials"]


class Look(NamedTuple):
    """The appearance of the faces of a material.

    Attributes:
        color: (4,) sRGB base color, for faces without a texture; None if the material has none.
        alpha: opacity that multiplies vertex colors or texture, 0..255.
        texture: the texture, or why it is lost; None if there is none.
        map: where the texture lies; None without a texture.
        alpha_cutoff: alpha cutoff of the faces; 0 without a mask.
        shows_color: whether the color counts beside the texture, which is white.
    """

    color: npt.NDArray[np.uint8] | None = None
    alpha: int = 255
    texture: EncodedTexture | LostTexture | None = None
    map: TextureMap | None = None
    alpha_cutoff: float = 0.0
    shows_color: bool = False


NO_LOOK = Look()


class ObjMaterials:
    """The materials that an OBJ file may use. Libraries are read at once, images when needed.

    If several libraries define a material, the first one counts.

    Args:
        libraries: what stands behind each `mtllib`.
        folder: reader of side files.
        options: options of `load_mesh`.
    """

    def __init__(self, libraries: Iterable[str], folder: MeshFolder, options: LoadOptions) -> None:
        self._folder = folder
        self._cutoff = 0.0
        if options.blend_cutoff is not None and options.alpha == "mask":
            self._cutoff = options.blend_cutoff
        libraries = list(libraries)
        self._has_libraries = bool(libraries)
        self._lost_libraries = False
        self._materials: dict[str, MtlMaterial] = {}
        self._images: dict[tuple[tuple[str, ...], str, bool], EncodedTexture | LostTexture] = {}
        self._looks: dict[str | None, Look] = {}
        self._options = options
        self._blending: set[int] = set()  # ids of materials
        # Whether materials decide more than what is told.
        self._is_needed = options.appearance or self._cutoff > 0.0
        for text in dict.fromkeys(libraries):
            for data, start in self._library(text):
                self._materials = {**parsed_mtl(data, start), **self._materials}
        self._shorter = shorter_names(self._materials)

    def look(self, name: str | None) -> Look:
        """Return the look of a material, by its name as written; None for no material.

        Raises:
            MeshError: an image is too large, or is being written.
        """
        if name not in self._looks:
            self._looks[name] = self._new_look(name)
        return self._looks[name]

    def tell_alpha(self) -> None:
        """Note the materials in use that blend, if their alpha does not count."""
        for text, warn in alpha_notes(self._options, 0, len(self._blending)):
            self._folder.leave_out(text, warn=warn)

    def tell_lost(self, faces: Mapping[str, int]) -> None:
        """Note how many faces have a material that no library defines.

        Nothing is noted if a library is lost, which is told already.

        Args:
            faces: number of faces by the name of their material.
        """
        if not self._is_needed or self._lost_libraries:
            return
        lost = {
            name: count
            for name, count in faces.items()
            if count and not means_none(name) and self._material(name) is None
        }
        if lost and not self._has_libraries:
            count = sum(lost.values())
            owner = "its material" if count == 1 else "their materials"
            text = f"{counted(count, 'face')} lost {owner}: the file has no mtllib line"
            self._folder.leave_out(text)
            return
        for name, count in lost.items():
            owner = "its" if count == 1 else "their"
            shown = shortened(name, 60)
            self._folder.leave_out(
                f"{counted(count, 'face')} lost {owner} material {shown!r}: no library defines it"
            )

    def _library(self, text: str) -> list[tuple[bytes, str]]:
        """Return content and folder of the libraries that a line names, one or several."""
        # With a cutoff, opacity decides where the surface is.
        is_texture = self._cutoff == 0.0
        for name in possible_names(text):
            data = self._read((name,), is_texture=is_texture)
            if data is not None:
                return [(data, _folder_of(name))]
        names = text.split("#")[0].split()
        names = names if len(names) > 1 else []
        found = [(name, self._read((name,), is_texture=is_texture)) for name in names]
        lost = [name for name, data in found if data is None]
        if len(lost) == len(found):
            lost = [*possible_names(text)[:1]]
        self._lost_libraries |= bool(lost)
        for name in lost if self._is_needed else ():
            self._folder.leave_out(f"material library {name}: {NOT_FOUND}")
        return [(data, _folder_of(name)) for name, data in found if data is not None]

    def _read(
        self, names: Sequence[str], start: str = "", *, is_texture: bool = False
    ) -> bytes | None:
        for name in names:
            try:
                return self._folder.read(
                    name, is_texture=is_texture or not self._is_needed, start=start
                )
            except FileNotFoundError:
                continue
            except MeshError:  # too large, or being written
                if self._is_needed:
                    raise
        return None

    def _material(self, name: str) -> MtlMaterial | None:
        return material_named(" ".join(name.split()), self._materials, self._shorter)

    def _new_look(self, name: str | None) -> Look:
        material = None if name is None else self._material(name)
        if material is None:
            return NO_LOOK
        opacity = 1.0 if material.opacity is None else material.opacity
        alpha = round(opacity * 255)
        if alpha < 255 or material.opacity_map is not None:
            self._blending.add(id(material))
        if not self._is_needed:
            return NO_LOOK
        for statement in material.left_out:
            self._folder.leave_out(f"{statement} of material {name}: only RGB is read")
        color, texture_map = _base_color(material)
        has_alpha = alpha < 255
        image: EncodedTexture | LostTexture | None = None
        if texture_map is not None:
            image = self._image(texture_map, self._cutoff > 0.0)
        elif material.has_ambient_map:
            self._folder.leave_out(f"ambient texture of material {name}: only map_Kd is read")
        if material.opacity_map is None:
            image = image.opaque() if isinstance(image, EncodedTexture) else image
        else:
            is_same = texture_map is not None and (
                material.opacity_map.names[0].lower() == texture_map.names[0].lower()
            )
            if not is_same and self._cutoff and not isinstance(image, LostTexture):
                combined = self._with_opacity(texture_map, material.opacity_map)
                if combined is None:
                    self._folder.leave_out(f"opacity texture of material {name}")
                else:
                    image, is_same = combined, True
                    if texture_map is None:  # only the color of vertices and the opacity
                        texture_map = material.opacity_map
            if is_same and not has_alpha and not _has_alpha(image):
                self._blending.discard(id(material))
            if isinstance(image, EncodedTexture):
                has_alpha |= is_same and image.has_alpha
                image = image if is_same else image.opaque()
        cutoff = effective_cutoff(self._cutoff, alpha / 255, image)
        if not self._options.appearance and not cutoff:
            return NO_LOOK
        rgba = None
        if color is not None or has_alpha:
            rgb = (1.0, 1.0, 1.0) if color is None else color
            rgba = np.array([*(round(c * 255) for c in rgb), alpha], np.uint8)
        # An opacity alone replaces no color.
        shows_color = texture_map is material.opacity_map and color is not None
        return Look(rgba, alpha, image, texture_map, cutoff, shows_color)

    def _with_opacity(
        self, texture_map: TextureMap | None, opacity_map: TextureMap
    ) -> EncodedTexture | None:
        """Return an image with the alpha of another; None if they cannot be combined."""
        if texture_map is not None and texture_map[1:] != opacity_map[1:]:
            return None  # they lie differently on the surface
        opacity = self._read(opacity_map.names, opacity_map.folder)
        color = None
        if texture_map is not None:
            color = self._read(texture_map.names, texture_map.folder)
        if opacity is None:
            return None
        name = opacity_map.names[0]
        content = with_opacity(color, opacity, name)
        texture = None if content is None else open_texture(content, name)
        return texture if isinstance(texture, EncodedTexture) else None

    def _image(self, texture_map: TextureMap, is_mask: bool) -> EncodedTexture | LostTexture:
        """Return an image, or why it is lost.

        Args:
            texture_map: the statement that names it.
            is_mask: whether it may decide where the surface is.
        """
        key = texture_map.names, texture_map.folder, is_mask
        if key not in self._images:
            self._images[key] = self._opened(*key)
        return self._images[key]

    def _opened(
        self, names: tuple[str, ...], start: str, is_mask: bool
    ) -> EncodedTexture | LostTexture:
        try:
            data = self._read(names, start, is_texture=not is_mask)
        except MeshError as error:  # too large, or being written
            return LostTexture(names[0], str(error).partition(";")[0])
        if data is None:
            return LostTexture(names[0], NOT_FOUND)
        return open_texture(data, names[0])


def _has_alpha(image: EncodedTexture | LostTexture | None) -> bool:
    return isinstance(image, EncodedTexture) and image.has_alpha


def _folder_of(name: str) -> str:
    """Return the folder in a path as written, on any system."""
    return posixpath.dirname(name.replace("\\", "/"))


def _base_color(
    material: MtlMaterial,
) -> tuple[tuple[float, float, float] | None, TextureMap | None]:
    """Return the base color and texture of a material; its emission if it has only that."""
    is_black = material.diffuse is None or not any(material.diffuse)
    is_emissive = material.emissive_map is not None or any(material.emissive or ())
    if material.diffuse_map is None and is_black and is_emissive:
        return material.emissive, material.emissive_map
    return material.diffuse, material.diffuse_map
