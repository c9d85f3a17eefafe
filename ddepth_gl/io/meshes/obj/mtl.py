"""MTL files: the materials of OBJ files, as far as they are base colors, textures and alpha.

Source: "Object Files (.obj)" and "MTL material format", Alias|Wavefront, Appendix B1 and B2 of the
Advanced Visualizer manual, https://paulbourke.net/dataformats/mtl/.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ....mesh.sampler import Sampler

__all__ = [
    "MtlMaterial",
    "TextureMap",
    "cut_names",
    "decoded",
    "parsed_mtl",
    "possible_names",
    "without_comment",
]

# Options of texture maps, and the largest number of values of each. `-s`, `-o` and `-t` take one to
# three numbers.
_OPTIONS = {
    "-blendu": 1, "-blendv": 1, "-bm": 1, "-boost": 1, "-cc": 1, "-clamp": 1, "-colorspace": 1,
    "-imfchan": 1, "-mm": 2, "-o": 3, "-s": 3, "-t": 3, "-texres": 2, "-type": 1,
}  # fmt: skip
_OF_1_TO_3_NUMBERS = ("-o", "-s", "-t", "-texres")
_MAX_CUTS = 8  # of a name, at a #
_BLANKS = re.compile(r"[ \t\v\f]+")
_OPTION_AFTER_NAME = re.compile(rf"\s(?:{'|'.join(_OPTIONS)})\s")


class TextureMap(NamedTuple):
    """A texture of a material: its file and how it lies on the surface.

    Attributes:
        names: names that the file may have, the most likely first.
        scale: factors of u and v.
        offset: added to u and v after that.
        sampler: sampler of the texture.
        folder: folder of the library, as written, which names are relative to; "" for that of the
            mesh.
    """

    names: tuple[str, ...]
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    sampler: Sampler = Sampler()
    folder: str = ""


@dataclass
class MtlMaterial:
    """A material of a library, as far as it is read. Colors are sRGB, in 0..1.

    Attributes:
        diffuse: `Kd`.
        emissive: `Ke`.
        opacity: `d`, or 1 - `Tr`.
        diffuse_map: `map_Kd`.
        emissive_map: `map_Ke`.
        opacity_map: `map_d`.
        has_ambient_map: whether it has `map_Ka`, which is not used: it often holds occlusion.
        left_out: statements that cannot be read.
    """

    diffuse: tuple[float, float, float] | None = None
    emissive: tuple[float, float, float] | None = None
    opacity: float | None = None
    diffuse_map: TextureMap | None = None
    emissive_map: TextureMap | None = None
    opacity_map: TextureMap | None = None
    has_ambient_map: bool = False
    left_out: list[str] = field(default_factory=list)


def decoded(text: bytes) -> str:
    """Return text as UTF-8, or as Latin-1 if it is not."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("latin-1")


def without_comment(text: str) -> str:
    """Return a name without the comment behind it.

    A # that a character follows may be part of a name, as in "Material #25".
    """
    return re.split(r"(?:^|\s)#(?:\s|$)", text, maxsplit=1)[0].strip()


def cut_names(name: str) -> list[str]:
    """Return a name, then what stands before each # in it, which may begin a comment."""
    places = [found.start() for found in re.finditer("#", name)][:_MAX_CUTS]
    return [name, *(name[:place].strip() for place in reversed(places))]


def possible_names(text: str) -> tuple[str, ...]:
    """Return the names that the text behind a keyword may mean, the most likely first."""
    names = cut_names(without_comment(text))
    for name in tuple(names):
        if len(name) > 2 and name[0] == name[-1] and name[0] in "\"'":
            names.append(name[1:-1].strip())
    if any(names):
        names.append(text.strip())  # a name may hold what looks like a comment
    return tuple(dict.fromkeys(name for name in names if name))


