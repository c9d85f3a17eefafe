"""DepthRenderer: results, image sizes, batches, lifetimes, threads and invalid arguments."""

from __future__ import annotations

import ctypes
import gc
import subprocess
import sys
import threading
import warnings
import weakref

import numpy as np
import pytest
from conftest import ENGINES, gl_census, no_gl_objects_left
from shapes import box, rotation, sphere

import ddepth_gl as dd
from ddepth_gl.gl import egl


def same(first: dd.DepthMaps, second: dd.DepthMaps) -> bool:
    """Return whether two results are equal bit for bit."""
    return all(
        np.array_equal(getattr(first, name).view(np.int32), getattr(second, name).view(np.int32))
        for name in ("entry", "exit")
    )


@pytest.fixture
def mesh():
    return sphere(rings=12, sides=24)


@pytest.fixture
def camera(mesh):
    return dd.Camera.orbit(mesh, views=1, width=64, height=48)[0]


# Results


def test_arrays_belong_to_the_caller(renderer, mesh, camera):
    scene = renderer.upload(mesh)
    first = renderer.entry_exit(scene, camera, attributes=("face",))
    for name, kind in (("entry", np.float32), ("exit", np.float32), ("entry_face", np.int64)):
        array = getattr(first, name)
        assert array.dtype == kind
        assert array.shape == (48, 64)
        assert array.flags.c_contiguous
        assert array.flags.writeable
    kept = first.entry.copy()
    first.entry[:] = 7.0
    assert np.array_equal(renderer.entry_exit(scene, camera).entry, kept, equal_nan=True)


def test_faces_are_returned_only_on_request(renderer, mesh, camera):
    scene = renderer.upload(mesh)
    maps = renderer.entry_exit(scene, camera)
    assert not maps.has_faces
    with pytest.raises(dd.RequestError, match="attributes"):
        _ = maps.entry_face
    with_faces = renderer.entry_exit(scene, camera, attributes=("face",))
    assert same(maps, with_faces)
    assert ((with_faces.exit_face == -1) == np.isnan(with_faces.exit)).all()


def test_many_equals_a_loop_in_order(renderer, mesh):
    scene = renderer.upload(mesh)
    cameras = dd.Camera.orbit(mesh, views=7, width=40, height=30)
    cameras[3] = dd.Camera.orbit(mesh, views=1, width=33, height=57)[0]
    cameras[5] = dd.Camera.orthographic(3.0, cameras[0].camera_from_world, 25, 31)
    many = list(renderer.entry_exit_many(scene, cameras))
    assert [maps.camera for maps in many] == cameras
    assert all(
        same(maps, renderer.entry_exit(scene, c)) for maps, c in zip(many, cameras, strict=True)
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"surfaces": "any"},
        {"near": 3.0, "far": 4.5},
        {"attributes": ("face", "position")},
        {"output": "gpu"},
    ],
    ids=["plain", "any", "cropped", "attributes", "gpu"],
)
@pytest.mark.parametrize("close", [False, True], ids=["around", "some inside"])
def test_images_rendered_together_equal_a_loop(renderer, mesh, options, close):
    """Small images of several kinds, and more of one kind than are rendered together."""
    scene = renderer.upload(mesh)
    cameras = dd.Camera.orbit(mesh, views=40, width=60, height=44)
    cameras[20:20] = dd.Camera.orbit(mesh, views=3, width=44, height=60)
    pose = np.eye(4)
    pose[2, 3] = 3.0
    cameras[7:7] = [dd.Camera.orthographic(extent, pose, 60, 44) for extent in (2.0, 3.0)]
    if close:  # some faces are large or behind the camera
        for index in (3, 4, 30):
            K = [[20.0, 0, 30], [0, 20.0, 22], [0, 0, 1]]
            pose = cameras[index].camera_from_world.copy()
            pose[:3, 3] = 0.1
            cameras[index] = dd.Camera.from_intrinsics(K, pose, 60, 44)
    many = renderer.entry_exit_many(scene, iter(cameras), **options)
    for camera, maps in zip(cameras, many, strict=True):
        alone = renderer.entry_exit(scene, camera, **options)
        assert maps.camera is camera
        if "output" in options:
            maps, alone = (device.numpy() for device in (maps, alone))
        assert maps.entry.tobytes() == alone.entry.tobytes()
        assert maps.exit.tobytes() == alone.exit.tobytes()
        for name in options.get("attributes", ()):
            for one, other in zip(maps.attributes[name], alone.attributes[name], strict=True):
                assert one.tobytes() == other.tobytes()
    scene.release()


