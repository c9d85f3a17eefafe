"""The preview picture: what is drawn where, in which colours, with which numbers, and that it can be read."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw
from shapes import box, sphere

import ddepth_gl as dd
from ddepth_gl import preview as module
from ddepth_gl.depth_maps import SheetPair
from ddepth_gl.preview import photo, preview

NEAR, FAR = (253, 231, 37), (68, 1, 84)  # the ends of viridis, turned round: near is bright
THIN, THICK = (0, 0, 4), (252, 253, 191)  # the ends of magma
MISS, PAPER = (236, 236, 236), (255, 255, 255)
SIZES = [(1, 1), (3, 2), (2, 3), (64, 48), (700, 9), (9, 700), (400, 300), (2000, 1500)]


def maps_of(entry, exit_):
    """DepthMaps of given depths, hit by face 0 of `triangle`."""
    entry, exit_ = (np.asarray(sheet, np.float32) for sheet in (entry, exit_))
    camera = dd.Camera.orthographic(2.0, np.eye(4), entry.shape[1], entry.shape[0])
    faces = np.where(np.isnan(entry), -1, 0).astype(np.int64)
    return dd.DepthMaps(entry, exit_, camera, {"face": SheetPair(faces, faces)})


def triangle(colors=None):
    """One face that looks straight at the camera of `maps_of`."""
    return dd.Mesh([[0, 0, 0], [0, 1, 0], [1, 0, 0]], [[0, 1, 2]], colors=colors)


def empty(width, height):
    nothing = np.full((height, width), np.nan)
    return maps_of(nothing, nothing)


def panels(width, height, title=""):
    """Where the panels of entry, exit and thickness are: wherever an image without any value is grey."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageDraw.ImageDraw, "text", lambda *_, **__: None)  # whose edges are of every grey
        grey = (preview(empty(width, height), triangle(), title) == MISS).all(-1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], grey.any(0), [0]])))
    rows = np.flatnonzero(grey.any(1))
    return [(slice(rows[0], rows[-1] + 1), slice(*pair)) for pair in edges.reshape(-1, 2)]


@pytest.fixture
def texts(monkeypatch):
    """Every text that is drawn, with its box (left, top, right, bottom)."""
    drawn = []
    draw_text = ImageDraw.ImageDraw.text

    def record(self, xy, text, fill, font, anchor="la"):
        drawn.append((text, self.textbbox(xy, text, font, anchor)))
        draw_text(self, xy, text, fill, font, anchor)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", record)
    return drawn


def random_maps(width, height):
    rng = np.random.default_rng(width)
    entry = 5 + rng.random((height, width))
    entry[rng.random(entry.shape) < 0.2] = np.nan
    return maps_of(entry, entry + 1 + rng.random(entry.shape))


@pytest.mark.parametrize("kind", ["random", "empty"])
@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_size_can_be_read(texts, width, height, kind):
    title = "a/rather long name of a mesh that somebody has chosen - with a number at the end 0123   640x480"
    maps = random_maps(width, height) if kind == "random" else empty(width, height)
    picture = preview(maps, triangle(), title)
    assert picture.dtype == np.uint8
    assert max(picture.shape) <= 1700
    boxes = np.array([box for _, box in texts])
    assert (boxes[:, :2] >= 4).all()  # nothing is clipped, not even close to it
    assert (boxes[:, 2:] <= np.array(picture.shape[1::-1]) - 4).all()
    for one in range(len(boxes)):
        for other in range(one):
            apart = (boxes[one, :2] >= boxes[other, 2:] + 3) | (boxes[other, :2] >= boxes[one, 2:] + 3)
            assert apart.any(), (texts[one], texts[other])
    assert texts[0][0].endswith("0123   640x480")
    assert {"photo", "entry depth", "exit depth", "thickness"} <= {text for text, _ in texts}


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_panels_have_the_shape_of_the_image(width, height):
    places = panels(width, height)
    assert len(places) == 3
    for rows, columns in places:
        size = np.array([columns.stop - columns.start, rows.stop - rows.start])
        assert size.max() == 384
        # To the nearest pixel; what is left of a thinned image may be one pixel longer.
        wanted = 384 * np.array([width, height]) / max(width, height)
        np.testing.assert_allclose(size, wanted, atol=1.01)


