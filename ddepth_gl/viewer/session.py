"""Session: a mesh in the viewer, rendered as far as the state needs it."""

from __future__ import annotations

from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from .._checks import is_integer, shown
from ..camera.camera import Camera
from ..errors import RequestError
from ..mesh.mesh import Mesh
from ..renderer import DepthRenderer
from ..results.depth_layers import DepthLayers
from ..results.depth_maps import DepthMaps
from ..results.frame import Frame
from .coloring import colored
from .probe import Probe, render_probe
from .section import Section, section_along, section_line
from .state import ViewerState
from .values import limits_of, needed_parts, values_of

__all__ = ["Session"]

PartT = TypeVar("PartT")


class Session:
    """A mesh on a renderer, and what was rendered of it last.

    Each result is rendered when it is first needed and kept until what decides it changes. Images
    of one size replace those of another.

    Args:
        renderer: renderer to use; it stays open.
        mesh: mesh to show.
        name: name to show; None for that of the mesh.
        mesh_line: line of Python that makes the mesh, see `code_lines`; None for one that loads its
            file.

    Attributes:
        renderer, mesh, scene, name, mesh_line: of what is shown.

    Raises:
        DDepthError: see `DepthRenderer.upload`.
    """

    def __init__(
        self,
        renderer: DepthRenderer,
        mesh: Mesh,
        name: str | None = None,
        mesh_line: str | None = None,
    ) -> None:
        self.renderer = renderer
        self.scene = renderer.upload(mesh)
        self._cache: dict[str, tuple[Any, Any]] = {}
        self._set_mesh(mesh, name, mesh_line)

    def _set_mesh(self, mesh: Mesh, name: str | None, mesh_line: str | None) -> None:
        self.mesh = mesh
        self.name = mesh.name if name is None else name
        self.mesh_line = mesh_line
        self._cache.clear()

    def replace_mesh(
        self, mesh: Mesh, name: str | None = None, mesh_line: str | None = None
    ) -> None:
        """Show another mesh; if it cannot be uploaded, the old one stays.

        Args:
            mesh, name, mesh_line: see the class.

        Raises:
            DDepthError: see `DepthRenderer.upload`.
        """
        scene = self.renderer.upload(mesh)
        self.scene.release()
        self.scene = scene
        self._set_mesh(mesh, name, mesh_line)

    def release(self) -> None:
        """Free the mesh on the GPU, and all results. Idempotent; the renderer stays open."""
        self.scene.release()
        self._cache.clear()

    # Results

    def frame(self, state: ViewerState, width: int, height: int, layers: bool = False) -> Frame:
        """Return the results that show a state: those that its mode needs, and no others.

        Args:
            state: state to show.
            width, height: image size in pixels.
            layers: with all crossings, whether the mode needs them or not.

        Raises:
            DDepthError: see `DepthRenderer.render`.
        """
        parts = needed_parts(state.mode)
        return self._frame(
            state,
            state.camera_for(width, height),
            image=parts["image"],
            maps=parts["maps"],
            layers=parts["layers"] or layers or state.highlight_odd,
            attributes=parts.get("attributes", ()),
        )

    def maps(
        self, state: ViewerState, width: int, height: int, attributes: tuple[str, ...] = ()
    ) -> DepthMaps:
        """Return both sheets of a state, with attributes."""
        camera = state.camera_for(width, height)
        frame = self._frame(state, camera, maps=True, attributes=attributes)
        return _existing(frame.maps)

    def layers(
        self, state: ViewerState, width: int, height: int, attributes: tuple[str, ...] = ()
    ) -> DepthLayers:
        """Return all crossings of a state, with attributes."""
        camera = state.camera_for(width, height)
        frame = self._frame(state, camera, layers=True, layer_attributes=attributes)
        return _existing(frame.layers)

    def values(self, state: ViewerState, width: int, height: int) -> npt.NDArray[Any]:
        """Return the values of the mode of a state; see `values_of`."""
        return values_of(state.mode, self.frame(state, width, height), state.layer)

    def limits(self, state: ViewerState, width: int, height: int) -> tuple[float, float] | None:
        """Return the values at both ends of the color scale of a state; None if it has none."""
        if not state.mode_info.has_scale:
            return None
        return state.limits or limits_of(self.values(state, width, height), state.mode)

    def image(self, state: ViewerState, width: int, height: int) -> npt.NDArray[np.uint8]:
        """Return (H, W, 4) uint8 sRGB: the image of a state as the canvas shows it."""
        frame = self.frame(state, width, height)
        odd = _existing(frame.layers).odd if state.highlight_odd else None
        values = values_of(state.mode, frame, state.layer)
        return colored(values, state.mode, state.color_map_name or None, state.limits, odd)

    def _frame(
        self,
        state: ViewerState,
        camera: Camera,
        image: bool = False,
        maps: bool = False,
        layers: bool = False,
        attributes: tuple[str, ...] = (),
        layer_attributes: tuple[str, ...] = (),
    ) -> Frame:
        """Return a frame of the parts asked for; render those that are not in the cache."""
        keys = {
            "image": (camera, camera.name, state.surfaces, state.samples),
            "maps": (camera, camera.name, state.surfaces),
            "layers": (camera, camera.name),
        }
        for part, key in keys.items():  # results of another camera only take memory
            if part in self._cache and self._cache[part][0][:2] != key[:2]:
                del self._cache[part]
        wanted = {"image": image, "maps": maps, "layers": layers}
        names = {"maps": attributes, "layers": layer_attributes}
        missing = {
            part: wanted[part] and not self._has(part, keys[part], names.get(part, ()))
            for part in wanted
        }
        if any(missing.values()):
            frame = self.renderer.render(
                self.scene,
                camera,
                **missing,
                surfaces=state.surfaces,
                samples=state.samples if missing["image"] else 1,
                attributes=attributes if missing["maps"] else (),
                layer_attributes=layer_attributes if missing["layers"] else (),
            )
            for part, is_missing in missing.items():
                if is_missing:
                    self._cache[part] = keys[part], getattr(frame, part)
        return Frame(
            camera,
            **{part: self._cache[part][1] for part, is_wanted in wanted.items() if is_wanted},
        )

    def _has(self, part: str, key: Any, attributes: tuple[str, ...]) -> bool:
        """Return whether a result in the cache is that of `key` and has these attributes."""
        known, result = self._cache.get(part, (None, None))
        return known == key and {*attributes} <= {*getattr(result, "attributes", ())}

    # Tools

    def probe(self, state: ViewerState, width: int, height: int, x: int, y: int) -> Probe:
        """Return what is known of the ray of one pixel.

        Only this pixel is rendered. On the engine "raster", a pixel within 1/128 pixel of the
        border of a face may have a crossing that it lacks in the whole image, or the reverse.

        Args:
            state: state that is shown.
            width, height: image size in pixels.
            x, y: column and row of the pixel.

        Raises:
            RequestError: there is no such pixel.
            DDepthError: see `DepthRenderer.render`.
        """
        if not (is_integer(x) and is_integer(y) and 0 <= x < width and 0 <= y < height):
            raise RequestError(
                f"there is no pixel ({shown(x)}, {shown(y)}) in an image of {width}x{height} pixels"
            )
        x, y = int(x), int(y)
        key = (state.camera_for(width, height), x, y, state.surfaces)
        if not self._has("probe", key, ()):
            found = render_probe(self.renderer, self.scene, key[0], (x, y), state.surfaces)
            self._cache["probe"] = key, found
        probe: Probe = self._cache["probe"][1]
        return probe

    def section(self, state: ViewerState, width: int, height: int) -> Section:
        """Return the section along the line of the state.

        Only the rays along the line are rendered.

        Raises:
            RequestError: the state has no line, or it does not cross the image.
            DDepthError: see `DepthRenderer.peel`.
        """
        if state.section is None:
            raise RequestError("there is no section line; draw one across the image")
        camera = state.camera_for(width, height)
        key = (camera, state.section)
        if not self._has("section", key, ()):
            line = section_line(camera, state.section)
            layers = self.renderer.peel(self.scene, line.camera)
            self._cache["section"] = key, section_along(layers, line.points)
        section: Section = self._cache["section"][1]
        return section


def _existing(part: PartT | None) -> PartT:
    """Return a part of a frame that was asked for, and so exists."""
    return cast(PartT, part)
