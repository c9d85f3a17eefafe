"""What only the engine `compute` has: parts of meshes, bands of rows, queues by size; and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from shapes import box, merged, random_camera, random_closed_mesh, rotation, torus

import ddepth_gl as dd
from ddepth_gl.engines.compute import layers as layer_lists
from ddepth_gl.engines.compute import passes as face_passes
from ddepth_gl.engines.compute import tiles as face_tiles
from ddepth_gl.engines.compute.view_block import largest_face, packed_view
from ddepth_gl.engines.request import SheetRequest
from ddepth_gl.gl.context import GLContext

ALL = ("entry", "exit", "entry_face", "exit_face")


@pytest.fixture(scope="module")
def mesh():
    """Bodies of many small faces inside a room of twelve large ones."""
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
    scene = renderer.upload(mesh)
    found = []
    for camera in cameras:
        maps = renderer.entry_exit(scene, camera, attributes=("face",))
        found += [getattr(maps, name).tobytes() for name in ALL]
        layers = renderer.peel(scene, camera, **arguments)
        found += [layers.offsets.tobytes(), layers.depth.tobytes(), layers.face.tobytes()]
        assert len(layers.depth) or camera.width < 10  # or nothing would be compared
    scene.release()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("limit", [2000, 6000, 20_000])
def test_meshes_and_images_beyond_the_largest_buffer(mesh, cameras, limit, monkeypatch):
    """The same bits in parts of the mesh, with vertices of their own, and in bands of the image."""
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


def test_the_way_a_face_goes_does_not_show(mesh, cameras, monkeypatch):
    """Walked by one invocation in 32 bits, split over many in doubles, or by tiles: the same pixels."""
    results = []
    for small, medium, tiled in (
        (1, 2, 0),
        (1, 256, 0),
        (1, 256, 1),
        (16, 16, 0),
        (16, 256, 1),
        (63, 256, 0),
    ):
        monkeypatch.setattr(face_passes, "_SMALL_FACE", small)
        monkeypatch.setattr(face_passes, "_MEDIUM_FACE", medium)
        with dd.DepthRenderer("compute") as renderer:
            if not tiled:
                monkeypatch.setattr(renderer._pipeline.engine._passes, "_tiles", None)
            results.append(everything(renderer, mesh, cameras))
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("orthographic", [False, True])
def test_what_is_left_out_for_fine_meshes_does_not_show(orthographic, monkeypatch):
    """Where all faces are small, most are told by their corners' cells, at the image's border as well."""
    rng = np.random.default_rng(6)
    fine = merged(torus(), torus(minor=0.1, steps=300, sides=20, center=(0.3, 1.7, 0)))
    cameras = [random_camera(rng, fine, orthographic, size) for size in (3, 20, 96, 96, 200)]
    results = []
    # Pixel by pixel all of them, as it comes, in blocks all of them; and not as fine meshes.
    for limit, tiny in ((64, 64), (64, 8), (64, -1), (-1, 8)):
        monkeypatch.setattr(face_passes, "_FINE_FACE", limit)
        monkeypatch.setattr(face_passes, "_TINY_FACE", tiny)
        with dd.DepthRenderer("compute") as renderer:
            passes, found = renderer._pipeline.engine._passes, []
            transform = passes.transform
            monkeypatch.setattr(
                passes,
                "transform",
                lambda *a, run=transform, to=found: to.append(run(*a)) or to[-1],
            )
            results.append(everything(renderer, fine, cameras))
            assert {len(image.rasterizers) for image in found} == {1 if limit > 0 else 3}
            monkeypatch.setattr(
                renderer._context, "max_storage_block", 60_000
            )  # by parts and bands
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
            view = packed_view(scene, camera, SheetRequest(), (0, camera.height))
            longest = renderer._pipeline.engine._passes.prepare(scene).longest_edge
            bound = largest_face(view, scene, orthographic, longest)
            corners = camera.project(mesh.vertices)[0][mesh.faces]
            largest = np.ptp(corners, axis=1).max()
            assert largest <= bound
            assert bound < 12 * largest or not orthographic  # close to a camera it knows little
            scene.release()


@pytest.mark.parametrize(
    ("name", "most"),
    [("TILE_FACES", 1), ("TILE_FACES", 3), ("TILE_ROUNDS", 0), ("TILE_ROUNDS", 1500)],
)
def test_tiles_without_room_for_all_faces_do_not_show(mesh, cameras, name, most, monkeypatch):
    with dd.DepthRenderer("compute") as renderer:
        whole = everything(renderer, mesh, cameras)
    monkeypatch.setitem(face_tiles.TILE_OPTIONS, name, most)
    with dd.DepthRenderer("compute") as renderer:
        passes, found = renderer._pipeline.engine._passes, []
        transform = passes.transform
        monkeypatch.setattr(
            passes, "transform", lambda *a: found.append(transform(*a)) or found[-1]
        )
        assert everything(renderer, mesh, cameras) == whole
        assert any(face_passes._TILES not in image.rasterizers for image in found)


@pytest.mark.slow
@pytest.mark.parametrize("sheets", [20, 500, 999, 1000, 1001, 1200])
@pytest.mark.parametrize("width", [3, 256])
def test_tiles_hold_as_many_faces_as_loops_may_go_round_for(sheets, width):
    """Sheets over a whole tile and more, the farthest first: none is lost, whether or not they have room."""
    z = np.arange(sheets, 0, -1.0)
    corners = [
        np.stack([0 * z + x, 0 * z + y, z], 1) for x, y in ((-999, -999), (999, -999), (0, 999))
    ]
    mesh = dd.Mesh(np.stack(corners, 1).reshape(-1, 3), np.arange(3 * sheets).reshape(-1, 3))
    camera = dd.Camera(np.array([[1.0, 0, 99], [0, 1, 50], [0, 0, 1]]), np.eye(4), width, 64, True)
    with dd.DepthRenderer("compute") as renderer:
        scene = renderer.upload(mesh)
        maps = renderer.entry_exit(scene, camera, surfaces="any", attributes=("face",))
        layers = renderer.peel(scene, camera)
    assert (maps.entry == 1).all()
    assert (maps.exit == sheets).all()
    assert (maps.entry_face == sheets - 1).all()
    assert (maps.exit_face == 0).all()
    assert (layers.count == sheets).all()


@pytest.mark.slow
@pytest.mark.parametrize("tiled", [False, True])
def test_large_faces_in_wide_images(tiled, monkeypatch):
    """More pixels a face than Mesa's software rasterizer lets a loop go round, for a single invocation."""
    monkeypatch.setattr(face_passes, "_ROWS_APART", (1, 64))
    with dd.DepthRenderer("compute") as renderer:
        if not tiled:
            monkeypatch.setattr(renderer._pipeline.engine._passes, "_tiles", None)
        scene = renderer.upload(box())
        size = {"width": renderer.info.max_image_size, "height": 640}
        camera = dd.Camera.look_at((0.3, 0.2, 3), (0, 0, 0), (0, 1, 0), fov_y_deg=1.28, **size)
        assert renderer.entry_exit(scene, camera).mask.all()
        assert (renderer.peel(scene, camera).count == 2).all()


