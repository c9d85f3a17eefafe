"""Features of the engine `compute`: parts of meshes, bands of rows, queues by size, limits."""

from __future__ import annotations

import numpy as np
import pytest
from shapes import box, merged, random_camera, random_closed_mesh, rotation, torus

import ddepth_gl as dd
from ddepth_gl.engines.compute import layers as compute_layers
from ddepth_gl.engines.compute import passes as compute_passes
from ddepth_gl.engines.compute import programs as compute_programs
from ddepth_gl.engines.compute import targets as compute_targets
from ddepth_gl.engines.compute import tiles as compute_tiles
from ddepth_gl.engines.compute.camera_block import packed_cameras
from ddepth_gl.engines.compute.face_size import max_face_sizes
from ddepth_gl.engines.request import SheetRequest
from ddepth_gl.gl.context import GLContext
from ddepth_gl.gl.devices import devices

SHEETS = ("entry", "exit", "entry_face", "exit_face")


@pytest.fixture(scope="module")
def mesh():
    """Return bodies of many small faces inside a room of twelve large ones."""
    rng = np.random.default_rng(2)
    return merged(random_closed_mesh(rng, bodies=3), box((-9, -8, -7), (7, 9, 8)))


@pytest.fixture(scope="module")
def cameras(mesh):
    rng = np.random.default_rng(4)
    pose = np.eye(4)
    pose[:3, :3] = rotation(rng)
    inside = dd.Camera.from_intrinsics([[50.0, 3, 61.5], [0, 55, 43], [0, 0, 1]], pose, 120, 90)
    return [inside, random_camera(rng, mesh, False), random_camera(rng, mesh, True)]


def everything(renderer, mesh, cameras, **arguments) -> list[bytes]:
    """Return the bytes of both sheets and all layers, for every camera."""
    scene = renderer.upload(mesh)
    arrays = []
    for camera in cameras:
        maps = renderer.entry_exit(scene, camera, attributes=("face",))
        arrays += [getattr(maps, name).tobytes() for name in SHEETS]
        layers = renderer.peel(scene, camera, **arguments)
        arrays += [layers.offsets.tobytes(), layers.depth.tobytes(), layers.face.tobytes()]
        assert len(layers.depth) or camera.width < 10  # otherwise nothing would be compared
    scene.release()
    return arrays


def record_queued_faces(renderer, monkeypatch) -> list[compute_passes.QueuedFaces]:
    """Return a list that receives what the renderer queues from now on."""
    passes, queued = renderer._pipeline.engine._passes, []
    queue_faces = passes.queue_faces

    def recording(*arguments):
        queued.append(queue_faces(*arguments))
        return queued[-1]

    monkeypatch.setattr(passes, "queue_faces", recording)
    return queued


@pytest.mark.parametrize("surfaces", ["oriented", "any", "auto"])
@pytest.mark.parametrize("doubled", [False, True])
def test_faces_found_with_the_depths_are_those_found_afterward(
    mesh, cameras, surfaces, doubled, monkeypatch
):
    """Also if their invocations have overtaken each other; coincident faces are always decided."""
    if doubled:  # every face twice, and some of them a third time, the other way round
        faces = np.concatenate([mesh.faces, mesh.faces, mesh.faces[::3, ::-1]])
        mesh = dd.Mesh(mesh.vertices, faces)
    with dd.DepthRenderer("compute") as renderer:
        if not renderer.info.is_software:
            pytest.skip("a GPU always finds the faces afterward")
        scene = renderer.upload(mesh)
        for camera in cameras:

            def sheets(camera=camera):
                maps = renderer.entry_exit(scene, camera, surfaces=surfaces, attributes=("face",))
                return [getattr(maps, name).tobytes() for name in SHEETS]

            passes: list[int] = []
            with monkeypatch.context() as patch:
                run = renderer._pipeline.engine._passes.run

                def record(number, *arguments, run=run, passes=passes):
                    passes.append(number)
                    run(number, *arguments)

                patch.setattr(renderer._pipeline.engine._passes, "run", record)
                found = sheets()
                assert passes[0] == compute_passes.BOTH
                # Coincident small faces are ties, which the pass cannot decide.
                if doubled and surfaces == "any":
                    assert passes == [compute_passes.BOTH, compute_passes.FACES]
                passes.clear()
                patch.setattr(compute_targets.SheetTargets, "are_faces_in_doubt", lambda _: True)
                assert sheets() == found
                assert passes == [compute_passes.BOTH, compute_passes.FACES]
                passes.clear()
                patch.setattr(renderer._context, "is_software", False)
                assert sheets() == found
                assert passes == [compute_passes.SHEETS, compute_passes.FACES]


