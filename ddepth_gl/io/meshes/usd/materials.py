"""Materials of USD scenes: the base color of UsdPreviewSurface; used in a child process."""

from __future__ import annotations

import math
import posixpath
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ...._packages import import_needed
from ...._srgb import srgb_from_linear
from ....errors import MeshError
from ..scene_message import SceneMessage

__all__ = ["UsdLooks", "UsdMaterials"]

_WRAPS = {"repeat": "repeat", "mirror": "mirror", "clamp": "clamp", "black": "clamp"}


class UsdLooks(NamedTuple):
    """Color and texture of a mesh, from its material.

    Attributes:
        number: number of the material in the message; None if it has no color.
        texture: whether it has a texture.
        uv_name: name of its texture coordinates; empty if it does not say.
        uv_matrix: (3, 3) transform of these.
    """

    number: int | None
    texture: bool = False
    uv_name: str = ""
    uv_matrix: npt.NDArray[np.float64] = np.eye(3)


class UsdMaterials:
    """Reader of materials, each once.

    Args:
        message: collects what is read.
        time: time code of all values.
        request: as for `read_usd`.
    """

    def __init__(self, message: SceneMessage, time: Any, request: dict[str, Any]) -> None:
        self._message, self._time = message, time
        self._folder = str(request["top"])
        self._shade = import_needed("pxr.UsdShade", "reading USD files", MeshError, "usd")
        self._read: dict[str, UsdLooks | None] = {}

    def material(self, material: Any) -> UsdLooks | None:
        """Return a material; None if there is none, or if it is not read."""
        if not material:
            return None
        path = str(material.GetPath())
        if path not in self._read:
            self._read[path] = self._looks(material)
        return self._read[path]

    def _looks(self, material: Any) -> UsdLooks | None:
        shader = material.ComputeSurfaceSource()[0]
        if not shader or self._id(shader) != "UsdPreviewSurface":
            self._message.leave_out("materials that are no UsdPreviewSurface")
            return None
        color, texture = self._value(shader, "diffuseColor")
        opacity, mask = self._value(shader, "opacity")
        cutoff = max(0.0, float(self._value(shader, "opacityThreshold")[0] or 0.0))
        alpha = 1.0 if opacity is None else min(max(float(opacity), 0.0), 1.0)
        is_own = (
            mask is not None
            and texture is not None
            and mask[1] == "a"
            and self._file(mask[0]) == self._file(texture[0])
        )
        how: dict[str, Any] = {
            "alpha_cutoff": cutoff,
            "blends": mask is not None or alpha < 1.0,
            "texture_has_alpha": is_own,
            "loses_mask": mask is not None and not is_own,
        }
        linear = np.array([0.18] * 3 if color is None else color, np.float64)
        if texture is None:
            rgba = [*srgb_from_linear(linear), round(255 * alpha)]
            return UsdLooks(self._message.add_material(rgba, **how))
        source = texture[0]
        scale = np.array(self._value(source, "scale")[0] or (1, 1, 1, 1), np.float64)
        if any(self._value(source, "bias")[0] or ()):
            self._message.leave_out("biases of textures")
        if not is_own:
            scale[3] = alpha
        factor = None
        if (scale != 1).any():
            factor = srgb_from_linear(scale).tolist()
        path = self._file(source)
        wrap = tuple(
            _WRAPS.get(str(self._value(source, f"wrap{axis}")[0]), "repeat") for axis in "ST"
        )
        number = self._message.add_material(factor, texture=path, wrap=(wrap[0], wrap[1]), **how)
        name, matrix = self._coordinates(source)
        return UsdLooks(number, bool(path), name, matrix)

    def _id(self, shader: Any) -> str:
        return str(shader.GetIdAttr().Get() or "")

    def _value(self, shader: Any, name: str) -> tuple[Any, tuple[Any, str] | None]:
        """Return the value of an input, and the texture with its output that it is connected to."""
        given = shader.GetInput(name)
        if not given:
            return None, None
        for attribute in given.GetValueProducingAttributes():
            source = self._shade.Shader(attribute.GetPrim())
            is_output = attribute.GetName().startswith("outputs:")
            if not is_output:
                return attribute.Get(self._time), None
            if self._id(source) == "UsdUVTexture":
                return None, (source, attribute.GetName().rpartition(":")[2])
            self._message.leave_out(f"shaders of type {self._id(source)!r:.60}")
        return None, None

    def _file(self, source: Any) -> str | None:
        """Return the path of a texture, from the root's folder if it is relative to a layer."""
        given = source.GetInput("file")
        attributes = given.GetValueProducingAttributes() if given else []
        for attribute in attributes:
            value = attribute.Get(self._time)
            if value is None or not getattr(value, "path", ""):
                continue
            stack = attribute.GetPropertyStack(self._time)
            layer = stack[0].layer.realPath if stack else ""
            base = posixpath.dirname(posixpath.relpath(layer or self._folder, self._folder))
            return posixpath.normpath(posixpath.join(base, value.path.replace("\\", "/")))
        return None

    def _coordinates(self, source: Any) -> tuple[str, npt.NDArray[np.float64]]:
        """Return the name of the texture coordinates of a texture, and their transform."""
        matrix = np.eye(3)
        given = source.GetInput("st")
        for _ in range(4):  # a reader of a primvar, behind some transforms
            attributes = given.GetValueProducingAttributes() if given else []
            if not attributes:
                break
            shader = self._shade.Shader(attributes[0].GetPrim())
            kind = self._id(shader)
            if kind == "UsdTransform2d":
                matrix = matrix @ self._transform(shader)
                given = shader.GetInput("in")
            elif kind.startswith("UsdPrimvarReader"):
                return str(self._value(shader, "varname")[0] or ""), matrix
            else:
                break
        return "", matrix

    def _transform(self, shader: Any) -> npt.NDArray[np.float64]:
        """Return in * scale * rotate + translation; the rotation is counter-clockwise, degrees."""
        scale = self._value(shader, "scale")[0] or (1.0, 1.0)
        move = self._value(shader, "translation")[0] or (0.0, 0.0)
        angle = math.radians(float(self._value(shader, "rotation")[0] or 0.0))
        c, s = math.cos(angle), math.sin(angle)
        matrix = np.eye(3)
        matrix[:2, :2] = np.array([[c, -s], [s, c]]) @ np.diag([scale[0], scale[1]])
        matrix[:2, 2] = [move[0], move[1]]
        return matrix
