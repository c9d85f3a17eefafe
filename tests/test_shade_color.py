"""Colors of the shaded image: textures, vertex colors and averages."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from shaded_images import FACE_ON, QUAD, QUAD_FACES, QUAD_UV, light, shade
from shapes import (
    moved,
)

import ddepth_gl as dd


def test_a_textured_mesh_shows_its_texture(renderer):
    """The texture is red and green above blue; it is not flipped."""
    texture = np.zeros((8, 8, 3), np.uint8)
    texture[:4, :4], texture[:4, 4:], texture[4:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    sheet = dd.Mesh(QUAD, QUAD_FACES, uv=QUAD_UV, texture=texture)
    pose = np.diag([1.0, -1, -1, 1])
    pose[2, 3] = 5
    camera = dd.Camera.orthographic((2, 2), pose, 32, 32)  # four pixels a texel
    image = shade(renderer, sheet, camera, surfaces="any")
    assert (image[..., 3] == 255).all()
    # Colors mix within half a texel, two pixels, of their border and of the rim, as textures
    # repeat.
    first, second = slice(2, 14), slice(18, 30)
    parts = {0: image[first, first], 1: image[first, second], 2: image[second, 2:30]}
    for channel, part in parts.items():
        rgb = part[..., :3].reshape(-1, 3)
        assert (rgb[:, channel] > 100).all(), channel
        assert (np.delete(rgb, channel, axis=1) == 0).all(), channel


def test_vertex_colors_are_seen(renderer):
    for channel in range(3):
        colors = np.zeros((4, 3), np.uint8)
        colors[:, channel] = 255
        image = shade(renderer, dd.Mesh(QUAD, QUAD_FACES, colors=colors), FACE_ON, surfaces="any")
        rgb = image[image[..., 3] > 0][:, :3]
        assert (rgb[:, channel] > 100).all()
        assert not np.delete(rgb, channel, axis=1).any()
    black = np.zeros((4, 3), np.uint8)
    image = shade(renderer, dd.Mesh(QUAD, QUAD_FACES, colors=black), FACE_ON, surfaces="any")
    assert image[..., 3].any()
    assert not image[..., :3].any()


def test_light_multiplies_linear_color(renderer):
    """Gray of 188 is half as light as white, and stays so when lit."""
    levels = {}
    for level in (255, 188, 100):
        colors = np.full((4, 3), level, np.uint8)
        image = shade(renderer, dd.Mesh(QUAD, QUAD_FACES, colors=colors), FACE_ON, surfaces="any")
        levels[level] = float(light(image)[image[..., 3] > 0].mean())
        rgb = image[image[..., 3] > 0][:, :3]
        assert (rgb == rgb[:, :1]).all()  # white light, on gray
    for level in (188, 100):
        # Rounding to 8 bits: half of 1/255, times the curve's slope of 2 at most.
        assert levels[level] / levels[255] == pytest.approx(
            oracle.linear_from_srgb(level), abs=0.01
        )


def test_colors_at_a_silhouette_are_not_darkened(renderer):
    """Alpha is the covered part of a pixel; the color is that of the covered part."""
    colors = np.tile(np.array((200, 120, 40), np.uint8), (4, 1))
    angle = np.radians(20)
    motion = np.eye(4)
    motion[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    sheet = dd.Mesh(moved(dd.Mesh(QUAD, QUAD_FACES), motion).vertices, QUAD_FACES, colors=colors)
    image = shade(renderer, sheet, FACE_ON, samples=4, surfaces="any").astype(int)
    inside = image[image[..., 3] == 255][:, :3]
    partly = image[(image[..., 3] > 0) & (image[..., 3] < 255)]
    assert len(partly) > 50
    # One normal and one color, so only the rounding of the mean, a level or two, remains.
    assert np.ptp(inside, axis=0).max() <= 2
    np.testing.assert_allclose(partly[:, :3], np.broadcast_to(inside[0], (len(partly), 3)), atol=3)


def test_samples_are_averaged_in_linear_light(renderer):
    """A fine black and white pattern looks half as light as white, not darker."""
    stripes = 400
    vertices = np.array([(x, y, 0) for x in np.linspace(-1, 1, stripes + 1) for y in (-1, 1)])
    # Every stripe has its own vertices, black or white, and two faces.
    corners = vertices.reshape(-1, 2, 3)
    rims = np.concatenate([corners[:-1], corners[1:, ::-1]], axis=1)  # around each stripe
    faces = (4 * np.arange(stripes)[:, None, None] + np.array([(0, 3, 2), (0, 2, 1)])).reshape(
        -1, 3
    )
    level = np.where(np.arange(stripes) % 2, 255, 0).astype(np.uint8)
    mesh = dd.Mesh(rims.reshape(-1, 3), faces, colors=np.repeat(level, 4)[:, None].repeat(3, 1))
    white = dd.Mesh(
        mesh.vertices, mesh.faces, colors=np.full((len(mesh.vertices), 3), 255, np.uint8)
    )
    # A pixel has some 14 stripes and 16 columns of samples, which do not coincide.
    camera = dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), fov_y_deg=18.0, width=23, height=19)
    gray, full = (shade(renderer, m, camera, samples=16, surfaces="any") for m in (mesh, white))
    assert (gray[..., 3] == 255).all()
    ratio = light(gray).mean() / light(full).mean()
    # The mean of sRGB values would be 0.21 in linear light.
    assert ratio == pytest.approx(0.5, abs=0.08)
