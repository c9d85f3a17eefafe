"""The photo by the rasterizer: the pixels of the sheets, in the colors of the attributes."""

from __future__ import annotations

import itertools

import numpy as np
import oracle
import pytest
from conftest import no_gl_objects_left
from meshes import good
from shapes import (
    box,
    grid_faces,
    inside_out,
    merged,
    painted,
    random_camera,
    random_closed_mesh,
    sphere,
    torus,
)

import ddepth_gl as dd
from ddepth_gl.engines.request import SheetRequest
from ddepth_gl.engines.shared import photo, photo_mesh, photo_targets
from ddepth_gl.mesh.normals import smooth_normals


class Drawn(list):
    """The viewport of each photo of a test that the rasterizer drew, None for the others.

    Attributes:
        is_possible: the engine lets the rasterizer draw photos on this device.
    """

    def __init__(self, is_possible: bool) -> None:
        super().__init__()
        self.is_possible = is_possible

    def check_last(self, expected: bool = True) -> None:
        assert (self[-1] is not None) == (expected and self.is_possible)


@pytest.fixture
def drawn(renderer, monkeypatch):
    """Whether the rasterizer drew each photo of the test; it does whenever it can."""
    monkeypatch.setattr(photo, "_MIN_SAMPLES_PER_FACE", 0)
    engine = renderer._pipeline.engine
    answers = Drawn(engine._photo.is_exact)
    if not answers.is_possible:
        print(f"{engine.name} shades all photos from sheets on {renderer.info.renderer}: it may")
        print("break ties at edges otherwise; see decision 17")
    inner = engine.photo_viewport

    def recorded(*arguments):
        answers.append(inner(*arguments))
        return answers[-1]

    monkeypatch.setattr(engine, "photo_viewport", recorded)
    return answers


def shade_by_attributes(renderer, scene, camera, **arguments):
    """Return the photo of a sheet whose faces are known."""
    engine = renderer._pipeline.engine
    inner, engine._photo.viewport = engine._photo.viewport, lambda *_: None
    try:
        return renderer.shade(scene, camera, **arguments)
    finally:
        engine._photo.viewport = inner


def levels_of(maps, error=0.0):
    """Return (H, W, 3) sRGB levels, not rounded, of the entries' shaded color plus an error."""
    linear = np.where(maps.mask[..., None], maps.entry_shaded_color[..., :3] + error, 0.0)
    return 255 * np.vectorize(oracle.encode_srgb)(linear.clip(0, 1))


def texels_around(mesh, texture_id, uv):
    """Return (2, 2, N, 3) linear colors of the texels around points, and the weights of the second.

    Of axes 0 and 1, the texels are the upper and the lower ones, the left and the right ones; of
    the weights, (2, N) is that of the lower and of the right ones.
    """
    texture, sampler = mesh.textures[texture_id], mesh.samplers[texture_id]
    size = np.array(texture.shape[:2])
    place = np.stack([1 - uv[:, 1], uv[:, 0]]) * size[:, None] - 0.5
    first = np.floor(place).astype(int)
    indices = []
    for axis, wrap in enumerate((sampler.wrap_v, sampler.wrap_u)):
        pair = np.stack([first[axis], first[axis] + 1])
        if wrap == "clamp":
            pair = pair.clip(0, size[axis] - 1)
        elif wrap == "mirror":
            pair = pair % (2 * size[axis])
            pair = np.minimum(pair, 2 * size[axis] - 1 - pair)
        indices.append(pair % size[axis])
    rows, columns = indices
    return oracle.linear_from_srgb(texture[rows[:, None], columns[None], :3]), place - first


def error_of_weights(texels):
    """Return (N, 3): the largest error of a bilinear filter whose weights have 8 bits.

    GPUs filter textures with weights in fixed point: NVIDIA's have 8 bits of fraction (CUDA C++
    Programming Guide, "Linear Filtering"), so each is wrong by less than 1/256. A bilinear filter
    changes by at most the difference of two neighbors per unit of the weight between them. The
    filter works on linear light, as the textures are sRGB textures; light only darkens it.
    """
    upward = np.abs(texels[1] - texels[0]).max(axis=0)
    sideward = np.abs(texels[:, 1] - texels[:, 0]).max(axis=0)
    return (upward + sideward) / 256


