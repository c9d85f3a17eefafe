"""The preview: positions, colors and numbers of its parts, and that its text is readable."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from crossings import by_hand
from PIL import Image, ImageDraw
from shapes import box, merged, peel, sphere

import ddepth_gl as dd
from ddepth_gl.plot.canvas import Canvas
from ddepth_gl.plot.count_map import TRUNCATED, count_colors
from ddepth_gl.plot.cross_section import ENTRY, EXIT, SOLID, UNPAIRED
from ddepth_gl.plot.preview import preview

NEAR, FAR = (253, 231, 37), (68, 1, 84)  # the ends of reversed viridis: near is bright
THIN, THICK = (0, 0, 4), (252, 253, 191)  # the ends of magma
MISS, PAPER = (236, 236, 236), (255, 255, 255)
TITLE = "a/rather long mesh name that somebody has chosen - with a number at the end 0123   640x480"
SIZES = [(1, 1), (3, 2), (2, 3), (64, 48), (700, 9), (9, 700), (400, 300), (2000, 1500)]


def maps_of(entry, exit_):
    """Return DepthMaps of these depths."""
    entry, exit_ = (np.asarray(sheet, np.float32) for sheet in (entry, exit_))
    camera = dd.Camera.orthographic(2.0, np.eye(4), entry.shape[1], entry.shape[0])
    return dd.DepthMaps(entry, exit_, camera)


def blank(maps):
    """Return a transparent photo of the maps' size."""
    return np.zeros((*maps.entry.shape, 4), np.uint8)


def preview_of(maps, title="", layers=None, row=None):
    """Return the preview with a transparent photo."""
    return preview(maps, title, layers, photo=blank(maps), row=row)


def empty(width, height):
    nothing = np.full((height, width), np.nan)
    return maps_of(nothing, nothing)


def panels(width, height, title=""):
    """Return where entry, exit and thickness are: the gray areas of an image without values."""
    with pytest.MonkeyPatch.context() as patch:
        # Edges of letters can have any gray.
        patch.setattr(ImageDraw.ImageDraw, "text", lambda *_, **__: None)
        gray = (preview_of(empty(width, height), title) == MISS).all(-1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], gray.any(0), [0]])))
    rows = np.flatnonzero(gray.any(1))
    return [(slice(rows[0], rows[-1] + 1), slice(*pair)) for pair in edges.reshape(-1, 2)]


@pytest.fixture
def texts(monkeypatch):
    """All drawn texts with their boxes (left, top, right, bottom)."""
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
def test_text_is_readable_at_every_size(texts, width, height, kind):
    maps = random_maps(width, height) if kind == "random" else empty(width, height)
    image = preview_of(maps, TITLE)
    assert image.dtype == np.uint8
    assert max(image.shape) <= 1700
    boxes = np.array([box for _, box in texts])
    assert (boxes[:, :2] >= 4).all()  # nothing is clipped, with 4 pixels to spare
    assert (boxes[:, 2:] <= np.array(image.shape[1::-1]) - 4).all()
    for one in range(len(boxes)):
        for other in range(one):
            apart = (boxes[one, :2] >= boxes[other, 2:] + 3) | (
                boxes[other, :2] >= boxes[one, 2:] + 3
            )
            assert apart.any(), (texts[one], texts[other])
    assert texts[0][0].endswith("0123   640x480")
    assert {"photo", "entry depth", "exit depth", "thickness"} <= {text for text, _ in texts}


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_panels_have_the_shape_of_the_image(width, height):
    slices = panels(width, height)
    assert len(slices) == 3
    for rows, columns in slices:
        size = np.array([columns.stop - columns.start, rows.stop - rows.start])
        assert size.max() == 384
        # Rounded to the nearest pixel; a thinned image may be one pixel longer.
        wanted = 384 * np.array([width, height]) / max(width, height)
        np.testing.assert_allclose(size, wanted, atol=1.01)


