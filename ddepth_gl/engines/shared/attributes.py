"""Attributes of crossings, for either engine: each pixel's ray met with the face's plane, once a crossing.

A crossing is a pixel and a face; who found it does not matter. The mesh lies in tables, buffers that the
shader reads by index, since what a crossing needs is known only once it is known which face it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._srgb import linear_from_srgb
from ...camera.camera import Camera
from ...errors import DeviceMemoryError
from ...gl.context import GLContext
from ...gl.shaders import compile_program
from ...mesh.mesh import Mesh
from ...mesh.normals import smooth_normals
from ...results.attributes import ATTRIBUTES
from ..request import LayerBuffers
from ..scene import Scene
from .crossing_keys import AT_A_TIME, blocks_of_crossings
from .local_camera import local_camera

__all__ = ["AttributeShader"]

IntArray = npt.NDArray[np.integer[Any]]
Arrays = dict[str, npt.NDArray[Any]]
# Pixels, row * width + column, and faces of consecutive crossings, (n,) each, AT_A_TIME at most.
Block = tuple[IntArray, IntArray]
# Takes an attribute's name, how many crossings came before, the pixels (n,) of those that follow, and their
# values (n, channels).
Put = Callable[[str, int, IntArray, npt.NDArray[np.float32]], None]

# The device works on so many crossings at a time, drawn to images of this width: no faster with more of them.
_CROSSINGS_AT_A_TIME = 1 << 17
_LIST_WIDTH = 1024

_LINEAR_OF_SRGB = linear_from_srgb(np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1))[
    :, 0
].copy()


def _of_whole_faces(name: str, mesh: Mesh) -> npt.NDArray[Any] | None:
    """(F, ...) an attribute of each face, (1, ...) of all of them, None if it differs from point to point."""
    if name == "normal":
        return mesh.face_normals().astype(np.float32)
    if name == "object_id":
        return mesh.object_id
    if name == "uv" and mesh.uv is None:
        return ATTRIBUTES[name].empty(1)
    if name == "color" and mesh.colors is None and not mesh.textures:
        return np.ones((1, 4), np.float32)  # white
    return None


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
        sheets, listed = [], []
        for face in faces:
            into, worked_out = self._begun(scene, names, face)
            sheets.append(into)
            listed.append((_of_sheet(face.reshape(-1)), partial(_scatter, into)))
        self._work_out(scene, camera, worked_out, face.size, listed)
        entry, exit_ = sheets
        return {name: (entry[name], exit_[name]) for name in names}

    def added_to(
        self, layers: LayerBuffers, scene: Scene, camera: Camera, names: tuple[str, ...]
    ) -> LayerBuffers:
        """The layers with these attributes of every crossing.

        Raises:
            DeviceMemoryError: the tables or the images do not fit.
        """
        into, worked_out = self._begun(scene, names, layers.face)
        listed = [(_of_layers(layers), partial(_append, into))]
        self._work_out(scene, camera, worked_out, len(layers.face), listed)
        return replace(layers, attributes=into)

    @staticmethod
    def _begun(
        scene: Scene, names: tuple[str, ...], face: IntArray
    ) -> tuple[Arrays, tuple[str, ...]]:
        """Arrays of attributes: those of whole faces done, the others empty, and the names of these.

        Args:
            scene: whose faces they are.
            names: which attributes.
            face: of any shape, -1 where there is none.
        """

        def table(name: str) -> npt.NDArray[Any] | None:
            rows = _of_whole_faces(name, scene.mesh)
            return None if rows is None else np.concatenate([ATTRIBUTES[name].empty(1), rows])

        arrays: Arrays = {}
        worked_out = []
        for name in names:
            if name == "face":
                arrays[name] = face.astype(np.int64)
                continue
            rows = scene.cached(("faces", name), partial(table, name))
            if rows is None:
                arrays[name] = ATTRIBUTES[name].empty(*face.shape)
                worked_out.append(name)
                continue
            arrays[name] = np.empty(face.shape + rows.shape[1:], rows.dtype)
            flat, listed = arrays[name].reshape(-1, *rows.shape[1:]), face.reshape(-1)
            for start in range(0, len(flat), AT_A_TIME):
                block = slice(start, start + AT_A_TIME)
                # The first row is that of no face; a single one after it serves all.
                rows.take(listed[block] + 1, axis=0, out=flat[block], mode="clip")
        return arrays, tuple(worked_out)

    def _work_out(
        self,
        scene: Scene,
        camera: Camera,
        names: tuple[str, ...],
        most: int,
        listed: Sequence[tuple[Iterator[Block], Put]],
    ) -> None:
        """Has the device work out attributes that differ from point to point.

        Args:
            scene, camera: whose crossings they are.
            names: which attributes.
            most: crossings of a list, at most.
            listed: lists of crossings, each with what takes its values.

        Raises:
            DeviceMemoryError: the tables or the images do not fit.
        """
        if not (names and most):
            return
        program, vertex_array = self._ready(scene, camera, names, LIST=1, LIST_WIDTH=_LIST_WIDTH)
        program["clip_z"] = 0.0
        program["width"] = camera.width
        channels = [ATTRIBUTES[name].channels for name in names]
        size = _LIST_WIDTH, -(-min(most, _CROSSINGS_AT_A_TIME) // _LIST_WIDTH)
        batch = np.zeros((size[0] * size[1], 2), np.int32)
        gl = self._context.gl
        made: list[Any] = []
        with self._context.making("attributes", size, made):
            made.append(gl.buffer(reserve=batch.nbytes))
            made.append(self._context.calls.buffer_texture(made[0], 2))
            # Three channels are drawn as four: OpenGL does not promise that images of three can be drawn to.
            images = [gl.texture(size, each + each % 2, dtype="f4") for each in channels]
            made += images
            made.append(gl.framebuffer(images))
        buffer, crossings, framebuffer = made[0], made[1], made[-1]
        try:
            for blocks, put in listed:
                done = 0
                for count in _filled(batch, blocks):
                    rows = -(-count // _LIST_WIDTH)
                    window = (0, 0, _LIST_WIDTH, rows)
                    buffer.write(batch[: rows * _LIST_WIDTH])
                    gl.enable_only(gl.NOTHING)
                    framebuffer.use()
                    framebuffer.viewport = (0, 0, *size)
                    framebuffer.scissor = window
                    self._bind(program, "crossings", crossings, 0)
                    vertex_array.render(vertices=3)
                    for attachment, (name, each) in enumerate(zip(names, channels, strict=True)):
                        values = np.empty((rows * _LIST_WIDTH, each), np.float32)
                        framebuffer.read_into(
                            values,
                            viewport=window,
                            components=each,
                            attachment=attachment,
                            dtype="f4",
                        )
                        put(name, done, batch[:count, 0], values[:count])
                    done += count
            self._context.check_error("finding attributes", "the number of attributes")
        finally:
            self._context.unbind_framebuffer()
            for each in reversed(made):
                each.release()

    def draw_picture(
        self, scene: Scene, camera: Camera, face: Any, depth: Any, window_z: float
    ) -> None:
        """Draws the shaded colors of one sheet into the framebuffer in use, with alpha 1.

        Args:
            scene, camera: as for the sheet.
            face, depth: the sheet's textures; nothing is drawn where its depth is NaN.
            window_z: what the depth test sees.
        """
        program, vertex_array = self._ready(scene, camera, ("shaded_color",), LIST=0)
        program["clip_z"] = 2.0 * window_z - 1.0
        self._bind(program, "sheet_face", face, 0)
        self._bind(program, "sheet_depth", depth, 1)
        vertex_array.render(vertices=3)

    def release(self) -> None:
        """Frees the programs; tables belong to their scenes."""
        for program, vertex_array in self._programs.values():
            vertex_array.release()
            program.release()
        self._programs.clear()

    def _ready(
        self, scene: Scene, camera: Camera, names: tuple[str, ...], **more: int
    ) -> tuple[Any, Any]:
        """The program for these attributes, its uniforms and tables set, and its vertex array."""
        mesh = scene.mesh
        defines = {
            **{name.upper(): -1 for name in ATTRIBUTES},
            **{name.upper(): location for location, name in enumerate(names)},
            "PERSPECTIVE": int(not camera.is_orthographic),
            "HAS_COLORS": int(mesh.colors is not None),
            "HAS_TEXTURES": int(bool(mesh.textures)),
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
                self._bind(
                    program,
                    name,
                    scene.cached(("table", name), partial(self._table, scene, name, make)),
                    unit,
                )
        return program, vertex_array

    def _bind(self, program: Any, name: str, texture: Any, unit: int) -> None:
        if name in program:  # the compiler drops what a variant does not use
            texture.use(unit)
            self._context.calls.set_sampler(program, name, unit)

    def _table(self, scene: Scene, name: str, make: Callable[[Scene], npt.NDArray[Any]]) -> Any:
        """The rows that `make` gives as texels of 32-bit words."""
        words = np.ascontiguousarray(make(scene)).view(np.int32)
        if len(words) > self._context.max_texels:
            raise DeviceMemoryError(
                f"{scene.mesh!r}: a table of {name.replace('_', ' ')} has {len(words):,} entries, more than "
                f"the {self._context.max_texels:,} that {self._context.renderer} can read; split the mesh, "
                "or ask for fewer attributes"
            )
        buffer = scene.adopt(self._context.gl.buffer(words))
        table = scene.adopt(self._context.calls.buffer_texture(buffer, words.shape[1]))
        self._context.check_error(f"uploading {name} of {scene.mesh!r}", "the mesh")
        return table


def _of_sheet(face: IntArray) -> Iterator[Block]:
    """The crossings of a sheet's faces (N,), -1 where there is none."""
    for start in range(0, len(face), AT_A_TIME):
        here = face[start : start + AT_A_TIME]
        pixel = np.flatnonzero(here >= 0)
        yield pixel + start, here.take(pixel)


