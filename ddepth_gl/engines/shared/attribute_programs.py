"""The programs that compute attributes of crossings, with camera and mesh tables set."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from ...camera.camera import Camera
from ...gl.context import GLContext
from ...gl.shaders import compile_program
from ...results.attributes import ATTRIBUTES
from ..scene import Scene
from .mesh_tables import MESH_TABLES, mesh_table
from .surface_uniforms import surface_uniforms

__all__ = ["GROUP_SIZE", "LIST_WIDTH", "AttributePrograms", "use_samplers"]

GROUP_SIZE = 64  # invocations per work group
LIST_WIDTH = 1024  # of the image that a list is drawn to, pixels
# Texture units of the samplers.
_UNITS = {name: unit for unit, name in enumerate(("first_pixels", "crossing_faces", *MESH_TABLES))}


class _Program:
    """A variant of attributes.frag, with its vertex array, or of compute_attributes.comp.

    Attributes:
        program: of moderngl.
        vertex_array: of a full-screen triangle; None for compute shaders.
        tables: names and texture units of the mesh tables that it reads.
        uniforms: that were set last.
    """

    def __init__(self, context: GLContext, defines: dict[str, int], computes: bool) -> None:
        gl = context.gl
        self.vertex_array = None
        if computes:
            self.program = compile_program(gl, defines, compute_shader="compute_attributes.comp")
        else:
            self.program = compile_program(
                gl, defines, vertex_shader="fullscreen.vert", fragment_shader="attributes.frag"
            )
            self.vertex_array = gl.vertex_array(self.program, [])
        # Compilers drop the uniforms that a variant does not use.
        units = {name: unit for name, unit in _UNITS.items() if name in self.program}
        for name, unit in units.items():
            context.functions.set_sampler(self.program, name, unit)
        self.tables = {name: unit for name, unit in units.items() if name in MESH_TABLES}
        self.uniforms: dict[str, Any] = {}

    def set_uniforms(self, values: dict[str, npt.NDArray[Any]]) -> None:
        """Set the uniforms that the program uses, unless these were set last."""
        if values is not self.uniforms:
            for name, value in values.items():
                if name in self.program:
                    self.program[name].write(value)
            self.uniforms = values

    def release(self) -> None:
        """Free the program."""
        if self.vertex_array is not None:
            self.vertex_array.release()
        self.program.release()


class AttributePrograms:
    """The programs of attributes.frag and compute_attributes.comp, compiled once per variant.

    Args:
        context: current in every call.
    """

    def __init__(self, context: GLContext) -> None:
        self._context = context
        self._programs: dict[tuple[Any, ...], _Program] = {}
        self._camera: Camera | None = None
        self._scene: Callable[[], Scene | None] = lambda: None
        self._uniforms: dict[str, npt.NDArray[Any]] = {}

    def drawing(
        self, scene: Scene, camera: Camera, names: tuple[str, ...], **options: int
    ) -> tuple[Any, Any]:
        """Return a program of attributes.frag and its vertex array; bind the mesh tables.

        Args:
            scene: Scene that was rendered.
            camera: Camera of the crossings.
            names: names of attributes, in the order of their outputs.
            options: macros; the file's header explains them.

        Raises:
            DeviceMemoryError: the mesh tables do not fit.
        """
        options = {"LIST_WIDTH": LIST_WIDTH, "RUN_SHIFT": 0, **options}
        locations = {name: location for location, name in enumerate(names)}
        used = self._prepared(scene, camera, locations, options, computes=False)
        return used.program, used.vertex_array

    def computing(
        self, scene: Scene, camera: Camera, names: tuple[str, ...], **options: int
    ) -> Any:
        """Return a program of compute_attributes.comp; bind the mesh tables. See `drawing`."""
        before, first_channels = 0, {}
        for name in names:
            first_channels[name] = before
            before += ATTRIBUTES[name].channels
        options = {"GROUP_SIZE": GROUP_SIZE, **options}
        return self._prepared(scene, camera, first_channels, options, computes=True).program

    def _prepared(
        self,
        scene: Scene,
        camera: Camera,
        numbers: dict[str, int],
        options: dict[str, int],
        computes: bool,
    ) -> _Program:
        mesh = scene.mesh
        defines = {
            **{name.upper(): numbers.get(name, -1) for name in ATTRIBUTES},
            "PERSPECTIVE": int(not camera.is_orthographic),
            "HAS_COLORS": int(mesh.colors is not None),
            "HAS_TEXTURES": int(bool(mesh.texture_sizes)),
            **options,
        }
        key = (computes, *defines.items())
        if key not in self._programs:
            self._programs[key] = _Program(self._context, defines, computes)
        used = self._programs[key]
        if self._camera is not camera or self._scene() is not scene:
            self._uniforms = _uniforms(scene, camera)
            self._camera, self._scene = camera, weakref.ref(scene)
        used.set_uniforms(self._uniforms)
        for name, unit in used.tables.items():
            mesh_table(self._context, scene, name).use(unit)
        return used

    def release(self) -> None:
        """Free the programs. Mesh tables belong to their scenes."""
        for used in self._programs.values():
            used.release()
        self._programs.clear()


def _uniforms(scene: Scene, camera: Camera) -> dict[str, npt.NDArray[Any]]:
    uniforms = surface_uniforms(
        scene,
        camera,
        world_center=camera.center,
        mesh_units=scene.step,
        inverse_width=1.0 / camera.width,
    )
    uniforms["image_width"] = np.array(camera.width, np.int32)
    return uniforms


def use_samplers(**textures: Any) -> None:
    """Bind textures to the units of samplers, by the samplers' names."""
    for name, texture in textures.items():
        texture.use(_UNITS[name])
