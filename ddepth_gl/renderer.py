"""DepthRenderer: who owns what on the GPU, and in which order things happen."""

from __future__ import annotations

import os
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from .arguments import MOST_SAMPLES, checked_choice, checked_count, checked_flag, checked_number, shown
from .attributes import checked_names
from .camera import Camera, check_camera
from .camera_runs import camera_runs
from .context import GLContext
from .depth_layers import DepthLayers
from .depth_maps import DepthMaps, SheetPair
from .device_maps import DeviceDepthMaps
from .device_owner import DeviceOwner
from .engines.compute import ComputeEngine
from .engines.engine import Engine
from .engines.raster import RasterEngine
from .engines.sheets import SheetRequest
from .errors import CameraError, ContextError, DeviceMemoryError, MeshError, RequestError
from .mesh import Mesh
from .mesh_files import load_mesh
from .provenance import from_mesh
from .scene import Scene
from .silhouettes import uncross

__all__ = ["DepthRenderer", "RendererInfo", "Surfaces", "double_depth"]

Surfaces = Literal["oriented", "any"]
Output = Literal["numpy", "gpu"]
ENGINES = ("auto", "raster", "compute")

# Without compute shaders: how near a camera may be to a face, as a part of the bounding box's diagonal.
# Nearer, a driver's float32 decides wrongly which pixels the face covers.
_NEAREST_WITHOUT_COMPUTE = 1e-5


