"""Arrays of attributes: equal bits from every call, ownership, shapes, limits and errors."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from attribute_judge import (
    ALL,
    CONTRACT,
    FACE_ON,
    LAYER_NAMES,
    MAP_NAMES,
    MARGIN,
    QUAD,
    QUAD_FACES,
    QUAD_UV,
    judge_both,
    judge_layers,
    judge_maps,
    same_arrays,
    texture_camera,
)
from conftest import no_gl_objects_left
from meshes import good
from shapes import (
    box,
    merged,
    painted,
    peel,
    random_camera,
    random_closed_mesh,
    sealed_t_junction,
    sphere,
    turned_view,
)

import ddepth_gl as dd
from ddepth_gl.engines.shared import attribute_pass, crossing_keys, crossing_lists
from ddepth_gl.results import crossing_rows


def random_mesh(rng, kind: str) -> dd.Mesh:
    mesh = random_closed_mesh(rng)
    if kind == "open":
        mesh = dd.Mesh(mesh.vertices, mesh.faces[rng.random(len(mesh.faces)) < 0.6])
    elif kind == "soup":
        faces = rng.permuted(mesh.faces, axis=1)[rng.integers(0, len(mesh.faces), 900)]
        mesh = dd.Mesh(mesh.vertices, faces)
    return painted(rng, mesh)


@pytest.mark.parametrize("kind", ["closed", "open", "soup"])
@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_layers_yield_the_sheets_bit_for_bit(renderer, kind, orthographic):
    rng = np.random.default_rng([orthographic, 71])
    mesh = random_mesh(rng, kind)
    scene = renderer.upload(mesh)
    camera = random_camera(rng, mesh, orthographic, cutting=kind == "open")
    _, depth = camera.project(mesh.vertices)
    crop = dict(zip(("near", "far"), np.quantile(depth[depth > 0], [0.2, 0.8]), strict=True))
    for arguments in ({}, crop):
        layers = renderer.peel(scene, camera, attributes=ALL, **arguments)
        same_arrays(layers, renderer.peel(scene, camera, attributes=ALL, **arguments), LAYER_NAMES)
        for surfaces in ("oriented", "any"):
            arguments_of_maps = {"surfaces": surfaces, "attributes": ALL, **arguments}
            direct = renderer.entry_exit(scene, camera, **arguments_of_maps)
            same_arrays(layers.entry_exit(surfaces), direct, MAP_NAMES)
            same_arrays(renderer.entry_exit(scene, camera, **arguments_of_maps), direct, MAP_NAMES)
    scene.release()


@pytest.mark.parametrize("name", ["rocker-arm.obj", "spot/spot.obj", "CesiumMilkTruck.glb"])
def test_layers_yield_the_sheets_bit_for_bit_on_real_meshes(renderer, name):
    mesh = dd.load_mesh(good(name))
    scene = renderer.upload(mesh)
    for camera in dd.Camera.orbit(mesh, views=2, width=200, height=150):
        layers = renderer.peel(scene, camera, attributes=ALL)
        for surfaces in ("oriented", "any"):
            direct = renderer.entry_exit(scene, camera, surfaces=surfaces, attributes=ALL)
            same_arrays(layers.entry_exit(surfaces), direct, MAP_NAMES)
    scene.release()


def test_max_layers_returns_the_first_crossings(renderer):
    rng = np.random.default_rng(73)
    mesh = painted(rng, random_closed_mesh(rng, bodies=5))
    scene = renderer.upload(mesh)
    camera = random_camera(rng, mesh, False)
    whole = renderer.peel(scene, camera, attributes=ALL)
    most = int(whole.count.max())
    assert most >= 4
    for k in (1, 2, 3, most - 1, most, most + 1):
        cut = renderer.peel(scene, camera, max_layers=k, attributes=ALL)
        first = whole.layer < k
        for name in ("depth", "front_facing", *ALL):
            assert getattr(cut, name).tobytes() == getattr(whole, name)[first].tobytes(), name
    scene.release()


def test_entry_exit_many_equals_single_calls(renderer):
    """Cameras of different sizes and kinds, with other calls in between; depths do not change."""
    rng = np.random.default_rng(79)
    mesh, other_mesh = (painted(rng, random_closed_mesh(rng, bodies=3)) for _ in range(2))
    scene, other_scene = renderer.upload(mesh), renderer.upload(other_mesh)
    cameras = [random_camera(rng, mesh, bool(i % 2), 60) for i in range(5)]
    alone = [renderer.entry_exit(scene, camera, attributes=ALL) for camera in cameras]
    between = renderer.peel(other_scene, cameras[0], attributes=ALL)
    for i, maps in enumerate(renderer.entry_exit_many(scene, cameras, attributes=ALL)):
        same_arrays(maps, alone[i], MAP_NAMES)
        same_arrays(renderer.peel(other_scene, cameras[0], attributes=ALL), between, LAYER_NAMES)
        same_arrays(renderer.entry_exit(scene, cameras[i]), maps, ("entry", "exit"))
        same_arrays(
            renderer.peel(scene, cameras[i]).entry_exit(), maps, ("entry", "exit", "entry_face")
        )
    assert i == len(cameras) - 1
    scene.release()
    other_scene.release()


@pytest.mark.slow
def test_each_attribute_alone_equals_all_together(renderer):
    rng = np.random.default_rng(83)
    mesh = painted(rng, random_closed_mesh(rng))
    scene = renderer.upload(mesh)
    camera = random_camera(rng, mesh, False, 60)
    maps = renderer.entry_exit(scene, camera, attributes=ALL)
    layers = renderer.peel(scene, camera, attributes=ALL)
    for name in ALL:
        sheets = ("entry", "exit", f"entry_{name}", f"exit_{name}")
        same_arrays(renderer.entry_exit(scene, camera, attributes=(name,)), maps, sheets)
        same_arrays(renderer.entry_exit(scene, camera, attributes=name), maps, sheets)
        same_arrays(
            renderer.peel(scene, camera, attributes=[name]), layers, ("depth", "face", name)
        )
    shuffled = tuple(reversed(ALL)) + ALL[:3]
    same_arrays(renderer.entry_exit(scene, camera, attributes=shuffled), maps, MAP_NAMES)
    same_arrays(renderer.peel(scene, camera, attributes=iter(shuffled)), layers, LAYER_NAMES)
    scene.release()


def test_two_scenes_keep_their_own_textures(renderer):
    """Textures of one scene must not stay bound for another, nor be freed with it."""
    camera = texture_camera(6, 5)
    rng = np.random.default_rng(89)
    textures = [rng.integers(0, 256, (5, 6, 4)).astype(np.uint8) for _ in range(3)]
    scenes = [renderer.upload(dd.Mesh(QUAD, QUAD_FACES, uv=QUAD_UV, texture=p)) for p in textures]
    plain = renderer.upload(dd.Mesh(QUAD, QUAD_FACES))

    def check(k):
        maps = renderer.entry_exit(scenes[k], camera, attributes="color")
        np.testing.assert_allclose(maps.entry_color, oracle.linear_rgba(textures[k]), atol=2e-5)

    for k in (0, 1, 2, 1, 0):
        check(k)
        assert (renderer.entry_exit(plain, camera, attributes="color").entry_color == 1).all()
    scenes[1].release()
    check(0)
    check(2)
    for scene in (scenes[0], scenes[2], plain):
        scene.release()


def test_arrays_are_contiguous_and_owned_by_the_caller(renderer):
    rng = np.random.default_rng(97)
    mesh = painted(rng, random_closed_mesh(rng, bodies=2))
    scene = renderer.upload(mesh)
    camera = random_camera(rng, mesh, False, 40)
    maps, layers = (
        renderer.entry_exit(scene, camera, attributes=ALL),
        renderer.peel(scene, camera, attributes=ALL),
    )
    arrays = {name: getattr(maps, name) for name in MAP_NAMES} | {
        f"layers.{name}": getattr(layers, name) for name in ALL
    }
    before = {name: array.tobytes() for name, array in arrays.items()}
    for name, array in arrays.items():
        assert array.flags.c_contiguous, name
        assert array.flags.writeable, name
        # An array may be a reshaped one, but not part of a larger one or of the driver's memory.
        owner = array if array.base is None else array.base
        assert owner.flags.owndata, name
        assert owner.nbytes == array.nbytes, name
    # Neither the renderer nor another array shares its memory.
    renderer.entry_exit(scene, camera, attributes=ALL)
    renderer.peel(scene, camera, attributes=ALL)
    for name, array in arrays.items():
        assert array.tobytes() == before[name], name
        array.fill(0)
        before[name] = array.tobytes()
    same_arrays(
        renderer.entry_exit(scene, camera, attributes=ALL),
        renderer.peel(scene, camera, attributes=ALL).entry_exit(),
        MAP_NAMES,
    )
    scene.release()


def test_an_empty_image(renderer):
    mesh = painted(np.random.default_rng(1), box())
    away = dd.Camera.look_at((0, 0, 5), (0, 0, 9), (0, 1, 0), fov_y_deg=40.0, width=7, height=5)
    scene = renderer.upload(mesh)
    layers = renderer.peel(scene, away, attributes=ALL)
    assert not layers.count.any()
    judge_layers(mesh, away, layers)
    judge_maps(mesh, away, renderer.entry_exit(scene, away, attributes=ALL))
    scene.release()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 500), (500, 1), (67, 31)])
def test_images_of_odd_shapes(renderer, width, height):
    rng = np.random.default_rng([width, height])
    mesh = painted(rng, sphere(2.0, 20, 30))
    K = [[150.0, 0, width / 2], [0, 150.0, height / 2], [0, 0, 1]]
    pose = np.eye(4)
    pose[2, 3] = 4
    assert judge_both(renderer, mesh, dd.Camera.from_intrinsics(K, pose, width, height)) >= 4


def test_dense_and_rows_carry_attributes(renderer):
    rng = np.random.default_rng(101)
    mesh = painted(rng, random_closed_mesh(rng, bodies=3))
    camera = random_camera(rng, mesh, False, 40)
    layers = peel(renderer, mesh, camera, attributes=ALL)
    maps = layers.entry_exit("any")
    for name in ALL:
        stack = layers.dense(name)
        assert stack.shape[:3] == (layers.count.max(), camera.height, camera.width)
        assert stack[0].tobytes() == getattr(maps, f"entry_{name}").tobytes(), name
    part = layers.rows(3, 17)
    assert (
        part.color.tobytes()
        == layers.color[layers.offsets[3 * camera.width] :][: len(part.depth)].tobytes()
    )


@pytest.mark.slow
def test_millions_of_crossings(renderer):
    """More than 65,535 groups of 64: 80 squares on 256 x 256 pixels, with weights by a formula."""
    heights = np.linspace(-1, 1, 80)
    vertices = (QUAD[None] * (1.5, 1.5, 0) + heights[:, None, None] * (0, 0, 1)).reshape(-1, 3)
    faces = (QUAD_FACES[None] + 4 * np.arange(80)[:, None, None]).reshape(-1, 3)
    camera = texture_camera(256, 256)
    layers = peel(
        renderer,
        dd.Mesh(vertices, faces, object_id=np.arange(160)),
        camera,
        attributes=("barycentric", "object_id"),
    )
    assert len(layers.depth) == 80 * 256 * 256
    np.testing.assert_array_equal(layers.object_id, layers.face)
    # Every square covers the image. With x and y from 0 to 1 on it, the weights below its diagonal
    # are 1 - x, x - y and y.
    image = camera.pixel_centers().reshape(-1, 2)
    x, y = (image[:, 0] / 128 - 1) / 3 + 0.5, (1 - image[:, 1] / 128) / 3 + 0.5
    below = np.stack([1 - x, x - y, y], 1)
    above = np.stack([1 - y, x, y - x], 1)
    stack = layers.dense("barycentric").reshape(80, -1, 3)
    upper = layers.dense("face").reshape(80, -1)[..., None] % 2 == 1
    for k in range(80):
        assert np.abs(stack[k] - np.where(upper[k], above, below)).max() <= CONTRACT


@pytest.mark.parametrize("wrong", ["depth", "Normal", "normals", "entry_face", "", ["normal"], {}])
def test_names_that_do_not_exist(renderer, wrong):
    scene = renderer.upload(box())
    for call in (renderer.entry_exit, renderer.peel):
        with pytest.raises(dd.RequestError, match=r"smooth_normal.*not"):
            call(scene, FACE_ON, attributes=("face", wrong))
    with pytest.raises(dd.RequestError, match=r"smooth_normal.*not"):
        renderer.entry_exit_many(scene, [FACE_ON], attributes=(wrong,))
    scene.release()


def test_the_error_for_a_missing_attribute_says_how_to_request_it(renderer):
    scene = renderer.upload(box())
    maps, layers = (
        renderer.entry_exit(scene, FACE_ON, attributes="uv"),
        renderer.peel(scene, FACE_ON, attributes="uv"),
    )
    with pytest.raises(dd.RequestError, match=r'attributes=\("normal",\)'):
        _ = maps.entry_normal
    with pytest.raises(dd.RequestError, match=r'attributes=\("normal",\)'):
        _ = layers.normal
    scene.release()


def test_a_memory_limit_counts_attributes(renderer):
    """Attributes take 76 bytes per crossing, in results alone; everything else less than 40."""
    mesh = painted(np.random.default_rng(2), random_closed_mesh(np.random.default_rng(2), bodies=3))
    camera = dd.Camera.orbit(mesh, views=1, width=64, height=48)[0]
    scene = renderer.upload(mesh)
    limit = 40 * len(renderer.peel(scene, camera).depth)
    before = renderer.peel(scene, camera, memory_limit=limit)
    with pytest.raises(dd.DeviceMemoryError, match="memory_limit"):
        renderer.peel(scene, camera, memory_limit=limit, attributes=ALL)
    same_arrays(renderer.peel(scene, camera, attributes=ALL), before, ("offsets", "depth", "face"))
    scene.release()


def test_a_mesh_beyond_the_largest_table_is_a_clear_error(renderer, monkeypatch):
    mesh = painted(np.random.default_rng(2), random_closed_mesh(np.random.default_rng(2)))
    camera = dd.Camera.orbit(mesh, views=1, width=64, height=48)[0]
    scene = renderer.upload(mesh)
    monkeypatch.setattr(renderer._context, "max_texels", 3 * len(mesh.vertices) - 1)
    for draw in (renderer.entry_exit, renderer.peel):
        with pytest.raises(
            dd.DeviceMemoryError, match=rf"vertices has {3 * len(mesh.vertices):,} .*; split"
        ):
            draw(scene, camera, attributes=("barycentric",))
    monkeypatch.undo()
    assert np.isfinite(renderer.peel(scene, camera, attributes=("barycentric",)).barycentric).all()
    scene.release()


@pytest.mark.parametrize(("block", "batch"), [(7, 1024), (1000, 1024), (1024, 3 * 1024)])
def test_block_and_batch_sizes_change_no_bit(renderer, monkeypatch, block, batch):
    """Pixels with more crossings than a block, blocks that fill a batch exactly, empty blocks."""
    rng = np.random.default_rng(109)
    mesh = painted(rng, merged(*(box() for _ in range(5)), random_closed_mesh(rng)))
    camera = dd.Camera.orbit(mesh, views=1, width=90, height=70)[0]
    scene = renderer.upload(mesh)
    names = [f"{side}_{name}" for side in ("entry", "exit") for name in ALL]
    maps, layers = (
        draw(scene, camera, attributes=ALL) for draw in (renderer.entry_exit, renderer.peel)
    )
    assert layers.count.max() > 7
    assert len(layers.depth) > 4 * batch
    for module in (crossing_keys, crossing_lists, crossing_rows, attribute_pass):
        monkeypatch.setattr(module, "BLOCK_SIZE", block)
    monkeypatch.setattr(attribute_pass, "_BATCH_SIZE", batch)
    same_arrays(renderer.entry_exit(scene, camera, attributes=ALL), maps, names)
    same_arrays(renderer.peel(scene, camera, attributes=ALL), layers, ("offsets", "depth", *ALL))
    scene.release()


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("size", [(61, 47), (3, 5), (64, 40)])
def test_devices_without_compute_shaders_draw_the_same_attributes(
    renderer, monkeypatch, size, orthographic
):
    rng = np.random.default_rng([113, orthographic])
    mesh = painted(rng, random_closed_mesh(rng, bodies=3))
    scene = renderer.upload(mesh)
    camera = dd.Camera.orbit(mesh, views=1, width=size[0], height=size[1])[0]
    if orthographic:
        extent = 0.7 * np.linalg.norm(np.ptp(mesh.bounds, axis=0))
        camera = dd.Camera.orthographic(extent, camera.camera_from_world, *size)
    draws = (renderer.entry_exit, renderer.peel)
    computed = [draw(scene, camera, attributes=ALL) for draw in draws]
    monkeypatch.setattr(renderer._context, "has_compute", False)
    drawn = [draw(scene, camera, attributes=ALL) for draw in draws]
    for names, first, second in zip((MAP_NAMES, LAYER_NAMES), computed, drawn, strict=True):
        for name in names:
            values = getattr(first, name)
            np.testing.assert_allclose(values, getattr(second, name), rtol=0, atol=1e-6)
            assert np.isfinite(values).any(), name
    scene.release()


def test_attributes_of_an_image_without_any_face(renderer):
    mesh = painted(np.random.default_rng(2), random_closed_mesh(np.random.default_rng(2)))
    camera = dd.Camera.orbit(mesh, views=1, width=21, height=13)[0]
    scene = renderer.upload(mesh)
    maps = renderer.entry_exit(scene, camera, attributes=ALL, far=1e-6)
    for name in MAP_NAMES:
        values = getattr(maps, name)
        assert (values == -1).all() if values.dtype.kind == "i" else np.isnan(values).all(), name
    assert len(renderer.peel(scene, camera, attributes=ALL, far=1e-6).color) == 0
    scene.release()


def test_attributes_leave_no_gl_objects_behind(renderer):
    mesh = painted(np.random.default_rng(0), random_closed_mesh(np.random.default_rng(0), bodies=3))
    cameras = dd.Camera.orbit(mesh, views=2, width=50, height=40)

    def everything():
        scene = renderer.upload(mesh)
        renderer.peel(scene, cameras[0], attributes=ALL)
        renderer.peel(scene, cameras[0], attributes=ALL, max_layers=1)
        renderer.entry_exit(scene, cameras[0], attributes=ALL, near=1.0, far=2.0)
        for _ in renderer.entry_exit_many(scene, cameras, attributes=ALL):
            break  # the second image is discarded
        scene.release()

    everything()  # programs are compiled once
    with no_gl_objects_left(renderer):
        for _ in range(3):
            everything()


def test_positions_project_close_to_their_pixel_centers(renderer):
    """Also on needles, in pixels just outside of a face, and on faces without area."""
    rng = np.random.default_rng(0)
    ends = rng.normal(size=(1000, 2, 3))
    across = rng.normal(size=(1000, 3)) * 1e-3
    needles = np.concatenate([ends, (ends[:, 0] + across)[:, None]], 1).reshape(-1, 3)
    mesh = dd.Mesh(needles, np.arange(3000).reshape(-1, 3))
    cases = [(mesh, dd.Camera.orbit(mesh, views=1, width=512, height=512)[0])]
    cases.append((sealed_t_junction(), turned_view(4.3818, -0.0745, -0.1515)))
    for mesh, camera in cases:
        layers = peel(renderer, mesh, camera, attributes="position")
        image, _ = camera.project(layers.position.astype(np.float64))
        off = np.linalg.norm(image - camera.pixel_centers().reshape(-1, 2)[layers.pixel], axis=1)
        assert off.max() <= MARGIN + 1e-3  # and the rounding of positions to float32