def assert_levels(image, maps, linear_error=0.0):
    """Check alpha, and that colors are within a level of the rounded ones, except at a few pixels.

    Colors are interpolated between corners rounded to 1/256 pixel, in float32. That shows at
    grazing faces and at borders of texels: at no more than one in a thousand pixels.

    Args:
        image: the photo.
        maps: of the same image, with shaded colors.
        linear_error: (H, W, 3), of linear light; the levels of all colors that close are right.
    """
    np.testing.assert_array_equal(image[..., 3], np.where(maps.mask, 255, 0))
    lowest, highest = (levels_of(maps, error) for error in (-linear_error, linear_error))
    beyond = np.maximum(lowest - image[..., :3], image[..., :3] - highest)
    off = beyond.max(axis=-1)[maps.mask]
    assert (off > 1.5).sum() <= 1 + len(off) // 1000, np.sort(off)[-5:]


def zoomed(rng, camera):
    """Return the camera with a longer lens, which sees a part of the mesh."""
    K = camera.K.copy()
    K[:2, :2] *= rng.uniform(1, 5)
    K[:2, 2] += rng.uniform(-30, 30, 2)
    return dd.Camera(K, camera.camera_from_world, camera.width, camera.height)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", ["plain", "colors", "texture", "all"])
def test_alpha_is_the_mask_and_colors_are_those_of_attributes(renderer, drawn, kind, seed):
    rng = np.random.default_rng([seed, 17])
    mesh = random_closed_mesh(rng, bodies=3)
    low, high = mesh.bounds
    inside = (mesh.vertices - low) / (high - low)
    if kind == "colors":
        mesh = dd.Mesh(mesh.vertices, mesh.faces, colors=inside)
    elif kind == "texture":
        texture = rng.integers(0, 256, (4, 6, 3)).astype(np.uint8)
        mesh = dd.Mesh(
            mesh.vertices, mesh.faces, uv=inside[:, :2] @ [[1, 1], [-1, 2]], texture=texture
        )
    elif kind == "all":
        mesh = painted(rng, mesh, textures=2)  # more draw calls than are allowed
    scene = renderer.upload(mesh)
    camera = dd.Camera.orbit(mesh, views=1, width=150, height=120, seed=seed)[0]
    if seed % 2:
        camera = random_camera(rng, mesh, orthographic=seed % 4 == 3, size=140)
        camera = camera if camera.is_orthographic else zoomed(rng, camera)
    for surfaces in ("auto", "any"):
        arguments = {"surfaces": surfaces}
        maps, error = compared_maps(renderer, scene, camera, **arguments)
        assert maps.mask.sum() > 300
        assert_levels(renderer.shade(scene, camera, **arguments), maps, error)
        drawn_here = drawn[-1] is not None
        image = shade_by_attributes(renderer, scene, camera, **arguments)
        assert drawn[-1] is None
        assert_levels(image, maps, error)
        if drawn_here:
            for samples in (2, 3):
                one = renderer.shade(scene, camera, samples=samples, **arguments)
                drawn.check_last()
                other = shade_by_attributes(renderer, scene, camera, samples=samples, **arguments)
                np.testing.assert_array_equal(one[..., 3], other[..., 3])
    if kind == "all":
        assert not drawn_here
    elif seed % 2 == 0:
        assert drawn_here == drawn.is_possible  # the mesh lies in front of the camera
    scene.release()


def test_a_mesh_that_leaves_the_image(renderer, drawn):
    """On `compute` the viewport holds it; on `raster` it is clipped, and in software not drawn."""
    mesh = merged(torus(steps=40, sides=20), sphere(0.4, 20, 30))
    scene = renderer.upload(mesh)
    camera = dd.Camera.look_at((3, 2, 2), (0, 0, 0), fov_y_deg=16, width=150, height=110)
    maps = renderer.entry_exit(scene, camera, attributes=("shaded_color",))
    assert not maps.mask.all()
    assert maps.mask[0].any()
    assert maps.mask[:, -1].any()
    assert_levels(renderer.shade(scene, camera), maps)
    drawn.check_last(renderer.info.engine == "compute" or not renderer.info.is_software)
    close = dd.Camera.look_at((3, 2, 2), (0, 0, 0), fov_y_deg=0.01, width=150, height=110)
    renderer.shade(scene, close)  # the mesh is larger than any viewport
    assert drawn[-1] is None
    scene.release()


