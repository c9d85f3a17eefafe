"""The XML of 3MF models, as events of expat: no tree of a large mesh is built."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from string import hexdigits
from xml.parsers import expat

import numpy as np
import numpy.typing as npt

from ....errors import MeshError
from ..xml_guard import check_prolog, local_name, xml_error

__all__ = ["MeshObject", "ModelFile", "PropertyGroup", "parse_model", "parse_relationships"]

# Extensions whose required content is read, or is told and left out.
_EXTENSIONS = {
    "http://schemas.microsoft.com/3dmanufacturing/production/2015/06",
    "http://schemas.microsoft.com/3dmanufacturing/material/2015/02",
    "http://schemas.microsoft.com/3dmanufacturing/beamlattice/2017/02",
    "http://schemas.microsoft.com/3dmanufacturing/slice/2015/07",
    "http://schemas.microsoft.com/3dmanufacturing/trianglesets/2021/07",
}
_NOT_READ = {
    "beamlattice": "beam lattices",
    "slicestack": "slice stacks",
    "compositematerials": "composite materials",
    "multiproperties": "layered colors",
    "displacementmesh": "displaced meshes",
    "booleanshape": "boolean shapes",
}
_WRAPS = {"wrap": "repeat", "mirror": "mirror", "clamp": "clamp", "none": "clamp"}


@dataclass
class PropertyGroup:
    """Colors or texture coordinates that triangles refer to.

    Attributes:
        kind: name of the element.
        values: sRGB colors (0..255, with alpha), or texture coordinates.
        texture: id of the texture of coordinates.
    """

    kind: str
    values: list[tuple[float, ...]] = field(default_factory=list)
    texture: str = ""


@dataclass
class MeshObject:
    """An object: a mesh, or components of other objects.

    Attributes:
        kind: its type, such as ``"model"``.
        name: its name; empty if it has none.
        vertices: 3 coordinates per vertex.
        triangles: 3 indices per triangle.
        properties: 4 numbers per triangle: its property group, and the index of each corner in it.
        components: object id, path of the file ("" for the same), and part-to-object transform.
    """

    kind: str
    name: str
    default: tuple[int, int]
    vertices: array[float] = field(default_factory=lambda: array("d"))
    triangles: array[int] = field(default_factory=lambda: array("q"))
    properties: array[int] = field(default_factory=lambda: array("q"))
    components: list[tuple[str, str, npt.NDArray[np.float64]]] = field(default_factory=list)


@dataclass
class ModelFile:
    """A model part of the archive.

    Attributes:
        objects: by id.
        groups: property groups, by id.
        textures: path in the archive, wrap modes of u and v, and whether it is not interpolated.
        items: what is built: object id, path of its file ("" for this one), transform.
    """

    objects: dict[str, MeshObject] = field(default_factory=dict)
    groups: dict[int, PropertyGroup] = field(default_factory=dict)
    textures: dict[str, tuple[str, tuple[str, str], bool]] = field(default_factory=dict)
    items: list[tuple[str, str, npt.NDArray[np.float64]]] = field(default_factory=list)


def parse_relationships(data: bytes) -> list[tuple[str, str]]:
    """Return type and target of each relationship of a part."""
    check_prolog(data)
    found: list[tuple[str, str]] = []

    def start(tag: str, values: dict[str, str]) -> None:
        if local_name(tag) == "Relationship":
            found.append((values.get("Type", ""), values.get("Target", "")))

    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler = start
    _parse(parser, data)
    return found


def _parse(parser: expat.XMLParserType, data: bytes) -> None:
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise xml_error(error) from error


def parse_model(data: bytes, leave_out: Callable[[str], None]) -> ModelFile:
    """Parse a model part.

    Args:
        data: its XML.
        leave_out: notes what is not read.

    Raises:
        MeshError: it is not XML, has a document type, lacks an attribute, or requires an unknown
            extension.
    """
    check_prolog(data)
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    reader = _ModelReader(parser, leave_out)
    parser.StartNamespaceDeclHandler = reader.namespace
    try:
        _parse(parser, data)
    except KeyError as error:
        raise MeshError(f"an element of its XML lacks {error}; export it again") from error
    except (ValueError, OverflowError) as error:
        if isinstance(error, MeshError):
            raise
        raise MeshError(f"its XML has a wrong number ({error}); export it again") from error
    return reader.model


class _ModelReader:
    """Handlers of the elements of a model."""

    def __init__(self, parser: expat.XMLParserType, leave_out: Callable[[str], None]) -> None:
        self.model = ModelFile()
        self._parser = parser
        parser.StartElementHandler = self.start
        self._skipped_depth = 0  # of the element in one that is not read
        self._leave_out = leave_out
        self._object = MeshObject("", "", (-1, 0))
        self._group = PropertyGroup("")
        self._uris: dict[str, str] = {}

    def namespace(self, prefix: str | None, uri: str) -> None:
        self._uris[prefix or ""] = uri

    def start(self, tag: str, values: dict[str, str]) -> None:
        name = tag.rpartition("}")[2]
        if name == "vertex":  # the most frequent ones first
            self._object.vertices.extend(
                (float(values["x"]), float(values["y"]), float(values["z"]))
            )
        elif name == "triangle":
            self._triangle(values)
        elif name in _NOT_READ:
            self._leave_out(_NOT_READ[name])
            self._skip(tag, values)
            # Its vertices would count as those of an object.
            self._parser.StartElementHandler = self._skip
            self._parser.EndElementHandler = self._end_skipped
        else:
            handler = getattr(self, f"_start_{name}", None)
            if handler is not None:
                handler({local_name(key): value for key, value in values.items()})

    def _skip(self, _tag: str, _values: dict[str, str]) -> None:
        self._skipped_depth += 1

    def _end_skipped(self, _tag: str) -> None:
        self._skipped_depth -= 1
        if self._skipped_depth == 0:
            self._parser.StartElementHandler = self.start
            self._parser.EndElementHandler = None

    def _triangle(self, values: dict[str, str]) -> None:
        found = self._object
        found.triangles.extend((int(values["v1"]), int(values["v2"]), int(values["v3"])))
        group, first = found.default
        if "pid" in values:
            group = int(values["pid"])
        if "p1" in values:
            first = int(values["p1"])
        elif "pid" in values and group != found.default[0]:
            first = 0
        second = int(values.get("p2", first))
        found.properties.extend((group, first, second, int(values.get("p3", first))))

    def _start_model(self, values: dict[str, str]) -> None:
        for prefix in values.get("requiredextensions", "").split():
            uri = self._uris.get(prefix, prefix)
            if uri not in _EXTENSIONS:
                raise MeshError(
                    f"it needs the 3MF extension {uri:.100}, which is not supported; "
                    "export it without"
                )

    def _start_object(self, values: dict[str, str]) -> None:
        default = (int(values.get("pid", -1)), int(values.get("pindex", 0)))
        name = values.get("name", "")
        self._object = MeshObject(values.get("type", "model"), name, default)
        self.model.objects[values["id"]] = self._object

    def _start_component(self, values: dict[str, str]) -> None:
        self._object.components.append(_reference(values))

    def _start_item(self, values: dict[str, str]) -> None:
        self.model.items.append(_reference(values))

    def _start_basematerials(self, values: dict[str, str]) -> None:
        self._begin("basematerials", values)

    def _start_colorgroup(self, values: dict[str, str]) -> None:
        self._begin("colorgroup", values)

    def _start_texture2dgroup(self, values: dict[str, str]) -> None:
        self._begin("texture2dgroup", values)
        self._group.texture = values["texid"]

    def _begin(self, kind: str, values: dict[str, str]) -> None:
        self._group = PropertyGroup(kind)
        self.model.groups[int(values["id"])] = self._group

    def _start_base(self, values: dict[str, str]) -> None:
        self._group.values.append(self._color(values.get("displaycolor", "")))

    def _start_color(self, values: dict[str, str]) -> None:
        self._group.values.append(self._color(values.get("color", "")))

    def _color(self, text: str) -> tuple[int, ...]:
        """Return RGBA; white, which is noted, for what is no color."""
        digits = text.strip().removeprefix("#")
        if len(digits) in (6, 8) and not set(digits) - set(hexdigits):
            return tuple(bytes.fromhex(digits.ljust(8, "F")))
        self._leave_out("colors that are not #RRGGBB or #RRGGBBAA")
        return (255, 255, 255, 255)

    def _start_tex2coord(self, values: dict[str, str]) -> None:
        self._group.values.append((float(values["u"]), float(values["v"])))

    def _start_texture2d(self, values: dict[str, str]) -> None:
        wraps = tuple(_WRAPS.get(values.get(f"tilestyle{axis}", "wrap"), "repeat") for axis in "uv")
        is_nearest = values.get("filter") == "nearest"
        self.model.textures[values["id"]] = (values["path"], (wraps[0], wraps[1]), is_nearest)


def _reference(values: dict[str, str]) -> tuple[str, str, npt.NDArray[np.float64]]:
    """Return the object, file and transform of a component or item."""
    matrix = np.eye(4)
    if "transform" in values:
        # Twelve numbers: rows of a matrix for row vectors, without its last column.
        numbers = [float(n) for n in values["transform"].split()]
        if len(numbers) != 12:
            raise ValueError(f"{len(numbers)} numbers in a transform")
        matrix[:3] = np.reshape(numbers, (4, 3)).T
    return values["objectid"], values.get("path", ""), matrix