def test_an_error_in_cameras_is_raised_after_earlier_images(renderer, mesh, camera):
    scene = renderer.upload(mesh)
    alone = renderer.entry_exit(scene, camera)

    def failing():
        yield from [camera] * 3
        raise LookupError("no more cameras")

    for cameras, error in (
        ([*[camera] * 3, None, camera], dd.CameraError),
        (failing(), LookupError),
    ):
        images = renderer.entry_exit_many(scene, cameras)
        assert all(same(next(images), alone) for _ in range(3))
        with pytest.raises(error):
            next(images)
        with pytest.raises(StopIteration):
            next(images)
    scene.release()


def test_many_accepts_a_generator_and_calls_in_between(renderer, mesh, camera):
    scene, other = renderer.upload(mesh), renderer.upload(box())
    alone = renderer.entry_exit(scene, camera)
    images = renderer.entry_exit_many(scene, (camera for _ in range(4)))
    for maps in images:
        renderer.entry_exit(other, camera, attributes=("face",))
        inner = next(renderer.entry_exit_many(other, [camera, camera]))
        assert same(maps, alone)
        assert not same(inner, alone)


def test_many_without_cameras(renderer, mesh):
    assert list(renderer.entry_exit_many(renderer.upload(mesh), [])) == []


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3), (257, 3)])
def test_small_and_narrow_images(renderer, size):
    pose = np.eye(4)
    pose[2, 3] = 9.0
    maps = renderer.entry_exit(
        renderer.upload(box()), dd.Camera.orthographic((1.9, 1.9), pose, *size)
    )
    assert maps.entry.shape == size[::-1]
    assert np.allclose(maps.entry, 8.0, rtol=1e-6)
    assert np.allclose(maps.exit, 10.0, rtol=1e-6)


@pytest.mark.parametrize("tall", [False, True])
def test_largest_image_of_the_device(renderer, tall):
    limit = renderer.info.max_image_size
    size = (3, limit) if tall else (limit, 3)
    pose = np.eye(4)
    pose[2, 3] = 5.0
    maps = renderer.entry_exit(
        renderer.upload(box()), dd.Camera.orthographic((1.9, 1.9), pose, *size)
    )
    assert maps.mask.all()
    assert (maps.entry == 4.0).all()
    with pytest.raises(dd.CameraError, match=f"{limit}x{limit}"):
        renderer.entry_exit(renderer.upload(box()), dd.Camera.orthographic(1.0, pose, limit + 1, 1))


@pytest.mark.slow
def test_the_renderer_survives_an_image_that_does_not_fit(renderer, mesh, camera, monkeypatch):
    """A driver out of memory does not create an image or a buffer, and an error is pending."""
    scene = renderer.upload(mesh)
    before = renderer.entry_exit(scene, camera)
    gc.collect()  # objects of earlier tests must not be freed between the two censuses
    with renderer._context as context:
        census = gl_census()

    def incomplete(*_):
        egl.load().function("glEnable", None, ctypes.c_uint)(0xDEAD)
        raise Exception("the framebuffer is not complete")

    other_size = dd.Camera.orbit(mesh, views=1, width=65, height=48)[0]
    with monkeypatch.context() as patch:
        patch.setattr(context.gl, "framebuffer", incomplete)
        patch.setattr(context.gl, "buffer", incomplete)
        with pytest.raises(dd.DeviceMemoryError, match=r"65x48.*reduce the image size"):
            renderer.entry_exit(scene, other_size)
    assert same(renderer.entry_exit(scene, camera), before)
    with renderer._context:
        # Idle images may have been freed to make room.
        assert all(count <= census[kind] for kind, count in gl_census().items())


