"""Sheets kept on the GPU: bits equal to NumPy's, lifetime, and transfer to CUDA."""

from __future__ import annotations

import ctypes
import gc
import sys
from dataclasses import replace
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import no_gl_objects_left
from shapes import box, random_closed_mesh

import ddepth_gl as dd
from ddepth_gl import pipeline
from ddepth_gl.gl import result_buffers
from ddepth_gl.gl.cuda import CUDA_DEVICE, _Registration
from ddepth_gl.results.device_maps import DeviceImage

FACE_ON = dd.Camera.look_at((0, 0, 5), (0, 0, 0), up=(0, 1, 0), width=40, height=30)


def same(maps: dd.DepthMaps, others: dd.DepthMaps) -> bool:
    return (
        maps.entry.tobytes() == others.entry.tobytes()
        and maps.exit.tobytes() == others.exit.tobytes()
    )


def cameras(mesh: dd.Mesh) -> list[dd.Camera]:
    around = dd.Camera.orbit(mesh, views=2, width=61, height=47, seed=4)
    inside = dd.Camera.look_at(mesh.bounds.mean(axis=0), mesh.bounds[1], width=50, height=70)
    extent = np.ptp(mesh.bounds, axis=0).max() * 1.2
    flat = dd.Camera.orthographic((extent, extent), around[0].camera_from_world, 64, 64)
    return [*around, inside, flat]


@pytest.mark.parametrize(
    "options",
    [{}, {"surfaces": "any"}, {"near": 5.5, "far": 7.0}],
    ids=["oriented", "any", "cropped"],
)
def test_the_same_bits_as_numpy_output(renderer, options):
    mesh = random_closed_mesh(np.random.default_rng(8), bodies=4)
    scene = renderer.upload(mesh)
    views = cameras(mesh)
    wanted = [renderer.entry_exit(scene, camera, **options) for camera in views]
    assert any(maps.mask.any() for maps in wanted)
    for camera, maps in zip(views, wanted, strict=True):
        with renderer.entry_exit(scene, camera, output="gpu", **options) as device:
            assert device.camera is camera
            assert device.entry.shape == device.exit.shape == maps.entry.shape
            assert device.entry.dtype == np.float32
            found = device.numpy()
            assert same(found, maps)
            # The same NaN as in NumPy output, and arrays that the caller owns.
            assert found.entry.flags.owndata
            assert device.entry.numpy().tobytes() == maps.entry.tobytes()
    many = renderer.entry_exit_many(scene, views, output="gpu", **options)
    for device, maps in zip(many, wanted, strict=True):
        assert same(device.numpy(), maps)
        device.release()
    scene.release()


@pytest.mark.parametrize("orthographic", [False, True])
def test_silhouettes_are_fixed_alike_on_gpu_and_cpu(renderer, monkeypatch, orthographic):
    """Where faces are nearly edge-on at a silhouette, some pixels are swapped; all are fixed."""
    rng = np.random.default_rng(3)
    mesh = random_closed_mesh(rng, bodies=6)
    scene = renderer.upload(mesh)
    fixed = 0
    for _ in range(30):
        eye = rng.normal(size=3)
        eye *= 4 / np.linalg.norm(eye)
        camera = dd.Camera.look_at(eye, (0, 0, 0), fov_y_deg=40, width=160, height=120)
        if orthographic:
            camera = dd.Camera.orthographic((3, 2.25), camera.camera_from_world, 160, 120)
        maps = renderer.entry_exit(scene, camera)
        with renderer.entry_exit(scene, camera, output="gpu") as device:
            assert same(device.numpy(), maps)
        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "fix_silhouettes", lambda *_: None)
            patch.setattr(renderer._context.staging, "is_used", False)  # or the GPU fixes them
            fixed += not same(renderer.entry_exit(scene, camera), maps)
    assert fixed > 0  # or nothing was tested
    scene.release()


