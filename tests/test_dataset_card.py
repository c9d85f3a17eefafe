"""The card: front matter that the hub reads, counts, licenses, and text that is hostile."""

import json
import re

import numpy as np
import pytest
from dataset_folders import write_shard

from ddepth_gl.dataset.card import CARD, SETTINGS, write_card, write_settings
from ddepth_gl.dataset.index import merge_index
from ddepth_gl.errors import DatasetError
from ddepth_gl.io.results.packing import pack

yaml = pytest.importorskip("yaml", reason="the package pyyaml is missing")

BRITISH = "licen{}e".format("c")  # the spelling check would refuse the word
HOSTILE = "x|y\n---\nlicense: mit\n<script>alert(1)</script> [a](javascript:0) `\"'\\ ![](http://x)"


def samples(id, views=2, **columns):
    made = []
    for view in range(views):
        row = {"id": id, "view": view, "split": "train", "width": 64, "height": 48, **columns}
        made.append((f"{id}_{view:03d}", {"json": json.dumps(row, default=str).encode()}, row))
    return made


def card_of(folder, **options):
    merge_index(folder)
    write_card(folder, **options)
    return (folder / CARD).read_text(encoding="utf-8")


def front_of(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_the_card_is_one_for_the_hub(tmp_path):
    hub = pytest.importorskip("huggingface_hub", reason="the package huggingface_hub is missing")
    write_shard(tmp_path, 0, samples("a", license="mit"))
    text = card_of(tmp_path, name="chairs")
    card = hub.DatasetCard(text)
    assert card.data.license == "mit"
    assert card.data.pretty_name == "chairs"
    assert card.data.size_categories == ["n<1K"]
    assert card.data.configs == [
        {"config_name": "default", "data_files": [{"split": "train", "path": ["shards/*.tar"]}]}
    ]
    assert card.text.lstrip().startswith("# chairs\n")
    # The client's own writer keeps it.
    assert hub.DatasetCard(str(card)).data.to_dict() == card.data.to_dict()


def test_counts(tmp_path):
    failure = {"id": "bad", "kind": "timeout", "message": "m"}
    first = samples("a", layers=6, closed=True, truncated_share=0.0, warnings=["no texture"])
    second = samples("b", layers=4, closed=False, truncated_share=0.25, warnings=[])
    write_shard(tmp_path, 0, first + second, [failure])
    write_shard(tmp_path, 1, samples("c", 1, warnings=["no texture"]))
    lines = card_of(tmp_path).splitlines()
    for line in (
        "| meshes | 3 |",
        "| samples (views) | 5 |",
        "| samples of split train | 5 |",
        "| image sizes | 64 x 48 |",
        "| most layers of a pixel | 6 |",
        "| meshes that are not closed | 1 |",
        "| samples with truncated layers | 2 |",
        "| meshes that failed | 1 |",
        "| timeout | 1 |",
        "| no texture | 3 |",
    ):
        assert line in lines
    assert any(line.startswith("| shards | 2, 0.0 MB |") for line in lines)


def test_the_card_tells_how_to_get_depth(tmp_path):
    write_shard(tmp_path, 0, samples("a"))
    text = card_of(tmp_path)
    assert "truncated layers" not in text
    assert "### Depth" not in text  # no sheets are stored
    [(key, files, row), *_] = samples("b", 1)
    write_shard(tmp_path, 1, [(key, {"sheets.npz": b"", **files}, row)])
    text = card_of(tmp_path)
    assert "NaN is a miss" in text
    depth = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    depth[1, 2] = np.nan
    [formula] = re.findall(r"```py\n(d = .*?)```", text, re.S)
    names = {"np": np, "sheets": {"entry_packed": pack(depth)}}
    exec(formula, names)
    np.testing.assert_array_equal(names["entry"], depth)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((None, None), "unknown"),
        (("CC BY 4.0", "cc-by-4.0"), "cc-by-4.0"),
        (("mit", "CC0-1.0"), ["cc0-1.0", "mit"]),
        (("mit", None), "other"),
        (("by-nc", "mit"), "other"),  # without its version
    ],
)
def test_licenses(tmp_path, values, expected):
    for number, value in enumerate(values):
        write_shard(tmp_path, number, samples(f"m{number}", **{BRITISH: value}))
    text = card_of(tmp_path)
    assert front_of(text)["license"] == expected
    assert ("license_name" in front_of(text)) == (expected == "other")
    if values == ("mit", None):
        assert "| mit | 1 |\n" in text
        assert "| (none) | 1 |\n" in text