@pytest.mark.slow
def test_more_large_faces_than_32_bits_have_invocations():
    """600,000 needles, one behind the other in eight rows, each with many invocations."""
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
    # The last ones are in front: near the wide end of each of them no other is seen but a later one.
    last = np.arange(count - 1000, count)
    middle = (y[last].astype(int), (x[last] + 0.9 * length).astype(int))
    assert (maps.entry_face[middle] >= last).all()


@pytest.mark.parametrize("many", [2000, 5000, 20_000])
def test_thousands_of_crossings_of_a_pixel_are_sorted(many):
    """Sheets from the farthest to the nearest; Mesa's software rasterizer would cut loops short."""
    z = np.arange(many, 0, -1.0)
    z[many // 3 : many // 2] = z[many // 3]  # some of them in the same place
    corners = [np.stack([0 * z + x, 0 * z + y, z], 1) for x, y in ((-9, -9), (9, -9), (0, 9))]
    mesh = dd.Mesh(np.stack(corners, 1).reshape(-1, 3), np.arange(3 * many).reshape(-1, 3))
    pose = np.eye(4)
    pose[2, 3] = 5.0
    camera = dd.Camera(np.array([[1.0, 0, 1], [0, 1, 1], [0, 0, 1]]), pose, 2, 2, True)
    with dd.DepthRenderer("compute") as renderer:
        layers = renderer.peel(renderer.upload(mesh), camera)
    order = np.lexsort((np.arange(many), z))
    assert (layers.count == many).all()
    for pixel in range(4):
        np.testing.assert_array_equal(layers.face[layers.offsets[pixel] :][:many], order)


def test_the_same_bits_every_time(mesh, cameras):
    with dd.DepthRenderer("compute") as renderer:
        first = everything(renderer, mesh, cameras)
        for _ in range(5):
            assert everything(renderer, mesh, cameras) == first


def test_a_device_without_compute_shaders(mesh, cameras, monkeypatch):
    inspect = GLContext._inspect

    def old(self, *arguments):
        inspect(self, *arguments)
        self.has_compute = False

    monkeypatch.setattr(GLContext, "_inspect", old)
    with pytest.raises(dd.ContextError, match=r"OpenGL 4\.3.*raster"):
        dd.DepthRenderer("compute")
    with dd.DepthRenderer() as renderer:
        assert renderer.info.engine == "raster"


def test_buffers_of_layers_are_kept_but_for_large_ones(mesh, cameras, monkeypatch):
    with dd.DepthRenderer("compute") as renderer:
        scene = renderer.upload(mesh)
        lists = renderer._pipeline.engine._lists
        first = renderer.peel(scene, cameras[0])
        kept = dict(lists._buffers)
        size = kept["stored"].size
        assert set(kept) == {"cursors", "stored"}
        again = renderer.peel(scene, cameras[0])
        assert lists._buffers == kept
        assert again.depth.tobytes() == first.depth.tobytes()
        # Not where a limit leaves less room than they have.
        crossings = len(first.depth)
        limited = renderer.peel(scene, cameras[0], memory_limit=crossings * 17)
        assert lists._buffers["stored"].size < size
        assert limited.depth.tobytes() == first.depth.tobytes()
        monkeypatch.setattr(layer_lists, "_KEPT", 16)
        renderer.peel(scene, cameras[0])
        assert not lists._buffers


def test_buffers_are_read_and_written_in_place():
    context = GLContext("software")
    with context:
        buffer = context.gl.buffer(np.arange(6, dtype=np.uint32))
        with context.functions.mapped(buffer, np.uint32, 2, 3, write=True) as numbers:
            numbers[:] = 7, 8
        with context.functions.mapped(buffer, np.int64, 2, 1) as numbers:
            assert numbers.tobytes() == np.array([2, 7, 8, 5], np.uint32).tobytes()
        with context.functions.mapped(buffer, np.uint32, 0, 99) as numbers:
            assert len(numbers) == 0
        with (
            pytest.raises(dd.DeviceMemoryError, match="28 bytes"),
            context.functions.mapped(buffer, np.uint32, 7),
        ):
            pass
        with pytest.raises(KeyError), context.functions.mapped(buffer, np.uint32, 1):
            raise KeyError
        assert buffer.read(4) == b"\0\0\0\0"  # which it is not while it is mapped
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
        tiled = everything(renderer, mesh, cameras)
        assert renderer._pipeline.engine._passes._tiles.count
        monkeypatch.setattr(renderer._pipeline.engine._passes, "_tiles", None)
        assert everything(renderer, mesh, cameras) == tiled


def test_parts_of_a_soup_have_no_more_vertices_than_a_buffer_holds(cameras, monkeypatch):
    """Every face has vertices of its own, three times as many as faces."""
    rng = np.random.default_rng(8)
    soup = dd.Mesh(rng.normal(size=(900, 3)), np.arange(900).reshape(-1, 3))
    camera = dd.Camera.orbit(soup, views=1, width=90, height=60)[0]
    with dd.DepthRenderer("compute") as renderer:
        whole = renderer.entry_exit(renderer.upload(soup), camera, surfaces="any")
        monkeypatch.setattr(renderer._context, "max_storage_block", 2000)
        scene = renderer.upload(soup)
        blocks = renderer._pipeline.engine._passes.prepare(scene).blocks
        assert len(blocks) > 5
        assert max(12 * block.count for block in blocks) <= 2000
        parts = renderer.entry_exit(scene, camera, surfaces="any")
    assert parts.entry.tobytes() == whole.entry.tobytes()
    assert parts.exit.tobytes() == whole.exit.tobytes()
