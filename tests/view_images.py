"""Images of the viewer as arrays, for its tests; and what the driver is asked to read meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import moderngl
import numpy as np
import numpy.typing as npt
from shapes import box, inside_out, merged, sphere

import ddepth_gl as dd
from ddepth_gl.gl.staging import Staging
from ddepth_gl.viewer.state import ViewerState
from ddepth_gl.viewer.values import needed_parts, values_of

_DTYPES = {"f1": np.uint8, "f4": np.float32, "i4": np.int32}


def array_of(renderer: dd.DepthRenderer, texture: Any, channels: int = 0) -> npt.NDArray[Any]:
    """Return a texture as (H, W), or the first channels as (H, W, channels)."""
    with renderer._context:
        pixels = np.frombuffer(texture.read(), _DTYPES[texture.dtype])
    image = pixels.reshape(texture.height, texture.width, texture.components)
    return image[..., :channels] if channels else image[..., 0]


def expected_values(
    renderer: dd.DepthRenderer, scene: dd.Scene, state: ViewerState, width: int, height: int
) -> npt.NDArray[Any]:
    """Return the values of a state from the public API."""
    parts = needed_parts(state.mode)
    for name, wanted in (("maps", {"surfaces": state.surfaces}), ("image", {})):
        if parts[name]:
            parts |= {"surfaces": state.surfaces, **wanted}
    if parts["image"]:
        parts["samples"] = state.samples
    frame = renderer.render(scene, state.camera_for(width, height), **parts)
    return values_of(state.mode, frame, state.layer)


def meshes() -> dict[str, dd.Mesh]:
    """Return meshes that differ in what the rays meet, by name."""
    ball = sphere(1.0, 12, 16)
    torn = dd.Mesh(ball.vertices, ball.faces[len(ball.faces) // 3 :])
    boxes = merged(box(), box((0.0, 0.0, 0.0), (2.0, 2.0, 2.0)), box((3, 3, 3), (4, 4, 4)))
    ids = np.repeat(np.arange(3), 12)
    hollow = merged(box(), inside_out(box((-0.5,) * 3, (0.5,) * 3)))
    triangle = dd.Mesh(np.array([[-3.0, 0, -1], [3, 1, -1], [0, 0, 3]]), [[0, 1, 2]])
    return {
        "demo": dd.demo_mesh(),
        "torn": torn,
        "boxes": dd.Mesh(boxes.vertices, boxes.faces, object_id=ids),
        "hollow": hollow,
        "mixed": merged(box(), triangle),
        "inside out": inside_out(ball),
        "doubled": merged(box(), box()),
    }


@contextmanager
def reads(monkeypatch: Any) -> Iterator[list[int]]:
    """Record the bytes of everything that is read from textures, framebuffers and buffers."""
    found: list[int] = []

    def recording(function: Any) -> Any:
        def read(self: Any, *arguments: Any, **options: Any) -> Any:
            result = function(self, *arguments, **options)
            is_into = function.__name__ == "read_into"
            found.append(memoryview(arguments[0]).nbytes if is_into else len(result))
            return result

        return read

    with monkeypatch.context() as patch:
        for kind in (moderngl.Framebuffer, moderngl.Texture, moderngl.Buffer):
            for name in ("read", "read_into"):
                patch.setattr(kind, name, recording(getattr(kind, name)))

        def staged(_: Any, __: Any, dtype: Any, count: int, *___: Any) -> Any:
            raise AssertionError(f"{count} elements of {dtype} are read")

        for name in ("reading", "updating"):
            patch.setattr(Staging, name, staged)
        yield found
