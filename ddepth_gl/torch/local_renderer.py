"""LocalRenderer: the renderer of one process, and the meshes that it keeps on the GPU."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from ..engines.scene import Scene
from ..errors import ContextError
from ..gl.forks import check_not_forked
from ..mesh.mesh import Mesh
from ..renderer import DepthRenderer

__all__ = ["LocalRenderer", "Uploaded"]


class Uploaded(NamedTuple):
    """A mesh, and the same on the GPU."""

    mesh: Mesh
    scene: Scene


class LocalRenderer:
    """A renderer that is created when it is first needed, and the meshes that were used last.

    A pickled copy has neither: it is for another process.

    Args:
        engine, device: see `DepthRenderer`.
        kept: number of meshes to keep on the GPU.
    """

    def __init__(self, engine: str, device: int | str | None, kept: int) -> None:
        self._options = engine, device, kept
        self._renderer: DepthRenderer | None = None
        self._close: Callable[[], object] = lambda: None
        self._uploaded: OrderedDict[int, Uploaded] = OrderedDict()

    def __reduce__(self) -> tuple[type[LocalRenderer], tuple[str, int | str | None, int]]:
        return type(self), self._options

    @property
    def renderer(self) -> DepthRenderer:
        """The renderer of this process.

        Raises:
            ContextError: there is none, see `DepthRenderer`; or this process was forked from one
                that had used OpenGL.
        """
        check_not_forked()
        if self._renderer is None:
            engine, device, _ = self._options
            self._renderer = DepthRenderer(engine, device)
            # Also at the end of the process, while Python's modules are still whole.
            self._close = weakref.finalize(self, _close, self._renderer)
        return self._renderer

    def uploaded(self, number: int, load: Callable[[int], Mesh]) -> Uploaded:
        """Return a mesh on the GPU.

        Args:
            number: of the mesh.
            load: returns the mesh of a number; called if it is not on the GPU.

        Raises:
            DDepthError: the mesh cannot be loaded or uploaded.
        """
        renderer = self.renderer
        if number in self._uploaded:
            self._uploaded.move_to_end(number)
            return self._uploaded[number]
        while len(self._uploaded) >= self._options[2]:
            _, oldest = self._uploaded.popitem(last=False)
            oldest.scene.release()
        mesh = load(number)
        self._uploaded[number] = Uploaded(mesh, renderer.upload(mesh))
        return self._uploaded[number]

    def close(self) -> None:
        """Free the renderer and all that is on the GPU. Idempotent; the next use creates another.

        In a thread that did not create the renderer, this does nothing.
        """
        self._uploaded.clear()
        self._renderer = None
        self._close()


def _close(renderer: DepthRenderer) -> None:
    with suppress(ContextError):  # of another thread's, which ends with the process
        renderer.close()