@dataclass(frozen=True)
class RendererInfo:
    """Where a renderer renders.

    Attributes:
        vendor, renderer, gl_version: what the driver says of itself.
        engine: the engine in use.
        is_software: whether a processor does the rendering.
        device_index: EGL index of the device.
        pci_address, cuda_index: of the device, where it has them.
        max_image_size: the largest width and height of an image.
    """

    vendor: str
    renderer: str
    gl_version: str
    engine: str
    is_software: bool
    device_index: int
    pci_address: str | None
    cuda_index: int | None
    max_image_size: int

    def as_dict(self) -> dict[str, Any]:
        """The same as a plain dict, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class _Views:
    """Images of one scene that go out together, and how they are to be rendered."""

    scene: Scene
    cameras: tuple[Camera, ...]
    request: SheetRequest


@dataclass(frozen=True)
class _Submitted:
    """Images in flight, and what was asked for."""

    pending: Any
    views: _Views


class DepthRenderer(DeviceOwner):
    """Renders double depth maps on one device; the only owner of GL state. A context manager.

    It serves the thread that made it. Several renderers may live in one process, and their calls may
    interleave.

    Worker processes that render are started with multiprocessing's "spawn" or "forkserver" method, as in
    ``DataLoader(..., multiprocessing_context="spawn")``, or forked before any renderer was made: OpenGL does
    not survive fork. What other libraries did with OpenGL before the fork is not noticed; the child hangs.

    Args:
        engine: "compute", a rasterizer in compute shaders, for which the device must have OpenGL 4.3;
            "raster", the depth test of the fixed pipeline, on any device; or "auto": "compute" on Mesa's
            software rasterizer, where it is the faster one, and "raster" on GPUs. Both give the same result
            but for pixels within 1/128 pixel of a face's border. For cameras beside a face, where the fixed
            pipeline is too coarse, "raster" uses the compute shaders as well.
        device: an EGL index, "cuda:0", a PCI address, "gpu", "software" or "auto"; None takes the
            environment variable DDEPTH_DEVICE, else GPUs come first and Mesa's software rasterizer last.
        require_gpu: refuse a software rasterizer.

    Raises:
        ContextError: no device serves; the message says what was tried and what mends it. Or this process was
            forked from one that had made a renderer.
    """

    def __init__(
        self, engine: str = "auto", device: int | str | None = None, *, require_gpu: bool = False
    ) -> None:
        checked_choice("engine", engine, ENGINES)
        checked_flag("require_gpu", require_gpu)
        self._context = context = GLContext(device, require_gpu=require_gpu)
        try:
            if engine == "compute" and not context.has_compute:
                raise ContextError(
                    f"engine='compute' needs OpenGL 4.3 with compute shaders, and this device has "
                    f"{context.gl_version}; use engine='raster' or 'auto'"
                )
            use_compute = engine == "compute" or (
                engine == "auto" and context.has_compute and context.is_software
            )
            self._engine: Engine[Any] = (ComputeEngine if use_compute else RasterEngine)(context)
            self._engine_beside: ComputeEngine | None = None
        except BaseException:
            context.release()
            raise
        self._scenes: weakref.WeakSet[Scene] = weakref.WeakSet()

    @property
    def info(self) -> RendererInfo:
        """Vendor, renderer, GL version, engine and device."""
        self._context.check_usable()
        context = self._context
        return RendererInfo(
            context.vendor,
            context.renderer,
            context.gl_version,
            self._engine.name,
            context.is_software,
            context.device.index,
            context.device.pci_address,
            context.device.cuda_index,
            context.max_image_size,
        )

    def upload(self, mesh: Mesh) -> Scene:
        """Puts a mesh on the GPU, once for any number of images.

        Raises:
            MeshError: `mesh` is not a Mesh.
            DeviceMemoryError: it does not fit.
        """
        if not isinstance(mesh, Mesh):
            raise MeshError(
                f"upload takes a Mesh, not a {type(mesh).__name__}; "
                "use load_mesh(path) or Mesh(vertices, faces)"
            )
        with self._context:
            scene = Scene(self._context, mesh)
            self._scenes.add(scene)
            try:
                self._engine.prepare(scene)
            except BaseException:
                scene.release()
                raise
        return scene

    @overload
    def entry_exit(
        self,
        scene: Scene,
        camera: Camera,
        *,
        surfaces: Surfaces = ...,
        near: float | None = ...,
        far: float | None = ...,
        attributes: Iterable[str] = ...,
        output: Literal["numpy"] = ...,
    ) -> DepthMaps: ...

    @overload
    def entry_exit(
        self,
        scene: Scene,
        camera: Camera,
        *,
        surfaces: Surfaces = ...,
        near: float | None = ...,
        far: float | None = ...,
        attributes: Iterable[str] = ...,
        output: Literal["gpu"],
    ) -> DeviceDepthMaps: ...

    def entry_exit(
        self,
        scene: Scene,
        camera: Camera,
        *,
        surfaces: Surfaces = "oriented",
        near: float | None = None,
        far: float | None = None,
        attributes: Iterable[str] = (),
        output: Output = "numpy",
    ) -> DepthMaps | DeviceDepthMaps:
        """The double depth map of one image.

        Args:
            scene: from this renderer's `upload`.
            camera: a Camera.
            surfaces: "oriented": entry is the nearest front face, exit the farthest back face, right for
                closed meshes that are wound outwards. "any": nearest and farthest face of either side, for
                scans with holes, sheets and mixed winding.
            near, far: keep only crossings with near <= depth <= far, mesh units; None does not crop.
            attributes: what else is wanted of both sheets, see below; each NAME becomes ``maps.entry_NAME``
                and ``maps.exit_NAME``.
            output: "numpy": arrays on the host. "gpu": a handle on images that stay on the device, without
                attributes, for ``torch.from_dlpack(maps.entry)`` and its like.

        Attributes, of the point where a pixel's ray meets the face; NaN or -1 where there is none:

        - "face": (H, W) int64 index of the face.
        - "normal": (H, W, 3) float32, the face's unit normal on its counter-clockwise side, world frame.
        - "smooth_normal": (H, W, 3) float32, interpolated between the corners' mean normals, where faces meet
          at no more than 45 degrees.
        - "barycentric": (H, W, 3) float32, weights of the face's corners, in their order.
        - "uv": (H, W, 2) float32 texture coordinates, v up; NaN on a mesh without.
        - "color": (H, W, 4) float32, linear red, green, blue and alpha in 0..1: vertex colour times texture,
          white on a mesh without either; unlit.
        - "shaded_color": (H, W, 4) float32, linear, under the light of `shade`.
        - "object_id": (H, W) int32, of the face.
        - "position": (H, W, 3) float32 point, world frame, mesh units.

        Returns:
            DepthMaps, whose arrays belong to the caller; with ``output="gpu"`` DeviceDepthMaps.

        Raises:
            ContextError: ``output="gpu"`` without OpenGL 4.3.
            CameraError: the image is larger than the device allows.
            ContextClosedError: the renderer is closed or the scene released.
            DeviceMemoryError: the images do not fit.
        """
        request = _request(surfaces, near, far, attributes, output)
        with self._context, _in_memory("the images", "reduce the image size"):
            views = _Views(scene, (camera,), self._checked(scene, camera, request))
            maps: DepthMaps | DeviceDepthMaps = self._finish[output](self._submit(views))[0]
            return maps

    @overload
    def entry_exit_many(
        self,
        scene: Scene,
        cameras: Iterable[Camera],
        *,
        surfaces: Surfaces = ...,
        near: float | None = ...,
        far: float | None = ...,
        attributes: Iterable[str] = ...,
        output: Literal["numpy"] = ...,
    ) -> Iterator[DepthMaps]: ...

    @overload
    def entry_exit_many(
        self,
        scene: Scene,
        cameras: Iterable[Camera],
        *,
        surfaces: Surfaces = ...,
        near: float | None = ...,
        far: float | None = ...,
        attributes: Iterable[str] = ...,
        output: Literal["gpu"],
    ) -> Iterator[DeviceDepthMaps]: ...

    def entry_exit_many(
        self,
        scene: Scene,
        cameras: Iterable[Camera],
        *,
        surfaces: Surfaces = "oriented",
        near: float | None = None,
        far: float | None = None,
        attributes: Iterable[str] = (),
        output: Output = "numpy",
    ) -> Iterator[DepthMaps] | Iterator[DeviceDepthMaps]:
        """The double depth maps of many images, in order; the same as a loop over `entry_exit`.

        The next image is drawn while the last one is read back, and on the engine "compute" up to 16 small
        images of a small mesh are drawn together; up to twice as many cameras are taken before the first
        image comes.
        Cameras may differ in size and kind, and other calls may be made between images. Arguments and errors
        are those of `entry_exit`; an error in `cameras`, or of submitting an image, comes after the images
        before it.
        """
        request = _request(surfaces, near, far, attributes, output)
        try:
            each = iter(cameras)
        except Exception:  # of whatever has no elements
            what = f"cameras must be several Cameras, not a {type(cameras).__name__}; pass a list"
            raise CameraError(what) from None
        return self._pipeline(scene, each, request, self._finish[output])

    def peel(
        self,
        scene: Scene,
        camera: Camera,
        *,
        max_layers: int | None = None,
        near: float | None = None,
        far: float | None = None,
        attributes: Iterable[str] = (),
        memory_limit: int | None = None,
    ) -> DepthLayers:
        """Every crossing of every pixel's ray, of faces of either side.

        Each face that covers a pixel is one crossing, exactly once, coincident faces included.

        Args:
            scene: from this renderer's `upload`.
            camera: a Camera.
            max_layers: keep the first that many crossings of a pixel; None keeps all.
            near, far: keep only crossings with near <= depth <= far, mesh units; None does not crop.
            attributes: what else is wanted of each crossing, as for `entry_exit`; each NAME becomes
                ``layers.NAME``, (M,) or (M, channels). "face" is always there.
            memory_limit: bytes that the crossings may take while they are found and handed over, besides
                24 a pixel and the images on the device; None allows a quarter of the device's memory, or of
                what this process may use if that is less, but never less than one row needs. The engine
                "compute" works in bands of rows to stay within it.

        Returns:
            DepthLayers, whose arrays belong to the caller.

        Raises:
            CameraError, ContextClosedError: as `entry_exit` does.
            DeviceMemoryError: the crossings do not fit; the message says how many there are.
        """
        if max_layers is not None:
            checked_count("max_layers", max_layers)
        if memory_limit is not None:
            checked_count("memory_limit", memory_limit)
        request = _request("any", near, far, attributes)
        with self._context:
            request = self._checked(scene, camera, request)
            with _in_memory("the crossings", "reduce the image size, pass max_layers= or ask for less"):
                engine = self._engine_for(request)
                buffers = engine.peel(scene, camera, request, max_layers, memory_limit)
        return DepthLayers(
            offsets=buffers.offsets,
            depth=buffers.depth,
            face=buffers.face,
            front_facing=buffers.front_facing,
            truncated=buffers.truncated,
            camera=camera,
            attributes=buffers.attributes,
            provenance=self._provenance(engine, scene),
            # Of the mesh alone: layers do not keep the scene.
            _is_oriented=partial(getattr, scene.mesh, "is_oriented"),
            _is_cropped=request.crop is not None,
        )

    def shade(
        self,
        scene: Scene,
        camera: Camera,
        *,
        samples: int = 1,
        surfaces: Surfaces = "oriented",
        near: float | None = None,
        far: float | None = None,
    ) -> npt.NDArray[np.uint8]:
        """The ordinary picture of the object: its colour under a simple light, what a photo would show.

        A head light at the camera and a sky above a ground half as bright, up being the image's up; no
        shadows, no highlights, and nothing brighter than its own color. Linear, a point's color is multiplied
        by ``0.7 * head + 0.3 * (0.75 + 0.25 * sky)``: the cosines of its smooth normal, on the side that is
        seen, with the direction to the camera (at least 0) and with the image's up. A mesh without colors has
        the linear gray 0.6.

        Args:
            scene, camera, surfaces, near, far: as for `entry_exit`.
            samples: along each side of a pixel, 1 to 128: 1 samples its centre, 4 takes the mean of 4 x 4.

        Returns:
            (H, W, 4) uint8 sRGB and alpha, not multiplied by it. With ``samples=1`` alpha is 255 where
            `DepthMaps.mask` is set and 0 elsewhere; with more it is the part of the pixel that is covered.

        Raises:
            RequestError: `samples` is no whole number from 1 to 128, or makes the image wider than the device
                allows.
            CameraError, ContextClosedError, DeviceMemoryError: as `entry_exit` does.
        """
        samples = checked_count("samples", samples, MOST_SAMPLES)
        request = _request(surfaces, near, far, ())
        with self._context:
            request = self._checked(scene, camera, request)
            most = self._context.max_image_size // max(camera.width, camera.height)
            if samples > most:
                raise RequestError(
                    f"samples={samples} makes {camera.width}x{camera.height} pixels larger than "
                    f"{self._context.renderer} allows; {most} is the most for this image"
                )
            with _in_memory("the picture", "reduce the image size"):
                return self._engine_for(request).shade(scene, camera, request, samples)

    def _pipeline(
        self,
        scene: Scene,
        cameras: Iterable[Camera],
        request: SheetRequest,
        finish: Callable[[_Submitted], list[Any]],
    ) -> Iterator[Any]:
        in_flight: deque[_Submitted] = deque()
        try:
            for run in camera_runs(
                cameras,
                partial(self._kind, scene, request=request),
                partial(self._engine.views_at_once, scene),
            ):
                failed, ahead = run if isinstance(run, Exception) else None, 0
                if not isinstance(run, Exception):
                    (checked, *_), together = run
                    views = _Views(scene, together, checked)
                    try:
                        with self._context, _in_memory("the images", "reduce the image size"):
                            in_flight.append(self._submit(views))
                            # One run ahead keeps the device busy; more would only take memory.
                            ahead = int(self._engine_for(checked).overlaps(scene, views.cameras[0]))
                    except Exception as error:
                        failed = error
                yield from self._finished(in_flight, finish, ahead)
                if failed is not None:
                    try:
                        raise failed
                    finally:
                        del run, failed  # else its traceback would keep this frame, and that the scene
            yield from self._finished(in_flight, finish, 0)
        finally:
            for submitted in in_flight:
                self._engine_for(submitted.views.request).discard(submitted.pending)
            # Not at once: a generator may be finalized in any thread, and in the middle of other GL calls.
            self._context.when_entered(self._trim)

    def _kind(self, scene: Scene, camera: Camera, request: SheetRequest) -> tuple[Any, ...]:
        """The request for this camera, and what else images have in common that go out together."""
        with self._context:
            checked = self._checked(scene, camera, request)
        return checked, camera.width, camera.height, camera.is_orthographic

    def _finished(
        self, in_flight: deque[_Submitted], finish: Callable[[_Submitted], list[Any]], keep: int
    ) -> Iterator[Any]:
        """The images in flight, oldest first, but for those that were submitted in the last `keep` calls."""
        while len(in_flight) > keep:
            with self._context, _in_memory("the images", "reduce the image size"):
                finished = deque(finish(in_flight.popleft()))
            while finished:
                self._context.check_usable()
                yield finished.popleft()  # not to be held on to while the next image is made

    def _checked(self, scene: Scene, camera: Camera, request: SheetRequest) -> SheetRequest:
        """Raises unless the three fit together; gives the request without what has no effect."""
        if not isinstance(scene, Scene):
            raise MeshError(f"scene must come from upload(mesh), not be a {type(scene).__name__}")
        check_camera(camera)
        if not scene.belongs_to(self._context):
            raise ContextError("the scene was uploaded to another renderer; upload its mesh to this one")
        scene.check_usable()
        limit = self._context.max_image_size
        if max(camera.width, camera.height) > limit:
            raise CameraError(
                f"an image of {camera.width}x{camera.height} pixels is larger than the {limit}x{limit} that "
                f"{self._context.renderer} allows; render it in parts, by moving the principal point"
            )
        nearest, farthest = scene.depth_range(camera)
        if request.crop is not None and request.crop[0] <= max(nearest, 0.0) and farthest <= request.crop[1]:
            request = replace(request, crop=None)  # it cuts nothing
        return replace(request, beside_a_face=True) if self._is_beside_a_face(scene, camera) else request

    def _is_beside_a_face(self, scene: Scene, camera: Camera) -> bool:
        """Return whether the image needs the care that only compute shaders take.

        Raises:
            CameraError: it does, and there are none.
        """
        if camera.is_orthographic:
            return self._context.has_compute and scene.is_cut_by(camera)
        distance, nearest = scene.distance_beside(camera), _NEAREST_WITHOUT_COMPUTE * scene.diagonal
        if not self._context.has_compute and distance < nearest:
            raise CameraError(
                f"the camera is {distance:.3g} mesh units from a face, and this device "
                f"({self._context.gl_version}) is exact from {nearest:.3g} on; "
                "move the camera, or use a device with OpenGL 4.3"
            )
        return self._context.has_compute and distance < np.inf

    def _engine_for(self, request: SheetRequest) -> Engine[Any]:
        """The engine in use, but for cameras beside a face: the fixed pipeline is too coarse for these."""
        if not request.beside_a_face or isinstance(self._engine, ComputeEngine):
            return self._engine
        if self._engine_beside is None:
            self._engine_beside = ComputeEngine(self._context)
        return self._engine_beside

    def _provenance(self, engine: Engine[Any], scene: Scene) -> dict[str, str]:
        """What rendered an image, and of which mesh, for the files that it is written to."""
        context = self._context
        return {
            "renderer": context.renderer,
            "gl_version": context.gl_version,
            "engine": engine.name,
            **from_mesh(scene.mesh.source),
        }

    def _trim(self) -> None:
        for engine in self._engines:
            engine.trim()

    @property
    def _engines(self) -> list[Engine[Any]]:
        return [self._engine] if self._engine_beside is None else [self._engine, self._engine_beside]

    def _submit(self, views: _Views) -> _Submitted:
        engine = self._engine_for(views.request)
        return _Submitted(engine.submit(views.scene, views.cameras, views.request), views)

    @property
    def _finish(self) -> dict[str, Callable[[_Submitted], list[Any]]]:
        return {"numpy": self._collect, "gpu": self._keep}

    def _keep(self, submitted: _Submitted) -> list[DeviceDepthMaps]:
        views = submitted.views
        engine = self._engine_for(views.request)
        kept = engine.keep(submitted.pending)
        provenance = self._provenance(engine, views.scene)
        return [
            DeviceDepthMaps(self._context, *each, provenance)
            for each in zip(views.cameras, kept, strict=True)
        ]

    def _collect(self, submitted: _Submitted) -> list[DepthMaps]:
        views, maps = submitted.views, []
        engine = self._engine_for(views.request)
        for camera, buffers in zip(views.cameras, engine.collect(submitted.pending), strict=True):
            if views.request.may_uncross:
                uncross(buffers.entry, buffers.exit, camera, lambda: views.scene.mesh.is_oriented)
            attributes = {name: SheetPair(*pair) for name, pair in buffers.attributes.items()}
            provenance = self._provenance(engine, views.scene)
            maps.append(DepthMaps(buffers.entry, buffers.exit, camera, attributes, provenance))
        return maps

    def close(self) -> None:
        """Frees everything on the GPU, scenes included, and the context. Idempotent.

        In a forked child it does nothing: what there is belongs to the parent.

        Raises:
            ContextError: called from another thread than the one that made the renderer.
        """
        if self._context.is_closed:
            return
        with self._context:
            for scene in list(self._scenes):
                scene.release()
            for engine in self._engines:
                engine.release()
        self._context.release()

    def __enter__(self) -> DepthRenderer:
        self._context.check_usable()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        context = getattr(self, "_context", None)
        if context is None or context.is_closed:
            return
        warnings.warn(f"{self!r} was not closed; use it in a with statement", ResourceWarning, stacklevel=2)
        if context.in_owner_thread:
            self.close()

    def __repr__(self) -> str:
        if self._context.is_closed:
            return "<DepthRenderer, closed>"
        return f"<DepthRenderer {self._engine.name} on {self._context.renderer}>"


@contextmanager
def _in_memory(what: str, remedy: str) -> Iterator[None]:
    """Within it, NumPy's lack of memory is reported as that of the device is."""
    try:
        yield
    except DeviceMemoryError:
        raise
    except MemoryError as error:
        raise DeviceMemoryError(f"there is no memory left for {what} ({error}); {remedy}") from error


