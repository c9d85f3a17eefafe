"""Frames: the same bits as separate calls, passes shared, meshes uploaded and freed in turn."""

from __future__ import annotations

import gc
import itertools
import weakref

import numpy as np
import pytest
from conftest import no_gl_objects_left
from shapes import box, merged, random_closed_mesh, sphere, torus

import ddepth_gl as dd
from ddepth_gl.mesh.bodies import find_bodies

ATTRIBUTES = ("face", "normal", "color")


@pytest.fixture(scope="module")
def mesh():
    return merged(torus(steps=24, sides=12), box((-0.2, -0.2, -1), (0.2, 0.2, 1)))


def cameras_of(mesh, count=3, width=40, height=30):
    return dd.Camera.orbit(mesh, views=count, width=width, height=height, seed=3)


def assert_same_maps(found, expected):
    np.testing.assert_array_equal(found.entry, expected.entry)
    np.testing.assert_array_equal(found.exit, expected.exit)
    assert list(found.attributes) == list(expected.attributes)
    for name, pair in expected.attributes.items():
        for one, other in zip(found.attributes[name], pair, strict=True):
            np.testing.assert_array_equal(one, other)
    assert found.provenance == expected.provenance


def assert_same_layers(found, expected):
    for name in ("offsets", "depth", "face", "front_facing", "truncated"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert list(found.attributes) == list(expected.attributes)
    for name, values in expected.attributes.items():
        np.testing.assert_array_equal(found.attributes[name], values)
    assert found.is_oriented == expected.is_oriented
    assert found.is_complete == expected.is_complete


@pytest.mark.parametrize(
    ("image", "maps", "layers"),
    [flags for flags in itertools.product((False, True), repeat=3) if any(flags)],
)
@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("surfaces", ["oriented", "any"])
def test_a_frame_is_the_same_bits_as_separate_calls(
    renderer, mesh, image, maps, layers, samples, surfaces
):
    scene = renderer.upload(mesh)
    camera = cameras_of(mesh)[1]
    asked = {"image": image, "maps": maps, "layers": layers, "surfaces": surfaces}
    if maps:
        asked["attributes"] = ATTRIBUTES
    if layers:
        asked |= {"layer_attributes": ("normal",), "max_layers": 3}
    if image:
        asked["samples"] = samples
    frame = renderer.render(scene, camera, **asked)
    assert frame.camera is camera
    assert (frame.image is not None, frame.maps is not None, frame.layers is not None) == (
        image,
        maps,
        layers,
    )
    if image:
        expected = renderer.shade(scene, camera, samples=samples, surfaces=surfaces)
        np.testing.assert_array_equal(frame.image, expected)
        assert (frame.image[..., 3] > 0).any()
    if maps:
        assert_same_maps(
            frame.maps,
            renderer.entry_exit(scene, camera, surfaces=surfaces, attributes=ATTRIBUTES),
        )
    if layers:
        assert_same_layers(
            frame.layers, renderer.peel(scene, camera, max_layers=3, attributes=("normal",))
        )
    scene.release()


def test_near_and_far_crop_every_part(renderer, mesh):
    scene = renderer.upload(mesh)
    camera = cameras_of(mesh)[0]
    crop = {"near": 3.0, "far": 4.0}
    frame = renderer.render(scene, camera, layers=True, **crop)
    assert_same_maps(frame.maps, renderer.entry_exit(scene, camera, **crop))
    assert_same_layers(frame.layers, renderer.peel(scene, camera, **crop))
    np.testing.assert_array_equal(frame.image, renderer.shade(scene, camera, **crop))
    assert not frame.layers.is_complete
    scene.release()


@pytest.mark.parametrize("seed", range(4))
def test_orthographic_cameras_and_cameras_inside(renderer, seed):
    rng = np.random.default_rng(seed)
    mesh = random_closed_mesh(rng, bodies=2)
    low, high = mesh.bounds
    inside = dd.Camera.look_at((low + high) / 2 + 0.01, high + 1.0, width=33, height=21)
    pose = dd.Camera.orbit(mesh, views=1)[0].camera_from_world
    flat = dd.Camera.orthographic(float(np.ptp(mesh.bounds)), pose, 25, 31)
    scene = renderer.upload(mesh)
    for camera in (inside, flat):
        frame = renderer.render(scene, camera, layers=True)
        assert_same_maps(frame.maps, renderer.entry_exit(scene, camera))
        assert_same_layers(frame.layers, renderer.peel(scene, camera))
        np.testing.assert_array_equal(frame.image, renderer.shade(scene, camera))
    scene.release()


def test_passes_are_shared(renderer, mesh, monkeypatch):
    """Image and maps draw the sheets once; on `compute`, layers queue no faces again."""
    engine, calls = renderer._pipeline.engine, []

    def counted(owner, name):
        inner = getattr(owner, name)
        monkeypatch.setattr(
            owner, name, lambda *given, **named: calls.append(name) or inner(*given, **named)
        )

    is_compute = renderer.info.engine == "compute"
    counted(*((engine._passes, "_queue_faces") if is_compute else (engine, "_draw_sheets")))
    scene = renderer.upload(mesh)
    first, second, _ = cameras_of(mesh)
    renderer.render(scene, first, layers=is_compute, attributes=ATTRIBUTES)
    assert len(calls) == 1
    renderer.render(scene, second)
    assert len(calls) == 2
    scene.release()


def test_queues_are_not_shared_between_different_images(mesh):
    """The queues of another scene, camera, crop or band must not be taken for those of this one."""
    other = sphere(0.8, 12, 24)
    first, second, _ = cameras_of(mesh)
    with dd.DepthRenderer("compute") as renderer:
        scenes = renderer.upload(mesh), renderer.upload(other)
        order = [
            (scene, camera, crop)
            for scene in scenes
            for camera in (first, second)
            for crop in ({}, {"near": 3.5})
        ]
        found = {}
        rng = np.random.default_rng(5)
        for index in rng.permutation(np.repeat(np.arange(len(order)), 3)):
            scene, camera, crop = order[index]
            maps = renderer.entry_exit(scene, camera, **crop)
            layers = renderer.peel(scene, camera, **crop)
            bits = maps.entry.tobytes() + maps.exit.tobytes() + layers.depth.tobytes()
            assert found.setdefault(index, bits) == bits
        assert len(set(found.values())) == len(order)


def test_many_cameras_of_a_scene(renderer, mesh):
    scene = renderer.upload(mesh)
    cameras = cameras_of(mesh, 5)
    asked = {"layers": True, "attributes": ("face",), "samples": 2}
    frames = list(renderer.render_many(scene, iter(cameras), **asked))
    assert [frame.camera for frame in frames] == cameras
    for frame, camera in zip(frames, cameras, strict=True):
        expected = renderer.render(scene, camera, **asked)
        np.testing.assert_array_equal(frame.image, expected.image)
        assert_same_maps(frame.maps, expected.maps)
        assert_same_layers(frame.layers, expected.layers)
    assert not scene.is_released
    for layers, camera in zip(renderer.peel_many(scene, cameras), cameras, strict=True):
        assert_same_layers(layers, renderer.peel(scene, camera))
    images = list(renderer.shade_many(scene, cameras, samples=2))
    for image, camera in zip(images, cameras, strict=True):
        np.testing.assert_array_equal(image, renderer.shade(scene, camera, samples=2))
    scene.release()


def test_maps_alone_are_pipelined(renderer, mesh):
    scene = renderer.upload(mesh)
    cameras = cameras_of(mesh, 20)
    frames = renderer.render_many(scene, cameras, image=False, attributes=("face",))
    for frame, camera in zip(frames, cameras, strict=True):
        assert frame.camera is camera
        assert frame.image is None
        assert frame.layers is None
        assert_same_maps(frame.maps, renderer.entry_exit(scene, camera, attributes=("face",)))
    scene.release()


def test_pairs_of_meshes_and_cameras(renderer, mesh, monkeypatch):
    """Each mesh goes up once, is freed after its last frame, and never more than two are there."""
    meshes = [mesh, sphere(0.7, 12, 24), box()]
    pairs = [(each, camera) for each in meshes for camera in cameras_of(each, 2)]
    uploaded, alive = [], []
    upload = renderer.upload

    def counted(mesh):
        scene = upload(mesh)
        uploaded.append(scene)
        alive.append(sum(not each.is_released for each in uploaded))
        return scene

    expected = []
    for each, camera in pairs:
        scene = renderer.upload(each)
        expected.append(renderer.render(scene, camera, layers=True))
        scene.release()
    with no_gl_objects_left(renderer):
        monkeypatch.setattr(renderer, "upload", counted)
        released = []
        for frame, one in zip(
            renderer.render_many(iter(pairs), layers=True), expected, strict=True
        ):
            released.append([scene.is_released for scene in uploaded])
            np.testing.assert_array_equal(frame.image, one.image)
            np.testing.assert_array_equal(frame.maps.entry, one.maps.entry)
            np.testing.assert_array_equal(frame.layers.depth, one.layers.depth)
        assert [scene.mesh for scene in uploaded] == meshes
        assert max(alive) == 2
        assert all(scene.is_released for scene in uploaded)
        # While a frame is with the caller, the next mesh is there and the last one is gone.
        assert released[1] == [True, False]
        del frame


@pytest.mark.parametrize(("surfaces", "found"), [("auto", True), ("oriented", False)])
def test_the_bodies_of_the_next_mesh_are_found_ahead(renderer, surfaces, found):
    meshes = [box(), sphere()]
    camera = dd.Camera.look_at((4, 3, 2), (0, 0, 0), width=8, height=8)
    pairs = [(mesh, camera) for mesh in meshes]
    frames = renderer.render_many(pairs, image=False, surfaces=surfaces)
    next(frames)
    assert (meshes[1]._bodies is not None) is found
    frames.close()


def test_a_lack_of_memory_for_bodies_is_an_error_of_their_frame(renderer, monkeypatch):
    camera = dd.Camera.look_at((4, 3, 2), (0, 0, 0), width=8, height=8)
    frames = renderer.render_many([(box(), camera), (sphere(), camera)], image=False)

    def no_memory(vertices, faces, alpha_cutoff):
        if len(faces) > 12:
            raise MemoryError
        return find_bodies(vertices, faces, alpha_cutoff)

    monkeypatch.setattr("ddepth_gl.mesh.mesh.find_bodies", no_memory)
    assert next(frames).maps.mask.any()
    with pytest.raises(dd.DeviceMemoryError):
        next(frames)


def test_scenes_in_pairs_stay(renderer, mesh):
    scene, ball = renderer.upload(mesh), sphere(0.7, 12, 24)
    camera = cameras_of(mesh)[0]
    frames = list(renderer.render_many([(scene, camera), (ball, camera), (scene, camera)]))
    assert not scene.is_released
    np.testing.assert_array_equal(frames[0].image, frames[2].image)
    assert (frames[1].image != frames[0].image).any()
    scene.release()


@pytest.mark.slow
def test_an_error_comes_after_the_frames_before_it(renderer, mesh):
    camera = cameras_of(mesh)[0]

    def pairs():
        yield mesh, camera
        yield mesh, camera
        raise ValueError("the file is gone")

    frames = renderer.render_many(pairs())
    with no_gl_objects_left(renderer):
        next(frames)
        next(frames)
        with pytest.raises(ValueError, match="the file is gone"):
            next(frames)
        with pytest.raises(StopIteration):
            next(frames)
        gc.collect()
    assert renderer.render_many([]) is not None
    assert list(renderer.render_many([])) == []


@pytest.mark.slow
def test_a_generator_that_is_given_up_frees_its_mesh(renderer, mesh):
    camera = cameras_of(mesh)[0]
    with no_gl_objects_left(renderer):
        frames = renderer.render_many((each, camera) for each in (mesh, box(), mesh))
        next(frames)
        frames.close()
        del frames
        gc.collect()


def test_a_failed_frame_leaks_nothing(renderer, mesh, monkeypatch):
    scene = renderer.upload(mesh)
    camera = cameras_of(mesh)[0]
    renderer.render(scene, camera, layers=True)

    def fail(*_, **__):
        raise MemoryError("no more")

    engine = renderer._pipeline.engine
    with no_gl_objects_left(renderer):
        targets = type(engine._pool._idle[-1])
        for owner, name in ((engine, "peel"), (engine._shading, "draw"), (targets, "read")):
            with monkeypatch.context() as patch:
                patch.setattr(owner, name, fail)
                with pytest.raises(dd.DeviceMemoryError, match="no more"):
                    renderer.render(scene, camera, layers=True)
        renderer.render(scene, camera, layers=True)
    scene.release()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"image": False, "maps": False}, "nothing is requested"),
        ({"image": 1}, "image must be True or False, not 1"),
        ({"image": False, "samples": 2}, "samples= has no effect without image=True"),
        ({"maps": False, "attributes": ("face",)}, "attributes= has no effect without maps=True"),
        ({"layer_attributes": ("normal",)}, "layer_attributes= has no effect without layers=True"),
        ({"max_layers": 4}, "max_layers= has no effect without layers=True"),
        ({"memory_limit": 10**9}, "memory_limit= has no effect without layers=True"),
        ({"layers": True, "max_layers": 0}, "max_layers must be an integer"),
        ({"samples": 129}, "samples must be an integer"),
        ({"surfaces": "both"}, "'oriented' or 'any'"),
        ({"layers": True, "layer_attributes": ("colors",)}, "'colors'"),
        ({"near": 2.0, "far": 1.0}, "near"),
    ],
)
def test_requests_that_cannot_be_served(renderer, mesh, arguments, match):
    scene = renderer.upload(mesh)
    camera = cameras_of(mesh)[0]
    for call in (
        lambda: renderer.render(scene, camera, **arguments),
        lambda: renderer.render_many(scene, [camera], **arguments),  # at once, not at the first
    ):
        with pytest.raises(dd.RequestError, match=match) as caught:
            call()
        assert "\n" not in str(caught.value)
    scene.release()