# Lifetimes


@pytest.mark.parametrize("engine", ENGINES)
def test_close_is_idempotent_and_final(engine, mesh, camera):
    renderer = dd.DepthRenderer(engine=engine)
    scene = renderer.upload(mesh)
    images = renderer.entry_exit_many(scene, [camera] * 5)
    next(images)
    renderer.close()
    renderer.close()
    for call in (
        lambda: renderer.entry_exit(scene, camera),
        lambda: renderer.upload(mesh),
        lambda: renderer.info,
        lambda: next(images),
        lambda: renderer.__enter__(),
    ):
        with pytest.raises(dd.ContextClosedError, match=r"closed|released"):
            call()
    scene.release()
    assert "closed" in repr(renderer)


def test_release_of_a_scene(renderer, mesh, camera):
    scene, other = renderer.upload(mesh), renderer.upload(box())
    before = renderer.entry_exit(other, camera)
    scene.release()
    scene.release()
    assert scene.is_released
    with pytest.raises(dd.ContextClosedError, match="upload the mesh again"):
        renderer.entry_exit(scene, camera)
    assert same(renderer.entry_exit(other, camera), before)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.slow
def test_all_gl_objects_are_freed(engine, camera):
    with dd.DepthRenderer(engine=engine) as renderer:

        def everything() -> dict[str, int]:
            scene = renderer.upload(box())
            renderer.entry_exit(scene, camera, attributes=("face",))
            list(renderer.entry_exit_many(scene, [camera] * 3))
            abandoned = renderer.entry_exit_many(scene, [camera] * 3)
            next(abandoned)
            del abandoned
            renderer.entry_exit(scene, camera)
            scene.release()
            renderer.entry_exit(renderer.upload(box()), camera)  # dropped without release
            gc.collect()
            with renderer._context:
                return gl_census()

        everything()
        before = everything()
        for _ in range(5):
            after = everything()
        assert after == before


@pytest.mark.parametrize("engine", ENGINES)
def test_two_renderers_interleaved(engine, mesh, camera):
    with dd.DepthRenderer(engine=engine) as one, dd.DepthRenderer(engine=engine) as two:
        scene_one, scene_two = one.upload(mesh), two.upload(box())
        expected = one.entry_exit(scene_one, camera), two.entry_exit(scene_two, camera)
        many_one = one.entry_exit_many(scene_one, [camera] * 4)
        many_two = two.entry_exit_many(scene_two, [camera] * 4)
        for maps_one, maps_two in zip(many_one, many_two, strict=True):
            assert same(maps_one, expected[0])
            assert same(maps_two, expected[1])
        with pytest.raises(dd.ContextError, match="another renderer"):
            one.entry_exit(scene_two, camera)
        one.close()
        assert same(two.entry_exit(scene_two, camera), expected[1])


@pytest.mark.parametrize("engine", ENGINES)
def test_fifty_renderers_one_after_the_other(engine, camera):
    mesh, images = box(), []
    for _ in range(50):
        with dd.DepthRenderer(engine=engine) as renderer:
            images.append(renderer.entry_exit(renderer.upload(mesh), camera))
    assert all(same(images[0], image) for image in images)


def test_a_renderer_that_was_not_closed_warns():
    renderers = [dd.DepthRenderer()]
    with pytest.warns(ResourceWarning, match="not closed"):
        renderers.clear()