def test_maps_live_until_they_are_released(renderer):
    scene = renderer.upload(box())
    for _ in range(2):
        renderer.entry_exit(scene, FACE_ON, output="gpu").release()  # allocates what is kept
    with no_gl_objects_left(renderer):
        maps = renderer.entry_exit(scene, FACE_ON, output="gpu")
        before = maps.numpy()
        for _ in range(3):  # other images do not overwrite it
            renderer.entry_exit(scene, dd.Camera.orbit(box(), views=1, width=40, height=30)[0])
        assert same(maps.numpy(), before)
        maps.release()
        maps.release()
        for use in (
            maps.numpy,
            maps.entry.numpy,
            maps.exit.__dlpack__,
            maps.entry.__dlpack_device__,
            maps.__enter__,
        ):
            with pytest.raises(dd.ContextClosedError, match="released"):
                use()
        assert "released" in repr(maps)
        assert "40x30" in repr(maps)
        gc.disable()  # reference counts alone free them
        try:
            # Without references, freed at the next use.
            renderer.entry_exit(scene, FACE_ON, output="gpu")
            # One of the images keeps the buffers.
            entry = renderer.entry_exit(scene, FACE_ON, output="gpu").entry
            assert entry.numpy().tobytes() == before.entry.tobytes()
            del entry
        finally:
            gc.enable()
    scene.release()


def test_maps_end_with_their_renderer():
    with dd.DepthRenderer() as renderer:
        maps = renderer.entry_exit(renderer.upload(box()), FACE_ON, output="gpu")
    with pytest.raises(dd.ContextClosedError, match="closed"):
        maps.numpy()
    maps.release()


def test_requests_that_gpu_output_cannot_serve(renderer, monkeypatch):
    scene = renderer.upload(box())
    with pytest.raises(dd.RequestError, match="output must be 'numpy' or 'gpu', not 'cuda'"):
        renderer.entry_exit(scene, FACE_ON, output="cuda")
    with pytest.raises(dd.RequestError, match=r"attributes.*NumPy"):
        renderer.entry_exit(scene, FACE_ON, output="gpu", attributes=("normal",))
    context = renderer._context
    with monkeypatch.context() as patch:
        patch.setattr(context, "max_storage_block", 8 * 40 * 30 - 1)
        with pytest.raises(dd.DeviceMemoryError, match=r'40x30.*output="gpu"'):
            renderer.entry_exit(scene, FACE_ON, output="gpu")
    with monkeypatch.context() as patch:
        patch.setattr(context, "has_compute", False)
        with pytest.raises(dd.ContextError, match=r"OpenGL 4\.3"):
            renderer.entry_exit(scene, FACE_ON, output="gpu")
    assert renderer.entry_exit(scene, FACE_ON, output="gpu").numpy().mask.any()
    scene.release()


@pytest.fixture
def image(renderer):
    scene = renderer.upload(box())
    with renderer.entry_exit(scene, FACE_ON, output="gpu") as maps:
        yield maps.entry
    scene.release()


def test_a_software_rasterizer_is_no_cuda_device(image, renderer):
    if not renderer.info.is_software:
        pytest.skip("this is a GPU")
    with pytest.raises(dd.InteropError, match=r"CUDA does not reach .*llvmpipe.*numpy\(\)"):
        image.__dlpack_device__()
    with pytest.raises(BufferError):  # as DLPack requires
        np.from_dlpack(image)


@pytest.fixture
def nvidia(renderer, monkeypatch):
    """The renderer's context, made to look like CUDA device 2."""
    monkeypatch.setattr(renderer._context, "is_software", False)
    monkeypatch.setattr(renderer._context, "device", SimpleNamespace(cuda_index=2))
    return renderer._context


def test_another_gpu_is_no_cuda_device(image, nvidia, monkeypatch):
    monkeypatch.setattr(nvidia, "device", SimpleNamespace(cuda_index=None))
    with pytest.raises(dd.InteropError, match="CUDA does not reach"):
        image.__dlpack__()