def test_misses_and_the_ends_of_the_scales():
    nan = np.nan
    maps = maps_of([[1, nan, 2], [3, 4, nan]], [[2, nan, 6], [6, 9, 7]])
    picture = preview(maps, triangle())
    colours = []
    for rows, columns in panels(3, 2):
        panel = picture[rows, columns]
        down, right = (np.array(panel.shape[:2]) / (2, 3)).astype(int)
        # Enlarged pixels are squares of one colour.
        for row in range(2):
            for column in range(3):
                cell = panel[row * down : (row + 1) * down, column * right : (column + 1) * right]
                assert (cell == cell[0, 0]).all()
        colours.append(panel[down // 2 :: down, right // 2 :: right])
    entry, exit_, thickness = colours
    for shown, values in ((entry, maps.entry), (exit_, maps.exit), (thickness, maps.thickness)):
        np.testing.assert_array_equal((shown == MISS).all(-1), np.isnan(values))
    # One scale for both sheets, from the nearest entry to the farthest exit.
    assert tuple(entry[0, 0]) == NEAR
    assert tuple(exit_[1, 1]) == FAR
    np.testing.assert_array_equal(entry[0, 2], exit_[0, 0])  # both are 2
    assert tuple(thickness[1, 1]) == THICK  # 5 is the most
    assert tuple(entry[1, 1]) not in (NEAR, FAR)


def test_the_colour_bars_tell_the_values_of_the_data(texts):
    maps = maps_of([[1.25, 2], [3, np.nan]], [[2, 6], [6.5, 9.75]])
    picture = preview(maps, triangle())
    numbers = [float(text) for text, _ in texts if text[0].isdigit()]
    assert numbers == [1.25, 9.75, 5.5, 1.25, 9.75, 5.5, 0, 4, 2]  # both ends, then the middle
    # The bar below a panel is as wide as the panel and runs from one end of the scale to the other.
    for (rows, columns), low, high in zip(panels(2, 2), (NEAR, NEAR, THIN), (FAR, FAR, THICK), strict=True):
        bar = picture[rows.stop + 14, columns]
        assert tuple(bar[0]) == low
        assert tuple(bar[-1]) == high
        assert len(np.unique(bar, axis=0)) > 200


@pytest.mark.parametrize(("low", "high"), [(5e6, 5e6 + 2), (1e-9, 2e-9), (-0.0, 1e-30), (0.001, 1e7)])
def test_the_ends_of_a_bar_are_told_apart(texts, low, high):
    entry = np.float32([[low, (low + high) / 2]])
    preview(maps_of(entry, np.float32([[high, high]])), triangle())
    numbers = [float(text) for text, _ in texts if text[0].isdigit() or text[0] == "-"][:3]
    np.testing.assert_allclose(numbers[:2], np.float32([low, high]), rtol=1e-3, atol=0.05 * (high - low))
    assert numbers[0] < numbers[2] < numbers[1]


def test_one_depth_everywhere(texts):
    picture = preview(maps_of(np.full((3, 2), 5.0), np.full((3, 2), 5.0)), triangle())
    assert [text for text, _ in texts if text[0].isdigit()] == ["5", "5", "0"]
    for place, colour in zip(panels(2, 3), (NEAR, NEAR, THIN), strict=True):
        assert (picture[place] == colour).all()


def test_nothing_seen(texts):
    picture = preview(empty(8, 6), triangle())
    assert [text for text, _ in texts].count("no value anywhere") == 3
    assert not any(text[0].isdigit() for text, _ in texts)
    left = panels(8, 6)[0][1].start
    assert (picture[100:200, 20 : left - 20] == PAPER).all()  # the photo is empty


def test_entries_without_an_exit():
    # A sheet seen from its front: no thickness anywhere, yet there is an entry to look at.
    entry = np.linspace(1, 2, 16).reshape(4, 4)
    picture = preview(maps_of(entry, np.full((4, 4), np.nan)), triangle())
    at = panels(4, 4)
    assert not (picture[at[0]] == MISS).all(-1).any()
    for place in at[1:]:
        assert (picture[place] == MISS).all()


def test_negative_thickness_is_shown_as_it_is(texts):
    preview(maps_of([[3.0, 2.0]], [[1.0, 4.0]]), triangle())
    assert [text for text, _ in texts][-3:] == ["-2", "2", "0"]


def test_photo_shows_the_colours_of_the_vertices():
    red, blue = [220, 30, 40], [20, 60, 200]
    seen = maps_of([[1.0, np.nan]], [[2.0, np.nan]])
    for colours, expected in (([red] * 3, red), ([blue] * 3, blue), ([red, red, blue], [153.3, 40, 93.3])):
        picture = photo(seen, triangle(np.uint8(colours)))
        # The face looks straight at the camera, so that it has its own colour.
        np.testing.assert_allclose(picture[0, 0], expected, atol=0.51)
        np.testing.assert_array_equal(picture[0, 1], PAPER)
    np.testing.assert_allclose(photo(seen, triangle())[0, 0], 200, atol=0.51)


def test_photo_is_darker_where_the_surface_turns_away(renderer):
    mesh = sphere(1.0)
    camera = dd.Camera.look_at((0, -5, 0), (0, 0, 0), width=61, height=61)
    scene = renderer.upload(mesh)
    maps = renderer.entry_exit(scene, camera, attributes=("face",))
    scene.release()
    level = photo(maps, mesh)[30, 30:, 0].astype(int)
    level = level[~np.isnan(maps.entry[30, 30:])]
    assert level[0] >= 198
    assert (np.diff(level) <= 1).all()
    assert level[-1] < 140


def test_photo_needs_faces():
    maps = dd.DepthMaps(np.ones((1, 1), np.float32), np.ones((1, 1), np.float32), empty(1, 1).camera)
    with pytest.raises(dd.RequestError, match="face indices"):
        photo(maps, triangle())


def test_a_large_image_is_thinned_without_a_shift(renderer):
    mesh = box()
    pose = dd.Camera.look_at((4, 3, 2), (0, 0, 0)).camera_from_world
    camera = dd.Camera.from_intrinsics([[1500, 20, 700], [0, 1400, 500], [0, 0, 1]], pose, 1555, 1203)
    scene = renderer.upload(mesh)
    maps = renderer.entry_exit(scene, camera, attributes=("face",))
    scene.release()
    few = module._thinned(maps, 2)
    np.testing.assert_array_equal(few.entry, maps.entry[::2, ::2])
    np.testing.assert_allclose(few.camera.rays()[1], camera.rays()[1][::2, ::2], atol=1e-12)
    assert np.abs(photo(few, mesh).astype(int) - photo(maps, mesh)[::2, ::2]).max() <= 1
    # The picture is that of the whole image: where the object begins and ends is where it does in it.
    place = panels(1555, 1203)[0]
    shown = (preview(maps, mesh)[place] != MISS).any(-1)
    hit = Image.fromarray(~np.isnan(maps.entry)).convert("L")
    covered = np.asarray(hit.resize(shown.shape[::-1], Image.Resampling.BOX))
    assert shown[covered == 255].all()
    assert not shown[covered == 0].any()
    assert (covered == 255).sum() > 5000


def test_a_title_that_is_no_text(texts):
    preview(empty(3, 3), triangle(), "two\nlines \udcff \t of ünïcode 日本")
    assert "\n" not in texts[0][0]
    assert texts[0][0].startswith("two lines")
