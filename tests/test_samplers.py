"""Wrap modes and filters of textures in attributes and photos, against a sampler by hand."""

import itertools

import numpy as np
import pytest

import ddepth_gl as dd

SIZE = 24
CAMERA = dd.Camera.orthographic(
    (2, 2), [[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 5], [0, 0, 0, 1]], SIZE, SIZE
)
WRAPS = ("repeat", "clamp", "mirror")
SAMPLERS = [
    dd.Sampler(*choice) for choice in itertools.product(WRAPS, WRAPS, ("linear", "nearest"))
]


def linear(levels):
    """Return linear light of sRGB levels (IEC 61966-2-1)."""
    x = np.asarray(levels) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def wrapped(index, size, mode):
    """Return the texel that an index outside stands for, one step at a time."""
    if mode == "clamp":
        return min(max(index, 0), size - 1)
    while not 0 <= index < size:
        if mode == "repeat":
            index += size if index < 0 else -size
        else:  # mirrored at the border
            index = -1 - index if index < 0 else 2 * size - 1 - index
    return index


def sampled(texture, sampler, u, v):
    """Return the linear color of a texture at one uv, v up, as OpenGL 4.1, section 3.9, says."""
    height, width = texture.shape[:2]
    x, y = u * width, (1 - v) * height

    def texel(column, row):
        column = wrapped(column, width, sampler.wrap_u)
        row = wrapped(row, height, sampler.wrap_v)
        return np.append(linear(texture[row, column, :3]), texture[row, column, 3] / 255)

    if sampler.filter == "nearest":
        return texel(int(np.floor(x)), int(np.floor(y)))
    x, y = x - 0.5, y - 0.5
    column, row = int(np.floor(x)), int(np.floor(y))
    right, down = x - column, y - row
    upper = texel(column, row) * (1 - right) + texel(column + 1, row) * right
    lower = texel(column, row + 1) * (1 - right) + texel(column + 1, row + 1) * right
    return upper * (1 - down) + lower * down


def quad(low, high, **appearance):
    """Return a square from (-1, -1) to (1, 1) whose uv go from `low` to `high`."""
    corners = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], float)
    uv = np.where(corners[:, :2] < 0, low, high)
    return dd.Mesh(corners, [(0, 1, 2), (0, 2, 3)], uv=uv, **appearance)


def uv_of_pixels(low, high):
    """Return (SIZE, SIZE, 2) uv at the pixel centers."""
    across = (np.arange(SIZE) + 0.5) / SIZE
    u = low[0] + (high[0] - low[0]) * across
    v = low[1] + (high[1] - low[1]) * (1 - across)
    return np.stack(np.meshgrid(u, v), axis=-1)


@pytest.fixture(params=["compute", "raster"])
def engine(request):
    """Each engine."""
    with dd.DepthRenderer(request.param) as renderer:
        yield renderer


# Ranges of uv within float32's precision of pixels far from texel borders: -2.3 to 3.1 and the like
RANGES = [((-2.3, -1.7), (3.1, 2.9)), ((0, 0), (1, 1)), ((7.2, -6.9), (4.6, -5.05))]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_colors_agree_with_a_sampler_by_hand(engine, sampler):
    rng = np.random.default_rng(SAMPLERS.index(sampler))
    texture = rng.integers(0, 256, (3, 5, 4)).astype(np.uint8)
    checked = 0
    for low, high in RANGES:
        mesh = quad(low, high, texture=texture, samplers=sampler)
        maps = engine.entry_exit(engine.upload(mesh), CAMERA, attributes=("color",))
        for (row, column), (u, v) in zip(
            np.ndindex(SIZE, SIZE), uv_of_pixels(low, high).reshape(-1, 2), strict=True
        ):
            # uv are float32, 1e-6 at 8; a nearest texel jumps at its border.
            border = np.abs(np.array((u * 5, v * 3)) - np.rint((u * 5, v * 3))).min()
            if sampler.filter == "nearest" and border < 1e-3:
                continue
            checked += 1
            wanted = sampled(texture, sampler, u, v)
            # 1e-6 of uv are at most 5e-6 texels, and no texel differs by more than 1
            np.testing.assert_allclose(maps.entry_color[row, column], wanted, atol=3e-5)
    assert checked > 1000


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 3), (7, 2), (6, 1)])
def test_textures_of_one_texel_and_borders_of_copies(engine, height, width):
    """At and beside the borders of a texture and of its copies, every texel index wraps."""
    rng = np.random.default_rng([height, width])
    texture = rng.integers(0, 256, (height, width, 4)).astype(np.uint8)
    beside = np.array([-1e-4, 0, 1e-4])
    # As many as columns of the image, each column a quad whose uv are one point.
    u = np.concatenate([border + beside for border in (-4, -3, -2, -1, 0, 1, 2, 3)])
    v = np.concatenate([border + beside for border in (2, -5, 1, 0, 3, -1, -2, 4)])
    uv = np.stack([u, v], -1).astype(np.float32)
    x = np.linspace(-1, 1, SIZE + 1)
    corners = [[(a, -1, 0), (b, -1, 0), (b, 1, 0), (a, 1, 0)] for a, b in itertools.pairwise(x)]
    faces = np.array([(0, 1, 2), (0, 2, 3)]) + 4 * np.arange(SIZE)[:, None, None]
    for sampler in SAMPLERS:
        mesh = dd.Mesh(
            np.concatenate(corners),
            faces.reshape(-1, 3),
            uv=np.repeat(uv, 4, axis=0),
            texture=texture,
            samplers=sampler,
        )
        maps = engine.entry_exit(engine.upload(mesh), CAMERA, attributes=("color",))
        for column, (u, v) in enumerate(uv.astype(float)):
            # Rounding may take a point on a border to either side of it.
            if sampler.filter == "nearest" and column % 3 == 1:
                continue
            wanted = sampled(texture, sampler, u, v)
            # 1e-6 of uv are at most 7e-6 texels, and no texel differs by more than 1
            np.testing.assert_allclose(maps.entry_color[5, column], wanted, atol=3e-5)


