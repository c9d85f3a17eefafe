"""Color images of layers."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from shapes import box, merged, peel, random_closed_mesh

import ddepth_gl as dd
from ddepth_gl.engines.shared import photo_targets

# Along -z, at two boxes in a row: layers 1 and 2 belong to the first, 3 and 4 to the second.
CAMERA = dd.Camera.look_at((0, 0, 6), (0, 0, 0), (0, 1, 0), fov_y_deg=20.0, width=24, height=20)
RED, GREEN = (200, 10, 30, 255), (3, 90, 250, 128)


@pytest.fixture
def two_boxes():
    """Return a red box before a green one, which has alpha."""
    both = merged(box((-1, -1, 0.5), (1, 1, 1)), box((-0.4, -0.4, -1), (0.4, 0.4, -0.5)))
    colors = np.repeat(np.array([RED, GREEN], np.uint8), 8, axis=0)
    return dd.Mesh(both.vertices, both.faces, colors=colors)


def test_each_layer_has_its_color(renderer, two_boxes):
    layers = peel(renderer, two_boxes, CAMERA, attributes=("color", "shaded_color"))
    assert layers.count.max() == 4
    images = layers.color_images()
    assert images.shape == (4, 20, 24, 4)
    assert images.dtype == np.uint8
    for layer, color in enumerate((RED, RED, GREEN, GREEN)):
        hit = layers.count > layer
        assert 0 < hit.sum() < hit.size
        # Exactly the vertex colors: to linear and back changes nothing.
        assert (images[layer][hit] == (*color[:3], 255)).all()
        assert not images[layer][~hit].any()


def test_shaded_color_equals_the_shaded_image(renderer, two_boxes):
    layers = peel(renderer, two_boxes, CAMERA, attributes=("shaded_color",))
    scene = renderer.upload(two_boxes)
    shaded = renderer.shade(scene, CAMERA)
    scene.release()
    first = layers.color_images("shaded_color", max_layers=1)[0]
    # `shade` rounds half floats to 8 bits on the device, so values may be off by one.
    assert np.abs(first.astype(int) - shaded).max() <= 1
    assert (first[..., 3] == shaded[..., 3]).all()
    assert shaded[..., 0].max() > 150


def test_more_layers_than_there_are(renderer, two_boxes):
    layers = peel(renderer, two_boxes, CAMERA, attributes=("color",))
    assert not layers.color_images(max_layers=6)[4:].any()
    assert layers.color_images(max_layers=0).shape == (0, 20, 24, 4)


def test_a_missing_attribute_is_a_clear_error(renderer, two_boxes):
    layers = peel(renderer, two_boxes, CAMERA, attributes=("color",))
    with pytest.raises(
        dd.RequestError, match=r'shaded_color was not asked for; pass attributes=\("shaded'
    ):
        layers.color_images("shaded_color")
    with pytest.raises(dd.RequestError, match="'color' or 'shaded_color', not 'normal'"):
        layers.color_images("normal")


def test_complete(renderer, two_boxes):
    assert peel(renderer, two_boxes, CAMERA).is_complete
    assert peel(renderer, two_boxes, CAMERA, max_layers=4).is_complete
    assert not peel(renderer, two_boxes, CAMERA, max_layers=3).is_complete
    assert not peel(renderer, two_boxes, CAMERA, near=5.2).is_complete
    assert peel(renderer, two_boxes, CAMERA, near=0.1).is_complete  # no crossing is nearer


def test_pickled_layers_are_equal(renderer, two_boxes):
    layers = peel(renderer, two_boxes, CAMERA, attributes=("color",))
    copy = pickle.loads(pickle.dumps(layers))
    assert copy.depth.tobytes() == layers.depth.tobytes()
    assert copy.color.tobytes() == layers.color.tobytes()
    assert copy.entry_exit().entry.tobytes() == layers.entry_exit().entry.tobytes()


def test_hasattr_is_false_for_missing_attributes(renderer, two_boxes):
    layers = peel(renderer, two_boxes, CAMERA, attributes=("color",))
    assert hasattr(layers, "color")
    assert not hasattr(layers, "normal")
    assert not hasattr(layers.entry_exit(), "exit_normal")


@pytest.mark.slow
def test_alpha_of_a_large_image_is_the_mask(renderer, monkeypatch):
    """With one sample it is not drawn in bands, which would round vertices differently."""
    monkeypatch.setattr(photo_targets, "_MIN_SAMPLES_PER_BAND", 512 * 5)
    mesh = random_closed_mesh(np.random.default_rng(3), bodies=5)
    scene = renderer.upload(mesh)
    for camera in dd.Camera.orbit(mesh, views=4, width=512, height=400):
        mask = renderer.entry_exit(scene, camera).mask
        assert ((renderer.shade(scene, camera)[..., 3] == 255) == mask).all()
        assert (renderer.shade(scene, camera, samples=2)[..., 3][mask] > 0).mean() > 0.99
    scene.release()


def test_a_lack_of_memory_is_a_clear_error(renderer, two_boxes, monkeypatch):
    def fail(*_):
        raise MemoryError("Unable to allocate 13 MiB")

    scene = renderer.upload(two_boxes)
    monkeypatch.setattr(renderer._pipeline.engine, "peel", fail)
    with pytest.raises(dd.DeviceMemoryError, match=r"Unable to allocate 13 MiB.*max_layers="):
        renderer.peel(scene, CAMERA)
    monkeypatch.undo()
    assert len(renderer.peel(scene, CAMERA).depth)
    scene.release()
