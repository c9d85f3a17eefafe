"""Alpha masks: both engines against closed forms and the float64 oracle, and what follows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import ENGINES, no_gl_objects_left
from layer_checks import FACE_ON, QUAD, QUAD_FACES, same_bits
from shapes import box, merged, random_camera, random_closed_mesh, rotation
from test_peel_oracle import compare as compare_layers
from test_sheets_oracle import compare as compare_sheets

import ddepth_gl as dd
from ddepth_gl.cli.render import _warn_if_open
from ddepth_gl.engines.shared import alpha_masks
from ddepth_gl.mesh.lazy_texture import LazyTexture

QUAD_UV = (QUAD[:, :2] + 1) / 2
WRAPS = ("repeat", "clamp", "mirror")

# Looks at the square -1..1 from depth 5, a row of pixels for each row of texels or several.
ACROSS = np.array([(1.0, 0, 0, 0), (0, -1, 0, 0), (0, 0, -1, 5), (0, 0, 0, 1)])


def square(size: int = 64) -> dd.Camera:
    return dd.Camera.orthographic((2, 2), ACROSS, size, size)


def picture(alpha) -> np.ndarray:
    """Return a texture, (h, w, 4), of these alphas, 0 to 255."""
    alpha = np.asarray(alpha, np.uint8)
    return np.dstack([np.full((*alpha.shape, 3), 200, np.uint8), alpha])


def quad(alpha, cutoff=0.5, uv=QUAD_UV, colors=None, **sampler) -> dd.Mesh:
    return dd.Mesh(
        QUAD,
        QUAD_FACES,
        uv=uv,
        colors=colors,
        texture=None if alpha is None else picture(alpha),
        samplers=dd.Sampler(**sampler) if alpha is not None else None,
        alpha_cutoff=np.full(2, cutoff),
    )


def covered(renderer, mesh, camera, **options) -> np.ndarray:
    """Return which pixels are covered; sheets, layers and the photo must agree."""
    scene = renderer.upload(mesh)
    frame = renderer.render(scene, camera, layers=True, samples=1, **options)
    assert frame.maps is not None
    assert frame.layers is not None
    assert frame.image is not None
    np.testing.assert_array_equal(frame.maps.mask, frame.layers.count > 0)
    np.testing.assert_array_equal(frame.maps.mask, frame.image[..., 3] > 0)
    scene.release()
    return frame.maps.mask


CHECKER = np.indices((8, 8)).sum(0) % 2 * 255


def test_a_checkerboard_covers_half_of_the_pixels(renderer):
    mask = covered(renderer, quad(CHECKER, filter="nearest"), square())
    np.testing.assert_array_equal(mask, np.kron(CHECKER, np.ones((8, 8))) > 0)
    assert mask.mean() == 0.5


@pytest.mark.parametrize("wrap_v", WRAPS)
@pytest.mark.parametrize("wrap_u", WRAPS)
def test_wraps(renderer, wrap_u, wrap_v):
    rng = np.random.default_rng(4)
    alpha = rng.choice([0, 255], (4, 8))
    # Two textures to the left and below, two to the right and above.
    mesh = quad(alpha, uv=5 * QUAD_UV - 2, wrap_u=wrap_u, wrap_v=wrap_v, filter="nearest")
    modes = {"repeat": "wrap", "clamp": "edge", "mirror": "symmetric"}
    expected = np.pad(alpha, ((8, 8), (0, 0)), mode=modes[wrap_v])
    expected = np.pad(expected, ((0, 0), (16, 16)), mode=modes[wrap_u])
    np.testing.assert_array_equal(
        covered(renderer, mesh, dd.Camera.orthographic((2, 2), ACROSS, 40, 20)), expected > 0
    )


def test_linear_filter_crosses_the_cutoff_between_texels(renderer):
    """Alpha grows from 0 at u = 1/4 to 1 at u = 3/4, and is clamped outside."""
    for cutoff in (0.25, 0.5, 0.7):
        mask = covered(renderer, quad([[0, 255]], cutoff, wrap_u="clamp"), square(100))
        u = (np.arange(100) + 0.5) / 100
        expected = np.clip((u - 0.25) * 2, 0, 1) >= cutoff
        np.testing.assert_array_equal(mask, np.broadcast_to(expected, (100, 100)))


def test_vertex_alpha_is_perspective_correct(renderer):
    """A floor whose alpha falls from 1 at z = 1 to 0 at z = 9 is cut out beyond z = 5."""
    V = [(-20, 1, 1), (20, 1, 1), (20, 1, 9), (-20, 1, 9)]
    colors = np.full((4, 4), 255, np.uint8)
    colors[2:, 3] = 0
    mesh = dd.Mesh(V, QUAD_FACES, colors=colors, alpha_cutoff=[0.5, 0.5])
    K = [[50.0, 0, 50], [0, 50.0, 0], [0, 0, 1]]
    camera = dd.Camera.from_intrinsics(K, np.eye(4), 100, 50)
    scene = renderer.upload(mesh)
    depth = renderer.entry_exit(scene, camera).entry[:, 50]
    z = 50.0 / (np.arange(50) + 0.5)  # where the row meets the floor
    np.testing.assert_array_equal(~np.isnan(depth), (z > 1) & (z < 5))
    scene.release()


@pytest.mark.parametrize("level", [1, 127, 128, 254, 255])
def test_alpha_that_equals_the_cutoff_exists(renderer, level):
    """Uniform alpha is exact, whatever the weights; also beside texels that do not matter."""
    colors = np.full((4, 4), level, np.uint8)
    cutoff = np.float32(level / 255)
    for mesh in (
        quad(None, cutoff, uv=None, colors=colors),
        quad([[level, 0], [level, 0]], cutoff, uv=0.2 * QUAD_UV + (0.0, 0.4), wrap_u="clamp"),
    ):
        assert covered(renderer, mesh, FACE_ON).any()
        above = mesh.alpha_cutoff + np.float32(1e-5)
        mesh = dd.Mesh(mesh.vertices, mesh.faces, **{**mesh._attributes(), "alpha_cutoff": above})
        assert not covered(renderer, mesh, FACE_ON).any()


def test_cutoffs(renderer):
    """0 is no mask; above 1 nothing is left; vertex alpha times texture alpha counts."""
    colors = np.full((4, 4), 128, np.uint8)
    full = covered(renderer, quad([[0]], 0.0), FACE_ON)
    assert full.any()
    for cutoff, exists in ((0.2, True), (0.3, False), (0.25, True), (1.5, False), (1e30, False)):
        mesh = quad([[128, 128]], cutoff, colors=colors)
        assert covered(renderer, mesh, FACE_ON).any() == exists, cutoff
    assert not covered(
        renderer, quad([[255]], np.nextafter(np.float32(1), np.float32(2))), FACE_ON
    ).any()
    np.testing.assert_array_equal(covered(renderer, quad([[255]], 1.0), FACE_ON), full)


def test_a_mask_that_leaves_nothing_out_needs_no_program(renderer):
    scene = renderer.upload(quad([[255, 200]], 0.5))
    with renderer._context as context:
        assert alpha_masks.alpha_masks(context, scene) is None
    scene.release()


def masked_box() -> dd.Mesh:
    """Return a box whose sides are half there; a face has its own three corners."""
    plain = box()
    uv = np.tile([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 0.0), (1.0, 1.0), (0.0, 1.0)], (6, 1))
    return dd.Mesh(
        plain.vertices[plain.faces].reshape(-1, 3),
        np.arange(36).reshape(-1, 3),
        uv=uv,
        texture=picture([[255, 0]]),
        samplers=dd.Sampler(filter="nearest"),
        alpha_cutoff=np.full(12, 0.5),
    )


def test_a_masked_box_is_two_sided_and_not_solid(renderer):
    mesh = masked_box()
    assert mesh.is_closed
    assert not mesh.is_oriented
    assert mesh.bodies.kind.tolist() == ["masked"]
    assert mesh.bodies.surfaces == "any"
    assert not mesh.bodies.solid_faces.any()
    assert mesh.object_bodies.surfaces == {0: "any"}
    assert not mesh.oriented_objects
    report = mesh.report()
    assert report.bodies == {"masked": 1}
    assert report.masked_faces == 12
    assert "alpha masks on 12 faces" in str(report)
    scene = renderer.upload(mesh)
    # The near side is there where x < 0, the far side where y < 0.
    left, lower = np.indices((64, 64))[1] < 32, np.indices((64, 64))[0] >= 32
    near, far = np.where(left, 4.0, np.nan), np.where(lower, 6.0, np.nan)
    maps = renderer.entry_exit(scene, square(), attributes=("face",))
    assert maps.surfaces == "any"
    np.testing.assert_array_equal(maps.entry, np.fmin(near, far))
    np.testing.assert_array_equal(maps.exit, np.fmax(near, far))
    layers = renderer.peel(scene, square(), attributes=("object_id",))
    np.testing.assert_array_equal(layers.count, 1 * left + lower)
    assert np.isnan(layers.solid_length[layers.count > 0]).all()
    assert layers.two_sided.all()
    # By facing, the box has no entries but the near side's; nothing is swapped or averaged.
    by_facing = renderer.entry_exit(scene, square(), surfaces="oriented")
    np.testing.assert_array_equal(by_facing.entry, near)
    np.testing.assert_array_equal(by_facing.exit, far)
    same = layers.entry_exit()
    np.testing.assert_array_equal(same.entry, maps.entry)
    np.testing.assert_array_equal(same.exit, maps.exit)
    np.testing.assert_array_equal(layers.objects()[0].entry, maps.entry)
    scene.release()


def test_the_command_line_says_why_facing_does_not_suit(capsys):
    mesh = box()
    _warn_if_open(mesh, Path("box.glb"), "oriented")
    assert not capsys.readouterr().err
    mesh = dd.Mesh(mesh.vertices, mesh.faces, alpha_cutoff=np.full(12, 0.5))
    _warn_if_open(mesh, Path("box.glb"), "oriented")
    assert "box.glb: it has alpha masks; entry and exit may be missing" in capsys.readouterr().err


def test_one_masked_face_decides_for_its_body_alone():
    plain = box((3, 3, 3), (4, 4, 4))
    mesh = merged(box(), plain)
    cutoff = np.zeros(24)
    cutoff[5] = 0.5
    mesh = dd.Mesh(mesh.vertices, mesh.faces, alpha_cutoff=cutoff, object_id=[0] * 12 + [1] * 12)
    assert mesh.bodies.kind.tolist() == ["masked", "outward"]
    assert mesh.bodies.surfaces == "mixed"
    assert mesh.object_bodies.surfaces == {0: "any", 1: "oriented"}
    assert mesh.oriented_objects == frozenset([1])
    assert mesh.object_bodies.two_sided_faces.tolist() == [True] * 12 + [False] * 12
    # A body inside one with a mask is no cavity.
    inner = box((-0.5,) * 3, (0.5,) * 3)
    turned = dd.Mesh(inner.vertices, inner.faces[:, ::-1])
    mesh = merged(box(), turned)
    cutoff = np.zeros(24)
    assert mesh.bodies.kind.tolist() == ["outward", "cavity"]
    cutoff[0] = 0.5
    mesh = dd.Mesh(mesh.vertices, mesh.faces, alpha_cutoff=cutoff)
    assert mesh.bodies.kind.tolist() == ["masked", "inward"]


def with_masks(mesh: dd.Mesh, rng: np.random.Generator, masked: float = 0.8) -> dd.Mesh:
    """Return the mesh with random textures, samplers, vertex alphas and cutoffs."""
    corners = mesh.vertices[mesh.faces].reshape(-1, 3)
    count = len(mesh.faces)
    textures, samplers = [], []
    for _ in range(4):
        height, width = rng.integers(1, 9, 2)
        alpha = rng.integers(0, 256, (height, width))
        textures.append(picture(rng.choice([alpha, alpha // 128 * 255])))
        wraps = rng.choice(WRAPS, 2).tolist()
        samplers.append(dd.Sampler(*wraps, filter=rng.choice(["linear", "nearest"]).item()))
    colors = np.full((3 * count, 4), 255, np.uint8)
    colors[:, 3] = rng.integers(100, 256, 3 * count)
    cutoff = rng.choice([0.1, 0.3, 0.5, 0.8, 1.0, 1.2], count, p=[0.2, 0.3, 0.3, 0.1, 0.05, 0.05])
    uv = rng.uniform(-2.5, 2.5, (3 * count, 2))
    uv[rng.random(3 * count) < 0.3] *= 0.2
    return dd.Mesh(
        corners,
        np.arange(3 * count).reshape(-1, 3),
        uv=uv,
        colors=colors if rng.random() < 0.6 else None,
        texture=textures,
        samplers=samplers,
        texture_id=rng.integers(-1, 4, count),
        alpha_cutoff=cutoff * (rng.random(count) < masked),
    )


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
@pytest.mark.parametrize("seed", range(6))
def test_random_masks_against_the_oracle(renderer, seed, orthographic):
    rng = np.random.default_rng([seed, orthographic, 15])
    mesh = with_masks(random_closed_mesh(rng, bodies=3), rng)
    camera = random_camera(rng, mesh, orthographic)
    assert compare_layers(renderer, mesh, camera) > 200
    for surfaces in ("any", "oriented"):
        compare_sheets(renderer, mesh, camera, surfaces)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_few_large_faces_against_the_oracle(renderer, seed):
    """Faces of many pixels: tiles and large faces on `compute`; cameras inside and beside."""
    rng = np.random.default_rng([seed, 16])
    mesh = with_masks(box((-1, -2, -1), (1.5, 1, 2)), rng)
    for eye in (rng.uniform(-0.9, 0.9, 3), mesh.vertices[0] * 0.999999999):
        pose = np.eye(4)
        pose[:3, :3] = rotation(rng)
        pose[:3, 3] = -pose[:3, :3] @ eye
        K = [[50.0, 3.0, 55.5], [0.0, 55.0, 41.0], [0.0, 0.0, 1.0]]
        camera = dd.Camera.from_intrinsics(K, pose, 110, 80)
        compare_layers(renderer, mesh, camera)
        compare_sheets(renderer, mesh, camera, "any")
    compare_layers(renderer, mesh, random_camera(rng, mesh, True, 150, cutting=True))
    compare_layers(renderer, mesh, random_camera(rng, mesh, False, 200))


def test_crop_with_masks(renderer):
    rng = np.random.default_rng(17)
    mesh = with_masks(random_closed_mesh(rng, bodies=4), rng)
    camera = random_camera(rng, mesh, False)
    _, depth = camera.project(mesh.vertices)
    near, far = np.quantile(depth[depth > 0], [0.3, 0.7])
    assert compare_layers(renderer, mesh, camera, near, far) > 100
    compare_sheets(renderer, mesh, camera, "any", near, far)


@pytest.mark.parametrize("orthographic", [False, True], ids=["perspective", "orthographic"])
def test_both_engines_find_the_same_crossings(orthographic):
    rng = np.random.default_rng([18, orthographic])
    mesh = with_masks(random_closed_mesh(rng, bodies=4), rng)
    camera = random_camera(rng, mesh, orthographic, 150)
    results = []
    for engine in ENGINES:
        with dd.DepthRenderer(engine=engine) as renderer:
            scene = renderer.upload(mesh)
            frame = renderer.render(scene, camera, layers=True, attributes=("face",))
            results.append(frame)
    raster, compute = results
    same_count = raster.layers.count == compute.layers.count
    # The engines snap corners differently, so pixels at edges may differ.
    assert same_count.mean() > 0.995
    kept = np.repeat(same_count.ravel(), raster.layers.count.ravel())
    other = np.repeat(same_count.ravel(), compute.layers.count.ravel())
    assert (raster.layers.face[kept] == compute.layers.face[other]).mean() > 0.995


def test_sheets_and_photo_follow_from_the_layers(renderer):
    """On a mesh with masked and other bodies: mixed surfaces, max_layers, many cameras."""
    rng = np.random.default_rng(19)
    solid = box((-0.3, -0.3, -0.3), (0.3, 0.3, 0.3))
    masked = with_masks(random_closed_mesh(rng, bodies=2), rng)
    mesh = dd.Mesh(
        np.concatenate([masked.vertices, solid.vertices]),
        np.concatenate([masked.faces, solid.faces + len(masked.vertices)]),
        uv=np.concatenate([masked.uv, np.zeros((len(solid.vertices), 2))]),
        texture=list(masked.textures),
        samplers=list(masked.samplers),
        texture_id=np.append(masked.texture_id, [-1] * 12),
        alpha_cutoff=np.append(masked.alpha_cutoff, [0.0] * 12),
        object_id=np.append([0] * len(masked.faces), [1] * 12),
    )
    assert mesh.bodies.surfaces == "mixed"
    scene = renderer.upload(mesh)
    cameras = dd.Camera.orbit(mesh, views=18, width=70, height=60)
    many = list(renderer.entry_exit_many(scene, cameras))
    for camera, maps in zip(cameras[::6], many[::6], strict=True):
        layers = renderer.peel(scene, camera, attributes=("object_id",))
        again = layers.entry_exit()
        np.testing.assert_array_equal(again.entry, maps.entry)
        np.testing.assert_array_equal(again.exit, maps.exit)
        one = renderer.entry_exit(scene, camera)
        np.testing.assert_array_equal(one.entry, maps.entry)
        np.testing.assert_array_equal(one.exit, maps.exit)
        np.testing.assert_array_equal(
            renderer.shade(scene, camera, samples=1)[..., 3] > 0, one.mask
        )
        few = renderer.peel(scene, camera, max_layers=2)
        np.testing.assert_array_equal(few.truncated, layers.count > 2)
        np.testing.assert_array_equal(few.count, np.minimum(layers.count, 2))
        same_bits(renderer.peel(scene, camera, max_layers=100), layers)
    scene.release()


def test_samples_of_the_photo_see_through_holes(renderer):
    """A checker of one texel a sample: a quarter of each pixel's samples."""
    alpha = np.zeros((64, 64))
    alpha[::2, ::2] = 255
    scene = renderer.upload(quad(alpha, filter="nearest"))
    image = renderer.shade(scene, square(32), samples=2)
    assert np.ptp(image[..., 3].astype(int)) <= 1
    assert abs(int(image[0, 0, 3]) - 64) <= 1
    scene.release()