@pytest.mark.parametrize("name", ["spot/spot.obj", "Duck.glb", "suzanne.obj"])
def test_real_meshes(renderer, drawn, name):
    mesh = dd.load_mesh(good(name))
    scene = renderer.upload(mesh)
    for camera in dd.Camera.orbit(mesh, views=2, width=160, height=120, seed=5):
        maps, error = compared_maps(renderer, scene, camera)
        assert_levels(renderer.shade(scene, camera), maps, error)
        drawn.check_last()
        assert_levels(shade_by_attributes(renderer, scene, camera), maps, error)
    scene.release()


def test_only_images_that_it_covers_exactly_are_drawn(renderer, drawn):
    mesh = box()
    sheet = dd.Mesh(mesh.vertices, mesh.faces[:-1])
    camera = dd.Camera.look_at((4, 3, 2), (0, 0, 0), fov_y_deg=60, width=40, height=30)
    inside = dd.Camera.look_at((0.1, 0.2, 0.1), (1, 1, 1), fov_y_deg=40, width=40, height=30)
    through = dd.Camera.look_at((1.5, 0, 0), (1.5, 9, 0), fov_y_deg=40, width=40, height=30)
    leaf = np.full((4, 4, 4), 255, np.uint8)
    leaf[:2, :, 3] = 0
    masked = dd.Mesh(
        mesh.vertices,
        mesh.faces,
        uv=mesh.vertices[:, :2],
        texture=leaf,
        alpha_cutoff=np.full(len(mesh.faces), 0.5),
    )
    far_uv = dd.Mesh(mesh.vertices, mesh.faces, uv=1e6 * mesh.vertices[:, :2], texture=leaf)
    cases = [
        (mesh, camera, {}, True),
        (mesh, camera, {"surfaces": "oriented"}, True),
        (sheet, camera, {}, True),
        (sheet, camera, {"surfaces": "any"}, True),
        (sheet, camera, {"surfaces": "oriented"}, False),  # entries without exits
        (mesh, camera, {"near": 4.5}, False),
        (mesh, camera, {"surfaces": "any", "far": 5.0}, False),
        (mesh, inside, {"surfaces": "any"}, False),
        (mesh, through, {}, False),  # a part is behind the camera
        (masked, camera, {}, False),
        (far_uv, camera, {}, False),
    ]
    for each, view, arguments, expected in cases:
        scene = renderer.upload(each)
        for samples in (1, 2):
            renderer.shade(scene, view, samples=samples, **arguments)
            drawn.check_last(expected)
        scene.release()


def test_dense_meshes_are_not_drawn(renderer):
    """Setting up their faces would take longer than shading the pixels."""
    mesh = sphere(1.0, 60, 120)
    scene = renderer.upload(mesh)
    engine = renderer._pipeline.engine
    request = renderer._pipeline.checked_request(
        scene, dd.Camera.orbit(mesh, views=1)[0], SheetRequest("any", True)
    )
    for size, samples, expected in ((64, 1, False), (64, 8, True), (512, 1, True)):
        camera = dd.Camera.orbit(mesh, views=1, width=size, height=size)[0]
        with renderer._context:
            viewport = engine.photo_viewport(scene, camera, request, samples)
        assert (viewport is not None) == (expected and engine._photo.is_exact)
    scene.release()


def bow_tie():
    """Return a prism over two triangles that meet in a point: the smaller one is inside out."""
    outline = np.array([[-1.0, -1.0], [-1.0, 1.0], [2.0, -2.0], [2.0, 2.0]])
    vertices = [[x, y, z] for z in (-1.0, 1.0) for x, y in outline]
    faces = np.concatenate([grid_faces(2, 4), [[0, 1, 2], [0, 2, 3], [4, 6, 5], [4, 7, 6]]])
    mesh = dd.Mesh(vertices, faces)
    return mesh if mesh.volume > 0 else inside_out(mesh)


