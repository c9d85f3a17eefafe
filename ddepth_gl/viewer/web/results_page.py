"""Results in the browser: the points of depth maps or layers, and their camera."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..._text import counted
from ...errors import RequestError
from ...results.depth_layers import DepthLayers
from ...results.depth_maps import DepthMaps
from ...results.frame import Frame
from ..clouds import Cloud, clouds_of
from ..orbit import Orbit
from ..state import ViewerState
from . import texts
from .page_scene import PageScene
from .page_server import PageServer
from .page_world import beside

__all__ = ["ResultViewer"]

_MAX_BOXES = 12
_MAX_POINTS = 1_500_000  # of a page


class _Results:
    """Maps and layers, in place of a session that would render them."""

    def __init__(self, maps: DepthMaps | None, layers: DepthLayers | None) -> None:
        self._maps, self._layers = maps, layers

    def maps(self, *_: object) -> DepthMaps | None:
        return self._maps

    def layers(self, *_: object) -> DepthLayers | None:
        return self._layers


class ResultViewer(PageServer):
    """The points of results, for browsers; it serves until it is closed. A context manager.

    Args:
        result: DepthMaps or DepthLayers; or a Frame, whose layers are shown if it has them.
        port: see `PageServer`.

    Attributes:
        url, notes: see `PageServer`.
        clouds: what is shown, by coloring: "side" and "depth".
        camera: that of the results.

    Raises:
        RequestError: a frame has neither maps nor layers.
        ViewerError: see `PageServer`.
    """

    def __init__(
        self,
        result: DepthMaps | DepthLayers | Frame,
        *,
        port: int | None = None,
    ) -> None:
        maps = layers = None
        if isinstance(result, Frame):
            maps, layers = result.maps, result.layers
        elif isinstance(result, DepthMaps):
            maps = result
        else:
            layers = result
        if maps is None and layers is None:
            raise RequestError("the frame has neither maps nor layers; render it with one of them")
        self.camera = camera = result.camera
        unknown = Orbit.framing([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
        state = ViewerState(
            orbit=unknown, mould_orbit=unknown, camera=camera, mould_layers=layers is not None
        )
        results: Any = _Results(maps, layers)
        make = partial(clouds_of, results, state, camera.width, camera.height)
        self.clouds: dict[str, list[Cloud]] = {"side": make("side"), "depth": make("depth")}
        count = sum(len(each.points) for each in self.clouds["side"])
        step = -(-count // _MAX_POINTS) if count else 1
        self.note = f"{counted(count, 'point')}, {camera.width}x{camera.height} pixels"
        if step > 1:
            self.note += f"; every {step}th is shown"
            for name_, clouds in self.clouds.items():
                self.clouds[name_] = [
                    Cloud(each.name, each.points[::step], each.colors[::step]) for each in clouds
                ]
        self.orbit = Orbit.from_camera(camera, self._bounds())
        # A pixel, at the mesh.
        self.point_size = self.orbit.height / camera.height
        super().__init__(beside(self.orbit), repr(result)[1:-1], port=port)

    def make_page(self, client: Any) -> ResultPage:
        """Return the page of a client."""
        return ResultPage(client, self)

    def _bounds(self) -> npt.NDArray[np.float64]:
        """Return (2, 3): the smallest and the largest corner of all points."""
        points = np.concatenate([each.points for each in self.clouds["side"]] or [np.zeros((0, 3))])
        if not len(points):  # what the camera looks at, at any distance
            ahead = self.camera.center + self.camera.camera_from_world[2, :3]
            return np.stack([ahead - 0.5, ahead + 0.5])
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.5e-3 * max(float((high - low).max()), float(np.abs(high).max()) * 1e-3, 1e-9)
        return np.stack([low - margin, high + margin])


class ResultPage:
    """The page of one client: which clouds it sees, and how.

    Args:
        client: client of viser.
        viewer: what it looks at.
    """

    def __init__(self, client: Any, viewer: ResultViewer) -> None:
        self._viewer = viewer
        self.scene = PageScene(client, viewer.world)
        gui = client.gui
        gui.add_html(texts.note(viewer.note))
        names = [each.name for each in viewer.clouds["side"]]
        if len(names) > _MAX_BOXES:  # one box for the rest
            names[_MAX_BOXES - 1 :] = [f"{names[_MAX_BOXES - 1]} and behind"]
        self._coloring = gui.add_dropdown("Colors by", ["side", "depth"])
        self._size = gui.add_slider("Point size", 0.5, 5.0, 0.25, 1.5)
        self._has_camera = gui.add_checkbox("Camera", True)
        self._shown = [gui.add_checkbox(name.capitalize(), True) for name in names]
        for control in (self._coloring, self._size, self._has_camera, *self._shown):
            control.on_update(self._changed)
        self.scene.hide_image()
        self._show()

    def close(self) -> None:
        """Free what the client had."""
        self.scene.close()

    async def _changed(self, _: Any) -> None:
        self._show()

    def _clouds(self) -> list[Cloud]:
        clouds = self._viewer.clouds  # a page may send any text
        return clouds.get(cast(str, self._coloring.value), clouds["side"])

    def _show(self) -> None:
        clouds = [
            cloud
            for number, cloud in enumerate(self._clouds())
            if self._shown[min(number, len(self._shown) - 1)].value
        ]
        self.scene.show_clouds(clouds, self._size.value * self._viewer.point_size)
        if self._has_camera.value:
            self.scene.show_camera(self._viewer.camera)
        else:
            self.scene.hide("camera")