@pytest.mark.slow
def test_more_crossings_than_the_stencil_counts(renderer):
    """300 coincident quads with the same holes."""
    count = 300
    mesh = dd.Mesh(
        np.tile(QUAD, (count, 1)),
        (QUAD_FACES + 4 * np.arange(count)[:, None, None]).reshape(-1, 3),
        uv=np.tile(QUAD_UV, (count, 1)),
        texture=picture(CHECKER),
        samplers=dd.Sampler(filter="nearest"),
        alpha_cutoff=np.full(2 * count, 0.5),
    )
    scene = renderer.upload(mesh)
    layers = renderer.peel(scene, square(16))
    np.testing.assert_array_equal(layers.count, np.kron(CHECKER // 255, np.ones((2, 2))) * count)
    scene.release()


def test_the_scene_owns_the_masks(renderer):
    def use() -> None:
        scene = renderer.upload(quad(CHECKER))
        renderer.entry_exit(scene, square(16))
        renderer.peel(scene, square(16))
        scene.release()

    use()  # the renderer keeps programs and targets
    with no_gl_objects_left(renderer):
        use()


def test_only_textures_of_masks_are_read(renderer, monkeypatch):
    mesh = quad(CHECKER)
    mesh = dd.Mesh(
        mesh.vertices,
        mesh.faces,
        uv=mesh.uv,
        texture=[picture(CHECKER), picture([[255]])],
        texture_id=[0, 1],
        alpha_cutoff=[0.5, 0.0],
    )
    read = []
    alpha = LazyTexture.alpha
    monkeypatch.setattr(LazyTexture, "alpha", lambda self: read.append(self) or alpha(self))
    scene = renderer.upload(mesh)
    renderer.entry_exit(scene, square(16))
    assert read == [mesh._textures[0]]
    scene.release()


def test_masks_that_do_not_fit(renderer, monkeypatch):
    monkeypatch.setattr(renderer._context, "max_texels", 7)
    with pytest.raises(
        dd.DeviceMemoryError, match="smaller textures for its masked faces"
    ) as error:
        renderer.upload(quad(CHECKER))
    assert "\n" not in str(error.value)


def test_meshes_without_masks_compile_no_masks(renderer, monkeypatch):
    """Their programs, uniforms and buffers are those of a mesh that knows nothing of masks."""
    calls = []
    monkeypatch.setattr(alpha_masks, "_mask_tables", lambda *given: calls.append(given))
    scene = renderer.upload(dd.Mesh(QUAD, QUAD_FACES, alpha_cutoff=[0.0, 0.0]))
    renderer.entry_exit(scene, FACE_ON)
    assert not calls
    scene.release()


def test_more_layers_with_masks_than_a_stencil_buffer_counts(renderer):
    """300 parallel squares, each with a checkerboard of holes."""
    offsets = np.linspace(-1.0, 1.0, 300)
    vertices = np.concatenate([QUAD + np.array((0, 0, z)) for z in offsets])
    faces = np.concatenate([QUAD_FACES + 4 * i for i in range(300)])
    mesh = dd.Mesh(
        vertices,
        faces,
        uv=np.tile(QUAD_UV, (300, 1)),
        texture=picture(CHECKER),
        samplers=dd.Sampler(filter="nearest"),
        alpha_cutoff=np.full(len(faces), 0.5),
    )
    camera = dd.Camera.look_at((0.3, 0.4, 6), (0, 0, 0), up=(0, 1, 0), width=16, height=16)
    scene = renderer.upload(mesh)
    counts = renderer.peel(scene, square(16)).count
    np.testing.assert_array_equal(counts, 300 * (np.kron(CHECKER, np.ones((2, 2))) > 0))
    scene.release()
    compare_layers(renderer, mesh, camera)
