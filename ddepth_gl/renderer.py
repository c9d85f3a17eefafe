"""DepthRenderer: who owns what on the GPU, and in which order things happen."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from types import TracebackType
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from ._checks import (
    MAX_SAMPLES,
    checked_choice,
    checked_count,
    checked_flag,
    checked_number,
    shown,
)
from .camera.camera import Camera
from .engines.request import SheetRequest
from .engines.scene import Scene
from .errors import CameraError, ContextError, MeshError, RequestError
from .gl.context import GLContext, NonCopyable
from .mesh.mesh import Mesh
from .pipeline import Pipeline, reporting_memory
from .results.attributes import checked_names
from .results.depth_layers import DepthLayers
from .results.depth_maps import DepthMaps
from .results.device_maps import DeviceDepthMaps

__all__ = ["DepthRenderer", "RendererInfo", "Surfaces"]

Surfaces = Literal["oriented", "any"]
Output = Literal["numpy", "gpu"]
ENGINES = ("auto", "raster", "compute")


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


class DepthRenderer(NonCopyable):
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
            self._pipeline = Pipeline(context, use_compute=use_compute)
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
            self._pipeline.engine.name,
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
                self._pipeline.engine.prepare(scene)
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
                closed meshes that are wound outward. "any": nearest and farthest face of either side, for
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
        - "color": (H, W, 4) float32, linear red, green, blue and alpha in 0..1: vertex color times texture,
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
        maps: DepthMaps | DeviceDepthMaps = self._pipeline.one(scene, camera, request, output)
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
        return self._pipeline.many(scene, each, request, output)

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
            request = self._pipeline.checked(scene, camera, request)
            with reporting_memory(
                "the crossings", "reduce the image size, pass max_layers= or ask for less"
            ):
                engine = self._pipeline.engine_for(request)
                buffers = engine.peel(scene, camera, request, max_layers, memory_limit)
        return DepthLayers(
            offsets=buffers.offsets,
            depth=buffers.depth,
            face=buffers.face,
            front_facing=buffers.front_facing,
            truncated=buffers.truncated,
            camera=camera,
            attributes=buffers.attributes,
            provenance=self._pipeline.provenance(engine, scene),
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
        """The ordinary picture of the object: its color under a simple light, what a photo would show.

        A head light at the camera and a sky above a ground half as bright, up being the image's up; no
        shadows, no highlights, and nothing brighter than its own color. Linear, a point's color is multiplied
        by ``0.7 * head + 0.3 * (0.75 + 0.25 * sky)``: the cosines of its smooth normal, on the side that is
        seen, with the direction to the camera (at least 0) and with the image's up. A mesh without colors has
        the linear gray 0.6.

        Args:
            scene, camera, surfaces, near, far: as for `entry_exit`.
            samples: along each side of a pixel, 1 to 128: 1 samples its center, 4 takes the mean of 4 x 4.

        Returns:
            (H, W, 4) uint8 sRGB and alpha, not multiplied by it. With ``samples=1`` alpha is 255 where
            `DepthMaps.mask` is set and 0 elsewhere; with more it is the part of the pixel that is covered.

        Raises:
            RequestError: `samples` is not an integer from 1 to 128, or makes the image wider than the device
                allows.
            CameraError, ContextClosedError, DeviceMemoryError: as `entry_exit` does.
        """
        samples = checked_count("samples", samples, MAX_SAMPLES)
        request = _request(surfaces, near, far, ())
        with self._context:
            request = self._pipeline.checked(scene, camera, request)
            most = self._context.max_image_size // max(camera.width, camera.height)
            if samples > most:
                raise RequestError(
                    f"samples={samples} makes {camera.width}x{camera.height} pixels larger than "
                    f"{self._context.renderer} allows; {most} is the most for this image"
                )
            with reporting_memory("the picture", "reduce the image size"):
                return self._pipeline.engine_for(request).shade(scene, camera, request, samples)

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
            self._pipeline.release()
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
        warnings.warn(
            f"{self!r} was not closed; use it in a with statement", ResourceWarning, stacklevel=2
        )
        if context.in_owner_thread:
            self.close()

    def __repr__(self) -> str:
        if self._context.is_closed:
            return "<DepthRenderer, closed>"
        return f"<DepthRenderer {self._pipeline.engine.name} on {self._context.renderer}>"


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
        raise RequestError(
            f'attributes={names} come as NumPy arrays only; leave output="gpu" or them out'
        )
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
