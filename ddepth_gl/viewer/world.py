"""World: the mould view. Points straight from the device, the frustum, a ray, the mesh's edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..camera.camera import Camera
from ..gl.programs import Programs
from ..mesh.mesh import Mesh
from .canvas import Viewport
from .clouds import BACK_COLOR, FRONT_COLOR
from .coloring import BACKGROUND
from .device_images import DevicePoints
from .probe import Probe
from .state import ViewerState
from .world_lines import (
    clip_from_world,
    depth_interval,
    frustum_segments,
    mesh_edges,
    ray_segments,
    widened,
)

__all__ = ["World"]

Color = tuple[int, int, int]

# sRGB.
_FRUSTUM_COLOR, _RAY_COLOR, _INSIDE_COLOR = (150, 156, 166), (235, 235, 240), (110, 230, 120)
_EDGE_COLOR = (74, 80, 90)
# Pixels.
_POINT_SIZE, _LINE_WIDTH, _INSIDE_WIDTH = 2.0, 1.5, 5.0


class World:
    """The programs of the mould view in one context, and an image with depth to draw to.

    It sets the state that it relies on, and leaves it behind.

    Args:
        gl: a `moderngl.Context`, current in every call; see `Canvas`.
    """

    def __init__(self, gl: Any) -> None:
        self._gl = gl
        self._programs = Programs(gl)
        self._target: tuple[Any, ...] = ()
        self._mesh: tuple[Any, ...] = (None,)  # its edges, see `_draw_mesh`

    def draw(
        self,
        framebuffer: Any,
        points: DevicePoints,
        mesh: Mesh,
        state: ViewerState,
        viewport: Viewport,
        *,
        probe: Probe | None = None,
        shows_mesh: bool = False,
        stride: int = 1,
    ) -> None:
        """Fill a viewport of a framebuffer with the mould view.

        Args:
            framebuffer: moderngl framebuffer; it needs no depth.
            points: clouds to draw.
            mesh: that was rendered.
            state: decides on the camera of the view.
            viewport: in pixels of the framebuffer.
            probe: whose ray to draw; None for none.
            shows_mesh: draw the edges of the mesh, too.
            stride: draw every so many columns and rows of the points.
        """
        gl, size = self._gl, viewport[2:]
        camera = state.mould_orbit.camera(*size)
        frustum = frustum_segments(points.camera, mesh)
        lines = [(frustum, _FRUSTUM_COLOR, _LINE_WIDTH)]
        if probe is not None:
            ray, pieces = ray_segments(probe, points.camera, mesh)
            lines += [(ray, _RAY_COLOR, _LINE_WIDTH), (pieces, _INSIDE_COLOR, _INSIDE_WIDTH)]
        depths = depth_interval(camera, mesh, *(segments for segments, _, _ in lines))
        matrix = clip_from_world(camera, depths)
        color, target = self._image(size)
        gl.enable_only(gl.DEPTH_TEST)
        gl.depth_func = "<="
        target.color_mask, target.depth_mask = (True,) * 4, True
        target.use()  # moderngl applies the masks here
        target.viewport = (0, 0, *size)
        target.scissor = None
        target.clear(*(each / 255.0 for each in BACKGROUND), 1.0, depth=1.0)
        light = camera.camera_from_world[2, :3]  # of a headlight
        for index, texture in enumerate(points.depths):
            are_exits = index == 1 and not points.are_layers
            front = BACK_COLOR if are_exits else FRONT_COLOR
            self._draw_points(texture, points.camera, matrix, light, front, stride)
        if shows_mesh:
            self._draw_mesh(mesh, matrix)
        for index, (segments, tint, width) in enumerate(lines):
            if index == 1:
                gl.enable_only(gl.NOTHING)  # the clouds would hide the ray where it is inside
            self._draw_lines(widened(segments, matrix, size, width), tint)
        self._copy(color, framebuffer, viewport)

    def show(self, framebuffer: Any, viewport: Viewport) -> None:
        """Fill a viewport of the size of the last one with what was drawn last."""
        if self._target:
            self._copy(self._target[0], framebuffer, viewport)

    def _image(self, size: tuple[int, int]) -> tuple[Any, Any]:
        """Return the texture and the framebuffer, with depth, of this size."""
        if not self._target or self._target[0].size != size:
            self._release_image()
            color = self._gl.texture(size, 4)
            depth = self._gl.depth_renderbuffer(size)
            self._target = color, depth, self._gl.framebuffer([color], depth)
        color, _, framebuffer = self._target
        return color, framebuffer

    def _draw_points(
        self,
        depths: Any,
        camera: Camera,
        matrix: npt.NDArray[Any],
        light: npt.NDArray[Any],
        front: Color,
        stride: int,
    ) -> None:
        program = self._program("world_points", int(not camera.is_orthographic))
        width, height = depths.size
        columns, rows = -(-width // stride), -(-height // stride)
        program["depths"] = 0
        program["stride"], program["columns"] = stride, columns
        world_from_image = _world_from_image(camera)
        program["clip_from_image"].write(_transposed(matrix @ world_from_image))
        program["world_from_image"].write(_transposed(world_from_image[:3]))
        program["light"] = tuple(light)
        program["front"] = tuple(each / 255.0 for each in front)
        program["back"] = tuple(each / 255.0 for each in BACK_COLOR)
        self._gl.point_size = _POINT_SIZE * stride
        depths.use(0)
        vertex_array = self._programs.vertex_array(program)
        vertex_array.render(self._gl.POINTS, vertices=columns * rows)

    def _draw_mesh(self, mesh: Mesh, matrix: npt.NDArray[Any]) -> None:
        program = self._program("world_lines")
        if self._mesh[0] is not mesh:
            self._release_mesh()
            low, high = mesh.bounds
            center = (low + high) / 2.0
            positions = np.ones((len(mesh.vertices), 4), np.float32)
            positions[:, :3] = mesh.vertices - center
            vertices, indices = self._gl.buffer(positions), self._gl.buffer(mesh_edges(mesh))
            content = [(vertices, "4f", "position")]
            edges = self._gl.vertex_array(program, content, indices)
            self._mesh = mesh, center, edges, vertices, indices
        _, center, edges, *_ = self._mesh
        moved = matrix.copy()
        moved[:, 3] += matrix[:, :3] @ center
        program["clip_from_position"].write(_transposed(moved))
        program["tint"] = tuple(each / 255.0 for each in _EDGE_COLOR)
        edges.render(self._gl.LINES)

    def _draw_lines(self, positions: npt.NDArray[np.float32], tint: Color) -> None:
        if not len(positions):
            return
        program = self._program("world_lines")
        program["clip_from_position"].write(_transposed(np.eye(4)))
        program["tint"] = tuple(each / 255.0 for each in tint)
        buffer = self._gl.buffer(positions)
        vertex_array = self._gl.vertex_array(program, [(buffer, "4f", "position")])
        vertex_array.render(self._gl.TRIANGLES)
        vertex_array.release()
        buffer.release()

    def _copy(self, texture: Any, framebuffer: Any, viewport: Viewport) -> None:
        program, vertex_array = self._programs.fullscreen("view_copy", {"INTEGERS": 0})
        program["colors"], program["clip_z"] = 0, 0.0
        program["first"] = viewport[:2]
        texture.use(0)
        self._gl.enable_only(self._gl.NOTHING)
        framebuffer.color_mask = (True,) * 4
        framebuffer.use()  # moderngl applies the mask here
        framebuffer.viewport = viewport
        framebuffer.scissor = None
        vertex_array.render(vertices=3)

    def _program(self, name: str, perspective: int = 0) -> Any:
        return self._programs.get(
            {"PERSPECTIVE": perspective},
            vertex_shader=f"{name}.vert",
            fragment_shader="world.frag",
        )

    def _release_image(self) -> None:
        for each in reversed(self._target):
            each.release()
        self._target = ()

    def _release_mesh(self) -> None:
        for each in self._mesh[2:]:
            each.release()
        self._mesh = (None,)

    def release(self) -> None:
        """Free every OpenGL object of the view. Idempotent."""
        self._release_image()
        self._release_mesh()
        self._programs.release()


def _world_from_image(camera: Camera) -> npt.NDArray[np.float64]:
    """Return the (4, 4) matrix of world_points.vert to the world frame."""
    camera_from_image = np.eye(4)
    rays = np.linalg.inv(camera.K)
    if camera.is_orthographic:
        camera_from_image[:2, :2], camera_from_image[:2, 3] = rays[:2, :2], rays[:2, 2]
    else:
        camera_from_image[:3, :3] = rays
    matrix: npt.NDArray[np.float64] = camera.world_from_camera @ camera_from_image
    return matrix


def _transposed(matrix: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return a matrix as OpenGL stores it."""
    return np.ascontiguousarray(matrix.T, np.float32)