def test_bodies_that_are_inside_out_are_not_drawn(renderer, drawn):
    """The photo shows their exits; a camera that sees none of them decides for itself."""
    rng = np.random.default_rng(6)
    mesh = painted(rng, merged(bow_tie(), sphere(0.5, 20, 30)), textures=0)
    scene = renderer.upload(mesh)
    for camera in dd.Camera.orbit(mesh, views=4, width=330, height=300, seed=3):
        maps = renderer.entry_exit(scene, camera, attributes=("shaded_color",))
        for _ in range(2):  # the second answer may be a kept one
            assert_levels(renderer.shade(scene, camera), maps)
            assert drawn[-1] is None
    away = dd.Camera.look_at((8, 1, 0), (20, 0, 0), fov_y_deg=30, width=40, height=40)
    renderer.shade(scene, away)
    scene.release()


def test_the_first_of_coincident_faces_is_seen(renderer, drawn):
    """Whatever the order of their corners, and with textures of their own."""
    rng = np.random.default_rng(8)
    mesh = random_closed_mesh(rng, bodies=2)
    count = len(mesh.vertices)
    turned = np.roll(mesh.faces, 1, axis=1) + count
    faces = np.concatenate([mesh.faces, turned])
    red, green = ((220, 20, 20), (20, 220, 20))
    textures = [np.full((2, 2, 3), color, np.uint8) for color in (red, green)]
    order = rng.permutation(len(faces))
    vertices = np.tile(mesh.vertices, (2, 1))
    colors = np.repeat([red, green], count, axis=0).astype(np.uint8)
    appearances = [
        ({"colors": colors}, slice(None)),
        ({"colors": colors}, order),
        (
            {
                "uv": np.zeros((2 * count, 2)),
                "texture": textures,
                "texture_id": np.repeat([0, 1], len(mesh.faces)),
            },
            slice(None),
        ),
    ]
    camera = random_camera(rng, mesh, orthographic=False, size=120)
    for appearance, chosen in appearances:
        doubled = dd.Mesh(vertices, faces[chosen], **appearance)
        scene = renderer.upload(doubled)
        maps = renderer.entry_exit(scene, camera, attributes=("shaded_color",))
        image = renderer.shade(scene, camera)
        drawn.check_last()
        assert_levels(image, maps)
        reddish = image[..., 0] > image[..., 1]
        assert reddish[maps.mask].all() if isinstance(chosen, slice) else reddish.any()
        scene.release()


def filtered(texels, weights):
    down, right = weights[:, :, None]
    upper, lower = texels[:, 0] * (1 - right) + texels[:, 1] * right
    return upper * (1 - down) + lower * down


@pytest.mark.parametrize("wrap", ["repeat", "clamp", "mirror"])
def test_the_error_of_weights_with_eight_bits(wrap):
    rng = np.random.default_rng(3)
    mesh = dd.Mesh(
        np.eye(3),
        [(0, 1, 2)],
        uv=np.eye(3)[:, :2],
        texture=[rng.integers(0, 256, (3, 5, 3)).astype(np.uint8)],
        samplers=[dd.Sampler(wrap, wrap, "linear")],
    )
    texels, weights = texels_around(mesh, 0, rng.uniform(-2, 3, (20_000, 2)))
    bound = error_of_weights(texels)
    for rounded in (np.floor(256 * weights) / 256, np.ceil(256 * weights) / 256):
        error = np.abs(filtered(texels, rounded) - filtered(texels, weights))
        assert (error <= bound + 1e-12).all()
        assert error.max() > 0.5 * bound.max()  # no looser than it must be


@pytest.mark.parametrize("wrap", list(itertools.product(("repeat", "clamp", "mirror"), repeat=2)))
@pytest.mark.parametrize("texture_filter", ["linear", "nearest"])
def test_samplers(renderer, drawn, wrap, texture_filter):
    """A square of 2.4 copies of a texture, magnified; one with two textures takes the table."""
    rng = np.random.default_rng(9)
    corners = np.array([(-1.0, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)])
    uv = np.array([(-0.7, -0.6), (1.7, -0.6), (1.7, 1.8), (-0.7, 1.8)])
    textures = [rng.integers(0, 256, (3, 5, 3)).astype(np.uint8) for _ in range(2)]
    sampler = dd.Sampler(*wrap, texture_filter)
    camera = dd.Camera.look_at(
        (0.3, 0.2, 4), (0, 0, 0), (0, 1, 0), fov_y_deg=35, width=90, height=80
    )
    for count in (1, 2):
        mesh = dd.Mesh(
            corners,
            [(0, 1, 2), (0, 2, 3)],
            uv=uv,
            texture=textures[:count],
            texture_id=[0, count - 1],
            samplers=[sampler, dd.Sampler()][:count],
        )
        scene = renderer.upload(mesh)
        maps, error = compared_maps(renderer, scene, camera)
        assert_levels(renderer.shade(scene, camera), maps, error)
        drawn.check_last()
        assert_levels(shade_by_attributes(renderer, scene, camera), maps, error)
        scene.release()