def test_without_the_cuda_extra(image, nvidia, monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda", None)
    with pytest.raises(dd.InteropError, match=r'pip install "ddepth-gl\[cuda\]"'):
        image.__dlpack__()


class _Memory:
    """A stand-in for a Buffer of `cuda.core`, in CPU memory."""

    def __init__(self, content: np.ndarray, log: list[str]) -> None:
        self.content, self.log = content, log
        self.handle, self.size = content.ctypes.data, content.nbytes

    @staticmethod
    def from_handle(address: int, size: int, *, owner: _Memory) -> _Memory:
        first = address - owner.handle
        return _Memory(owner.content[first : first + size], owner.log)

    def copy_from(self, other: _Memory, *, stream: object) -> None:
        assert self.size == other.size
        self.log.append("copy")
        self.content[:] = other.content

    def __enter__(self) -> _Memory:
        self.log.append("map")
        return self

    def __exit__(self, *_: object) -> None:
        self.log.append("unmap")


def stand_in(
    log: list[str], buffers: dict[int, object], refuses: bool = False
) -> dict[str, ModuleType]:
    """Return a stand-in for the used part of `cuda.core`, in CPU memory."""

    class Device:
        default_stream = SimpleNamespace(sync=lambda: log.append("sync"))

        def __init__(self, ordinal: int) -> None:
            assert ordinal == 2

        def set_current(self) -> None:
            if refuses:
                raise RuntimeError("CUDA_ERROR_NO_DEVICE")

        def allocate(self, size: int, *, stream: object) -> _Memory:
            return _Memory(np.zeros(size, np.uint8), log)

    class Stream:
        def __init__(self, handle: int) -> None:
            self.handle = handle

        @classmethod
        def from_handle(cls, handle: int) -> Stream:
            return cls(handle)

        def wait(self, other: object) -> None:
            assert other is Device.default_stream
            log.append(f"{self.handle} waits")

    class GraphicsResource:
        def __init__(self, name: int) -> None:
            self.name = name
            log.append("register")

        @classmethod
        def from_gl_buffer(cls, name: int, *, flags: str) -> GraphicsResource:
            assert flags == "read_only"
            return cls(name)

        def close(self) -> None:
            if refuses:
                raise RuntimeError("CUDA_ERROR_INVALID_CONTEXT")
            log.append("unregister")

        def map(self, *, stream: object) -> _Memory:
            return _Memory(np.frombuffer(buffers[self.name].read(), np.uint8), log)

    class StridedMemoryView:
        @classmethod
        def from_buffer(
            cls, buffer: _Memory, shape: tuple[int, int], *, dtype: np.dtype
        ) -> np.ndarray:
            return _View(buffer.content.view(dtype).reshape(shape))

    core, utils, cuda = ModuleType("cuda.core"), ModuleType("cuda.core.utils"), ModuleType("cuda")
    core.Device, core.GraphicsResource, core.utils = Device, GraphicsResource, utils
    core.Buffer, core.Stream = _Memory, Stream
    utils.StridedMemoryView, cuda.core = StridedMemoryView, core
    return {"cuda": cuda, "cuda.core": core, "cuda.core.utils": utils}


class _View:
    """A view of memory that gives NumPy's DLPack capsule, whatever the stream."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack__(self, *, stream: int | None, **options: Any) -> object:
        return self.array.__dlpack__(**options)


class _CpuImage:
    """An image whose stand-in copy NumPy accepts: it reports CPU memory as its device."""

    def __init__(self, image: DeviceImage, stream: int | None = None) -> None:
        self.image, self.stream = image, stream

    def __dlpack__(self, **options: Any) -> object:
        return self.image.__dlpack__(**{**options, "stream": self.stream})

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0


@pytest.fixture
def cuda(renderer, nvidia, monkeypatch):
    """A stand-in for `cuda.core`: installs it for some maps, and returns the log of its calls."""
    with renderer._context as context:
        context.result_buffers.trim()
    log: list[str] = []
    buffers: dict[int, object] = {}
    for name, module in stand_in(log, buffers).items():
        monkeypatch.setitem(sys.modules, name, module)

    def install(maps: dd.DeviceDepthMaps) -> list[str]:
        buffer = maps._sheets._lent.item.buffer
        buffers[buffer.glo] = buffer
        return log

    yield install
    with renderer._context as context:
        context.result_buffers.trim()


def test_the_transfer_to_cuda(renderer, cuda):
    """With a stand-in for `cuda.core`: both sheets are copied while their buffer is mapped once."""
    scene = renderer.upload(box())
    maps = renderer.entry_exit(scene, FACE_ON, output="gpu")
    log = cuda(maps)
    assert maps.entry.__dlpack_device__() == (CUDA_DEVICE, 2)
    host = maps.numpy()
    entry = np.from_dlpack(_CpuImage(maps.entry))
    assert log == ["register", "map", "copy", "copy", "unmap"]
    exit_ = np.from_dlpack(_CpuImage(maps.exit))
    assert log == ["register", "map", "copy", "copy", "unmap"]
    assert entry.tobytes() == host.entry.tobytes() != exit_.tobytes() == host.exit.tobytes()
    assert entry.shape == exit_.shape == (30, 40)
    # Every consumer gets a copy of its own.
    log.clear()
    again = np.from_dlpack(_CpuImage(maps.exit))
    assert log == ["map", "copy", "copy", "unmap"]
    ctypes.memset(again.ctypes.data, 7, again.nbytes)  # for NumPy 1.26, it is read-only
    assert maps.exit.numpy().tobytes() == exit_.tobytes() == host.exit.tobytes()
    maps.release()  # the copies live on
    assert entry.tobytes() == host.entry.tobytes()
    scene.release()


@pytest.mark.parametrize(
    ("stream", "call"),
    [(None, None), (0, None), (1, None), (2, None), (-1, "sync"), (4711, "4711 waits")],
)
def test_consumers_wait_for_the_copy(renderer, cuda, stream, call):
    scene = renderer.upload(box())
    with renderer.entry_exit(scene, FACE_ON, output="gpu") as maps:
        log = cuda(maps)
        for sheet in (maps.exit, maps.entry):
            log.clear()
            np.from_dlpack(_CpuImage(sheet, stream))
            assert log[-1:] == [call] if call else "sync" not in log
    scene.release()


def test_registrations_stay_with_their_buffers(renderer, cuda):
    """A buffer is registered once while it is reused, and unregistered before it is freed."""
    scene = renderer.upload(box())
    maps = renderer.entry_exit(scene, FACE_ON, output="gpu")
    log, first = cuda(maps), maps._sheets._lent.item
    np.from_dlpack(_CpuImage(maps.entry))
    other = renderer.entry_exit(scene, FACE_ON, output="gpu")  # while the first is lent
    assert other._sheets._lent.item is not first
    maps.release()
    maps.release()  # gives it back only once
    third = renderer.entry_exit(scene, FACE_ON, output="gpu")
    assert third._sheets._lent.item is first
    log.clear()
    np.from_dlpack(_CpuImage(third.entry))
    assert "register" not in log
    with pytest.raises(dd.ContextClosedError):
        maps.entry.numpy()  # although its buffer lives on
    for each in (third, other):
        each.release()
    smaller = dd.Camera.look_at((0, 0, 5), (0, 0, 0), up=(0, 1, 0), width=20, height=30)
    with renderer.entry_exit(scene, smaller, output="gpu") as maps:
        assert maps._sheets._lent.item.buffer.size == 8 * 20 * 30
    log.clear()
    freed: list[str] = []
    first.buffer, buffer = (
        SimpleNamespace(size=first.buffer.size, release=lambda: freed.append("-".join(log))),
        first.buffer,
    )
    with renderer._context as context:
        context.result_buffers.trim()
    assert freed == ["unregister"]
    with renderer._context:
        buffer.release()
    scene.release()


def test_idle_buffers_are_limited(renderer, monkeypatch):
    scene = renderer.upload(box())
    pool = renderer._context.result_buffers
    with renderer._context:
        pool.trim()
    monkeypatch.setattr(result_buffers, "_MAX_IDLE_BYTES", 3 * 8 * 40 * 30)
    maps = [renderer.entry_exit(scene, FACE_ON, output="gpu") for _ in range(5)]
    assert not pool._idle
    for each in maps:
        each.release()
    with renderer._context:  # at its next use
        pass
    assert [item.buffer.size for item in pool._idle] == 3 * [8 * 40 * 30]
    maps = [
        renderer.entry_exit(scene, replace(FACE_ON, height=height), output="gpu")
        for height in range(30, 20, -2)
    ]
    for each in maps:
        each.release()
    with renderer._context:
        pass
    assert sum(item.buffer.size for item in pool._idle) <= 3 * 8 * 40 * 30  # of several sizes
    monkeypatch.setattr(result_buffers, "_MAX_IDLE_BUFFERS", 1)
    renderer.entry_exit(scene, FACE_ON, output="gpu").release()
    with renderer._context:
        pass
    assert len(pool._idle) == 1
    scene.release()


@pytest.mark.parametrize("refuses", [False, True])
def test_a_renderer_that_closes_ends_registrations(monkeypatch, caplog, refuses):
    """Of lent buffers too, and also if CUDA refuses."""
    log: list[str] = []
    with dd.DepthRenderer() as renderer:
        context = renderer._context
        for maps in renderer.entry_exit_many(renderer.upload(box()), [FACE_ON] * 2, output="gpu"):
            item = maps._sheets._lent.item
            item.registration = registration(log, refuses)
        del maps, item
        lent = renderer.entry_exit(renderer.upload(box()), FACE_ON, output="gpu")
        lent._sheets._lent.item.registration = registration(log, refuses)
        with context:  # frees what was dropped
            assert len(context.result_buffers._all) >= 2
    assert log == ["current", "close"] * log.count("close")
    assert log.count("close") >= 2
    assert ("cannot unregister" in caplog.text) == refuses
    lent.release()


def registration(log: list[str], refuses: bool) -> object:
    def close() -> None:
        log.append("close")
        if refuses:
            raise RuntimeError("CUDA_ERROR_INVALID_CONTEXT")

    device = SimpleNamespace(set_current=lambda: log.append("current"))
    return _Registration(device, SimpleNamespace(close=close))


def test_a_driver_that_refuses(image, nvidia, monkeypatch):
    for name, module in stand_in([], {}, refuses=True).items():
        monkeypatch.setitem(sys.modules, name, module)
    with pytest.raises(
        dd.InteropError, match=r"CUDA device 2.*RuntimeError: CUDA_ERROR_NO_DEVICE.*numpy\(\)"
    ):
        image.__dlpack__()


def test_the_device_of_a_borrowed_context(image, nvidia, monkeypatch):
    """Nobody says which device that is on, so CUDA is asked."""
    monkeypatch.setattr(nvidia, "device", None)
    answers = {"devices": (0, 1, [7])}
    driver = SimpleNamespace(
        cuInit=lambda _: None,
        cuGLGetDevices=lambda count, kind: answers["devices"],
        CUGLDeviceList=SimpleNamespace(CU_GL_DEVICE_LIST_ALL=1),
        CUresult=SimpleNamespace(CUDA_SUCCESS=0),
    )
    bindings = ModuleType("cuda.bindings")
    bindings.driver = driver
    modules = {**stand_in([], {}), "cuda.bindings": bindings, "cuda.bindings.driver": driver}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    assert image.__dlpack_device__() == (CUDA_DEVICE, 7)
    answers["devices"] = (SimpleNamespace(name="CUDA_ERROR_INVALID_GRAPHICS_CONTEXT"), 0, [])
    with pytest.raises(dd.InteropError, match=r"reach .* \(CUDA_ERROR_INVALID_GRAPHICS_CONTEXT\)"):
        image.__dlpack_device__()
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(dd.InteropError, match=r"CUDA does not reach .* use maps\.numpy\(\)"):
        image.__dlpack_device__()
