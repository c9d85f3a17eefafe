"""Pipeline: chooses an engine for each image, submits images ahead and collects them in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ._log import logger
from .camera.camera import Camera, check_camera
from .camera.runs import camera_runs
from .engines.base import Engine, Pending
from .engines.compute.engine import ComputeEngine
from .engines.raster.engine import RasterEngine
from .engines.request import SheetBuffers, SheetRequest
from .engines.scene import Scene, coarseness
from .errors import CameraError, ContextError, DeviceMemoryError, MeshError, RequestError
from .gl.context import GLContext
from .results.depth_layers import DepthLayers
from .results.depth_maps import DepthMaps, SheetPair
from .results.device_maps import DeviceDepthMaps
from .results.mesh_facts import MeshFacts
from .results.provenance import mesh_entries
from .results.silhouettes import exchange, fix_silhouettes

__all__ = ["Pipeline", "reporting_memory_errors"]

_log = logger(__name__)

# Without compute shaders, cameras may not come closer to a face than this fraction of the bounding
# box's diagonal. Closer than that, the driver's float32 misjudges which pixels the face covers.
_MIN_DISTANCE_WITHOUT_COMPUTE = 1e-5


@contextmanager
def reporting_memory_errors(what: str, remedy: str) -> Iterator[None]:
    """Report a MemoryError of NumPy in the block as a DeviceMemoryError.

    Args:
        what: what there is no memory for, in the message.
        remedy: what the user can do, in the message.
    """
    try:
        yield
    except DeviceMemoryError:
        raise
    except MemoryError as error:
        raise DeviceMemoryError(
            f"there is no memory left for {what} ({error}); {remedy}"
        ) from error


_reporting_image_memory_errors = partial(
    reporting_memory_errors, "the images", "reduce the image size"
)


class Pipeline:
    """The engines of one renderer, and the images in flight: submitted but not yet collected.

    Images are submitted in runs; an engine renders the images of a run together.

    Args:
        context: the renderer's context; current while an engine is created or released.
        use_compute: whether `engine` is the compute engine; otherwise it is the raster engine.

    Attributes:
        engine: renders all images except those of cameras beside a face, see `engine_for`.
    """

    def __init__(self, context: GLContext, *, use_compute: bool) -> None:
        self._context = context
        self.engine: Engine[Any] = (ComputeEngine if use_compute else RasterEngine)(context)
        self._engine_beside_a_face: ComputeEngine | None = None
        _log.info("engine %s", self.engine.name)

    def render(self, scene: Scene, camera: Camera, request: SheetRequest, output: str) -> Any:
        """Return the maps of one image: DeviceDepthMaps if `output` is "gpu", else DepthMaps."""
        with self._context, _reporting_image_memory_errors():
            request = self.checked_request(scene, camera, request)
            pending = self.engine_for(request).submit(scene, (camera,), request)
            return self._collect(pending, output)[0]

    def render_many(
        self, scene: Scene, cameras: Iterable[Camera], request: SheetRequest, output: str
    ) -> Iterator[Any]:
        """Yield the maps of many images, in order, each as `render` returns it.

        An error in `cameras`, or in submitting an image, is raised after all earlier images were
        yielded.
        """
        in_flight: deque[Pending[Any]] = deque()
        kind_of = partial(self._kind, scene, request=request)
        max_length_of = partial(self.engine.cameras_at_once, scene)
        try:
            for run in camera_runs(cameras, kind_of, max_length_of):
                failure, runs_ahead = None, 0
                if isinstance(run, Exception):
                    failure = run
                else:
                    (checked_request, *_), run_cameras = run
                    try:
                        runs_ahead = self._submit(in_flight, scene, run_cameras, checked_request)
                    except Exception as error:
                        failure = error
                yield from self._drain(in_flight, output, runs_ahead)
                if failure is not None:
                    try:
                        raise failure
                    finally:
                        # The traceback would keep this frame alive, and with it the scene.
                        del run, failure
            yield from self._drain(in_flight, output)
        finally:
            for pending in in_flight:
                self.engine_for(pending.request).discard(pending)
            # Deferred: a generator may be finalized in any thread, amid other GL calls.
            self._context.defer(self._trim)

    def _kind(self, scene: Scene, camera: Camera, request: SheetRequest) -> tuple[Any, ...]:
        """Return what all images of a run have in common; the checked request comes first."""
        self._context.check_usable()  # nothing here calls OpenGL
        checked_request = self.checked_request(scene, camera, request)
        return checked_request, camera.width, camera.height, camera.is_orthographic

    def _submit(
        self,
        in_flight: deque[Pending[Any]],
        scene: Scene,
        cameras: tuple[Camera, ...],
        request: SheetRequest,
    ) -> int:
        """Submit a run of images; return how many runs should stay in flight."""
        with self._context, _reporting_image_memory_errors():
            engine = self.engine_for(request)
            in_flight.append(engine.submit(scene, cameras, request))
            # One run ahead keeps the GPU busy. More would only take memory.
            return int(engine.submits_ahead(scene, cameras[0]))

    def _drain(
        self, in_flight: deque[Pending[Any]], output: str, runs_left: int = 0
    ) -> Iterator[Any]:
        """Yield the maps of the oldest runs in flight, until `runs_left` runs are left."""
        while len(in_flight) > runs_left:
            with self._context, _reporting_image_memory_errors():
                collected = deque(self._collect(in_flight.popleft(), output))
            while collected:
                self._context.check_usable()
                # No reference stays here while the caller works with the image.
                yield collected.popleft()

    def peel(
        self,
        scene: Scene,
        camera: Camera,
        request: SheetRequest,
        max_layers: int | None,
        memory_limit: int | None,
        min_gap: float,
    ) -> DepthLayers:
        """Return all layers of one image, see `Engine.peel` and `DepthLayers.merged`."""
        with self._context:
            request = self.checked_request(scene, camera, request)
            with reporting_memory_errors(
                "the crossings", "reduce the image size, pass max_layers= or ask for less"
            ):
                engine = self.engine_for(request)
                peeled_layers = None if min_gap else max_layers  # merged first, then cut
                buffers = engine.peel(scene, camera, request, peeled_layers, memory_limit)
        layers = DepthLayers(
            offsets=buffers.offsets,
            depth=buffers.depth,
            face=buffers.face,
            front_facing=buffers.front_facing,
            truncated=buffers.truncated,
            camera=camera,
            attributes=buffers.attributes,
            provenance=self.provenance(engine, scene),
            _facts=MeshFacts(scene.mesh),  # not of the scene, so that layers do not keep it alive
            _is_cropped=request.crop is not None,
        )
        return layers.merged(min_gap, max_layers) if min_gap else layers

    def shade(
        self, scene: Scene, camera: Camera, request: SheetRequest, samples: int
    ) -> npt.NDArray[np.uint8]:
        """Return the shaded image, see `Engine.shade`.

        Raises:
            RequestError: the image is too large for the device with so many samples.
        """
        with self._context:
            request = self.checked_request(scene, camera, request)
            max_samples = self._context.max_image_size // max(camera.width, camera.height)
            if samples > max_samples:
                raise RequestError(
                    f"samples={samples} makes an image of {camera.width}x{camera.height} pixels "
                    f"larger than {self._context.renderer} allows; pass at most {max_samples}"
                )
            with reporting_memory_errors("the image", "reduce the image size"):
                return self.engine_for(request).shade(scene, camera, request, samples)

    def shades_by_rasterizing(self, scene: Scene, camera: Camera, request: SheetRequest) -> bool:
        """Return whether `shade` needs no sheets with one sample a pixel, see `Engine`."""
        with self._context, _reporting_image_memory_errors():
            request = self.checked_request(scene, camera, request)
            return self.engine_for(request).photo_viewport(scene, camera, request, 1) is not None

    def submit_sheets(self, scene: Scene, camera: Camera, request: SheetRequest) -> Pending[Any]:
        """Submit both sheets of one image, for `collect_sheets` or `discard_sheets`."""
        with self._context, _reporting_image_memory_errors():
            request = self.checked_request(scene, camera, request)
            return self.engine_for(request).submit(scene, (camera,), request)

    def collect_sheets(self, pending: Pending[Any]) -> tuple[DepthMaps, Any]:
        """Return the maps of a submitted image, and the shaded image if its request is shaded."""
        with self._context, _reporting_image_memory_errors():
            engine, image = self.engine_for(pending.request), None
            if pending.request.shaded:
                buffers, image = engine.collect_shaded(pending)
            else:
                (buffers,) = engine.collect(pending)
            return self._depth_maps(engine, pending, pending.cameras[0], buffers), image

    def discard_sheets(self, pending: Pending[Any]) -> None:
        """Give up a submitted image."""
        self.engine_for(pending.request).discard(pending)

    def _collect(self, pending: Pending[Any], output: str) -> list[Any]:
        engine = self.engine_for(pending.request)
        if output == "gpu":
            return self._collect_on_device(engine, pending)
        return self._collect_arrays(engine, pending)

    def _collect_arrays(self, engine: Engine[Any], pending: Pending[Any]) -> list[DepthMaps]:
        collected = engine.collect(pending)  # first: it returns the targets to their pool
        return [
            self._depth_maps(engine, pending, camera, buffers)
            for camera, buffers in zip(pending.cameras, collected, strict=True)
        ]

    def _depth_maps(
        self, engine: Engine[Any], pending: Pending[Any], camera: Camera, buffers: SheetBuffers
    ) -> DepthMaps:
        mesh = pending.scene.mesh
        if pending.request.may_fix_silhouettes and not buffers.is_finished:
            exchanged = fix_silhouettes(
                buffers.entry,
                buffers.exit,
                camera,
                lambda: mesh.is_oriented,
                pending.request.by_geometry,
            )
            for pair in buffers.attributes.values():
                exchange(pair, exchanged)
        attributes = {name: SheetPair(*pair) for name, pair in buffers.attributes.items()}
        provenance = self.provenance(engine, pending.scene)
        surfaces = pending.request.surfaces
        return DepthMaps(buffers.entry, buffers.exit, camera, attributes, provenance, surfaces)

    def _collect_on_device(
        self, engine: Engine[Any], pending: Pending[Any]
    ) -> list[DeviceDepthMaps]:
        collected = engine.collect_on_device(pending)
        provenance = self.provenance(engine, pending.scene)
        return [
            DeviceDepthMaps(self._context, camera, buffer, provenance, pending.request.surfaces)
            for camera, buffer in zip(pending.cameras, collected, strict=True)
        ]

    def checked_request(self, scene: Scene, camera: Camera, request: SheetRequest) -> SheetRequest:
        """Return the request for one image, with `surfaces` decided and `beside_a_face` set.

        A crop that cuts off nothing is removed.

        Raises:
            MeshError: `scene` is not a Scene.
            CameraError: `camera` is not a Camera, its image is too large for the device, or it is
                too close to a face.
            ContextError: the scene belongs to another renderer.
            ContextClosedError: the scene was released.
        """
        self.check_scene(scene)
        check_camera(camera)
        limit = self._context.max_image_size
        if max(camera.width, camera.height) > limit:
            raise CameraError(
                f"an image of {camera.width}x{camera.height} pixels is larger than the "
                f"{limit}x{limit} that {self._context.renderer} allows; render it in parts, "
                "by shifting the principal point"
            )
        if request.crop is not None:
            nearest, farthest = scene.depth_range(camera)
            near, far = request.crop
            if near <= max(nearest, 0.0) and farthest <= far:
                request = replace(request, crop=None)
        if self._is_beside_a_face(scene, camera):
            request = replace(request, beside_a_face=True)
        return request.decided(scene.mesh)

    def check_scene(self, scene: object) -> None:
        """Raise an error unless `scene` is a usable Scene of this renderer."""
        if not isinstance(scene, Scene):
            raise MeshError(f"scene must be a Scene from upload(mesh), not {type(scene).__name__}")
        if not scene.belongs_to(self._context):
            raise ContextError(
                "the scene was uploaded to another renderer; upload its mesh to this one"
            )
        scene.check_usable()

    def _is_beside_a_face(self, scene: Scene, camera: Camera) -> bool:
        """Return whether this image needs the compute engine; False if the device cannot run it.

        Raises:
            CameraError: the device cannot run it, and OpenGL's rasterizer would be wrong.
        """
        if self._context.has_compute:
            return scene.is_beside_a_face(camera)
        if not camera.is_orthographic and scene.is_beside_a_face(camera):
            distance = scene.distance_to_face(camera)
            limit = _MIN_DISTANCE_WITHOUT_COMPUTE * scene.diagonal * coarseness(camera)
            if distance < limit:
                raise CameraError(
                    f"the camera is {distance:.3g} mesh units from a face, and this device "
                    f"({self._context.gl_version}) needs at least {limit:.3g}; "
                    "move the camera, or use a device with OpenGL 4.3"
                )
        return False

    def engine_for(self, request: SheetRequest) -> Engine[Any]:
        """Return the engine for a checked request: beside a face, always the compute engine."""
        if not request.beside_a_face or isinstance(self.engine, ComputeEngine):
            return self.engine
        if self._engine_beside_a_face is None:
            _log.info("engine compute renders the images of cameras beside a face")
            self._engine_beside_a_face = ComputeEngine(self._context)
        return self._engine_beside_a_face

    def provenance(self, engine: Engine[Any], scene: Scene) -> dict[str, str]:
        """Return the entries of result files that name an image's renderer, engine and mesh."""
        return {
            "renderer": self._context.renderer,
            "gl_version": self._context.gl_version,
            "engine": engine.name,
            **mesh_entries(scene.mesh.source),
        }

    @property
    def _engines(self) -> list[Engine[Any]]:
        if self._engine_beside_a_face is None:
            return [self.engine]
        return [self.engine, self._engine_beside_a_face]

    def _trim(self) -> None:
        for engine in self._engines:
            engine.trim()

    def release(self) -> None:
        """Free every GL object of the engines."""
        for engine in self._engines:
            engine.release()
