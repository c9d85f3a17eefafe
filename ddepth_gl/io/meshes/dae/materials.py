"""Materials of COLLADA files: the diffuse color or texture of the common profile."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import unquote

from ..scene_message import SceneMessage
from .document import DaeDocument, Element, numbers

__all__ = ["DaeLooks", "DaeMaterials"]

# Of red, green and blue, in modes of opacity that use them (COLLADA 1.4.1, 7-5).
_LUMINANCE = (0.212671, 0.715160, 0.072169)
_WRAPS = {"WRAP": "repeat", "MIRROR": "mirror", "CLAMP": "clamp", "BORDER": "clamp"}


class DaeLooks(NamedTuple):
    """Color and texture of a mesh, from its material.

    Attributes:
        number: number of the material in the message; None if it has no color.
        texcoord: name of its texture coordinates; None without a texture.
    """

    number: int | None = None
    texcoord: str | None = None


class DaeMaterials:
    """Reader of materials, each once.

    Args:
        document: the file.
        message: collects what is read.
    """

    def __init__(self, document: DaeDocument, message: SceneMessage) -> None:
        self._document, self._message = document, message
        self._read: dict[Element, DaeLooks] = {}

    def material(self, url: str | None) -> DaeLooks:
        """Return a material; one without color if it is missing."""
        material = self._document.target(url)
        if material is None:
            return DaeLooks()
        if material not in self._read:
            self._read[material] = self._looks(material)
        return self._read[material]

    def _looks(self, material: Element) -> DaeLooks:
        instance = material.find("instance_effect")
        effect = None if instance is None else self._document.target(instance.get("url"))
        profile = None if effect is None else effect.find("profile_COMMON")
        if effect is None or profile is None:
            self._message.leave_out("materials without a common profile")
            return DaeLooks()
        shading = None
        for kind in ("phong", "blinn", "lambert", "constant"):
            shading = profile.find(f"technique/{kind}") if shading is None else shading
        if shading is None:
            return DaeLooks()
        diffuse = shading.find("diffuse")
        if diffuse is None:
            diffuse = shading.find("emission")  # all that "constant" has
        if diffuse is None:
            return DaeLooks()
        texture = diffuse.find("texture")
        alpha, mask = _alpha(shading)
        is_own = texture is not None and bool(mask) and mask == texture.get("texture")
        how: dict[str, Any] = {
            "blends": mask is not None or round(255 * alpha) < 255,
            "texture_has_alpha": is_own,
            "loses_mask": mask is not None and not is_own,
        }
        if texture is not None:
            path, wrap = self._image(profile, effect, texture.get("texture", ""))
            if path:
                color = None if alpha == 1.0 else _color([1.0, 1.0, 1.0], alpha)
                number = self._message.add_material(color, texture=path, wrap=wrap, **how)
                return DaeLooks(number, texture.get("texcoord", ""))
            self._message.leave_out("textures without an image")
        color_element = diffuse.find("color")
        if color_element is None:
            return DaeLooks()
        values = numbers(color_element)[:3]
        if len(values) < 3:
            return DaeLooks()
        color = _color(values.tolist(), alpha)
        return DaeLooks(self._message.add_material(color, **how))

    def _image(self, profile: Element, effect: Element, sid: str) -> tuple[str, tuple[str, str]]:
        """Return the path of a texture and its wrap modes; an empty path if there is none."""
        params = {
            p.get("sid"): p for parent in (effect, profile) for p in parent.findall("newparam")
        }
        wrap = ("repeat", "repeat")
        image: Element | None = self._document.target(sid)
        sampler = params[sid].find("sampler2D") if sid in params else None
        if sampler is not None:
            wrap = (_wrap(sampler, "wrap_s"), _wrap(sampler, "wrap_t"))
            instance = sampler.find("instance_image")  # COLLADA 1.5
            if instance is not None:
                image = self._document.target(instance.get("url"))
            source = params.get(_text(sampler.find("source")))
            if source is not None:
                image = self._document.target(_text(source.find("surface/init_from")))
        if image is None or image.tag != "image":
            return "", wrap
        start = image.find("init_from")
        reference = None if start is None else start.find("ref")
        path = _text(start if reference is None else reference)
        if path.startswith("file:"):
            path = unquote(path.removeprefix("file:"))
            # file:///C:/pic.png is C:/pic.png, and file:///home/pic.png is /home/pic.png.
            path = re.sub(r"^/+(?=[A-Za-z]:)|^//(?=/)", "", path)
        return path, wrap


def _alpha(shading: Element) -> tuple[float, str | None]:
    """Return the alpha of a material, and the texture that multiplies it.

    Source: COLLADA 1.4.1, 7-5, and 1.5.0, "Determining Transparency". Without `transparent`, that
    is opaque white of mode A_ONE.

    Returns:
        The alpha in 0..1, and the name of the texture, "" for one whose alpha means something else;
        None if there is no texture.
    """
    transparent = shading.find("transparent")
    level = _text(shading.find("transparency/float"))
    factor = float(level) if level else 1.0
    mode, values = "A_ONE", [1.0] * 4
    if transparent is not None:
        mode = transparent.get("opaque", "A_ONE")
        mask = transparent.find("texture")
        if mask is not None:
            if mode != "A_ONE":
                return 1.0, ""
            return min(max(factor, 0.0), 1.0), mask.get("texture", "")
        color = transparent.find("color")
        given = [] if color is None else numbers(color).tolist()
        values = [*given, *values[len(given) :]]
    level_of_mode = values[3]
    if mode.startswith("RGB"):
        level_of_mode = sum(w * c for w, c in zip(_LUMINANCE, values, strict=False))
    alpha = factor * level_of_mode
    if mode.endswith("ZERO"):
        alpha = 1.0 - alpha
    return min(max(alpha, 0.0), 1.0), None


def _wrap(sampler: Element, name: str) -> str:
    return _WRAPS.get(_text(sampler.find(name)), "repeat")


def _text(element: Element | None) -> str:
    return "" if element is None else (element.text or "").strip()


def _color(rgb: list[float], alpha: float) -> list[int]:
    return [round(255 * min(max(float(c), 0.0), 1.0)) for c in (*rgb, alpha)]