def test_a_foreign_current_context_stays_current(renderer, mesh, camera):
    """Another library's EGL context in the same thread is restored after every call."""
    library = egl.load()
    display = library.display(library.devices()[renderer.info.device_index])
    theirs = library.create_context(display, ((4, 1),))
    library.make_current(display, None, None, theirs)
    scene = renderer.upload(mesh)
    renderer.entry_exit(scene, camera)
    for _ in renderer.entry_exit_many(scene, [camera] * 3):
        assert library.current_context() == theirs
    assert library.current_context() == theirs
    library.destroy_context(display, theirs)


# Threads and processes


def in_thread(call) -> BaseException | None:
    caught: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return caught[0] if caught else None


def test_another_thread_gets_a_clear_error(renderer, mesh, camera):
    scene = renderer.upload(mesh)
    for call in (
        lambda: renderer.entry_exit(scene, camera),
        lambda: renderer.upload(mesh),
        lambda: next(renderer.entry_exit_many(scene, [camera])),
        scene.release,
        renderer.close,
    ):
        error = in_thread(call)
        assert isinstance(error, dd.ContextError)
        assert "thread" in str(error)
    assert renderer.entry_exit(scene, camera).mask.any()


def test_a_renderer_in_each_thread(mesh, camera):
    results = {}

    def render(number: int) -> None:
        with dd.DepthRenderer() as renderer:
            scene = renderer.upload(mesh)
            results[number] = [renderer.entry_exit(scene, camera) for _ in range(5)]

    threads = [threading.Thread(target=render, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(same(maps, results[0][0]) for number in range(3) for maps in results[number])


def test_a_forked_child_gets_a_clear_error():
    code = """
import os
import ddepth_gl as dd
renderer = dd.DepthRenderer()
child = os.fork()
if child == 0:
    try:
        renderer.info
    except dd.ContextError as error:
        print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
renderer.close()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "spawn" in done.stdout
    assert done.returncode == 0, done.stderr


def test_exit_without_close_does_not_crash_the_interpreter():
    code = """
import ddepth_gl as dd
renderer = dd.DepthRenderer()
scene = renderer.upload(dd.Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


# Invalid arguments


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"surfaces": "both"}, dd.RequestError, "'oriented' or 'any'"),
        ({"attributes": ("normals",)}, dd.RequestError, "'normals'"),
        ({"attributes": None}, dd.RequestError, "tuple of names"),
        ({"near": -1.0}, dd.RequestError, "near"),
        ({"near": 2.0, "far": 1.0}, dd.RequestError, "near"),
        ({"near": float("nan")}, dd.RequestError, "near"),
        ({"near": "x"}, dd.RequestError, "near"),
    ],
)
def test_invalid_requests(renderer, mesh, camera, arguments, error, match):
    scene = renderer.upload(mesh)
    with pytest.raises(error, match=match) as caught:
        renderer.entry_exit(scene, camera, **arguments)
    assert "\n" not in str(caught.value)
    with pytest.raises(error, match=match):
        renderer.entry_exit_many(scene, [camera], **arguments)


def test_wrong_types_of_objects(renderer, mesh, camera):
    scene = renderer.upload(mesh)
    with pytest.raises(dd.MeshError, match="load_mesh"):
        renderer.upload("part.obj")
    with pytest.raises(dd.MeshError, match="upload"):
        renderer.entry_exit(mesh, camera)
    with pytest.raises(dd.CameraError, match="Camera"):
        renderer.entry_exit(scene, [camera])
    with pytest.raises(dd.CameraError, match="Camera"):
        next(renderer.entry_exit_many(scene, [None]))
    with pytest.raises(dd.RequestError, match="raster"):
        dd.DepthRenderer(engine="vulkan")


def test_error_tree():
    pairs = {
        dd.MeshError: ValueError,
        dd.CameraError: ValueError,
        dd.RequestError: ValueError,
        dd.OutputError: ValueError,
        dd.ContextError: RuntimeError,
        dd.ContextClosedError: dd.ContextError,
        dd.ShaderError: RuntimeError,
        dd.DeviceMemoryError: MemoryError,
    }
    for error, builtin in pairs.items():
        assert issubclass(error, dd.DDepthError)
        assert issubclass(error, builtin)