def _request(
    surfaces: str,
    near: float | None,
    far: float | None,
    attributes: Iterable[str],
    output: str = "numpy",
) -> SheetRequest:
    checked_choice("surfaces", surfaces, ("oriented", "any"))
    names = checked_names(attributes)
    checked_choice("output", output, ("numpy", "gpu"))
    if output == "gpu" and names:
        raise RequestError(f'attributes={names} come as NumPy arrays only; leave output="gpu" or them out')
    crop = None
    if near is not None or far is not None:
        crop = (
            0.0 if near is None else checked_number("near", near),
            np.inf if far is None else checked_number("far", far),
        )
        if not 0.0 <= crop[0] < crop[1]:
            raise RequestError(
                f"near and far must satisfy 0 <= near < far, not near={shown(near)}, far={shown(far)}"
            )
    return SheetRequest(surfaces == "oriented", names, crop)


def double_depth(
    mesh: Mesh | str | os.PathLike[str],
    camera: Camera | None = None,
    *,
    surfaces: Surfaces = "oriented",
    near: float | None = None,
    far: float | None = None,
    attributes: Iterable[str] = (),
    device: int | str | None = None,
) -> DepthMaps:
    """The double depth map of one mesh seen by one camera, in one call.

    For more than one image make a `DepthRenderer`: this one sets up and closes a context every time.

    Args:
        mesh: a Mesh, or the path of a mesh file.
        camera: a Camera; None looks at the whole mesh, 512x512.
        surfaces, near, far, attributes: see `DepthRenderer.entry_exit`.
        device: see `DepthRenderer`.

    Raises:
        MeshError, CameraError, ContextError, DeviceMemoryError: as `load_mesh` and `DepthRenderer` do.
    """
    given = mesh if isinstance(mesh, Mesh) else load_mesh(mesh)
    with DepthRenderer(device=device) as renderer:
        return renderer.entry_exit(
            renderer.upload(given),
            Camera.orbit(given, views=1)[0] if camera is None else camera,
            surfaces=surfaces,
            near=near,
            far=far,
            attributes=attributes,
        )