@pytest.fixture
def face_targets():
    with dd.DepthRenderer("compute") as renderer, renderer._context as context:
        targets = compute_targets.SheetTargets(context, (4, 3), True, 1)
        yield targets
        targets.release()


def test_which_faces_are_in_doubt(face_targets):
    """An overtaken face is wrong if it is still there after the pass."""
    targets = face_targets
    entry, exit_ = 5, 12 + 7  # of 4x3 pixels, exits after entries
    targets.faces.write(np.arange(100, 124, dtype=np.uint32))

    def is_in_doubt(flag, *overtaken, count=None):
        words = [flag, len(overtaken) if count is None else count, *np.ravel(overtaken)]
        targets.doubts.write(np.array(words, np.uint32))
        return targets.are_faces_in_doubt()

    assert not is_in_doubt(0)
    assert is_in_doubt(1)
    assert not is_in_doubt(0, (entry, 90))
    assert not is_in_doubt(0, (entry, 90), (exit_, 105), (entry, 119))
    assert is_in_doubt(0, (entry, 90), (exit_, 119))
    assert is_in_doubt(0, (entry, 105))
    assert is_in_doubt(1, (entry, 90))
    assert not is_in_doubt(0, *[(entry, 90)] * 1023)
    assert is_in_doubt(0, *[(entry, 90)] * 1023, count=1024)  # one was not stored
    targets.clear(targets.first_band, 1)
    assert not targets.are_faces_in_doubt()


@pytest.mark.slow
@pytest.mark.parametrize("limit", [2000, 6000, 20_000])
def test_meshes_and_images_beyond_the_largest_buffer(mesh, cameras, limit, monkeypatch):
    """The bits are the same in parts of the mesh, with separate vertices, and in bands of rows."""
    with dd.DepthRenderer("compute") as renderer:
        whole = everything(renderer, mesh, cameras)
        with monkeypatch.context() as patch:
            patch.setattr(renderer._context, "max_storage_block", limit)
            assert everything(renderer, mesh, cameras) == whole
        assert everything(renderer, mesh, cameras) == whole


def test_layers_in_bands_where_the_memory_limit_asks_for_it(mesh, cameras):
    with dd.DepthRenderer("compute") as renderer:
        scene = renderer.upload(merged(*[mesh] * 4))
        whole = renderer.peel(scene, cameras[0], max_layers=1)
        limit = 21 * len(whole.depth)
        assert 8 * len(renderer.peel(scene, cameras[0]).depth) > limit
        banded = renderer.peel(scene, cameras[0], max_layers=1, memory_limit=limit)
        assert banded.depth.tobytes() == whole.depth.tobytes()
        assert banded.face.tobytes() == whole.face.tobytes()


def test_a_row_of_crossings_beyond_the_largest_buffer_is_a_clear_error(mesh, cameras, monkeypatch):
    with dd.DepthRenderer("compute") as renderer:
        monkeypatch.setattr(renderer._context, "max_storage_block", 900)
        scene = renderer.upload(mesh)
        with pytest.raises(dd.DeviceMemoryError, match="a row of 120 pixels"):
            renderer.peel(scene, cameras[0])