def compared_maps(renderer, scene, camera, **arguments):
    """Return the maps that a photo is compared with, and the `linear_error` of `assert_levels`.

    The attribute pass filters textures in the shader, exactly; photos filter as the device does.
    """
    textured = bool(scene.mesh.textures)
    names = ("shaded_color", "uv", "face") if textured else ("shaded_color",)
    maps = renderer.entry_exit(scene, camera, attributes=names, **arguments)
    errors = np.zeros((*maps.mask.shape, 3))  # 0 where nothing is filtered
    for number, sampler in enumerate(scene.mesh.samplers if textured else ()):
        pixels = maps.mask & (scene.mesh.texture_id[maps.entry_face] == number)
        if sampler.filter == "linear" and not renderer.info.is_software:
            texels, _ = texels_around(scene.mesh, number, maps.entry_uv[pixels].astype(np.float64))
            errors[pixels] = error_of_weights(texels)
    return maps, errors


def test_faces_without_texture_among_others(renderer, drawn):
    rng = np.random.default_rng(10)
    mesh = random_closed_mesh(rng, bodies=3)
    third = len(mesh.faces) // 3
    texture_id = np.full(len(mesh.faces), -1)
    texture_id[:third], texture_id[third : 2 * third] = 1, 0
    mesh = dd.Mesh(
        mesh.vertices,
        mesh.faces,
        uv=rng.uniform(0, 1, (len(mesh.vertices), 2)),
        colors=rng.integers(0, 256, (len(mesh.vertices), 4)).astype(np.uint8),
        texture=[np.full((2, 2, 3), level, np.uint8) for level in (90, 200)],
        texture_id=texture_id,
    )
    scene = renderer.upload(mesh)
    camera = dd.Camera.orbit(mesh, views=1, width=130, height=110)[0]
    maps = renderer.entry_exit(scene, camera, attributes=("shaded_color",))
    assert_levels(renderer.shade(scene, camera), maps)
    drawn.check_last()
    assert_levels(shade_by_attributes(renderer, scene, camera), maps)
    scene.release()


def test_a_texture_that_no_face_has(renderer, drawn):
    mesh = box()
    texture = np.zeros((2, 2, 3), np.uint8)
    texture_id = np.full(len(mesh.faces), -1)
    uv = np.zeros((len(mesh.vertices), 2))
    mesh = dd.Mesh(mesh.vertices, mesh.faces, uv=uv, texture=[texture], texture_id=texture_id)
    scene = renderer.upload(mesh)
    camera = dd.Camera.look_at((4, 3, 2), (0, 0, 0), width=50, height=40)
    maps = renderer.entry_exit(scene, camera, attributes=("shaded_color",))
    assert_levels(renderer.shade(scene, camera), maps)
    drawn.check_last()
    assert_levels(shade_by_attributes(renderer, scene, camera), maps)
    scene.release()


@pytest.mark.parametrize("samples", [2, 3])
def test_bands_fit_together(renderer, drawn, monkeypatch, samples):
    mesh = random_closed_mesh(np.random.default_rng(12), bodies=3)
    scene = renderer.upload(mesh)
    camera = random_camera(np.random.default_rng(13), mesh, orthographic=False, size=90)
    for shaded in (renderer.shade, lambda *a, **k: shade_by_attributes(renderer, *a, **k)):
        whole = shaded(scene, camera, samples=samples)
        monkeypatch.setattr(photo_targets, "_MIN_SAMPLES_PER_BAND", 5000)
        monkeypatch.setattr(photo_targets, "_SAMPLES_PER_FACE_AND_BAND", 0)
        bands = list(photo_targets.sample_bands(camera, samples, len(mesh.faces)))
        assert len(bands) > 3
        parts = shaded(scene, camera, samples=samples)
        monkeypatch.undo()
        # Each band rounds corners by itself, which moves few samples of silhouettes.
        off = np.abs(whole.astype(int) - parts).max(axis=-1) > 1
        assert off.mean() < 0.002
    scene.release()