def test_many_refuses_a_single_camera(renderer, mesh, camera):
    with pytest.raises(dd.CameraError, match="pass a list"):
        renderer.entry_exit_many(renderer.upload(mesh), camera)


def test_a_stray_vertex_changes_nothing(renderer, mesh, camera):
    stray = dd.Mesh(np.concatenate([mesh.vertices, [[1e9, 0, 0]]]), mesh.faces)
    assert dd.Camera.orbit(stray, views=1)[0].center.tolist() == pytest.approx(
        dd.Camera.orbit(mesh, views=1)[0].center.tolist()
    )
    first, second = (renderer.entry_exit(renderer.upload(m), camera) for m in (mesh, stray))
    assert same(first, second)


@pytest.mark.parametrize("height", [1e-3, 1e-6, 1e-9])
def test_there_is_no_near_plane(renderer, height):
    """The floor of a room is closer to the camera than any sensible near plane."""
    room = box()
    camera = dd.Camera.look_at(
        (0, 0, height - 1), (1, 0, height - 1), fov_y_deg=60, width=64, height=48
    )
    maps = renderer.entry_exit(renderer.upload(room), camera)
    assert not np.isnan(maps.exit).any()
    # The lowest ray meets the floor at height / tan of its angle below the horizon.
    below = (camera.height / 2 - 0.5) / camera.K[1, 1]
    assert maps.exit[-1] == pytest.approx(height / below, rel=2e-6, abs=2**-29)


# double_depth


@pytest.mark.parametrize("engine", ["raster", "compute"])
def test_double_depth_takes_an_engine(mesh, camera, engine):
    assert dd.double_depth(mesh, camera, engine=engine).provenance["engine"] == engine
    with pytest.raises(dd.RequestError, match="engine must be 'auto' or 'raster' or 'compute'"):
        dd.double_depth(mesh, camera, engine="fast")


def test_double_depth(mesh, camera):
    maps = dd.double_depth(mesh, camera, attributes=("face",))
    assert maps.has_faces
    assert maps.mask.mean() > 0.1
    assert dd.double_depth(mesh).entry.shape == (512, 512)


def test_gl_errors_are_raised_once(renderer):
    """An error that OpenGL reports is raised, and then cleared."""
    with renderer._context as context:
        egl.load().function("glEnable", None, ctypes.c_uint)(0xDEAD)
        with pytest.raises(dd.ContextError, match="GL_INVALID_ENUM while testing"):
            context.check_error("testing", "nothing")
        context.check_error("testing", "nothing")


def test_no_warnings_escape(mesh, camera):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        maps = dd.double_depth(mesh, camera)
        assert maps.thickness.shape == maps.mask.shape
        maps.points()
        maps.filled(0.0)