def test_every_way_to_rasterize_a_face_yields_the_same_pixels(mesh, cameras, monkeypatch):
    """One invocation in 32 bits, many in double precision, or tiles."""
    results = []
    for small, medium, tiled in (
        (1, 2, 0),
        (1, 256, 0),
        (1, 256, 1),
        (16, 16, 0),
        (16, 256, 1),
        (63, 256, 0),
    ):
        monkeypatch.setattr(compute_passes, "_MAX_SMALL_FACE", small)
        monkeypatch.setattr(compute_passes, "_MAX_MEDIUM_FACE", medium)
        with dd.DepthRenderer("compute") as renderer:
            if not tiled:
                monkeypatch.setattr(renderer._pipeline.engine._passes, "_tiles", None)
            results.append(everything(renderer, mesh, cameras))
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("orthographic", [False, True])
def test_shortcuts_for_fine_meshes_do_not_show(orthographic, monkeypatch):
    """Where all faces are small, the cells of their corners decide, also at the image's border."""
    rng = np.random.default_rng(6)
    fine = merged(torus(), torus(minor=0.1, steps=300, sides=20, center=(0.3, 1.7, 0)))
    cameras = [random_camera(rng, fine, orthographic, size) for size in (3, 20, 96, 96, 200)]
    results = []
    # All faces pixel by pixel, some of them, none (all by blocks); and not as a fine mesh.
    for limit, tiny in ((64, 64), (64, 8), (64, -1), (-1, 8)):
        monkeypatch.setattr(compute_passes, "_MAX_FINE_FACE", limit)
        monkeypatch.setattr(compute_passes, "_MAX_TINY_FACE", tiny)
        with dd.DepthRenderer("compute") as renderer:
            queued = record_queued_faces(renderer, monkeypatch)
            results.append(everything(renderer, fine, cameras))
            assert {len(faces.rasterizers) for faces in queued} == {1 if limit > 0 else 3}
            # In parts and bands.
            monkeypatch.setattr(renderer._context, "max_storage_block", 60_000)
            results.append(everything(renderer, fine, cameras))
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("orthographic", [False, True])
def test_the_bound_on_the_size_of_faces_holds(orthographic):
    rng = np.random.default_rng(7)
    with dd.DepthRenderer("compute") as renderer:
        for _ in range(40):
            mesh = random_closed_mesh(rng)
            camera = random_camera(rng, mesh, orthographic)
            scene = renderer.upload(mesh)
            packed = packed_cameras(scene, [camera], SheetRequest(), (0, camera.height))
            longest = renderer._pipeline.engine._passes.mesh_buffers(scene).longest_edge
            (bound,) = max_face_sizes(packed, scene, orthographic, longest)
            corners = camera.project(mesh.vertices)[0][mesh.faces]
            largest = np.ptp(corners, axis=1).max()
            assert largest <= bound
            # Close to a perspective camera, the bound is loose.
            assert bound < 12 * largest or not orthographic
            scene.release()


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("TILE_MAX_FACES", 1),
        ("TILE_MAX_FACES", 3),
        ("TILE_MAX_ITERATIONS", 0),
        ("TILE_MAX_ITERATIONS", 1500),
    ],
)
def test_tiles_without_room_for_all_faces_do_not_show(mesh, cameras, name, limit, monkeypatch):
    with dd.DepthRenderer("compute") as renderer:
        whole = everything(renderer, mesh, cameras)
    monkeypatch.setitem(compute_tiles.TILE_OPTIONS, name, limit)
    with dd.DepthRenderer("compute") as renderer:
        queued = record_queued_faces(renderer, monkeypatch)
        assert everything(renderer, mesh, cameras) == whole
        assert any(compute_passes._TILES not in faces.rasterizers for faces in queued)