def _of_layers(layers: LayerBuffers) -> Iterator[Block]:
    for pixels, crossings in blocks_of_crossings(layers.offsets):
        counts = np.diff(layers.offsets[pixels.start : pixels.stop + 1])
        pixel = np.repeat(np.arange(pixels.start, pixels.stop, dtype=np.int32), counts)
        face = layers.face[crossings]
        for start in range(0, len(face), AT_A_TIME):  # a single pixel may have more
            block = slice(start, start + AT_A_TIME)
            yield pixel[block], face[block]


def _filled(batch: npt.NDArray[np.int32], blocks: Iterator[Block]) -> Iterator[int]:
    """Fills the batch (n, 2) with pixels and faces, again and again; gives how many there are each time."""
    count = 0
    for pixel, face in blocks:
        if count + len(face) > len(batch):
            yield count
            count = 0
        rows = batch[count : count + len(face)]
        rows[:, 0], rows[:, 1] = pixel, face
        count += len(face)
    if count:
        yield count


def _scatter(
    images: Arrays, name: str, done: int, pixel: IntArray, values: npt.NDArray[np.float32]
) -> None:
    row = f"V{values.itemsize * values.shape[1]}"  # a pixel as a single element: that is faster by far
    np.put(images[name].view(row), pixel, np.ascontiguousarray(values).view(row))