def test_sources_that_are_no_pairs(renderer, mesh):
    scene = renderer.upload(mesh)
    camera = cameras_of(mesh)[0]
    with pytest.raises(dd.RequestError, match="needs the cameras of the scene"):
        renderer.render_many(scene)
    with pytest.raises(dd.RequestError, match="takes an iterable of pairs"):
        renderer.render_many(5)
    with pytest.raises(dd.CameraError, match="cameras must be an iterable"):
        renderer.render_many(scene, 5)
    with pytest.raises(dd.MeshError, match="must be a Scene from upload"):
        renderer.render_many(mesh, [camera])
    for pair in ((mesh,), (camera, mesh), [mesh, camera], mesh, ("a.obj", camera)):
        with pytest.raises(dd.RequestError, match=r"pairs must be \(Mesh or Scene, Camera\), not"):
            next(renderer.render_many([pair]))
    with pytest.raises(dd.CameraError):
        next(renderer.render_many(scene, [None]))
    scene.release()
    with pytest.raises(dd.ContextClosedError):
        renderer.render(scene, camera)
    with dd.DepthRenderer() as other:
        foreign = other.upload(mesh)
        with pytest.raises(dd.ContextError, match="another renderer"):
            renderer.render(foreign, camera)


def test_a_frame_shows_what_it_has(renderer, mesh):
    scene = renderer.upload(mesh)
    camera = cameras_of(mesh)[0]
    assert repr(renderer.render(scene, camera)) == "<Frame 40x30, image, maps>"
    assert repr(renderer.render(scene, camera, maps=False, layers=True)).endswith("layers>")
    scene.release()


def test_an_error_of_the_pairs_keeps_nothing_alive(renderer, mesh):
    camera = cameras_of(mesh)[0]
    scene = renderer.upload(mesh)
    alive = weakref.ref(scene)

    def pairs(scene):
        yield scene, camera
        raise ValueError("the file is gone")

    gc.collect()
    gc.disable()
    try:
        with pytest.raises(ValueError, match="the file is gone"):
            list(renderer.render_many(pairs(scene)))
        del scene
        assert alive() is None
    finally:
        gc.enable()


def test_frames_of_results_of_other_sizes(renderer, mesh):
    small, large = cameras_of(mesh)[0], cameras_of(mesh, width=50)[0]
    scene = renderer.upload(mesh)
    frame = renderer.render(scene, small, layers=True)
    for name in ("maps", "layers"):
        with pytest.raises(
            dd.RequestError, match=f"{name} must be of a 50x30 image, not of a 40x30"
        ):
            dd.Frame(large, **{name: getattr(frame, name)})
    scene.release()
