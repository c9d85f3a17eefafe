"""RenderedDataset: images that are rendered from meshes while a network trains on them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .._checks import MAX_SAMPLES, checked_choice, checked_count, is_integer, shown
from ..camera.camera import Camera
from ..dataset.arrays import Needs, checked_outputs, rendered_arrays, training_arrays
from ..dataset.reading import checked_sample
from ..engines.scene import Scene
from ..errors import CameraError, ContextError, RequestError
from ..io.meshes.read import load_mesh
from ..mesh.mesh import Mesh
from ..renderer import DepthRenderer, Surfaces
from .epoch import SharedEpoch
from .local_renderer import LocalRenderer
from .package import torch
from .stream import DoubleDepthStream, checked_seed
from .tensors import as_tensors

__all__ = ["RenderedDataset"]


class RenderedDataset(torch.utils.data.Dataset):
    """A map-style data set that renders each sample in the worker that is asked for it.

    ::

        dataset = RenderedDataset(paths, views=8, size=256)
        loader = DataLoader(dataset, batch_size=16, shuffle=True, num_workers=2,
                            multiprocessing_context="spawn")

    Sample ``m * views + v`` is view v of mesh m. Each process creates a renderer when it first
    needs one; it is never pickled. `cache` meshes stay on the GPU; `stream` renders in an order
    that needs few of them at a time.

    OpenGL does not survive fork. If this process has used it, workers must be started with
    ``multiprocessing_context="spawn"`` or "forkserver"; forked ones raise ContextError. Share the
    CPUs among workers with `worker_environment`.

    A sample is a dict: the tensors of `outputs`, as in `DoubleDepthDataset`; ``mesh`` and ``view``,
    integers; and those of the camera. With a `transform`, it is what that returns.

    Args:
        meshes: paths of mesh files, or Meshes, or both.
        views: number of views of each mesh in an epoch.
        size: (width, height) of the images in pixels, or both in one integer.
        outputs: some of "photo", "depth", "distance", "thickness", "points", "normal", "face",
            "object_id" and "layers".
        cameras: called with a mesh, `views` and a seed; returns so many Cameras of `size`. The seed
            depends on `seed`, the epoch and the number of the mesh. None takes `Camera.orbit`.
        prepare: called with each mesh after it was loaded; returns the Mesh to render.
        transform: called with each sample. Like `cameras` and `prepare` it must be picklable for
            workers that are spawned: a function of a module, not a lambda.
        seed: integer, at least 0; decides the cameras, with the epoch.
        samples: samples of the photo along each side of a pixel.
        max_layers: number of layers in the output "layers".
        surfaces: see `DepthRenderer.entry_exit`.
        loading: options of `load_mesh`.
        cache: number of meshes that each process keeps on the GPU.
        engine, device: see `DepthRenderer`.
        tensors: "cpu", or "gpu" for tensors on the NVIDIA GPU that renders, without workers. The
            sheets of "depth" go there without a detour, if no other output needs maps.

    Raises:
        RequestError: an argument has a value that is not allowed.
        MeshError, CameraError, ContextError, DeviceMemoryError: for a sample; see `load_mesh` and
            `DepthRenderer`.
    """

    def __init__(
        self,
        meshes: Sequence[Mesh | str | os.PathLike[str]],
        views: int = 8,
        size: int | tuple[int, int] = 256,
        outputs: Sequence[str] = ("photo", "depth"),
        *,
        cameras: Callable[[Mesh, int, int], Sequence[Camera]] | None = None,
        prepare: Callable[[Mesh], Mesh] | None = None,
        transform: Callable[[dict[str, Any]], Any] | None = None,
        seed: int = 0,
        samples: int = 1,
        max_layers: int = 8,
        surfaces: Surfaces = "auto",
        loading: Mapping[str, Any] | None = None,
        cache: int = 8,
        engine: str = "auto",
        device: int | str | None = None,
        tensors: Literal["cpu", "gpu"] = "cpu",
    ) -> None:
        super().__init__()
        self.meshes = _checked_meshes(meshes)
        self.views = checked_count("views", views)
        self.size = _checked_size(size)
        self.outputs = checked_outputs(outputs)
        self._needs = Needs.of(self.outputs)
        self._cameras, self._prepare, self._transform = cameras, prepare, transform
        self._seed = checked_seed(seed)
        self._samples = checked_count("samples", samples, MAX_SAMPLES)
        if self._samples > 1 and not self._needs.photo:
            raise RequestError("samples= has no effect without the output photo; leave it out")
        self._max_layers = checked_count("max_layers", max_layers)
        self._surfaces: Surfaces = surfaces
        self._loading = {"appearance": self._needs.photo, **(loading or {})}
        self._is_on_gpu = checked_choice("tensors", tensors, ("cpu", "gpu")) == "gpu"
        self._epoch = SharedEpoch()
        self._local = LocalRenderer(engine, device, checked_count("cache", cache))
        # Of the epoch that they belong to: number of the mesh to its cameras.
        self._cameras_of: dict[int, Sequence[Camera]] = {}
        self._epoch_of_cameras = 0

    def __len__(self) -> int:
        return len(self.meshes) * self.views

    @property
    def group_sizes(self) -> npt.NDArray[np.int64]:
        """(meshes,) int64: number of samples of each mesh."""
        return np.full(len(self.meshes), self.views, np.int64)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which decides the cameras; call it before each pass over the loader.

        Workers of ``persistent_workers=True`` see it, too.

        Raises:
            RequestError: `epoch` is not an integer, at least 0.
        """
        self._epoch.set(epoch)

    def stream(self, **options: Any) -> DoubleDepthStream:
        """Return the samples as a stream that needs few meshes at a time.

        Args:
            options: keyword arguments of `DoubleDepthStream`. Its `mix` should be at most `cache`.
        """
        return DoubleDepthStream(self, **options)

    def close(self) -> None:
        """Free the renderer of this process, if there is one. Idempotent."""
        self._local.close()

    def __enter__(self) -> RenderedDataset:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, index: int) -> Any:
        number, view = divmod(checked_sample(index, len(self)), self.views)
        mesh, scene = self._local.uploaded(number, self._loaded)
        camera = self._all_cameras(number, mesh)[view]
        sample = {**self._rendered(scene, camera), "mesh": number, "view": view}
        return self._transform(sample) if self._transform else sample

    def _loaded(self, number: int) -> Mesh:
        given = self.meshes[number]
        mesh = given if isinstance(given, Mesh) else load_mesh(given, **self._loading)
        return self._prepare(mesh) if self._prepare else mesh

    def _all_cameras(self, number: int, mesh: Mesh) -> Sequence[Camera]:
        epoch = self._epoch.value
        if epoch != self._epoch_of_cameras:
            self._epoch_of_cameras = epoch
            self._cameras_of.clear()
        if number not in self._cameras_of:
            seed = int(np.random.default_rng((self._seed, epoch, number)).integers(1 << 32))
            if self._cameras is None:
                width, height = self.size
                cameras: Sequence[Camera] = Camera.orbit(mesh, self.views, width, height, seed)
            else:
                cameras = self._cameras(mesh, self.views, seed)
                self._check_cameras(cameras)
            self._cameras_of[number] = cameras
        return self._cameras_of[number]

    def _check_cameras(self, cameras: Sequence[Camera]) -> None:
        sizes = [
            (camera.width, camera.height) if isinstance(camera, Camera) else shown(camera)
            for camera in cameras
        ]
        if sizes != [self.size] * self.views:
            raise CameraError(
                f"cameras= must return {self.views} cameras of {self.size[0]}x{self.size[1]}, "
                f"not {shown(sizes)}"
            )

    def _rendered(self, scene: Scene, camera: Camera) -> dict[str, Any]:
        needs, renderer, outputs = self._needs, self._local.renderer, self.outputs
        if not self._is_on_gpu:
            return self._on_cpu(renderer, scene, camera, outputs)
        gpu = _gpu_of(renderer)
        sheets: dict[str, Any] = {}
        if needs.depth_alone:
            outputs = tuple(name for name in outputs if name != "depth")
            with renderer.entry_exit(scene, camera, surfaces=self._surfaces, output="gpu") as maps:
                pair = [torch.from_dlpack(sheet) for sheet in (maps.entry, maps.exit)]
            sheets["depth"] = torch.stack(pair)
            sheets["mask"] = ~sheets["depth"].isnan().any(0)
        sample = self._on_cpu(renderer, scene, camera, outputs)
        return sheets | {
            name: value.to(gpu) if torch.is_tensor(value) else value
            for name, value in sample.items()
        }

    def _on_cpu(
        self, renderer: DepthRenderer, scene: Scene, camera: Camera, outputs: Sequence[str]
    ) -> dict[str, Any]:
        if not outputs:
            return as_tensors({}, camera)
        needs = Needs.of(outputs)
        frame = renderer.render(
            scene,
            camera,
            image=needs.photo,
            maps=needs.maps,
            layers=needs.layers,
            attributes=needs.attributes,
            samples=self._samples,
            surfaces=self._surfaces,
        )
        arrays = rendered_arrays(frame.image, frame.maps, frame.layers)
        return as_tensors(training_arrays(outputs, arrays, camera, self._max_layers), camera)