def test_every_texture_has_its_own_sampler(engine):
    """Two textures of the same texels, and one of others, with three samplers."""
    rng = np.random.default_rng(5)
    texels = [rng.integers(0, 256, (4, 4, 4)).astype(np.uint8) for _ in range(2)]
    textures = [texels[0], texels[1], texels[0]]
    samplers = [
        dd.Sampler("mirror", "clamp", "linear"),
        dd.Sampler("clamp", "repeat", "nearest"),
        dd.Sampler("repeat", "mirror", "linear"),
    ]
    low, high = (-1.3, -1.4), (2.2, 2.3)
    plain = quad(low, high)
    camera = CAMERA
    for k in range(3):
        mesh = dd.Mesh(
            plain.vertices,
            plain.faces,
            uv=plain.uv,
            texture=textures,
            texture_id=[k, k],
            samplers=samplers,
        )
        maps = engine.entry_exit(engine.upload(mesh), camera, attributes=("color",))
        uv = uv_of_pixels(low, high)
        for row, column in [(0, 0), (3, 20), (11, 7), (23, 23), (17, 2)]:
            wanted = sampled(textures[k], samplers[k], *uv[row, column])
            np.testing.assert_allclose(maps.entry_color[row, column], wanted, atol=3e-5)


def test_the_photo_uses_the_sampler(engine):
    """A head-on square is as bright as its color times the documented light."""
    texture = np.array([[(255, 0, 0), (0, 255, 0), (0, 0, 255)]], np.uint8)
    shown = {}
    for wrap in WRAPS:
        mesh = quad((-1, 0), (2, 1), texture=texture, samplers=dd.Sampler(wrap, "clamp", "nearest"))
        photo = engine.shade(engine.upload(mesh), CAMERA, surfaces="any")
        row = photo[SIZE // 2, ..., :3].argmax(axis=-1)  # 0 red, 1 green, 2 blue
        # runs of equal colors; each third of the row shows the texture once
        shown[wrap] = row[np.append(True, row[1:] != row[:-1])].tolist()
    assert shown["repeat"] == [0, 1, 2, 0, 1, 2, 0, 1, 2]
    assert shown["clamp"] == [0, 1, 2]
    assert shown["mirror"] == [2, 1, 0, 1, 2, 1, 0]


@pytest.mark.parametrize("wrap", WRAPS)
def test_huge_texture_coordinates_are_no_error(engine, wrap):
    mesh = quad(
        (-1e30, 1e30),
        (-1e30, 1e30),
        texture=np.full((2, 2), 9, np.uint8),
        samplers=dd.Sampler(wrap, wrap),
    )
    maps = engine.entry_exit(engine.upload(mesh), CAMERA, attributes=("color",))
    np.testing.assert_allclose(maps.entry_color[..., 0], linear(9), atol=1e-6)


def test_textures_of_one_array_are_uploaded_once(engine):
    from ddepth_gl.engines.shared.mesh_tables import MESH_TABLES
    from ddepth_gl.mesh.lazy_texture import LazyTexture

    texture = LazyTexture((2, 2), None, np.zeros((2, 2, 4), np.uint8))
    mesh = dd.Mesh(
        [(0, 0, 0), (1, 0, 0), (0, 1, 0)],
        [(0, 1, 2)],
        uv=np.zeros((3, 2)),
        texture=[texture, texture],
        texture_id=[0],
        samplers=[dd.Sampler(), dd.Sampler("clamp")],
    )
    scene = engine.upload(mesh)
    assert len(MESH_TABLES["texels"](scene)) == 4
    np.testing.assert_array_equal(MESH_TABLES["texture_table"](scene)[:, :3], [(0, 2, 2)] * 2)
