"""The preview: which samples it shows, what it says, and text that is hostile."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser

import imageio.v3 as iio
import numpy as np
import pytest
from dataset_folders import pa, pq, write_shard
from shapes import box

import ddepth_gl as dd
from ddepth_gl.dataset import preview
from ddepth_gl.dataset.entries import escaped_id
from ddepth_gl.dataset.index import merge_index
from ddepth_gl.dataset.layout_files import FilesWriter
from ddepth_gl.dataset.preview import write_preview
from ddepth_gl.errors import DatasetError
from ddepth_gl.io.results.npz import npz_bytes

CAMERA = dd.Camera.look_at((4, 3, 2), (0, 0, 0), width=20, height=16)
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>\n&amp; \u202e'


def sample(id, view=0, photo=True, maps=None, **columns):
    """Return a sample with a photo in one color and depths from 2 to 4."""
    files = {}
    if photo:
        image = np.zeros((16, 20, 4), np.uint8)
        image[4:12, 5:15] = 200, 0, 0, 255
        files["photo.png"] = iio.imwrite("<bytes>", image, extension=".png")
    if maps is None:
        entry = np.full((16, 20), np.nan, np.float32)
        entry[4:12, 5:15] = 2.0
        maps = dd.DepthMaps(entry, entry + 2.0, CAMERA)
    files["sheets.npz"] = npz_bytes(maps)
    files["json"] = json.dumps({"camera": CAMERA.to_dict(), "facts": {}}).encode()
    row = {"id": id, "view": view, "split": "train", "width": 20, "height": 16, **columns}
    return f"{id}_{view:03d}", files, row


def page_of(out):
    merge_index(out)
    png, page = write_preview(out)
    assert (png.name, page.name) == ("preview.png", "preview.html")
    return page.read_text("utf-8")


class Page(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.attributes = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        self.texts.append(data)


def test_the_sheet_and_the_page(tmp_path):
    failure = {"id": "bad%2Eobj", "kind": "timeout", "message": "more than 300 s"}
    samples = [sample(f"m{n}", coverage=0.25 + n / 100, warnings=["no texture"]) for n in range(3)]
    write_shard(tmp_path, 0, samples, [failure])
    page = Page(page_of(tmp_path))
    text = " ".join(page.texts)
    for expected in ("bad.obj", "timeout", "more than 300 s", "no texture", "m2, view 0"):
        assert expected in text
    assert page.tags.count("img") == 6  # once more with the smallest coverage
    assert "truncated layers" not in text  # none were rendered
    assert text.index("m0, view 0: coverage 0.25") < text.index("m1, view 0: coverage 0.26")
    sheet = iio.imread(tmp_path / "preview.png")
    # Three samples of three images, 128 x 102 pixels each, with a border around each sample.
    assert sheet.shape == (102 + 4, 3 * (3 * 128 + 8), 3)
    middle = sheet[53]
    assert (middle[4 + 64] == (200, 0, 0)).all()
    assert (middle[4 + 5] == 255).all()  # the photo, on white
    assert (middle[4 + 128 + 5] == 0xEC).all()  # a miss
    near, far = middle[4 + 128 + 64].astype(int), middle[4 + 256 + 64].astype(int)
    assert near.sum() > far.sum() + 200
    assert "![Some samples](preview.png)" in (tmp_path / "README.md").read_text()


def test_captions_begin_with_what_the_samples_are_sorted_by(tmp_path):
    shares = {"equal_share": 0.5, "odd_share": 0.125, "truncated_share": 0.25}
    write_shard(tmp_path, 0, [sample("m", coverage=0.5, **shares)])
    text = " ".join(Page(page_of(tmp_path)).texts)
    for name, value in shares.items():
        assert f"m, view 0: {name} {value}, coverage 0.5" in text
    assert "samples with truncated layers" in text


def test_the_same_bytes_each_time(tmp_path):
    write_shard(tmp_path, 0, [sample("a")])
    page_of(tmp_path)
    before = [(tmp_path / name).read_bytes() for name in ("preview.png", "preview.html")]
    page_of(tmp_path)
    assert before == [(tmp_path / name).read_bytes() for name in ("preview.png", "preview.html")]


def test_hostile_text_is_escaped_and_nothing_is_loaded(tmp_path):
    failure = {"id": escaped_id(HOSTILE), "kind": HOSTILE, "message": HOSTILE}
    row = {"warnings": [HOSTILE], "surfaces": HOSTILE, "coverage": 0.5}
    write_shard(tmp_path / "<b>out", 0, [sample(escaped_id(HOSTILE)[:80], **row)], [failure])
    text = page_of(tmp_path / "<b>out")
    page = Page(text)
    assert set(page.tags) <= {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "table", "tr", "th", "td",
        "div", "figure", "img", "figcaption", "p",
    }  # fmt: skip
    names = {name for name, _ in page.attributes}
    assert names <= {"lang", "charset", "http-equiv", "content", "name", "class", "alt", "src"}
    sources = [value for name, value in page.attributes if name == "src"]
    assert all(value.startswith("data:image/png;base64,") for value in sources)
    assert "default-src 'none'" in text
    assert "\u202e" not in text
    assert sum("alert(1)" in data for data in page.texts) >= 5


def test_samples_are_spread_over_the_index(tmp_path, monkeypatch):
    monkeypatch.setattr(preview, "_SAMPLES", 4)
    for shard in range(2):
        write_shard(tmp_path, shard, [sample(f"m{8 * shard + n}") for n in range(8)])
    text = page_of(tmp_path)
    shown = [n for n in range(16) if f"m{n}, view 0" in text]
    assert shown == [2, 6, 10, 14]


def test_many_failures_are_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(preview, "_MAX_FAILURES", 2)
    failures = [{"id": f"m{n}", "kind": "error", "message": "no"} for n in range(5)]
    write_shard(tmp_path, 0, [sample("a")], failures)
    text = page_of(tmp_path)
    assert "<td>m1</td>" in text
    assert "<td>m2</td>" not in text
    assert "... and 3 more in failures.parquet" in text


def test_samples_of_other_outputs(tmp_path, renderer):
    scene = renderer.upload(box())
    layers = npz_bytes(renderer.peel(scene, CAMERA))
    about = json.dumps({"camera": CAMERA.to_dict(), "facts": {}}).encode()
    empty = np.full((16, 20), np.nan, np.float32)
    samples = [
        ("layers_000", {"layers.npz": layers, "json": about}, {"id": "layers", "view": 0}),
        ("nothing_000", {"json": about}, {"id": "nothing", "view": 0}),
        sample("missed", photo=False, maps=dd.DepthMaps(empty, empty, CAMERA)),
    ]
    for number, each in enumerate(samples):
        write_shard(tmp_path, number, [each])
    assert page_of(tmp_path).count("<img") == 3


def test_the_layout_of_files(tmp_path):
    _, files, row = sample("a")
    tar = write_shard(tmp_path, 0, [("a_000", files, row)])
    writer = FilesWriter(tmp_path / "shards/shard-00000")
    for ending, content in files.items():
        writer.add(f"a_000.{ending}", len(content), [content])
    writer.finish()
    before = page_of(tmp_path)
    tar.unlink()
    rows = [
        {name: 0 if name.startswith("offset.") else value for name, value in row.items()}
        for row in pq.read_table(tar.with_suffix(".parquet")).to_pylist()
    ]
    pq.write_table(pa.Table.from_pylist(rows), tar.with_suffix(".parquet"))
    assert page_of(tmp_path).count("<img") == before.count("<img")


def test_an_empty_data_set(tmp_path):
    (tmp_path / "shards").mkdir()
    assert "<img" not in page_of(tmp_path)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("shard", "../x", r"'\.\./x' is not the name of a shard"),
        ("key", "../a_000", "is not the name of a sample's file"),
        ("size.json", 1 << 40, "has the size 1099511627776 by the index"),
        ("size.json", -1, "has the size -1 by the index"),
        ("offset.json", 512, "a_000: json: "),
        ("shard", "shard-00009", r"shard-00009/a/000\.\S+ cannot be read"),
    ],
)
def test_rows_that_are_damaged(tmp_path, column, value, message):
    tar = write_shard(tmp_path, 0, [sample("a")])
    [row] = pq.read_table(tar.with_suffix(".parquet")).to_pylist()
    pq.write_table(pa.Table.from_pylist([{**row, column: value}]), tar.with_suffix(".parquet"))
    merge_index(tmp_path)
    with pytest.raises(DatasetError, match=message):
        write_preview(tmp_path)
    assert not (tmp_path / "preview.html").exists()


def test_what_is_no_data_set(tmp_path):
    with pytest.raises(DatasetError, match="is not an index"):
        write_preview(tmp_path)
    with pytest.raises(DatasetError, match="is not a local folder"):
        write_preview("memory://x")


def test_photos_without_alpha(tmp_path):
    key, files, row = sample("a")
    files["photo.png"] = iio.imwrite("<bytes>", np.full((16, 20, 3), 9, np.uint8), extension=".png")
    write_shard(tmp_path, 0, [(key, files, row)])
    page_of(tmp_path)
    assert (iio.imread(io.BytesIO((tmp_path / "preview.png").read_bytes()))[10, 10] == 9).all()
