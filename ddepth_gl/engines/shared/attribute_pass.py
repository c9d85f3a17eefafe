"""The attribute pass: attributes of crossings, computed where each ray meets the face's plane.

A crossing is a pixel and a face, so the pass serves both engines. It runs after coverage is known
and reads the mesh by face index, from the buffer textures of `mesh_tables`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ..._srgb import linear_from_srgb
from ...camera.camera import Camera
from ...gl.context import GLContext
from ...gl.shaders import compile_program
from ...results.attributes import ATTRIBUTES
from ...results.silhouettes import swap_limits
from ..request import LayerBuffers
from ..scene import Scene
from .crossing_lists import (
    Arrays,
    CrossingBlock,
    StoreValues,
    fill_batches,
    layer_crossings,
    sheet_crossings,
    store_in_images,
    store_in_lists,
)
from .face_attributes import face_attribute
from .local_camera import local_camera
from .mesh_tables import MESH_TABLES, mesh_table

__all__ = ["AttributePass"]

# Crossings of one draw call, rendered to images of this width. Larger batches are not faster.
_BATCH_SIZE = 1 << 17
_LIST_WIDTH = 1024

_LINEAR_OF_SRGB = linear_from_srgb(np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1))[
    :, 0
].copy()


class AttributePass:
    """The programs of attributes.frag, for lists of crossings and for the colors of a sheet.

    Args:
        context: current in every call.
    """

    def __init__(self, context: GLContext) -> None:
        self._context = context
        self._programs: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def sheet_attributes(
        self,
        scene: Scene,
        camera: Camera,
        names: tuple[str, ...],
        faces: Sequence[npt.NDArray[np.int32]],
    ) -> dict[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """Return attributes of both sheets.

        Args:
            scene: Scene that was rendered.
            camera: Camera of the sheets.
            names: names of attributes.
            faces: entry and exit faces, (H, W) each, -1 for a miss.

        Returns:
            Name to (entry, exit), each (H, W) or (H, W, channels).

        Raises:
            DeviceMemoryError: the mesh tables or the images do not fit.
        """
        sheets, lists = [], []
        for face in faces:
            arrays, varying = _allocate(scene, names, face)
            sheets.append(arrays)
            lists.append((sheet_crossings(face.reshape(-1)), partial(store_in_images, arrays)))
        self._compute(scene, camera, varying, face.size, lists)
        entry, exit_ = sheets
        return {name: (entry[name], exit_[name]) for name in names}

    def with_attributes(
        self, layers: LayerBuffers, scene: Scene, camera: Camera, names: tuple[str, ...]
    ) -> LayerBuffers:
        """Return the layers with these attributes of every crossing.

        Raises:
            DeviceMemoryError: the mesh tables or the images do not fit.
        """
        arrays, varying = _allocate(scene, names, layers.face)
        lists = [(layer_crossings(layers), partial(store_in_lists, arrays))]
        self._compute(scene, camera, varying, len(layers.face), lists)
        return replace(layers, attributes=arrays)

    def _compute(
        self,
        scene: Scene,
        camera: Camera,
        names: tuple[str, ...],
        max_crossings: int,
        lists: Sequence[tuple[Iterator[CrossingBlock], StoreValues]],
    ) -> None:
        """Compute attributes that vary within faces, and store their values.

        Args:
            scene: Scene that was rendered.
            camera: Camera of the crossings.
            names: names of attributes.
            max_crossings: number of crossings in the longest list, or more.
            lists: lists of crossings, and for each the function that stores its values.

        Raises:
            DeviceMemoryError: the mesh tables or the images do not fit.
        """
        if not (names and max_crossings):
            return
        program, vertex_array = self._prepared_program(
            scene, camera, names, FROM_LIST=1, EXCHANGE=0, LIST_WIDTH=_LIST_WIDTH
        )
        program["clip_z"] = 0.0
        program["image_width"] = camera.width
        channels = [ATTRIBUTES[name].channels for name in names]
        size = _LIST_WIDTH, -(-min(max_crossings, _BATCH_SIZE) // _LIST_WIDTH)
        batch = np.zeros((size[0] * size[1], 2), np.int32)
        gl = self._context.gl
        gl_objects: list[Any] = []
        with self._context.allocating("attributes", size, gl_objects):
            gl_objects.append(gl.buffer(reserve=batch.nbytes))
            gl_objects.append(self._context.functions.buffer_texture(gl_objects[0], 2))
            # OpenGL does not guarantee that images of three channels can be rendered to.
            images = [gl.texture(size, count + count % 2, dtype="f4") for count in channels]
            gl_objects += images
            gl_objects.append(gl.framebuffer(images))
        buffer, crossings, framebuffer = gl_objects[0], gl_objects[1], gl_objects[-1]
        try:
            for blocks, store in lists:
                first = 0
                for count in fill_batches(batch, blocks):
                    rows = -(-count // _LIST_WIDTH)
                    window = (0, 0, _LIST_WIDTH, rows)
                    buffer.write(batch[: rows * _LIST_WIDTH])
                    gl.enable_only(gl.NOTHING)
                    framebuffer.use()
                    framebuffer.viewport = (0, 0, *size)
                    framebuffer.scissor = window
                    self._bind(program, "crossings", crossings, 0)
                    vertex_array.render(vertices=3)
                    for attachment, name in enumerate(names):
                        values = np.empty((rows * _LIST_WIDTH, channels[attachment]), np.float32)
                        framebuffer.read_into(
                            values,
                            viewport=window,
                            components=channels[attachment],
                            attachment=attachment,
                            dtype="f4",
                        )
                        store(name, first, batch[:count, 0], values[:count])
                    first += count
            self._context.check_error("computing attributes", "the number of attributes")
        finally:
            self._context.unbind_framebuffer()
            for gl_object in reversed(gl_objects):
                gl_object.release()

    def draw_shaded(
        self,
        scene: Scene,
        camera: Camera,
        faces: Any,
        depths: Any,
        window_z: float,
        exits: tuple[Any, Any] | None = None,
    ) -> None:
        """Draw the shaded colors of the entries to the bound framebuffer, with alpha 1.

        Args:
            scene: Scene that was rendered.
            camera: Camera of the sheet.
            faces: texture of the sheet's faces.
            depths: texture of the sheet's depths; nothing is drawn where the depth is NaN.
            window_z: window depth of the fragments, for the depth test.
            exits: textures of the faces and depths of the exits, if these are exchanged with the
                entries where a body is inside out, see `fix_silhouettes`.
        """
        program, vertex_array = self._prepared_program(
            scene, camera, ("shaded_color",), FROM_LIST=0, EXCHANGE=int(exits is not None)
        )
        program["clip_z"] = 2.0 * window_z - 1.0
        self._bind(program, "sheet_face", faces, 0)
        self._bind(program, "sheet_depth", depths, 1)
        if exits is not None:
            first_unit = 2 + len(MESH_TABLES)
            self._bind(program, "exit_face", exits[0], first_unit)
            self._bind(program, "exit_depth", exits[1], first_unit + 1)
            program["image_size"] = camera.width, camera.height
            program["swap_limits"].write(np.array(swap_limits(camera)))
        vertex_array.render(vertices=3)

    def release(self) -> None:
        """Free the programs. Mesh tables belong to their scenes."""
        for program, vertex_array in self._programs.values():
            vertex_array.release()
            program.release()
        self._programs.clear()

    def _prepared_program(
        self, scene: Scene, camera: Camera, names: tuple[str, ...], **options: int
    ) -> tuple[Any, Any]:
        """Return a program and its vertex array, with uniforms and mesh tables set."""
        mesh = scene.mesh
        defines = {
            **{name.upper(): -1 for name in ATTRIBUTES},
            **{name.upper(): location for location, name in enumerate(names)},
            "PERSPECTIVE": int(not camera.is_orthographic),
            "HAS_COLORS": int(mesh.colors is not None),
            "HAS_TEXTURES": int(bool(mesh.texture_sizes)),
            **options,
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
        for unit, name in enumerate(MESH_TABLES, start=2):
            if name in program:
                self._bind(program, name, mesh_table(self._context, scene, name), unit)
        return program, vertex_array

    def _bind(self, program: Any, name: str, texture: Any, unit: int) -> None:
        if name in program:  # compilers drop the uniforms that a variant does not use
            texture.use(unit)
            self._context.functions.set_sampler(program, name, unit)


def _allocate(
    scene: Scene, names: tuple[str, ...], faces: npt.NDArray[np.integer[Any]]
) -> tuple[Arrays, tuple[str, ...]]:
    """Return arrays of attributes, and the names of those that are still to be computed."""
    arrays: Arrays = {}
    varying = []
    for name in names:
        values = face_attribute(scene, name, faces)
        if values is None:
            values = ATTRIBUTES[name].empty(*faces.shape)
            varying.append(name)
        arrays[name] = values
    return arrays, tuple(varying)


def _uniforms(scene: Scene, camera: Camera) -> dict[str, npt.NDArray[Any]]:
    """Return the uniforms of attributes.frag that depend on the camera, and the sRGB table."""
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