def test_misses_and_the_ends_of_the_scales():
    nan = np.nan
    maps = maps_of([[1, nan, 2], [3, 4, nan]], [[2, nan, 6], [6, 9, 7]])
    image = preview_of(maps)
    colors = []
    for rows, columns in panels(3, 2):
        panel = image[rows, columns]
        down, right = (np.array(panel.shape[:2]) / (2, 3)).astype(int)
        # Enlarged pixels are squares of one color.
        for row in range(2):
            for column in range(3):
                cell = panel[row * down : (row + 1) * down, column * right : (column + 1) * right]
                assert (cell == cell[0, 0]).all()
        colors.append(panel[down // 2 :: down, right // 2 :: right])
    entry, exit_, thickness = colors
    for shown, values in ((entry, maps.entry), (exit_, maps.exit), (thickness, maps.thickness)):
        np.testing.assert_array_equal((shown == MISS).all(-1), np.isnan(values))
    # One scale for both sheets, from the nearest entry to the farthest exit.
    assert tuple(entry[0, 0]) == NEAR
    assert tuple(exit_[1, 1]) == FAR
    np.testing.assert_array_equal(entry[0, 2], exit_[0, 0])  # both are 2
    assert tuple(thickness[1, 1]) == THICK  # 5 is the largest
    assert tuple(entry[1, 1]) not in (NEAR, FAR)


def test_color_bars_are_labeled_with_the_values(texts):
    maps = maps_of([[1.25, 2], [3, np.nan]], [[2, 6], [6.5, 9.75]])
    image = preview_of(maps)
    numbers = [float(text) for text, _ in texts if text[0].isdigit()]
    assert numbers == [1.25, 9.75, 5.5, 1.25, 9.75, 5.5, 0, 4, 2]  # both ends, then the middle
    # The bar is as wide as the panel above and covers the whole scale.
    for (rows, columns), low, high in zip(
        panels(2, 2), (NEAR, NEAR, THIN), (FAR, FAR, THICK), strict=True
    ):
        bar = image[rows.stop + 14, columns]
        assert tuple(bar[0]) == low
        assert tuple(bar[-1]) == high
        assert len(np.unique(bar, axis=0)) > 200


@pytest.mark.parametrize(
    ("low", "high"), [(5e6, 5e6 + 2), (1e-9, 2e-9), (-0.0, 1e-30), (0.001, 1e7)]
)
def test_the_labels_of_a_bar_are_distinct(texts, low, high):
    entry = np.float32([[low, (low + high) / 2]])
    preview_of(maps_of(entry, np.float32([[high, high]])))
    numbers = [float(text) for text, _ in texts if text[0].isdigit() or text[0] == "-"][:3]
    np.testing.assert_allclose(
        numbers[:2], np.float32([low, high]), rtol=1e-3, atol=0.05 * (high - low)
    )
    assert numbers[0] < numbers[2] < numbers[1]


def test_one_depth_everywhere(texts):
    image = preview_of(maps_of(np.full((3, 2), 5.0), np.full((3, 2), 5.0)))
    assert [text for text, _ in texts if text[0].isdigit()] == ["5", "5", "0"]
    for area, color in zip(panels(2, 3), (NEAR, NEAR, THIN), strict=True):
        assert (image[area] == color).all()


def test_an_empty_image(texts):
    image = preview_of(empty(8, 6))
    assert [text for text, _ in texts].count("no value anywhere") == 3
    assert not any(text[0].isdigit() for text, _ in texts)
    left = panels(8, 6)[0][1].start
    assert (image[100:200, 20 : left - 20] == PAPER).all()  # the photo is transparent


def test_entries_without_an_exit():
    # A sheet seen from its front has an entry but no thickness.
    entry = np.linspace(1, 2, 16).reshape(4, 4)
    image = preview_of(maps_of(entry, np.full((4, 4), np.nan)))
    at = panels(4, 4)
    assert not (image[at[0]] == MISS).all(-1).any()
    for area in at[1:]:
        assert (image[area] == MISS).all()


def test_negative_thickness_is_shown(texts):
    preview_of(maps_of([[3.0, 2.0]], [[1.0, 4.0]]))
    assert [text for text, _ in texts][-3:] == ["-2", "2", "0"]


def test_a_large_image_is_thinned_without_a_shift(renderer):
    mesh = box()
    pose = dd.Camera.look_at((4, 3, 2), (0, 0, 0)).camera_from_world
    camera = dd.Camera.from_intrinsics(
        [[1500, 20, 700], [0, 1400, 500], [0, 0, 1]], pose, 1555, 1203
    )
    scene = renderer.upload(mesh)
    maps = renderer.entry_exit(scene, camera)
    scene.release()
    # The object covers the same part of the panel as of the image.
    area = panels(1555, 1203)[0]
    shown = (preview_of(maps)[area] != MISS).any(-1)
    hit = Image.fromarray(~np.isnan(maps.entry)).convert("L")
    covered = np.asarray(hit.resize(shown.shape[::-1], Image.Resampling.BOX))
    assert shown[covered == 255].all()
    assert not shown[covered == 0].any()
    assert (covered == 255).sum() > 5000


def test_a_title_with_unprintable_characters(texts):
    preview_of(empty(3, 3), "two\nlines \udcff \t of ünïcode 日本")
    assert "\n" not in texts[0][0]
    assert texts[0][0].startswith("two lines")


# All layers


INK = (40, 40, 40)


def layers_of(width, height, max_count, holes=True, truncated=False):
    """Return random layers of `width` x `height`, up to `max_count` crossings per pixel."""
    rng = np.random.default_rng(width)
    count = rng.integers(0, max_count + 1, (height, width))
    count[-1, -1] = max_count
    if not holes:
        count -= count % 2
    pixel = np.repeat(np.arange(count.size), count.ravel())
    order = np.arange(len(pixel)) - np.repeat(np.cumsum(count) - count.ravel(), count.ravel())
    return dd.DepthLayers(
        offsets=np.concatenate([[0], np.cumsum(count)]),
        depth=(5 + order + rng.random(len(pixel))).astype(np.float32),
        face=np.zeros(len(pixel), np.int64),
        front_facing=order % 2 == 0,
        truncated=rng.random(count.shape) < (0.1 if truncated else 0.0),
        camera=dd.Camera.orthographic(2.0, np.eye(4), width, height),
    )


def maps_like(layers):
    """Return empty maps of the same size."""
    return empty(layers.camera.width, layers.camera.height)


def blocks(mask):
    """Return the runs of consecutive rows that a mask touches, as slices."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.any(1).astype(int), [0]])))
    return [slice(*pair) for pair in edges.reshape(-1, 2)]


class Layout:
    """The positions of all parts, measured on a preview without text and values."""

    def __init__(self, width, height, title=""):
        with pytest.MonkeyPatch.context() as patch:
            for drawing in ("text", "line", "polygon"):
                patch.setattr(ImageDraw.ImageDraw, drawing, lambda *_, **__: None)
            nothing = by_hand([[""] * width] * height)
            image = preview_of(empty(width, height), title, nothing)
        entry = panels(width, height, title)[0]
        step = entry[1].start - 16  # the photo starts at the margin
        gray = (image == MISS).all(-1)
        rows = blocks(gray[:, 16 : 16 + entry[1].stop - entry[1].start])
        self.size = (entry[1].stop - entry[1].start, entry[0].stop - entry[0].start)
        self.photo = (entry[0], slice(16, 16 + self.size[0]))
        # From the top of the leftmost column: the first layer, the count map, the number bar.
        layer, counts, self.number_bar = rows
        small = np.flatnonzero(gray[layer.start])
        assert (np.diff(small) == 1).all()
        self.layers = [
            (layer, slice(16 + k * step // 2, 16 + k * step // 2 + len(small))) for k in range(8)
        ]
        self.counts = (counts, slice(16, 16 + self.size[0]))
        frame = (image == INK).all(-1)
        down, across = np.flatnonzero(frame.sum(1) > 100), np.flatnonzero(frame.sum(0) > 100)
        self.section = (slice(down[0] + 1, down[-1]), slice(across[0] + 1, across[-1]))


def cells(panel, rows, columns):
    """Return (rows, columns, 3): the center colors of the enlarged pixels of a panel."""
    down, right = (
        (np.arange(n) + 0.5) * size / n
        for n, size in zip((rows, columns), panel.shape[:2], strict=True)
    )
    return panel[down.astype(int)][:, right.astype(int)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["random", "odd", "cut", "empty"])
@pytest.mark.parametrize(("width", "height"), [*SIZES, (10001, 2)])
def test_text_of_layers_is_readable_at_every_size(texts, width, height, kind):
    most = {"random": 4, "odd": 23, "cut": 9, "empty": 0}[kind]
    layers = layers_of(width, height, most, kind != "random", kind == "cut")
    image = preview_of(maps_like(layers), "a title", layers)
    assert image.dtype == np.uint8
    assert max(image.shape) <= 1700
    boxes = np.array([box for _, box in texts])
    assert (boxes[:, :2] >= 4).all()
    assert (boxes[:, 2:] <= np.array(image.shape[1::-1]) - 4).all()
    for one in range(len(boxes)):
        for other in range(one):
            apart = (boxes[one, :2] >= boxes[other, 2:] + 3) | (
                boxes[other, :2] >= boxes[one, 2:] + 3
            )
            assert apart.any(), (texts[one], texts[other])
    words = [text for text, _ in texts]
    assert {"photo", "thickness", "layer 1", "crossings per pixel"} <= set(words)
    assert any(text.startswith("cut along row ") for text in words)
    assert any("cut short" in text for text in words) == bool(layers.truncated.any())


def test_layers_do_not_change_the_first_strip():
    maps, layers = random_maps(40, 30), layers_of(40, 30, 4)
    alone, image = preview_of(maps, "title"), preview_of(maps, "title", layers)
    assert image.shape[1] == alone.shape[1]
    assert image.shape[0] > alone.shape[0] + 200
    # Only the row marker differs: a line and its arrows.
    differ = (image[: len(alone)] != alone).any(-1)
    rows, columns = np.nonzero(differ)
    assert columns.max() < 16 + 384 + 12
    assert 0 < np.ptp(rows) <= 8


def test_layers_are_in_order_on_one_scale(texts):
    layers = by_hand([["F1 B2 F3", "F2", ""], ["F1 B9", "", "F1 B3"]])
    image = preview_of(maps_like(layers), "", layers)
    titles = [text for text, _ in texts if text.startswith("layer ")]
    assert titles == ["layer 1", "layer 2", "layer 3"]
    assert [text for text, _ in texts if text.endswith(" px")] == ["4 px", "3 px", "1 px"]
    first, second, third, nothing = (cells(image[area], 2, 3) for area in Layout(3, 2).layers[:4])
    near, two, three, far = NEAR, second[0, 0], third[0, 0], FAR
    np.testing.assert_array_equal(first, [[near, two, MISS], [near, MISS, near]])
    np.testing.assert_array_equal(second, [[two, MISS, MISS], [far, MISS, three]])
    np.testing.assert_array_equal(third, [[three, MISS, MISS], [MISS, MISS, MISS]])
    np.testing.assert_array_equal(nothing, np.broadcast_to(PAPER, (2, 3, 3)))
    assert len({tuple(color) for color in (near, two, three, far, MISS)}) == 5
    # Names are above their panels; the bar is labeled with the ends of the scale.
    for area, title in zip(Layout(3, 2).layers[:3], titles, strict=True):
        left, _, _, bottom = next(box for text, box in texts if text == title)
        assert abs(left - area[1].start) <= 2
        assert area[0].start - 30 < bottom < area[0].start
    numbers = [float(text) for text, box in texts if text.isdigit() and box[1] > area[0].stop][:3]
    assert numbers == [1, 9, 5]


@pytest.mark.parametrize(
    ("max_count", "width", "last", "more"),
    [
        (8, 60, "layer 8", []),
        (9, 60, "layer 7", ["2 more layers"]),
        (27, 60, "layer 7", ["20 more layers"]),
        (27, 2, "layer 7", ["20 more"]),  # narrow panels
    ],
)
def test_layers_that_do_not_fit_are_counted(texts, max_count, width, last, more):
    layers = layers_of(width, 60, max_count)
    preview_of(maps_like(layers), "", layers)
    words = [text for text, _ in texts]
    assert [text for text in words if text.startswith("layer ")][-1] == last
    assert [text for text in words if " more" in text] == more


def test_count_map_with_numbers_and_legend(texts):
    rows = [["", "F1 B2", "F1 B2 F3"], ["F1 B2 F3 B4", "F1 B2", "F1"]]
    layers = by_hand(rows, truncated=np.array([[False, False, False], [False, True, False]]))
    image = preview_of(maps_like(layers), "", layers, row=0)
    layout, table = Layout(3, 2), count_colors(4)
    shown = image[layout.counts].copy()
    shown = cells(np.delete(shown, slice(60, 70), axis=0), 2, 3)  # without the row marker
    np.testing.assert_array_equal(
        shown, [[MISS, table[2], table[3]], [table[4], TRUNCATED, table[1]]]
    )
    bar = cells(image[layout.number_bar, 16 : 16 + 384], 1, 5)[0]
    np.testing.assert_array_equal(bar, table)
    below = [text for text, box in texts if box[1] > layout.number_bar.start and box[2] < 16 + 384]
    assert below == ["0", "1", "2", "3", "4", "unpaired: 2 pixels", "cut short: 1 pixel"]
    # The color square is left of its text.
    for words, is_right in (
        ("unpaired: 2 pixels", lambda color: color[0] > 150 and color[1:].max() < 80),
        ("cut short: 1 pixel", lambda color: tuple(color) == TRUNCATED),
    ):
        left, top, _, bottom = next(box for text, box in texts if text == words)
        assert is_right(image[(top + bottom) // 2, left - 12])


def test_a_legend_fits_its_width(texts):
    words = "far too many words to stand beside a square of color in so little room"
    Canvas.blank(400, 40).legend(10, 5, 200, [(SOLID, "solid"), (ENTRY, words)])
    assert texts[0][0] == "solid"
    assert texts[1][0].startswith("far")
    assert texts[0][1][2] < texts[1][1][0]
    assert 180 < texts[1][1][2] <= 210


def test_no_legend_without_odd_or_truncated_pixels(texts):
    layers = by_hand([["F1 B2", "F1 B2 F3 B4"]])
    preview_of(maps_like(layers), "", layers)
    assert not any("unpaired" in text or "cut short" in text for text, _ in texts)


def test_in_a_closed_mesh_odd_counts_mean_a_camera_inside(texts):
    layers = by_hand([["B2", "B2"]], oriented=True)
    image = preview_of(maps_like(layers), "", layers)
    words = [text for text, _ in texts]
    assert "odd: 2 pixels" in words
    assert not any("unpaired" in text for text in words)
    assert (image[Layout(2, 1).section] == SOLID).all(-1).mean() > 0.8
    texts.clear()
    layers = by_hand([["B2", "B2"]])
    image = preview_of(maps_like(layers), "", layers)
    words = [text for text, _ in texts]
    assert {"unpaired: 2 pixels", "unpaired, not filled"} <= set(words)
    section = image[Layout(2, 1).section]
    assert not (section == SOLID).all(-1).any()
    assert (section == UNPAIRED).all(-1).mean() > 0.8


def test_the_section_of_a_box_is_a_rectangle_on_its_axes(renderer, texts):
    mesh = box((-1, -1, -1), (1, 1, 1))
    pose = dd.Camera.look_at((0, -5, 0), (0, 0, 0)).camera_from_world
    camera = dd.Camera.orthographic(4.0, pose, 40, 40)
    image = preview_of(empty(40, 40), "", peel(renderer, mesh, camera))
    rows, columns = Layout(40, 40).section
    # The empty layout has no numbers at the depth axis: here the frame starts farther right.
    left = np.flatnonzero((image[rows] == INK).all((0, 2)))[0] + 1
    assert columns.start < left < columns.start + 60
    section = image[rows, left : columns.stop]
    height, width = section.shape[:2]
    # Columns 10 to 29 of 40; depths 4 to 6 with margins of 6 %.
    low, extent = 3.88, 2.24
    top, bottom = (round((depth - low) / extent * height) for depth in (4, 6))
    start, stop = width // 4, width * 3 // 4
    is_solid, is_entry, is_exit = ((section == color).all(-1) for color in (SOLID, ENTRY, EXIT))
    drawn = is_solid | is_entry | is_exit
    assert drawn[top + 1 : bottom - 1, start + 1 : stop - 1].all()
    drawn[top - 1 : bottom + 1, start - 1 : stop + 1] = False
    assert not drawn.any()
    assert is_entry[top, start + 1 : stop - 1].all()
    assert is_exit[bottom - 1, start + 1 : stop - 1].all()
    assert is_solid[top + 3 : bottom - 3, start + 1 : stop - 1].all()
    # Axis numbers are at the positions of their depths and columns.
    for depth in (4.0, 5.0, 6.0):
        _, above, right, below = next(box for text, box in texts if text == f"{depth:.1f}")
        assert abs((above + below) / 2 - (rows.start + (depth - low) / extent * height)) <= 3
        assert right < left - 4
    for column in (15, 25, 35):
        begin, above, end, _ = next(box for text, box in texts if text == str(column))
        assert abs((begin + end) / 2 - (left + (column + 0.5) * width / 40)) <= 2
        assert above > rows.stop
    words = [text for text, _ in texts]
    assert words[-3:] == ["solid", "entry", "exit"]
    assert "cut along row 19: columns across, depth down" in words


@pytest.mark.parametrize("row", [None, 0, 4])
def test_the_marker_is_at_the_row_of_the_section(texts, row):
    layers = by_hand([[""], ["F1 B2"], ["F1 B2"], ["F1 B2 F3 B4"], [""], ["F1 B2"]])
    image = preview_of(maps_like(layers), "", layers, row=row)
    row = 3 if row is None else row
    assert f"cut along row {row}: columns across, depth down" in [text for text, _ in texts]
    assert ("no crossing in this row" in [text for text, _ in texts]) == (row in (0, 4))
    layout = Layout(1, 6)
    for panel in (layout.photo, layout.counts):
        lines = np.flatnonzero((image[panel] == INK).all((1, 2)))
        np.testing.assert_array_equal(lines, [int((row + 0.5) * 64)])


def test_a_low_panel_has_arrows_but_no_line():
    layers = by_hand([["F1 B2"] * 700] * 9)
    image = preview_of(maps_like(layers), "", layers)
    layout = Layout(700, 9)
    assert (image[layout.counts] == count_colors(2)[2]).all()
    middle = layout.counts[0].start + 2
    assert (image[middle, 10] == INK).all()  # an arrow


def test_photo_layers_and_row_must_fit_the_maps():
    maps, layers = empty(4, 3), by_hand([["F1 B2"] * 3] * 4)
    with pytest.raises(dd.RequestError, match="layers are of an image of 3x4, the maps of 4x3"):
        preview_of(maps, "", layers)
    with pytest.raises(dd.RequestError, match="no row 4 in an image of 4 rows"):
        preview_of(maps_like(layers), "", layers, row=4)
    for wrong in (
        np.zeros((3, 4, 3), np.uint8),
        np.zeros((4, 3, 4), np.uint8),
        np.zeros((3, 4, 4)),
        None,
    ):
        with pytest.raises(dd.RequestError, match=r"photo must be \(3, 4, 4\) uint8"):
            preview(maps, photo=wrong)


def test_layers_of_a_large_image_take_little_memory():
    size, most = 1024, 20
    layers = dd.DepthLayers(
        offsets=np.arange(size * size + 1) * most,
        depth=np.tile(np.arange(1, most + 1, dtype=np.float32), size * size),
        face=np.broadcast_to(np.int64(0), size * size * most),  # takes no memory
        front_facing=np.tile(np.array([True, False]), size * size * most // 2),
        truncated=np.zeros((size, size), bool),
        camera=dd.Camera.orthographic(2.0, np.eye(4), size, size),
    )
    maps = maps_like(layers)
    peaks = []
    for wanted in (None, layers):
        tracemalloc.start()
        preview_of(maps, "", wanted)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # A few numbers per pixel (counts, odd pixels), none per crossing.
    assert peaks[1] < peaks[0] + 24 * size * size
    assert 24 * size * size < layers.depth.nbytes / 3


# The photo


def test_the_photo_is_blended_over_white():
    photo = np.zeros((2, 2, 4), np.uint8)
    photo[0, 0], photo[0, 1], photo[1, 0], photo[1, 1] = (
        (200, 100, 0, 255),
        (200, 100, 0, 0),
        (200, 100, 0, 128),
        (0, 0, 0, 255),
    )
    image = preview(maps_of(np.ones((2, 2)), np.ones((2, 2))), photo=photo)
    shown = cells(image[Layout(2, 2).photo], 2, 2).astype(int)
    half = 255 + (np.array([200, 100, 0]) - 255) * 128 / 255
    expected = [[(200, 100, 0), PAPER], [half, (0, 0, 0)]]
    np.testing.assert_allclose(shown, np.array(expected, float), atol=1)


def test_a_larger_photo_is_averaged():
    photo = np.zeros((768, 768, 4), np.uint8)
    photo[::2, :, :] = (255, 0, 0, 255)  # every other line; the rest is transparent black
    image = preview(empty(768, 768), photo=photo)
    shown = image[Layout(768, 768).photo].astype(int)
    np.testing.assert_allclose(shown, np.broadcast_to([255, 127.5, 127.5], shown.shape), atol=1)


def test_real_bodies_are_filled_and_counted(renderer):
    """A sphere behind another, a little to the side: four layers, two discs in the section."""
    mesh = merged(sphere(1.0), sphere(0.5, center=(0.3, 3.0, 0.0)))
    camera = dd.Camera.orthographic(
        3.0, dd.Camera.look_at((0, -5, 0), (0, 0, 0)).camera_from_world, 150, 150
    )
    layers = peel(renderer, mesh, camera)
    image = preview_of(empty(150, 150), "", layers)
    section = image[Layout(150, 150).section]
    # Areas of discs, columns times depth. The section shows 3 units by 4.5 * 1.12.
    solid = np.isin(section, [SOLID, ENTRY, EXIT]).all(-1).mean() * 3.0 * 4.5 * 1.12
    assert solid == pytest.approx(np.pi * (1 + 0.25), rel=0.03)
    counts = image[Layout(150, 150).counts]
    of_four = (counts == count_colors(4)[4]).all(-1).mean() * 9.0
    # The smaller sphere is entirely behind the larger one.
    assert of_four == pytest.approx(np.pi * 0.25, rel=0.05)