def _append(
    lists: Arrays, name: str, done: int, pixel: IntArray, values: npt.NDArray[np.float32]
) -> None:
    lists[name][done : done + len(values)] = values


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
    "vertices": lambda scene: scene.to_local(scene.mesh.vertices).reshape(-1, 1),
    "picture_of_face": lambda scene: scene.mesh.texture_id[:, None],
    "uvs": lambda scene: (
        scene.mesh.uv if scene.mesh.uv is not None else np.zeros((1, 2), np.float32)
    ),
    "corner_normals": lambda scene: smooth_normals(scene.mesh.vertices, scene.mesh.faces).reshape(
        -1, 3
    ),
    "colors": lambda scene: (
        scene.mesh.colors if scene.mesh.colors is not None else np.zeros((1, 4), np.uint8)
    ),
    "texels": _texel_table,
    "picture_table": _picture_table,
}


def _uniforms(scene: Scene, camera: Camera) -> dict[str, npt.NDArray[Any]]:
    """The camera in the scene's local frame."""
    local = local_camera(scene, camera)
    double = {
        "camera_center": local.center,
        "image_right": local.image_from_offset[0],
        "image_down": local.image_from_offset[1],
        "view_direction": local.view_direction,
        "image_origin": local.image_origin,
        "world_center": camera.center,
        "mesh_units": scene.step,
    }
    return {
        **{name: np.ascontiguousarray(value, dtype=np.float64) for name, value in double.items()},
        "image_up": np.ascontiguousarray(-camera.camera_from_world[1, :3], dtype=np.float32),
        "linear_of_srgb": _LINEAR_OF_SRGB,
    }
