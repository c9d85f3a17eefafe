"""Layer images: which pixel has which depth."""

from __future__ import annotations

import numpy as np
import pytest
from crossings import layers_of

from ddepth_gl.plot.layer_panels import layer_image


@pytest.mark.parametrize("step", [1, 2, 3, 40])
def test_layer_images_are_the_dense_ones_thinned(step):
    rng = np.random.default_rng(28)
    layers = layers_of(rng.integers(0, 7, (11, 17)), rng, attributes=())
    dense = layers.dense("depth")
    for layer, whole in enumerate(dense):
        np.testing.assert_array_equal(layer_image(layers, layer, step), whole[::step, ::step])
    assert np.isnan(layer_image(layers, len(dense), step)).all()
