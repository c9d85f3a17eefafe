"""Pipeline: submits images to the engines, some ahead, and collects them in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from .camera.camera import Camera, check_camera
from .camera.runs import camera_runs
from .engines.base import Engine, Pending
from .engines.compute.engine import ComputeEngine
from .engines.raster.engine import RasterEngine
from .engines.request import SheetRequest
from .engines.scene import Scene, coarseness
from .errors import CameraError, ContextError, DeviceMemoryError, MeshError
from .gl.context import GLContext
from .results.depth_maps import DepthMaps, SheetPair
from .results.device_maps import DeviceDepthMaps
from .results.provenance import mesh_entries
from .results.silhouettes import fix_silhouettes

__all__ = ["Pipeline", "reporting_memory"]

# Without compute shaders: the smallest exact distance from the camera to a face, as a fraction of the
# bounding box's diagonal. Nearer, the driver's float32 decides wrongly which pixels the face covers.
_NEAREST_WITHOUT_COMPUTE = 1e-5


@contextmanager
def reporting_memory(what: str, remedy: str) -> Iterator[None]:
    """Report a MemoryError of NumPy within the block as a DeviceMemoryError."""
    try:
        yield
    except DeviceMemoryError:
        raise
    except MemoryError as error:
        raise DeviceMemoryError(
            f"there is no memory left for {what} ({error}); {remedy}"
        ) from error


class Pipeline:
    """The engines of one renderer, and the images in flight.

    Args:
        context: current when an engine is created or released.
        use_compute: whether `engine` is the compute engine.

    Attributes:
        engine: renders every image except those of cameras beside a face, see `engine_for`.
    """

    def __init__(self, context: GLContext, *, use_compute: bool) -> None:
        self._context = context
        self.engine: Engine[Any] = (ComputeEngine if use_compute else RasterEngine)(context)
        self._engine_beside: ComputeEngine | None = None

    def one(self, scene: Scene, camera: Camera, request: SheetRequest, output: str) -> Any:
        """Return the maps of one image: DepthMaps, or DeviceDepthMaps if `output` is "gpu"."""
        with self._context, reporting_memory("the images", "reduce the image size"):
            checked = self.checked(scene, camera, request)
            pending = self.engine_for(checked).submit(scene, (camera,), checked)
            return self._collect(pending, output)[0]

    def many(
        self, scene: Scene, cameras: Iterable[Camera], request: SheetRequest, output: str
    ) -> Iterator[Any]:
        """Yield what `one` returns for each camera, in order.

        An error in `cameras`, or of submitting an image, is raised after the images before it were yielded.
        """
        in_flight: deque[Pending[Any]] = deque()
        try:
            for run in camera_runs(
                cameras,
                partial(self._kind, scene, request=request),
                partial(self.engine.cameras_at_once, scene),
            ):
                failed, ahead = run if isinstance(run, Exception) else None, 0
                if not isinstance(run, Exception):
                    (checked, *_), together = run
                    try:
                        with self._context, reporting_memory("the images", "reduce the image size"):
                            engine = self.engine_for(checked)
                            in_flight.append(engine.submit(scene, together, checked))
                            # One run ahead keeps the device busy; more would only take memory.
                            ahead = int(engine.submits_ahead(scene, together[0]))
                    except Exception as error:
                        failed = error
                yield from self._collected(in_flight, output, ahead)
                if failed is not None:
                    try:
                        raise failed
                    finally:
                        del (
                            run,
                            failed,
                        )  # its traceback would keep this frame alive, and with it the scene
            yield from self._collected(in_flight, output, 0)
        finally:
            for pending in in_flight:
                self.engine_for(pending.request).discard(pending)
            # Later: a generator may be finalized in any thread, and in the middle of other GL calls.
            self._context.defer(self._trim)

    def _kind(self, scene: Scene, camera: Camera, request: SheetRequest) -> tuple[Any, ...]:
        """The checked request for this camera, and what else images of one run have in common."""
        with self._context:
            checked = self.checked(scene, camera, request)
        return checked, camera.width, camera.height, camera.is_orthographic

    def _collected(self, in_flight: deque[Pending[Any]], output: str, ahead: int) -> Iterator[Any]:
        """Collect the oldest images in flight, all but the last `ahead` runs."""
        while len(in_flight) > ahead:
            with self._context, reporting_memory("the images", "reduce the image size"):
                collected = deque(self._collect(in_flight.popleft(), output))
            while collected:
                self._context.check_usable()
                yield collected.popleft()  # keeps no reference while the next image is rendered

    def _collect(self, pending: Pending[Any], output: str) -> list[Any]:
        collect = self._collect_on_device if output == "gpu" else self._collect_arrays
        return collect(self.engine_for(pending.request), pending)

    def _collect_arrays(self, engine: Engine[Any], pending: Pending[Any]) -> list[Any]:
        maps, mesh = [], pending.scene.mesh
        for camera, buffers in zip(pending.cameras, engine.collect(pending), strict=True):
            if pending.request.may_fix_silhouettes:
                fix_silhouettes(buffers.entry, buffers.exit, camera, lambda: mesh.is_oriented)
            attributes = {name: SheetPair(*pair) for name, pair in buffers.attributes.items()}
            provenance = self.provenance(engine, pending.scene)
            maps.append(DepthMaps(buffers.entry, buffers.exit, camera, attributes, provenance))
        return maps

    def _collect_on_device(self, engine: Engine[Any], pending: Pending[Any]) -> list[Any]:
        provenance = self.provenance(engine, pending.scene)
        return [
            DeviceDepthMaps(self._context, camera, buffers, provenance)
            for camera, buffers in zip(
                pending.cameras, engine.collect_on_device(pending), strict=True
            )
        ]

    def checked(self, scene: Scene, camera: Camera, request: SheetRequest) -> SheetRequest:
        """Return the request for this image: without a crop that cuts nothing, with `beside_a_face` set.

        Raises:
            MeshError, ContextError, CameraError: scene, camera and context do not fit together.
        """
        if not isinstance(scene, Scene):
            raise MeshError(f"scene must come from upload(mesh), not be a {type(scene).__name__}")
        check_camera(camera)
        if not scene.belongs_to(self._context):
            raise ContextError(
                "the scene was uploaded to another renderer; upload its mesh to this one"
            )
        scene.check_usable()
        limit = self._context.max_image_size
        if max(camera.width, camera.height) > limit:
            raise CameraError(
                f"an image of {camera.width}x{camera.height} pixels is larger than the {limit}x{limit} that "
                f"{self._context.renderer} allows; render it in parts, by moving the principal point"
            )
        nearest, farthest = scene.depth_range(camera)
        if (
            request.crop is not None
            and request.crop[0] <= max(nearest, 0.0)
            and farthest <= request.crop[1]
        ):
            request = replace(request, crop=None)
        return (
            replace(request, beside_a_face=True)
            if self._is_beside_a_face(scene, camera)
            else request
        )

    def _is_beside_a_face(self, scene: Scene, camera: Camera) -> bool:
        """Return whether only compute shaders render this image exactly.

        Raises:
            CameraError: they would, but the device has none.
        """
        if self._context.has_compute:
            return scene.is_beside_a_face(camera)
        if not camera.is_orthographic and scene.is_beside_a_face(camera):
            distance = scene.distance_to_face(camera)
            nearest = _NEAREST_WITHOUT_COMPUTE * scene.diagonal * coarseness(camera)
            if distance < nearest:
                raise CameraError(
                    f"the camera is {distance:.3g} mesh units from a face, and this device "
                    f"({self._context.gl_version}) is exact from {nearest:.3g} on; "
                    "move the camera, or use a device with OpenGL 4.3"
                )
        return False

    def engine_for(self, request: SheetRequest) -> Engine[Any]:
        """Return the engine for a checked request: for cameras beside a face always the compute engine."""
        if not request.beside_a_face or isinstance(self.engine, ComputeEngine):
            return self.engine
        if self._engine_beside is None:
            self._engine_beside = ComputeEngine(self._context)
        return self._engine_beside

    def provenance(self, engine: Engine[Any], scene: Scene) -> dict[str, str]:
        """Return what rendered an image, and of which mesh, for the files it is written to."""
        context = self._context
        return {
            "renderer": context.renderer,
            "gl_version": context.gl_version,
            "engine": engine.name,
            **mesh_entries(scene.mesh.source),
        }

    @property
    def _engines(self) -> list[Engine[Any]]:
        return [self.engine] if self._engine_beside is None else [self.engine, self._engine_beside]

    def _trim(self) -> None:
        for engine in self._engines:
            engine.trim()

    def release(self) -> None:
        """Free every GL object of the engines."""
        for engine in self._engines:
            engine.release()
