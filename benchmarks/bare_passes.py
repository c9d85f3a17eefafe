"""Both sheets in bare GL calls, as the yardstick for the API."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

import ddepth_gl as dd
from ddepth_gl.engines.raster.engine import ENTRY_TEST, EXIT_TEST, RasterEngine
from ddepth_gl.engines.request import SheetRequest
from ddepth_gl.engines.shared.sheet_uniforms import sheet_uniforms

PLAIN_VERTEX = """
#version 410 core
layout(location = 0) in vec3 position;
uniform mat4 clip_from_world;
void main() { gl_Position = clip_from_world * vec4(position, 1.0); }
"""
PLAIN_FRAGMENT = """
#version 410 core
layout(location = 0) out float depth;
uniform float near;
uniform float far;
void main() { depth = near * far / (far - gl_FragCoord.z * (far - near)); }
"""


class BarePasses:
    """Two passes that clear, draw and read back, with the programs and buffers of engine `raster`.

    Args:
        renderer: a renderer with engine "raster".
        scene: the mesh, uploaded by that renderer.
        camera: the camera.
    """

    def __init__(self, renderer: dd.DepthRenderer, scene: dd.Scene, camera: dd.Camera) -> None:
        self.context, engine = renderer._context, renderer._pipeline.engine
        assert isinstance(engine, RasterEngine)
        with self.context:
            gl = self.gl = self.context.gl
            uniforms = sheet_uniforms(scene, camera, SheetRequest())
            program = engine._program("sheet", camera, SheetRequest(), uniforms)
            self.vertex_array = engine._draws.vertex_array(scene, program)
            self.size = (camera.width, camera.height)
            self.depth = self.context.functions.depth_texture(self.size)
            self.colors = [gl.texture(self.size, 1, dtype="f4") for _ in range(2)]
            self.framebuffers = [gl.framebuffer([color], self.depth) for color in self.colors]

    def __call__(self) -> list[npt.NDArray[np.float32]]:
        """Render entry and exit."""
        gl = self.gl
        with self.context:
            gl.enable_only(gl.DEPTH_TEST | gl.CULL_FACE)
            gl.front_face = "cw"
            for framebuffer, (culled, depth_test, cleared_depth) in zip(
                self.framebuffers, (ENTRY_TEST, EXIT_TEST), strict=True
            ):
                gl.cull_face, gl.depth_func = culled, depth_test
                framebuffer.use()
                framebuffer.clear(float("nan"), depth=cleared_depth)
                self.vertex_array.render()
            return self._read()

    def _read(self) -> list[npt.NDArray[np.float32]]:
        sheets = []
        for framebuffer in self.framebuffers:
            sheet = np.empty(self.size[::-1], np.float32)
            framebuffer.read_into(sheet, components=1, dtype="f4")
            sheets.append(sheet)
        return sheets

    def release(self) -> None:
        """Free the GL objects."""
        with self.context as context:
            context.unbind_framebuffer()
            for gl_object in (*self.framebuffers, *self.colors, self.depth):
                gl_object.release()


class PlainPasses(BarePasses):
    """The simplest two passes: shared vertices, fixed-function depth, chosen near and far planes.

    They are less exact; docs/decisions/0003 says why.
    """

    def __init__(self, renderer: dd.DepthRenderer, scene: dd.Scene, camera: dd.Camera) -> None:
        super().__init__(renderer, scene, camera)
        _, depth = camera.project(scene.mesh.vertices)
        near, far = float(depth.min()) * 0.9, float(depth.max()) * 1.1
        depth_row = (0, 0, (far + near) / (far - near), -2 * far * near / (far - near))
        with self.context:
            program = self.gl.program(vertex_shader=PLAIN_VERTEX, fragment_shader=PLAIN_FRAGMENT)
            matrix = camera.projection(depth_row) @ camera.camera_from_world
            program["clip_from_world"].write(matrix.T.astype("f4").tobytes())
            program["near"], program["far"] = near, far
            vertices = self.gl.buffer(scene.mesh.vertices.astype("f4"))
            indices = self.gl.buffer(scene.mesh.faces.astype("i4"))
            content = [(vertices, "3f", "position")]
            self.vertex_array = self.gl.vertex_array(program, content, indices)
            self.gl_objects: list[Any] = [self.vertex_array, vertices, indices, program]

    def release(self) -> None:
        """Free the GL objects."""
        super().release()
        with self.context:
            for gl_object in self.gl_objects:
                gl_object.release()