def test_frames_have_the_same_image(renderer):
    mesh = merged(torus(steps=24, sides=12), box((-0.2, -0.2, -1), (0.2, 0.2, 1)))
    scene = renderer.upload(mesh)
    for size in (40, 120):  # below and above the limit of samples a face
        for camera in dd.Camera.orbit(mesh, views=2, width=size, height=size):
            image = renderer.shade(scene, camera)
            frame = renderer.render(scene, camera, image=True, maps=True, attributes=("normal",))
            np.testing.assert_array_equal(frame.image, image)
            assert (image[..., 3] > 0).any()
            maps = renderer.entry_exit(scene, camera, attributes=("normal",))
            np.testing.assert_array_equal(frame.maps.entry, maps.entry)
            np.testing.assert_array_equal(frame.maps.exit_normal, maps.exit_normal)
    scene.release()


def test_no_gl_objects_are_left(renderer, drawn):
    rng = np.random.default_rng(14)
    mesh = painted(rng, box(), textures=2)
    camera = dd.Camera.look_at((4, 3, 2), (0, 0, 0), width=60, height=50)

    def everything():
        scene = renderer.upload(mesh)
        for samples in (1, 2, 3):
            renderer.shade(scene, camera, samples=samples)
            drawn.check_last()
            shade_by_attributes(renderer, scene, camera, samples=samples)
        scene.release()

    everything()  # programs are compiled once
    with no_gl_objects_left(renderer):
        for _ in range(3):
            everything()


@pytest.mark.parametrize("mesh", [box(), sphere(1.0, 9, 14), torus(steps=9, sides=5)], ids=str)
@pytest.mark.parametrize("rounds", [1, 8])
def test_split_vertices_have_one_position_and_one_normal(monkeypatch, mesh, rounds):
    monkeypatch.setattr(photo_mesh, "_MAX_ROUNDS", rounds)
    normals = smooth_normals(mesh.vertices, mesh.faces)
    faces, corner_of = photo_mesh.split_at_creases(mesh.faces, normals)
    assert faces.shape == mesh.faces.shape
    assert sorted(set(faces.reshape(-1).tolist())) == list(range(len(corner_of)))
    np.testing.assert_array_equal(mesh.faces.reshape(-1)[corner_of][faces], mesh.faces)
    np.testing.assert_array_equal(normals.reshape(-1, 3)[corner_of][faces], normals)
    if rounds == 8:
        kinds = {
            (vertex, normal.tobytes())
            for vertex, normal in zip(
                mesh.faces.reshape(-1).tolist(), normals.reshape(-1, 3), strict=True
            )
        }
        assert len(corner_of) == len(kinds)


@pytest.mark.parametrize("zoom", [1.0, 2.5, 8.0])
def test_thin_faces_at_the_border(renderer, zoom):
    """Where llvmpipe clips, an entry may have no exit."""
    count = 2000
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    i = np.arange(count)
    j = (i + 1) % count
    rim = np.stack([np.cos(angle), np.sin(angle), 0 * angle], 1)
    cone = dd.Mesh(
        np.concatenate([rim, [[0, 0, 2], [0, 0, 0]]]),
        np.concatenate(
            [np.stack([i, j, 0 * i + count], 1), np.stack([j, i, 0 * i + count + 1], 1)]
        ),
    )
    rotation = [
        [0.7846479794593768, -0.6199415684807057, 0.0],
        [-0.4138109969608709, -0.5237525262891339, -0.7446097971421005],
        [0.46161456554637387, 0.5842565728132056, -0.6675],
    ]
    pose = np.eye(4)
    pose[:3, :3] = rotation
    pose[:3, 3] = -2.936752606177244e-17, 0.7446097971421005, 5.009128028258609
    focal = 128.7880040369 * zoom
    K = np.array([[focal, 0, 229.7308219350125], [0, focal, 153.51531206107984], [0, 0, 1]])
    scene = renderer.upload(cone)
    frame = renderer.render(scene, dd.Camera(K, pose, 400, 300))
    np.testing.assert_array_equal(frame.image[..., 3] > 0, frame.maps.mask)
    scene.release()
