"""`write_photo`: pixels and texts of the PNG file, read by Pillow."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from shapes import box

import ddepth_gl as dd


def test_the_photo_of_shade(renderer, tmp_path):
    camera = dd.Camera.look_at((4, 3, 2), (0, 0, 0), width=24, height=18)
    scene = renderer.upload(box())
    image = renderer.shade(scene, camera, samples=3)
    maps = renderer.entry_exit(scene, camera)
    scene.release()
    assert len(np.unique(image[..., 3])) > 2  # alpha is a fraction at the border
    assert dd.write_photo(str(tmp_path / "a.png"), image, maps) == [tmp_path / "a.png"]
    with Image.open(tmp_path / "a.png") as file:
        assert file.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(file), image)
        assert file.text == {"version": f"ddepth_gl {dd.__version__}", **maps.provenance}
    dd.write_photo(tmp_path / "b.png", image[..., :3])
    with Image.open(tmp_path / "b.png") as file:
        np.testing.assert_array_equal(np.asarray(file), image[..., :3])
        assert set(file.text) == {"version"}


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((4, 6, 4)), r"not float64 of shape \(4, 6, 4\)"),
        (np.zeros((4, 6, 4), np.int8), "not int8"),
        (np.zeros((4, 6, 2), np.uint8), r"shape \(4, 6, 2\)"),
        (np.zeros((4, 6), np.uint8), r"shape \(4, 6\)"),
        (np.zeros((2, 4, 6, 4), np.uint8), r"shape \(2, 4, 6, 4\)"),
        (np.zeros((0, 6, 4), np.uint8), "has no pixels"),
        ("x", "image must be"),
        (None, "image must be"),
    ],
)
def test_images_that_cannot_be_written(tmp_path, image, words):
    with pytest.raises(dd.OutputError, match=words) as error:
        dd.write_photo(tmp_path / "a.png", image)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.jpg", "x.png.pdf", "png", "x"])
def test_names_that_do_not_end_in_png(tmp_path, name):
    with pytest.raises(dd.OutputError) as error:
        dd.write_photo(tmp_path / name, np.zeros((4, 6, 4), np.uint8))
    wanted = f"{tmp_path / name}: pictures are PNG files; give a name that ends in .png"
    assert str(error.value) == wanted
    assert not list(tmp_path.iterdir())


def test_the_ending_may_have_capital_letters(tmp_path):
    (written,) = dd.write_photo(tmp_path / "x.PNG", np.zeros((4, 6, 4), np.uint8))
    assert written.read_bytes()[:4] == b"\x89PNG"