@pytest.mark.slow
@pytest.mark.parametrize("fails", ["submit", "collect", "shade", "photo", "finish", "provenance"])
def test_a_failed_call_leaks_no_images(renderer, monkeypatch, fails):
    """When memory runs out in the middle of a call, its images return to the pool."""
    scene = renderer.upload(box())
    camera = dd.Camera.orbit(scene.mesh, views=1, width=32, height=24)[0]
    # Fewer pixels than faces: its photo is shaded from the sheets, that of the other one drawn.
    small = dd.Camera.orbit(scene.mesh, views=1, width=3, height=3)[0]

    def everything():
        maps = renderer.entry_exit(scene, camera, attributes=("face",))
        renderer.entry_exit(scene, camera, output="gpu").release()
        images = [renderer.shade(scene, each) for each in (camera, small)]
        return maps.entry.tobytes(), images[0].tobytes(), images[1].tobytes()

    before = everything()
    engine = renderer._pipeline.engine
    images = engine._pool._idle[-1]
    where = {
        "submit": (engine, "_draw_sheets" if renderer.info.engine == "raster" else "_render"),
        "collect": (type(images), "read"),
        "shade": (engine._shading, "draw"),
        "photo": (engine._photo, "draw"),
        "finish": (engine._finish, "run"),
        "provenance": (renderer._pipeline, "provenance"),
    }

    def fail(*_, **__):
        raise MemoryError("no more")

    everything()
    with no_gl_objects_left(renderer):
        for _ in range(3):
            with monkeypatch.context() as patch:
                patch.setattr(*where[fails], fail)
                with pytest.raises(MemoryError):
                    everything()
        assert everything() == before
    scene.release()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_generator_finalized_amid_the_calls_of_another_renderer(
    engine, mesh, camera, monkeypatch
):
    """Garbage collection must leave the other context current, and its framebuffer bound."""
    with dd.DepthRenderer(engine) as one, dd.DepthRenderer(engine) as other:
        scene, scene_of_other = one.upload(mesh), other.upload(mesh)
        right = other.entry_exit(scene_of_other, camera)
        abandoned = [one.entry_exit_many(scene, [camera] * 3)]
        next(abandoned[0])
        submit = other._pipeline.engine.submit

        def submit_amid_collection(*arguments):
            current = egl.load().current_context()
            abandoned.clear()
            gc.collect()
            assert egl.load().current_context() == current
            return submit(*arguments)

        monkeypatch.setattr(other._pipeline.engine, "submit", submit_amid_collection)
        assert same(other.entry_exit(scene_of_other, camera), right)


@pytest.mark.parametrize("digits", [4, 5, 6])
@pytest.mark.parametrize("orthographic", [False, True])
def test_rotations_rounded_to_a_few_digits(renderer, digits, orthographic):
    """Poses in text files are rounded. They are used as they are, for rays and for depth."""
    rng = np.random.default_rng(digits)
    # The box is seen from outside; the planes of its faces are x, y or z = -1 or 1.
    scene = renderer.upload(box())
    for _ in range(20):
        pose = np.eye(4)
        while True:  # Camera refuses a few of the rotations with four digits
            pose[:3, :3] = np.round(rotation(rng), digits)
            if np.abs(pose[:3, :3] @ pose[:3, :3].T - np.eye(3)).max() < 9e-5:
                break
        pose[:3, 3] = 0.2, -0.1, 7.0
        focal = 20.0 if orthographic else 200.0
        camera = dd.Camera(
            np.array([[focal, 0, 41], [0, focal, 43], [0, 0, 1]]), pose, 80, 90, orthographic
        )
        maps = renderer.entry_exit(scene, camera, attributes=("position",))
        centers = camera.pixel_centers()
        start = camera.unproject(centers, np.zeros(centers.shape[:2]))
        step = camera.unproject(centers, np.ones(centers.shape[:2])) - start
        with np.errstate(divide="ignore"):
            times = np.stack([(side - start) / step for side in (-1.0, 1.0)])
        near, far = np.sort(times.min(axis=0)), np.sort(times.max(axis=0))
        entry, exit_ = near[..., 2], far[..., 0]
        # Pixels near an edge are left out: either face may cover them.
        inside = (
            (exit_ - entry > 0.05) & (entry - near[..., 1] > 0.02) & (far[..., 1] - exit_ > 0.02)
        )
        assert inside.sum() > 500
        for found, true in ((maps.entry, entry), (maps.exit, exit_)):
            np.testing.assert_allclose(found[inside], true[inside], rtol=2e-6)
        true = start + entry[..., None] * step
        # Near the border of a face, the position is the nearest point of the face.
        rim = float(camera.pixel_footprint(np.array(8.5))) / 128
        np.testing.assert_allclose(maps.entry_position[inside], true[inside], atol=rim)
    scene.release()