@pytest.mark.slow
@pytest.mark.parametrize("sheets", [20, 500, 999, 1000, 1001, 1200])
@pytest.mark.parametrize("width", [4, 256])
@pytest.mark.parametrize("masked", [False, True])
def test_tiles_lose_no_face_at_the_limit_of_iterations(sheets, width, masked, monkeypatch):
    """Sheets larger than a tile, the farthest first, some more than a tile has room for."""
    z = np.arange(sheets, 0, -1.0)
    corners = [
        np.stack([0 * z + x, 0 * z + y, z], 1) for x, y in ((-999, -999), (999, -999), (0, 999))
    ]
    # With masks, of which the images show nothing: the alpha of a corner far outside is too small.
    alpha = np.tile([0, 255, 255], sheets)
    masks = {
        "colors": np.stack([alpha, alpha, alpha, alpha], 1).astype(np.uint8),
        "alpha_cutoff": np.full(sheets, 0.1),
    }
    mesh = dd.Mesh(
        np.stack(corners, 1).reshape(-1, 3),
        np.arange(3 * sheets).reshape(-1, 3),
        **(masks if masked else {}),
    )
    pose = np.eye(4)
    pose[2, 3] = 10_000  # cameras beside a face use no tiles
    camera = dd.Camera(np.array([[1.0, 0, 99], [0, 1, 50], [0, 0, 1]]), pose, width, 64, True)
    with dd.DepthRenderer("compute") as renderer:
        queued = record_queued_faces(renderer, monkeypatch)
        scene = renderer.upload(mesh)
        maps = renderer.entry_exit(scene, camera, surfaces="any", attributes=("face",))
        layers = renderer.peel(scene, camera)
        is_software = renderer.info.is_software
    assert (maps.entry == 10_001).all()
    assert (maps.exit == 10_000 + sheets).all()
    assert (maps.entry_face == sheets - 1).all()
    assert (maps.exit_face == 0).all()
    assert (layers.count == sheets).all()
    # The bound of compute_bins.comp, for eight rows of a face.
    per_row = 2 * width + 3 * -(-width // 32) + 2 if masked else width + 2
    fits = sheets <= 1000 and sheets * (4 + 8 * per_row) <= 60_000
    if is_software:
        assert any(compute_passes._TILES in faces.rasterizers for faces in queued) == fits


@pytest.mark.slow
@pytest.mark.parametrize("tiled", [False, True])
def test_large_faces_in_wide_images(tiled, monkeypatch):
    """A single invocation could not loop over so many pixels per face, see decision 7."""
    monkeypatch.setattr(compute_programs, "_MEDIUM_ROW_STRIDE", 1)
    monkeypatch.setattr(compute_programs, "_LARGE_ROW_STRIDE", 64)
    with dd.DepthRenderer("compute") as renderer:
        if not tiled:
            monkeypatch.setattr(renderer._pipeline.engine._passes, "_tiles", None)
        scene = renderer.upload(box())
        # In an image of more than 16384 pixels across, the box would end inside the image.
        size = {"width": min(renderer.info.max_image_size, 16384), "height": 640}
        camera = dd.Camera.look_at((0.3, 0.2, 3), (0, 0, 0), (0, 1, 0), fov_y_deg=1.28, **size)
        assert renderer.entry_exit(scene, camera).mask.all()
        assert (renderer.peel(scene, camera).count == 2).all()


@pytest.mark.slow
def test_invocations_of_large_faces_beyond_32_bits():
    """600,000 needles behind each other in eight rows, each with many invocations."""
    count, width, height, length = 600_000, 16384, 8, 300.0
    pose = np.eye(4)
    pose[2, 3] = 5.0
    camera = dd.Camera(np.eye(3), pose, width, height, True)
    rng = np.random.default_rng(0)
    x, z = rng.uniform(0, width - length, count), 1.0 - np.arange(count) / count
    y = rng.integers(0, height, count) + 0.5
    corners = [(x, y - 0.02, z), (x + length, y - 0.01, z), (x + length, y + 0.03, z)]
    vertices = np.stack([np.stack(corner, 1) for corner in corners], 1).reshape(-1, 3)
    mesh = dd.Mesh(vertices, np.arange(3 * count).reshape(-1, 3))
    with dd.DepthRenderer("compute") as renderer:
        maps = renderer.entry_exit(
            renderer.upload(mesh), camera, surfaces="any", attributes=("face",)
        )
    # The last ones are in front: near the wide end of each, only itself or a later one is visible.
    last = np.arange(count - 1000, count)
    middle = (y[last].astype(int), (x[last] + 0.9 * length).astype(int))
    assert (maps.entry_face[middle] >= last).all()


@pytest.mark.parametrize("count", [2000, 5000, 20_000])
def test_thousands_of_crossings_of_a_pixel_are_sorted(count):
    """Sheets from the farthest to the nearest; a shader could not sort so many, see decision 7."""
    z = np.arange(count, 0, -1.0)
    z[count // 3 : count // 2] = z[count // 3]  # some coincide
    corners = [np.stack([0 * z + x, 0 * z + y, z], 1) for x, y in ((-9, -9), (9, -9), (0, 9))]
    mesh = dd.Mesh(np.stack(corners, 1).reshape(-1, 3), np.arange(3 * count).reshape(-1, 3))
    pose = np.eye(4)
    pose[2, 3] = 5.0
    camera = dd.Camera(np.array([[1.0, 0, 1], [0, 1, 1], [0, 0, 1]]), pose, 2, 2, True)
    with dd.DepthRenderer("compute") as renderer:
        layers = renderer.peel(renderer.upload(mesh), camera)
    order = np.lexsort((np.arange(count), z))
    assert (layers.count == count).all()
    for pixel in range(4):
        np.testing.assert_array_equal(layers.face[layers.offsets[pixel] :][:count], order)


def test_the_same_bits_every_time(mesh, cameras):
    with dd.DepthRenderer("compute") as renderer:
        first = everything(renderer, mesh, cameras)
        for _ in range(5):
            assert everything(renderer, mesh, cameras) == first


def test_a_device_without_compute_shaders(mesh, cameras, monkeypatch):
    inspect = GLContext._inspect

    def without_compute(self, *arguments):
        inspect(self, *arguments)
        self.has_compute = False

    monkeypatch.setattr(GLContext, "_inspect", without_compute)
    with pytest.raises(dd.ContextError, match=r"OpenGL 4\.3.*raster"):
        dd.DepthRenderer("compute")
    with dd.DepthRenderer() as renderer:
        assert renderer.info.engine == "raster"


@pytest.mark.parametrize("is_software", [False, True])
def test_auto_takes_compute_wherever_it_runs(is_software, monkeypatch):
    inspect = GLContext._inspect

    def on_some_device(self, *arguments):
        inspect(self, *arguments)
        self.is_software = is_software

    monkeypatch.setattr(GLContext, "_inspect", on_some_device)
    with dd.DepthRenderer() as renderer:
        assert renderer._context.has_compute
        assert renderer.info.engine == "compute"


def test_buffers_of_layers_are_kept_unless_large(mesh, cameras, monkeypatch):
    with dd.DepthRenderer("compute") as renderer:
        scene = renderer.upload(mesh)
        builder = renderer._pipeline.engine._layers
        first = renderer.peel(scene, cameras[0])
        kept = dict(builder._buffers)
        size = kept["crossings"].size
        assert set(kept) == {"cursors", "crossings"}
        again = renderer.peel(scene, cameras[0])
        assert builder._buffers == kept
        assert again.depth.tobytes() == first.depth.tobytes()
        # But not a buffer larger than the memory limit allows.
        crossings = len(first.depth)
        limited = renderer.peel(scene, cameras[0], memory_limit=crossings * 17)
        assert builder._buffers["crossings"].size < size
        assert limited.depth.tobytes() == first.depth.tobytes()
        monkeypatch.setattr(compute_layers, "_MAX_KEPT_BYTES", 16)
        renderer.peel(scene, cameras[0])
        assert not builder._buffers


def test_buffers_are_read_and_written_in_place():
    if not any(device.is_software for device in devices()):
        pytest.skip("this machine has no software device")
    context = GLContext("software")
    with context:
        buffer = context.gl.buffer(np.arange(6, dtype=np.uint32))
        with context.functions.mapped(buffer, np.uint32, 2, 3, access="write") as numbers:
            numbers[:] = 7, 8
        with context.functions.mapped(buffer, np.int64, 2, 1) as numbers:
            assert numbers.tobytes() == np.array([2, 7, 8, 5], np.uint32).tobytes()
        with context.functions.mapped(buffer, np.uint32, 2, 4, access="update") as numbers:
            numbers += numbers
        with context.functions.mapped(buffer, np.uint32, 3, 3) as numbers:
            assert numbers.tolist() == [7, 16, 10]
        with context.functions.mapped(buffer, np.uint32, 0, 99) as numbers:
            assert len(numbers) == 0
        with (
            pytest.raises(dd.DeviceMemoryError, match="28 bytes"),
            context.functions.mapped(buffer, np.uint32, 7),
        ):
            pass
        with pytest.raises(KeyError), context.functions.mapped(buffer, np.uint32, 1):
            raise KeyError
        assert buffer.read(4) == b"\0\0\0\0"  # reading fails while a buffer is mapped
        assert context.gl.error == "GL_NO_ERROR"
        buffer.release()
    context.release()


@pytest.mark.parametrize("size", [(1, 300), (700, 1), (256, 64), (257, 65), (255, 129), (513, 200)])
def test_images_of_any_size_by_tiles(mesh, size, monkeypatch):
    rng = np.random.default_rng(sum(size))
    camera = random_camera(rng, mesh, False)
    K = camera.K * np.array([[size[0] / camera.width], [size[1] / camera.height], [1.0]])
    cameras = [
        dd.Camera(K, camera.camera_from_world, *size),
        dd.Camera.look_at((1, 2, 3), (0, 0, 1), fov_y_deg=99),
    ]
    with dd.DepthRenderer("compute") as renderer:
        if not renderer.info.is_software:
            pytest.skip("GPUs draw without tiles")
        tiled = everything(renderer, mesh, cameras)
        assert renderer._pipeline.engine._passes._tiles.count
        monkeypatch.setattr(renderer._pipeline.engine._passes, "_tiles", None)
        assert everything(renderer, mesh, cameras) == tiled


def test_parts_of_a_soup_have_no_more_vertices_than_a_buffer_holds(cameras, monkeypatch):
    """No faces share a vertex, so there are three vertices per face."""
    rng = np.random.default_rng(8)
    soup = dd.Mesh(rng.normal(size=(900, 3)), np.arange(900).reshape(-1, 3))
    camera = dd.Camera.orbit(soup, views=1, width=90, height=60)[0]
    with dd.DepthRenderer("compute") as renderer:
        whole = renderer.entry_exit(renderer.upload(soup), camera, surfaces="any")
        monkeypatch.setattr(renderer._context, "max_storage_block", 2000)
        scene = renderer.upload(soup)
        blocks = renderer._pipeline.engine._passes.mesh_buffers(scene).blocks
        assert len(blocks) > 5
        assert max(12 * block.count for block in blocks) <= 2000
        parts = renderer.entry_exit(scene, camera, surfaces="any")
    assert parts.entry.tobytes() == whole.entry.tobytes()
    assert parts.exit.tobytes() == whole.exit.tobytes()