def _gpu_of(renderer: DepthRenderer) -> Any:
    """Return the torch.device of the GPU that renders; in this process, tensors can be made there.

    Raises:
        RequestError: this process is a worker.
        ContextError: it is no NVIDIA GPU.
    """
    if torch.utils.data.get_worker_info() is not None:
        raise RequestError('tensors="gpu" works without workers; set num_workers=0')
    if renderer.info.cuda_index is None:
        raise ContextError(
            f'tensors="gpu" needs an NVIDIA GPU, and this renders on {renderer.info.renderer}; '
            'use tensors="cpu"'
        )
    return torch.device("cuda", renderer.info.cuda_index)


def _checked_meshes(meshes: Any) -> list[Mesh | str | os.PathLike[str]]:
    given = None
    if isinstance(meshes, Sequence) and not isinstance(meshes, (str, bytes)):
        given = list(meshes)
    if not given or not all(isinstance(each, (Mesh, str, os.PathLike)) for each in given):
        raise RequestError(
            f"meshes must be a list of paths or Meshes, at least one, not {shown(meshes)}"
        )
    return given


def _checked_size(size: Any) -> tuple[int, int]:
    pair = (size, size) if is_integer(size) else size
    if not (isinstance(pair, (tuple, list)) and len(pair) == 2):
        raise RequestError(f"size must be an integer or (width, height), not {shown(size)}")
    width, height = (checked_count("size", each) for each in pair)
    return width, height
