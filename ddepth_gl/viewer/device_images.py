"""DeviceImages: what a state shows, rendered to textures; nothing of it comes to the CPU.

The engines render as always, and leave their results on the device. A shader finishes each image
there: silhouettes, attributes of faces, lengths along the rays. The values are those of `values_of`
for the results of the public API. See decision 27.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..camera.camera import Camera
from ..engines.request import SheetRequest
from ..engines.scene import Scene
from ..engines.shared.device_crossings import DeviceCrossings
from ..engines.shared.face_attributes import face_values
from ..engines.shared.image_limits import ImageLimits
from ..engines.shared.image_targets import FullscreenPasses, ImageTarget
from ..engines.shared.mesh_tables import upload_table
from ..engines.shared.target_pool import TargetPool
from ..render_arguments import sheet_request
from ..renderer import DepthRenderer
from ..results.silhouettes import swap_limits
from .device_solids import SolidPass, along_ray_uniforms
from .modes import MODES
from .state import ViewerState

__all__ = ["DeviceImage", "DeviceImages", "DevicePoints"]

# The SHOWS_ numbers of view_sheet.frag, and the attribute of faces that it looks up.
_SHEETS = {
    "entry": (0, None),
    "exit": (1, None),
    "thickness": (2, None),
    "normals": (3, "normal"),
    "object_ids": (4, "object_id"),
}
# Numbers per pixel and their type, by the kind of a mode.
_FORMATS = {
    "photo": (4, "f1"),
    "number": (1, "f4"),
    "count": (1, "i4"),
    "direction": (4, "f4"),
    "label": (1, "i4"),
}
# Layers of the mould view, 4 bytes per pixel each; those behind are left out, and counted.
MAX_POINT_LAYERS = 64
# Every crossing counts.
_CROSSINGS = SheetRequest("any")

Targets = list[ImageTarget]


class DeviceImage:
    """An image on the device, until the next `DeviceImages.update`.

    Attributes:
        mode: name of its mode in `MODES`.
        texture: moderngl texture, row 0 at the top: of `Mode.kind` "photo" 4 x 8 bits, sRGB with
            straight alpha; "number" float32, NaN for misses; "count" and "label" int32, 0 or -1 for
            misses; "direction" 4 x float32, the last without meaning, NaN for misses.
        counts: texture of int32, crossings of each pixel, to find the odd ones; None if the state
            does not highlight them.
        camera: Camera of the image.
        max_count: largest number of crossings of a pixel; None if the image needs no layers.
    """

    def __init__(
        self,
        mode: str,
        texture: Any,
        counts: Any,
        camera: Camera,
        max_count: int | None,
        find_limits: Callable[[], tuple[float, float] | None],
    ) -> None:
        self.mode, self.texture, self.counts = mode, texture, counts
        self.camera, self.max_count = camera, max_count
        self._find_limits = find_limits
        self._range: tuple[tuple[float, float] | None] | None = None

    @property
    def value_range(self) -> tuple[float, float] | None:
        """Smallest and largest value; None if no pixel has one.

        They are found on the device, and two numbers come to the CPU. Ask for them before the next
        update.
        """
        if self._range is None:
            self._range = (self._find_limits(),)
        return self._range[0]

    @property
    def limits(self) -> tuple[float, float]:
        """Values at both ends of the color scale, as `limits_of` has them; see `value_range`."""
        low, high = self.value_range or (0.0, 1.0)
        if MODES[self.mode].starts_at_zero:
            low, high = 0.0, high if high > 0.0 else 1.0
        return low, high


class DevicePoints:
    """Depths of both sheets, or of all layers, on the device until the next update.

    Attributes:
        depths: textures of float32, one for each cloud, NaN for misses: entries and exits of pixels
            that have both, or the layers, nearest first. Depths of back faces are negative in
            layers.
        are_layers: they are layers.
        camera: Camera that rendered them.
        left_out: number of layers that there was no room for.
    """

    def __init__(self, depths: list[Any], are_layers: bool, camera: Camera, left_out: int) -> None:
        self.depths, self.are_layers = depths, are_layers
        self.camera, self.left_out = camera, left_out


class DeviceImages:
    """Images of states on the device; keeps the last one until the state shows another.

    Args:
        renderer: renders them; it must outlive this object, or be closed right after it.

    Attributes:
        rendered_count: number of images rendered so far, for tests and benchmarks.
    """

    def __init__(self, renderer: DepthRenderer) -> None:
        # The pipeline is what renderers and the viewer share; nobody else needs it.
        self._renderer = renderer
        self._context, self._pipeline = renderer._context, renderer._pipeline
        self._passes = FullscreenPasses(self._context)
        self._limits = ImageLimits(self._context, self._passes)
        self._solids = SolidPass(self._context, self._passes, self._limits)
        self._pool = TargetPool(partial(ImageTarget, self._context))
        self._lent: dict[str, Targets] = {}
        self._kept: dict[str, tuple[Any, ...]] = {}
        self.rendered_count = 0

    def update(self, scene: Scene, state: ViewerState, width: int, height: int) -> DeviceImage:
        """Return the image of a state; rendered only if the last one shows something else.

        Args:
            scene: of the renderer.
            state: what to show; its place does not matter.
            width, height: of the image, pixels.

        Raises:
            CameraError, ContextError, DeviceMemoryError: see `DepthRenderer.entry_exit`.
        """
        camera = state.camera_for(width, height)
        shown = (
            camera,
            state.mode,
            state.layer if state.mode == "layer" else 0,
            state.surfaces,
            state.samples if state.mode == "photo" else 1,
            state.highlight_odd,
        )
        image: DeviceImage = self._updated(
            "image", scene, shown, lambda: self._image(scene, state, camera)
        )
        return image

    def points(self, scene: Scene, state: ViewerState, width: int, height: int) -> DevicePoints:
        """Return the points of the mould view; rendered only if the last ones are others.

        For arguments and errors see `update`.
        """
        camera = state.camera_for(width, height)
        shown = camera, state.mould_layers, state.surfaces
        points: DevicePoints = self._updated(
            "points", scene, shown, lambda: self._points(scene, state, camera)
        )
        return points

    def _updated(
        self, kind: str, scene: Scene, shown: tuple[Any, ...], make: Callable[[], Any]
    ) -> Any:
        """Return what `make` returned for this scene and these values."""
        last_scene, last_shown, result = self._kept.get(kind, (lambda: None, None, None))
        if last_scene() is scene and last_shown == shown:
            return result
        with self._context:
            camera, *_ = shown
            self._pipeline.checked_request(scene, camera, _CROSSINGS)  # before it allocates
            self._give_back(kind)
            self._lent[kind] = []
            try:
                result = make()
                self._context.check_error("rendering the view", "the image size")
            except BaseException:
                self._give_back(kind)
                raise
            self._pool.trim(max_idle=1)
        self.rendered_count += 1
        self._kept[kind] = weakref.ref(scene), shown, result
        return result

    def _give_back(self, kind: str) -> None:
        self._kept.pop(kind, None)
        for target in self._lent.pop(kind, []):
            self._pool.give_back(target)

    def _target(
        self, kind: str, camera: Camera, components: int, dtype: str, *, marks: bool = False
    ) -> ImageTarget:
        """Return a target that stays lent until the next update of its kind."""
        target = self._pool.take((camera.width, camera.height), components, dtype, marks)
        self._lent[kind].append(target)
        return target

    def _image(self, scene: Scene, state: ViewerState, camera: Camera) -> DeviceImage:
        mode = MODES[state.mode]
        marks = mode.name in _SHEETS or mode.name == "solid_length"
        target = self._target("image", camera, *_FORMATS[mode.kind], marks=marks)
        request = sheet_request(state.surfaces, None, None, ())
        counts, max_count = None, None
        if mode.name == "photo":
            self._draw_photo(scene, camera, request, state.samples, target)
        elif not mode.needs_layers:
            self._draw_sheets(scene, camera, request, (mode.name,), [target])
        if mode.needs_layers or state.highlight_odd:
            with self._crossings(scene, camera) as crossings:
                max_count = crossings.max_count
                if mode.name == "layer_count":
                    self._copy(crossings.counts, target, integers=True)
                elif mode.name == "layer":
                    self._draw_layer(crossings, state.layer, target)
                elif mode.name == "solid_length":
                    self._solids.draw(scene, camera, crossings, target)
                if state.highlight_odd:
                    copy = self._target("image", camera, 1, "i4")
                    self._copy(crossings.counts, copy, integers=True)
                    counts = copy.texture

        def find_limits() -> tuple[float, float] | None:
            with self._context:
                return self._limits.of(target.texture, is_integer=mode.kind == "count")

        return DeviceImage(mode.name, target.texture, counts, camera, max_count, find_limits)

    def _points(self, scene: Scene, state: ViewerState, camera: Camera) -> DevicePoints:
        targets: Targets = []
        if not state.mould_layers:
            request = sheet_request(state.surfaces, None, None, ())
            targets += [self._target("points", camera, 1, "f4", marks=True) for _ in range(2)]
            self._draw_sheets(scene, camera, request, ("entry", "exit"), targets, both=True)
            return DevicePoints([each.texture for each in targets], False, camera, 0)
        with self._crossings(scene, camera) as crossings:
            count = min(crossings.max_count, MAX_POINT_LAYERS)
            for index, keys in enumerate(crossings.layers(count)):
                targets.append(self._target("points", camera, 1, "f4"))
                self._draw_keys(crossings, keys, index, targets[-1], signed=True)
            left_out = crossings.max_count - count
        return DevicePoints([each.texture for each in targets], True, camera, left_out)

    @contextmanager
    def _crossings(self, scene: Scene, camera: Camera) -> Iterator[DeviceCrossings]:
        request = self._pipeline.checked_request(scene, camera, _CROSSINGS)
        engine = self._pipeline.engine_for(request)
        with engine.crossings_on_device(scene, camera, request) as crossings:
            yield crossings

    def _draw_photo(
        self, scene: Scene, camera: Camera, request: SheetRequest, samples: int, target: ImageTarget
    ) -> None:
        request = self._pipeline.checked_request(scene, camera, request)
        engine = self._pipeline.engine_for(request)
        for rows, photo in engine.photo_bands(scene, camera, request, samples):
            (pixels,) = photo.pixels.color_attachments
            viewport = (0, rows.start, camera.width, rows.stop - rows.start)
            self._copy(pixels, target, integers=False, viewport=viewport)

    def _draw_sheets(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        names: tuple[str, ...],
        targets: Targets,
        *,
        both: bool = False,
    ) -> None:
        needs_faces = any(_SHEETS[name][1] for name in names)
        names_of_faces = ("face",) if needs_faces else ()
        request = replace(request, attributes=names_of_faces, stays_on_device=True)
        request = self._pipeline.checked_request(scene, camera, request)
        engine = self._pipeline.engine_for(request)
        fixes = request.fixes_silhouettes(scene.mesh)
        pending = engine.submit(scene, (camera,), request)
        with engine.sheet_textures(pending) as sheets:
            for name, target in zip(names, targets, strict=True):
                shows, attribute = _SHEETS[name]
                textures = dict(sheets.by_sampler)
                if attribute is not None:
                    textures["face_values"] = self._face_table(scene, attribute)
                options = {
                    "SHOWS": shows,
                    "BOTH": int(both or name == "thickness"),
                    "IN_BUFFERS": int(sheets.in_buffers),
                    "PERSPECTIVE": int(not camera.is_orthographic),
                    "FIX_SILHOUETTES": int(fixes),
                    "EXCHANGE": int(request.may_exchange),
                }
                uniforms = {
                    "image_size": (camera.width, camera.height),
                    "swap_limits": np.array(swap_limits(camera)),
                    **along_ray_uniforms(camera),
                }
                arguments = "view_sheet", options, textures, uniforms
                self._passes.draw(target.framebuffer, *arguments, marks=True if fixes else None)
                if fixes:
                    options["FIX_SILHOUETTES"] = 2
                    self._passes.draw(target.framebuffer, *arguments, marks=False)

    def _draw_layer(self, crossings: DeviceCrossings, layer: int, target: ImageTarget) -> None:
        if layer >= crossings.max_count:  # no pixel has it
            target.framebuffer.use()
            target.framebuffer.clear(float("nan"), 0.0, 0.0, 0.0)
            return
        for index, keys in enumerate(crossings.layers(layer + 1)):
            if index == layer:
                self._draw_keys(crossings, keys, layer, target)

    def _draw_keys(
        self,
        crossings: DeviceCrossings,
        keys: Any,
        layer: int,
        target: ImageTarget,
        *,
        signed: bool = False,
    ) -> None:
        self._passes.draw(
            target.framebuffer,
            "view_layer",
            {"SIGNED": int(signed)},
            {"keys": keys, "counts": crossings.counts},
            {"layer": layer},
        )

    def _copy(
        self,
        texture: Any,
        target: ImageTarget,
        *,
        integers: bool,
        viewport: tuple[int, int, int, int] | None = None,
    ) -> None:
        self._passes.draw(
            target.framebuffer,
            "view_copy",
            {"INTEGERS": int(integers)},
            {"integers" if integers else "colors": texture},
            {"first": viewport[:2] if viewport else (0, 0)},
            viewport,
        )

    def _face_table(self, scene: Scene, name: str) -> Any:
        """Return a buffer texture of an attribute of all faces, after that of a miss."""

        def upload() -> Any:
            values: Any = face_values(scene, name)  # not None: it is constant over each face
            words = np.ascontiguousarray(values).view(np.int32).reshape(len(values), -1)
            return upload_table(self._context, scene, name, words, "split the mesh")

        return scene.cached(("view", name), upload)

    def release(self) -> None:
        """Free every OpenGL object of the images. Idempotent; does nothing in a closed context."""
        if self._context.is_closed:
            return
        with self._context:
            for kind in [*self._lent]:
                self._give_back(kind)
            self._pool.trim(max_idle=0)
            self._solids.release()
            self._limits.release()
            self._passes.release()
