"""The renderer process of `RendererProcess`: it renders the views that come through a socket.

It ends as soon as the socket's other end closes, in whatever way the process there ended.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from .._checks import one_line
from ..camera.camera import Camera
from ..errors import DDepthError, MeshError
from ..io.meshes.child_main import aligned, read_head, write_message
from ..mesh.mesh import Mesh, MeshSource
from ..results.crossing_rows import by_layer

if TYPE_CHECKING:
    from ..renderer import DepthRenderer
    from ..results.depth_layers import DepthLayers
    from ..results.depth_maps import DepthMaps

__all__ = ["QUANTITIES", "main", "receive_message", "results_of", "send_message"]

Arrays = dict[str, npt.NDArray[Any]]

# Images of each quantity.
QUANTITIES = {
    "entry": ("entry",),
    "exit": ("exit",),
    "thickness": ("thickness",),
    "normal": ("entry_normal", "exit_normal"),
    "object_id": ("entry_object_id", "exit_object_id"),
}
_ATTRIBUTES = ("normal", "object_id")


def send_message(end: socket.socket, head: dict[str, Any], arrays: Mapping[str, Any]) -> None:
    """Send a JSON object and arrays: one anonymous file in memory, and its descriptor."""
    whole = {name: np.ascontiguousarray(each) for name, each in arrays.items()}
    listed = [(name, each.dtype.str, each.shape) for name, each in whole.items()]
    descriptor = os.memfd_create("ddepth", os.MFD_CLOEXEC)
    try:
        blobs = [each.reshape(-1).view(np.uint8) for each in whole.values()]
        write_message(descriptor, {**head, "arrays": listed}, blobs)
        socket.send_fds(end, [b"m"], [descriptor])
    finally:
        os.close(descriptor)


def receive_message(end: socket.socket) -> tuple[dict[str, Any], Arrays] | None:
    """Return the next JSON object and its arrays, read-only; None if the other end has closed."""
    data, descriptors, _, _ = socket.recv_fds(end, 1, 1)
    if not data or not descriptors:
        return None
    try:
        content = memoryview(mmap.mmap(descriptors[0], 0, access=mmap.ACCESS_READ))
    finally:
        os.close(descriptors[0])
    head, start = read_head(content, json.loads)
    arrays: Arrays = {}
    for name, kind, shape in head.pop("arrays"):
        size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
        part = np.frombuffer(content[start : start + size], kind)
        arrays[name] = part.reshape(shape)
        # write_message puts the next blob at a multiple of 64.
        start = aligned(start + size)
    return head, arrays


def main() -> NoReturn:
    """Serve the socket whose descriptor is in `sys.argv` until its other end closes."""
    descriptor, settings = int(sys.argv[2]), json.loads(sys.argv[3])
    os.set_inheritable(descriptor, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    threading.Thread(target=_end_with, args=(descriptor,), daemon=True).start()
    server = _Server(**settings)
    end = socket.socket(fileno=descriptor)
    while (message := receive_message(end)) is not None:
        head: dict[str, Any]
        arrays: Arrays
        try:
            head, arrays = server.render(*message)
        except Exception as error:
            is_ours = isinstance(error, DDepthError)
            text = str(error) if is_ours else f"{type(error).__name__}: {error}"
            kind = "DeviceMemoryError" if isinstance(error, MemoryError) else type(error).__name__
            head, arrays = {"error": one_line(text, 1000), "kind": kind}, {}
        send_message(end, head, arrays)
    os._exit(0)


def _end_with(descriptor: int) -> None:
    """Wait until the other end closes, and end this process, whatever it does."""
    poll = select.poll()
    poll.register(descriptor, 0)  # POLLHUP is reported without being asked for
    poll.poll()
    os._exit(0)


class _Server:
    """A renderer, made with the first view."""

    def __init__(self, device: int | str | None) -> None:
        self._device = device
        self._renderer: DepthRenderer | None = None

    def render(self, head: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
        """Render a view and write its files; return the answer."""
        from ..renderer import DepthRenderer

        if self._renderer is None:
            self._renderer = DepthRenderer(device=self._device)
        about = head["mesh"]
        mesh = Mesh(
            arrays["vertices"],
            arrays["faces"],
            colors=arrays.get("colors"),
            object_id=arrays["object_id"],
            polygon_id=arrays.get("polygon_id"),
            name=about["name"],
            object_names=tuple(about["object_names"]),
            source=MeshSource(about["path"], about["sha256"], left_out=tuple(about["left_out"])),
            up=(0.0, 0.0, 1.0),
        )
        camera = Camera.from_dict(head["camera"])
        return _render(self._renderer, mesh, camera, head["request"])


def _render(
    renderer: DepthRenderer, mesh: Mesh, camera: Camera, request: dict[str, Any]
) -> tuple[dict[str, Any], Arrays]:
    from ..jobs.formats import FORMATS, FrameToWrite, checked_formats
    from ..results.provenance import mesh_entries

    with_layers, formats = request["layers"] > 0, request["formats"]
    chosen = checked_formats(tuple(formats), with_layers)
    for each in chosen:
        each.check()
    stored = tuple(name for name in _ATTRIBUTES if name in request["quantities"])
    # Clouds have both.
    kept = _ATTRIBUTES if request["clouds"] and request["is_shown"] else stored
    crop = {name: request[name] for name in ("near", "far")}
    sheets = {*kept, *(name for each in chosen for name in each.map_attributes)}
    notes: list[str] = []
    layers = photo = None
    with closing(_Uploaded(renderer, mesh)) as uploaded:
        scene = uploaded.scene
        maps = renderer.entry_exit(
            scene, camera, surfaces=request["surfaces"], attributes=sorted(sheets), **crop
        )
        if with_layers:
            names = {*kept, *(name for each in chosen for name in each.layer_attributes)}
            layers = renderer.peel(scene, camera, attributes=sorted(names), **crop)
        if any(each.is_photo for each in chosen):
            photo = renderer.shade(scene, camera, samples=2, surfaces=request["surfaces"], **crop)
    entries = {**maps.provenance, **mesh_entries(mesh.source)}
    maps = replace(maps, provenance=entries)
    if layers is not None:
        layers = replace(layers, provenance={**layers.provenance, **entries})
    files: list[Path] = []
    for name in formats:
        form = FORMATS[name]
        frame = FrameToWrite(
            target=Path(request["target"]), mesh=mesh, maps=maps, layers=layers, photo=photo,
            # Compositors have no use for NaN.
            fill=0.0 if name.startswith("exr") else float("nan"),
        )  # fmt: skip
        reduced = frame.with_only(
            {*stored, *form.map_attributes}, {*stored, *form.layer_attributes}
        )
        try:
            files += form.write(reduced)
        except MeshError as error:  # the other files are still worth having
            notes.append(f"{name}: {error}")
    arrays = results_of(maps, layers, request, notes) if request["is_shown"] else {}
    return {
        "files": [str(path) for path in files],
        "renderer": renderer.info.renderer,
        "surfaces": maps.surfaces,
        "notes": notes,
    }, arrays


class _Uploaded:
    def __init__(self, renderer: DepthRenderer, mesh: Mesh) -> None:
        self.scene = renderer.upload(mesh)

    def close(self) -> None:
        self.scene.release()


def results_of(
    maps: DepthMaps, layers: DepthLayers | None, request: Mapping[str, Any], notes: list[str]
) -> Arrays:
    """Return the arrays that a request asks for, by name.

    - "entry", "exit", "thickness", "entry_normal", "exit_normal", "entry_object_id",
      "exit_object_id": (H, W) or (H, W, 3); misses are NaN, or -1 for ids.
    - "layer_1", "layer_2", ...: (H, W) float32 depth of the nearest layers.
    - "front", "back", or "layers": (N, 3) float32 points in the world frame; with ".normal",
      ".object_id" and, for layers, ".layer", counted from 1, behind the name their attributes.
    - "mould.vertices", "mould.faces".

    Args:
        maps, layers: what was rendered, with the attributes normal and object_id for clouds.
        request: fields of a `ViewRequest`.
        notes: gets a line for a mould that cannot be built.
    """
    arrays: Arrays = {}
    for quantity in request["quantities"]:
        for name in QUANTITIES[quantity]:
            arrays[name] = np.asarray(getattr(maps, name))
    if layers is not None:
        count = min(request["layers"], int(layers.count.max(initial=0)))
        stack = layers.dense("depth", max_layers=count) if count else ()
        arrays |= {f"layer_{number}": each for number, each in enumerate(stack, 1)}
    if request["clouds"]:
        arrays |= _sheet_clouds(maps) if layers is None else _layer_cloud(layers, request["layers"])
    if request["mould"]:
        try:
            mould = maps.to_mesh()
        except MeshError as error:
            notes.append(f"mould: {error}")
        else:
            arrays |= {"mould.vertices": mould.vertices, "mould.faces": mould.faces}
    return arrays


def _sheet_clouds(maps: DepthMaps) -> Arrays:
    arrays: Arrays = {}
    mask = maps.mask
    for cloud, points, sheet in zip(
        ("front", "back"), maps.points(frame="world"), ("entry", "exit"), strict=True
    ):
        arrays[cloud] = points
        for name in _ATTRIBUTES:
            arrays[f"{cloud}.{name}"] = np.asarray(getattr(maps, f"{sheet}_{name}"))[mask]
    return arrays


def _layer_cloud(layers: DepthLayers, most: int) -> Arrays:
    rows = list(islice(by_layer(layers.offsets), most))
    crossings = np.concatenate([each for _, each in rows] or [np.zeros(0, np.int64)])
    sizes = [len(each) for _, each in rows]
    points = layers.points(frame="world")[:most] or [np.zeros((0, 3), np.float32)]
    arrays: Arrays = {
        "layers": np.concatenate(points),
        "layers.layer": np.repeat(np.arange(1, len(rows) + 1, dtype=np.int32), sizes),
    }
    for name in _ATTRIBUTES:
        arrays[f"layers.{name}"] = np.asarray(getattr(layers, name))[crossings]
    return arrays
