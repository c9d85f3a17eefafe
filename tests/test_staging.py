"""Reading through staging buffers, as on GPUs: the same bits as from mapped ones, and lifetime."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from conftest import ENGINES, no_gl_objects_left
from shapes import box, grid_faces, inside_out, random_closed_mesh

import ddepth_gl as dd
from ddepth_gl.engines.compute import sorting
from ddepth_gl.gl import staging as staging_module
from ddepth_gl.gl.context import GLContext

MESH = random_closed_mesh(np.random.default_rng(8), bodies=4)
CAMERAS = [
    *dd.Camera.orbit(MESH, views=3, width=61, height=47, seed=4),
    dd.Camera.look_at(MESH.bounds.mean(axis=0), MESH.bounds[1], width=50, height=70),
    dd.Camera.orthographic((3, 3), dd.Camera.orbit(MESH, views=1)[0].camera_from_world, 64, 64),
]


def staged(context: GLContext) -> Any:
    if not context.staging.is_possible:
        pytest.skip("the driver has no staging buffers (OpenGL 4.4 or GL_ARB_buffer_storage)")
    return context.staging


@pytest.fixture
def context() -> Iterator[GLContext]:
    context = GLContext()
    with context:
        staged(context).is_used = True
        yield context
        assert context.gl.error == "GL_NO_ERROR"
    context.release()


def test_software_maps_its_buffers_and_gpus_stage_them():
    with dd.DepthRenderer() as renderer:
        staging = renderer._context.staging
        assert staging.is_used == (staging.is_possible and not renderer.info.is_software)


def test_elements_of_a_buffer(context):
    buffer = context.gl.buffer(np.arange(6, dtype=np.uint32))
    with context.staging.reading(buffer, np.uint32, 3, 2) as numbers:
        assert numbers.tolist() == [2, 3, 4]
        with pytest.raises(ValueError, match="read-only"):
            numbers[0] = 1
    with context.staging.writing(buffer, np.uint32, 2) as numbers:
        numbers[:] = 7, 8
    with context.staging.updating(buffer, np.uint32, 3) as (numbers, changed):
        changed[:] = numbers + 1
    with context.staging.reading(buffer, np.uint32, 6) as numbers:
        assert numbers.tolist() == [8, 9, 3, 3, 4, 5]
    with context.staging.reading(buffer, np.uint32, 0) as numbers:
        assert len(numbers) == 0
    buffer.release()


@pytest.mark.parametrize("limit", [1 << 26, 1 << 12], ids=["staged", "an ordinary array"])
def test_large_contents(context, monkeypatch, limit):
    """The staging buffer grows; what is larger than its limit is read without it."""
    monkeypatch.setattr(staging_module, "_FIRST_SHARED_BYTES", 1 << 10)
    monkeypatch.setattr(staging_module, "_MAX_SHARED_BYTES", limit)
    content = np.random.default_rng(1).integers(0, 1 << 32, 5001, np.uint32)
    buffer = context.gl.buffer(content)
    for count, first in ((3, 9), (300, 17), (4001, 1000), (2, 0)):
        with context.staging.reading(buffer, np.uint32, count, first) as found:
            np.testing.assert_array_equal(found, content[first : first + count])
    buffer.release()


def test_copies_are_made_when_they_are_ordered(context):
    """What is written to a buffer later is not in the copy, also if nobody has waited for it."""
    copies = context.staging.new_buffer(20)
    buffers = [context.gl.buffer(np.arange(first, first + 4, dtype=np.uint32)) for first in (0, 9)]
    copies.start_copying((buffers[0], 4, 12), (buffers[1], 0, 8))
    for buffer in buffers:
        buffer.write(bytes(16))
    for _ in range(2):
        assert copies.wait().view(np.uint32).tolist() == [1, 2, 3, 9, 10]
    copies.start_copying((buffers[1], 0, 16))
    copies.start_copying((buffers[0], 0, 8))  # the first order is forgotten
    assert copies.wait()[:16].view(np.uint32).tolist() == [0, 0, 0, 0]
    for each in (copies, copies, *buffers):
        each.release()


def test_errors(context, monkeypatch):
    functions = {**context.staging._staging_functions, "glMapBufferRange": lambda *_: None}
    with pytest.raises(dd.DeviceMemoryError, match=r"1,000 bytes.*reduce the image size"):
        staging_module.StagingBuffer(context.gl, functions, 1000)
    copies = context.staging.new_buffer(4)
    buffer = context.gl.buffer(bytes(4))
    answers = [staging_module._WAIT_FAILED, staging_module._TIMEOUT_EXPIRED]
    monkeypatch.setitem(copies._call, "glClientWaitSync", lambda *_: answers.pop())
    copies.start_copying((buffer, 0, 4))
    with pytest.raises(dd.ContextError, match=r"cannot wait .*GL_NO_ERROR.*render the image again"):
        copies.wait()
    assert not answers  # it has waited twice
    buffer.release()
    copies.release()


def results(renderer: dd.DepthRenderer) -> list[bytes]:
    """Return the bytes of every kind of result."""
    scene = renderer.upload(MESH)
    arrays: list[Any] = []
    for options in (
        {},
        {"surfaces": "any"},
        {"surfaces": "oriented", "near": 5.5, "far": 7.0},
        {"attributes": ("face", "normal", "barycentric")},
    ):
        for maps in renderer.entry_exit_many(scene, CAMERAS, **options):
            arrays += [maps.entry, maps.exit]
            arrays += [array for pair in maps.attributes.values() for array in pair]
    for maps in renderer.entry_exit_many(scene, CAMERAS, output="gpu"):
        arrays += [maps.numpy().entry, maps.exit.numpy()]
        maps.release()
    for layers in (
        renderer.peel(scene, CAMERAS[0], attributes=("normal",)),
        renderer.peel(scene, CAMERAS[1], max_layers=2),
    ):
        arrays += [layers.depth, layers.face, layers.front_facing, layers.offsets]
        arrays += list(layers.attributes.values())
    frame = renderer.render(scene, CAMERAS[0], layers=True, attributes=("face",))
    arrays += [frame.image, frame.maps.entry, frame.maps.exit_face, frame.layers.depth]
    arrays += [renderer.shade(scene, CAMERAS[1], samples=3)]
    scene.release()
    assert all(array.flags.owndata or array.base is not None for array in arrays)
    return [array.tobytes() for array in arrays]


def test_the_same_bits_as_from_mapped_buffers(renderer, monkeypatch):
    staging = staged(renderer._context)
    found = []
    for is_used in (False, True):
        monkeypatch.setattr(staging, "is_used", is_used)
        found.append(results(renderer))
    assert found[0] == found[1]


@pytest.mark.parametrize("is_used", [False, True])
def test_pixels_with_more_crossings_than_the_device_sorts(monkeypatch, is_used):
    with dd.DepthRenderer("compute") as renderer:
        monkeypatch.setattr(staged(renderer._context), "is_used", is_used)
        scene = renderer.upload(MESH)
        wanted = renderer.peel(scene, CAMERAS[0])
        monkeypatch.setattr(sorting, "_INSERTION_LIMIT", 1)
        monkeypatch.setattr(sorting, "_SORT_LIMIT", 2)
        found = renderer.peel(scene, CAMERAS[0])
        assert wanted.count.max() > 2
        assert found.depth.tobytes() == wanted.depth.tobytes()
        assert found.face.tobytes() == wanted.face.tobytes()


@pytest.mark.parametrize("limit", [8 * 61 * 20, 8 * 61 * 47 * 16])
def test_images_in_bands(monkeypatch, limit):
    """An image that no buffer holds is read band by band; several images that fit, at once."""
    with dd.DepthRenderer("compute") as renderer:
        monkeypatch.setattr(staged(renderer._context), "is_used", True)
        scene = renderer.upload(MESH)
        for options in ({}, {"attributes": ("face",)}):
            wanted = [renderer.entry_exit(scene, each, **options) for each in CAMERAS[:3]]
            with monkeypatch.context() as patch:
                patch.setattr(renderer._context, "max_storage_block", limit)
                found = list(renderer.entry_exit_many(scene, CAMERAS[:3], **options))
            for one, other in zip(wanted, found, strict=True):
                assert one.entry.tobytes() == other.entry.tobytes()
                assert one.exit.tobytes() == other.exit.tobytes()
                if options:
                    assert one.exit_face.tobytes() == other.exit_face.tobytes()


def test_results_belong_to_the_caller(renderer, monkeypatch):
    """Later images are copied to the same staging buffer, not to earlier results."""
    monkeypatch.setattr(staged(renderer._context), "is_used", True)
    scene = renderer.upload(MESH)
    first = renderer.entry_exit(scene, CAMERAS[0])
    before = first.entry.tobytes()
    assert first.entry.flags.owndata
    assert first.entry.flags.writeable
    assert renderer.entry_exit(scene, CAMERAS[1]).entry.tobytes() != before
    assert first.entry.tobytes() == before
    scene.release()


def test_nothing_is_left(renderer, monkeypatch):
    """Also of images that were submitted but never collected."""
    monkeypatch.setattr(staged(renderer._context), "is_used", True)
    monkeypatch.setattr(type(renderer._pipeline.engine), "submits_ahead", lambda *_: True)
    scene = renderer.upload(box())

    def everything() -> None:
        for options in ({}, {"attributes": ("face",)}):
            renderer.entry_exit(scene, CAMERAS[0], **options)
            many = renderer.entry_exit_many(scene, CAMERAS[:1] * 40, **options)
            next(many)
            many.close()
        renderer.peel(scene, CAMERAS[0])

    everything()
    renderer._pipeline._trim()
    everything()
    with no_gl_objects_left(renderer):
        everything()
    scene.release()


def test_a_renderer_closed_while_images_are_in_flight(monkeypatch):
    for engine in ENGINES:
        with dd.DepthRenderer(engine) as renderer:
            monkeypatch.setattr(staged(renderer._context), "is_used", True)
            many = renderer.entry_exit_many(renderer.upload(box()), CAMERAS[:1] * 40)
            maps = next(many)
        with pytest.raises(dd.ContextClosedError):
            list(many)
        assert maps.mask.any()


@pytest.mark.parametrize("engine", ENGINES)
def test_bodies_that_are_inside_out_are_found_before_silhouettes_are_fixed(engine, monkeypatch):
    """The image that tells whether a photo can be drawn is read as it was rendered."""
    with dd.DepthRenderer(engine) as renderer:
        staging = staged(renderer._context)
        # A prism over two triangles that meet in a point; the smaller one is inside out.
        outline = np.array([[-1.0, -1.0], [-1.0, 1.0], [2.0, -2.0], [2.0, 2.0]])
        vertices = [[x, y, z] for z in (-1.0, 1.0) for x, y in outline]
        ends = [[0, 1, 2], [0, 2, 3], [4, 6, 5], [4, 7, 6]]
        mesh = dd.Mesh(vertices, np.concatenate([grid_faces(2, 4), ends]))
        if mesh.volume < 0:
            mesh = inside_out(mesh)
        cameras = dd.Camera.orbit(mesh, views=4, width=330, height=300, seed=3)
        scene = renderer.upload(mesh)
        pipeline_engine = renderer._pipeline.engine
        answers = []
        for is_used in (False, True):
            monkeypatch.setattr(staging, "is_used", is_used)
            for camera in cameras:
                pipeline_engine._last_inside_out = (lambda: None, None, False)
                with renderer._context:
                    answers.append(pipeline_engine._is_inside_out(scene, camera))
        assert answers[:4] == answers[4:]
        assert any(answers)
