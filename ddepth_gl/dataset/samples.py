"""MeshRenderer: renders all views of a mesh and encodes them as samples."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..camera.camera import Camera
from ..errors import CameraError, DatasetError, OutputError
from ..io.cameras.write import transforms_json
from ..mesh.mesh import Mesh
from ..renderer import DepthRenderer
from ..results.frame import Frame
from .blend_photos import BlendPhotos, take_photos
from .corrections import matched_photos
from .entries import MeshEntry, Sample, sample_key
from .facts import mesh_facts, view_facts
from .layouts import Rendered, reference_distance
from .loaded_mesh import loaded_mesh
from .normalization import Placement, normalized
from .photo_files import PhotoFiles
from .split import split_of
from .stores import Stores, scale_of_views
from .views import cameras_for

if TYPE_CHECKING:
    from ..engines.scene import Scene
    from .config import DatasetConfig

__all__ = ["MeshRenderer"]


class MeshRenderer:
    """A renderer of the samples of meshes, one mesh after another.

    Samples depend on the settings, the mesh and the driver alone: not on earlier meshes, the
    number of threads or the names of folders.

    Args:
        config: settings of the data set.
        renderer: open renderer; the caller closes it.
        encoders: threads that encode views while the next ones are rendered; 0 encodes in the
            calling thread, which is best if every CPU has a renderer of its own.
        clock: returns the seconds to count in `seconds`; several of them as an array.

    Raises:
        OutputError: a package that the settings need is not installed.

    Attributes:
        seconds: time spent so far by step: "load", "prepare" (placement, cameras, upload, bodies),
            "render" (with reading back) and "encode" (in all threads together).
    """

    def __init__(
        self,
        config: DatasetConfig,
        renderer: DepthRenderer,
        *,
        encoders: int = 0,
        clock: Callable[[], Any] = time.perf_counter,
    ) -> None:
        self._config, self._renderer, self._encoders = config, renderer, encoders
        self._clock = clock
        Stores(config.store).check()
        self._lock = threading.Lock()  # of `seconds`
        self.seconds: dict[str, Any] = dict.fromkeys(("load", "prepare", "render", "encode"), 0.0)

    def samples(self, entry: MeshEntry, path: Path) -> Iterator[Sample]:
        """Render a mesh and yield its views in order.

        Args:
            entry: the mesh in the plan.
            path: the mesh file on this machine.

        Raises:
            MeshError: the mesh cannot be read; the message names the address of the entry.
            DDepthError: rendering or encoding failed.
        """
        config = self._config
        is_own = config.photos is None and config.blender.photo == "own"
        stores = Stores(config.store, with_photo=is_own)
        with self._timing("load"):
            loaded = loaded_mesh(
                entry,
                path,
                config.loading,
                appearance=stores.shows_colors,
                has_own_camera=config.blender.photo != "own",
            )
        with self._timing("prepare"):
            mesh, placement = normalized(loaded, self._config.normalization)
            scene = self._renderer.upload(mesh)
        with ExitStack() as stack:
            stack.callback(scene.release)
            with self._timing("prepare"):
                found = self._photos(entry, loaded, mesh, placement, scene)
                cameras = found.cameras or cameras_for(config.views, mesh, entry, placement, loaded)
                if config.store.transforms:
                    _check_transforms(cameras)
            photos: PhotoFiles | BlendPhotos = found
            if config.blender.photo != "own":
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ddepth_"))
                with self._timing("render"):
                    photos = take_photos(config, path, loaded, placement, cameras, Path(folder))
            with self._timing("prepare"):
                make = _SampleMaker(config, stores, entry, mesh, cameras, placement, photos)
                make.shared |= mesh_facts(mesh, loaded.source.left_out if loaded.source else ())
            frames = self._renderer.render_many(scene, cameras, **stores.render_options())
            timed = self._timed(frames)
            if self._encoders:
                yield from _in_threads(self._encoders, self._encoded(make), timed)
            else:
                encode = self._encoded(make)
                for view, frame in enumerate(timed):
                    yield encode(view, frame)
                    del frame  # not kept while the next one is rendered

    def _photos(
        self, entry: MeshEntry, loaded: Mesh, mesh: Mesh, placement: Placement, scene: Scene
    ) -> PhotoFiles:
        config = self._config.photos
        if config is None:
            return PhotoFiles()
        found = matched_photos(config, entry, loaded, mesh, placement, self._renderer, scene)
        return PhotoFiles(config, *found, is_stored="photo" in self._config.store.outputs)

    def _encoded(self, make: _SampleMaker) -> Callable[[int, Frame], Sample]:
        def encode(view: int, frame: Frame) -> Sample:
            with self._timing("encode"):
                return make.sample(view, frame)

        return encode

    def _timed(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        while True:
            with self._timing("render"):
                frame = next(frames, None)
            if frame is None:
                return
            yield frame
            del frame

    @contextmanager
    def _timing(self, step: str) -> Iterator[None]:
        start = self._clock()
        try:
            yield
        finally:
            seconds = self._clock() - start
            with self._lock:
                self.seconds[step] += seconds


def _check_transforms(cameras: Sequence[Camera]) -> None:
    """Check that a ``transforms.json`` can hold the cameras; it is written at the end of the run.

    Raises:
        CameraError: one is orthographic or has skew.
    """
    try:
        transforms_json([replace(camera, name="photo") for camera in cameras])
    except OutputError as error:
        raise CameraError(str(error)) from None


class _SampleMaker:
    """Makes samples of one mesh from frames."""

    def __init__(
        self,
        config: DatasetConfig,
        stores: Stores,
        entry: MeshEntry,
        mesh: Mesh,
        cameras: list[Camera],
        placement: Placement,
        photos: PhotoFiles | BlendPhotos,
    ) -> None:
        self._config, self._stores, self._entry, self._mesh = config, stores, entry, mesh
        self._views, self._placement = len(cameras), placement.to_dict()
        self._photos = photos
        self._fields = stores.fields()
        self._scale = scale_of_views(mesh, cameras)
        self.shared: dict[str, Any] = {}  # facts of the mesh

    def sample(self, view: int, frame: Frame) -> Sample:
        """Return the encoded sample of a view."""
        if frame.maps is None:  # never, as `Stores.render_options` asks for them
            raise DatasetError("the sheets were not rendered")
        rendered = Rendered(self._mesh, frame.maps, frame.layers, frame.image)
        layers = self._stores.stored_layers(frame.layers)
        matching = self._photos.columns(view, frame.maps.mask)
        facts = {**view_facts(frame.maps, layers), **self.shared, **matching}
        camera = frame.camera.to_dict()
        about: dict[str, Any] = {
            "camera": camera,
            "facts": facts,
            "fields": self._fields,
            "id": self._entry.id,
            "placement": self._placement,
            "view": view,
        }
        files: dict[str, bytes] = {}
        if not matching.get("left_out"):
            files = self._photos.files(view)
            files |= self._stores.files(rendered, layers, self._scale)
        if isinstance(self._photos, BlendPhotos):
            about["photo"] = self._photos.about
        if self._config.store.codec == "png16":
            about["png16_scale"] = self._scale
        if "2k2k" in self._config.store.layouts:
            about["2k2k_reference"] = reference_distance(rendered)
        if files:
            files["json"] = _json(about).encode()
        key = sample_key(self._entry.id, view, self._views)
        row = {
            "id": self._entry.id,
            "view": view,
            "key": key,
            "split": split_of(self._config.split, self._entry),
            "width": frame.camera.width,
            "height": frame.camera.height,
            "camera": _json(camera),
            "placement": _json(self._placement),
            **facts,
        }
        return Sample(key, files, row)


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _in_threads(
    threads: int, encode: Callable[[int, Frame], Sample], frames: Iterator[Frame]
) -> Iterator[Sample]:
    """Yield encoded frames in order, as many of them ahead as there are threads."""
    pending: deque[Future[Sample]] = deque()
    with ThreadPoolExecutor(threads, "ddepth-encode") as pool:
        try:
            for view, frame in enumerate(frames):
                pending.append(pool.submit(encode, view, frame))
                del frame
                if len(pending) > threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