def parsed_mtl(data: bytes, folder: str = "") -> dict[str, MtlMaterial]:
    """Return the materials of a library by name, with single blanks in names.

    Args:
        data: content of the file.
        folder: its folder, as written; "" for that of the mesh.
    """
    materials: dict[str, MtlMaterial] = {}
    material = MtlMaterial()  # gets what stands before the first material
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for line in data.replace(b"\\\n", b" ").split(b"\n"):
        words = decoded(line).split(maxsplit=1)
        if len(words) < 2 or words[0].startswith("#"):
            continue
        keyword, rest = words[0].lower(), words[1]
        if keyword == "newmtl":
            material = MtlMaterial()
            materials[" ".join(without_comment(rest).split())] = material
        elif keyword == "kd":
            material.diffuse = _color(rest) or material.diffuse
            if _color(rest) is None:
                material.left_out.append(f"Kd {rest.split()[0]}")
        elif keyword == "ke":
            material.emissive = _color(rest) or material.emissive
        elif keyword in ("d", "tr"):
            _set_opacity(material, keyword, rest)
        elif keyword == "map_kd":
            material.diffuse_map = _texture_map(rest, folder) or material.diffuse_map
        elif keyword == "map_ke":
            material.emissive_map = _texture_map(rest, folder) or material.emissive_map
        elif keyword == "map_d":
            material.opacity_map = _texture_map(rest, folder) or material.opacity_map
        elif keyword == "map_ka":
            material.has_ambient_map = True
    return materials


def _set_opacity(material: MtlMaterial, keyword: str, rest: str) -> None:
    values = [value for value in _numbers(rest.replace("-halo", " "))][:1]
    if not values:
        return
    value = min(max(values[0], 0.0), 1.0)
    if keyword == "d":
        material.opacity = value
    elif material.opacity is None:  # where both stand, exporters disagree about Tr
        material.opacity = 1.0 - value


def _color(text: str) -> tuple[float, float, float] | None:
    """Return a color in 0..1; one number is a gray. None for a spectrum or CIE XYZ."""
    values = [min(max(value, 0.0), 1.0) for value in _numbers(text)]
    if not values:
        return None
    red, green, blue = values[:3] if len(values) >= 3 else values[:1] * 3
    return red, green, blue


def _numbers(text: str) -> Iterator[float]:
    """Yield the finite numbers that a text begins with."""
    for word in text.partition("#")[0].split():
        value = _number(word)
        if value is None:
            return
        yield value


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _texture_map(text: str, folder: str) -> TextureMap | None:
    """Return the texture that a statement names; None if it names none."""
    options, name = _split_options(without_comment(text))
    names = list(possible_names(name))
    # Some exporters write options behind the name.
    behind = _OPTION_AFTER_NAME.search(name)
    if behind:
        options = {**_split_options(name[behind.start() :].strip() + " x")[0], **options}
        names += possible_names(name[: behind.start()])
    names += name.split()[-1:]  # behind options that are not known
    if not names:
        return None
    if "#" in text:  # a name may hold what looks like a comment
        names.append(_split_options(text.strip())[1])
    scale, offset = options.get("-s", []), options.get("-o", [])
    wrap = "clamp" if [word.lower() for word in options.get("-clamp", [])] == ["on"] else "repeat"
    return TextureMap(
        tuple(dict.fromkeys(names)),
        (_at(scale, 0, 1.0), _at(scale, 1, 1.0)),
        (_at(offset, 0, 0.0), _at(offset, 1, 0.0)),
        Sampler("clamp", "clamp") if wrap == "clamp" else Sampler(),
        folder,
    )


def _split_options(text: str) -> tuple[dict[str, list[str]], str]:
    """Return the options at the beginning of a statement, and what follows them."""
    options: dict[str, list[str]] = {}
    while True:
        option, rest = _first_word(text)
        key = option.lower()
        if key not in _OPTIONS or not rest:
            return options, text
        words: list[str] = []
        while len(words) < _OPTIONS[key]:
            word, after = _first_word(rest)
            is_needed = key not in _OF_1_TO_3_NUMBERS or not words
            # The last word is the name.
            if not after or not (is_needed or _number(word) is not None):
                break
            words.append(word)
            rest = after
        options[key], text = words, rest


def _first_word(text: str) -> tuple[str, str]:
    """Return the first word of a text without outer blanks, and what follows it."""
    word, *rest = _BLANKS.split(text, maxsplit=1)
    return word, rest[0].strip() if rest else ""


def _at(words: list[str], index: int, default: float) -> float:
    value = _number(words[index]) if index < len(words) else None
    return default if value is None else value
