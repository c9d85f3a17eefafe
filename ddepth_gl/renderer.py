"""DepthRenderer: the public API for rendering; owns the OpenGL context and everything in it."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import repeat
from types import TracebackType
from typing import Any, Literal, overload

import moderngl
import numpy as np
import numpy.typing as npt

from ._checks import (
    MAX_SAMPLES,
    checked_choice,
    checked_count,
    checked_flag,
    checked_min_gap,
    shown,
)
from .camera.camera import Camera
from .engines.scene import Scene
from .errors import ContextError, MeshError, RequestError
from .frames import render_frame, render_pairs
from .gl.context import GLContext
from .gl.non_copyable import NonCopyable
from .mesh.mesh import Mesh
from .pipeline import Pipeline
from .render_arguments import (
    check_limits,
    checked_cameras,
    checked_pairs,
    frame_request,
    sheet_request,
)
from .results.depth_layers import DepthLayers
from .results.depth_maps import DepthMaps
from .results.device_maps import DeviceDepthMaps
from .results.frame import Frame
from .results.mesh_facts import Surfaces

__all__ = ["DepthRenderer", "RendererInfo", "Surfaces"]

Output = Literal["numpy", "gpu"]
_ENGINES = ("auto", "raster", "compute")


@dataclass(frozen=True)
class RendererInfo:
    """The device, driver and engine of a renderer.

    Attributes:
        vendor, renderer, gl_version: OpenGL's strings of these names.
        engine: "raster" or "compute".
        is_software: whether the CPU renders.
        device_index: EGL index of the device; None in a context that others own.
        pci_address: PCI address of the device; None if unknown.
        cuda_index: CUDA index of the device; None if it has none.
        max_image_size: largest width and height of an image, pixels.
    """

    vendor: str
    renderer: str
    gl_version: str
    engine: str
    is_software: bool
    device_index: int | None
    pci_address: str | None
    cuda_index: int | None
    max_image_size: int

    def as_dict(self) -> dict[str, Any]:
        """Return the values as a plain dict, ready for JSON."""
        return asdict(self)


class DepthRenderer(NonCopyable):
    """A renderer of double depth maps and depth layers on one device.

    ::

        with DepthRenderer() as renderer:
            scene = renderer.upload(mesh)
            maps = renderer.entry_exit(scene, camera)

    Use it as a context manager, or call `close` when done.

    **Threads.** A renderer may only be used by the thread that created it. One process may have
    several renderers, and calls to them may interleave.

    **Processes.** OpenGL does not survive fork. Start worker processes that render with
    multiprocessing's "spawn" or "forkserver" method, as in
    ``DataLoader(..., multiprocessing_context="spawn")``, or fork before creating the first
    renderer. If another library used OpenGL before the fork, this is not detected: the child hangs.

    **Inside a window.** ``DepthRenderer(context=ctx)`` renders in a `moderngl.Context` that others
    own, such as that of a window. The context must be current in every call, and at the end.
    OpenGL's state is the same after every call as before; what the renderer creates there, `close`
    frees. Queries and conditional rendering of the owner that are open during a call affect it.

    Args:
        engine: "compute" is a rasterizer in compute shaders and needs OpenGL 4.3. "raster" is
            OpenGL's own rasterizer and depth test and runs on any device. "auto" chooses "compute"
            wherever it runs, and "raster" elsewhere. Both return the same result, except for pixels
            within 1/128 pixel of the border of a face. For cameras so close to a face that OpenGL's
            rasterizer is too coarse, "raster" also uses the compute shaders.
        device: an EGL index, "cuda:0", a PCI address, "gpu", "software" or "auto". "auto" tries
            GPUs first, then Mesa's software rasterizer. None takes the environment variable
            DDEPTH_DEVICE, or "auto" if it is not set.
        require_gpu: raise an error instead of using a software rasterizer.
        context: a `moderngl.Context` whose OpenGL context (4.1 or later) is current, to render in
            it; None creates a context on `device`.

    Raises:
        RequestError: an argument has a value that is not allowed, or both `device` and `context`
            are given.
        ContextError: no device works; the message lists what was tried and how to fix it. Or
            `context` is too old or not current. Or this process was forked after a renderer had
            been created.
    """

    def __init__(
        self,
        engine: str = "auto",
        device: int | str | None = None,
        *,
        require_gpu: bool = False,
        context: moderngl.Context | None = None,
    ) -> None:
        checked_choice("engine", engine, _ENGINES)
        checked_flag("require_gpu", require_gpu)
        if context is not None and device is not None:
            raise RequestError(
                f"device={shown(device)} has no effect in a context that exists; leave device or "
                "context out"
            )
        self._context = gl_context = GLContext(device, require_gpu=require_gpu, borrowed=context)
        self._scenes: weakref.WeakSet[Scene] = weakref.WeakSet()
        try:
            if engine == "compute" and not gl_context.has_compute:
                raise ContextError(
                    "engine='compute' needs OpenGL 4.3 with compute shaders, but this "
                    f"{'device' if context is None else 'context'} has {gl_context.gl_version}; "
                    "use engine='raster' or 'auto'"
                )
            use_compute = engine != "raster" and gl_context.has_compute
            with gl_context:
                self._pipeline = Pipeline(gl_context, use_compute=use_compute)
        except BaseException:
            gl_context.release()
            raise

    @property
    def info(self) -> RendererInfo:
        """RendererInfo: device, driver and engine."""
        self._context.check_usable()
        context, device = self._context, self._context.device
        return RendererInfo(
            context.vendor,
            context.renderer,
            context.gl_version,
            self._pipeline.engine.name,
            context.is_software,
            device.index if device else None,
            device.pci_address if device else None,
            device.cuda_index if device else None,
            context.max_image_size,
        )

    def upload(self, mesh: Mesh) -> Scene:
        """Upload a mesh to the GPU, to render any number of images of it.

        Args:
            mesh: a Mesh.

        Returns:
            A Scene. Its GPU memory is freed by `Scene.release`, when the last reference to it is
            dropped, or when the renderer is closed.

        Raises:
            MeshError: `mesh` is not a Mesh.
            ContextClosedError: the renderer is closed.
            DeviceMemoryError: the mesh does not fit into the device's memory.
        """
        if not isinstance(mesh, Mesh):
            raise MeshError(
                f"upload takes a Mesh, not {type(mesh).__name__}; "
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

    def render(
        self,
        scene: Scene,
        camera: Camera,
        *,
        image: bool = True,
        maps: bool = True,
        layers: bool = False,
        attributes: Iterable[str] = (),
        layer_attributes: Iterable[str] = (),
        samples: int = 1,
        max_layers: int | None = None,
        surfaces: Surfaces = "auto",
        near: float | None = None,
        far: float | None = None,
        memory_limit: int | None = None,
        min_gap: float = 0.0,
    ) -> Frame:
        """Render image, depth maps and layers of one camera in one call.

        The results are the same bits as those of `shade`, `entry_exit` and `peel`, in less time:
        with one sample per pixel, image and maps are rendered together, and on the engine
        "compute" layers share the preparation of the faces with them.

        Args:
            scene: a Scene from this renderer's `upload`.
            camera: a Camera.
            image: render the shaded image, see `shade`.
            maps: render the double depth map, see `entry_exit`.
            layers: render all crossings, see `peel`.
            attributes: names of quantities to return with the maps, see `entry_exit`.
            layer_attributes: names of quantities to return with the layers.
            samples: samples of the image along each side of a pixel, 1 to 128.
            max_layers: keep at most this many crossings per pixel; None keeps all.
            surfaces, near, far: see `entry_exit`. Layers always have faces of either side.
            memory_limit: maximum memory in bytes for the crossings, see `peel`.
            min_gap: merge crossings closer than this, see `peel`.

        Returns:
            Frame. Its `image`, `maps` and `layers` are None where not requested.

        Raises:
            RequestError: nothing is requested, an argument has a value that is not allowed, or one
                has no effect, such as `samples` without `image`.
            MeshError, CameraError, ContextError, ContextClosedError, DeviceMemoryError: see
                `entry_exit` and `peel`.
        """
        request = frame_request(
            image=image,
            maps=maps,
            layers=layers,
            attributes=attributes,
            layer_attributes=layer_attributes,
            samples=samples,
            max_layers=max_layers,
            surfaces=surfaces,
            near=near,
            far=far,
            memory_limit=memory_limit,
            min_gap=min_gap,
        )
        return render_frame(self._pipeline, scene, camera, request)

    def render_many(
        self,
        scene: Scene | Iterable[tuple[Mesh | Scene, Camera]],
        cameras: Iterable[Camera] | None = None,
        *,
        image: bool = True,
        maps: bool = True,
        layers: bool = False,
        attributes: Iterable[str] = (),
        layer_attributes: Iterable[str] = (),
        samples: int = 1,
        max_layers: int | None = None,
        surfaces: Surfaces = "auto",
        near: float | None = None,
        far: float | None = None,
        memory_limit: int | None = None,
        min_gap: float = 0.0,
    ) -> Iterator[Frame]:
        """Render frames of many cameras, or of many meshes and cameras, in order.

        ::

            for frame in renderer.render_many(scene, cameras): ...
            for frame in renderer.render_many((mesh, camera) for mesh in meshes): ...

        With pairs, each mesh is uploaded while the frame before it is rendered, once for
        consecutive pairs of the same mesh, and freed after its last frame. So two meshes are on
        the GPU at most. Scenes in pairs stay. Pairs are read one ahead, so a generator must not
        release a scene before its frame was yielded. If only maps of one scene are requested,
        images are pipelined as in `entry_exit_many`.

        Args:
            scene: a Scene from this renderer's `upload`; or, without `cameras`, an iterable of
                pairs of a Mesh or a Scene and a Camera.
            cameras: the cameras of the scene, read one by one.
            image, maps, layers, attributes, layer_attributes, samples, max_layers: see `render`.
            surfaces, near, far, memory_limit, min_gap: see `render`.

        Yields:
            What `render` returns for each camera. Other calls may be made between two frames.

        Raises:
            CameraError: `cameras` is not iterable.
            RequestError: without `cameras`, `scene` is not an iterable of such pairs; and see
                `render`.
            DDepthError: see `render`. An error is raised after all earlier frames were yielded.
        """
        request = frame_request(
            image=image,
            maps=maps,
            layers=layers,
            attributes=attributes,
            layer_attributes=layer_attributes,
            samples=samples,
            max_layers=max_layers,
            surfaces=surfaces,
            near=near,
            far=far,
            memory_limit=memory_limit,
            min_gap=min_gap,
        )
        if cameras is None:
            pairs = checked_pairs(scene)
        elif request.has_maps_only and isinstance(scene, Scene):
            maps_of_cameras = self._pipeline.render_many(
                scene, checked_cameras(cameras), request.sheets, "numpy"
            )
            return (Frame(each.camera, maps=each) for each in maps_of_cameras)
        else:
            self._pipeline.check_scene(scene)
            pairs = zip(repeat(scene), checked_cameras(cameras), strict=False)
        return render_pairs(self._pipeline, pairs, request, self.upload)

    def peel_many(
        self,
        scene: Scene | Iterable[tuple[Mesh | Scene, Camera]],
        cameras: Iterable[Camera] | None = None,
        *,
        max_layers: int | None = None,
        near: float | None = None,
        far: float | None = None,
        attributes: Iterable[str] = (),
        memory_limit: int | None = None,
        min_gap: float = 0.0,
    ) -> Iterator[DepthLayers]:
        """Find every crossing for many cameras, or many meshes and cameras, in order.

        Args:
            scene, cameras: see `render_many`.
            max_layers, near, far, attributes, memory_limit, min_gap: see `peel`.

        Yields:
            What `peel` returns for each camera.

        Raises:
            DDepthError: see `render_many`.
        """
        frames = self.render_many(
            scene,
            cameras,
            image=False,
            maps=False,
            layers=True,
            layer_attributes=attributes,
            max_layers=max_layers,
            near=near,
            far=far,
            memory_limit=memory_limit,
            min_gap=min_gap,
        )
        return (frame.layers for frame in frames if frame.layers is not None)

    def shade_many(
        self,
        scene: Scene | Iterable[tuple[Mesh | Scene, Camera]],
        cameras: Iterable[Camera] | None = None,
        *,
        samples: int = 1,
        surfaces: Surfaces = "auto",
        near: float | None = None,
        far: float | None = None,
    ) -> Iterator[npt.NDArray[np.uint8]]:
        """Render the shaded images of many cameras, or of many meshes and cameras, in order.

        Args:
            scene, cameras: see `render_many`.
            samples, surfaces, near, far: see `shade`.

        Yields:
            What `shade` returns for each camera.

        Raises:
            DDepthError: see `render_many`.
        """
        frames = self.render_many(
            scene,
            cameras,
            maps=False,
            samples=samples,
            surfaces=surfaces,
            near=near,
            far=far,
        )
        return (frame.image for frame in frames if frame.image is not None)

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
        surfaces: Surfaces = "auto",
        near: float | None = None,
        far: float | None = None,
        attributes: Iterable[str] = (),
        output: Output = "numpy",
    ) -> DepthMaps | DeviceDepthMaps:
        """Render the double depth map of one image: first entry and last exit of every pixel's ray.

        Rays pass through what the alpha masks of faces leave out, see `Mesh`.

        Args:
            scene: a Scene from this renderer's `upload`.
            camera: a Camera.
            surfaces: "oriented" returns the nearest front face as entry and the farthest back face
                as exit; right for closed meshes that are wound outward. "any" returns the nearest
                and the farthest face of either side; right for scans with holes, open sheets and
                mixed winding. "auto" decides for each body, see `Mesh.bodies`: faces of closed
                bodies count by facing, all others on either side. `DepthMaps.surfaces` tells the
                result. The first "auto" image of a mesh takes longer, about a microsecond per face.
            near, far: keep only crossings with near <= depth <= far, mesh units; None does not
                crop.
            attributes: names of quantities to return for both sheets besides depth, see below. Each
                NAME becomes ``maps.entry_NAME`` and ``maps.exit_NAME``.
            output: "numpy" returns NumPy arrays. "gpu" leaves the images on the GPU, without
                attributes, for zero-copy use as in ``torch.from_dlpack(maps.entry)``.

        Attributes are evaluated where the ray of the pixel meets the face; pixels without a
        crossing hold NaN or -1:

        - "face": (H, W) int64, index of the face.
        - "normal": (H, W, 3) float32, unit normal of the face on its counter-clockwise side, world
          frame.
        - "smooth_normal": (H, W, 3) float32, unit normal interpolated from the corners, world
          frame. The normal at a corner is the mean over faces that meet at 45 degrees or less.
        - "barycentric": (H, W, 3) float32, weights of the face's corners, in their order.
        - "uv": (H, W, 2) float32, texture coordinates, v up; NaN if the mesh has none.
        - "color": (H, W, 4) float32, linear red, green, blue and alpha in 0..1, unlit: vertex color
          times texture; white if the mesh has neither.
        - "shaded_color": (H, W, 4) float32, linear red, green, blue and alpha in the light of
          `shade`.
        - "object_id": (H, W) int32, object of the face.
        - "position": (H, W, 3) float32, the point, world frame, mesh units.

        Returns:
            DepthMaps, or DeviceDepthMaps with ``output="gpu"``. The arrays belong to the caller: no
            later call changes them.

        Raises:
            RequestError: an argument has a value that is not allowed.
            MeshError: `scene` is not a Scene.
            CameraError: `camera` is not a Camera, its image is larger than the device allows, or,
                on a device without OpenGL 4.3, it is too close to a face.
            ContextError: the scene is another renderer's, or ``output="gpu"`` without OpenGL 4.3.
            ContextClosedError: the renderer is closed or the scene was released.
            DeviceMemoryError: the images do not fit into memory.
        """
        request = sheet_request(surfaces, near, far, attributes, output)
        maps: DepthMaps | DeviceDepthMaps = self._pipeline.render(scene, camera, request, output)
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
        surfaces: Surfaces = "auto",
        near: float | None = None,
        far: float | None = None,
        attributes: Iterable[str] = (),
        output: Output = "numpy",
    ) -> Iterator[DepthMaps] | Iterator[DeviceDepthMaps]:
        """Render the double depth maps of many images; faster than a loop over `entry_exit`.

        The next image is rendered while the last one is copied from the GPU. The engine "compute"
        renders up to 16 small images of a small mesh together. Up to 32 cameras are read before
        the first image is yielded.

        Args:
            scene: a Scene from this renderer's `upload`.
            cameras: the cameras, read one by one; they may differ in size and projection.
            surfaces, near, far, attributes, output: see `entry_exit`.

        Yields:
            What `entry_exit` returns, in the order of `cameras`. Other calls may be made between
            two images.

        Raises:
            CameraError: `cameras` is not iterable.
            DDepthError: see `entry_exit`. An error in `cameras`, or in submitting an image, is
                raised after all earlier images were yielded.
        """
        request = sheet_request(surfaces, near, far, attributes, output)
        return self._pipeline.render_many(scene, checked_cameras(cameras), request, output)

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
        min_gap: float = 0.0,
    ) -> DepthLayers:
        """Find every crossing of every pixel's ray, with faces of either side.

        Each face that covers a pixel counts as exactly one crossing. Coincident faces are all kept.

        Args:
            scene: a Scene from this renderer's `upload`.
            camera: a Camera.
            max_layers: keep at most this many crossings per pixel, nearest first; None keeps all.
            near, far: keep only crossings with near <= depth <= far, mesh units; None does not
                crop.
            attributes: names of quantities to return for each crossing, see `entry_exit`. Each NAME
                becomes ``layers.NAME``, (M,) or (M, channels). "face" is always returned.
            memory_limit: maximum memory in bytes for the crossings, while they are found and copied
                to arrays. It does not include the images on the device, nor another 24 bytes per
                pixel. None allows a quarter of the device's memory or of the memory that this
                process may use, whichever is less, but at least what one row needs. The engine
                "compute" works in bands of rows to stay within the limit.
            min_gap: merge crossings closer than this along the ray, mesh units, see
                `DepthLayers.merged`; 0 merges none, not even coincident ones. All crossings are
                found first, then merged, then cut to `max_layers`.

        Returns:
            DepthLayers. Its arrays belong to the caller.

        Raises:
            RequestError, MeshError, CameraError, ContextError, ContextClosedError: see
                `entry_exit`.
            DeviceMemoryError: the crossings do not fit; the message says how many there are.
        """
        check_limits(max_layers, memory_limit)
        gap = checked_min_gap(min_gap)
        request = sheet_request("any", near, far, attributes)
        return self._pipeline.peel(scene, camera, request, max_layers, memory_limit, gap)

    def shade(
        self,
        scene: Scene,
        camera: Camera,
        *,
        samples: int = 1,
        surfaces: Surfaces = "auto",
        near: float | None = None,
        far: float | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Render the mesh in color under a simple light, like a photo.

        The light is a headlight at the camera, and a sky that is twice as bright as the ground.
        There are no shadows or highlights, and nothing is brighter than its own color. In linear
        light, the color of a point is multiplied by ``0.7 * head + 0.3 * (0.75 + 0.25 * sky)``.
        `head` and `sky` are cosines of angles to the smooth normal on the visible side: `head` of
        the direction to the camera (at least 0), `sky` of the image's up direction. A mesh without
        colors is linear gray 0.6.

        Args:
            scene, camera, surfaces, near, far: see `entry_exit`.
            samples: samples along each side of a pixel, 1 to 128. 1 samples the pixel center, 4
                averages 4 x 4 samples.

        Returns:
            (H, W, 4) uint8, sRGB color and straight alpha. With ``samples=1``, alpha is 255 where
            `DepthMaps.mask` is set and 0 elsewhere. With more samples, it is the covered fraction
            of the pixel.

        Raises:
            RequestError: `samples` is not an integer from 1 to 128, or the sampled image is larger
                than the device allows.
            MeshError, CameraError, ContextError, ContextClosedError, DeviceMemoryError: see
                `entry_exit`.
        """
        samples = checked_count("samples", samples, MAX_SAMPLES)
        request = sheet_request(surfaces, near, far, ())
        return self._pipeline.shade(scene, camera, request, samples)

    def close(self) -> None:
        """Free the context and everything on the GPU, scenes included. Idempotent.

        A context that others own stays. In a forked child this does nothing, since everything
        belongs to the parent.

        Raises:
            ContextError: called from a thread that did not create the renderer, or the context is
                another's and not current.
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
        try:
            self.close()
        except ContextError:
            if error is None:  # otherwise this one would hide it
                raise

    def __del__(self) -> None:
        context = getattr(self, "_context", None)
        if context is None or context.is_closed:
            return
        message = f"{self!r} was not closed; use it in a with statement"
        if context.can_be_released:
            self.close()
        warnings.warn(message, ResourceWarning, stacklevel=2)  # last, as it may raise

    def __repr__(self) -> str:
        if self._context.is_closed:
            return "<DepthRenderer, closed>"
        return f"<DepthRenderer {self._pipeline.engine.name} on {self._context.renderer}>"