def test_shards_of_one_split_each(tmp_path):
    write_shard(tmp_path, 0, samples("a"))
    write_shard(tmp_path, 1, samples("b", split="val"))
    assert front_of(card_of(tmp_path))["configs"][0]["data_files"] == [
        {"split": "train", "path": ["shards/shard-00000.tar"]},
        {"split": "validation", "path": ["shards/shard-00001.tar"]},
    ]
    write_shard(tmp_path, 2, samples("c") + samples("d", split="test"))
    assert front_of(card_of(tmp_path))["configs"][0]["data_files"] == [
        {"split": "all", "path": ["shards/*.tar"]}
    ]


def test_datasets_reads_the_folder_by_its_card(tmp_path):
    datasets = pytest.importorskip("datasets", reason="the package datasets is missing")
    write_shard(tmp_path / "out", 0, samples("a"))
    write_shard(tmp_path / "out", 1, samples("b", split="val"))
    card_of(tmp_path / "out")
    loaded = datasets.load_dataset(str(tmp_path / "out"), streaming=True)
    assert [row["__key__"] for row in loaded["train"]] == ["a_000", "a_001"]
    assert [row["json"]["id"] for row in loaded["validation"]] == ["b", "b"]


@pytest.mark.parametrize(
    ("samples_", "category"),
    [
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (240_000, "100K<n<1M"),
        (24 * 10**6, "10M<n<100M"),
        (10**9, "n>1B"),
    ],
)
def test_sizes(samples_, category):
    from ddepth_gl.dataset.card import _size_category

    assert _size_category(samples_) == category


def test_hostile_text_stays_text(tmp_path):
    row = {"license": HOSTILE, "warnings": [HOSTILE], "split": HOSTILE, HOSTILE: 1}
    failure = {"id": HOSTILE, "kind": HOSTILE, "message": ""}
    write_shard(tmp_path, 0, samples("a", **row), [failure])
    text = card_of(tmp_path, name=HOSTILE)
    front = front_of(text)
    assert front["license"] == "other"
    assert front["pretty_name"] == HOSTILE.replace("\n", " ")
    assert front["configs"][0]["data_files"][0]["split"].isidentifier()
    body = text.split("\n---\n", 1)[1]
    assert "<script" not in body
    assert "\n---\n" not in body
    assert "](" not in body.replace("\\](", "").replace("\\]\\(", "")
    # A cell does not end early.
    rows = [line for line in body.splitlines() if "alert" in line and line.startswith("|")]
    assert len(rows) == 4
    assert all(line.replace("\\|", "").count("|") == 3 for line in rows)


def test_the_same_card_each_time(tmp_path):
    write_shard(tmp_path, 0, samples("a"))
    assert card_of(tmp_path) == card_of(tmp_path)


def test_many_different_values_are_cut(tmp_path):
    for number in range(60):
        write_shard(tmp_path, number, samples(f"m{number}", 1, license=f"l{number:02d}"))
    text = card_of(tmp_path)
    assert "| l49 | 1 |\n| (others) | 10 |\n" in text


def test_the_picture_if_there_is_one(tmp_path):
    write_shard(tmp_path, 0, samples("a"))
    assert "preview.png" not in card_of(tmp_path)
    (tmp_path / "preview.png").write_bytes(b"")
    assert "![Some samples](preview.png)" in card_of(tmp_path)


def test_without_an_index(tmp_path):
    with pytest.raises(DatasetError, match=r"index\.parquet is not an index .*--finish"):
        write_card(tmp_path)


def test_settings(tmp_path):
    settings = {"views": {"count": 24, "size": [64, 64]}, "store": {"near": None}}
    write_settings(tmp_path, settings, {"renderer": "llvm\npipe: x", "numpy": "2.0"})
    text = (tmp_path / SETTINGS).read_text()
    assert yaml.safe_load(text) == settings
    assert text.splitlines()[1:3] == ["#   numpy: 2.0", "#   renderer: llvm pipe: x"]