def test_an_error_in_submitting_is_raised_after_earlier_images(renderer, mesh, camera, monkeypatch):
    scene = renderer.upload(mesh)
    submit = renderer._pipeline.engine.submit
    large = dd.Camera.orbit(mesh, views=1, width=50, height=30)[0]

    def failing(scene, cameras, request):
        if cameras[0].width == 50:
            raise dd.DeviceMemoryError("no room")
        return submit(scene, cameras, request)

    monkeypatch.setattr(renderer._pipeline.engine, "submit", failing)
    for ahead in (False, True):
        monkeypatch.setattr(
            renderer._pipeline.engine, "submits_ahead", lambda scene, camera, ahead=ahead: ahead
        )
        images = renderer.entry_exit_many(scene, [camera, camera, large, camera])
        found = [next(images), next(images)]
        assert all(same(maps, renderer.entry_exit(scene, camera)) for maps in found)
        with pytest.raises(dd.DeviceMemoryError, match="no room"):
            next(images)
    scene.release()


@pytest.mark.parametrize("name", ["collect", "submit"])
def test_memory_errors_of_numpy_are_reported(renderer, mesh, camera, monkeypatch, name):
    def out_of_memory(*arguments):
        raise MemoryError("Unable to allocate 8. TiB")

    scene = renderer.upload(mesh)
    with monkeypatch.context() as patch:
        patch.setattr(renderer._pipeline.engine, name, out_of_memory)
        calls = [
            lambda: renderer.entry_exit(scene, camera),
            lambda: next(renderer.entry_exit_many(scene, [camera])),
        ]
        for call in calls:
            with pytest.raises(
                dd.DeviceMemoryError, match=r"no memory left for the images.*8\. TiB.*reduce"
            ):
                call()
    assert renderer.entry_exit(scene, camera).mask.any()
    scene.release()


def test_scenes_are_freed_with_their_last_reference(renderer, mesh, camera):
    """Freeing must not wait for the garbage collector, which does not see GPU memory."""
    gc.collect()
    gc.disable()
    try:
        for use in (
            lambda scene: None,
            lambda scene: renderer.entry_exit(scene, camera, attributes=("normal",)),
            lambda scene: renderer.peel(scene, camera),
            lambda scene: list(renderer.entry_exit_many(scene, [camera] * 3)),
        ):
            scene = renderer.upload(mesh)
            use(scene)
            gone = weakref.ref(scene)
            del scene
            assert gone() is None
        scene = renderer.upload(mesh)
        gone = weakref.ref(scene)
        with pytest.raises(dd.CameraError) as raised:
            list(renderer.entry_exit_many(scene, [camera, None]))
        del scene, raised
        assert gone() is None
    finally:
        gc.enable()


def test_a_failed_constructor_closes_its_context(monkeypatch):
    contexts = []

    def failing(context):
        contexts.append(context)
        raise dd.ShaderError("no shaders")

    monkeypatch.setattr("ddepth_gl.pipeline.ComputeEngine", failing)
    with pytest.raises(dd.ShaderError):
        dd.DepthRenderer("compute")
    assert contexts[0].is_closed


def test_an_error_that_closing_raises_does_not_hide_the_first_one(monkeypatch):
    """As when a window, and its context, end before the renderer that borrowed it."""

    def fail(self):
        raise dd.ContextError("the context is not current")

    renderer = dd.DepthRenderer()
    with monkeypatch.context() as patch:
        patch.setattr(dd.DepthRenderer, "close", fail)
        with pytest.raises(ValueError, match=r"^mine$"), renderer:
            raise ValueError("mine")
        with pytest.raises(dd.ContextError), renderer:
            pass
    renderer.close()


def test_a_renderer_that_is_dropped_is_closed_before_the_warning():
    renderer = dd.DepthRenderer()
    context = renderer._context
    with pytest.warns(ResourceWarning, match="was not closed"):  # noqa: PT031
        del renderer
        gc.collect()
    assert context.is_closed
