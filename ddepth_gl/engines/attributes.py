"""Attributes of crossings, for either engine: each pixel's ray met with the face's plane, once a crossing.

A crossing is a pixel and a face; who found it does not matter. The mesh lies in tables, textures that the
shader reads by index, since what a crossing needs is known only once it is known which face it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..attributes import ATTRIBUTES
from ..camera import Camera
from ..context import GLContext
from ..errors import DeviceMemoryError
from ..mesh import Mesh
from ..scene import Scene
from ..shader_library import compile_program
from ..smooth_normals import smooth_normals
from ..srgb import linear_from_srgb
from .sheets import LayerBuffers

__all__ = ["AttributeShader"]

# Of the tables' textures, and of the textures that lists of crossings go through.
_TABLE_WIDTH = 8192
_LIST_WIDTH = 1024
_CROSSINGS_AT_A_TIME = 1 << 18

_LINEAR_OF_SRGB = linear_from_srgb(np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1))[:, 0].copy()


# What belongs to a face as a whole is looked up, not worked out.
_OF_FACES: dict[str, Callable[[Mesh], npt.NDArray[Any]]] = {
    "face": lambda mesh: np.arange(len(mesh.faces)),
    "normal": lambda mesh: mesh.face_normals().astype(np.float32),
    "object_id": lambda mesh: mesh.object_id,
}


class AttributeShader:
    """The programs of attributes.frag and the tables they read."""

    def __init__(self, context: GLContext) -> None:
        self._context = context
        self._programs: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def of_sheets(
        self,
        scene: Scene,
        camera: Camera,
        names: tuple[str, ...],
        faces: Sequence[npt.NDArray[np.int32]],
    ) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """Attributes of two sheets.

        Args:
            scene, camera: whose sheets they are.
            names: which attributes.
            faces: (H, W) each, -1 where there is none.

        Returns:
            (entry, exit) for each name, (H, W) or (H, W, channels).

        Raises:
            DeviceMemoryError: the tables or the images do not fit.
        """
        result = {}
        for name in names:
            if name in _OF_FACES:
                entry, exit_ = (self._of_faces(scene, name, face) for face in faces)
            else:
                entry, exit_ = (ATTRIBUTES[name].empty(*face.shape) for face in faces)
            result[name] = (entry, exit_)
        worked_out = tuple(name for name in names if name not in _OF_FACES)
        if worked_out:
            flat = [face.reshape(-1) for face in faces]
            pixels = [np.flatnonzero(face >= 0) for face in flat]
            listed = np.concatenate([face[pixel] for face, pixel in zip(flat, pixels, strict=True)])
            values = self.of_crossings(scene, camera, worked_out, np.concatenate(pixels), listed)
            for name, both in values.items():
                parts = np.split(both, [len(pixels[0])])
                for image, pixel, part in zip(result[name], pixels, parts, strict=True):
                    image.reshape(-1, *image.shape[2:])[pixel] = part
        return result

    def of_crossings(
        self,
        scene: Scene,
        camera: Camera,
        names: tuple[str, ...],
        pixel: npt.NDArray[np.int64],
        face: npt.NDArray[np.integer[Any]],
    ) -> dict[str, npt.NDArray[Any]]:
        """Attributes of a list of crossings.

        Args:
            scene, camera: whose crossings they are.
            names: which attributes.
            pixel: (M,) row * width + column.
            face: (M,)

        Returns:
            (M,) or (M, channels) for each name.

        Raises:
            DeviceMemoryError: the tables or the images do not fit.
        """
        result = {}
        for name in names:
            if name in _OF_FACES:
                result[name] = self._of_faces(scene, name, face)
            else:
                result[name] = ATTRIBUTES[name].empty(len(face))
        mesh = scene.mesh
        drawn = [name for name in names if name not in _OF_FACES]
        if "uv" in drawn and mesh.uv is None:
            drawn.remove("uv")
        if "color" in drawn and mesh.colors is None and not mesh.textures:
            drawn.remove("color")
            result["color"][:] = 1.0  # white
        if len(face) and drawn:
            self._draw_list(scene, camera, {name: result[name] for name in drawn}, pixel, face)
        return result

    def added_to(
        self, layers: LayerBuffers, scene: Scene, camera: Camera, names: tuple[str, ...]
    ) -> LayerBuffers:
        """The layers with these attributes of every crossing; see `of_crossings`."""
        if not names:
            return layers
        pixel = np.repeat(np.arange(len(layers.offsets) - 1), np.diff(layers.offsets))
        return replace(layers, attributes=self.of_crossings(scene, camera, names, pixel, layers.face))

    @staticmethod
    def _of_faces(scene: Scene, name: str, face: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        """(..., channels) an attribute of whole faces, for faces of any shape, -1 where there is none."""

        def table() -> npt.NDArray[Any]:
            # The last row is what -1 finds.
            return np.concatenate([_OF_FACES[name](scene.mesh), ATTRIBUTES[name].empty(1)])

        of_faces: npt.NDArray[Any] = scene.once(("faces", name), table)
        return of_faces.take(face, axis=0, mode="wrap")

    def _draw_list(
        self,
        scene: Scene,
        camera: Camera,
        into: dict[str, npt.NDArray[Any]],
        pixel: npt.NDArray[np.int64],
        face: npt.NDArray[np.integer[Any]],
    ) -> None:
        program, vertex_array = self._ready(scene, camera, tuple(into), LIST=1)
        program["clip_z"] = 0.0
        rows_at_a_time = min(_CROSSINGS_AT_A_TIME, len(face) + _LIST_WIDTH - 1) // _LIST_WIDTH
        size = (_LIST_WIDTH, rows_at_a_time)
        # Three components are drawn as four: OpenGL does not promise that images of three can be drawn to.
        components = [values.shape[1] + values.shape[1] % 2 for values in into.values()]
        gl, made = self._context.gl, []
        try:
            try:
                made.append(gl.texture(size, 3, dtype="i4"))
                made += [gl.texture(size, each, dtype="f4") for each in components]
                crossings, *images = made
                framebuffer = gl.framebuffer(images)
                made.append(framebuffer)
            except Exception as error:
                raise self._context.no_room("attributes", size, error) from error
            rows = np.zeros((size[0] * size[1], 3), np.int32)
            for start in range(0, len(face), len(rows)):
                part = slice(start, min(start + len(rows), len(face)))
                count = part.stop - part.start
                row = (pixel[part].astype(np.uint32) // np.uint32(camera.width)).astype(np.int32)
                rows[:count, 0] = pixel[part] - row.astype(np.int64) * camera.width
                rows[:count, 1] = row
                rows[:count, 2] = face[part]
                window = (0, 0, _LIST_WIDTH, -(-count // _LIST_WIDTH))
                crossings.write(rows[: window[2] * window[3]], viewport=window)
                gl.enable_only(gl.NOTHING)
                framebuffer.use()
                framebuffer.viewport = (0, 0, *size)
                framebuffer.scissor = window
                _bind(program, "crossings", crossings, 0)
                vertex_array.render(vertices=3)
                for attachment, (values, each) in enumerate(zip(into.values(), components, strict=True)):
                    image = np.empty((window[2] * window[3], each), np.float32)
                    framebuffer.read_into(
                        image, viewport=window, components=each, attachment=attachment, dtype="f4"
                    )
                    values[part] = image[:count, : values.shape[1]]
            self._context.check_error("finding attributes", "the number of attributes")
        finally:
            self._context.unbind_framebuffer()
            for each in reversed(made):
                each.release()

    def draw_picture(self, scene: Scene, camera: Camera, face: Any, depth: Any, window_z: float) -> None:
        """Draws the shaded colours of one sheet into the framebuffer in use, with alpha 1.

        Args:
            scene, camera: as for the sheet.
            face, depth: the sheet's textures; nothing is drawn where its depth is NaN.
            window_z: what the depth test sees.
        """
        program, vertex_array = self._ready(scene, camera, ("shaded_color",), LIST=0)
        program["clip_z"] = 2.0 * window_z - 1.0
        _bind(program, "sheet_face", face, 0)
        _bind(program, "sheet_depth", depth, 1)
        vertex_array.render(vertices=3)

    def release(self) -> None:
        """Frees the programs; tables belong to their scenes."""
        for program, vertex_array in self._programs.values():
            vertex_array.release()
            program.release()
        self._programs.clear()

    def _ready(self, scene: Scene, camera: Camera, names: tuple[str, ...], **more: int) -> tuple[Any, Any]:
        """The program for these attributes, its uniforms and tables set, and its vertex array."""
        mesh = scene.mesh
        defines = {
            **{name.upper(): -1 for name in ATTRIBUTES if name not in _OF_FACES},
            **{name.upper(): location for location, name in enumerate(names)},
            "PERSPECTIVE": int(not camera.is_orthographic),
            "HAS_COLORS": int(mesh.colors is not None),
            "HAS_TEXTURES": int(bool(mesh.textures)),
            "TABLE_WIDTH": _TABLE_WIDTH,
            **more,
        }
        key = tuple(defines.items())
        if key not in self._programs:
            gl = self._context.gl
            program = compile_program(
                gl, defines, vertex_shader="fullscreen.vert", fragment_shader="attributes.frag"
            )
            self._programs[key] = program, gl.vertex_array(program, [])
        program, vertex_array = self._programs[key]
        for name, value in _uniforms(scene, camera).items():
            if name in program:
                program[name].write(value)
        for unit, (name, make) in enumerate(_TABLES.items(), start=2):
            if name in program:
                _bind(
                    program, name, scene.once(("table", name), partial(self._table, scene, name, make)), unit
                )
        return program, vertex_array

    def _table(self, scene: Scene, name: str, make: Callable[[Scene], npt.NDArray[Any]]) -> Any:
        """A texture of the (n, components) numbers that `make` gives, _TABLE_WIDTH entries a row."""
        rows = make(scene)
        count, components = rows.shape
        full, rest = divmod(count, _TABLE_WIDTH)
        size = (_TABLE_WIDTH, full + (rest > 0))
        if size[1] > self._context.max_image_size:
            raise DeviceMemoryError(
                f"{scene.mesh!r}: {count} {name.replace('_', ' ')} are more than the "
                f"{_TABLE_WIDTH * self._context.max_image_size} that {self._context.renderer} holds in a "
                "table; split the mesh, or ask for fewer attributes"
            )
        dtype = {"f": "f4", "i": "i4", "u": f"u{rows.itemsize}"}[rows.dtype.kind]
        try:
            table = scene.own(self._context.gl.texture(size, components, dtype=dtype))
            if full:
                table.write(rows[: full * _TABLE_WIDTH], viewport=(0, 0, _TABLE_WIDTH, full))
            if rest:
                table.write(rows[full * _TABLE_WIDTH :], viewport=(0, full, rest, 1))
        except Exception as error:
            raise self._context.no_room(f"a table of {name}", size, error) from error
        self._context.check_error(f"uploading {name} of {scene.mesh!r}", "the mesh")
        return table


def _bind(program: Any, name: str, texture: Any, unit: int) -> None:
    if name in program:  # the compiler drops what a variant does not use
        texture.use(unit)
        program[name] = unit


def _vertex_table(scene: Scene) -> npt.NDArray[np.uint32]:
    """(2 V, 3): lower and upper words of the vertices, doubles in the local frame."""
    words = scene.to_local(scene.mesh.vertices).view(np.uint32).reshape(-1, 3, 2)
    return np.ascontiguousarray(words.transpose(0, 2, 1)).reshape(-1, 3)


def _picture_table(scene: Scene) -> npt.NDArray[np.int32]:
    """(P, 3): first texel, width and height of every picture."""
    sizes = np.array([picture.shape[1::-1] for picture in scene.mesh.textures])
    starts = np.cumsum(sizes.prod(axis=1)) - sizes.prod(axis=1)
    return np.column_stack((starts, sizes)).astype(np.int32)


def _texel_table(scene: Scene) -> npt.NDArray[np.uint8]:
    return np.concatenate([picture.reshape(-1, 4) for picture in scene.mesh.textures])


# What each table of attributes.frag holds, made and uploaded when a program first needs it.
_TABLES: dict[str, Callable[[Scene], npt.NDArray[Any]]] = {
    "faces": lambda scene: scene.mesh.faces,
    "vertices": _vertex_table,
    "picture_of_face": lambda scene: scene.mesh.texture_id[:, None],
    "uvs": lambda scene: scene.mesh.uv if scene.mesh.uv is not None else np.zeros((1, 2), np.float32),
    "corner_normals": lambda scene: smooth_normals(scene.mesh).reshape(-1, 3),
    "colors": lambda scene: (
        scene.mesh.colors if scene.mesh.colors is not None else np.zeros((1, 4), np.uint8)
    ),
    "texels": _texel_table,
    "picture_table": _picture_table,
}


def _uniforms(scene: Scene, camera: Camera) -> dict[str, npt.NDArray[Any]]:
    """The camera in the scene's local frame."""
    rotation = camera.camera_from_world[:3, :3]
    image_from_local = camera.image_from_camera[:2, :3] @ rotation
    if camera.is_orthographic:
        image_from_local = (
            image_from_local * scene.step
        )  # K is per mesh unit; in perspective the unit cancels
    double = {
        "camera_centre": scene.to_local(camera.centre),
        "image_right": image_from_local[0],
        "image_down": image_from_local[1],
        "view_direction": rotation[2],
        "image_origin": camera.image_from_camera[:2, 3],
        "world_centre": camera.centre,
        "mesh_units": scene.step,
    }
    return {
        **{name: np.ascontiguousarray(value, dtype=np.float64) for name, value in double.items()},
        "image_up": np.ascontiguousarray(-rotation[1], dtype=np.float32),
        "linear_of_srgb": _LINEAR_OF_SRGB,
    }
